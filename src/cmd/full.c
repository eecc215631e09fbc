/* SPDX-License-Identifier: Apache-2.0 */
/* `tracekit-full`: all commands (program.h). */
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "cmd/program.h"

/* `tracekit --help` and `tracekit --version` are what one types at any tool. */
static const char *command_name(const char *word)
{
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        return "help";
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0)
        return "version";
    return word;
}

int main(int argc, char **argv)
{
    (void)prctl(PR_SET_NAME, "tracekit"); /* by which users, and recordings, know it */
    if (argc < 2) {
        (void)fputs("tracekit: a command is missing (see tracekit help)\n", stderr);
        return TK_EXIT_USAGE;
    }
    const struct tk_cmd *cmd = tk_cmd_find(command_name(argv[1]));
    return cmd ? tk_program_run(cmd, argc, argv) : tk_cmd_unknown(argv[1]);
}
