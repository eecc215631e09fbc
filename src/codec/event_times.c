/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/event_times.h"

#include <stdlib.h>

enum relation { SAME = 0, AT_END, LATER, EARLIER };

void tk_event_times_init(struct tk_event_times *times)
{
    *times = (struct tk_event_times){0};
}

void tk_event_times_release(struct tk_event_times *times)
{
    for (size_t i = 0; i < TK_EVENT_SLOTS; i++)
        free(times->slots[i]);
    *times = (struct tk_event_times){0};
}

static struct tk_event_slot *find_slot(struct tk_event_times *times, uint32_t name)
{
    struct tk_event_slot **place = &times->slots[name % TK_EVENT_SLOTS];
    if (*place)
        return *place;
    struct tk_event_slot *slot = malloc(sizeof(*slot));
    if (!slot)
        return NULL;
    tk_bits_init(&slot->relation[0][0], sizeof(slot->relation) / sizeof(struct tk_bit));
    tk_bits_init(slot->zeros, TK_COUNTOF(slot->zeros));
    for (size_t i = 0; i < TK_EVENT_ZEROS; i++)
        tk_exp_models_init(&slot->mantissa[i]);
    *place = slot;
    return slot;
}

static uint64_t code_distance(struct tk_coder *coder, struct tk_event_slot *slot, uint64_t distance)
{
    uint32_t zeros = 0;
    for (; zeros + 1 < TK_EVENT_ZEROS && distance != 0 && distance % 10 == 0; zeros++)
        distance /= 10;
    zeros = tk_code_tree(coder, slot->zeros, 4, zeros);
    zeros = zeros < TK_EVENT_ZEROS ? zeros : TK_EVENT_ZEROS - 1;
    distance = tk_code_exp(coder, &slot->mantissa[zeros], distance);
    for (; zeros > 0; zeros--)
        distance *= 10;
    return distance;
}

static enum relation relate(const struct tk_event_before *before, int64_t time_ns)
{
    if (time_ns == before->time_ns)
        return SAME;
    if (time_ns == before->end_ns)
        return AT_END;
    return time_ns > before->time_ns ? LATER : EARLIER;
}

/* Times may be any numbers: distances wrap around. */
int64_t tk_code_event_time(struct tk_coder *coder, struct tk_event_times *times, uint32_t name,
                           struct tk_event_before *before, int64_t time_ns)
{
    struct tk_event_slot *slot = find_slot(times, name);
    if (!slot) {
        times->failed = true;
        return before->time_ns;
    }
    uint64_t base = (uint64_t)before->time_ns;
    uint32_t relation = (uint32_t)relate(before, time_ns);
    relation = tk_code_tree(coder, slot->relation[before->relation], 2, relation);
    before->relation = relation;
    if (relation == LATER) {
        time_ns = (int64_t)(base + code_distance(coder, slot, (uint64_t)time_ns - base));
    } else if (relation == EARLIER) {
        time_ns = (int64_t)(base - code_distance(coder, slot, base - (uint64_t)time_ns));
    } else {
        time_ns = relation == SAME ? before->time_ns : before->end_ns;
    }
    before->time_ns = time_ns;
    return time_ns;
}
