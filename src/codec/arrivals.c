/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/arrivals.h"

#include <errno.h>
#include <stdlib.h>

#include "base/checked.h"
#include "codec/mixed.h"
#include "table/varint.h"

#define INPUTS     6
#define LEAST_BITS 8 /* of contexts, by traces */
#define MOST_BITS  14
#define CLASS_BITS 6 /* a delta has up to 63 bits */
#define TOP_BITS   3 /* below the first one that are modelled */
#define PACE_SHIFT 3
#define PARTS      256 /* of shapes, for what clocks they have */

enum kind { KIND_CLASS = 0, KIND_TOP, KINDS };

struct arrivals {
    struct tk_coder coder;
    struct tk_mixed mixed;
    uint64_t pace;       /* about eight deltas */
    uint32_t classes[2]; /* bit lengths of the last two deltas */
    uint32_t shape;      /* of the trace before */
};

static unsigned length_of(uint64_t value)
{
    return value > 0 ? 64 - (unsigned)__builtin_clzll(value) : 0;
}

/* Length and the bit below the first one. */
static uint64_t half_octave(uint64_t value)
{
    unsigned n = length_of(value);
    return n < 2 ? value : (uint64_t)n << 1 | (value >> (n - 2) & 1);
}

static uint32_t code_class(struct arrivals *arrivals, uint32_t shape, uint32_t class)
{
    uint64_t pace = half_octave(arrivals->pace);
    uint32_t last = arrivals->classes[0];
    uint32_t second = arrivals->classes[1];
    const struct tk_mixed_context context = {
        .kind = KIND_CLASS,
        .count = INPUTS,
        .hashes = {
            tk_mixed_hash(0, 0),
            tk_mixed_hash(tk_mixed_hash(1, last), second),
            tk_mixed_hash(2, shape),
            tk_mixed_hash(tk_mixed_hash(3, shape), arrivals->shape),
            tk_mixed_hash(4, pace),
            tk_mixed_hash(tk_mixed_hash(5, pace), last),
        }};
    return tk_code_mixed_value(&arrivals->coder, &arrivals->mixed, &context, CLASS_BITS, class);
}

/* The bits below the first one of a number of `length` bits, the highest TOP_BITS by models. */
static uint64_t code_rest(struct arrivals *arrivals, uint32_t shape, unsigned length,
                          uint64_t delta)
{
    unsigned left = length - 1;
    unsigned top = left < TOP_BITS ? left : TOP_BITS;
    const struct tk_mixed_context context = {
        .kind = KIND_TOP,
        .count = 3,
        .hashes = {
            tk_mixed_hash(8, length),
            tk_mixed_hash(tk_mixed_hash(9, length), shape),
            tk_mixed_hash(tk_mixed_hash(10, length), half_octave(arrivals->pace)),
        }};
    left -= top;
    uint32_t high = (uint32_t)(delta >> left) & ((1U << top) - 1);
    high = tk_code_mixed_value(&arrivals->coder, &arrivals->mixed, &context, top, high);
    uint64_t result = UINT64_C(1) << top | high;
    while (left > 0) {
        unsigned n = left < 32 ? left : 32;
        left -= n;
        result = result << n | tk_code_raw(&arrivals->coder, (uint32_t)(delta >> left), n);
    }
    return result;
}

/* Units since the trace before. */
static uint64_t code_delta(struct arrivals *arrivals, uint32_t shape, uint64_t delta)
{
    uint32_t length = code_class(arrivals, shape, length_of(delta));
    delta = length > 1 ? code_rest(arrivals, shape, length, delta) : length;
    arrivals->pace += delta - (arrivals->pace >> PACE_SHIFT);
    arrivals->classes[1] = arrivals->classes[0];
    arrivals->classes[0] = length;
    arrivals->shape = shape;
    return delta;
}

static int arrivals_init(struct arrivals *arrivals, uint32_t traces, struct tk_err *err)
{
    *arrivals = (struct arrivals){0};
    unsigned bits = tk_mixed_bits(traces, LEAST_BITS, MOST_BITS);
    return tk_mixed_init(&arrivals->mixed, bits, KINDS, INPUTS, err);
}

/* Ticks inside the unit ----------------------------------------------------------------------- */

/* Thousands of ticks, each by itself: clocks of whole microseconds or milliseconds have zeros. */
struct rest_models {
    struct tk_bit is_zero[PARTS][2];
};

/* A number below `unit`, a power of 1000 up to 1000^2. */
static int64_t code_ticks(struct tk_coder *coder, struct rest_models *models, uint32_t shape,
                          int64_t unit, int64_t ticks)
{
    int64_t result = 0;
    int64_t worth = 1;
    for (int i = 0; worth < unit; i++, worth *= 1000) {
        uint64_t part = (uint64_t)(ticks / worth % 1000);
        if (!tk_code_bit(coder, &models->is_zero[shape % PARTS][i], part == 0))
            result += (int64_t)tk_code_even(coder, part, 1000) * worth;
    }
    return result;
}

static int encode_rest(const struct tk_forest *forest, const uint32_t *shapes, int64_t unit,
                       struct tk_buf *out, struct tk_err *err)
{
    struct tk_coder coder;
    struct rest_models models;
    tk_bits_init(&models.is_zero[0][0], sizeof(models) / sizeof(models.is_zero[0][0]));
    tk_buf_putc(out, 0); /* layout */
    tk_coder_begin_encode(&coder, out);
    for (uint32_t trace = 0; trace < forest->trace_count; trace++)
        (void)code_ticks(&coder, &models, shapes[trace], unit, forest->trace_starts[trace] % unit);
    tk_coder_end(&coder);
    return tk_buf_check(out, "arrival rest", err);
}

/* Add the ticks to starts that are whole units. */
static int decode_rest(tk_str bytes, const uint32_t *shapes, int64_t unit, struct tk_forest *forest)
{
    struct tk_coder coder;
    struct rest_models models;
    tk_bits_init(&models.is_zero[0][0], sizeof(models) / sizeof(models.is_zero[0][0]));
    if (bytes.n == 0 || (unit != 1000 && unit != 1000000) || *bytes.p != 0)
        return -EBADMSG;
    tk_coder_begin_decode(&coder, (tk_str){bytes.p + 1, bytes.n - 1});
    for (uint32_t trace = 0; trace < forest->trace_count; trace++) {
        int64_t *start = &forest->trace_starts[trace];
        int64_t ticks = code_ticks(&coder, &models, shapes[trace], unit, 0);
        if (tk_coder_is_over(&coder) || !tk_add_i64(*start, ticks, start))
            return -EBADMSG;
    }
    return 0;
}

/* Units ---------------------------------------------------------------------------------------- */

/* Append the starts in units. */
static int encode_units(const struct tk_forest *forest, const uint32_t *shapes, int64_t unit,
                        struct tk_buf *out, struct tk_err *err)
{
    struct arrivals arrivals;
    int64_t before = 0;
    int rc = arrivals_init(&arrivals, forest->trace_count, err);
    tk_varint_put(out, (uint64_t)unit);
    tk_coder_begin_encode(&arrivals.coder, out);
    for (uint32_t trace = 0; rc == 0 && trace < forest->trace_count; trace++) {
        int64_t at = forest->trace_starts[trace] / unit;
        (void)code_delta(&arrivals, shapes[trace], (uint64_t)(at - before));
        before = at;
    }
    tk_coder_end(&arrivals.coder);
    tk_mixed_release(&arrivals.mixed);
    return rc < 0 ? rc : tk_buf_check(out, "arrivals", err);
}

/* The window of 1, 2, 5 or 10 s that tells the starts in the fewest bits, if where they stand in it
 * were told as well: windows that are too wide lose what they save. */
static int pick_window(const struct tk_forest *forest, const uint32_t *shapes, int64_t *ret_unit,
                       struct tk_err *err)
{
    static const int64_t seconds[] = {1, 2, 5, 10};
    static const uint32_t bits[] = {0, 4096, 9511, 13607}; /* log2 of them, in 1/4096 */
    uint64_t best = UINT64_MAX;
    for (size_t i = 0; i < TK_COUNTOF(seconds); i++) {
        TK_CLEANUP(tk_buf_release) struct tk_buf out;
        int64_t unit = seconds[i] * (1000000000 / forest->tick_ns);
        tk_buf_init(&out, (size_t)1 << 30);
        int rc = encode_units(forest, shapes, unit, &out, err);
        if (rc < 0)
            return rc;
        uint64_t cost = ((uint64_t)out.n << 15) + (uint64_t)forest->trace_count * bits[i];
        if (cost < best) {
            best = cost;
            *ret_unit = unit;
        }
    }
    return 0;
}

int tk_arrivals_encode(const struct tk_forest *forest, const uint32_t *shapes,
                       const struct tk_codec_options *options, struct tk_section_set *set,
                       struct tk_err *err)
{
    bool is_lossless = options->mode == TK_CODEC_LOSSLESS;
    enum tk_codec_arrivals arrivals = is_lossless ? TK_CODEC_ARRIVALS_MS : options->arrivals;
    int64_t unit_ns = arrivals == TK_CODEC_ARRIVALS_US ? 1000 : 1000000;
    int64_t unit = unit_ns > forest->tick_ns ? unit_ns / forest->tick_ns : 1;
    int rc = 0;
    if (arrivals == TK_CODEC_ARRIVALS_WINDOWS)
        rc = pick_window(forest, shapes, &unit, err);
    if (rc == 0)
        rc = encode_units(forest, shapes, unit, &set->bytes[TK_SECTION_ARRIVALS], err);
    if (rc == 0 && is_lossless && unit > 1) {
        rc = encode_rest(forest, shapes, unit, &set->bytes[TK_SECTION_ARRIVAL_REST], err);
    }
    return rc;
}

/* Starts -------------------------------------------------------------------------------------- */

/* Read the starts, all of them whole units. */
static int decode_units(tk_str bytes, const uint32_t *shapes, int64_t unit,
                        struct tk_forest *forest, struct tk_err *err)
{
    struct arrivals arrivals;
    int64_t start = 0;
    int rc = arrivals_init(&arrivals, forest->trace_count, err);
    tk_coder_begin_decode(&arrivals.coder, bytes);
    for (uint32_t trace = 0; rc == 0 && trace < forest->trace_count; trace++) {
        uint64_t delta = code_delta(&arrivals, shapes[trace], 0);
        int64_t ticks;
        if (delta > INT64_MAX || !tk_mul_i64((int64_t)delta, unit, &ticks) ||
            !tk_add_i64(start, ticks, &start) || tk_coder_is_over(&arrivals.coder))
            rc = -EBADMSG;
        forest->trace_starts[trace] = start;
    }
    tk_mixed_release(&arrivals.mixed);
    return rc;
}

static int compare_starts(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int64_t draw_tick(uint64_t draw_key, uint32_t trace, int64_t unit)
{
    return (int64_t)tk_draw_below(tk_draw(draw_key, trace, 0, TK_DRAW_START), (uint64_t)unit);
}

/* The last start, in ticks, that as ns fits int64. */
static int64_t last_start(const struct tk_forest *forest)
{
    int64_t origin_ns = forest->origin_ns > 0 ? forest->origin_ns : 0;
    return (INT64_MAX - origin_ns) / forest->tick_ns;
}

/* Move every start to somewhere in its unit, as far as there is time, and keep them in order; all
 * are in range. */
static void scatter(struct tk_forest *forest, int64_t unit, uint64_t draw_key)
{
    int64_t *starts = forest->trace_starts;
    int64_t last = last_start(forest);
    for (uint32_t begin = 0, end = 0; begin < forest->trace_count; begin = end) {
        while (end < forest->trace_count && starts[end] == starts[begin])
            end++;
        int64_t left = last - starts[begin];
        int64_t room = left < unit ? left + 1 : unit;
        for (uint32_t i = begin; i < end; i++)
            starts[i] += draw_tick(draw_key, i, room);
        qsort(starts + begin, end - begin, sizeof(*starts), compare_starts);
    }
}

/* Without the section: evenly over the time of the block. */
static void spread(const struct tk_block_head *head, struct tk_forest *forest)
{
    uint64_t time_ns = (uint64_t)head->end_ns - (uint64_t)head->origin_ns;
    uint64_t ticks = head->end_ns > head->origin_ns ? time_ns / (uint64_t)head->tick_ns : 0;
    for (uint32_t trace = 0; trace < forest->trace_count; trace++)
        forest->trace_starts[trace] = (int64_t)tk_mul_div(ticks, trace, forest->trace_count);
}

/* All starts as ns fit int64, so that adding them needs no care. */
static bool is_in_range(const struct tk_forest *forest)
{
    int64_t last = last_start(forest);
    for (uint32_t trace = 0; trace < forest->trace_count; trace++) {
        if (forest->trace_starts[trace] > last)
            return false;
    }
    return true;
}

int tk_arrivals_decode(const struct tk_block *block, uint64_t draw_key, const uint32_t *shapes,
                       struct tk_forest *forest, struct tk_err *err)
{
    const struct tk_section *section = tk_block_find(block, TK_SECTION_ARRIVALS);
    const struct tk_section *rest = tk_block_find(block, TK_SECTION_ARRIVAL_REST);
    if (!section) {
        spread(&block->head, forest);
        return 0;
    }
    tk_str bytes = section->bytes;
    uint64_t unit;
    if (!tk_varint_read(&bytes, &unit) || unit == 0 || unit > INT64_MAX / 2)
        return tk_fail(err, -EBADMSG, "arrivals: bytes do not decode");
    int rc = decode_units(bytes, shapes, (int64_t)unit, forest, err);
    if (rc == 0 && rest)
        rc = decode_rest(rest->bytes, shapes, (int64_t)unit, forest);
    if (rc == -EBADMSG || (rc == 0 && !is_in_range(forest)))
        return tk_fail(err, -EBADMSG, "arrivals: bytes do not decode");
    if (rc == 0 && !rest && unit > 1)
        scatter(forest, (int64_t)unit, draw_key);
    return rc;
}
