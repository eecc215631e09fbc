/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of an old run. Host and link rows come from the logs where there are any: what the
 * first parser made of them lacks all CPU rows and carries the time of parsing. All other tables
 * are read and written by their schema, and gain the node and the host; events keep their text. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "run/import_internal.h"
#include "run/out.h"
#include "run/split.h"

#define EVENTS_MAX ((size_t)8 << 30)
#define EVENT_MAX  ((size_t)64 << 20) /* bytes of one event on one line */
#define PATH_SIZE  300

#define NONE SIZE_MAX

static bool is_file(int dirfd, const char *path)
{
    struct stat st;
    return fstatat(dirfd, path, &st, 0) == 0 && S_ISREG(st.st_mode);
}

/* Where a table lies in the old folder; false when nowhere. */
static bool find_source(const struct tk_import *import, enum tk_table table, char path[PATH_SIZE])
{
    static const char *const folders[] = {"cctf", "CTS"};
    const struct tk_table_files *files = &tk_tables[table];
    if (files->raw && is_file(import->in, files->raw)) {
        (void)snprintf(path, PATH_SIZE, "%s", files->raw);
        return true;
    }
    for (size_t i = 0; i < TK_COUNTOF(folders) && files->cctf; i++) {
        (void)snprintf(path, PATH_SIZE, "%s/%s", folders[i], files->cctf);
        if (is_file(import->in, path))
            return true;
    }
    return false;
}

/* Tables ------------------------------------------------------------------------------- */

/* What is read and written row by row, and which columns name the node. */
static const struct {
    enum tk_table table;
    size_t node, stage, host;
} tables[] = {
    {TK_TABLE_HOST_METRICS, TK_HOST_METRICS_NODE, TK_HOST_METRICS_STAGE, TK_HOST_METRICS_HOST},
    {TK_TABLE_LINK_METRICS, TK_LINK_METRICS_NODE, TK_LINK_METRICS_STAGE, TK_LINK_METRICS_HOST},
    {TK_TABLE_PROC_METRICS, TK_PROC_METRICS_NODE, NONE, TK_PROC_METRICS_HOST},
    {TK_TABLE_PROC_EVENTS, TK_PROC_EVENTS_NODE, NONE, NONE},
    {TK_TABLE_PROC_EXIT, TK_PROC_EXIT_NODE, NONE, NONE},
    {TK_TABLE_PLACEMENT_EVENTS, TK_PLACEMENT_EVENTS_NODE_ID, TK_PLACEMENT_EVENTS_STAGE, NONE},
    {TK_TABLE_SYSTEM_STATS, TK_SYSTEM_STATS_NODE, TK_SYSTEM_STATS_STAGE, NONE},
};

static void set_missing(struct tk_batch *batch, size_t column, const char *text)
{
    if (column != NONE && *text && !tk_batch_has(batch, batch->rows - 1, column))
        tk_batch_set_text(batch, column, tk_str_from(text));
}

static void copy_row(struct tk_import *import, size_t index, const struct tk_batch *from,
                     size_t row)
{
    struct tk_batch *to = tk_rows_begin(import->rows, tables[index].table);
    for (size_t c = 0; c < from->schema->column_count; c++) {
        if (tk_batch_has(from, row, c))
            tk_batch_copy_value(to, c, tk_batch_at(from, row, c));
    }
    set_missing(to, tables[index].node, import->report.node);
    set_missing(to, tables[index].stage, import->report.stage);
    set_missing(to, tables[index].host, import->report.host);
}

static void note_stats(struct tk_import *import, const char *path,
                       const struct tk_decode_stats *stats)
{
    import->report.bad_rows += stats->bad_rows;
    if (stats->bad_rows > 0) {
        tk_import_say(import, "%s: %s; rows skipped: %llu", path, stats->first_bad,
                      (unsigned long long)stats->bad_rows);
    }
    if (stats->torn_rows > 0)
        tk_import_say(import, "%s: skipped a last row that was cut short", path);
    if (stats->unknown_fields > 0) {
        tk_import_say(import, "%s: values that no table has, left out: %llu", path,
                      (unsigned long long)stats->unknown_fields);
    }
}

static int copy_table(struct tk_import *import, size_t index, const char *path, struct tk_err *err)
{
    struct tk_run_reader *reader;
    const struct tk_batch *batch;
    const struct tk_schema *schema = tk_tables[tables[index].table].schema;
    int rc = tk_run_reader_new(import->in, path, schema, &reader, err);
    if (rc < 0)
        return rc;
    while ((rc = tk_run_reader_next(reader, &batch, err)) == 0) {
        for (size_t row = 0; row < batch->rows; row++)
            copy_row(import, index, batch, row);
    }
    if (rc == 1)
        note_stats(import, path, tk_run_reader_stats(reader));
    tk_run_reader_free(reader);
    return rc < 0 ? rc : 0;
}

/* True when the logs give the rows of this table. */
static bool in_logs(const struct tk_import *import, enum tk_table table)
{
    const struct tk_rawlog *rawlog = import->rawlog;
    if (!rawlog)
        return false;
    if (table == TK_TABLE_LINK_METRICS)
        return tk_rawlog_stats(rawlog, TK_RAWLOG_NET)->present;
    return table == TK_TABLE_HOST_METRICS && (tk_rawlog_stats(rawlog, TK_RAWLOG_CPU)->present ||
                                              tk_rawlog_stats(rawlog, TK_RAWLOG_MEM)->present);
}

static int read_logs(struct tk_import *import, struct tk_err *err)
{
    struct tk_import_report *report = &import->report;
    struct tk_rawlog_node node = {
        .node = tk_str_from(report->node),
        .stage = tk_str_from(report->stage),
        .host = tk_str_from(report->host),
        .iface = tk_batch_text(import->node_meta, 0, TK_NODE_META_IFACE),
    };
    int rc = tk_rawlog_read(import->rawlog, &node, import->rows, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < TK_RAWLOG_KINDS; i++) {
        const struct tk_rawlog_stats *stats =
            tk_rawlog_stats(import->rawlog, (enum tk_rawlog_kind)i);
        report->logs[i] = *stats;
        if (stats->bad > 0) {
            tk_import_say(import, "%s; lines skipped: %llu", stats->first_bad.msg,
                          (unsigned long long)stats->bad);
        }
        if (stats->torn > 0) {
            tk_import_say(import, "%s: skipped a last line that was cut short",
                          tk_rawlog_name((enum tk_rawlog_kind)i));
        }
    }
    report->times = tk_rawlog_notices(import->rawlog);
    return 0;
}

static void say_times(struct tk_import *import)
{
    struct tk_rawlog_notices times = import->report.times;
    if (!import->rawlog)
        return;
    if (times.meridiem_as_utc) {
        tk_import_say(import, "cpu.log has times with AM and PM, taken as UTC; --log-tz tells "
                              "their zone");
    }
    if (times.zone_as_utc) {
        tk_import_say(import, "mem.log names the zone %s, taken as UTC; --log-tz tells it",
                      tk_rawlog_facts(import->rawlog)->zone);
    }
    if (times.reference == TK_RAWLOG_BY_MTIME)
        tk_import_say(import, "no log tells its date: guessed from when the files were written");
}

int tk_import_rows(struct tk_import *import, struct tk_err *err)
{
    int rc = import->rawlog ? read_logs(import, err) : 0;
    say_times(import);
    for (size_t i = 0; i < TK_COUNTOF(tables) && rc == 0; i++) {
        char path[PATH_SIZE];
        bool host = tables[i].table == TK_TABLE_HOST_METRICS;
        if (in_logs(import, tables[i].table) || !find_source(import, tables[i].table, path))
            continue;
        if (host) {
            tk_import_say(import, "cpu.log and mem.log are missing: host rows as %s has them",
                          path);
        }
        rc = copy_table(import, i, path, err);
    }
    return rc < 0 ? rc : tk_rows_flush(import->rows, err);
}

/* Events ------------------------------------------------------------------------------- */

/* Append an object on one line: white space between its parts goes, texts stay. */
static void put_on_one_line(struct tk_buf *out, tk_str text)
{
    if (tk_str_find(text, '\n') == text.n) {
        tk_buf_put(out, text);
        return;
    }
    bool in_text = false;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool space = c == ' ' || c == '\t' || c == '\r' || c == '\n';
        if (in_text && c == '\\') { /* whatever follows is of the text */
            tk_buf_putc(out, text.p[i++]);
        } else if (c == '"') {
            in_text = !in_text;
        } else if (space && !in_text) {
            continue;
        }
        tk_buf_putc(out, text.p[i]);
    }
}

static void add_times(struct tk_import *import, tk_str object)
{
    struct tk_json json;
    struct tk_err ignored;
    tk_str key;
    tk_json_init(&json, object);
    int rc = tk_json_enter_object(&json, &ignored);
    while (rc == 0 && (rc = tk_json_next_key(&json, NULL, &key, &ignored)) == 0) {
        int64_t ms;
        if ((tk_str_eq(key, TK_STR("ts_start")) || tk_str_eq(key, TK_STR("ts_end")) ||
             tk_str_eq(key, TK_STR("ts_enqueue"))) &&
            tk_json_read_i64(&json, &ms, &ignored) == 0) {
            tk_import_add_time(import, ms);
        } else {
            rc = tk_json_skip(&json, NULL, &ignored);
        }
    }
}

/* Counts of one file of events. */
struct event_counts {
    uint64_t bad;
    uint64_t torn;
    struct tk_err first_bad;
};

static void take_event(struct tk_import *import, struct tk_out *out, struct tk_buf *line,
                       tk_str object)
{
    tk_buf_reset(line);
    put_on_one_line(line, object);
    tk_out_put_line(out, tk_buf_str(line));
    add_times(import, object);
    import->report.rows[TK_TABLE_INVOCATIONS]++;
}

static void count_bad(struct event_counts *counts, uint64_t line, const char *why)
{
    if (counts->bad++ == 0)
        tk_fail(&counts->first_bad, -EBADMSG, "line %llu: %s", (unsigned long long)line, why);
}

static void take_events(struct tk_import *import, tk_str text, struct tk_out *out,
                        struct event_counts *counts)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf line;
    tk_buf_init(&line, EVENT_MAX);
    struct tk_split split = {text, 0};
    tk_str object;
    uint64_t number;
    struct tk_err why;
    for (;;) {
        switch (tk_split_next(&split, &object, &number, &why)) {
        case TK_SPLIT_END:
            return;
        case TK_SPLIT_OBJECT:
            take_event(import, out, &line, object);
            break;
        case TK_SPLIT_TORN:
            counts->torn++;
            break;
        case TK_SPLIT_OTHER:
            count_bad(counts, number, "no object");
            break;
        case TK_SPLIT_BAD:
            count_bad(counts, number, why.msg);
            break;
        }
    }
}

static int import_events_file(struct tk_import *import, const char *from, const char *to,
                              struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    TK_CLEANUP(tk_out_release) struct tk_out out = TK_OUT_NONE;
    struct event_counts counts = {0};
    tk_buf_init(&text, EVENTS_MAX);
    int rc = tk_file_load(import->in, from, &text, err);
    if (rc == 0)
        rc = tk_out_open(&out, import->out, to, NULL, err);
    if (rc < 0)
        return rc;
    take_events(import, tk_buf_str(&text), &out, &counts);
    import->report.bad_rows += counts.bad;
    if (counts.bad > 0) {
        tk_import_say(import, "%s: %s; texts skipped: %llu", from, counts.first_bad.msg,
                      (unsigned long long)counts.bad);
    }
    if (counts.torn > 0)
        tk_import_say(import, "%s: skipped a last event that was cut short", from);
    return tk_out_close(&out, err);
}

static int is_events_name(const struct dirent *entry)
{
    tk_str name = tk_str_from(entry->d_name);
    return tk_str_eq(name, TK_STR("invocations.jsonl")) ||
           (tk_str_starts_with(name, TK_STR("events.")) &&
            tk_str_ends_with(name, TK_STR(".jsonl")) && name.n > sizeof("events.jsonl") - 1);
}

/* All files that hold events, each under its name. *ret_count = how many there were. */
static int import_own_events(struct tk_import *import, int *ret_count, struct tk_err *err)
{
    struct dirent **entries;
    int count = scandirat(import->in, ".", &entries, is_events_name, alphasort);
    if (count < 0)
        return tk_fail_errno(err, "%s", import->options->from);
    int rc = 0;
    for (int i = 0; i < count; i++) {
        if (rc == 0)
            rc = import_events_file(import, entries[i]->d_name, entries[i]->d_name, err);
        free(entries[i]);
    }
    free(entries);
    *ret_count = count;
    return rc;
}

/* Without its own events, a folder may still hold what a parser merged. */
static int import_merged_events(struct tk_import *import, struct tk_err *err)
{
    static const char *const merged[] = {"events.jsonl", "cctf/invocations.jsonl",
                                         "CTS/invocations.jsonl"};
    for (size_t i = 0; i < TK_COUNTOF(merged); i++) {
        if (!is_file(import->in, merged[i]))
            continue;
        tk_import_say(import, "took the events from %s", merged[i]);
        return import_events_file(import, merged[i], tk_tables[TK_TABLE_INVOCATIONS].raw, err);
    }
    return 0;
}

/* Files that go over as they are, from the folder or from cctf/ in it. */
static int copy_documents(struct tk_import *import, struct tk_err *err)
{
    static const char *const names[] = {"run_meta.json", "module_inventory.json",
                                        "events_client.jsonl"};
    for (size_t i = 0; i < TK_COUNTOF(names); i++) {
        char path[PATH_SIZE];
        (void)snprintf(path, sizeof(path), "%s", names[i]);
        if (!is_file(import->in, path))
            (void)snprintf(path, sizeof(path), "cctf/%s", names[i]);
        if (!is_file(import->in, path))
            continue;
        TK_CLEANUP(tk_buf_release) struct tk_buf text;
        tk_buf_init(&text, EVENTS_MAX);
        int rc = tk_file_load(import->in, path, &text, err);
        if (rc == 0)
            rc = tk_file_write(import->out, names[i], tk_buf_str(&text), 0644, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int tk_import_events(struct tk_import *import, struct tk_err *err)
{
    int count = 0;
    int rc = import_own_events(import, &count, err);
    if (rc == 0 && count == 0)
        rc = import_merged_events(import, err);
    return rc < 0 ? rc : copy_documents(import, err);
}
