/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of `tracekit replay`: where the spans come from, and how the outcome is told. */
#ifndef TK_CMD_REPLAY_H
#define TK_CMD_REPLAY_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "load/load.h"

/* Read all spans of a run (a folder, or the name of one in logs/) or of a file in any format that
 * `tracekit import` reads, into bodies. Bad records are counted
 * and told on stderr. */
TK_MUST_USE int tk_replay_load(const char *path, struct tk_load_bodies *bodies, struct tk_err *err);

/* Make spans up. */
TK_MUST_USE int tk_replay_make(const struct tk_synthetic_opts *opts, struct tk_load_bodies *bodies,
                               struct tk_err *err);

/* What is told of a load beside its totals. */
struct tk_replay_about {
    const char *source;
    const struct tk_load_target *target;
    const struct tk_load_opts *opts;
    const char *encoding; /* "HTTP/protobuf" */
    int64_t cpu_ns;       /* of the sender while it sent */
};

/* Append the report, or one JSON object and a newline. */
void tk_replay_put_text(const struct tk_replay_about *about, const struct tk_load_totals *totals,
                        struct tk_buf *out);
void tk_replay_put_json(const struct tk_replay_about *about, const struct tk_load_totals *totals,
                        struct tk_buf *out);

#endif
