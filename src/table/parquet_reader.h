/* SPDX-License-Identifier: Apache-2.0 */
/* Reading Parquet files, ours and those of others: pages of version 1 and 2, every encoding and
 * codec but LZO and the LZ4 of Hadoop. Nothing in a file is trusted: what does not fit is -EBADMSG,
 * what is too large -EMSGSIZE, what this build cannot do -EOPNOTSUPP.
 *
 *     tk_parquet_file_new(&source, &file, err);           the footer: schema, row groups
 *     tk_parquet_cursor_new(file, leaf, group, ...);      one column of one row group
 *     while (tk_parquet_cursor_next(...) == 0) ...        its values and levels, some at a time
 *
 * or, for whole rows as text, parquet_rows.h. Memory holds the footer, and per cursor a page and
 * its dictionary. Objects are for one thread at a time; several cursors of one file are one object,
 * as far as the source is. */
#ifndef TK_TABLE_PARQUET_READER_H
#define TK_TABLE_PARQUET_READER_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "table/parquet.h"

/* Where the bytes come from. */
struct tk_parquet_source {
    uint64_t size; /* of the file */

    /* Read exactly `n` bytes that lie within the size; a failure is handed on. */
    int (*read)(void *user, uint64_t offset, char *to, size_t n, struct tk_err *err);
    void *user;
};

/* The source of an open file, of `size` bytes; *fd must outlive it. */
struct tk_parquet_source tk_parquet_source_of(int *fd, uint64_t size);

struct tk_parquet_file;

/* Read the footer. The source is copied; what its `user` points to must outlive the file. */
TK_MUST_USE int tk_parquet_file_new(const struct tk_parquet_source *source,
                                    struct tk_parquet_file **ret_file, struct tk_err *err);

/* Accepts NULL. */
void tk_parquet_file_free(struct tk_parquet_file *file);

/* For TK_CLEANUP. */
void tk_parquet_file_freep(struct tk_parquet_file **file);

/* The footer, as it stands in the file; borrowed. Every row group has a chunk per column, of the
 * column's type. */
const struct tk_parquet_file_meta *tk_parquet_file_meta(const struct tk_parquet_file *file);

/* The schema; borrowed. A name never holds a NUL. */
const struct tk_parquet_node *tk_parquet_file_nodes(const struct tk_parquet_file *file,
                                                    size_t *ret_count);
const struct tk_parquet_leaf *tk_parquet_file_leaves(const struct tk_parquet_file *file,
                                                     size_t *ret_count);

/* The column of that path ("id", "parents.list.element"), or the count of columns. */
size_t tk_parquet_file_find(const struct tk_parquet_file *file, tk_str path);

/* Append the path of a column, its names joined by dots. */
void tk_parquet_file_put_path(const struct tk_parquet_file *file, size_t column,
                              struct tk_buf *out);

/* Entries of a column that follow each other. */
struct tk_parquet_entries {
    size_t n;                /* 1 or more, nulls included */
    const uint8_t *def;      /* [n] definition levels; NULL when all are 0 */
    const uint8_t *rep;      /* [n] repetition levels; NULL when all are 0 */
    size_t value_count;      /* entries whose definition level is the greatest */
    const void *values;      /* [value_count] of the column's type: bool, int32_t, int64_t, float,
                                double; tk_str of BYTES, FIXED and I96 */
    const uint32_t *indices; /* [value_count] into the dictionary, with `values` NULL: of a cursor
                                that was told to, where a page has them; else NULL */
};

struct tk_parquet_cursor;

/* A cursor at the first entry of a column in a row group; both must exist (asserted). */
TK_MUST_USE int tk_parquet_cursor_new(struct tk_parquet_file *file, size_t row_group, size_t column,
                                      struct tk_parquet_cursor **ret_cursor, struct tk_err *err);

/* Stand at the first entry of another column, or another file's, with the memory that the cursor
 * has: cheaper than a new one for a few rows of many columns. What it lent is no longer valid. When
 * this fails the cursor is good for another move only. */
TK_MUST_USE int tk_parquet_cursor_move(struct tk_parquet_cursor *cursor,
                                       struct tk_parquet_file *file, size_t row_group,
                                       size_t column, struct tk_err *err);

/* The next entries, borrowed until the next call: 0, or 1 when the row group ends. */
TK_MUST_USE int tk_parquet_cursor_next(struct tk_parquet_cursor *cursor,
                                       struct tk_parquet_entries *ret_entries, struct tk_err *err);

/* Give indices into the dictionary instead of values, where a page has them. */
void tk_parquet_cursor_use_indices(struct tk_parquet_cursor *cursor);

/* The dictionary of the row group: values as in struct tk_parquet_entries, borrowed as long as the
 * cursor lives; none where the column has none. */
TK_MUST_USE int tk_parquet_cursor_dictionary(struct tk_parquet_cursor *cursor,
                                             const void **ret_values, size_t *ret_count,
                                             struct tk_err *err);

/* Stand at the beginning of a page (tk_parquet_file_pages()): pages between are not read. */
TK_MUST_USE int tk_parquet_cursor_seek(struct tk_parquet_cursor *cursor,
                                       const struct tk_parquet_page_location *page,
                                       struct tk_err *err);

/* Check the rest of the column as it is stored: pages that fit into it, whose checksums, where they
 * have one, are right. Good for a move only afterwards. */
TK_MUST_USE int tk_parquet_cursor_check(struct tk_parquet_cursor *cursor, struct tk_err *err);

/* Accepts NULL. */
void tk_parquet_cursor_free(struct tk_parquet_cursor *cursor);

/* For TK_CLEANUP. */
void tk_parquet_cursor_freep(struct tk_parquet_cursor **cursor);

/* Copying ------------------------------------------------------------------------------- */

/* Write the file again as it is stored, but with `value` for what its metadata has under `key`.
 * Every page is checked first (tk_parquet_cursor_check()), none is decoded. */
TK_MUST_USE int tk_parquet_file_copy(struct tk_parquet_file *file, tk_str key, tk_str value,
                                     const struct tk_parquet_sink *sink, struct tk_err *err);

/* Leaving out --------------------------------------------------------------------------- */

struct tk_parquet_pages {
    struct tk_parquet_offset_index offsets;
    struct tk_parquet_column_index bounds;
};

/* Where the pages of a column lie: into the arena. Without such an index there are none; their rows
 * rise. */
TK_MUST_USE int tk_parquet_file_offsets(struct tk_parquet_file *file, size_t row_group,
                                        size_t column, struct tk_arena *arena,
                                        struct tk_parquet_offset_index *ret_offsets,
                                        struct tk_err *err);

/* The same with the bounds of their values, as many as pages or none. */
TK_MUST_USE int tk_parquet_file_pages(struct tk_parquet_file *file, size_t row_group, size_t column,
                                      struct tk_arena *arena, struct tk_parquet_pages *ret_pages,
                                      struct tk_err *err);

/* Whether a row group may hold a value of that hash (tk_parquet_hash()) in a column: true without a
 * filter. */
TK_MUST_USE int tk_parquet_file_may_have(struct tk_parquet_file *file, size_t row_group,
                                         size_t column, uint64_t hash, bool *ret_may,
                                         struct tk_err *err);

/* The hash of a value as PLAIN stores it, without a length. */
uint64_t tk_parquet_hash(tk_str value);

#endif
