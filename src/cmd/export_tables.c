/* SPDX-License-Identifier: Apache-2.0 */
/* tracekit export csv|jsonl|parquet|otlp: every table of a run as a file of its own, driven by the
 * schemas; of otlp the tables that it has signals for. Of a run that was parsed the tables of cctf/
 * are taken, of others what the recorder wrote. Rows stream: memory holds a batch, or a row group.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/human.h"
#include "cmd/export.h"
#include "run/run.h"
#include "span/otlp_write.h"
#include "table/parquet_batch.h"

#define TEXT_FLUSH ((size_t)64 << 10)
#define TEXT_MAX   ((size_t)16 << 20) /* of what a batch becomes */

/* One table on its way to its file. The file has another name until it is whole. */
struct output {
    const struct table_format *format;
    int dirfd; /* of export_run */
    char name[64];
    char part[TK_TEMPORARY_MAX];
    int fd;
    bool is_open; /* the first row or file was there */
    uint64_t rows, bytes;
    struct tk_buf text;             /* of lines */
    struct tk_parquet_table *table; /* of parquet */
    struct tk_otlp otlp;
    uint64_t bad_rows, unknown_fields;
    char first_bad[sizeof(((struct tk_decode_stats *)NULL)->first_bad)];
};

/* What makes a file of batches. */
struct table_format {
    const char *ending;
    const struct tk_encoder *encoder; /* of lines; NULL = none */

    /* Whether it takes a table; NULL = all. */
    bool (*takes)(const struct tk_schema *schema);

    int (*begin)(struct output *output, const struct tk_schema *schema, tk_str run_id,
                 const struct tk_parquet_opts *opts, struct tk_err *err);
    int (*write)(struct output *output, const struct tk_batch *batch, struct tk_err *err);
    int (*end)(struct output *output, struct tk_err *err);
};

static int put_bytes(void *user, tk_str bytes, struct tk_err *err)
{
    struct output *output = user;
    output->bytes += bytes.n;
    return tk_fd_write(output->fd, bytes, output->name, err);
}

/* Lines ------------------------------------------------------------------------------------- */

static int flush_lines(struct output *output, size_t least, struct tk_err *err)
{
    int rc = tk_buf_check(&output->text, output->name, err);
    if (rc < 0 || output->text.n < least)
        return rc;
    rc = put_bytes(output, tk_buf_str(&output->text), err);
    tk_buf_reset(&output->text);
    return rc;
}

static int begin_lines(struct output *output, const struct tk_schema *schema, tk_str run_id,
                       const struct tk_parquet_opts *opts, struct tk_err *err)
{
    (void)run_id;
    (void)opts;
    (void)err;
    tk_buf_init(&output->text, TEXT_MAX);
    if (output->format->encoder->head)
        output->format->encoder->head(schema, &output->text);
    return 0;
}

static int write_lines(struct output *output, const struct tk_batch *batch, struct tk_err *err)
{
    output->format->encoder->batch(batch, &output->text);
    return flush_lines(output, TEXT_FLUSH, err);
}

static int end_lines(struct output *output, struct tk_err *err)
{
    return flush_lines(output, 1, err);
}

/* Parquet ----------------------------------------------------------------------------------- */

static int begin_parquet(struct output *output, const struct tk_schema *schema, tk_str run_id,
                         const struct tk_parquet_opts *opts, struct tk_err *err)
{
    struct tk_parquet_sink sink = {put_bytes, output};
    int rc = tk_parquet_table_new(schema, opts, &sink, &output->table, err);
    if (rc == 0) {
        tk_parquet_writer_add_pair(tk_parquet_table_writer(output->table), "tracekit.run_id",
                                   run_id);
    }
    return rc;
}

static int write_parquet(struct output *output, const struct tk_batch *batch, struct tk_err *err)
{
    return tk_parquet_table_write(output->table, batch, err);
}

static int end_parquet(struct output *output, struct tk_err *err)
{
    return tk_parquet_table_close(output->table, err);
}

/* OTLP -------------------------------------------------------------------------------------- */

static bool is_signal(const struct tk_schema *schema)
{
    return schema == &tk_schema_invocations || tk_otlp_has_metrics(schema);
}

static int begin_otlp(struct output *output, const struct tk_schema *schema, tk_str run_id,
                      const struct tk_parquet_opts *opts, struct tk_err *err)
{
    (void)schema;
    (void)opts;
    (void)err;
    tk_buf_init(&output->text, TEXT_MAX);
    output->otlp.run_id = run_id;
    return 0;
}

static int write_otlp(struct output *output, const struct tk_batch *batch, struct tk_err *err)
{
    int rc = batch->schema == &tk_schema_invocations
                 ? tk_otlp_encode_spans(&output->otlp, batch, &output->text, err)
                 : tk_otlp_encode_metrics(&output->otlp, batch, &output->text, err);
    return rc < 0 ? rc : flush_lines(output, TEXT_FLUSH, err);
}

static int end_otlp(struct output *output, struct tk_err *err)
{
    output->rows = output->otlp.spans + output->otlp.points;
    return flush_lines(output, 1, err);
}

/* One format a line. */
/* clang-format off */
static const struct table_format csv = {"csv", &tk_encoder_csv, NULL, begin_lines, write_lines, end_lines};
static const struct table_format jsonl = {"jsonl", &tk_encoder_jsonl, NULL, begin_lines, write_lines, end_lines};
static const struct table_format otlp = {"otlp.jsonl", NULL, is_signal, begin_otlp, write_otlp, end_otlp};
static const struct table_format parquet = {"parquet", NULL, NULL, begin_parquet, write_parquet, end_parquet};
/* clang-format on */

/* A file ------------------------------------------------------------------------------------ */

static void output_release(struct output *output)
{
    tk_parquet_table_free(output->table);
    tk_buf_release(&output->text);
    if (output->fd >= 0)
        (void)unlinkat(output->dirfd, output->part, 0);
    tk_fd_close(&output->fd);
}

static int output_open(struct output *output, const struct tk_schema *schema, const char *run_id,
                       const struct tk_parquet_opts *opts, struct tk_err *err)
{
    (void)snprintf(output->name, sizeof(output->name), "%s.%s", schema->name,
                   output->format->ending);
    int rc = tk_file_make_beside(output->dirfd, output->name, 0666, output->part, &output->fd, err);
    if (rc < 0)
        return rc;
    output->is_open = true;
    return output->format->begin(output, schema, tk_str_from(run_id), opts, err);
}

static int output_write(struct output *output, const struct tk_batch *batch, struct tk_err *err)
{
    output->rows += batch->rows;
    return output->format->write(output, batch, err);
}

/* Finish the file and give it its name. */
static int output_close(struct output *output, struct tk_err *err)
{
    int rc = output->format->end(output, err);
    if (rc < 0)
        return rc;
    if (close(tk_fd_take(&output->fd)) < 0 ||
        renameat(output->dirfd, output->part, output->dirfd, output->name) < 0)
        return tk_fail_errno(err, "%s", output->name);
    return 0;
}

/* What is counted. */
static const char *item_name(const struct output *output)
{
    if (output->format != &otlp)
        return "row";
    return output->otlp.points > 0 ? "data point" : "span";
}

/* What OTLP cannot hold as it is. */
static void show_otlp(const struct output *output, const char *folder)
{
    const struct tk_otlp *counts = &output->otlp;
    if (counts->no_times > 0) {
        printf("%s/%s: left out %llu invocation%s without a start and an end after it\n", folder,
               output->name, (unsigned long long)counts->no_times,
               tk_count_ending((int64_t)counts->no_times));
    }
    if (counts->made_ids > 0) {
        printf("%s/%s: %llu span%s had no id and got one\n", folder, output->name,
               (unsigned long long)counts->made_ids, tk_count_ending((int64_t)counts->made_ids));
    }
}

static void output_show(const struct output *output, const char *folder)
{
    char rows[TK_HUMAN_MAX];
    char bytes[TK_HUMAN_MAX];
    printf("%s/%s: %s %s%s, %s\n", folder, output->name,
           tk_count_format((int64_t)output->rows, rows), item_name(output),
           tk_count_ending((int64_t)output->rows), tk_bytes_format((double)output->bytes, bytes));
    if (output->bad_rows > 0) {
        printf("%s/%s: left out %llu damaged row%s; the first: %s\n", folder, output->name,
               (unsigned long long)output->bad_rows, tk_count_ending((int64_t)output->bad_rows),
               output->first_bad);
    }
    if (output->unknown_fields > 0) {
        printf("%s/%s: left out %llu value%s of fields that the table has not\n", folder,
               output->name, (unsigned long long)output->unknown_fields,
               tk_count_ending((int64_t)output->unknown_fields));
    }
    show_otlp(output, folder);
}

/* A run ------------------------------------------------------------------------------------- */

struct export_run {
    const struct table_format *format;
    const char *folder;
    int in;  /* of the run */
    int out; /* of its files; -1 = not made yet */
    const char *out_name;
    const struct tk_parquet_opts *opts;
    char run_id[TK_RUN_ID_MAX];
    int tables; /* written */
};

/* Rows on their way out; with the first ones the folder and the file are made. */
static int put_rows(struct export_run *run, struct output *output, const struct tk_batch *batch,
                    struct tk_err *err)
{
    int rc = 0;
    if (run->out < 0) {
        rc = tk_dir_make(AT_FDCWD, run->out_name, err);
        rc = rc < 0 ? rc : tk_dir_open(AT_FDCWD, run->out_name, &run->out, err);
        if (rc < 0)
            return rc;
    }
    output->dirfd = run->out;
    if (!output->is_open)
        rc = output_open(output, batch->schema, run->run_id, run->opts, err);
    rc = rc < 0 ? rc : output_write(output, batch, err);
    return rc < 0 ? tk_err_prefix(err, "%s", run->out_name) : 0;
}

/* Copy a table of lines; 1 when there is no such file. */
static int copy_lines(struct export_run *run, const char *name, const struct tk_schema *schema,
                      struct output *output, struct tk_err *err)
{
    struct tk_run_reader *reader = NULL;
    const struct tk_batch *batch = NULL;
    int written = 0;
    int rc = tk_run_reader_new(run->in, name, schema, &reader, err);
    if (rc < 0)
        return rc == -ENOENT ? 1 : tk_err_prefix(err, "%s", run->folder);
    while ((rc = tk_run_reader_next(reader, &batch, err)) == 0 &&
           (written = put_rows(run, output, batch, err)) == 0)
        ;
    if (rc < 0)
        (void)tk_err_prefix(err, "%s", run->folder);
    const struct tk_decode_stats *stats = tk_run_reader_stats(reader);
    uint64_t bad = stats->bad_rows + stats->torn_rows;
    if (bad > 0 && output->bad_rows == 0) {
        (void)snprintf(output->first_bad, sizeof(output->first_bad), "%s",
                       stats->first_bad[0] ? stats->first_bad : "the last line is torn");
    }
    output->bad_rows += bad;
    output->unknown_fields += stats->unknown_fields;
    tk_run_reader_free(reader);
    return rc < 0 ? rc : written;
}

/* Copy a file of one object, or of an array of them; 1 when there is no such file. */
static int copy_objects(struct export_run *run, const char *name,
                        const struct tk_table_files *files, struct output *output,
                        struct tk_err *err)
{
    TK_CLEANUP(tk_batch_freep) struct tk_batch *batch = NULL;
    int rc = files->layout == TK_LAYOUT_ARRAY
                 ? tk_objects_read(run->in, name, files->schema, &batch, err)
                 : tk_object_read(run->in, name, files->schema, &batch, err);
    if (rc < 0)
        return rc == -ENOENT ? 1 : tk_err_prefix(err, "%s", run->folder);
    return put_rows(run, output, batch, err);
}

static int copy_file(struct export_run *run, const char *name, const struct tk_table_files *files,
                     struct output *output, struct tk_err *err)
{
    return files->layout == TK_LAYOUT_LINES ? copy_lines(run, name, files->schema, output, err)
                                            : copy_objects(run, name, files, output, err);
}

static void close_dir(DIR **dir)
{
    if (*dir)
        (void)closedir(*dir);
}

/* Invocations as programs wrote them: every events.PROGRAM.jsonl. */
static int copy_events(struct export_run *run, const struct tk_table_files *files,
                       struct output *output, struct tk_err *err)
{
    int fd = openat(run->in, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    TK_CLEANUP(close_dir) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir)
        return tk_fail_errno(err, "%s", run->folder);
    for (;;) {
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is our own */
        const struct dirent *entry = readdir(dir);
        if (!entry)
            return 0;
        if (!tk_run_is_events_file(tk_str_from(entry->d_name)))
            continue;
        int rc = copy_lines(run, entry->d_name, files->schema, output, err);
        if (rc < 0)
            return rc;
    }
}

/* The first of the places where a table may lie that it lies in: below cctf/, in the run folder, in
 * a folder that is itself a cctf/. */
static int copy_table(struct export_run *run, enum tk_table table, struct output *output,
                      struct tk_err *err)
{
    const struct tk_table_files *files = &tk_tables[table];
    char below[128];
    (void)snprintf(below, sizeof(below), "cctf/%s", files->cctf ? files->cctf : "");
    const char *const names[] = {files->cctf ? below : NULL, files->raw, files->cctf};
    int rc = 1;
    for (size_t i = 0; rc == 1 && i < TK_COUNTOF(names); i++) {
        if (names[i])
            rc = copy_file(run, names[i], files, output, err);
        bool of_programs = table == TK_TABLE_INVOCATIONS && i == 1;
        if (rc >= 0 && of_programs)
            rc = copy_events(run, files, output, err);
        if (rc == 0 && !output->is_open)
            rc = 1;
    }
    return rc;
}

static int export_table(struct export_run *run, enum tk_table table, struct tk_err *err)
{
    if (run->format->takes && !run->format->takes(tk_tables[table].schema))
        return 0;
    TK_CLEANUP(output_release)
    struct output output = {.format = run->format, .dirfd = -1, .fd = -1};
    int rc = copy_table(run, table, &output, err);
    if (rc == 1)
        return 0;
    if (rc < 0)
        return rc;
    rc = output_close(&output, err);
    if (rc < 0)
        return tk_err_prefix(err, "%s", run->out_name);
    output_show(&output, run->out_name);
    run->tables++;
    return 0;
}

static tk_str last_name(const char *path)
{
    tk_str text = tk_str_from(path);
    while (text.n > 1 && text.p[text.n - 1] == '/')
        text.n--;
    size_t slash = tk_str_find_last(text, '/');
    return slash < text.n ? (tk_str){text.p + slash + 1, text.n - slash - 1} : text;
}

static int export_run(const struct table_format *format, const char *folder, const char *output,
                      const struct tk_parquet_opts *opts, struct tk_err *err)
{
    struct export_run run = {format, folder, .in = -1, .out = -1, .out_name = output, .opts = opts};
    (void)snprintf(run.run_id, sizeof(run.run_id), "%.*s", TK_STR_ARG(last_name(folder)));
    int rc = tk_dir_open(AT_FDCWD, folder, &run.in, err);
    for (int table = 0; rc == 0 && table < TK_TABLE_COUNT; table++)
        rc = export_table(&run, (enum tk_table)table, err);
    tk_fd_close(&run.in);
    tk_fd_close(&run.out);
    if (rc < 0)
        return rc;
    return run.tables > 0 ? 0 : tk_fail(err, -ENOENT, "%s: no table of a run", folder);
}

/* Several runs get a folder each. */
static int export_runs(const struct table_format *format, const struct tk_export_opts *opts,
                       const struct tk_parquet_opts *file_opts, const char *const *folders,
                       size_t count, struct tk_err *err)
{
    int rc = 0;
    if (opts->anonymise) {
        return tk_fail(err, -EINVAL, "--anonymise is of no use here: tables keep names and ids");
    }
    for (size_t i = 0; rc == 0 && i < count; i++) {
        char path[PATH_MAX];
        tk_str name = last_name(folders[i]);
        (void)snprintf(path, sizeof(path), "%s%s%.*s", opts->output, count > 1 ? "/" : "",
                       count > 1 ? (int)name.n : 0, name.p);
        rc = export_run(format, folders[i], path, file_opts, err);
    }
    return rc;
}

static int run_lines(const struct table_format *lines, const struct tk_export_opts *opts,
                     const char *const *folders, size_t count, struct tk_err *err)
{
    if (opts->compression)
        return tk_fail(err, -EINVAL, "--compression is of no use for %s", lines->ending);
    return export_runs(lines, opts, NULL, folders, count, err);
}

static int run_csv(const struct tk_export_format *format, const struct tk_export_opts *opts,
                   const char *const *folders, size_t count, struct tk_err *err)
{
    (void)format;
    return run_lines(&csv, opts, folders, count, err);
}

static int run_jsonl(const struct tk_export_format *format, const struct tk_export_opts *opts,
                     const char *const *folders, size_t count, struct tk_err *err)
{
    (void)format;
    return run_lines(&jsonl, opts, folders, count, err);
}

static int run_otlp(const struct tk_export_format *format, const struct tk_export_opts *opts,
                    const char *const *folders, size_t count, struct tk_err *err)
{
    (void)format;
    return run_lines(&otlp, opts, folders, count, err);
}

static int run_parquet(const struct tk_export_format *format, const struct tk_export_opts *opts,
                       const char *const *folders, size_t count, struct tk_err *err)
{
    (void)format;
    struct tk_parquet_opts file_opts = {.codec = TK_PARQUET_ZSTD};
    int rc = 0;
    if (opts->compression)
        rc = tk_parquet_codec_parse(tk_str_from(opts->compression), &file_opts.codec, err);
    return rc < 0 ? rc : export_runs(&parquet, opts, &file_opts, folders, count, err);
}

const struct tk_export_format tk_export_csv = {
    .name = "csv", .has_spans = true, .spans = &tk_span_encoder_csv, .run = run_csv};
const struct tk_export_format tk_export_jsonl = {
    .name = "jsonl", .has_spans = true, .spans = &tk_span_encoder_jsonl, .run = run_jsonl};
const struct tk_export_format tk_export_otlp = {
    .name = "otlp", .has_spans = true, .spans = &tk_span_encoder_otlp, .run = run_otlp};
const struct tk_export_format tk_export_parquet = {
    .name = "parquet", .has_spans = true, .run = run_parquet};
