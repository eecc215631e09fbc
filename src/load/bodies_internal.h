/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TK_LOAD_BODIES_INTERNAL_H
#define TK_LOAD_BODIES_INTERNAL_H

#include "load/bodies.h"

/* Append the offsets of all places of a request, as tk_otlp_encode() or tk_otlp_encode_json() wrote
 * it, to `found` (uint32_t, by enum tk_place). -EBADMSG where it is no such request or, in JSON, a
 * time has not the 19 digits of the years 2001 to 2262. */
TK_MUST_USE int tk_places_find_proto(tk_str body, struct tk_buf found[TK_PLACE_COUNT],
                                     struct tk_err *err);
TK_MUST_USE int tk_places_find_json(tk_str body, struct tk_buf found[TK_PLACE_COUNT],
                                    struct tk_err *err);

/* Change what stands at the places of a body in `bytes`, a copy of it. `places` are all of the
 * bodies'. */
void tk_places_change(char *bytes, bool json, const struct tk_load_body *body,
                      const uint32_t *places, const struct tk_load_body_change *change);

#endif
