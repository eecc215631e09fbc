/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
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
 * fills the gap fails when it is used, as a closed descriptor does, and is closed again for a
 * command that we run. */
static void fill_standard_fds(void)
{
    int fd;
    do {
        fd = open("/dev/null", O_PATH | O_CLOEXEC);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        (void)close(fd);
}

/* Results that did not arrive are a failure, also when the write that failed was not the last. */
static int close_stdout(int status)
{
    errno = 0;
    bool failed = ferror(stdout);
    failed = fflush(stdout) != 0 || failed;
    if (!failed || status != TK_EXIT_OK)
        return status;
    (void)fprintf(stderr, "tracekit: stdout: %s\n",
                  errno ? strerrordesc_np(errno) : "not all of it could be written");
    return TK_EXIT_FAILED;
}

int main(int argc, char **argv)
{
    fill_standard_fds();
    if (argc < 2) {
        (void)fputs("tracekit: a command is missing (see tracekit help)\n", stderr);
        return TK_EXIT_USAGE;
    }
    const struct tk_cmd *cmd = tk_cmd_find(command_name(argv[1]));
    if (!cmd)
        return tk_cmd_unknown(argv[1]);
    return close_stdout(cmd->run(cmd, argc - 1, argv + 1));
}
