/* SPDX-License-Identifier: Apache-2.0 */
/* What JSON Lines costs: rows of proc_metrics and host_metrics as a recorder writes them, those of
 * the original sampler, and of two tables of CCTF that export reads, encoded and decoded by us and
 * by jansson in the same run. CPU time, best of several rounds.
 *
 *     meson setup build-bench -Dbench=true && ninja -C build-bench
 *     build-bench/json
 */
#include "bench.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "run/schemas.h"
#include "table/table.h"

#define ROWS       20000 /* about 8 MB of text */
#define BATCH_ROWS 256

#define WORD(literal)                                                                              \
    {                                                                                              \
        "" literal, sizeof(literal) - 1                                                            \
    }

struct opts {
    int64_t rounds;
};

static const struct tk_opt options[] = {
    {"rounds", TK_OPT_INT, offsetof(struct opts, rounds), "N", "rounds per figure, the best counts",
     .min = 1, .max = 1000},
    {0},
};

struct corpus {
    const char *name;
    const struct tk_schema *schema;
    void (*fill)(struct tk_batch *batch, int64_t i);
    tk_str wanted[6]; /* fields that a consumer extracts, none = every one */
};

/* The 20 columns that a process row has on a common machine. */
static void fill_proc(struct tk_batch *batch, int64_t i)
{
    static const char *const comms[] = {"cc1", "make", "kworker/0:1", "postgres", "node"};
    int64_t ticks = i * 7;
    tk_batch_set_i64(batch, TK_PROC_METRICS_TS_MS, 1763716800000 + i / 200 * 100);
    tk_batch_set_i64(batch, TK_PROC_METRICS_PID, 1000 + i * 31 % 32000);
    tk_batch_set_i64(batch, TK_PROC_METRICS_UTIME, ticks);
    tk_batch_set_i64(batch, TK_PROC_METRICS_STIME, ticks / 3);
    tk_batch_set_i64(batch, TK_PROC_METRICS_RSS_KB, 4096 + i * 37 % 900000);
    tk_batch_set_i64(batch, TK_PROC_METRICS_THREADS, 1 + i % 12);
    tk_batch_set_i64(batch, TK_PROC_METRICS_TS_US, 1763716800000123 + i / 200 * 100000);
    tk_batch_set_text(batch, TK_PROC_METRICS_NODE, TK_STR("node-07"));
    tk_batch_set_text(batch, TK_PROC_METRICS_HOST, TK_STR("worker-07.example"));
    tk_batch_set_i64(batch, TK_PROC_METRICS_START_TICKS, 88123456 + i % 200 * 977);
    tk_batch_set_i64(batch, TK_PROC_METRICS_PPID, 1 + i % 2000);
    tk_batch_set_text(batch, TK_PROC_METRICS_COMM, tk_str_from(comms[i % 5]));
    tk_batch_set_text(batch, TK_PROC_METRICS_STATE, i % 9 ? TK_STR("S") : TK_STR("R"));
    tk_batch_set_i64(batch, TK_PROC_METRICS_CPU_NS, ticks * 10000000 + 123456);
    tk_batch_set_i64(batch, TK_PROC_METRICS_RD_BYTES, i * 4096);
    tk_batch_set_i64(batch, TK_PROC_METRICS_WR_BYTES, i * 1024);
    tk_batch_set_i64(batch, TK_PROC_METRICS_MINFLT, i * 11);
    tk_batch_set_i64(batch, TK_PROC_METRICS_MAJFLT, i % 3);
    tk_batch_set_i64(batch, TK_PROC_METRICS_NVCSW, i * 5);
    tk_batch_set_i64(batch, TK_PROC_METRICS_NIVCSW, i);
}

/* The five columns of the original's sampler. */
static void fill_original(struct tk_batch *batch, int64_t i)
{
    tk_batch_set_i64(batch, TK_PROC_METRICS_TS_MS, 1763716800000 + i / 200 * 100);
    tk_batch_set_i64(batch, TK_PROC_METRICS_PID, 1000 + i * 31 % 32000);
    tk_batch_set_i64(batch, TK_PROC_METRICS_UTIME, i * 7);
    tk_batch_set_i64(batch, TK_PROC_METRICS_STIME, i * 7 / 3);
    tk_batch_set_i64(batch, TK_PROC_METRICS_RSS_KB, 4096 + i * 37 % 900000);
}

/* A CPU row: most columns are decimals. */
static void fill_host(struct tk_batch *batch, int64_t i)
{
    tk_batch_set_i64(batch, TK_HOST_METRICS_TS_MS, 1763716800000 + i * 100);
    tk_batch_set_text(batch, TK_HOST_METRICS_NODE, TK_STR("node-07"));
    tk_batch_set_text(batch, TK_HOST_METRICS_STAGE, TK_STR("cloud"));
    for (size_t c = 0; c < tk_schema_host_metrics.column_count; c++) {
        const struct tk_column *column = &tk_schema_host_metrics.columns[c];
        if (column->type == TK_F64)
            tk_batch_set_f64(batch, c, (double)((i * 131 + (int64_t)c * 977) % 10000) / 100);
    }
}

/* As parse and merge write it. */
static void fill_proc_cpu(struct tk_batch *batch, int64_t i)
{
    tk_batch_set_i64(batch, TK_PROC_CPU_TS_MS, 1763716800000 + i / 200 * 100);
    tk_batch_set_i64(batch, TK_PROC_CPU_PID, 1000 + i * 31 % 32000);
    tk_batch_set_i64(batch, TK_PROC_CPU_CPU_MS, i % 101);
    tk_batch_set_i64(batch, TK_PROC_CPU_DT_MS, 100);
    tk_batch_set_i64(batch, TK_PROC_CPU_TS_US, 1763716800000123 + i / 200 * 100000);
    tk_batch_set_text(batch, TK_PROC_CPU_NODE, TK_STR("node-07"));
    tk_batch_set_i64(batch, TK_PROC_CPU_START_TICKS, 88123456 + i % 200 * 977);
    tk_batch_set_i64(batch, TK_PROC_CPU_CPU_NS, i % 101 * 1000000 + i % 997);
    tk_batch_set_i64(batch, TK_PROC_CPU_DT_US, 100000 + i % 7);
    tk_batch_set_text(batch, TK_PROC_CPU_HOST, TK_STR("worker-07.example"));
}

/* A request: what the row has not is null in it. */
static void fill_invocation(struct tk_batch *batch, int64_t i)
{
    char id[32];
    int64_t start_ms = 1763716800000 + i * 3;
    (void)snprintf(id, sizeof(id), "%016llx", (unsigned long long)i * 0x9E3779B97F4A7C15ULL);
    tk_batch_set_text(batch, TK_INVOCATIONS_TRACE_ID, tk_str_from(id));
    tk_batch_set_text(batch, TK_INVOCATIONS_SPAN_ID, tk_str_from(id));
    tk_batch_set_text(batch, TK_INVOCATIONS_MODULE_ID, TK_STR("api"));
    tk_batch_set_text(batch, TK_INVOCATIONS_METHOD, TK_STR("GET"));
    tk_batch_set_text(batch, TK_INVOCATIONS_PATH, TK_STR("/v1/items/popular"));
    tk_batch_set_text(batch, TK_INVOCATIONS_NODE, TK_STR("node-07"));
    tk_batch_set_text(batch, TK_INVOCATIONS_HOST, TK_STR("worker-07.example"));
    tk_batch_set_i64(batch, TK_INVOCATIONS_TS_ENQUEUE, start_ms);
    tk_batch_set_i64(batch, TK_INVOCATIONS_TS_START, start_ms + i % 7);
    tk_batch_set_i64(batch, TK_INVOCATIONS_TS_END, start_ms + 20 + i % 400);
    tk_batch_set_i64(batch, TK_INVOCATIONS_PID, 4711 + i % 8);
    tk_batch_set_i64(batch, TK_INVOCATIONS_STATUS, i % 50 ? 200 : 503);
    tk_batch_set_i64(batch, TK_INVOCATIONS_BYTES_IN, 400 + i % 300);
    tk_batch_set_i64(batch, TK_INVOCATIONS_BYTES_OUT, i * 37 % 90000);
}

static const struct corpus corpora[] = {
    {"proc_metrics",
     &tk_schema_proc_metrics,
     fill_proc,
     {WORD("ts_ms"), WORD("pid"), WORD("rss_kb"), WORD("comm"), WORD("cpu_ns"), WORD("nivcsw")}},
    {"host_metrics",
     &tk_schema_host_metrics,
     fill_host,
     {WORD("ts_ms"), WORD("node"), WORD("cpu_util"), WORD("usr"), WORD("idle"), WORD("load1")}},
    {"original's rows", &tk_schema_proc_metrics, fill_original, {{0}}},
    {"proc_cpu", &tk_schema_proc_cpu, fill_proc_cpu, {{0}}},
    {"invocations", &tk_schema_invocations, fill_invocation, {{0}}},
};

/* Time it ----------------------------------------------------------------------------- */

struct work {
    const struct corpus *corpus;
    struct tk_batch *batch;
    struct tk_buf text;
    json_t **documents; /* of jansson, for its writer */
};

/* Each returns the rows that it dealt with, so that no work can be lost unseen. */
typedef size_t (*job)(struct work *work);

static double best_ns(job run, struct work *work, int64_t rounds)
{
    double best = 1e18;
    for (int64_t i = 0; i < rounds; i++) {
        int64_t start = tk_bench_cpu_ns();
        if (run(work) != ROWS) {
            (void)fputs("json: rows were lost\n", stderr);
            exit(1);
        }
        double ns = (double)(tk_bench_cpu_ns() - start);
        best = ns < best ? ns : best;
    }
    return best;
}

static void fill(struct work *work, int64_t first)
{
    tk_batch_reset(work->batch);
    for (int64_t i = 0; i < BATCH_ROWS && first + i < ROWS; i++) {
        tk_batch_begin(work->batch);
        work->corpus->fill(work->batch, first + i);
    }
}

static size_t only_fill(struct work *work)
{
    size_t rows = 0;
    for (int64_t i = 0; i < ROWS; i += BATCH_ROWS) {
        fill(work, i);
        rows += work->batch->rows;
    }
    return rows;
}

static size_t fill_and_encode(struct work *work)
{
    size_t rows = 0;
    tk_buf_reset(&work->text);
    for (int64_t i = 0; i < ROWS; i += BATCH_ROWS) {
        fill(work, i);
        tk_encoder_jsonl.batch(work->batch, &work->text);
        rows += tk_buf_ok(&work->text) ? work->batch->rows : 0;
    }
    return rows;
}

static size_t decode(struct work *work)
{
    struct tk_err err;
    struct tk_decode_stats stats = {0};
    void *state = calloc(1, tk_decoder_jsonl.state_size);
    tk_str text = tk_buf_str(&work->text);
    while (state && text.n > 0) {
        tk_batch_reset(work->batch);
        if (tk_decoder_jsonl.batch(state, &text, true, work->batch, &stats, &err) < 0)
            break;
    }
    free(state);
    return stats.rows;
}

/* The pull scanner as a caller without a schema uses it: six fields out of each object. */
static size_t pull_six(struct work *work)
{
    struct tk_err err;
    struct tk_json json;
    tk_str key;
    size_t rows = 0;
    uint64_t found = 0;
    tk_json_init(&json, tk_buf_str(&work->text));
    for (; tk_json_peek(&json) == TK_JSON_OBJECT; rows++) {
        if (tk_json_enter_object(&json, &err) < 0)
            return 0;
        while (tk_json_next_key(&json, NULL, &key, &err) == 0) {
            double number;
            tk_str word;
            bool wanted = false;
            for (size_t i = 0; i < 6 && !wanted; i++)
                wanted = tk_str_eq(key, work->corpus->wanted[i]);
            bool is_text = tk_json_peek(&json) == TK_JSON_STRING;
            int rc = !wanted   ? tk_json_skip(&json, NULL, &err)
                     : is_text ? tk_json_read_str(&json, &work->batch->text, &word, &err)
                               : tk_json_read_f64(&json, &number, &err);
            if (rc < 0)
                return 0;
            found += wanted;
        }
    }
    return found == 6 * rows ? rows : 0;
}

static size_t jansson_six(struct work *work)
{
    tk_str text = tk_buf_str(&work->text);
    tk_str line;
    size_t rows = 0;
    uint64_t found = 0;
    while (tk_str_take_line(&text, &line)) {
        json_t *row = json_loadb(line.p, line.n, 0, NULL);
        for (size_t i = 0; i < 6; i++) {
            const json_t *value = json_object_get(row, work->corpus->wanted[i].p);
            found += json_number_value(value) != 0 || json_string_value(value) || value != NULL;
        }
        json_decref(row);
        rows++;
    }
    return found == 6 * rows ? rows : 0;
}

static size_t jansson_dump(struct work *work)
{
    char line[8192];
    size_t rows = 0;
    for (size_t i = 0; i < ROWS; i++) {
        size_t n = json_dumpb(work->documents[i], line, sizeof(line), JSON_COMPACT);
        rows += n > 0 && n < sizeof(line);
    }
    return rows;
}

/* Every second row with its first two members exchanged: the predicted order is often wrong. */
static bool disturb(struct tk_buf *text)
{
    struct tk_buf out;
    tk_buf_init(&out, text->max);
    tk_str rest = tk_buf_str(text);
    tk_str line;
    for (size_t i = 0; tk_str_take_line(&rest, &line); i++) {
        size_t comma = tk_str_find(line, ',');
        tk_str first = {line.p + 1, comma - 1};
        tk_str tail = {line.p + comma + 1, line.n - comma - 1};
        size_t next = tk_str_find(tail, ',');
        if (i % 2 == 0) {
            tk_buf_put(&out, line);
        } else {
            tk_buf_putc(&out, '{');
            tk_buf_put(&out, (tk_str){tail.p, next + 1});
            tk_buf_put(&out, first);
            tk_buf_put(&out, (tk_str){tail.p + next, tail.n - next});
        }
        tk_buf_putc(&out, '\n');
    }
    tk_buf_release(text);
    *text = out;
    return tk_buf_ok(text);
}

static void show(const char *what, double ns, size_t bytes)
{
    printf("  %-44s %7.0f ns/row %7.0f MB/s\n", what, ns / ROWS, (double)bytes * 1e3 / ns);
}

static int measure(const struct corpus *corpus, int64_t rounds, struct tk_err *err)
{
    struct work work = {.corpus = corpus, .documents = calloc(ROWS, sizeof(json_t *))};
    tk_buf_init(&work.text, 64 << 20);
    int rc = tk_batch_new(corpus->schema, BATCH_ROWS, 1 << 20, &work.batch, err);
    if (rc < 0)
        return rc;
    double filling = best_ns(only_fill, &work, rounds);
    double encoding = best_ns(fill_and_encode, &work, rounds) - filling;
    size_t bytes = work.text.n;
    tk_str text = tk_buf_str(&work.text);
    tk_str line = {0};
    for (size_t i = 0; i < ROWS && tk_str_take_line(&text, &line); i++)
        work.documents[i] = json_loadb(line.p, line.n, 0, NULL);

    printf("%s: %d rows of %zu bytes; filling a row takes %.0f ns\n", corpus->name, ROWS,
           bytes / ROWS, filling / ROWS);
    show("encode, tracekit", encoding, bytes);
    show("encode, jansson dumpb of a ready tree", best_ns(jansson_dump, &work, rounds), bytes);
    show("decode all fields, tracekit", best_ns(decode, &work, rounds), bytes);
    if (corpus->wanted[0].n > 0) {
        show("six fields, tracekit pull scanner", best_ns(pull_six, &work, rounds), bytes);
        show("six fields, jansson", best_ns(jansson_six, &work, rounds), bytes);
    }
    if (!disturb(&work.text))
        return tk_buf_check(&work.text, "disturbed rows", err);
    show("decode all fields, key order changes each row", best_ns(decode, &work, rounds), bytes);
    for (size_t i = 0; i < ROWS; i++)
        json_decref(work.documents[i]);
    free(work.documents);
    tk_buf_release(&work.text);
    tk_batch_free(work.batch);
    return 0;
}

int main(int argc, char **argv)
{
    struct opts opts = {.rounds = 20};
    struct tk_err err;
    int status;
    if (!tk_bench_parse("json", options, &opts, argc, argv, &status))
        return status;
    for (size_t i = 0; i < TK_COUNTOF(corpora); i++)
        if (measure(&corpora[i], opts.rounds, &err) < 0)
            return tk_bench_fail("json", &err);
    return 0;
}
