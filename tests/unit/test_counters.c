/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "serve/counters.h"
#include "tk_test.h"

/* The value of a sample, "name" or "name{labels}". */
static double sample(const struct tk_buf *text, const char *name)
{
    char line[256];
    (void)snprintf(line, sizeof(line), "\n%s ", name);
    const char *at = strstr(text->p, line);
    if (!at)
        fail_msg("no sample %s", name);
    return strtod(at + strlen(line), NULL);
}

static void what_workers_count_is_one_sum(void **state)
{
    (void)state;
    struct tk_counters workers[2];
    struct tk_counts sum = {0};
    const struct tk_verdict taken = {.tally = {.spans = 7}, .plain_bytes = 900};
    const struct tk_verdict late = {.outcome = TK_OUTCOME_OVERLOADED};
    for (size_t i = 0; i < 2; i++) {
        struct tk_counters *counters = &workers[i];
        tk_counters_init(counters);
        tk_counters_add_connection(counters, TK_PROTOCOL_GRPC, 1);
        tk_counters_add_connection(counters, TK_PROTOCOL_HTTP, 1);
        tk_counters_add_connection(counters, TK_PROTOCOL_HTTP, -1);
        tk_counters_add_request(counters, TK_PROTOCOL_GRPC, 100, &taken);
        tk_counters_add_request(counters, TK_PROTOCOL_GRPC, 10, &late);
        tk_counters_add_refusal(counters, TK_PROTOCOL_ZIPKIN);
        tk_counters_add_query(counters, 5000);
        tk_counters_add_slow(counters);
        tk_counters_add_expired(counters);
        tk_counters_add_unsynced(counters);
        tk_counters_add_signal(counters, TK_SIGNAL_LOGS);
        tk_counters_add_answer(counters, 1000);
        tk_counters_sum(counters, &sum);
        tk_counters_release(counters);
    }
    assert_int_equal(sum.connections[TK_PROTOCOL_GRPC], 2);
    assert_int_equal(sum.connections[TK_PROTOCOL_HTTP], 0);
    assert_int_equal(sum.requests[TK_PROTOCOL_GRPC][TK_OUTCOME_TAKEN], 2);
    assert_int_equal(sum.requests[TK_PROTOCOL_GRPC][TK_OUTCOME_OVERLOADED], 2);
    assert_int_equal(sum.requests[TK_PROTOCOL_HTTP][TK_OUTCOME_TAKEN], 0);
    assert_int_equal(sum.refusals[TK_PROTOCOL_ZIPKIN], 2);
    assert_int_equal(sum.spans.spans, 14);
    assert_int_equal(sum.body_bytes, 220);
    assert_int_equal(sum.plain_bytes, 1800);
    assert_int_equal(sum.queries, 2);
    assert_int_equal(sum.query_ns, 10000);
    assert_int_equal(sum.closed_slow, 2);
    assert_int_equal(sum.expired, 2);
    assert_int_equal(sum.unsynced, 2);
    assert_int_equal(sum.signals[TK_SIGNAL_LOGS], 2);
    assert_int_equal(sum.signals[TK_SIGNAL_METRICS], 0);
    assert_int_equal(sum.ack.sum_ns, 2000);
    assert_int_equal(sum.ack.counts[0], 2);
}

static void a_bound_belongs_to_its_bucket(void **state)
{
    (void)state;
    struct tk_counters counters;
    struct tk_counts sum = {0};
    tk_counters_init(&counters);
    for (size_t i = 0; i < TK_LATENCY_BUCKETS; i++) {
        if (i > 0)
            assert_true(tk_latency_bounds_ns[i] > tk_latency_bounds_ns[i - 1]);
        tk_counters_add_answer(&counters, tk_latency_bounds_ns[i]);
        tk_counters_add_answer(&counters, tk_latency_bounds_ns[i] + 1);
    }
    tk_counters_sum(&counters, &sum);
    tk_counters_release(&counters);
    assert_int_equal(sum.ack.counts[0], 1);
    for (size_t i = 1; i < TK_LATENCY_BUCKETS; i++)
        assert_int_equal(sum.ack.counts[i], 2);
    assert_int_equal(sum.ack.counts[TK_LATENCY_BUCKETS], 1);
}

/* The buckets are cumulative, the last one is the count; what tests of the promtool cannot see. */
static void the_histogram_adds_up(void **state)
{
    (void)state;
    struct tk_metrics metrics = {.counts = {.ack = {.sum_ns = 2500000000}}};
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    for (size_t i = 0; i <= TK_LATENCY_BUCKETS; i++)
        metrics.counts.ack.counts[i] = 10;
    tk_buf_init(&text, 1 << 20);
    tk_metrics_format(&metrics, &text);
    tk_buf_putc(&text, '\0');
    assert_true(tk_buf_ok(&text));
    assert_true(sample(&text, "tracekit_ack_seconds_bucket{le=\"0.0001\"}") == 10);
    assert_true(sample(&text, "tracekit_ack_seconds_bucket{le=\"5\"}") == 140);
    assert_true(sample(&text, "tracekit_ack_seconds_bucket{le=\"+Inf\"}") == 150);
    assert_true(sample(&text, "tracekit_ack_seconds_count") == 150);
    assert_true(sample(&text, "tracekit_ack_seconds_sum") == 2.5);
}

/* Each line is a sample of the family that was announced before it, and no family comes twice. */
static void samples_stand_with_their_family(void **state)
{
    (void)state;
    struct tk_metrics metrics = {.refused_connections = 3};
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    char family[128] = "";
    size_t families = 0;
    tk_buf_init(&text, 1 << 20);
    tk_metrics_format(&metrics, &text);
    tk_buf_putc(&text, '\0');
    for (char *save, *line = strtok_r(text.p, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        if (strncmp(line, "# HELP ", 7) == 0) {
            families++;
            size_t n = strcspn(line + 7, " ");
            assert_false(n == strlen(family) && strncmp(family, line + 7, n) == 0);
            (void)snprintf(family, sizeof(family), "%.*s", (int)n, line + 7);
        } else if (strncmp(line, "# TYPE ", 7) != 0) {
            assert_true(strncmp(line, family, strlen(family)) == 0);
        }
    }
    assert_true(families > 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_workers_count_is_one_sum),
        cmocka_unit_test(a_bound_belongs_to_its_bucket),
        cmocka_unit_test(the_histogram_adds_up),
        cmocka_unit_test(samples_stand_with_their_family),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
