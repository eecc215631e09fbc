/* SPDX-License-Identifier: Apache-2.0 */
/* Events, and the attributes of events and links. */
#include "codec/details.h"

#define PLACES 16 /* of a list that contexts tell apart */

uint32_t tk_code_count(struct tk_details *details, enum tk_choice_kind kind, uint64_t strong,
                       uint32_t count)
{
    const uint64_t contexts[2] = {strong, 0};
    count = tk_code_choice(&details->coder, &details->values.choices, kind, contexts, count);
    if (count <= TK_DETAIL_ITEMS_MAX)
        return count;
    details->values.bad = true;
    return 0;
}

uint32_t tk_code_u32(struct tk_details *details, enum tk_choice_kind kind,
                     const uint64_t contexts[2], uint32_t number)
{
    const struct tk_value_place place = {kind, TK_VALUE_NUMBERS, {contexts[0], contexts[1]}};
    struct tk_value value = {TK_ATTR_INT, number};
    (void)tk_code_value(&details->coder, &details->values, &place, &value);
    return (uint32_t)value.bits;
}

void *tk_detail_item(struct tk_coder *coder, struct tk_buf *items, uint32_t i, size_t size)
{
    if (coder->mode == TK_CODER_DECODE) {
        char *to = tk_buf_reserve(items, size);
        if (!to)
            return NULL;
        memset(to, 0, size);
        items->n += size;
    }
    return items->p + (size_t)i * size;
}

/* A key is told by the one before it and the holder, a value by the one before it and its key. */
void tk_code_detail_attrs(struct tk_details *details, uint64_t holder,
                          struct tk_detail_range *range)
{
    struct tk_detail *detail = &details->detail;
    uint32_t key = 0;
    range->n = tk_code_count(details, TK_CHOICE_ATTR_COUNT, holder, range->n);
    range->dropped =
        tk_code_u32(details, TK_CHOICE_DROPPED, (const uint64_t[2]){holder, 1}, range->dropped);
    if (details->coder.mode == TK_CODER_DECODE)
        range->begin = detail->attr_count;
    for (uint32_t i = 0; i < range->n && !tk_details_failed(details); i++) {
        struct tk_detail_attr *attr = tk_detail_item(
            &details->coder, &detail->attrs, range->begin + i, sizeof(struct tk_detail_attr));
        if (!attr)
            return;
        const struct tk_value_place key_place = {
            TK_CHOICE_KEY, TK_VALUE_KEYS, {tk_choice_mix(holder, key), key}};
        key = tk_code_value(&details->coder, &details->values, &key_place, &attr->key);
        const struct tk_value_place place = {
            TK_CHOICE_VALUE,
            TK_VALUE_OF_KEY + key,
            {tk_choice_mix(tk_choice_mix(detail->symbol, key), details->last_value),
             tk_choice_mix(holder, key)}};
        details->last_value =
            tk_code_value(&details->coder, &details->values, &place, &attr->value);
        if (details->coder.mode == TK_CODER_DECODE)
            detail->attr_count++;
    }
}

static uint32_t code_event(struct tk_details *details, uint32_t i, uint32_t last_name,
                           struct tk_event_before *before)
{
    struct tk_detail *detail = &details->detail;
    struct tk_detail_event *event =
        tk_detail_item(&details->coder, &detail->events, i, sizeof(struct tk_detail_event));
    if (!event)
        return 0;
    uint64_t place_in_list = i < PLACES ? i : PLACES;
    const struct tk_value_place place = {
        TK_CHOICE_EVENT_NAME,
        TK_VALUE_EVENT_NAMES,
        {tk_choice_mix(tk_choice_mix(detail->symbol, last_name), place_in_list), last_name}};
    uint32_t name = tk_code_value(&details->coder, &details->values, &place, &event->name);
    event->time_ns =
        tk_code_event_time(&details->coder, &details->times, name, before, event->time_ns);
    tk_code_detail_attrs(details, name, &event->attrs);
    return name;
}

void tk_code_events(struct tk_details *details)
{
    struct tk_detail *detail = &details->detail;
    struct tk_event_before before = {.time_ns = detail->start_ns, .end_ns = detail->end_ns};
    uint32_t name = 0;
    for (uint32_t i = 0; i < detail->profile.event_count && !tk_details_failed(details); i++)
        name = code_event(details, i, name, &before);
}
