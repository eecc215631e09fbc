/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/join_print.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/human.h"
#include "cmd/member.h"
#include "cmd/span_store.h"

/* Names --------------------------------------------------------------------------------- */

static tk_str service_of(const struct tk_join *join, uint32_t i)
{
    uint32_t sender = join->spans.items[i].resource;
    return tk_texts_get(&join->spans.texts, join->spans.senders[sender].service);
}

static tk_str name_of(const struct tk_join *join, uint32_t i)
{
    return tk_texts_get(&join->spans.texts, join->spans.items[i].name);
}

static void set_text(struct tk_grid *grid, size_t column, const struct tk_look *look, tk_str text)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf clean;
    tk_buf_init(&clean, 1 << 16);
    tk_text_put_clean(&clean, look, text);
    tk_buf_putc(&clean, '\0');
    tk_grid_set(grid, column, tk_buf_ok(&clean) ? clean.p : "");
}

/* Who used most ------------------------------------------------------------------------- */

static bool uses_more(const struct tk_join *join, uint32_t a, uint32_t b)
{
    return join->selfs[a].cpu_ns > join->selfs[b].cpu_ns;
}

/* The spans that used most CPU themselves, at most `cap`. */
static size_t find_top(const struct tk_join *join, uint32_t *ret, size_t cap)
{
    size_t count = 0;
    for (uint32_t i = 0; i < join->spans.count; i++) {
        size_t at = count < cap ? count : cap;
        if (!join->bills[i].is_metered)
            continue;
        for (; at > 0 && uses_more(join, i, ret[at - 1]); at--) {
            if (at < cap)
                ret[at] = ret[at - 1];
        }
        if (at < cap)
            ret[at] = i;
        count += count < cap;
    }
    return count;
}

/* Text ------------------------------------------------------------------------------------ */

static void put_rules(const struct tk_join *join, struct tk_buf *out)
{
    char number[TK_HUMAN_MAX];
    char share[TK_HUMAN_MAX];
    for (size_t n = 0; n < TK_BILL_RULES; n++) {
        size_t rule = (n + 1) % TK_BILL_RULES; /* none comes last */
        uint64_t spans = join->totals.by_rule[rule];
        if (spans == 0)
            continue;
        tk_buf_printf(out, "   %12s  %5s  %s\n", tk_count_format((int64_t)spans, number),
                      tk_share_format((double)spans / join->spans.count, share),
                      tk_bill_rules[rule].text);
    }
}

static void put_billed(const struct tk_join *join, struct tk_buf *out)
{
    char number[TK_HUMAN_MAX];
    char cpu[TK_HUMAN_MAX];
    const struct tk_join_totals *totals = &join->totals;
    tk_buf_printf(out, "\n %s of CPU time billed to %s span%s",
                  tk_seconds_format((int64_t)totals->cpu_ns, cpu),
                  tk_count_format((int64_t)totals->metered, number),
                  tk_count_ending((int64_t)totals->metered));
    if (totals->bounds > 0) {
        tk_buf_printf(out, "; %s shorter than the time between readings: order of magnitude",
                      tk_count_format((int64_t)totals->bounds, number));
    }
    tk_buf_putc(out, '\n');
    if (totals->contexts_refused > 0) {
        bool one = totals->contexts_refused == 1;
        tk_buf_printf(out, " %s process%s could not be asked for %s trace (CAP_SYS_PTRACE)\n",
                      tk_count_format(totals->contexts_refused, number), one ? "" : "es",
                      one ? "its" : "their");
    }
}

static void put_odd(const struct tk_join *join, struct tk_buf *out)
{
    const struct tk_bill_spans *spans = &join->spans;
    char number[TK_HUMAN_MAX];
    const struct {
        uint64_t count;
        const char *text;
    } odd[] = {
        {join->totals.bare_pids, "with a process.pid alone, which is never taken: "
                                 "process.creation.time says whose it is"},
        {spans->orphans, "whose parent is not here"},
        {spans->duplicates, "with the id of another one of their trace"},
        {spans->cycles, "that call themselves in the end"},
    };
    for (size_t i = 0; i < TK_COUNTOF(odd); i++) {
        if (odd[i].count > 0) {
            tk_buf_printf(out, " %s span%s %s\n", tk_count_format((int64_t)odd[i].count, number),
                          tk_count_ending((int64_t)odd[i].count), odd[i].text);
        }
    }
}

static void put_clocks(const struct tk_join_report *report, struct tk_buf *out)
{
    const struct tk_texts *texts = &report->join->spans.texts;
    char ahead[TK_HUMAN_MAX];
    char share[TK_HUMAN_MAX];
    for (size_t i = 0; i < report->skew_count; i++) {
        const struct tk_host_skew *skew = &report->skews[i];
        int64_t off_ns = skew->ahead_ns < 0 ? -skew->ahead_ns : skew->ahead_ns;
        tk_buf_printf(out, " clock of %.*s: %s %s that of %.*s, %s of %llu calls do not overlap\n",
                      TK_STR_ARG(tk_texts_get(texts, skew->to)), tk_duration_format(off_ns, ahead),
                      skew->ahead_ns < 0 ? "behind" : "ahead of",
                      TK_STR_ARG(tk_texts_get(texts, skew->from)),
                      tk_share_format((double)skew->outside / (double)skew->calls, share),
                      (unsigned long long)skew->calls);
    }
}

static void add_top(const struct tk_join *join, struct tk_grid *grid, const struct tk_look *look,
                    uint32_t i)
{
    const struct tk_bill_span *span = &join->spans.items[i];
    const struct tk_bill *bill = &join->bills[i];
    char text[TK_HUMAN_MAX];
    char id[TK_TRACE_ID_MAX];
    double error = tk_join_error(join, i);
    tk_grid_add(grid);
    set_text(grid, 0, look, service_of(join, i));
    set_text(grid, 1, look, name_of(join, i));
    tk_grid_set(grid, 2, tk_duration_format(span->end_ns - span->start_ns, text));
    tk_grid_set(grid, 3, tk_duration_format((int64_t)join->selfs[i].cpu_ns, text));
    tk_grid_set(grid, 4, tk_duration_format((int64_t)bill->used[TK_BILL_CPU], text));
    if (bill->max_rss_bytes >= 0)
        tk_grid_set(grid, 5, tk_bytes_format((double)bill->max_rss_bytes, text));
    tk_grid_set(grid, 6, error <= 1 ? tk_share_format(error, text) : "bound");
    tk_grid_set(grid, 7, tk_trace_id_cut(span->trace_id, id));
}

static int put_top(const struct tk_join_report *report, const struct tk_look *look,
                   struct tk_buf *out, struct tk_err *err)
{
    static const struct tk_grid_column columns[] = {
        {"service", .cut = true},   {"operation", .cut = true},       {"length", .right = true},
        {"own CPU", .right = true}, {"CPU", .right = true},           {"memory", .right = true},
        {"+-", .right = true},      {"trace", .style = TK_STYLE_DIM},
    };
    const struct tk_grid_options options = {columns, TK_COUNTOF(columns), .indent = 1};
    uint32_t *top = malloc((report->limit + 1) * sizeof(*top));
    if (!top)
        return tk_fail(err, -ENOMEM, "out of memory");
    TK_CLEANUP(tk_grid_freep) struct tk_grid *grid = NULL;
    size_t count = find_top(report->join, top, report->limit);
    int rc = count > 0 ? tk_grid_new(look, &options, &grid, err) : 0;
    for (size_t i = 0; rc == 0 && i < count; i++)
        add_top(report->join, grid, look, top[i]);
    free(top);
    if (rc < 0 || count == 0)
        return rc;
    tk_buf_putc(out, '\n');
    return tk_grid_write(grid, out, err);
}

int tk_join_put_text(const struct tk_join_report *report, const struct tk_look *look,
                     struct tk_buf *out, struct tk_err *err)
{
    const struct tk_join *join = report->join;
    char spans[TK_HUMAN_MAX];
    char processes[TK_HUMAN_MAX];
    tk_buf_printf(out, " %s: %s span%s, %s process%s\n\n", report->run,
                  tk_count_format(join->spans.count, spans), tk_count_ending(join->spans.count),
                  tk_count_format(join->processes.count, processes),
                  join->processes.count == 1 ? "" : "es");
    put_rules(join, out);
    put_billed(join, out);
    put_odd(join, out);
    put_clocks(report, out);
    int rc = put_top(report, look, out, err);
    tk_buf_printf(out, "\n %s\n", report->file);
    return rc;
}

/* JSON ------------------------------------------------------------------------------------- */

static void put_span_json(const struct tk_join *join, uint32_t i, struct tk_buf *out)
{
    const struct tk_bill_span *span = &join->spans.items[i];
    char id[TK_TRACE_ID_MAX];
    tk_member_put_text(out, "trace_id", tk_str_from(tk_trace_id_cstr(span->trace_id, id)));
    tk_member_put_text(out, "span_id", tk_str_from(tk_span_id_cstr(span->span_id, id)));
    tk_member_put_text(out, "service", service_of(join, i));
    tk_member_put_text(out, "operation", name_of(join, i));
    tk_member_put_i64(out, "start_ns", span->start_ns);
    tk_member_put_i64(out, "duration_ns", span->end_ns - span->start_ns);
    tk_member_put_text(out, "rule", tk_str_from(tk_bill_rules[span->answer.rule].name));
    tk_member_put_i64(out, "cpu_ns", (int64_t)join->bills[i].used[TK_BILL_CPU]);
    tk_member_put_i64(out, "self_cpu_ns", (int64_t)join->selfs[i].cpu_ns);
    tk_member_put_i64(out, "max_rss_bytes", join->bills[i].max_rss_bytes);
    tk_member_put_f64(out, "error_ratio", tk_join_error(join, i), 4);
}

static void put_lists_json(const struct tk_join_report *report, struct tk_buf *out)
{
    const struct tk_join *join = report->join;
    tk_member_open(out, "rules", '{');
    for (size_t rule = 0; rule < TK_BILL_RULES; rule++)
        tk_member_put_i64(out, tk_bill_rules[rule].name, (int64_t)join->totals.by_rule[rule]);
    tk_buf_putc(out, '}');
    tk_member_open(out, "clocks", '[');
    for (size_t i = 0; i < report->skew_count; i++) {
        const struct tk_host_skew *skew = &report->skews[i];
        tk_element_open(out, '{');
        tk_member_put_text(out, "from", tk_texts_get(&join->spans.texts, skew->from));
        tk_member_put_text(out, "to", tk_texts_get(&join->spans.texts, skew->to));
        tk_member_put_i64(out, "calls", (int64_t)skew->calls);
        tk_member_put_i64(out, "outside", (int64_t)skew->outside);
        tk_member_put_i64(out, "ahead_ns", skew->ahead_ns);
        tk_member_put_i64(out, "spread_ns", skew->spread_ns);
        tk_buf_putc(out, '}');
    }
    tk_buf_putc(out, ']');
}

void tk_join_put_json(const struct tk_join_report *report, struct tk_buf *out)
{
    const struct tk_join *join = report->join;
    tk_buf_putc(out, '{');
    tk_member_put_text(out, "run", tk_str_from(report->run));
    tk_member_put_text(out, "file", tk_str_from(report->file));
    tk_member_put_i64(out, "spans", join->spans.count);
    tk_member_put_i64(out, "processes", join->processes.count);
    tk_member_put_i64(out, "metered", (int64_t)join->totals.metered);
    tk_member_put_i64(out, "bounds", (int64_t)join->totals.bounds);
    tk_member_put_i64(out, "cpu_ns", (int64_t)join->totals.cpu_ns);
    tk_member_put_i64(out, "orphans", (int64_t)join->spans.orphans);
    tk_member_put_i64(out, "duplicates", (int64_t)join->spans.duplicates);
    tk_member_put_i64(out, "cycles", (int64_t)join->spans.cycles);
    tk_member_put_i64(out, "bare_pids", (int64_t)join->totals.bare_pids);
    tk_member_put_i64(out, "contexts_refused", join->totals.contexts_refused);
    put_lists_json(report, out);
    uint32_t *top = malloc((report->limit + 1) * sizeof(*top));
    size_t count = top ? find_top(join, top, report->limit) : 0;
    tk_member_open(out, "top", '[');
    for (size_t i = 0; i < count; i++) {
        tk_element_open(out, '{');
        put_span_json(join, top[i], out);
        tk_buf_putc(out, '}');
    }
    free(top);
    tk_buf_lit(out, "]}\n");
}

/* Spikes ------------------------------------------------------------------------------------- */

static void put_value(const struct tk_spike *spike, const char *about, struct tk_buf *out)
{
    char text[TK_HUMAN_MAX];
    if (isnan(spike->value)) {
        tk_buf_puts(out, about);
    } else if (spike->value <= 1) {
        tk_buf_printf(out, "%s %s", about, tk_share_format(spike->value, text));
    } else {
        tk_buf_printf(out, "%s %s", about, tk_bytes_format(spike->value, text));
    }
}

static void add_open(const struct tk_join *join, struct tk_grid *grid, const struct tk_look *look,
                     const struct tk_open_span *open)
{
    char text[TK_HUMAN_MAX];
    char id[TK_TRACE_ID_MAX];
    tk_grid_add(grid);
    set_text(grid, 0, look, service_of(join, open->span));
    set_text(grid, 1, look, name_of(join, open->span));
    tk_grid_set(grid, 2, tk_duration_format((int64_t)open->cpu_ns, text));
    tk_grid_set(grid, 3, tk_duration_format(open->overlap_ns, text));
    tk_grid_set(grid, 4, tk_trace_id_cut(join->spans.items[open->span].trace_id, id));
}

int tk_join_put_spike(const struct tk_join_report *report, const char *about,
                      const struct tk_spike *spike, const struct tk_look *look, struct tk_buf *out,
                      struct tk_err *err)
{
    static const struct tk_grid_column columns[] = {
        {"service", .cut = true}, {"operation", .cut = true},       {"CPU then", .right = true},
        {"open", .right = true},  {"trace", .style = TK_STYLE_DIM},
    };
    const struct tk_grid_options options = {columns, TK_COUNTOF(columns), .indent = 3};
    char when[TK_TIME_MAX];
    char number[TK_HUMAN_MAX];
    TK_CLEANUP(tk_grid_freep) struct tk_grid *grid = NULL;
    struct tk_open_span *open = malloc((report->limit + 1) * sizeof(*open));
    if (!open)
        return tk_fail(err, -ENOMEM, "out of memory");
    int rc = tk_grid_new(look, &options, &grid, err);
    size_t count = rc == 0 ? tk_spike_read_open(report->join, spike, open, report->limit) : 0;
    for (size_t i = 0; rc == 0 && i < count && i < report->limit; i++)
        add_open(report->join, grid, look, &open[i]);
    free(open);
    if (rc < 0)
        return rc;
    tk_buf_printf(out, "\n %s  ", tk_span_time_format(spike->to_ns, true, when));
    put_value(spike, about, out);
    tk_buf_printf(out, ", %s span%s open\n", tk_count_format((int64_t)count, number),
                  tk_count_ending((int64_t)count));
    return count > 0 ? tk_grid_write(grid, out, err) : 0;
}

void tk_join_put_spike_json(const struct tk_join_report *report, const char *about,
                            const struct tk_spike *spike, struct tk_buf *out)
{
    struct tk_open_span *open = malloc((report->limit + 1) * sizeof(*open));
    size_t count = open ? tk_spike_read_open(report->join, spike, open, report->limit) : 0;
    tk_buf_putc(out, '{');
    tk_member_put_text(out, "of", tk_str_from(about));
    tk_member_put_i64(out, "from_ns", spike->from_ns);
    tk_member_put_i64(out, "to_ns", spike->to_ns);
    tk_member_put_f64(out, "value", spike->value, 4);
    tk_member_put_i64(out, "open", (int64_t)count);
    tk_member_open(out, "spans", '[');
    for (size_t i = 0; open && i < count && i < report->limit; i++) {
        tk_element_open(out, '{');
        put_span_json(report->join, open[i].span, out);
        tk_member_put_i64(out, "overlap_ns", open[i].overlap_ns);
        tk_member_put_i64(out, "cpu_then_ns", (int64_t)open[i].cpu_ns);
        tk_buf_putc(out, '}');
    }
    free(open);
    tk_buf_lit(out, "]}\n");
}
