/* SPDX-License-Identifier: Apache-2.0 */
/* Which rows become spans, and by which ids; what OpenTelemetry makes of them is for
 * tests/e2e/otlp_peers.bats. */
#include "span/otlp_write.h"

#include <stdlib.h>
#include <string.h>

#include "run/schemas.h"
#include "table/format.h"
#include "tk_test.h"

/* Encode rows of invocations that are written as JSON Lines. */
static void encode(struct tk_otlp *otlp, const char *lines, struct tk_buf *out)
{
    TK_CLEANUP(tk_batch_freep) struct tk_batch *batch = NULL;
    struct tk_decode_stats stats = {0};
    struct tk_err err;
    tk_str text = tk_str_from(lines);
    void *state = calloc(1, tk_decoder_jsonl.state_size + 1);
    assert_int_equal(tk_batch_new(&tk_schema_invocations, 16, 1 << 16, &batch, &err), 0);
    assert_int_equal(tk_decoder_jsonl.batch(state, &text, true, batch, &stats, &err), 0);
    assert_int_equal(stats.bad_rows, 0);
    assert_int_equal(tk_otlp_encode_spans(otlp, batch, out, &err), 0);
    free(state);
}

#define TIMES "\"ts_start\":1000,\"ts_end\":2000"

static void ids_are_kept_or_hashed(void **state)
{
    (void)state;
    static const struct {
        const char *row, *expected;
    } cases[] = {
        {"{\"trace_id\":\"00112233445566778899AABBCCDDEEFF\",\"span_id\":"
         "\"0011223344556677\"," TIMES "}",
         "\"traceId\":\"00112233445566778899aabbccddeeff\",\"spanId\":\"0011223344556677\","
         "\"name\""},
        {"{\"trace_id\":\"00112233-4455-6677-8899-aabbccddeeff\",\"span_id\":\"a\",\"parent_id\":"
         "\"a\"," TIMES "}",
         "\"traceId\":\"00112233445566778899aabbccddeeff\",\"spanId\":\"ca978112ca1bbdca\","
         "\"parentSpanId\":\"ca978112ca1bbdca\""},
        /* SHA-256 of "abc" */
        {"{\"trace_id\":\"abc\",\"span_id\":\"abc\"," TIMES "}",
         "\"traceId\":\"ba7816bf8f01cfea414140de5dae2223\",\"spanId\":\"ba7816bf8f01cfea\""},
        /* Zero is no id in OpenTelemetry. */
        {"{\"trace_id\":\"00000000000000000000000000000000\",\"span_id\":"
         "\"0000000000000000\"," TIMES "}",
         "\"traceId\":\"84e0c0eafaa95a34c293f278ac52e45c\",\"spanId\":\"fcdb4b423f4e5283\""},
        {"{\"w3c_trace_id\":\"00112233445566778899aabbccddeeff\",\"w3c_span_id\":"
         "\"0011223344556677\"," TIMES "}",
         "\"traceId\":\"00112233445566778899aabbccddeeff\",\"spanId\":\"0011223344556677\""},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        TK_CLEANUP(tk_buf_release) struct tk_buf out;
        struct tk_otlp otlp = {.run_id = TK_STR("r")};
        tk_buf_init(&out, 1 << 16);
        encode(&otlp, cases[i].row, &out);
        tk_buf_putc(&out, 0);
        if (!strstr(out.p, cases[i].expected))
            print_error("%s\nlacks %s\n", out.p, cases[i].expected);
        assert_non_null(strstr(out.p, cases[i].expected));
        assert_int_equal(otlp.made_ids, 0);
    }
}

static void a_row_without_ids_gets_some_of_its_own(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    struct tk_otlp otlp = {.run_id = TK_STR("r")};
    tk_buf_init(&out, 1 << 16);
    encode(&otlp, "{" TIMES "}\n{" TIMES "}\n", &out);
    tk_buf_putc(&out, 0);
    assert_int_equal(otlp.spans, 2);
    assert_int_equal(otlp.made_ids, 2);
    const char *first = strstr(out.p, "\"spanId\":\"");
    const char *second = strstr(first + 1, "\"spanId\":\"");
    assert_non_null(second);
    assert_memory_not_equal(first, second, strlen("\"spanId\":\"0123456789abcdef"));
}

static void a_row_that_is_no_interval_is_counted_and_left_out(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "{\"span_id\":\"a\",\"ts_start\":2000,\"ts_end\":1999}",
        "{\"span_id\":\"a\",\"ts_start\":2000}",
        "{\"span_id\":\"a\",\"ts_end\":2000}",
        "{\"span_id\":\"a\",\"ts_start\":0,\"ts_end\":2000}",
        "{\"span_id\":\"a\",\"ts_start\":1,\"ts_end\":9223372036854775807}",
    };
    for (size_t i = 0; i < TK_COUNTOF(rows); i++) {
        TK_CLEANUP(tk_buf_release) struct tk_buf out;
        struct tk_otlp otlp = {0};
        tk_buf_init(&out, 1 << 16);
        encode(&otlp, rows[i], &out);
        assert_int_equal(out.n, 0);
        assert_int_equal(otlp.no_times, 1);
        assert_int_equal(otlp.spans, 0);
    }
}

static void rows_of_one_process_share_a_resource(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    struct tk_otlp otlp = {.run_id = TK_STR("r")};
    size_t resources = 0;
    tk_buf_init(&out, 1 << 16);
    encode(&otlp,
           "{\"pid\":1,\"span_id\":\"a\"," TIMES "}\n{\"pid\":2,\"span_id\":\"b\"," TIMES "}\n"
           "{\"pid\":1,\"span_id\":\"c\"," TIMES "}\n{\"span_id\":\"d\"," TIMES "}\n",
           &out);
    tk_buf_putc(&out, 0);
    for (const char *p = out.p; (p = strstr(p, "{\"resource\":")); p++)
        resources++;
    assert_int_equal(resources, 3);
    assert_int_equal(otlp.spans, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_kept_or_hashed),
        cmocka_unit_test(a_row_without_ids_gets_some_of_its_own),
        cmocka_unit_test(a_row_that_is_no_interval_is_counted_and_left_out),
        cmocka_unit_test(rows_of_one_process_share_a_resource),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
