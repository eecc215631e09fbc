/* SPDX-License-Identifier: Apache-2.0 */
/* `tracekit`: the commands of build steps, and the way to all others (program.h). */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "cmd/program.h"

static const struct tk_cmd *const quick[] = {&tk_cmd_exec, &tk_cmd_step};

/* Where the full program is, from the folder of this one: beside it in a build, and where it is
 * installed. */
static const char *const places[] = {TK_PROGRAM_FULL, TK_LIBEXEC "/" TK_PROGRAM_FULL};

struct attempt {
    char path[PATH_MAX + sizeof(TK_LIBEXEC "/" TK_PROGRAM_FULL)];
    int error;
};

/* Become the full program as seen from the folder of `self`; returns when it is not there. */
static void become_from(const char *self, char **argv, struct attempt *ret)
{
    const char *slash = strrchr(self, '/');
    int folder = slash ? (int)(slash - self) + 1 : 0;
    for (size_t i = 0; i < TK_COUNTOF(places); i++) {
        (void)snprintf(ret->path, sizeof(ret->path), "%.*s%s", folder, self, places[i]);
        (void)execv(ret->path, argv);
        ret->error = errno;
        if (ret->error != ENOENT)
            return;
    }
}

/* By the name that this program was started by, which holds also where a mount hides the folder
 * that we are in, and where that leads. */
static int become_full(char **argv)
{
    char real[PATH_MAX];
    struct attempt attempt;
    /* NOLINTNEXTLINE(performance-no-int-to-ptr): the kernel gives the name as a number */
    const char *name = (const char *)getauxval(AT_EXECFN);
    become_from(name, argv, &attempt);
    if (attempt.error == ENOENT && realpath(name, real))
        become_from(real, argv, &attempt);
    (void)fprintf(stderr, "tracekit: %s: %s (without it there are exec and step)\n", attempt.path,
                  strerrordesc_np(attempt.error));
    return TK_EXIT_FAILED;
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < TK_COUNTOF(quick); i++) {
        if (strcmp(argv[1], quick[i]->name) == 0)
            return tk_program_run(quick[i], argc, argv);
    }
    return become_full(argv);
}
