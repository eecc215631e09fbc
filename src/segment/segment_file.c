/* SPDX-License-Identifier: Apache-2.0 */
#include "segment/segment_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"

#define ARENA_BYTES ((size_t)256 << 20) /* of address space */

/* Metadata ------------------------------------------------------------------------------------- */

static bool find_pair(const struct tk_segment_file *file, const char *key, tk_str *ret_value)
{
    const struct tk_parquet_file_meta *meta = tk_parquet_file_meta(file->parquet);
    for (size_t i = 0; i < meta->key_value_count; i++) {
        if (tk_str_eq(meta->key_value_metadata[i].key, tk_str_from(key))) {
            *ret_value = meta->key_value_metadata[i].value;
            return true;
        }
    }
    return false;
}

/* "replaces":[1,2]; the list lies at the end of the arena as it grows. */
static int read_replaces(struct tk_json *json, struct tk_segment_file *file, struct tk_err *err)
{
    uint32_t *list = NULL;
    size_t room = 0;
    int rc = tk_json_enter_array(json, err);
    while (rc == 0 && (rc = tk_json_next_element(json, err)) == 0) {
        int64_t number = 0;
        rc = tk_json_read_i64(json, &number, err);
        if (rc < 0)
            return rc;
        if (file->replace_count == room) {
            uint32_t *more = tk_arena_alloc(&file->arena, (2 * room + 16) * sizeof(*more));
            if (!more)
                return tk_fail(err, -EMSGSIZE, "it replaces too many files");
            if (list)
                memcpy(more, list, room * sizeof(*more));
            list = more;
            room = 2 * room + 16;
        }
        if (list)
            list[file->replace_count++] = (uint32_t)number;
        file->replaces = list;
    }
    return rc < 0 ? rc : 0;
}

static int read_summary_member(struct tk_json *json, tk_str key, struct tk_arena *scratch,
                               void *into, struct tk_err *err)
{
    struct tk_segment_file *file = into;
    (void)scratch;
    if (tk_str_eq(key, TK_STR("version"))) {
        int64_t version = 0;
        int rc = tk_json_read_i64(json, &version, err);
        if (rc == 0 && version != TK_SEGMENT_VERSION) {
            rc = tk_fail(err, -EOPNOTSUPP, "spans of version %lld; this tracekit reads %d",
                         (long long)version, TK_SEGMENT_VERSION);
        }
        return rc;
    }
    if (tk_str_eq(key, TK_STR("first_ns")))
        return tk_json_read_i64(json, &file->first_ns, err);
    if (tk_str_eq(key, TK_STR("last_ns")))
        return tk_json_read_i64(json, &file->last_ns, err);
    if (tk_str_eq(key, TK_STR("replaces")))
        return read_replaces(json, file, err);
    return 1;
}

static int read_summary(struct tk_segment_file *file, struct tk_err *err)
{
    struct tk_json json;
    tk_str text;
    if (!find_pair(file, TK_SEGMENT_PAIR, &text))
        return tk_fail(err, -EBADMSG, "no file of spans: its metadata has no " TK_SEGMENT_PAIR);
    tk_json_init(&json, text);
    int rc = tk_json_read_members(&json, &file->arena, read_summary_member, file, err);
    return rc < 0 ? tk_err_prefix(err, "metadata " TK_SEGMENT_PAIR) : 0;
}

static int read_attr_member(struct tk_json *json, tk_str key, struct tk_arena *scratch, void *into,
                            struct tk_err *err)
{
    tk_str *texts = into; /* column, key, type */
    static const char *const names[] = {"column", "key", "type"};
    for (size_t i = 0; i < TK_COUNTOF(names); i++) {
        if (tk_str_eq(key, tk_str_from(names[i])))
            return tk_json_read_str(json, scratch, &texts[i], err);
    }
    return 1;
}

/* The column must be there, of the type that it is said to have. */
static int find_attr(struct tk_segment_file *file, const tk_str *texts,
                     struct tk_segment_attr *ret_attr, struct tk_err *err)
{
    static const struct {
        const char *name;
        enum tk_attr_type type;
        enum tk_parquet_type physical;
    } types[] = {
        {"string", TK_ATTR_STRING, TK_PARQUET_BYTES},
        {"int", TK_ATTR_INT, TK_PARQUET_I64},
        {"double", TK_ATTR_DOUBLE, TK_PARQUET_F64},
        {"bool", TK_ATTR_BOOL, TK_PARQUET_BOOL},
    };
    size_t count;
    const struct tk_parquet_leaf *leaves = tk_parquet_file_leaves(file->parquet, &count);
    size_t node_count;
    const struct tk_parquet_node *nodes = tk_parquet_file_nodes(file->parquet, &node_count);
    size_t leaf = tk_parquet_file_find(file->parquet, texts[0]);
    for (size_t i = 0; leaf < count && i < TK_COUNTOF(types); i++) {
        if (tk_str_eq(texts[2], tk_str_from(types[i].name)) &&
            nodes[leaves[leaf].node].type == types[i].physical && leaves[leaf].max_rep == 0) {
            *ret_attr = (struct tk_segment_attr){texts[1], types[i].type, leaf};
            return 0;
        }
    }
    return tk_fail(err, -EBADMSG, "no column %.*s of type %.*s", TK_STR_ARG(texts[0]),
                   TK_STR_ARG(texts[2]));
}

static int read_attrs(struct tk_segment_file *file, const char *pair,
                      struct tk_segment_attrs *attrs, struct tk_err *err)
{
    struct tk_json json;
    tk_str text;
    if (!find_pair(file, pair, &text))
        return tk_fail(err, -EBADMSG, "no file of spans: its metadata has no %s", pair);
    struct tk_segment_attr *items = tk_arena_alloc(&file->arena, TK_PROMOTED_MAX * sizeof(*items));
    if (!items)
        return tk_fail(err, -EMSGSIZE, "too many columns");
    attrs->items = items;
    tk_json_init(&json, text);
    int rc = tk_json_enter_array(&json, err);
    while (rc == 0 && (rc = tk_json_next_element(&json, err)) == 0) {
        tk_str texts[3] = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
        rc = tk_json_read_members(&json, &file->arena, read_attr_member, texts, err);
        if (rc == 0 && attrs->count == TK_PROMOTED_MAX)
            rc = tk_fail(err, -EMSGSIZE, "more than %d columns of attributes", TK_PROMOTED_MAX);
        if (rc == 0)
            rc = find_attr(file, texts, &items[attrs->count], err);
        attrs->count += rc == 0;
    }
    return rc < 0 ? tk_err_prefix(err, "metadata %s", pair) : 0;
}

static bool is_same_node(const struct tk_parquet_node *a, const struct tk_parquet_node *b)
{
    return tk_str_eq(tk_str_from(a->name), tk_str_from(b->name)) && a->type == b->type &&
           a->repetition == b->repetition && a->children == b->children;
}

/* The file begins with the columns that every file has, so that a column's number is its leaf. */
static int check_columns(struct tk_segment_file *file, struct tk_err *err)
{
    size_t count;
    const struct tk_parquet_node *nodes = tk_parquet_file_nodes(file->parquet, &count);
    for (size_t i = 0; i < tk_column_node_count; i++) {
        if (i == count || !is_same_node(&nodes[i], &tk_column_nodes[i])) {
            return tk_fail(err, -EBADMSG, "no file of spans: column %s is not what it should be",
                           tk_column_nodes[i].name);
        }
    }
    return 0;
}

static int read_metadata(struct tk_segment_file *file, struct tk_err *err)
{
    int rc = tk_arena_init(&file->arena, ARENA_BYTES, err);
    if (rc == 0)
        rc = read_summary(file, err);
    if (rc == 0)
        rc = check_columns(file, err);
    if (rc == 0)
        rc = read_attrs(file, TK_SEGMENT_ATTRS_PAIR, &file->spans, err);
    if (rc == 0)
        rc = read_attrs(file, TK_SEGMENT_RESOURCES_PAIR, &file->resources, err);
    (void)find_pair(file, TK_SEGMENT_OPERATIONS_PAIR, &file->operations);
    file->rows = (uint64_t)tk_parquet_file_meta(file->parquet)->num_rows;
    return rc;
}

/* Files ---------------------------------------------------------------------------------------- */

int tk_segment_file_init(const struct tk_parquet_source *source, struct tk_segment_file *ret_file,
                         struct tk_err *err)
{
    struct tk_segment_file file = {.fd = -1};
    int rc = tk_parquet_file_new(source, &file.parquet, err);
    if (rc == 0)
        rc = read_metadata(&file, err);
    if (rc < 0) {
        tk_segment_file_close(&file);
        return rc;
    }
    *ret_file = file;
    return 0;
}

int tk_segment_file_open(int dirfd, const char *name, struct tk_segment_file *ret_file,
                         struct tk_err *err)
{
    struct stat st;
    TK_CLEANUP(tk_fd_close) int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0 || fstat(fd, &st) < 0)
        return tk_fail_errno(err, "%s", name);
    if (!S_ISREG(st.st_mode))
        return tk_fail(err, -EBADMSG, "%s is no file", name);
    ret_file->fd = fd; /* where the source finds it */
    struct tk_parquet_source source = tk_parquet_source_of(&ret_file->fd, (uint64_t)st.st_size);
    int rc = tk_segment_file_init(&source, ret_file, err);
    if (rc < 0)
        return tk_err_prefix(err, "%s", name);
    ret_file->fd = tk_fd_take(&fd);
    return 0;
}

void tk_segment_file_close(struct tk_segment_file *file)
{
    tk_parquet_file_free(file->parquet);
    tk_arena_release(&file->arena);
    if (file->parquet)
        tk_fd_close(&file->fd);
    *file = (struct tk_segment_file){.fd = -1};
}
