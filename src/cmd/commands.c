/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/cmd.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/nearest.h"
#include "report/look.h"
#include "run/run.h"

/* One command a line. */
/* clang-format off */
const struct tk_cmd *const tk_commands[] = {
    &tk_cmd_record,
    &tk_cmd_collect,
    &tk_cmd_start_collect,
    &tk_cmd_stop_collect,
    &tk_cmd_wrap,
    &tk_cmd_exec,
    &tk_cmd_step,
    &tk_cmd_adapt,
    &tk_cmd_serve,
    &tk_cmd_parse_run,
    &tk_cmd_import,
    &tk_cmd_merge,
    &tk_cmd_join,
    &tk_cmd_show,
    &tk_cmd_spans,
    &tk_cmd_trace,
    &tk_cmd_top,
    &tk_cmd_export,
    &tk_cmd_fetch_jaeger,
    &tk_cmd_translate,
    &tk_cmd_compress,
    &tk_cmd_expand,
    &tk_cmd_truncate,
    &tk_cmd_tkz,
    &tk_cmd_model,
    &tk_cmd_replay,
    &tk_cmd_verify,
    &tk_cmd_compare,
    &tk_cmd_calibrate,
    &tk_cmd_fidelity,
    &tk_cmd_lab,
    &tk_cmd_report,
    &tk_cmd_doctor,
    &tk_cmd_schema,
    &tk_cmd_parquet,
    &tk_cmd_completion,
    &tk_cmd_help,
    &tk_cmd_version,
    NULL,
};
/* clang-format on */

const struct tk_cmd *tk_cmd_find(const char *name)
{
    for (const struct tk_cmd *const *cmd = tk_commands; *cmd; cmd++) {
        if (strcmp((*cmd)->name, name) == 0)
            return *cmd;
    }
    return NULL;
}

int tk_cmd_unknown(const char *name)
{
    const char *names[TK_COUNTOF(tk_commands)];
    size_t count = 0;
    for (const struct tk_cmd *const *cmd = tk_commands; *cmd; cmd++)
        names[count++] = (*cmd)->name;
    const char *meant = tk_nearest_find(name, names, count);
    (void)fprintf(stderr, "tracekit: '%s' is no command", name);
    if (meant)
        (void)fprintf(stderr, ": did you mean '%s'?", meant);
    (void)fputs(" (see tracekit help)\n", stderr);
    return TK_EXIT_USAGE;
}

int tk_cmd_begin(const struct tk_cmd *cmd, void *opts, int argc, char **argv)
{
    int first;
    struct tk_err err;
    if (cmd->reads_run_env && tk_run_env_load(&err) < 0)
        return -tk_cmd_fail(cmd, &err);
    int rc = cmd->mixed ? tk_opt_parse_mixed(cmd->options, opts, argc, argv, &first, &err)
                        : tk_opt_parse(cmd->options, opts, argc, argv, &first, &err);
    if (rc < 0)
        return -tk_cmd_usage(cmd, "%s", err.msg);
    if (rc > 0) {
        tk_cmd_show_help(cmd);
        return -TK_EXIT_OK;
    }
    if (first == argc && cmd->missing)
        return -tk_cmd_usage(cmd, "%s", cmd->missing);
    if (first < argc && *cmd->args == '\0')
        return -tk_cmd_usage(cmd, "'%s' is one argument too many", argv[first]);
    return first;
}

int tk_cmd_usage(const struct tk_cmd *cmd, const char *fmt, ...)
{
    (void)fprintf(stderr, "tracekit %s: ", cmd->name);
    va_list args;
    va_start(args, fmt);
    (void)vfprintf(stderr, fmt, args);
    va_end(args);
    (void)fprintf(stderr, " (see tracekit %s --help)\n", cmd->name);
    return TK_EXIT_USAGE;
}

int tk_cmd_refuse(const struct tk_cmd *cmd, const char *word)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf list;
    tk_buf_init(&list, 4096);
    size_t count = 0;
    for (; cmd->verbs[count]; count++)
        tk_buf_printf(&list, "%s%s", count > 0 ? ", " : "", cmd->verbs[count]);
    const char *meant = tk_nearest_find(word, cmd->verbs, count);
    return tk_cmd_usage(cmd, "'%s' is none of %.*s%s%s%s", word, TK_STR_ARG(tk_buf_str(&list)),
                        meant ? ": did you mean '" : "", meant ? meant : "", meant ? "'?" : "");
}

int tk_cmd_fail(const struct tk_cmd *cmd, const struct tk_err *err)
{
    (void)fprintf(stderr, "tracekit %s: %s\n", cmd->name, err->msg);
    return TK_EXIT_FAILED;
}

/* Of --help: lines that are much longer are hard to read, however wide the terminal. */
static int help_width(void)
{
    enum { WIDEST = 100 };
    struct tk_look look;
    tk_look_init(&look, STDOUT_FILENO);
    int width = look.width < WIDEST ? look.width : WIDEST;
    tk_look_release(&look);
    return width;
}

void tk_cmd_show_help(const struct tk_cmd *cmd)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, 65536);
    tk_buf_printf(&out, "usage: tracekit %s [options]%s%s\n\n%s\n\n", cmd->name,
                  *cmd->args ? " " : "", cmd->args, cmd->help);
    tk_opt_help(cmd->options, help_width(), &out);
    if (cmd->about)
        tk_buf_printf(&out, "\n%s\n", cmd->about);
    (void)fwrite(out.p, 1, out.n, stdout);
}
