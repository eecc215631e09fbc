/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/human.h"
#include "base/nearest.h"
#include "cmd/import.h"
#include "cmd/tkz_file.h"
#include "fidelity/database.h"
#include "span/span_format.h"

#define TEXT_FLUSH ((size_t)1 << 20)
#define TEXT_MAX   ((size_t)4 << 30)

struct expand_opts {
    const char *output, *format;
    int64_t seed, threads;
    bool centre, partial, json;
};

#define FIELD(name) offsetof(struct expand_opts, name)

static const struct tk_opt options[] = {
    {"output", TK_OPT_STRING, FIELD(output), "OUT",
     "the file to write, - is standard output; of parquet the run folder", .letter = 'o'},
    {"format", TK_OPT_STRING, FIELD(format), "NAME",
     "otlp (default), otlp-proto, jaeger, zipkin, gent, jsonl, csv, chrome, perfetto, sqlite: a "
     "database, or parquet: a run",
     .letter = 'f'},
    {"centre", TK_OPT_FLAG, FIELD(centre), NULL,
     "the middle of what times may be, instead of a draw: half the error, worse distributions"},
    {"seed", TK_OPT_INT, FIELD(seed), "N", "of draws (that of the file)", .min = 1,
     .max = INT64_MAX},
    {"partial", TK_OPT_FLAG, FIELD(partial), NULL, "write what is left of a damaged file"},
    {"threads", TK_OPT_INT, FIELD(threads), "N", "the spans are the same for any (all CPUs)",
     .letter = 't', .min = 1, .max = TK_TKZ_MAX_THREADS},
    {"json", TK_OPT_FLAG, FIELD(json), NULL, "of parquet: one JSON object instead of the receipt",
     .letter = 'j'},
    {0},
};

/* A file of another format --------------------------------------------------------------------- */

struct writing {
    const struct tk_span_encoder *encoder;
    void *state;
    struct tk_buf text;
    const struct tk_codec_output *output;
    uint32_t *rows; /* 0, 1, 2, ...: encoders want the rows named; owned */
    size_t room;
    uint64_t spans;
};

static int flush(struct writing *writing, size_t least, struct tk_err *err)
{
    int rc = tk_buf_check(&writing->text, "spans", err);
    if (rc < 0 || writing->text.n < least)
        return rc;
    rc = writing->output->write(writing->output->context, tk_buf_str(&writing->text), err);
    tk_buf_reset(&writing->text);
    return rc;
}

static int write_rows(void *context, const struct tk_span_rows *rows, struct tk_err *err)
{
    struct writing *writing = context;
    struct tk_span_rows named = *rows;
    if (rows->n > writing->room) {
        uint32_t *grown = realloc(writing->rows, rows->n * sizeof(*grown));
        if (!grown)
            return tk_fail(err, -ENOMEM, "out of memory");
        writing->rows = grown;
        for (size_t i = writing->room; i < rows->n; i++)
            grown[i] = (uint32_t)i;
        writing->room = rows->n;
    }
    if (!named.rows)
        named.rows = writing->rows;
    writing->spans += rows->n;
    int rc = writing->encoder->spans(writing->state, &named, &writing->text, err);
    return rc < 0 ? rc : flush(writing, TEXT_FLUSH, err);
}

static int write_all(struct writing *writing, const struct tk_codec_decoding *decoding, tk_str file,
                     struct tk_codec_losses *losses, struct tk_err *err)
{
    const struct tk_span_encoder *encoder = writing->encoder;
    const struct tk_span_sink sink = {write_rows, writing};
    if (encoder->head)
        encoder->head(writing->state, &writing->text);
    int rc = tk_codec_decode(decoding, file, &sink, losses, err);
    if (rc == 0 && encoder->tail)
        encoder->tail(writing->state, &writing->text);
    if (encoder->release)
        encoder->release(writing->state);
    return rc < 0 ? rc : flush(writing, 1, err);
}

/* What the losses mean for the command. */
static int judge(const struct tk_cmd *cmd, const struct expand_opts *opts, const char *path,
                 const struct tk_codec_losses *losses, struct tk_err *err)
{
    tk_tkz_warn_losses(cmd, path, losses);
    if (!tk_codec_losses_any(losses) || opts->partial)
        return 0;
    return tk_fail(err, -EBADMSG, "%s: is damaged; --partial writes what is left", path);
}

static void tell(const struct expand_opts *opts, uint64_t count)
{
    char spans[TK_HUMAN_MAX];
    (void)fprintf(strcmp(opts->output, "-") == 0 ? stderr : stdout, "→ %s: %s span%s\n",
                  opts->output, tk_count_format((int64_t)count, spans),
                  tk_count_ending((int64_t)count));
}

static int expand_file(const struct tk_cmd *cmd, const struct expand_opts *opts,
                       const struct tk_codec_decoding *decoding, const char *path, tk_str file,
                       struct tk_err *err)
{
    TK_CLEANUP(tk_tkz_output_release) struct tk_tkz_output output = TK_TKZ_OUTPUT_NONE;
    struct tk_codec_losses losses;
    struct writing writing = {.encoder = tk_span_encoder_find(opts->format),
                              .output = &output.output};
    int rc = tk_tkz_output_open(&output, opts->output, err);
    if (rc < 0)
        return rc;
    tk_buf_init(&writing.text, TEXT_MAX);
    writing.state = calloc(1, writing.encoder->state_size + 1);
    rc = writing.state ? write_all(&writing, decoding, file, &losses, err)
                       : tk_fail(err, -ENOMEM, "out of memory");
    tk_buf_release(&writing.text);
    free(writing.state);
    free(writing.rows);
    rc = rc < 0 ? rc : judge(cmd, opts, path, &losses, err);
    rc = rc < 0 ? rc : tk_tkz_output_close(&output, err);
    if (rc == 0)
        tell(opts, writing.spans);
    return rc;
}

/* A database ----------------------------------------------------------------------------------- */

struct filling {
    const char *path; /* of the database, as the user names it */
    struct tk_span_database *database;
    uint64_t spans;
};

static int fill_rows(void *context, const struct tk_span_rows *rows, struct tk_err *err)
{
    struct filling *filling = context;
    filling->spans += rows->n;
    int rc = tk_span_database_add(filling->database, rows, err);
    return rc < 0 ? tk_err_prefix(err, "%s", filling->path) : 0;
}

/* SQLite writes into the file that waits beside its name. */
static int open_database(struct filling *filling, const struct tk_tkz_output *output,
                         struct tk_err *err)
{
    char path[32];
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", output->out.fd);
    int rc = tk_span_database_new(path, &filling->database, err);
    return rc < 0 ? tk_err_prefix(err, "%s", filling->path) : 0;
}

static int close_database(struct filling *filling, struct tk_err *err)
{
    int rc = tk_span_database_close(filling->database, err);
    return rc < 0 ? tk_err_prefix(err, "%s", filling->path) : 0;
}

static int expand_database(const struct tk_cmd *cmd, const struct expand_opts *opts,
                           const struct tk_codec_decoding *decoding, const char *path, tk_str file,
                           struct tk_err *err)
{
    TK_CLEANUP(tk_tkz_output_release) struct tk_tkz_output output = TK_TKZ_OUTPUT_NONE;
    struct filling filling = {.path = opts->output};
    struct tk_codec_losses losses;
    if (strcmp(opts->output, "-") == 0)
        return tk_fail(err, -EINVAL, "a database needs a file: --output FILE");
    int rc = tk_tkz_output_open(&output, opts->output, err);
    rc = rc < 0 ? rc : open_database(&filling, &output, err);
    if (rc < 0)
        return rc;
    rc = tk_codec_decode(decoding, file, &(struct tk_span_sink){fill_rows, &filling}, &losses, err);
    rc = rc < 0 ? rc : judge(cmd, opts, path, &losses, err);
    rc = rc < 0 ? rc : close_database(&filling, err);
    tk_span_database_free(filling.database);
    rc = rc < 0 ? rc : tk_tkz_output_close(&output, err);
    if (rc == 0)
        tell(opts, filling.spans);
    return rc;
}

/* A run ---------------------------------------------------------------------------------------- */

static int import_rows(void *context, const struct tk_span_rows *rows, struct tk_err *err)
{
    return tk_span_import_rows(context, rows, err);
}

static int expand_run(const struct tk_cmd *cmd, const struct expand_opts *opts,
                      const struct tk_codec_decoding *decoding, const char *path, tk_str file,
                      struct tk_err *err)
{
    const struct tk_import_opts importing = {
        .output = opts->output, .json = opts->json, .keep_duplicates = true};
    struct tk_span_import *import = NULL;
    struct tk_codec_losses losses;
    int rc = tk_span_import_new(cmd, &importing, &import, err);
    if (rc < 0)
        return rc;
    rc = tk_codec_decode(decoding, file, &(struct tk_span_sink){import_rows, import}, &losses, err);
    rc = rc < 0 ? rc : judge(cmd, opts, path, &losses, err);
    rc = rc < 0 ? rc : tk_span_import_close(import, err);
    tk_span_import_free(import);
    return rc;
}

/* The command ---------------------------------------------------------------------------------- */

/* Formats that are not encoders: they are more than bytes one after the other. */
static const struct {
    const char *name;
    int (*expand)(const struct tk_cmd *cmd, const struct expand_opts *opts,
                  const struct tk_codec_decoding *decoding, const char *path, tk_str file,
                  struct tk_err *err);
} others[] = {{"parquet", expand_run}, {"sqlite", expand_database}};

/* The index in `others`; their count when it is none. */
static size_t find_other(const char *format)
{
    size_t i = 0;
    while (i < TK_COUNTOF(others) && strcmp(format, others[i].name) != 0)
        i++;
    return i;
}

static int expand(const struct tk_cmd *cmd, const struct expand_opts *opts, const char *path,
                  struct tk_err *err)
{
    TK_CLEANUP(tk_import_text_release) struct tk_import_text text = {0};
    const struct tk_codec_decoding decoding = {.seed = (uint64_t)opts->seed,
                                               .centre = opts->centre,
                                               .threads = tk_tkz_threads(opts->threads)};
    struct tk_codec_info info;
    int rc = tk_tkz_open(path, &text, err);
    if (rc < 0)
        return rc;
    rc = tk_codec_info_read(text.text, &info, err); /* what is no such file ends here */
    if (rc < 0)
        return tk_err_prefix(err, "%s", path);
    size_t other = find_other(opts->format);
    return other < TK_COUNTOF(others)
               ? others[other].expand(cmd, opts, &decoding, path, text.text, err)
               : expand_file(cmd, opts, &decoding, path, text.text, err);
}

static int unknown_format(const struct tk_cmd *cmd, const char *name)
{
    const char *names[32];
    size_t count = 0;
    for (size_t i = 0; i < TK_COUNTOF(others); i++)
        names[count++] = others[i].name;
    for (size_t i = 0; tk_span_encoders[i] && count < TK_COUNTOF(names); i++)
        names[count++] = tk_span_encoders[i]->name;
    const char *meant = tk_nearest_find(name, names, count);
    return tk_cmd_usage(cmd, "option '--format': '%s' is no format%s%s%s", name,
                        meant ? ": did you mean '" : "", meant ? meant : "", meant ? "'?" : "");
}

static int run(const struct tk_cmd *cmd, int argc, char **argv)
{
    struct expand_opts opts = {.format = "otlp"};
    struct tk_err err;
    int first = tk_cmd_begin(cmd, &opts, argc, argv);
    if (first <= 0)
        return -first;
    if (first + 1 < argc)
        return tk_cmd_usage(cmd, "'%s' is one argument too many", argv[first + 1]);
    if (!opts.output)
        return tk_cmd_usage(cmd, "expected --output OUT");
    if (find_other(opts.format) == TK_COUNTOF(others) && !tk_span_encoder_find(opts.format))
        return unknown_format(cmd, opts.format);
    return expand(cmd, &opts, argv[first], &err) < 0 ? tk_cmd_fail(cmd, &err) : TK_EXIT_OK;
}

const struct tk_cmd tk_cmd_expand = {
    .name = "expand",
    .args = "FILE.tkz",
    .missing = "expected a file of compressed traces",
    .help = "turn compressed traces back into any format of spans",
    .about = "Nothing but the file is needed. What it does not hold is made up: ids and times,\n"
             "these within the error that was allowed; the same file and seed give the same.\n"
             "\n"
             "  tracekit expand shop.tkz -o shop.jsonl\n"
             "  tracekit expand shop.tkz --format jaeger -o - | jq .\n"
             "  tracekit expand shop.tkz --format sqlite -o shop.sqlite\n"
             "  tracekit expand shop.tkz --format parquet -o shop",
    .options = options,
    .mixed = true,
    .run = run,
};
