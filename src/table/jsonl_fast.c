/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Lines, the hot path of reading: rows that look as we write them.
 *
 *     {"ts_ms":1763716800000,"pid":4711,"comm":"make","cpu_util":12.50}\n
 *     |\______/ \___________/|
 *     | key     value        separator: ',' or '}', one space may follow
 *     8 bytes at a time: compared with the key that followed the last column in the row before,
 *     digits turned into a number, a string searched for its end
 *
 * A value or key that is not as expected (an escape, 1e3, a number in a string, a list, an
 * unknown field) goes through the pull scanner alone and the row goes on here. Whatever is wrong,
 * newlines within a row, other white space and the last SLACK bytes of the text are left to the
 * pull scanner, which reads the whole row again and words the error. All reads lie within the text:
 * no padding is needed.
 *
 * Measured cost: bench/RESULTS.md, section json. */
#include <string.h>

#include "base/number.h"
#include "base/scan.h"
#include "table/jsonl_internal.h"

/* Bytes that may be read from a separator on without asking: the separator, a key, two numbers of
 * 24 bytes, with room to spare. */
#define SLACK 128

#define MAX_DIGITS 18 /* what fits an int64 for sure */

void tk_jsonl_state_init(struct tk_jsonl_state *state, const struct tk_schema *schema)
{
    *state = (struct tk_jsonl_state){.schema = schema};
    for (size_t i = 0; i < schema->column_count; i++) {
        struct tk_jsonl_key *key = &state->keys[i];
        char text[TK_JSONL_KEY_BYTES] = {'"'};
        size_t n = strlen(schema->columns[i].name);
        assert(n > 0 && n + 3 <= TK_JSONL_KEY_BYTES);
        memcpy(text + 1, schema->columns[i].name, n);
        text[1 + n] = '"';
        text[2 + n] = ':';
        key->n = n + 3;
        char mask[TK_JSONL_KEY_BYTES] = {0};
        memset(mask, 0xFF, key->n);
        for (size_t w = 0; w < TK_COUNTOF(key->words); w++) {
            key->words[w] = tk_load8(text + 8 * w);
            key->masks[w] = tk_load8(mask + 8 * w);
        }
    }
}

/* Past one space. A branch, which is foreseen: a sum would have the place of all that follows wait
 * for this byte. */
static inline const char *skip_space(const char *p)
{
    if (__builtin_expect(*p == ' ', 0))
        return p + 1;
    return p;
}

/* The end of `key` when it stands at p, else NULL. Most keys end within 16 bytes: those cost two
 * loads and one branch. */
static inline const char *match_key(const struct tk_jsonl_key *key, const char *p)
{
    uint64_t differs = ((tk_load8(p) ^ key->words[0]) & key->masks[0]) |
                       ((tk_load8(p + 8) ^ key->words[1]) & key->masks[1]);
    for (size_t i = 2; i * 8 < key->n; i++)
        differs |= (tk_load8(p + i * 8) ^ key->words[i]) & key->masks[i];
    return differs == 0 ? p + key->n : NULL;
}

/* The top bit of each byte that is no digit, of bytes xor '0'. Bits above the lowest may be wrong.
 */
static inline uint64_t no_digit_8(uint64_t digits)
{
    return (digits | (digits + TK_EACH_BYTE(0x76))) & TK_EACH_BYTE(0x80);
}

/* The number that the `n` lowest bytes are the digits of, 1..8. They are moved to the top, so that
 * those in front count as zeros; then neighbours are joined: 8 digits, 4 pairs, 2 fours. */
static inline uint64_t join_8_digits(uint64_t digits, unsigned n)
{
    digits <<= 64 - 8 * n;
    digits = digits * 10 + (digits >> 8);
    return ((digits & 0x000000FF000000FF) * 0x000F424000000064 +
            ((digits >> 16) & 0x000000FF000000FF) * 0x0000271000000001) >>
           32;
}

/* Take up to 8 digits: returns how many. */
static inline unsigned take_8_digits(const char *p, uint64_t *ret)
{
    uint64_t digits = tk_load8(p) ^ TK_EACH_BYTE('0');
    uint64_t other = no_digit_8(digits);
    unsigned n = other ? (unsigned)__builtin_ctzll(other) >> 3 : 8;
    if (n > 0)
        *ret = join_8_digits(digits, n);
    return n;
}

/* Take digits: returns how many, MAX_DIGITS + 1 for too many; 0 leaves *ret alone. */
static inline unsigned take_digits(const char *p, uint64_t *ret)
{
    uint64_t part = 0;
    unsigned n = take_8_digits(p, ret);
    if (n < 8)
        return n;
    unsigned more = take_8_digits(p + 8, &part);
    *ret = *ret * tk_powers_u64[more] + part;
    if (more < 8)
        return 8 + more;
    part = 0;
    more = take_8_digits(p + 16, &part);
    if (more > MAX_DIGITS - 16)
        return MAX_DIGITS + 1;
    *ret = *ret * tk_powers_u64[more] + part;
    return 16 + more;
}

/* The whole part of a number as JSON has it: no leading zero, 1..18 digits. */
static inline const char *take_whole(const char *p, uint64_t *ret)
{
    unsigned n = take_digits(p, ret);
    bool plain = n - 1 < MAX_DIGITS && (n == 1 || *p != '0');
    return plain ? p + n : NULL;
}

static inline const char *take_i64(const char *p, int64_t *ret)
{
    uint64_t magnitude = 0;
    bool negative = __builtin_expect(*p == '-', 0);
    p = negative ? take_whole(p + 1, &magnitude) : take_whole(p, &magnitude);
    if (!p || (*p != ',' && *p != '}'))
        return NULL;
    *ret = negative ? -(int64_t)magnitude : (int64_t)magnitude;
    return p;
}

/* A decimal of up to 7 bytes, "12.50", without sign: the digits behind the point close up to those
 * before it, and one integer is left. */
static inline const char *take_short_f64(const char *p, double *ret)
{
    uint64_t digits = tk_load8(p) ^ TK_EACH_BYTE('0');
    uint64_t other = no_digit_8(digits);
    if (other == 0)
        return NULL;
    unsigned whole = (unsigned)__builtin_ctzll(other) >> 3;
    other &= other - 1;
    if (p[whole] != '.' || other == 0 || whole == 0)
        return NULL;
    unsigned end = (unsigned)__builtin_ctzll(other) >> 3;
    unsigned fraction = end - whole - 1;
    if ((p[end] != ',' && p[end] != '}') || fraction == 0 || (*p == '0' && whole > 1))
        return NULL;
    uint64_t front = digits & ((1ULL << 8 * whole) - 1);
    uint64_t back = digits >> 8 * (whole + 1) << 8 * whole;
    *ret = (double)join_8_digits(front | back, whole + fraction) / (double)tk_powers_u64[fraction];
    return p + end;
}

/* All digits as one integer below 2^53, divided by a power of ten below 10^22: both are doubles
 * exactly, so the quotient is the double nearest to the text. */
static inline const char *take_f64(const char *p, double *ret)
{
    const char *short_end = take_short_f64(p, ret);
    if (short_end)
        return short_end;
    uint64_t mantissa = 0;
    bool negative = *p == '-';
    const char *start = p + negative;
    p = take_whole(start, &mantissa);
    if (!p)
        return NULL;
    unsigned n = 0;
    if (*p == '.') {
        uint64_t fraction = 0;
        n = take_digits(p + 1, &fraction);
        if (n == 0 || n >= MAX_DIGITS || (p - start) + n > MAX_DIGITS)
            return NULL;
        mantissa = mantissa * tk_powers_u64[n] + fraction;
        p += 1 + n;
    }
    /* Not -0, whose sign the integer would lose. */
    if (mantissa > 1ULL << 53 || mantissa < negative || (*p != ',' && *p != '}'))
        return NULL;
    int64_t units = negative ? -(int64_t)mantissa : (int64_t)mantissa;
    *ret = (double)units / (double)tk_powers_u64[n];
    return p;
}

/* A string of plain ASCII, copied in blocks of 16 bytes. */
static inline const char *take_text(const char *p, const char *end, struct tk_arena *arena,
                                    tk_str *ret)
{
    const char *start = p + 1;
    if (*p != '"')
        return NULL;
    uint64_t special = 0;
    for (p = start; end - p >= 8; p += 8) {
        special = tk_special8(tk_load8(p));
        if (special != 0)
            break;
    }
    if (special == 0)
        return NULL;
    p += __builtin_ctzll(special) >> 3;
    size_t n = (size_t)(p - start);
    size_t blocks = (n + 15) & ~(size_t)15;
    if (*p != '"' || (size_t)(end - start) < blocks || arena->max - arena->n < blocks)
        return NULL;
    char *to = arena->p + arena->n;
    for (size_t i = 0; i < n; i += 16)
        memcpy(to + i, start + i, 16);
    arena->n += n;
    *ret = (tk_str){to, n};
    return p + 1;
}

static inline const char *take_bool(const char *p, int64_t *ret)
{
    *ret = *p == 't';
    if (memcmp(p, "true", 4) == 0)
        return p + 4;
    return memcmp(p, "false", 5) == 0 ? p + 5 : NULL;
}

/* Where a value ends that the pull scanner took; NULL when it goes over lines, which are counted
 * elsewhere. */
static const char *on_one_line(const char *p, const char *end)
{
    return memchr(p, '\n', (size_t)(end - p)) ? NULL : end;
}

/* A value by the pull scanner; NULL when it is bad. */
static const char *take_slowly(const struct tk_decoding *in, const char *p, size_t column)
{
    struct tk_err ignored;
    struct tk_json json;
    tk_json_init(&json, (tk_str){p, (size_t)(in->end - p)});
    json.depth = 1; /* in the row's object */
    int rc = tk_jsonl_read_value(&json, in->out, column, &ignored);
    return rc == 0 ? on_one_line(p, json.p) : NULL;
}

static inline const char *take_value(const struct tk_decoding *in, const char *p, size_t column)
{
    struct tk_batch *out = in->out;
    size_t row = out->rows - 1;
    union tk_value *value = tk_batch_slot(out, row, column);
    const char *after = NULL;
    switch (out->schema->columns[column].type) {
    case TK_I64:
        after = take_i64(p, &value->i64);
        break;
    case TK_F64:
        after = take_f64(p, &value->f64);
        break;
    case TK_BOOL:
        after = take_bool(p, &value->i64);
        break;
    case TK_TEXT:
        after = take_text(p, in->end, &out->text, &value->text);
        break;
    case TK_F64_LIST:
    case TK_TEXT_LIST:
        break;
    }
    if (after) {
        out->present[row] |= 1ULL << column;
        return after;
    }
    if (memcmp(p, "null", 4) != 0)
        return take_slowly(in, p, column);
    out->present[row] &= ~(1ULL << column);
    return p + 4;
}

/* A member that is not the one expected: find its column, or skip it when the schema has none.
 * Returns where its value starts, and for a skipped one where it ends; NULL when it is bad. */
static const char *take_other_key(const struct tk_decoding *in, const char *p, size_t expected,
                                  size_t *ret_column)
{
    struct tk_err ignored;
    const char *name = p + 1;
    if (*p != '"')
        return NULL;
    p = tk_skip_plain(name, in->end);
    if (in->end - p < SLACK || p[0] != '"' || p[1] != ':')
        return NULL;
    const struct tk_schema *schema = in->out->schema;
    *ret_column = tk_schema_find(schema, (tk_str){name, (size_t)(p - name)}, expected + 1);
    p = skip_space(p + 2);
    if (*ret_column < schema->column_count)
        return p;
    struct tk_json json;
    tk_json_init(&json, (tk_str){p, (size_t)(in->end - p)});
    json.depth = 1; /* in the row's object */
    return tk_json_skip(&json, NULL, &ignored) == 0 ? on_one_line(p, json.p) : NULL;
}

/* A key of the schema, as a rule the one that followed `*next` in the row before. Returns as
 * take_other_key(). */
static inline const char *take_key(const struct tk_decoding *in, const struct tk_jsonl_state *state,
                                   uint8_t *next, const char *p, size_t *ret_column)
{
    size_t column_count = in->out->schema->column_count;
    size_t expected = tk_jsonl_expected(state, next);
    const char *value = expected < column_count ? match_key(&state->keys[expected], p) : NULL;
    if (value) {
        *ret_column = expected;
        return skip_space(value);
    }
    value = take_other_key(in, p, expected, ret_column);
    if (value && *ret_column < column_count)
        *next = (uint8_t)(*ret_column + 1);
    return value;
}

const char *tk_jsonl_take_row(const struct tk_decoding *in, struct tk_jsonl_state *state)
{
    uint64_t unknown = 0;
    uint8_t *next = state->next;
    const char *p = in->p;
    char separator = '{';
    for (;; separator = ',') {
        if (in->end - p < SLACK)
            return NULL;
        if (*p != separator)
            break;
        p = skip_space(p + 1);
        size_t column = 0;
        p = take_key(in, state, next, p, &column);
        if (!p)
            return NULL;
        if (column == in->out->schema->column_count) {
            unknown++;
            continue;
        }
        p = take_value(in, p, column);
        if (!p)
            return NULL;
        next = &state->next[column + 1];
    }
    if (*p != '}' || separator == '{')
        return NULL;
    in->stats->unknown_fields += unknown;
    return p + 1;
}
