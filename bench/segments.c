/* SPDX-License-Identifier: Apache-2.0 */
/* What spans on disk cost: spans of 10 attributes (8 strings of 1,000 values each, 2 integers), 10
 * a trace, with random ids, as trace-storage-and-ui.md section 2 has them ("10a"). Logged, written
 * as segments, read back, and asked for; then bytes a span by column. CPU time, best of several
 * rounds; queries also by the clock, first with a set that was just opened and files that are not
 * in the page cache ("cold"), then again ("warm"); a service in a second at a hundred places, for
 * its 99th percentile.
 *
 *     meson setup build-bench -Dbench=true -Dbuildtype=release && ninja -C build-bench
 *     build-bench/segments --spans 10000000 --output /tmp/spans
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "segment/compact.h"
#include "segment/folder.h"
#include "segment/segment.h"
#include "segment/segment_file.h"

#define TRACE_SPANS 10
#define STRINGS     8
#define VALUES      1000

struct opts {
    int64_t spans;
    int64_t rows;
    const char *output;
    bool compact;
};

static const struct tk_opt options[] = {
    {"spans", TK_OPT_INT, offsetof(struct opts, spans), "N", "spans in all", .min = 1,
     .max = 1000000000},
    {"rows", TK_OPT_INT, offsetof(struct opts, rows), "N", "spans of a segment", .min = 1,
     .max = 1048576},
    {"output", TK_OPT_STRING, offsetof(struct opts, output), "DIR", "where the segments go"},
    {"compact", TK_OPT_FLAG, offsetof(struct opts, compact), NULL, "compact before the queries"},
    {0},
};

/* Spans ---------------------------------------------------------------------------------------- */

struct made {
    uint32_t keys[STRINGS + 2];
    uint32_t values[VALUES];
    uint32_t names[20];
    int64_t clock_ns;
};

static uint32_t add_text(struct tk_span_batch *batch, const char *text)
{
    return tk_texts_add(&batch->texts, tk_str_from(text));
}

static uint32_t add_numbered(struct tk_span_batch *batch, const char *text, unsigned i)
{
    char buf[64];
    (void)snprintf(buf, sizeof(buf), "%s%04u", text, i);
    return add_text(batch, buf);
}

/* Texts, resources and scopes of an empty batch. */
static void make_texts(struct made *made, struct tk_span_batch *batch)
{
    static const char *const keys[STRINGS + 2] = {
        "http.route", "http.method",  "net.peer.name", "db.statement",     "user.id",
        "session.id", "k8s.pod.name", "rpc.method",    "http.status_code", "net.peer.port"};
    for (unsigned i = 0; i < STRINGS + 2; i++)
        made->keys[i] = add_text(batch, keys[i]);
    for (unsigned i = 0; i < VALUES; i++)
        made->values[i] = add_numbered(batch, "some-value-of-middling-length-", i);
    for (unsigned i = 0; i < 20; i++)
        made->names[i] = add_numbered(batch, "GET /api/v1/resource/", i);
    for (unsigned i = 0; i < 8; i++) {
        struct tk_attr attr = {.key = add_text(batch, "service.name"), .type = TK_ATTR_STRING};
        attr.text = add_numbered(batch, "service-", i);
        struct tk_span_resource resource = {.service = attr.text};
        resource.attrs.begin = tk_span_batch_add_side_attr(batch, &attr);
        resource.attrs.n = 1;
        struct tk_span_scope scope = {.resource = tk_span_batch_add_resource(batch, &resource),
                                      .name = add_text(batch, "io.example.http")};
        (void)tk_span_batch_add_scope(batch, &scope);
    }
}

/* Span `i` of all; false when the batch is full. */
static bool make_span(struct made *made, struct tk_span_batch *batch, uint64_t i)
{
    if (tk_span_batch_begin(batch) < 0)
        return false;
    size_t row = batch->rows - 1;
    uint64_t trace = i / TRACE_SPANS;
    uint64_t noise = tk_bench_noise(i);
    uint64_t id[2] = {tk_bench_noise(trace * 2 + 1), tk_bench_noise(trace * 2 + 2)};
    memcpy(batch->trace_ids[row], id, sizeof(id));
    batch->span_ids[row] = tk_bench_noise(i ^ UINT64_C(0x5555555555555555));
    if (i % TRACE_SPANS > 0)
        batch->parent_ids[row] =
            tk_bench_noise((i - 1 - noise % (i % TRACE_SPANS)) ^ UINT64_C(0x5555555555555555));
    made->clock_ns += (int64_t)(noise >> 50);
    batch->start_ns[row] = made->clock_ns;
    batch->duration_ns[row] = (int64_t)(noise >> 20 & 0xFFFFF);
    batch->names[row] = made->names[noise % 20];
    batch->scope_ids[row] = (uint32_t)(noise >> 8 & 7);
    batch->kinds[row] = (uint8_t)(1 + (noise >> 11) % 5);
    for (uint32_t k = 0; k < STRINGS; k++) {
        uint64_t more = tk_bench_noise(i * STRINGS + k);
        struct tk_attr attr = {
            made->keys[k], TK_ATTR_STRING, {.text = made->values[more % VALUES]}};
        if (tk_span_batch_add_attr(batch, &attr) < 0)
            return false;
    }
    struct tk_attr status = {made->keys[8], TK_ATTR_INT, {.i64 = noise % 50 == 0 ? 500 : 200}};
    struct tk_attr port = {
        made->keys[9], TK_ATTR_INT, {.i64 = (int64_t)(1024 + (noise >> 30) % 60000)}};
    if (tk_span_batch_add_attr(batch, &status) < 0 || tk_span_batch_add_attr(batch, &port) < 0)
        return false;
    if (i % 1000 == 7) {
        struct tk_attr rare = {add_text(batch, "retry.cause"),
                               TK_ATTR_STRING,
                               {.text = add_numbered(batch, "cause-", (unsigned)(noise % 100))}};
        if (tk_span_batch_add_attr(batch, &rare) < 0)
            return false;
    }
    return tk_span_batch_end(batch) == 0;
}

/* Writing -------------------------------------------------------------------------------------- */

struct figures {
    int64_t make_ns, log_ns, write_ns;
};

static int write_spans(const struct opts *opts, int dirfd, struct figures *ret, struct tk_err *err)
{
    struct tk_segment_opts sink_opts = {.segment_rows = (size_t)opts->rows, .queue = 1};
    struct tk_segment_sink *sink = NULL;
    struct made *made = calloc(1, sizeof(*made));
    if (!made)
        return tk_fail(err, -ENOMEM, "out of memory");
    made->clock_ns = INT64_C(1763800000000000000);
    int rc = tk_segment_sink_new(dirfd, &sink_opts, &sink, err);
    for (uint64_t i = 0; rc == 0 && i < (uint64_t)opts->spans;) {
        struct tk_span_batch *batch = tk_segment_sink_batch(sink);
        int64_t begin = tk_bench_cpu_ns();
        make_texts(made, batch);
        while (i < (uint64_t)opts->spans && batch->rows < (size_t)opts->rows &&
               make_span(made, batch, i))
            i++;
        ret->make_ns += tk_bench_cpu_ns() - begin;
        begin = tk_bench_cpu_ns();
        rc = tk_segment_sink_commit(sink, err);
        ret->log_ns += tk_bench_cpu_ns() - begin;
        begin = tk_bench_cpu_ns();
        struct tk_segment_counts counts = {.waiting = 1};
        if (rc == 0)
            rc = tk_segment_sink_seal(sink, err);
        while (rc == 0 && counts.waiting > 0) { /* alone, so that its CPU time is its own */
            (void)usleep(1000);
            tk_segment_sink_count(sink, &counts);
        }
        ret->write_ns += tk_bench_cpu_ns() - begin;
    }
    if (rc == 0)
        rc = tk_segment_sink_close(sink, err);
    tk_segment_sink_free(sink);
    free(made);
    return rc;
}

static void print_columns(const struct tk_segment_file *file)
{
    size_t leaves;
    (void)tk_parquet_file_leaves(file->parquet, &leaves);
    const struct tk_parquet_row_group *group = tk_parquet_file_meta(file->parquet)->row_groups;
    for (size_t i = 0; i < leaves; i++) {
        struct tk_buf path;
        tk_buf_init(&path, 1 << 16);
        tk_parquet_file_put_path(file->parquet, i, &path);
        double each =
            (double)group->columns[i].meta.total_compressed_size / (double)group->num_rows;
        if (each >= 0.01)
            printf("    %-28.*s %6.2f bytes a span\n", TK_STR_ARG(tk_buf_str(&path)), each);
        tk_buf_release(&path);
    }
}

/* Size of all, and of the columns of the first segment. */
static int print_receipt(int dirfd, uint64_t spans, struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf entries;
    uint64_t bytes = 0;
    tk_buf_init(&entries, INT32_MAX);
    int rc = tk_segment_list(dirfd, &entries, err);
    const struct tk_segment_entry *items = (const struct tk_segment_entry *)(void *)entries.p;
    for (size_t i = 0; rc == 0 && i < entries.n / sizeof(*items); i++) {
        char name[TK_SEGMENT_NAME_MAX];
        struct tk_segment_file file = {0};
        tk_segment_name(TK_SEGMENT_PART, items[i].number, name);
        TK_CLEANUP(tk_fd_close) int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
        bytes += fd >= 0 ? (uint64_t)lseek(fd, 0, SEEK_END) : 0;
        if (i > 0)
            continue;
        rc = tk_segment_file_open(dirfd, name, &file, err);
        if (rc == 0)
            print_columns(&file);
        tk_segment_file_close(&file);
    }
    printf("  %-30s %6.2f bytes a span\n", "segments", (double)bytes / (double)spans);
    return rc;
}

/* Reading -------------------------------------------------------------------------------------- */

static int count_rows(void *user, const struct tk_span_rows *rows, struct tk_err *err)
{
    (void)err;
    *(uint64_t *)user += rows->n;
    return 0;
}

struct question {
    const char *label;
    struct tk_span_query query;
    size_t limit; /* of traces; 0 = read the traces that the query names */
};

static int ask(struct tk_segment_set *set, const struct question *question, size_t *ret_n,
               struct tk_err *err)
{
    const uint8_t(*ids)[16];
    struct tk_span_batch *batch;
    if (question->limit > 0)
        return tk_segment_set_find(set, &question->query, question->limit, &ids, ret_n, err);
    int rc = tk_span_batch_new(65536, &batch, err);
    if (rc < 0)
        return rc;
    rc = tk_segment_set_traces(set, question->query.trace_ids, question->query.trace_id_count,
                               batch, err);
    *ret_n = batch->rows;
    tk_span_batch_free(batch);
    return rc;
}

/* Have the kernel forget what the files say. */
static int drop_cache(int dirfd, struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf entries;
    tk_buf_init(&entries, INT32_MAX);
    int rc = tk_segment_list(dirfd, &entries, err);
    const struct tk_segment_entry *items = (const struct tk_segment_entry *)(void *)entries.p;
    for (size_t i = 0; rc == 0 && i < entries.n / sizeof(*items); i++) {
        char name[TK_SEGMENT_NAME_MAX];
        if (!tk_segment_has(&items[i], TK_SEGMENT_PART))
            continue;
        tk_segment_name(TK_SEGMENT_PART, items[i].number, name);
        TK_CLEANUP(tk_fd_close) int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || fdatasync(fd) < 0 || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0)
            rc = tk_fail_errno(err, "%s", name);
    }
    return rc;
}

static int time_question(int dirfd, const struct question *question, struct tk_err *err)
{
    struct tk_segment_set *set;
    int rc = drop_cache(dirfd, err);
    if (rc < 0)
        return rc;
    int64_t begin = tk_clock_mono_ns();
    rc = tk_segment_set_new(dirfd, false, &set, err);
    int64_t opened = tk_clock_mono_ns();
    if (rc < 0)
        return rc;
    int64_t best = INT64_MAX;
    int64_t first = 0;
    size_t n = 0;
    for (int round = 0; rc == 0 && round < 6; round++) {
        int64_t start = tk_clock_mono_ns();
        rc = ask(set, question, &n, err);
        int64_t took = tk_clock_mono_ns() - start;
        first = round == 0 ? took : first;
        best = round > 0 && took < best ? took : best;
    }
    printf("  %-30s %9.2f ms cold (%.2f to open), %9.2f ms warm, %zu found\n", question->label,
           (double)(first + opened - begin) / 1e6, (double)(opened - begin) / 1e6,
           (double)best / 1e6, n);
    tk_segment_set_free(set);
    return rc;
}

static int by_time(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* A service in a second, at a hundred places. */
static int time_places(const struct opts *opts, int dirfd, struct tk_err *err)
{
    enum { PLACES = 100, SERVICES = 8 };
    int64_t took_ns[PLACES];
    struct tk_segment_set *set;
    int rc = tk_segment_set_new(dirfd, false, &set, err);
    if (rc < 0)
        return rc;
    for (uint64_t i = 0; rc == 0 && i < PLACES; i++) {
        char service[] = "service-0000";
        (void)snprintf(service, sizeof(service), "service-%04u", (unsigned)(i % SERVICES));
        uint64_t at = tk_bench_noise(i) % (uint64_t)opts->spans;
        int64_t from_ns = INT64_C(1763800000000000000) + (int64_t)at * 8192; /* of each 8,192 ns */
        const struct question question = {
            "",
            {.service = tk_str_from(service), .from_ns = from_ns, .to_ns = from_ns + 1000000000},
            20};
        size_t n;
        int64_t begin = tk_clock_mono_ns();
        rc = ask(set, &question, &n, err);
        took_ns[i] = tk_clock_mono_ns() - begin;
    }
    if (rc == 0) {
        qsort(took_ns, PLACES, sizeof(*took_ns), by_time);
        printf("  %-30s %9.2f ms median, %9.2f ms p99 of %d\n", "service and a second",
               (double)took_ns[PLACES / 2] / 1e6, (double)took_ns[PLACES - 2] / 1e6, PLACES);
    }
    tk_segment_set_free(set);
    return rc;
}

static int ask_all(const struct opts *opts, int dirfd, struct tk_err *err)
{
    uint64_t middle = (uint64_t)opts->spans / TRACE_SPANS / 2;
    uint64_t id[2] = {tk_bench_noise(middle * 2 + 1), tk_bench_noise(middle * 2 + 2)};
    uint8_t ids[1][16];
    memcpy(ids[0], id, sizeof(id));
    static const struct tk_attr_condition promoted = {
        .key = {"db.statement", 12},
        .test = TK_ATTR_EQUAL,
        .value = {"some-value-of-middling-length-0123", 34}};
    static const struct tk_attr_condition absent = {
        .key = {"db.statement", 12}, .test = TK_ATTR_EQUAL, .value = {"no", 2}};
    static const struct tk_attr_condition tail = {
        .key = {"retry.cause", 11}, .test = TK_ATTR_EQUAL, .value = {"cause-0042", 10}};
    int64_t from = INT64_C(1763800000000000000) + opts->spans * 4096;
    const struct question questions[] = {
        {"trace by id", {.trace_ids = (const uint8_t(*)[16])ids, .trace_id_count = 1}, 0},
        {"promoted attribute, 20 traces", {.conditions = &promoted, .condition_count = 1}, 20},
        {"promoted attribute, all", {.conditions = &promoted, .condition_count = 1}, 1000000000},
        {"promoted attribute, none", {.conditions = &absent, .condition_count = 1}, 20},
        {"tail attribute, 20 traces", {.conditions = &tail, .condition_count = 1}, 20},
        {"tail attribute, all", {.conditions = &tail, .condition_count = 1}, 1000000000},
        {"service and a second, 20 traces",
         {.service = TK_STR("service-0003"), .from_ns = from, .to_ns = from + 1000000000},
         20},
    };
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < TK_COUNTOF(questions); i++)
        rc = time_question(dirfd, &questions[i], err);
    return rc < 0 ? rc : time_places(opts, dirfd, err);
}

static int scan_all(int dirfd, struct tk_err *err)
{
    static const struct tk_span_query all = {.from_ns = INT64_MIN};
    struct tk_segment_set *set;
    uint64_t n = 0;
    int rc = tk_segment_set_new(dirfd, false, &set, err);
    if (rc < 0)
        return rc;
    int64_t begin = tk_bench_cpu_ns();
    rc = tk_segment_set_scan(set, &all, count_rows, &n, err);
    printf("  %-30s %6.0f ns a span\n", "read", (double)(tk_bench_cpu_ns() - begin) / (double)n);
    tk_segment_set_free(set);
    return rc;
}

static int run(const struct opts *opts, struct tk_err *err)
{
    TK_CLEANUP(tk_fd_close) int dirfd = -1;
    struct figures figures = {0};
    int rc = tk_dir_make(AT_FDCWD, opts->output, err);
    if (rc == 0)
        rc = tk_dir_open(AT_FDCWD, opts->output, &dirfd, err);
    if (rc == 0)
        rc = write_spans(opts, dirfd, &figures, err);
    if (rc < 0)
        return rc;
    double n = (double)opts->spans;
    printf("%lld spans, 10 attributes each, %lld a segment\n", (long long)opts->spans,
           (long long)opts->rows);
    printf("  %-30s %6.0f ns a span\n", "log", (double)figures.log_ns / n);
    printf("  %-30s %6.0f ns a span\n", "write", (double)figures.write_ns / n);
    rc = print_receipt(dirfd, (uint64_t)opts->spans, err);
    if (rc == 0 && opts->compact) {
        struct tk_compact_counts counts;
        int64_t begin = tk_bench_cpu_ns();
        rc = tk_segment_compact(dirfd, &(struct tk_compact_opts){0}, &counts, err);
        printf("  %-30s %6.0f ns a span\n", "compact", (double)(tk_bench_cpu_ns() - begin) / n);
    }
    if (rc == 0)
        rc = scan_all(dirfd, err);
    return rc < 0 ? rc : ask_all(opts, dirfd, err);
}

int main(int argc, char **argv)
{
    struct opts opts = {.spans = 1000000, .rows = 131072, .output = "/tmp/bench-spans"};
    struct tk_err err = {0};
    int status;
    if (!tk_bench_parse("segments", options, &opts, argc, argv, &status))
        return status;
    return run(&opts, &err) < 0 ? tk_bench_fail("segments", &err) : 0;
}
