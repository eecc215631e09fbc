/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of the spans that somebody sends: bytes are inflated, decoded straight into the
 * batch of a segment sink and committed, and a verdict says what to answer. Knows no protocol of
 * the transport: HTTP, gRPC and tests hand in payloads alike. One of each worker, one thread. */
#ifndef TK_SERVE_INTAKE_H
#define TK_SERVE_INTAKE_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "segment/segment_sink.h"
#include "serve/verdict.h"

struct tk_intake;

/* Into the folder of spans, which stays the caller's. `max_bytes` is the limit of an inflated body.
 */
TK_MUST_USE int tk_intake_new(int dirfd, const struct tk_segment_opts *opts, size_t max_bytes,
                              struct tk_intake **ret_intake, struct tk_err *err);

/* Accepts NULL. */
void tk_intake_free(struct tk_intake *intake);

/* Take the spans of a payload, all or, unless the outcome is TAKEN, none; they are as safe then as
 * `ack` says, but for the sync of TK_ACK_FSYNC (syncer.h). */
void tk_intake_add(struct tk_intake *intake, const struct tk_payload *payload,
                   struct tk_verdict *ret_verdict);

/* Seal the segment when it is old enough; `now_ns` is monotonic. To be called a few times a second.
 */
void tk_intake_step(struct tk_intake *intake, int64_t now_ns);

/* Seal what there is, and wait until all segments are on the disk. */
TK_MUST_USE int tk_intake_close(struct tk_intake *intake, struct tk_err *err);

/* Where the spans go, for its counts and its sync. */
struct tk_segment_sink *tk_intake_sink(struct tk_intake *intake);

#endif
