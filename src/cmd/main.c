/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"

/* `tracekit --help` and `tracekit --version` are what one types at any tool. */
static const char *command_name(const char *word)
{
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        return "help";
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0)
        return "version";
    return word;
}

/* Files that we open must not become the standard descriptors of somebody who closed these. What
 * fills the gap is closed again for a command that we run. */
static void fill_standard_fds(void)
{
    int fd;
    do {
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        (void)close(fd);
}

int main(int argc, char **argv)
{
    fill_standard_fds();
    if (argc < 2) {
        (void)fputs("tracekit: a command is missing (see tracekit help)\n", stderr);
        return TK_EXIT_USAGE;
    }
    const struct tk_cmd *cmd = tk_cmd_find(command_name(argv[1]));
    if (!cmd) {
        (void)fprintf(stderr, "tracekit: '%s' is no command (see tracekit help)\n", argv[1]);
        return TK_EXIT_USAGE;
    }
    int status = cmd->run(cmd, argc - 1, argv + 1);
    if (fflush(stdout) != 0 && status == TK_EXIT_OK) {
        perror("tracekit: stdout");
        return TK_EXIT_FAILED;
    }
    return status;
}
