/* SPDX-License-Identifier: Apache-2.0 */
/* One run of one method. What is measured was decoded from the bytes of the file, in an empty
 * folder, and from nothing else. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/file.h"
#include "base/number.h"
#include "cmd/span_input.h"
#include "cmd/suite.h"
#include "fidelity/trace_filter.h"

#define FILE_NAME "encoded"
#define FILE_MAX  ((size_t)4 << 30)

/* One run on its way. */
struct run {
    const struct tk_suite *suite;
    const struct tk_suite_data *data;
    const struct tk_suite_item *item;
    struct tk_suite_point *point;
    uint64_t seed;
    struct tk_buf file;
    struct tk_span_table *a; /* what is measured */
    struct tk_span_table *b; /* against this; NULL = the real one */
};

/* What it takes -------------------------------------------------------------------------------- */

static double cpu_s(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* A line of /proc/self/status in bytes; 0 = unknown. */
static uint64_t status_bytes(tk_str key)
{
    char buf[8192];
    tk_str text;
    tk_str line;
    uint64_t kib = 0;
    struct tk_err ignored;
    if (tk_file_read(AT_FDCWD, "/proc/self/status", buf, sizeof(buf), &text, &ignored) < 0)
        return 0;
    while (tk_str_take_line(&text, &line)) {
        tk_str word;
        if (tk_str_take_prefix(&line, key) && tk_str_take_word(&line, &word) &&
            tk_parse_u64(word, &kib))
            return kib << 10;
    }
    return 0;
}

/* The memory now, from where the highest is counted anew. */
static uint64_t begin_memory(void)
{
    TK_CLEANUP(tk_fd_close) int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (fd >= 0)
        (void)!write(fd, "5", 1);
    return status_bytes(TK_STR("VmRSS:"));
}

/* Spans ---------------------------------------------------------------------------------------- */

/* The spans of a table's traces out of the input, with all that they hold. Reading the input is no
 * part of what encoding costs. */
struct full_spans {
    struct tk_span_inputs *inputs;
    struct tk_trace_filter *filter;
    double read_s; /* CPU */
};

static int read_timed(void *context, struct tk_span_batch *batch, struct tk_err *err)
{
    struct full_spans *spans = context;
    struct tk_span_source from = tk_trace_filter_source(spans->filter);
    double begin_s = cpu_s();
    int rc = from.read(from.context, batch, err);
    spans->read_s += cpu_s() - begin_s;
    return rc;
}

static void release_spans(struct full_spans *spans)
{
    tk_trace_filter_free(spans->filter);
    tk_span_inputs_free(spans->inputs);
    *spans = (struct full_spans){NULL, NULL, 0};
}

static int open_spans(const struct run *run, const struct tk_span_table *table,
                      struct full_spans *spans, struct tk_err *err)
{
    static const struct tk_span_input_options as_found = {0}; /* outlives the inputs */
    *spans = (struct full_spans){NULL, NULL, 0};
    int rc =
        tk_span_inputs_new(run->suite->cmd, &run->data->path, 1, &as_found, &spans->inputs, err);
    return rc < 0 ? rc
                  : tk_trace_filter_new(table, tk_span_inputs_source(spans->inputs), &spans->filter,
                                        err);
}

/* Encode --------------------------------------------------------------------------------------- */

static int encode_table(struct run *run, const struct tk_span_table *table, struct tk_err *err)
{
    const struct tk_baseline *baseline = run->item->method->baseline;
    struct tk_baseline_input input = {.table = table};
    struct full_spans spans = {NULL, NULL, 0};
    int rc = 0;
    tk_buf_reset(&run->file);
    if (baseline->needs_spans) {
        rc = open_spans(run, table, &spans, err);
        if (rc == 0)
            input.spans = (struct tk_span_source){read_timed, &spans};
    }
    double begin_s = cpu_s();
    rc = rc < 0 ? rc : baseline->encode(&input, &run->file, err);
    run->point->encode_s = cpu_s() - begin_s - spans.read_s;
    release_spans(&spans);
    return rc < 0 ? rc : tk_buf_check(&run->file, "encoded traces", err);
}

/* `share` of the traces through the method's sampler and encoder. */
static int encode_share(struct run *run, double share, struct tk_err *err)
{
    TK_CLEANUP(tk_span_table_freep) struct tk_span_table *sample = NULL;
    const struct tk_sampler *sampler = run->item->method->sampler;
    double n = sampler->is_first ? share * run->data->real->traces : 1 / share;
    int rc = tk_sampler_take(sampler, run->data->real, n, run->seed, &sample, err);
    if (rc < 0)
        return rc;
    run->point->share =
        run->data->real->traces > 0 ? (double)sample->traces / run->data->real->traces : 0;
    return encode_table(run, sample, err);
}

static int size_of_share(void *context, double share, uint64_t *ret_bytes, struct tk_err *err)
{
    struct run *run = context;
    int rc = encode_share(run, share, err);
    *ret_bytes = run->file.n;
    return rc;
}

/* The largest sample that fits. */
static int encode_budget(struct run *run, uint64_t budget_bytes, struct tk_err *err)
{
    double traces = fmax(run->data->real->traces, 1);
    double guess = (double)budget_bytes / (double)run->data->bare_bytes;
    const struct tk_share_size size = {size_of_share, run, 1 / traces, guess};
    double share;
    uint64_t bytes;
    int rc = tk_share_find(&size, budget_bytes, &share, &bytes, err);
    if (rc < 0)
        return rc;
    run->point->is_over = rc == 1;
    rc = run->file.n == bytes ? 0 : encode_share(run, share, err);
    return rc;
}

static int encode_codec(struct run *run, uint64_t budget_bytes, struct tk_err *err)
{
    struct full_spans spans;
    int rc = open_spans(run, run->data->real, &spans, err);
    double begin_s = cpu_s();
    rc = rc < 0 ? rc
                : run->item->method->codec->encode((struct tk_span_source){read_timed, &spans},
                                                   run->item->setting, run->item->trace_bytes,
                                                   run->seed, &run->file, err);
    run->point->encode_s = cpu_s() - begin_s - spans.read_s;
    release_spans(&spans);
    run->point->is_over =
        budget_bytes > 0 && (rc == -EMSGSIZE || (rc == 0 && run->file.n > budget_bytes));
    return run->point->is_over ? 0 : rc;
}

static int encode(struct run *run, struct tk_err *err)
{
    const struct tk_suite_item *item = run->item;
    uint64_t budget = (uint64_t)(item->trace_bytes * run->data->real->traces);
    if (item->method->codec)
        return encode_codec(run, budget, err);
    if (!item->method->sampler)
        return encode_table(run, run->data->real, err);
    return item->one_of > 0 ? encode_share(run, 1 / item->one_of, err)
                            : encode_budget(run, budget, err);
}

/* Decode --------------------------------------------------------------------------------------- */

static int decode(struct run *run, tk_str file, struct tk_err *err)
{
    const struct tk_suite_method *method = run->item->method;
    if (method->codec)
        return method->codec->decode(file, run->seed, run->data->real->unit_ns, &run->a, err);
    return method->baseline->decode(file, run->seed, &run->a, err);
}

/* The file to disk and back, where nothing else is. */
static int pass_through_file(struct run *run, struct tk_err *err)
{
    char folder[] = "/tmp/tracekit-suite-XXXXXX";
    if (!mkdtemp(folder))
        return tk_fail_errno(err, "%s", folder);
    TK_CLEANUP(tk_buf_release) struct tk_buf file;
    tk_buf_init(&file, FILE_MAX);
    int rc = chdir(folder) < 0 ? tk_fail_errno(err, "%s", folder) : 0;
    rc = rc < 0 ? rc : tk_file_refresh(AT_FDCWD, FILE_NAME, tk_buf_str(&run->file), 0600, err);
    run->point->bytes = run->file.n;
    tk_buf_release(&run->file);
    rc = rc < 0 ? rc : tk_file_load(AT_FDCWD, FILE_NAME, &file, err);
    double begin_s = cpu_s();
    rc = rc < 0 ? rc : decode(run, tk_buf_str(&file), err);
    run->point->decode_s = cpu_s() - begin_s;
    (void)unlink(FILE_NAME);
    (void)!chdir("/");
    (void)rmdir(folder);
    return rc;
}

/* Encode and decode: `a` is there then, unless nothing fits the budget. */
static int code(struct run *run, struct tk_err *err)
{
    uint64_t before = begin_memory();
    int rc = encode(run, err);
    rc = rc < 0 || run->point->is_over ? rc : pass_through_file(run, err);
    uint64_t highest = status_bytes(TK_STR("VmHWM:"));
    run->point->rss_bytes = highest > before ? highest - before : 0;
    return rc;
}

/* Measure -------------------------------------------------------------------------------------- */

/* Starts of the traces as if they had begun when the other set did: what a model says of the time
 * after the one that it was made of. */
static void move_to(struct tk_span_table *table, const struct tk_span_table *other)
{
    if (table->rows == 0 || other->rows == 0)
        return;
    int64_t by_ns = other->start_ns[0] - table->start_ns[0];
    for (uint32_t r = 0; r < table->rows; r++)
        table->start_ns[r] += by_ns;
}

/* Figures of the whole; those of parts would be too many to keep. */
static int measure(const struct run *run, const struct tk_span_table *real,
                   struct tk_figures *figures, struct tk_err *err)
{
    struct tk_figures all;
    const struct tk_measure_options options = {.seed = run->seed,
                                               .measures = run->suite->measures,
                                               .measure_count = run->suite->measure_count};
    int rc = tk_figures_init(&all, err);
    if (rc < 0)
        return rc;
    rc = tk_measure_run(run->a, real, &options, &all, err);
    for (size_t i = 0; rc == 0 && i < all.count; i++) {
        if (!all.items[i].detail.p)
            tk_figures_add(figures, &all.items[i]);
    }
    tk_figures_release(&all);
    return rc < 0 ? rc : tk_figures_check(figures, err);
}

static int run_point(struct run *run, struct tk_err *err)
{
    const struct tk_suite_data *data = run->data;
    struct tk_suite_point *point = run->point;
    int rc = run->item->control
                 ? run->item->control->make(data->real, run->seed, &run->a, &run->b, err)
                 : code(run, err);
    if (rc < 0 || !run->a)
        return rc;
    point->traces = run->a->traces;
    rc = tk_profile_read(run->a, &data->range, &point->profile, err);
    rc = rc < 0 ? rc : measure(run, run->b ? run->b : data->real, &point->figures, err);
    rc = rc < 0 ? rc : tk_suite_causes_measure(data, run->a, &point->figures, err);
    if (rc < 0 || !data->next || run->item->control)
        return rc;
    move_to(run->a, data->next);
    return measure(run, data->next, &point->next, err);
}

int tk_suite_point_run(const struct tk_suite *suite, const struct tk_suite_data *data,
                       const struct tk_suite_item *item, struct tk_suite_point *point,
                       struct tk_err *err)
{
    struct run run = {
        .suite = suite, .data = data, .item = item, .point = point, .seed = point->seed};
    tk_buf_init(&run.file, FILE_MAX);
    point->share = (double)NAN;
    int rc = tk_figures_init(&point->figures, err);
    rc = rc < 0 ? rc : tk_figures_init(&point->next, err);
    rc = rc < 0 ? rc : run_point(&run, err);
    tk_span_table_free(run.a);
    tk_span_table_free(run.b);
    tk_buf_release(&run.file);
    return rc;
}

void tk_suite_point_release(struct tk_suite_point *point)
{
    tk_figures_release(&point->figures);
    tk_figures_release(&point->next);
}
