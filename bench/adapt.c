/* SPDX-License-Identifier: Apache-2.0 */
/* What foreign logs cost: lines of each format to encoded rows of invocations, in memory. CPU time,
 * best of several rounds.
 *
 *     meson setup build-bench -Dbench=true && ninja -C build-bench
 *     build-bench/adapt
 */
#include "bench.h"

#include <stdio.h>

#include "span/span.h"

#define LINES 50000

struct opts {
    int64_t rounds;
};

static const struct tk_opt options[] = {
    {"rounds", TK_OPT_INT, offsetof(struct opts, rounds), "N", "rounds per figure, the best counts",
     .min = 1, .max = 1000},
    {0},
};

static void put_nginx(struct tk_buf *out, int i)
{
    tk_buf_printf(out,
                  "10.0.%d.%d - - [10/Oct/2025:13:%02d:%02d +0200] \"GET /api/v1/items/%d?page=%d "
                  "HTTP/1.1\" 200 %d \"https://shop.example/items\" \"Mozilla/5.0 (X11; Linux "
                  "x86_64) AppleWebKit/537.36\" %d 0.%03d %08x-%04x\n",
                  i % 256, i % 199, i / 6000 % 60, i / 100 % 60, i, i % 10, i * 37 % 100000,
                  200 + i % 700, i % 1000, (unsigned)i * 2654435761U, (unsigned)i % 65536);
}

static void put_envoy(struct tk_buf *out, int i)
{
    tk_buf_printf(
        out,
        "[2025-10-10T11:%02d:%02d.%03dZ] \"GET /api/v1/items/%d HTTP/2\" 200 - 0 %d %d %d "
        "\"10.0.35.28\" \"curl/7.88\" \"%08x-432b-8c7e\" \"items\" \"10.0.2.1:80\"\n",
        i / 6000 % 60, i / 100 % 60, i % 1000, i, i * 37 % 100000, i % 300, i % 299,
        (unsigned)i * 2654435761U);
}

static void put_json(struct tk_buf *out, int i)
{
    tk_buf_printf(out,
                  "{\"start_time\":\"2025-10-10T11:%02d:%02d.%03dZ\",\"method\":\"GET\","
                  "\"path\":\"/api/v1/items/%d\",\"response_code\":200,\"bytes_received\":0,"
                  "\"bytes_sent\":%d,\"duration\":%d,\"upstream_service_time\":\"%d\","
                  "\"x_request_id\":\"%08x-432b-8c7e\",\"user_agent\":\"curl/7.88\"}\n",
                  i / 6000 % 60, i / 100 % 60, i % 1000, i, i * 37 % 100000, i % 300, i % 299,
                  (unsigned)i * 2654435761U);
}

static void put_csv(struct tk_buf *out, int i)
{
    if (i == 0)
        tk_buf_puts(out, "trace_id,ts_enqueue,ts_start,ts_end,path,status,user\n");
    tk_buf_printf(out, "%08x,%lld,%lld,%lld,\"/api/v1/items/%d\",200,nobody\n",
                  (unsigned)i * 2654435761U, 1760097336000LL + i, 1760097336001LL + i,
                  1760097336300LL + i, i);
}

static const struct corpus {
    const struct tk_ingest *ingest;
    void (*put)(struct tk_buf *out, int i);
} corpora[] = {
    {&tk_ingest_nginx, put_nginx},
    {&tk_ingest_envoy, put_envoy},
    {&tk_ingest_json, put_json},
    {&tk_ingest_csv, put_csv},
};

static int encode(void *context, enum tk_table table, const struct tk_batch *batch,
                  struct tk_err *err)
{
    struct tk_buf *out = context;
    (void)table;
    tk_buf_reset(out);
    tk_encoder_jsonl.batch(batch, out);
    return tk_buf_check(out, "rows", err);
}

static int read_all(const struct corpus *corpus, tk_str text, struct tk_buf *out,
                    struct tk_err *err)
{
    TK_CLEANUP(tk_adapt_freep) struct tk_adapt *adapt = NULL;
    const struct tk_adapt_options adapting = {
        .ingest = corpus->ingest,
        .place = {TK_STR("web"), TK_STR("edge"), TK_STR("web-07.example")}};
    tk_str line;
    uint64_t number = 0;
    int rc = tk_adapt_new(&adapting, (struct tk_sink){encode, out}, &adapt, err);
    if (rc < 0)
        return rc;
    tk_adapt_begin(adapt);
    while (rc == 0 && tk_str_take_line(&text, &line))
        rc = tk_adapt_put(adapt, line, ++number, err);
    if (rc == 0)
        rc = tk_adapt_end(adapt, err);
    if (rc == 0 && tk_adapt_stats(adapt)->rows != LINES)
        return tk_fail(err, -1, "%s: not every line became a row", corpus->ingest->name);
    return rc;
}

static int measure(const struct corpus *corpus, int64_t rounds, struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    int64_t best_ns = INT64_MAX;
    int rc = 0;
    tk_buf_init(&text, (size_t)64 << 20);
    tk_buf_init(&out, (size_t)64 << 20);
    for (int i = 0; i < LINES; i++)
        corpus->put(&text, i);
    for (int64_t round = 0; round < rounds && rc == 0; round++) {
        int64_t before_ns = tk_bench_cpu_ns();
        rc = read_all(corpus, tk_buf_str(&text), &out, err);
        int64_t took_ns = tk_bench_cpu_ns() - before_ns;
        best_ns = took_ns < best_ns ? took_ns : best_ns;
    }
    if (rc == 0) {
        printf("%-8s %4zu bytes a line %7.0f ns/line %7.0f MB/s\n", corpus->ingest->name,
               text.n / LINES, (double)best_ns / LINES, (double)text.n * 1e3 / (double)best_ns);
    }
    return rc;
}

int main(int argc, char **argv)
{
    struct opts opts = {.rounds = 20};
    struct tk_err err;
    int status;
    if (!tk_bench_parse("adapt", options, &opts, argc, argv, &status))
        return status;
    for (size_t i = 0; i < TK_COUNTOF(corpora); i++) {
        if (measure(&corpora[i], opts.rounds, &err) < 0)
            return tk_bench_fail("adapt", &err);
    }
    return 0;
}
