/* SPDX-License-Identifier: Apache-2.0 */
/* Spans into a new run: RUN/spans as segments, and run.json. Memory holds a batch of spans, what is
 * known of duplicates, and a number per trace. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/human.h"
#include "base/json.h"
#include "base/map.h"
#include "cmd/identity.h"
#include "cmd/import.h"
#include "cmd/member.h"
#include "run/run.h"
#include "segment/segment.h"
#include "span/dedupe.h"
#include "span/trace_id.h"

#define MAX_SAME_SECOND 100
#define RECEIPT_MAX     ((size_t)1 << 16)
#define REST_NS         2000000 /* while a segment is written */

struct tk_span_import {
    const struct tk_cmd *cmd;
    const struct tk_import_opts *opts;
    struct tk_identity identity;
    size_t missing;    /* of the folder's path, before it was made: tk_dir_missing() */
    int folder, spans; /* descriptors */
    bool is_ours;      /* what is in the folder: spans/ was made there */
    bool is_whole;     /* the run is on the disk */
    struct tk_segment_sink *sink;
    struct tk_dedupe *dedupe; /* NULL = duplicates are kept */
    struct tk_span_tally tally;
    uint64_t repeats;               /* that a download brings along with several services */
    struct tk_map traces, services; /* hashes */
    uint8_t last_trace[16];
    int64_t first_ns, last_ns; /* first > last: no spans */
};

/* The run -------------------------------------------------------------------------------------- */

static int holds_run(const char *folder, struct tk_err *err)
{
    return tk_fail(err, -EEXIST, "%s: holds a run already; choose another folder with --output",
                   folder);
}

/* Make the folder; -EEXIST when it holds a run. Of several imports it is the one's that makes
 * spans/. */
static int make_folder(struct tk_span_import *import, struct tk_err *err)
{
    static const char *const marks[] = {"run.json", "cctf", "resources.jsonl"};
    const char *folder = import->identity.folder;
    import->missing = tk_dir_missing(folder);
    int rc = tk_run_folder_make(folder, err);
    rc = rc < 0 ? rc : tk_dir_open(AT_FDCWD, folder, &import->folder, err);
    for (size_t i = 0; i < TK_COUNTOF(marks) && rc == 0; i++) {
        if (faccessat(import->folder, marks[i], F_OK, 0) == 0)
            rc = holds_run(folder, err);
    }
    if (rc == 0 && mkdirat(import->folder, "spans", 0777) < 0)
        rc = errno == EEXIST ? holds_run(folder, err) : tk_fail_errno(err, "%s/spans", folder);
    import->is_ours = rc == 0;
    if (rc < 0) {
        tk_fd_close(&import->folder);
        tk_dir_unmake(folder, import->missing);
    }
    return rc;
}

/* Runs that nobody named are named by the second: the next one of the same second gets a number. */
static int open_run(struct tk_span_import *import, struct tk_err *err)
{
    const struct tk_import_opts *opts = import->opts;
    int rc = tk_identity_resolve(&(struct tk_identity_options){.folder = opts->output,
                                                               .node = opts->node,
                                                               .stage = opts->stage},
                                 &import->identity, err);
    rc = rc < 0 ? rc : make_folder(import, err);
    for (int n = 2; rc == -EEXIST && n <= MAX_SAME_SECOND && !import->identity.is_named; n++) {
        rc = tk_identity_renumber(&import->identity, n, err);
        rc = rc < 0 ? rc : make_folder(import, err);
    }
    return rc < 0 ? rc : tk_dir_open(import->folder, "spans", &import->spans, err);
}

int tk_span_import_new(const struct tk_cmd *cmd, const struct tk_import_opts *opts,
                       struct tk_span_import **ret_import, struct tk_err *err)
{
    struct tk_span_import *import = calloc(1, sizeof(*import));
    if (!import)
        return tk_fail(err, -ENOMEM, "out of memory");
    *import = (struct tk_span_import){.cmd = cmd,
                                      .opts = opts,
                                      .folder = -1,
                                      .spans = -1,
                                      .first_ns = INT64_MAX,
                                      .last_ns = INT64_MIN};
    int rc = open_run(import, err);
    if (rc == 0) {
        rc = tk_segment_sink_new(import->spans, &(struct tk_segment_opts){.no_log = true},
                                 &import->sink, err);
    }
    if (rc == 0 && !opts->keep_duplicates)
        rc = tk_dedupe_new(0, &import->dedupe, err);
    if (rc < 0) {
        tk_span_import_free(import);
    } else {
        *ret_import = import;
    }
    return rc;
}

/* Remove what there is of a run that is not whole. */
static void discard(const struct tk_span_import *import)
{
    (void)unlinkat(import->folder, tk_tables[TK_TABLE_RUN].raw, 0);
    tk_run_folder_clear(import->folder, "spans");
    (void)unlinkat(import->folder, "spans", AT_REMOVEDIR);
    tk_dir_unmake(import->identity.folder, import->missing);
}

void tk_span_import_free(struct tk_span_import *import)
{
    if (!import)
        return;
    tk_segment_sink_free(import->sink);
    if (import->is_ours && !import->is_whole)
        discard(import);
    tk_dedupe_free(import->dedupe);
    tk_map_release(&import->traces);
    tk_map_release(&import->services);
    tk_fd_close(&import->spans);
    tk_fd_close(&import->folder);
    free(import);
}

/* Rows ----------------------------------------------------------------------------------------- */

/* Count traces, services and the time that the rows from `first` on span. */
static int count_rows(struct tk_span_import *import, const struct tk_span_batch *batch,
                      size_t first)
{
    uint32_t last_service = UINT32_MAX;
    int rc = 0;
    for (size_t row = first; row < batch->rows && rc == 0; row++) {
        int64_t end = batch->start_ns[row] + batch->duration_ns[row];
        uint32_t service = tk_span_resource_of(batch, row)->service;
        import->first_ns = batch->start_ns[row] < import->first_ns ? batch->start_ns[row]
            : import->first_ns;
        import->last_ns = end > import->last_ns ? end : import->last_ns;
        if (memcmp(import->last_trace, batch->trace_ids[row], sizeof(import->last_trace)) != 0) {
            memcpy(import->last_trace, batch->trace_ids[row], sizeof(import->last_trace));
            rc = tk_map_add(&import->traces, tk_trace_id_hash(import->last_trace), 0);
        }
        if (rc == 0 && service != last_service && service != 0)
            rc = tk_map_add(&import->services, tk_hash_text(tk_span_service(batch, row)), 0);
        last_service = service;
    }
    return rc;
}

/* Hand the batch to the writer of segments, as soon as it can take one. */
static int seal(struct tk_span_import *import, struct tk_err *err)
{
    const struct timespec rest = {.tv_nsec = REST_NS};
    struct tk_span_batch *batch = tk_segment_sink_batch(import->sink);
    if (batch->rows == 0) {
        tk_span_batch_reset(batch);
        return 0;
    }
    int rc;
    while ((rc = tk_segment_sink_seal(import->sink, err)) == -EAGAIN)
        (void)nanosleep(&rest, NULL);
    return rc;
}

/* One call of the reader, and what it gave into the sink: 0, or 1 at the end of the text. */
static int read_batch(struct tk_span_import *import, const struct tk_span_reader *reader,
                      void *state, struct tk_span_input *input, struct tk_err *err)
{
    struct tk_span_batch *batch = tk_segment_sink_batch(import->sink);
    struct tk_span_tally tally = {0};
    size_t first = batch->rows;
    int rc = 0;
    int result = reader->read(state, input, batch, &tally, err);
    struct tk_err failure = *err;
    if (import->dedupe)
        rc = tk_dedupe_filter(import->dedupe, batch, first, &tally, err);
    if (rc == 0 && count_rows(import, batch, first) < 0)
        rc = tk_fail(err, -ENOMEM, "out of memory");
    if (import->opts->is_download) {
        import->repeats += tally.by_reason[TK_SPAN_DUPLICATE];
        tally.by_reason[TK_SPAN_DUPLICATE] = 0;
    }
    tk_span_tally_add(&import->tally, &tally);
    if (rc == 0 && result == 0)
        rc = seal(import, err);
    if (rc == 0 && result < 0)
        *err = failure;
    return rc < 0 ? rc : result;
}

int tk_span_import_text(struct tk_span_import *import, const char *name,
                        const struct tk_span_reader *reader, tk_str text, struct tk_err *err)
{
    const struct tk_import_opts *opts = import->opts;
    struct tk_span_input input = {
        .text = text, .maps = opts->maps.items, .map_count = opts->maps.count};
    void *state = NULL;
    if (opts->delimiter)
        input.delimiter = *opts->delimiter;
    int rc = reader->open(&state, err);
    while (rc == 0)
        rc = read_batch(import, reader, state, &input, err);
    reader->close(state);
    if (input.first_bad[0]) {
        (void)fprintf(stderr, "tracekit %s: %s: %s\n", import->cmd->name, name, input.first_bad);
    }
    return rc < 0 ? tk_err_prefix(err, "%s", name) : 0;
}

int tk_span_import_rows(struct tk_span_import *import, const struct tk_span_rows *rows,
                        struct tk_err *err)
{
    int rc = 0;
    for (size_t i = 0; i < rows->n && rc == 0;) {
        struct tk_span_batch *batch = tk_segment_sink_batch(import->sink);
        struct tk_span_copy *copy = NULL;
        size_t before = batch->rows;
        rc = tk_span_copy_new(batch, rows->batch, &copy, err);
        while (rc == 0 && i < rows->n) {
            rc = tk_span_copy_row(copy, tk_span_rows_at(rows, i));
            i += rc == 0;
        }
        tk_span_copy_free(copy);
        import->tally.spans += batch->rows - before;
        if ((rc == 0 || rc == -ENOBUFS) && count_rows(import, batch, before) < 0)
            return tk_fail(err, -ENOMEM, "out of memory");
        if (rc == -ENOBUFS) {
            rc = batch->rows > 0 ? seal(import, err)
                                 : tk_fail(err, -EMSGSIZE, "a span does not fit into memory");
        }
    }
    return rc;
}

/* The end -------------------------------------------------------------------------------------- */

static int write_run(const struct tk_span_import *import, struct tk_err *err)
{
    TK_CLEANUP(tk_batch_freep) struct tk_batch *run = NULL;
    int rc = tk_batch_new(&tk_schema_run, 1, RECEIPT_MAX, &run, err);
    if (rc < 0)
        return rc;
    bool has_spans = import->first_ns <= import->last_ns;
    tk_batch_begin(run);
    tk_batch_set_i64(run, TK_RUN_SCHEMA_VERSION, 2);
    tk_batch_set_text(run, TK_RUN_TOOL_VERSION, TK_STR(TK_VERSION));
    tk_batch_set_text(run, TK_RUN_RUN_ID, tk_str_from(import->identity.run_id));
    tk_batch_set_text(run, TK_RUN_NODE, tk_str_from(import->identity.node));
    tk_batch_set_text(run, TK_RUN_HOST, tk_str_from(import->identity.host));
    tk_batch_set_i64(run, TK_RUN_START_MS, has_spans ? import->first_ns / TK_NS_PER_MS : 0);
    tk_batch_set_i64(run, TK_RUN_STOP_MS, has_spans ? import->last_ns / TK_NS_PER_MS : 0);
    tk_batch_set_i64(run, TK_RUN_ROWS, 0);
    return tk_object_write(import->folder, tk_tables[TK_TABLE_RUN].raw, run, err);
}

static void put_json(const struct tk_span_import *import, const struct tk_segment_counts *counts,
                     struct tk_buf *out)
{
    bool has_spans = import->first_ns <= import->last_ns;
    tk_buf_putc(out, '{');
    tk_member_put_text(out, "run", tk_str_from(import->identity.folder));
    tk_member_put_i64(out, "traces", (int64_t)import->traces.count);
    tk_member_put_i64(out, "spans", (int64_t)import->tally.spans);
    tk_member_put_i64(out, "services", (int64_t)import->services.count);
    tk_member_put_i64(out, "first_ns", has_spans ? import->first_ns : -1);
    tk_member_put_i64(out, "last_ns", has_spans ? import->last_ns : -1);
    tk_member_put_i64(out, "refused", (int64_t)tk_span_tally_refused(&import->tally));
    tk_member_open(out, "by_reason", '{');
    for (size_t i = 0; i < TK_SPAN_REASON_COUNT; i++) {
        if (import->tally.by_reason[i] > 0)
            tk_member_put_i64(out, tk_span_reasons[i].name, (int64_t)import->tally.by_reason[i]);
    }
    tk_buf_putc(out, '}');
    tk_member_put_i64(out, "segments", (int64_t)counts->segments);
    tk_member_put_i64(out, "bytes", (int64_t)counts->bytes);
    tk_buf_lit(out, "}\n");
}

static void put_times(const struct tk_span_import *import, struct tk_buf *out)
{
    char first[TK_TIME_MAX];
    char last[TK_TIME_MAX];
    char length[TK_HUMAN_MAX];
    if (import->first_ns > import->last_ns)
        return;
    tk_buf_printf(out, "  dates   %s to %s, %s\n", tk_time_format_iso(import->first_ns, first),
                  tk_time_format_iso(import->last_ns, last),
                  tk_duration_format(import->last_ns - import->first_ns, length));
}

static void put_report(const struct tk_span_import *import, const struct tk_segment_counts *counts,
                       struct tk_buf *out)
{
    char spans[TK_HUMAN_MAX];
    char traces[TK_HUMAN_MAX];
    char bytes[TK_HUMAN_MAX];
    tk_buf_printf(out, "→ %s\n", import->identity.folder);
    tk_buf_printf(out, "  spans   %s of %s trace%s and %zu service%s\n",
                  tk_count_format((int64_t)import->tally.spans, spans),
                  tk_count_format((int64_t)import->traces.count, traces),
                  tk_count_ending((int64_t)import->traces.count), import->services.count,
                  tk_count_ending((int64_t)import->services.count));
    put_times(import, out);
    if (counts->spans > 0) {
        tk_buf_printf(out, "  disk    %s in %llu segment%s, %.1f bytes a span\n",
                      tk_bytes_format((double)counts->bytes, bytes),
                      (unsigned long long)counts->segments,
                      tk_count_ending((int64_t)counts->segments),
                      (double)counts->bytes / (double)counts->spans);
    }
    if (tk_span_tally_refused(&import->tally) > 0) {
        tk_buf_lit(out, "  refused ");
        tk_span_tally_format(&import->tally, true, out);
        tk_buf_putc(out, '\n');
    }
    if (import->repeats > 0) {
        tk_buf_printf(out, "  repeats %s span%s that came with several services\n",
                      tk_count_format((int64_t)import->repeats, spans),
                      tk_count_ending((int64_t)import->repeats));
    }
    size_t before = out->n;
    tk_buf_lit(out, "  mended  ");
    size_t empty = out->n;
    tk_span_tally_format(&import->tally, false, out);
    if (out->n == empty) {
        out->n = before;
    } else {
        tk_buf_putc(out, '\n');
    }
}

int tk_span_import_close(struct tk_span_import *import, struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    struct tk_segment_counts counts;
    tk_buf_init(&out, RECEIPT_MAX);
    int rc = tk_segment_sink_close(import->sink, err);
    rc = rc < 0 ? rc : write_run(import, err);
    if (rc < 0)
        return tk_err_prefix(err, "%s", import->identity.folder);
    import->is_whole = true;
    tk_segment_sink_count(import->sink, &counts);
    if (import->opts->json) {
        put_json(import, &counts, &out);
    } else {
        put_report(import, &counts, &out);
    }
    rc = tk_buf_check(&out, "receipt", err);
    if (rc == 0)
        (void)fwrite(out.p, 1, out.n, stdout);
    return rc;
}

/* Files ---------------------------------------------------------------------------------------- */

/* The text of a file and what reads it. */
static int open_file(const struct tk_import_opts *opts, const char *path,
                     struct tk_import_text *text, const struct tk_span_reader **ret_reader,
                     struct tk_err *err)
{
    int rc = tk_import_text_open(path, (uint64_t)opts->max_bytes, text, err);
    if (rc < 0)
        return rc;
    rc = tk_import_text_reader(text, opts->format, opts->maps.count > 0, ret_reader, err);
    return rc < 0 ? tk_err_prefix(err, "%s", path) : 0;
}

/* Import the files; those that cannot be read are told, in the exit status too. The run is made for
 * the first that can be: none when no file is, or when it cannot be made. */
static int import_each(const struct tk_cmd *cmd, const struct tk_import_opts *opts, int argc,
                       char **argv, struct tk_span_import **import)
{
    int status = TK_EXIT_OK;
    struct tk_err err;
    for (int i = 0; i < argc; i++) {
        TK_CLEANUP(tk_import_text_release) struct tk_import_text text = {0};
        const struct tk_span_reader *reader;
        if (open_file(opts, argv[i], &text, &reader, &err) < 0) {
            status = tk_cmd_fail(cmd, &err);
            continue;
        }
        int rc = *import ? 0 : tk_span_import_new(cmd, opts, import, &err);
        if (rc < 0 || !*import)
            return tk_cmd_fail(cmd, &err);
        if (tk_span_import_text(*import, argv[i], reader, text.text, &err) < 0)
            status = tk_cmd_fail(cmd, &err);
    }
    return status;
}

static int check_options(const struct tk_cmd *cmd, const struct tk_import_opts *opts)
{
    if (opts->format && !tk_span_reader_find(opts->format))
        return tk_cmd_usage(cmd, "option '--format': '%s' is no format of spans", opts->format);
    if (opts->delimiter && strlen(opts->delimiter) != 1)
        return tk_cmd_usage(cmd, "option '--delimiter': expected one character");
    return TK_EXIT_OK;
}

int tk_import_files(const struct tk_cmd *cmd, const struct tk_import_opts *opts, int argc,
                    char **argv)
{
    struct tk_span_import *import = NULL;
    struct tk_err err = {0};
    int status = check_options(cmd, opts);
    if (status != TK_EXIT_OK)
        return status;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "-") != 0 && access(argv[i], R_OK) < 0) {
            (void)tk_fail_errno(&err, "%s", argv[i]);
            return tk_cmd_fail(cmd, &err);
        }
    }
    status = import_each(cmd, opts, argc, argv, &import);
    if (!import)
        return status;
    if (tk_span_import_close(import, &err) < 0) {
        status = tk_cmd_fail(cmd, &err);
    } else if (import->tally.spans == 0 && tk_span_tally_refused(&import->tally) > 0) {
        status = TK_EXIT_FAILED;
    }
    tk_span_import_free(import);
    return status;
}
