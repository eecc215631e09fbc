/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Lines, reading. Rows are objects, one a line as a rule; older writers also made objects over
 * several lines and several on one line, and both are taken. What is no row is skipped whole when
 * it is an object or array, otherwise to the end of the line on which it started, so that a line
 * torn by a crash costs nothing but itself. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "table/format.h"
#include "table/format_internal.h"

/* The key layout of the rows so far: which column followed which. */
struct jsonl_state {
    uint8_t
        next[65]; /* [c + 1] is 1 + the column that came after c, [0] of the first; 0 = unknown */
};

struct decoding {
    struct jsonl_state *state;
    struct tk_batch *out;
    struct tk_decode_stats *stats;
    const char *p; /* next byte */
    const char *end;
    const char *line_start;
    bool last;
};

/* Read a value of `column` into the last row; null makes it absent. */
static int read_value(struct tk_json *json, struct tk_batch *out, size_t column, struct tk_err *err)
{
    uint64_t bit = 1ULL << column;
    uint64_t *present = &out->present[out->rows - 1];
    const struct tk_column *about = &out->schema->columns[column];
    int rc;
    if (tk_json_peek(json) == TK_JSON_NULL) {
        *present &= ~bit;
        rc = tk_json_read_null(json, err);
    } else {
        *present |= bit;
        rc = tk_value_read_json(json, out, about->type, tk_batch_slot(out, out->rows - 1, column),
                                err);
    }
    if (rc < 0)
        (void)tk_err_prefix(err, "%s", about->name);
    return rc;
}

/* Rows --------------------------------------------------------------------------- */

/* Read one object into the last row of the batch, which is empty so far. */
static int read_row(struct decoding *in, struct tk_json *json, struct tk_err *err)
{
    const struct tk_schema *schema = in->out->schema;
    uint8_t *next = &in->state->next[0];
    uint64_t unknown = 0;
    tk_str key;
    int rc = tk_json_enter_object(json, err);
    while (rc == 0) {
        rc = tk_json_next_key(json, &in->out->text, &key, err);
        if (rc != 0)
            break;
        size_t guess = *next > 0 ? *next - 1U : (size_t)(next - in->state->next);
        size_t column = tk_schema_find(schema, key, guess);
        if (column == schema->column_count) {
            unknown++;
            rc = tk_json_skip(json, NULL, err);
            continue;
        }
        *next = (uint8_t)(column + 1);
        next = &in->state->next[column + 1];
        rc = read_value(json, in->out, column, err);
    }
    if (rc < 0)
        return rc;
    in->stats->unknown_fields += unknown;
    return 0;
}

/* Take all up to `to`, counting lines. */
static void advance(struct decoding *in, const char *to)
{
    while (in->p < to) {
        const char *newline = memchr(in->p, '\n', (size_t)(to - in->p));
        if (!newline) {
            in->p = to;
            return;
        }
        in->p = newline + 1;
        in->line_start = in->p;
        in->stats->line++;
    }
}

static void note_bad(struct decoding *in, const struct tk_err *why)
{
    struct tk_decode_stats *stats = in->stats;
    stats->bad_rows++;
    if (!stats->first_bad[0])
        (void)snprintf(stats->first_bad, sizeof(stats->first_bad), "line %llu: %.100s",
                       (unsigned long long)stats->line + 1, why->msg);
}

/* What at in->p did not become a row, as `why` tells. Skip it and return 0; 1 when decoding stops
 * before it: more text is needed, or a batch with more room. */
static int recover(struct decoding *in, struct tk_err *why, struct tk_err *err)
{
    struct tk_err ignored;
    struct tk_json probe;
    tk_json_init(&probe, (tk_str){in->p, (size_t)(in->end - in->p)});
    bool container = *in->p == '{' || *in->p == '[';
    bool whole = container && tk_json_skip(&probe, NULL, &ignored) == 0;
    if (whole && why->code == -EMSGSIZE) {
        if (in->out->rows > 0)
            return 1;
        return tk_fail(err, -EMSGSIZE, "line %llu: a row of %zu bytes is too large: %s",
                       (unsigned long long)in->stats->line + 1, tk_json_offset(&probe), why->msg);
    }
    const char *newline = memchr(in->p, '\n', (size_t)(in->end - in->p));
    bool cut_off = !whole && (!newline || probe.p == in->end);
    if (cut_off && !in->last)
        return 1;
    if (cut_off && !newline)
        in->stats->torn_rows = 1;
    else
        note_bad(in, why);
    advance(in, whole ? probe.p : newline ? newline + 1 : in->end);
    return 0;
}

/* Decode one row at in->p. As recover() when it fails. */
static int decode_row(struct decoding *in, struct tk_err *err)
{
    struct tk_batch *out = in->out;
    size_t text_before = out->text.n;
    struct tk_err why = {0};
    struct tk_json json;
    tk_json_init(&json, (tk_str){in->p, (size_t)(in->end - in->p)});
    json.start = in->line_start;

    tk_batch_begin(out);
    if (read_row(in, &json, &why) == 0) {
        in->stats->rows++;
        advance(in, json.p);
        return 0;
    }
    tk_batch_drop(out);
    out->text.n = text_before;
    return recover(in, &why, err);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static int jsonl_decode(void *state, tk_str *text, bool last, struct tk_batch *out,
                        struct tk_decode_stats *stats, struct tk_err *err)
{
    if (text->n == 0)
        return 0;
    struct decoding in = {.state = state,
                          .out = out,
                          .stats = stats,
                          .p = text->p,
                          .end = text->p + text->n,
                          .line_start = text->p,
                          .last = last};
    int rc = 0;
    while (rc == 0) {
        const char *start = in.p;
        while (start < in.end && is_space(*start))
            start++;
        advance(&in, start);
        if (in.p == in.end || !tk_batch_has_room(out))
            break;
        rc = decode_row(&in, err);
    }
    if (last && in.p == in.end && in.p[-1] != '\n')
        stats->line++;
    *text = (tk_str){in.p, (size_t)(in.end - in.p)};
    return rc < 0 ? rc : 0;
}

const struct tk_decoder tk_decoder_jsonl = {
    .name = "jsonl",
    .state_size = sizeof(struct jsonl_state),
    .batch = jsonl_decode,
};
