/* SPDX-License-Identifier: Apache-2.0 */
/* The data sets of the codec's benchmarks, each as rows of a batch: whole files of spans, plain or
 * in zstd, of any format that tracekit reads, or the first traces of one. */
#ifndef TK_BENCH_TRACES_H
#define TK_BENCH_TRACES_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/file.h"
#include "codec/forest.h"
#include "span/span_format.h"

struct tk_bench_traces {
    const char *name;
    struct tk_buf text;
    struct tk_span_batch *batch;
    uint32_t *picked; /* NULL = all rows */
    struct tk_span_rows rows;
};

/* The sets that figures are quoted of, by name. */
static const struct tk_bench_set {
    const char *name;
    const char *file;
    uint32_t traces; /* 0 = all */
} tk_bench_sets[] = {
    {"hip", "hipstershop-oteltraces.zst", 0},
    {"ast", "astronomy-oteltraces.zst", 0},
    {"ob10k", "nezha-onlineboutique-2022-08-22.csv.zst", 10000},
    {"ob", "nezha-onlineboutique-2022-08-22.csv.zst", 0},
    {"tt", "nezha-trainticket-2023-01-29.csv.zst", 0},
};

/* The bytes of a file, unpacked when it is zstd. */
static inline int tk_bench_file_read(const char *path, struct tk_buf *out, struct tk_err *err)
{
    struct tk_buf packed;
    tk_buf_init(out, (size_t)4 << 30);
    tk_buf_init(&packed, (size_t)1 << 30);
    FILE *file = fopen(path, "re");
    if (!file)
        return tk_fail_errno(err, "open %s", path);
    char *to;
    size_t n = 1;
    while (n > 0 && (to = tk_buf_reserve(&packed, 1 << 20)))
        packed.n += n = fread(to, 1, 1 << 20, file);
    (void)fclose(file);
    ZSTD_DStream *stream = ZSTD_createDStream();
    ZSTD_inBuffer in = {packed.p, packed.n, 0};
    size_t left = tk_str_starts_with(tk_buf_str(&packed), TK_STR("\x28\xB5\x2F\xFD"));
    if (!left)
        tk_buf_put(out, tk_buf_str(&packed));
    while (stream && left != 0 && !ZSTD_isError(left)) {
        to = tk_buf_reserve(out, 1 << 20);
        ZSTD_outBuffer part = {to, to ? 1 << 20 : 0, 0};
        left = ZSTD_decompressStream(stream, &part, &in);
        out->n += part.pos;
        if (part.pos == 0 && in.pos == in.size)
            break;
    }
    (void)ZSTD_freeDStream(stream);
    tk_buf_release(&packed);
    return tk_buf_check(out, path, err);
}

/* The rows of the first traces by start, without duplicates. */
static inline int tk_bench_traces_pick(struct tk_bench_traces *traces, uint32_t count,
                                       struct tk_err *err)
{
    struct tk_forest forest = {0};
    int rc = tk_forest_build(&forest, &traces->rows, err);
    if (rc == 0 && count < forest.trace_count) {
        size_t n = forest.trace_ends[count - 1];
        traces->picked = calloc(n, sizeof(*traces->picked));
        if (!traces->picked)
            return tk_fail(err, -ENOMEM, "out of memory");
        memcpy(traces->picked, forest.rows, n * sizeof(*traces->picked));
        traces->rows = (struct tk_span_rows){traces->batch, traces->picked, n};
    }
    tk_forest_release(&forest);
    return rc;
}

/* Read a set from `folder`, or by its path when that is NULL; release it also after a failure. */
static inline int tk_bench_traces_init(struct tk_bench_traces *traces, const char *folder,
                                       const struct tk_bench_set *set, struct tk_err *err)
{
    char path[4096];
    struct tk_span_tally tally = {0};
    void *state = NULL;
    *traces = (struct tk_bench_traces){.name = set->name};
    (void)snprintf(path, sizeof(path), "%s%s%s", folder ? folder : "", folder ? "/" : "",
                   set->file);
    int rc = tk_bench_file_read(path, &traces->text, err);
    rc = rc < 0 ? rc : tk_span_batch_new((size_t)1 << 20, &traces->batch, err);
    if (rc < 0)
        return rc;
    struct tk_span_input input = {.text = tk_buf_str(&traces->text)};
    const struct tk_span_reader *reader =
        tk_span_reader_detect((tk_str){input.text.p, input.text.n < 65536 ? input.text.n : 65536});
    if (!reader)
        return tk_fail(err, -EBADMSG, "%s: not a file of spans", path);
    rc = reader->open(&state, err);
    rc = rc < 0 ? rc : reader->read(state, &input, traces->batch, &tally, err);
    reader->close(state);
    if (rc == 0)
        rc = tk_fail(err, -EMSGSIZE, "%s: more spans than fit", path);
    if (rc < 0)
        return rc;
    traces->rows = (struct tk_span_rows){traces->batch, NULL, traces->batch->rows};
    return set->traces > 0 ? tk_bench_traces_pick(traces, set->traces, err) : 0;
}

static inline void tk_bench_traces_release(struct tk_bench_traces *traces)
{
    tk_span_batch_free(traces->batch);
    tk_buf_release(&traces->text);
    free(traces->picked);
    *traces = (struct tk_bench_traces){0};
}

#endif
