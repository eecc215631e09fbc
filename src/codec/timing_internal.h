/* SPDX-License-Identifier: Apache-2.0 */
/* The models of timing and the passes over a trace that code it: edges forwards, then base levels,
 * then each plane, backwards; each section with a coder of its own, and with models that know
 * nothing of later planes. One function codes and decodes.
 *
 * Backwards (the last node first) a span's children are known when its duration is coded: what they
 * take is a lower bound that durations often just exceed. Measured against parents first that is
 * worth 1 to 5 % of the bytes. */
#ifndef TK_CODEC_TIMING_INTERNAL_H
#define TK_CODEC_TIMING_INTERNAL_H

#include "codec/mixed.h"
#include "codec/time_context.h"

#define TK_TIME_PLANES TK_LEVEL_DEPTH
#define TK_TIME_MIXED  3 /* planes that are mixed from several contexts; the others have one */

#define TK_TIME_BASE_INPUTS  3
#define TK_TIME_PLANE_INPUTS 3
#define TK_TIME_EDGE_INPUTS  3

/* Contexts by the spans of a block: a small one takes little memory, and little time to clear it.
 */
#define TK_TIME_LEAST_BITS  8
#define TK_TIME_MOST_BITS   17 /* 8 MiB of buckets, 4 MiB of slots */
#define TK_TIME_SLOT_BITS   3  /* more than buckets, up to the same */
#define TK_TIME_WINDOW_BITS 14 /* of gaps and of durations, by subtree */

struct tk_time_models {
    struct tk_levels levels;
    struct tk_mix_tables tables;
    struct tk_contexts contexts; /* of edges and base levels */
    struct tk_bit *slots;        /* of planes, each its own, and of the rest; owned */
    unsigned slot_planes;        /* how many of them */
    unsigned slot_bits;          /* of one of them */
    struct tk_mix_weights edge_weights[8];
    struct tk_mix_weights base_weights[2][16];
    struct tk_mix_weights plane_weights[TK_TIME_MIXED][2][TK_TIME_EDGES];
    struct tk_bit escapes[2][64];
    uint8_t windows[2][1 << TK_TIME_WINDOW_BITS];
};

/* For so many spans and planes, TK_TIME_PLANES + 1 with the rest; heap, 12 MiB at most. -ENOMEM. */
TK_MUST_USE int tk_time_models_new(uint32_t spans, unsigned planes,
                                   struct tk_time_models **ret_models, struct tk_err *err);

/* Accepts NULL. */
void tk_time_models_free(struct tk_time_models *models);

/* For TK_CLEANUP. */
void tk_time_models_freep(struct tk_time_models **models);

/* The edges and base levels of a trace that was loaded; leaves estimates of depth 0. */
void tk_time_code_base(struct tk_coder *coder, struct tk_time_models *models,
                       struct tk_time_trace *trace);

/* Plane `plane`, 0 to 6, of a trace whose numbers are known to that depth; leaves estimates of
 * the next. */
void tk_time_code_plane(struct tk_coder *coder, struct tk_time_models *models,
                        struct tk_time_trace *trace, unsigned plane);

/* What is left below fine cells: `value`s are exact then. `start` is the absolute start of the
 * trace in ticks, from which clocks coarser than the tick are told. */
void tk_time_code_rest(struct tk_coder *coder, struct tk_time_models *models,
                       struct tk_time_trace *trace, int64_t start);

/* The model of a context of plane `plane`; of the rest: of TK_TIME_PLANES. */
static inline struct tk_bit *tk_time_slot(struct tk_time_models *models, unsigned plane,
                                          uint64_t hash)
{
    uint64_t place = hash & ((1U << models->slot_bits) - 1);
    return &models->slots[(uint64_t)plane << models->slot_bits | place];
}

/* About what a number is, known to a depth. */
static inline uint64_t tk_time_about(const struct tk_time_models *models,
                                     const struct tk_time_number *number, unsigned depth)
{
    if (number->state != TK_TIME_CELL)
        return 0;
    uint32_t cell = (uint32_t)number->cell >> (TK_LEVEL_DEPTH - depth);
    return (tk_levels_low(&models->levels, depth, cell) +
            tk_levels_low(&models->levels, depth, cell + 1)) /
           2;
}

/* The place of `value` on a scale of `steps` (1 to 128) to a base level; 0 = zero. */
static inline uint32_t tk_time_scale(const struct tk_time_models *models, uint64_t value,
                                     unsigned steps)
{
    return value == 0 ? 0 : 1 + tk_levels_find(&models->levels, value) * steps / 128;
}

#endif
