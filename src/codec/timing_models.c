/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "codec/timing_internal.h"

static size_t count_slots(const struct tk_time_models *models)
{
    return (size_t)models->slot_planes << models->slot_bits;
}

int tk_time_models_new(uint32_t spans, unsigned planes, struct tk_time_models **ret_models,
                       struct tk_err *err)
{
    unsigned bits = tk_mixed_bits(spans, TK_TIME_LEAST_BITS, TK_TIME_MOST_BITS);
    struct tk_time_models *models = calloc(1, sizeof(*models));
    if (!models)
        return tk_fail(err, -ENOMEM, "timing: out of memory");
    models->slot_planes = planes;
    models->slot_bits = bits + TK_TIME_SLOT_BITS;
    if (models->slot_bits > TK_TIME_MOST_BITS)
        models->slot_bits = TK_TIME_MOST_BITS;
    size_t slots = count_slots(models);
    models->slots = slots > 0 ? tk_mix_table_alloc(slots * sizeof(*models->slots)) : NULL;
    int rc = models->slots || slots == 0 ? tk_contexts_init(&models->contexts, bits, err)
                                         : tk_fail(err, -ENOMEM, "timing: out of memory");
    if (rc < 0) {
        tk_time_models_free(models);
        return rc;
    }
    tk_bits_init(models->slots, slots);
    tk_levels_init(&models->levels);
    tk_mix_tables_init(&models->tables);
    tk_mix_weights_init(models->edge_weights, TK_COUNTOF(models->edge_weights),
                        TK_TIME_EDGE_INPUTS);
    tk_mix_weights_init(models->base_weights[0],
                        sizeof(models->base_weights) / sizeof(models->base_weights[0][0]),
                        TK_TIME_BASE_INPUTS);
    tk_mix_weights_init(models->plane_weights[0][0],
                        sizeof(models->plane_weights) / sizeof(models->plane_weights[0][0][0]),
                        TK_TIME_PLANE_INPUTS);
    tk_bits_init(models->escapes[0], 2 * TK_COUNTOF(models->escapes[0]));
    *ret_models = models;
    return 0;
}

void tk_time_models_free(struct tk_time_models *models)
{
    if (!models)
        return;
    tk_contexts_release(&models->contexts);
    tk_mix_table_free(models->slots, count_slots(models) * sizeof(*models->slots));
    free(models);
}

void tk_time_models_freep(struct tk_time_models **models)
{
    tk_time_models_free(*models);
}
