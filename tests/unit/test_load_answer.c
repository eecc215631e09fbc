/* SPDX-License-Identifier: Apache-2.0 */
#include "load/answer.h"

#include "base/clock.h"
#include "base/compiler.h"
#include "tk_test.h"

#define NOW_NS (1700000000 * TK_NS_PER_S) /* Tue, 14 Nov 2023 22:13:20 GMT */

static void http_is_retried_on_four_codes_and_no_other(void **state)
{
    (void)state;
    for (int status = 100; status < 600; status++) {
        bool retry = status == 429 || status == 502 || status == 503 || status == 504;
        bool fine = status >= 200 && status < 300;
        struct tk_load_verdict verdict;
        tk_load_judge(&(struct tk_load_answer){.http_status = status, .grpc_status = -1}, NOW_NS,
                      &verdict);
        assert_int_equal(verdict.outcome, fine    ? TK_LOAD_ACCEPTED
                                          : retry ? TK_LOAD_RETRY
                                                  : TK_LOAD_REJECTED);
        assert_int_equal(verdict.code, status);
        assert_int_equal(verdict.delay_ns, -1);
    }
}

static void grpc_is_retried_on_six_codes_and_no_other(void **state)
{
    (void)state;
    for (int code = 0; code <= 17; code++) {
        bool retry = code == 1 || code == 4 || code == 10 || code == 11 || code == 14 || code == 15;
        struct tk_load_verdict verdict;
        tk_load_judge(
            &(struct tk_load_answer){.grpc = true, .http_status = 200, .grpc_status = code}, NOW_NS,
            &verdict);
        assert_int_equal(verdict.outcome, code == 0 ? TK_LOAD_ACCEPTED
                                          : retry   ? TK_LOAD_RETRY
                                                    : TK_LOAD_REJECTED);
    }
}

/* google.rpc.Status { code 14, details { RetryInfo { 1.5 s } } } */
#define RETRY_INFO "CA4aNgoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxIKCggIARCAyrXuAQ"

static void an_exhausted_receiver_is_asked_again_when_it_says_when(void **state)
{
    (void)state;
    struct tk_load_verdict verdict;
    struct tk_load_answer answer = {.grpc = true, .http_status = 200, .grpc_status = 8};
    tk_load_judge(&answer, NOW_NS, &verdict);
    assert_int_equal(verdict.outcome, TK_LOAD_REJECTED);
    answer.details = TK_STR(RETRY_INFO);
    tk_load_judge(&answer, NOW_NS, &verdict);
    assert_int_equal(verdict.outcome, TK_LOAD_RETRY);
    assert_int_equal(verdict.delay_ns, 1500 * TK_NS_PER_MS);
}

static void padded_details_are_read_too(void **state)
{
    (void)state;
    struct tk_load_verdict verdict;
    struct tk_load_answer answer = {.grpc = true,
                                    .http_status = 200,
                                    .grpc_status = 14,
                                    .details = TK_STR(RETRY_INFO "=="),
                                    .message = TK_STR("over%20load %C3%A9%zz%")};
    tk_load_judge(&answer, NOW_NS, &verdict);
    assert_int_equal(verdict.delay_ns, 1500 * TK_NS_PER_MS);
    assert_string_equal(verdict.reason, "over load ??%zz%");
}

static void retry_after_is_seconds_or_a_date(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
    } cases[] = {
        {"0", 0},
        {"7", 7 * TK_NS_PER_S},
        {" 30 ", 30 * TK_NS_PER_S},
        {"99999999999", 86400 * TK_NS_PER_S},
        {"Tue, 14 Nov 2023 22:13:25 GMT", 5 * TK_NS_PER_S},
        {"Tue, 14 Nov 2023 22:13:00 GMT", 0},
        {"Fri, 31 Dec 9999 23:59:59 GMT", 86400 * TK_NS_PER_S},
        {"", -1},
        {"-1", -1},
        {"1.5", -1},
        {"soon", -1},
        {"Tue, 14 Nov 2023 22:13:25 CET", -1},
        {"Tue, 31 Feb 2023 22:13:25 GMT", -1},
        {"Tue, 14 Foo 2023 22:13:25 GMT", -1},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++)
        assert_int_equal(tk_load_retry_after_ns(tk_str_from(cases[i].text), NOW_NS), cases[i].ns);
}

static void rejected_spans_of_a_partial_success_are_counted(void **state)
{
    (void)state;
    static const struct {
        bool json;
        tk_str body; /* n = 0: up to the NUL */
        uint64_t rejected;
        const char *reason;
    } cases[] = {
        {false, {"", 0}, 0, ""},
        {false, {"\x0A\x07\x08\x03\x12\x03why", 9}, 3, "why"},
        {false, {"\x0A\x05\x12\x03why", 7}, 0, "why"},
        {false, {"\x0A\x07\x08\x03", 4}, 0, ""},
        {false, {"\x0A\x0B\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 13}, 0, ""},
        {true, {"{}", 0}, 0, ""},
        {true,
         {"{\"partialSuccess\":{\"rejectedSpans\":\"3\",\"errorMessage\":\"w\\nhy\"}}", 0},
         3,
         "w hy"},
        {true, {"{\"partialSuccess\":{\"rejectedSpans\":3}}", 0}, 3, ""},
        {true, {"{\"partialSuccess\":null}", 0}, 0, ""},
        {true, {"<html>", 0}, 0, "the body of the answer is not the JSON of OTLP"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_load_verdict verdict;
        tk_str body = cases[i].body.n > 0 ? cases[i].body : tk_str_from(cases[i].body.p);
        tk_load_judge(
            &(struct tk_load_answer){
                .http_status = 200, .grpc_status = -1, .json = cases[i].json, .body = body},
            NOW_NS, &verdict);
        assert_int_equal(verdict.outcome, TK_LOAD_ACCEPTED);
        assert_int_equal(verdict.rejected_spans, cases[i].rejected);
        assert_string_equal(verdict.reason, cases[i].reason);
    }
}

static void a_message_of_grpc_stands_behind_its_prefix(void **state)
{
    (void)state;
    struct tk_load_verdict verdict;
    tk_load_judge(&(struct tk_load_answer){.grpc = true,
                                           .http_status = 200,
                                           .grpc_status = 0,
                                           .body = {"\0\0\0\0\x04\x0A\x02\x08\x05", 9}},
                  NOW_NS, &verdict);
    assert_int_equal(verdict.outcome, TK_LOAD_ACCEPTED);
    assert_int_equal(verdict.rejected_spans, 5);
}

static void an_error_is_told_in_the_words_of_the_receiver(void **state)
{
    (void)state;
    struct tk_load_verdict verdict;
    tk_load_judge(&(struct tk_load_answer){.http_status = 400,
                                           .grpc_status = -1,
                                           .body = {"\x08\x03\x12\x03"
                                                    "bad",
                                                    7}},
                  NOW_NS, &verdict);
    assert_string_equal(verdict.reason, "bad");
    tk_load_judge(
        &(struct tk_load_answer){.http_status = 400,
                                 .grpc_status = -1,
                                 .json = true,
                                 .body = TK_STR("{\"code\":3,\"message\":\"b\\u00e9d\"}")},
        NOW_NS, &verdict);
    assert_string_equal(verdict.reason, "b??d");
}

static void grpc_without_a_status_of_its_own_goes_by_http(void **state)
{
    (void)state;
    struct tk_load_verdict verdict;
    struct tk_load_answer answer = {.grpc = true, .http_status = 503, .grpc_status = -1};
    tk_load_judge(&answer, NOW_NS, &verdict);
    assert_int_equal(verdict.outcome, TK_LOAD_RETRY);
    answer.http_status = 200;
    tk_load_judge(&answer, NOW_NS, &verdict);
    assert_int_equal(verdict.outcome, TK_LOAD_REJECTED);
    assert_string_equal(verdict.reason, "the answer has no grpc-status");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(http_is_retried_on_four_codes_and_no_other),
        cmocka_unit_test(grpc_is_retried_on_six_codes_and_no_other),
        cmocka_unit_test(an_exhausted_receiver_is_asked_again_when_it_says_when),
        cmocka_unit_test(padded_details_are_read_too),
        cmocka_unit_test(retry_after_is_seconds_or_a_date),
        cmocka_unit_test(rejected_spans_of_a_partial_success_are_counted),
        cmocka_unit_test(a_message_of_grpc_stands_behind_its_prefix),
        cmocka_unit_test(an_error_is_told_in_the_words_of_the_receiver),
        cmocka_unit_test(grpc_without_a_status_of_its_own_goes_by_http),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
