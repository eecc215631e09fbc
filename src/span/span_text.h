/* SPDX-License-Identifier: Apache-2.0 */
/* Ids, kinds and statuses of spans as text, as all formats but protobuf have them. Pure functions,
 * safe from any thread. */
#ifndef TK_SPAN_SPAN_TEXT_H
#define TK_SPAN_SPAN_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "span/span_batch.h"

#define TK_TRACE_ID_DIGITS 32
#define TK_SPAN_ID_DIGITS  16

/* Read up to so many digits of either case, dashes passed over; fewer are padded on the left, as
 * Jaeger strips zeros. False when the text is empty, longer, or something else; the result is then
 * untouched. A span id is the eight bytes as the columns of a batch hold them. */
bool tk_trace_id_parse(tk_str text, uint8_t ret_id[16]);
bool tk_span_id_parse(tk_str text, uint64_t *ret_id);

/* Write all digits in lower case, without a NUL. */
void tk_trace_id_format(const uint8_t id[16], char to[TK_TRACE_ID_DIGITS]);
void tk_span_id_format(uint64_t id, char to[TK_SPAN_ID_DIGITS]);

/* No bit is set. */
bool tk_trace_id_is_zero(const uint8_t id[16]);

/* "unspecified", "internal", "server" ...; "unset", "ok", "error". */
extern const char *const tk_span_kind_names[TK_SPAN_KIND_COUNT];
extern const char *const tk_span_status_names[TK_SPAN_STATUS_COUNT];

/* The kind that a word or number tells: "server", "SERVER", "SPAN_KIND_SERVER", "2"; UNSPECIFIED
 * for others. Likewise a status: "error", "STATUS_CODE_ERROR", "2"; UNSET for others. */
uint8_t tk_span_kind_parse(tk_str text);
uint8_t tk_span_status_parse(tk_str text);

#endif
