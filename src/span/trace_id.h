/* SPDX-License-Identifier: Apache-2.0 */
/* Ids of traces and spans as keys of maps in memory. Pure functions, safe from any thread. */
#ifndef TK_SPAN_TRACE_ID_H
#define TK_SPAN_TRACE_ID_H

#include <stdint.h>
#include <string.h>

#include "base/hash.h"

/* A hash of the id of a trace. Draws of traces follow from it (fidelity/draws.h): it stays. */
static inline uint64_t tk_trace_id_hash(const uint8_t id[16])
{
    uint64_t halves[2];
    memcpy(halves, id, sizeof(halves));
    return tk_hash_mix(halves[0], halves[1]);
}

/* A hash of a span: its id is its own in its trace only. */
static inline uint64_t tk_span_id_hash(const uint8_t trace_id[16], uint64_t span_id)
{
    return tk_hash_mix(tk_trace_id_hash(trace_id), span_id);
}

#endif
