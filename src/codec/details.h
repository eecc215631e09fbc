/* SPDX-License-Identifier: Apache-2.0 */
/* What a span says beside its name, times and attributes: message of the status, trace state,
 * flags, dropped counts, events, links (docs/format-tkz.md section "Details"). Span by span in the
 * order of the nodes; all contexts begin with the span's symbol. One function codes both ways
 * between a stream and a `struct tk_detail`, which two others fill from a row and write to one. One
 * thread at a time. */
#ifndef TK_CODEC_DETAILS_H
#define TK_CODEC_DETAILS_H

#include "codec/event_times.h"
#include "codec/exact_values.h"
#include "codec/forest.h"

#define TK_DETAIL_ITEMS_MAX                                                                        \
    (UINT32_C(1) << 20) /* events, links, or attributes of these, a span                           \
                         */

/* What spans of a symbol mostly have alike. */
struct tk_detail_profile {
    struct tk_value message, trace_state;
    uint32_t flags;
    uint32_t dropped[3]; /* attributes, events, links */
    uint32_t event_count, link_count;
};

struct tk_detail_attr {
    struct tk_value key, value;
};

/* Of an event or a link: attributes [begin, begin + n) of the span's. */
struct tk_detail_range {
    uint32_t begin, n, dropped;
};

struct tk_detail_event {
    int64_t time_ns;
    struct tk_value name;
    struct tk_detail_range attrs;
};

struct tk_detail_link {
    uint8_t trace_id[16];
    uint64_t span_id; /* as the column of a batch */
    struct tk_value trace_state;
    uint32_t flags;
    struct tk_detail_range attrs;
};

/* Of one span. */
struct tk_detail {
    uint64_t symbol; /* key of its symbol, tk_symbol_key() */
    uint8_t trace_id[16];
    int64_t start_ns, end_ns;
    struct tk_detail_profile profile;
    struct tk_buf events; /* struct tk_detail_event [profile.event_count], likewise below */
    struct tk_buf links;
    struct tk_buf attrs;
    uint32_t attr_count;
};

struct tk_details {
    struct tk_coder coder;
    struct tk_values values;
    struct tk_event_times times;
    struct tk_buf profiles; /* struct tk_detail_profile [profile_count] */
    struct tk_map known;    /* encoder: hash of a profile -> its number */
    uint32_t profile_count;
    uint32_t last_profile;
    uint32_t last_value;     /* of an attribute of this span */
    struct tk_bit own_trace; /* of links */
    struct tk_detail detail;
};

/* -ENOMEM. Release it also after a failure; the coder is the caller's to begin and to end. */
TK_MUST_USE int tk_details_init(struct tk_details *details, struct tk_err *err);

/* Accepts a zeroed struct. */
void tk_details_release(struct tk_details *details);

/* Code `details->detail`: of a decoder all of it but the fields from `symbol` to `end_ns`, which
 * the caller sets. False when a decoder cannot go on: the stream is bad or over. */
bool tk_code_detail(struct tk_details *details);

/* Encoder: fill the detail from a row. -ENOMEM, -EMSGSIZE. */
TK_MUST_USE int tk_detail_read(struct tk_details *details, const struct tk_span_batch *batch,
                               size_t row, struct tk_err *err);

/* Decoder: set the detail in the last row of a batch. -ENOBUFS. */
TK_MUST_USE int tk_detail_write(const struct tk_details *details, struct tk_span_batch *batch);

/* What a symbol is known by in contexts: FNV-1a over its texts and its four numbers. */
uint64_t tk_symbol_key(const struct tk_forest *forest, const struct tk_symbol *symbol);

/* Parts of tk_code_detail(), for events.c, links.c and details.c. */
void tk_code_events(struct tk_details *details);
void tk_code_links(struct tk_details *details);
void tk_code_detail_attrs(struct tk_details *details, uint64_t holder,
                          struct tk_detail_range *range);

/* Code how many there are, up to TK_DETAIL_ITEMS_MAX; more are bad. */
uint32_t tk_code_count(struct tk_details *details, enum tk_choice_kind kind, uint64_t strong,
                       uint32_t count);

/* Code a number of 32 bits that comes again. */
uint32_t tk_code_u32(struct tk_details *details, enum tk_choice_kind kind,
                     const uint64_t contexts[2], uint32_t number);

/* Place `i` of a list, which a decoder makes, zeroed. NULL when there is no memory. */
void *tk_detail_item(struct tk_coder *coder, struct tk_buf *items, uint32_t i, size_t size);

/* Whether a decoder is to stop. */
static inline bool tk_details_failed(const struct tk_details *details)
{
    return details->values.bad || tk_coder_is_over(&details->coder);
}

#endif
