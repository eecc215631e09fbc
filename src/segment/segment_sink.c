/* SPDX-License-Identifier: Apache-2.0 */
/* The owner's thread fills a batch and logs it; the sink's thread writes full batches as segments.
 *
 *     current job  --seal-->  queue  --writer-->  segment, log deleted  -->  spare job
 *
 * A segment that cannot be written is tried again: its job stays at the head of the queue, which
 * fills up meanwhile and so stops those who send, until the disk has room or the sink is closed.
 * A job is a batch and its log. The mutex guards the queue, the counts, and how far logs are
 * written and synced; batches need none, as each belongs to one thread at a time. */
#include "segment/segment_sink.h"

#include <assert.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/map.h"
#include "segment/folder.h"
#include "segment/segment_log.h"
#include "segment/segment_write.h"
#include "span/trace_id.h"

#define ROWS_USUAL   131072
#define AGE_USUAL_NS (10 * INT64_C(1000000000))
#define QUEUE_USUAL  2
#define JOBS_MAX     64
#define RETRY_NS     (500 * TK_NS_PER_MS) /* after a segment that could not be written */
#define IDLE_NS      (30 * TK_NS_PER_S)   /* without a segment: memory goes back */
#define SCRATCH_KEPT ((size_t)4 << 20)    /* bytes after a commit; a large request takes more */

struct job {
    struct job *next;
    struct tk_span_batch *batch;
    uint32_t number;
    int fd; /* of the log, locked */
    struct tk_log_mark mark;
    int64_t first_ns;     /* monotonic, of its first commit; 0 = no rows yet */
    uint64_t written;     /* bytes of the log; guarded */
    uint64_t synced;      /* guarded */
    bool is_named;        /* the folder was synced since the log is there; guarded */
    unsigned syncs;       /* that run now: the descriptor must stay; guarded */
    struct tk_map traces; /* by a hash of their ids; empty unless they are counted */
    size_t counted;       /* rows whose traces are in there */
};

struct tk_segment_sink {
    int dirfd; /* own */
    struct tk_segment_opts opts;
    struct job *current;   /* of the owner */
    struct tk_buf scratch; /* likewise, for its log */

    struct tk_columns_memory memory; /* of the writer */

    pthread_mutex_t mutex;
    pthread_cond_t work; /* for the writer: a job or the end; for the owner: a job is done */
    pthread_t writer;
    bool has_writer;
    bool is_closing;   /* guarded, likewise below */
    struct job *queue; /* first to be written comes first; the first may be under way */
    int64_t began_ns;  /* monotonic: when the first was looked at first; 0 = there is none */
    struct job *spare;
    struct tk_segment_counts counts;
    struct tk_err failure; /* of a segment; code 0 = none since the last that was written */
    bool is_unsafe;        /* rows whose log could not be synced are in no segment */
};

/* Jobs ----------------------------------------------------------------------------------------- */

static void job_free(struct job *job)
{
    if (!job)
        return;
    tk_fd_close(&job->fd);
    tk_span_batch_free(job->batch);
    tk_map_release(&job->traces);
    free(job);
}

static int job_new(const struct tk_segment_sink *sink, struct job **ret_job, struct tk_err *err)
{
    struct job *job = calloc(1, sizeof(*job));
    if (!job)
        return tk_fail(err, -ENOMEM, "segments: out of memory");
    job->fd = -1;
    int rc = tk_span_batch_new(sink->opts.batch_rows, &job->batch, err);
    if (rc < 0) {
        job_free(job);
        return rc;
    }
    *ret_job = job;
    return 0;
}

/* Empty the job and give it a number and a log. */
static int job_begin(struct tk_segment_sink *sink, struct job *job, struct tk_err *err)
{
    tk_span_batch_reset(job->batch);
    tk_fd_close(&job->fd);
    job->next = NULL;
    job->mark = (struct tk_log_mark){0};
    job->first_ns = 0;
    job->written = job->synced = 0;
    tk_map_reset(&job->traces);
    job->counted = 0;
    job->is_named = false;
    return tk_segment_reserve(sink->dirfd, &job->number, &job->fd, err);
}

/* The log onto the disk, and with `names` its name, too; any thread, may take as long as the disk
 * likes. */
static int sync_log(const struct tk_segment_sink *sink, const struct job *job, bool names)
{
    return fdatasync(job->fd) < 0 || (names && fsync(sink->dirfd) < 0) ? -errno : 0;
}

/* The writer ----------------------------------------------------------------------------------- */

/* Write the job as a segment. Its log goes when that is done, or when it is empty. */
static int job_write(struct tk_segment_sink *sink, const struct job *job, uint64_t *ret_bytes,
                     struct tk_err *err)
{
    const struct tk_segment_form form = {sink->opts.compress, &sink->memory};
    int rc = 0;
    *ret_bytes = 0;
    if (job->batch->rows > 0)
        rc = tk_segment_write_as(sink->dirfd, job->number, job->batch, &form, ret_bytes, err);
    if (rc == 0)
        tk_segment_remove(sink->dirfd, TK_SEGMENT_LOG, job->number);
    return rc;
}

/* A job that was done is a spare one, unless its batch was widened: few requests need as much. */
static void keep_job(struct tk_segment_sink *sink, struct job *job)
{
    if (job->batch->max_rows > sink->opts.batch_rows) {
        job_free(job);
        return;
    }
    tk_fd_close(&job->fd); /* the lock goes, too */
    job->next = sink->spare;
    sink->spare = job;
}

/* Take the first job off the queue; it is kept when nobody syncs its log. */
static void finish_job(struct tk_segment_sink *sink, struct job *job, int rc, uint64_t bytes)
{
    sink->queue = job->next;
    sink->began_ns = 0;
    sink->counts.waiting--;
    if (rc < 0) {
        sink->counts.unwritten += job->batch->rows;
        sink->is_unsafe = sink->is_unsafe || sync_log(sink, job, !job->is_named) < 0;
    } else if (bytes > 0) {
        sink->counts.spans += job->batch->rows;
        sink->counts.segments++;
        sink->counts.bytes += bytes;
    }
    sink->counts.log_bytes -= job->written;
    while (job->syncs > 0)
        (void)pthread_cond_wait(&sink->work, &sink->mutex);
    keep_job(sink, job);
    (void)pthread_cond_broadcast(&sink->work);
}

static void free_spare(struct tk_segment_sink *sink)
{
    while (sink->spare) {
        struct job *job = sink->spare;
        sink->spare = job->next;
        job_free(job);
    }
}

static struct timespec after(int64_t ns)
{
    int64_t at_ns = tk_clock_mono_ns() + ns;
    return (struct timespec){.tv_sec = at_ns / TK_NS_PER_S, .tv_nsec = at_ns % TK_NS_PER_S};
}

/* Keep the failure of a job, and wait a while; whether it is to be tried again. Locked. */
static bool wait_to_retry(struct tk_segment_sink *sink, const struct tk_err *err)
{
    sink->failure = *err;
    sink->counts.failures++;
    if (sink->opts.no_log)
        return false;
    struct timespec at = after(RETRY_NS);
    while (!sink->is_closing && pthread_cond_timedwait(&sink->work, &sink->mutex, &at) != ETIMEDOUT)
        continue;
    return !sink->is_closing;
}

/* Wait for a job, or the end. Memory that nobody needed for a while goes back: that of the load
 * before. Locked. */
static void wait_for_job(struct tk_segment_sink *sink)
{
    struct timespec at = after(IDLE_NS);
    bool is_idle = false;
    while (!sink->queue && !sink->is_closing) {
        if (is_idle) {
            (void)pthread_cond_wait(&sink->work, &sink->mutex);
        } else if (pthread_cond_timedwait(&sink->work, &sink->mutex, &at) == ETIMEDOUT) {
            is_idle = true;
            free_spare(sink);
            tk_columns_memory_release(&sink->memory);
            (void)malloc_trim(0);
        }
    }
}

static void *write_jobs(void *user)
{
    struct tk_segment_sink *sink = user;
    struct tk_err err = {0};
    (void)pthread_mutex_lock(&sink->mutex);
    for (;;) {
        wait_for_job(sink);
        struct job *job = sink->queue;
        if (!job)
            break;
        uint64_t bytes;
        if (sink->began_ns == 0)
            sink->began_ns = tk_clock_mono_ns();
        (void)pthread_mutex_unlock(&sink->mutex);
        int rc = job_write(sink, job, &bytes, &err);
        (void)pthread_mutex_lock(&sink->mutex);
        if (rc < 0 && wait_to_retry(sink, &err))
            continue;
        if (sink->counts.unwritten == 0)
            sink->failure.code = rc;
        finish_job(sink, job, rc, bytes);
    }
    (void)pthread_mutex_unlock(&sink->mutex);
    return NULL;
}

/* Making --------------------------------------------------------------------------------------- */

static int sink_init(struct tk_segment_sink *sink, int dirfd, struct tk_err *err)
{
    uint32_t sealed;
    uint32_t left;
    int rc = tk_dir_open(dirfd, ".", &sink->dirfd, err);
    if (rc == 0)
        rc = tk_segment_recover(sink->dirfd, sink->opts.compress, &sealed, &left, err);
    if (rc == 0)
        rc = job_new(sink, &sink->current, err);
    if (rc < 0 || !sink->current)
        return rc;
    rc = job_begin(sink, sink->current, err);
    if (rc < 0)
        return rc;
    int failure = pthread_create(&sink->writer, NULL, write_jobs, sink);
    if (failure != 0)
        return tk_fail_code(err, -failure, "segments: a thread");
    sink->has_writer = true;
    return 0;
}

static void init_locks(struct tk_segment_sink *sink)
{
    pthread_condattr_t attr;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&sink->mutex, NULL);
    (void)pthread_cond_init(&sink->work, &attr);
    (void)pthread_condattr_destroy(&attr);
}

int tk_segment_sink_new(int dirfd, const struct tk_segment_opts *opts,
                        struct tk_segment_sink **ret_sink, struct tk_err *err)
{
    struct tk_segment_sink *sink = calloc(1, sizeof(*sink));
    if (!sink)
        return tk_fail(err, -ENOMEM, "segments: out of memory");
    sink->dirfd = -1;
    sink->opts = *opts;
    tk_buf_init(&sink->scratch, INT32_MAX);
    sink->opts.segment_rows = opts->segment_rows ? opts->segment_rows : ROWS_USUAL;
    if (sink->opts.batch_rows < sink->opts.segment_rows)
        sink->opts.batch_rows = sink->opts.segment_rows;
    sink->opts.segment_age_ns = opts->segment_age_ns ? opts->segment_age_ns : AGE_USUAL_NS;
    sink->opts.queue = opts->queue ? opts->queue : QUEUE_USUAL;
    if (sink->opts.queue > JOBS_MAX - 2)
        sink->opts.queue = JOBS_MAX - 2;
    init_locks(sink);
    int rc = sink_init(sink, dirfd, err);
    if (rc < 0) {
        tk_segment_sink_free(sink);
        return rc;
    }
    *ret_sink = sink;
    return 0;
}

static void stop_writer(struct tk_segment_sink *sink)
{
    if (!sink->has_writer)
        return;
    (void)pthread_mutex_lock(&sink->mutex);
    sink->is_closing = true;
    (void)pthread_cond_broadcast(&sink->work);
    (void)pthread_mutex_unlock(&sink->mutex);
    (void)pthread_join(sink->writer, NULL);
    sink->has_writer = false;
}

void tk_segment_sink_free(struct tk_segment_sink *sink)
{
    if (!sink)
        return;
    if (sink->has_writer) {
        /* What waits is left to the logs; the segment that is under way ends. */
        (void)pthread_mutex_lock(&sink->mutex);
        struct job *waiting = sink->queue ? sink->queue->next : NULL;
        if (sink->queue)
            sink->queue->next = NULL;
        (void)pthread_mutex_unlock(&sink->mutex);
        stop_writer(sink);
        while (waiting) {
            struct job *next = waiting->next;
            job_free(waiting);
            waiting = next;
        }
    }
    if (sink->current && sink->current->fd >= 0 && sink->current->mark.bytes == 0)
        tk_segment_remove(sink->dirfd, TK_SEGMENT_LOG, sink->current->number);
    job_free(sink->current);
    free_spare(sink);
    tk_columns_memory_release(&sink->memory);
    (void)pthread_mutex_destroy(&sink->mutex);
    (void)pthread_cond_destroy(&sink->work);
    tk_buf_release(&sink->scratch);
    tk_fd_close(&sink->dirfd);
    free(sink);
}

/* Filling -------------------------------------------------------------------------------------- */

struct tk_span_batch *tk_segment_sink_batch(struct tk_segment_sink *sink)
{
    return sink->current->batch;
}

int tk_segment_sink_widen(struct tk_segment_sink *sink, struct tk_err *err)
{
    struct job *job = sink->current;
    struct tk_span_batch *wider = NULL;
    assert(job->batch->rows == 0 && job->mark.bytes == 0);
    if (job->batch->max_rows == TK_SPAN_BATCH_ROWS_MAX) {
        return tk_fail(err, -EMSGSIZE, "more spans than the %zu of a segment: send them in parts",
                       TK_SPAN_BATCH_ROWS_MAX);
    }
    int rc = tk_span_batch_new(TK_SPAN_BATCH_ROWS_MAX, &wider, err);
    if (rc < 0)
        return rc;
    tk_span_batch_free(job->batch);
    job->batch = wider;
    return 0;
}

/* Count the traces of the rows that are new. Without memory a segment is as long as it may be. */
static void count_traces(struct job *job)
{
    for (; job->counted < job->batch->rows; job->counted++) {
        const uint8_t *id = job->batch->trace_ids[job->counted];
        if (tk_map_add(&job->traces, tk_trace_id_hash(id), 0) < 0)
            break;
    }
}

int tk_segment_sink_commit(struct tk_segment_sink *sink, struct tk_err *err)
{
    struct job *job = sink->current;
    if (sink->opts.segment_traces > 0)
        count_traces(job);
    if (job->batch->rows > 0 && job->first_ns == 0)
        job->first_ns = tk_clock_mono_ns();
    if (sink->opts.no_log || sink->opts.ack == TK_ACK_MEMORY)
        return 0;
    uint64_t before = job->mark.bytes;
    int rc = tk_segment_log_append(job->fd, job->batch, &job->mark, &sink->scratch, err);
    if (sink->scratch.cap > SCRATCH_KEPT)
        tk_buf_release(&sink->scratch);
    if (rc < 0)
        return rc;
    (void)pthread_mutex_lock(&sink->mutex);
    job->written = job->mark.bytes;
    sink->counts.log_bytes += job->mark.bytes - before;
    (void)pthread_mutex_unlock(&sink->mutex);
    return 0;
}

/* Sync the log of a job, unless all of it is synced. Called and left with the mutex locked; the
 * descriptor stays open meanwhile. */
static int sync_job(struct tk_segment_sink *sink, struct job *job, struct tk_err *err)
{
    uint64_t written = job->written;
    bool is_named = job->is_named;
    if (job->synced >= written)
        return 0;
    job->syncs++;
    (void)pthread_mutex_unlock(&sink->mutex);
    int rc = sync_log(sink, job, !is_named);
    if (rc < 0)
        (void)tk_fail_code(err, rc, "log of spans");
    (void)pthread_mutex_lock(&sink->mutex);
    job->syncs--;
    if (rc == 0) {
        job->is_named = true;
        job->synced = written > job->synced ? written : job->synced;
    }
    (void)pthread_cond_broadcast(&sink->work);
    return rc;
}

/* The job of a number, while its rows are in no segment; NULL later. Locked. */
static struct job *find_job(struct tk_segment_sink *sink, uint32_t number)
{
    struct job *job = sink->queue;
    while (job && job->number != number)
        job = job->next;
    return job || !sink->current || sink->current->number != number ? job : sink->current;
}

int tk_segment_sink_sync(struct tk_segment_sink *sink, struct tk_err *err)
{
    uint32_t numbers[JOBS_MAX]; /* of the jobs that had rows when this began */
    size_t n = 0;
    int rc = 0;
    (void)pthread_mutex_lock(&sink->mutex);
    for (struct job *job = sink->queue; job && n + 1 < JOBS_MAX; job = job->next)
        numbers[n++] = job->number;
    if (sink->current)
        numbers[n++] = sink->current->number;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        struct job *job = find_job(sink, numbers[i]);
        rc = job ? sync_job(sink, job, err) : 0;
    }
    if (rc == 0 && sink->is_unsafe)
        rc = tk_fail(err, -EIO, "a log of spans could not be synced");
    (void)pthread_mutex_unlock(&sink->mutex);
    return rc;
}

bool tk_segment_sink_is_full(const struct tk_segment_sink *sink)
{
    return sink->current->batch->rows >= sink->opts.segment_rows;
}

bool tk_segment_sink_is_due(const struct tk_segment_sink *sink, int64_t now_ns)
{
    const struct job *job = sink->current;
    bool is_full = sink->opts.segment_traces > 0 && job->traces.count >= sink->opts.segment_traces;
    return is_full || (job->first_ns != 0 && now_ns - job->first_ns >= sink->opts.segment_age_ns);
}

/* Why no batch can be taken: the failure that keeps the queue full, or that it is full. Locked. */
static int refuse_batch(const struct tk_segment_sink *sink, struct tk_err *err)
{
    if (sink->failure.code == 0)
        return tk_fail(err, -EAGAIN, "%zu segments wait to be written", sink->opts.queue);
    *err = sink->failure;
    return sink->failure.code;
}

/* Whether a batch has room in the queue; without logs it waits for that. Locked. */
static int check_queue(struct tk_segment_sink *sink, struct tk_err *err)
{
    while (sink->opts.no_log && sink->failure.code == 0 && sink->counts.waiting >= sink->opts.queue)
        (void)pthread_cond_wait(&sink->work, &sink->mutex);
    bool has_failed = sink->opts.no_log && sink->failure.code < 0;
    return has_failed || sink->counts.waiting >= sink->opts.queue ? refuse_batch(sink, err) : 0;
}

/* A job that is empty and has a log: a spare one, or a new one. */
static int next_job(struct tk_segment_sink *sink, struct job **ret_job, struct tk_err *err)
{
    (void)pthread_mutex_lock(&sink->mutex);
    struct job *job = sink->spare;
    if (job)
        sink->spare = job->next;
    (void)pthread_mutex_unlock(&sink->mutex);
    int rc = 0;
    if (!job)
        rc = job_new(sink, &job, err);
    if (job)
        rc = job_begin(sink, job, err);
    if (rc < 0) {
        job_free(job);
        return rc;
    }
    *ret_job = job;
    return 0;
}

static void append_job(struct tk_segment_sink *sink, struct job *job)
{
    struct job **end = &sink->queue;
    while (*end)
        end = &(*end)->next;
    job->next = NULL;
    *end = job;
    sink->counts.waiting++;
    (void)pthread_cond_broadcast(&sink->work);
}

int tk_segment_sink_seal(struct tk_segment_sink *sink, struct tk_err *err)
{
    struct job *next = NULL;
    if (sink->current->batch->rows == 0)
        return 0;
    (void)pthread_mutex_lock(&sink->mutex);
    int rc = check_queue(sink, err);
    (void)pthread_mutex_unlock(&sink->mutex);
    if (rc == 0)
        rc = next_job(sink, &next, err);
    if (rc < 0)
        return rc;
    (void)pthread_mutex_lock(&sink->mutex);
    append_job(sink, sink->current);
    sink->current = next;
    (void)pthread_mutex_unlock(&sink->mutex);
    return 0;
}

int tk_segment_sink_copy(struct tk_segment_sink *sink, const struct tk_segment_file *file,
                         struct tk_err *err)
{
    uint64_t bytes = 0;
    assert(sink->opts.no_log && !sink->opts.compress);
    int rc = tk_segment_sink_seal(sink, err);
    if (rc < 0)
        return rc;
    uint32_t number = sink->current->number;
    rc = tk_segment_write_copy(sink->dirfd, number, file, &bytes, err);
    if (rc < 0)
        return rc;
    tk_segment_remove(sink->dirfd, TK_SEGMENT_LOG, number);
    (void)pthread_mutex_lock(&sink->mutex);
    sink->counts.spans += file->rows;
    sink->counts.segments++;
    sink->counts.bytes += bytes;
    (void)pthread_mutex_unlock(&sink->mutex);
    return job_begin(sink, sink->current, err);
}

/* The failure of segments that were given up, with what became of their rows. */
static int tell_unwritten(const struct tk_segment_sink *sink, struct tk_err *err)
{
    bool has_logs = !sink->opts.no_log && sink->opts.ack != TK_ACK_MEMORY;
    if (sink->counts.unwritten == 0)
        return 0;
    *err = sink->failure;
    return tk_err_prefix(err, "%llu %s in no segment%s", (unsigned long long)sink->counts.unwritten,
                         sink->counts.unwritten == 1 ? "span is" : "spans are",
                         has_logs ? ", but in their logs, which the next server takes over" : "");
}

int tk_segment_sink_close(struct tk_segment_sink *sink, struct tk_err *err)
{
    (void)pthread_mutex_lock(&sink->mutex);
    sink->is_closing = true; /* what fails from now on is tried once more, and no longer */
    (void)pthread_cond_broadcast(&sink->work);
    if (sink->current->batch->rows > 0) {
        append_job(sink, sink->current);
        sink->current = NULL;
    }
    while (sink->queue)
        (void)pthread_cond_wait(&sink->work, &sink->mutex);
    (void)pthread_mutex_unlock(&sink->mutex);
    stop_writer(sink);
    return tell_unwritten(sink, err);
}

int tk_segment_sink_check(struct tk_segment_sink *sink, int64_t limit_ns, struct tk_err *err)
{
    int rc = 0;
    (void)pthread_mutex_lock(&sink->mutex);
    bool is_late = sink->began_ns > 0 && tk_clock_mono_ns() - sink->began_ns >= limit_ns;
    if (sink->failure.code < 0) {
        *err = sink->failure;
        rc = sink->failure.code;
    } else if (is_late && sink->counts.waiting >= sink->opts.queue) {
        rc = tk_fail(err, -ETIMEDOUT, "the disk hangs, a segment takes longer than %lld ms",
                     (long long)(limit_ns / TK_NS_PER_MS));
    }
    (void)pthread_mutex_unlock(&sink->mutex);
    return rc;
}

void tk_segment_sink_count(struct tk_segment_sink *sink, struct tk_segment_counts *ret_counts)
{
    (void)pthread_mutex_lock(&sink->mutex);
    *ret_counts = sink->counts;
    (void)pthread_mutex_unlock(&sink->mutex);
}
