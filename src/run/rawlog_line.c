/* SPDX-License-Identifier: Apache-2.0 */
#include "run/rawlog_line.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/number.h"

/* The columns that we take, by the name that the header gives them. */
static const struct {
    enum tk_rawlog_kind kind;
    uint8_t value;
    const char *name;
} columns[] = {
    {TK_RAWLOG_CPU, TK_RAWLOG_CPU_USR, "%usr"},
    {TK_RAWLOG_CPU, TK_RAWLOG_CPU_USR, "%user"}, /* sysstat before 9 */
    {TK_RAWLOG_CPU, TK_RAWLOG_CPU_NICE, "%nice"},
    {TK_RAWLOG_CPU, TK_RAWLOG_CPU_SYS, "%sys"},
    {TK_RAWLOG_CPU, TK_RAWLOG_CPU_IOWAIT, "%iowait"},
    {TK_RAWLOG_CPU, TK_RAWLOG_CPU_IRQ, "%irq"},
    {TK_RAWLOG_CPU, TK_RAWLOG_CPU_SOFT, "%soft"},
    {TK_RAWLOG_CPU, TK_RAWLOG_CPU_STEAL, "%steal"},
    {TK_RAWLOG_CPU, TK_RAWLOG_CPU_GUEST, "%guest"},
    {TK_RAWLOG_CPU, TK_RAWLOG_CPU_GNICE, "%gnice"},
    {TK_RAWLOG_CPU, TK_RAWLOG_CPU_IDLE, "%idle"},
    {TK_RAWLOG_MEM, TK_RAWLOG_MEM_RUNNING, "r"},
    {TK_RAWLOG_MEM, TK_RAWLOG_MEM_BLOCKED, "b"},
    {TK_RAWLOG_MEM, TK_RAWLOG_MEM_FREE, "free"},
    {TK_RAWLOG_MEM, TK_RAWLOG_MEM_CACHE, "cache"},
    {TK_RAWLOG_MEM, TK_RAWLOG_MEM_BLOCKS_IN, "bi"},
    {TK_RAWLOG_MEM, TK_RAWLOG_MEM_BLOCKS_OUT, "bo"},
    {TK_RAWLOG_MEM, TK_RAWLOG_MEM_SWITCHES, "cs"},
};

/* Times and dates -------------------------------------------------------------- */

/* Take 1..`digits` digits as a number that is at most `max`. */
static bool take_digits(tk_str *text, size_t digits, int max, int *ret)
{
    int value = 0;
    size_t n = 0;
    while (n < digits && n < text->n && text->p[n] >= '0' && text->p[n] <= '9')
        value = value * 10 + (text->p[n++] - '0');
    if (n == 0 || value > max)
        return false;
    *text = (tk_str){text->p + n, text->n - n};
    *ret = value;
    return true;
}

/* "HH:MM:SS"; the hour may have one digit. */
static bool parse_time(tk_str word, int *ret_second)
{
    int hour;
    int minute;
    int second;
    if (word.n < 7 || !take_digits(&word, 2, 23, &hour) || word.n != 6 || word.p[0] != ':' ||
        word.p[3] != ':')
        return false;
    tk_str minutes = {word.p + 1, 2};
    tk_str seconds = {word.p + 4, 2};
    if (!take_digits(&minutes, 2, 59, &minute) || minutes.n > 0 ||
        !take_digits(&seconds, 2, 59, &second) || seconds.n > 0)
        return false;
    *ret_second = hour * 3600 + minute * 60 + second;
    return true;
}

/* Take "21:48:29" or "09:48:29 PM". */
static bool take_clock(tk_str *text, int *ret_second, bool *ret_meridiem)
{
    tk_str rest = *text;
    tk_str word;
    int second;
    if (!tk_str_take_word(&rest, &word) || !parse_time(word, &second))
        return false;

    tk_str after = rest;
    bool meridiem = false;
    if (tk_str_take_word(&after, &word) && word.n == 2 && (word.p[1] | 0x20) == 'm') {
        char half = (char)(word.p[0] | 0x20);
        if ((half != 'a' && half != 'p') || second < 3600 || second >= 13 * 3600)
            return false;
        second = second % (12 * 3600) + (half == 'p' ? 12 * 3600 : 0);
        meridiem = true;
        rest = after;
    }
    *text = rest;
    *ret_second = second;
    *ret_meridiem = meridiem;
    return true;
}

static bool day_from_civil(const struct tk_civil *civil, int64_t *ret_day_s)
{
    if (!tk_civil_ok(civil))
        return false;
    *ret_day_s = tk_civil_to_s(civil);
    return true;
}

/* "YYYY-MM-DD" */
static bool parse_iso_date(tk_str word, int64_t *ret_day_s)
{
    struct tk_civil civil = {0};
    return word.n == 10 && take_digits(&word, 4, 9999, &civil.year) && word.n == 6 &&
           tk_str_take_prefix(&word, TK_STR("-")) && take_digits(&word, 2, 12, &civil.month) &&
           tk_str_take_prefix(&word, TK_STR("-")) && take_digits(&word, 2, 31, &civil.day) &&
           word.n == 0 && day_from_civil(&civil, ret_day_s);
}

/* "MM/DD/YY" (of this century) or "MM/DD/YYYY" */
static bool parse_us_date(tk_str word, int64_t *ret_day_s)
{
    struct tk_civil civil = {0};
    if (!take_digits(&word, 2, 12, &civil.month) || !tk_str_take_prefix(&word, TK_STR("/")) ||
        !take_digits(&word, 2, 31, &civil.day) || !tk_str_take_prefix(&word, TK_STR("/")))
        return false;
    size_t digits = word.n;
    if ((digits != 2 && digits != 4) || !take_digits(&word, digits, 9999, &civil.year) ||
        word.n > 0)
        return false;
    if (digits == 2)
        civil.year += 2000;
    return day_from_civil(&civil, ret_day_s);
}

/* Rows ------------------------------------------------------------------------- */

static void row_set(struct tk_rawlog_row *row, size_t value, int64_t number)
{
    row->values[value] = number;
    row->present |= 1U << value;
}

/* The point of a number may be a comma, as some locales have it: `buf` then gets a copy with a
 * point. */
static tk_str with_point(tk_str word, char buf[32])
{
    size_t comma = tk_str_find(word, ',');
    if (comma == word.n || word.n >= 32)
        return word;
    memcpy(buf, word.p, word.n);
    buf[comma] = '.';
    return (tk_str){buf, word.n};
}

/* A number that ends with two decimals, so that nothing of it was cut off. */
static bool has_two_decimals(tk_str word)
{
    return word.n >= 4 && word.p[word.n - 3] == '.';
}

static bool parse_decimal(tk_str word, int decimals, bool whole, int64_t *ret)
{
    char buf[32];
    word = with_point(word, buf);
    return (whole || has_two_decimals(word)) && tk_scan_fixed(&word, decimals, ret) && word.n == 0;
}

static int wrong_value(size_t index, tk_str word, struct tk_err *err)
{
    return tk_fail(err, -EBADMSG, "value %zu: '%.*s' is not a number", index + 1, TK_STR_ARG(word));
}

/* Copy a fact; one that does not fit counts as unknown. */
static void set_fact(char *fact, tk_str text)
{
    if (!tk_str_to_cstr(text, fact, TK_RAWLOG_NAME_MAX))
        fact[0] = '\0';
}

/* The value that a column of that name holds; TK_RAWLOG_VALUES = none of ours. */
static uint8_t find_column(enum tk_rawlog_kind kind, tk_str name)
{
    for (size_t i = 0; i < TK_COUNTOF(columns); i++) {
        if (columns[i].kind == kind && tk_str_eq(name, tk_str_from(columns[i].name)))
            return columns[i].value;
    }
    return TK_RAWLOG_VALUES;
}

/* Remember which of our values each column of a header holds. In mem.log the last word is the zone:
 * it does not begin with a small letter, as all columns do. */
static int parse_columns(struct tk_rawlog_parser *parser, tk_str names, size_t needed,
                         struct tk_err *err)
{
    size_t n = 0;
    parser->ours = false;
    for (tk_str word; tk_str_take_word(&names, &word);) {
        if (parser->kind == TK_RAWLOG_MEM && !(word.p[0] >= 'a' && word.p[0] <= 'z')) {
            set_fact(parser->facts.zone, word);
            continue;
        }
        if (n == TK_RAWLOG_COLUMNS)
            return tk_fail(err, -EBADMSG, "header of more than %d columns", TK_RAWLOG_COLUMNS);
        parser->columns[n] = find_column(parser->kind, word);
        parser->ours |= parser->columns[n] == needed;
        n++;
    }
    parser->column_count = n;
    return TK_RAWLOG_HEADER;
}

/* mpstat ----------------------------------------------------------------------- */

/* What follows "Linux": kernel, (host), date, _arch_, (N CPU). */
static int parse_banner(struct tk_rawlog_parser *parser, tk_str rest, struct tk_err *err)
{
    struct tk_rawlog_facts *facts = &parser->facts;
    tk_str word;
    if (!tk_str_take_word(&rest, &word))
        return tk_fail(err, -EBADMSG, "expected 'Linux KERNEL (HOST) DATE'");
    set_fact(facts->kernel, word);
    facts->dated = facts->timed = false;
    tk_str unread = {NULL, 0};
    while (tk_str_take_word(&rest, &word)) {
        int64_t cpus;
        tk_str inner = word;
        if (parse_us_date(word, &facts->day_s) || parse_iso_date(word, &facts->day_s)) {
            facts->dated = true;
        } else if (word.n > 2 && word.p[0] == '_' && word.p[word.n - 1] == '_') {
            set_fact(facts->arch, (tk_str){word.p + 1, word.n - 2});
        } else if (word.n > 2 && word.p[0] == '(' && word.p[word.n - 1] == ')') {
            set_fact(facts->host, (tk_str){word.p + 1, word.n - 2});
        } else if (tk_str_take_prefix(&inner, TK_STR("(")) && tk_parse_i64(inner, &cpus)) {
            facts->cpus = cpus;
        } else if (!unread.p) {
            unread = word;
        }
    }
    if (!facts->dated) {
        return tk_fail(err, -EBADMSG,
                       "'%.*s' is no date: expected MM/DD/YY, MM/DD/YYYY or YYYY-MM-DD",
                       TK_STR_ARG(unread));
    }
    return TK_RAWLOG_BANNER;
}

/* What stands in the column of the CPU: "CPU" in a header, "all" or a number in a row. */
static bool is_cpu(tk_str word)
{
    return tk_str_eq(word, TK_STR("all")) || tk_str_eq(word, TK_STR("CPU")) ||
           tk_str_eq(word, TK_STR("NODE")) || (word.p[0] >= '0' && word.p[0] <= '9');
}

/* "Average:     all ..." in any language: a word with a colon where the time should be. */
static bool is_average(tk_str line)
{
    tk_str word;
    if (!tk_str_take_word(&line, &word))
        return false;
    bool colon = word.p[word.n - 1] == ':';
    if (!tk_str_take_word(&line, &word))
        return false;
    if (!colon && tk_str_eq(word, TK_STR(":"))) /* French puts a space before it */
        colon = tk_str_take_word(&line, &word);
    return colon && is_cpu(word);
}

static int parse_cpu_header(struct tk_rawlog_parser *parser, tk_str names, int second,
                            bool meridiem, struct tk_err *err)
{
    struct tk_rawlog_facts *facts = &parser->facts;
    if (!facts->timed) {
        facts->timed = true;
        facts->header_s = second;
        facts->meridiem = meridiem;
    }
    return parse_columns(parser, names, TK_RAWLOG_CPU_IDLE, err);
}

static int too_few(const struct tk_rawlog_parser *parser, size_t count, struct tk_err *err)
{
    return tk_fail(err, -EBADMSG, "%zu values, expected %zu as in the header", count,
                   parser->column_count);
}

static int parse_cpu_values(const struct tk_rawlog_parser *parser, tk_str rest, bool whole,
                            struct tk_rawlog_row *row, struct tk_err *err)
{
    tk_str word;
    for (size_t i = 0; i < parser->column_count; i++) {
        if (!tk_str_take_word(&rest, &word))
            return too_few(parser, i, err);
        size_t value = parser->columns[i];
        int64_t number;
        if (value == TK_RAWLOG_VALUES)
            continue;
        if (!parse_decimal(word, 2, whole, &number))
            return wrong_value(i, word, err);
        row_set(row, value, number);
    }
    if (tk_str_take_word(&rest, &word)) {
        return tk_fail(err, -EBADMSG, "more values than the %zu of the header",
                       parser->column_count);
    }
    return TK_RAWLOG_ROW;
}

static int parse_cpu(struct tk_rawlog_parser *parser, tk_str line, bool whole,
                     struct tk_rawlog_row *row, struct tk_err *err)
{
    tk_str rest = line;
    if (tk_str_take_prefix(&rest, TK_STR("Linux ")))
        return parse_banner(parser, rest, err);
    tk_str which;
    if (!take_clock(&rest, &row->second_of_day, &row->meridiem)) {
        if (is_average(line))
            return TK_RAWLOG_SKIP;
        return tk_fail(err, -EBADMSG, "expected a time HH:MM:SS");
    }
    if (!tk_str_take_word(&rest, &which))
        return tk_fail(err, -EBADMSG, "expected a CPU after the time");
    if (!is_cpu(which))
        return tk_fail(err, -EBADMSG, "'%.*s' is no CPU", TK_STR_ARG(which));
    if (tk_str_eq(which, TK_STR("CPU")) || tk_str_eq(which, TK_STR("NODE")))
        return parse_cpu_header(parser, rest, row->second_of_day, row->meridiem, err);
    if (!tk_str_eq(which, TK_STR("all"))) /* one of several */
        return TK_RAWLOG_SKIP;
    if (parser->column_count == 0)
        return tk_fail(err, -EBADMSG, "row before the first header");
    if (!parser->ours) /* another section, as of interrupts */
        return TK_RAWLOG_SKIP;
    return parse_cpu_values(parser, rest, whole, row, err);
}

/* vmstat ----------------------------------------------------------------------- */

static int parse_mem_row(const struct tk_rawlog_parser *parser, tk_str rest,
                         struct tk_rawlog_row *row, struct tk_err *err)
{
    tk_str word;
    for (size_t i = 0; i < parser->column_count; i++) {
        if (!tk_str_take_word(&rest, &word))
            return too_few(parser, i, err);
        size_t value = parser->columns[i];
        uint64_t number;
        if (value == TK_RAWLOG_VALUES)
            continue;
        if (!tk_parse_u64(word, &number) || number > INT32_MAX)
            return wrong_value(i, word, err);
        row_set(row, value, (int64_t)number);
    }
    row->has_date = true;
    if (!tk_str_take_word(&rest, &word) || !parse_iso_date(word, &row->day_s) ||
        !take_clock(&rest, &row->second_of_day, &row->meridiem) || tk_str_take_word(&rest, &word)) {
        return tk_fail(err, -EBADMSG, "expected YYYY-MM-DD HH:MM:SS after the %zu values",
                       parser->column_count);
    }
    return TK_RAWLOG_ROW;
}

static int parse_mem(struct tk_rawlog_parser *parser, tk_str line, struct tk_rawlog_row *row,
                     struct tk_err *err)
{
    tk_str rest = line;
    tk_str word;
    (void)tk_str_take_word(&rest, &word); /* the line is not blank */
    if (tk_str_eq(word, TK_STR("procs")) || tk_str_eq(word, TK_STR("--procs--")))
        return TK_RAWLOG_SKIP;
    if (tk_str_eq(word, TK_STR("r"))) {
        int rc = parse_columns(parser, line, TK_RAWLOG_MEM_FREE, err);
        if (rc >= 0 && !parser->ours)
            return tk_fail(err, -EBADMSG, "header without a column 'free'");
        return rc;
    }
    if (word.p[0] < '0' || word.p[0] > '9')
        return tk_fail(err, -EBADMSG, "expected a row of numbers");
    if (parser->column_count == 0)
        return tk_fail(err, -EBADMSG, "row before the first header");
    return parse_mem_row(parser, line, row, err);
}

/* ifstat ----------------------------------------------------------------------- */

static int parse_ifaces(struct tk_rawlog_facts *facts, tk_str names, struct tk_err *err)
{
    size_t n = 0;
    for (tk_str word; tk_str_take_word(&names, &word); n++) {
        if (n == TK_RAWLOG_IFACES)
            return tk_fail(err, -EBADMSG, "more than %d interfaces", TK_RAWLOG_IFACES);
        set_fact(facts->ifaces[n], word);
    }
    facts->iface_count = n;
    return TK_RAWLOG_HEADER;
}

/* What follows "HH:MM:SS": "KB/s in" and "KB/s out" for each interface. */
static int parse_units(struct tk_rawlog_parser *parser, tk_str units, struct tk_err *err)
{
    static const char *const words[] = {"KB/s", "in", "KB/s", "out"};
    parser->ours = true;
    size_t i = 0;
    for (tk_str word; tk_str_take_word(&units, &word); i++) {
        const char *expected = words[i % TK_COUNTOF(words)];
        if (tk_str_eq(word, tk_str_from(expected)))
            continue;
        parser->ours = false;
        return tk_fail(err, -EBADMSG, "unit '%.*s', expected '%s'", TK_STR_ARG(word), expected);
    }
    return TK_RAWLOG_HEADER;
}

/* A rate in units of 1024 bytes/s, or "n/a", which leaves `*ret_known` false. The rate in bytes is
 * cut off below 1, from the decimal digits: 4.98 is 5099. */
static bool parse_rate(tk_str word, bool whole, int64_t *ret_rate, bool *ret_known)
{
    if (tk_str_eq(word, TK_STR("n/a")))
        return true;
    int64_t tenthousandths;
    if (!parse_decimal(word, 4, whole, &tenthousandths) || tenthousandths > INT64_MAX / 1024)
        return false;
    *ret_rate = tenthousandths * 1024 / 10000;
    *ret_known = true;
    return true;
}

/* Read in and out of interface `index`; "n/a" of either leaves both unset. */
static int parse_pair(tk_str *rest, size_t index, bool whole, struct tk_rawlog_row *row,
                      struct tk_err *err)
{
    int64_t rate[2];
    bool known[2] = {false, false};
    for (size_t i = 0; i < 2; i++) {
        tk_str word;
        if (!tk_str_take_word(rest, &word)) {
            return tk_fail(err, -EBADMSG, "%zu values, expected in and out of each interface",
                           2 * index + i);
        }
        if (!parse_rate(word, whole, &rate[i], &known[i]))
            return wrong_value(2 * index + i, word, err);
    }
    if (known[0] && known[1]) {
        row_set(row, 2 * index + TK_RAWLOG_NET_RX, rate[0]);
        row_set(row, 2 * index + TK_RAWLOG_NET_TX, rate[1]);
    }
    return 0;
}

static int parse_net_values(size_t ifaces, tk_str rest, bool whole, struct tk_rawlog_row *row,
                            struct tk_err *err)
{
    for (size_t i = 0; i < ifaces; i++) {
        int rc = parse_pair(&rest, i, whole, row, err);
        if (rc < 0)
            return rc;
    }
    tk_str word;
    if (tk_str_take_word(&rest, &word))
        return tk_fail(err, -EBADMSG, "more than %zu values", 2 * ifaces);
    return row->present ? TK_RAWLOG_ROW : TK_RAWLOG_NO_VALUE;
}

static int parse_net(struct tk_rawlog_parser *parser, tk_str line, bool whole,
                     struct tk_rawlog_row *row, struct tk_err *err)
{
    tk_str rest = line;
    tk_str word;
    (void)tk_str_take_word(&rest, &word); /* the line is not blank */
    if (tk_str_eq(word, TK_STR("Time")))
        return parse_ifaces(&parser->facts, rest, err);
    if (tk_str_eq(word, TK_STR("HH:MM:SS")))
        return parse_units(parser, rest, err);
    row->has_date = parse_iso_date(word, &row->day_s);
    if (!row->has_date)
        rest = line;
    if (!take_clock(&rest, &row->second_of_day, &row->meridiem))
        return tk_fail(err, -EBADMSG, "expected a time HH:MM:SS");
    if (!parser->ours)
        return tk_fail(err, -EBADMSG, "the header names another unit than KB/s");
    size_t ifaces = parser->facts.iface_count;
    return parse_net_values(ifaces ? ifaces : 1, rest, whole, row, err);
}

/* All ------------------------------------------------------------------------- */

void tk_rawlog_parser_init(struct tk_rawlog_parser *parser, enum tk_rawlog_kind kind)
{
    *parser = (struct tk_rawlog_parser){.kind = kind, .ours = kind == TK_RAWLOG_NET};
}

int tk_rawlog_parse(struct tk_rawlog_parser *parser, tk_str line, bool whole,
                    struct tk_rawlog_row *ret_row, struct tk_err *err)
{
    ret_row->has_date = false;
    ret_row->present = 0;
    line = tk_str_trim(line);
    if (line.n == 0)
        return TK_RAWLOG_SKIP;
    switch (parser->kind) {
    case TK_RAWLOG_CPU:
        return parse_cpu(parser, line, whole, ret_row, err);
    case TK_RAWLOG_MEM:
        return parse_mem(parser, line, ret_row, err);
    case TK_RAWLOG_NET:
        return parse_net(parser, line, whole, ret_row, err);
    case TK_RAWLOG_KINDS:
        break;
    }
    return TK_RAWLOG_SKIP;
}
