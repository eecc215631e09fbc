/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/block_lanes.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>

#define MAX_THREADS 64

struct tk_block_lanes {
    const struct tk_block_job *job;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t turned;
    size_t next;   /* to be begun */
    size_t turn;   /* all before are done */
    size_t failed; /* the first index that failed; SIZE_MAX = none */
    struct tk_err failure;
};

int tk_block_lanes_wait(struct tk_block_lanes *lanes, size_t index)
{
    (void)pthread_mutex_lock(&lanes->lock);
    while (lanes->turn < index && lanes->failed >= index)
        (void)pthread_cond_wait(&lanes->turned, &lanes->lock);
    int rc = lanes->failed < index ? -ECANCELED : 0;
    (void)pthread_mutex_unlock(&lanes->lock);
    return rc;
}

/* The next index; false when there is none. */
static bool take(struct tk_block_lanes *lanes, size_t *ret_index)
{
    (void)pthread_mutex_lock(&lanes->lock);
    bool ok = lanes->next < lanes->job->count && lanes->failed == SIZE_MAX;
    if (ok)
        *ret_index = lanes->next++;
    (void)pthread_mutex_unlock(&lanes->lock);
    return ok;
}

/* An index is done. What failed only because an earlier one did is no failure of its own. */
static void finish(struct tk_block_lanes *lanes, size_t index, int rc, const struct tk_err *err)
{
    (void)pthread_mutex_lock(&lanes->lock);
    if (rc < 0 && rc != -ECANCELED && index < lanes->failed) {
        lanes->failed = index;
        lanes->failure = *err;
    }
    if (rc == 0 && lanes->turn == index)
        lanes->turn = index + 1;
    (void)pthread_cond_broadcast(&lanes->turned);
    (void)pthread_mutex_unlock(&lanes->lock);
}

static void *run_lane(void *user)
{
    struct tk_block_lanes *lanes = user;
    const struct tk_block_job *job = lanes->job;
    struct tk_err err = {0};
    void *own = NULL;
    size_t index;
    int opened = job->open ? job->open(job->user, &own, &err) : 0;
    while (take(lanes, &index)) {
        int rc = opened < 0 ? opened : job->work(lanes, job->user, own, index, &err);
        if (rc == 0)
            rc = tk_block_lanes_wait(lanes, index); /* for work that did not */
        finish(lanes, index, rc, &err);
    }
    if (job->close && own)
        job->close(own);
    return NULL;
}

int tk_block_lanes_run(const struct tk_block_job *job, struct tk_err *err)
{
    pthread_t threads[MAX_THREADS];
    struct tk_block_lanes lanes = {.job = job,
                                   .lock = PTHREAD_MUTEX_INITIALIZER,
                                   .turned = PTHREAD_COND_INITIALIZER,
                                   .failed = SIZE_MAX};
    size_t wanted = job->threads < job->count ? job->threads : job->count;
    size_t begun = 0;
    wanted = wanted < MAX_THREADS ? wanted : MAX_THREADS;
    /* One lane is this thread's: where threads cannot be made, it does all. */
    while (begun + 1 < wanted && pthread_create(&threads[begun], NULL, run_lane, &lanes) == 0)
        begun++;
    (void)run_lane(&lanes);
    for (size_t i = 0; i < begun; i++)
        (void)pthread_join(threads[i], NULL);
    (void)pthread_cond_destroy(&lanes.turned);
    (void)pthread_mutex_destroy(&lanes.lock);
    if (lanes.failed == SIZE_MAX)
        return 0;
    *err = lanes.failure;
    return lanes.failure.code;
}
