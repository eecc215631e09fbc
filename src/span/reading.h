/* SPDX-License-Identifier: Apache-2.0 */
/* What the readers of span files share: where they are, what they count, resources that they know
 * by now, and records of JSON. One thread at a time. */
#ifndef TK_SPAN_READING_H
#define TK_SPAN_READING_H

#include <stddef.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/map.h"
#include "span/span_format.h"

#define TK_READING_RECORD_MAX ((size_t)64 << 20) /* bytes of the decoded texts of a record */

/* A text that stands for a resource or a scope of the batch. */
struct tk_reading_known {
    _Alignas(max_align_t) tk_str raw; /* borrowed from the input or the batch; an arena aligns so */
    uint32_t index;
};

struct tk_reading {
    struct tk_span_input *input; /* these three of the call at hand */
    struct tk_span_batch *batch;
    struct tk_span_tally *tally;
    struct tk_span_tally before; /* the row at hand */
    struct tk_arena scratch;     /* decoded texts of the record at hand */
    struct tk_buf decoded;       /* a name with U+FFFD */
    struct tk_map indexes;       /* hash to place in `known` */
    struct tk_arena known;       /* struct tk_reading_known [known_count] */
    uint32_t known_count;
};

/* Release it also after a failure. */
TK_MUST_USE int tk_reading_init(struct tk_reading *reading, struct tk_err *err);
/* Accepts a zeroed struct. */
void tk_reading_release(struct tk_reading *reading);

/* A call of the reader begins: what was known of the batch is forgotten. */
void tk_reading_begin(struct tk_reading *reading, struct tk_span_input *input,
                      struct tk_span_batch *batch, struct tk_span_tally *tally);

/* Count a record of the input that stands at `at` and is left out; the first is told with its line:
 * `why` without a full stop. */
void tk_reading_refuse(struct tk_reading *reading, enum tk_span_reason reason, const char *at,
                       const char *why);

/* A row did not become one: take back what tk_reading_begin_row() began. Returns 0 when it was
 * refused and reading goes on, and -ENOBUFS when the batch is to be handed on first. `code` is why:
 * -ENOBUFS, or a fault of the record (`why` tells it) which stands at `at`. */
TK_MUST_USE int tk_reading_take_back(struct tk_reading *reading, const struct tk_span_mark *mark,
                                     int code, const char *at, const char *why);

/* The scope that a service alone stands for; UINT32_MAX when the batch is full. `service` may be
 * empty. */
uint32_t tk_reading_service(struct tk_reading *reading, tk_str service);

/* A scope of a resource by name and version, either may be empty. UINT32_MAX when full. */
uint32_t tk_reading_scope(struct tk_reading *reading, uint32_t resource, tk_str name,
                          tk_str version);

/* The index that is known for a text of this kind (any number, to keep them apart); false when
 * there is none. */
bool tk_reading_find(const struct tk_reading *reading, uint64_t kind, tk_str raw,
                     uint32_t *ret_index);

/* Remember one, as far as memory goes. */
void tk_reading_add(struct tk_reading *reading, uint64_t kind, tk_str raw, uint32_t index);

/* Ids as the input has them: digits, or else the first bytes of the SHA-256 of the text, so that
 * parent and child still share it. -EBADMSG when it is empty. */
TK_MUST_USE int tk_reading_trace_id(tk_str text, uint8_t ret_id[16], struct tk_err *err);
TK_MUST_USE int tk_reading_span_id(tk_str text, uint64_t *ret_id, struct tk_err *err);

/* Begin a row with the ids of the input; those that are no digits are kept as its attributes
 * tracekit.trace_id and tracekit.span_id. An empty parent is none. -ENOBUFS, -EBADMSG. */
TK_MUST_USE int tk_reading_begin_row(struct tk_reading *reading, tk_str trace_id, tk_str span_id,
                                     tk_str parent_id, struct tk_err *err);

/* Set the time of the last row, `unit_ns` nanoseconds each: -EBADMSG when it does not fit. A
 * negative duration becomes 0 and is counted. */
TK_MUST_USE int tk_reading_set_time(struct tk_reading *reading, int64_t start, int64_t duration,
                                    int64_t unit_ns, struct tk_err *err);

/* The id of a name, message or other text that has to be UTF-8: what is none becomes U+FFFD and is
 * counted. TK_TEXTS_NONE when full. */
uint32_t tk_reading_add_name(struct tk_reading *reading, tk_str text);

/* Add an attribute of text to the last row, bytes where it is no UTF-8. -ENOBUFS. */
TK_MUST_USE int tk_reading_add_text(struct tk_reading *reading, tk_str key, tk_str text);

/* An attribute from a plain JSON value; a null is none. -ENOBUFS, -EBADMSG, -EMSGSIZE. */
TK_MUST_USE int tk_reading_read_attr(struct tk_reading *reading, tk_str key, struct tk_json *json,
                                     struct tk_attr *ret_attr, struct tk_err *err);

/* Read the members of a JSON object as attributes, of the last row or of a side range. */
TK_MUST_USE int tk_reading_read_attrs(struct tk_reading *reading, struct tk_json *json,
                                      struct tk_err *err);
TK_MUST_USE int tk_reading_read_side_attrs(struct tk_reading *reading, struct tk_json *json,
                                           struct tk_attr_range *ret_range, struct tk_err *err);

/* JSON ---------------------------------------------------------------------------------- */

/* A scanner of a part of the input, whose offsets are those of the input. */
void tk_reading_scan(const struct tk_reading *reading, tk_str part, struct tk_json *ret_json);

/* The values of a text: lines, values one after the other with or without commas, an array of them,
 * or an array of arrays. */
struct tk_json_records {
    struct tk_json json;
    int arrays; /* entered */
    bool begun;
};

/* The next value that is no array, checked to be JSON: 0 and its text, 1 at the end. A bad line is
 * counted and passed over, also one that is torn; -EBADMSG when the fault is on a later line, so
 * that nothing behind it can be read. */
TK_MUST_USE int tk_json_records_next(struct tk_json_records *records, struct tk_reading *reading,
                                     tk_str *ret_raw, struct tk_err *err);

/* Go back to an element that was taken, to get it again. */
void tk_json_rewind(struct tk_json *json, tk_str raw);

/* The beginning of a text has `"KEY"` and a colon somewhere. */
bool tk_head_has_key(tk_str head, const char *key);

#endif
