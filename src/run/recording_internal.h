/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the recording share: its frames, one after the other, and its index. */
#ifndef TK_RUN_RECORDING_INTERNAL_H
#define TK_RUN_RECORDING_INTERNAL_H

#include "run/recording.h"

/* A way through the frames of a file. */
struct tk_frames {
    int fd; /* owned; -1 = not open */
    uint64_t size;
    uint64_t next; /* where the next frame is looked for */
    uint64_t at;   /* where the last one was */
    struct tk_recording_frame frame;
    struct tk_buf payload; /* of it, once loaded */
    uint64_t damaged;      /* places that were passed over */
    bool torn;             /* the file ends within a frame */
};

/* Open the recording in a folder, -ENOENT when there is none; for TK_CLEANUP below. */
TK_MUST_USE int tk_frames_open(struct tk_frames *frames, int dirfd, struct tk_err *err);

/* Walk through an open file, which is borrowed. */
TK_MUST_USE int tk_frames_init(struct tk_frames *frames, int fd, struct tk_err *err);
void tk_frames_close(struct tk_frames *frames);

/* Read the header of the next frame that there is: 0, or 1 at the end. What is no frame is passed
 * over and counted. */
TK_MUST_USE int tk_frames_next(struct tk_frames *frames, struct tk_err *err);

/* Read the payload of the frame. -EBADMSG when it is damaged: it is counted, and the next frame is
 * looked for within its bytes, since one that was never written whole has others there. */
TK_MUST_USE int tk_frames_load(struct tk_frames *frames, struct tk_err *err);

/* Index ------------------------------------------------------------------------- */

struct tk_index_entry {
    uint64_t at; /* of the frame in the file */
    uint32_t table;
    bool begins; /* a group */
    int64_t first;
    int64_t last;
};

/* Entries of one index frame, and how many there are at most. */
#define TK_INDEX_MAX 512
struct tk_index {
    struct tk_index_entry entries[TK_INDEX_MAX];
    size_t count;
    uint64_t before; /* where the index frame before this one is; 0 = none */
};

/* Append the index as a frame that will lie at `at`. */
void tk_index_encode(const struct tk_index *index, uint64_t at, struct tk_buf *out);

/* Read the index frame at `at`. -EBADMSG when there is none. */
TK_MUST_USE int tk_index_read(struct tk_frames *frames, uint64_t at, struct tk_index *ret_index,
                              struct tk_err *err);

/* Where the index is that the file ends with; 0 = there is none. */
uint64_t tk_index_find(const struct tk_frames *frames);

#endif
