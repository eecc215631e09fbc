/* SPDX-License-Identifier: Apache-2.0 */
/* Columns by the rules of OpenDC's reader (opendc.md section 4): it asks for its whole schema with
 * strict types, walks the columns of the file, and fails where one that it asks for differs.
 * Columns that the file lacks it never complains about; it then loads nothing or zero. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "opendc/check_internal.h"

static const struct tk_parquet_node tasks_optional[] = {
    {"name", TK_PARQUET_BYTES, TK_PARQUET_OPTIONAL},
    {"gpu_count", TK_PARQUET_I32, TK_PARQUET_OPTIONAL},
    {"gpu_capacity", TK_PARQUET_F64, TK_PARQUET_OPTIONAL},
    {"parents.list.element", TK_PARQUET_I32, TK_PARQUET_OPTIONAL},
    {"children.list.element", TK_PARQUET_I32, TK_PARQUET_OPTIONAL},
    {"deferrable", TK_PARQUET_BOOL, TK_PARQUET_OPTIONAL},
    {"nature", TK_PARQUET_BYTES, TK_PARQUET_OPTIONAL},
    {"deadline", TK_PARQUET_I64, TK_PARQUET_OPTIONAL},
};
static const struct tk_parquet_node fragments_optional[] = {
    {"gpu_usage", TK_PARQUET_F64, TK_PARQUET_OPTIONAL},
    {"timestamp", TK_PARQUET_I64, TK_PARQUET_OPTIONAL},
    {"cpu_count", TK_PARQUET_I32, TK_PARQUET_OPTIONAL},
};

static const struct tk_parquet_node *find(const struct tk_parquet_node *nodes, size_t count,
                                          tk_str name)
{
    for (size_t i = 0; i < count; i++) {
        if (nodes[i].type != TK_PARQUET_GROUP && tk_str_eq(name, tk_str_from(nodes[i].name)))
            return &nodes[i];
    }
    return NULL;
}

/* What is asked for under a path, among the columns of the profile and the optional ones; `element`
 * of the profile's lists goes by its path there. */
static const struct tk_parquet_node *find_asked(const struct tk_parquet_node *nodes, size_t count,
                                                bool is_tasks, tk_str path)
{
    const struct tk_parquet_node *asked =
        tk_str_eq(path, TK_STR("element")) ? NULL : find(nodes, count, path);
    if (asked)
        return asked;
    return is_tasks ? find(tasks_optional, TK_COUNTOF(tasks_optional), path)
                    : find(fragments_optional, TK_COUNTOF(fragments_optional), path);
}

static bool is_task_file(const struct tk_parquet_node *nodes, size_t count)
{
    return find(nodes, count, TK_STR("mem_capacity")) != NULL;
}

static const char *repetition_name(enum tk_parquet_repetition repetition)
{
    static const char *const names[] = {"required", "optional", "repeated"};
    return names[repetition];
}

/* The place of a column in a message: its path. */
static const char *path_of(const struct tk_parquet_file *file, size_t leaf, struct tk_buf *out)
{
    tk_buf_reset(out);
    tk_parquet_file_put_path(file, leaf, out);
    tk_buf_putc(out, '\0');
    return tk_buf_ok(out) ? out->p : "?";
}

static bool is_list(tk_str path)
{
    return tk_str_starts_with(path, TK_STR("parents.")) ||
           tk_str_starts_with(path, TK_STR("children."));
}

/* One column of the file against what is asked for. */
static void check_column(struct tk_check *check, const struct tk_check_place *place,
                         const struct tk_parquet_node *node, const struct tk_parquet_node *asked)
{
    if (!asked && is_list(tk_str_from(place->column))) {
        tk_check_found(check, TK_CHECK_E11, place,
                       "the leaf of a list of ids is to be list.element, INT32");
        return;
    }
    if (!asked) {
        tk_check_found(check, TK_CHECK_W09, place, "OpenDC does not know this column");
        return;
    }
    if (node->type != asked->type) {
        bool is_edge = is_list(tk_str_from(place->column));
        tk_check_found(check, is_edge ? TK_CHECK_E11 : TK_CHECK_E03, place, "%s, expected %s",
                       tk_parquet_type_name((int32_t)node->type),
                       tk_parquet_type_name((int32_t)asked->type));
    }
    if (asked->repetition == TK_PARQUET_REQUIRED && node->repetition != TK_PARQUET_REQUIRED) {
        tk_check_found(check, TK_CHECK_E04, place, "%s, expected required",
                       repetition_name(node->repetition));
    }
    if (node->logical == TK_PARQUET_TIMESTAMP_US || node->logical == TK_PARQUET_TIMESTAMP_NS) {
        tk_check_found(check, TK_CHECK_E10, place, "a %s, which OpenDC takes for milliseconds",
                       tk_parquet_logical_name(node->logical));
    }
}

static bool is_known_codec(int32_t codec)
{
    return codec == TK_PARQUET_UNCOMPRESSED || codec == TK_PARQUET_SNAPPY ||
           codec == TK_PARQUET_GZIP || codec == TK_PARQUET_ZSTD;
}

/* The first column that is compressed in a way that OpenDC may not read. */
static void check_codecs(struct tk_check *check, const struct tk_parquet_file *file,
                         const char *name)
{
    const struct tk_parquet_file_meta *meta = tk_parquet_file_meta(file);
    const struct tk_check_place place = {name, NULL, -1};
    for (size_t g = 0; g < meta->row_group_count; g++) {
        const struct tk_parquet_row_group *group = &meta->row_groups[g];
        size_t c = 0;
        while (c < group->column_count && is_known_codec(group->columns[c].meta.codec))
            c++;
        if (c == group->column_count)
            continue;
        tk_check_found(check, TK_CHECK_W09, &place, "row group %zu is compressed by %s", g,
                       tk_parquet_codec_name(group->columns[c].meta.codec));
        return;
    }
}

/* A column of a file beside what is asked for under its path; NULL = nothing is. */
struct column {
    const char *path;
    const struct tk_parquet_node *node, *asked;
};

/* Go through the columns of a file until `see` fails. */
static int each_column(const struct tk_parquet_file *file, const struct tk_parquet_node *nodes,
                       size_t node_count,
                       int (*see)(void *context, const struct column *column, struct tk_err *err),
                       void *context, struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf path;
    tk_buf_init(&path, 4096);
    size_t leaf_count;
    const struct tk_parquet_leaf *leaves = tk_parquet_file_leaves(file, &leaf_count);
    size_t count;
    const struct tk_parquet_node *there = tk_parquet_file_nodes(file, &count);
    bool is_tasks = is_task_file(nodes, node_count);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < leaf_count; i++) {
        struct column column = {.path = path_of(file, i, &path), .node = &there[leaves[i].node]};
        column.asked = find_asked(nodes, node_count, is_tasks, tk_str_from(column.path));
        rc = see(context, &column, err);
    }
    return rc;
}

struct checking {
    struct tk_check *check;
    const char *file;
};

static int see_checked(void *context, const struct column *column, struct tk_err *err)
{
    (void)err;
    const struct checking *checking = context;
    const struct tk_check_place place = {checking->file, column->path, -1};
    check_column(checking->check, &place, column->node, column->asked);
    return 0;
}

void tk_check_schema(struct tk_check *check, const struct tk_parquet_file *file, const char *name,
                     const struct tk_parquet_node *nodes, size_t node_count)
{
    struct checking checking = {check, name};
    struct tk_err unused;
    (void)each_column(file, nodes, node_count, see_checked, &checking, &unused);
    size_t leaf_count;
    (void)tk_parquet_file_leaves(file, &leaf_count);
    for (size_t i = 0; i < node_count; i++) {
        bool is_needed = nodes[i].repetition == TK_PARQUET_REQUIRED;
        if (!is_needed || tk_parquet_file_find(file, tk_str_from(nodes[i].name)) < leaf_count)
            continue;
        const struct tk_check_place place = {name, nodes[i].name, -1};
        tk_check_found(check, TK_CHECK_E02, &place, "the column is missing");
    }
    check_codecs(check, file, name);
}

/* The loader ----------------------------------------------------------------------------------- */

static int see_accepted(void *context, const struct column *column, struct tk_err *err)
{
    const char *file = context;
    const struct tk_parquet_node *node = column->node;
    const struct tk_parquet_node *asked = column->asked;
    bool is_wrong_list = !asked && is_list(tk_str_from(column->path));
    if (!asked && !is_wrong_list)
        return 0;
    bool is_stricter = asked && asked->repetition == TK_PARQUET_REQUIRED &&
                       node->repetition != TK_PARQUET_REQUIRED;
    if (!is_wrong_list && !is_stricter && node->type == asked->type)
        return 0;
    return tk_fail(err, -EBADMSG,
                   "%s: the requested schema is not compatible with the file schema: %s %s %s in "
                   "the file",
                   file, repetition_name(node->repetition),
                   tk_parquet_type_name((int32_t)node->type), column->path);
}

static int accept_schema(const struct tk_parquet_file *file, const char *name,
                         const struct tk_parquet_node *nodes, size_t node_count, struct tk_err *err)
{
    char context[64];
    (void)snprintf(context, sizeof(context), "%s", name);
    return each_column(file, nodes, node_count, see_accepted, context, err);
}

static bool is_there(const struct tk_frame *frame, const char *column)
{
    size_t count;
    const struct tk_parquet_file *file = tk_frame_part(frame, 0);
    (void)tk_parquet_file_leaves(file, &count);
    return tk_parquet_file_find(file, tk_str_from(column)) < count;
}

/* Fragments by id. */
static int count_fragments(struct tk_map *by_id, struct tk_frame *frame, struct tk_err *err)
{
    int rc;
    while ((rc = tk_frame_next(frame, err)) == 0) {
        for (size_t i = 0; i < frame->rows; i++) {
            uint32_t count = 0;
            uint64_t id = (uint64_t)frame->columns[0].i64[i];
            (void)tk_map_find(by_id, id, &count);
            if (tk_map_add(by_id, id, count + 1) < 0)
                return tk_fail(err, -ENOMEM, "out of memory");
        }
    }
    return rc < 0 ? rc : 0;
}

/* Each task gets all fragments of its id; one without any is dropped. */
static int load_tasks(const struct tk_map *by_id, struct tk_frame *frame,
                      struct tk_opendc_loaded *loaded, struct tk_err *err)
{
    int rc;
    while ((rc = tk_frame_next(frame, err)) == 0) {
        for (size_t i = 0; i < frame->rows; i++) {
            uint32_t count;
            if (!tk_map_find(by_id, (uint64_t)frame->columns[0].i64[i], &count))
                continue;
            loaded->tasks++;
            loaded->fragments += count;
        }
    }
    return rc < 0 ? rc : 0;
}

static int load(int dirfd, const struct tk_profile *profile, struct tk_opendc_loaded *loaded,
                struct tk_err *err)
{
    static const struct tk_frame_want ids[] = {{"id", TK_FRAME_I64}};
    TK_CLEANUP(tk_frame_freep) struct tk_frame *tasks = NULL;
    TK_CLEANUP(tk_frame_freep) struct tk_frame *fragments = NULL;
    TK_CLEANUP(tk_map_release) struct tk_map by_id = {0};
    const char *submission = profile->tasks[profile->has_lists ? 2 : 1].name;
    int rc = tk_frame_new(dirfd, profile->tasks_name, ids, 1, &tasks, err);
    rc = rc < 0 ? rc : tk_frame_new(dirfd, profile->fragments_name, ids, 1, &fragments, err);
    rc = rc < 0 ? rc
                : accept_schema(tk_frame_part(tasks, 0), profile->tasks_name, profile->tasks,
                                profile->task_nodes, err);
    rc = rc < 0 ? rc
                : accept_schema(tk_frame_part(fragments, 0), profile->fragments_name,
                                profile->fragments, profile->fragment_column_count, err);
    if (rc < 0)
        return rc;
    if (!is_there(tasks, submission))
        return tk_fail(err, -EBADMSG, "%s: long overflow: no %s", profile->tasks_name, submission);
    if (!is_there(tasks, "id") || !is_there(fragments, "id"))
        return 0;
    rc = count_fragments(&by_id, fragments, err);
    return rc < 0 ? rc : load_tasks(&by_id, tasks, loaded, err);
}

int tk_opendc_accepts(const char *folder, enum tk_opendc_profile profile,
                      struct tk_opendc_loaded *ret_loaded, struct tk_err *err)
{
    TK_CLEANUP(tk_fd_close) int dirfd = -1;
    struct tk_opendc_loaded loaded = {0};
    int rc = tk_dir_open(AT_FDCWD, folder, &dirfd, err);
    rc = rc < 0 ? rc : load(dirfd, &tk_profiles[profile], &loaded, err);
    if (rc == 0)
        *ret_loaded = loaded;
    return rc;
}
