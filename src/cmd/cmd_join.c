/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "cmd/cmd.h"
#include "cmd/join_print.h"
#include "cmd/span_store.h"
#include "span/bill_table.h"
#include "span/when.h"

#define OUT_MAX ((size_t)64 << 20)

struct join_opts {
    bool json;
    int64_t spikes;
    const char *at;
    int64_t limit;
};

static const struct tk_opt options[] = {
    {"json", TK_OPT_FLAG, offsetof(struct join_opts, json), NULL,
     "one JSON object, and one a spike, with the unit in each key", .letter = 'j'},
    {"spikes", TK_OPT_INT, offsetof(struct join_opts, spikes), "N",
     "the N highest readings of CPU and of memory, and the spans that were open then", .min = 1,
     .max = 1000},
    {"at", TK_OPT_STRING, offsetof(struct join_opts, at), "TIME",
     "the spans that were open then: 2026-11-21T09:00:00.5Z"},
    {"limit", TK_OPT_INT, offsetof(struct join_opts, limit), "N",
     "at most so many lines of a list (default 10)", .letter = 'n', .min = 1, .max = 100000},
    {0},
};

/* One join on its way. */
struct joining {
    const struct join_opts *opts;
    struct tk_span_store store;
    int dirfd; /* of the run */
    struct tk_join join;
    struct tk_bill_pressure *pressure;
    struct tk_look look;
    struct tk_buf out;
};

static int take_spans(void *user, const struct tk_span_rows *rows, struct tk_err *err)
{
    return tk_join_add(user, rows, err);
}

static int make_bills(struct joining *joining, struct tk_err *err)
{
    const struct tk_span_query all = {.service = {NULL, 0}};
    int rc = tk_join_open(joining->dirfd, &joining->join, err);
    rc = rc < 0 ? rc
                : tk_segment_set_scan(joining->store.set, &all, take_spans, &joining->join, err);
    rc = rc < 0 ? rc : tk_join_run(&joining->join, err);
    rc = rc < 0 ? rc : tk_bill_pressure_new(joining->dirfd, &joining->pressure, err);
    return rc < 0 ? rc
                  : tk_bills_write(&joining->join, joining->pressure, joining->store.dirfd, err);
}

static int put_spike(struct joining *joining, const struct tk_join_report *report,
                     const char *about, const struct tk_spike *spike, struct tk_err *err)
{
    if (joining->opts->json) {
        tk_join_put_spike_json(report, about, spike, &joining->out);
        return 0;
    }
    return tk_join_put_spike(report, about, spike, &joining->look, &joining->out, err);
}

static int put_spikes(struct joining *joining, const struct tk_join_report *report,
                      struct tk_err *err)
{
    static const char *const about[] = {
        [TK_SPIKE_CPU] = "CPU", [TK_SPIKE_MEMORY] = "memory available"};
    size_t cap = (size_t)joining->opts->spikes;
    struct tk_spike *spikes = malloc((cap + 1) * sizeof(*spikes));
    int rc = spikes ? 0 : tk_fail(err, -ENOMEM, "out of memory");
    for (size_t kind = 0; rc == 0 && kind < TK_COUNTOF(about); kind++) {
        size_t count = 0;
        rc = tk_spikes_find(joining->dirfd, (enum tk_spike_kind)kind, spikes, cap, &count, err);
        for (size_t i = 0; rc == 0 && i < count; i++)
            rc = put_spike(joining, report, about[kind], &spikes[i], err);
    }
    free(spikes);
    return rc;
}

static int put_moment(struct joining *joining, const struct tk_join_report *report,
                      struct tk_err *err)
{
    int64_t at_ns;
    if (!tk_when_parse(tk_str_from(joining->opts->at), true, &at_ns))
        return tk_fail(err, -EINVAL, "option '--at': '%s' is no time", joining->opts->at);
    const struct tk_spike moment = {at_ns, at_ns, (double)NAN};
    return put_spike(joining, report, "as asked", &moment, err);
}

static int print(struct joining *joining, struct tk_err *err)
{
    char file[PATH_MAX + sizeof("/spans/" TK_BILLS_FILE)];
    (void)snprintf(file, sizeof(file), "%s/spans/%s", joining->store.path, TK_BILLS_FILE);
    struct tk_join_report report = {.join = &joining->join,
                                    .run = joining->store.path,
                                    .file = file,
                                    .limit = (size_t)joining->opts->limit};
    int rc = tk_host_skew_read(&joining->join.spans, report.skews, TK_JOIN_HOSTS_MAX,
                               &report.skew_count, err);
    if (rc == 0 && joining->opts->json) {
        tk_join_put_json(&report, &joining->out);
    } else if (rc == 0) {
        rc = tk_join_put_text(&report, &joining->look, &joining->out, err);
    }
    if (rc == 0 && joining->opts->spikes > 0)
        rc = put_spikes(joining, &report, err);
    if (rc == 0 && joining->opts->at)
        rc = put_moment(joining, &report, err);
    rc = rc < 0 ? rc : tk_buf_check(&joining->out, "report", err);
    return rc < 0 ? rc : tk_fd_write(STDOUT_FILENO, tk_buf_str(&joining->out), "stdout", err);
}

static int run_join(struct joining *joining, const char *run, struct tk_err *err)
{
    int rc = tk_span_store_open(run, &joining->store, err);
    rc = rc < 0 ? rc : tk_dir_open(AT_FDCWD, joining->store.path, &joining->dirfd, err);
    if (rc == 0) {
        rc = make_bills(joining, err);
        if (rc < 0)
            (void)tk_err_prefix(err, "%s", joining->store.path);
    }
    return rc < 0 ? rc : print(joining, err);
}

static int run(const struct tk_cmd *cmd, int argc, char **argv)
{
    struct join_opts opts = {.limit = 10};
    struct tk_err err;
    int first = tk_cmd_begin(cmd, &opts, argc, argv);
    if (first <= 0)
        return -first;
    if (argc - first > 1)
        return tk_cmd_usage(cmd, "'%s' is one argument too many", argv[first + 1]);
    struct joining joining = {.opts = &opts, .store = {.dirfd = -1}, .dirfd = -1};
    tk_look_init(&joining.look, STDOUT_FILENO);
    tk_buf_init(&joining.out, OUT_MAX);
    int rc = run_join(&joining, first < argc ? argv[first] : NULL, &err);
    tk_bill_pressure_free(joining.pressure);
    tk_join_release(&joining.join);
    tk_fd_close(&joining.dirfd);
    tk_span_store_release(&joining.store);
    tk_buf_release(&joining.out);
    tk_look_release(&joining.look);
    return rc < 0 ? tk_cmd_fail(cmd, &err) : TK_EXIT_OK;
}

const struct tk_cmd tk_cmd_join = {
    .name = "join",
    .args = "[RUN]",
    .help = "bill each span for what the processes that served it used",
    .about = "Writes RUN/spans/bills.parquet, a row a span, and says which rules matched, who\n"
             "used most CPU, and how far off it may be. RUN is a run folder with spans, or the\n"
             "name of one in logs/; without it, the last one there.\n"
             "\n"
             "  tracekit serve & tracekit record -- ./app; tracekit join\n"
             "  tracekit join night --spikes 5",
    .options = options,
    .mixed = true,
    .run = run,
};
