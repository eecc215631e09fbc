/* SPDX-License-Identifier: Apache-2.0 */
/* audit_report.md: the layout of generation 2, then sections of ours. */
#include "run/verify_internal.h"

#define PIDS_SHOWN 10

static double percent(uint64_t part, uint64_t whole)
{
    return whole ? 100.0 * (double)part / (double)whole : 0;
}

static void put_missing(struct tk_buf *out, const char *field, uint64_t missing, uint64_t rows)
{
    tk_buf_printf(out, "- %s: %llu (%.2f%%)\n", field, (unsigned long long)missing,
                  percent(missing, rows));
}

static void put_summary(const struct tk_verify *verify, struct tk_buf *out)
{
    uint64_t invoked = 0;
    uint64_t sampled = 0;
    uint64_t both = 0;
    for (size_t i = 0; i < verify->procs.pids.list.count; i++) {
        const struct tk_verify_pid *entry = tk_verify_at(&verify->procs.pids.list, i);
        invoked += entry->invoked;
        sampled += entry->sampled;
        both += entry->invoked && entry->sampled;
    }
    tk_buf_printf(out,
                  "## Summary\n"
                  "Invocations: %zu\n"
                  "Proc metrics samples: %llu\n"
                  "Distinct PIDs (invocations): %llu\n"
                  "Distinct PIDs (proc_metrics): %llu\n"
                  "PID match rate: %.2f%%\n\n",
                  verify->invocations.count, (unsigned long long)verify->audit.samples,
                  (unsigned long long)invoked, (unsigned long long)sampled, percent(both, invoked));
}

/* In generation 2 a sample tells the CPU time of its interval; since then proc_cpu does. */
static void put_completeness(const struct tk_verify *verify, struct tk_buf *out)
{
    const struct tk_verify_audit *audit = &verify->audit;
    static const char *const of_invocations[] = {"invocations.trace_id", "invocations.ts_enqueue",
                                                 "invocations.ts_start", "invocations.ts_end",
                                                 "invocations.pid"};
    tk_buf_puts(out, "## Field completeness (missing counts / rate)\n");
    for (size_t i = 0; i < TK_COUNTOF(of_invocations); i++) {
        put_missing(out, of_invocations[i], audit->invocations_without[i],
                    verify->invocations.count);
    }
    put_missing(out, "proc_metrics.ts_ms", audit->samples_without[0], audit->samples);
    put_missing(out, "proc_metrics.pid", audit->samples_without[1], audit->samples);
    put_missing(out, "proc_metrics.dt_ms", audit->intervals_without[0], audit->intervals);
    put_missing(out, "proc_metrics.cpu_ms", audit->intervals_without[1], audit->intervals);
    put_missing(out, "proc_metrics.rss_kb", audit->samples_without[2], audit->samples);
}

static void put_consistency(const struct tk_verify *verify, struct tk_buf *out)
{
    tk_buf_printf(out,
                  "\n## Temporal consistency\n"
                  "- invocations ts_enqueue ≤ ts_start ≤ ts_end violations: %llu\n"
                  "- proc_metrics per-pid strictly increasing ts_ms violations: %llu\n"
                  "- proc_metrics records with dt_ms < 0: %llu\n",
                  (unsigned long long)verify->counts[TK_VERIFY_EVENT_ORDER],
                  (unsigned long long)verify->counts[TK_VERIFY_PROCESS_ORDER],
                  (unsigned long long)verify->counts[TK_VERIFY_NEGATIVE_DT]);
}

static void put_cross_reference(const struct tk_verify *verify, struct tk_buf *out)
{
    tk_buf_printf(out,
                  "\n## Cross-reference\n"
                  "- invocations without matching proc_metrics PID: %llu\n",
                  (unsigned long long)verify->audit.unmatched);
    size_t shown = 0;
    for (size_t i = 0; i < verify->procs.pids.list.count && shown < PIDS_SHOWN; i++) {
        const struct tk_verify_pid *entry = tk_verify_at(&verify->procs.pids.list, i);
        if (entry->invoked && !entry->sampled && !entry->ended)
            tk_buf_printf(out, "%s%lld", shown++ ? ", " : "  - PIDs: ", (long long)entry->pid);
    }
    if (shown > 0)
        tk_buf_putc(out, '\n');
}

static void put_series(const struct tk_verify *verify, struct tk_buf *out)
{
    tk_buf_puts(out, "\n## Series\n");
    for (size_t i = 0; i < verify->series.list.count; i++) {
        const struct tk_verify_series *series = tk_verify_at(&verify->series.list, i);
        tk_buf_printf(out, "- %s: %llu rows, interval %.3f s, %llu gaps\n", series->name,
                      (unsigned long long)series->rows, (double)series->interval_us / 1e6,
                      (unsigned long long)series->gaps);
    }
}

static void put_rules(const struct tk_verify *verify, struct tk_buf *out)
{
    tk_buf_puts(out, "\n## Rules\n");
    for (size_t i = 0; i < TK_VERIFY_RULES; i++) {
        const struct tk_verify_rule_about *rule = &tk_verify_rules[i];
        tk_buf_printf(out, "- %s (%s): %llu %s%s\n", rule->name, rule->help,
                      (unsigned long long)verify->counts[i], rule->is_error ? "error" : "warning",
                      verify->counts[i] == 1 ? "" : "s");
    }
}

void tk_verify_report_format(const struct tk_verify *verify, struct tk_buf *out)
{
    tk_buf_printf(out, "# CCTF Audit Report\nNode: %s  |  Stage: %s\n\n", verify->node,
                  verify->stage);
    put_summary(verify, out);
    put_completeness(verify, out);
    put_consistency(verify, out);
    put_cross_reference(verify, out);
    put_series(verify, out);
    put_rules(verify, out);
}
