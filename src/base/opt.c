/* SPDX-License-Identifier: Apache-2.0 */
#include "base/opt.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/nearest.h"
#include "base/number.h"

#define MAX_OPTIONS 64
#define HELP_LETTER 'h'
/* getopt_long() returns this plus the index for an option of the table: above any letter. */
#define FIRST_LONG 256

static const struct {
    const char *unit;
    double ns;
} duration_units[] = {
    {"", 1e6}, {"ms", 1e6}, {"s", 1e9},    {"us", 1e3},
    {"ns", 1}, {"m", 60e9}, {"h", 3600e9}, {"d", 86400e9},
};

bool tk_duration_parse(const char *text, int64_t *ret_ns)
{
    /* Digits and one point only: strtod() alone would take "inf", "0x1p3" and "1e9". */
    size_t digits = strspn(text, "0123456789.");
    char number[32];
    if (digits == 0 || digits >= sizeof(number))
        return false;
    memcpy(number, text, digits);
    number[digits] = '\0';
    char *end;
    double value = strtod(number, &end);
    if (*end != '\0')
        return false;
    for (size_t i = 0; i < TK_COUNTOF(duration_units); i++) {
        if (strcmp(text + digits, duration_units[i].unit) != 0)
            continue;
        double ns = value * duration_units[i].ns;
        if (ns >= 9e18)
            return false;
        *ret_ns = (int64_t)(ns + 0.5);
        return true;
    }
    return false;
}

static bool in_range(const struct tk_opt *option, int64_t value)
{
    if (option->min == 0 && option->max == 0)
        return value >= 0;
    return value >= option->min && value <= option->max;
}

static bool int_parse(const char *text, int64_t *ret)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0)
        return false;
    *ret = value;
    return true;
}

static int set_choice(const struct tk_opt *option, void *field, const char *text,
                      const char *source, struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf words;
    tk_buf_init(&words, 400);
    for (int i = 0; option->choices[i]; i++) {
        if (strcmp(option->choices[i], text) == 0) {
            memcpy(field, &i, sizeof(i));
            return 0;
        }
        tk_buf_printf(&words, "%s%s", i ? ", " : "", option->choices[i]);
    }
    return tk_fail(err, -EINVAL, "%s: '%s' is none of %.*s", source, text,
                   TK_STR_ARG(tk_buf_str(&words)));
}

/* In the largest unit of which it is a whole number: "10ms", "1h". */
static const char *format_limit(int64_t ns, char ret_text[32])
{
    static const struct {
        const char *unit;
        int64_t ns;
    } units[] = {{"h", 3600 * TK_NS_PER_S}, {"s", TK_NS_PER_S}, {"ms", TK_NS_PER_MS}, {"ns", 1}};
    size_t i = 0;
    while (ns % units[i].ns != 0)
        i++;
    (void)snprintf(ret_text, 32, "%lld%s", (long long)(ns / units[i].ns), units[i].unit);
    return ret_text;
}

static int out_of_range(const struct tk_opt *option, const char *text, const char *source,
                        struct tk_err *err)
{
    char min[32];
    char max[32];
    if (option->type == TK_OPT_DURATION) {
        return tk_fail(err, -EINVAL, "%s: '%s' is out of range, expected %s to %s", source, text,
                       format_limit(option->min, min), format_limit(option->max, max));
    }
    if (option->max == INT64_MAX) {
        return tk_fail(err, -EINVAL, "%s: %s is out of range, expected %lld or more", source, text,
                       (long long)option->min);
    }
    return tk_fail(err, -EINVAL, "%s: %s is out of range, expected %lld to %lld", source, text,
                   (long long)option->min, (long long)option->max);
}

static int set_number(const struct tk_opt *option, void *field, const char *text,
                      const char *source, struct tk_err *err)
{
    bool duration = option->type == TK_OPT_DURATION;
    int64_t value;
    if (!(duration ? tk_duration_parse(text, &value) : int_parse(text, &value))) {
        return tk_fail(err, -EINVAL, "%s: '%s' is not a %s", source, text,
                       duration ? "duration such as 100ms or 2s" : "whole number");
    }
    if (option->needs_unit && value != 0 && strspn(text, "0123456789.") == strlen(text)) {
        return tk_fail(err, -EINVAL, "%s: '%s' has no unit, expected such as 100ms or 2s", source,
                       text);
    }
    if (!in_range(option, value))
        return out_of_range(option, text, source, err);
    memcpy(field, &value, sizeof(value));
    return 0;
}

bool tk_percent_parse(const char *text, double *ret_percent)
{
    tk_str number = tk_str_from(text);
    if (tk_str_ends_with(number, TK_STR("%")))
        number.n--;
    return tk_parse_f64(number, ret_percent) && *ret_percent >= 0;
}

static int set_f64(const struct tk_opt *option, void *field, const char *text, const char *source,
                   struct tk_err *err)
{
    bool percent = option->type == TK_OPT_PERCENT;
    double value;
    bool ok = percent ? tk_percent_parse(text, &value)
                      : tk_parse_f64(tk_str_from(text), &value) && value >= 0;
    if (!ok) {
        return tk_fail(err, -EINVAL, "%s: '%s' is not a %s", source, text,
                       percent ? "number of per cent such as 2 or 0.5" : "number such as 2 or 0.5");
    }
    if (option->max != 0 && (value < (double)option->min || value > (double)option->max)) {
        return tk_fail(err, -EINVAL, "%s: %s is out of range, expected %lld to %lld", source, text,
                       (long long)option->min, (long long)option->max);
    }
    if (percent)
        value /= 100;
    memcpy(field, &value, sizeof(value));
    return 0;
}

static int add_item(void *field, const char *text, const char *source, struct tk_err *err)
{
    struct tk_opt_list *list = field;
    if (list->count == TK_OPT_LIST_MAX)
        return tk_fail(err, -EINVAL, "%s: more than %d times", source, TK_OPT_LIST_MAX);
    list->items[list->count++] = text;
    return 0;
}

/* `source` is how the message names where the value came from: "option '--interval'". */
static int set_value(const struct tk_opt *option, void *opts, const char *text, const char *source,
                     struct tk_err *err)
{
    void *field = (char *)opts + option->offset;
    switch (option->type) {
    case TK_OPT_FLAG:
        *(bool *)field = !text || strcmp(text, "1") == 0;
        return 0;
    case TK_OPT_STRING:
        memcpy(field, &text, sizeof(text));
        return 0;
    case TK_OPT_CHOICE:
        return set_choice(option, field, text, source, err);
    case TK_OPT_INT:
    case TK_OPT_DURATION:
        return set_number(option, field, text, source, err);
    case TK_OPT_PERCENT:
    case TK_OPT_F64:
        return set_f64(option, field, text, source, err);
    case TK_OPT_LIST:
        return add_item(field, text, source, err);
    }
    return tk_fail(err, -EINVAL, "%s: unknown type", source);
}

static int apply_environment(const struct tk_opt *options, void *opts, struct tk_err *err)
{
    for (const struct tk_opt *option = options; option->name; option++) {
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): nothing in tracekit changes the environment */
        const char *text = option->env ? getenv(option->env) : NULL;
        if (!text || !*text)
            continue;
        char source[64];
        (void)snprintf(source, sizeof(source), "environment variable %s", option->env);
        int rc = set_value(option, opts, text, source, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* The same table in getopt's two forms. Returns the number of options. */
static int to_getopt(const struct tk_opt *options, bool mixed, struct option *longs, char *shorts)
{
    int n = 0;
    if (!mixed)
        *shorts++ = '+'; /* stop at the first positional argument */
    *shorts++ = ':';     /* tell a missing value from an unknown option */
    *shorts++ = HELP_LETTER;
    for (; options[n].name && n < MAX_OPTIONS - 2; n++) {
        int has_arg = options[n].type == TK_OPT_FLAG ? no_argument : required_argument;
        longs[n] = (struct option){options[n].name, has_arg, NULL, FIRST_LONG + n};
        if (options[n].letter) {
            *shorts++ = options[n].letter;
            if (has_arg == required_argument)
                *shorts++ = ':';
        }
    }
    longs[n] = (struct option){"help", no_argument, NULL, HELP_LETTER};
    longs[n + 1] = (struct option){0};
    *shorts = '\0';
    return n;
}

static int index_of(const struct tk_opt *options, int count, int code)
{
    if (code >= FIRST_LONG)
        return code - FIRST_LONG;
    for (int i = 0; i < count; i++) {
        if (options[i].letter == code)
            return i;
    }
    return -1;
}

/* "--colr" was perhaps meant to be "--color". */
static int unknown_option(const struct tk_opt *options, const char *given, struct tk_err *err)
{
    const char *names[MAX_OPTIONS] = {"help"};
    size_t count = 1;
    for (; options->name && count < MAX_OPTIONS; options++)
        names[count++] = options->name;
    bool is_long = strncmp(given, "--", 2) == 0;
    const char *meant = is_long ? tk_nearest_find(given + 2, names, count) : NULL;
    if (meant)
        return tk_fail(err, -EINVAL, "unknown option '%s': did you mean '--%s'?", given, meant);
    return tk_fail(err, -EINVAL, "unknown option '%s'", given);
}

static int usage_error(const struct tk_opt *options, int code, char **argv, struct tk_err *err)
{
    char letter[3] = {'-', (char)optopt, '\0'};
    bool is_letter = optopt > 0 && optopt < FIRST_LONG;
    const char *name = is_letter ? letter : argv[optind - 1];
    if (code == ':')
        return tk_fail(err, -EINVAL, "option '%s' needs a value", name);
    if (optopt >= FIRST_LONG) {
        return tk_fail(err, -EINVAL, "option '--%s' takes no value",
                       options[optopt - FIRST_LONG].name);
    }
    return unknown_option(options, name, err);
}

static int parse(const struct tk_opt *options, void *opts, bool mixed, int argc, char **argv,
                 struct tk_err *err)
{
    int rc = apply_environment(options, opts, err);
    if (rc < 0)
        return rc;

    struct option longs[MAX_OPTIONS];
    char shorts[3 + 2 * MAX_OPTIONS];
    int count = to_getopt(options, mixed, longs, shorts);
    opterr = 0;
    optind = 0; /* glibc: start anew and read the leading '+' */
    for (;;) {
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): options are parsed before any thread starts */
        int code = getopt_long(argc, argv, shorts, longs, NULL);
        if (code == -1)
            break;
        if (code == HELP_LETTER)
            return 1;
        int i = code == '?' || code == ':' ? -1 : index_of(options, count, code);
        if (i < 0)
            return usage_error(options, code, argv, err);
        char source[64];
        (void)snprintf(source, sizeof(source), "option '--%s'", options[i].name);
        rc = set_value(&options[i], opts, optarg, source, err);
        if (rc < 0)
            return rc;
        if (options[i].given)
            *(bool *)((char *)opts + options[i].given) = true;
    }
    return 0;
}

int tk_opt_parse(const struct tk_opt *options, void *opts, int argc, char **argv, int *ret_first,
                 struct tk_err *err)
{
    int rc = parse(options, opts, false, argc, argv, err);
    if (rc == 0)
        *ret_first = optind;
    return rc;
}

int tk_opt_parse_mixed(const struct tk_opt *options, void *opts, int argc, char **argv,
                       int *ret_first, struct tk_err *err)
{
    int rc = parse(options, opts, true, argc, argv, err);
    if (rc == 0)
        *ret_first = optind;
    return rc;
}

static int option_width(const struct tk_opt *option)
{
    return (int)strlen(option->name) + (option->arg ? (int)strlen(option->arg) + 1 : 0);
}

/* One word of a description that stands from column `indent` on; returns the column behind it. */
static int put_word(struct tk_buf *out, tk_str word, int column, int indent, int width)
{
    if (column > indent && column + 1 + (int)word.n > width) {
        tk_buf_printf(out, "\n%*s", indent, "");
        column = indent;
    }
    tk_buf_printf(out, "%s%.*s", column > indent ? " " : "", TK_STR_ARG(word));
    return column + (column > indent) + (int)word.n;
}

static void put_description(struct tk_buf *out, const struct tk_opt *option, int indent, int width)
{
    int column = indent;
    tk_str rest = tk_str_from(option->help);
    tk_str word;
    while (tk_str_take_word(&rest, &word))
        column = put_word(out, word, column, indent, width);
    if (option->env) {
        char env[64];
        (void)snprintf(env, sizeof(env), "[%s]", option->env);
        (void)put_word(out, tk_str_from(env), column, indent, width);
    }
    tk_buf_putc(out, '\n');
}

/* "  -r, --root DIR  read DIR/proc", with names padded to `name_width` columns. */
static void put_option(struct tk_buf *out, const struct tk_opt *option, int name_width, int width)
{
    static const char before[] = "  -x, --";
    if (option->letter) {
        tk_buf_printf(out, "  -%c, ", option->letter);
    } else {
        tk_buf_lit(out, "      ");
    }
    tk_buf_printf(out, "--%s%s%s%*s  ", option->name, option->arg ? " " : "",
                  option->arg ? option->arg : "", name_width - option_width(option), "");
    put_description(out, option, (int)strlen(before) + name_width + 2, width);
}

void tk_opt_help(const struct tk_opt *options, int width, struct tk_buf *out)
{
    static const struct tk_opt help = {"help", .help = "show this help", .letter = HELP_LETTER};
    int name_width = option_width(&help);
    for (const struct tk_opt *option = options; option->name; option++) {
        if (option_width(option) > name_width)
            name_width = option_width(option);
    }
    for (const struct tk_opt *option = options; option->name; option++)
        put_option(out, option, name_width, width);
    put_option(out, &help, name_width, width);
}
