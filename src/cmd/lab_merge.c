/* SPDX-License-Identifier: Apache-2.0 */
/* tracekit lab merge: traces of an incident among normal ones, as a file of spans and a file of
 * labels, which says which traces are the incident's. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/human.h"
#include "base/json.h"
#include "base/number.h"
#include "cmd/lab.h"
#include "cmd/member.h"
#include "cmd/span_input.h"
#include "cmd/span_store.h"
#include "lab/merge.h"
#include "run/out.h"
#include "span/span_format.h"
#include "span/trace_order.h"

#define MOST_ROWS  ((size_t)1 << 20) /* of both sets */
#define PART_ROWS  ((size_t)1 << 16)
#define TEXT_MAX   ((size_t)4 << 30)
#define TEXT_FLUSH ((size_t)1 << 20)

enum { NORMAL, INCIDENT, SETS };

/* A set of traces: rows of the batch, traces by start. */
struct set {
    struct tk_trace_list list;
    int64_t *starts_ns; /* owned; of its traces */
};

struct merge {
    const struct tk_lab_call *call;
    struct tk_span_batch *batch; /* the spans of both */
    struct set sets[SETS];
    struct tk_lab_picks picks;
    struct tk_lab_exp exp;
    struct tk_lab_window window;
    int64_t shift_ns;
};

static void merge_release(struct merge *merge)
{
    tk_span_batch_free(merge->batch);
    for (int i = 0; i < SETS; i++) {
        tk_trace_list_release(&merge->sets[i].list);
        free(merge->sets[i].starts_ns);
    }
    tk_lab_picks_release(&merge->picks);
}

/* Reading -------------------------------------------------------------------------------------- */

static int copy_part(struct tk_span_batch *to, const struct tk_span_batch *part, struct tk_err *err)
{
    struct tk_span_copy *copy = NULL;
    int rc = tk_span_copy_new(to, part, &copy, err);
    for (size_t row = 0; rc == 0 && row < part->rows; row++) {
        if (tk_span_copy_row(copy, row) < 0)
            rc = tk_fail(err, -EMSGSIZE, "more than %zu spans in both sets", MOST_ROWS);
    }
    tk_span_copy_free(copy);
    return rc;
}

static int read_spans(struct merge *merge, const char *name, struct tk_err *err)
{
    TK_CLEANUP(tk_span_inputs_freep) struct tk_span_inputs *inputs = NULL;
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *part = NULL;
    const struct tk_span_input_options options = {.format = merge->call->opts->input_format,
                                                  .format_option = "--input-format"};
    int rc = tk_span_inputs_new(merge->call->cmd, &name, 1, &options, &inputs, err);
    rc = rc < 0 ? rc : tk_span_batch_new(PART_ROWS, &part, err);
    if (rc < 0)
        return rc;
    const struct tk_span_source source = tk_span_inputs_source(inputs);
    while (rc == 0) {
        tk_span_batch_reset(part);
        rc = source.read(source.context, part, err);
        int copied = rc < 0 ? 0 : copy_part(merge->batch, part, err);
        rc = copied < 0 ? copied : rc;
    }
    if (rc > 0)
        tk_span_inputs_warn(inputs);
    return rc < 0 ? rc : 0;
}

/* The rows of the batch from `begin` on as a set. */
static int arrange(const struct tk_span_batch *batch, size_t begin, struct set *set,
                   struct tk_err *err)
{
    int rc = tk_trace_list_init(&set->list, batch, begin, err);
    if (rc < 0)
        return rc;
    set->starts_ns = calloc(set->list.count + 1, sizeof(*set->starts_ns));
    if (!set->starts_ns)
        return tk_fail(err, -ENOMEM, "traces: out of memory");
    for (size_t i = 0; i < set->list.count; i++)
        set->starts_ns[i] = set->list.places[i].start_ns;
    return 0;
}

static int read_sets(struct merge *merge, struct tk_err *err)
{
    int rc = tk_span_batch_new(MOST_ROWS, &merge->batch, err);
    for (int i = 0; rc == 0 && i < SETS; i++) {
        size_t begin = merge->batch->rows;
        rc = read_spans(merge, merge->call->argv[i], err);
        rc = rc < 0 ? rc : arrange(merge->batch, begin, &merge->sets[i], err);
        if (rc == 0 && merge->sets[i].list.count == 0)
            rc = tk_fail(err, -ENODATA, "%s: no traces", merge->call->argv[i]);
    }
    return rc;
}

/* Options -------------------------------------------------------------------------------------- */

/* "5m:1m". */
static int parse_window(const char *text, struct tk_lab_window *window, struct tk_err *err)
{
    char start[64];
    char length[64];
    tk_str whole = tk_str_from(text);
    size_t colon = tk_str_find(whole, ':');
    bool ok =
        colon < whole.n && tk_str_to_cstr((tk_str){text, colon}, start, sizeof(start)) &&
        tk_str_to_cstr((tk_str){text + colon + 1, whole.n - colon - 1}, length, sizeof(length)) &&
        tk_duration_parse(start, &window->start_ns) &&
        tk_duration_parse(length, &window->length_ns) && window->length_ns > 0;
    return ok ? 0
              : tk_fail(err, -EINVAL, "option '--window': '%s' is no START:LENGTH such as 5m:1m",
                        text);
}

static int parse(struct merge *merge, struct tk_err *err)
{
    const struct tk_lab_opts *opts = merge->call->opts;
    merge->exp = (struct tk_lab_exp){.least = (uint64_t)opts->traces, .seed = (uint64_t)opts->seed};
    if (!opts->output)
        return tk_fail(err, -EINVAL, "merge: --output FILE says where the traces go");
    if (!opts->exp == !opts->window)
        return tk_fail(err, -EINVAL, "merge: expected --exp LAMBDA or --window START:LENGTH");
    if (!tk_span_encoder_find(opts->to))
        return tk_fail(err, -EINVAL, "option '--to': '%s' is no format that is written", opts->to);
    if (opts->window)
        return parse_window(opts->window, &merge->window, err);
    bool ok = tk_parse_f64(tk_str_from(opts->exp), &merge->exp.lambda) && merge->exp.lambda > 0;
    return ok ? 0 : tk_fail(err, -EINVAL, "option '--exp': '%s' is no number above 0", opts->exp);
}

/* Merging -------------------------------------------------------------------------------------- */

static struct tk_lab_starts starts_of(const struct set *set)
{
    return (struct tk_lab_starts){set->starts_ns, (uint32_t)set->list.count};
}

/* Move a row and its events in time. */
static void move_row(struct tk_span_batch *batch, uint32_t row, int64_t shift_ns)
{
    uint32_t end = batch->event_ends[row];
    batch->start_ns[row] += shift_ns;
    for (uint32_t i = row > 0 ? batch->event_ends[row - 1] : 0; i < end; i++)
        batch->events[i].time_ns += shift_ns;
}

static int merge_sets(struct merge *merge, struct tk_err *err)
{
    const struct set *normal = &merge->sets[NORMAL];
    const struct set *incident = &merge->sets[INCIDENT];
    if (!merge->call->opts->window) {
        return tk_lab_merge_exp((uint32_t)normal->list.count, (uint32_t)incident->list.count,
                                &merge->exp, &merge->picks, err);
    }
    struct tk_lab_starts benign = starts_of(normal);
    struct tk_lab_starts moved = starts_of(incident);
    merge->window.start_ns += normal->starts_ns[0];
    int rc =
        tk_lab_merge_window(&benign, &moved, &merge->window, &merge->shift_ns, &merge->picks, err);
    for (size_t i = 0; rc == 0 && i < incident->list.row_count; i++)
        move_row(merge->batch, incident->list.rows[i], merge->shift_ns);
    return rc;
}

/* Writing -------------------------------------------------------------------------------------- */

static struct tk_span_rows rows_of(const struct merge *merge, const struct tk_lab_pick *pick)
{
    const struct tk_trace_list *list = &merge->sets[pick->is_incident ? INCIDENT : NORMAL].list;
    const struct tk_trace_place *place = &list->places[pick->trace];
    return (struct tk_span_rows){merge->batch, list->rows + place->first, place->n};
}

/* Text that goes to a file in pieces. */
struct writing {
    struct tk_out out;
    struct tk_buf text;
    int dirfd;
};

static int open_writing(struct writing *writing, const char *path, struct tk_err *err)
{
    char folder[PATH_MAX];
    tk_str name = tk_str_base_name(tk_str_from(path));
    tk_str before = {path, (size_t)(name.p - path)};
    *writing = (struct writing){.out = TK_OUT_NONE, .dirfd = -1};
    tk_buf_init(&writing->text, TEXT_MAX);
    if (!tk_str_to_cstr(before.n > 0 ? before : TK_STR("."), folder, sizeof(folder)))
        return tk_fail(err, -ENAMETOOLONG, "%s", path);
    int rc = tk_dir_open(AT_FDCWD, folder, &writing->dirfd, err);
    return rc < 0 ? rc : tk_out_open(&writing->out, writing->dirfd, name.p, NULL, err);
}

static int flush(struct writing *writing, size_t least, struct tk_err *err)
{
    int rc = tk_buf_check(&writing->text, "traces", err);
    if (rc < 0 || writing->text.n < least)
        return rc;
    tk_out_put(&writing->out, tk_buf_str(&writing->text));
    tk_buf_reset(&writing->text);
    return 0;
}

static int close_writing(struct writing *writing, struct tk_err *err)
{
    int rc = flush(writing, 1, err);
    return rc < 0 ? rc : tk_out_close(&writing->out, err);
}

static void release_writing(struct writing *writing)
{
    tk_out_release(&writing->out);
    tk_buf_release(&writing->text);
    tk_fd_close(&writing->dirfd);
}

static int put_traces(const struct merge *merge, const struct tk_span_encoder *encoder, void *state,
                      struct writing *writing, struct tk_err *err)
{
    int rc = 0;
    if (encoder->head)
        encoder->head(state, &writing->text);
    for (size_t i = 0; rc == 0 && i < merge->picks.count; i++) {
        struct tk_span_rows rows = rows_of(merge, &merge->picks.items[i]);
        rc = encoder->spans(state, &rows, &writing->text, err);
        rc = rc < 0 ? rc : flush(writing, TEXT_FLUSH, err);
    }
    if (rc == 0 && encoder->tail)
        encoder->tail(state, &writing->text);
    return rc;
}

static int write_traces(const struct merge *merge, struct tk_err *err)
{
    const struct tk_span_encoder *encoder = tk_span_encoder_find(merge->call->opts->to);
    struct writing writing;
    void *state = calloc(1, encoder->state_size + 1);
    if (!state)
        return tk_fail(err, -ENOMEM, "traces: out of memory");
    int rc = open_writing(&writing, merge->call->opts->output, err);
    rc = rc < 0 ? rc : put_traces(merge, encoder, state, &writing, err);
    rc = rc < 0 ? rc : close_writing(&writing, err);
    if (encoder->release)
        encoder->release(state);
    free(state);
    release_writing(&writing);
    return rc;
}

static void put_how(const struct merge *merge, struct tk_buf *out)
{
    if (merge->call->opts->window) {
        tk_member_open(out, "window", '{');
        tk_member_put_i64(out, "start_ns", merge->window.start_ns);
        tk_member_put_i64(out, "length_ns", merge->window.length_ns);
        tk_json_put_member_i64(out, "shift_ns", merge->shift_ns); /* also below 0 */
        tk_buf_putc(out, '}');
    } else {
        tk_member_put_f64(out, "lambda", merge->exp.lambda, TK_SHORTEST);
        tk_member_put_i64(out, "seed", (int64_t)merge->exp.seed);
    }
}

/* Each trace of the incident with its place in the file. */
static void put_labels(const struct merge *merge, struct tk_buf *out)
{
    tk_buf_putc(out, '{');
    tk_member_put_text(out, "normal", tk_str_from(merge->call->argv[NORMAL]));
    tk_member_put_text(out, "incident", tk_str_from(merge->call->argv[INCIDENT]));
    put_how(merge, out);
    tk_member_put_i64(out, "traces", (int64_t)merge->picks.count);
    tk_member_open(out, "incident_traces", '[');
    for (size_t i = 0; i < merge->picks.count; i++) {
        char id[TK_TRACE_ID_MAX];
        if (!merge->picks.items[i].is_incident)
            continue;
        struct tk_span_rows rows = rows_of(merge, &merge->picks.items[i]);
        tk_element_open(out, '{');
        tk_member_put_text(
            out, "trace_id",
            tk_str_from(tk_trace_id_cstr(merge->batch->trace_ids[rows.rows[0]], id)));
        tk_member_put_i64(out, "place", (int64_t)i);
        tk_member_put_i64(out, "start_ns", merge->batch->start_ns[rows.rows[0]]);
        tk_buf_putc(out, '}');
    }
    tk_buf_lit(out, "]}\n");
}

static int write_labels(const struct merge *merge, struct tk_err *err)
{
    char path[PATH_MAX];
    struct writing writing;
    const struct tk_lab_opts *opts = merge->call->opts;
    int n = snprintf(path, sizeof(path), "%s%s", opts->labels ? opts->labels : opts->output,
                     opts->labels ? "" : ".labels.json");
    if (n >= (int)sizeof(path))
        return tk_fail(err, -ENAMETOOLONG, "%s", opts->output);
    int rc = open_writing(&writing, path, err);
    if (rc == 0)
        put_labels(merge, &writing.text);
    rc = rc < 0 ? rc : close_writing(&writing, err);
    release_writing(&writing);
    return rc;
}

static void show(const struct merge *merge)
{
    char all[TK_HUMAN_MAX];
    char some[TK_HUMAN_MAX];
    int64_t incident = 0;
    for (size_t i = 0; i < merge->picks.count; i++)
        incident += merge->picks.items[i].is_incident;
    printf("%s trace%s, %s of the incident\n", tk_count_format((int64_t)merge->picks.count, all),
           tk_count_ending((int64_t)merge->picks.count), tk_count_format(incident, some));
}

static int run(struct merge *merge, struct tk_err *err)
{
    int rc = read_sets(merge, err);
    rc = rc < 0 ? rc : merge_sets(merge, err);
    rc = rc < 0 ? rc : write_traces(merge, err);
    return rc < 0 ? rc : write_labels(merge, err);
}

int tk_lab_merge(const struct tk_lab_call *call)
{
    struct merge merge = {.call = call};
    struct tk_err err;
    int rc = parse(&merge, &err);
    if (rc < 0)
        return tk_cmd_usage(call->cmd, "%s", err.msg);
    rc = run(&merge, &err);
    if (rc == 0)
        show(&merge);
    merge_release(&merge);
    return rc < 0 ? tk_cmd_fail(call->cmd, &err) : TK_EXIT_OK;
}
