/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/details.h"

#include <errno.h>

#include "base/hash.h"

#define ITEMS_BYTES_MAX ((size_t)1 << 28)

int tk_details_init(struct tk_details *details, struct tk_err *err)
{
    *details = (struct tk_details){.own_trace = TK_BIT_NEW};
    tk_event_times_init(&details->times);
    tk_buf_init(&details->profiles, (size_t)1 << 30);
    tk_buf_init(&details->detail.events, ITEMS_BYTES_MAX);
    tk_buf_init(&details->detail.links, ITEMS_BYTES_MAX);
    tk_buf_init(&details->detail.attrs, ITEMS_BYTES_MAX);
    return tk_values_init(&details->values, err);
}

void tk_details_release(struct tk_details *details)
{
    tk_values_release(&details->values);
    tk_event_times_release(&details->times);
    tk_buf_release(&details->profiles);
    tk_map_release(&details->known);
    tk_buf_release(&details->detail.events);
    tk_buf_release(&details->detail.links);
    tk_buf_release(&details->detail.attrs);
    *details = (struct tk_details){0};
}

static uint64_t hash_text(uint64_t hash, tk_str text)
{
    for (size_t i = 0; i < text.n; i++)
        hash = (hash ^ (unsigned char)text.p[i]) * 0x100000001B3ULL;
    return hash * 0x100000001B3ULL; /* and a NUL */
}

uint64_t tk_symbol_key(const struct tk_forest *forest, const struct tk_symbol *symbol)
{
    const char numbers[4] = {(char)symbol->kind, (char)symbol->status, (char)symbol->code_class,
                             (char)symbol->orphan};
    uint64_t hash = 0xCBF29CE484222325ULL;
    hash = hash_text(hash, tk_texts_get(&forest->dictionary, symbol->service));
    hash = hash_text(hash, tk_texts_get(&forest->dictionary, symbol->operation));
    return hash_text(hash, (tk_str){numbers, sizeof(numbers)});
}

/* Profiles ------------------------------------------------------------------------------------- */

static struct tk_detail_profile *profiles_of(const struct tk_details *details)
{
    return (struct tk_detail_profile *)(void *)details->profiles.p;
}

static uint64_t hash_profile(const struct tk_detail_profile *profile)
{
    uint64_t hash = tk_hash_mix(profile->message.bits, profile->trace_state.bits);
    hash = tk_hash_mix(hash, profile->flags);
    for (size_t i = 0; i < TK_COUNTOF(profile->dropped); i++)
        hash = tk_hash_mix(hash, profile->dropped[i]);
    return tk_hash_mix(hash, (uint64_t)profile->event_count << 32 | profile->link_count);
}

static uint32_t find_profile(const struct tk_details *details)
{
    const struct tk_detail_profile *profile = &details->detail.profile;
    uint32_t number;
    if (!tk_map_find(&details->known, hash_profile(profile), &number))
        return 0;
    const struct tk_detail_profile *known = &profiles_of(details)[number - 1];
    bool same = known->message.bits == profile->message.bits &&
                known->trace_state.bits == profile->trace_state.bits &&
                known->flags == profile->flags && known->event_count == profile->event_count &&
                known->link_count == profile->link_count &&
                memcmp(known->dropped, profile->dropped, sizeof(known->dropped)) == 0;
    return same ? number : 0;
}

static void code_new_profile(struct tk_details *details)
{
    struct tk_detail *detail = &details->detail;
    struct tk_detail_profile *profile = &detail->profile;
    const uint64_t contexts[2] = {detail->symbol, 0};
    const struct tk_value_place message = {
        TK_CHOICE_MESSAGE, TK_VALUE_MESSAGES, {detail->symbol, 0}};
    const struct tk_value_place state = {
        TK_CHOICE_TRACE_STATE, TK_VALUE_TRACE_STATES, {detail->symbol, 0}};
    (void)tk_code_value(&details->coder, &details->values, &message, &profile->message);
    (void)tk_code_value(&details->coder, &details->values, &state, &profile->trace_state);
    profile->flags = tk_code_u32(details, TK_CHOICE_FLAGS, contexts, profile->flags);
    for (size_t i = 0; i < TK_COUNTOF(profile->dropped); i++) {
        profile->dropped[i] =
            tk_code_u32(details, TK_CHOICE_DROPPED, contexts, profile->dropped[i]);
    }
    profile->event_count =
        tk_code_count(details, TK_CHOICE_EVENT_COUNT, detail->symbol, profile->event_count);
    profile->link_count =
        tk_code_count(details, TK_CHOICE_LINK_COUNT, detail->symbol, profile->link_count);
}

static void add_profile(struct tk_details *details)
{
    const struct tk_detail_profile *profile = &details->detail.profile;
    tk_buf_put(&details->profiles, (tk_str){(const char *)profile, sizeof(*profile)});
    if (!tk_buf_ok(&details->profiles)) {
        details->values.failure = -ENOMEM;
        details->values.bad = true;
        return;
    }
    details->profile_count++;
    if (details->coder.mode != TK_CODER_DECODE &&
        tk_map_add(&details->known, hash_profile(profile), details->profile_count) < 0)
        details->values.failure = -ENOMEM;
}

static void code_profile(struct tk_details *details)
{
    struct tk_detail *detail = &details->detail;
    const uint64_t contexts[2] = {tk_choice_mix(detail->symbol, details->last_profile),
                                  detail->symbol};
    uint32_t number = details->coder.mode == TK_CODER_DECODE ? 0 : find_profile(details);
    number = tk_code_choice(&details->coder, &details->values.choices, TK_CHOICE_PROFILE, contexts,
                            number);
    if (number == 0) {
        code_new_profile(details);
        add_profile(details);
        number = details->profile_count;
    } else if (number > details->profile_count) {
        details->values.bad = true;
        return;
    } else {
        detail->profile = profiles_of(details)[number - 1];
    }
    details->last_profile = number;
}

bool tk_code_detail(struct tk_details *details)
{
    struct tk_detail *detail = &details->detail;
    if (details->coder.mode == TK_CODER_DECODE) {
        tk_buf_reset(&detail->events);
        tk_buf_reset(&detail->links);
        tk_buf_reset(&detail->attrs);
        detail->attr_count = 0;
    }
    details->last_value = 0;
    code_profile(details);
    if (detail->profile.event_count > 0)
        tk_code_events(details);
    if (detail->profile.link_count > 0)
        tk_code_links(details);
    bool full = !tk_buf_ok(&detail->events) || !tk_buf_ok(&detail->links) ||
                !tk_buf_ok(&detail->attrs) || details->times.failed;
    if (full)
        details->values.failure = -ENOMEM;
    return !full && !tk_details_failed(details);
}

/* From rows ------------------------------------------------------------------------------------ */

static struct tk_value text_value(uint32_t text)
{
    return (struct tk_value){TK_ATTR_STRING, text};
}

static struct tk_detail_range read_range(struct tk_detail *detail,
                                         const struct tk_span_batch *batch,
                                         const struct tk_attr_range *from)
{
    struct tk_detail_range range = {detail->attr_count, from->n, from->dropped};
    for (uint32_t i = 0; i < from->n; i++) {
        const struct tk_attr *attr = &batch->side_attrs[from->begin + i];
        const struct tk_detail_attr own = {text_value(attr->key), tk_value_of(attr)};
        tk_buf_put(&detail->attrs, (tk_str){(const char *)&own, sizeof(own)});
    }
    detail->attr_count += from->n;
    return range;
}

static void read_events(struct tk_detail *detail, const struct tk_span_batch *batch, size_t row)
{
    size_t n;
    const struct tk_span_event *events = tk_span_events(batch, row, &n);
    for (size_t i = 0; i < n; i++) {
        const struct tk_detail_event event = {
            .time_ns = events[i].time_ns,
            .name = text_value(events[i].name),
            .attrs = read_range(detail, batch, &events[i].attrs),
        };
        tk_buf_put(&detail->events, (tk_str){(const char *)&event, sizeof(event)});
    }
    detail->profile.event_count = (uint32_t)n;
}

static void read_links(struct tk_detail *detail, const struct tk_span_batch *batch, size_t row)
{
    size_t n;
    const struct tk_span_link *links = tk_span_links(batch, row, &n);
    for (size_t i = 0; i < n; i++) {
        struct tk_detail_link link = {
            .span_id = links[i].span_id,
            .trace_state = text_value(links[i].trace_state),
            .flags = links[i].flags,
            .attrs = read_range(detail, batch, &links[i].attrs),
        };
        memcpy(link.trace_id, links[i].trace_id, sizeof(link.trace_id));
        tk_buf_put(&detail->links, (tk_str){(const char *)&link, sizeof(link)});
    }
    detail->profile.link_count = (uint32_t)n;
}

int tk_detail_read(struct tk_details *details, const struct tk_span_batch *batch, size_t row,
                   struct tk_err *err)
{
    struct tk_detail *detail = &details->detail;
    tk_buf_reset(&detail->events);
    tk_buf_reset(&detail->links);
    tk_buf_reset(&detail->attrs);
    detail->attr_count = 0;
    detail->profile = (struct tk_detail_profile){
        .message = text_value(batch->messages[row]),
        .trace_state = text_value(batch->trace_states[row]),
        .flags = batch->flags[row],
        .dropped = {batch->dropped_attrs[row], batch->dropped_events[row],
                    batch->dropped_links[row]},
    };
    read_events(detail, batch, row);
    read_links(detail, batch, row);
    if (detail->profile.event_count > TK_DETAIL_ITEMS_MAX ||
        detail->profile.link_count > TK_DETAIL_ITEMS_MAX ||
        detail->attr_count > TK_DETAIL_ITEMS_MAX) {
        return tk_fail(err, -EMSGSIZE,
                       "a span with more than %u events, links or attributes of "
                       "these",
                       TK_DETAIL_ITEMS_MAX);
    }
    int rc = tk_buf_check(&detail->events, "events of a span", err);
    rc = rc < 0 ? rc : tk_buf_check(&detail->links, "links of a span", err);
    return rc < 0 ? rc : tk_buf_check(&detail->attrs, "attributes of events", err);
}

/* To rows -------------------------------------------------------------------------------------- */

static uint32_t add_text(const struct tk_details *details, struct tk_span_batch *batch,
                         const struct tk_value *value)
{
    return tk_texts_add(&batch->texts, tk_value_text(&details->values, value));
}

static int write_range(const struct tk_details *details, struct tk_span_batch *batch,
                       const struct tk_detail_range *from, struct tk_attr_range *ret)
{
    const struct tk_detail_attr *attrs =
        (const struct tk_detail_attr *)(const void *)details->detail.attrs.p;
    *ret = (struct tk_attr_range){batch->side_attr_count, from->n, from->dropped};
    for (uint32_t i = 0; i < from->n; i++) {
        const struct tk_detail_attr *attr = &attrs[from->begin + i];
        struct tk_attr own = {.key = add_text(details, batch, &attr->key),
                              .type = attr->value.type,
                              .i64 = (int64_t)attr->value.bits};
        if (tk_attr_is_text(own.type)) {
            own.i64 = 0;
            own.text = add_text(details, batch, &attr->value);
        }
        if (tk_span_batch_add_side_attr(batch, &own) == UINT32_MAX)
            return -ENOBUFS;
    }
    return 0;
}

static int write_events(const struct tk_details *details, struct tk_span_batch *batch)
{
    const struct tk_detail_event *events =
        (const struct tk_detail_event *)(const void *)details->detail.events.p;
    int rc = 0;
    for (uint32_t i = 0; i < details->detail.profile.event_count && rc == 0; i++) {
        struct tk_span_event event = {.time_ns = events[i].time_ns,
                                      .name = add_text(details, batch, &events[i].name)};
        rc = write_range(details, batch, &events[i].attrs, &event.attrs);
        rc = rc < 0 ? rc : tk_span_batch_add_event(batch, &event);
    }
    return rc;
}

static int write_links(const struct tk_details *details, struct tk_span_batch *batch)
{
    const struct tk_detail_link *links =
        (const struct tk_detail_link *)(const void *)details->detail.links.p;
    int rc = 0;
    for (uint32_t i = 0; i < details->detail.profile.link_count && rc == 0; i++) {
        struct tk_span_link link = {.span_id = links[i].span_id,
                                    .trace_state = add_text(details, batch, &links[i].trace_state),
                                    .flags = links[i].flags};
        memcpy(link.trace_id, links[i].trace_id, sizeof(link.trace_id));
        rc = write_range(details, batch, &links[i].attrs, &link.attrs);
        rc = rc < 0 ? rc : tk_span_batch_add_link(batch, &link);
    }
    return rc;
}

int tk_detail_write(const struct tk_details *details, struct tk_span_batch *batch)
{
    const struct tk_detail_profile *profile = &details->detail.profile;
    size_t row = batch->rows - 1;
    batch->messages[row] = add_text(details, batch, &profile->message);
    batch->trace_states[row] = add_text(details, batch, &profile->trace_state);
    batch->flags[row] = profile->flags;
    batch->dropped_attrs[row] = profile->dropped[0];
    batch->dropped_events[row] = profile->dropped[1];
    batch->dropped_links[row] = profile->dropped[2];
    int rc = write_events(details, batch);
    return rc < 0 ? rc : write_links(details, batch);
}
