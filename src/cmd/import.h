/* SPDX-License-Identifier: Apache-2.0 */
/* tracekit import from inside. What is imported tells which part does it: folders are old runs,
 * files hold spans, "jaeger" is a server. */
#ifndef TK_CMD_IMPORT_H
#define TK_CMD_IMPORT_H

#include "cmd/cmd.h"
#include "span/span_format.h"

struct tk_import_opts {
    const char *output;
    const char *node;
    const char *stage;
    bool json;

    /* Of old runs. */
    const char *log_tz;

    /* Of spans. */
    const char *format;
    int64_t max_bytes;
    const char *delimiter;
    struct tk_opt_list maps;
    bool keep_duplicates;

    /* Of a server. */
    const char *url;
    struct tk_opt_list services;
    int64_t lookback_ns;
    int64_t limit;
    bool is_download; /* set for the import itself */
};

/* Each imports what the arguments name and returns the exit status of the program. */
int tk_import_old_runs(const struct tk_cmd *cmd, const struct tk_import_opts *opts, int argc,
                       char **argv);
int tk_import_files(const struct tk_cmd *cmd, const struct tk_import_opts *opts, int argc,
                    char **argv);
int tk_import_jaeger(const struct tk_cmd *cmd, const struct tk_import_opts *opts);

/* Spans into a run ---------------------------------------------------------------------------- */

struct tk_span_import;

/* Begin: make the run's folder, which must not hold a run. */
TK_MUST_USE int tk_span_import_new(const struct tk_cmd *cmd, const struct tk_import_opts *opts,
                                   struct tk_span_import **ret_import, struct tk_err *err);

/* Import one text in the format of `reader`; `name` is for messages. Bad records are counted.
 * -EBADMSG when reading ended before the text did: the spans before that are kept. */
TK_MUST_USE int tk_span_import_text(struct tk_span_import *import, const char *name,
                                    const struct tk_span_reader *reader, tk_str text,
                                    struct tk_err *err);

/* Import rows of a batch as they are. */
TK_MUST_USE int tk_span_import_rows(struct tk_span_import *import, const struct tk_span_rows *rows,
                                    struct tk_err *err);

/* Write the last segment and run.json, and print the receipt. */
TK_MUST_USE int tk_span_import_close(struct tk_span_import *import, struct tk_err *err);

/* A run that was not closed, or could not be, is removed, with the folders that were made for it.
 * Accepts NULL. */
void tk_span_import_free(struct tk_span_import *import);

/* Texts ---------------------------------------------------------------------------------------- */

/* A file in memory: mapped, and inflated (gzip, zstd, records of zstd) or copied (a pipe) into a
 * temporary file without a name where it has to be. Readers take a text as a whole; inflating while
 * they read would keep the window of the packer, some MiB, beside all that is made of the text.
 * Writing the file is a ninth of the time of compressing CSV. */
struct tk_import_text {
    tk_str text;
    void *map; /* owned */
    size_t map_bytes;
};

/* Open `path`, "-" is standard input. At most `max_bytes` when inflated: -EMSGSIZE. */
TK_MUST_USE int tk_import_text_open(const char *path, uint64_t max_bytes,
                                    struct tk_import_text *ret_text, struct tk_err *err);

/* Give back the memory of the first bytes: they are read anew from the file where they are asked
 * for again. */
void tk_import_text_drop(const struct tk_import_text *text, size_t bytes);

/* The reader of a text: of the format that is named, else by its first bytes; of one that nothing
 * tells, CSV or flat JSON where there are maps of names. -EBADMSG. */
TK_MUST_USE int tk_import_text_reader(const struct tk_import_text *text, const char *format,
                                      bool has_maps, const struct tk_span_reader **ret_reader,
                                      struct tk_err *err);

/* Accepts a zeroed struct. For TK_CLEANUP. */
void tk_import_text_release(struct tk_import_text *text);

#endif
