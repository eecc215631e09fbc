/* SPDX-License-Identifier: Apache-2.0 */
/* The build documents in a folder, as `step finalize` and the original scripts left them: files
 * that end in ".json", whose names say nothing, in the order of time that stands at their
 * beginning. One thread at a time. */
#ifndef TK_CMD_BUILD_FOLDER_H
#define TK_CMD_BUILD_FOLDER_H

#include "step/job.h"

/* Most documents that are listed. */
#define TK_BUILD_FILES_MAX 2000

struct tk_build_file {
    const char *name; /* in the folder */
    tk_str kind;      /* "build" */
    double start;     /* of the job, epoch s; infinite where its beginning does not tell */
};

struct tk_build_files {
    struct tk_build_file *items; /* newest first */
    size_t count;
};

/* List the newest `most` of each kind (0 = all) in an open folder; all is in the arena. Of each
 * file only the beginning is read. Fails with the kernel's code, and with -EMSGSIZE when the arena
 * is full. */
TK_MUST_USE int tk_build_folder_list(int dirfd, size_t most, struct tk_arena *arena,
                                     struct tk_build_files *ret_files, struct tk_err *err);

#endif
