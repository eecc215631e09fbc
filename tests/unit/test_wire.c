/* SPDX-License-Identifier: Apache-2.0 */
#include "span/wire.h"

#include "tk_test.h"

static struct tk_wire_fault fault;

static struct tk_wire wire_of(tk_str bytes)
{
    return (struct tk_wire){bytes.p, bytes.p + bytes.n, &fault};
}

static void varints_of_all_sizes_come_back(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, 100);
    for (unsigned bit = 0; bit < 64; bit++) {
        for (uint64_t less = 0; less < 2; less++) {
            uint64_t value = (1ULL << bit) - less;
            uint64_t got = 0;
            tk_buf_reset(&out);
            tk_wire_put_varint(&out, value);
            assert_int_equal(out.n, tk_wire_varint_size(value));
            struct tk_wire in = wire_of(tk_buf_str(&out));
            assert_int_equal(tk_wire_varint(&in, &got), 0);
            assert_true(got == value && in.p == in.end);
        }
    }
}

#define CASE(literal)                                                                              \
    {                                                                                              \
        "" literal, sizeof(literal) - 1                                                            \
    }

static int read_all(tk_str bytes)
{
    struct tk_wire in = wire_of(bytes);
    uint32_t tag;
    int rc;
    while ((rc = tk_wire_tag(&in, &tag)) == 0) {
        rc = tk_wire_skip(&in, tag);
        if (rc < 0)
            return rc;
    }
    return rc < 0 ? rc : 0;
}

static void unknown_fields_of_all_types_are_skipped(void **state)
{
    (void)state;
    static const tk_str cases[] = {
        CASE(""),
        CASE("\x08\x96\x01"),                                 /* varint */
        CASE("\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"), /* ten bytes */
        CASE("\x09\x01\x02\x03\x04\x05\x06\x07\x08"),         /* 64 bits */
        CASE("\x0A\x02zz"),                                   /* bytes */
        CASE("\x0D\x01\x02\x03\x04"),                         /* 32 bits */
        CASE("\x0B\x08\x01\x13\x0A\x01z\x14\x0C"),            /* groups */
        CASE("\xF8\xFF\xFF\xFF\x0F\x01"),                     /* field 2^29 - 1 */
        CASE("\x88\x00\x01"),                                 /* a long way to say 1 */
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        print_message("# case %zu\n", i);
        assert_int_equal(read_all(cases[i]), 0);
    }
}

static void what_is_no_message_is_refused_with_its_byte(void **state)
{
    (void)state;
    static const struct {
        tk_str bytes;
        const char *message;
    } cases[] = {
        {CASE("\x08"), "byte 1: expected a varint, not the end"},
        {CASE("\x08\x80\x80"), "byte 1: expected a varint, not the end"},
        {CASE("\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00"),
         "byte 1: expected a varint of at most 10 bytes"},
        {CASE("\x09\x01\x02"), "byte 1: expected 8 bytes"},
        {CASE("\x0D\x01\x02"), "byte 1: expected 4 bytes"},
        {CASE("\x0A\x03zz"), "byte 2: expected as many bytes as the length before says"},
        {CASE("\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01zz"),
         "byte 11: expected as many bytes as the length before says"},
        {CASE("\x00\x01"), "byte 1: expected a field number above 0 before it"},
        {CASE("\x0E\x01"), "byte 1: expected a wire type of 0 to 5"},
        {CASE("\x0F\x01"), "byte 1: expected a wire type of 0 to 5"},
        {CASE("\x0B\x08\x01"), "byte 3: expected the end of a group"},
        {CASE("\x0B\x14"), "byte 2: expected no end of a group that is not open"},
        {CASE("\x0C"), "byte 1: expected no end of a group that is not open"},
        {CASE("\xF8\xFF\xFF\xFF\x1F\x01"),
         "byte 0: expected the number of a field, at most 2^29 - 1"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_err err;
        assert_int_equal(read_all(cases[i].bytes), -EBADMSG);
        assert_int_equal(tk_wire_tell(&fault, cases[i].bytes, &err), -EBADMSG);
        assert_string_equal(err.msg, cases[i].message);
    }
}

static void groups_nest_to_a_limit(void **state)
{
    (void)state;
    char text[2 * (TK_WIRE_MAX_DEPTH + 1)];
    for (size_t depth = TK_WIRE_MAX_DEPTH; depth <= TK_WIRE_MAX_DEPTH + 1; depth++) {
        memset(text, 0x0B, depth);
        memset(text + depth, 0x0C, depth);
        assert_int_equal(read_all((tk_str){text, 2 * depth}),
                         depth > TK_WIRE_MAX_DEPTH ? -EMSGSIZE : 0);
    }
}

static void a_bad_guess_of_a_length_is_mended(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 127, 128, 16383, 16384, 100000};
    for (size_t guess = 0; guess < TK_COUNTOF(sizes); guess++) {
        for (size_t i = 0; i < TK_COUNTOF(sizes); i++) {
            TK_CLEANUP(tk_buf_release) struct tk_buf out;
            tk_str got = {NULL, 0};
            uint32_t tag;
            tk_buf_init(&out, 1 << 20);
            size_t at = tk_wire_begin(&out, TK_WIRE_BYTES(7), sizes[guess]);
            for (size_t k = 0; k < sizes[i]; k++)
                tk_buf_putc(&out, (char)(k % 251));
            tk_wire_end(&out, at, sizes[guess]);
            assert_int_equal(out.n, 1 + tk_wire_varint_size(sizes[i]) + sizes[i]);
            struct tk_wire in = wire_of(tk_buf_str(&out));
            assert_int_equal(tk_wire_tag(&in, &tag), 0);
            assert_int_equal(tag, TK_WIRE_BYTES(7));
            assert_int_equal(tk_wire_bytes(&in, &got), 0);
            assert_int_equal(got.n, sizes[i]);
            for (size_t k = 0; k < got.n; k++)
                assert_int_equal(got.p[k], (char)(k % 251));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(varints_of_all_sizes_come_back),
        cmocka_unit_test(unknown_fields_of_all_types_are_skipped),
        cmocka_unit_test(what_is_no_message_is_refused_with_its_byte),
        cmocka_unit_test(groups_nest_to_a_limit),
        cmocka_unit_test(a_bad_guess_of_a_length_is_mended),
    };
    return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
