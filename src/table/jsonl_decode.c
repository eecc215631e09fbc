/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Lines, reading. Rows are objects, one a line as a rule; older writers also made objects over
 * several lines and several on one line, and both are taken. What is no row is skipped whole when
 * it is an object or array, otherwise to the end of the line on which it started, so that a line
 * torn by a crash costs nothing but itself. */
#include "table/jsonl_internal.h"

int tk_jsonl_read_value(struct tk_json *json, struct tk_batch *out, size_t column,
                        struct tk_err *err)
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
static int read_row(struct tk_decoding *in, struct tk_jsonl_state *state, struct tk_json *json,
                    struct tk_err *err)
{
    const struct tk_schema *schema = in->out->schema;
    uint8_t *next = &state->next[0];
    uint64_t unknown = 0;
    tk_str key;
    int rc = tk_json_enter_object(json, err);
    while (rc == 0) {
        rc = tk_json_next_key(json, &in->out->text, &key, err);
        if (rc != 0)
            break;
        size_t column = tk_schema_find(schema, key, tk_jsonl_expected(state, next));
        if (column == schema->column_count) {
            unknown++;
            rc = tk_json_skip(json, NULL, err);
            continue;
        }
        *next = (uint8_t)(column + 1);
        next = &state->next[column + 1];
        rc = tk_jsonl_read_value(json, in->out, column, err);
    }
    if (rc < 0)
        return rc;
    in->stats->unknown_fields += unknown;
    return 0;
}

/* Go on after what did not become a row. */
static int recover(struct tk_decoding *in, const struct tk_err *why, struct tk_err *err)
{
    struct tk_err ignored;
    struct tk_json probe;
    tk_json_init(&probe, (tk_str){in->p, (size_t)(in->end - in->p)});
    bool container = *in->p == '{' || *in->p == '[';
    bool whole = container && tk_json_skip(&probe, NULL, &ignored) == 0;
    bool cut_off = container && !whole && probe.p == probe.end;
    return tk_decoding_recover(in, whole ? probe.p : NULL, cut_off, why, err);
}

/* Decode what the hot path has declined. */
static int decode_unusual_row(struct tk_decoding *in, struct tk_jsonl_state *state,
                              struct tk_err *err)
{
    struct tk_batch *out = in->out;
    size_t text_before = out->text.n;
    struct tk_err why;
    struct tk_json json;
    tk_json_init(&json, (tk_str){in->p, (size_t)(in->end - in->p)});
    json.start = in->line_start;

    tk_batch_begin(out);
    if (read_row(in, state, &json, &why) == 0) {
        in->stats->rows++;
        tk_decoding_take(in, json.p);
        return 0;
    }
    tk_batch_drop(out);
    out->text.n = text_before;
    return recover(in, &why, err);
}

/* Decode one row at in->p: 0, or as tk_decoding_recover(). */
static int decode_row(struct tk_decoding *in, struct tk_jsonl_state *state, struct tk_err *err)
{
    struct tk_batch *out = in->out;
    size_t text_before = out->text.n;
    tk_batch_begin(out);
    const char *row_end = tk_jsonl_take_row(in, state);
    if (row_end) {
        in->stats->rows++;
        in->p = row_end; /* a plain row holds no newline */
        return 0;
    }
    tk_batch_drop(out);
    out->text.n = text_before;
    return decode_unusual_row(in, state, err);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static int jsonl_decode(void *private, tk_str *text, bool last, struct tk_batch *out,
                        struct tk_decode_stats *stats, struct tk_err *err)
{
    struct tk_jsonl_state *state = private;
    if (state->schema != out->schema)
        tk_jsonl_state_init(state, out->schema);
    struct tk_decoding in = tk_decoding_begin(*text, last, out, stats);
    int rc = 0;
    while (rc == 0) {
        const char *start = in.p;
        while (start < in.end && is_space(*start))
            start++;
        tk_decoding_take(&in, start);
        if (in.p == in.end || !tk_batch_has_room(out))
            break;
        rc = decode_row(&in, state, err);
    }
    tk_decoding_finish(&in, text);
    return rc < 0 ? rc : 0;
}

const struct tk_decoder tk_decoder_jsonl = {
    .name = "jsonl",
    .state_size = sizeof(struct tk_jsonl_state),
    .batch = jsonl_decode,
};
