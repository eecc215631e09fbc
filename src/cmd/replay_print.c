/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/human.h"
#include "base/json.h"
#include "base/number.h"
#include "cmd/replay.h"

static const char *const losses[TK_LOAD_LOSS_COUNT] = {
    [TK_LOAD_LOST_UNANSWERED] = "never answered",
    [TK_LOAD_LOST_REFUSED] = "refused for the time being, to the last",
    [TK_LOAD_LOST_WAITING] = "too many were waiting to be sent again",
};

static const char *const loss_names[TK_LOAD_LOSS_COUNT] = {
    [TK_LOAD_LOST_UNANSWERED] = "unanswered",
    [TK_LOAD_LOST_REFUSED] = "refused",
    [TK_LOAD_LOST_WAITING] = "waiting",
};

/* Per second of a window; 0 of none. */
static double rate_of(uint64_t count, int64_t ns)
{
    return ns > 0 ? (double)count * (double)TK_NS_PER_S / (double)ns : 0;
}

/* Text ------------------------------------------------------------------------------------- */

/* "accepted       1,000,000 spans" */
static void put_count(struct tk_buf *out, const char *label, uint64_t spans)
{
    char count[TK_HUMAN_MAX];
    tk_buf_printf(out, "%-10s %15s span%s", label, tk_count_format((int64_t)spans, count),
                  tk_count_ending((int64_t)spans));
}

static void put_sent(const struct tk_load_totals *totals, struct tk_buf *out)
{
    char text[TK_HUMAN_MAX];
    put_count(out, "sent", totals->sent_spans);
    tk_buf_printf(out, " in %s request%s,", tk_count_format((int64_t)totals->sent_requests, text),
                  tk_count_ending((int64_t)totals->sent_requests));
    tk_buf_printf(out, " %s", tk_bytes_format((double)totals->sent_bytes, text));
    tk_buf_printf(out, " in %s\n", tk_duration_format(totals->elapsed_ns, text));
    put_count(out, "accepted", totals->accepted_spans);
    double rate = rate_of(totals->window_spans, totals->window_ns);
    tk_buf_printf(out, ", %s a second\n", tk_count_format((int64_t)rate, text));
}

static void put_losses(const struct tk_load_totals *totals, struct tk_buf *out)
{
    char text[TK_HUMAN_MAX];
    const char *before = ": ";
    put_count(out, "lost", tk_load_lost(totals));
    for (int i = 0; i < TK_LOAD_LOSS_COUNT; i++) {
        if (totals->lost_spans[i] == 0)
            continue;
        tk_buf_printf(out, "%s%s %s", before, tk_count_format((int64_t)totals->lost_spans[i], text),
                      losses[i]);
        before = ", ";
    }
    tk_buf_putc(out, '\n');
    if (totals->unsent_spans > 0) {
        put_count(out, "unsent", totals->unsent_spans);
        tk_buf_lit(out, ": due, and no connection had time for them\n");
    }
}

static void put_retries(const struct tk_load_totals *totals, struct tk_buf *out)
{
    char text[TK_HUMAN_MAX];
    if (totals->retries > 0) {
        tk_buf_printf(out, "%-10s %15s time%s\n", "retried",
                      tk_count_format((int64_t)totals->retries, text),
                      tk_count_ending((int64_t)totals->retries));
    }
    if (totals->cut_connections == 0)
        return;
    tk_buf_printf(out, "%-10s %15s connection%s before an answer", "cut",
                  tk_count_format((int64_t)totals->cut_connections, text),
                  tk_count_ending((int64_t)totals->cut_connections));
    if (totals->timeouts > 0) {
        tk_buf_printf(out, ", %s as the time was up",
                      tk_count_format((int64_t)totals->timeouts, text));
    }
    tk_buf_putc(out, '\n');
}

static void put_times(const struct tk_replay_about *about, const struct tk_load_totals *totals,
                      struct tk_buf *out)
{
    char text[TK_HUMAN_MAX];
    const struct tk_load_latency *latency = &totals->latency;
    bool is_open = about->opts->schedule.pace != TK_LOAD_AS_FAST;
    tk_buf_printf(out, "latency    p50 %s",
                  tk_duration_format(tk_load_latency_quantile(latency, 0.5), text));
    tk_buf_printf(out, ", p99 %s",
                  tk_duration_format(tk_load_latency_quantile(latency, 0.99), text));
    tk_buf_printf(out, ", max %s, from %s to the answer\n",
                  tk_duration_format(latency->max_ns, text),
                  is_open ? "the time when it was due" : "the sending");
    if (is_open) {
        tk_buf_printf(out, "schedule   at most %s behind\n",
                      tk_duration_format(totals->late_max_ns, text));
    }
    double busy = totals->elapsed_ns > 0 ? (double)about->cpu_ns / (double)totals->elapsed_ns : 0;
    tk_buf_printf(out, "sender     %s of a core%s\n", tk_share_format(busy, text),
                  busy > 0.9 ? ": the receiver may be faster than this" : "");
}

static void put_codes(const struct tk_load_totals *totals, struct tk_buf *out)
{
    char text[TK_HUMAN_MAX];
    for (size_t i = 0; i < totals->code_count; i++) {
        const struct tk_load_code *code = &totals->codes[i];
        const char *name = tk_load_code_text(code->grpc, code->code);
        tk_buf_printf(out, "answers    %15s x %s%d%s%s%s%s\n",
                      tk_count_format((int64_t)code->requests, text), code->grpc ? "gRPC " : "",
                      code->code, name ? " " : "", name ? name : "",
                      code->reason[0] != '\0' ? ": " : "", code->reason);
    }
}

void tk_replay_put_text(const struct tk_replay_about *about, const struct tk_load_totals *totals,
                        struct tk_buf *out)
{
    size_t n = about->opts->connections;
    tk_buf_printf(out, "%s to %s as %s, up to %zu connection%s\n", about->source,
                  about->target->authority, about->encoding, n, tk_count_ending((int64_t)n));
    put_sent(totals, out);
    put_count(out, "rejected", totals->rejected_spans);
    tk_buf_putc(out, '\n');
    put_losses(totals, out);
    put_retries(totals, out);
    put_times(about, totals, out);
    put_codes(totals, out);
}

/* JSON ------------------------------------------------------------------------------------- */

static void put_u64(struct tk_buf *out, const char *key, uint64_t value)
{
    tk_json_put_key(out, key);
    tk_buf_put_u64(out, value);
}

static void put_s(struct tk_buf *out, const char *key, int64_t ns)
{
    tk_json_put_key(out, key);
    tk_buf_put_f64(out, (double)ns / (double)TK_NS_PER_S, 6);
}

static void put_text(struct tk_buf *out, const char *key, const char *text)
{
    tk_json_put_key(out, key);
    tk_json_put_str(out, tk_str_from(text));
}

static void put_latency_json(const struct tk_load_latency *latency, struct tk_buf *out)
{
    static const struct {
        const char *name;
        double ratio;
    } quantiles[] = {
        {"p50_s", 0.5}, {"p90_s", 0.9}, {"p99_s", 0.99}, {"p999_s", 0.999}, {"max_s", 1}};
    tk_json_put_key(out, "latency");
    tk_buf_putc(out, '{');
    put_u64(out, "requests", latency->total);
    for (size_t i = 0; i < TK_COUNTOF(quantiles); i++)
        put_s(out, quantiles[i].name, tk_load_latency_quantile(latency, quantiles[i].ratio));
    tk_buf_putc(out, '}');
}

static void put_codes_json(const struct tk_load_totals *totals, struct tk_buf *out)
{
    tk_json_put_key(out, "answers");
    tk_buf_putc(out, '[');
    for (size_t i = 0; i < totals->code_count; i++) {
        const struct tk_load_code *code = &totals->codes[i];
        tk_json_put_comma(out);
        tk_buf_putc(out, '{');
        put_text(out, "protocol", code->grpc ? "grpc" : "http");
        tk_json_put_key(out, "code");
        tk_buf_put_i64(out, code->code);
        put_u64(out, "requests", code->requests);
        put_text(out, "reason", code->reason);
        tk_buf_putc(out, '}');
    }
    tk_buf_putc(out, ']');
}

static void put_losses_json(const struct tk_load_totals *totals, struct tk_buf *out)
{
    put_u64(out, "lost_spans", tk_load_lost(totals));
    tk_json_put_key(out, "lost");
    tk_buf_putc(out, '{');
    for (int i = 0; i < TK_LOAD_LOSS_COUNT; i++)
        put_u64(out, loss_names[i], totals->lost_spans[i]);
    tk_buf_putc(out, '}');
}

void tk_replay_put_json(const struct tk_replay_about *about, const struct tk_load_totals *totals,
                        struct tk_buf *out)
{
    tk_buf_putc(out, '{');
    put_text(out, "source", about->source);
    put_text(out, "to", about->target->authority);
    put_text(out, "encoding", about->encoding);
    put_u64(out, "connections", about->opts->connections);
    put_u64(out, "sent_requests", totals->sent_requests);
    put_u64(out, "sent_spans", totals->sent_spans);
    put_u64(out, "sent_bytes", totals->sent_bytes);
    put_u64(out, "accepted_requests", totals->accepted_requests);
    put_u64(out, "accepted_spans", totals->accepted_spans);
    put_u64(out, "rejected_spans", totals->rejected_spans);
    put_losses_json(totals, out);
    put_u64(out, "unsent_spans", totals->unsent_spans);
    put_u64(out, "retries", totals->retries);
    put_u64(out, "timeouts", totals->timeouts);
    put_u64(out, "cut_connections", totals->cut_connections);
    put_s(out, "late_max_s", totals->late_max_ns);
    put_s(out, "elapsed_s", totals->elapsed_ns);
    put_s(out, "sender_cpu_s", about->cpu_ns);
    put_u64(out, "window_spans", totals->window_spans);
    put_u64(out, "window_requests", totals->window_requests);
    put_s(out, "window_s", totals->window_ns);
    tk_json_put_key(out, "spans_per_s");
    tk_buf_put_f64(out, rate_of(totals->window_spans, totals->window_ns), 1);
    put_latency_json(&totals->latency, out);
    put_codes_json(totals, out);
    tk_buf_lit(out, "}\n");
}
