/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/number.h"
#include "cmd/cmd.h"
#include "cmd/span_store.h"
#include "cmd/trace_view.h"
#include "span/otlp.h"
#include "span/span_format.h"

#define OUT_MAX   ((size_t)1 << 30)
#define SPANS_MAX ((size_t)1 << 20) /* of a trace */

static const char *const forms[] = {"tree", "jaeger", "otlp", NULL};

enum { FORM_TREE, FORM_JAEGER, FORM_OTLP };

struct trace_opts {
    bool json;
    bool all;
    bool attrs;
    bool events;
    bool raw;
    const char *min;
    int form;
};

#define FIELD(name) offsetof(struct trace_opts, name)

static const struct tk_opt options[] = {
    {"json", TK_OPT_FLAG, FIELD(json), NULL,
     "the tree as one JSON object, with the unit in each key", .letter = 'j'},
    {"as", TK_OPT_CHOICE, FIELD(form), "FORM",
     "tree, or the spans as jaeger or otlp has them, as JSON", .choices = forms},
    {"all", TK_OPT_FLAG, FIELD(all), NULL, "draw every one of repeated siblings", .letter = 'a'},
    {"attrs", TK_OPT_FLAG, FIELD(attrs), NULL, "with the attributes of each span"},
    {"events", TK_OPT_FLAG, FIELD(events), NULL, "with the events and links of each span"},
    {"min", TK_OPT_STRING, FIELD(min), "SHARE",
     "hide spans that are shorter: 1% of the trace, or 5ms"},
    {"raw", TK_OPT_FLAG, FIELD(raw), NULL, "times as they were sent, also where clocks disagree"},
    {0},
};

/* Which trace ------------------------------------------------------------------------- */

/* The longest of the spans that the scan meets. */
struct slowest {
    uint8_t id[16];
    int64_t duration_ns;
};

static int take_slowest(void *user, const struct tk_span_rows *rows, struct tk_err *err)
{
    struct slowest *slowest = user;
    (void)err;
    for (size_t i = 0; i < rows->n; i++) {
        size_t row = rows->rows ? rows->rows[i] : i;
        if (rows->batch->duration_ns[row] <= slowest->duration_ns)
            continue;
        slowest->duration_ns = rows->batch->duration_ns[row];
        memcpy(slowest->id, rows->batch->trace_ids[row], sizeof(slowest->id));
    }
    return 0;
}

static int find_slowest(struct tk_segment_set *set, uint8_t ret_id[16], struct tk_err *err)
{
    struct slowest slowest = {.duration_ns = -1};
    int rc = tk_segment_set_scan(set, &(struct tk_span_query){.roots = true}, take_slowest,
                                 &slowest, err);
    if (rc >= 0 && slowest.duration_ns < 0)
        rc = tk_segment_set_scan(set, &(struct tk_span_query){0}, take_slowest, &slowest, err);
    if (rc < 0)
        return rc;
    if (slowest.duration_ns < 0)
        return tk_fail(err, -ENOENT, "there are no spans yet");
    memcpy(ret_id, slowest.id, sizeof(slowest.id));
    return 0;
}

static int find_latest(struct tk_segment_set *set, uint8_t ret_id[16], struct tk_err *err)
{
    size_t count;
    const uint8_t(*ids)[16];
    int rc = tk_segment_set_find(set, &(struct tk_span_query){0}, 1, &ids, &count, err);
    if (rc < 0)
        return rc;
    if (count == 0)
        return tk_fail(err, -ENOENT, "there are no spans yet");
    memcpy(ret_id, ids[0], sizeof(ids[0]));
    return 0;
}

/* Hexadecimal digits, with or without dashes, into the front of `id`; the number of digits, or 0
 * when the text is no id or the beginning of one. */
static size_t scan_digits(const char *text, uint8_t id[16])
{
    size_t n = 0;
    for (; *text; text++) {
        int value = tk_hex_value(*text);
        if (*text == '-')
            continue;
        if (value < 0 || n == 32)
            return 0;
        id[n / 2] = (uint8_t)(n % 2 ? id[n / 2] | value : value << 4);
        n++;
    }
    return n;
}

static int tell_several(const char *given, const uint8_t (*ids)[16], size_t count,
                        struct tk_err *err)
{
    char first[TK_TRACE_ID_MAX];
    char second[TK_TRACE_ID_MAX];
    return tk_fail(err, -EINVAL, "'%s' begins the ids of several traces: %s, %s%s", given,
                   tk_trace_id_cstr(ids[0], first), tk_trace_id_cstr(ids[1], second),
                   count > 2 ? ", ..." : "");
}

/* At most three traces whose ids begin so. Ids of 64 bits are written without the zeros in front.
 */
static int find_ids(struct tk_segment_set *set, struct tk_span_query *query,
                    const uint8_t (**ret_ids)[16], size_t *ret_count, struct tk_err *err)
{
    int rc = tk_segment_set_find(set, query, 3, ret_ids, ret_count, err);
    if (rc < 0 || *ret_count > 0 || query->trace_prefix_digits > 16)
        return rc;
    memmove(query->trace_prefix + 8, query->trace_prefix, 8);
    memset(query->trace_prefix, 0, 8);
    query->trace_prefix_digits += 16;
    return tk_segment_set_find(set, query, 3, ret_ids, ret_count, err);
}

static int find_by_digits(struct tk_segment_set *set, const char *given, uint8_t ret_id[16],
                          struct tk_err *err)
{
    size_t count = 0;
    const uint8_t(*ids)[16];
    struct tk_span_query query = {0};
    query.trace_prefix_digits = scan_digits(given, query.trace_prefix);
    if (query.trace_prefix_digits == 0) {
        return tk_fail(err, -EINVAL,
                       "'%s' is no trace: expected hexadecimal digits, latest or slowest", given);
    }
    int rc = find_ids(set, &query, &ids, &count, err);
    if (rc < 0)
        return rc;
    if (count == 0)
        return tk_fail(err, -ENOENT, "there is no trace '%s'", given);
    if (count > 1)
        return tell_several(given, ids, count, err);
    memcpy(ret_id, ids[0], sizeof(ids[0]));
    return 0;
}

static int find_trace(struct tk_segment_set *set, const char *given, uint8_t ret_id[16],
                      struct tk_err *err)
{
    if (strcmp(given, "latest") == 0)
        return find_latest(set, ret_id, err);
    if (strcmp(given, "slowest") == 0)
        return find_slowest(set, ret_id, err);
    return find_by_digits(set, given, ret_id, err);
}

/* Drawing ----------------------------------------------------------------------------- */

/* "1%" of the trace, or a duration. */
static int parse_min(const char *text, const struct tk_trace_tree *tree, int64_t *ret_ns,
                     struct tk_err *err)
{
    double share;
    tk_str number = tk_str_from(text);
    if (tk_str_ends_with(number, TK_STR("%"))) {
        number.n--;
        if (tk_parse_f64(number, &share) && share >= 0 && share <= 100) {
            *ret_ns = (int64_t)((double)(tree->end_ns - tree->start_ns) * share / 100);
            return 0;
        }
    } else if (tk_duration_parse(text, ret_ns)) {
        return 0;
    }
    return tk_fail(err, -EINVAL, "option '--min': '%s' is neither a share as 1%% nor a duration",
                   text);
}

static int put_tree(const struct tk_span_rows *rows, const struct tk_bill_lookup *bills,
                    const struct trace_opts *opts, struct tk_buf *out, struct tk_err *err)
{
    struct tk_trace_view view = {opts->all, opts->attrs, opts->events, 0, bills};
    TK_CLEANUP(tk_trace_tree_release) struct tk_trace_tree tree;
    int rc = tk_trace_tree_init(&tree, rows, &(struct tk_trace_options){opts->raw}, err);
    if (rc == 0 && opts->min)
        rc = parse_min(opts->min, &tree, &view.min_ns, err);
    if (rc < 0)
        return rc;
    if (opts->json) {
        tk_trace_view_json(&tree, bills, out);
        return 0;
    }
    TK_CLEANUP(tk_look_release) struct tk_look look;
    tk_look_init(&look, STDOUT_FILENO);
    return tk_trace_view_text(&tree, &view, &look, out, err);
}

static void put_jaeger(const struct tk_span_rows *rows, struct tk_buf *out)
{
    tk_buf_lit(out, "{\"data\":[");
    tk_jaeger_put_trace(rows, out);
    tk_buf_lit(out, "],\"total\":0,\"limit\":0,\"offset\":0,\"errors\":null}\n");
}

/* With what the processes of its spans used, where `tracekit join` found that out. */
static int put_billed_tree(const struct tk_span_store *store, const struct tk_span_rows *rows,
                           const struct trace_opts *opts, struct tk_buf *out, struct tk_err *err)
{
    bool has_bills;
    TK_CLEANUP(tk_bill_lookup_release) struct tk_bill_lookup bills;
    int rc = tk_bill_lookup_open(store->dirfd, rows, &bills, &has_bills, err);
    return rc < 0 ? rc : put_tree(rows, has_bills ? &bills : NULL, opts, out, err);
}

static int show(const struct tk_span_store *store, const char *given, const struct trace_opts *opts,
                struct tk_err *err)
{
    uint8_t id[1][16];
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = NULL;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, OUT_MAX);
    int rc = find_trace(store->set, given, id[0], err);
    rc = rc < 0 ? rc : tk_span_batch_new(SPANS_MAX, &batch, err);
    if (rc < 0)
        return rc;
    rc = tk_segment_set_traces(store->set, (const uint8_t(*)[16])id, 1, batch, err);
    if (rc == -ENOBUFS)
        return tk_fail(err, -EMSGSIZE, "the trace has more than %zu spans", SPANS_MAX);
    if (rc < 0)
        return rc;
    const struct tk_span_rows rows = {batch, NULL, batch->rows};
    if (opts->form == FORM_JAEGER) {
        put_jaeger(&rows, &out);
    } else if (opts->form == FORM_OTLP) {
        tk_otlp_encode_json(&rows, &out);
        tk_buf_putc(&out, '\n');
    } else {
        rc = put_billed_tree(store, &rows, opts, &out, err);
    }
    rc = rc < 0 ? rc : tk_buf_check(&out, "trace", err);
    return rc < 0 ? rc : tk_fd_write(STDOUT_FILENO, tk_buf_str(&out), "stdout", err);
}

static int run(const struct tk_cmd *cmd, int argc, char **argv)
{
    struct tk_err err;
    struct trace_opts opts = {0};
    int first = tk_cmd_begin(cmd, &opts, argc, argv);
    if (first <= 0)
        return -first;
    if (argc - first > 2)
        return tk_cmd_usage(cmd, "'%s' is one argument too many", argv[first + 2]);
    TK_CLEANUP(tk_span_store_release) struct tk_span_store store;
    int rc = tk_span_store_open_any(first + 1 < argc ? argv[first + 1] : NULL, &store, &err);
    rc = rc < 0 ? rc : show(&store, argv[first], &opts, &err);
    if (rc == -EINVAL)
        return tk_cmd_usage(cmd, "%s", err.msg);
    return rc < 0 ? tk_cmd_fail(cmd, &err) : TK_EXIT_OK;
}

const struct tk_cmd tk_cmd_trace = {
    .name = "trace",
    .args = "ID [RUN|FILE.tkz]",
    .missing = "expected a trace: the beginning of its id, latest or slowest",
    .help = "draw one trace: who called whom, self time, critical path",
    .about = "ID is the beginning of a trace id, latest or slowest. RUN is a run folder, or\n"
             "the name of one in logs/; without it, the last one there.\n"
             "\n"
             "  tracekit trace slowest\n"
             "  tracekit trace 4bf92f35 --min 1% --attrs",
    .options = options,
    .mixed = true,
    .run = run,
};
