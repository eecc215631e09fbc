/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/keep.h"

#include <errno.h>
#include <stdlib.h>

#include "codec/draw.h"
#include "codec/keep_weights.h"
#include "span/wire.h"

/* Choosing ------------------------------------------------------------------------------------- */

#define POINT 32 /* bits behind the point of an age */

/* log2 of a number of 16 bits and more, 16 bits behind the point, by squaring. */
static uint32_t log2_of(uint64_t value)
{
    uint32_t whole = 63 - (uint32_t)__builtin_clzll(value);
    uint64_t x = value << (63 - whole) >> 32; /* in [1 << 31, 1 << 32) */
    uint32_t part = 0;
    for (int i = 0; i < 16; i++) {
        x = x * x >> 31;
        part <<= 1;
        if (x >> 32) {
            part |= 1;
            x >>= 1;
        }
    }
    return whole << 16 | part;
}

/* When a trace of weight 1 to 2^20 would leave the reservoir: exponentially distributed, the sooner
 * the less likely it stays. */
static uint64_t draw_age(uint64_t bits, uint32_t weight)
{
    uint64_t exponential = ((uint64_t)64 << 16) - log2_of(bits | 1);
    return (exponential << (POINT - 16)) / weight;
}

/* 1 - 2^-x, in 1 / 65536 and at least one; x has POINT bits behind the point. */
static uint32_t share_below(uint64_t x)
{
    static const uint32_t powers[16] = {3037000500, 3611622603, 3938502376, 4112874773,
                                        4202935003, 4248701965, 4271771996, 4283353945,
                                        4289156690, 4292061010, 4293513907, 4294240540,
                                        4294603903, 4294785595, 4294876445, 4294921870};
    uint64_t whole = x >> POINT;
    uint64_t rest = (UINT64_C(1) << 32) - 1;
    if (whole >= 32)
        return TK_KEPT_ALWAYS;
    for (int i = 0; i < 16; i++) {
        if (x >> (POINT - 1 - i) & 1)
            rest = rest * powers[i] >> 32;
    }
    uint32_t share = TK_KEPT_ALWAYS - (uint32_t)(rest >> whole >> 16);
    return share > 0 ? share : 1;
}

struct candidate {
    uint64_t age;
    uint32_t trace;
    uint32_t weight;
    enum tk_keep_reason reason;
};

static int by_age(const void *a, const void *b)
{
    const struct candidate *x = a;
    const struct candidate *y = b;
    if (x->age != y->age)
        return x->age < y->age ? -1 : 1;
    return x->trace < y->trace ? -1 : x->trace > y->trace;
}

static int by_trace(const void *a, const void *b)
{
    const struct tk_kept *x = a;
    const struct tk_kept *y = b;
    return x->trace < y->trace ? -1 : x->trace > y->trace;
}

/* Weights of the reasons: of candidates there are few, and K places. */
static const uint32_t weights[TK_KEEP_REASON_COUNT] = {
    [TK_KEEP_ANY] = 1,
    [TK_KEEP_SURPRISE] = 64,
    [TK_KEEP_SHAPE] = 256,
    [TK_KEEP_ERROR] = 256,
};

static void draw_ages(const struct tk_forest *forest, const struct tk_keep_options *options,
                      const uint8_t *reasons, struct candidate *candidates)
{
    uint64_t key = tk_draw_block(options->seed, 0);
    for (uint32_t trace = 0; trace < forest->trace_count; trace++) {
        struct candidate *own = &candidates[trace];
        bool wanted = options->wanted && options->wanted[trace];
        enum tk_keep_reason reason = wanted ? TK_KEEP_RULE : (enum tk_keep_reason)reasons[trace];
        *own = (struct candidate){.trace = trace, .reason = reason, .weight = weights[reason]};
        uint64_t bits = tk_draw(key, trace, (uint32_t)forest->trace_starts[trace], TK_DRAW_KEEP);
        own->age = wanted ? 0 : draw_age(bits, own->weight);
    }
}

/* The oldest stay: as many as places, and all that rules want. How likely each was follows from its
 * weight and the age of the first that left. */
static size_t pick(const struct candidate *candidates, size_t n, size_t places,
                   struct tk_kept *ret_kept)
{
    size_t ruled = 0;
    while (ruled < n && candidates[ruled].reason == TK_KEEP_RULE)
        ruled++;
    size_t count = n - ruled < places ? n : ruled + places;
    for (size_t i = 0; i < count; i++) {
        const struct candidate *own = &candidates[i];
        bool sure = count == n || own->reason == TK_KEEP_RULE;
        uint64_t age = sure ? 0 : candidates[count].age;
        bool beyond = own->weight > 0 && age > UINT64_MAX / own->weight;
        ret_kept[i] = (struct tk_kept){
            .trace = own->trace,
            .probability = sure || beyond ? TK_KEPT_ALWAYS : share_below(age * own->weight),
            .reason = own->reason,
        };
    }
    qsort(ret_kept, count, sizeof(*ret_kept), by_trace);
    return count;
}

int tk_keep_choose(const struct tk_forest *forest, const struct tk_keep_options *options,
                   struct tk_kept **ret_kept, size_t *ret_count, struct tk_err *err)
{
    size_t n = forest->trace_count;
    uint64_t places = ((uint64_t)n * options->per_mille + 999) / 1000;
    uint8_t *reasons = calloc(n + 1, sizeof(*reasons));
    struct candidate *candidates = calloc(n + 1, sizeof(*candidates));
    struct tk_kept *kept = calloc(n + 1, sizeof(*kept));
    if (!reasons || !candidates || !kept) {
        free(kept);
        free(candidates);
        free(reasons);
        return tk_fail(err, -ENOMEM, "out of memory");
    }
    int rc = tk_keep_find_reasons(forest, reasons, err);
    if (rc == 0) {
        draw_ages(forest, options, reasons, candidates);
        qsort(candidates, n, sizeof(*candidates), by_age);
        *ret_count = pick(candidates, n, (size_t)places, kept);
        *ret_kept = kept;
        kept = NULL;
    }
    free(kept);
    free(candidates);
    free(reasons);
    return rc;
}

/* The section ---------------------------------------------------------------------------------- */

void tk_keep_put(const struct tk_kept *kept, size_t count, tk_str block, struct tk_buf *out)
{
    uint32_t next = 0;
    tk_wire_put_varint(out, count);
    for (size_t i = 0; i < count; i++) {
        uint32_t stored = kept[i].probability - 1;
        tk_wire_put_varint(out, kept[i].trace - next);
        tk_buf_putc(out, (char)(stored & 0xFF));
        tk_buf_putc(out, (char)(stored >> 8));
        next = kept[i].trace + 1;
    }
    tk_buf_put(out, block);
}

bool tk_keep_count(tk_str section, uint64_t *ret_count)
{
    struct tk_wire_fault fault = {0};
    struct tk_wire in = {section.p, section.p + section.n, &fault};
    return tk_wire_varint(&in, ret_count) == 0;
}

static int bad(struct tk_err *err)
{
    return tk_fail(err, -EBADMSG, "section of kept traces: its list does not fit the block");
}

static int read_list(struct tk_wire *in, uint32_t traces, struct tk_kept *kept, size_t count)
{
    uint64_t next = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t step;
        if (tk_wire_varint(in, &step) < 0 || step >= traces || next + step >= traces ||
            in->end - in->p < 2)
            return -EBADMSG;
        kept[i].trace = (uint32_t)(next + step);
        kept[i].probability =
            1 + ((uint32_t)(unsigned char)in->p[0] | (uint32_t)(unsigned char)in->p[1] << 8);
        in->p += 2;
        next += step + 1;
    }
    return 0;
}

int tk_keep_read(tk_str section, uint32_t traces, struct tk_kept **ret_kept, size_t *ret_count,
                 tk_str *ret_block, struct tk_err *err)
{
    struct tk_wire_fault fault = {0};
    struct tk_wire in = {section.p, section.p + section.n, &fault};
    uint64_t count;
    if (tk_wire_varint(&in, &count) < 0 || count > traces)
        return bad(err);
    struct tk_kept *kept = calloc((size_t)count + 1, sizeof(*kept));
    if (!kept)
        return tk_fail(err, -ENOMEM, "out of memory");
    if (read_list(&in, traces, kept, (size_t)count) < 0) {
        free(kept);
        return bad(err);
    }
    *ret_kept = kept;
    *ret_count = (size_t)count;
    *ret_block = (tk_str){in.p, (size_t)(in.end - in.p)};
    return 0;
}
