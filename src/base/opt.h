/* SPDX-License-Identifier: Apache-2.0 */
/* Command-line options from a const table. The table drives parsing, --help, the shell completion
 * and the test of the manual pages. Values go into the command's own options struct, whose
 * defaults the command sets before it calls tk_opt_parse(); then the environment is applied, then
 * the command line, so that the latter wins. Not thread-safe (getopt). */
#ifndef TK_BASE_OPT_H
#define TK_BASE_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"

enum tk_opt_type {
    TK_OPT_FLAG,     /* bool; set to true. In the environment: "1" is true, all else false */
    TK_OPT_STRING,   /* const char *, borrowed from argv or the environment */
    TK_OPT_INT,      /* int64_t, decimal, within min..max */
    TK_OPT_DURATION, /* int64_t ns, "250us", "100ms", "1.5s", "2m", "1h"; a bare number is ms */
    TK_OPT_PERCENT,  /* double, a share: "2", "0.5" or "0.5%" of a hundred; min..max in per cent */
    TK_OPT_F64,      /* double, decimal; min..max */
    TK_OPT_CHOICE,   /* int: index in `choices` */
    TK_OPT_LIST,     /* struct tk_opt_list: the option may come several times; texts as of STRING */
};

#define TK_OPT_LIST_MAX 64

struct tk_opt_list {
    const char *items[TK_OPT_LIST_MAX];
    size_t count;
};

/* NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): in the order that tables want */
struct tk_opt {
    const char *name; /* without dashes, "interval"; NULL ends the table */
    enum tk_opt_type type;
    size_t offset;    /* of the field in the options struct */
    const char *arg;  /* name of the value in the help, "DIR"; NULL for flags */
    const char *help; /* one line, lower case, no full stop */
    char letter;      /* short form; 0 = none */
    const char *env;  /* environment variable that sets it; NULL = none */
    int64_t min,
        max; /* INT, DURATION, PERCENT, F64; both 0 = no limit but the type's, and not negative */
    const char *const *choices; /* CHOICE: NULL-terminated words */
    size_t given;    /* of a bool that is set when the command line has the option; 0 = none */
    bool needs_unit; /* DURATION: a bare number is refused, for who gives one means seconds or days
                      */
};

/* Parse argv[1..] up to the first argument that is no option, or past "--".
 *
 *   opts       the options struct, defaults set
 *   ret_first  index in argv of the first positional argument
 *
 * Returns 0; 1 when --help or -h was given; -EINVAL with a message such as "option '--interval':
 * 'soon' is not a duration". An environment value that does not parse fails the same way and
 * names the variable; an empty one counts as unset. */
TK_MUST_USE int tk_opt_parse(const struct tk_opt *options, void *opts, int argc, char **argv,
                             int *ret_first, struct tk_err *err);

/* The same with options also after and between the positional arguments, which are moved to the end
 * of argv ("show RUN --json"). */
TK_MUST_USE int tk_opt_parse_mixed(const struct tk_opt *options, void *opts, int argc, char **argv,
                                   int *ret_first, struct tk_err *err);

/* Append the option list of --help, aligned, in lines of at most `width` columns where the words
 * allow it: descriptions go on below where they begin. */
void tk_opt_help(const struct tk_opt *options, int width, struct tk_buf *out);

/* Parse a duration as TK_OPT_DURATION says; false when it is none or does not fit. */
bool tk_duration_parse(const char *text, int64_t *ret_ns);

/* Parse per cent as TK_OPT_PERCENT says, "0.5" or "0.5%": 0.5; false when it is none, or negative.
 */
bool tk_percent_parse(const char *text, double *ret_percent);

#endif
