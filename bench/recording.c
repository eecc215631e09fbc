/* SPDX-License-Identifier: Apache-2.0 */
/* What recordings take: bytes for each process and tick, ns to write and to read a row, beside
 * JSON Lines. Mixes A to D of collector.md section E, as the nine fields of that page and as the
 * rows that tracekit writes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "recording_mixes.h"
#include "table/table.h"

#define BATCH_ROWS 32
#define READ_ROWS  256
#define ROUNDS     5
#define OUT_MAX    ((size_t)1 << 30)
/* {"ts_ms": 1763716800123, "pid": 4711, "utime": 1234, "stime": 567, "rss_kb": 1280}\n */
#define ORIGINAL_BYTES 77.9

struct opts {
    int64_t ticks;
    const char *jsonl;
};

static const struct tk_opt options[] = {
    {"ticks", TK_OPT_INT, offsetof(struct opts, ticks), "N", "length of each mix", .min = 100,
     .max = 100000},
    {"jsonl", TK_OPT_STRING, offsetof(struct opts, jsonl), "FILE",
     "write the nine fields of mix A there, every process at each tick, for other readers"},
    {0},
};

struct shape_of_rows {
    const char *name;
    const struct tk_schema *schema;
    void (*put)(const struct mix_run *run, const struct mix_process *process,
                struct tk_batch *batch);
};

static const struct shape_of_rows shapes[] = {
    {"nine fields", &nine_schema, mix_put_nine},
    {"proc_metrics", &tk_schema_proc_metrics, mix_put_metrics},
};

struct result {
    int64_t rows;
    size_t bytes;
    size_t jsonl_bytes;
    double encode_ns, decode_ns; /* the best of all rounds */
};

#define TICK_BATCHES 80 /* more than a tick has */

/* The rows of one tick. */
struct tick {
    struct tk_batch *batches[TICK_BATCHES]; /* owned; made when first needed */
    size_t count;
    bool ends_block;
};

/* Takes the rows of a tick. */
typedef int (*take_fn)(void *context, const struct tick *tick, struct tk_err *err);

struct recording {
    struct tk_recording_encoder *encoder;
    struct tk_buf out;
    int64_t ns; /* of its calls */
};

static int take_recording(void *context, const struct tick *tick, struct tk_err *err)
{
    struct recording *recording = context;
    int64_t start = tk_bench_cpu_ns();
    int rc = 0;
    for (size_t i = 0; i < tick->count && rc == 0; i++)
        rc = tk_recording_encoder_put(recording->encoder, tick->batches[i], &recording->out, err);
    if (rc == 0 && tick->ends_block)
        rc = tk_recording_encoder_close_blocks(recording->encoder, &recording->out, err);
    recording->ns += tk_bench_cpu_ns() - start;
    return rc;
}

static int take_jsonl(void *context, const struct tick *tick, struct tk_err *err)
{
    size_t *bytes = context;
    int rc = 0;
    for (size_t i = 0; i < tick->count && rc == 0; i++) {
        TK_CLEANUP(tk_buf_release) struct tk_buf out;
        tk_buf_init(&out, 1 << 20);
        tk_encoder_jsonl.batch(tick->batches[i], &out);
        *bytes += out.n;
        rc = tk_buf_check(&out, "rows", err);
    }
    return rc;
}

static int fill_tick(struct mix_run *run, const struct shape_of_rows *shape, struct tick *tick,
                     struct tk_err *err)
{
    tick->count = 0;
    tick->ends_block = (run->tick + 1) % run->mix->block_ticks == 0;
    struct tk_batch *batch = NULL;
    for (size_t i = 0; i < run->mix->processes; i++) {
        if (!mix_step(run, i))
            continue;
        if (!batch || !tk_batch_has_room(batch)) {
            struct tk_batch **slot = &tick->batches[tick->count++];
            int rc = *slot ? 0 : tk_batch_new(shape->schema, BATCH_ROWS, 1 << 16, slot, err);
            if (rc < 0)
                return rc;
            batch = *slot;
            tk_batch_reset(batch);
        }
        shape->put(run, &run->processes[i], batch);
    }
    return 0;
}

static int run_mix(const struct mix *mix, const struct shape_of_rows *shape, int64_t ticks,
                   take_fn take, void *context, int64_t *ret_rows, struct tk_err *err)
{
    struct mix_run run;
    struct tick tick = {.count = 0};
    int64_t rows = 0;
    int rc = 0;
    mix_init(&run, mix);
    for (run.tick = 0; run.tick < ticks && rc == 0; run.tick++) {
        rc = fill_tick(&run, shape, &tick, err);
        if (rc == 0)
            rc = take(context, &tick, err);
        for (size_t i = 0; i < tick.count; i++)
            rows += (int64_t)tick.batches[i]->rows;
    }
    for (size_t i = 0; i < TICK_BATCHES; i++)
        tk_batch_free(tick.batches[i]);
    mix_release(&run);
    *ret_rows = rows;
    return rc;
}

static int decode(const struct tk_schema *schema, tk_str text, int64_t *ret_rows,
                  struct tk_err *err)
{
    TK_CLEANUP(tk_batch_freep) struct tk_batch *batch = NULL;
    struct tk_recording_decoder *decoder = NULL;
    struct tk_recording_frame frame;
    int64_t rows = 0;
    int rc = tk_batch_new(schema, READ_ROWS, 8 << 20, &batch, err);
    if (rc == 0)
        rc = tk_recording_decoder_new(schema, &decoder, err);
    while (rc >= 0 && text.n > 0 && tk_recording_frame_decode(text.p, &frame)) {
        tk_str payload = {text.p + TK_RECORDING_HEADER_BYTES, frame.stored_bytes};
        rc = tk_recording_decoder_begin(decoder, &frame, payload, err);
        while (rc == 0) {
            tk_batch_reset(batch);
            rc = tk_recording_decoder_next(decoder, batch, err);
            rows += (int64_t)batch->rows;
        }
        size_t n = TK_RECORDING_HEADER_BYTES + frame.stored_bytes;
        text = (tk_str){text.p + n, text.n - n};
    }
    tk_recording_decoder_free(decoder);
    *ret_rows = rows;
    return rc < 0 ? rc : 0;
}

static double smaller(double a, double b)
{
    return a < b ? a : b;
}

static int measure_once(const struct mix *mix, const struct shape_of_rows *shape, int64_t ticks,
                        struct result *result, struct tk_err *err)
{
    struct recording recording = {.ns = 0};
    int64_t rows = 0;
    tk_buf_init(&recording.out, OUT_MAX);
    int rc = tk_recording_encoder_new(&recording.encoder, err);
    if (rc == 0)
        rc = run_mix(mix, shape, ticks, take_recording, &recording, &result->rows, err);
    if (rc == 0)
        rc = take_recording(&recording, &(struct tick){.ends_block = true}, err);
    tk_recording_encoder_free(recording.encoder);
    int64_t start = tk_bench_cpu_ns();
    if (rc == 0)
        rc = decode(shape->schema, tk_buf_str(&recording.out), &rows, err);
    if (rc == 0 && rows != result->rows)
        rc = tk_fail(err, -EBADMSG, "%lld of %lld rows came back", (long long)rows,
                     (long long)result->rows);
    result->encode_ns = smaller(result->encode_ns, (double)recording.ns);
    result->decode_ns = smaller(result->decode_ns, (double)(tk_bench_cpu_ns() - start));
    result->bytes = recording.out.n;
    tk_buf_release(&recording.out);
    return rc;
}

static int measure(const struct mix *mix, const struct shape_of_rows *shape, int64_t ticks,
                   struct result *ret, struct tk_err *err)
{
    struct result result = {.encode_ns = 1e18, .decode_ns = 1e18};
    int rc = 0;
    for (int round = 0; round < ROUNDS && rc == 0; round++)
        rc = measure_once(mix, shape, ticks, &result, err);
    if (rc == 0)
        rc = run_mix(mix, shape, ticks, take_jsonl, &result.jsonl_bytes, &result.rows, err);
    *ret = result;
    return rc;
}

static void show(const struct mix *mix, const struct shape_of_rows *shape, int64_t ticks,
                 const struct result *result)
{
    double samples = (double)mix->processes * (double)ticks;
    double rows = (double)result->rows;
    double bytes = (double)result->bytes;
    printf("| %s | %s | %.2f | %.3f | %.1f | %.0fx | %.0fx | %.0f | %.2f | %.1f |\n", mix->name,
           shape->name, rows / samples, bytes / samples, bytes / rows,
           ORIGINAL_BYTES * samples / bytes, (double)result->jsonl_bytes / bytes,
           result->encode_ns / rows, result->decode_ns / samples, result->decode_ns / rows);
}

/* What the original writes: a row of every process at each tick. */
static int write_jsonl(const char *path, struct tk_err *err)
{
    struct mix_run run;
    FILE *file = fopen(path, "we");
    if (!file)
        return tk_fail_errno(err, "%s", path);
    mix_init(&run, &mixes[0]);
    for (run.tick = 0; run.tick < 50; run.tick++) {
        for (size_t i = 0; i < run.mix->processes; i++) {
            const struct mix_process *process = &run.processes[i];
            (void)mix_step(&run, i);
            (void)fprintf(file,
                          "{\"ts_ms\": %lld, \"pid\": %lld, \"utime\": %lld, \"stime\": %lld, "
                          "\"rss_kb\": %lld}\n",
                          (long long)mix_stamp_us(&run) / 1000, (long long)process->pid,
                          (long long)process->fields[1] / 10000,
                          (long long)process->fields[2] / 10000, (long long)process->fields[3]);
        }
    }
    mix_release(&run);
    return fclose(file) == 0 ? 0 : tk_fail_errno(err, "%s", path);
}

int main(int argc, char **argv)
{
    struct opts opts = {.ticks = 600};
    struct tk_err err;
    int status;
    if (!tk_bench_parse("recording", options, &opts, argc, argv, &status))
        return status;
    if (opts.jsonl)
        return write_jsonl(opts.jsonl, &err) < 0 ? tk_bench_fail("recording", &err) : 0;
    printf("| mix | rows | rows / process-sample | bytes / process-sample | bytes / row | original "
           "/ tracekit | JSON Lines of these rows / tracekit | encode ns / row | read ns / "
           "process-sample | read ns / row |\n|---|---|---|---|---|---|---|---|---|---|\n");
    for (size_t s = 0; s < TK_COUNTOF(shapes); s++) {
        for (size_t m = 0; m < TK_COUNTOF(mixes); m++) {
            struct result result;
            int64_t ticks = mixes[m].random ? 100 : opts.ticks;
            if (measure(&mixes[m], &shapes[s], ticks, &result, &err) < 0)
                return tk_bench_fail("recording", &err);
            show(&mixes[m], &shapes[s], ticks, &result);
        }
    }
    return 0;
}
