/* SPDX-License-Identifier: Apache-2.0 */
/* tracekit export parquet: every table of a run as a Parquet file, driven by the schemas. Of a run
 * that was parsed the tables of cctf/ are taken, of others what the recorder wrote. */
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
#include "table/parquet_batch.h"

/* One table on its way to its file. The file has another name until it is whole. */
struct output {
    int dirfd;
    char name[64];
    char part[80];
    int fd;
    struct tk_parquet_table *table; /* NULL until the first row or file */
    uint64_t bad_rows;
    char first_bad[sizeof(((struct tk_decode_stats *)NULL)->first_bad)];
};

static void output_release(struct output *output)
{
    tk_parquet_table_free(output->table);
    if (output->fd >= 0)
        (void)unlinkat(output->dirfd, output->part, 0);
    tk_fd_close(&output->fd);
}

static int output_write(void *user, tk_str bytes, struct tk_err *err)
{
    const struct output *output = user;
    return tk_fd_write(output->fd, bytes, output->name, err);
}

static int output_open(struct output *output, const struct tk_schema *schema, const char *run_id,
                       const struct tk_parquet_opts *opts, struct tk_err *err)
{
    struct tk_parquet_sink sink = {output_write, output};
    (void)snprintf(output->name, sizeof(output->name), "%s.parquet", schema->name);
    (void)snprintf(output->part, sizeof(output->part), ".%s.part", output->name);
    output->fd =
        openat(output->dirfd, output->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (output->fd < 0)
        return tk_fail_errno(err, "%s", output->part);
    int rc = tk_parquet_table_new(schema, opts, &sink, &output->table, err);
    if (rc == 0) {
        tk_parquet_writer_add_pair(tk_parquet_table_writer(output->table), "tracekit.run_id",
                                   tk_str_from(run_id));
    }
    return rc;
}

/* Finish the file and give it its name. */
static int output_close(struct output *output, struct tk_err *err)
{
    int rc = tk_parquet_table_close(output->table, err);
    if (rc < 0)
        return tk_err_prefix(err, "%s", output->name);
    if (close(tk_fd_take(&output->fd)) < 0 ||
        renameat(output->dirfd, output->part, output->dirfd, output->name) < 0)
        return tk_fail_errno(err, "%s", output->name);
    return 0;
}

static const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

static void output_show(const struct output *output, const char *folder)
{
    const struct tk_parquet_writer *writer = tk_parquet_table_writer(output->table);
    char rows[TK_HUMAN_MAX];
    char bytes[TK_HUMAN_MAX];
    uint64_t count = tk_parquet_writer_rows(writer);
    printf("%s/%s: %s row%s, %s\n", folder, output->name, tk_count_format((int64_t)count, rows),
           plural(count), tk_bytes_format((double)tk_parquet_writer_bytes(writer), bytes));
    if (output->bad_rows > 0) {
        printf("%s/%s: left out %llu damaged row%s; the first: %s\n", folder, output->name,
               (unsigned long long)output->bad_rows, plural(output->bad_rows), output->first_bad);
    }
}

/* A run ------------------------------------------------------------------------------------- */

struct export_run {
    const char *folder;
    int in;  /* of the run */
    int out; /* of its files */
    const char *out_name;
    const struct tk_parquet_opts *opts;
    char run_id[TK_RUN_ID_MAX];
    int tables; /* written */
};

/* Copy a table of lines; 1 when there is no such file. */
static int copy_lines(struct export_run *run, const char *name, const struct tk_schema *schema,
                      struct output *output, struct tk_err *err)
{
    struct tk_run_reader *reader = NULL;
    const struct tk_batch *batch = NULL;
    int rc = tk_run_reader_new(run->in, name, schema, &reader, err);
    if (rc < 0)
        return rc == -ENOENT ? 1 : rc;
    while ((rc = tk_run_reader_next(reader, &batch, err)) == 0) {
        if (!output->table)
            rc = output_open(output, schema, run->run_id, run->opts, err);
        rc = rc < 0 ? rc : tk_parquet_table_write(output->table, batch, err);
        if (rc < 0)
            break;
    }
    const struct tk_decode_stats *stats = tk_run_reader_stats(reader);
    uint64_t bad = stats->bad_rows + stats->torn_rows;
    if (bad > 0 && output->bad_rows == 0) {
        (void)snprintf(output->first_bad, sizeof(output->first_bad), "%s",
                       stats->first_bad[0] ? stats->first_bad : "the last line is torn");
    }
    output->bad_rows += bad;
    tk_run_reader_free(reader);
    return rc < 0 ? rc : 0;
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
        return rc == -ENOENT ? 1 : rc;
    rc = output_open(output, files->schema, run->run_id, run->opts, err);
    return rc < 0 ? rc : tk_parquet_table_write(output->table, batch, err);
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
        tk_str name = tk_str_from(entry->d_name);
        if (!tk_str_starts_with(name, TK_STR("events.")) ||
            !tk_str_ends_with(name, TK_STR(".jsonl")))
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
        if (rc == 0 && !output->table)
            rc = 1;
    }
    return rc;
}

static int export_table(struct export_run *run, enum tk_table table, struct tk_err *err)
{
    TK_CLEANUP(output_release) struct output output = {.dirfd = run->out, .fd = -1};
    int rc = copy_table(run, table, &output, err);
    if (rc == 1)
        return 0;
    rc = rc < 0 ? rc : output_close(&output, err);
    if (rc < 0)
        return rc;
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

static int export_run(const char *folder, const char *output, const struct tk_parquet_opts *opts,
                      struct tk_err *err)
{
    TK_CLEANUP(tk_fd_close) int in = -1;
    TK_CLEANUP(tk_fd_close) int out = -1;
    struct export_run run = {.folder = folder, .out_name = output, .opts = opts};
    (void)snprintf(run.run_id, sizeof(run.run_id), "%.*s", TK_STR_ARG(last_name(folder)));
    int rc = tk_dir_open(AT_FDCWD, folder, &in, err);
    rc = rc < 0 ? rc : tk_dir_make(AT_FDCWD, output, err);
    rc = rc < 0 ? rc : tk_dir_open(AT_FDCWD, output, &out, err);
    run.in = in;
    run.out = out;
    for (int table = 0; rc == 0 && table < TK_TABLE_COUNT; table++)
        rc = export_table(&run, (enum tk_table)table, err);
    if (rc < 0)
        return tk_err_prefix(err, "%s", folder);
    return run.tables > 0 ? 0 : tk_fail(err, -ENOENT, "%s: no table of a run", folder);
}

static int run(const struct tk_export_format *format, const struct tk_export_opts *opts,
               const char *const *folders, size_t count, struct tk_err *err)
{
    (void)format;
    struct tk_parquet_opts parquet = {.codec = TK_PARQUET_ZSTD};
    int rc = 0;
    if (opts->compression)
        rc = tk_parquet_codec_parse(tk_str_from(opts->compression), &parquet.codec, err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        char path[PATH_MAX];
        tk_str name = last_name(folders[i]);
        /* Several runs get a folder each. */
        (void)snprintf(path, sizeof(path), "%s%s%.*s", opts->output, count > 1 ? "/" : "",
                       count > 1 ? (int)name.n : 0, name.p);
        rc = export_run(folders[i], path, &parquet, err);
    }
    return rc;
}

const struct tk_export_format tk_export_parquet = {
    .name = "parquet",
    .run = run,
};
