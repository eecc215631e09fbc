/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cmd/cmd.h"

static const struct tk_opt options[] = {{0}};

static int run(const struct tk_cmd *cmd, int argc, char **argv)
{
    int first;
    int status;
    if (!tk_cmd_parse(cmd, NULL, argc, argv, &first, &status))
        return status;
    if (first < argc)
        return tk_cmd_usage(cmd, "'%s' is one argument too many", argv[first]);
    puts("tracekit " TK_VERSION);
    return TK_EXIT_OK;
}

const struct tk_cmd tk_cmd_version = {
    .name = "version",
    .args = "",
    .help = "show the version",
    .options = options,
    .run = run,
};
