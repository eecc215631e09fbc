/* SPDX-License-Identifier: Apache-2.0 */
#include "span/when.h"

#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "tk_test.h"

static void times_of_logs_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
    } cases[] = {
        {"10/Oct/2025:13:55:36 +0200", 1760097336000000000},
        {"10/Oct/2025:13:55:36", 1760104536000000000},
        {"2025-10-10T13:55:36+02:00", 1760097336000000000},
        {"2025-10-10T11:55:36Z", 1760097336000000000},
        {"2025-10-10 11:55:36", 1760097336000000000},
        {"2025-10-10T11:55:36.1Z", 1760097336100000000},
        {"2025-10-10T11:55:36,123456789-00:30", 1760099136123456789},
        {"2025-10-10T11:55:36.1234567891Z", 1760097336123456789},
        {"2025/10/10 11:55:36", 1760097336000000000},
        {"2025-10-10T11:55:36 +02", 1760090136000000000},
        {"2024-02-29T00:00:00Z", 1709164800000000000},
        {"1970-01-01T00:00:00Z", 0},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        int64_t ns = -1;
        print_message("# %s\n", cases[i].text);
        assert_true(tk_when_parse(tk_str_from(cases[i].text), false, &ns));
        assert_int_equal(ns, cases[i].ns);
    }
}

static void what_is_no_time_is_refused_and_leaves_the_result_alone(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "now",
        "1760097336",
        "2025-10-10",
        "2025-10-10T11:55",
        "2025-13-10T11:55:36Z",
        "2025-02-29T11:55:36Z",
        "2025-10-10T24:00:00Z",
        "2025-10-10T11:55:36X",
        "2025-10-10T11:55:36.Z",
        "2025-10-10T11:55:36+2",
        "2025-10-10T11:55:36+15:00",
        "2025-10-10T11:55:36+02:60",
        "2025-10-10T11:55:36Z ",
        "0001-01-01T00:00:00Z",
        "9999-01-01T00:00:00Z",
        "10/Okt/2025:13:55:36 +0200",
        "10/Oct/2025 13:55:36 +0200",
        "1/Oct/2025:13:55:36 +0200",
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        int64_t ns = -1;
        print_message("# %s\n", cases[i]);
        assert_false(tk_when_parse(tk_str_from(cases[i]), false, &ns));
        assert_int_equal(ns, -1);
    }
}

static void a_time_without_a_zone_is_local_when_asked_for(void **state)
{
    (void)state;
    int64_t ns;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): no thread was started */
    (void)setenv("TZ", "<+02>-02", 1);
    tzset();
    assert_true(tk_when_parse(TK_STR("2025-10-10 13:55:36.5"), true, &ns));
    assert_int_equal(ns, 1760097336500000000);
    assert_true(tk_when_parse(TK_STR("2025-10-10 13:55:36Z"), true, &ns));
    assert_int_equal(ns, 1760104536000000000);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): likewise */
    (void)unsetenv("TZ");
    tzset();
}

static void a_point_is_a_time_an_epoch_or_an_offset(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
    } cases[] = {
        {"2025-10-10T11:55:36Z", 1760097336000000000},
        {"1760097336", 1760097336000000000},
        {"1760097336123", 1760097336123000000},
        {"0", 0},
        {"+0s", 5000000000},
        {"+90s", 95000000000},
        {"+1.5s", 6500000000},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        int64_t ns = -1;
        print_message("# %s\n", cases[i].text);
        assert_true(tk_when_parse_point(cases[i].text, 5000000000, &ns));
        assert_int_equal(ns, cases[i].ns);
    }
    static const char *const others[] = {
        "", "+", "+90", "+1.", "90s", "-5", "+-5s", "12:00", "9223372036854775807", "1760097336.5",
    };
    for (size_t i = 0; i < TK_COUNTOF(others); i++) {
        int64_t ns = -1;
        print_message("# %s\n", others[i]);
        assert_false(tk_when_parse_point(others[i], 5000000000, &ns));
        assert_int_equal(ns, -1);
    }
    int64_t ns = -1;
    assert_false(tk_when_parse_point("+100h", INT64_MAX - 5, &ns));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_of_logs_are_read),
        cmocka_unit_test(what_is_no_time_is_refused_and_leaves_the_result_alone),
        cmocka_unit_test(a_point_is_a_time_an_epoch_or_an_offset),
        cmocka_unit_test(a_time_without_a_zone_is_local_when_asked_for),
    };
    return cmocka_run_group_tests_name("when", tests, NULL, NULL);
}
