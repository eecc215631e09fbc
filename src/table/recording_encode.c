/* SPDX-License-Identifier: Apache-2.0 */
/* Recordings, writing: a hot path of the recorder. docs/format-recording.md has the bytes.
 *
 *     batch of 32 rows                 open block of the table          file
 *     +----+----+----+   by column     things  1 0 0 0 ...  --+ closed:
 *     | r0 | .. | .. |  ----------->   shapes  0 0 1 0 ...    | laid end to end,  header, payload
 *     | r1 | .. | .. |   what is new   cpu_ns  +9 +7 ...      | zstd level 1      +---+----------+
 *     +----+----+----+                 ...                  --+                   +---+----------+
 *
 * What is expected of a row is kept per thing: the last value of each column that the table ever
 * had (`values`, one line of memory after the other). A sweep visits things in the same order as
 * the one before as a rule, so the thing that followed last time is tried before the hash map.
 * Nothing is allocated once the number of things is stable. Measured cost: bench/RESULTS.md,
 * section recording. */
#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/number.h"
#include "table/recording_encoder_internal.h"

#define ZSTD_LEVEL   1
#define HASH_LOG     11 /* a table of 8 KiB: what repeats is near */
#define SLICE        32 /* rows that go through the columns together */
#define STREAM_MAX   ((size_t)8 << 20)
#define FIRST_COUNT  64
#define SPARE_THINGS 1024

/* Life -------------------------------------------------------------------------------- */

int tk_recording_encoder_new(struct tk_recording_encoder **ret_encoder, struct tk_err *err)
{
    struct tk_recording_encoder *encoder = calloc(1, sizeof(*encoder));
    if (encoder)
        encoder->zstd = ZSTD_createCCtx();
    if (!encoder || !encoder->zstd) {
        free(encoder);
        return tk_fail(err, -ENOMEM, "recording: out of memory");
    }
    (void)ZSTD_CCtx_setParameter(encoder->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL);
    (void)ZSTD_CCtx_setParameter(encoder->zstd, ZSTD_c_hashLog, HASH_LOG);
    tk_buf_init(&encoder->raw, TK_RECORDING_RAW_MAX);
    *ret_encoder = encoder;
    return 0;
}

static void table_free(struct tk_recorded_table *table)
{
    for (size_t i = 0; i < TK_STREAMS_MAX * TK_PLANES; i++)
        tk_buf_release(&table->streams[i / TK_PLANES].planes[i % TK_PLANES]);
    tk_arena_release(&table->texts.bytes);
    tk_map_release(&table->texts.by_hash);
    tk_map_release(&table->shapes.by_hash);
    tk_map_release(&table->by_key);
    free(table->texts.items);
    free(table->shapes.items);
    free(table->values);
    free(table->things);
    free(table);
}

void tk_recording_encoder_free(struct tk_recording_encoder *encoder)
{
    if (!encoder)
        return;
    for (size_t i = 0; i < encoder->table_count; i++)
        table_free(encoder->tables[i]);
    tk_buf_release(&encoder->raw);
    ZSTD_freeCCtx(encoder->zstd);
    free(encoder);
}

/* Make room for one more item. */
static int grow(void **items, size_t *cap, size_t count, size_t item_bytes)
{
    if (count < *cap)
        return 0;
    size_t wanted = *cap > 0 ? *cap * 2 : FIRST_COUNT;
    void *grown = realloc(*items, wanted * item_bytes);
    if (!grown)
        return -ENOMEM;
    *items = grown;
    *cap = wanted;
    return 0;
}

static void drop_block(struct tk_recorded_table *table)
{
    for (size_t i = 0; i < tk_recorded_stream_count(table) * TK_PLANES; i++)
        tk_buf_reset(&table->streams[i / TK_PLANES].planes[i % TK_PLANES]);
    table->bytes = 0;
    table->rows = 0;
    table->first_stamp = INT64_MAX;
    table->last_stamp = INT64_MIN;
}

/* Forget all things: the next block stands alone. */
static void begin_group(struct tk_recorded_table *table)
{
    table->before = 0;
    table->blocks = 0;
    table->thing_count = 1;
    table->last = 0;
    table->things[0] = (struct tk_recorded_thing){0};
    memset(table->values, 0, table->stride * sizeof(table->values[0]));
    memset(table->stamps, 0, sizeof(table->stamps));
    tk_map_reset(&table->by_key);
    tk_map_reset(&table->texts.by_hash);
    tk_map_reset(&table->shapes.by_hash);
    tk_arena_reset(&table->texts.bytes);
    table->texts.count = 1;
    table->shapes.count = 0;
    memset(table->shapes.latest, 0, sizeof(table->shapes.latest));
}

static void find_roles(struct tk_recorded_table *table)
{
    table->stamp = table->milli = TK_NO_COLUMN;
    for (size_t i = 0; i < table->schema->column_count; i++) {
        unsigned flags = table->schema->columns[i].flags;
        if (flags & TK_STAMP)
            table->stamp = i;
        if (flags & TK_STAMP_MILLI)
            table->milli = i;
        if (flags & TK_KEY) {
            assert(table->key_count < TK_RECORDING_KEYS_MAX);
            table->keys[table->key_count++] = (uint8_t)i;
            table->key_columns |= 1ULL << i;
        }
    }
}

static int table_new(const struct tk_schema *schema, struct tk_recorded_table **ret_table,
                     struct tk_err *err)
{
    struct tk_recorded_table *table = calloc(1, sizeof(*table));
    if (!table)
        return tk_fail(err, -ENOMEM, "recording of %s: out of memory", schema->name);
    table->schema = schema;
    table->id = tk_recording_table_id(schema->name);
    for (size_t i = 0; i < TK_STREAMS_MAX * TK_PLANES; i++)
        tk_buf_init(&table->streams[i / TK_PLANES].planes[i % TK_PLANES], STREAM_MAX);
    find_roles(table);
    table->stride = 1; /* the first is nobody's: there is a line even when no value is kept */
    table->values = calloc(FIRST_COUNT, sizeof(table->values[0]));
    int rc = tk_arena_init(&table->texts.bytes, TK_RECORDING_TEXT_MAX, err);
    if (rc == 0 &&
        (grow((void **)&table->texts.items, &table->texts.cap, 0, sizeof(tk_str)) < 0 ||
         grow((void **)&table->things, &table->thing_cap, 0, sizeof(struct tk_recorded_thing)) < 0))
        rc = tk_fail(err, -ENOMEM, "recording of %s: out of memory", schema->name);
    if (rc < 0) {
        table_free(table);
        return rc;
    }
    table->texts.items[0] = (tk_str){"", 0};
    begin_group(table);
    drop_block(table);
    *ret_table = table;
    return 0;
}

static int find_table(struct tk_recording_encoder *encoder, const struct tk_schema *schema,
                      struct tk_recorded_table **ret_table, struct tk_err *err)
{
    for (size_t i = 0; i < encoder->table_count; i++) {
        if (encoder->tables[i]->schema == schema) {
            *ret_table = encoder->tables[i];
            return 0;
        }
    }
    if (encoder->table_count == TK_RECORDED_TABLES_MAX)
        return tk_fail(err, -EMSGSIZE, "recording: more than %d tables", TK_RECORDED_TABLES_MAX);
    int rc = table_new(schema, ret_table, err);
    if (rc == 0)
        encoder->tables[encoder->table_count++] = *ret_table;
    return rc;
}

/* Blocks ------------------------------------------------------------------------------- */

static int close_block(struct tk_recording_encoder *encoder, struct tk_recorded_table *table,
                       struct tk_buf *out, struct tk_err *err)
{
    if (table->rows == 0)
        return 0;
    int rc = tk_recorded_frame_put(encoder, table, out, err);
    if (rc < 0)
        return rc;
    table->blocks++;
    drop_block(table);
    if (table->blocks == 1)
        table->first_things = table->thing_count;
    /* Things that are gone are forgotten before they are more than those that live. */
    if (table->blocks == TK_RECORDING_GROUP_BLOCKS || table->before == 0 ||
        table->thing_count > 2 * table->first_things + SPARE_THINGS)
        begin_group(table);
    return 0;
}

/* Numbers ----------------------------------------------------------------------------- */

/* Writes numbers into the planes of a stream, which has room for a slice. */
struct pen {
    struct tk_recorded_stream *stream;
    char *to[TK_PLANES];
};

static char *room_for(struct tk_buf *buf, size_t n)
{
    return buf->cap - buf->n >= n ? buf->p + buf->n : tk_buf_reserve(buf, n);
}

static bool pen_begin(struct pen *pen, struct tk_recorded_stream *stream, size_t numbers)
{
    pen->stream = stream;
    pen->to[0] = room_for(&stream->planes[0], numbers);
    pen->to[1] = room_for(&stream->planes[1], numbers);
    pen->to[2] = room_for(&stream->planes[2], numbers * TK_VARINT_MAX);
    return pen->to[0] && pen->to[1] && pen->to[2];
}

/* Kept in registers by the loops below, which work on a copy of their own. */
static inline void pen_put(struct pen *pen, uint64_t value)
{
    if (value < 0x80) {
        *pen->to[0]++ = (char)value;
        return;
    }
    *pen->to[0]++ = (char)(value | 0x80);
    value >>= 7;
    *pen->to[1]++ = (char)(value < 0x80 ? value : value | 0x80);
    if (value >= 0x80)
        pen->to[2] = tk_varint_write(pen->to[2], value >> 7);
}

static void pen_end(const struct pen *pen, struct tk_recorded_table *table)
{
    for (size_t plane = 0; plane < TK_PLANES; plane++) {
        struct tk_buf *buf = &pen->stream->planes[plane];
        size_t n = (size_t)(pen->to[plane] - buf->p);
        table->bytes += n - buf->n;
        buf->n = n;
    }
}

/* Texts and shapes -------------------------------------------------------------------- */

/* The number of a text in its group. 0 or -ENOMEM. */
static int find_text(struct tk_recorded_table *table, tk_str text, uint32_t *ret_id)
{
    struct tk_recorded_texts *texts = &table->texts;
    uint64_t hash = tk_hash_text(text);
    while (tk_map_find(&texts->by_hash, hash, ret_id)) {
        if (tk_str_eq(texts->items[*ret_id], text))
            return 0;
        hash++;
    }
    if (grow((void **)&texts->items, &texts->cap, texts->count, sizeof(tk_str)) < 0)
        return -ENOMEM;
    tk_str copy = tk_arena_copy(&texts->bytes, text);
    if ((!copy.p && text.n > 0) || tk_map_add(&texts->by_hash, hash, (uint32_t)texts->count) < 0)
        return -ENOMEM;
    *ret_id = (uint32_t)texts->count;
    texts->items[texts->count++] = copy;
    tk_recorded_text_put(&table->streams[TK_STREAM_NEW_TEXTS].planes[0], text);
    table->bytes += text.n + 1;
    return 0;
}

static int add_shape(struct tk_recorded_table *table, struct tk_shape shape, uint32_t *ret_id)
{
    struct tk_recorded_shapes *shapes = &table->shapes;
    uint64_t hash = tk_hash_mix(shape.present, shape.changed);
    while (tk_map_find(&shapes->by_hash, hash, ret_id)) {
        const struct tk_shape *found = &shapes->items[*ret_id];
        if (found->present == shape.present && found->changed == shape.changed)
            return 0;
        hash++;
    }
    if (grow((void **)&shapes->items, &shapes->cap, shapes->count, sizeof(shape)) < 0 ||
        tk_map_add(&shapes->by_hash, hash, (uint32_t)shapes->count) < 0)
        return -ENOMEM;
    *ret_id = (uint32_t)shapes->count;
    uint64_t before = shapes->count > 0 ? shapes->items[shapes->count - 1].present : 0;
    shapes->items[shapes->count++] = shape;
    struct tk_buf *stream = &table->streams[TK_STREAM_NEW_SHAPES].planes[0];
    tk_varint_put(stream, shape.present ^ before);
    tk_varint_put(stream, shape.changed);
    return 0;
}

/* Things -------------------------------------------------------------------------------- */

/* Rows that go through the columns together. */
struct slice {
    const struct tk_batch *batch;
    size_t first;
    size_t n;
    uint64_t any;            /* columns that some row has */
    bool has_new;            /* things */
    uint32_t line[SLICE];    /* of its thing in `values`, in values */
    uint32_t base[SLICE];    /* where what is expected stands: the same, but for a new thing the
                                line of the row before */
    uint64_t changed[SLICE]; /* columns, as they are found */
};

static uint64_t present_in(const struct slice *slice, size_t row)
{
    return slice->batch->present[slice->first + row];
}

/* Give a column a place in the lines of `values`. */
static int add_slot(struct tk_recorded_table *table, size_t column)
{
    size_t stride = table->stride + 1;
    size_t cap = table->thing_cap;
    int64_t *values = calloc(cap * stride, sizeof(values[0]));
    if (!values)
        return -ENOMEM;
    for (size_t i = 0; i < table->thing_count; i++) {
        memcpy(values + i * stride, table->values + i * table->stride,
               table->stride * sizeof(values[0]));
    }
    free(table->values);
    table->values = values;
    table->slots[column] = (uint8_t)table->stride;
    table->slotted |= 1ULL << column;
    table->stride = stride;
    return 0;
}

static bool is_list(const struct tk_column *column)
{
    return column->type == TK_F64_LIST || column->type == TK_TEXT_LIST;
}

static int add_slots(struct tk_recorded_table *table, uint64_t any)
{
    int rc = 0;
    for (uint64_t left = any & ~table->slotted; left && rc == 0; left &= left - 1) {
        size_t column = (size_t)__builtin_ctzll(left);
        if (tk_recorded_coding(table, column) == TK_CODING_DELTA &&
            !is_list(&table->schema->columns[column]))
            rc = add_slot(table, column);
    }
    return rc;
}

static int64_t *line_of(struct tk_recorded_table *table, uint32_t thing)
{
    return table->values + thing * table->stride;
}

/* What identifies the thing of a row. */
struct key {
    int64_t values[TK_RECORDING_KEYS_MAX];
    uint32_t bits; /* which the row has */
};

static int read_key(struct tk_recorded_table *table, const struct tk_batch *batch, size_t row,
                    struct key *ret)
{
    ret->bits = 0;
    for (size_t i = 0; i < table->key_count; i++) {
        size_t column = table->keys[i];
        const union tk_value *value = tk_batch_at(batch, row, column);
        uint32_t text = 0;
        ret->values[i] = 0;
        if (!tk_batch_has(batch, row, column))
            continue;
        ret->bits |= 1U << i;
        bool is_text = table->schema->columns[column].type == TK_TEXT;
        if (is_text && find_text(table, value->text, &text) < 0)
            return -ENOMEM;
        ret->values[i] = is_text ? text : value->i64;
    }
    return 0;
}

static bool is_thing(struct tk_recorded_table *table, uint32_t thing, const struct key *key)
{
    if (thing == 0 || table->things[thing].key_bits != key->bits)
        return false;
    const int64_t *line = line_of(table, thing);
    for (size_t i = 0; i < table->key_count; i++) {
        if ((key->bits >> i & 1) && line[table->slots[table->keys[i]]] != key->values[i])
            return false;
    }
    return true;
}

static int add_thing(struct tk_recorded_table *table, const struct key *key, uint64_t hash)
{
    uint32_t thing = (uint32_t)table->thing_count;
    if (thing == table->thing_cap) {
        size_t cap = table->thing_cap * 2;
        size_t line_bytes = table->stride * sizeof(table->values[0]);
        int64_t *values = realloc(table->values, cap * line_bytes);
        if (values)
            table->values = values;
        if (!values || grow((void **)&table->things, &table->thing_cap, thing,
                            sizeof(struct tk_recorded_thing)) < 0)
            return -ENOMEM;
    }
    if (tk_map_add(&table->by_key, hash, thing) < 0)
        return -ENOMEM;
    table->things[thing] = (struct tk_recorded_thing){.key_bits = key->bits};
    memcpy(line_of(table, thing), line_of(table, table->last),
           table->stride * sizeof(table->values[0]));
    for (size_t i = 0; i < table->key_count; i++) {
        if (key->bits >> i & 1)
            line_of(table, thing)[table->slots[table->keys[i]]] = key->values[i];
    }
    table->thing_count++;
    return 0;
}

/* The thing of a row; a new one begins as the thing of the row before. */
static int find_thing(struct tk_recorded_table *table, const struct key *key, uint32_t expected,
                      uint32_t *ret_thing)
{
    if (expected < table->thing_count && is_thing(table, expected, key)) {
        *ret_thing = expected;
        return 0;
    }
    if (is_thing(table, table->last, key)) {
        *ret_thing = table->last;
        return 0;
    }
    uint64_t hash = key->bits;
    for (size_t i = 0; i < table->key_count; i++)
        hash = tk_hash_mix(hash, (uint64_t)key->values[i]);
    while (tk_map_find(&table->by_key, hash, ret_thing)) {
        if (is_thing(table, *ret_thing, key))
            return 0;
        hash++;
    }
    *ret_thing = (uint32_t)table->thing_count;
    return add_thing(table, key, hash);
}

/* Which thing comes: 0 the expected one, 1 that of the row before once more, else how far it is
 * from the expected one. */
static uint64_t thing_code(uint32_t thing, uint32_t expected, uint32_t last)
{
    if (thing == expected)
        return 0;
    return thing == last ? 1 : tk_zigzag((int64_t)thing - (int64_t)expected) + 1;
}

static int find_things(struct tk_recorded_table *table, struct slice *slice)
{
    struct pen pen;
    if (!pen_begin(&pen, &table->streams[TK_STREAM_THINGS], slice->n))
        return -ENOMEM;
    for (size_t row = 0; row < slice->n; row++) {
        struct key key;
        uint32_t thing = 0;
        uint32_t last = table->last;
        uint32_t next = table->things[last].next;
        uint32_t expected = next > 0 ? next : last + 1;
        size_t known = table->thing_count;
        if (read_key(table, slice->batch, slice->first + row, &key) < 0 ||
            find_thing(table, &key, expected, &thing) < 0)
            return -ENOMEM;
        pen_put(&pen, thing_code(thing, expected, last));
        slice->line[row] = (uint32_t)(thing * table->stride);
        slice->base[row] = thing < known ? slice->line[row] : (uint32_t)(last * table->stride);
        slice->has_new |= thing >= known;
        if (thing != last)
            table->things[last].next = thing;
        table->last = thing;
    }
    pen_end(&pen, table);
    return 0;
}

/* Columns ------------------------------------------------------------------------------- */

/* A column of a slice on its way. */
struct walk {
    struct tk_recorded_table *table;
    struct slice *slice;
    size_t column;
    const union tk_value *cells; /* of the slice */
    int64_t *values;             /* of the column: add slice->line[row] */
    struct pen pen;
};

static bool walk_begin(struct walk *walk, struct tk_recorded_table *table, struct slice *slice,
                       size_t column)
{
    *walk = (struct walk){
        .table = table,
        .slice = slice,
        .column = column,
        .cells = tk_batch_at(slice->batch, slice->first, column),
        .values = table->values + table->slots[column],
    };
    return pen_begin(&walk->pen, &table->streams[TK_STREAM_COLUMNS + column], slice->n);
}

static bool walk_has(const struct walk *walk, size_t row)
{
    return (present_in(walk->slice, row) >> walk->column & 1) != 0;
}

/* What is expected in a row. */
static int64_t walk_expected(const struct walk *walk, size_t row)
{
    return walk->values[walk->slice->base[row]];
}

static void walk_keep(const struct walk *walk, size_t row, int64_t value)
{
    walk->values[walk->slice->line[row]] = value;
}

static void walk_mark(const struct walk *walk, size_t row)
{
    walk->slice->changed[row] |= 1ULL << walk->column;
}

static void put_integers(struct walk *walk)
{
    const uint64_t *present = walk->slice->batch->present + walk->slice->first;
    const uint64_t bit = 1ULL << walk->column;
    const size_t n = walk->slice->n;
    struct pen pen = walk->pen;
    for (size_t row = 0; row < n; row++) {
        int64_t expected = walk_expected(walk, row);
        int64_t value = present[row] & bit ? walk->cells[row].i64 : expected;
        walk_keep(walk, row, value);
        if (value != expected) {
            walk_mark(walk, row);
            pen_put(&pen, tk_zigzag(tk_wrap_sub(value, expected)));
        }
    }
    walk->pen = pen;
}

static int put_texts(struct walk *walk)
{
    struct tk_recorded_table *table = walk->table;
    for (size_t row = 0; row < walk->slice->n; row++) {
        int64_t expected = walk_expected(walk, row);
        uint32_t text = (uint32_t)expected;
        if (walk_has(walk, row) && !tk_str_eq(table->texts.items[text], walk->cells[row].text)) {
            if (find_text(table, walk->cells[row].text, &text) < 0)
                return -ENOMEM;
            walk_mark(walk, row);
            pen_put(&walk->pen, text);
        }
        walk_keep(walk, row, text);
    }
    return 0;
}

/* What a double is coded as: one more than the whole units of its last digit, against those of
 * `before`; 0 when it is not made of such, and its bytes follow. */
static uint64_t f64_code(double value, double before, int decimals)
{
    int64_t units;
    int64_t units_before;
    if (!tk_f64_units(value, decimals, &units))
        return 0;
    if (!tk_f64_units(before, decimals, &units_before))
        units_before = 0;
    return tk_zigzag(units - units_before) + 1;
}

/* Bytes go to the last plane. */
static void put_f64(struct pen *pen, double value, double before, int decimals)
{
    uint64_t code = f64_code(value, before, decimals);
    pen_put(pen, code);
    if (code == 0) {
        memcpy(pen->to[2], &value, sizeof(value));
        pen->to[2] += sizeof(value);
    }
}

/* The double that its text reads back as. */
static double rounded(double value, int decimals)
{
    int64_t units;
    return tk_f64_units(value, decimals, &units) ? tk_f64_from_units(units, decimals) : value;
}

static void put_doubles(struct walk *walk)
{
    int decimals = walk->table->schema->columns[walk->column].decimals;
    for (size_t row = 0; row < walk->slice->n; row++) {
        int64_t expected = walk_expected(walk, row);
        double before = tk_f64_from_bits((uint64_t)expected);
        double value = walk_has(walk, row) ? rounded(walk->cells[row].f64, decimals) : before;
        int64_t bits = (int64_t)tk_f64_bits(value);
        walk_keep(walk, row, bits);
        if (bits != expected) {
            walk_mark(walk, row);
            put_f64(&walk->pen, value, before, decimals);
        }
    }
}

/* The place of a stamp among the latest ones, which it moves to the front; TK_RECORDING_STAMPS when
 * it is none of them. */
static unsigned find_stamp(int64_t stamps[TK_RECORDING_STAMPS], int64_t value)
{
    unsigned at = 0;
    while (at < TK_RECORDING_STAMPS && stamps[at] != value)
        at++;
    unsigned from = at < TK_RECORDING_STAMPS ? at : TK_RECORDING_STAMPS - 1;
    memmove(stamps + 1, stamps, from * sizeof(stamps[0]));
    stamps[0] = value;
    return at;
}

static void put_stamps(struct walk *walk)
{
    struct tk_recorded_table *table = walk->table;
    for (size_t row = 0; row < walk->slice->n; row++) {
        if (!walk_has(walk, row))
            continue;
        int64_t value = walk->cells[row].i64;
        int64_t latest = table->stamps[0];
        unsigned at = find_stamp(table->stamps, value);
        pen_put(&walk->pen, at);
        if (at == TK_RECORDING_STAMPS) {
            walk->pen.to[2] =
                tk_varint_write(walk->pen.to[2], tk_zigzag(tk_wrap_sub(value, latest)));
        }
        table->first_stamp = value < table->first_stamp ? value : table->first_stamp;
        table->last_stamp = value > table->last_stamp ? value : table->last_stamp;
    }
}

static void put_millis(struct walk *walk)
{
    const struct slice *slice = walk->slice;
    size_t stamp = walk->table->stamp;
    for (size_t row = 0; row < slice->n; row++) {
        if (!walk_has(walk, row))
            continue;
        int64_t expected =
            stamp == TK_NO_COLUMN
                ? 0
                : tk_thousandth(tk_batch_i64(slice->batch, slice->first + row, stamp, 0));
        int64_t value = walk->cells[row].i64;
        if (value != expected) {
            walk_mark(walk, row);
            pen_put(&walk->pen, tk_zigzag(tk_wrap_sub(value, expected)));
        }
    }
}

static void put_list(struct tk_buf *out, const struct tk_column *column, struct tk_list list)
{
    const double *doubles = list.items;
    const tk_str *texts = list.items;
    tk_varint_put(out, list.n);
    for (size_t i = 0; i < list.n; i++) {
        if (column->type == TK_TEXT_LIST) {
            tk_recorded_text_put(out, texts[i]);
            continue;
        }
        uint64_t code = f64_code(doubles[i], 0, column->decimals);
        tk_varint_put(out, code);
        if (code == 0)
            tk_buf_put(out, (tk_str){(const char *)&doubles[i], sizeof(doubles[i])});
    }
}

static int put_lists(const struct walk *walk)
{
    struct tk_buf *out = &walk->pen.stream->planes[0];
    size_t before = out->n;
    for (size_t row = 0; row < walk->slice->n; row++) {
        if (walk_has(walk, row))
            put_list(out, &walk->table->schema->columns[walk->column], walk->cells[row].list);
    }
    walk->table->bytes += out->n - before;
    return out->failure;
}

static int put_column(struct tk_recorded_table *table, struct slice *slice, size_t column)
{
    struct walk walk;
    if (!walk_begin(&walk, table, slice, column))
        return -ENOMEM;
    enum tk_type type = table->schema->columns[column].type;
    if (type == TK_F64_LIST || type == TK_TEXT_LIST)
        return put_lists(&walk);
    int rc = 0;
    if (column == table->stamp) {
        put_stamps(&walk);
    } else if (column == table->milli) {
        put_millis(&walk);
    } else if (type == TK_TEXT) {
        rc = put_texts(&walk);
    } else if (type == TK_F64) {
        put_doubles(&walk);
    } else {
        put_integers(&walk);
    }
    pen_end(&walk.pen, table);
    return rc;
}

/* The number of a shape in its group; most are among the latest. */
static int find_shape(struct tk_recorded_table *table, struct tk_shape shape, uint32_t *ret_id)
{
    size_t at =
        (shape.present ^ shape.changed) * 0x9E3779B97F4A7C15ULL >> (64 - TK_LATEST_SHAPES_BITS);
    if (table->shapes.latest[at].shape.present == shape.present &&
        table->shapes.latest[at].shape.changed == shape.changed && shape.present != 0) {
        *ret_id = table->shapes.latest[at].id;
        return 0;
    }
    int rc = add_shape(table, shape, ret_id);
    if (rc == 0) {
        table->shapes.latest[at].shape = shape;
        table->shapes.latest[at].id = *ret_id;
    }
    return rc;
}

static int put_shapes(struct tk_recorded_table *table, const struct slice *slice)
{
    struct pen pen;
    if (!pen_begin(&pen, &table->streams[TK_STREAM_SHAPES], slice->n))
        return -ENOMEM;
    for (size_t row = 0; row < slice->n; row++) {
        uint32_t shape;
        if (find_shape(table, (struct tk_shape){present_in(slice, row), slice->changed[row]},
                       &shape) < 0)
            return -ENOMEM;
        pen_put(&pen, shape);
    }
    pen_end(&pen, table);
    return 0;
}

static int put_slice(struct tk_recorded_table *table, const struct tk_batch *batch, size_t first,
                     size_t n)
{
    struct slice slice = {.batch = batch, .first = first, .n = n};
    for (size_t row = 0; row < n; row++)
        slice.any |= batch->present[first + row];
    int rc = add_slots(table, slice.any);
    if (rc == 0)
        rc = find_things(table, &slice);
    /* Keys of known things are as expected. */
    uint64_t columns = slice.has_new ? slice.any : slice.any & ~table->key_columns;
    for (uint64_t left = columns; left && rc == 0; left &= left - 1)
        rc = put_column(table, &slice, (size_t)__builtin_ctzll(left));
    if (rc == 0)
        rc = put_shapes(table, &slice);
    table->rows += (uint32_t)n;
    return rc;
}

/* Rows ---------------------------------------------------------------------------------- */

/* Whether the group may take a slice more with so much text. */
static bool group_has_room(const struct tk_recorded_table *table, size_t text_bytes)
{
    return table->thing_count + SLICE <= TK_RECORDING_THINGS_MAX &&
           table->shapes.count + SLICE <= TK_RECORDING_THINGS_MAX &&
           table->texts.count + SLICE * table->schema->column_count <= TK_RECORDING_THINGS_MAX &&
           table->texts.bytes.n + text_bytes <= TK_RECORDING_TEXT_MAX;
}

static int put_rows(struct tk_recording_encoder *encoder, struct tk_recorded_table *table,
                    const struct tk_batch *batch, struct tk_buf *out, struct tk_err *err)
{
    /* Texts are copied to aligned addresses. */
    size_t text_bytes = batch->text.n + SLICE * table->schema->column_count * sizeof(max_align_t);
    size_t taken = 0; /* rows that are, or were, in an open block */
    int rc = 0;
    while (taken < batch->rows && rc == 0) {
        size_t n = batch->rows - taken < SLICE ? batch->rows - taken : SLICE;
        if (!group_has_room(table, text_bytes)) {
            rc = close_block(encoder, table, out, err);
            if (rc < 0)
                break;
            begin_group(table);
        }
        if (put_slice(table, batch, taken, n) < 0)
            rc = tk_fail(err, -ENOMEM, "recording of %s: out of memory", table->schema->name);
        taken += n;
        if (rc == 0 && table->bytes >= TK_RECORDING_BLOCK_BYTES)
            rc = close_block(encoder, table, out, err);
    }
    encoder->lost_rows += (int64_t)(batch->rows - taken);
    return rc;
}

int tk_recording_encoder_put(struct tk_recording_encoder *encoder, const struct tk_batch *batch,
                             struct tk_buf *out, struct tk_err *err)
{
    struct tk_recorded_table *table = NULL;
    int rc = find_table(encoder, batch->schema, &table, err);
    if (rc == 0 && batch->text.n > TK_RECORDING_TEXT_MAX / 2) {
        rc = tk_fail(err, -EMSGSIZE, "recording of %s: more than %d bytes of text in a batch",
                     batch->schema->name, TK_RECORDING_TEXT_MAX / 2);
    }
    if (rc < 0 || !table) {
        encoder->lost_rows += (int64_t)batch->rows;
        return rc;
    }
    return put_rows(encoder, table, batch, out, err);
}

int tk_recording_encoder_close_blocks(struct tk_recording_encoder *encoder, struct tk_buf *out,
                                      struct tk_err *err)
{
    for (size_t i = 0; i < encoder->table_count; i++) {
        int rc = close_block(encoder, encoder->tables[i], out, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int64_t tk_recording_encoder_open_rows(const struct tk_recording_encoder *encoder)
{
    int64_t rows = 0;
    for (size_t i = 0; i < encoder->table_count; i++)
        rows += encoder->tables[i]->rows;
    return rows;
}

int64_t tk_recording_encoder_restart(struct tk_recording_encoder *encoder)
{
    int64_t lost = tk_recording_encoder_open_rows(encoder) + encoder->lost_rows;
    encoder->lost_rows = 0;
    for (size_t i = 0; i < encoder->table_count; i++) {
        drop_block(encoder->tables[i]);
        begin_group(encoder->tables[i]);
    }
    return lost;
}
