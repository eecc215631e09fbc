/* SPDX-License-Identifier: Apache-2.0 */
/* A segment that is open for reading: its footer, what its metadata says, and rows into batches.
 * One thread at a time. */
#ifndef TK_SEGMENT_SEGMENT_FILE_H
#define TK_SEGMENT_SEGMENT_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/compiler.h"
#include "base/err.h"
#include "segment/columns.h"
#include "table/parquet_reader.h"

/* A column of attributes of one key. */
struct tk_segment_attr {
    tk_str key;
    enum tk_attr_type type;
    size_t leaf;
};

struct tk_segment_attrs {
    const struct tk_segment_attr *items;
    size_t count;
};

struct tk_segment_file {
    int fd;
    struct tk_parquet_file *parquet;
    struct tk_arena arena;         /* of what follows */
    struct tk_segment_attrs spans; /* promoted; the layouts of rows count them in this order */
    struct tk_segment_attrs resources;
    uint64_t rows;
    int64_t first_ns; /* earliest start */
    int64_t last_ns;  /* latest end */
    const uint32_t *replaces;
    size_t replace_count;
    tk_str operations; /* JSON; p == NULL when the file does not list them */
};

/* Open a file of the folder; `ret_file` must not move then. -ENOENT when it is not there, -EBADMSG
 * when it is no segment. */
TK_MUST_USE int tk_segment_file_open(int dirfd, const char *name, struct tk_segment_file *ret_file,
                                     struct tk_err *err);

/* Accepts a zeroed struct. */
void tk_segment_file_close(struct tk_segment_file *file);

/* The same from bytes in memory, borrowed: for tests and the fuzzer. */
TK_MUST_USE int tk_segment_file_init(const struct tk_parquet_source *source,
                                     struct tk_segment_file *ret_file, struct tk_err *err);

/* What a caller does not need of the rows. */
enum {
    TK_WITHOUT_ATTRS = 1U << 0,
    TK_WITHOUT_EVENTS = 1U << 1,
    TK_WITHOUT_LINKS = 1U << 2,
};

/* Scratch of readers, shared by many calls. */
struct tk_segment_reader;

TK_MUST_USE int tk_segment_reader_new(struct tk_segment_reader **ret_reader, struct tk_err *err);

/* Accepts NULL. */
void tk_segment_reader_free(struct tk_segment_reader *reader);

/* Rows of a row group. */
struct tk_segment_rows {
    struct tk_segment_file *file;
    size_t group;
    const uint32_t *rows; /* [n] ascending */
    size_t n;
    uint32_t without; /* TK_WITHOUT_*: left out of the batch */
};

/* Append rows to the batch, as many as there is room for. Returns how many in `ret_added`; -ENOBUFS
 * when not one fits. */
TK_MUST_USE int tk_segment_reader_read(struct tk_segment_reader *reader,
                                       const struct tk_segment_rows *rows,
                                       struct tk_span_batch *batch, size_t *ret_added,
                                       struct tk_err *err);

#endif
