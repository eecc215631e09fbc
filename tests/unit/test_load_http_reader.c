/* SPDX-License-Identifier: Apache-2.0 */
#include "load/http_reader.h"

#include <errno.h>
#include <string.h>

#include "base/compiler.h"
#include "tk_test.h"

/* Feed a text in pieces of `step` bytes and, after it, the end of the connection. Returns what the
 * reader said last; the rest of the text is in `ret_left`. */
static int feed(struct tk_http_reader *reader, const char *text, size_t step, size_t *ret_left,
                struct tk_err *err)
{
    tk_str rest = tk_str_from(text);
    int rc = 0;
    while (rest.n > 0 && rc == 0) {
        tk_str piece = {rest.p, rest.n < step ? rest.n : step};
        size_t before = piece.n;
        rc = tk_http_reader_put(reader, &piece, err);
        rest = (tk_str){rest.p + (before - piece.n), rest.n - (before - piece.n)};
    }
    *ret_left = rest.n;
    return rc != 0 ? rc : tk_http_reader_end(reader, err);
}

static const struct answer_case {
    const char *text;
    int status;
    const char *body;
    bool keep_alive;
    bool json;
    const char *retry_after;
} answers[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}", 200, "{}",
     true, true, ""},
    {"HTTP/1.1 200 OK\r\ncontent-length:0\r\ncontent-type: application/x-protobuf\r\n\r\n", 200, "",
     true, false, ""},
    {"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 0\r\n"
     "Connection: close\r\n\r\n",
     429, "", false, false, "7"},
    {"HTTP/1.1 200\r\nTransfer-Encoding: "
     "chunked\r\n\r\n3\r\nabc\r\n0A;x=y\r\n0123456789\r\n0\r\n\r\n",
     200, "abc0123456789", true, false, ""},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nTrailer: x\r\n\r\n", 200,
     "a", true, false, ""},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 No\r\nContent-Length: 1\r\n\r\nx", 503, "x", true,
     false, ""},
    {"HTTP/1.1 204 No Content\r\n\r\n", 204, "", true, false, ""},
    {"HTTP/1.0 200 OK\r\n\r\nall of it", 200, "all of it", false, false, ""},
    {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx", 200, "x", true,
     false, ""},
    {"HTTP/1.1 200 OK\nContent-Length: 1\n\nx", 200, "x", true, false, ""},
};

static void an_answer_is_read_in_pieces_of_any_size(void **state)
{
    (void)state;
    for (size_t i = 0; i < TK_COUNTOF(answers); i++) {
        for (size_t step = 1; step <= strlen(answers[i].text); step++) {
            struct tk_http_reader reader;
            struct tk_err err;
            size_t left;
            tk_http_reader_init(&reader);
            assert_int_equal(feed(&reader, answers[i].text, step, &left, &err), 1);
            assert_int_equal(left, 0);
            assert_int_equal(reader.status, answers[i].status);
            assert_str_equal(tk_buf_str(&reader.body), answers[i].body);
            assert_int_equal(reader.keep_alive, answers[i].keep_alive);
            assert_int_equal(reader.json, answers[i].json);
            assert_string_equal(reader.retry_after, answers[i].retry_after);
            tk_http_reader_release(&reader);
        }
    }
}

static void the_next_answer_is_left_alone(void **state)
{
    (void)state;
    struct tk_http_reader reader;
    struct tk_err err;
    tk_str text = TK_STR("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 429 ");
    tk_http_reader_init(&reader);
    assert_int_equal(tk_http_reader_put(&reader, &text, &err), 1);
    assert_str_equal(text, "HTTP/1.1 429 ");
    tk_http_reader_reset(&reader);
    assert_int_equal(tk_http_reader_put(&reader, &text, &err), 0);
    assert_int_equal(reader.status, 0);
    assert_int_equal(reader.body.n, 0);
    tk_http_reader_release(&reader);
}

static void what_is_no_answer_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
        int code;
    } cases[] = {
        {"SSH-2.0-OpenSSH\r\n\r\n", "the answer is no HTTP/1.1", -EBADMSG},
        {"HTTP/2 200\r\n\r\n", "the answer is no HTTP/1.1", -EBADMSG},
        {"HTTP/1.1 20\r\n\r\n", "the answer is no HTTP/1.1", -EBADMSG},
        {"HTTP/1.1 200OK\r\n\r\n", "the answer is no HTTP/1.1", -EBADMSG},
        {"HTTP/1.1 101 Switching\r\n\r\n", "the receiver switches to another protocol unasked",
         -EBADMSG},
        {"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n", "the answer has a header without a name", -EBADMSG},
        {"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n", "the answer has a header without a name",
         -EBADMSG},
        {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "the answer has a bad Content-Length",
         -EBADMSG},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
         "the answer has a bad Content-Length", -EBADMSG},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
         "the answer has a Content-Length and chunks", -EBADMSG},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
         "the answer has a Transfer-Encoding other than chunked", -EBADMSG},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
         "the answer has a chunk without a size", -EBADMSG},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
         "the answer has a chunk of another size", -EBADMSG},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", "the connection ended within an answer",
         -EPIPE},
        {"HTTP/1.1 20", "the connection ended within an answer", -EPIPE},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
         "the connection ended within an answer", -EPIPE},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_http_reader reader;
        struct tk_err err;
        size_t left;
        tk_http_reader_init(&reader);
        assert_int_equal(feed(&reader, cases[i].text, 3, &left, &err), cases[i].code);
        assert_string_equal(err.msg, cases[i].message);
        tk_http_reader_release(&reader);
    }
}

static void an_end_between_answers_is_none(void **state)
{
    (void)state;
    struct tk_http_reader reader;
    struct tk_err err;
    tk_http_reader_init(&reader);
    assert_int_equal(tk_http_reader_end(&reader, &err), 0);
    tk_http_reader_release(&reader);
}

static void of_a_long_body_the_beginning_is_kept(void **state)
{
    (void)state;
    struct tk_http_reader reader;
    struct tk_err err;
    tk_str head = TK_STR("HTTP/1.1 400 Bad\r\nContent-Length: 1000000\r\n\r\n");
    char zeros[10000];
    memset(zeros, '0', sizeof(zeros));
    tk_http_reader_init(&reader);
    assert_int_equal(tk_http_reader_put(&reader, &head, &err), 0);
    for (int i = 0; i < 100; i++) {
        tk_str piece = {zeros, sizeof(zeros)};
        assert_int_equal(tk_http_reader_put(&reader, &piece, &err), i == 99);
    }
    assert_int_equal(reader.body.n, TK_HTTP_BODY_KEPT);
    tk_http_reader_release(&reader);
}

static void a_head_without_end_is_refused(void **state)
{
    (void)state;
    struct tk_http_reader reader;
    struct tk_err err;
    int rc = 0;
    tk_http_reader_init(&reader);
    for (int i = 0; i < TK_HTTP_HEAD_MAX && rc == 0; i++) {
        tk_str line = i == 0 ? TK_STR("HTTP/1.1 200 OK\r\n") : TK_STR("X: y\r\n");
        rc = tk_http_reader_put(&reader, &line, &err);
    }
    assert_int_equal(rc, -EBADMSG);
    assert_string_equal(err.msg, "the answer has headers of more than 32768 bytes");
    tk_http_reader_release(&reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_read_in_pieces_of_any_size),
        cmocka_unit_test(the_next_answer_is_left_alone),
        cmocka_unit_test(what_is_no_answer_is_refused),
        cmocka_unit_test(an_end_between_answers_is_none),
        cmocka_unit_test(of_a_long_body_the_beginning_is_kept),
        cmocka_unit_test(a_head_without_end_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
