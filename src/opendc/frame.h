/* SPDX-License-Identifier: Apache-2.0 */
/* Some columns of a Parquet file, by name and some thousand rows at a time: for files of others, of
 * which a column may be missing, wider or narrower, optional or not. A folder of part files, in the
 * order of their names, is read as one file. One thread at a time. */
#ifndef TK_OPENDC_FRAME_H
#define TK_OPENDC_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "table/parquet_reader.h"

enum tk_frame_kind {
    TK_FRAME_I64,  /* of BOOL, I32, I64 */
    TK_FRAME_F64,  /* of those, F32, F64 */
    TK_FRAME_TEXT, /* of BYTES, and integers as decimal text */
    TK_FRAME_LIST, /* of I32 and I64: a list of numbers */
};

struct tk_frame_want {
    const char *path; /* "id", "parents.list.element" */
    enum tk_frame_kind kind;
};

/* One column of the rows at hand. Values of rows that have none are 0, NaN, "" or empty. */
struct tk_frame_column {
    bool is_there; /* the file has it, in a type that gives the kind */
    bool *has;     /* [rows] the row has a value */
    int64_t *i64;  /* [rows]; of a list [its numbers] */
    double *f64;
    tk_str *text;
    uint32_t *from; /* [rows + 1] of a list: where the numbers of a row begin in i64 */
};

struct tk_frame {
    size_t rows;                     /* at hand */
    uint64_t first_row;              /* number of the first of them, from 0 over all parts */
    struct tk_frame_column *columns; /* [wants] */
    struct tk_frame_private *private;
};

/* Open `path` below `dirfd`, a file or a folder of parts. -ENOENT when there is none or the folder
 * has no part; -EBADMSG when it is no Parquet file. */
TK_MUST_USE int tk_frame_new(int dirfd, const char *path, const struct tk_frame_want *wants,
                             size_t count, struct tk_frame **ret_frame, struct tk_err *err);

/* The next rows: 0, or 1 at the end. What the columns point to lives until the next call. */
TK_MUST_USE int tk_frame_next(struct tk_frame *frame, struct tk_err *err);

/* The Parquet file of a part, for its schema and metadata; NULL beyond the last. Borrowed. */
struct tk_parquet_file *tk_frame_part(const struct tk_frame *frame, size_t part);

/* Accepts NULL. */
void tk_frame_free(struct tk_frame *frame);

/* For TK_CLEANUP. */
void tk_frame_freep(struct tk_frame **frame);

#endif
