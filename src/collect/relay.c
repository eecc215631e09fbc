/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/relay.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>

#include "base/clock.h"
#include "run/recording.h"

#define TABLE_MAX ((size_t)8 << 20)
/* So much of one table is written without waiting for a flush. */
#define EARLY_BYTES ((size_t)32 << 10)
/* Memory of a larger burst is not kept. */
#define KEPT_BYTES ((size_t)128 << 10)
/* Ten times what writing takes; under 2 MiB, which could become one huge page. */
#define STACK_BYTES ((size_t)256 << 10)

/* Flushes come a little early or late. */
#define WINDOW_SLACK_NS (TK_NS_PER_S / 2)

/* The blocks of a compact run go behind the lines of all tables. */
#define BLOCKS     TK_TABLE_COUNT
#define LANE_COUNT (TK_TABLE_COUNT + 1)

/* The rows of one table, or all blocks. */
struct lane {
    struct tk_buf waiting; /* encoded */
    int64_t rows;          /* in them */
    struct tk_buf leaving; /* what is being written, without the mutex; empty otherwise */
    bool wanted;           /* what waits is to be written */
};

struct tk_relay {
    struct tk_run_writer *writer; /* of whoever writes */
    pthread_t thread;
    bool started;  /* else the sampling thread writes */
    int64_t wakes; /* of the thread, by the sampling thread, which alone looks at it */

    struct tk_recording_encoder *encoder; /* of a compact run, else NULL; the sampling thread's */
    int64_t window_ns;
    int64_t closed_ns; /* when blocks were closed last */

    sem_t wake;            /* posted once when there is something to do, or it ends */
    pthread_mutex_t mutex; /* over all that follows */
    pthread_cond_t written_all;
    bool broken; /* blocks were lost: those to come must not build on them */
    struct lane lanes[LANE_COUNT];
    struct tk_batch *run; /* row of run.json to be written; owned; NULL = none */
    bool wanted;          /* something is to be written */
    bool writing, ending;

    struct tk_err failure; /* the first that was not told yet; code 0 = none */
    bool written;          /* something was since then, and that was not told yet */
    int64_t dropped_rows;  /* for lack of room here */
    struct tk_run_writer_stats stats;
};

/* Writing: the mutex is held, and let go while the disk is at work ------------------------- */

static void swap(struct tk_buf *a, struct tk_buf *b)
{
    struct tk_buf before = *a;
    *a = *b;
    *b = before;
}

/* Drop the blocks that wait: they may build on one that was lost. */
static void drop_blocks(struct tk_relay *relay)
{
    struct lane *lane = &relay->lanes[BLOCKS];
    relay->dropped_rows += lane->rows;
    lane->rows = 0;
    tk_buf_reset(&lane->waiting);
    relay->broken = true;
}

static int write_lane(struct tk_relay *relay, size_t which, struct tk_err *err)
{
    struct lane *lane = &relay->lanes[which];
    int64_t rows = lane->rows;
    swap(&lane->waiting, &lane->leaving);
    lane->rows = 0;
    lane->wanted = false;
    (void)pthread_mutex_unlock(&relay->mutex);
    int rc = which == BLOCKS ? tk_run_writer_write_frames(relay->writer, &lane->leaving, rows, err)
                             : tk_run_writer_write(relay->writer, (enum tk_table)which,
                                                   &lane->leaving, rows, err);
    if (lane->leaving.cap > KEPT_BYTES)
        tk_buf_release(&lane->leaving);
    (void)pthread_mutex_lock(&relay->mutex);
    if (!lane->waiting.p)
        swap(&lane->waiting, &lane->leaving);
    if (rc < 0 && which == BLOCKS)
        drop_blocks(relay);
    return rc;
}

static int write_run(struct tk_relay *relay, struct tk_err *err)
{
    TK_CLEANUP(tk_batch_freep) struct tk_batch *run = relay->run;
    relay->run = NULL;
    (void)pthread_mutex_unlock(&relay->mutex);
    int rc = tk_object_refresh(tk_run_writer_dirfd(relay->writer), tk_tables[TK_TABLE_RUN].raw, run,
                               err);
    (void)pthread_mutex_lock(&relay->mutex);
    return rc;
}

/* Returns the first failure, all the rest is written nevertheless; 1 when there was nothing. */
static int write_all(struct tk_relay *relay, struct tk_err *err)
{
    struct tk_err later;
    int first = 1;
    for (size_t i = 0; i < LANE_COUNT; i++) {
        if (!relay->lanes[i].wanted)
            continue;
        int rc = write_lane(relay, i, first < 0 ? &later : err);
        first = first < 0 ? first : rc;
    }
    if (relay->run) {
        int rc = write_run(relay, first < 0 ? &later : err);
        first = first < 0 ? first : rc;
    }
    return first;
}

static void write_wanted(struct tk_relay *relay)
{
    struct tk_err err;
    relay->wanted = false;
    relay->writing = true;
    int rc = write_all(relay, &err);
    relay->writing = false;
    if (rc < 0 && relay->failure.code == 0)
        relay->failure = err;
    if (rc <= 0)
        relay->written = rc == 0;
    tk_run_writer_read_stats(relay->writer, &relay->stats);
    (void)pthread_cond_broadcast(&relay->written_all);
}

/* The thread. A semaphore wakes it with one system call on either side; a condition would take
 * three. */
static void *write_until_end(void *context)
{
    struct tk_relay *relay = context;
    (void)pthread_mutex_lock(&relay->mutex);
    while (relay->wanted || !relay->ending) {
        if (relay->wanted) {
            write_wanted(relay);
            continue;
        }
        (void)pthread_mutex_unlock(&relay->mutex);
        while (sem_wait(&relay->wake) < 0)
            continue; /* a signal */
        (void)pthread_mutex_lock(&relay->mutex);
    }
    (void)pthread_mutex_unlock(&relay->mutex);
    return NULL;
}

/* Handing over: the mutex is held ------------------------------------------------------------ */

/* Have what is marked written; unlock() wakes the thread. */
static void hand_over(struct tk_relay *relay)
{
    if (relay->started) {
        relay->wanted = true;
    } else {
        write_wanted(relay);
    }
}

static void hand_over_all(struct tk_relay *relay)
{
    bool any = relay->run;
    for (size_t i = 0; i < LANE_COUNT; i++) {
        relay->lanes[i].wanted = relay->lanes[i].waiting.n > 0;
        any |= relay->lanes[i].wanted;
    }
    if (any)
        hand_over(relay);
}

/* Write early what is much. */
static void look_at_size(struct tk_relay *relay, struct lane *lane)
{
    if (lane->waiting.n >= EARLY_BYTES && !lane->wanted) {
        lane->wanted = true;
        hand_over(relay);
    }
}

static int encode_lines(struct tk_relay *relay, enum tk_table table, const struct tk_batch *batch,
                        struct tk_err *err)
{
    struct lane *lane = &relay->lanes[table];
    struct tk_buf *lines = &lane->waiting;
    size_t before = lines->n;
    tk_encoder_jsonl.batch(batch, lines);
    if (!tk_buf_ok(lines)) {
        bool full = lines->failure == -EMSGSIZE;
        lines->failure = 0;
        lines->n = before;
        relay->dropped_rows += (int64_t)batch->rows;
        return full ? tk_fail(err, -EAGAIN, "%s: the disk does not keep up", tk_tables[table].raw)
                    : tk_fail(err, -ENOMEM, "%s: out of memory", tk_tables[table].raw);
    }
    lane->rows += (int64_t)batch->rows;
    look_at_size(relay, lane);
    return 0;
}

/* Blocks that follow a lost one stand alone; open ones cannot any more. */
static void restart(struct tk_relay *relay)
{
    relay->dropped_rows += tk_recording_encoder_restart(relay->encoder);
    relay->broken = false;
}

/* Add rows to the open blocks, or close these when there is no batch. */
static int encode_blocks(struct tk_relay *relay, const struct tk_batch *batch, struct tk_err *err)
{
    struct lane *lane = &relay->lanes[BLOCKS];
    if (relay->broken)
        restart(relay);
    int64_t rows =
        tk_recording_encoder_open_rows(relay->encoder) + (batch ? (int64_t)batch->rows : 0);
    int rc = batch ? tk_recording_encoder_put(relay->encoder, batch, &lane->waiting, err)
                   : tk_recording_encoder_close_blocks(relay->encoder, &lane->waiting, err);
    if (rc < 0) {
        bool full = lane->waiting.failure == -EMSGSIZE;
        lane->waiting.failure = 0;
        int64_t dropped = tk_recording_encoder_restart(relay->encoder);
        relay->dropped_rows += dropped;
        lane->rows += rows - dropped;
        return full ? tk_fail(err, -EAGAIN, "%s: the disk does not keep up", TK_RECORDING_FILE)
                    : rc;
    }
    lane->rows += rows - tk_recording_encoder_open_rows(relay->encoder);
    look_at_size(relay, lane);
    return 0;
}

/* Close open blocks, unless that was done within the window. */
static void close_blocks(struct tk_relay *relay, int64_t window_ns)
{
    struct tk_err err;
    int64_t now = tk_clock_mono_ns();
    if (!relay->encoder || now - relay->closed_ns < window_ns - WINDOW_SLACK_NS)
        return;
    relay->closed_ns = now;
    if (encode_blocks(relay, NULL, &err) < 0 && relay->failure.code == 0)
        relay->failure = err;
}

/* Woken before the mutex is free, the thread would wait for that next. */
static void unlock(struct tk_relay *relay, bool was_wanted)
{
    bool wake = relay->wanted && !was_wanted;
    (void)pthread_mutex_unlock(&relay->mutex);
    if (!wake)
        return;
    relay->wakes++;
    (void)sem_post(&relay->wake);
}

static int take(void *context, enum tk_table table, const struct tk_batch *batch,
                struct tk_err *err)
{
    struct tk_relay *relay = context;
    (void)pthread_mutex_lock(&relay->mutex);
    bool was_wanted = relay->wanted;
    int rc =
        relay->encoder ? encode_blocks(relay, batch, err) : encode_lines(relay, table, batch, err);
    unlock(relay, was_wanted);
    return rc;
}

struct tk_sink tk_relay_sink(struct tk_relay *relay)
{
    return (struct tk_sink){take, relay};
}

void tk_relay_flush(struct tk_relay *relay, struct tk_batch *run)
{
    (void)pthread_mutex_lock(&relay->mutex);
    bool was_wanted = relay->wanted;
    if (run) {
        tk_batch_free(relay->run);
        relay->run = run;
    }
    close_blocks(relay, relay->window_ns);
    hand_over_all(relay);
    unlock(relay, was_wanted);
}

void tk_relay_write(struct tk_relay *relay)
{
    (void)pthread_mutex_lock(&relay->mutex);
    close_blocks(relay, 0);
    hand_over_all(relay);
    if (relay->wanted)
        (void)sem_post(&relay->wake);
    while (relay->wanted || relay->writing)
        (void)pthread_cond_wait(&relay->written_all, &relay->mutex);
    (void)pthread_mutex_unlock(&relay->mutex);
}

/* What came of it --------------------------------------------------------------------------- */

/* The mutex is held. */
static int take_outcome(struct tk_relay *relay, struct tk_err *err)
{
    int rc = relay->failure.code;
    if (rc < 0) {
        *err = relay->failure;
        relay->failure.code = 0;
        return rc;
    }
    rc = relay->written ? 0 : 1;
    relay->written = false;
    return rc;
}

int tk_relay_next_outcome(struct tk_relay *relay, struct tk_err *err)
{
    (void)pthread_mutex_lock(&relay->mutex);
    int rc = take_outcome(relay, err);
    (void)pthread_mutex_unlock(&relay->mutex);
    return rc;
}

void tk_relay_read_stats(struct tk_relay *relay, struct tk_run_writer_stats *ret_stats)
{
    (void)pthread_mutex_lock(&relay->mutex);
    *ret_stats = relay->stats;
    ret_stats->dropped_rows += relay->dropped_rows;
    (void)pthread_mutex_unlock(&relay->mutex);
}

int64_t tk_relay_syscalls(const struct tk_relay *relay)
{
    return relay->wakes;
}

/* Life ------------------------------------------------------------------------------------- */

int tk_relay_new(struct tk_run_writer *writer, struct tk_relay **ret_relay, struct tk_err *err)
{
    struct tk_relay *relay = calloc(1, sizeof(*relay));
    if (!relay)
        return tk_fail(err, -ENOMEM, "rows on their way to the disk: out of memory");
    relay->writer = writer;
    for (size_t i = 0; i < LANE_COUNT; i++) {
        tk_buf_init(&relay->lanes[i].waiting, TABLE_MAX);
        tk_buf_init(&relay->lanes[i].leaving, TABLE_MAX);
    }
    (void)pthread_mutex_init(&relay->mutex, NULL);
    (void)pthread_cond_init(&relay->written_all, NULL);
    (void)sem_init(&relay->wake, 0, 0);
    *ret_relay = relay;
    return 0;
}

int tk_relay_set_compact(struct tk_relay *relay, int64_t window_ns, struct tk_err *err)
{
    relay->window_ns = window_ns;
    relay->closed_ns = tk_clock_mono_ns();
    return tk_recording_encoder_new(&relay->encoder, err);
}

/* Signals are for the thread of the caller, who may not have blocked them yet. */
void tk_relay_open(struct tk_relay *relay)
{
    sigset_t all;
    sigset_t before;
    pthread_attr_t attr;
    if (relay->started || pthread_attr_init(&attr) != 0)
        return;
    (void)pthread_attr_setstacksize(&attr, STACK_BYTES);
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    relay->started = pthread_create(&relay->thread, &attr, write_until_end, relay) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attr);
}

static void stop_thread(struct tk_relay *relay)
{
    (void)pthread_mutex_lock(&relay->mutex);
    relay->ending = true;
    (void)pthread_mutex_unlock(&relay->mutex);
    (void)sem_post(&relay->wake);
    (void)pthread_join(relay->thread, NULL);
}

void tk_relay_free(struct tk_relay *relay)
{
    if (!relay)
        return;
    tk_relay_write(relay);
    if (relay->started)
        stop_thread(relay);
    for (size_t i = 0; i < LANE_COUNT; i++) {
        tk_buf_release(&relay->lanes[i].waiting);
        tk_buf_release(&relay->lanes[i].leaving);
    }
    tk_recording_encoder_free(relay->encoder);
    (void)pthread_cond_destroy(&relay->written_all);
    (void)sem_destroy(&relay->wake);
    (void)pthread_mutex_destroy(&relay->mutex);
    free(relay);
}
