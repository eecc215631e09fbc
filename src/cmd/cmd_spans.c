/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/human.h"
#include "base/nearest.h"
#include "cmd/cmd.h"
#include "cmd/spans.h"
#include "cmd/trace_view.h"
#include "span/when.h"

#define OUT_MAX       ((size_t)1 << 30)
#define OUT_FLUSH     ((size_t)256 << 10)
#define DEFAULT_LIMIT 50

static const char *const sorts[] = {"start", "duration", "cpu", NULL};

#define FIELD(name) offsetof(struct tk_spans_opts, name)

static const struct tk_opt options[] = {
    {"json", TK_OPT_FLAG, FIELD(json), NULL, "a JSON object a line, with the unit in each key",
     .letter = 'j'},
    {"by-trace", TK_OPT_FLAG, FIELD(by_trace), NULL, "a line a trace in which such a span is"},
    {"operations", TK_OPT_FLAG, FIELD(operations), NULL,
     "a line an operation: count, errors, durations, self time"},
    {"service", TK_OPT_STRING, FIELD(service), "NAME", "spans of this service", .letter = 's'},
    {"operation", TK_OPT_STRING, FIELD(operation), "NAME", "spans of this name", .letter = 'o'},
    {"min-duration", TK_OPT_DURATION, FIELD(min_duration_ns), "TIME",
     "that took so long or longer"},
    {"max-duration", TK_OPT_DURATION, FIELD(max_duration_ns), "TIME", "that took so long or less"},
    {"min-cpu", TK_OPT_DURATION, FIELD(min_cpu_ns), "TIME",
     "whose processes used so much CPU time or more meanwhile (after tracekit join)"},
    {"status", TK_OPT_STRING, FIELD(status), "STATUS", "unset, ok or error; several with commas"},
    {"kind", TK_OPT_STRING, FIELD(kind), "KIND",
     "internal, server, client, producer, consumer or unspecified; several with commas"},
    {"attr", TK_OPT_LIST, FIELD(attrs), "TEST",
     "with such an attribute, of the span or its resource: KEY, KEY=VALUE, KEY!=VALUE, KEY>N, "
     "KEY>=N, KEY<N, KEY<=N (repeatable: all must hold)",
     .letter = 'a'},
    {"since", TK_OPT_STRING, FIELD(since), "TIME",
     "that started then or later: 2026-11-21T09:00:00Z, or 10m for ten minutes ago"},
    {"until", TK_OPT_STRING, FIELD(until), "TIME", "that started before then"},
    {"roots", TK_OPT_FLAG, FIELD(roots), NULL, "spans without a parent only"},
    {"sort", TK_OPT_CHOICE, FIELD(sort), "ORDER",
     "start (latest first), duration (longest first) or cpu (most first, after tracekit join); "
     "with "
     "--json all come as they are stored",
     .choices = sorts, .given = FIELD(sorted)},
    {"limit", TK_OPT_INT, FIELD(limit), "N",
     "at most so many lines, 0 = all (default 50; all as JSON, and of operations)", .letter = 'n',
     .min = 0, .max = INT32_MAX, .given = FIELD(limited)},
    {0},
};

/* The query --------------------------------------------------------------------------- */

/* The bits of the names in a list with commas. */
static int parse_names(const char *option, const char *list, const char *const *names,
                       uint32_t count, uint32_t *ret_bits, struct tk_err *err)
{
    tk_str rest = tk_str_from(list);
    tk_str name;
    uint32_t bits = 0;
    while (list && tk_str_take_until(&rest, ',', &name)) {
        uint32_t i = 0;
        while (i < count && !tk_str_eq(name, tk_str_from(names[i])))
            i++;
        if (i == count) {
            char text[64] = "";
            (void)tk_str_to_cstr(name, text, sizeof(text));
            const char *near = tk_nearest_find(text, names, count);
            return tk_fail(err, -EINVAL, "option '--%s': '%.*s' is no %s%s%s%s", option,
                           TK_STR_ARG(name), option, near ? ": did you mean '" : "",
                           near ? near : "", near ? "'?" : "");
        }
        bits |= 1U << i;
    }
    *ret_bits = bits;
    return 0;
}

/* A calendar time, or how long ago. */
static int parse_time(const char *option, const char *text, int64_t *ret_ns, struct tk_err *err)
{
    int64_t ago_ns;
    if (!text || tk_when_parse(tk_str_from(text), false, ret_ns))
        return 0;
    if (!tk_duration_parse(text, &ago_ns)) {
        return tk_fail(err, -EINVAL,
                       "option '--%s': '%s' is no time: expected 2026-11-21T09:00:00Z, or 10m for "
                       "ten minutes ago",
                       option, text);
    }
    *ret_ns = tk_clock_real_ns() - ago_ns;
    return 0;
}

static int parse_query(const struct tk_spans_opts *opts, struct tk_attr_condition *conditions,
                       struct tk_span_query *query, struct tk_err *err)
{
    *query = (struct tk_span_query){
        .service = tk_str_from(opts->service),
        .name = tk_str_from(opts->operation),
        .min_duration_ns = opts->min_duration_ns,
        .max_duration_ns = opts->max_duration_ns,
        .conditions = conditions,
        .condition_count = opts->attrs.count,
        .roots = opts->roots,
    };
    int rc = parse_names("status", opts->status, tk_span_status_names, TK_SPAN_STATUS_COUNT,
                         &query->statuses, err);
    rc = rc < 0 ? rc
                : parse_names("kind", opts->kind, tk_span_kind_names, TK_SPAN_KIND_COUNT,
                              &query->kinds, err);
    rc = rc < 0 ? rc : parse_time("since", opts->since, &query->from_ns, err);
    rc = rc < 0 ? rc : parse_time("until", opts->until, &query->to_ns, err);
    for (size_t i = 0; rc == 0 && i < opts->attrs.count; i++)
        rc = tk_attr_condition_parse(tk_str_from(opts->attrs.items[i]), &conditions[i], err);
    if (rc == 0 && query->max_duration_ns > 0 && query->max_duration_ns < query->min_duration_ns)
        return tk_fail(err, -EINVAL, "--max-duration is less than --min-duration");
    if (rc == 0 && query->to_ns > 0 && query->to_ns <= query->from_ns)
        return tk_fail(err, -EINVAL, "--until is not after --since");
    return rc;
}

/* The command ------------------------------------------------------------------------- */

int tk_spans_flush(struct tk_spans *spans, struct tk_err *err)
{
    int rc = tk_buf_check(&spans->out, "spans", err);
    if (rc < 0 || spans->out.n < OUT_FLUSH)
        return rc;
    rc = tk_fd_write(STDOUT_FILENO, tk_buf_str(&spans->out), "stdout", err);
    tk_buf_reset(&spans->out);
    return rc;
}

void tk_spans_put_rest(struct tk_spans *spans, uint64_t shown, uint64_t found, const char *noun)
{
    char first[TK_HUMAN_MAX];
    char second[TK_HUMAN_MAX];
    if (found == 0) {
        struct tk_segment_totals totals;
        tk_segment_set_count(spans->set, &totals);
        tk_style_printf(&spans->out, spans->look, TK_STYLE_DIM, "no span fits (%s looked at)\n",
                        tk_count_format((int64_t)totals.spans, first));
    }
    if (shown == found)
        return;
    if (found == TK_SPANS_MANY) {
        tk_style_printf(&spans->out, spans->look, TK_STYLE_DIM,
                        "%s %ss, there are more (--limit 0 shows all)",
                        tk_count_format((int64_t)shown, first), noun);
    } else {
        tk_style_printf(
            &spans->out, spans->look, TK_STYLE_DIM, "%s of %s %ss (--limit 0 shows all)",
            tk_count_format((int64_t)shown, first), tk_count_format((int64_t)found, second), noun);
    }
    tk_buf_putc(&spans->out, '\n');
}

static int list(struct tk_spans *spans, struct tk_err *err)
{
    int rc = spans->opts->operations ? tk_spans_list_operations(spans, err)
             : spans->opts->by_trace ? tk_spans_list_traces(spans, err)
                                     : tk_spans_list(spans, err);
    rc = rc < 0 ? rc : tk_buf_check(&spans->out, "spans", err);
    return rc < 0 ? rc : tk_fd_write(STDOUT_FILENO, tk_buf_str(&spans->out), "stdout", err);
}

static int run(const struct tk_cmd *cmd, int argc, char **argv)
{
    struct tk_err err;
    struct tk_spans_opts opts = {0};
    struct tk_attr_condition conditions[TK_OPT_LIST_MAX];
    int first = tk_cmd_begin(cmd, &opts, argc, argv);
    if (first <= 0)
        return -first;
    if (argc - first > 1)
        return tk_cmd_usage(cmd, "'%s' is one argument too many", argv[first + 1]);
    if (opts.by_trace && opts.operations)
        return tk_cmd_usage(cmd, "--by-trace and --operations are two lists: choose one");
    bool by_bill = opts.min_cpu_ns > 0 || opts.sort == TK_SPANS_BY_CPU;
    if (by_bill && (opts.by_trace || opts.operations))
        return tk_cmd_usage(cmd, "--min-cpu and --sort cpu are for the list of spans");
    if (!opts.limited)
        opts.limit = opts.json || opts.operations ? 0 : DEFAULT_LIMIT;
    struct tk_spans spans = {.opts = &opts};
    if (parse_query(&opts, conditions, &spans.query, &err) < 0)
        return tk_cmd_usage(cmd, "%s", err.msg);
    TK_CLEANUP(tk_look_release) struct tk_look look;
    TK_CLEANUP(tk_span_store_release) struct tk_span_store store;
    tk_look_init(&look, STDOUT_FILENO);
    tk_buf_init(&spans.out, OUT_MAX);
    spans.look = &look;
    int rc = tk_span_store_open_any(first < argc ? argv[first] : NULL, &store, &err);
    spans.store = &store;
    spans.set = store.set;
    rc = rc < 0 ? rc : list(&spans, &err);
    tk_buf_release(&spans.out);
    return rc < 0 ? tk_cmd_fail(cmd, &err) : TK_EXIT_OK;
}

const struct tk_cmd tk_cmd_spans = {
    .name = "spans",
    .args = "[RUN|FILE.tkz]",
    .help = "list and filter the spans of a run",
    .about = "RUN is a run folder, or the name of one in logs/; without it, the last one.\n"
             "\n"
             "  tracekit spans --status error --since 10m\n"
             "  tracekit spans --by-trace --sort duration -n 10\n"
             "  tracekit spans --operations --service cart\n"
             "  tracekit spans --attr 'http.response.status_code>=500' --json | jq .trace_id",
    .options = options,
    .mixed = true,
    .run = run,
};
