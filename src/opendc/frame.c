/* SPDX-License-Identifier: Apache-2.0 */
#include "opendc/frame.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/number.h"

#define ROWS_AT_ONCE 4096
#define LIST_MAX     ((size_t)1 << 22) /* numbers in the lists of so many rows */
#define TEXT_MAX     ((size_t)1 << 30)
#define PARTS_MAX    10000

/* A part file. */
struct part {
    int fd;
    struct tk_parquet_file *file;
};

/* Where a column stands in its row group. */
struct stream {
    struct tk_parquet_cursor *cursor;
    struct tk_parquet_entries entries;
    size_t at, value; /* entry of those at hand, and value */
    size_t leaf;      /* in the file at hand */
    enum tk_parquet_type type;
    uint8_t max_def;
};

struct tk_frame_private {
    const struct tk_frame_want *wants; /* borrowed */
    size_t count;
    struct part *parts;
    size_t part_count;
    size_t part;   /* being read */
    size_t group;  /* the next of it */
    uint64_t left; /* rows of the group at hand */
    struct stream *streams;
    struct tk_arena text;
    char name[256];
};

/* Opening ---------------------------------------------------------------------------------- */

static int open_part(struct tk_frame_private *frame, struct part *part, int dirfd, const char *name,
                     struct tk_err *err)
{
    struct stat st;
    part->fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
    if (part->fd < 0 || fstat(part->fd, &st) < 0)
        return tk_fail_errno(err, "%s", name);
    const struct tk_parquet_source source = tk_parquet_source_of(&part->fd, (uint64_t)st.st_size);
    frame->part_count++;
    int rc = tk_parquet_file_new(&source, &part->file, err);
    return rc < 0 ? tk_err_prefix(err, "%s", name) : 0;
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && entry->d_name[0] != '_';
}

static int open_folder(struct tk_frame_private *frame, int fd, struct tk_err *err)
{
    struct dirent **entries;
    int count = scandirat(fd, ".", &entries, is_visible, alphasort);
    if (count < 0)
        return tk_fail_errno(err, "%s", frame->name);
    int rc = count > 0 ? 0 : tk_fail(err, -ENOENT, "%s: a folder without parts", frame->name);
    if (count > PARTS_MAX)
        rc = tk_fail(err, -EMSGSIZE, "%s: more than %d parts", frame->name, PARTS_MAX);
    frame->parts = calloc((size_t)count + 1, sizeof(*frame->parts));
    if (rc == 0 && !frame->parts)
        rc = tk_fail(err, -ENOMEM, "out of memory");
    for (int i = 0; i < count; i++) {
        if (rc == 0 && frame->parts)
            rc = open_part(frame, &frame->parts[i], fd, entries[i]->d_name, err);
        free(entries[i]);
    }
    free((void *)entries);
    return rc;
}

static int open_parts(struct tk_frame_private *frame, int dirfd, const char *path,
                      struct tk_err *err)
{
    struct stat st;
    if (fstatat(dirfd, path, &st, 0) < 0)
        return tk_fail_errno(err, "%s", path);
    if (S_ISDIR(st.st_mode)) {
        TK_CLEANUP(tk_fd_close) int fd = -1;
        int rc = tk_dir_open(dirfd, path, &fd, err);
        return rc < 0 ? rc : open_folder(frame, fd, err);
    }
    frame->parts = calloc(1, sizeof(*frame->parts));
    if (!frame->parts)
        return tk_fail(err, -ENOMEM, "out of memory");
    return open_part(frame, frame->parts, dirfd, path, err);
}

static bool gives(const struct tk_parquet_node *node, const struct tk_parquet_leaf *leaf,
                  enum tk_frame_kind kind)
{
    bool is_int = node->type == TK_PARQUET_I32 || node->type == TK_PARQUET_I64 ||
                  node->type == TK_PARQUET_BOOL;
    bool is_float = node->type == TK_PARQUET_F32 || node->type == TK_PARQUET_F64;
    if ((kind == TK_FRAME_LIST) != (leaf->max_rep == 1) || leaf->max_rep > 1)
        return false;
    switch (kind) {
    case TK_FRAME_I64:
    case TK_FRAME_LIST:
        return is_int;
    case TK_FRAME_F64:
        return is_int || is_float;
    case TK_FRAME_TEXT:
        return is_int || node->type == TK_PARQUET_BYTES;
    }
    return false;
}

/* Find the columns in a part; each must be there in all parts or in none. */
static void find_columns(struct tk_frame *frame, const struct tk_parquet_file *file)
{
    struct tk_frame_private *private = frame->private;
    size_t leaf_count;
    const struct tk_parquet_leaf *leaves = tk_parquet_file_leaves(file, &leaf_count);
    size_t node_count;
    const struct tk_parquet_node *nodes = tk_parquet_file_nodes(file, &node_count);
    for (size_t i = 0; i < private->count; i++) {
        const struct tk_frame_want *want = &private->wants[i];
        size_t leaf = tk_parquet_file_find(file, tk_str_from(want->path));
        struct stream *stream = &private->streams[i];
        frame->columns[i].is_there =
            leaf < leaf_count && gives(&nodes[leaves[leaf].node], &leaves[leaf], want->kind);
        if (!frame->columns[i].is_there)
            continue;
        stream->leaf = leaf;
        stream->type = nodes[leaves[leaf].node].type;
        stream->max_def = leaves[leaf].max_def;
    }
}

static int make_columns(struct tk_frame *frame, struct tk_err *err)
{
    struct tk_frame_private *private = frame->private;
    for (size_t i = 0; i < private->count; i++) {
        struct tk_frame_column *column = &frame->columns[i];
        bool is_list = private->wants[i].kind == TK_FRAME_LIST;
        size_t numbers = is_list ? LIST_MAX : ROWS_AT_ONCE;
        column->has = calloc(ROWS_AT_ONCE, sizeof(*column->has));
        column->i64 = malloc(numbers * sizeof(*column->i64));
        column->f64 = malloc(ROWS_AT_ONCE * sizeof(*column->f64));
        column->text = calloc(ROWS_AT_ONCE, sizeof(*column->text));
        column->from = calloc(ROWS_AT_ONCE + 1, sizeof(*column->from));
        if (!column->has || !column->i64 || !column->f64 || !column->text || !column->from)
            return tk_fail(err, -ENOMEM, "out of memory");
    }
    return 0;
}

/* A frame without file; NULL when memory is short. */
static struct tk_frame *make_frame(const char *path, const struct tk_frame_want *wants,
                                   size_t count)
{
    struct tk_frame *frame = calloc(1, sizeof(*frame));
    if (!frame)
        return NULL;
    struct tk_frame_private *private = calloc(1, sizeof(*private));
    struct tk_frame_column *columns = calloc(count + 1, sizeof(*columns));
    struct stream *streams = calloc(count + 1, sizeof(*streams));
    if (!private || !columns || !streams) {
        free(private);
        free(columns);
        free(streams);
        free(frame);
        return NULL;
    }
    *private = (struct tk_frame_private){.wants = wants, .count = count, .streams = streams};
    (void)snprintf(private->name, sizeof(private->name), "%s", path);
    frame->private = private;
    frame->columns = columns;
    return frame;
}

int tk_frame_new(int dirfd, const char *path, const struct tk_frame_want *wants, size_t count,
                 struct tk_frame **ret_frame, struct tk_err *err)
{
    struct tk_frame *frame = make_frame(path, wants, count);
    if (!frame)
        return tk_fail(err, -ENOMEM, "out of memory");
    int rc = make_columns(frame, err);
    rc = rc < 0 ? rc : tk_arena_init(&frame->private->text, TEXT_MAX, err);
    rc = rc < 0 ? rc : open_parts(frame->private, dirfd, path, err);
    if (rc < 0) {
        tk_frame_free(frame);
        return rc;
    }
    find_columns(frame, frame->private->parts[0].file);
    *ret_frame = frame;
    return 0;
}

static void close_streams(struct tk_frame_private *private)
{
    for (size_t i = 0; i < private->count; i++) {
        tk_parquet_cursor_free(private->streams[i].cursor);
        private->streams[i].cursor = NULL;
    }
}

void tk_frame_free(struct tk_frame *frame)
{
    if (!frame)
        return;
    struct tk_frame_private *private = frame->private;
    close_streams(private);
    for (size_t i = 0; i < private->part_count; i++) {
        tk_parquet_file_free(private->parts[i].file);
        tk_fd_close(&private->parts[i].fd);
    }
    for (size_t i = 0; i < private->count; i++) {
        struct tk_frame_column *column = &frame->columns[i];
        free(column->has);
        free(column->i64);
        free(column->f64);
        free(column->text);
        free(column->from);
    }
    free(private->parts);
    free(private->streams);
    tk_arena_release(&private->text);
    free(private);
    free(frame->columns);
    free(frame);
}

void tk_frame_freep(struct tk_frame **frame)
{
    tk_frame_free(*frame);
}

struct tk_parquet_file *tk_frame_part(const struct tk_frame *frame, size_t part)
{
    return part < frame->private->part_count ? frame->private->parts[part].file : NULL;
}

/* Reading ---------------------------------------------------------------------------------- */

/* Rows of the row group at hand; 0 = there is none any more in this part. */
static uint64_t rows_left(const struct tk_frame_private *private)
{
    const struct tk_parquet_file_meta *meta =
        tk_parquet_file_meta(private->parts[private->part].file);
    if (private->group == meta->row_group_count)
        return 0;
    int64_t rows = meta->row_groups[private->group].num_rows;
    return rows > 0 ? (uint64_t)rows : 0;
}

/* Go to the next row group that has rows: 0, or 1 at the end. */
static int next_group(struct tk_frame *frame, struct tk_err *err)
{
    struct tk_frame_private *private = frame->private;
    close_streams(private);
    while (private->part < private->part_count && rows_left(private) == 0) {
        const struct tk_parquet_file *at = private->parts[private->part].file;
        if (private->group < tk_parquet_file_meta(at)->row_group_count) {
            private->group++;
            continue;
        }
        private->part++;
        private->group = 0;
        if (private->part < private->part_count)
            find_columns(frame, private->parts[private->part].file);
    }
    if (private->part == private->part_count)
        return 1;
    struct tk_parquet_file *file = private->parts[private->part].file;
    private->left = rows_left(private);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < private->count; i++) {
        struct stream *stream = &private->streams[i];
        stream->at = stream->value = 0;
        stream->entries = (struct tk_parquet_entries){0};
        if (frame->columns[i].is_there)
            rc = tk_parquet_cursor_new(file, private->group, stream->leaf, &stream->cursor, err);
    }
    private->group++;
    return rc;
}

/* Stand at an entry: 0, or 1 when the row group has no more. */
static int ready(struct stream *stream, struct tk_err *err)
{
    if (stream->at < stream->entries.n)
        return 0;
    stream->at = stream->value = 0;
    stream->entries.n = 0;
    return tk_parquet_cursor_next(stream->cursor, &stream->entries, err);
}

static bool has_value(const struct stream *stream)
{
    return !stream->entries.def || stream->entries.def[stream->at] == stream->max_def;
}

static int64_t i64_of(const struct stream *stream)
{
    const struct tk_parquet_entries *entries = &stream->entries;
    if (stream->type == TK_PARQUET_BOOL)
        return ((const bool *)entries->values)[stream->value];
    if (stream->type == TK_PARQUET_I32)
        return ((const int32_t *)entries->values)[stream->value];
    return ((const int64_t *)entries->values)[stream->value];
}

static double f64_of(const struct stream *stream)
{
    const struct tk_parquet_entries *entries = &stream->entries;
    if (stream->type == TK_PARQUET_F32)
        return (double)((const float *)entries->values)[stream->value];
    if (stream->type == TK_PARQUET_F64)
        return ((const double *)entries->values)[stream->value];
    return (double)i64_of(stream);
}

static tk_str text_of(struct tk_frame_private *private, const struct stream *stream)
{
    if (stream->type == TK_PARQUET_BYTES) {
        return tk_arena_copy(&private->text,
                             ((const tk_str *)stream->entries.values)[stream->value]);
    }
    char digits[TK_I64_MAX];
    return tk_arena_copy(&private->text, (tk_str){digits, tk_i64_format(i64_of(stream), digits)});
}

/* Put the value at hand, if there is one, and go on. */
static void take_value(struct tk_frame *frame, size_t i, size_t row)
{
    struct tk_frame_private *private = frame->private;
    struct stream *stream = &private->streams[i];
    struct tk_frame_column *column = &frame->columns[i];
    column->has[row] = has_value(stream);
    column->i64[row] = 0;
    column->f64[row] = (double)NAN;
    column->text[row] = (tk_str){NULL, 0};
    if (column->has[row]) {
        switch (private->wants[i].kind) {
        case TK_FRAME_I64:
            column->i64[row] = i64_of(stream);
            break;
        case TK_FRAME_F64:
            column->f64[row] = f64_of(stream);
            break;
        case TK_FRAME_TEXT:
            column->text[row] = text_of(private, stream);
            break;
        case TK_FRAME_LIST:
            break;
        }
        stream->value++;
    }
    stream->at++;
}

/* The entry at hand goes on with the row before. */
static bool goes_on(const struct stream *stream)
{
    return stream->entries.rep && stream->entries.rep[stream->at] != 0;
}

/* All entries of one row of a list; the first is at hand. */
static int take_list(struct tk_frame *frame, size_t i, size_t row, struct tk_err *err)
{
    struct stream *stream = &frame->private->streams[i];
    struct tk_frame_column *column = &frame->columns[i];
    uint32_t n = column->from[row];
    int rc;
    do {
        if (n == LIST_MAX) {
            return tk_fail(err, -EMSGSIZE, "%s: more than %zu numbers in lists of %d rows",
                           frame->private->wants[i].path, LIST_MAX, ROWS_AT_ONCE);
        }
        if (has_value(stream)) {
            column->i64[n++] = i64_of(stream);
            stream->value++;
        }
        stream->at++;
        rc = ready(stream, err);
    } while (rc == 0 && goes_on(stream));
    column->has[row] = n > column->from[row];
    column->from[row + 1] = n;
    return rc < 0 ? rc : 0;
}

static int take_column(struct tk_frame *frame, size_t i, struct tk_err *err)
{
    struct stream *stream = &frame->private->streams[i];
    struct tk_frame_column *column = &frame->columns[i];
    bool is_list = frame->private->wants[i].kind == TK_FRAME_LIST;
    for (size_t row = 0; row < frame->rows; row++) {
        if (!column->is_there) {
            column->has[row] = false;
            column->i64[is_list ? 0 : row] = 0;
            column->f64[row] = (double)NAN;
            column->text[row] = (tk_str){NULL, 0};
            column->from[row + 1] = column->from[row];
            continue;
        }
        int rc = ready(stream, err);
        if (rc == 1) {
            return tk_fail(err, -EBADMSG, "%s: the column ends before its row group",
                           frame->private->wants[i].path);
        }
        if (rc == 0 && is_list)
            rc = take_list(frame, i, row, err);
        if (rc < 0)
            return rc;
        if (!is_list)
            take_value(frame, i, row);
    }
    return 0;
}

int tk_frame_next(struct tk_frame *frame, struct tk_err *err)
{
    struct tk_frame_private *private = frame->private;
    tk_arena_reset(&private->text);
    frame->first_row += frame->rows;
    frame->rows = 0;
    int rc = private->left > 0 ? 0 : next_group(frame, err);
    if (rc == 0) {
        frame->rows = private->left < ROWS_AT_ONCE ? (size_t) private->left : ROWS_AT_ONCE;
        private->left -= frame->rows;
    }
    for (size_t i = 0; rc == 0 && i < private->count; i++)
        rc = take_column(frame, i, err);
    return rc < 0 ? tk_err_prefix(err, "%s", private->name) : rc;
}
