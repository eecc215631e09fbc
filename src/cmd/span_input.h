/* SPDX-License-Identifier: Apache-2.0 */
/* Spans of whatever a user names, one name after the other, as a source (span/span_source.h): a run
 * or the name of one in logs/, a file of any format that `tracekit import` reads or of compressed
 * traces, "-", a folder of such files. Spans that come again are left out and counted. To add a
 * kind of input: its entry in the table of span_input.c. One thread at a time. */
#ifndef TK_CMD_SPAN_INPUT_H
#define TK_CMD_SPAN_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "cmd/cmd.h"
#include "span/span_source.h"
#include "span/span_tally.h"

/* Zero = the defaults. */
struct tk_span_input_options {
    const char *format; /* of files, as in tracekit import --format; NULL = by their first bytes */
    const char *format_option; /* of the command, which says it: "--format"; NULL = it has none */
    uint64_t max_bytes;        /* that a compressed file or a pipe may become; 0 = 16 GiB */
    bool keep_duplicates;
    size_t dedupe_spans; /* so far back duplicates are known for sure (dedupe.h) */
};

/* A kind of input. */
struct tk_span_input_kind {
    const char *name; /* "run" */
    bool (*detect)(const char *path);
    TK_MUST_USE int (*open)(const struct tk_span_input_options *options, const char *path,
                            void **ret_state, struct tk_err *err);

    /* As the source's; counts what is taken and refused. */
    TK_MUST_USE int (*read)(void *state, struct tk_span_batch *batch, struct tk_span_tally *tally,
                            struct tk_err *err);

    /* The first record that was refused, for a message; "" or NULL = none. May be NULL. */
    const char *(*first_bad)(const void *state);
    void (*close)(void *state); /* accepts NULL */
};

struct tk_span_inputs;

/* Look at all names, so that one that is not there fails here; `names` and `options` stay borrowed.
 * `cmd` is for messages: refused records are told on stderr. -ENOENT. */
TK_MUST_USE int tk_span_inputs_new(const struct tk_cmd *cmd, const char *const *names, size_t count,
                                   const struct tk_span_input_options *options,
                                   struct tk_span_inputs **ret_inputs, struct tk_err *err);

/* Accepts NULL. */
void tk_span_inputs_free(struct tk_span_inputs *inputs);

/* For TK_CLEANUP. */
void tk_span_inputs_freep(struct tk_span_inputs **inputs);

/* All their spans, once. The inputs must outlive it. Fails with -ENOENT at the end of a folder none
 * of whose files is of spans, and with -EBADMSG at the end of all when every span was refused. */
struct tk_span_source tk_span_inputs_source(struct tk_span_inputs *inputs);

/* What became of the spans that were read by now. */
const struct tk_span_tally *tk_span_inputs_tally(const struct tk_span_inputs *inputs);

/* Tell on stderr, in a line each, what was refused and which files of folders were left out;
 * nothing when all was taken. */
void tk_span_inputs_warn(const struct tk_span_inputs *inputs);

#endif
