/* SPDX-License-Identifier: Apache-2.0 */
/* A merge as the second generation made it: one file of invocations and one of process rows, where
 * tk_merge() makes a folder. That folder is made beside the first file and taken back at the end.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "run/merge_internal.h"

enum { TS_MS, PID, DT_MS, CPU_MS, RSS_KB, CPU_FREQ_MHZ, NODE, HOST, START_TICKS, COLUMN_COUNT };

static const struct tk_column columns[COLUMN_COUNT] = {
    [TS_MS] = {"ts_ms", TK_I64, "ms", "end of the interval, epoch", TK_REQUIRED, 0},
    [PID] = {"pid", TK_I64, "", "process id on the host", TK_REQUIRED, 0},
    [DT_MS] = {"dt_ms", TK_I64, "ms", "length of the interval, never 0", TK_REQUIRED, 0},
    [CPU_MS] = {"cpu_ms", TK_I64, "ms", "CPU time within it", TK_REQUIRED, 0},
    [RSS_KB] = {"rss_kb", TK_I64, "KiB", "resident set, as last read", TK_NULLABLE, 0},
    [CPU_FREQ_MHZ] = {"cpu_freq_mhz", TK_I64, "MHz", "frequency of the node", TK_NULLABLE, 0},
    [NODE] = {"node", TK_TEXT, "", "node id", 0, 0},
    [HOST] = {"host", TK_TEXT, "", "host name", 0, 0},
    [START_TICKS] = {"start_ticks", TK_I64, "ticks", "start since boot", 0, 0},
};

static const struct tk_schema schema = {"proc_metrics_merged", "CPU time and memory of a process",
                                        columns, COLUMN_COUNT};

/* A file in whatever folder. */
struct target {
    int dirfd;
    struct tk_out out;
};

static void target_release(struct target *target)
{
    tk_out_release(&target->out);
    tk_fd_close(&target->dirfd);
}

/* The folder of a path, "." when it names none. */
static int find_parent(const char *path, char ret_parent[PATH_MAX], struct tk_err *err)
{
    tk_str text = tk_str_from(path);
    size_t slash = tk_str_find_last(text, '/');
    if (text.n >= PATH_MAX - sizeof("/.merge.XXXXXX"))
        return tk_fail(err, -ENAMETOOLONG, "%s: path too long", path);
    if (slash == text.n) {
        (void)snprintf(ret_parent, PATH_MAX, ".");
    } else {
        (void)snprintf(ret_parent, PATH_MAX, "%.*s", slash > 0 ? (int)slash : 1, path);
    }
    return 0;
}

static int target_open(struct target *target, const char *path, const struct tk_schema *of,
                       struct tk_err *err)
{
    char parent[PATH_MAX];
    tk_str name = tk_run_path_name(tk_str_from(path));
    char file[NAME_MAX + 1];
    int rc = find_parent(path, parent, err);
    if (rc == 0 && (name.n == 0 || !tk_str_to_cstr(name, file, sizeof(file))))
        rc = tk_fail(err, -EINVAL, "%s: is no name of a file", path);
    rc = rc < 0 ? rc : tk_dir_open(AT_FDCWD, parent, &target->dirfd, err);
    return rc < 0 ? rc : tk_out_open(&target->out, target->dirfd, file, of, err);
}

/* Invocations -------------------------------------------------------------------------------- */

static int copy_invocations(int dirfd, const char *path, struct tk_err *err)
{
    TK_CLEANUP(target_release) struct target target = {-1, TK_OUT_NONE};
    TK_CLEANUP(tk_lines_close) struct tk_lines lines = {0};
    struct tk_line line;
    int rc = target_open(&target, path, NULL, err);
    if (rc < 0)
        return rc;
    rc = tk_lines_open(&lines, dirfd, tk_tables[TK_TABLE_INVOCATIONS].cctf, err);
    while (rc == 0 && (rc = tk_lines_next(&lines, &line, err)) == 0)
        tk_out_put_line(&target.out, line.text);
    return rc < 0 && rc != -ENOENT ? rc : tk_out_close(&target.out, err);
}

/* Process rows ------------------------------------------------------------------------------- */

/* Rows of proc_rss on their way, as far as the rows of proc_cpu have come. */
struct memory {
    struct tk_run_reader *reader; /* NULL = there is no such table */
    const struct tk_batch *batch;
    size_t row;
    bool at_end;
    struct tk_map rss_kb; /* process to its last reading */
};

static uint64_t process_key(tk_str node, int64_t pid, int64_t start_ticks)
{
    uint64_t key = tk_hash_mix(tk_hash_text(node), (uint64_t)pid);
    return tk_hash_mix(key, (uint64_t)start_ticks) | 1;
}

static int memory_open(struct memory *memory, int dirfd, struct tk_err *err)
{
    int rc = tk_run_reader_new(dirfd, tk_tables[TK_TABLE_PROC_RSS].cctf, &tk_schema_proc_rss,
                               &memory->reader, err);
    memory->at_end = rc == -ENOENT;
    return rc == -ENOENT ? 0 : rc;
}

static void memory_release(struct memory *memory)
{
    tk_run_reader_free(memory->reader);
    tk_map_release(&memory->rss_kb);
}

static int note_reading(struct memory *memory, struct tk_err *err)
{
    const struct tk_batch *batch = memory->batch;
    size_t row = memory->row++;
    int64_t rss_kb = tk_batch_i64(batch, row, TK_PROC_RSS_RSS_KB, -1);
    uint64_t key = process_key(tk_batch_text(batch, row, TK_PROC_RSS_NODE),
                               tk_batch_i64(batch, row, TK_PROC_RSS_PID, -1),
                               tk_batch_i64(batch, row, TK_PROC_RSS_START_TICKS, -1));
    if (rss_kb < 0 || rss_kb > UINT32_MAX)
        return 0;
    return tk_map_add(&memory->rss_kb, key, (uint32_t)rss_kb) < 0
               ? tk_fail(err, -ENOMEM, "out of memory")
               : 0;
}

/* Take all readings up to a time. */
static int memory_follow(struct memory *memory, int64_t ts_ms, struct tk_err *err)
{
    int rc = 0;
    while (rc == 0 && !memory->at_end) {
        if (!memory->batch || memory->row == memory->batch->rows) {
            rc = tk_run_reader_next(memory->reader, &memory->batch, err);
            memory->at_end = rc == 1;
            memory->row = 0;
            rc = rc == 1 ? 0 : rc;
        } else if (tk_batch_i64(memory->batch, memory->row, TK_PROC_RSS_TS_MS, 0) > ts_ms) {
            break;
        } else {
            rc = note_reading(memory, err);
        }
    }
    return rc;
}

/* The frequency of a node; 0 = unknown. */
static int64_t find_frequency(const struct tk_batch *nodes, tk_str node)
{
    for (size_t i = 0; nodes && i < nodes->rows; i++) {
        if (tk_str_eq(tk_batch_text(nodes, i, TK_NODES_NODE_ID), node))
            return tk_batch_i64(nodes, i, TK_NODES_CPU_FREQ_MHZ, 0);
    }
    return 0;
}

static void copy_cell(const struct tk_batch *from, size_t row, size_t column, struct tk_batch *to,
                      size_t as)
{
    if (tk_batch_has(from, row, column))
        tk_batch_copy_value(to, as, tk_batch_at(from, row, column));
}

static void put_row(struct tk_out *out, const struct tk_batch *cpu, size_t row,
                    const struct memory *memory, const struct tk_batch *nodes)
{
    static const size_t same[][2] = {
        {TK_PROC_CPU_TS_MS, TS_MS},
        {TK_PROC_CPU_PID, PID},
        {TK_PROC_CPU_DT_MS, DT_MS},
        {TK_PROC_CPU_CPU_MS, CPU_MS},
        {TK_PROC_CPU_NODE, NODE},
        {TK_PROC_CPU_HOST, HOST},
        {TK_PROC_CPU_START_TICKS, START_TICKS},
    };
    struct tk_batch *to = tk_out_begin(out);
    tk_str node = tk_batch_text(cpu, row, TK_PROC_CPU_NODE);
    int64_t mhz = find_frequency(nodes, node);
    uint32_t rss_kb;
    for (size_t i = 0; i < TK_COUNTOF(same); i++)
        copy_cell(cpu, row, same[i][0], to, same[i][1]);
    if (tk_map_find(&memory->rss_kb,
                    process_key(node, tk_batch_i64(cpu, row, TK_PROC_CPU_PID, -1),
                                tk_batch_i64(cpu, row, TK_PROC_CPU_START_TICKS, -1)),
                    &rss_kb))
        tk_batch_set_i64(to, RSS_KB, rss_kb);
    if (mhz > 0)
        tk_batch_set_i64(to, CPU_FREQ_MHZ, mhz);
}

/* Every interval of a process, with its memory at the end; intervals of no length are none. */
static int write_rows(int dirfd, struct tk_out *out, struct memory *memory,
                      const struct tk_batch *nodes, struct tk_err *err)
{
    struct tk_run_reader *reader = NULL;
    const struct tk_batch *cpu = NULL;
    int rc = tk_run_reader_new(dirfd, tk_tables[TK_TABLE_PROC_CPU].cctf, &tk_schema_proc_cpu,
                               &reader, err);
    if (rc < 0)
        return rc == -ENOENT ? 0 : rc;
    while ((rc = tk_run_reader_next(reader, &cpu, err)) == 0) {
        for (size_t row = 0; rc == 0 && row < cpu->rows; row++) {
            rc = memory_follow(memory, tk_batch_i64(cpu, row, TK_PROC_CPU_TS_MS, 0), err);
            if (rc == 0 && tk_batch_i64(cpu, row, TK_PROC_CPU_DT_MS, 0) > 0)
                put_row(out, cpu, row, memory, nodes);
        }
        if (rc < 0)
            break;
    }
    tk_run_reader_free(reader);
    return rc < 0 ? rc : 0;
}

static int write_proc_metrics(int dirfd, const char *path, struct tk_err *err)
{
    TK_CLEANUP(target_release) struct target target = {-1, TK_OUT_NONE};
    TK_CLEANUP(memory_release) struct memory memory = {0};
    TK_CLEANUP(tk_batch_freep) struct tk_batch *nodes = NULL;
    int rc = tk_objects_read(dirfd, tk_tables[TK_TABLE_NODES].cctf, &tk_schema_nodes, &nodes, err);
    if (rc < 0 && rc != -ENOENT)
        return rc;
    rc = target_open(&target, path, &schema, err);
    rc = rc < 0 ? rc : memory_open(&memory, dirfd, err);
    rc = rc < 0 ? rc : write_rows(dirfd, &target.out, &memory, nodes, err);
    return rc < 0 ? rc : tk_out_close(&target.out, err);
}

/* Both ---------------------------------------------------------------------------------------- */

static int write_files(const struct tk_merge_files *files, int dirfd, struct tk_err *err)
{
    int rc = files->invocations ? copy_invocations(dirfd, files->invocations, err) : 0;
    return rc == 0 && files->proc_metrics ? write_proc_metrics(dirfd, files->proc_metrics, err)
                                          : rc;
}

int tk_merge_to_files(const struct tk_merge_options *options, const struct tk_merge_files *files,
                      struct tk_merge_report *ret_report, struct tk_err *err)
{
    char scratch[PATH_MAX];
    TK_CLEANUP(tk_fd_close) int dirfd = -1;
    struct tk_merge_options merging = *options;
    int rc =
        find_parent(files->invocations ? files->invocations : files->proc_metrics, scratch, err);
    if (rc < 0)
        return rc;
    (void)strncat(scratch, "/.merge.XXXXXX", sizeof(scratch) - strlen(scratch) - 1);
    if (!mkdtemp(scratch))
        return tk_fail_errno(err, "%s", scratch);
    merging.to = scratch;
    rc = tk_merge(&merging, ret_report, err);
    rc = rc < 0 ? rc : tk_dir_open(AT_FDCWD, scratch, &dirfd, err);
    rc = rc < 0 ? rc : write_files(files, dirfd, err);
    tk_run_folder_clear(AT_FDCWD, scratch);
    (void)rmdir(scratch);
    return rc;
}
