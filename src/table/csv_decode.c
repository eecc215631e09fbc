/* SPDX-License-Identifier: Apache-2.0 */
/* CSV (RFC 4180), reading what csv_encode.c writes and what other tools do: lines end in LF or
 * CRLF, columns stand in any order and are found by the header's names, numbers may have spaces
 * around them. Empty is absent, "" in quotes is the empty text. A record with another number of
 * fields than the header is bad. */
#include <errno.h>
#include <string.h>

#include "base/number.h"
#include "base/scan.h"
#include "table/format_internal.h"

#define MAX_FIELDS 1024
#define NO_COLUMN  255

struct csv_state {
    size_t fields; /* of the header; 0 = not read yet */
    unsigned char columns[MAX_FIELDS];
};

/* One field of a record. */
struct cell {
    tk_str text; /* without the quotes around it */
    bool quoted;
    bool doubled; /* holds "" that stand for one quote */
    bool last;    /* ends its record */
};

/* Fields -------------------------------------------------------------------------- */

static int fail_at(const struct tk_decoding *in, const char *at, const char *expected,
                   struct tk_err *err)
{
    return tk_fail(err, -EBADMSG, "byte %zu: expected %s%s", (size_t)(at - in->line_start),
                   expected, at == in->end ? ", not the end" : "");
}

/* Take the content of a quoted field: *p stands behind the opening quote and ends behind the
 * closing one. */
static bool take_quoted(const char **p, const char *end, struct cell *ret_cell)
{
    const char *start = *p;
    for (;;) {
        const char *quote = memchr(*p, '"', (size_t)(end - *p));
        if (!quote) {
            *p = end;
            return false;
        }
        *p = quote + 1;
        if (*p == end || **p != '"') {
            ret_cell->text = (tk_str){start, (size_t)(quote - start)};
            return true;
        }
        ret_cell->doubled = true;
        ++*p;
    }
}

static void take_bare(const char **p, const char *end, struct cell *ret_cell)
{
    const char *start = *p;
    while (*p < end && **p != ',' && **p != '\n')
        ++*p;
    bool cr = *p > start && (*p)[-1] == '\r' && (*p == end || **p == '\n');
    ret_cell->text = (tk_str){start, (size_t)(*p - start) - cr};
}

/* Take a field and the comma or the end of line behind it. On failure *p is at the byte to blame:
 * in->end when more text may help. */
static int take_cell(const struct tk_decoding *in, const char **p, struct cell *ret_cell,
                     struct tk_err *err)
{
    *ret_cell = (struct cell){.quoted = *p < in->end && **p == '"'};
    if (ret_cell->quoted) {
        ++*p;
        if (!take_quoted(p, in->end, ret_cell))
            return fail_at(in, *p, "a quote", err);
        if (*p < in->end && **p == '\r' && (*p + 1 == in->end || (*p)[1] == '\n'))
            ++*p;
    } else {
        take_bare(p, in->end, ret_cell);
    }
    if (*p < in->end && **p != ',' && **p != '\n')
        return fail_at(in, *p, "',' or the end of the line", err);
    if (*p == in->end && !in->last)
        return fail_at(in, *p, "the end of the line", err);
    ret_cell->last = *p == in->end || **p == '\n';
    *p += *p < in->end;
    return 0;
}

/* Values -------------------------------------------------------------------------- */

/* A cell's text in the arena of the batch, quotes halved. */
static int copy_text(const struct cell *cell, struct tk_batch *out, tk_str *ret, struct tk_err *err)
{
    tk_str copy = tk_arena_copy(&out->text, cell->text);
    if (!copy.p && cell->text.n > 0)
        return tk_fail(err, -EMSGSIZE, "a text of %zu bytes does not fit", cell->text.n);
    if (cell->doubled && copy.p) {
        char *to = out->text.p + (copy.p - out->text.p);
        size_t n = 0;
        for (size_t i = 0; i < copy.n; i++) {
            to[n++] = copy.p[i];
            i += copy.p[i] == '"';
        }
        copy.n = n;
    }
    *ret = copy;
    return 0;
}

static bool parse_bool(tk_str text, int64_t *ret)
{
    static const struct {
        const char *word;
        bool value;
    } words[] = {{"true", true}, {"false", false}, {"1", true}, {"0", false}};
    for (size_t i = 0; i < TK_COUNTOF(words); i++) {
        if (!tk_str_eq(text, tk_str_from(words[i].word)))
            continue;
        *ret = words[i].value;
        return true;
    }
    return false;
}

static int read_text(const struct cell *cell, struct tk_batch *out, union tk_value *ret,
                     struct tk_err *err)
{
    if (!tk_utf8_ok(cell->text))
        return tk_fail(err, -EBADMSG, "expected UTF-8");
    return copy_text(cell, out, &ret->text, err);
}

static int read_list(const struct cell *cell, struct tk_batch *out, enum tk_type type,
                     union tk_value *ret, struct tk_err *err)
{
    tk_str text = {NULL, 0};
    struct tk_json json;
    int rc = copy_text(cell, out, &text, err);
    if (rc < 0)
        return rc;
    tk_json_init(&json, text);
    rc = tk_value_read_json(&json, out, type, ret, err);
    return rc < 0 ? rc : tk_json_expect_end(&json, err);
}

static int read_cell(const struct cell *cell, struct tk_batch *out, enum tk_type type,
                     union tk_value *ret, struct tk_err *err)
{
    tk_str text = tk_str_trim(cell->text);
    switch (type) {
    case TK_I64:
        if (tk_parse_i64(text, &ret->i64) || tk_parse_whole(text, &ret->i64))
            return 0;
        return tk_fail(err, -EBADMSG, "expected a whole number of 64 bits");
    case TK_F64:
        if (tk_parse_f64(text, &ret->f64))
            return 0;
        return tk_fail(err, -EBADMSG, "expected a number");
    case TK_BOOL:
        if (parse_bool(text, &ret->i64))
            return 0;
        return tk_fail(err, -EBADMSG, "expected true or false");
    case TK_TEXT:
        return read_text(cell, out, ret, err);
    case TK_F64_LIST:
    case TK_TEXT_LIST:
        break;
    }
    return read_list(cell, out, type, ret, err);
}

/* Records -------------------------------------------------------------------------- */

/* Put a field that starts at `at` into the last row. */
static int set_field(const struct tk_decoding *in, const char *at, size_t column,
                     const struct cell *cell, struct tk_err *err)
{
    struct tk_batch *out = in->out;
    size_t row = out->rows - 1;
    const struct tk_column *about = &out->schema->columns[column];
    if (cell->text.n == 0 && !(cell->quoted && about->type == TK_TEXT))
        return 0;
    int rc = read_cell(cell, out, about->type, tk_batch_slot(out, row, column), err);
    if (rc < 0) {
        (void)tk_err_prefix(err, "%s: byte %zu", about->name, (size_t)(at - in->line_start));
        return rc;
    }
    out->present[row] |= 1ULL << column;
    return 0;
}

/* Read one record into the last row, which is empty so far. */
static int read_record(struct tk_decoding *in, const struct csv_state *state, const char **p,
                       struct tk_err *err)
{
    uint64_t unknown = 0;
    size_t fields = 0;
    struct cell cell = {0};
    while (!cell.last) {
        const char *at = *p;
        int rc = take_cell(in, p, &cell, err);
        if (rc < 0)
            return rc;
        if (fields == state->fields)
            return tk_fail(err, -EBADMSG, "more than the %zu fields of the header", fields);
        size_t column = state->columns[fields++];
        if (column == NO_COLUMN) {
            unknown += cell.text.n > 0;
        } else {
            rc = set_field(in, at, column, &cell, err);
        }
        if (rc < 0)
            return rc;
    }
    if (fields < state->fields)
        return tk_fail(err, -EBADMSG, "%zu fields, but the header has %zu", fields, state->fields);
    in->stats->unknown_fields += unknown;
    return 0;
}

/* Go on after what did not become a row: find where the record ends, if it is one. */
static int recover(struct tk_decoding *in, const struct tk_err *why, struct tk_err *err)
{
    struct tk_err ignored;
    struct cell cell = {0};
    const char *p = in->p;
    while (!cell.last) {
        if (take_cell(in, &p, &cell, &ignored) < 0)
            return tk_decoding_recover(in, NULL, p == in->end, why, err);
    }
    if (p[-1] != '\n' && why->code != -EMSGSIZE) /* the last line lacks its newline: it is torn */
        return tk_decoding_recover(in, NULL, true, why, err);
    return tk_decoding_recover(in, p, false, why, err);
}

static int decode_record(struct tk_decoding *in, const struct csv_state *state, struct tk_err *err)
{
    struct tk_batch *out = in->out;
    size_t text_before = out->text.n;
    struct tk_err why = {0};
    const char *p = in->p;

    tk_batch_begin(out);
    if (read_record(in, state, &p, &why) == 0) {
        in->stats->rows++;
        tk_decoding_take(in, p);
        return 0;
    }
    tk_batch_drop(out);
    out->text.n = text_before;
    return recover(in, &why, err);
}

/* Read the header line: 0, 1 when more text is needed, -EBADMSG when it does not fit the schema. */
static int read_header(struct tk_decoding *in, struct csv_state *state, struct tk_err *err)
{
    const struct tk_schema *schema = in->out->schema;
    tk_str text = {in->p, (size_t)(in->end - in->p)};
    (void)tk_str_take_prefix(&text, TK_STR("\xEF\xBB\xBF"));
    const char *p = text.p;
    size_t fields = 0;
    size_t known = 0;
    struct cell cell = {0};
    while (!cell.last) {
        int rc = take_cell(in, &p, &cell, err);
        if (rc < 0 && p == in->end && !in->last)
            return 1;
        if (rc < 0)
            return tk_err_prefix(err, "line %llu", (unsigned long long)in->stats->line + 1);
        if (fields == MAX_FIELDS)
            return tk_fail(err, -EMSGSIZE, "the header has more than %d fields", MAX_FIELDS);
        size_t column = tk_schema_find(schema, tk_str_trim(cell.text), fields);
        known += column < schema->column_count;
        state->columns[fields++] =
            (unsigned char)(column < schema->column_count ? column : NO_COLUMN);
    }
    if (known == 0)
        return tk_fail(err, -EBADMSG, "the header names no column of table %s", schema->name);
    state->fields = fields;
    tk_decoding_take(in, p);
    return 0;
}

/* Bytes of an empty line at `in`; 0 when there is none. With one column it is a record. */
static size_t blank_line(const struct tk_decoding *in, const struct csv_state *state)
{
    const char *p = in->p;
    p += p < in->end && *p == '\r';
    return p < in->end && *p == '\n' && state->fields != 1 ? (size_t)(p + 1 - in->p) : 0;
}

static int csv_decode(void *private, tk_str *text, bool last, struct tk_batch *out,
                      struct tk_decode_stats *stats, struct tk_err *err)
{
    struct csv_state *state = private;
    struct tk_decoding in = tk_decoding_begin(*text, last, out, stats);
    int rc = 0;
    while (rc == 0 && in.p < in.end && tk_batch_has_room(out)) {
        size_t blank = blank_line(&in, state);
        if (blank > 0) {
            tk_decoding_take(&in, in.p + blank);
        } else if (state->fields == 0) {
            rc = read_header(&in, state, err);
        } else {
            rc = decode_record(&in, state, err);
        }
    }
    tk_decoding_finish(&in, text);
    return rc < 0 ? rc : 0;
}

const struct tk_decoder tk_decoder_csv = {
    .name = "csv",
    .state_size = sizeof(struct csv_state),
    .batch = csv_decode,
};
