/* SPDX-License-Identifier: Apache-2.0 */
#include "opendc/workload.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/file.h"
#include "base/file_digest.h"
#include "opendc/series.h"
#include "opendc/workload_internal.h"
#include "run/recording.h"

#define DEPTH_MAX   3
#define FOLDERS_MAX 10000
#define TEXT_MAX    ((size_t)8 << 30) /* of address space, so below */
#define POINTS_MAX  ((size_t)64 << 30)
#define LARGE_BYTES (8 << 20) /* worth a thread */

/* Small helpers ------------------------------------------------------------------------ */

void *tk_loader_grow(void *items, uint32_t count, uint32_t *cap, size_t size)
{
    if (count < *cap)
        return items;
    uint32_t more = *cap ? *cap * 2 : 64;
    size_t bytes;
    if (more <= *cap || more == TK_NONE || !tk_mul_size(more, size, &bytes))
        return NULL;
    void *grown = realloc(items, bytes);
    if (grown)
        *cap = more;
    return grown;
}

tk_str tk_loader_copy(struct tk_loader *loader, tk_str text)
{
    return text.n > 0 ? tk_arena_copy(&loader->workload->text, text) : (tk_str){NULL, 0};
}

int64_t tk_loader_stamp(const struct tk_batch *batch, size_t row, size_t us_column,
                        size_t ms_column)
{
    int64_t us = tk_batch_i64(batch, row, us_column, INT64_MIN);
    int64_t ms = tk_batch_i64(batch, row, ms_column, INT64_MIN);
    if (us > 0)
        return us;
    return ms > 0 && tk_mul_i64(ms, 1000, &us) ? us : INT64_MIN;
}

static tk_str text_of(const struct tk_batch *batch, size_t row, size_t column)
{
    return column < batch->schema->column_count ? tk_batch_text(batch, row, column)
                                                : (tk_str){NULL, 0};
}

static bool is_same(tk_str a, tk_str b)
{
    return a.n == 0 || b.n == 0 || tk_str_eq(a, b);
}

uint32_t tk_loader_node(struct tk_loader *loader, const struct tk_batch *batch, size_t row,
                        size_t node_column, size_t host_column)
{
    struct tk_workload *workload = loader->workload;
    const struct tk_folder *folder = &workload->folders[loader->folder];
    if (folder->node_count == 1)
        return folder->first_node;
    tk_str node = text_of(batch, row, node_column);
    tk_str host = text_of(batch, row, host_column);
    for (uint32_t i = 0; i < folder->node_count && (node.n > 0 || host.n > 0); i++) {
        const struct tk_node *at = &workload->nodes[folder->first_node + i];
        if (is_same(node, at->node) && is_same(host, at->host))
            return folder->first_node + i;
    }
    workload->counts.unknown_node++;
    return TK_NONE;
}

/* Reading --------------------------------------------------------------------------------- */

/* The digest of a large file is taken by the thread that reads it ahead. Where that cannot be,
 * whoever wants it takes it later. */
static struct tk_file_digest *begin_digest(const struct tk_loader *loader, const char *name)
{
    struct tk_err ignored;
    struct stat status;
    struct tk_file_digest *digest;
    int dirfd = loader->workload->folders[loader->folder].dirfd;
    bool is_worth_it = loader->options->takes_digests && fstatat(dirfd, name, &status, 0) == 0 &&
                       status.st_size >= LARGE_BYTES;
    return is_worth_it && tk_file_digest_new(dirfd, name, true, &digest, &ignored) == 0 ? digest
                                                                                        : NULL;
}

/* Takes the digest over. */
static int note_input(struct tk_loader *loader, const char *name,
                      const struct tk_decode_stats *stats, struct tk_file_digest *digest,
                      struct tk_err *err)
{
    struct tk_workload *workload = loader->workload;
    void *grown = tk_loader_grow(workload->inputs, workload->input_count, &loader->input_cap,
                                 sizeof(*workload->inputs));
    if (!grown) {
        tk_file_digest_free(digest);
        return tk_fail(err, -ENOMEM, "out of memory");
    }
    workload->inputs = grown;
    workload->inputs[workload->input_count++] = (struct tk_input){
        .folder = loader->folder,
        .name = tk_loader_copy(loader, tk_str_from(name)),
        .rows = stats->rows,
        .bad_rows = stats->bad_rows + stats->torn_rows,
        .first_bad = tk_loader_copy(loader, tk_str_from(stats->first_bad)),
        .digest = digest,
    };
    workload->counts.bad_rows += (int64_t)(stats->bad_rows + stats->torn_rows);
    return 0;
}

int tk_loader_read(struct tk_loader *loader, const char *name, const struct tk_schema *schema,
                   int (*take)(struct tk_loader *loader, const struct tk_batch *batch, size_t row,
                               struct tk_err *err),
                   struct tk_err *err)
{
    const struct tk_folder *folder = &loader->workload->folders[loader->folder];
    struct tk_run_reader *reader;
    int rc = tk_run_reader_new(folder->dirfd, name, schema, &reader, err);
    if (rc < 0)
        return rc == -ENOENT ? 1 : rc;
    struct tk_file_digest *digest = begin_digest(loader, name);
    const struct tk_batch *batch;
    if (digest)
        tk_run_reader_read_from(reader, digest);
    while ((rc = tk_run_reader_next(reader, &batch, err)) == 0) {
        for (size_t row = 0; rc == 0 && row < batch->rows; row++)
            rc = take(loader, batch, row, err);
        if (rc < 0)
            break;
    }
    if (rc >= 0) {
        rc = note_input(loader, name, tk_run_reader_stats(reader), digest, err);
    } else {
        tk_file_digest_free(digest);
    }
    tk_run_reader_free(reader);
    return rc;
}

int tk_loader_read_table(struct tk_loader *loader, enum tk_table table,
                         int (*take)(struct tk_loader *loader, const struct tk_batch *batch,
                                     size_t row, struct tk_err *err),
                         struct tk_err *err)
{
    const struct tk_table_files *files = &tk_tables[table];
    char below[128];
    char old[128];
    (void)snprintf(below, sizeof(below), "cctf/%s", files->cctf ? files->cctf : "");
    (void)snprintf(old, sizeof(old), "CTS/%s", files->cctf ? files->cctf : "");
    /* In the run folder, below it, and in a folder that is itself a cctf/. */
    const char *const names[] = {files->raw, files->cctf ? below : NULL, files->cctf,
                                 files->cctf ? old : NULL};
    for (size_t i = 0; i < TK_COUNTOF(names); i++) {
        int rc = names[i] ? tk_loader_read(loader, names[i], files->schema, take, err) : 1;
        if (rc != 1)
            return rc;
    }
    return 1;
}

/* Folders ------------------------------------------------------------------------------------ */

static bool is_run(int dirfd)
{
    static const char *const marks[] = {"run.json", "node_meta.json", "nodes.json",
                                        "cctf/nodes.json", "CTS/nodes.json"};
    for (size_t i = 0; i < TK_COUNTOF(marks); i++) {
        if (faccessat(dirfd, marks[i], F_OK, 0) == 0)
            return true;
    }
    return false;
}

static int add_folder(struct tk_loader *loader, const char *path, int *dirfd, struct tk_err *err)
{
    struct tk_workload *workload = loader->workload;
    if (workload->folder_count == FOLDERS_MAX)
        return tk_fail(err, -EMSGSIZE, "%s: more than %d run folders", path, FOLDERS_MAX);
    void *grown = tk_loader_grow(workload->folders, workload->folder_count, &loader->folder_cap,
                                 sizeof(*workload->folders));
    if (!grown)
        return tk_fail(err, -ENOMEM, "out of memory");
    workload->folders = grown;
    workload->folders[workload->folder_count++] = (struct tk_folder){
        .path = tk_loader_copy(loader, tk_str_from(path)),
        .dirfd = tk_fd_take(dirfd),
        .clk_tck = 100,
        .boot_us = INT64_MIN,
        .start_us = INT64_MIN,
    };
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    const tk_str *first = a;
    const tk_str *second = b;
    return tk_run_id_cmp(*first, *second);
}

static void close_dir(DIR **dir)
{
    if (*dir)
        (void)closedir(*dir);
}

/* Names of the entries of a folder that may be folders, in the order of run ids; in workload->text.
 */
static int list_folders(struct tk_loader *loader, int dirfd, tk_str **ret_names, size_t *ret_count,
                        struct tk_err *err)
{
    int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    TK_CLEANUP(close_dir) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        int rc = tk_fail_errno(err, "folder");
        tk_fd_close(&fd);
        return rc;
    }
    uint32_t cap = 0;
    uint32_t count = 0;
    tk_str *names = NULL;
    for (;;) {
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is our own */
        const struct dirent *entry = readdir(dir);
        if (!entry)
            break;
        bool may_be = entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN;
        if (!may_be || entry->d_name[0] == '.')
            continue;
        void *grown = tk_loader_grow(names, count, &cap, sizeof(*names));
        if (!grown) {
            free(names);
            return tk_fail(err, -ENOMEM, "out of memory");
        }
        names = grown;
        names[count++] = tk_loader_copy(loader, tk_str_from(entry->d_name));
    }
    if (count > 0)
        qsort(names, count, sizeof(*names), compare_names);
    *ret_names = names;
    *ret_count = count;
    return 0;
}

/* NOLINTNEXTLINE(misc-no-recursion): at most DEPTH_MAX deep */
static int find_below(struct tk_loader *loader, const char *path, int depth, struct tk_err *err)
{
    TK_CLEANUP(tk_fd_close) int dirfd = -1;
    int rc = tk_dir_open(AT_FDCWD, path, &dirfd, err);
    if (rc < 0)
        return rc;
    if (is_run(dirfd))
        return add_folder(loader, path, &dirfd, err);
    if (depth == DEPTH_MAX)
        return 0;
    tk_str *names = NULL;
    size_t count = 0;
    rc = list_folders(loader, dirfd, &names, &count, err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        char below[PATH_MAX];
        int n = snprintf(below, sizeof(below), "%s/%.*s", path, TK_STR_ARG(names[i]));
        rc = n < (int)sizeof(below)
                 ? find_below(loader, below, depth + 1, err)
                 : tk_fail(err, -ENAMETOOLONG, "%s: too long a path below it", path);
    }
    free(names);
    return rc;
}

int tk_loader_find(struct tk_loader *loader, const char *path, struct tk_err *err)
{
    uint32_t before = loader->workload->folder_count;
    int rc = find_below(loader, path, 0, err);
    if (rc == 0 && loader->workload->folder_count == before) {
        return tk_fail(err, -ENOENT, "%s: no run folder here nor in its folders, %d levels down",
                       path, DEPTH_MAX);
    }
    return rc;
}

/* The whole ----------------------------------------------------------------------------------- */

static int each_folder(struct tk_loader *loader,
                       int (*read)(struct tk_loader *loader, struct tk_err *err),
                       struct tk_err *err)
{
    for (uint32_t i = 0; i < loader->workload->folder_count; i++) {
        loader->folder = i;
        int rc = read(loader, err);
        if (rc < 0)
            return tk_err_prefix(err, "%.*s", TK_STR_ARG(loader->workload->folders[i].path));
    }
    return 0;
}

static int add_tasks_of(struct tk_loader *loader, enum tk_service_mode mode, struct tk_err *err)
{
    loader->keeps_all = mode == TK_MODE_SERVICE;
    loader->reads_load = mode == TK_MODE_NODE;
    int rc = 0;
    if (mode == TK_MODE_NODE) {
        rc = each_folder(loader, tk_loader_read_hosts, err);
    } else if (mode != TK_MODE_REQUEST) {
        rc = each_folder(loader, tk_loader_read_processes, err);
    }
    if (rc == 0 && (mode == TK_MODE_SERVICE || mode == TK_MODE_NODE))
        rc = tk_loader_add_services(loader, err);
    loader->workload->mode = mode;
    return rc;
}

/* What a compact recording has lost. Its rows are read as far as they are there. */
static int check_recording(struct tk_loader *loader, struct tk_err *err)
{
    struct tk_workload_counts *counts = &loader->workload->counts;
    const struct tk_folder *folder = &loader->workload->folders[loader->folder];
    struct tk_recording_report report;
    char trouble[TK_RECORDING_TROUBLE_MAX];
    int rc = tk_recording_check(folder->dirfd, &report, err);
    if (rc < 0 || !tk_recording_trouble_format(&report, trouble))
        return rc == -ENOENT ? 0 : rc;
    if (counts->damaged++ == 0) {
        (void)snprintf(counts->first_damaged, sizeof(counts->first_damaged),
                       "%.*s/" TK_RECORDING_FILE ": %s", TK_STR_ARG(folder->path), trouble);
    }
    return 0;
}

/* What a run offers decides, unless the caller did. */
static int add_tasks(struct tk_loader *loader, struct tk_err *err)
{
    struct tk_workload *workload = loader->workload;
    enum tk_service_mode mode = loader->options->mode;
    bool is_free = mode == TK_MODE_AUTO;
    if (is_free)
        mode = workload->task_count > 0 ? TK_MODE_SPLIT : TK_MODE_SERVICE;
    int rc = add_tasks_of(loader, mode, err);
    if (rc == 0 && is_free && workload->task_count == 0)
        rc = add_tasks_of(loader, TK_MODE_NODE, err);
    workload->mode_was_chosen = is_free && workload->mode != TK_MODE_SPLIT;
    if (rc == 0 && workload->task_count == 0) {
        return tk_fail(err, -ENOENT,
                       "%s: nothing to make a task of: no invocations, no processes, no load of "
                       "hosts (old logs first need tracekit import)",
                       loader->options->folders[0]);
    }
    return rc;
}

static int load(struct tk_loader *loader, struct tk_err *err)
{
    const struct tk_workload_options *options = loader->options;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < options->folder_count; i++)
        rc = tk_loader_find(loader, options->folders[i], err);
    rc = rc < 0 ? rc : each_folder(loader, check_recording, err);
    rc = rc < 0 ? rc : each_folder(loader, tk_loader_read_nodes, err);
    if (rc == 0 && options->mode != TK_MODE_SERVICE && options->mode != TK_MODE_NODE)
        rc = each_folder(loader, tk_loader_read_invocations, err);
    rc = rc < 0 ? rc : add_tasks(loader, err);
    if (rc == 0 && options->cpu_unit == TK_CPU_MEASURED && !loader->reads_load)
        rc = each_folder(loader, tk_loader_read_hosts, err);
    rc = rc < 0 ? rc : tk_loader_set_frequencies(loader, err);
    rc = rc < 0 ? rc : tk_loader_join(loader, err);
    rc = rc < 0 ? rc : tk_loader_link(loader, err);
    return rc < 0 ? rc : tk_loader_sort(loader, err);
}

int tk_workload_new(const struct tk_workload_options *options, struct tk_workload **ret_workload,
                    struct tk_err *err)
{
    struct tk_workload *workload = calloc(1, sizeof(*workload));
    if (!workload)
        return tk_fail(err, -ENOMEM, "out of memory");
    struct tk_loader loader = {.workload = workload, .options = options};
    int rc = tk_arena_init(&workload->text, TEXT_MAX, err);
    rc = rc < 0 ? rc : tk_arena_init(&workload->points, POINTS_MAX, err);
    rc = rc < 0 ? rc : load(&loader, err);
    tk_map_release(&loader.wanted);
    tk_map_release(&loader.processes);
    tk_map_release(&loader.by_pid);
    tk_map_release(&loader.seen);
    if (rc < 0) {
        tk_workload_free(workload);
        return rc;
    }
    *ret_workload = workload;
    return 0;
}

void tk_workload_free(struct tk_workload *workload)
{
    if (!workload)
        return;
    for (uint32_t i = 0; i < workload->folder_count; i++)
        tk_fd_close(&workload->folders[i].dirfd);
    for (uint32_t i = 0; i < workload->process_count; i++)
        tk_series_free(workload->processes[i].shared);
    for (uint32_t i = 0; i < workload->input_count; i++)
        tk_file_digest_free(workload->inputs[i].digest);
    free(workload->folders);
    free(workload->nodes);
    free(workload->processes);
    free(workload->tasks);
    free(workload->inputs);
    free(workload->sorted);
    tk_arena_release(&workload->text);
    tk_arena_release(&workload->points);
    free(workload);
}

void tk_workload_freep(struct tk_workload **workload)
{
    tk_workload_free(*workload);
}
