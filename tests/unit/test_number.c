/* SPDX-License-Identifier: Apache-2.0 */
#include "base/number.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tk_test.h"

/* SplitMix64: the same numbers in each run. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15ULL);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
}

static double double_of_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static void integers_are_taken_exactly_or_not_at_all(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        int64_t value;
        const char *rest;
    } cases[] = {
        {"0", true, 0, ""},
        {"-0", true, 0, ""},
        {"007x", true, 7, "x"},
        {"12.5", true, 12, ".5"},
        {"9223372036854775807", true, INT64_MAX, ""},
        {"-9223372036854775808", true, INT64_MIN, ""},
        {"9223372036854775808", false, 0, "9223372036854775808"},
        {"-9223372036854775809", false, 0, "-9223372036854775809"},
        {"99999999999999999999999", false, 0, "99999999999999999999999"},
        {"", false, 0, ""},
        {"-", false, 0, "-"},
        {"+1", false, 0, "+1"},
        {" 1", false, 0, " 1"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        tk_str text = tk_str_from(cases[i].text);
        int64_t value = 0;
        assert_int_equal(tk_scan_i64(&text, &value), cases[i].ok);
        assert_int_equal(value, cases[i].value);
        assert_str_equal(text, cases[i].rest);
        bool whole = cases[i].ok && !*cases[i].rest;
        assert_int_equal(tk_parse_i64(tk_str_from(cases[i].text), &value), whole);
    }
    uint64_t u;
    assert_true(tk_parse_u64(TK_STR("18446744073709551615"), &u));
    assert_true(u == UINT64_MAX);
    assert_false(tk_parse_u64(TK_STR("18446744073709551616"), &u));
    assert_false(tk_parse_u64(TK_STR("-1"), &u));
}

static void a_whole_number_may_be_written_in_any_form(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        int64_t value;
    } cases[] = {
        {"12", true, 12},
        {"12.0", true, 12},
        {"12.000000000000000000000000000000000", true, 12},
        {"1.2e1", true, 12},
        {"120e-1", true, 12},
        {"0.0e99999999999", true, 0},
        {"9007199254740993.0", true, 9007199254740993},
        {"-9223372036854775808.0", true, INT64_MIN},
        {"9223372036854775807e0", true, INT64_MAX},
        {"922337203685477580.7e1", true, INT64_MAX},
        {"9223372036854775808.0", false, 0},
        {"1e18", true, 1000000000000000000},
        {"1e19", false, 0},
        {"1e99999999999999999999", false, 0},
        {"1e-99999999999999999999", false, 0},
        {"12.5", false, 0},
        {"123456789012345678901", false, 0},
        {"0.1e1x", false, 0},
        {"", false, 0},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        int64_t value = 0;
        assert_int_equal(tk_parse_whole(tk_str_from(cases[i].text), &value), cases[i].ok);
        assert_int_equal(value, cases[i].value);
    }
}

static void decimals_take_the_longest_number_at_the_front(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        double value;
        const char *rest;
    } cases[] = {
        {"1", true, 1, ""},
        {"-2.50,", true, -2.5, ","},
        {".5", true, 0.5, ""},
        {"5.", true, 5, "."},
        {"5.e1", true, 5, ".e1"},
        {"1e", true, 1, "e"},
        {"1e+", true, 1, "e+"},
        {"1E+2 ", true, 100, " "},
        {"0x10", true, 0, "x10"},
        {"00.25", true, 0.25, ""},
        {"1e-400", true, 0, ""},
        {"1e400", false, 0, "1e400"},
        {"-1e400", false, 0, "-1e400"},
        {"inf", false, 0, "inf"},
        {"nan", false, 0, "nan"},
        {"-", false, 0, "-"},
        {".", false, 0, "."},
        {"", false, 0, ""},
        /* Halfway cases, and digits far behind that decide them. */
        {"9007199254740993", true, 9007199254740992.0, ""},
        {"9007199254740993.00000000000000000000000000000000000001", true, 9007199254740994.0, ""},
        {"2.2250738585072012e-308", true, 2.2250738585072014e-308, ""},
        {"4.9e-324", true, 4.9e-324, ""},
        {"179769313486231570814527423731704356798070e267", true, 1.7976931348623157e308, ""},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        tk_str text = tk_str_from(cases[i].text);
        double value = 0;
        assert_int_equal(tk_scan_f64(&text, &value), cases[i].ok);
        assert_true(value == cases[i].value);
        assert_str_equal(text, cases[i].rest);
    }
    double zero = 1;
    assert_true(tk_parse_f64(TK_STR("-0.0"), &zero));
    assert_true(zero == 0 && signbit(zero));
}

static void digits_without_end_round_by_the_last_of_them(void **state)
{
    (void)state;
    /* 2^53 + 1 lies halfway between two doubles: one digit after 2000 zeros breaks the tie. */
    char text[2100];
    int n = snprintf(text, sizeof(text), "9007199254740993.%02000d", 0);
    double value;
    assert_true(tk_parse_f64((tk_str){text, (size_t)n}, &value));
    assert_true(value == 9007199254740992.0);
    text[n - 1] = '1';
    assert_true(tk_parse_f64((tk_str){text, (size_t)n}, &value));
    assert_true(value == 9007199254740994.0);

    n = snprintf(text, sizeof(text), "0.%02000d", 0);
    text[1990] = '7';
    assert_true(tk_parse_f64((tk_str){text, (size_t)n}, &value));
    assert_true(value == 0);
    n = snprintf(text, sizeof(text), "1%0300de-300", 0);
    assert_true(tk_parse_f64((tk_str){text, (size_t)n}, &value));
    assert_true(value == 1);
}

static void decimals_are_read_as_strtod_reads_them(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (int i = 0; i < 200000; i++) {
        char text[64];
        uint64_t a = next_random(&seed);
        uint64_t b = next_random(&seed);
        if (i % 3 == 0)
            (void)snprintf(text, sizeof(text), "%.17g", double_of_bits(a));
        else if (i % 3 == 1)
            (void)snprintf(text, sizeof(text), "%llu.%llue%d", (unsigned long long)(a >> (b % 64)),
                           (unsigned long long)b, (int)(a % 700) - 350);
        else
            (void)snprintf(text, sizeof(text), "%d.%02d", (int)(a % 10000), (int)(b % 100));
        double expected = strtod(text, NULL);
        double value = 0;
        bool ok = tk_parse_f64(tk_str_from(text), &value);
        assert_int_equal(ok, isfinite(expected));
        if (ok)
            assert_memory_equal(&value, &expected, sizeof(value));
    }
}

static void fixed_point_is_cut_off_in_decimal(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int decimals;
        bool ok;
        int64_t value;
        const char *rest;
    } cases[] = {
        {"4.98", 2, true, 498, ""},
        {"4.989", 2, true, 498, ""},
        {"4", 2, true, 400, ""},
        {"4.5 x", 3, true, 4500, " x"},
        {".25", 2, true, 25, ""},
        {"7.", 1, true, 70, "."},
        {"12.34", 0, true, 12, ""},
        {"9223372036.854775807", 9, true, INT64_MAX, ""},
        {"9223372036.854775808", 9, false, 0, "9223372036.854775808"},
        {"99999999999999999999", 0, false, 0, "99999999999999999999"},
        {"-1", 0, false, 0, "-1"},
        {".", 2, false, 0, "."},
        {"", 2, false, 0, ""},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        tk_str text = tk_str_from(cases[i].text);
        int64_t value = 0;
        assert_int_equal(tk_scan_fixed(&text, cases[i].decimals, &value), cases[i].ok);
        assert_int_equal(value, cases[i].value);
        assert_str_equal(text, cases[i].rest);
    }
}

static void integers_print_as_printf_prints_them(void **state)
{
    (void)state;
    uint64_t seed = 2;
    for (int i = 0; i < 100000; i++) {
        uint64_t value = next_random(&seed) >> (i % 64);
        char expected[32];
        char text[TK_I64_MAX + 1] = {0};
        (void)snprintf(expected, sizeof(expected), "%llu", (unsigned long long)value);
        text[tk_u64_format(value, text)] = '\0';
        assert_string_equal(text, expected);
        (void)snprintf(expected, sizeof(expected), "%lld", (long long)-(int64_t)value);
        text[tk_i64_format(-(int64_t)value, text)] = '\0';
        assert_string_equal(text, expected);
    }
    static const uint64_t edges[] = {0, 9, 10, 99, 100, 9999999999999999999ULL, UINT64_MAX};
    for (size_t i = 0; i < TK_COUNTOF(edges); i++) {
        TK_CLEANUP(tk_buf_release) struct tk_buf buf;
        tk_buf_init(&buf, 64);
        tk_buf_put_u64(&buf, edges[i]);
        char expected[32];
        (void)snprintf(expected, sizeof(expected), "%llu", (unsigned long long)edges[i]);
        assert_str_equal(tk_buf_str(&buf), expected);
    }
}

static void doubles_print_with_the_digits_that_were_asked_for(void **state)
{
    (void)state;
    static const struct {
        double value;
        int decimals;
        const char *text;
    } cases[] = {
        {0, 2, "0.00"},
        {-0.0, 2, "0.00"},
        {-0.004, 2, "0.00"},
        {-0.005, 2, "-0.01"},
        {12.5, 0, "13"},
        {-12.5, 0, "-13"},
        {0.49999999999999994, 0, "0"},
        {99.999, 2, "100.00"},
        {3.14159, 9, "3.141590000"},
        {12345678.9, 1, "12345678.9"},
        {4503599627370495.5, 0, "4503599627370496"},
        {1e15, 2, "1e+15"},
        {90071992547409.92, 2, "90071992547409.92"},
        {(double)NAN, 2, "null"},
        {-(double)INFINITY, TK_SHORTEST, "null"},
        {0, TK_SHORTEST, "0"},
        {-0.0, TK_SHORTEST, "-0"},
        {3, TK_SHORTEST, "3"},
        {0.1, TK_SHORTEST, "0.1"},
        {-1234.5678, TK_SHORTEST, "-1234.5678"},
        {0.30000000000000004, TK_SHORTEST, "0.30000000000000004"},
        {1.7976931348623157e308, TK_SHORTEST, "1.7976931348623157e+308"},
        {5e-324, TK_SHORTEST, "4.94065645841247e-324"},
        {1e22, TK_SHORTEST, "1e+22"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        TK_CLEANUP(tk_buf_release) struct tk_buf buf;
        tk_buf_init(&buf, 64);
        tk_buf_put_f64(&buf, cases[i].value, cases[i].decimals);
        assert_str_equal(tk_buf_str(&buf), cases[i].text);
    }
}

static void the_shortest_text_reads_back_as_the_same_double(void **state)
{
    (void)state;
    uint64_t seed = 3;
    for (int i = 0; i < 200000; i++) {
        uint64_t bits = next_random(&seed);
        double value = i % 2 ? double_of_bits(bits) : (double)(bits >> 40) / 1000;
        if (!isfinite(value))
            continue;
        char text[TK_F64_MAX];
        size_t n = tk_f64_format(value, TK_SHORTEST, text);
        assert_true(n < sizeof(text));
        double back;
        assert_true(tk_parse_f64((tk_str){text, n}, &back));
        assert_memory_equal(&back, &value, sizeof(value));
    }
}

static void the_locale_has_no_say(void **state)
{
    (void)state;
    /* Any locale with a decimal comma will do; Debian's C.UTF-8 alone has none. */
    static const char *const names[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE.utf8", "de_DE"};
    const char *set = NULL;
    for (size_t i = 0; i < TK_COUNTOF(names) && !set; i++)
        set = setlocale(LC_ALL, names[i]);
    if (!set)
        return_without("locale with a decimal comma");
    char text[TK_F64_MAX];
    double back;
    size_t n = tk_f64_format(1.2345678901234567e-5, TK_SHORTEST, text);
    bool ok = tk_parse_f64((tk_str){text, n}, &back);
    (void)setlocale(LC_ALL, "C");
    assert_null(memchr(text, ',', n));
    assert_true(ok && back == 1.2345678901234567e-5);
}

static void a_number_that_fits_the_cap_exactly_is_no_failure(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf buf;
    tk_buf_init(&buf, 3);
    tk_buf_put_i64(&buf, -12);
    assert_true(tk_buf_ok(&buf));
    tk_buf_put_i64(&buf, 1);
    assert_int_equal(buf.failure, -EMSGSIZE);
}

static void hexadecimal_digits_have_their_value(void **state)
{
    (void)state;
    for (int c = -128; c < 128; c++) {
        static const char digits[] = "0123456789abcdef";
        const char *at = c > 0 ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;
        assert_int_equal(tk_hex_value((char)c), at ? at - digits : -1);
    }
}

static void doubles_are_sorted(void **state)
{
    (void)state;
    double values[] = {2, -1e300, 0.5, 1e300, 0.25};
    const double sorted[] = {-1e300, 0.25, 0.5, 2, 1e300};
    qsort(values, TK_COUNTOF(values), sizeof(*values), tk_f64_cmp);
    assert_memory_equal(values, sorted, sizeof(sorted));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_taken_exactly_or_not_at_all),
        cmocka_unit_test(a_whole_number_may_be_written_in_any_form),
        cmocka_unit_test(decimals_take_the_longest_number_at_the_front),
        cmocka_unit_test(digits_without_end_round_by_the_last_of_them),
        cmocka_unit_test(decimals_are_read_as_strtod_reads_them),
        cmocka_unit_test(fixed_point_is_cut_off_in_decimal),
        cmocka_unit_test(integers_print_as_printf_prints_them),
        cmocka_unit_test(doubles_print_with_the_digits_that_were_asked_for),
        cmocka_unit_test(the_shortest_text_reads_back_as_the_same_double),
        cmocka_unit_test(the_locale_has_no_say),
        cmocka_unit_test(a_number_that_fits_the_cap_exactly_is_no_failure),
        cmocka_unit_test(hexadecimal_digits_have_their_value),
        cmocka_unit_test(doubles_are_sorted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
