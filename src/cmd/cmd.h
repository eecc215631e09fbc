/* SPDX-License-Identifier: Apache-2.0 */
/* Subcommands. To add one:
 *
 *   1. src/cmd/cmd_x.c with its `const struct tk_cmd tk_cmd_x`;
 *   2. its extern below and its line in commands.c;
 *   3. docs/man/tracekit-x.1.scd, the manual page (a test compares its options with the table), its
 *      line in meson.build and its entry in docs/man/tracekit.1.scd;
 *   4. tests/e2e/x.bats.
 *
 * Results go to stdout, everything else to stderr. Exit status: 0 done, 1 failed, 2 usage.
 */
#ifndef TK_CMD_CMD_H
#define TK_CMD_CMD_H

#include "base/compiler.h"
#include "base/err.h"
#include "base/opt.h"

enum tk_exit {
    TK_EXIT_OK = 0,
    TK_EXIT_FAILED = 1,
    TK_EXIT_USAGE = 2,
};

struct tk_cmd {
    const char *name;
    const char *args;  /* positional arguments in the usage line, "-- CMD [ARG...]"; may be "" */
    const char *help;  /* one line, lower case, no full stop */
    const char *about; /* paragraph or examples at the end of --help; may be NULL */
    const struct tk_opt *options; /* ends with {0}; never NULL */
    const char *const *verbs;     /* first-argument words such as "start"; NULL = none */
    bool reads_run_env;           /* run_id.env gives defaults of the environment */
    bool hidden;                  /* an alias: works, is not listed */
    bool mixed; /* options may stand after arguments too: all but what runs a command */

    /* argv[0] is the command's name. Returns the exit status of the program. */
    int (*run)(const struct tk_cmd *cmd, int argc, char **argv);
};

extern const struct tk_cmd tk_cmd_adapt;
extern const struct tk_cmd tk_cmd_collect;
extern const struct tk_cmd tk_cmd_compare;
extern const struct tk_cmd tk_cmd_completion;
extern const struct tk_cmd tk_cmd_doctor;
extern const struct tk_cmd tk_cmd_export;
extern const struct tk_cmd tk_cmd_help;
extern const struct tk_cmd tk_cmd_import;
extern const struct tk_cmd tk_cmd_merge;
extern const struct tk_cmd tk_cmd_parquet;
extern const struct tk_cmd tk_cmd_parse_run; /* "parse" */
extern const struct tk_cmd tk_cmd_record;
extern const struct tk_cmd tk_cmd_schema;
extern const struct tk_cmd tk_cmd_show;
extern const struct tk_cmd tk_cmd_start_collect;
extern const struct tk_cmd tk_cmd_stop_collect;
extern const struct tk_cmd tk_cmd_top;
extern const struct tk_cmd tk_cmd_verify;
extern const struct tk_cmd tk_cmd_version;
extern const struct tk_cmd tk_cmd_wrap;

/* All subcommands, in the order of the help; ends with NULL. */
extern const struct tk_cmd *const tk_commands[];

/* The command of that name, or NULL. */
const struct tk_cmd *tk_cmd_find(const char *name);

/* Tell on stderr that there is no such command, and which may be meant; returns TK_EXIT_USAGE. */
int tk_cmd_unknown(const char *name);

/* Parse the options of `cmd` into `opts`, after run_id.env where it reads that. True to go on with
 * argv[*ret_first]; false when the command is to return *ret_status (help was printed to stdout, or
 * an error to stderr). */
TK_MUST_USE bool tk_cmd_parse(const struct tk_cmd *cmd, void *opts, int argc, char **argv,
                              int *ret_first, int *ret_status);

/* Print "tracekit NAME: MESSAGE" plus a hint at --help to stderr; returns TK_EXIT_USAGE. */
int tk_cmd_usage(const struct tk_cmd *cmd, const char *fmt, ...) TK_PRINTF(2, 3);

/* Print "tracekit NAME: MESSAGE" to stderr; returns TK_EXIT_FAILED. */
int tk_cmd_fail(const struct tk_cmd *cmd, const struct tk_err *err);

/* Print the --help text of `cmd` to stdout. */
void tk_cmd_show_help(const struct tk_cmd *cmd);

#endif
