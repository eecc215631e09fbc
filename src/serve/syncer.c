/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/syncer.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

struct tk_syncer {
    struct tk_segment_sink *sink;
    int event_fd;
    int64_t interval_ns;
    pthread_t thread;
    bool is_running;

    pthread_mutex_t lock; /* for all below */
    pthread_cond_t asked;
    uint64_t wanted;
    struct tk_sync_state state;
    int64_t began_ns; /* monotonic, of the sync that is under way; 0 = none */
    bool stop;
};

/* Wait until a ticket is asked for; it returns the last one, or 0 at the end. */
static uint64_t wait_for_ticket(struct tk_syncer *syncer)
{
    (void)pthread_mutex_lock(&syncer->lock);
    while (!syncer->stop && syncer->wanted == syncer->state.done)
        (void)pthread_cond_wait(&syncer->asked, &syncer->lock);
    uint64_t wanted = syncer->wanted > syncer->state.done ? syncer->wanted : 0;
    (void)pthread_mutex_unlock(&syncer->lock);
    return wanted;
}

/* A sync begins: returns the last ticket that it is for. */
static uint64_t begin_sync(struct tk_syncer *syncer, int64_t now_ns)
{
    (void)pthread_mutex_lock(&syncer->lock);
    uint64_t wanted = syncer->wanted;
    syncer->began_ns = now_ns;
    (void)pthread_mutex_unlock(&syncer->lock);
    return wanted;
}

static void tell(struct tk_syncer *syncer, uint64_t ticket, int rc, const struct tk_err *err)
{
    (void)pthread_mutex_lock(&syncer->lock);
    if (rc < 0) {
        /* Failures that nobody has read yet are one, with what lies between. */
        if (syncer->state.failed == 0)
            syncer->state.failed_from = syncer->state.done;
        syncer->state.failed = ticket;
        syncer->state.err = *err;
    }
    syncer->state.done = ticket;
    syncer->began_ns = 0;
    (void)pthread_mutex_unlock(&syncer->lock);
    uint64_t one = 1;
    (void)!write(syncer->event_fd, &one, sizeof(one));
}

static void pause_until(int64_t mono_ns)
{
    struct timespec at = {.tv_sec = mono_ns / TK_NS_PER_S, .tv_nsec = mono_ns % TK_NS_PER_S};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR) {
    }
}

static void *run(void *user)
{
    struct tk_syncer *syncer = user;
    int64_t next_ns = 0;
    while (wait_for_ticket(syncer) > 0) {
        /* Who comes during the pause is in the same sync. */
        if (tk_clock_mono_ns() < next_ns)
            pause_until(next_ns);
        int64_t now_ns = tk_clock_mono_ns();
        uint64_t ticket = begin_sync(syncer, now_ns);
        next_ns = now_ns + syncer->interval_ns;
        struct tk_err err = {0};
        int rc = tk_segment_sink_sync(syncer->sink, &err);
        tell(syncer, ticket, rc, &err);
    }
    return NULL;
}

int tk_syncer_new(struct tk_segment_sink *sink, int event_fd, int64_t interval_ns,
                  struct tk_syncer **ret_syncer, struct tk_err *err)
{
    struct tk_syncer *syncer = calloc(1, sizeof(*syncer));
    if (!syncer)
        return tk_fail(err, -ENOMEM, "group commit: out of memory");
    syncer->sink = sink;
    syncer->event_fd = event_fd;
    syncer->interval_ns = interval_ns;
    (void)pthread_mutex_init(&syncer->lock, NULL);
    (void)pthread_cond_init(&syncer->asked, NULL);
    int rc = pthread_create(&syncer->thread, NULL, run, syncer);
    if (rc != 0) {
        tk_syncer_free(syncer);
        return tk_fail_code(err, -rc, "thread of the group commit");
    }
    syncer->is_running = true;
    *ret_syncer = syncer;
    return 0;
}

void tk_syncer_free(struct tk_syncer *syncer)
{
    if (!syncer)
        return;
    (void)pthread_mutex_lock(&syncer->lock);
    syncer->stop = true;
    (void)pthread_cond_signal(&syncer->asked);
    (void)pthread_mutex_unlock(&syncer->lock);
    if (syncer->is_running)
        (void)pthread_join(syncer->thread, NULL);
    (void)pthread_cond_destroy(&syncer->asked);
    (void)pthread_mutex_destroy(&syncer->lock);
    free(syncer);
}

uint64_t tk_syncer_add(struct tk_syncer *syncer)
{
    (void)pthread_mutex_lock(&syncer->lock);
    uint64_t ticket = ++syncer->wanted;
    (void)pthread_cond_signal(&syncer->asked);
    (void)pthread_mutex_unlock(&syncer->lock);
    return ticket;
}

bool tk_syncer_is_late(struct tk_syncer *syncer, int64_t limit_ns)
{
    (void)pthread_mutex_lock(&syncer->lock);
    bool is_late = syncer->began_ns > 0 && tk_clock_mono_ns() - syncer->began_ns >= limit_ns;
    (void)pthread_mutex_unlock(&syncer->lock);
    return is_late;
}

void tk_syncer_read(struct tk_syncer *syncer, struct tk_sync_state *ret_state)
{
    (void)pthread_mutex_lock(&syncer->lock);
    *ret_state = syncer->state;
    syncer->state.failed = 0;
    (void)pthread_mutex_unlock(&syncer->lock);
}
