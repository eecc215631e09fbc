/* SPDX-License-Identifier: Apache-2.0 */
/* recording.tkr, the file of a run that was recorded with --compact (docs/format-recording.md): the
 * rows of all tables that grow, where other runs have a JSON Lines file per table. Readers of run.h
 * and lines.h find its rows by the names of those files, so that nobody else has to know which of
 * the two a run has. Damage costs the blocks that it hits and those that build on them; they are
 * passed over and counted. One thread at a time per object. */
#ifndef TK_RUN_RECORDING_H
#define TK_RUN_RECORDING_H

#include "run/schemas.h"
#include "table/table.h"

#define TK_RECORDING_FILE "recording.tkr"

/* The rows of one table. */
struct tk_recording_reader;

/* Of the recording in a folder. -ENOENT when there is none, or it has no block of this table. */
TK_MUST_USE int tk_recording_reader_new(int dirfd, const struct tk_schema *schema,
                                        struct tk_recording_reader **ret_reader,
                                        struct tk_err *err);

/* Pass over blocks without a row whose stamp is in [from, to), in the unit of the table's stamps
 * (us in all tables of a run); rows of other times may still come. To be called before the first
 * tk_recording_reader_next(). With the index of a run that ended well it goes to the first such
 * block at once. */
TK_MUST_USE int tk_recording_reader_set_range(struct tk_recording_reader *reader, int64_t from,
                                              int64_t to, struct tk_err *err);

/* Append the next rows to `out`, an empty batch of the schema, in the order of the file: 0, or 1 at
 * the end. */
TK_MUST_USE int tk_recording_reader_next(struct tk_recording_reader *reader, struct tk_batch *out,
                                         struct tk_err *err);

/* Accepts NULL. */
void tk_recording_reader_free(struct tk_recording_reader *reader);

/* The table whose JSON Lines file has this name in a run folder; TK_TABLE_COUNT = none. */
enum tk_table tk_recording_find_table(const char *name);

/* Whether the recording in a folder has rows of the table. */
bool tk_recording_has(int dirfd, enum tk_table table);

struct tk_recording_report {
    uint64_t blocks;      /* that can be read */
    uint64_t rows;        /* in them */
    uint64_t damaged;     /* places that are no frame, or one whose bytes are not those written */
    uint64_t lost_blocks; /* whole ones that build on one that is not there */
    uint64_t lost_rows;   /* in those, and in damaged blocks whose header tells */
    bool torn;            /* the file ends within a frame */
    bool indexed;         /* the file ends with an index: the recorder ended well */
};

/* Look at every frame. -ENOENT when the folder has no recording. */
TK_MUST_USE int tk_recording_check(int dirfd, struct tk_recording_report *ret_report,
                                   struct tk_err *err);

/* What a person should know of the report, "2 damaged places; 1,204 rows ...", with a NUL; false
 * and untouched when all is well. */
#define TK_RECORDING_TROUBLE_MAX 200
bool tk_recording_trouble_format(const struct tk_recording_report *report,
                                 char ret_text[TK_RECORDING_TROUBLE_MAX]);

#endif
