/* SPDX-License-Identifier: Apache-2.0 */
#include "segment/segment_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "segment/compact.h"
#include "segment/folder.h"
#include "segment/segment_file.h"
#include "segment/segment_log.h"
#include "segment/segment_set.h"
#include "segment/segment_write.h"
#include "span_mix.h"
#include "tk_place.h"

static struct tk_segment_sink *sink_of(const struct place *place,
                                       const struct tk_segment_opts *opts)
{
    struct tk_err err = {0};
    struct tk_segment_sink *sink = NULL;
    int rc = tk_segment_sink_new(place->fd, opts, &sink, &err);
    if (rc < 0)
        print_error("%s\n", err.msg);
    assert_int_equal(rc, 0);
    return sink;
}

static struct tk_segment_set *set_of(const struct place *place)
{
    struct tk_err err = {0};
    struct tk_segment_set *set = NULL;
    int rc = tk_segment_set_new(place->fd, false, &set, &err);
    if (rc < 0)
        print_error("%s\n", err.msg);
    assert_int_equal(rc, 0);
    return set;
}

static int note(void *user, const struct tk_span_rows *rows, struct tk_err *err)
{
    (void)err;
    for (size_t i = 0; i < rows->n; i++)
        span_texts_add(user, rows->batch, tk_span_rows_at(rows, i));
    return 0;
}

static void note_all(struct tk_segment_set *set, struct span_texts *texts)
{
    struct tk_err err = {0};
    struct tk_span_query query = {.from_ns = INT64_MIN};
    int rc = tk_segment_set_scan(set, &query, note, texts, &err);
    if (rc < 0)
        print_error("%s\n", err.msg);
    assert_int_equal(rc, 0);
}

static size_t count_files(const struct place *place, enum tk_segment_kind kind)
{
    struct tk_err err;
    TK_CLEANUP(tk_buf_release) struct tk_buf entries;
    size_t n = 0;
    tk_buf_init(&entries, 1 << 20);
    assert_int_equal(tk_segment_list(place->fd, &entries, &err), 0);
    const struct tk_segment_entry *items = (const struct tk_segment_entry *)(void *)entries.p;
    for (size_t i = 0; i < entries.n / sizeof(*items); i++)
        n += tk_segment_has(&items[i], kind);
    return n;
}

/* Fill and commit `commits` times, noting the spans. */
static void fill(struct tk_segment_sink *sink, uint64_t seed, size_t commits, size_t rows,
                 struct span_texts *texts)
{
    struct tk_err err = {0};
    for (size_t i = 0; i < commits; i++) {
        struct tk_span_batch *batch = tk_segment_sink_batch(sink);
        size_t before = batch->rows;
        mix_fill(batch, seed + i, rows);
        for (size_t row = before; row < batch->rows; row++)
            span_texts_add(texts, batch, row);
        assert_int_equal(tk_segment_sink_commit(sink, &err), 0);
    }
}

static void a_closed_sink_leaves_segments_with_every_row(void **state)
{
    (void)state;
    struct place place;
    struct tk_err err = {0};
    struct span_texts before = {0};
    struct span_texts after = {0};
    place_make(&place);
    struct tk_segment_sink *sink = sink_of(&place, &(struct tk_segment_opts){.queue = 8});
    for (uint64_t i = 0; i < 5; i++) {
        fill(sink, 100 * i + 1, 4, 50, &before);
        assert_int_equal(tk_segment_sink_seal(sink, &err), 0);
    }
    fill(sink, 9000, 1, 7, &before);
    assert_int_equal(tk_segment_sink_close(sink, &err), 0);
    struct tk_segment_counts counts;
    tk_segment_sink_count(sink, &counts);
    assert_int_equal(counts.spans, 1007);
    assert_int_equal(counts.segments, 6);
    assert_int_equal(counts.log_bytes, 0);
    tk_segment_sink_free(sink);
    assert_int_equal(count_files(&place, TK_SEGMENT_PART), 6);
    assert_int_equal(count_files(&place, TK_SEGMENT_LOG), 0);
    struct tk_segment_set *set = set_of(&place);
    note_all(set, &after);
    assert_same_spans(&before, &after);
    tk_segment_set_free(set);
    span_texts_release(&before);
    span_texts_release(&after);
    place_remove(&place);
}

static void rows_of_a_live_sink_are_seen_as_they_are_committed(void **state)
{
    (void)state;
    struct place place;
    struct tk_err err = {0};
    struct span_texts before = {0};
    place_make(&place);
    struct tk_segment_sink *sink = sink_of(&place, &(struct tk_segment_opts){.queue = 8});
    struct tk_segment_set *set = set_of(&place);
    for (uint64_t i = 0; i < 12; i++) {
        struct span_texts after = {0};
        struct tk_segment_totals totals;
        fill(sink, i + 1, 1, 20, &before);
        if (i % 4 == 3)
            assert_int_equal(tk_segment_sink_seal(sink, &err), 0);
        assert_int_equal(tk_segment_set_refresh(set, &err), 0);
        tk_segment_set_count(set, &totals);
        assert_int_equal(totals.spans, before.n);
        note_all(set, &after);
        assert_same_spans(&before, &after);
        span_texts_release(&after);
    }
    assert_int_equal(tk_segment_sink_close(sink, &err), 0);
    tk_segment_sink_free(sink);
    tk_segment_set_free(set);
    span_texts_release(&before);
    place_remove(&place);
}

static void what_a_dead_process_committed_is_sealed_by_the_next(void **state)
{
    (void)state;
    struct place place;
    struct tk_err err = {0};
    struct span_texts before = {0};
    struct span_texts after = {0};
    place_make(&place);
    struct tk_segment_sink *sink = sink_of(&place, &(struct tk_segment_opts){0});
    fill(sink, 5, 3, 40, &before);
    mix_fill(tk_segment_sink_batch(sink), 77, 10); /* not committed: may go */
    tk_segment_sink_free(sink);                    /* as a process that ends */
    assert_int_equal(count_files(&place, TK_SEGMENT_LOG), 1);
    sink = sink_of(&place, &(struct tk_segment_opts){0});
    assert_int_equal(count_files(&place, TK_SEGMENT_PART), 1);
    assert_int_equal(tk_segment_sink_close(sink, &err), 0);
    tk_segment_sink_free(sink);
    assert_int_equal(count_files(&place, TK_SEGMENT_LOG), 0);
    struct tk_segment_set *set = set_of(&place);
    note_all(set, &after);
    assert_same_spans(&before, &after);
    tk_segment_set_free(set);
    span_texts_release(&before);
    span_texts_release(&after);
    place_remove(&place);
}

/* A log that is cut off anywhere gives the blocks that are whole, and no other. */
static void a_torn_log_gives_its_whole_blocks(void **state)
{
    (void)state;
    struct place place;
    struct span_texts texts = {0};
    TK_CLEANUP(tk_buf_release) struct tk_buf bytes;
    struct tk_err err = {0};
    tk_buf_init(&bytes, 1 << 24);
    place_make(&place);
    struct tk_segment_sink *sink = sink_of(&place, &(struct tk_segment_opts){0});
    fill(sink, 5, 5, 10, &texts);
    assert_int_equal(tk_file_load(place.fd, "open-000001.log", &bytes, &err), 0);
    size_t seen = 0;
    for (size_t cut = 0; cut <= bytes.n; cut += cut + 97 < bytes.n ? 97 : 1) {
        TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch;
        struct tk_log_mark mark = {0};
        assert_int_equal(tk_span_batch_new(1000, &batch, &err), 0);
        assert_int_equal(tk_segment_log_decode((tk_str){bytes.p, cut}, batch, &mark, &err), 0);
        assert_int_equal(batch->rows % 10, 0);
        assert_true(batch->rows >= seen && mark.bytes <= cut);
        seen = batch->rows;
    }
    assert_int_equal(seen, 50);
    tk_segment_sink_free(sink);
    span_texts_release(&texts);
    place_remove(&place);
}

/* One byte of a log that changed takes its block away, and those behind it. */
static void a_damaged_block_is_no_block(void **state)
{
    (void)state;
    struct place place;
    struct span_texts texts = {0};
    TK_CLEANUP(tk_buf_release) struct tk_buf bytes;
    struct tk_err err = {0};
    tk_buf_init(&bytes, 1 << 24);
    place_make(&place);
    struct tk_segment_sink *sink = sink_of(&place, &(struct tk_segment_opts){0});
    fill(sink, 6, 3, 10, &texts);
    assert_int_equal(tk_file_load(place.fd, "open-000001.log", &bytes, &err), 0);
    for (size_t at = 8; at < bytes.n; at += 31) {
        TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch;
        struct tk_log_mark mark = {0};
        assert_int_equal(tk_span_batch_new(1000, &batch, &err), 0);
        bytes.p[at] = (char)(bytes.p[at] ^ 4);
        assert_int_equal(tk_segment_log_decode(tk_buf_str(&bytes), batch, &mark, &err), 0);
        assert_true(batch->rows < 30);
        bytes.p[at] = (char)(bytes.p[at] ^ 4);
    }
    tk_segment_sink_free(sink);
    span_texts_release(&texts);
    place_remove(&place);
}

/* A child commits spans whose ids count up, and writes each number that is safe into a pipe, until
 * it is killed. */
static void write_until_killed(const struct place *place, int pipe_fd)
{
    struct tk_err err;
    struct tk_segment_sink *sink;
    struct tk_segment_opts opts = {.queue = 4, .ack = TK_ACK_FSYNC};
    if (tk_segment_sink_new(place->fd, &opts, &sink, &err) < 0)
        _exit(3);
    for (uint64_t i = 0;; i++) {
        struct tk_span_batch *batch = tk_segment_sink_batch(sink);
        mix_fill(batch, 1, 1);
        batch->span_ids[batch->rows - 1] = i;
        if (tk_segment_sink_commit(sink, &err) < 0 || tk_segment_sink_sync(sink, &err) < 0 ||
            write(pipe_fd, &i, sizeof(i)) != sizeof(i))
            _exit(4);
        if (i % 16 == 15) {
            int rc = tk_segment_sink_seal(sink, &err);
            if (rc < 0 && rc != -EAGAIN)
                _exit(5);
        }
    }
}

static int count_id(void *user, const struct tk_span_rows *rows, struct tk_err *err)
{
    (void)err;
    uint8_t *times = user;
    for (size_t i = 0; i < rows->n; i++) {
        uint64_t id = rows->batch->span_ids[tk_span_rows_at(rows, i)];
        assert_true(id < 100000);
        times[id]++;
    }
    return 0;
}

static void check_ids(const struct place *place, uint64_t safe)
{
    struct tk_err err = {0};
    struct tk_span_query all = {.from_ns = INT64_MIN};
    uint8_t *times = calloc(100000, 1);
    assert_non_null(times);
    struct tk_segment_set *set = set_of(place);
    assert_int_equal(tk_segment_set_scan(set, &all, count_id, times, &err), 0);
    tk_segment_set_free(set);
    for (uint64_t i = 0; i < 100000; i++)
        assert_true(i < safe ? times[i] == 1 : times[i] <= 1);
    free(times);
}

static void kill_after(int64_t us)
{
    struct place place;
    int fds[2];
    place_make(&place);
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        write_until_killed(&place, fds[1]);
    close(fds[1]);
    struct timespec wait = {us / 1000000, us % 1000000 * 1000};
    nanosleep(&wait, NULL);
    assert_int_equal(kill(pid, SIGKILL), 0);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    uint64_t id;
    uint64_t safe = 0; /* so many were acknowledged */
    while (read(fds[0], &id, sizeof(id)) == sizeof(id))
        safe = id + 1;
    close(fds[0]);
    check_ids(&place, safe); /* as a reader sees what was left */
    struct tk_err err = {0};
    struct tk_segment_sink *sink = sink_of(&place, &(struct tk_segment_opts){0});
    check_ids(&place, safe); /* and after it was sealed */
    assert_int_equal(tk_segment_sink_close(sink, &err), 0);
    tk_segment_sink_free(sink);
    assert_int_equal(count_files(&place, TK_SEGMENT_LOG), 0);
    assert_int_equal(count_files(&place, TK_SEGMENT_TMP), 0);
    place_remove(&place);
}

static void a_kill_at_any_moment_loses_and_doubles_nothing(void **state)
{
    (void)state;
    for (int64_t i = 0; i < 25; i++)
        kill_after(2000 + i * 3571);
}

static void a_full_disk_leaves_the_rows_before_it(void **state)
{
    (void)state;
    struct place place;
    struct tk_err err = {0};
    struct span_texts before = {0};
    struct span_texts after = {0};
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch;
    TK_CLEANUP(tk_buf_release) struct tk_buf scratch;
    struct tk_log_mark mark = {0};
    tk_buf_init(&scratch, 1 << 24);
    place_make(&place);
    assert_int_equal(tk_span_batch_new(1000, &batch, &err), 0);
    int fd = openat(place.fd, "log", O_RDWR | O_CREAT | O_APPEND, 0600);
    assert_true(fd >= 0);
    mix_fill(batch, 3, 20);
    assert_int_equal(tk_segment_log_append(fd, batch, &mark, &scratch, &err), 0);
    span_texts_add_all(&before, batch);
    /* As a disk with room for a part of the next block: the limit of a file's size. */
    struct rlimit old;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    struct rlimit small = {mark.bytes + 1000, old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    mix_fill(batch, 4, 100);
    struct tk_log_mark failed = mark;
    int rc = tk_segment_log_append(fd, batch, &failed, &scratch, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(rc, -EFBIG);
    assert_memory_equal(&failed, &mark, sizeof(mark));
    /* What follows is not lost for it. */
    assert_int_equal(tk_segment_log_append(fd, batch, &failed, &scratch, &err), 0);
    span_texts_release(&before);
    span_texts_add_all(&before, batch);
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *again;
    struct tk_log_mark read = {0};
    assert_int_equal(tk_span_batch_new(1000, &again, &err), 0);
    assert_int_equal(tk_segment_log_read(fd, again, &read, &err), 0);
    span_texts_add_all(&after, again);
    assert_same_spans(&before, &after);
    close(fd);
    span_texts_release(&before);
    span_texts_release(&after);
    place_remove(&place);
}

/* Two sinks in one folder, a reader beside them, a thread that syncs: nobody sees a span twice, and
 * in the end all are there. */
struct busy {
    struct place *place;
    uint64_t seed;
    size_t spans;
    struct tk_segment_sink *sink;
    bool is_done;
};

/* cmocka's assertions are for the thread of the test alone. */
static void must(int rc, const struct tk_err *err)
{
    if (rc >= 0)
        return;
    print_error("%s\n", err->msg);
    abort();
}

static void *sync_again_and_again(void *user)
{
    struct busy *busy = user;
    struct tk_err err;
    while (!__atomic_load_n(&busy->is_done, __ATOMIC_ACQUIRE)) {
        must(tk_segment_sink_sync(busy->sink, &err), &err);
    }
    return NULL;
}

static void *fill_sink(void *user)
{
    struct busy *busy = user;
    struct tk_err err;
    pthread_t syncer;
    struct tk_segment_opts opts = {.ack = TK_ACK_FSYNC};
    must(tk_segment_sink_new(busy->place->fd, &opts, &busy->sink, &err), &err);
    if (pthread_create(&syncer, NULL, sync_again_and_again, busy) != 0)
        abort();
    for (uint64_t i = 0; i < 60; i++) {
        mix_fill(tk_segment_sink_batch(busy->sink), busy->seed + i, 10);
        busy->spans += 10;
        must(tk_segment_sink_commit(busy->sink, &err), &err);
        if (i % 7 == 6) {
            int rc = tk_segment_sink_seal(busy->sink, &err);
            must(rc == -EAGAIN ? 0 : rc, &err);
        }
    }
    __atomic_store_n(&busy->is_done, true, __ATOMIC_RELEASE);
    (void)pthread_join(syncer, NULL);
    must(tk_segment_sink_close(busy->sink, &err), &err);
    tk_segment_sink_free(busy->sink);
    return NULL;
}

static void sinks_share_a_folder_with_a_reader(void **state)
{
    (void)state;
    struct place place;
    struct tk_err err = {0};
    struct tk_segment_totals totals;
    uint64_t before = 0;
    pthread_t threads[2];
    place_make(&place);
    struct busy busy[2] = {{&place, 1000, 0, NULL, false}, {&place, 2000, 0, NULL, false}};
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, fill_sink, &busy[i]), 0);
    struct tk_segment_set *set = set_of(&place);
    for (int i = 0; i < 200; i++) {
        int rc = tk_segment_set_refresh(set, &err);
        if (rc < 0)
            print_error("%s\n", err.msg);
        assert_int_equal(rc, 0);
        tk_segment_set_count(set, &totals);
        assert_true(totals.spans >= before); /* a row that was seen stays, and is one row */
        assert_true(totals.spans <= 1200);
        before = totals.spans;
    }
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(tk_segment_set_refresh(set, &err), 0);
    tk_segment_set_count(set, &totals);
    assert_int_equal(totals.spans, busy[0].spans + busy[1].spans);
    assert_int_equal(totals.logs, 0);
    tk_segment_set_free(set);
    place_remove(&place);
}

static void *start_and_end(void *user)
{
    struct busy *busy = user;
    struct tk_err err;
    must(tk_segment_sink_new(busy->place->fd, &(struct tk_segment_opts){0}, &busy->sink, &err),
         &err);
    mix_fill(tk_segment_sink_batch(busy->sink), busy->seed, 1);
    busy->spans = tk_segment_sink_batch(busy->sink)->rows;
    must(tk_segment_sink_commit(busy->sink, &err), &err);
    must(tk_segment_sink_close(busy->sink, &err), &err);
    tk_segment_sink_free(busy->sink);
    return NULL;
}

/* The log that one is making must not be taken by the other for that of a process that is gone. */
static void sinks_that_start_at_once_keep_their_own_logs(void **state)
{
    (void)state;
    for (uint64_t round = 0; round < 25; round++) {
        struct place place;
        struct tk_segment_totals totals;
        pthread_t threads[4];
        struct busy busy[4];
        size_t spans = 0;
        place_make(&place);
        for (size_t i = 0; i < 4; i++) {
            busy[i] = (struct busy){.place = &place, .seed = 10 * round + i};
            assert_int_equal(pthread_create(&threads[i], NULL, start_and_end, &busy[i]), 0);
        }
        for (size_t i = 0; i < 4; i++) {
            assert_int_equal(pthread_join(threads[i], NULL), 0);
            spans += busy[i].spans;
        }
        struct tk_segment_set *set = set_of(&place);
        tk_segment_set_count(set, &totals);
        assert_int_equal(totals.spans, spans);
        tk_segment_set_free(set);
        place_remove(&place);
    }
}

/* Compaction ------------------------------------------------------------------------------- */

static void put_segments(const struct place *place, size_t n, struct span_texts *texts)
{
    struct tk_err err = {0};
    struct tk_segment_sink *sink = sink_of(place, &(struct tk_segment_opts){.queue = 20});
    for (size_t i = 0; i < n; i++) {
        fill(sink, 500 + i, 1, 30, texts);
        assert_int_equal(tk_segment_sink_seal(sink, &err), 0);
    }
    assert_int_equal(tk_segment_sink_close(sink, &err), 0);
    tk_segment_sink_free(sink);
}

static void compaction_makes_few_segments_of_the_same_rows(void **state)
{
    (void)state;
    struct place place;
    struct tk_err err = {0};
    struct span_texts before = {0};
    struct span_texts during = {0};
    struct span_texts after = {0};
    struct tk_compact_counts counts = {0};
    place_make(&place);
    put_segments(&place, 10, &before);
    struct tk_segment_set *set = set_of(&place);
    int rc = tk_segment_compact(place.fd, &(struct tk_compact_opts){.rows = 100}, &counts, &err);
    if (rc < 0)
        print_error("%s\n", err.msg);
    assert_int_equal(rc, 0);
    assert_int_equal(counts.merged, 9); /* three by three; the tenth has no neighbour */
    assert_int_equal(counts.made, 3);
    assert_int_equal(counts.spans, 270);
    assert_int_equal(count_files(&place, TK_SEGMENT_PART), 4);
    assert_int_equal(count_files(&place, TK_SEGMENT_LOG), 0);
    note_all(set, &during); /* a set that was opened before still has all */
    assert_same_spans(&before, &during);
    assert_int_equal(tk_segment_set_refresh(set, &err), 0);
    note_all(set, &after);
    assert_same_spans(&before, &after);
    tk_segment_set_free(set);
    span_texts_release(&before);
    span_texts_release(&during);
    span_texts_release(&after);
    place_remove(&place);
}

/* Between the rename and the deletions, or after a crash there, both are in the folder. */
static void segments_that_are_replaced_count_once(void **state)
{
    (void)state;
    struct place place;
    struct tk_err err = {0};
    struct span_texts before = {0};
    struct span_texts after = {0};
    struct tk_compact_counts counts = {0};
    place_make(&place);
    put_segments(&place, 3, &before);
    for (uint32_t i = 1; i <= 3; i++) {
        char name[TK_SEGMENT_NAME_MAX];
        char kept[TK_SEGMENT_NAME_MAX + 5];
        tk_segment_name(TK_SEGMENT_PART, i, name);
        (void)snprintf(kept, sizeof(kept), "%s.kept", name);
        assert_int_equal(linkat(place.fd, name, place.fd, kept, 0), 0);
    }
    assert_int_equal(tk_segment_compact(place.fd, &(struct tk_compact_opts){0}, &counts, &err), 0);
    assert_int_equal(count_files(&place, TK_SEGMENT_PART), 1);
    for (uint32_t i = 1; i <= 3; i++) {
        char name[TK_SEGMENT_NAME_MAX];
        char kept[TK_SEGMENT_NAME_MAX + 5];
        tk_segment_name(TK_SEGMENT_PART, i, name);
        (void)snprintf(kept, sizeof(kept), "%s.kept", name);
        assert_int_equal(renameat(place.fd, kept, place.fd, name), 0);
    }
    struct tk_segment_set *set = set_of(&place);
    struct tk_segment_totals totals;
    tk_segment_set_count(set, &totals);
    assert_int_equal(totals.spans, 90);
    note_all(set, &after);
    assert_same_spans(&before, &after);
    tk_segment_set_free(set);
    struct tk_segment_sink *sink = sink_of(&place, &(struct tk_segment_opts){0});
    tk_segment_sink_free(sink);
    assert_int_equal(count_files(&place, TK_SEGMENT_PART), 1);
    span_texts_release(&before);
    span_texts_release(&after);
    place_remove(&place);
}

/* Copies ------------------------------------------------------------------------------------ */

/* Copy all spans of a folder into another one, as a command does. */
static int copy_all(const struct place *from, const struct place *to, size_t rows,
                    struct tk_err *err)
{
    struct tk_segment_set *set = set_of(from);
    struct tk_segment_sink *sink =
        sink_of(to, &(struct tk_segment_opts){.segment_rows = rows, .no_log = true});
    int rc = tk_segment_set_copy(set, sink, err);
    if (rc == 0)
        rc = tk_segment_sink_close(sink, err);
    tk_segment_sink_free(sink);
    tk_segment_set_free(set);
    return rc;
}

static void read_part(const struct place *place, uint32_t number, struct tk_buf *ret_bytes)
{
    struct tk_err err = {0};
    char name[TK_SEGMENT_NAME_MAX];
    tk_segment_name(TK_SEGMENT_PART, number, name);
    tk_buf_init(ret_bytes, (size_t)64 << 20);
    assert_int_equal(tk_file_load(place->fd, name, ret_bytes, &err), 0);
}

/* 90 rows that replace others, 30, 30 and 30, and a log of 7. */
static struct tk_segment_sink *make_source(const struct place *place, struct span_texts *texts)
{
    struct tk_err err = {0};
    struct tk_compact_counts counts = {0};
    put_segments(place, 3, texts);
    assert_int_equal(tk_segment_compact(place->fd, &(struct tk_compact_opts){0}, &counts, &err), 0);
    assert_int_equal(counts.made, 1);
    put_segments(place, 3, texts);
    struct tk_segment_sink *sink = sink_of(place, &(struct tk_segment_opts){0});
    fill(sink, 900, 1, 7, texts);
    return sink;
}

static void a_copy_has_every_span_and_long_segments_as_they_are(void **state)
{
    (void)state;
    struct place from;
    struct place to;
    struct tk_err err = {0};
    struct span_texts before = {0};
    struct span_texts after = {0};
    place_make(&from);
    place_make(&to);
    struct tk_segment_sink *sink = make_source(&from, &before);
    int rc = copy_all(&from, &to, 100, &err);
    if (rc < 0)
        print_error("%s\n", err.msg);
    assert_int_equal(rc, 0);
    assert_int_equal(count_files(&to, TK_SEGMENT_PART), 2); /* 90; 30 + 30 + 30 + 7 */
    assert_int_equal(count_files(&to, TK_SEGMENT_LOG), 0);
    struct tk_segment_set *set = set_of(&to);
    note_all(set, &after);
    assert_same_spans(&before, &after);
    tk_segment_set_free(set);
    tk_segment_sink_free(sink);
    span_texts_release(&before);
    span_texts_release(&after);
    place_remove(&from);
    place_remove(&to);
}

/* Numbers mean nothing in another folder: segment 1 there must not count as replaced. */
static void a_copy_replaces_nothing(void **state)
{
    (void)state;
    struct place from;
    struct place to;
    struct tk_err err = {0};
    struct span_texts texts = {0};
    TK_CLEANUP(tk_segment_file_close) struct tk_segment_file file = {.fd = -1};
    TK_CLEANUP(tk_buf_release) struct tk_buf first;
    TK_CLEANUP(tk_buf_release) struct tk_buf again;
    place_make(&from);
    place_make(&to);
    tk_segment_sink_free(make_source(&from, &texts));
    assert_int_equal(copy_all(&from, &to, 20, &err), 0); /* nothing fits into so short ones */
    assert_int_equal(tk_segment_file_open(to.fd, "part-000001.parquet", &file, &err), 0);
    assert_int_equal(file.rows, 90);
    assert_int_equal(file.replace_count, 0);
    read_part(&from, 5, &first);
    read_part(&to, 2, &again);
    assert_true(tk_str_eq(tk_buf_str(&first), tk_buf_str(&again)));
    span_texts_release(&texts);
    place_remove(&from);
    place_remove(&to);
}

static void a_damaged_page_is_not_copied(void **state)
{
    (void)state;
    struct place from;
    struct place to;
    struct tk_err err = {0};
    struct span_texts texts = {0};
    char byte;
    place_make(&from);
    place_make(&to);
    put_segments(&from, 1, &texts);
    TK_CLEANUP(tk_fd_close) int fd = openat(from.fd, "part-000001.parquet", O_RDWR | O_CLOEXEC);
    assert_int_equal(pread(fd, &byte, 1, 200), 1);
    byte = (char)(byte ^ 1);
    assert_int_equal(pwrite(fd, &byte, 1, 200), 1);
    assert_int_equal(copy_all(&from, &to, 20, &err), -EBADMSG);
    print_message("# %s\n", err.msg);
    assert_non_null(strstr(err.msg, "segment 1: column "));
    assert_non_null(strstr(err.msg, "its checksum is wrong"));
    assert_int_equal(count_files(&to, TK_SEGMENT_PART), 0);
    assert_int_equal(count_files(&to, TK_SEGMENT_TMP), 0);
    span_texts_release(&texts);
    place_remove(&from);
    place_remove(&to);
}

/* Disks that fail --------------------------------------------------------------------------- */

/* A folder where the file of segment 1 is to be: it cannot be written, not even by root. */
static void obstruct(const struct place *place)
{
    assert_int_equal(mkdirat(place->fd, "part-000001.tmp", 0777), 0);
}

static void clear(const struct place *place)
{
    assert_int_equal(unlinkat(place->fd, "part-000001.tmp", AT_REMOVEDIR), 0);
}

/* Seal until it fails for another reason than a queue that is full, or does not fail. */
static int seal(struct tk_segment_sink *sink, struct tk_err *err)
{
    int rc = tk_segment_sink_seal(sink, err);
    for (int i = 0; rc == -EAGAIN && i < 20000; i++) {
        (void)poll(NULL, 0, 1);
        rc = tk_segment_sink_seal(sink, err);
    }
    return rc;
}

static void check_spans(const struct place *place, struct span_texts *before)
{
    struct span_texts after = {0};
    struct tk_segment_set *set = set_of(place);
    note_all(set, &after);
    assert_same_spans(before, &after);
    tk_segment_set_free(set);
    span_texts_release(&after);
}

static void a_segment_that_cannot_be_written_is_tried_until_it_can(void **state)
{
    (void)state;
    static const enum tk_ack acks[] = {TK_ACK_WRITE, TK_ACK_MEMORY, TK_ACK_FSYNC};
    for (size_t i = 0; i < TK_COUNTOF(acks); i++) {
        struct place place;
        struct tk_err err = {0};
        struct tk_segment_counts counts;
        struct span_texts before = {0};
        place_make(&place);
        struct tk_segment_sink *sink =
            sink_of(&place, &(struct tk_segment_opts){.queue = 1, .ack = acks[i]});
        obstruct(&place);
        fill(sink, 1, 2, 20, &before);
        assert_int_equal(tk_segment_sink_seal(sink, &err), 0);
        fill(sink, 10, 2, 20, &before);
        assert_int_equal(seal(sink, &err), -EISDIR);
        assert_string_equal(err.msg, "part-000001.parquet: Is a directory");
        assert_int_equal(tk_segment_sink_sync(sink, &err), 0); /* the logs are as safe as ever */
        clear(&place);
        do
            (void)poll(NULL, 0, 1);
        while (tk_segment_sink_seal(sink, &err) < 0);
        assert_int_equal(tk_segment_sink_close(sink, &err), 0);
        tk_segment_sink_count(sink, &counts);
        assert_int_equal(counts.spans, 80);
        assert_true(counts.failures > 0);
        assert_int_equal(counts.unwritten, 0);
        tk_segment_sink_free(sink);
        check_spans(&place, &before);
        span_texts_release(&before);
        place_remove(&place);
    }
}

static void what_cannot_be_written_at_the_end_is_told_and_kept(void **state)
{
    (void)state;
    struct place place;
    struct tk_err err = {0};
    struct span_texts before = {0};
    place_make(&place);
    struct tk_segment_sink *sink = sink_of(&place, &(struct tk_segment_opts){0});
    obstruct(&place);
    fill(sink, 1, 2, 20, &before);
    assert_int_equal(tk_segment_sink_close(sink, &err), -EISDIR);
    assert_string_equal(err.msg, "40 spans are in no segment, but in their logs, which the next "
                                 "server takes over: part-000001.parquet: Is a directory");
    tk_segment_sink_free(sink);
    check_spans(&place, &before);
    clear(&place);
    tk_segment_sink_free(sink_of(&place, &(struct tk_segment_opts){0}));
    assert_int_equal(count_files(&place, TK_SEGMENT_PART), 1);
    assert_int_equal(count_files(&place, TK_SEGMENT_LOG), 0);
    check_spans(&place, &before);
    span_texts_release(&before);
    place_remove(&place);
}

static void without_logs_the_first_failure_is_the_last(void **state)
{
    (void)state;
    struct place place;
    struct tk_err err = {0};
    struct span_texts before = {0};
    place_make(&place);
    struct tk_segment_sink *sink =
        sink_of(&place, &(struct tk_segment_opts){.queue = 1, .no_log = true});
    obstruct(&place);
    fill(sink, 1, 1, 20, &before);
    assert_int_equal(tk_segment_sink_seal(sink, &err), 0);
    fill(sink, 2, 1, 20, &before);
    int rc = tk_segment_sink_seal(sink, &err); /* waits for the first one */
    assert_int_equal(rc, -EISDIR);
    assert_int_equal(tk_segment_sink_close(sink, &err), -EISDIR);
    assert_string_equal(err.msg, "20 spans are in no segment: part-000001.parquet: Is a directory");
    tk_segment_sink_free(sink);
    span_texts_release(&before);
    place_remove(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_closed_sink_leaves_segments_with_every_row),
        cmocka_unit_test(rows_of_a_live_sink_are_seen_as_they_are_committed),
        cmocka_unit_test(what_a_dead_process_committed_is_sealed_by_the_next),
        cmocka_unit_test(a_torn_log_gives_its_whole_blocks),
        cmocka_unit_test(a_damaged_block_is_no_block),
        cmocka_unit_test(a_kill_at_any_moment_loses_and_doubles_nothing),
        cmocka_unit_test(a_full_disk_leaves_the_rows_before_it),
        cmocka_unit_test(sinks_share_a_folder_with_a_reader),
        cmocka_unit_test(sinks_that_start_at_once_keep_their_own_logs),
        cmocka_unit_test(compaction_makes_few_segments_of_the_same_rows),
        cmocka_unit_test(segments_that_are_replaced_count_once),
        cmocka_unit_test(a_copy_has_every_span_and_long_segments_as_they_are),
        cmocka_unit_test(a_copy_replaces_nothing),
        cmocka_unit_test(a_damaged_page_is_not_copied),
        cmocka_unit_test(a_segment_that_cannot_be_written_is_tried_until_it_can),
        cmocka_unit_test(what_cannot_be_written_at_the_end_is_told_and_kept),
        cmocka_unit_test(without_logs_the_first_failure_is_the_last),
    };
    return cmocka_run_group_tests_name("segment_sink", tests, NULL, NULL);
}
