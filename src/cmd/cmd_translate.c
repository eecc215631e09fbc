/* SPDX-License-Identifier: Apache-2.0 */
/* tracekit translate: each file of a folder in another format, a trace once over all files. What
 * Gen-T's translate_jaeger_to_gent does, between all formats that are read and written
 * (trace-compression.md sections 15.3 and 15.5). */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/human.h"
#include "base/map.h"
#include "cmd/gent_rows.h"
#include "cmd/span_input.h"
#include "codec/assemble.h"
#include "run/out.h"
#include "span/span_format.h"
#include "span/trace_id.h"
#include "span/write_gent.h"
#include "span/writing.h"

#define TEXT_MAX    ((size_t)4 << 30)
#define FLUSH_BYTES ((size_t)1 << 20)
#define HEAD_BYTES  ((size_t)1 << 16)
#define ROWS        "gent-csv"

struct opts {
    const char *from_dir;
    const char *to_dir;
    const char *from;
    const char *to;
    bool compat;
    bool reversed;
    const char *service_type;
    int64_t chain_length;
};

static const struct tk_opt options[] = {
    {"from-dir", TK_OPT_STRING, offsetof(struct opts, from_dir), "DIR",
     "the folder with files of traces; a single file will do"},
    {"to-dir", TK_OPT_STRING, offsetof(struct opts, to_dir), "DIR",
     "where the others go (the same path with 'gent' for 'raw_jaeger')"},
    {"from", TK_OPT_STRING, offsetof(struct opts, from), "FORMAT",
     "of the files, as of tracekit import --format (by their first bytes)"},
    {"to", TK_OPT_STRING, offsetof(struct opts, to), "FORMAT",
     "gent, gent-csv (rows for training), jaeger, zipkin, otlp, otlp-proto, csv, jsonl, chrome or "
     "perfetto (gent)"},
    {"compat", TK_OPT_FLAG, offsetof(struct opts, compat), NULL,
     "as Gen-T does: no traces without edges, names by http.url, gaps and durations cut at 5000"},
    {"compat-reversed", TK_OPT_FLAG, offsetof(struct opts, reversed), NULL,
     "edges from child to parent, as Gen-T makes them of Jaeger's"},
    {"service-type", TK_OPT_STRING, offsetof(struct opts, service_type), "TYPE",
     "gent: of nodes that tell none (jaeger for files of Jaeger, else otel)"},
    {"chain-length", TK_OPT_INT, offsetof(struct opts, chain_length), "N",
     "gent-csv: nodes of a row (2)", .min = 2, .max = 64},
    {0},
};

struct translation {
    const struct tk_cmd *cmd;
    const struct opts *opts;
    const struct tk_span_encoder *encoder; /* NULL = rows for training */
    struct tk_gent_rows *rows;
    void *state;        /* of the encoder */
    struct tk_map seen; /* hash of a trace id -> file that it came in, from 1 */
    uint32_t file;      /* at hand */
    uint32_t *kept;     /* owned; rows of the block at hand */
    size_t room;
    struct tk_out out;
    struct tk_buf text;
    uint64_t traces, spans, repeated;
};

/* A file --------------------------------------------------------------------------------------- */

static int flush(struct translation *translation, size_t least, struct tk_err *err)
{
    int rc = tk_buf_check(&translation->text, "traces", err);
    if (rc < 0 || translation->text.n < least)
        return rc;
    tk_out_put(&translation->out, tk_buf_str(&translation->text));
    tk_buf_reset(&translation->text);
    return 0;
}

/* The rows of traces that no earlier file had. */
static int keep_new(struct translation *translation, const struct tk_span_rows *rows,
                    struct tk_span_rows *ret_kept)
{
    *ret_kept = (struct tk_span_rows){.batch = rows->batch, .rows = translation->kept};
    for (size_t i = 0, n = 0; i < rows->n; i += n) {
        uint32_t file = translation->file;
        uint64_t key = tk_trace_id_hash(rows->batch->trace_ids[tk_span_rows_at(rows, i)]);
        n = tk_span_rows_trace(&(struct tk_span_rows){rows->batch, rows->rows + i, rows->n - i}, 0);
        if (tk_map_find(&translation->seen, key, &file) && file != translation->file) {
            translation->repeated++;
            continue;
        }
        if (tk_map_add(&translation->seen, key, translation->file) < 0)
            return -ENOMEM;
        memcpy(translation->kept + ret_kept->n, rows->rows + i, n * sizeof(*rows->rows));
        ret_kept->n += n;
        translation->traces++;
        translation->spans += n;
    }
    return 0;
}

static int put_block(struct translation *translation, const struct tk_span_rows *rows,
                     struct tk_err *err)
{
    struct tk_span_rows kept;
    if (rows->n > translation->room) {
        uint32_t *more = realloc(translation->kept, rows->n * sizeof(*more));
        if (!more)
            return tk_fail(err, -ENOMEM, "out of memory");
        translation->kept = more;
        translation->room = rows->n;
    }
    if (keep_new(translation, rows, &kept) < 0)
        return tk_fail(err, -ENOMEM, "out of memory");
    if (kept.n == 0)
        return 0;
    int rc = translation->encoder
                 ? translation->encoder->spans(translation->state, &kept, &translation->text, err)
                 : tk_gent_rows_put(translation->rows, &kept, &translation->text, err);
    return rc < 0 ? rc : flush(translation, FLUSH_BYTES, err);
}

static int put_traces(struct translation *translation, const struct tk_span_source *source,
                      struct tk_err *err)
{
    TK_CLEANUP(tk_assembly_freep) struct tk_assembly *assembly = NULL;
    int rc = tk_assembly_new(&(struct tk_assembly_options){0}, &assembly, err);
    while (rc == 0 && (rc = tk_assembly_fill(assembly, source, err)) == 0) {
        for (size_t i = 0; rc == 0 && i < tk_assembly_count(assembly); i++) {
            struct tk_assembly_block block;
            tk_assembly_block(assembly, i, &block);
            rc = put_block(translation, &block.rows, err);
        }
        rc = rc < 0 ? rc : tk_assembly_drop(assembly, err);
    }
    return rc < 0 ? rc : 0;
}

/* Head, traces, tail. */
static int put_file(struct translation *translation, const struct tk_span_source *source,
                    struct tk_err *err)
{
    const struct tk_span_encoder *encoder = translation->encoder;
    if (!encoder) {
        tk_gent_rows_head(translation->rows, &translation->text);
    } else if (encoder->head) {
        encoder->head(translation->state, &translation->text);
    }
    int rc = put_traces(translation, source, err);
    if (rc == 0 && encoder && encoder->tail)
        encoder->tail(translation->state, &translation->text);
    return rc < 0 ? rc : flush(translation, 1, err);
}

/* Whether a file is of Jaeger, by what the user says or its first bytes. */
static bool is_jaeger(const struct opts *opts, const char *path)
{
    char head[HEAD_BYTES];
    if (opts->from)
        return strcmp(opts->from, tk_span_reader_jaeger.name) == 0;
    TK_CLEANUP(tk_fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, head, sizeof(head));
    return n > 0 && tk_span_reader_detect((tk_str){head, (size_t)n}) == &tk_span_reader_jaeger;
}

static void begin_state(struct translation *translation, const char *path)
{
    const struct opts *opts = translation->opts;
    struct tk_gent_options *gent = translation->state;
    memset(translation->state, 0, translation->encoder->state_size);
    if (translation->encoder != &tk_span_encoder_gent)
        return;
    *gent = (struct tk_gent_options){.compat = opts->compat, .reversed = opts->reversed};
    gent->service_type = opts->service_type;
    if (!gent->service_type && is_jaeger(opts, path))
        gent->service_type = "jaeger";
}

static int translate_file(struct translation *translation, const char *path, int out_dirfd,
                          const char *name, struct tk_err *err)
{
    TK_CLEANUP(tk_span_inputs_freep) struct tk_span_inputs *inputs = NULL;
    const struct tk_span_input_options input_options = {.format = translation->opts->from,
                                                        .format_option = "--from"};
    const char *const names[] = {path};
    translation->file++;
    translation->out = (struct tk_out)TK_OUT_NONE;
    int rc = tk_span_inputs_new(translation->cmd, names, 1, &input_options, &inputs, err);
    rc = rc < 0 ? rc : tk_out_open(&translation->out, out_dirfd, name, NULL, err);
    if (rc == 0) {
        const struct tk_span_source source = tk_span_inputs_source(inputs);
        if (translation->encoder)
            begin_state(translation, path);
        rc = put_file(translation, &source, err);
        if (translation->encoder && translation->encoder->release)
            translation->encoder->release(translation->state);
    }
    rc = rc < 0 ? rc : tk_out_close(&translation->out, err);
    tk_out_release(&translation->out);
    tk_buf_reset(&translation->text);
    if (rc == 0)
        tk_span_inputs_warn(inputs);
    return rc;
}

/* A folder ------------------------------------------------------------------------------------- */

static const char *ending(const struct translation *translation)
{
    return translation->encoder ? translation->encoder->ending : ".csv";
}

/* NAME.json.zst -> NAME and the ending of the format; a file of Gen-T's keeps the name of its
 * Jaeger's. */
static void name_output(const struct translation *translation, const char *name,
                        char output[NAME_MAX + 1])
{
    static const char *const endings[] = {".gz", ".zst", ".json", ".jsonl", ".csv", ".pb", ".gent"};
    size_t n = strlen(name);
    for (size_t i = 0; i < TK_COUNTOF(endings); i++) {
        size_t part = strlen(endings[i]);
        if (n > part && memcmp(name + n - part, endings[i], part) == 0)
            n -= part;
    }
    const char *end = translation->encoder == &tk_span_encoder_gent ? ".json" : ending(translation);
    (void)snprintf(output, NAME_MAX + 1, "%.*s%s", (int)n, name, end);
}

static int is_listed(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int translate_folder(struct translation *translation, const char *from, int out_dirfd,
                            struct tk_err *err)
{
    struct dirent **names;
    int n = scandir(from, &names, is_listed, alphasort);
    int rc = n < 0 ? tk_fail_errno(err, "%s", from) : 0;
    for (int i = 0; i < n; i++) {
        char path[PATH_MAX];
        char output[NAME_MAX + 1];
        struct stat status;
        int length = snprintf(path, sizeof(path), "%s/%s", from, names[i]->d_name);
        bool is_file =
            length < (int)sizeof(path) && stat(path, &status) == 0 && S_ISREG(status.st_mode);
        name_output(translation, names[i]->d_name, output);
        if (rc == 0 && is_file)
            rc = translate_file(translation, path, out_dirfd, output, err);
        free(names[i]);
    }
    if (n >= 0)
        free(names);
    if (rc == 0 && translation->file == 0)
        rc = tk_fail(err, -ENOENT, "%s: holds no files", from);
    return rc;
}

/* The folder for what is made: given, or with "gent" for "raw_jaeger". */
static int find_target(const struct opts *opts, const char *folder, char target[PATH_MAX],
                       struct tk_err *err)
{
    static const char word[] = "raw_jaeger";
    const char *at = opts->to_dir ? NULL : strstr(folder, word);
    int n = 0;
    if (!opts->to_dir && !at)
        return tk_fail(err, -EINVAL, "option '--to-dir' is missing: where do the files go?");
    if (opts->to_dir) {
        n = snprintf(target, PATH_MAX, "%s", opts->to_dir);
    } else {
        n = snprintf(target, PATH_MAX, "%.*sgent%s", (int)(at - folder), folder,
                     at + sizeof(word) - 1);
    }
    return n < PATH_MAX ? 0 : tk_fail(err, -ENAMETOOLONG, "%s: too long", folder);
}

/* The files of the folder, or the file `name`, into a folder. */
static int translate_into(struct translation *translation, const char *target, const char *name,
                          struct tk_err *err)
{
    TK_CLEANUP(tk_fd_close) int out_dirfd = -1;
    const char *from = translation->opts->from_dir;
    char output[NAME_MAX + 1];
    int rc = tk_dir_make(AT_FDCWD, target, err);
    rc = rc < 0 ? rc : tk_dir_open(AT_FDCWD, target, &out_dirfd, err);
    if (rc < 0)
        return rc;
    if (!name)
        return translate_folder(translation, from, out_dirfd, err);
    name_output(translation, name, output);
    return translate_file(translation, from, out_dirfd, output, err);
}

static int translate(struct translation *translation, struct tk_err *err)
{
    const struct opts *opts = translation->opts;
    char target[PATH_MAX];
    char folder[PATH_MAX];
    struct stat status;
    if (stat(opts->from_dir, &status) < 0)
        return tk_fail_errno(err, "%s", opts->from_dir);
    bool is_folder = S_ISDIR(status.st_mode);
    const char *slash = strrchr(opts->from_dir, '/');
    const char *name = slash ? slash + 1 : opts->from_dir;
    int parent = slash ? (int)(slash - opts->from_dir) : 0;
    if (is_folder) {
        (void)snprintf(folder, sizeof(folder), "%s", opts->from_dir);
    } else {
        (void)snprintf(folder, sizeof(folder), "%.*s", parent, opts->from_dir);
    }
    int rc = find_target(opts, folder, target, err);
    if (rc < 0)
        return rc;
    size_t missing = tk_dir_missing(target);
    rc = translate_into(translation, target, is_folder ? NULL : name, err);
    if (rc < 0)
        tk_dir_unmake(target, missing);
    return rc;
}

/* The command ---------------------------------------------------------------------------------- */

static int open_format(struct translation *translation, struct tk_err *err)
{
    const struct opts *opts = translation->opts;
    if (strcmp(opts->to, ROWS) == 0) {
        const struct tk_gent_rows_options rows = {.chain_length = (uint32_t)opts->chain_length,
                                                  .compat = opts->compat,
                                                  .reversed = opts->reversed};
        return tk_gent_rows_new(&rows, &translation->rows, err);
    }
    translation->encoder = tk_span_encoder_find(opts->to);
    translation->state = calloc(1, translation->encoder->state_size + 1);
    return translation->state ? 0 : tk_fail(err, -ENOMEM, "out of memory");
}

static void show(const struct translation *translation)
{
    char traces[TK_HUMAN_MAX];
    char spans[TK_HUMAN_MAX];
    char repeated[TK_HUMAN_MAX];
    printf("%u file%s, %s trace%s, %s span%s", translation->file,
           tk_count_ending(translation->file),
           tk_count_format((int64_t)translation->traces, traces),
           tk_count_ending((int64_t)translation->traces),
           tk_count_format((int64_t)translation->spans, spans),
           tk_count_ending((int64_t)translation->spans));
    if (translation->repeated > 0) {
        printf("; %s more left out, which earlier files hold",
               tk_count_format((int64_t)translation->repeated, repeated));
    }
    printf("\n");
}

static int run(const struct tk_cmd *cmd, int argc, char **argv)
{
    struct opts opts = {.to = "gent", .chain_length = 2};
    struct translation translation = {.cmd = cmd, .opts = &opts, .out = TK_OUT_NONE};
    struct tk_err err;
    int first = tk_cmd_begin(cmd, &opts, argc, argv);
    if (first <= 0)
        return -first;
    if (!opts.from_dir)
        return tk_cmd_usage(cmd, "option '--from-dir' is missing: what is to be translated?");
    if (opts.from && !tk_span_reader_find(opts.from))
        return tk_cmd_usage(cmd, "option '--from': '%s' is no format of spans", opts.from);
    if (strcmp(opts.to, ROWS) != 0 && !tk_span_encoder_find(opts.to))
        return tk_cmd_usage(cmd, "option '--to': '%s' is no format that is written", opts.to);
    tk_buf_init(&translation.text, TEXT_MAX);
    int rc = open_format(&translation, &err);
    rc = rc < 0 ? rc : translate(&translation, &err);
    int status = rc == -EINVAL ? tk_cmd_usage(cmd, "%s", err.msg)
                 : rc < 0      ? tk_cmd_fail(cmd, &err)
                               : TK_EXIT_OK;
    if (rc == 0)
        show(&translation);
    tk_gent_rows_free(translation.rows);
    tk_map_release(&translation.seen);
    tk_buf_release(&translation.text);
    free(translation.state);
    free(translation.kept);
    return status;
}

const struct tk_cmd tk_cmd_translate = {
    .name = "translate",
    .args = "",
    .help = "turn files of traces into another format, as Gen-T does",
    .about = "  tracekit translate --from-dir raw_jaeger\n"
             "  tracekit translate --from-dir raw_jaeger --to-dir rows --to gent-csv --compat\n"
             "  tracekit translate --from-dir traces --to-dir zipkin --to zipkin",
    .options = options,
    .run = run,
};
