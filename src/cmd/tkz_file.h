/* SPDX-License-Identifier: Apache-2.0 */
/* Files of compressed traces (codec/codec.h), as commands name them: read, written, and what
 * options say of bytes and quality. */
#ifndef TK_CMD_TKZ_FILE_H
#define TK_CMD_TKZ_FILE_H

#include <limits.h>
#include <stdbool.h>

#include "base/err.h"
#include "cmd/cmd.h"
#include "cmd/import.h"
#include "codec/codec.h"
#include "run/out.h"

/* Whether a path is a file that begins as a `.tkz` does. */
bool tk_tkz_detect(const char *path);

/* A path that is such a file where a run is expected: -ENOTDIR, and which command makes a run of
 * it. 0 for any other, and for NULL. */
TK_MUST_USE int tk_tkz_refuse_as_run(const char *path, struct tk_err *err);

/* Map a file; -EBADMSG when it is no `.tkz`. Release it by tk_import_text_release(). */
TK_MUST_USE int tk_tkz_open(const char *path, struct tk_import_text *ret_text, struct tk_err *err);

/* A file being written: the old one stays until the close. "-" is standard output. */
struct tk_tkz_output {
    int dirfd; /* -1 = none, or standard output */
    struct tk_out out;
    struct tk_codec_output output; /* write here */
    char path[PATH_MAX];
};

#define TK_TKZ_OUTPUT_NONE                                                                         \
    {                                                                                              \
        .dirfd = -1, .out = TK_OUT_NONE                                                            \
    }

TK_MUST_USE int tk_tkz_output_open(struct tk_tkz_output *output, const char *path,
                                   struct tk_err *err);

/* Put it in its place. */
TK_MUST_USE int tk_tkz_output_close(struct tk_tkz_output *output, struct tk_err *err);

/* What was not closed goes. For TK_CLEANUP. */
void tk_tkz_output_release(struct tk_tkz_output *output);

/* A budget: "20B/trace", "2.5B/span", "64kB", "1.5MiB". Exactly one of the three is set, the others
 * stay. False when it is none, or not above 0. */
struct tk_tkz_budget {
    double trace_bytes, span_bytes, bytes;
};
bool tk_tkz_budget_parse(const char *text, struct tk_tkz_budget *ret_budget);

/* Tell on stderr what of a file was damaged or cut off; nothing when it is whole. */
void tk_tkz_warn(const struct tk_cmd *cmd, const char *path, const struct tk_codec_info *info);

/* "→ X.tkz: 9,047 traces, 87,012 spans, 118 kB: 13.0 bytes a trace, 1.35 a span" on stderr where
 * the file went to standard output, else on stdout. */
void tk_tkz_receipt(const char *path, const struct tk_codec_info *info);

/* The same as one JSON object, as `tracekit tkz info --json` has it. */
TK_MUST_USE int tk_tkz_receipt_json(const char *path, const struct tk_codec_info *info,
                                    struct tk_err *err);

/* Tell on stderr what could not be given back; nothing when all was. */
void tk_tkz_warn_losses(const struct tk_cmd *cmd, const char *path,
                        const struct tk_codec_losses *losses);

/* CPUs, as many threads as codecs take by default. */
uint32_t tk_tkz_threads(int64_t wanted);

#define TK_TKZ_MAX_THREADS 64

/* `tracekit merge FILE.tkz... -o OUT`: the exit status. */
int tk_tkz_merge(const struct tk_cmd *cmd, const char *output, int argc, char **argv);

#endif
