/* SPDX-License-Identifier: Apache-2.0 */
#include "tk_test.h"

#include "base/number.h"
#include "span/span_text.h"

static void ids_have_digits_of_both_cases_and_dashes(void **state)
{
    static const struct {
        const char *text;
        const char *digits; /* of 16 bytes; NULL = no id */
    } cases[] = {
        {"0123456789abcdef0123456789ABCDEF", "0123456789abcdef0123456789abcdef"},
        {"00000000000000000123456789abcdef", "00000000000000000123456789abcdef"},
        {"0123456789abcdef", "00000000000000000123456789abcdef"},
        {"01234567", "00000000000000000000000001234567"},
        {"A", "0000000000000000000000000000000a"},
        {"123456789", "00000000000000000000000123456789"},
        {"01234567-89ab-cdef-0123-456789abcdef", "0123456789abcdef0123456789abcdef"},
        {"0123456-", "00000000000000000000000000123456"},
        {"0123456789abcdef0123456789abcdef0", NULL},
        {"0123456789abcdef0123456789abcdef01234567", NULL},
        {"0123456789abcdeg", NULL},
        {"--------", NULL},
        {"", NULL},
    };
    (void)state;
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        uint8_t id[16];
        char digits[TK_TRACE_ID_DIGITS + 1] = {0};
        bool ok = tk_trace_id_parse(tk_str_from(cases[i].text), id);
        assert_int_equal(ok, cases[i].digits != NULL);
        if (!ok)
            continue;
        tk_trace_id_format(id, digits);
        assert_string_equal(digits, cases[i].digits);
    }
}

static void every_byte_at_every_place_is_a_digit_or_none(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        for (size_t at = 0; at < TK_SPAN_ID_DIGITS; at++) {
            char text[TK_SPAN_ID_DIGITS + 1] = "19afAF0719afAF07";
            char back[TK_SPAN_ID_DIGITS];
            uint64_t id;
            text[at] = (char)c;
            bool ok = tk_span_id_parse((tk_str){text, TK_SPAN_ID_DIGITS}, &id);
            assert_int_equal(ok, tk_hex_value((char)c) >= 0 || c == '-');
            if (!ok || c == '-')
                continue;
            tk_span_id_format(id, back);
            for (size_t i = 0; i < TK_SPAN_ID_DIGITS; i++)
                assert_int_equal(tk_hex_value(back[i]), tk_hex_value(text[i]));
        }
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_have_digits_of_both_cases_and_dashes),
        cmocka_unit_test(every_byte_at_every_place_is_a_digit_or_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
