/* SPDX-License-Identifier: Apache-2.0 */
/* The table as columns of varints, each a zstd-19 frame: what an engineer writes in an afternoon.
 * Gen-T's projection and no more: tree, times, error, service, operation, kind, five attributes.
 * Times are whole microseconds, or milliseconds where all are: what Gen-T's data holds. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/hash.h"
#include "base/map.h"
#include "fidelity/baselines.h"
#include "fidelity/pack.h"
#include "fidelity/span_columns.h"
#include "table/varint.h"

#define ROWS_MAX ((uint64_t)1 << 27)

enum {
    C_HEAD,          /* rows, traces, unit, clock, flags, dictionaries' sizes, weights */
    C_TEXTS,         /* length and bytes of each */
    C_SYMBOLS,       /* service, operation, kind, method of each */
    C_TRACE_SPANS,   /* rows of the trace */
    C_TRACE_STARTS,  /* since the trace before */
    C_TRACE_WEIGHTS, /* index of a weight; empty when there is one */
    C_TRACE_IDS,     /* 16 bytes */
    C_PARENTS,       /* 0 = none, else 1 + how many rows before */
    C_SYMBOL_IDS,
    C_FLAGS, /* status, issue, orphan */
    C_GAPS,  /* since the parent's start, or the trace's */
    C_DURATIONS,
    C_CODES, /* HTTP status */
    C_STRINGS,
    C_INTEGERS = C_STRINGS + TK_STR_FEATURES,
    C_SPAN_IDS = C_INTEGERS + TK_INT_FEATURES, /* 8 bytes */
    C_COUNT
};

#define FLAG_STATUS 3U
#define FLAG_ISSUE  4U
#define FLAG_ORPHAN 8U

struct coder {
    const struct tk_span_table *table;
    struct tk_buf columns[C_COUNT];
    uint32_t *text_ids; /* [texts.count] + 1 of texts that are in the file; 0 = not yet */
    uint32_t texts;
    struct tk_map symbols;
    uint32_t symbol_count;
    int64_t clock_ns;
    int failure;
};

/* Encode --------------------------------------------------------------------------------------- */

#define MS_NS 1000000
#define US_NS 1000

/* Milliseconds where all times are multiples of one, else microseconds. */
static int64_t find_clock_ns(const struct tk_span_table *table)
{
    for (uint32_t r = 0; r < table->rows; r++) {
        if (table->start_ns[r] % MS_NS != 0 || table->duration_ns[r] % MS_NS != 0)
            return US_NS;
    }
    return MS_NS;
}

/* A start in whole units, rounded down. */
static int64_t units_of(const struct coder *coder, uint32_t r)
{
    int64_t start_ns = coder->table->start_ns[r];
    int64_t rest = start_ns % coder->clock_ns;
    return start_ns / coder->clock_ns - (rest < 0);
}

/* A duration in whole units; what took time at all takes one at least. */
static uint64_t duration_of(const struct coder *coder, uint32_t r)
{
    uint64_t ns = (uint64_t)coder->table->duration_ns[r];
    uint64_t units = (ns + (uint64_t)coder->clock_ns / 2) / (uint64_t)coder->clock_ns;
    return units == 0 && ns > 0 ? 1 : units;
}

/* The number of a text in the file. */
static uint32_t put_text(struct coder *coder, uint32_t id)
{
    if (coder->text_ids[id] == 0) {
        tk_str text = tk_texts_get(&coder->table->texts, id);
        tk_varint_put(&coder->columns[C_TEXTS], text.n);
        tk_buf_put(&coder->columns[C_TEXTS], text);
        coder->text_ids[id] = ++coder->texts;
    }
    return coder->text_ids[id] - 1;
}

static uint32_t put_symbol(struct coder *coder, uint32_t r)
{
    const struct tk_span_table *table = coder->table;
    uint64_t names = (uint64_t)table->services[r] << 32 | table->operations[r];
    uint64_t key = tk_hash_mix(names, (uint64_t)table->methods[r] << 8 | table->kinds[r]);
    uint32_t id;
    if (tk_map_find(&coder->symbols, key, &id))
        return id;
    if (tk_map_add(&coder->symbols, key, coder->symbol_count) < 0)
        coder->failure = -ENOMEM;
    const uint32_t texts[] = {table->services[r], table->operations[r], table->methods[r]};
    for (size_t i = 0; i < TK_COUNTOF(texts); i++)
        tk_varint_put(&coder->columns[C_SYMBOLS], put_text(coder, texts[i]));
    tk_varint_put(&coder->columns[C_SYMBOLS], table->kinds[r]);
    return coder->symbol_count++;
}

static void put_row(struct coder *coder, uint32_t r, uint32_t begin, bool with_ids)
{
    const struct tk_span_table *table = coder->table;
    struct tk_buf *columns = coder->columns;
    uint32_t parent = table->parents[r];
    bool is_top = parent == TK_ROW_TOP;
    unsigned flags = (table->statuses[r] & FLAG_STATUS) | (table->issues[r] ? FLAG_ISSUE : 0) |
                     (table->orphans[r] ? FLAG_ORPHAN : 0);
    tk_varint_put(&columns[C_PARENTS], is_top ? 0 : 1 + tk_zigzag((int64_t)r - parent));
    tk_varint_put(&columns[C_SYMBOL_IDS], put_symbol(coder, r));
    tk_varint_put(&columns[C_FLAGS], flags);
    int64_t gap = tk_wrap_sub(units_of(coder, r), units_of(coder, is_top ? begin : parent));
    tk_varint_put(&columns[C_GAPS], tk_zigzag(gap));
    tk_varint_put(&columns[C_DURATIONS], duration_of(coder, r));
    tk_varint_put(&columns[C_CODES], table->http_codes[r]);
    for (int f = 0; f < TK_STR_FEATURES; f++)
        tk_varint_put(&columns[C_STRINGS + f], put_text(coder, table->str_features[f][r]));
    for (int f = 0; f < TK_INT_FEATURES; f++)
        tk_varint_put(&columns[C_INTEGERS + f], tk_zigzag(table->int_features[f][r]));
    if (with_ids)
        tk_buf_put(&columns[C_SPAN_IDS], (tk_str){(const char *)&table->span_ids[r], 8});
}

static void put_trace(struct coder *coder, uint32_t trace, bool with_ids)
{
    const struct tk_span_table *table = coder->table;
    uint32_t begin = tk_span_table_begin(table, trace);
    int64_t before = trace > 0 ? units_of(coder, tk_span_table_begin(table, trace - 1)) : 0;
    tk_varint_put(&coder->columns[C_TRACE_SPANS], table->trace_ends[trace] - begin);
    tk_varint_put(&coder->columns[C_TRACE_STARTS],
                  tk_zigzag(tk_wrap_sub(units_of(coder, begin), before)));
    if (with_ids) {
        tk_buf_put(&coder->columns[C_TRACE_IDS],
                   (tk_str){(const char *)table->trace_ids[trace], sizeof(table->trace_ids[0])});
    }
    for (uint32_t r = begin; r < table->trace_ends[trace]; r++)
        put_row(coder, r, begin, with_ids);
}

/* Weights in the head, and which each trace has. Samplers make few different ones. */
static void put_weights(struct coder *coder)
{
    TK_CLEANUP(tk_map_release) struct tk_map known = {0};
    TK_CLEANUP(tk_buf_release) struct tk_buf values;
    uint32_t count = 0;
    tk_buf_init(&values, TK_PACK_COLUMN_MAX);
    for (uint32_t t = 0; t < coder->table->traces; t++) {
        uint64_t bits;
        uint32_t id = count;
        memcpy(&bits, &coder->table->weights[t], sizeof(bits));
        if (!tk_map_find(&known, bits, &id)) {
            if (tk_map_add(&known, bits, count) < 0)
                coder->failure = -ENOMEM;
            tk_buf_put(&values, (tk_str){(const char *)&bits, sizeof(bits)});
            count++;
        }
        tk_varint_put(&coder->columns[C_TRACE_WEIGHTS], id);
    }
    if (count == 1)
        tk_buf_reset(&coder->columns[C_TRACE_WEIGHTS]);
    tk_varint_put(&coder->columns[C_HEAD], count);
    tk_buf_put(&coder->columns[C_HEAD], tk_buf_str(&values));
}

static int encode(const struct tk_baseline_input *input, bool with_ids, struct tk_buf *out,
                  struct tk_err *err)
{
    const struct tk_span_table *table = input->table;
    struct coder coder = {.table = table, .clock_ns = find_clock_ns(table)};
    for (int i = 0; i < C_COUNT; i++)
        tk_buf_init(&coder.columns[i], TK_PACK_COLUMN_MAX);
    coder.text_ids = calloc((size_t)table->texts.count + 1, sizeof(*coder.text_ids));
    int rc = coder.text_ids ? 0 : tk_fail(err, -ENOMEM, "out of memory");
    for (uint32_t t = 0; rc == 0 && t < table->traces; t++)
        put_trace(&coder, t, with_ids);
    const uint64_t head[] = {table->rows,
                             table->traces,
                             (uint64_t)table->unit_ns,
                             with_ids,
                             (uint64_t)coder.clock_ns,
                             coder.texts,
                             coder.symbol_count};
    for (size_t i = 0; i < TK_COUNTOF(head); i++)
        tk_varint_put(&coder.columns[C_HEAD], head[i]);
    put_weights(&coder);
    if (rc == 0 && coder.failure < 0)
        rc = tk_fail(err, coder.failure, "out of memory");
    rc = rc < 0 ? rc : tk_pack_encode(coder.columns, C_COUNT, out, err);
    for (int i = 0; i < C_COUNT; i++)
        tk_buf_release(&coder.columns[i]);
    tk_map_release(&coder.symbols);
    free(coder.text_ids);
    return rc;
}

/* Decode --------------------------------------------------------------------------------------- */

struct symbol {
    uint32_t service, operation, method;
    uint8_t kind;
};

struct decoder {
    struct tk_buf columns[C_COUNT];
    tk_str rest[C_COUNT]; /* of the columns */
    struct tk_span_table *table;
    uint32_t *texts; /* ids in the table */
    struct symbol *symbols;
    double *weights;
    uint64_t rows, traces, unit_ns, with_ids, clock_ns, text_count, symbol_count;
    uint64_t weight_count;
    bool ok;
};

static uint64_t take(struct decoder *decoder, int column)
{
    return tk_pack_take(&decoder->rest[column], &decoder->ok);
}

/* A number below `limit`; 0 when it is not. */
static uint32_t take_below(struct decoder *decoder, int column, uint64_t limit)
{
    uint64_t value = take(decoder, column);
    if (value >= limit)
        decoder->ok = false;
    return decoder->ok ? (uint32_t)value : 0;
}

static int64_t take_time(struct decoder *decoder, int column)
{
    uint64_t coded = take(decoder, column);
    int64_t units = column == C_DURATIONS ? (int64_t)coded : tk_unzigzag(coded);
    int64_t time_ns = 0;
    if (!tk_mul_i64(units, (int64_t)decoder->clock_ns, &time_ns))
        decoder->ok = false;
    return decoder->ok ? time_ns : 0;
}

static void take_raw(struct decoder *decoder, int column, void *to, size_t n)
{
    tk_str bytes = tk_pack_take_bytes(&decoder->rest[column], n, &decoder->ok);
    if (decoder->ok)
        memcpy(to, bytes.p, n);
}

static int read_head(struct decoder *decoder, struct tk_err *err)
{
    uint64_t *const fields[] = {&decoder->rows,        &decoder->traces,   &decoder->unit_ns,
                                &decoder->with_ids,    &decoder->clock_ns, &decoder->text_count,
                                &decoder->symbol_count};
    for (size_t i = 0; i < TK_COUNTOF(fields); i++)
        *fields[i] = take(decoder, C_HEAD);
    decoder->weight_count = take(decoder, C_HEAD);
    /* A row takes a byte of several columns, a text and a symbol of one: no count may be larger. */
    decoder->ok = decoder->ok && decoder->rows <= ROWS_MAX &&
                  decoder->rows <= decoder->columns[C_FLAGS].n &&
                  decoder->traces <= decoder->columns[C_TRACE_SPANS].n &&
                  decoder->text_count <= decoder->columns[C_TEXTS].n &&
                  decoder->symbol_count <= decoder->columns[C_SYMBOLS].n &&
                  decoder->weight_count <= decoder->columns[C_HEAD].n &&
                  decoder->unit_ns - 1 < INT64_MAX && decoder->clock_ns - 1 < 1000000;
    if (!decoder->ok)
        return tk_fail(err, -EBADMSG, "head of columns is damaged");
    decoder->texts = calloc(decoder->text_count + 1, sizeof(*decoder->texts));
    decoder->symbols = calloc(decoder->symbol_count + 1, sizeof(*decoder->symbols));
    decoder->weights = calloc(decoder->weight_count + 1, sizeof(*decoder->weights));
    if (!decoder->texts || !decoder->symbols || !decoder->weights)
        return tk_fail(err, -ENOMEM, "out of memory");
    for (uint64_t i = 0; i < decoder->weight_count; i++)
        take_raw(decoder, C_HEAD, &decoder->weights[i], sizeof(decoder->weights[i]));
    return tk_span_table_alloc((uint32_t)decoder->rows, (uint32_t)decoder->traces, &decoder->table,
                               err);
}

static void read_dictionaries(struct decoder *decoder)
{
    for (uint64_t i = 0; i < decoder->text_count && decoder->ok; i++) {
        size_t n = (size_t)take(decoder, C_TEXTS);
        tk_str text = tk_pack_take_bytes(&decoder->rest[C_TEXTS], n, &decoder->ok);
        decoder->texts[i] = decoder->ok ? tk_texts_add(&decoder->table->texts, text) : 0;
        decoder->ok = decoder->ok && decoder->texts[i] != TK_TEXTS_NONE;
    }
    for (uint64_t i = 0; i < decoder->symbol_count && decoder->ok; i++) {
        uint32_t texts[3];
        for (size_t k = 0; k < TK_COUNTOF(texts); k++)
            texts[k] = decoder->texts[take_below(decoder, C_SYMBOLS, decoder->text_count)];
        uint8_t kind = (uint8_t)take_below(decoder, C_SYMBOLS, TK_SPAN_KIND_COUNT);
        decoder->symbols[i] = (struct symbol){texts[0], texts[1], texts[2], kind};
    }
}

static void read_row(struct decoder *decoder, uint32_t r)
{
    struct tk_span_table *table = decoder->table;
    uint64_t parent = take(decoder, C_PARENTS);
    uint32_t symbol = take_below(decoder, C_SYMBOL_IDS, decoder->symbol_count);
    uint32_t flags = take_below(decoder, C_FLAGS, 16);
    table->parents[r] = parent == 0
                            ? TK_ROW_TOP
                            : (uint32_t)(uint64_t)tk_wrap_sub((int64_t)r, tk_unzigzag(parent - 1));
    table->services[r] = decoder->symbols[symbol].service;
    table->operations[r] = decoder->symbols[symbol].operation;
    table->methods[r] = decoder->symbols[symbol].method;
    table->kinds[r] = decoder->symbols[symbol].kind;
    table->statuses[r] = (uint8_t)(flags & FLAG_STATUS);
    table->issues[r] = (flags & FLAG_ISSUE) != 0;
    table->orphans[r] = (flags & FLAG_ORPHAN) != 0;
    table->start_ns[r] = take_time(decoder, C_GAPS); /* still since the parent */
    table->duration_ns[r] = take_time(decoder, C_DURATIONS);
    table->http_codes[r] = (uint16_t)take_below(decoder, C_CODES, UINT16_MAX + 1);
    for (int f = 0; f < TK_STR_FEATURES; f++) {
        uint32_t text = take_below(decoder, C_STRINGS + f, decoder->text_count);
        table->str_features[f][r] = decoder->texts[text];
    }
    for (int f = 0; f < TK_INT_FEATURES; f++)
        table->int_features[f][r] = tk_unzigzag(take(decoder, C_INTEGERS + f));
    table->span_ids[r] = (uint64_t)r + 1;
    if (decoder->with_ids)
        take_raw(decoder, C_SPAN_IDS, &table->span_ids[r], sizeof(table->span_ids[r]));
}

/* What is known of a row while starts are added up. */
enum progress { WAITS = 0, ON_PATH, DONE };

/* From a row up to one that is done, turning each link around: the last on the way, TK_ROW_TOP when
 * the row itself is done, and where the way ended. Fails on a cycle, or outside the trace. */
static uint32_t climb(struct decoder *decoder, const uint32_t trace[2], uint32_t *r,
                      uint8_t *progress)
{
    uint32_t last = TK_ROW_TOP;
    while (*r != TK_ROW_TOP && progress[*r] != DONE) {
        uint32_t parent = decoder->table->parents[*r];
        bool is_inside = parent == TK_ROW_TOP || (parent >= trace[0] && parent < trace[1]);
        if (!is_inside || progress[*r] == ON_PATH) {
            decoder->ok = false;
            return TK_ROW_TOP;
        }
        progress[*r] = ON_PATH;
        decoder->table->parents[*r] = last;
        last = *r;
        *r = parent;
    }
    return last;
}

/* Gaps become starts, from the top down. A row is done once its parent is; a parent may stand
 * behind its child where clocks differ. */
static void add_gaps(struct decoder *decoder, const uint32_t trace[2], int64_t start_ns,
                     uint8_t *progress)
{
    struct tk_span_table *table = decoder->table;
    for (uint32_t first = trace[0]; first < trace[1] && decoder->ok; first++) {
        uint32_t above = first;
        uint32_t r = climb(decoder, trace, &above, progress);
        while (r != TK_ROW_TOP) {
            uint32_t below = table->parents[r];
            int64_t since = above == TK_ROW_TOP ? start_ns : table->start_ns[above];
            table->start_ns[r] = tk_wrap_add(table->start_ns[r], since);
            table->parents[r] = above;
            progress[r] = DONE;
            above = r;
            r = below;
        }
    }
}

static void read_traces(struct decoder *decoder, uint8_t *progress)
{
    struct tk_span_table *table = decoder->table;
    int64_t start_ns = 0;
    uint32_t row = 0;
    for (uint32_t t = 0; t < table->traces && decoder->ok; t++) {
        uint64_t rows = take_below(decoder, C_TRACE_SPANS, (uint64_t)table->rows - row + 1);
        uint32_t weight = 0;
        if (decoder->weight_count > 1)
            weight = take_below(decoder, C_TRACE_WEIGHTS, decoder->weight_count);
        uint64_t id[2] = {tk_hash_mix(t, 1), tk_hash_mix(t, 2)};
        start_ns = tk_wrap_add(start_ns, take_time(decoder, C_TRACE_STARTS));
        memcpy(table->trace_ids[t], id, sizeof(id));
        if (decoder->with_ids)
            take_raw(decoder, C_TRACE_IDS, table->trace_ids[t], sizeof(table->trace_ids[t]));
        table->weights[t] = decoder->weight_count > 0 ? decoder->weights[weight] : 1;
        table->trace_ends[t] = row + (uint32_t)rows;
        for (uint32_t r = row; r < table->trace_ends[t] && decoder->ok; r++)
            read_row(decoder, r);
        if (decoder->ok)
            add_gaps(decoder, (uint32_t[]){row, table->trace_ends[t]}, start_ns, progress);
        row = table->trace_ends[t];
    }
    decoder->ok = decoder->ok && row == table->rows;
}

static int read_all(struct decoder *decoder, struct tk_err *err)
{
    int rc = read_head(decoder, err);
    if (rc < 0)
        return rc;
    uint8_t *progress = calloc((size_t)decoder->rows + 1, 1);
    if (!progress)
        return tk_fail(err, -ENOMEM, "out of memory");
    decoder->table->unit_ns = (int64_t)decoder->unit_ns;
    read_dictionaries(decoder);
    if (decoder->ok)
        read_traces(decoder, progress);
    free(progress);
    return decoder->ok ? 0 : tk_fail(err, -EBADMSG, "columns are damaged");
}

static int decode(tk_str file, uint64_t seed, struct tk_span_table **ret_table, struct tk_err *err)
{
    struct decoder decoder = {.ok = true};
    (void)seed;
    int rc = tk_pack_decode(file, decoder.columns, C_COUNT, err);
    for (int i = 0; i < C_COUNT; i++)
        decoder.rest[i] = tk_buf_str(&decoder.columns[i]);
    rc = rc < 0 ? rc : read_all(&decoder, err);
    /* Ties of starts are broken by ids, which a file without them has lost. */
    rc = rc < 0 ? rc : tk_span_table_sort(decoder.table, err);
    if (rc == 0) {
        *ret_table = decoder.table;
    } else {
        tk_span_table_free(decoder.table);
    }
    free(decoder.weights);
    free(decoder.symbols);
    free(decoder.texts);
    for (int i = 0; i < C_COUNT; i++)
        tk_buf_release(&decoder.columns[i]);
    return rc;
}

static int encode_with_ids(const struct tk_baseline_input *input, struct tk_buf *out,
                           struct tk_err *err)
{
    return encode(input, true, out, err);
}

static int encode_bare(const struct tk_baseline_input *input, struct tk_buf *out,
                       struct tk_err *err)
{
    return encode(input, false, out, err);
}

const struct tk_baseline tk_baseline_columns = {
    .name = "columns",
    .help = "varint columns of tree, times, error and five attributes, zstd-19, with ids",
    .has_ids = true,
    .encode = encode_with_ids,
    .decode = decode,
};

const struct tk_baseline tk_baseline_columns_bare = {
    .name = "columns-bare",
    .help = "the same without ids",
    .encode = encode_bare,
    .decode = decode,
};
