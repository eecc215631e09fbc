/* SPDX-License-Identifier: Apache-2.0 */
/* Links: ids as they are, but for the span's own trace. */
#include <endian.h>

#include "codec/details.h"

#define HOLDER UINT64_C(0x6C696E6B) /* of attributes; no number of a name */

static uint64_t code_raw64(struct tk_coder *coder, uint64_t value)
{
    uint64_t upper = tk_code_raw(coder, (uint32_t)(value >> 32), 32);
    return upper << 32 | tk_code_raw(coder, (uint32_t)value, 32);
}

static void code_id(struct tk_coder *coder, uint8_t id[8])
{
    uint64_t value;
    memcpy(&value, id, 8);
    value = htobe64(code_raw64(coder, be64toh(value)));
    memcpy(id, &value, 8);
}

static void code_link(struct tk_details *details, struct tk_detail_link *link)
{
    struct tk_detail *detail = &details->detail;
    struct tk_coder *coder = &details->coder;
    uint8_t span_id[8];
    bool own = memcmp(link->trace_id, detail->trace_id, sizeof(link->trace_id)) == 0;
    own = tk_code_bit(coder, &details->own_trace, own);
    if (own) {
        memcpy(link->trace_id, detail->trace_id, sizeof(link->trace_id));
    } else {
        code_id(coder, link->trace_id);
        code_id(coder, link->trace_id + 8);
    }
    memcpy(span_id, &link->span_id, sizeof(span_id));
    code_id(coder, span_id);
    memcpy(&link->span_id, span_id, sizeof(span_id));
    const struct tk_value_place place = {
        TK_CHOICE_TRACE_STATE, TK_VALUE_TRACE_STATES, {HOLDER, detail->symbol}};
    (void)tk_code_value(coder, &details->values, &place, &link->trace_state);
    const uint64_t contexts[2] = {tk_choice_mix(HOLDER, detail->symbol), HOLDER};
    link->flags = tk_code_u32(details, TK_CHOICE_FLAGS, contexts, link->flags);
    tk_code_detail_attrs(details, tk_choice_mix(HOLDER, detail->symbol), &link->attrs);
}

void tk_code_links(struct tk_details *details)
{
    struct tk_detail *detail = &details->detail;
    for (uint32_t i = 0; i < detail->profile.link_count && !tk_details_failed(details); i++) {
        struct tk_detail_link *link =
            tk_detail_item(&details->coder, &detail->links, i, sizeof(struct tk_detail_link));
        if (link)
            code_link(details, link);
    }
}
