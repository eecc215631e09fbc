/* SPDX-License-Identifier: Apache-2.0 */
#include "run/verify.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "run/lines.h"
#include "run/recording.h"
#include "run/run.h"
#include "run/split.h"
#include "run/verify_internal.h"

#define OBJECT_MAX ((size_t)16 << 20) /* bytes of a file that is read whole */
#define EVENTS_MAX ((size_t)8 << 30)  /* likewise, of raw events */
#define NAMES_MAX  ((size_t)1 << 20)

const struct tk_verify_rule_about tk_verify_rules[TK_VERIFY_RULES] = {
    [TK_VERIFY_JSON] = {"json", true, "every line is one object, valid JSON"},
    [TK_VERIFY_TYPE] = {"type", true, "a field has the type that its table declares"},
    [TK_VERIFY_REQUIRED] = {"required", true, "a field that consumers need is there"},
    [TK_VERIFY_ROW_KIND] = {"row-kind", true, "a host row is either a CPU or a memory row"},
    [TK_VERIFY_ORDER] = {"order", true, "rows of a file ascend in time"},
    [TK_VERIFY_PROCESS_ORDER] = {"process-order", true,
                                 "each row of a process is later than the one before"},
    [TK_VERIFY_THREAD] = {"thread", true, "rows of a thread ascend, its counters do not go back"},
    [TK_VERIFY_EVENT_ORDER] = {"event-order", true, "ts_enqueue <= ts_start <= ts_end"},
    [TK_VERIFY_NEGATIVE_DT] = {"negative-dt", true, "intervals are not negative"},
    [TK_VERIFY_CAUSALITY] = {"causality", true, "a child does not start before its parent"},
    [TK_VERIFY_VERSION] = {"version", true, "the schema version is one that we know"},
    [TK_VERIFY_MISSING] = {"missing", true, "files that consumers need are there"},
    [TK_VERIFY_BLOCKS] = {"blocks", true, "every block of a recording can be read"},
    [TK_VERIFY_TORN] = {"torn", false, "the last line, or block, is whole"},
    [TK_VERIFY_GAP] = {"gap", false, "host and link rows lie at most 1.5 intervals apart"},
    [TK_VERIFY_COVERAGE] = {"coverage", false, "the process of an invocation, or thread, has rows"},
    [TK_VERIFY_CLOCK] = {"clock", false, "the clock was synchronised and did not step"},
    [TK_VERIFY_LOSS] = {"loss", false, "the recorder missed nothing and ended"},
};

/* Findings ------------------------------------------------------------------------- */

/* Whether a finding is told later: what a run lacks shows in its raw table and in the copy of it in
 * cctf/, and is counted there. */
static bool is_repeated(const struct tk_verify *verify, enum tk_verify_rule rule)
{
    return verify->has_copy && !tk_verify_rules[rule].is_error && rule != TK_VERIFY_TORN;
}

/* Count a finding; true when it is to be told. */
static bool count(struct tk_verify *verify, enum tk_verify_rule rule)
{
    struct tk_verify_result *result = verify->result;
    if (is_repeated(verify, rule))
        return false;
    result->counts[rule]++;
    verify->counts[rule]++;
    if (tk_verify_rules[rule].is_error) {
        result->errors++;
    } else {
        result->warnings++;
    }
    uint64_t most = verify->options->max_findings;
    return verify->told[rule]++ < most || most == 0;
}

static void tell(const struct tk_verify *verify, enum tk_verify_rule rule, uint64_t line,
                 const char *text)
{
    if (verify->options->found) {
        verify->options->found(verify->options->context,
                               &(struct tk_verify_finding){rule, verify->file, line, text});
    }
}

void tk_verify_add(struct tk_verify *verify, enum tk_verify_rule rule, uint64_t line,
                   const char *fmt, ...)
{
    char text[TK_ERR_MAX];
    va_list args;
    va_start(args, fmt);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): clang 14 overlooks va_start() here */
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (count(verify, rule))
        tell(verify, rule, line, text);
}

/* Sum up what was not told of the present file. */
static void tell_rest(struct tk_verify *verify)
{
    uint64_t most = verify->options->max_findings;
    for (size_t i = 0; i < TK_VERIFY_RULES; i++) {
        uint64_t rest = verify->told[i] - most;
        bool is_over = most > 0 && verify->told[i] > most;
        verify->told[i] = 0;
        if (!is_over)
            continue;
        char text[64];
        (void)snprintf(text, sizeof(text), "%llu more of these", (unsigned long long)rest);
        tell(verify, (enum tk_verify_rule)i, 0, text);
    }
}

/* Items ------------------------------------------------------------------------------ */

static void *no_memory(struct tk_verify *verify)
{
    if (verify->failure.code == 0)
        tk_fail(&verify->failure, -ENOMEM, "verify: out of memory");
    return NULL;
}

void *tk_verify_push(struct tk_verify *verify, struct tk_verify_list *list)
{
    if (list->count == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 64;
        char *items = cap <= UINT32_MAX ? reallocarray(list->items, cap, list->size) : NULL;
        if (!items)
            return no_memory(verify);
        list->items = items;
        list->cap = cap;
    }
    void *item = tk_verify_at(list, list->count++);
    memset(item, 0, list->size);
    return item;
}

void tk_verify_put(struct tk_verify *verify, struct tk_map *map, uint64_t key, uint32_t value)
{
    if (tk_map_add(map, key, value) < 0)
        (void)no_memory(verify);
}

void *tk_verify_item(struct tk_verify *verify, struct tk_verify_keyed *keyed, uint64_t key)
{
    uint32_t index;
    if (tk_map_find(&keyed->map, key, &index))
        return tk_verify_at(&keyed->list, index);
    void *item = tk_verify_push(verify, &keyed->list);
    if (item)
        tk_verify_put(verify, &keyed->map, key, (uint32_t)(keyed->list.count - 1));
    return item;
}

/* One table ---------------------------------------------------------------------------- */

/* A last line that is no JSON was cut short when the writer was stopped. */
static bool is_torn(const struct tk_line *line)
{
    struct tk_json json;
    struct tk_err why;
    if (!line->torn)
        return false;
    tk_json_init(&json, line->text);
    return tk_json_skip(&json, NULL, &why) < 0 || tk_json_expect_end(&json, &why) < 0;
}

static void check_text(struct tk_verify *verify, enum tk_table table, tk_str text, uint64_t line)
{
    struct tk_row row;
    verify->result->rows++;
    if (tk_verify_row(verify, tk_tables[table].schema, text, line, &row))
        tk_verify_rules_row(verify, table, &row);
}

static int check_lines(struct tk_verify *verify, enum tk_table table, const char *name,
                       struct tk_err *err)
{
    struct tk_lines lines;
    struct tk_line line;
    int rc = tk_lines_open(&lines, verify->dirfd, name, err);
    if (rc < 0)
        return rc;
    while ((rc = tk_lines_next(&lines, &line, err)) == 0) {
        if (line.too_long) {
            tk_verify_add(verify, TK_VERIFY_JSON, line.number, "longer than %zu bytes",
                          TK_LINE_MAX);
        } else if (is_torn(&line)) {
            tk_verify_add(verify, TK_VERIFY_TORN, line.number, "the last line is cut short");
        } else if (tk_str_trim(line.text).n > 0) {
            check_text(verify, table, line.text, line.number);
        }
    }
    tk_lines_close(&lines);
    return rc < 0 ? rc : 0;
}

/* The line of a text that `at` points into. */
static uint64_t line_at(tk_str text, const char *at)
{
    uint64_t line = 1;
    for (const char *p = text.p; p < at; p++)
        line += *p == '\n';
    return line;
}

static void check_array(struct tk_verify *verify, enum tk_table table, tk_str text)
{
    struct tk_json json;
    struct tk_err why;
    tk_json_init(&json, text);
    int rc = tk_json_enter_array(&json, &why);
    while (rc == 0 && (rc = tk_json_next_element(&json, &why)) == 0) {
        tk_str raw;
        rc = tk_json_skip(&json, &raw, &why);
        if (rc == 0)
            check_text(verify, table, raw, line_at(text, raw.p));
    }
    if (rc >= 0)
        rc = tk_json_expect_end(&json, &why);
    if (rc < 0)
        tk_verify_add(verify, TK_VERIFY_JSON, 0, "%s", why.msg);
}

/* Raw events may be objects over several lines; parse reads them all the same. */
static void check_events(struct tk_verify *verify, tk_str text)
{
    struct tk_split split = {text, 0};
    tk_str value;
    uint64_t line = 0;
    struct tk_err why;
    for (;;) {
        switch (tk_split_next(&split, &value, &line, &why)) {
        case TK_SPLIT_END:
            return;
        case TK_SPLIT_OBJECT:
        case TK_SPLIT_OTHER:
            check_text(verify, TK_TABLE_INVOCATIONS, value, line);
            break;
        case TK_SPLIT_BAD:
            tk_verify_add(verify, TK_VERIFY_JSON, line, "%s", why.msg);
            break;
        case TK_SPLIT_TORN:
            tk_verify_add(verify, TK_VERIFY_TORN, line, "the last event is cut short");
            break;
        }
    }
}

static int check_whole(struct tk_verify *verify, enum tk_table table, const char *name,
                       struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf buf;
    tk_buf_init(&buf, table == TK_TABLE_INVOCATIONS ? EVENTS_MAX : OBJECT_MAX);
    int rc = tk_file_load(verify->dirfd, name, &buf, err);
    if (rc < 0)
        return rc;
    if (table == TK_TABLE_INVOCATIONS) {
        check_events(verify, tk_buf_str(&buf));
    } else if (tk_tables[table].layout == TK_LAYOUT_ARRAY) {
        check_array(verify, table, tk_buf_str(&buf));
    } else {
        check_text(verify, table, tk_buf_str(&buf), 1);
    }
    return 0;
}

/* cctf/ has the table too, and is checked after this folder. */
static bool has_copy(const struct tk_verify *verify, enum tk_table table)
{
    const char *name = tk_tables[table].cctf;
    return verify->cctf >= 0 && name && faccessat(verify->cctf, name, F_OK, 0) == 0;
}

/* Check a file; one that is missing is none of our business here. */
static int check_file(struct tk_verify *verify, enum tk_table table, const char *name,
                      struct tk_err *err)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s%s", verify->prefix, name);
    tk_str copy = tk_arena_copy(&verify->names, (tk_str){path, strlen(path) + 1});
    if (!copy.p)
        return tk_fail(err, -EMSGSIZE, "%s: too many files", verify->options->folder);
    verify->file = copy.p;
    verify->file_number++;
    verify->newest_us = INT64_MIN;
    verify->has_copy = has_copy(verify, table);

    bool raw_events = table == TK_TABLE_INVOCATIONS && !verify->in_cctf;
    bool whole = raw_events || tk_tables[table].layout != TK_LAYOUT_LINES;
    int rc = whole ? check_whole(verify, table, name, err) : check_lines(verify, table, name, err);
    if (rc == -ENOENT)
        return 0;
    if (rc < 0)
        return tk_err_prefix(err, "%s", verify->options->folder);
    verify->result->files++;
    verify->files++;
    tk_verify_rules_end_file(verify, table);
    tell_rest(verify);
    return 0;
}

/* One folder -------------------------------------------------------------------------- */

static int is_events_file(const struct dirent *entry)
{
    return tk_run_is_events_file(tk_str_from(entry->d_name));
}

/* Raw events lie in one file per program or process. */
static int check_events_files(struct tk_verify *verify, struct tk_err *err)
{
    struct dirent **entries;
    int count = scandirat(verify->dirfd, ".", &entries, is_events_file, alphasort);
    if (count < 0)
        return tk_fail_errno(err, "%s", verify->options->folder);
    int rc = 0;
    for (int i = 0; i < count; i++) {
        if (rc == 0)
            rc = check_file(verify, TK_TABLE_INVOCATIONS, entries[i]->d_name, err);
        free(entries[i]);
    }
    free(entries);
    return rc;
}

/* Facts before rows, processes before the invocations that name them. */
static const enum tk_table walk[] = {
    TK_TABLE_RUN,
    TK_TABLE_NODE_META,
    TK_TABLE_LINK_META,
    TK_TABLE_RUN_META,
    TK_TABLE_MODULE_INVENTORY,
    TK_TABLE_NODES,
    TK_TABLE_LINKS,
    TK_TABLE_CLOCK,
    TK_TABLE_SELF,
    TK_TABLE_HOST_METRICS,
    TK_TABLE_LINK_METRICS,
    TK_TABLE_DISK_METRICS,
    TK_TABLE_INTERRUPT_METRICS,
    TK_TABLE_NUMA_METRICS,
    TK_TABLE_FS_METRICS,
    TK_TABLE_GPU_METRICS,
    TK_TABLE_GPU_PROC_METRICS,
    TK_TABLE_CGROUP_METRICS,
    TK_TABLE_PROC_METRICS,
    TK_TABLE_PROC_CPU,
    TK_TABLE_PROC_RSS,
    TK_TABLE_PROC_EVENTS,
    TK_TABLE_PROC_EXIT,
    TK_TABLE_THREAD_METRICS,
    TK_TABLE_PROC_CONTEXT,
    TK_TABLE_PLACEMENT_EVENTS,
    TK_TABLE_SYSTEM_STATS,
    TK_TABLE_INVOCATIONS,
};
_Static_assert(TK_COUNTOF(walk) == TK_TABLE_COUNT, "every table is checked");

/* The rows of a recording are checked as lines of their tables; here it is whether all come. */
static int check_recording(struct tk_verify *verify, struct tk_err *err)
{
    struct tk_recording_report report;
    if (verify->in_cctf)
        return 0;
    int rc = tk_recording_check(verify->dirfd, &report, err);
    if (rc < 0)
        return rc == -ENOENT ? 0 : tk_err_prefix(err, "%s", verify->options->folder);
    verify->file = TK_RECORDING_FILE;
    verify->has_copy = false;
    if (report.damaged + report.lost_blocks > 0) {
        tk_verify_add(verify, TK_VERIFY_BLOCKS, 0,
                      "%llu damaged places, %llu blocks that build on a lost one: at least %llu "
                      "rows are lost",
                      (unsigned long long)report.damaged, (unsigned long long)report.lost_blocks,
                      (unsigned long long)report.lost_rows);
    }
    if (report.torn)
        tk_verify_add(verify, TK_VERIFY_TORN, 0, "the last block is cut short");
    tell_rest(verify);
    return 0;
}

static int check_tables(struct tk_verify *verify, struct tk_err *err)
{
    int rc = check_recording(verify, err);
    for (size_t i = 0; i < TK_COUNTOF(walk) && rc == 0; i++) {
        const struct tk_table_files *files = &tk_tables[walk[i]];
        const char *name = verify->in_cctf ? files->cctf : files->raw;
        if (name)
            rc = check_file(verify, walk[i], name, err);
    }
    if (rc == 0 && !verify->in_cctf)
        rc = check_events_files(verify, err);
    return rc;
}

static bool is_there(const struct tk_verify *verify, const char *name)
{
    return faccessat(verify->dirfd, name, F_OK, 0) == 0;
}

/* What `parse -o` wrote has its node in cctf/ alone. */
static void check_missing(struct tk_verify *verify)
{
    const char *name = verify->in_cctf ? "nodes.json" : "node_meta.json";
    if (verify->files == 0 || is_there(verify, name) ||
        (!verify->in_cctf && is_there(verify, "cctf/nodes.json")))
        return;
    char path[64];
    (void)snprintf(path, sizeof(path), "%s%s", verify->prefix, name);
    verify->file = path;
    tk_verify_add(verify, TK_VERIFY_MISSING, 0, "the file is missing");
    tell_rest(verify);
}

static int write_report(struct tk_verify *verify, struct tk_err *err)
{
    if (!verify->options->write_report || faccessat(verify->dirfd, ".", W_OK, AT_EACCESS) < 0)
        return 0;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, OBJECT_MAX);
    tk_verify_report_format(verify, &out);
    int rc = tk_buf_check(&out, "audit_report.md", err);
    if (rc == 0)
        rc = tk_file_write(verify->dirfd, "audit_report.md", tk_buf_str(&out), 0644, err);
    verify->result->report_written |= rc == 0;
    return rc;
}

static void keyed_release(struct tk_verify_keyed *keyed)
{
    free(keyed->list.items);
    tk_map_release(&keyed->map);
}

int tk_verify_init(struct tk_verify *verify, const struct tk_verify_options *options,
                   struct tk_verify_result *result, struct tk_err *err)
{
    *verify = (struct tk_verify){.options = options,
                                 .result = result,
                                 .dirfd = -1,
                                 .prefix = "",
                                 .cctf = -1,
                                 .file = "",
                                 .newest_us = INT64_MIN,
                                 .clock_error_us = -1};
    verify->procs.processes.list.size = sizeof(struct tk_verify_process);
    verify->procs.threads.list.size = sizeof(struct tk_verify_thread);
    verify->procs.pids.list.size = sizeof(struct tk_verify_pid);
    verify->clocks.list.size = sizeof(struct tk_verify_clock);
    verify->series.list.size = sizeof(struct tk_verify_series);
    verify->invocations.size = sizeof(struct tk_verify_invocation);
    int rc = tk_arena_init(&verify->names, NAMES_MAX, err);
    return rc < 0 ? rc : tk_arena_init(&verify->scratch, TK_LINE_MAX + OBJECT_MAX, err);
}

void tk_verify_release(struct tk_verify *verify)
{
    keyed_release(&verify->procs.processes);
    keyed_release(&verify->procs.threads);
    keyed_release(&verify->procs.pids);
    keyed_release(&verify->clocks);
    keyed_release(&verify->series);
    tk_map_release(&verify->procs.started);
    tk_map_release(&verify->spans);
    free(verify->invocations.items);
    tk_arena_release(&verify->names);
    tk_arena_release(&verify->scratch);
}

/* Check the tables of the folder that `verify` was set to; *ret_files tells how many there were. */
static int check_folder(struct tk_verify *verify, uint64_t *ret_files, struct tk_err *err)
{
    int rc = check_tables(verify, err);
    if (rc < 0)
        return rc;
    check_missing(verify);
    verify->has_copy = has_copy(verify, TK_TABLE_INVOCATIONS);
    tk_verify_rules_end(verify);
    tell_rest(verify);
    *ret_files = verify->files;
    if (verify->failure.code < 0) {
        *err = verify->failure;
        return err->code;
    }
    return verify->in_cctf ? write_report(verify, err) : 0;
}

/* Check the raw tables of a run; `cctf` has copies of them, -1 = there is none. */
static int check_raw(const struct tk_verify_options *options, int dirfd, int cctf,
                     struct tk_verify_result *result, uint64_t *ret_files, struct tk_err *err)
{
    TK_CLEANUP(tk_verify_release) struct tk_verify verify;
    int rc = tk_verify_init(&verify, options, result, err);
    verify.dirfd = dirfd;
    verify.cctf = cctf;
    return rc < 0 ? rc : check_folder(&verify, ret_files, err);
}

static int check_cctf(const struct tk_verify_options *options, int dirfd, const char *prefix,
                      struct tk_verify_result *result, uint64_t *ret_files, struct tk_err *err)
{
    TK_CLEANUP(tk_verify_release) struct tk_verify verify;
    int rc = tk_verify_init(&verify, options, result, err);
    verify.dirfd = dirfd;
    verify.prefix = prefix;
    verify.in_cctf = true;
    return rc < 0 ? rc : check_folder(&verify, ret_files, err);
}

static int check_run(const struct tk_verify_options *options, int dirfd,
                     struct tk_verify_result *result, struct tk_err *err)
{
    uint64_t raw_files = 0;
    uint64_t cctf_files = 0;
    if (faccessat(dirfd, "nodes.json", F_OK, 0) == 0) /* a cctf/ itself */
        return check_cctf(options, dirfd, "", result, &cctf_files, err);
    TK_CLEANUP(tk_fd_close) int cctf = openat(dirfd, "cctf", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = check_raw(options, dirfd, cctf, result, &raw_files, err);
    if (rc == 0 && cctf >= 0)
        rc = check_cctf(options, cctf, "cctf/", result, &cctf_files, err);
    if (rc == 0 && raw_files + cctf_files == 0)
        return tk_fail(err, -ENOENT, "%s: holds no table of a run", options->folder);
    return rc;
}

int tk_verify(const struct tk_verify_options *options, struct tk_verify_result *ret_result,
              struct tk_err *err)
{
    struct tk_verify_result result = {0};
    TK_CLEANUP(tk_fd_close) int dirfd = -1;
    int rc = tk_dir_open(AT_FDCWD, options->folder, &dirfd, err);
    if (rc == 0)
        rc = check_run(options, dirfd, &result, err);
    if (rc == 0)
        *ret_result = result;
    return rc;
}
