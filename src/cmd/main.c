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

/* Become the full program; returns when that is not there. */
static int become_full(char **argv)
{
    char self[PATH_MAX];
    char path[PATH_MAX + sizeof(TK_LIBEXEC "/" TK_PROGRAM_FULL)];
    /* NOLINTNEXTLINE(performance-no-int-to-ptr): the kernel gives the name as a number */
    if (!realpath((const char *)getauxval(AT_EXECFN), self)) {
        (void)fprintf(stderr, "tracekit: where this program is: %s\n", strerrordesc_np(errno));
        return TK_EXIT_FAILED;
    }
    int folder = (int)(strrchr(self, '/') - self);
    for (size_t i = 0; i < TK_COUNTOF(places); i++) {
        (void)snprintf(path, sizeof(path), "%.*s/%s", folder, self, places[i]);
        (void)execv(path, argv);
        if (errno != ENOENT)
            break;
    }
    (void)fprintf(stderr, "tracekit: %s: %s (without it there are exec and step)\n", path,
                  strerrordesc_np(errno));
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
