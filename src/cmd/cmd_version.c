/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cmd/cmd.h"

static const struct tk_opt options[] = {{0}};

static int run(const struct tk_cmd *cmd, int argc, char **argv)
{
    int first = tk_cmd_begin(cmd, NULL, argc, argv);
    if (first <= 0)
        return -first;
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
