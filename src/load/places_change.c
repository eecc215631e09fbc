/* SPDX-License-Identifier: Apache-2.0 */
/* The hot path of a load with other ids: about six places a span, in a copy that is in the cache.
 * No allocation, no branch that depends on the data but the one for absent times. */
#include <endian.h>
#include <string.h>

#include "base/number.h"
#include "load/bodies_internal.h"

#define TIME_DIGITS 19

/* Binary ----------------------------------------------------------------------------------- */

static inline void flip(char *at, uint64_t mask)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    word ^= htobe64(mask);
    memcpy(at, &word, sizeof(word));
}

static inline void shift(char *at, int64_t shift_ns)
{
    uint64_t time;
    memcpy(&time, at, sizeof(time));
    if (time == 0)
        return;
    time = htole64(le64toh(time) + (uint64_t)shift_ns);
    memcpy(at, &time, sizeof(time));
}

/* Text ------------------------------------------------------------------------------------- */

static inline void flip_digits(char *at, uint64_t mask)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t word = 0;
    for (int i = 0; i < 16; i++)
        word = word << 4 | (uint64_t)(unsigned)tk_hex_value(at[i]);
    word ^= mask;
    for (int i = 15; i >= 0; i--, word >>= 4)
        at[i] = digits[word & 15];
}

static inline void shift_digits(char *at, int64_t shift_ns)
{
    uint64_t time = 0;
    for (int i = 0; i < TIME_DIGITS; i++)
        time = time * 10 + (uint64_t)(at[i] - '0');
    time += (uint64_t)shift_ns;
    for (int i = TIME_DIGITS - 1; i >= 0; i--, time /= 10)
        at[i] = (char)('0' + time % 10);
}

/* All places ------------------------------------------------------------------------------- */

static void change_binary(char *bytes, enum tk_place place, const uint32_t *at, size_t n,
                          const struct tk_load_body_change *change)
{
    bool is_trace = place == TK_PLACE_TRACE_ID || place == TK_PLACE_LINK_TRACE_ID;
    for (size_t i = 0; i < n; i++) {
        if (place == TK_PLACE_TIME) {
            shift(bytes + at[i], change->shift_ns);
        } else if (is_trace) {
            flip(bytes + at[i], change->trace_mask[0]);
            flip(bytes + at[i] + 8, change->trace_mask[1]);
        } else {
            flip(bytes + at[i], change->span_mask);
        }
    }
}

static void change_text(char *bytes, enum tk_place place, const uint32_t *at, size_t n,
                        const struct tk_load_body_change *change)
{
    bool is_trace = place == TK_PLACE_TRACE_ID || place == TK_PLACE_LINK_TRACE_ID;
    for (size_t i = 0; i < n; i++) {
        if (place == TK_PLACE_TIME) {
            shift_digits(bytes + at[i], change->shift_ns);
        } else if (is_trace) {
            flip_digits(bytes + at[i], change->trace_mask[0]);
            flip_digits(bytes + at[i] + 16, change->trace_mask[1]);
        } else {
            flip_digits(bytes + at[i], change->span_mask);
        }
    }
}

void tk_places_change(char *bytes, bool json, const struct tk_load_body *body,
                      const uint32_t *places, const struct tk_load_body_change *change)
{
    for (int place = 0; place < TK_PLACE_COUNT; place++) {
        const uint32_t *at = places + body->places[place].begin;
        size_t n = body->places[place].n;
        if (place == TK_PLACE_TIME && change->shift_ns == 0)
            continue;
        if (json) {
            change_text(bytes, (enum tk_place)place, at, n, change);
        } else {
            change_binary(bytes, (enum tk_place)place, at, n, change);
        }
    }
}
