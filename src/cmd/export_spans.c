/* SPDX-License-Identifier: Apache-2.0 */
/* The spans of a run as one file of another format, or as Parquet segments: copied, or anew.
 * Formats that want whole traces get them in the order of their first span: the rows are gathered
 * in as many passes over the segments as memory asks for, each with its share of the trace ids. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/human.h"
#include "cmd/export.h"
#include "run/out.h"
#include "run/run.h"
#include "segment/segment.h"
#include "span/span_join.h"
#include "span/trace_order.h"

#define PASS_SPANS ((size_t)1 << 19) /* expected in memory; there is room for twice as many */
#define CALL_SPANS ((size_t)4096)    /* that an encoder gets at once, when traces are no longer */
#define TEXT_FLUSH ((size_t)1 << 20)
#define TEXT_MAX   ((size_t)4 << 30)

struct export
{
    const char *folder; /* of the run */
    const struct tk_span_encoder *encoder;
    struct tk_segment_set *set;
    struct tk_out out;
    void *state; /* of the encoder */
    struct tk_buf text;
    uint64_t spans, readings;

    /* Of formats by trace. */
    struct tk_span_batch *batch;
    uint32_t passes, pass;

    struct tk_segment_sink *sink; /* of Parquet */
};

/* Spans out ------------------------------------------------------------------------------------ */

static int flush(struct export *export, size_t least, struct tk_err *err)
{
    int rc = tk_buf_check(&export->text, "spans", err);
    if (rc < 0 || export->text.n < least)
        return rc;
    tk_out_put(&export->out, tk_buf_str(&export->text));
    tk_buf_reset(&export->text);
    return 0;
}

static int encode(struct export *export, const struct tk_span_rows *rows, struct tk_err *err)
{
    export->spans += rows->n;
    int rc = export->encoder->spans(export->state, rows, &export->text, err);
    return rc < 0 ? rc : flush(export, TEXT_FLUSH, err);
}

/* Rows as they come, some at a time. */
static int visit_rows(void *user, const struct tk_span_rows *rows, struct tk_err *err)
{
    struct export *export = user;
    uint32_t chunk[CALL_SPANS];
    int rc = 0;
    for (size_t i = 0; i < rows->n && rc == 0;) {
        struct tk_span_rows part = {rows->batch, chunk, 0};
        for (; i < rows->n && part.n < CALL_SPANS; i++)
            chunk[part.n++] = (uint32_t)tk_span_rows_at(rows, i);
        rc = encode(export, &part, err);
    }
    return rc;
}

/* Traces --------------------------------------------------------------------------------------- */

/* Copy the rows whose traces are of this pass. */
static int visit_traces(void *user, const struct tk_span_rows *rows, struct tk_err *err)
{
    struct export *export = user;
    struct tk_span_copy *copy = NULL;
    int rc = tk_span_copy_new(export->batch, rows->batch, &copy, err);
    for (size_t i = 0; i < rows->n && rc == 0; i++) {
        size_t row = tk_span_rows_at(rows, i);
        if (tk_trace_part(rows->batch->trace_ids[row], export->passes) != export->pass)
            continue;
        rc = tk_span_copy_row(copy, row);
        if (rc == -ENOBUFS)
            rc = tk_fail(err, -EMSGSIZE, "a trace does not fit into memory");
    }
    tk_span_copy_free(copy);
    return rc;
}

/* The traces of the batch, earliest first, to the encoder: whole ones, several at a time. */
static int encode_traces(struct export *export, struct tk_err *err)
{
    TK_CLEANUP(tk_trace_list_release) struct tk_trace_list list;
    int rc = tk_trace_list_init(&list, export->batch, 0, err);
    uint32_t begin = 0;
    for (size_t i = 0; rc == 0 && i < list.count; i++) {
        uint32_t end = list.places[i].first + list.places[i].n;
        if (end - begin < CALL_SPANS && i + 1 < list.count)
            continue;
        rc = encode(export, &(struct tk_span_rows){export->batch, list.rows + begin, end - begin},
                    err);
        begin = end;
    }
    return rc;
}

static int export_traces(struct export *export, uint64_t spans, struct tk_err *err)
{
    const struct tk_span_query all = {0};
    size_t room = spans < PASS_SPANS ? (size_t)spans : 2 * PASS_SPANS;
    export->passes = (uint32_t)(spans / PASS_SPANS) + 1;
    int rc = tk_span_batch_new(room, &export->batch, err);
    for (export->pass = 0; export->pass < export->passes && rc == 0; export->pass++) {
        tk_span_batch_reset(export->batch);
        rc = tk_segment_set_scan(export->set, &all, visit_traces, export, err);
        rc = rc < 0 ? rc : encode_traces(export, err);
    }
    return rc;
}

/* Machines ------------------------------------------------------------------------------------- */

/* What is damaged there is told; the spans are all the same. */
static void tell_damaged(const struct export *export, const struct tk_decode_stats *stats)
{
    uint64_t bad = stats->bad_rows + stats->torn_rows;
    if (bad > 0) {
        (void)fprintf(
            stderr,
            "tracekit export: %s: left out %llu damaged row%s of host_metrics; the first: "
            "%s\n",
            export->folder, (unsigned long long)bad, tk_count_ending((int64_t)bad),
            stats->first_bad[0] ? stats->first_bad : "the last line is torn");
    }
}

/* The readings of the machines, where the run has some and the format a place for them. */
static int put_readings(struct export *export, struct tk_err *err)
{
    TK_CLEANUP(tk_fd_close) int run = -1;
    struct tk_run_reader *reader = NULL;
    const struct tk_batch *batch;
    if (!export->encoder->host)
        return 0;
    int rc = tk_dir_open(AT_FDCWD, export->folder, &run, err);
    rc = rc < 0 ? rc : tk_run_reader_open(run, TK_TABLE_HOST_METRICS, &reader, err);
    if (rc < 0 || !reader)
        return rc;
    while ((rc = tk_run_reader_next(reader, &batch, err)) == 0) {
        export->readings += batch->rows;
        rc = export->encoder->host(export->state, batch, &export->text, err);
        rc = rc < 0 ? rc : flush(export, TEXT_FLUSH, err);
        if (rc < 0)
            break;
    }
    tell_damaged(export, tk_run_reader_stats(reader));
    tk_run_reader_free(reader);
    return rc < 0 ? rc : 0;
}

/* A file --------------------------------------------------------------------------------------- */

static int write_spans(struct export *export, uint64_t spans, struct tk_err *err)
{
    const struct tk_span_encoder *encoder = export->encoder;
    const struct tk_span_query all = {0};
    export->state = calloc(1, encoder->state_size + 1);
    if (!export->state)
        return tk_fail(err, -ENOMEM, "out of memory");
    if (encoder->head)
        encoder->head(export->state, &export->text);
    int rc = encoder->by_trace ? export_traces(export, spans, err)
                               : tk_segment_set_scan(export->set, &all, visit_rows, export, err);
    rc = rc < 0 ? rc : put_readings(export, err);
    if (rc == 0 && encoder->tail)
        encoder->tail(export->state, &export->text);
    if (encoder->release)
        encoder->release(export->state);
    return rc < 0 ? rc : flush(export, 1, err);
}

static void show(const char *output, const char *name, uint64_t spans, uint64_t bytes)
{
    char count[TK_HUMAN_MAX];
    char size[TK_HUMAN_MAX];
    printf("%s/%s: %s span%s, %s\n", output, name, tk_count_format((int64_t)spans, count),
           tk_count_ending((int64_t)spans), tk_bytes_format((double)bytes, size));
}

static void show_readings(const struct export *export, const char *output, const char *name)
{
    char count[TK_HUMAN_MAX];
    if (export->readings > 0) {
        printf("%s/%s: %s reading%s of the machine beside them\n", output, name,
               tk_count_format((int64_t) export->readings, count),
               tk_count_ending((int64_t) export->readings));
    }
}

static int export_file(struct export *export, int out_dirfd, const char *output, uint64_t spans,
                       struct tk_err *err)
{
    char name[64];
    (void)snprintf(name, sizeof(name), "spans%s", export->encoder->ending);
    tk_buf_init(&export->text, TEXT_MAX);
    int rc = tk_out_open(&export->out, out_dirfd, name, NULL, err);
    rc = rc < 0 ? rc : write_spans(export, spans, err);
    rc = rc < 0 ? rc : tk_out_close(&export->out, err);
    if (rc == 0) {
        show(output, name, export->spans, (uint64_t) export->out.bytes);
        show_readings(export, output, name);
    }
    tk_out_release(&export->out); /* as long as its folder is open */
    return rc;
}

/* Parquet -------------------------------------------------------------------------------------- */

static int export_parquet(struct export *export, int out_dirfd, const char *output,
                          struct tk_err *err)
{
    TK_CLEANUP(tk_fd_close) int spans = -1;
    struct tk_segment_counts counts;
    int rc = tk_dir_make(out_dirfd, "spans", err);
    rc = rc < 0 ? rc : tk_dir_open(out_dirfd, "spans", &spans, err);
    rc = rc < 0 ? rc
                : tk_segment_sink_new(spans, &(struct tk_segment_opts){.no_log = true},
                                      &export->sink, err);
    rc = rc < 0 ? rc : tk_segment_set_copy(export->set, export->sink, err);
    rc = rc < 0 ? rc : tk_segment_sink_close(export->sink, err);
    if (rc < 0)
        return rc;
    tk_segment_sink_count(export->sink, &counts);
    show(output, "spans", counts.spans, counts.bytes);
    return 0;
}

/* A run ---------------------------------------------------------------------------------------- */

static void release(struct export *export)
{
    tk_segment_sink_free(export->sink);
    tk_segment_set_free(export->set);
    tk_span_batch_free(export->batch);
    tk_buf_release(&export->text);
    free(export->state);
}

static int export_set(const struct tk_export_format *format, struct export *export,
                      const char *output, uint64_t spans, struct tk_err *err)
{
    TK_CLEANUP(tk_fd_close) int out = -1;
    int rc = tk_dir_make(AT_FDCWD, output, err);
    rc = rc < 0 ? rc : tk_dir_open(AT_FDCWD, output, &out, err);
    if (rc < 0)
        return rc;
    export->encoder = format->spans;
    return format->spans ? export_file(export, out, output, spans, err)
                         : export_parquet(export, out, output, err);
}

int tk_export_spans(const struct tk_export_format *format, const char *folder, const char *output,
                    struct tk_err *err)
{
    TK_CLEANUP(tk_fd_close) int spans = -1;
    struct export export = {.folder = folder, .out = TK_OUT_NONE};
    struct tk_segment_totals totals;
    char path[PATH_MAX + 8];
    (void)snprintf(path, sizeof(path), "%s/spans", folder);
    int rc = tk_dir_open(AT_FDCWD, path, &spans, err);
    if (rc < 0)
        return rc == -ENOENT ? 1 : rc;
    rc = tk_segment_set_new(spans, false, &export.set, err);
    if (rc == 0) {
        tk_segment_set_count(export.set, &totals);
        rc = totals.spans == 0 ? 1 : export_set(format, &export, output, totals.spans, err);
    }
    release(&export);
    return rc < 0 ? tk_err_prefix(err, "%s", folder) : rc;
}

/* One format a line. */
/* clang-format off */
const struct tk_export_format tk_export_gent = {.name = "gent", .spans = &tk_span_encoder_gent, .has_spans = true};
const struct tk_export_format tk_export_jaeger = {.name = "jaeger", .spans = &tk_span_encoder_jaeger, .has_spans = true};
const struct tk_export_format tk_export_otlp_proto = {.name = "otlp-proto", .spans = &tk_span_encoder_otlp_proto, .has_spans = true};
const struct tk_export_format tk_export_perfetto = {.name = "perfetto", .spans = &tk_span_encoder_perfetto, .has_spans = true};
const struct tk_export_format tk_export_zipkin = {.name = "zipkin", .spans = &tk_span_encoder_zipkin, .has_spans = true};
/* clang-format on */
