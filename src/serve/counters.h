/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker counts, and how all of it is told: /metrics in Prometheus' text format 0.0.4
 * (trace-protocols.md section 13.1). Each worker has counters of its own behind a lock that only a
 * scrape contends for. */
#ifndef TK_SERVE_COUNTERS_H
#define TK_SERVE_COUNTERS_H

#include <pthread.h>
#include <stdint.h>

#include "base/buf.h"
#include "segment/segment_sink.h"
#include "serve/signals.h"
#include "serve/verdict.h"
#include "span/span_tally.h"

/* How requests come. */
enum tk_protocol {
    TK_PROTOCOL_HTTP = 0,
    TK_PROTOCOL_GRPC,
    TK_PROTOCOL_ZIPKIN,
    TK_PROTOCOL_QUERY,
    TK_PROTOCOL_COUNT
};

/* By enum tk_protocol, as in metrics: "http". */
extern const char *const tk_protocol_names[TK_PROTOCOL_COUNT];

/* Upper bounds of the histogram, without +Inf. */
#define TK_LATENCY_BUCKETS 14
extern const int64_t tk_latency_bounds_ns[TK_LATENCY_BUCKETS];

struct tk_latency {
    uint64_t counts[TK_LATENCY_BUCKETS + 1]; /* not cumulative; the last is +Inf */
    uint64_t sum_ns;
};

struct tk_counts {
    uint64_t requests[TK_PROTOCOL_COUNT][TK_OUTCOME_COUNT]; /* that carried spans */
    uint64_t refusals[TK_PROTOCOL_COUNT]; /* answered 4xx before a body was looked at */
    uint64_t signals[TK_SIGNAL_COUNT];    /* of these, those that carried what is not stored */
    uint64_t queries;
    uint64_t query_ns;
    uint64_t connections[TK_PROTOCOL_COUNT]; /* open now */
    uint64_t closed_slow;                    /* connections closed for being too slow */
    uint64_t expired;                        /* requests whose deadline passed unanswered */
    uint64_t unsynced;    /* requests that were taken, and failed for want of a sync */
    uint64_t body_bytes;  /* as sent */
    uint64_t plain_bytes; /* inflated */
    struct tk_span_tally spans;
    struct tk_latency ack; /* from the last byte of a request to its answer */
};

struct tk_counters {
    pthread_mutex_t lock;
    struct tk_counts counts;
};

/* The owner may move them afterwards no more. */
void tk_counters_init(struct tk_counters *counters);
void tk_counters_release(struct tk_counters *counters);

/* A request with spans was judged. */
void tk_counters_add_request(struct tk_counters *counters, enum tk_protocol protocol,
                             size_t body_bytes, const struct tk_verdict *verdict);

/* It was answered, so long after its last byte came. */
void tk_counters_add_answer(struct tk_counters *counters, int64_t latency_ns);

/* A request that was refused carried this. */
void tk_counters_add_signal(struct tk_counters *counters, enum tk_signal signal);

/* A request was refused by its head; a query was answered; connections came (1) or went (-1); one
 * was closed for being slow; the deadline of a request passed; a request that was taken was not
 * synced, or not in time. */
void tk_counters_add_refusal(struct tk_counters *counters, enum tk_protocol protocol);
void tk_counters_add_query(struct tk_counters *counters, int64_t duration_ns);
void tk_counters_add_connection(struct tk_counters *counters, enum tk_protocol protocol,
                                int change);
void tk_counters_add_slow(struct tk_counters *counters);
void tk_counters_add_expired(struct tk_counters *counters);
void tk_counters_add_unsynced(struct tk_counters *counters);

/* Add what was counted until now to `sum`. */
void tk_counters_sum(struct tk_counters *counters, struct tk_counts *sum);

/* What the exposition tells besides. */
struct tk_metrics {
    struct tk_counts counts;
    struct tk_segment_counts segments;
    uint64_t refused_connections;
    bool can_store; /* spans come to the disk */
};

/* Append the exposition. */
void tk_metrics_format(const struct tk_metrics *metrics, struct tk_buf *out);

#endif
