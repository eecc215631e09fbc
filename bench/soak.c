/* SPDX-License-Identifier: Apache-2.0 */
/* Whether sampling grows: many ticks back to back, and the resident set of this process after each
 * tenth of them. Rows are encoded and dropped. A million ticks are twelve days at 1 Hz. */
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench.h"
#include "collect/procs.h"
#include "table/table.h"

#define TEXT_MAX ((size_t)16 << 20)
#define REPORTS  10

struct soak_opts {
    int64_t ticks;
    int tier;
};

static const struct tk_opt options[] = {
    {"ticks", TK_OPT_INT, offsetof(struct soak_opts, ticks), "N", "ticks (1000000)", .min = REPORTS,
     .max = INT64_MAX},
    {"tier", TK_OPT_CHOICE, offsetof(struct soak_opts, tier), "TIER", "auto, B2, B1, P or P0",
     .choices = tk_tier_names},
    {0},
};

static int drop(void *context, enum tk_table table, const struct tk_batch *batch,
                struct tk_err *err)
{
    (void)table;
    (void)err;
    struct tk_buf *text = context;
    tk_buf_reset(text);
    tk_encoder_jsonl.batch(batch, text);
    return 0;
}

static long read_rss_kb(void)
{
    long pages = -1;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file)
        return -1;
    if (fscanf(file, "%*s %ld", &pages) != 1)
        pages = -1;
    (void)fclose(file);
    return pages < 0 ? -1 : pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static int report(int64_t ticks, int64_t since_ns, const struct tk_procs *procs)
{
    struct tk_procs_stats stats;
    tk_procs_read_stats(procs, &stats);
    return printf("%8lld ticks  %6.1f us each  %6ld KiB  %5lld processes  tier %s\n",
                  (long long)ticks, (double)(tk_bench_cpu_ns() - since_ns) / 1e3 / (double)ticks,
                  read_rss_kb(), (long long)stats.alive, tk_tier_names[stats.tier]);
}

static int soak(const struct soak_opts *opts, struct tk_procs *procs, struct tk_rows *rows,
                struct tk_err *err)
{
    int64_t since_ns = tk_bench_cpu_ns();
    for (int64_t i = 1; i <= opts->ticks; i++) {
        tk_procs_tick(procs, -1, rows);
        int rc = tk_rows_flush(rows, err);
        if (rc < 0)
            return rc;
        if (i % (opts->ticks / REPORTS) == 0 && report(i, since_ns, procs) < 0)
            return tk_fail_errno(err, "stdout");
    }
    return 0;
}

static int run(const struct soak_opts *opts, struct tk_err *err)
{
    struct tk_kernel kernel = {0};
    struct tk_rows *rows = NULL;
    struct tk_procs *procs = NULL;
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, TEXT_MAX);
    const struct tk_procs_options procs_options = {
        .node = "bench", .host = "bench", .tier = (enum tk_tier)opts->tier};
    int rc = tk_kernel_open(&kernel, "/", err);
    if (rc == 0)
        rc = tk_rows_new((struct tk_sink){drop, &text}, &rows, err);
    if (rc == 0)
        rc = tk_procs_new(&kernel, &procs_options, &procs, err);
    if (rc == 0)
        rc = soak(opts, procs, rows, err);
    tk_procs_free(procs);
    tk_rows_free(rows);
    tk_kernel_close(&kernel);
    return rc;
}

int main(int argc, char **argv)
{
    struct soak_opts opts = {.ticks = 1000000};
    struct tk_err err = {0};
    int status;
    if (!tk_bench_parse("soak", options, &opts, argc, argv, &status))
        return status;
    return run(&opts, &err) < 0 ? tk_bench_fail("soak", &err) : 0;
}
