/* SPDX-License-Identifier: Apache-2.0 */
/* Column by column, a row group at a time: first the ids, which tell the rows that are wanted, then
 * the values of those. */
#include "span/bill_lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/number.h"
#include "table/parquet_reader.h"

#define NOT_WANTED UINT32_MAX
#define ROWS_MAX   ((uint64_t)1 << 28)

/* A row of the group that is being read. */
struct place {
    uint8_t trace_id[16];
    uint64_t span_id;
    uint32_t row; /* of the lookup */
};

struct reading {
    struct tk_bill_lookup *lookup;
    struct tk_parquet_file *file;
    const struct tk_map *wanted; /* ids of spans; NULL = all */
    struct place *places;        /* [rows] of the group */
    uint64_t rows;               /* of the group at hand */
    size_t room;                 /* of the lookup */
    uint8_t max_def;             /* definition level of a value of the column at hand */
};

/* A value of one column, of the type of `column`, for the place. */
typedef int place_fn(struct reading *reading, size_t column, struct place *place,
                     const union tk_value *value, struct tk_err *err);

static uint64_t key_of(const uint8_t trace_id[16], uint64_t span_id)
{
    uint64_t words[2];
    memcpy(words, trace_id, sizeof(words));
    return tk_hash_mix(tk_hash_mix(words[0], words[1]), span_id);
}

/* Columns -------------------------------------------------------------------------------- */

/* How the types that a bill has are stored. */
static const enum tk_parquet_type stored_as[] = {[TK_I64] = TK_PARQUET_I64,
                                                 [TK_F64] = TK_PARQUET_F64,
                                                 [TK_BOOL] = TK_PARQUET_BOOL,
                                                 [TK_TEXT] = TK_PARQUET_BYTES};

/* The leaf of a column, or the count of leaves when the file lacks it. */
static int find_leaf(const struct reading *reading, size_t column, size_t *ret_leaf,
                     struct tk_err *err)
{
    size_t count;
    size_t node_count;
    const struct tk_column *about = &tk_schema_bills.columns[column];
    const struct tk_parquet_leaf *leaves = tk_parquet_file_leaves(reading->file, &count);
    const struct tk_parquet_node *nodes = tk_parquet_file_nodes(reading->file, &node_count);
    size_t leaf = tk_parquet_file_find(reading->file, tk_str_from(about->name));
    if (leaf == count && about->flags & TK_REQUIRED)
        return tk_fail(err, -EBADMSG, "no table of bills: it has no column %s", about->name);
    if (leaf < count &&
        (nodes[leaves[leaf].node].type != stored_as[about->type] || leaves[leaf].max_rep > 0))
        return tk_fail(err, -EBADMSG, "column %s is of another type", about->name);
    *ret_leaf = leaf;
    return 0;
}

static union tk_value value_at(const struct tk_parquet_entries *entries, enum tk_type type,
                               size_t i)
{
    if (type == TK_I64)
        return (union tk_value){.i64 = ((const int64_t *)entries->values)[i]};
    if (type == TK_F64)
        return (union tk_value){.f64 = ((const double *)entries->values)[i]};
    if (type == TK_BOOL)
        return (union tk_value){.i64 = ((const bool *)entries->values)[i]};
    return (union tk_value){.text = ((const tk_str *)entries->values)[i]};
}

/* Hand the entries of some rows, from `at` on, to `take`: those that are there. */
static int take_entries(struct reading *reading, size_t column,
                        const struct tk_parquet_entries *entries, uint64_t at, place_fn *take,
                        struct tk_err *err)
{
    size_t next = 0;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < entries->n; i++) {
        if ((entries->def ? entries->def[i] : 0) != reading->max_def)
            continue;
        union tk_value value = value_at(entries, tk_schema_bills.columns[column].type, next++);
        rc = take(reading, column, &reading->places[at + i], &value, err);
    }
    return rc;
}

static int read_column(struct reading *reading, size_t group, size_t column, place_fn *take,
                       struct tk_err *err)
{
    size_t leaf = 0;
    size_t count;
    uint64_t at = 0;
    TK_CLEANUP(tk_parquet_cursor_freep) struct tk_parquet_cursor *cursor = NULL;
    const struct tk_parquet_leaf *leaves = tk_parquet_file_leaves(reading->file, &count);
    int rc = find_leaf(reading, column, &leaf, err);
    if (rc < 0 || leaf == count)
        return rc;
    reading->max_def = leaves[leaf].max_def;
    rc = tk_parquet_cursor_new(reading->file, group, leaf, &cursor, err);
    while (rc == 0) {
        struct tk_parquet_entries entries;
        rc = tk_parquet_cursor_next(cursor, &entries, err);
        if (rc == 0 && entries.n > reading->rows - at)
            rc = tk_fail(err, -EBADMSG, "more values than rows");
        if (rc == 0) {
            rc = take_entries(reading, column, &entries, at, take, err);
            at += entries.n;
        }
    }
    if (rc == 1 && at != reading->rows)
        rc = tk_fail(err, -EBADMSG, "fewer values than rows");
    return rc < 0 ? tk_err_prefix(err, "column %s", tk_schema_bills.columns[column].name) : 0;
}

/* What is taken -------------------------------------------------------------------------- */

static bool parse_hex(tk_str text, uint8_t *to, size_t bytes)
{
    if (text.n != 2 * bytes)
        return false;
    for (size_t i = 0; i < bytes; i++) {
        int high = tk_hex_value(text.p[2 * i]);
        int low = tk_hex_value(text.p[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        to[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static int take_id(struct reading *reading, size_t column, struct place *place,
                   const union tk_value *value, struct tk_err *err)
{
    bool is_trace = column == TK_BILLS_TRACE_ID;
    uint8_t *to = is_trace ? place->trace_id : (uint8_t *)&place->span_id;
    (void)reading;
    if (!parse_hex(value->text, to, is_trace ? sizeof(place->trace_id) : sizeof(place->span_id)))
        return tk_fail(err, -EBADMSG, "'%.*s' is no id", TK_STR_ARG(value->text));
    return 0;
}

static int take_rule(tk_str name, int64_t *ret_rule, struct tk_err *err)
{
    for (int64_t rule = 0; rule < TK_BILL_RULES; rule++) {
        if (tk_str_eq(name, tk_str_from(tk_bill_rules[rule].name))) {
            *ret_rule = rule;
            return 0;
        }
    }
    return tk_fail(err, -EBADMSG, "'%.*s' is no rule", TK_STR_ARG(name));
}

static int take_value(struct reading *reading, size_t column, struct place *place,
                      const union tk_value *value, struct tk_err *err)
{
    if (place->row == NOT_WANTED)
        return 0;
    struct tk_bill_row *row = &reading->lookup->rows[place->row];
    if (column == TK_BILLS_RULE)
        return take_rule(value->text, &row->values[column], err);
    if (column == TK_BILLS_ERROR_RATIO) {
        row->error_ratio = value->f64;
    } else if (value->i64 < 0) {
        return tk_fail(err, -EBADMSG, "%lld is less than nothing", (long long)value->i64);
    } else {
        row->values[column] = value->i64;
    }
    return 0;
}

/* Rows ----------------------------------------------------------------------------------- */

static int add_row(struct reading *reading, struct place *place, struct tk_err *err)
{
    struct tk_bill_lookup *lookup = reading->lookup;
    if (lookup->count == reading->room) {
        size_t room = 2 * reading->room + 64;
        struct tk_bill_row *rows = reallocarray(lookup->rows, room, sizeof(*rows));
        if (!rows)
            return tk_fail(err, -ENOMEM, "out of memory");
        lookup->rows = rows;
        reading->room = room;
    }
    struct tk_bill_row *row = &lookup->rows[lookup->count];
    *row = (struct tk_bill_row){.span_id = place->span_id, .error_ratio = (double)NAN};
    memcpy(row->trace_id, place->trace_id, sizeof(row->trace_id));
    memset(row->values, 0xFF, sizeof(row->values));
    if (tk_map_add(&lookup->by_span, key_of(row->trace_id, row->span_id), lookup->count) < 0)
        return tk_fail(err, -ENOMEM, "out of memory");
    place->row = lookup->count++;
    return 0;
}

static int add_rows(struct reading *reading, struct tk_err *err)
{
    int rc = 0;
    for (uint64_t i = 0; rc == 0 && i < reading->rows; i++) {
        uint32_t ignored;
        struct place *place = &reading->places[i];
        place->row = NOT_WANTED;
        if (!reading->wanted ||
            tk_map_find(reading->wanted, key_of(place->trace_id, place->span_id), &ignored))
            rc = add_row(reading, place, err);
    }
    return rc;
}

static int read_group(struct reading *reading, size_t group, struct tk_err *err)
{
    struct place *places = calloc(reading->rows + 1, sizeof(*places));
    if (!places)
        return tk_fail(err, -ENOMEM, "out of memory");
    reading->places = places;
    int rc = read_column(reading, group, TK_BILLS_TRACE_ID, take_id, err);
    rc = rc < 0 ? rc : read_column(reading, group, TK_BILLS_SPAN_ID, take_id, err);
    uint32_t before = reading->lookup->count;
    rc = rc < 0 ? rc : add_rows(reading, err);
    for (size_t c = TK_BILLS_RULE; rc == 0 && c < TK_BILLS_COUNT; c++)
        rc = reading->lookup->count > before ? read_column(reading, group, c, take_value, err) : 0;
    free(places);
    return rc;
}

static int read_groups(struct reading *reading, struct tk_err *err)
{
    const struct tk_parquet_file_meta *meta = tk_parquet_file_meta(reading->file);
    int rc = 0;
    for (size_t group = 0; rc == 0 && group < meta->row_group_count; group++) {
        reading->rows = (uint64_t)meta->row_groups[group].num_rows;
        if (reading->rows > ROWS_MAX - reading->lookup->count)
            return tk_fail(err, -EMSGSIZE, "more than %llu bills", (unsigned long long)ROWS_MAX);
        rc = read_group(reading, group, err);
    }
    return rc;
}

/* The file ------------------------------------------------------------------------------- */

static int want(const struct tk_span_rows *only, struct tk_map *ids, struct tk_err *err)
{
    for (size_t i = 0; i < only->n; i++) {
        size_t row = tk_span_rows_at(only, i);
        uint64_t key = key_of(only->batch->trace_ids[row], only->batch->span_ids[row]);
        if (tk_map_add(ids, key, 0) < 0)
            return tk_fail(err, -ENOMEM, "bills: out of memory");
    }
    return 0;
}

static int read_file(int *fd, const struct tk_map *wanted, struct tk_bill_lookup *lookup,
                     struct tk_err *err)
{
    struct stat st;
    struct reading reading = {.lookup = lookup, .wanted = wanted};
    if (fstat(*fd, &st) < 0)
        return tk_fail_errno(err, TK_BILLS_FILE);
    if (!S_ISREG(st.st_mode))
        return tk_fail(err, -EBADMSG, TK_BILLS_FILE " is no file");
    const struct tk_parquet_source source = tk_parquet_source_of(fd, (uint64_t)st.st_size);
    int rc = tk_parquet_file_new(&source, &reading.file, err);
    rc = rc < 0 ? rc : read_groups(&reading, err);
    tk_parquet_file_free(reading.file);
    return rc < 0 ? tk_err_prefix(err, TK_BILLS_FILE) : 0;
}

int tk_bill_lookup_open(int dirfd, const struct tk_span_rows *only,
                        struct tk_bill_lookup *ret_lookup, bool *ret_is_there, struct tk_err *err)
{
    struct tk_map ids = {0};
    *ret_lookup = (struct tk_bill_lookup){0};
    *ret_is_there = false;
    if (dirfd == -1)
        return 0;
    TK_CLEANUP(tk_fd_close)
    int fd = openat(dirfd, TK_BILLS_FILE, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0)
        return tk_fail_errno(err, TK_BILLS_FILE);
    int rc = only ? want(only, &ids, err) : 0;
    rc = rc < 0 ? rc : read_file(&fd, only ? &ids : NULL, ret_lookup, err);
    *ret_is_there = rc == 0;
    tk_map_release(&ids);
    return rc;
}

void tk_bill_lookup_release(struct tk_bill_lookup *lookup)
{
    free(lookup->rows);
    tk_map_release(&lookup->by_span);
    *lookup = (struct tk_bill_lookup){0};
}

const struct tk_bill_row *tk_bill_lookup_find(const struct tk_bill_lookup *lookup,
                                              const uint8_t trace_id[16], uint64_t span_id)
{
    uint32_t i;
    if (!tk_map_find(&lookup->by_span, key_of(trace_id, span_id), &i))
        return NULL;
    const struct tk_bill_row *row = &lookup->rows[i];
    bool is_it = row->span_id == span_id && memcmp(row->trace_id, trace_id, 16) == 0;
    return is_it ? row : NULL;
}

void tk_bill_row_put_json(const struct tk_bill_row *row, struct tk_buf *out)
{
    tk_buf_putc(out, '{');
    for (size_t c = TK_BILLS_RULE; c < TK_BILLS_COUNT; c++) {
        const struct tk_column *column = &tk_schema_bills.columns[c];
        if (c == TK_BILLS_ERROR_RATIO ? isnan(row->error_ratio) : row->values[c] < 0)
            continue;
        tk_json_put_key(out, column->name);
        if (c == TK_BILLS_RULE) {
            tk_json_put_str(out, tk_str_from(tk_bill_rules[row->values[c]].name));
        } else if (c == TK_BILLS_ERROR_RATIO) {
            tk_buf_put_f64(out, row->error_ratio, column->decimals);
        } else if (column->type == TK_BOOL) {
            tk_buf_puts(out, row->values[c] ? "true" : "false");
        } else {
            tk_buf_put_i64(out, row->values[c]);
        }
    }
    tk_buf_putc(out, '}');
}
