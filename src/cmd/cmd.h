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
    const char *args;    /* positional arguments in the usage line, "-- CMD [ARG...]"; may be "" */
    const char *help;    /* one line, lower case, no full stop */
    const char *about;   /* paragraph or examples at the end of --help; may be NULL */
    const char *missing; /* told where no argument is given; NULL = that is fine */
    const struct tk_opt *options; /* ends with {0}; never NULL */
    const char *const *verbs;     /* first-argument words such as "start"; NULL = none */
    bool reads_run_env;           /* run_id.env gives defaults of the environment */
    bool hidden;                  /* an alias: works, is not listed */
    bool mixed; /* options may stand after arguments too: all but what runs a command */

    /* argv[0] is the command's name. Returns the exit status of the program. */
    int (*run)(const struct tk_cmd *cmd, int argc, char **argv);
};

extern const struct tk_cmd tk_cmd_adapt;
extern const struct tk_cmd tk_cmd_calibrate;
extern const struct tk_cmd tk_cmd_collect;
extern const struct tk_cmd tk_cmd_compare;
extern const struct tk_cmd tk_cmd_completion;
extern const struct tk_cmd tk_cmd_compress;
extern const struct tk_cmd tk_cmd_doctor;
extern const struct tk_cmd tk_cmd_exec;
extern const struct tk_cmd tk_cmd_expand;
extern const struct tk_cmd tk_cmd_export;
extern const struct tk_cmd tk_cmd_fidelity;
extern const struct tk_cmd tk_cmd_fetch_jaeger;
extern const struct tk_cmd tk_cmd_help;
extern const struct tk_cmd tk_cmd_import;
extern const struct tk_cmd tk_cmd_join;
extern const struct tk_cmd tk_cmd_lab;
extern const struct tk_cmd tk_cmd_merge;
extern const struct tk_cmd tk_cmd_model;
extern const struct tk_cmd tk_cmd_parquet;
extern const struct tk_cmd tk_cmd_parse_run; /* "parse" */
extern const struct tk_cmd tk_cmd_record;
extern const struct tk_cmd tk_cmd_replay;
extern const struct tk_cmd tk_cmd_report;
extern const struct tk_cmd tk_cmd_schema;
extern const struct tk_cmd tk_cmd_serve;
extern const struct tk_cmd tk_cmd_show;
extern const struct tk_cmd tk_cmd_spans;
extern const struct tk_cmd tk_cmd_start_collect;
extern const struct tk_cmd tk_cmd_step;
extern const struct tk_cmd tk_cmd_stop_collect;
extern const struct tk_cmd tk_cmd_tkz;
extern const struct tk_cmd tk_cmd_top;
extern const struct tk_cmd tk_cmd_trace;
extern const struct tk_cmd tk_cmd_translate;
extern const struct tk_cmd tk_cmd_truncate;
extern const struct tk_cmd tk_cmd_verify;
extern const struct tk_cmd tk_cmd_version;
extern const struct tk_cmd tk_cmd_wrap;

/* All subcommands, in the order of the help; ends with NULL. */
extern const struct tk_cmd *const tk_commands[];

/* The command of that name, or NULL. */
const struct tk_cmd *tk_cmd_find(const char *name);

/* Tell on stderr that there is no such command, and which may be meant; returns TK_EXIT_USAGE. */
int tk_cmd_unknown(const char *name);

/* How each command begins: parse its options into `opts` (NULL where it has none), after run_id.env
 * where it reads that, and see that there are arguments where it needs some and none where it takes
 * none. Returns the index in argv of the first argument, argc when there is none; or, when the
 * command is to end here (help was printed to stdout, or an error to stderr), its exit status with
 * a minus:
 *
 *   int first = tk_cmd_begin(cmd, &opts, argc, argv);
 *   if (first <= 0)
 *       return -first;
 */
TK_MUST_USE int tk_cmd_begin(const struct tk_cmd *cmd, void *opts, int argc, char **argv);

/* Print "tracekit NAME: MESSAGE" plus a hint at --help to stderr; returns TK_EXIT_USAGE. */
int tk_cmd_usage(const struct tk_cmd *cmd, const char *fmt, ...) TK_PRINTF(2, 3);

/* Print that `word` is none of the verbs of `cmd`, and which is meant; returns TK_EXIT_USAGE. */
int tk_cmd_refuse(const struct tk_cmd *cmd, const char *word);

/* Print "tracekit NAME: MESSAGE" to stderr; returns TK_EXIT_FAILED. */
int tk_cmd_fail(const struct tk_cmd *cmd, const struct tk_err *err);

/* Print the --help text of `cmd` to stdout. */
void tk_cmd_show_help(const struct tk_cmd *cmd);

#endif
