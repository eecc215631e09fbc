/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/nearest.h"
#include "cmd/cmd.h"
#include "cmd/parquet_view.h"
#include "table/parquet_rows.h"

#define OUT_MAX   ((size_t)1 << 30)
#define OUT_FLUSH ((size_t)64 << 10)
#define HEAD_ROWS 10

enum format { FORMAT_JSONL, FORMAT_CSV };

static const char *const formats[] = {"jsonl", "csv", NULL};

struct parquet_opts {
    int64_t rows;
    int format;
    const char *columns;
    bool raw;
    bool json;
};

static const struct tk_opt options[] = {
    {"rows", TK_OPT_INT, offsetof(struct parquet_opts, rows), "N",
     "stop after so many rows of each file (default of head 10, of cat all)", .letter = 'n'},
    {"format", TK_OPT_CHOICE, offsetof(struct parquet_opts, format), "FORMAT",
     "head, cat: jsonl (default) or csv", .letter = 'f', .choices = formats},
    {"columns", TK_OPT_STRING, offsetof(struct parquet_opts, columns), "NAME,...",
     "head, cat: only these, with all below them", .letter = 'c'},
    {"raw", TK_OPT_FLAG, offsetof(struct parquet_opts, raw), NULL,
     "head, cat: times and decimals as the integers that they are stored as", .letter = 'r'},
    {"json", TK_OPT_FLAG, offsetof(struct parquet_opts, json), NULL,
     "schema, meta: one JSON object per file", .letter = 'j'},
    {0},
};

/* A file that is open. */
struct input {
    const char *path;
    int fd;
    uint64_t bytes;
    struct tk_parquet_file *file;
};

static void input_close(struct input *input)
{
    tk_parquet_file_free(input->file);
    tk_fd_close(&input->fd);
}

static int input_open(struct input *input, const char *path, struct tk_err *err)
{
    struct stat status;
    *input = (struct input){path, open(path, O_RDONLY | O_CLOEXEC), 0, NULL};
    if (input->fd < 0 || fstat(input->fd, &status) < 0)
        return tk_fail_errno(err, "%s", path);
    if (S_ISDIR(status.st_mode))
        return tk_fail(err, -EISDIR, "%s: is a folder, expected a Parquet file", path);
    if (!S_ISREG(status.st_mode)) {
        return tk_fail(err, -EINVAL, "%s: no regular file (of a pipe the end cannot be read first)",
                       path);
    }
    input->bytes = (uint64_t)status.st_size;
    const struct tk_parquet_source source = tk_parquet_source_of(&input->fd, input->bytes);
    int rc = tk_parquet_file_new(&source, &input->file, err);
    return rc < 0 ? tk_err_prefix(err, "%s", path) : 0;
}

/* Rows ------------------------------------------------------------------------------------ */

/* Whether `name` is the column of that path or a group that it lies in. */
static bool covers(tk_str name, tk_str path)
{
    return tk_str_starts_with(path, name) && (path.n == name.n || path.p[name.n] == '.');
}

static int refuse_column(const struct tk_parquet_file *file, tk_str name, struct tk_err *err)
{
    size_t n;
    char wanted[128];
    const char *near = NULL;
    const struct tk_parquet_node *nodes = tk_parquet_file_nodes(file, &n);
    const char **names = calloc(n + 1, sizeof(*names));
    for (size_t i = 0; names && i < n; i++)
        names[i] = nodes[i].name;
    if (names && tk_str_to_cstr(name, wanted, sizeof(wanted)))
        near = tk_nearest_find(wanted, names, n);
    int rc = tk_fail(err, -EINVAL, "there is no column '%.*s'%s%s%s", TK_STR_ARG(name),
                     near ? ": did you mean '" : "", near ? near : "", near ? "'?" : "");
    free((void *)names);
    return rc;
}

/* Mark what the list names. */
static int choose_columns(const struct tk_parquet_file *file, tk_str list, bool *wanted,
                          struct tk_err *err)
{
    size_t n;
    tk_str name;
    TK_CLEANUP(tk_buf_release) struct tk_buf path;
    tk_buf_init(&path, 1 << 20);
    (void)tk_parquet_file_leaves(file, &n);
    while (tk_str_take_until(&list, ',', &name)) {
        bool found = false;
        name = tk_str_trim(name);
        for (size_t i = 0; i < n; i++) {
            tk_buf_reset(&path);
            tk_parquet_file_put_path(file, i, &path);
            bool here = covers(name, tk_buf_str(&path));
            wanted[i] = wanted[i] || here;
            found = found || here;
        }
        if (!found)
            return refuse_column(file, name, err);
    }
    return 0;
}

static int flush(struct tk_buf *out, size_t least, struct tk_err *err)
{
    if (out->n < least)
        return 0;
    int rc = tk_fd_write(STDOUT_FILENO, tk_buf_str(out), "stdout", err);
    tk_buf_reset(out);
    return rc;
}

static int print_rows(struct input *input, const struct parquet_opts *opts, bool *wanted,
                      bool heading, struct tk_err *err)
{
    TK_CLEANUP(tk_parquet_rows_freep) struct tk_parquet_rows *rows = NULL;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, OUT_MAX);
    int rc = 0;
    if (opts->columns)
        rc = choose_columns(input->file, tk_str_from(opts->columns), wanted, err);
    struct tk_parquet_rows_opts row_opts = {
        .wanted = opts->columns ? wanted : NULL,
        .csv = opts->format == FORMAT_CSV,
        .raw = opts->raw,
        .max_rows = (uint64_t)opts->rows,
    };
    if (rc == 0)
        rc = tk_parquet_rows_new(input->file, &row_opts, &rows, err);
    if (rc < 0)
        return tk_err_prefix(err, "%s", input->path);
    if (opts->format == FORMAT_CSV && heading)
        tk_parquet_rows_put_header(rows, &out);
    while ((rc = tk_parquet_rows_next(rows, &out, err)) == 0) {
        rc = flush(&out, OUT_FLUSH, err);
        if (rc < 0)
            return rc;
    }
    struct tk_err lost;
    int flushed = flush(&out, 1, rc < 0 ? &lost : err);
    return rc < 0 ? tk_err_prefix(err, "%s", input->path) : flushed;
}

static int show_rows(struct input *input, const struct parquet_opts *opts, bool first,
                     struct tk_err *err)
{
    size_t n;
    (void)tk_parquet_file_leaves(input->file, &n);
    bool *wanted = calloc(n + 1, sizeof(*wanted));
    if (!wanted)
        return tk_fail(err, -ENOMEM, "%s: out of memory", input->path);
    int rc = print_rows(input, opts, wanted, first, err);
    free(wanted);
    return rc;
}

static int show_head(struct input *input, const struct parquet_opts *opts, bool first,
                     struct tk_err *err)
{
    struct parquet_opts some = *opts;
    some.rows = opts->rows > 0 ? opts->rows : HEAD_ROWS;
    return show_rows(input, &some, first, err);
}

/* The footer ------------------------------------------------------------------------------- */

static int put_schema(struct input *input, bool json, const struct tk_look *look,
                      struct tk_buf *out, struct tk_err *err)
{
    (void)err;
    if (json) {
        tk_parquet_view_schema_json(input->file, input->path, out);
    } else {
        tk_parquet_view_schema(input->file, look, out);
    }
    return 0;
}

static int put_meta(struct input *input, bool json, const struct tk_look *look, struct tk_buf *out,
                    struct tk_err *err)
{
    if (!json)
        return tk_parquet_view_meta(input->file, input->path, input->bytes, look, out, err);
    tk_parquet_view_meta_json(input->file, input->path, input->bytes, out);
    return 0;
}

typedef int put_footer(struct input *input, bool json, const struct tk_look *look,
                       struct tk_buf *out, struct tk_err *err);

static int show_footer(struct input *input, const struct parquet_opts *opts, put_footer *put,
                       struct tk_err *err)
{
    TK_CLEANUP(tk_look_release) struct tk_look look;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_look_init(&look, STDOUT_FILENO);
    tk_buf_init(&out, OUT_MAX);
    int rc = put(input, opts->json, &look, &out, err);
    rc = rc < 0 ? rc : tk_buf_check(&out, input->path, err);
    return rc < 0 ? rc : flush(&out, 1, err);
}

static int show_schema(struct input *input, const struct parquet_opts *opts, bool first,
                       struct tk_err *err)
{
    (void)first;
    return show_footer(input, opts, put_schema, err);
}

static int show_meta(struct input *input, const struct parquet_opts *opts, bool first,
                     struct tk_err *err)
{
    (void)first;
    return show_footer(input, opts, put_meta, err);
}

/* The command ------------------------------------------------------------------------------ */

static const char *const verbs[] = {"head", "cat", "schema", "meta", NULL};

/* What each of the verbs shows of one file; `first` of those that were named. */
static int (*const shows[])(struct input *, const struct parquet_opts *, bool,
                            struct tk_err *) = {show_head, show_rows, show_schema, show_meta};

static int show_file(const char *path, size_t verb, const struct parquet_opts *opts, bool first,
                     struct tk_err *err)
{
    TK_CLEANUP(input_close) struct input input;
    int rc = input_open(&input, path, err);
    return rc < 0 ? rc : shows[verb](&input, opts, first, err);
}

static int run(const struct tk_cmd *cmd, int argc, char **argv)
{
    struct parquet_opts opts = {0};
    struct tk_err err;
    int first = tk_cmd_begin(cmd, &opts, argc, argv);
    if (first <= 0)
        return -first;
    size_t verb = 0;
    while (verbs[verb] && strcmp(verbs[verb], argv[first]) != 0)
        verb++;
    if (!verbs[verb])
        return tk_cmd_refuse(cmd, argv[first]);
    if (first + 1 == argc)
        return tk_cmd_usage(cmd, "expected a file");
    int status = TK_EXIT_OK;
    for (int i = first + 1; i < argc; i++) {
        if (show_file(argv[i], verb, &opts, i == first + 1, &err) < 0)
            status = tk_cmd_fail(cmd, &err);
    }
    return status;
}

const struct tk_cmd tk_cmd_parquet = {
    .name = "parquet",
    .args = "head|cat|schema|meta FILE...",
    .missing = "expected what to do: head, cat, schema or meta",
    .help = "look into Parquet files of any origin",
    .about = "head and cat print rows, schema the columns, meta row groups with encodings,\n"
             "sizes and statistics.\n"
             "\n"
             "  tracekit parquet head tasks.parquet\n"
             "  tracekit parquet cat --format csv --columns id,duration fragments.parquet\n"
             "  tracekit parquet meta --json fragments.parquet | jq .row_groups[0]",
    .options = options,
    .verbs = verbs,
    .mixed = true,
    .run = run,
};
