/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"

static const struct tk_opt options[] = {{0}};

static void show_commands(void)
{
    puts("usage: tracekit COMMAND [options] [arguments]\n\n"
         "Record what ran on a machine, explain it, compress it, export it.\n");
    int width = 0;
    for (const struct tk_cmd *const *cmd = tk_commands; *cmd; cmd++) {
        int n = (int)strlen((*cmd)->name);
        width = !(*cmd)->hidden && n > width ? n : width;
    }
    for (const struct tk_cmd *const *cmd = tk_commands; *cmd; cmd++) {
        if (!(*cmd)->hidden)
            printf("  %-*s %s\n", width, (*cmd)->name, (*cmd)->help);
    }
    puts("\n`tracekit COMMAND --help` shows the options, `man tracekit-COMMAND` the manual.");
}

static int run(const struct tk_cmd *cmd, int argc, char **argv)
{
    int first = tk_cmd_begin(cmd, NULL, argc, argv);
    if (first <= 0)
        return -first;
    if (first == argc) {
        show_commands();
        return TK_EXIT_OK;
    }
    const struct tk_cmd *about = tk_cmd_find(argv[first]);
    if (!about)
        return tk_cmd_unknown(argv[first]);
    if (first + 1 < argc)
        return tk_cmd_usage(cmd, "'%s' is one argument too many", argv[first + 1]);
    tk_cmd_show_help(about);
    return TK_EXIT_OK;
}

const struct tk_cmd tk_cmd_help = {
    .name = "help",
    .args = "[COMMAND]",
    .help = "show the list of commands, or the help of one",
    .options = options,
    .run = run,
};
