/* SPDX-License-Identifier: Apache-2.0 */
/* The recording of a folder as it grows, for the run writer. */
#ifndef TK_RUN_RECORDING_WRITE_H
#define TK_RUN_RECORDING_WRITE_H

#include "run/recording_internal.h"
#include "run/run_internal.h"

struct tk_recording_file {
    int dirfd;                      /* borrowed */
    const struct tk_run_disk *disk; /* borrowed */
    int fd;                         /* -1 before the first block */
    uint64_t size;                  /* where the next frame goes */
    bool to_be_cut;                 /* there is something behind that */
    struct tk_index *index;         /* of blocks that no index in the file has; owned */
    uint64_t torn;                  /* blocks cut off when the file was opened */
};

/* Told of each frame that is in the file. */
struct tk_recording_taken {
    void (*take)(void *context, const struct tk_recording_frame *frame);
    void *context;
};

/* Opens nothing yet. */
void tk_recording_file_init(struct tk_recording_file *file, int dirfd,
                            const struct tk_run_disk *disk);

/* Append whole frames. When the disk does not take all of them, those that fit whole stay. */
TK_MUST_USE int tk_recording_file_append(struct tk_recording_file *file, tk_str frames,
                                         const struct tk_recording_taken *taken,
                                         struct tk_err *err);

/* Write the index, and have all on the disk. */
TK_MUST_USE int tk_recording_file_sync(struct tk_recording_file *file, struct tk_err *err);

/* Close the file and free; it may have no index then. */
void tk_recording_file_release(struct tk_recording_file *file);

#endif
