/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "serve/grpc.h"
#include "tk_test.h"

#define FRAME "\0\0\0\0\5spans"

static const tk_str frame = {FRAME, sizeof(FRAME) - 1};

static void a_message_comes_in_any_two_pieces(void **state)
{
    (void)state;
    struct tk_bodies bodies;
    tk_bodies_init(&bodies, 100000, 100000);
    for (size_t cut = 0; cut <= frame.n; cut++) {
        struct tk_grpc_message message = {.prefix_n = 0};
        assert_int_equal(tk_grpc_message_add(&message, &bodies, (tk_str){frame.p, cut}), 0);
        assert_int_equal(tk_grpc_message_ok(&message), cut == frame.n);
        assert_int_equal(
            tk_grpc_message_add(&message, &bodies, (tk_str){frame.p + cut, frame.n - cut}), 0);
        assert_true(tk_grpc_message_ok(&message));
        assert_false(message.is_compressed);
        assert_str_equal(((tk_str){message.body.p, message.body.n}), "spans");
        tk_grpc_message_release(&message, &bodies);
    }
    tk_bodies_release(&bodies);
}

static void an_empty_message_is_whole(void **state)
{
    (void)state;
    struct tk_bodies bodies;
    struct tk_grpc_message message = {.prefix_n = 0};
    tk_bodies_init(&bodies, 100, 100);
    assert_int_equal(tk_grpc_message_add(&message, &bodies, (tk_str){"\1\0\0\0\0", 5}), 0);
    assert_true(tk_grpc_message_ok(&message));
    assert_true(message.is_compressed);
    tk_grpc_message_release(&message, &bodies);
}

static void what_is_no_single_message_is_refused(void **state)
{
    (void)state;
    static const struct {
        tk_str bytes;
        int rc;
    } cases[] = {
        {{"\2\0\0\0\0", 5}, -EBADMSG},         /* a flag that means nothing */
        {{"\0\0\0\0\1ab", 7}, -EBADMSG},       /* a byte too many */
        {{"\0\0\0\0\0\0", 6}, -EBADMSG},       /* a second message */
        {{"\0\377\377\377\377", 5}, -EMSGSIZE} /* 4 GiB */
    };
    struct tk_bodies bodies;
    tk_bodies_init(&bodies, 100000, 100000);
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_grpc_message message = {.prefix_n = 0};
        assert_int_equal(tk_grpc_message_add(&message, &bodies, cases[i].bytes), cases[i].rc);
        tk_grpc_message_release(&message, &bodies);
        assert_int_equal(bodies.used_bytes, 0);
    }
    tk_bodies_release(&bodies);
}

static void messages_are_percent_encoded(void **state)
{
    (void)state;
    struct tk_buf out;
    tk_buf_init(&out, 1000);
    tk_grpc_put_text(&out, TK_STR("100 % of\n\xC3\xA4~"));
    assert_str_equal(tk_buf_str(&out), "100 %25 of%0A%C3%A4~");
    tk_buf_release(&out);
}

/* RFC 4648 section 10. */
static void binary_is_base64_without_padding(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_buf out;
        tk_buf_init(&out, 100);
        tk_grpc_put_binary(&out, tk_str_from(cases[i][0]));
        assert_str_equal(tk_buf_str(&out), cases[i][1]);
        tk_buf_release(&out);
    }
}

static void the_prefix_has_the_length_big_endian(void **state)
{
    (void)state;
    struct tk_buf out;
    tk_buf_init(&out, 100);
    tk_grpc_put_prefix(&out, 0x010203);
    assert_int_equal(out.n, 5);
    assert_memory_equal(out.p, "\0\0\1\2\3", 5);
    tk_buf_release(&out);
}

static void timeouts_are_digits_and_a_unit(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ns; /* -1 = it is none */
    } cases[] = {
        {"1H", INT64_C(3600000000000)},
        {"2M", INT64_C(120000000000)},
        {"10S", INT64_C(10000000000)},
        {"250m", 250000000},
        {"7u", 7000},
        {"0n", 0},
        {"99999999n", 99999999},
        {"99999999H", INT64_MAX / 2},
        {"999999999n", -1}, /* nine digits */
        {"", -1},
        {"S", -1},
        {"5", -1},
        {"5s", -1},
        {"-5S", -1},
        {"+5S", -1},
        {"1.5S", -1},
        {"5 S", -1},
        {"5SS", -1},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        int64_t ns = -1;
        bool ok = tk_grpc_timeout_parse(tk_str_from(cases[i].text), &ns);
        assert_int_equal(ok, cases[i].ns >= 0);
        assert_true(ns == cases[i].ns);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_comes_in_any_two_pieces),
        cmocka_unit_test(an_empty_message_is_whole),
        cmocka_unit_test(what_is_no_single_message_is_refused),
        cmocka_unit_test(messages_are_percent_encoded),
        cmocka_unit_test(binary_is_base64_without_padding),
        cmocka_unit_test(the_prefix_has_the_length_big_endian),
        cmocka_unit_test(timeouts_are_digits_and_a_unit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
