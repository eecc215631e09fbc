/* SPDX-License-Identifier: Apache-2.0 */
#include "run/import.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "run/import_internal.h"
#include "run/run_internal.h"

#define LAST_MS     253402300799999 /* the end of the year 9999: later stamps are damage */
#define NOTICES_MAX ((size_t)TK_IMPORT_NOTICES * TK_ERR_MAX)

static void keep_notice(struct tk_import *import, const char *line)
{
    if (import->notice_count < TK_IMPORT_NOTICES)
        import->notices[import->notice_count++] = tk_arena_copy(&import->text, tk_str_from(line));
}

void tk_import_say(struct tk_import *import, const char *fmt, ...)
{
    char line[TK_ERR_MAX];
    va_list args;
    va_start(args, fmt);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): clang 14 overlooks va_start() here */
    (void)vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    keep_notice(import, line);
    if (import->options->say)
        import->options->say(import->options->context, line);
}

void tk_import_add_time(struct tk_import *import, int64_t ms)
{
    struct tk_import_report *report = &import->report;
    if (ms <= 0 || ms > LAST_MS)
        return;
    if (report->first_ms == 0 || ms < report->first_ms)
        report->first_ms = ms;
    if (ms > report->last_ms)
        report->last_ms = ms;
}

/* What is there ------------------------------------------------------------------------ */

static bool has_file(int dirfd, const char *path)
{
    struct stat st;
    return fstatat(dirfd, path, &st, 0) == 0 && S_ISREG(st.st_mode);
}

static int is_events_name(const struct dirent *entry)
{
    tk_str name = tk_str_from(entry->d_name);
    return tk_str_starts_with(name, TK_STR("events.")) && tk_str_ends_with(name, TK_STR(".jsonl"));
}

/* Names in a folder that the filter lets pass; negative errno when it cannot be read. */
static int count_names(int dirfd, int (*filter)(const struct dirent *entry))
{
    struct dirent **entries;
    int count = scandirat(dirfd, ".", &entries, filter, NULL);
    if (count < 0)
        return -errno;
    for (int i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
    return count;
}

static bool has_run(int dirfd)
{
    static const char *const names[] = {
        "cpu.log",
        "mem.log",
        "net.log",
        "node_meta.json",
        "resources.jsonl",
        "links.jsonl",
        "proc_metrics.jsonl",
        "invocations.jsonl",
        "cctf/nodes.json",
        "cctf/invocations.jsonl",
        "cctf/proc_metrics.jsonl",
        "CTS/nodes.json",
        "CTS/invocations.jsonl",
        "CTS/proc_metrics.jsonl",
    };
    for (size_t i = 0; i < TK_COUNTOF(names); i++) {
        if (has_file(dirfd, names[i]))
            return true;
    }
    return count_names(dirfd, is_events_name) > 0;
}

bool tk_import_has_run(const char *path)
{
    struct tk_err ignored;
    TK_CLEANUP(tk_fd_close) int dirfd = -1;
    return tk_dir_open(AT_FDCWD, path, &dirfd, &ignored) == 0 && has_run(dirfd);
}

static int check_source(int dirfd, const char *from, struct tk_err *err)
{
    if (has_file(dirfd, "run.json") || has_file(dirfd, "cctf/run.json"))
        return tk_fail(err, -EALREADY, "%s: is a run of tracekit already (it has run.json)", from);
    if (!has_run(dirfd)) {
        return tk_fail(err, -ENOENT,
                       "%s: no old run: expected cpu.log, mem.log, net.log, node_meta.json, tables "
                       "or events, cctf/ or CTS/",
                       from);
    }
    return 0;
}

/* The new folder ------------------------------------------------------------------------- */

static int not_dots(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

/* Make the folder, or take an empty one. */
static int make_target(const char *to, int *ret_fd, struct tk_err *err)
{
    TK_CLEANUP(tk_fd_close) int dirfd = -1;
    int rc = tk_run_folder_make(to, err);
    if (rc == 0)
        rc = tk_dir_open(AT_FDCWD, to, &dirfd, err);
    if (rc == 0)
        rc = tk_run_folder_claim(dirfd, to, err);
    if (rc < 0)
        return rc;
    rc = count_names(dirfd, not_dots);
    if (rc < 0)
        return tk_fail_code(err, rc, "%s", to);
    if (rc > 0)
        return tk_fail(err, -EEXIST, "%s: is there and not empty", to);
    *ret_fd = dirfd;
    dirfd = -1;
    return 0;
}

/* The real path of the deepest folder above `path` that exists. */
static bool resolve_existing(const char *path, char ret_real[PATH_MAX])
{
    char part[PATH_MAX];
    if (!tk_str_to_cstr(tk_str_from(path), part, sizeof(part)))
        return false;
    while (!realpath(part, ret_real)) {
        char *slash = strrchr(part, '/');
        if (!slash)
            return realpath(".", ret_real) != NULL;
        slash[slash == part] = '\0'; /* "/x" leaves "/" */
    }
    return true;
}

/* The old folder must not gain a thing. */
static int check_apart(const char *from, const char *to, struct tk_err *err)
{
    char source[PATH_MAX];
    char target[PATH_MAX];
    if (!realpath(from, source))
        return tk_fail_errno(err, "%s", from);
    if (!resolve_existing(to, target))
        return tk_fail_errno(err, "%s", to);
    size_t n = strlen(source);
    if (strncmp(source, target, n) == 0 && (target[n] == '/' || target[n] == '\0'))
        return tk_fail(err, -EINVAL, "%s: lies within %s, which is only read", to, from);
    return 0;
}

/* Steps -------------------------------------------------------------------------------------- */

/* Counts rows and their time, then hands them to the writer. Each table that is written row by row
 * has its time in milliseconds first. */
static int take(void *context, enum tk_table table, const struct tk_batch *batch,
                struct tk_err *err)
{
    struct tk_import *import = context;
    struct tk_sink next = tk_run_writer_sink(import->writer);
    import->report.rows[table] += (int64_t)batch->rows;
    for (size_t row = 0; row < batch->rows; row++)
        tk_import_add_time(import, tk_batch_i64(batch, row, 0, 0));
    return next.take(next.context, table, batch, err);
}

/* run.json tells where the run comes from. */
static void note_origin(struct tk_import *import)
{
    char line[TK_ERR_MAX];
    tk_str name = tk_run_path_name(tk_str_from(import->options->from));
    (void)snprintf(line, sizeof(line), "imported from %.*s", TK_STR_ARG(name));
    keep_notice(import, line);
}

/* The reference of the dates may be a RUN_ID: that of the node, else the name of the folder. */
static int open_logs(struct tk_import *import, struct tk_err *err)
{
    struct tk_err ignored;
    TK_CLEANUP(tk_batch_freep) struct tk_batch *meta = NULL;
    const struct tk_table_files *files = &tk_tables[TK_TABLE_NODE_META];
    struct tk_rawlog_options options = {
        .run_id = tk_run_path_name(tk_str_from(import->options->from)),
        .local_time = import->options->local_time,
    };
    if (tk_object_read(import->in, files->raw, files->schema, &meta, &ignored) == 0 &&
        tk_batch_has(meta, 0, TK_NODE_META_RUN_ID))
        options.run_id = tk_batch_text(meta, 0, TK_NODE_META_RUN_ID);
    int rc = tk_rawlog_new(import->in, &options, &import->rawlog, err);
    return rc == -ENOENT ? 0 : rc;
}

static void pass_on(void *context, enum tk_parse_note note, const char *line)
{
    if (note == TK_PARSE_WARNING)
        tk_import_say(context, "%s", line);
}

static int parse(struct tk_import *import, struct tk_err *err)
{
    struct tk_parse_options options = {
        .folder = import->options->to, .say = pass_on, .context = import};
    return tk_parse(&options, &import->report.parse, err);
}

static int fill(struct tk_import *import, struct tk_err *err)
{
    note_origin(import);
    int rc = open_logs(import, err);
    if (rc == 0)
        rc = tk_import_find_node(import, err);
    if (rc == 0)
        rc = tk_import_write_meta(import, err);
    if (rc == 0)
        rc = tk_run_writer_new(import->options->to, &import->writer, err);
    if (rc == 0)
        rc = tk_rows_new((struct tk_sink){take, import}, &import->rows, err);
    if (rc == 0)
        rc = tk_import_rows(import, err);
    if (rc == 0)
        rc = tk_run_writer_sync(import->writer, err);
    if (rc == 0)
        rc = tk_import_events(import, err);
    if (rc == 0)
        rc = tk_import_write_run(import, err);
    return rc < 0 ? rc : parse(import, err);
}

static void import_release(struct tk_import *import)
{
    tk_fd_close(&import->in);
    tk_fd_close(&import->out);
    tk_rawlog_free(import->rawlog);
    tk_batch_free(import->node_meta);
    tk_rows_free(import->rows);
    tk_run_writer_free(import->writer);
    tk_arena_release(&import->text);
}

int tk_import(const struct tk_import_options *options, struct tk_import_report *ret_report,
              struct tk_err *err)
{
    TK_CLEANUP(import_release) struct tk_import import = {.options = options, .in = -1, .out = -1};
    int rc = tk_arena_init(&import.text, NOTICES_MAX, err);
    if (rc == 0)
        rc = tk_dir_open(AT_FDCWD, options->from, &import.in, err);
    if (rc == 0)
        rc = check_source(import.in, options->from, err);
    if (rc == 0)
        rc = check_apart(options->from, options->to, err);
    if (rc == 0)
        rc = make_target(options->to, &import.out, err);
    if (rc < 0)
        return rc;
    rc = fill(&import, err);
    if (rc < 0) {
        tk_run_folder_clear(import.out, ".");
        (void)rmdir(options->to);
        return tk_err_prefix(err, "%s", options->from);
    }
    *ret_report = import.report;
    return 0;
}
