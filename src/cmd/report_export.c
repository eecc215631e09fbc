/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/report_export.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "base/env.h"
#include "base/json.h"
#include "base/number.h"

/* By name. */
static const struct tk_report_format formats[] = {
    {"annotations", tk_report_put_annotations},
    {"chrome", tk_report_put_chrome},
    {"csv", tk_report_put_csv},
    {"folded", tk_report_put_folded},
    {"html", tk_report_put_html},
    {"markdown", tk_report_put_markdown},
    {"otlp", tk_report_put_otlp},
    {"prometheus", tk_report_put_prometheus},
};

int tk_report_export(struct tk_report *report, struct tk_err *err)
{
    const char *name = report->args[0];
    struct tk_job *job = NULL;
    for (size_t i = 0; name && i < TK_COUNTOF(formats); i++) {
        if (strcmp(formats[i].name, name) != 0)
            continue;
        int rc = tk_report_read(report, report->args[1], NULL, &job, err);
        return rc < 0 ? rc : formats[i].put(report, job, err);
    }
    return tk_fail(err, -EINVAL,
                   "export: '%s' is no format: annotations, chrome, csv, folded, html, markdown, "
                   "otlp, prometheus",
                   name ? name : "");
}

/* Numbers of a step ---------------------------------------------------------------------- */

#define PATH_CAP    96
#define NUMBERS_MAX 160

/* Paths of all single numbers of a step, in the order of the table. */
struct numbers {
    char paths[NUMBERS_MAX][PATH_CAP];
    const struct tk_job_field *fields[NUMBERS_MAX];
    size_t count;
};

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tables */
static void numbers_find(const struct tk_job_shape *shape, const char *prefix,
                         struct numbers *numbers)
{
    for (size_t i = 0; i < shape->count && numbers->count < NUMBERS_MAX; i++) {
        const struct tk_job_field *field = &shape->fields[i];
        char path[PATH_CAP];
        (void)snprintf(path, sizeof(path), "%s%s%s", prefix, *prefix ? "." : "", field->name);
        if (field->type == TK_JOB_OBJECT)
            numbers_find(field->of, path, numbers);
        if (field->type != TK_JOB_F64 && field->type != TK_JOB_INT && field->type != TK_JOB_TRUTH)
            continue;
        memcpy(numbers->paths[numbers->count], path, sizeof(path));
        numbers->fields[numbers->count++] = field;
    }
}

/* Prometheus ------------------------------------------------------------------------------ */

/* What a unit becomes: Prometheus wants base units, and them in the name. */
static const struct {
    const char *ending; /* of our names */
    const char *suffix;
    double factor;
} base_units[] = {
    {"_percent", "_ratio", 0.01},
    {"_mbs", "_bytes_per_second", 1048576},
    {"_mbps", "_bytes_per_second", 1e6 / 8},
    {"_mb", "_bytes", 1048576},
    {"_ms", "_seconds", 0.001},
    {"_s", "_seconds", 1},
    {"_time", "_time_seconds", 1},
    {"", "", 1},
};

/* The fields of the original are the whole machine's, but for these. */
static bool is_of_machine(const char *path)
{
    static const char *const own[] = {"start_time", "end_time", "duration_s", "attempt",
                                      "exit_code",  "signal",   "timed_out"};
    for (size_t i = 0; i < TK_COUNTOF(own); i++) {
        if (strcmp(path, own[i]) == 0)
            return false;
    }
    return !strchr(path, '.');
}

static double put_metric_name(struct tk_buf *out, const char *path)
{
    tk_str text = tk_str_from(path);
    size_t i = 0;
    while (!tk_str_ends_with(text, tk_str_from(base_units[i].ending)))
        i++;
    text.n -= strlen(base_units[i].ending);
    tk_buf_puts(out, is_of_machine(path) ? "tracekit_step_host_" : "tracekit_step_");
    for (size_t k = 0; k < text.n; k++)
        tk_buf_put(out, text.p[k] == '.' ? TK_STR("_") : (tk_str){text.p + k, 1});
    tk_buf_puts(out, base_units[i].suffix);
    return base_units[i].factor;
}

static void put_label(struct tk_buf *out, const char *name, tk_str value)
{
    tk_buf_printf(out, "%s=\"", name);
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] == '\n') {
            tk_buf_lit(out, "\\n");
            continue;
        }
        if (value.p[i] == '"' || value.p[i] == '\\')
            tk_buf_putc(out, '\\');
        tk_buf_putc(out, value.p[i]);
    }
    tk_buf_putc(out, '"');
}

/* Of one name in files that do not tell attempts: the first, the second... */
static int64_t attempt_of(const struct tk_job *job, const struct tk_job_step *step)
{
    int64_t before = 0;
    for (const struct tk_job_step *other = job->steps.items; other < step; other++)
        before += tk_str_eq(other->name, step->name);
    return step->attempt > 0 ? step->attempt : before + 1;
}

static void put_sample(struct tk_report *report, const struct tk_job *job,
                       const struct tk_job_step *step, const char *path)
{
    double value = tk_job_number(&tk_job_step_shape, step, tk_str_from(path));
    if (!isfinite(value))
        return;
    double factor = put_metric_name(&report->out, path);
    tk_buf_putc(&report->out, '{');
    put_label(&report->out, "job_name", job->job);
    tk_buf_putc(&report->out, ',');
    put_label(&report->out, "step", step->name);
    tk_buf_printf(&report->out, ",attempt=\"%lld\"} ", (long long)attempt_of(job, step));
    tk_buf_put_f64(&report->out, value * factor, TK_SHORTEST);
    tk_buf_putc(&report->out, '\n');
}

static void put_heading(struct tk_buf *out, const char *path)
{
    tk_buf_lit(out, "# HELP ");
    (void)put_metric_name(out, path);
    tk_buf_printf(out, " %s of a step%s, in base units.\n# TYPE ", path,
                  is_of_machine(path) ? ", of the whole machine" : "");
    (void)put_metric_name(out, path);
    tk_buf_lit(out, " gauge\n");
}

int tk_report_put_prometheus(struct tk_report *report, const struct tk_job *job, struct tk_err *err)
{
    (void)err;
    struct numbers numbers = {.count = 0};
    numbers_find(&tk_job_step_shape, "", &numbers);
    tk_buf_lit(&report->out, "# HELP tracekit_build_duration_seconds From init to finalize.\n"
                             "# TYPE tracekit_build_duration_seconds gauge\n"
                             "tracekit_build_duration_seconds{");
    put_label(&report->out, "job_name", job->job);
    tk_buf_lit(&report->out, "} ");
    tk_buf_put_f64(&report->out, isfinite(job->job_duration_s) ? job->job_duration_s : 0,
                   TK_SHORTEST);
    tk_buf_putc(&report->out, '\n');
    for (size_t i = 0; i < numbers.count; i++) {
        if (strncmp(numbers.paths[i], "samples.", 8) == 0)
            continue; /* where a curve begins is no figure */
        size_t before = report->out.n;
        put_heading(&report->out, numbers.paths[i]);
        size_t heading = report->out.n;
        for (size_t k = 0; k < job->steps.count; k++)
            put_sample(report, job, &job->steps.items[k], numbers.paths[i]);
        if (report->out.n == heading)
            report->out.n = before; /* nobody measured it */
    }
    return 0;
}

/* CSV -------------------------------------------------------------------------------------- */

static void put_csv_text(struct tk_buf *out, tk_str text)
{
    tk_buf_putc(out, '"');
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '"')
            tk_buf_putc(out, '"');
        tk_buf_putc(out, text.p[i]);
    }
    tk_buf_putc(out, '"');
}

int tk_report_put_csv(struct tk_report *report, const struct tk_job *job, struct tk_err *err)
{
    (void)err;
    struct numbers numbers = {.count = 0};
    numbers_find(&tk_job_step_shape, "", &numbers);
    tk_buf_lit(&report->out, "job,version,name,status");
    for (size_t i = 0; i < numbers.count; i++)
        tk_buf_printf(&report->out, ",%s", numbers.paths[i]);
    tk_buf_putc(&report->out, '\n');
    for (size_t k = 0; k < job->steps.count; k++) {
        const struct tk_job_step *step = &job->steps.items[k];
        const tk_str texts[] = {job->job, job->version, step->name, step->status};
        for (size_t i = 0; i < TK_COUNTOF(texts); i++) {
            if (i > 0)
                tk_buf_putc(&report->out, ',');
            put_csv_text(&report->out, texts[i]);
        }
        for (size_t i = 0; i < numbers.count; i++) {
            double value = tk_job_number(&tk_job_step_shape, step, tk_str_from(numbers.paths[i]));
            tk_buf_putc(&report->out, ',');
            if (isfinite(value))
                tk_buf_put_f64(&report->out, value, TK_SHORTEST);
        }
        tk_buf_putc(&report->out, '\n');
    }
    return 0;
}

/* Folded stacks ------------------------------------------------------------------------------ */

static const struct tk_job_step *step_of_id(const struct tk_job *job, tk_str id)
{
    for (size_t i = 0; id.p && i < job->steps.count; i++) {
        const struct tk_job_step *step = &job->steps.items[i];
        if (step->id.p && tk_str_eq(step->id, id))
            return step;
    }
    return NULL;
}

static void put_frame(struct tk_buf *out, tk_str name)
{
    for (size_t i = 0; i < name.n; i++) {
        bool plain = (unsigned char)name.p[i] >= ' ' && name.p[i] != ';';
        tk_buf_put(out, plain ? (tk_str){name.p + i, 1} : TK_STR("_"));
    }
}

/* The steps around this one, outermost first. */
/* NOLINTNEXTLINE(misc-no-recursion): at most `room` deep */
static void put_stack(struct tk_buf *out, const struct tk_job *job, const struct tk_job_step *step,
                      int room)
{
    const struct tk_job_step *parent = room > 0 ? step_of_id(job, step->parent) : NULL;
    if (parent)
        put_stack(out, job, parent, room - 1);
    tk_buf_putc(out, ';');
    put_frame(out, step->name);
}

int tk_report_put_folded(struct tk_report *report, const struct tk_job *job, struct tk_err *err)
{
    enum { DEEPEST = 16 };
    (void)err;
    for (size_t i = 0; i < job->steps.count; i++) {
        const struct tk_job_step *step = &job->steps.items[i];
        double own_s = step->duration_s;
        for (size_t k = 0; step->id.p && k < job->steps.count; k++) {
            const struct tk_job_step *child = &job->steps.items[k];
            if (k != i && tk_str_eq(child->parent, step->id) && child->duration_s > 0)
                own_s -= child->duration_s;
        }
        if (!(own_s > 0))
            continue;
        put_frame(&report->out, job->job);
        put_stack(&report->out, job, step, DEEPEST);
        tk_buf_printf(&report->out, " %.0f\n", own_s * 1000);
    }
    return 0;
}

/* Chrome trace --------------------------------------------------------------------------------- */

static void put_chrome_step(struct tk_report *report, const struct tk_job *job,
                            const struct tk_job_step *step)
{
    struct tk_buf *out = &report->out;
    tk_json_put_comma(out);
    tk_buf_lit(out, "\n{\"ph\":\"X\",\"pid\":1,\"name\":");
    tk_json_put_str(out, step->name);
    tk_buf_printf(out, ",\"tid\":%d,\"ts\":", tk_step_depth(job, step) + 1);
    tk_buf_put_f64(out, step->start_time * 1e6, 0);
    tk_buf_lit(out, ",\"dur\":");
    tk_buf_put_f64(out, step->duration_s * 1e6, 0);
    tk_buf_lit(out, ",\"args\":{\"status\":");
    tk_json_put_str(out, tk_job_is_v1(job) ? TK_STR(TK_JOB_SUCCESS) : step->status);
    tk_buf_lit(out, "}}");
}

static void put_chrome_counters(struct tk_report *report, const struct tk_job_samples *samples)
{
    struct tk_buf *out = &report->out;
    for (size_t i = 0; i < samples->rows.count; i++) {
        const struct tk_job_row *row = &samples->rows.items[i];
        for (size_t k = 0; k < row->count && k < samples->cols.count; k++) {
            if (!isfinite(row->items[k]))
                continue;
            tk_json_put_comma(out);
            tk_buf_lit(out, "\n{\"ph\":\"C\",\"pid\":1,\"name\":");
            tk_json_put_str(out, samples->cols.items[k]);
            tk_buf_lit(out, ",\"ts\":");
            tk_buf_put_f64(out, (samples->t0 + (double)i * samples->dt_s) * 1e6, 0);
            tk_buf_lit(out, ",\"args\":{\"value\":");
            tk_buf_put_f64(out, row->items[k], TK_SHORTEST);
            tk_buf_lit(out, "}}");
        }
    }
}

int tk_report_put_chrome(struct tk_report *report, const struct tk_job *job, struct tk_err *err)
{
    (void)err;
    tk_buf_lit(&report->out, "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[");
    for (size_t i = 0; i < job->steps.count; i++) {
        const struct tk_job_step *step = &job->steps.items[i];
        if (isfinite(step->start_time) && isfinite(step->duration_s))
            put_chrome_step(report, job, step);
        if (isfinite(step->samples.t0) && isfinite(step->samples.dt_s))
            put_chrome_counters(report, &step->samples);
    }
    tk_buf_lit(&report->out, "\n]}\n");
    return 0;
}

/* OTLP ----------------------------------------------------------------------------------------- */

struct otlp {
    struct tk_buf *out;
    const struct tk_job *job;
    char trace_id[33];
    char root_id[17];
    char parent_id[17]; /* of the root; "" = none */
};

/* The first hexadecimal digits of a digest of two texts; never all zero in practice. */
static int make_id(tk_str a, tk_str b, size_t digits, char *ret, struct tk_err *err)
{
    char hex[TK_DIGEST_MAX];
    TK_CLEANUP(tk_buf_release) struct tk_buf both;
    tk_buf_init(&both, 1 << 20);
    tk_buf_put(&both, a);
    tk_buf_putc(&both, '\0');
    tk_buf_put(&both, b);
    int rc = tk_buf_check(&both, "name", err);
    rc = rc < 0 ? rc : tk_digest_text(tk_buf_str(&both), hex, err);
    if (rc == 0)
        (void)snprintf(ret, digits + 1, "%.*s", (int)digits, hex);
    return rc;
}

static bool is_hex(tk_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (!tk_is_digit(c) && !(c >= 'a' && c <= 'f'))
            return false;
    }
    return true;
}

/* A document that does not tell its trace takes the place of the export. W3C: 00-<32>-<16>-<2>. */
static void take_traceparent(struct otlp *otlp)
{
    const char *text = tk_env_find("TRACEPARENT");
    if (!text || strlen(text) < 55 || strspn(text, "0123456789abcdef-") < 55)
        return;
    (void)snprintf(otlp->trace_id, sizeof(otlp->trace_id), "%.32s", text + 3);
    (void)snprintf(otlp->parent_id, sizeof(otlp->parent_id), "%.16s", text + 36);
}

static void put_attribute(struct tk_buf *out, const char *key, tk_str value)
{
    tk_json_put_comma(out);
    tk_buf_printf(out, "{\"key\":\"%s\",\"value\":{\"stringValue\":", key);
    tk_json_put_str(out, value);
    tk_buf_lit(out, "}}");
}

static void put_span_head(const struct otlp *otlp, const char *id, const char *parent, tk_str name)
{
    struct tk_buf *out = otlp->out;
    tk_json_put_comma(out);
    tk_buf_printf(out, "{\"traceId\":\"%s\",\"spanId\":\"%s\"", otlp->trace_id, id);
    if (*parent)
        tk_buf_printf(out, ",\"parentSpanId\":\"%s\"", parent);
    tk_buf_lit(out, ",\"kind\":1,\"name\":");
    tk_json_put_str(out, name);
}

static void put_span_tail(const struct otlp *otlp, double start, double duration, tk_str status)
{
    struct tk_buf *out = otlp->out;
    double begin = isfinite(start) ? start : 0;
    double end = begin + (isfinite(duration) ? duration : 0);
    bool failed = tk_str_eq(status, TK_STR(TK_JOB_FAILED));
    tk_buf_printf(out, "],\"startTimeUnixNano\":\"%.0f\",\"endTimeUnixNano\":\"%.0f\"", begin * 1e9,
                  end * 1e9);
    tk_buf_printf(out, ",\"status\":{\"code\":%d}}", failed ? 2 : 0);
}

static const char *result_name(tk_str status)
{
    return tk_str_eq(status, TK_STR(TK_JOB_FAILED))       ? "failure"
           : tk_str_eq(status, TK_STR(TK_JOB_INCOMPLETE)) ? "cancellation"
                                                          : "success";
}

/* The id of a span: that which was drawn when it began; of what was recorded elsewhere, and of jobs
 * of older versions, a digest, so that two exports tell the same. */
static int find_id(const struct otlp *otlp, tk_str drawn, tk_str name, size_t digits, char *ret,
                   struct tk_err *err)
{
    char run[TK_JOB_ID_MAX];
    if (drawn.n == digits && is_hex(drawn)) {
        (void)tk_str_to_cstr(drawn, ret, digits + 1);
        return 0;
    }
    return make_id(tk_str_from(tk_job_id(otlp->job, run)), name, digits, ret, err);
}

static tk_str name_of(const struct tk_job_step *step)
{
    return step->id.n ? step->id : step->name;
}

/* A step lies in the span that its command was started in, else in the step around it, else in the
 * job. */
static int find_parent(const struct otlp *otlp, const struct tk_job_step *step, char ret[17],
                       struct tk_err *err)
{
    tk_str drawn = step->trace.parent_span_id;
    if (step->parent.n == 0) {
        (void)snprintf(ret, 17, "%s", otlp->root_id);
        return drawn.n == 16 ? find_id(otlp, drawn, step->parent, 16, ret, err) : 0;
    }
    for (size_t i = 0; i < otlp->job->steps.count && !drawn.n; i++) {
        const struct tk_job_step *around = &otlp->job->steps.items[i];
        if (tk_str_eq(name_of(around), step->parent))
            drawn = around->trace.span_id;
    }
    return find_id(otlp, drawn, step->parent, 16, ret, err);
}

static int put_step_span(const struct otlp *otlp, const struct tk_job_step *step,
                         struct tk_err *err)
{
    char id[17] = "";
    char parent[17] = "";
    tk_str own = name_of(step);
    int rc = find_id(otlp, step->trace.span_id, own, 16, id, err);
    rc = rc < 0 ? rc : find_parent(otlp, step, parent, err);
    if (rc < 0)
        return rc;
    put_span_head(otlp, id, parent, step->name);
    tk_buf_lit(otlp->out, ",\"attributes\":[");
    put_attribute(otlp->out, "cicd.pipeline.task.name", step->name);
    put_attribute(otlp->out, "cicd.pipeline.task.run.id", own);
    put_attribute(otlp->out, "cicd.pipeline.task.run.result",
                  tk_str_from(result_name(step->status)));
    put_span_tail(otlp, step->start_time, step->duration_s, step->status);
    return 0;
}

int tk_report_put_otlp(struct tk_report *report, const struct tk_job *job, struct tk_err *err)
{
    struct otlp otlp = {.out = &report->out, .job = job};
    char run[TK_JOB_ID_MAX];
    tk_str id = tk_str_from(tk_job_id(job, run));
    int rc = find_id(&otlp, job->trace.trace_id, TK_STR("trace"), 32, otlp.trace_id, err);
    rc = rc < 0 ? rc : find_id(&otlp, job->trace.span_id, TK_STR("root"), 16, otlp.root_id, err);
    if (rc < 0)
        return rc;
    if (job->trace.trace_id.n == 0) {
        take_traceparent(&otlp);
    } else if (job->trace.parent_span_id.n == 16 && is_hex(job->trace.parent_span_id)) {
        (void)tk_str_to_cstr(job->trace.parent_span_id, otlp.parent_id, sizeof(otlp.parent_id));
    }
    tk_buf_lit(otlp.out, "{\"resourceSpans\":[{\"resource\":{\"attributes\":[");
    put_attribute(otlp.out, "service.name", TK_STR("tracekit"));
    put_attribute(otlp.out, "host.name", job->runner);
    tk_buf_lit(otlp.out,
               "]},\"scopeSpans\":[{\"scope\":{\"name\":\"tracekit.report\"},\"spans\":[");
    put_span_head(&otlp, otlp.root_id, otlp.parent_id, job->job);
    tk_buf_lit(otlp.out, ",\"attributes\":[");
    put_attribute(otlp.out, "cicd.pipeline.name", job->job);
    put_attribute(otlp.out, "cicd.pipeline.run.id", job->run_id.n ? job->run_id : id);
    put_attribute(otlp.out, "cicd.pipeline.result", tk_str_from(result_name(tk_job_outcome(job))));
    put_span_tail(&otlp, job->job_start, job->job_duration_s, tk_job_outcome(job));
    for (size_t i = 0; rc == 0 && i < job->steps.count; i++)
        rc = put_step_span(&otlp, &job->steps.items[i], err);
    tk_buf_lit(otlp.out, "]}]}]}\n");
    return rc;
}
