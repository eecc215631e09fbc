/* SPDX-License-Identifier: Apache-2.0 */
/* What judging costs: a table of spans built, and the ten queries over all combinations of their
 * parameters, compat and strict, of a set against another (the same spans read again). CPU time,
 * best of several rounds; memory is the most that the process had. Spans are those of a file, or
 * made: 10 a trace, 20 services, 10 values of each attribute.
 *
 *     meson setup build-bench -Dbench=true -Dbuildtype=release && ninja -C build-bench
 *     build-bench/queries --input ob.csv.zst
 *     build-bench/queries --spans 10000000 --rounds 1 --no-queries
 */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "cmd/span_input.h"
#include "fidelity/figures.h"

#define TRACE_SPANS 10
#define SERVICES    20
#define VALUES      10

struct opts {
    const char *input;
    int64_t spans, rounds;
    bool no_queries;
};

static const struct tk_opt options[] = {
    {"input", TK_OPT_STRING, offsetof(struct opts, input), "FILE", "a set of traces (made)"},
    {"spans", TK_OPT_INT, offsetof(struct opts, spans), "N", "spans to make (1,000,000)", .min = 1,
     .max = 1000000000},
    {"rounds", TK_OPT_INT, offsetof(struct opts, rounds), "N", "of each, the best counts (3)",
     .min = 1, .max = 100},
    {"no-queries", TK_OPT_FLAG, offsetof(struct opts, no_queries), NULL, "only build the table"},
    {0},
};

/* Spans ---------------------------------------------------------------------------------------- */

struct made {
    int64_t next, count;
};

static uint32_t numbered_text(struct tk_span_batch *batch, const char *what, uint64_t number)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "%s%llu", what, (unsigned long long)number);
    return tk_texts_add(&batch->texts, tk_str_from(text));
}

static bool make_scopes(struct tk_span_batch *batch)
{
    for (uint64_t i = 0; i < SERVICES; i++) {
        const struct tk_span_resource resource = {.service = numbered_text(batch, "service-", i)};
        uint32_t at = tk_span_batch_add_resource(batch, &resource);
        if (tk_span_batch_add_scope(batch, &(struct tk_span_scope){.resource = at}) == UINT32_MAX)
            return false;
    }
    return true;
}

static int make_row(struct tk_span_batch *batch, int64_t i)
{
    uint64_t noise = tk_bench_noise((uint64_t)i);
    int64_t trace = i / TRACE_SPANS;
    uint64_t id = tk_bench_noise((uint64_t)trace);
    int rc = tk_span_batch_begin(batch);
    if (rc < 0)
        return rc;
    size_t row = batch->rows - 1;
    memcpy(batch->trace_ids[row], &id, sizeof(id));
    batch->span_ids[row] = (uint64_t)i + 1;
    batch->parent_ids[row] = i % TRACE_SPANS == 0 ? 0 : (uint64_t)(i + trace * TRACE_SPANS) / 2 + 1;
    batch->start_ns[row] = trace * TK_NS_PER_MS + i % TRACE_SPANS * 1000;
    batch->duration_ns[row] = (int64_t)(noise % 100000) * 1000;
    batch->names[row] = numbered_text(batch, "operation-", noise % 100);
    batch->scope_ids[row] = (uint32_t)(noise % SERVICES);
    batch->statuses[row] = noise % 100 == 0 ? TK_SPAN_ERROR : TK_SPAN_UNSET;
    const struct tk_attr attrs[] = {
        {.key = tk_texts_add(&batch->texts, TK_STR("http.method")),
         .type = TK_ATTR_STRING,
         .text = numbered_text(batch, "METHOD-", noise % VALUES)},
        {.key = tk_texts_add(&batch->texts, TK_STR("http.status_code")),
         .type = TK_ATTR_INT,
         .i64 = 200 + (int64_t)(noise % VALUES)},
    };
    for (size_t k = 0; k < TK_COUNTOF(attrs) && rc == 0; k++)
        rc = tk_span_batch_add_attr(batch, &attrs[k]);
    return rc < 0 ? rc : tk_span_batch_end(batch);
}

static int read_made(void *context, struct tk_span_batch *batch, struct tk_err *err)
{
    struct made *made = context;
    if (!make_scopes(batch))
        return tk_fail(err, -ENOBUFS, "no room for services");
    while (made->next < made->count && make_row(batch, made->next) == 0)
        made->next++;
    return made->next < made->count ? 0 : 1;
}

/* The table, and the CPU time of reading and making it. */
static int build(const struct opts *opts, struct tk_span_table **ret_table, int64_t *ret_ns,
                 struct tk_err *err)
{
    TK_CLEANUP(tk_span_inputs_freep) struct tk_span_inputs *inputs = NULL;
    const struct tk_span_input_options none = {0};
    struct made made = {.count = opts->spans};
    struct tk_span_source source = {read_made, &made};
    int rc = 0;
    if (opts->input) {
        rc = tk_span_inputs_new(&tk_cmd_fidelity, &opts->input, 1, &none, &inputs, err);
        source = tk_span_inputs_source(inputs);
    }
    int64_t start_ns = tk_bench_cpu_ns();
    rc =
        rc < 0 ? rc : tk_span_table_new(source, &(struct tk_span_table_options){0}, ret_table, err);
    *ret_ns = tk_bench_cpu_ns() - start_ns;
    return rc;
}

/* What the source alone costs. */
static int drain(const struct opts *opts, int64_t *ret_ns, struct tk_err *err)
{
    TK_CLEANUP(tk_span_inputs_freep) struct tk_span_inputs *inputs = NULL;
    const struct tk_span_input_options none = {0};
    struct made made = {.count = opts->spans};
    struct tk_span_source source = {read_made, &made};
    struct tk_span_batch *batch = NULL;
    int rc = tk_span_batch_new((size_t)1 << 16, &batch, err);
    if (rc == 0 && opts->input) {
        rc = tk_span_inputs_new(&tk_cmd_fidelity, &opts->input, 1, &none, &inputs, err);
        source = tk_span_inputs_source(inputs);
    }
    int64_t start_ns = tk_bench_cpu_ns();
    while (rc == 0) {
        tk_span_batch_reset(batch);
        rc = source.read(source.context, batch, err);
    }
    *ret_ns = tk_bench_cpu_ns() - start_ns;
    tk_span_batch_free(batch);
    return rc < 0 ? rc : 0;
}

/* Figures -------------------------------------------------------------------------------------- */

static void print(const char *what, uint64_t spans, int64_t ns)
{
    printf("%-28s %8.3f s  %8.2f M spans/s\n", what, (double)ns / 1e9,
           (double)spans / (double)ns * 1e3);
}

static int time_queries(const struct opts *opts, const struct tk_span_table *a,
                        const struct tk_span_table *b, struct tk_err *err)
{
    const struct tk_measure_options none = {0};
    int64_t best_ns = INT64_MAX;
    uint64_t combinations = 0;
    int rc = 0;
    for (int64_t i = 0; i < opts->rounds && rc == 0; i++) {
        TK_CLEANUP(tk_figures_release) struct tk_figures figures = {0};
        rc = tk_figures_init(&figures, err);
        int64_t start_ns = tk_bench_cpu_ns();
        rc = rc < 0 ? rc : tk_measure_queries.measure(a, b, &none, &figures, err);
        int64_t ns = tk_bench_cpu_ns() - start_ns;
        best_ns = ns < best_ns ? ns : best_ns;
        combinations = 0;
        for (size_t k = 0; k < figures.count; k++)
            combinations +=
                figures.items[k].rule == TK_FIGURE_COMPAT ? figures.items[k].samples : 0;
    }
    print("ten queries, both rules", b->rows, best_ns);
    printf("  over %llu combinations\n", (unsigned long long)combinations);
    return rc;
}

static int run(const struct opts *opts, struct tk_err *err)
{
    TK_CLEANUP(tk_span_table_freep) struct tk_span_table *a = NULL;
    TK_CLEANUP(tk_span_table_freep) struct tk_span_table *b = NULL;
    struct rusage usage;
    int64_t read_ns;
    int64_t build_ns;
    int rc = drain(opts, &read_ns, err);
    rc = rc < 0 ? rc : build(opts, &b, &build_ns, err);
    if (rc < 0)
        return rc;
    (void)getrusage(RUSAGE_SELF, &usage);
    printf("%u spans of %u traces\n", b->rows, b->traces);
    print("reading", b->rows, read_ns);
    print("reading and table", b->rows, build_ns);
    printf("memory of one table          %8.0f MiB  %7.0f B/span\n", (double)usage.ru_maxrss / 1024,
           (double)usage.ru_maxrss * 1024 / b->rows);
    if (opts->no_queries)
        return 0;
    rc = build(opts, &a, &build_ns, err);
    return rc < 0 ? rc : time_queries(opts, a, b, err);
}

int main(int argc, char **argv)
{
    int status;
    struct tk_err err;
    struct opts opts = {.spans = 1000000, .rounds = 3};
    if (!tk_bench_parse("queries", options, &opts, argc, argv, &status))
        return status;
    return run(&opts, &err) < 0 ? tk_bench_fail("queries", &err) : 0;
}
