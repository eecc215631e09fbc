/* SPDX-License-Identifier: Apache-2.0 */
#include "lab/merge.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/hash.h"

/* The draw number `i` of Exp(lambda). */
static double draw_exp(const struct tk_lab_exp *options, uint64_t i)
{
    double unit = (double)(tk_hash_mix(options->seed, i) >> 11) * 0x1p-53;
    return -log1p(-unit) / options->lambda;
}

static int allocate(struct tk_lab_picks *picks, size_t most, struct tk_err *err)
{
    *picks = (struct tk_lab_picks){.items = calloc(most + 1, sizeof(struct tk_lab_pick))};
    return picks->items ? 0 : tk_fail(err, -ENOMEM, "merge: out of memory");
}

int tk_lab_merge_exp(uint32_t benign, uint32_t incident, const struct tk_lab_exp *options,
                     struct tk_lab_picks *ret_picks, struct tk_err *err)
{
    struct tk_lab_picks picks;
    if (!(options->lambda > 0) || isinf(options->lambda))
        return tk_fail(err, -EINVAL, "lambda has to be above 0");
    int rc = allocate(&picks, benign, err);
    if (rc < 0)
        return rc;
    uint64_t draws = 0;
    uint32_t left = incident;
    double counter = draw_exp(options, draws++);
    for (uint32_t i = 0; i < benign; i++) {
        if (counter > 0) {
            picks.items[picks.count++] = (struct tk_lab_pick){false, i};
            counter -= 1;
            continue;
        }
        if (left == 0)
            break;
        picks.items[picks.count++] = (struct tk_lab_pick){true, --left};
        counter = draw_exp(options, draws++);
    }
    bool ran_out = picks.count < benign;
    if (ran_out && picks.count <= options->least) {
        rc = tk_fail(err, -ENODATA,
                     "all %u traces of the incident are used after %zu merged ones: more than %llu "
                     "are needed",
                     incident, picks.count, (unsigned long long)options->least);
        tk_lab_picks_release(&picks);
        return rc;
    }
    *ret_picks = picks;
    return 0;
}

int tk_lab_merge_window(const struct tk_lab_starts *benign, const struct tk_lab_starts *incident,
                        const struct tk_lab_window *window, int64_t *ret_shift_ns,
                        struct tk_lab_picks *ret_picks, struct tk_err *err)
{
    struct tk_lab_picks picks;
    if (incident->count == 0)
        return tk_fail(err, -ENODATA, "the incident has no traces");
    int rc = allocate(&picks, (size_t)benign->count + incident->count, err);
    if (rc < 0)
        return rc;
    uint32_t next = 0;
    while (next < benign->count && benign->ns[next] < window->start_ns)
        picks.items[picks.count++] = (struct tk_lab_pick){false, next++};
    for (uint32_t i = 0; i < incident->count; i++) {
        if (incident->ns[i] - incident->ns[0] < window->length_ns)
            picks.items[picks.count++] = (struct tk_lab_pick){true, i};
    }
    for (; next < benign->count; next++) {
        if (benign->ns[next] - window->start_ns >= window->length_ns)
            picks.items[picks.count++] = (struct tk_lab_pick){false, next};
    }
    *ret_shift_ns = window->start_ns - incident->ns[0];
    *ret_picks = picks;
    return 0;
}

void tk_lab_picks_release(struct tk_lab_picks *picks)
{
    free(picks->items);
    *picks = (struct tk_lab_picks){0};
}
