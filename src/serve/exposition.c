/* SPDX-License-Identifier: Apache-2.0 */
/* /metrics: a family of metrics a function, or a line of a table. */
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/number.h"
#include "serve/counters.h"

static void put_head(struct tk_buf *out, const char *name, const char *type, const char *help)
{
    tk_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_value(struct tk_buf *out, const char *name, uint64_t value)
{
    tk_buf_puts(out, name);
    tk_buf_putc(out, ' ');
    tk_buf_put_u64(out, value);
    tk_buf_putc(out, '\n');
}

static void put_seconds(struct tk_buf *out, int64_t ns)
{
    tk_buf_put_f64(out, (double)ns / (double)TK_NS_PER_S, TK_SHORTEST);
}

/* Spans ------------------------------------------------------------------------------------- */

static void put_reasons(const struct tk_span_tally *tally, bool refused, struct tk_buf *out)
{
    const char *name = refused ? "tracekit_spans_refused_total" : "tracekit_spans_repaired_total";
    put_head(out, name, "counter",
             refused ? "Spans that were left out of a request, by what is wrong with them."
                     : "Spans that were taken with a repair, by what it is.");
    for (size_t reason = 0; reason < TK_SPAN_REASON_COUNT; reason++) {
        if (tk_span_reasons[reason].refused != refused)
            continue;
        tk_buf_printf(out, "%s{reason=\"%s\"} %llu\n", name, tk_span_reasons[reason].name,
                      (unsigned long long)tally->by_reason[reason]);
    }
}

static void put_spans(const struct tk_counts *counts, struct tk_buf *out)
{
    put_head(out, "tracekit_spans_accepted_total", "counter", "Spans that were taken.");
    put_value(out, "tracekit_spans_accepted_total", counts->spans.spans);
    put_reasons(&counts->spans, true, out);
    put_reasons(&counts->spans, false, out);
}

/* Requests ---------------------------------------------------------------------------------- */

static void put_requests(const struct tk_counts *counts, struct tk_buf *out)
{
    put_head(
        out, "tracekit_requests_total", "counter",
        "Requests with spans, by protocol and outcome; overloaded ones were told to come again.");
    for (size_t protocol = 0; protocol < TK_PROTOCOL_QUERY; protocol++) {
        for (size_t outcome = 0; outcome < TK_OUTCOME_COUNT; outcome++) {
            tk_buf_printf(out, "tracekit_requests_total{protocol=\"%s\",outcome=\"%s\"} %llu\n",
                          tk_protocol_names[protocol], tk_outcomes[outcome].name,
                          (unsigned long long)counts->requests[protocol][outcome]);
        }
    }
}

static void put_by_protocol(struct tk_buf *out, const char *name, const char *type,
                            const char *help, const uint64_t values[TK_PROTOCOL_COUNT])
{
    put_head(out, name, type, help);
    for (size_t protocol = 0; protocol < TK_PROTOCOL_COUNT; protocol++) {
        tk_buf_printf(out, "%s{protocol=\"%s\"} %llu\n", name, tk_protocol_names[protocol],
                      (unsigned long long)values[protocol]);
    }
}

static void put_signals(const struct tk_counts *counts, struct tk_buf *out)
{
    put_head(out, "tracekit_refused_signals_total", "counter",
             "Requests of OpenTelemetry that carried what is not stored, by what it is.");
    for (size_t signal = 0; signal < TK_SIGNAL_COUNT; signal++) {
        tk_buf_printf(out, "tracekit_refused_signals_total{signal=\"%s\"} %llu\n",
                      tk_signals[signal].name, (unsigned long long)counts->signals[signal]);
    }
}

static void put_latency(const struct tk_latency *latency, struct tk_buf *out)
{
    uint64_t count = 0;
    put_head(out, "tracekit_ack_seconds", "histogram",
             "Time from the last byte of a request with spans to its answer.");
    for (size_t bucket = 0; bucket < TK_LATENCY_BUCKETS; bucket++) {
        count += latency->counts[bucket];
        tk_buf_lit(out, "tracekit_ack_seconds_bucket{le=\"");
        put_seconds(out, tk_latency_bounds_ns[bucket]);
        tk_buf_printf(out, "\"} %llu\n", (unsigned long long)count);
    }
    count += latency->counts[TK_LATENCY_BUCKETS];
    tk_buf_printf(out, "tracekit_ack_seconds_bucket{le=\"+Inf\"} %llu\ntracekit_ack_seconds_sum ",
                  (unsigned long long)count);
    put_seconds(out, (int64_t)latency->sum_ns);
    tk_buf_putc(out, '\n');
    put_value(out, "tracekit_ack_seconds_count", count);
}

/* Process ----------------------------------------------------------------------------------- */

/* Field 2 of /proc/self/statm is the resident set in pages, proc(5). */
static uint64_t resident_bytes(void)
{
    char buf[128];
    tk_str text, word;
    uint64_t pages = 0;
    struct tk_err ignored;
    if (tk_file_read(AT_FDCWD, "/proc/self/statm", buf, sizeof(buf), &text, &ignored) < 0 ||
        !tk_str_take_word(&text, &word) || !tk_str_take_word(&text, &word) ||
        !tk_parse_u64(word, &pages))
        return 0;
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static int64_t timeval_ns(struct timeval time)
{
    return time.tv_sec * TK_NS_PER_S + time.tv_usec * TK_NS_PER_US;
}

static void put_process(struct tk_buf *out)
{
    struct rusage usage = {0};
    (void)getrusage(RUSAGE_SELF, &usage);
    put_head(out, "process_resident_memory_bytes", "gauge", "Resident memory of the server.");
    put_value(out, "process_resident_memory_bytes", resident_bytes());
    put_head(out, "process_cpu_seconds_total", "counter", "CPU time of the server.");
    tk_buf_lit(out, "process_cpu_seconds_total ");
    put_seconds(out, timeval_ns(usage.ru_utime) + timeval_ns(usage.ru_stime));
    tk_buf_putc(out, '\n');
}

/* All --------------------------------------------------------------------------------------- */

struct plain {
    const char *name;
    const char *type;
    const char *help;
    uint64_t value;
};

static void put_plain(const struct tk_metrics *metrics, struct tk_buf *out)
{
    const struct tk_counts *counts = &metrics->counts;
    const struct tk_segment_counts *segments = &metrics->segments;
    const struct plain all[] = {
        {"tracekit_body_bytes_total", "counter", "Bytes of requests with spans, as sent.",
         counts->body_bytes},
        {"tracekit_inflated_bytes_total", "counter", "Bytes of these requests, inflated.",
         counts->plain_bytes},
        {"tracekit_queries_total", "counter", "Queries that were answered.", counts->queries},
        {"tracekit_connections_slow_total", "counter",
         "Connections that were closed because a request took too long to come.",
         counts->closed_slow},
        {"tracekit_requests_expired_total", "counter",
         "Requests of gRPC whose deadline passed before their answer.", counts->expired},
        {"tracekit_requests_unsynced_total", "counter",
         "Requests that were taken and then answered 503, for want of a sync (--ack fsync); their "
         "spans may be stored.",
         counts->unsynced},
        {"tracekit_connections_refused_total", "counter",
         "Connections that were closed because there were too many.", metrics->refused_connections},
        {"tracekit_stored_spans_total", "counter", "Spans in segments.", segments->spans},
        {"tracekit_segments_total", "counter", "Segments that were written.", segments->segments},
        {"tracekit_segment_bytes_total", "counter", "Bytes of these segments.", segments->bytes},
        {"tracekit_segment_failures_total", "counter",
         "Segments that could not be written; they are tried again.", segments->failures},
        {"tracekit_storage_ok", "gauge",
         "0 while the disk hangs or a segment cannot be written, as /healthz tells.",
         metrics->can_store},
        {"tracekit_log_bytes", "gauge", "Bytes of spans on their way to segments.",
         segments->log_bytes},
        {"tracekit_segment_queue", "gauge", "Batches that wait to be written as segments.",
         segments->waiting},
    };
    for (size_t i = 0; i < TK_COUNTOF(all); i++) {
        put_head(out, all[i].name, all[i].type, all[i].help);
        put_value(out, all[i].name, all[i].value);
    }
}

void tk_metrics_format(const struct tk_metrics *metrics, struct tk_buf *out)
{
    put_head(out, "tracekit_build_info", "gauge", "Version of the server.");
    tk_buf_lit(out, "tracekit_build_info{version=\"" TK_VERSION "\"} 1\n");
    put_spans(&metrics->counts, out);
    put_requests(&metrics->counts, out);
    put_by_protocol(out, "tracekit_refusals_total", "counter",
                    "Requests that were refused before their body was looked at.",
                    metrics->counts.refusals);
    put_signals(&metrics->counts, out);
    put_by_protocol(out, "tracekit_connections", "gauge", "Connections that are open.",
                    metrics->counts.connections);
    put_latency(&metrics->counts.ack, out);
    put_plain(metrics, out);
    put_process(out);
}
