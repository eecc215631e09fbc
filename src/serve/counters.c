/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/counters.h"

#include "base/clock.h"

const char *const tk_protocol_names[TK_PROTOCOL_COUNT] = {
    [TK_PROTOCOL_HTTP] = "http",
    [TK_PROTOCOL_GRPC] = "grpc",
    [TK_PROTOCOL_ZIPKIN] = "zipkin",
    [TK_PROTOCOL_QUERY] = "query",
};

/* From 100 us, what a request in memory takes, to a disk that hangs. */
const int64_t tk_latency_bounds_ns[TK_LATENCY_BUCKETS] = {
    100 * TK_NS_PER_US,  250 * TK_NS_PER_US, 500 * TK_NS_PER_US, 1 * TK_NS_PER_MS,
    2500 * TK_NS_PER_US, 5 * TK_NS_PER_MS,   10 * TK_NS_PER_MS,  25 * TK_NS_PER_MS,
    50 * TK_NS_PER_MS,   100 * TK_NS_PER_MS, 250 * TK_NS_PER_MS, 500 * TK_NS_PER_MS,
    1 * TK_NS_PER_S,     5 * TK_NS_PER_S,
};

void tk_counters_init(struct tk_counters *counters)
{
    *counters = (struct tk_counters){0};
    (void)pthread_mutex_init(&counters->lock, NULL);
}

void tk_counters_release(struct tk_counters *counters)
{
    (void)pthread_mutex_destroy(&counters->lock);
}

void tk_counters_add_request(struct tk_counters *counters, enum tk_protocol protocol,
                             size_t body_bytes, const struct tk_verdict *verdict)
{
    (void)pthread_mutex_lock(&counters->lock);
    counters->counts.requests[protocol][verdict->outcome]++;
    counters->counts.body_bytes += body_bytes;
    counters->counts.plain_bytes += verdict->plain_bytes;
    tk_span_tally_add(&counters->counts.spans, &verdict->tally);
    (void)pthread_mutex_unlock(&counters->lock);
}

void tk_counters_add_answer(struct tk_counters *counters, int64_t latency_ns)
{
    size_t bucket = 0;
    while (bucket < TK_LATENCY_BUCKETS && latency_ns > tk_latency_bounds_ns[bucket])
        bucket++;
    (void)pthread_mutex_lock(&counters->lock);
    counters->counts.ack.counts[bucket]++;
    counters->counts.ack.sum_ns += (uint64_t)latency_ns;
    (void)pthread_mutex_unlock(&counters->lock);
}

void tk_counters_add_refusal(struct tk_counters *counters, enum tk_protocol protocol)
{
    (void)pthread_mutex_lock(&counters->lock);
    counters->counts.refusals[protocol]++;
    (void)pthread_mutex_unlock(&counters->lock);
}

void tk_counters_add_signal(struct tk_counters *counters, enum tk_signal signal)
{
    (void)pthread_mutex_lock(&counters->lock);
    counters->counts.signals[signal]++;
    (void)pthread_mutex_unlock(&counters->lock);
}

void tk_counters_add_query(struct tk_counters *counters, int64_t duration_ns)
{
    (void)pthread_mutex_lock(&counters->lock);
    counters->counts.queries++;
    counters->counts.query_ns += (uint64_t)duration_ns;
    (void)pthread_mutex_unlock(&counters->lock);
}

void tk_counters_add_connection(struct tk_counters *counters, enum tk_protocol protocol, int change)
{
    (void)pthread_mutex_lock(&counters->lock);
    counters->counts.connections[protocol] += (uint64_t)(int64_t)change;
    (void)pthread_mutex_unlock(&counters->lock);
}

void tk_counters_add_slow(struct tk_counters *counters)
{
    (void)pthread_mutex_lock(&counters->lock);
    counters->counts.closed_slow++;
    (void)pthread_mutex_unlock(&counters->lock);
}

void tk_counters_add_expired(struct tk_counters *counters)
{
    (void)pthread_mutex_lock(&counters->lock);
    counters->counts.expired++;
    (void)pthread_mutex_unlock(&counters->lock);
}

void tk_counters_add_unsynced(struct tk_counters *counters)
{
    (void)pthread_mutex_lock(&counters->lock);
    counters->counts.unsynced++;
    (void)pthread_mutex_unlock(&counters->lock);
}

static void add_protocol(const struct tk_counts *counts, size_t protocol, struct tk_counts *sum)
{
    for (size_t outcome = 0; outcome < TK_OUTCOME_COUNT; outcome++)
        sum->requests[protocol][outcome] += counts->requests[protocol][outcome];
    sum->refusals[protocol] += counts->refusals[protocol];
    sum->connections[protocol] += counts->connections[protocol];
}

void tk_counters_sum(struct tk_counters *counters, struct tk_counts *sum)
{
    (void)pthread_mutex_lock(&counters->lock);
    const struct tk_counts *counts = &counters->counts;
    for (size_t protocol = 0; protocol < TK_PROTOCOL_COUNT; protocol++)
        add_protocol(counts, protocol, sum);
    for (size_t bucket = 0; bucket <= TK_LATENCY_BUCKETS; bucket++)
        sum->ack.counts[bucket] += counts->ack.counts[bucket];
    sum->ack.sum_ns += counts->ack.sum_ns;
    for (size_t signal = 0; signal < TK_SIGNAL_COUNT; signal++)
        sum->signals[signal] += counts->signals[signal];
    sum->queries += counts->queries;
    sum->query_ns += counts->query_ns;
    sum->closed_slow += counts->closed_slow;
    sum->expired += counts->expired;
    sum->unsynced += counts->unsynced;
    sum->body_bytes += counts->body_bytes;
    sum->plain_bytes += counts->plain_bytes;
    tk_span_tally_add(&sum->spans, &counts->spans);
    (void)pthread_mutex_unlock(&counters->lock);
}
