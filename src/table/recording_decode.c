/* SPDX-License-Identifier: Apache-2.0 */
/* Recordings, reading: the way of recording_encode.c back. A block is decompressed, what is new in
 * it for the whole block (texts, shapes) is read first; then rows are made by column, up to CHUNK
 * at a time. Everything that a block claims is checked against its bytes and the limits of the
 * format. Measured cost: bench/RESULTS.md, section recording. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <zstd.h>

#include "base/number.h"
#include "table/recording_internal.h"

#define CHUNK       64 /* rows that go through the columns together */
#define FIRST_COUNT 64
#define NO_COLUMN   64

/* A column of the file. */
struct column {
    enum tk_type type;
    enum tk_coding coding;
    int decimals;
    size_t target; /* column of the schema; NO_COLUMN = it has none */
};

/* What is left of a stream. */
struct stream {
    tk_str planes[TK_PLANES];
};

struct text {
    tk_str text;   /* in decoder->bytes, by its start: the buffer moves */
    size_t start;  /* in decoder->bytes */
    tk_str copy;   /* in the batch at hand */
    uint64_t turn; /* of the copy */
};

struct shape {
    struct tk_shape in_file;
    uint64_t target;  /* columns of the schema */
    uint64_t unknown; /* columns that it lacks, how many */
};

struct tk_recording_decoder {
    const struct tk_schema *schema;
    uint32_t table;
    ZSTD_DCtx *zstd;
    uint64_t unknown_fields;

    /* The group */
    struct column columns[64];
    size_t column_count; /* 0 = no group was begun */
    size_t stamp;        /* column of the file; NO_COLUMN = none */
    bool identity;       /* the columns are those of the schema, in its order */
    int64_t *values;     /* [thing][column_count] */
    uint32_t *next;      /* by thing */
    size_t thing_count;
    size_t thing_cap;
    uint32_t last_thing;
    int64_t stamps[TK_RECORDING_STAMPS];
    struct text *texts;
    size_t text_count;
    size_t text_cap;
    struct tk_buf bytes; /* of the texts */
    struct shape *shapes;
    size_t shape_count;
    size_t shape_cap;
    uint32_t last_id; /* block that was decoded whole; 0 = none, a group has to begin */

    /* The block */
    struct tk_buf raw;
    struct stream streams[TK_STREAMS_MAX];
    uint32_t rows_left;
    uint32_t id;
    uint64_t turn; /* of tk_recording_decoder_next() */
};

int tk_recording_decoder_new(const struct tk_schema *schema,
                             struct tk_recording_decoder **ret_decoder, struct tk_err *err)
{
    struct tk_recording_decoder *decoder = calloc(1, sizeof(*decoder));
    if (decoder)
        decoder->zstd = ZSTD_createDCtx();
    if (!decoder || !decoder->zstd) {
        free(decoder);
        return tk_fail(err, -ENOMEM, "recording of %s: out of memory", schema->name);
    }
    decoder->schema = schema;
    decoder->table = tk_recording_table_id(schema->name);
    tk_buf_init(&decoder->raw, TK_RECORDING_RAW_MAX);
    tk_buf_init(&decoder->bytes, TK_RECORDING_TEXT_MAX);
    *ret_decoder = decoder;
    return 0;
}

void tk_recording_decoder_free(struct tk_recording_decoder *decoder)
{
    if (!decoder)
        return;
    ZSTD_freeDCtx(decoder->zstd);
    tk_buf_release(&decoder->raw);
    tk_buf_release(&decoder->bytes);
    free(decoder->values);
    free(decoder->next);
    free(decoder->texts);
    free(decoder->shapes);
    free(decoder);
}

uint64_t tk_recording_decoder_unknown_fields(const struct tk_recording_decoder *decoder)
{
    return decoder->unknown_fields;
}

static int fail_bad(const struct tk_recording_decoder *decoder, const char *what,
                    struct tk_err *err)
{
    return tk_fail(err, -EBADMSG, "recording of %s: %s", decoder->schema->name, what);
}

static int fail_memory(const struct tk_recording_decoder *decoder, struct tk_err *err)
{
    return tk_fail(err, -ENOMEM, "recording of %s: out of memory", decoder->schema->name);
}

/* The first line: what is expected of the first row of a group. */
static int add_line(struct tk_recording_decoder *decoder, struct tk_err *err)
{
    if (decoder->thing_count == decoder->thing_cap) {
        size_t cap = decoder->thing_cap > 0 ? decoder->thing_cap * 2 : FIRST_COUNT;
        int64_t *values = realloc(decoder->values, cap * 64 * sizeof(values[0]));
        if (values)
            decoder->values = values;
        uint32_t *next = values ? realloc(decoder->next, cap * sizeof(next[0])) : NULL;
        if (!next)
            return fail_memory(decoder, err);
        decoder->next = next;
        decoder->thing_cap = cap;
    }
    decoder->next[decoder->thing_count++] = 0;
    return 0;
}

static int64_t *line_of(const struct tk_recording_decoder *decoder, uint32_t thing)
{
    return decoder->values + thing * decoder->column_count;
}

/* The schema of a group -------------------------------------------------------------------- */

static bool take_bytes(tk_str *text, uint64_t n, tk_str *ret)
{
    if (n > text->n)
        return false;
    *ret = (tk_str){text->p, (size_t)n};
    *text = (tk_str){text->p + n, text->n - (size_t)n};
    return true;
}

static bool take_text(tk_str *text, tk_str *ret)
{
    uint64_t n;
    return tk_varint_read(text, &n) && take_bytes(text, n, ret);
}

/* Whether values of a column can be kept in that way. */
static bool coding_ok(const struct column *column)
{
    bool integer = column->type == TK_I64 || column->type == TK_BOOL;
    return column->type <= TK_TEXT_LIST && column->coding <= TK_CODING_STAMP_MILLI &&
           (column->coding == TK_CODING_DELTA || integer) && column->decimals <= 9;
}

static bool describe_column(struct tk_recording_decoder *decoder, tk_str *text, size_t index)
{
    tk_str head;
    tk_str name;
    if (!take_bytes(text, 3, &head) || !take_text(text, &name))
        return false;
    struct column *column = &decoder->columns[index];
    *column = (struct column){
        .type = (enum tk_type)(unsigned char)head.p[0],
        .coding = (enum tk_coding)(unsigned char)head.p[1],
        .decimals = (int)(unsigned char)head.p[2] - 1,
        .target = tk_schema_find(decoder->schema, name, index),
    };
    if (column->target == decoder->schema->column_count ||
        decoder->schema->columns[column->target].type != column->type)
        column->target = NO_COLUMN;
    if (column->coding == TK_CODING_STAMP)
        decoder->stamp = index;
    return coding_ok(column);
}

/* One column of the schema gets its values from one of the file. */
static bool targets_differ(const struct tk_recording_decoder *decoder)
{
    uint64_t seen = 0;
    for (size_t i = 0; i < decoder->column_count; i++) {
        size_t target = decoder->columns[i].target;
        if (target != NO_COLUMN && (seen >> target & 1))
            return false;
        seen |= target != NO_COLUMN ? 1ULL << target : 0;
    }
    return true;
}

static bool take_schema(struct tk_recording_decoder *decoder, tk_str *text)
{
    tk_str name;
    uint64_t count;
    if (!take_text(text, &name) || !tk_str_eq(name, tk_str_from(decoder->schema->name)) ||
        !tk_varint_read(text, &count) || count < 1 || count > 64)
        return false;
    decoder->column_count = (size_t)count;
    decoder->stamp = NO_COLUMN;
    decoder->identity = true;
    for (size_t i = 0; i < count; i++) {
        if (!describe_column(decoder, text, i))
            return false;
        decoder->identity &= decoder->columns[i].target == i;
    }
    return targets_differ(decoder);
}

static int begin_group(struct tk_recording_decoder *decoder, tk_str *text, struct tk_err *err)
{
    decoder->thing_count = 0;
    decoder->last_thing = 0;
    decoder->text_count = 0;
    decoder->shape_count = 0;
    memset(decoder->stamps, 0, sizeof(decoder->stamps));
    tk_buf_reset(&decoder->bytes);
    if (!take_schema(decoder, text))
        return fail_bad(decoder, "bad description of the table", err);
    int rc = add_line(decoder, err);
    if (rc == 0)
        memset(decoder->values, 0, decoder->column_count * sizeof(decoder->values[0]));
    return rc;
}

/* What is new in a block -------------------------------------------------------------------- */

static int add_text(struct tk_recording_decoder *decoder, tk_str text, struct tk_err *err)
{
    if (decoder->text_count == decoder->text_cap) {
        size_t cap = decoder->text_cap > 0 ? decoder->text_cap * 2 : FIRST_COUNT;
        struct text *texts = realloc(decoder->texts, cap * sizeof(texts[0]));
        if (!texts)
            return fail_memory(decoder, err);
        decoder->texts = texts;
        decoder->text_cap = cap;
    }
    decoder->texts[decoder->text_count++] = (struct text){
        .text = {NULL, text.n},
        .start = decoder->bytes.n,
    };
    tk_buf_put(&decoder->bytes, text);
    return 0;
}

static int take_new_texts(struct tk_recording_decoder *decoder, struct tk_err *err)
{
    tk_str *stream = &decoder->streams[TK_STREAM_NEW_TEXTS].planes[0];
    int rc = 0;
    if (decoder->text_count == 0)
        rc = add_text(decoder, TK_STR(""), err);
    while (rc == 0 && stream->n > 0) {
        tk_str text;
        if (!take_text(stream, &text) || decoder->text_count >= TK_RECORDING_THINGS_MAX)
            return fail_bad(decoder, "bad texts", err);
        rc = add_text(decoder, text, err);
    }
    if (rc == 0 && !tk_buf_ok(&decoder->bytes))
        rc = fail_bad(decoder, "too much text", err);
    for (size_t i = 0; rc == 0 && i < decoder->text_count; i++) {
        struct text *text = &decoder->texts[i];
        text->text.p = text->text.n > 0 ? decoder->bytes.p + text->start : "";
    }
    return rc;
}

static uint64_t target_of(const struct tk_recording_decoder *decoder, uint64_t present)
{
    uint64_t target = 0;
    if (decoder->identity)
        return present;
    for (uint64_t left = present; left; left &= left - 1) {
        size_t to = decoder->columns[__builtin_ctzll(left)].target;
        target |= to != NO_COLUMN ? 1ULL << to : 0;
    }
    return target;
}

static int add_shape(struct tk_recording_decoder *decoder, struct tk_shape shape,
                     struct tk_err *err)
{
    if (decoder->shape_count == decoder->shape_cap) {
        size_t cap = decoder->shape_cap > 0 ? decoder->shape_cap * 2 : FIRST_COUNT;
        struct shape *shapes = realloc(decoder->shapes, cap * sizeof(shapes[0]));
        if (!shapes)
            return fail_memory(decoder, err);
        decoder->shapes = shapes;
        decoder->shape_cap = cap;
    }
    uint64_t target = target_of(decoder, shape.present);
    decoder->shapes[decoder->shape_count++] = (struct shape){
        shape, target,
        (uint64_t)(__builtin_popcountll(shape.present) - __builtin_popcountll(target))};
    return 0;
}

static int take_new_shapes(struct tk_recording_decoder *decoder, struct tk_err *err)
{
    tk_str *stream = &decoder->streams[TK_STREAM_NEW_SHAPES].planes[0];
    uint64_t all = ~0ULL >> (64 - decoder->column_count);
    int rc = 0;
    while (rc == 0 && stream->n > 0) {
        uint64_t present;
        uint64_t changed;
        if (!tk_varint_read(stream, &present) || !tk_varint_read(stream, &changed) ||
            decoder->shape_count >= TK_RECORDING_THINGS_MAX)
            return fail_bad(decoder, "bad shapes", err);
        if (decoder->shape_count > 0)
            present ^= decoder->shapes[decoder->shape_count - 1].in_file.present;
        if ((present & ~all) || (changed & ~present))
            return fail_bad(decoder, "shapes of other columns", err);
        rc = add_shape(decoder, (struct tk_shape){present, changed}, err);
    }
    return rc;
}

static bool take_streams(struct tk_recording_decoder *decoder, tk_str text)
{
    uint64_t bytes[TK_STREAMS_MAX * TK_PLANES];
    size_t count = (TK_STREAM_COLUMNS + decoder->column_count) * TK_PLANES;
    for (size_t i = 0; i < count; i++) {
        if (!tk_varint_read(&text, &bytes[i]))
            return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!take_bytes(&text, bytes[i], &decoder->streams[i / TK_PLANES].planes[i % TK_PLANES]))
            return false;
    }
    return text.n == 0;
}

static int decompress(struct tk_recording_decoder *decoder, const struct tk_recording_frame *frame,
                      tk_str payload, struct tk_err *err)
{
    tk_buf_reset(&decoder->raw);
    if (frame->raw_bytes > TK_RECORDING_RAW_MAX || frame->rows > TK_RECORDING_ROWS_MAX ||
        frame->raw_bytes == 0)
        return fail_bad(decoder, "a block larger than any", err);
    char *to = tk_buf_reserve(&decoder->raw, frame->raw_bytes);
    if (!to)
        return fail_memory(decoder, err);
    size_t n = ZSTD_decompressDCtx(decoder->zstd, to, frame->raw_bytes, payload.p, payload.n);
    if (ZSTD_isError(n) || n != frame->raw_bytes)
        return fail_bad(decoder, "a block does not decompress", err);
    decoder->raw.n = n;
    return 0;
}

static int begin_block(struct tk_recording_decoder *decoder, const struct tk_recording_frame *frame,
                       tk_str payload, struct tk_err *err)
{
    bool begins = frame->before == 0;
    int rc = decompress(decoder, frame, payload, err);
    if (rc < 0)
        return rc;
    tk_str text = tk_buf_str(&decoder->raw);
    if (text.p[0] != begins)
        return fail_bad(decoder, "a block is not where it belongs", err);
    text = (tk_str){text.p + 1, text.n - 1};
    if (begins)
        rc = begin_group(decoder, &text, err);
    if (rc == 0 && !take_streams(decoder, text))
        rc = fail_bad(decoder, "bad lengths of streams", err);
    if (rc == 0)
        rc = take_new_texts(decoder, err);
    return rc < 0 ? rc : take_new_shapes(decoder, err);
}

int tk_recording_decoder_begin(struct tk_recording_decoder *decoder,
                               const struct tk_recording_frame *frame, tk_str payload,
                               struct tk_err *err)
{
    uint32_t last_id = decoder->last_id;
    decoder->last_id = 0; /* until this block is at its end */
    decoder->rows_left = 0;
    decoder->id = 0;
    if (frame->kind != TK_RECORDING_BLOCK || frame->table != decoder->table)
        return fail_bad(decoder, "a block of something else", err);
    if (!tk_recording_payload_ok(frame, payload))
        return fail_bad(decoder, "a damaged block", err);
    if (frame->before != 0 && frame->before != last_id) {
        return tk_fail(err, -ESTALE, "recording of %s: the block before is missing",
                       decoder->schema->name);
    }
    int rc = begin_block(decoder, frame, payload, err);
    if (rc < 0)
        return rc;
    decoder->rows_left = frame->rows;
    decoder->id = frame->id;
    return 0;
}

/* Rows -------------------------------------------------------------------------------------- */

/* The next number of a stream. */
static inline bool take_number(struct stream *stream, uint64_t *ret)
{
    uint64_t rest = 0;
    uint64_t value = 0;
    for (size_t plane = 0; plane < 2; plane++) {
        tk_str *left = &stream->planes[plane];
        if (left->n == 0)
            return false;
        uint64_t byte = (unsigned char)*left->p;
        *left = (tk_str){left->p + 1, left->n - 1};
        value |= (byte & 0x7F) << 7 * plane;
        if (byte < 0x80) {
            *ret = value;
            return true;
        }
    }
    if (!tk_varint_read(&stream->planes[2], &rest) || rest >> 50)
        return false;
    *ret = value | rest << 14;
    return true;
}

/* Rows that go through the columns together. */
struct chunk {
    struct tk_recording_decoder *decoder;
    struct tk_batch *out;
    size_t first; /* row of `out` */
    size_t n;
    uint64_t any; /* columns of the file that some row has */
    uint64_t any_changed;
    uint32_t line[CHUNK]; /* of its thing in `values`, in values */
    uint32_t base[CHUNK]; /* where what is expected stands */
    struct tk_shape shapes[CHUNK];
    int64_t stamps[CHUNK]; /* of rows that have one, else 0 */
    bool full;             /* texts or lists did not fit into the batch */
};

static bool take_things(struct chunk *chunk, struct tk_err *err)
{
    struct tk_recording_decoder *decoder = chunk->decoder;
    struct stream *stream = &decoder->streams[TK_STREAM_THINGS];
    for (size_t row = 0; row < chunk->n; row++) {
        uint64_t coded;
        uint32_t last = decoder->last_thing;
        uint32_t next = decoder->next[last];
        int64_t expected = next > 0 ? next : last + 1;
        if (!take_number(stream, &coded))
            return false;
        uint64_t thing = coded == 0   ? (uint64_t)expected
                         : coded == 1 ? last
                                      : (uint64_t)tk_wrap_add(expected, tk_unzigzag(coded - 1));
        if (thing == 0 || thing > decoder->thing_count || thing > TK_RECORDING_THINGS_MAX)
            return false;
        bool is_new = thing == decoder->thing_count;
        if (is_new) {
            if (add_line(decoder, err) < 0)
                return false;
            memcpy(line_of(decoder, (uint32_t)thing), line_of(decoder, last),
                   decoder->column_count * sizeof(decoder->values[0]));
        }
        chunk->line[row] = (uint32_t)(thing * decoder->column_count);
        chunk->base[row] = is_new ? (uint32_t)(last * decoder->column_count) : chunk->line[row];
        if (thing != last)
            decoder->next[last] = (uint32_t)thing;
        decoder->last_thing = (uint32_t)thing;
    }
    return true;
}

static bool take_shapes(struct chunk *chunk)
{
    struct tk_recording_decoder *decoder = chunk->decoder;
    struct stream *stream = &decoder->streams[TK_STREAM_SHAPES];
    for (size_t row = 0; row < chunk->n; row++) {
        uint64_t id;
        if (!take_number(stream, &id) || id >= decoder->shape_count)
            return false;
        const struct shape *shape = &decoder->shapes[id];
        chunk->shapes[row] = shape->in_file;
        chunk->any |= shape->in_file.present;
        chunk->any_changed |= shape->in_file.changed;
        chunk->out->present[chunk->first + row] = shape->target;
        decoder->unknown_fields += shape->unknown;
    }
    return true;
}

/* A column of a chunk on its way. */
struct walk {
    struct chunk *chunk;
    const struct column *column;
    uint64_t bit;
    int64_t *values; /* of the column: add chunk->line[row] */
    struct stream *stream;
    union tk_value *cells; /* of the chunk; NULL when nobody wants them */
};

static bool has(const struct walk *walk, size_t row)
{
    return (walk->chunk->shapes[row].present & walk->bit) != 0;
}

static bool is_changed(const struct walk *walk, size_t row)
{
    return (walk->chunk->shapes[row].changed & walk->bit) != 0;
}

/* Integers and doubles of a column in which nothing changes. */
static void copy_values(const struct walk *walk)
{
    const struct chunk *chunk = walk->chunk;
    for (size_t row = 0; row < chunk->n && walk->cells; row++)
        walk->cells[row].i64 = walk->values[chunk->line[row]];
}

static bool take_integers(struct walk *walk)
{
    const struct chunk *chunk = walk->chunk;
    for (size_t row = 0; row < chunk->n; row++) {
        int64_t value = walk->values[chunk->base[row]];
        if (is_changed(walk, row)) {
            uint64_t coded;
            if (!take_number(walk->stream, &coded))
                return false;
            value = tk_wrap_add(value, tk_unzigzag(coded));
        }
        walk->values[chunk->line[row]] = value;
        if (walk->cells)
            walk->cells[row].i64 = value;
    }
    return true;
}

/* A text of the group in the batch at hand, copied once. */
static bool copy_text(struct chunk *chunk, size_t id, tk_str *ret)
{
    struct text *text = &chunk->decoder->texts[id];
    if (text->turn != chunk->decoder->turn) {
        text->copy = tk_arena_copy(&chunk->out->text, text->text);
        chunk->full = !text->copy.p && text->text.n > 0;
        if (chunk->full)
            return false;
        text->turn = chunk->decoder->turn;
    }
    *ret = text->copy;
    return true;
}

static bool take_texts(struct walk *walk)
{
    struct chunk *chunk = walk->chunk;
    for (size_t row = 0; row < chunk->n; row++) {
        uint64_t id = (uint64_t)walk->values[chunk->base[row]];
        if (is_changed(walk, row) &&
            (!take_number(walk->stream, &id) || id >= chunk->decoder->text_count))
            return false;
        walk->values[chunk->line[row]] = (int64_t)id;
        if (walk->cells && has(walk, row) && !copy_text(chunk, (size_t)id, &walk->cells[row].text))
            return false;
    }
    return true;
}

/* A double that is coded so against `before`; bytes come from `raw`. */
static bool take_f64(uint64_t code, tk_str *raw, double before, int decimals, double *ret)
{
    int64_t units;
    tk_str bytes;
    if (code == 0) {
        if (!take_bytes(raw, sizeof(*ret), &bytes))
            return false;
        memcpy(ret, bytes.p, sizeof(*ret));
        return true;
    }
    if (!tk_f64_units(before, decimals, &units))
        units = 0;
    if (decimals < 0)
        return false;
    *ret = tk_f64_from_units(tk_wrap_add(units, tk_unzigzag(code - 1)), decimals);
    return true;
}

static bool take_double(const struct walk *walk, double *value)
{
    uint64_t code;
    return take_number(walk->stream, &code) &&
           take_f64(code, &walk->stream->planes[2], *value, walk->column->decimals, value) &&
           isfinite(*value);
}

static bool take_doubles(struct walk *walk)
{
    const struct chunk *chunk = walk->chunk;
    for (size_t row = 0; row < chunk->n; row++) {
        double value = tk_f64_from_bits((uint64_t)walk->values[chunk->base[row]]);
        if (is_changed(walk, row) && !take_double(walk, &value))
            return false;
        walk->values[chunk->line[row]] = (int64_t)tk_f64_bits(value);
        if (walk->cells)
            walk->cells[row].f64 = value;
    }
    return true;
}

/* The next stamp: one of the latest, or against the last. */
static bool take_stamp(struct walk *walk, int64_t *ret)
{
    int64_t *stamps = walk->chunk->decoder->stamps;
    uint64_t at;
    uint64_t coded;
    if (!take_number(walk->stream, &at) || at > TK_RECORDING_STAMPS)
        return false;
    bool is_new = at == TK_RECORDING_STAMPS;
    if (is_new && !tk_varint_read(&walk->stream->planes[2], &coded))
        return false;
    int64_t value = is_new ? tk_wrap_add(stamps[0], tk_unzigzag(coded)) : stamps[at];
    memmove(stamps + 1, stamps, (is_new ? at - 1 : at) * sizeof(stamps[0]));
    stamps[0] = value;
    *ret = value;
    return true;
}

static bool take_stamps(struct walk *walk)
{
    struct chunk *chunk = walk->chunk;
    for (size_t row = 0; row < chunk->n; row++) {
        if (!has(walk, row))
            continue;
        if (!take_stamp(walk, &chunk->stamps[row]))
            return false;
        if (walk->cells)
            walk->cells[row].i64 = chunk->stamps[row];
    }
    return true;
}

static bool take_millis(struct walk *walk)
{
    const struct chunk *chunk = walk->chunk;
    for (size_t row = 0; row < chunk->n; row++) {
        int64_t value = tk_thousandth(chunk->stamps[row]);
        uint64_t coded;
        if (is_changed(walk, row)) {
            if (!take_number(walk->stream, &coded))
                return false;
            value = tk_wrap_add(value, tk_unzigzag(coded));
        }
        if (walk->cells)
            walk->cells[row].i64 = value;
    }
    return true;
}

static bool take_doubles_of_list(const struct walk *walk, double *items, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t code;
        if (!tk_varint_read(&walk->stream->planes[0], &code) ||
            !take_f64(code, &walk->stream->planes[0], 0, walk->column->decimals, &items[i]))
            return false;
    }
    return true;
}

static bool take_texts_of_list(const struct walk *walk, tk_str *items, size_t n)
{
    struct chunk *chunk = walk->chunk;
    for (size_t i = 0; i < n; i++) {
        tk_str text;
        if (!take_text(&walk->stream->planes[0], &text))
            return false;
        items[i] = tk_arena_copy(&chunk->out->text, text);
        chunk->full = !items[i].p && text.n > 0;
        if (chunk->full)
            return false;
    }
    return true;
}

static bool take_list(const struct walk *walk, struct tk_list *ret)
{
    bool is_text = walk->column->type == TK_TEXT_LIST;
    uint64_t n;
    if (!tk_varint_read(&walk->stream->planes[0], &n) || n > walk->stream->planes[0].n)
        return false;
    size_t item_bytes = is_text ? sizeof(tk_str) : sizeof(double);
    void *items = tk_arena_alloc(&walk->chunk->out->text, (size_t)n * item_bytes + 1);
    walk->chunk->full = !items;
    if (!items)
        return false;
    *ret = (struct tk_list){items, (size_t)n};
    return is_text ? take_texts_of_list(walk, items, (size_t)n)
                   : take_doubles_of_list(walk, items, (size_t)n);
}

static bool take_lists(struct walk *walk)
{
    for (size_t row = 0; row < walk->chunk->n; row++) {
        struct tk_list list;
        if (!has(walk, row))
            continue;
        if (!take_list(walk, &list))
            return false;
        if (walk->cells)
            walk->cells[row].list = list;
    }
    return true;
}

static bool take_column(struct chunk *chunk, size_t index)
{
    struct tk_recording_decoder *decoder = chunk->decoder;
    const struct column *column = &decoder->columns[index];
    struct walk walk = {
        .chunk = chunk,
        .column = column,
        .bit = 1ULL << index,
        .values = decoder->values + index,
        .stream = &decoder->streams[TK_STREAM_COLUMNS + index],
        .cells = column->target == NO_COLUMN
                     ? NULL
                     : tk_batch_slot(chunk->out, chunk->first, column->target),
    };
    if (column->coding == TK_CODING_STAMP)
        return take_stamps(&walk);
    if (column->coding == TK_CODING_STAMP_MILLI)
        return take_millis(&walk);
    bool number = column->type == TK_I64 || column->type == TK_BOOL || column->type == TK_F64;
    if (number && !(chunk->any_changed & walk.bit)) {
        copy_values(&walk);
        return true;
    }
    switch (column->type) {
    case TK_TEXT:
        return take_texts(&walk);
    case TK_F64:
        return take_doubles(&walk);
    case TK_F64_LIST:
    case TK_TEXT_LIST:
        return take_lists(&walk);
    case TK_I64:
    case TK_BOOL:
        break;
    }
    return take_integers(&walk);
}

/* The stamps come first: others are told by them. */
static bool take_columns(struct chunk *chunk)
{
    size_t stamp = chunk->decoder->stamp;
    uint64_t left = chunk->any;
    if (stamp != NO_COLUMN && (left >> stamp & 1)) {
        if (!take_column(chunk, stamp))
            return false;
        left &= ~(1ULL << stamp);
    }
    for (; left; left &= left - 1) {
        if (!take_column(chunk, (size_t)__builtin_ctzll(left)))
            return false;
    }
    return true;
}

static bool streams_at_end(const struct tk_recording_decoder *decoder)
{
    for (size_t i = 0; i < TK_STREAM_COLUMNS + decoder->column_count; i++) {
        const struct stream *stream = &decoder->streams[i];
        if (stream->planes[0].n + stream->planes[1].n + stream->planes[2].n > 0)
            return false;
    }
    return true;
}

/* More than the texts of rows to come may need: each of the group once, and what is in lists. */
static size_t most_text_bytes(const struct tk_recording_decoder *decoder)
{
    size_t bytes = decoder->bytes.n + decoder->text_count * sizeof(max_align_t);
    for (size_t i = 0; i < decoder->column_count; i++) {
        enum tk_type type = decoder->columns[i].type;
        if (type == TK_F64_LIST || type == TK_TEXT_LIST)
            bytes += decoder->streams[TK_STREAM_COLUMNS + i].planes[0].n * 3 * sizeof(max_align_t);
    }
    return bytes;
}

static int take_chunk(struct tk_recording_decoder *decoder, struct tk_batch *out,
                      struct tk_err *err)
{
    size_t room = out->max_rows - out->rows;
    struct chunk chunk = {.decoder = decoder, .out = out, .first = out->rows};
    chunk.n = room < CHUNK ? room : CHUNK;
    chunk.n = chunk.n < decoder->rows_left ? chunk.n : decoder->rows_left;
    if (!take_things(&chunk, err) || !take_shapes(&chunk) || !take_columns(&chunk)) {
        decoder->rows_left = 0;
        decoder->id = 0;
        return chunk.full ? tk_fail(err, -EMSGSIZE, "recording of %s: a row does not fit",
                                    decoder->schema->name)
                          : fail_bad(decoder, "a block contradicts itself", err);
    }
    decoder->rows_left -= (uint32_t)chunk.n;
    out->rows += chunk.n;
    return 0;
}

int tk_recording_decoder_next(struct tk_recording_decoder *decoder, struct tk_batch *out,
                              struct tk_err *err)
{
    assert(out->schema == decoder->schema);
    decoder->turn++;
    while (decoder->rows_left > 0 && out->rows < out->max_rows) {
        if (out->rows > 0 && out->text.max - out->text.n < most_text_bytes(decoder))
            return 0;
        int rc = take_chunk(decoder, out, err);
        if (rc < 0)
            return rc;
    }
    if (decoder->rows_left > 0)
        return 0;
    uint32_t id = decoder->id;
    decoder->id = 0;
    if (id != 0 && !streams_at_end(decoder))
        return fail_bad(decoder, "a block has more than its rows", err);
    if (id != 0)
        decoder->last_id = id;
    return 1;
}
