/* SPDX-License-Identifier: Apache-2.0 */
/* What the whole codec costs behind the reader: spans in memory into a .tkz in memory, and that
 * back into the spans that sinks are given, in blocks of 10,000 traces. CPU time a span on one
 * thread, best of several rounds; both ways in turns, so that a busy machine hinders them alike.
 *
 *     meson setup build-bench -Dbench=true -Dbuildtype=release && ninja -C build-bench
 *     build-bench/pipeline --data /work/shared/data/traces [--set tt]
 *     build-bench/pipeline --file spans.jsonl --file more.csv.zst
 */
#include "bench.h"

#include <malloc.h>
#include <stdio.h>

#include "codec/codec.h"
#include "traces.h"

#define FILE_MAX       ((size_t)1 << 30)
#define MMAP_THRESHOLD (128 << 10) /* as `tracekit compress` has it */

struct opts {
    const char *data;
    const char *set;
    struct tk_opt_list files;
    int64_t rounds;
};

static const struct tk_opt options[] = {
    {"data", TK_OPT_STRING, offsetof(struct opts, data), "DIR", "where the files of sets are"},
    {"set", TK_OPT_STRING, offsetof(struct opts, set), "NAME", "only this one"},
    {"file", TK_OPT_LIST, offsetof(struct opts, files), "FILE",
     "a file of spans, of any format and in zstd or plain, instead of the sets"},
    {"rounds", TK_OPT_INT, offsetof(struct opts, rounds), "N", "rounds per figure, the best counts",
     .min = 1, .max = 1000},
    {0},
};

static const struct way {
    const char *name;
    struct tk_codec_options options;
} ways[] = {
    {"5 %, Gen-T's five", {.mode = TK_CODEC_NEAR, .attrs = TK_CODEC_ATTRS_GENT}},
    {"5 %, all", {.mode = TK_CODEC_NEAR}},
    {"generative, five", {.mode = TK_CODEC_GENERATIVE, .attrs = TK_CODEC_ATTRS_GENT}},
    {"generative, all", {.mode = TK_CODEC_GENERATIVE}},
    {"lossless", {.mode = TK_CODEC_LOSSLESS}},
};

struct figures {
    int64_t encode_ns, decode_ns; /* the best of all rounds */
    struct tk_codec_info info;    /* of the file */
};

/* Spans to encode. Handing them over is the reader's work: its time is taken off. */
struct supply {
    const struct tk_span_rows *rows;
    size_t at;
    int64_t took_ns;
};

static int supply_read(void *context, struct tk_span_batch *batch, struct tk_err *err)
{
    struct supply *supply = context;
    struct tk_span_copy *copy;
    int64_t begin_ns = tk_bench_cpu_ns();
    int rc = tk_span_copy_new(batch, supply->rows->batch, &copy, err);
    if (rc < 0)
        return rc;
    while (supply->at < supply->rows->n &&
           tk_span_copy_row(copy, tk_span_rows_at(supply->rows, supply->at)) == 0)
        supply->at++;
    tk_span_copy_free(copy);
    supply->took_ns += tk_bench_cpu_ns() - begin_ns;
    return supply->at == supply->rows->n;
}

static int put(void *context, tk_str bytes, struct tk_err *err)
{
    struct tk_buf *file = context;
    tk_buf_put(file, bytes);
    return tk_buf_check(file, "file", err);
}

static int count(void *context, const struct tk_span_rows *rows, struct tk_err *err)
{
    uint64_t *spans = context;
    (void)err;
    *spans += rows->n;
    return 0;
}

static void keep_least(int64_t *least_ns, int64_t took_ns)
{
    *least_ns = *least_ns == 0 || took_ns < *least_ns ? took_ns : *least_ns;
}

static int encode(const struct tk_span_rows *rows, const struct way *way, struct tk_buf *file,
                  struct figures *figures, struct tk_err *err)
{
    struct supply supply = {.rows = rows};
    const struct tk_span_source source = {supply_read, &supply};
    const struct tk_codec_output output = {put, file};
    tk_buf_reset(file);
    int64_t begin_ns = tk_bench_cpu_ns();
    int rc = tk_codec_encode(&way->options, &source, &output, &figures->info, err);
    keep_least(&figures->encode_ns, tk_bench_cpu_ns() - begin_ns - supply.took_ns);
    return rc;
}

static int decode(const struct tk_buf *file, struct figures *figures, struct tk_err *err)
{
    uint64_t spans = 0;
    const struct tk_span_sink sink = {count, &spans};
    struct tk_codec_losses losses;
    int64_t begin_ns = tk_bench_cpu_ns();
    int rc = tk_codec_decode(&(struct tk_codec_decoding){0}, tk_buf_str(file), &sink, &losses, err);
    keep_least(&figures->decode_ns, tk_bench_cpu_ns() - begin_ns);
    if (rc == 0 && (spans != figures->info.spans || tk_codec_losses_any(&losses))) {
        rc = tk_fail(err, -EBADMSG, "%llu of %llu spans came back", (unsigned long long)spans,
                     (unsigned long long)figures->info.spans);
    }
    return rc;
}

static void print(const struct way *way, const struct figures *figures)
{
    const struct tk_codec_info *info = &figures->info;
    double spans = (double)info->spans;
    double encode_ns = (double)figures->encode_ns / spans;
    double decode_ns = (double)figures->decode_ns / spans;
    printf("  %-18s %8.2f B/trace  encode %5.0f ns/span (%.2f M/s)  decode %5.0f (%.2f M/s)\n",
           way->name, (double)info->bytes / (double)info->traces, encode_ns, 1e3 / encode_ns,
           decode_ns, 1e3 / decode_ns);
}

static int measure_rows(const struct opts *opts, const struct tk_bench_traces *traces,
                        struct tk_buf *file, struct tk_err *err)
{
    printf("%s: %zu spans\n", traces->name, traces->rows.n);
    for (size_t i = 0; i < TK_COUNTOF(ways); i++) {
        struct figures figures = {0};
        for (int64_t round = 0; round < opts->rounds; round++) {
            int rc = encode(&traces->rows, &ways[i], file, &figures, err);
            rc = rc < 0 ? rc : decode(file, &figures, err);
            if (rc < 0)
                return tk_err_prefix(err, "%s, %s", traces->name, ways[i].name);
        }
        print(&ways[i], &figures);
        (void)fflush(stdout);
    }
    return 0;
}

/* A set of a folder; NULL = its file is a path. */
static int measure(const struct opts *opts, const char *folder, const struct tk_bench_set *set,
                   struct tk_err *err)
{
    struct tk_bench_traces traces;
    struct tk_buf file;
    tk_buf_init(&file, FILE_MAX);
    int rc = tk_bench_traces_init(&traces, folder, set, err);
    rc = rc < 0 ? rc : measure_rows(opts, &traces, &file, err);
    tk_buf_release(&file);
    tk_bench_traces_release(&traces);
    return rc;
}

static int measure_files(const struct opts *opts, struct tk_err *err)
{
    int rc = 0;
    for (size_t i = 0; i < opts->files.count && rc == 0; i++) {
        const char *path = opts->files.items[i];
        rc = measure(opts, NULL, &(struct tk_bench_set){.name = path, .file = path}, err);
    }
    return rc;
}

static int measure_sets(const struct opts *opts, struct tk_err *err)
{
    bool any = false;
    int rc = 0;
    for (size_t i = 0; i < TK_COUNTOF(tk_bench_sets) && rc == 0; i++) {
        if (opts->set && strcmp(opts->set, tk_bench_sets[i].name) != 0)
            continue;
        any = true;
        rc = measure(opts, opts->data, &tk_bench_sets[i], err);
    }
    return any ? rc : tk_fail(err, -EINVAL, "there is no set '%s'", opts->set);
}

int main(int argc, char **argv)
{
    struct opts opts = {.data = "/work/shared/data/traces", .rounds = 5};
    struct tk_err err;
    int status;
    if (!tk_bench_parse("pipeline", options, &opts, argc, argv, &status))
        return status;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread runs yet */
    (void)mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD);
    int rc = opts.files.count > 0 ? measure_files(&opts, &err) : measure_sets(&opts, &err);
    return rc < 0 ? tk_bench_fail("pipeline", &err) : 0;
}
