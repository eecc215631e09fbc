/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/cmd.h"

#include <stdio.h>
#include <string.h>

#include "base/nearest.h"

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
