/* SPDX-License-Identifier: Apache-2.0 */
#include "tk_test.h"

#include <string.h>

#include "base/clock.h"
#include "store/answer.h"

static void add_lines(struct tk_answer *answer, const char *text)
{
    tk_str rest = tk_str_from(text), line;
    while (tk_str_take_line(&rest, &line))
        tk_answer_add(answer, line);
}

static void the_head_of_an_answer_is_read(void **state)
{
    (void)state;
    struct tk_answer answer = {0};
    add_lines(&answer, "HTTP/1.1 100 Continue\r\nETag: \"old\"\r\n\r\n"
                       "HTTP/1.1 206 Partial Content\r\n"
                       "content-length:  10 \r\n"
                       "ETag: \"abc-2\"\r\n"
                       "Content-Range: bytes 5-14/100\r\n"
                       "Date: Sat, 21 Nov 2026 09:02:29 GMT\r\n"
                       "Last-Modified: Fri, 24 May 2013 00:00:00 GMT\r\n"
                       "Retry-After: 7\r\n"
                       "x-amz-request-id: tx01\r\n"
                       "X-Amz-Bucket-Region: eu-west-1\r\n"
                       "Location: http://other:1/x\r\n\r\n");
    assert_int_equal(answer.status, 206);
    assert_true(answer.has_length && answer.has_range && !answer.is_chunked);
    assert_int_equal(answer.length, 10);
    assert_int_equal(answer.range_start, 5);
    assert_int_equal(answer.total, 100);
    assert_string_equal(answer.etag, "abc-2");
    assert_int_equal(answer.date_ns, 1795251749 * TK_NS_PER_S);
    assert_int_equal(answer.modified_ns, 1369353600 * TK_NS_PER_S);
    assert_int_equal(answer.retry_after_s, 7);
    assert_string_equal(answer.request_id, "tx01");
    assert_string_equal(answer.region, "eu-west-1");
    assert_string_equal(answer.location, "http://other:1/x");
}

static void what_is_no_number_or_time_is_passed_over(void **state)
{
    (void)state;
    static const char *const heads[] = {
        "HTTP/1.1 2x0 OK\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 18446744073709551616\r\n",
        "Content-Length: 1 2\r\n",
        "Content-Range: bytes 9-5/100\r\n",
        "Content-Range: bytes 0-100/100\r\n",
        "Retry-After: Sat, 21 Nov 2026 09:02:29 GMT\r\n",
        "Date: Saturday, 21-Nov-26 09:02:29 GMT\r\n",
        "Date: Sat, 31 Feb 2026 09:02:29 GMT\r\n",
        "no colon\r\n",
        ": no name\r\n",
        "",
    };
    for (size_t i = 0; i < TK_COUNTOF(heads); i++) {
        struct tk_answer answer = {0};
        add_lines(&answer, heads[i]);
        assert_int_equal(answer.status, 0);
        assert_false(answer.has_length || answer.has_range);
        assert_int_equal(answer.retry_after_s, 0);
        assert_int_equal(answer.date_ns, 0);
    }
}

static void times_of_lists_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_good;
        int64_t ns;
    } cases[] = {
        {"2026-11-21T09:02:29Z", true, 1795251749000000000},
        {"2026-11-21T09:02:29.123Z", true, 1795251749123000000},
        {"2026-11-21T09:02:29.000001Z", true, 1795251749000001000},
        {"2026-11-21T09:02:29", false, 0},
        {"2026-11-21 09:02:29Z", false, 0},
        {"2026-13-21T09:02:29Z", false, 0},
        {"2026-11-21T25:02:29Z", false, 0},
        {"", false, 0},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        int64_t ns = 0;
        assert_int_equal(tk_time_parse_iso(tk_str_from(cases[i].text), &ns), cases[i].is_good);
        assert_int_equal(ns, cases[i].ns);
    }
}

static void etags_lose_their_quotes(void **state)
{
    (void)state;
    char etag[TK_STORE_ETAG_MAX];
    tk_etag_copy(TK_STR("\"a\""), etag);
    assert_string_equal(etag, "a");
    tk_etag_copy(TK_STR("W/\"a\""), etag);
    assert_string_equal(etag, "W/\"a\"");
    tk_etag_copy(TK_STR("\""), etag);
    assert_string_equal(etag, "\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_head_of_an_answer_is_read),
        cmocka_unit_test(what_is_no_number_or_time_is_passed_over),
        cmocka_unit_test(times_of_lists_are_read),
        cmocka_unit_test(etags_lose_their_quotes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
