/* SPDX-License-Identifier: Apache-2.0 */
/* Steps 2, 3 and 6 of parse: all event files become events.jsonl and cctf/invocations.jsonl. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/json.h"
#include "run/events.h"
#include "run/parse_internal.h"
#include "run/split.h"

#define FILE_MAX_BYTES ((size_t)8 << 30)

/* Texts of event files. Events are views of them. */
struct event_file {
    char *name; /* below the run folder */
    struct tk_buf text;
};

struct event_files {
    struct event_file *items;
    size_t count;
};

static void release_files(struct event_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        free(files->items[i].name);
        tk_buf_release(&files->items[i].text);
    }
    free(files->items);
    *files = (struct event_files){0};
}

static int add_file(struct event_files *files, const char *name, struct tk_err *err)
{
    struct event_file *items = realloc(files->items, (files->count + 1) * sizeof(*items));
    if (items)
        files->items = items;
    char *copy = items ? strdup(name) : NULL;
    if (!copy)
        return tk_fail(err, -ENOMEM, "%s: out of memory", name);
    struct event_file *file = &files->items[files->count++];
    *file = (struct event_file){.name = copy};
    tk_buf_init(&file->text, FILE_MAX_BYTES);
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct event_file *)a)->name, ((const struct event_file *)b)->name);
}

static int list_event_files(int dirfd, struct event_files *files, struct tk_err *err)
{
    int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    if (!folder) {
        int rc = tk_fail_errno(err, "run folder");
        tk_fd_close(&fd);
        return rc;
    }
    int rc = 0;
    const struct dirent *entry;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is ours alone */
    while (rc == 0 && (entry = readdir(folder))) {
        if (tk_run_is_events_file(tk_str_from(entry->d_name)))
            rc = add_file(files, entry->d_name, err);
    }
    (void)closedir(folder);
    if (files->count > 1)
        qsort(files->items, files->count, sizeof(files->items[0]), compare_names);
    return rc;
}

/* All event files by name, then the adapters' file; without any of them what an earlier parse
 * left. */
static int find_files(struct tk_parse *parse, struct event_files *files, struct tk_err *err)
{
    int rc = list_event_files(parse->in, files, err);
    if (rc < 0)
        return rc;
    char path[TK_SOURCE_MAX];
    const char *raw = tk_tables[TK_TABLE_INVOCATIONS].raw;
    if (!tk_parse_find_source(parse, TK_TABLE_INVOCATIONS, path))
        return 0;
    return files->count == 0 || strcmp(path, raw) == 0 ? add_file(files, path, err) : 0;
}

/* What was skipped in one file. */
struct skipped {
    uint64_t bad;
    uint64_t others;
    uint64_t torn;
    uint64_t first_line;
    struct tk_err first;
};

static void note_skipped(struct tk_parse *parse, const char *name, const struct skipped *skipped)
{
    parse->result.bad_events += skipped->bad;
    parse->result.non_objects += skipped->others;
    parse->result.torn += skipped->torn;
    if (skipped->bad > 0) {
        tk_parse_say(parse, TK_PARSE_WARNING, "%s:%llu: %s; skipped %llu in this file", name,
                     (unsigned long long)skipped->first_line, skipped->first.msg,
                     (unsigned long long)skipped->bad);
    }
    if (skipped->others > 0) {
        tk_parse_say(parse, TK_PARSE_WARNING, "%s: skipped %llu values that are no objects", name,
                     (unsigned long long)skipped->others);
    }
    if (skipped->torn > 0)
        tk_parse_say(parse, TK_PARSE_WARNING, "%s: skipped a last event that was cut short", name);
}

static void count_skipped(struct skipped *skipped, enum tk_split_kind kind, uint64_t line,
                          const struct tk_err *why)
{
    skipped->others += kind == TK_SPLIT_OTHER;
    skipped->torn += kind == TK_SPLIT_TORN;
    skipped->bad += kind == TK_SPLIT_BAD;
    if (kind == TK_SPLIT_BAD && skipped->bad == 1) {
        skipped->first_line = line;
        skipped->first = *why;
    }
}

static int take_file(struct tk_parse *parse, const struct event_file *file,
                     struct tk_events *events, struct tk_err *err)
{
    struct tk_split split = {.rest = tk_buf_str(&file->text)};
    struct skipped skipped = {0};
    struct tk_err why = {0};
    enum tk_split_kind kind;
    tk_str text;
    uint64_t line;
    while ((kind = tk_split_next(&split, &text, &line, &why)) != TK_SPLIT_END) {
        if (kind != TK_SPLIT_OBJECT) {
            count_skipped(&skipped, kind, line, &why);
            continue;
        }
        int rc = tk_events_add(events, text, err);
        if (rc < 0)
            return rc;
    }
    note_skipped(parse, file->name, &skipped);
    return 0;
}

static int take_files(struct tk_parse *parse, struct event_files *files, struct tk_events *events,
                      struct tk_err *err)
{
    for (size_t i = 0; i < files->count; i++) {
        struct event_file *file = &files->items[i];
        int rc = tk_file_load(parse->in, file->name, &file->text, err);
        if (rc == 0)
            rc = take_file(parse, file, events, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* Writing ------------------------------------------------------------------------------- */

/* The three files that events go to. */
struct event_outs {
    struct tk_out merged;
    struct tk_out cctf;
    struct tk_out cts; /* only when asked for */
};

static void release_outs(struct event_outs *outs)
{
    tk_out_release(&outs->merged);
    tk_out_release(&outs->cctf);
    tk_out_release(&outs->cts);
}

static int open_outs(const struct tk_parse *parse, struct event_outs *outs, struct tk_err *err)
{
    const char *name = tk_tables[TK_TABLE_INVOCATIONS].cctf;
    int rc = tk_out_open(&outs->merged, parse->out, "events.jsonl", NULL, err);
    if (rc == 0)
        rc = tk_out_open(&outs->cctf, parse->cctf, name, NULL, err);
    if (rc == 0 && parse->cts >= 0)
        rc = tk_out_open(&outs->cts, parse->cts, name, &tk_schema_cts_invocations, err);
    return rc;
}

static int close_outs(const struct tk_parse *parse, struct event_outs *outs, struct tk_err *err)
{
    int rc = tk_out_close(&outs->merged, err);
    if (rc == 0)
        rc = tk_out_close(&outs->cctf, err);
    if (rc == 0 && parse->cts >= 0)
        rc = tk_out_close(&outs->cts, err);
    return rc;
}

static void set_number(struct tk_batch *batch, size_t column, int64_t number)
{
    if (number != INT64_MIN)
        tk_batch_set_i64(batch, column, number);
}

static void put_cts(struct tk_out *out, const struct tk_event *event)
{
    struct tk_batch *batch = tk_out_begin(out);
    if (event->trace.n > 0)
        tk_batch_set_text(batch, TK_CTS_INVOCATIONS_TRACE_ID, event->trace);
    set_number(batch, TK_CTS_INVOCATIONS_PID, event->pid);
    set_number(batch, TK_CTS_INVOCATIONS_TS_ENQUEUE, event->enqueue_ms);
    set_number(batch, TK_CTS_INVOCATIONS_TS_START, event->start_ms);
    set_number(batch, TK_CTS_INVOCATIONS_TS_END, event->end_ms);
}

/* Whether the event lies in the range, or reaches into it. One without a time does not. */
static bool is_wanted(const struct tk_parse *parse, const struct tk_event *event)
{
    const struct tk_range *range = &parse->range;
    if (!parse->options->range)
        return true;
    int64_t begin_ms = event->enqueue_ms > 0 ? event->enqueue_ms : event->start_ms;
    begin_ms = begin_ms > 0 ? begin_ms : event->time_ms;
    int64_t end_ms = event->end_ms > begin_ms ? event->end_ms : begin_ms;
    return begin_ms > 0 && begin_ms <= (range->to_us - 1) / 1000 && end_ms >= range->from_us / 1000;
}

static void put_events(struct tk_parse *parse, const struct tk_events *events,
                       struct event_outs *outs, struct tk_buf *line)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf identity;
    tk_buf_init(&identity, 16 * sizeof(parse->node));
    tk_json_put_str(&identity, tk_str_from(parse->node));
    size_t split = identity.n;
    tk_json_put_str(&identity, tk_str_from(parse->stage));
    tk_str node = {identity.p, split};
    tk_str stage = {identity.p + split, identity.n - split};

    for (size_t i = 0; i < events->count; i++) {
        const struct tk_event *event = &events->items[i];
        if (event->is_duplicate)
            continue;
        if (!is_wanted(parse, event)) {
            parse->result.outside++;
            continue;
        }
        tk_buf_reset(line);
        tk_event_format(event, node, stage, line);
        tk_out_put_line(&outs->merged, tk_buf_str(line));
        tk_out_put_line(&outs->cctf, tk_buf_str(line));
        if (parse->cts >= 0)
            put_cts(&outs->cts, event);
    }
}

static int write_events(struct tk_parse *parse, const struct tk_events *events, struct tk_err *err)
{
    TK_CLEANUP(release_outs)
    struct event_outs outs = {TK_OUT_NONE, TK_OUT_NONE, TK_OUT_NONE};
    TK_CLEANUP(tk_buf_release) struct tk_buf line;
    tk_buf_init(&line, FILE_MAX_BYTES);
    int rc = open_outs(parse, &outs, err);
    if (rc < 0)
        return rc;
    put_events(parse, events, &outs, &line);
    rc = tk_buf_check(&line, "events", err);
    if (rc == 0)
        rc = close_outs(parse, &outs, err);
    parse->result.events = (uint64_t)outs.cctf.row_count;
    if (parse->options->range)
        parse->result.rows += parse->result.events;
    return rc;
}

static int merge(struct tk_parse *parse, struct event_files *files, struct tk_events *events,
                 struct tk_err *err)
{
    int rc = find_files(parse, files, err);
    if (rc == 0)
        rc = take_files(parse, files, events, err);
    if (rc == 0)
        rc = tk_events_mark_duplicates(events, &parse->result.duplicate_events, err);
    if (rc < 0)
        return rc;
    if (parse->result.duplicate_events > 0) {
        tk_parse_say(parse, TK_PARSE_WARNING, "dropped %llu exact duplicates of events",
                     (unsigned long long)parse->result.duplicate_events);
    }
    tk_events_join(events, &parse->exits);
    tk_events_sort(events);
    return write_events(parse, events, err);
}

int tk_parse_events(struct tk_parse *parse, struct tk_err *err)
{
    struct event_files files = {0};
    struct tk_events events = {0};
    int rc = merge(parse, &files, &events, err);
    tk_events_release(&events);
    release_files(&files);
    if (rc == 0) {
        tk_parse_say(parse, TK_PARSE_PROGRESS, "[parse] merged events → %s/events.jsonl",
                     parse->target);
    }
    return rc;
}
