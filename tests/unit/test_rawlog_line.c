/* SPDX-License-Identifier: Apache-2.0 */
#include "run/rawlog_line.h"

#include <errno.h>

#include "tk_test.h"

#define CPU_HEADER                                                                                 \
    "22:25:19     CPU    %usr   %nice    %sys %iowait    %irq   %soft  %steal  %guest  %gnice   "  \
    "%idle"
#define MEM_HEADER                                                                                 \
    " r  b   swpd   free   buff  cache   si   so    bi    bo   in   cs us sy id wa st            " \
    " "                                                                                            \
    "    UTC"

static struct tk_rawlog_parser parser;
static struct tk_rawlog_row row;
static struct tk_err err;

static int parse(const char *line)
{
    return tk_rawlog_parse(&parser, tk_str_from(line), true, &row, &err);
}

static int cpu_parser(void **state)
{
    (void)state;
    tk_rawlog_parser_init(&parser, TK_RAWLOG_CPU);
    return 0;
}

static int mem_parser(void **state)
{
    (void)state;
    tk_rawlog_parser_init(&parser, TK_RAWLOG_MEM);
    return 0;
}

static int net_parser(void **state)
{
    (void)state;
    tk_rawlog_parser_init(&parser, TK_RAWLOG_NET);
    return 0;
}

static void the_banner_tells_kernel_host_date_and_cpus(void **state)
{
    (void)state;
    assert_int_equal(parse("Linux 5.4.0-216-generic (cloud0) \t09/22/25 \t_x86_64_\t(4 CPU)"),
                     TK_RAWLOG_BANNER);
    assert_string_equal(parser.facts.kernel, "5.4.0-216-generic");
    assert_string_equal(parser.facts.host, "cloud0");
    assert_string_equal(parser.facts.arch, "x86_64");
    assert_int_equal(parser.facts.cpus, 4);
    assert_true(parser.facts.dated);
    assert_int_equal(parser.facts.day_s, 1758499200);
}

static void three_forms_of_date_are_read(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "Linux 6.1.0 (h) 09/16/25 _x86_64_ (2 CPU)",
        "Linux 6.1.0 (h) 09/16/2025 _x86_64_ (2 CPU)",
        "Linux 6.1.0 (h) 2025-09-16 _x86_64_ (2 CPU)",
    };
    for (size_t i = 0; i < TK_COUNTOF(lines); i++) {
        parser.facts.day_s = 0;
        assert_int_equal(parse(lines[i]), TK_RAWLOG_BANNER);
        assert_int_equal(parser.facts.day_s, 1757980800);
    }
}

static void a_date_that_does_not_exist_is_bad(void **state)
{
    (void)state;
    static const char *const dates[] = {"16/09/25", "02/29/25", "2025-9-16", "16.09.2025"};
    for (size_t i = 0; i < TK_COUNTOF(dates); i++) {
        char line[80];
        char expected[120];
        (void)snprintf(line, sizeof(line), "Linux 6.1.0 (h) %s _x86_64_ (2 CPU)", dates[i]);
        (void)snprintf(expected, sizeof(expected),
                       "'%s' is no date: expected MM/DD/YY, MM/DD/YYYY or YYYY-MM-DD", dates[i]);
        assert_int_equal(parse(line), -EBADMSG);
        assert_string_equal(err.msg, expected);
    }
}

static void a_cpu_row_is_read_by_the_names_of_the_header(void **state)
{
    (void)state;
    assert_int_equal(parse(CPU_HEADER), TK_RAWLOG_HEADER);
    assert_true(parser.facts.timed);
    assert_int_equal(parser.facts.header_s, 22 * 3600 + 25 * 60 + 19);
    assert_int_equal(parse("22:25:20     all    1.51    0.02    1.01    0.03    0.04    0.05    "
                           "0.06    0.07    0.08   97.49"),
                     TK_RAWLOG_ROW);
    assert_int_equal(row.second_of_day, 22 * 3600 + 25 * 60 + 20);
    assert_false(row.has_date);
    static const int64_t expected[] = {151, 2, 101, 3, 4, 5, 6, 7, 8, 9749};
    for (size_t i = 0; i < TK_COUNTOF(expected); i++)
        assert_int_equal(row.values[i], expected[i]);
}

static void another_order_of_columns_is_fine(void **state)
{
    (void)state;
    assert_int_equal(parse("22:25:19 CPU %idle %user intr/s"), TK_RAWLOG_HEADER);
    assert_int_equal(parse("22:25:20 all 97.49 1.51 388.12"), TK_RAWLOG_ROW);
    assert_int_equal(row.values[TK_RAWLOG_CPU_IDLE], 9749);
    assert_int_equal(row.values[TK_RAWLOG_CPU_USR], 151);
    assert_int_equal(row.present, 1U << TK_RAWLOG_CPU_IDLE | 1U << TK_RAWLOG_CPU_USR);
}

static void a_comma_may_stand_for_the_point(void **state)
{
    (void)state;
    assert_int_equal(parse("22:25:19 CPU %usr %idle"), TK_RAWLOG_HEADER);
    assert_int_equal(parse("22:25:20 all 1,51 97,49"), TK_RAWLOG_ROW);
    assert_int_equal(row.values[TK_RAWLOG_CPU_IDLE], 9749);
}

static void am_and_pm_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        int second;
    } cases[] = {
        {"12:00:01 AM all 0.00", 1},     {"12:00:01 PM all 0.00", 12 * 3600 + 1},
        {"01:02:03 AM all 0.00", 3723},  {"9:48:30 pm all 0.00", 21 * 3600 + 48 * 60 + 30},
        {"11:59:59 PM all 0.00", 86399},
    };
    assert_int_equal(parse("11:59:58 PM  CPU %idle"), TK_RAWLOG_HEADER);
    assert_true(parser.facts.meridiem);
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        assert_int_equal(parse(cases[i].line), TK_RAWLOG_ROW);
        assert_int_equal(row.second_of_day, cases[i].second);
        assert_true(row.meridiem);
    }
}

static void what_is_no_reading_of_all_cpus_is_skipped(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "",
        "   ",
        "\r",
        "Average:     CPU    %usr   %idle",
        "Average:     all    1.51   97.49",
        "Moyenne :    all    1.51   97.49",
        "22:25:20       0    1.51   97.49",
        "22:25:20      15    1.51   97.49",
    };
    assert_int_equal(parse("22:25:19 CPU %usr %idle"), TK_RAWLOG_HEADER);
    for (size_t i = 0; i < TK_COUNTOF(lines); i++)
        assert_int_equal(parse(lines[i]), TK_RAWLOG_SKIP);
}

static void the_section_of_interrupts_is_skipped(void **state)
{
    (void)state;
    assert_int_equal(parse("22:25:19 CPU %usr %idle"), TK_RAWLOG_HEADER);
    assert_int_equal(parse("22:25:20 CPU intr/s"), TK_RAWLOG_HEADER);
    assert_int_equal(parse("22:25:20 all 388.12"), TK_RAWLOG_SKIP);
    assert_int_equal(parse("22:25:20 CPU %usr %idle"), TK_RAWLOG_HEADER);
    assert_int_equal(parse("22:25:21 all 1.00 99.00"), TK_RAWLOG_ROW);
}

static void a_bad_cpu_line_says_what_was_expected(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *message;
    } cases[] = {
        {"22:25 all 1.00 99.00", "expected a time HH:MM:SS"},
        {"24:00:00 all 1.00 99.00", "expected a time HH:MM:SS"},
        {"13:00:00 PM all 1.00 99.00", "expected a time HH:MM:SS"},
        {"mpstat: no such device", "expected a time HH:MM:SS"},
        {"22:25:20", "expected a CPU after the time"},
        {"22:25:20 some 1.00 99.00", "'some' is no CPU"},
        {"22:25:20 all 1.00", "1 values, expected 2 as in the header"},
        {"22:25:20 all 1.00 99.00 3.00", "more values than the 2 of the header"},
        {"22:25:20 all x 99.00", "value 1: 'x' is not a number"},
        {"22:25:20 all 1.00 -99.00", "value 2: '-99.00' is not a number"},
        {"22:25:20 all 1.00 99.0.0", "value 2: '99.0.0' is not a number"},
        {"Linux", "expected a time HH:MM:SS"},
        {"Linux 6.1.0", "'' is no date: expected MM/DD/YY, MM/DD/YYYY or YYYY-MM-DD"},
    };
    assert_int_equal(parse("22:25:20 all 1.00 99.00"), -EBADMSG);
    assert_string_equal(err.msg, "row before the first header");
    assert_int_equal(parse("22:25:19 CPU %usr %idle"), TK_RAWLOG_HEADER);
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        assert_int_equal(parse(cases[i].line), -EBADMSG);
        assert_string_equal(err.msg, cases[i].message);
    }
}

static void a_last_number_that_may_be_cut_is_not_taken(void **state)
{
    (void)state;
    assert_int_equal(parse("22:25:19 CPU %usr %idle"), TK_RAWLOG_HEADER);
    assert_int_equal(tk_rawlog_parse(&parser, TK_STR("22:25:20 all 1.00 99.0"), false, &row, &err),
                     -EBADMSG);
    assert_int_equal(tk_rawlog_parse(&parser, TK_STR("22:25:20 all 1.00 99.00"), false, &row, &err),
                     TK_RAWLOG_ROW);
}

static void a_memory_row_is_read_by_the_names_of_the_header(void **state)
{
    (void)state;
    assert_int_equal(
        parse("procs -----------memory---------- ---swap-- -----io---- -system-- ------cpu-----"),
        TK_RAWLOG_SKIP);
    assert_int_equal(parse(MEM_HEADER), TK_RAWLOG_HEADER);
    assert_string_equal(parser.facts.zone, "UTC");
    assert_int_equal(
        parse(" 1  2      0  11004    155   4920    0    0     3     4    1   19  1  0 "
              "99  0  0 2025-09-16 21:48:29"),
        TK_RAWLOG_ROW);
    assert_true(row.has_date);
    assert_int_equal(row.day_s + row.second_of_day, 1758059309);
    assert_int_equal(row.values[TK_RAWLOG_MEM_RUNNING], 1);
    assert_int_equal(row.values[TK_RAWLOG_MEM_BLOCKED], 2);
    assert_int_equal(row.values[TK_RAWLOG_MEM_FREE], 11004);
    assert_int_equal(row.values[TK_RAWLOG_MEM_CACHE], 4920);
    assert_int_equal(row.values[TK_RAWLOG_MEM_BLOCKS_IN], 3);
    assert_int_equal(row.values[TK_RAWLOG_MEM_BLOCKS_OUT], 4);
    assert_int_equal(row.values[TK_RAWLOG_MEM_SWITCHES], 19);
}

static void columns_of_newer_vmstat_are_fine(void **state)
{
    (void)state;
    assert_int_equal(
        parse(" r  b   swpd   free  inact active   si   so    bi    bo   in   cs us sy "
              "id wa st gu                CEST"),
        TK_RAWLOG_HEADER);
    assert_string_equal(parser.facts.zone, "CEST");
    assert_int_equal(
        parse(" 1  0      0  11004    155   4920    0    0     3     4    1   19  1  0 "
              "99  0  0  0 2025-09-16 21:48:29"),
        TK_RAWLOG_ROW);
    assert_int_equal(row.values[TK_RAWLOG_MEM_FREE], 11004);
    assert_false(row.present >> TK_RAWLOG_MEM_CACHE & 1);
}

static void a_bad_memory_line_says_what_was_expected(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *message;
    } cases[] = {
        {"Unable to open", "expected a row of numbers"},
        {"1 2", "2 values, expected 3 as in the header"},
        {"1 2 3", "expected YYYY-MM-DD HH:MM:SS after the 3 values"},
        {"1 2 3 2025-09-16", "expected YYYY-MM-DD HH:MM:SS after the 3 values"},
        {"1 2 3 2025-09-31 21:48:29", "expected YYYY-MM-DD HH:MM:SS after the 3 values"},
        {"1 2 3 4 2025-09-16 21:48:29", "expected YYYY-MM-DD HH:MM:SS after the 3 values"},
        {"1 2 3 2025-09-16 21:48:29 x", "expected YYYY-MM-DD HH:MM:SS after the 3 values"},
        {"1 2 99999999999 2025-09-16 21:48:29", "value 3: '99999999999' is not a number"},
        {"1 2 -3 2025-09-16 21:48:29", "value 3: '-3' is not a number"},
        {"r b UTC", "header without a column 'free'"},
    };
    assert_int_equal(parse("1 2 3 2025-09-16 21:48:29"), -EBADMSG);
    assert_string_equal(err.msg, "row before the first header");
    assert_int_equal(parse("r b free UTC"), TK_RAWLOG_HEADER);
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        assert_int_equal(parse(cases[i].line), -EBADMSG);
        assert_string_equal(err.msg, cases[i].message);
    }
}

static void rates_become_bytes_in_decimal(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        int64_t rx;
        int64_t tx;
    } cases[] = {
        {"21:48:30      4.98      4.63", 5099, 4741},
        {"21:48:30      1.50      0.01", 1536, 10},
        {"21:48:30      0.00      1.00", 0, 1024},
        {"21:48:30 1234567.89 0.99", 1264197519, 1013},
    };
    assert_int_equal(parse("  Time           ens2       "), TK_RAWLOG_HEADER);
    assert_int_equal(parse("HH:MM:SS   KB/s in  KB/s out"), TK_RAWLOG_HEADER);
    assert_string_equal(parser.facts.ifaces[0], "ens2");
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        assert_int_equal(parse(cases[i].line), TK_RAWLOG_ROW);
        assert_int_equal(row.values[TK_RAWLOG_NET_RX], cases[i].rx);
        assert_int_equal(row.values[TK_RAWLOG_NET_TX], cases[i].tx);
    }
}

static void a_network_row_may_carry_its_date(void **state)
{
    (void)state;
    assert_int_equal(parse("2025-09-16 21:48:30 1.00 2.00"), TK_RAWLOG_ROW);
    assert_true(row.has_date);
    assert_int_equal(row.day_s + row.second_of_day, 1758059310);
}

static void not_available_is_no_row(void **state)
{
    (void)state;
    assert_int_equal(parse("21:48:30       n/a       n/a"), TK_RAWLOG_NO_VALUE);
    assert_int_equal(parse("21:48:30      1.00       n/a"), TK_RAWLOG_NO_VALUE);
}

static void several_interfaces_have_a_pair_each(void **state)
{
    (void)state;
    assert_int_equal(parse("  Time           ens2               eth0"), TK_RAWLOG_HEADER);
    assert_int_equal(parse("HH:MM:SS   KB/s in  KB/s out   KB/s in  KB/s out"), TK_RAWLOG_HEADER);
    assert_int_equal(parse("21:48:30      n/a      n/a    1.00   2.00"), TK_RAWLOG_ROW);
    assert_int_equal(row.present, 1U << 2 | 1U << 3);
    assert_int_equal(row.values[3], 2048);
}

static void a_bad_network_line_says_what_was_expected(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *message;
    } cases[] = {
        {"SIOCGIFSTATS: no such device", "expected a time HH:MM:SS"},
        {"21:48:30 1.00", "1 values, expected in and out of each interface"},
        {"21:48:30 1.00 2.00 3.00", "more than 2 values"},
        {"21:48:30 1.00 x", "value 2: 'x' is not a number"},
        {"21:48:30 1.00 99999999999999999.00", "value 2: '99999999999999999.00' is not a number"},
        {"HH:MM:SS  Kbps in  Kbps out", "unit 'Kbps', expected 'KB/s'"},
        {"21:48:30 1.00 2.00", "the header names another unit than KB/s"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        assert_int_equal(parse(cases[i].line), -EBADMSG);
        assert_string_equal(err.msg, cases[i].message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_banner_tells_kernel_host_date_and_cpus, cpu_parser),
        cmocka_unit_test_setup(three_forms_of_date_are_read, cpu_parser),
        cmocka_unit_test_setup(a_date_that_does_not_exist_is_bad, cpu_parser),
        cmocka_unit_test_setup(a_cpu_row_is_read_by_the_names_of_the_header, cpu_parser),
        cmocka_unit_test_setup(another_order_of_columns_is_fine, cpu_parser),
        cmocka_unit_test_setup(a_comma_may_stand_for_the_point, cpu_parser),
        cmocka_unit_test_setup(am_and_pm_are_read, cpu_parser),
        cmocka_unit_test_setup(what_is_no_reading_of_all_cpus_is_skipped, cpu_parser),
        cmocka_unit_test_setup(the_section_of_interrupts_is_skipped, cpu_parser),
        cmocka_unit_test_setup(a_bad_cpu_line_says_what_was_expected, cpu_parser),
        cmocka_unit_test_setup(a_last_number_that_may_be_cut_is_not_taken, cpu_parser),
        cmocka_unit_test_setup(a_memory_row_is_read_by_the_names_of_the_header, mem_parser),
        cmocka_unit_test_setup(columns_of_newer_vmstat_are_fine, mem_parser),
        cmocka_unit_test_setup(a_bad_memory_line_says_what_was_expected, mem_parser),
        cmocka_unit_test_setup(rates_become_bytes_in_decimal, net_parser),
        cmocka_unit_test_setup(a_network_row_may_carry_its_date, net_parser),
        cmocka_unit_test_setup(not_available_is_no_row, net_parser),
        cmocka_unit_test_setup(several_interfaces_have_a_pair_each, net_parser),
        cmocka_unit_test_setup(a_bad_network_line_says_what_was_expected, net_parser),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
