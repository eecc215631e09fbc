/* SPDX-License-Identifier: Apache-2.0 */
/* A batch as a file. No value is hashed here but the trace ids: texts come as numbers, which the
 * writer turns into its dictionaries (table/parquet.h, tk_parquet_add_ids()). */
#include "segment/columns_internal.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/number.h"

#define PLAN_BYTES    ((size_t)4 << 30) /* of address space, likewise below */
#define SCRATCH_BYTES ((size_t)8 << 30)
#define MADE_BYTES    ((size_t)1 << 30)
#define TEXT_MAX      ((size_t)1 << 30)

void *tk_columns_alloc(struct tk_columns *columns, size_t count, size_t size, struct tk_err *err)
{
    void *p = tk_arena_alloc(&columns->memory->scratch, (count + 1) * size);
    if (!p)
        (void)tk_fail(err, -ENOMEM, "%zu spans: out of memory", columns->rows);
    return p;
}

/* Texts ------------------------------------------------------------------------------------- */

static tk_str text_of(void *user, uint32_t id)
{
    struct tk_columns *columns = user;
    uint32_t own = columns->batch->texts.count;
    if (id >= own)
        return tk_texts_get(&columns->memory->made, id - own);
    return tk_texts_get(&columns->batch->texts, id);
}

uint32_t tk_columns_make(struct tk_columns *columns, tk_str text)
{
    uint32_t id = tk_texts_add(&columns->memory->made, text);
    return id == TK_TEXTS_NONE ? 0 : columns->batch->texts.count + id;
}

/* Arrays and maps come again and again: each is put into JSON once. */
static uint32_t nested_attr(struct tk_columns *columns, const struct tk_attr *attr,
                            char *ret_letter)
{
    uint64_t key = (uint64_t)attr->type << 32 | attr->text;
    uint32_t found;
    if (tk_map_find(&columns->nested, key, &found)) {
        *ret_letter = found & 1 ? 'j' : 'o';
        return columns->batch->texts.count + (found >> 1);
    }
    tk_buf_reset(&columns->text);
    *ret_letter = tk_attr_text_put(&columns->coder, &columns->batch->texts, attr, &columns->text);
    uint32_t id = tk_columns_make(columns, tk_buf_str(&columns->text));
    if (id != 0) {
        uint32_t made = id - columns->batch->texts.count;
        (void)!tk_map_add(&columns->nested, key, made << 1 | (*ret_letter == 'j'));
    }
    return id;
}

uint32_t tk_columns_attr(struct tk_columns *columns, const struct tk_attr *attr, char *ret_letter)
{
    if (attr->type == TK_ATTR_STRING) {
        *ret_letter = 's';
        return attr->text;
    }
    if (attr->type == TK_ATTR_ARRAY || attr->type == TK_ATTR_MAP)
        return nested_attr(columns, attr, ret_letter);
    tk_buf_reset(&columns->text);
    *ret_letter = tk_attr_text_put(&columns->coder, &columns->batch->texts, attr, &columns->text);
    return tk_columns_make(columns, tk_buf_str(&columns->text));
}

void tk_columns_put_ids(struct tk_columns *columns, size_t column, const uint32_t *ids,
                        const uint8_t *def, const uint8_t *rep, size_t n)
{
    struct tk_parquet_ids texts = {text_of, columns,
                                   columns->batch->texts.count + columns->memory->made.count, ids};
    tk_parquet_add_ids(columns->writer, column, &texts, def, rep, n);
}

void tk_columns_put_texts(struct tk_columns *columns, size_t column, uint32_t *ids, uint8_t *def)
{
    size_t n = 0;
    for (size_t i = 0; i < columns->rows; i++) {
        def[i] = ids[i] != TK_NO_TEXT;
        ids[n] = ids[i];
        n += def[i];
    }
    tk_columns_put_ids(columns, column, ids, def, NULL, columns->rows);
}

/* Plain columns ------------------------------------------------------------------------------ */

/* Order rows so that those of one trace stand together, and number the traces; `traces` [rows] is
 * the number of the trace of each row of the file. */
struct trace_ids {
    uint32_t *traces;
    uint32_t count;
    char (*hex)[32]; /* [count] */
};

static tk_str trace_text(void *user, uint32_t id)
{
    const struct trace_ids *ids = user;
    return (tk_str){ids->hex[id], sizeof(ids->hex[id])};
}

/* Number the traces of the batch's rows in the order in which they come. True when rows of a trace
 * stand together already. */
static bool number_traces(const struct tk_span_batch *batch, struct trace_ids *ids, uint32_t *slots,
                          size_t mask, uint32_t *first)
{
    bool is_grouped = true;
    for (size_t i = 0; i < batch->rows; i++) {
        const uint8_t *id = batch->trace_ids[i];
        if (i > 0 && memcmp(id, batch->trace_ids[i - 1], 16) == 0) {
            ids->traces[i] = ids->traces[i - 1];
            continue;
        }
        uint64_t words[2];
        memcpy(words, id, sizeof(words));
        uint64_t hash = (words[0] ^ words[1] * 0x9E3779B97F4A7C15ULL) * 0xFF51AFD7ED558CCDULL;
        size_t at = (size_t)(hash >> 32) & mask;
        while (slots[at] != 0 && memcmp(batch->trace_ids[first[slots[at] - 1]], id, 16) != 0)
            at = (at + 1) & mask;
        if (slots[at] == 0) {
            first[ids->count] = (uint32_t)i;
            slots[at] = ++ids->count;
        } else {
            is_grouped = false;
        }
        ids->traces[i] = slots[at] - 1;
    }
    return is_grouped;
}

/* Put the rows into the order of their traces: a counting sort, which keeps the order within. */
static int order_rows(struct tk_columns *columns, struct trace_ids *ids, struct tk_err *err)
{
    size_t n = columns->rows;
    uint32_t *ends = tk_columns_alloc(columns, ids->count, sizeof(*ends), err);
    uint32_t *sorted = tk_columns_alloc(columns, n, sizeof(*sorted), err);
    columns->order = tk_arena_alloc(&columns->memory->plan, n * sizeof(*columns->order));
    if (!ends || !sorted || !columns->order)
        return tk_fail(err, -ENOMEM, "%zu spans: out of memory", n);
    memset(ends, 0, (ids->count + 1U) * sizeof(*ends));
    for (size_t i = 0; i < n; i++)
        ends[ids->traces[i] + 1]++;
    for (size_t k = 1; k <= ids->count; k++)
        ends[k] += ends[k - 1];
    for (size_t i = 0; i < n; i++) {
        uint32_t to = ends[ids->traces[i]]++;
        columns->order[to] = (uint32_t)i;
        sorted[to] = ids->traces[i];
    }
    ids->traces = sorted;
    return 0;
}

static int put_traces(struct tk_columns *columns, struct tk_err *err)
{
    const struct tk_span_batch *batch = columns->batch;
    size_t n = columns->rows;
    size_t slot_count = 1024;
    while (slot_count < 2 * n)
        slot_count *= 2;
    struct trace_ids ids = {.traces = tk_columns_alloc(columns, n, sizeof(uint32_t), err)};
    uint32_t *first = tk_columns_alloc(columns, n, sizeof(*first), err);
    uint32_t *slots = tk_columns_alloc(columns, slot_count, sizeof(*slots), err);
    if (!ids.traces || !first || !slots)
        return err->code;
    memset(slots, 0, slot_count * sizeof(*slots));
    if (!number_traces(batch, &ids, slots, slot_count - 1, first) &&
        order_rows(columns, &ids, err) < 0)
        return err->code;
    ids.hex = tk_columns_alloc(columns, ids.count, sizeof(*ids.hex), err);
    if (!ids.hex)
        return err->code;
    for (uint32_t i = 0; i < ids.count; i++)
        tk_hex_put(batch->trace_ids[first[i]], 16, ids.hex[i]);
    struct tk_parquet_ids texts = {trace_text, &ids, ids.count, ids.traces};
    tk_parquet_add_ids(columns->writer, TK_COLUMN_TRACE_ID, &texts, NULL, NULL, n);
    return 0;
}

/* Ids of eight bytes as sixteen digits each; 0 is null where the column may be. */
static int put_span_ids(struct tk_columns *columns, size_t column, const uint64_t *from,
                        bool may_be_null, struct tk_err *err)
{
    size_t n = columns->rows;
    size_t there = 0;
    char *hex = tk_columns_alloc(columns, n, 16, err);
    uint8_t *def = tk_columns_alloc(columns, n, 1, err);
    if (!hex || !def)
        return err->code;
    for (size_t i = 0; i < n; i++) {
        uint8_t bytes[8];
        uint64_t id = from[tk_columns_row(columns, i)];
        def[i] = !may_be_null || id != 0;
        memcpy(bytes, &id, sizeof(bytes));
        tk_hex_put(bytes, sizeof(bytes), hex + 16 * there);
        there += def[i];
    }
    tk_parquet_add_packed(columns->writer, column, hex, 16, may_be_null ? def : NULL, n);
    return 0;
}

static int put_times(struct tk_columns *columns, struct tk_err *err)
{
    const struct tk_span_batch *batch = columns->batch;
    size_t n = columns->rows;
    int64_t *values = tk_columns_alloc(columns, n, sizeof(*values), err);
    if (!values)
        return err->code;
    for (size_t i = 0; i < n; i++)
        values[i] = batch->start_ns[tk_columns_row(columns, i)];
    tk_parquet_add_i64(columns->writer, TK_COLUMN_START_NS, values, n);
    for (size_t i = 0; i < n; i++) /* rounded down, before 1970, too */
        values[i] = values[i] / 1000 - (values[i] % 1000 < 0);
    tk_parquet_add_i64(columns->writer, TK_COLUMN_START_US, values, n);
    for (size_t i = 0; i < n; i++)
        values[i] = batch->duration_ns[tk_columns_row(columns, i)];
    tk_parquet_add_i64(columns->writer, TK_COLUMN_DURATION_NS, values, n);
    for (size_t i = 0; i < n; i++)
        values[i] = batch->flags[tk_columns_row(columns, i)];
    tk_parquet_add_i64(columns->writer, TK_COLUMN_FLAGS, values, n);
    return 0;
}

/* Numbers that are mostly 0, which is null. */
static int put_counts(struct tk_columns *columns, size_t column, const uint32_t *from,
                      struct tk_err *err)
{
    size_t n = columns->rows;
    size_t there = 0;
    int64_t *values = tk_columns_alloc(columns, n, sizeof(*values), err);
    uint8_t *def = tk_columns_alloc(columns, n, 1, err);
    if (!values || !def)
        return err->code;
    for (size_t i = 0; i < n; i++) {
        values[there] = from[tk_columns_row(columns, i)];
        def[i] = values[there] != 0;
        there += def[i];
    }
    tk_parquet_add_levels(columns->writer, column, values, def, NULL, n);
    return 0;
}

/* Texts of the batch; 0, the empty text, is null where the column may be. */
static int put_texts(struct tk_columns *columns, size_t column, const uint32_t *from,
                     bool may_be_null, struct tk_err *err)
{
    size_t n = columns->rows;
    uint32_t *ids = tk_columns_alloc(columns, n, sizeof(*ids), err);
    uint8_t *def = tk_columns_alloc(columns, n, 1, err);
    if (!ids || !def)
        return err->code;
    size_t there = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t id = from[tk_columns_row(columns, i)];
        def[i] = !may_be_null || id != 0;
        ids[there] = id;
        there += def[i];
    }
    tk_columns_put_ids(columns, column, ids, may_be_null ? def : NULL, NULL, n);
    return 0;
}

/* A number of few values as its name; one without a name as digits. */
static int put_names(struct tk_columns *columns, size_t column, const uint8_t *from,
                     const tk_str *names, size_t name_count, struct tk_err *err)
{
    uint32_t by_value[256];
    size_t n = columns->rows;
    uint32_t *ids = tk_columns_alloc(columns, n, sizeof(*ids), err);
    if (!ids)
        return err->code;
    memset(by_value, 0xFF, sizeof(by_value));
    for (size_t i = 0; i < n; i++) {
        uint8_t value = from[tk_columns_row(columns, i)];
        if (by_value[value] == TK_NO_TEXT) {
            char digits[TK_I64_MAX];
            tk_str number = {digits, tk_u64_format(value, digits)};
            by_value[value] = tk_columns_make(columns, value < name_count ? names[value] : number);
        }
        ids[i] = by_value[value];
    }
    tk_columns_put_ids(columns, column, ids, NULL, NULL, n);
    return 0;
}

static int put_plain(struct tk_columns *columns, struct tk_err *err)
{
    const struct tk_span_batch *batch = columns->batch;
    int rc = put_traces(columns, err);
    if (rc == 0)
        rc = put_span_ids(columns, TK_COLUMN_SPAN_ID, batch->span_ids, false, err);
    if (rc == 0)
        rc = put_span_ids(columns, TK_COLUMN_PARENT_SPAN_ID, batch->parent_ids, true, err);
    if (rc == 0)
        rc = put_texts(columns, TK_COLUMN_NAME, batch->names, false, err);
    if (rc == 0) {
        rc = put_names(columns, TK_COLUMN_KIND, batch->kinds, tk_kind_texts, TK_SPAN_KIND_COUNT,
                       err);
    }
    if (rc == 0) {
        rc = put_names(columns, TK_COLUMN_STATUS, batch->statuses, tk_status_texts,
                       TK_SPAN_STATUS_COUNT, err);
    }
    if (rc == 0)
        rc = put_texts(columns, TK_COLUMN_STATUS_MESSAGE, batch->messages, true, err);
    if (rc == 0)
        rc = put_texts(columns, TK_COLUMN_TRACE_STATE, batch->trace_states, true, err);
    if (rc == 0)
        rc = put_times(columns, err);
    if (rc == 0)
        rc = put_counts(columns, TK_COLUMN_DROPPED_ATTRS, batch->dropped_attrs, err);
    if (rc == 0)
        rc = put_counts(columns, TK_COLUMN_DROPPED_EVENTS, batch->dropped_events, err);
    if (rc == 0)
        rc = put_counts(columns, TK_COLUMN_DROPPED_LINKS, batch->dropped_links, err);
    return rc;
}

/* Metadata ----------------------------------------------------------------------------------- */

void tk_segment_summary_put(const struct tk_segment_summary *summary, struct tk_buf *out)
{
    tk_buf_printf(out, "{\"version\":%d,\"spans\":%llu,\"first_ns\":%lld,\"last_ns\":%lld",
                  TK_SEGMENT_VERSION, (unsigned long long)summary->spans,
                  (long long)summary->first_ns, (long long)summary->last_ns);
    tk_buf_lit(out, ",\"replaces\":[");
    for (size_t i = 0; i < summary->replace_count; i++) {
        tk_json_put_comma(out);
        tk_buf_put_u64(out, summary->replaces[i]);
    }
    tk_buf_lit(out, "]}");
}

static void put_summary(struct tk_columns *columns)
{
    const struct tk_span_batch *batch = columns->batch;
    struct tk_buf *out = &columns->text;
    int64_t first = INT64_MAX;
    int64_t last = INT64_MIN;
    for (size_t i = 0; i < columns->rows; i++) {
        int64_t start = batch->start_ns[i];
        int64_t room = INT64_MAX - (start > 0 ? start : 0);
        int64_t end = start + (batch->duration_ns[i] < room ? batch->duration_ns[i] : room);
        first = start < first ? start : first;
        last = end > last ? end : last;
    }
    tk_buf_reset(out);
    tk_segment_summary_put(&(struct tk_segment_summary){columns->rows, first, last,
                                                        columns->opts->replaces,
                                                        columns->opts->replace_count},
                           out);
    tk_parquet_writer_add_pair(columns->writer, TK_SEGMENT_PAIR, tk_buf_str(out));
}

static void put_promotions(struct tk_columns *columns)
{
    const struct tk_texts *texts = &columns->batch->texts;
    tk_buf_reset(&columns->text);
    tk_promotion_put(&columns->spans, texts, &columns->text);
    tk_parquet_writer_add_pair(columns->writer, TK_SEGMENT_ATTRS_PAIR, tk_buf_str(&columns->text));
    tk_buf_reset(&columns->text);
    tk_promotion_put(&columns->resources, texts, &columns->text);
    tk_parquet_writer_add_pair(columns->writer, TK_SEGMENT_RESOURCES_PAIR,
                               tk_buf_str(&columns->text));
}

struct operation {
    uint32_t service, name;
    uint32_t kind;
    uint64_t spans;
};

/* Count the row with its operation; -ENOBUFS when there are too many to be listed. */
static int count_operation(struct tk_map *map, struct operation *list, size_t *n,
                           const struct operation *row)
{
    uint32_t at;
    uint64_t key = (uint64_t)row->service * 0x9E3779B97F4A7C15ULL ^
                   ((uint64_t)row->name << 8 | row->kind) * 0xFF51AFD7ED558CCDULL;
    while (tk_map_find(map, key, &at)) {
        if (list[at].service == row->service && list[at].name == row->name &&
            list[at].kind == row->kind) {
            list[at].spans++;
            return 0;
        }
        key++;
    }
    if (*n == TK_SEGMENT_OPERATIONS_MAX)
        return -ENOBUFS;
    list[*n] = *row;
    return tk_map_add(map, key, (uint32_t)(*n)++);
}

/* [["service","name",kind,spans],...]: what there is, without a look at the columns. */
static int put_operations(struct tk_columns *columns, struct tk_err *err)
{
    const struct tk_span_batch *batch = columns->batch;
    struct operation *list =
        tk_columns_alloc(columns, TK_SEGMENT_OPERATIONS_MAX, sizeof(*list), err);
    if (!list)
        return err->code;
    TK_CLEANUP(tk_map_release) struct tk_map map = {0};
    size_t n = 0;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < columns->rows; i++) {
        struct operation row = {tk_span_resource_of(batch, i)->service, batch->names[i],
                                batch->kinds[i], 1};
        rc = count_operation(&map, list, &n, &row);
    }
    if (rc == -ENOBUFS)
        return 0;
    if (rc < 0)
        return tk_fail(err, rc, "operations: out of memory");
    tk_buf_reset(&columns->text);
    tk_buf_putc(&columns->text, '[');
    for (size_t i = 0; i < n; i++) {
        tk_json_put_comma(&columns->text);
        tk_buf_putc(&columns->text, '[');
        tk_json_put_str(&columns->text, tk_texts_get(&batch->texts, list[i].service));
        tk_buf_putc(&columns->text, ',');
        tk_json_put_str(&columns->text, tk_texts_get(&batch->texts, list[i].name));
        tk_buf_printf(&columns->text, ",%u,%llu]", list[i].kind, (unsigned long long)list[i].spans);
    }
    tk_buf_putc(&columns->text, ']');
    tk_parquet_writer_add_pair(columns->writer, TK_SEGMENT_OPERATIONS_PAIR,
                               tk_buf_str(&columns->text));
    return 0;
}

/* The file ----------------------------------------------------------------------------------- */

static void promoted_node(const struct tk_promoted *column, struct tk_parquet_node *ret_node)
{
    static const enum tk_parquet_type types[] = {
        [TK_ATTR_STRING] = TK_PARQUET_BYTES,
        [TK_ATTR_BOOL] = TK_PARQUET_BOOL,
        [TK_ATTR_INT] = TK_PARQUET_I64,
        [TK_ATTR_DOUBLE] = TK_PARQUET_F64,
    };
    *ret_node = (struct tk_parquet_node){
        .name = column->name,
        .type = types[column->type],
        .repetition = TK_PARQUET_OPTIONAL,
        .logical = column->type == TK_ATTR_STRING ? TK_PARQUET_STRING : TK_PARQUET_RAW,
    };
}

/* The fixed columns, those of attributes, those of resources. */
static int make_nodes(struct tk_columns *columns, struct tk_err *err)
{
    size_t n = tk_column_node_count + columns->spans.count + columns->resources.count;
    columns->nodes = tk_arena_alloc(&columns->memory->plan, n * sizeof(*columns->nodes));
    if (!columns->nodes)
        return tk_fail(err, -ENOMEM, "columns: out of memory");
    memcpy(columns->nodes, tk_column_nodes, tk_column_node_count * sizeof(*columns->nodes));
    struct tk_parquet_node *to = columns->nodes + tk_column_node_count;
    for (size_t i = 0; i < columns->spans.count; i++)
        promoted_node(&columns->spans.columns[i], to++);
    for (size_t i = 0; i < columns->resources.count; i++)
        promoted_node(&columns->resources.columns[i], to++);
    columns->node_count = n;
    return 0;
}

static void columns_release(struct tk_columns *columns)
{
    tk_parquet_writer_free(columns->writer);
    tk_promotion_release(&columns->spans);
    tk_promotion_release(&columns->resources);
    tk_map_release(&columns->nested);
    tk_attr_coder_release(&columns->coder);
    tk_buf_release(&columns->text);
}

void tk_columns_memory_release(struct tk_columns_memory *memory)
{
    tk_arena_release(&memory->plan);
    tk_arena_release(&memory->scratch);
    tk_texts_release(&memory->made);
}

/* Empty it, or reserve it where that was not done yet. */
static int memory_begin(struct tk_columns_memory *memory, struct tk_err *err)
{
    int rc = 0;
    tk_arena_reset(&memory->plan);
    tk_arena_reset(&memory->scratch);
    if (!memory->plan.p)
        rc = tk_arena_init(&memory->plan, PLAN_BYTES, err);
    if (rc == 0 && !memory->scratch.p)
        rc = tk_arena_init(&memory->scratch, SCRATCH_BYTES, err);
    if (rc < 0)
        return rc;
    if (!memory->made.slots)
        return tk_texts_init(&memory->made, MADE_BYTES, err);
    tk_texts_reset(&memory->made);
    return 0;
}

static int begin(struct tk_columns *columns, const struct tk_parquet_sink *sink, struct tk_err *err)
{
    struct tk_parquet_opts opts = {.codec = TK_PARQUET_ZSTD,
                                   .level = columns->opts->level,
                                   .row_group_rows = columns->rows,
                                   .row_group_bytes = SIZE_MAX,
                                   .page_rows = TK_SEGMENT_PAGE_ROWS};
    tk_buf_init(&columns->text, TEXT_MAX);
    int rc = memory_begin(columns->memory, err);
    if (rc == 0)
        rc = tk_attr_coder_init(&columns->coder, err);
    if (rc < 0)
        return rc;
    uint32_t *weights = tk_columns_weights(columns, err);
    if (!weights)
        return err->code;
    rc = tk_promotion_of_spans(columns->batch, &columns->memory->plan, &columns->spans, err);
    if (rc == 0) {
        rc = tk_promotion_of_resources(columns->batch, weights, &columns->memory->plan,
                                       &columns->resources, err);
    }
    if (rc == 0)
        rc = make_nodes(columns, err);
    if (rc == 0) {
        rc = tk_parquet_writer_new(columns->nodes, columns->node_count, &opts, sink,
                                   &columns->writer, err);
    }
    return rc;
}

static int write_columns(struct tk_columns *columns, const struct tk_parquet_sink *sink,
                         struct tk_err *err)
{
    static int (*const parts[])(struct tk_columns * columns, struct tk_err * err) = {
        put_plain,
        tk_columns_put_scopes,
        tk_columns_put_attrs,
        tk_columns_put_events,
        tk_columns_put_links,
        put_operations,
    };
    int rc = begin(columns, sink, err);
    for (size_t i = 0; rc == 0 && i < TK_COUNTOF(parts); i++) {
        tk_arena_reset(&columns->memory->scratch);
        rc = parts[i](columns, err);
    }
    if (rc == 0 && columns->memory->made.full)
        rc = tk_fail(err, -ENOMEM, "%zu spans: their values take too much room", columns->rows);
    if (rc < 0)
        return rc;
    put_summary(columns);
    put_promotions(columns);
    return tk_parquet_writer_close(columns->writer, err);
}

int tk_columns_write(const struct tk_span_batch *batch, const struct tk_columns_opts *opts,
                     const struct tk_parquet_sink *sink, struct tk_err *err)
{
    TK_CLEANUP(tk_columns_memory_release) struct tk_columns_memory own = {.plan = {0}};
    TK_CLEANUP(columns_release)
    struct tk_columns columns = {.batch = batch,
                                 .opts = opts,
                                 .rows = batch->rows,
                                 .memory = opts->memory ? opts->memory : &own};
    return write_columns(&columns, sink, err);
}
