/* SPDX-License-Identifier: Apache-2.0 */
/* The document of a job out of its journal: each step from its start, the notes on it and its end,
 * the job from its steps. What never ended is closed at the last that is known of it: when its
 * owner was seen to be gone, else now. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/number.h"
#include "step/session_internal.h"
#include "step/watch.h"

struct build {
    struct tk_session *session;
    const struct tk_step_record *init;
    const struct tk_step_record *now; /* ends what is open; NULL = nothing is */
    const struct tk_curve *curve;
    double cores;
    double link_mbps; /* NaN = not known */
    struct tk_job *job;
};

/* Steps ------------------------------------------------------------------------------ */

/* "s3" of a span, by the order of starts; absent when it is not of this job. */
static tk_str id_of(const struct build *build, tk_str span)
{
    const struct tk_step_spans *spans = &build->session->spans;
    char id[24];
    for (size_t i = 0; i < spans->count && span.n > 0; i++) {
        if (!tk_str_eq(spans->items[i].start->span, span))
            continue;
        int n = snprintf(id, sizeof(id), "s%zu", i + 1);
        return tk_arena_copy(&build->session->arena, (tk_str){id, (size_t)n});
    }
    return (tk_str){0};
}

static int64_t attempt_of(const struct tk_step_spans *spans, const struct tk_step_span *span)
{
    int64_t attempt = 1;
    for (const struct tk_step_span *other = spans->items; other < span; other++)
        attempt += tk_str_eq(other->start->step.name, span->start->step.name);
    return attempt;
}

/* What was noted of a span while it ran: lists grow, they are not replaced. */
static void take_notes(const struct build *build, tk_str span, struct tk_job_step *step)
{
    const struct tk_step_records *records = &build->session->journal.records;
    struct tk_arena *arena = &build->session->arena;
    for (size_t i = 0; i < records->count; i++) {
        const struct tk_job_step *note = &records->items[i].step;
        if (!tk_step_record_is(&records->items[i], TK_STEP_NOTE) ||
            !tk_str_eq(records->items[i].span, span))
            continue;
        for (size_t k = 0; k < note->marks.count; k++) {
            struct tk_job_mark *mark = tk_job_add(&tk_job_mark_shape, &step->marks, arena);
            if (mark)
                *mark = note->marks.items[k];
        }
        for (size_t k = 0; k < note->measures.count; k++) {
            const struct tk_job_measure *measure = &note->measures.items[k];
            (void)!tk_job_add_measure(&step->measures, measure->name, measure->value, arena);
        }
    }
}

static void lower(double *field, double value)
{
    if (value < *field)
        *field = value;
}

static void raise_to(double *field, double value)
{
    if (value > *field || (isnan(*field) && !isnan(value)))
        *field = value;
}

/* What the samples of the watcher add to two readings. */
static void take_curve(const struct build *build, const struct tk_step_record *start,
                       const struct tk_step_record *end, struct tk_job_step *step)
{
    const struct tk_curve *curve = build->curve;
    double low, high;
    bool host = tk_str_eq(step->scope, TK_STR(TK_JOB_SCOPE_HOST));
    if (step->samples.rows.count == 0) {
        tk_curve_rows(curve, start->boot_ns, end->boot_ns, step->start_time, &step->samples,
                      &build->session->arena);
    }
    tk_curve_range(curve, TK_CURVE_CORES, start->boot_ns, end->boot_ns, &low, &high);
    if (host)
        step->cpu.cores_peak = high;
    tk_curve_range(curve, TK_CURVE_RX_MBS, start->boot_ns, end->boot_ns, &low, &high);
    step->net.peak_rx_mbs = high;
    tk_curve_range(curve, TK_CURVE_AVAILABLE_MB, start->boot_ns, end->boot_ns, &low, &high);
    lower(&step->host.memory_available_min_mb, low);
    tk_curve_range(curve, TK_CURVE_LOAD1, start->boot_ns, end->boot_ns, &low, &high);
    raise_to(&step->host.load1_max, high);
    tk_curve_range(curve, TK_CURVE_FREE_MB, start->boot_ns, end->boot_ns, &low, &high);
    if (step->io.filesystems.count > 0)
        lower(&step->io.filesystems.items[0].free_min_mb, low);
}

static const struct tk_step_record *end_of(const struct build *build,
                                           const struct tk_step_span *span)
{
    if (span->end)
        return span->end;
    return span->gone ? span->gone : build->now;
}

static void build_step(const struct build *build, const struct tk_step_span *span,
                       struct tk_job_step *step)
{
    struct tk_session *session = build->session;
    const struct tk_step_record *end = end_of(build, span);
    *step = span->start->step;
    step->id = id_of(build, span->start->span);
    step->parent = id_of(build, span->start->step.parent);
    step->attempt = attempt_of(&session->spans, span);
    take_notes(build, span->start->span, step);
    step->status = TK_STR(TK_JOB_INCOMPLETE);
    step->scope = TK_STR(TK_JOB_SCOPE_HOST);
    tk_job_shape_merge(&tk_job_step_shape, step, &end->step);
    tk_step_measure_host(&session->kernel, span->start, end, step, &session->arena);
    if (tk_str_eq(step->kind, TK_STR(TK_STEP_KIND_VM)))
        return; /* measured to the end, on another machine */
    step->net.link_mbps = build->link_mbps;
    take_curve(build, span->start, end, step);
    tk_step_measure_rest(build->cores, step, &session->arena);
}

/* The job ---------------------------------------------------------------------------- */

static int by_start(const void *a, const void *b)
{
    double x = (*(const struct tk_job_step *const *)a)->start_time;
    double y = (*(const struct tk_job_step *const *)b)->start_time;
    return (x > y) - (x < y);
}

/* Seconds of the job in which some step ran. */
static double covered_s(const struct build *build)
{
    const struct tk_job_steps *steps = &build->job->steps;
    const struct tk_job_step **order =
        tk_arena_alloc(&build->session->arena, (steps->count + 1) * sizeof(void *));
    double covered = 0;
    double reach = 0;
    if (!order)
        return (double)NAN;
    for (size_t i = 0; i < steps->count; i++)
        order[i] = &steps->items[i];
    qsort(order, steps->count, sizeof(void *), by_start);
    for (size_t i = 0; i < steps->count; i++) {
        double from = order[i]->start_time > reach ? order[i]->start_time : reach;
        if (order[i]->end_time > from)
            covered += order[i]->end_time - from;
        raise_to(&reach, order[i]->end_time);
    }
    return covered;
}

static void add_up(double *sum, double value)
{
    if (!isnan(value))
        *sum = isnan(*sum) ? value : *sum + value;
}

static bool has_parent(const struct tk_job_step *step)
{
    return step->parent.n > 0;
}

static void total_host(const struct build *build)
{
    struct tk_job_totals *totals = &build->job->totals;
    struct tk_job_step whole;
    tk_job_shape_init(&tk_job_step_shape, &whole);
    tk_step_measure_host(&build->session->kernel, build->init, build->now, &whole,
                         &build->session->arena);
    totals->disk_read_mb = whole.disk_read_mb;
    totals->disk_write_mb = whole.disk_write_mb;
    totals->net_rx_mb = whole.net_rx_mb;
    totals->net_tx_mb = whole.net_tx_mb;
    totals->oom_kills = whole.memory.oom_kills;
    for (size_t i = 0; i < whole.io.filesystems.count; i++) {
        double free_mb = whole.io.filesystems.items[i].free_min_mb;
        if (isnan(totals->disk_free_min_mb) || free_mb < totals->disk_free_min_mb)
            totals->disk_free_min_mb = free_mb;
    }
}

static void total_steps(const struct build *build)
{
    struct tk_job *job = build->job;
    struct tk_job_totals *totals = &job->totals;
    totals->steps = (int64_t)job->steps.count;
    totals->failed_steps = 0;
    job->status = TK_STR(TK_JOB_SUCCESS);
    job->exit_code = 0;
    for (size_t i = 0; i < job->steps.count; i++) {
        const struct tk_job_step *step = &job->steps.items[i];
        bool failed = tk_str_eq(step->status, TK_STR(TK_JOB_FAILED));
        bool incomplete = tk_str_eq(step->status, TK_STR(TK_JOB_INCOMPLETE));
        totals->failed_steps += failed;
        if (failed && job->exit_code == 0)
            job->exit_code = step->exit_code == TK_JOB_NONE ? 1 : step->exit_code;
        if (failed || (incomplete && totals->failed_steps == 0))
            job->status = step->status;
        if (!has_parent(step))
            add_up(&totals->cpu_s, step->cpu.total_s);
        raise_to(&totals->memory_peak_mb, step->memory.peak_mb);
        for (size_t k = 0; k < step->io.filesystems.count; k++)
            lower(&totals->disk_free_min_mb, step->io.filesystems.items[k].free_min_mb);
    }
    totals->untracked_s = job->job_duration_s - covered_s(build);
    if (totals->untracked_s < 0)
        totals->untracked_s = 0;
    if (job->job_duration_s > 0)
        totals->cores_avg = totals->cpu_s / job->job_duration_s;
}

/* From the step that ended last back through those that ended before it began. */
static void find_critical_path(const struct build *build)
{
    const struct tk_job_steps *steps = &build->job->steps;
    struct tk_arena *arena = &build->session->arena;
    tk_str *names = tk_arena_alloc(arena, (steps->count + 1) * sizeof(tk_str));
    size_t count = 0;
    double before = (double)INFINITY;
    while (names && count < steps->count) {
        const struct tk_job_step *last = NULL;
        for (size_t i = 0; i < steps->count; i++) {
            const struct tk_job_step *step = &steps->items[i];
            if (!has_parent(step) && step->end_time <= before && step->start_time < before &&
                (!last || step->end_time > last->end_time))
                last = step;
        }
        if (!last)
            break;
        names[count++] = last->name;
        before = last->start_time;
    }
    while (count > 0)
        (void)!tk_job_add_text(&build->job->critical_path, names[--count], arena);
}

/* "L1" is best: the lowest that any step was measured at; without steps nothing was attributed. */
static tk_str level_of(const struct tk_session *session)
{
    tk_str best = TK_STR("L4");
    for (size_t i = 0; i < session->spans.count; i++) {
        const struct tk_step_record *end = session->spans.items[i].end;
        if (!end)
            continue;
        bool cgroup = tk_str_eq(end->step.scope, TK_STR(TK_JOB_SCOPE_CGROUP));
        bool full = cgroup && tk_str_eq(end->step.memory.peak_source, TK_STR("memory.peak")) &&
                    tk_str_eq(end->step.io.source, TK_STR("io.stat"));
        bool tree = tk_str_eq(end->step.scope, TK_STR(TK_JOB_SCOPE_TREE));
        tk_str level = full     ? TK_STR("L1")
                       : cgroup ? TK_STR("L2")
                       : tree   ? TK_STR("L3")
                                : TK_STR("L4");
        if (tk_str_cmp(level, best) < 0)
            best = level;
    }
    return best;
}

static void take_artifacts(const struct build *build)
{
    const struct tk_step_records *records = &build->session->journal.records;
    for (size_t i = 0; i < records->count; i++) {
        const struct tk_job_artifacts *from = &records->items[i].job.artifacts;
        const struct tk_step_span *span =
            tk_step_spans_get(&build->session->spans, records->items[i].span);
        for (size_t k = 0; k < from->count; k++) {
            struct tk_job_artifact *artifact =
                tk_job_add(&tk_job_artifact_shape, &build->job->artifacts, &build->session->arena);
            if (!artifact)
                return;
            *artifact = from->items[k];
            artifact->step = span ? span->start->step.name : (tk_str){0};
        }
    }
}

/* "2026-01-24T12:00:00+00:00", as the original had it. */
static tk_str timestamp_of(int64_t real_ns, struct tk_arena *arena)
{
    char text[TK_TIME_MAX];
    char offset[TK_TIME_MAX + 8];
    (void)tk_time_format_iso(real_ns, text);
    int n = snprintf(offset, sizeof(offset), "%.19s+00:00", text);
    return tk_arena_copy(arena, (tk_str){offset, (size_t)n});
}

static void build_job(const struct build *build)
{
    struct tk_session *session = build->session;
    struct tk_job *job = build->job;
    const struct tk_step_record *init = build->init;
    const double ns = (double)TK_NS_PER_S;
    assert(init && build->now);
    int64_t duration_ns = build->now->boot_ns - init->boot_ns;
    *job = init->job;
    job->timestamp = timestamp_of(init->real_ns, &session->arena);
    job->schema = TK_STR(TK_JOB_SCHEMA);
    job->job_start = (double)init->real_ns / ns;
    job->job_duration_s = (double)duration_ns / ns;
    job->job_end = job->job_start + job->job_duration_s;
    job->system.load1_start = init->host.load1;
    job->clock.wall_drift_s = (double)(build->now->real_ns - init->real_ns - duration_ns) / ns;
    job->tool.name = TK_STR("tracekit");
    job->tool.version = TK_STR(TK_VERSION);
    job->tool.level = level_of(session);
    job->attempt = job->attempt == TK_JOB_NONE ? 1 : job->attempt;
    for (size_t i = 0; i < session->spans.count; i++) {
        struct tk_job_step *step = tk_job_add(&tk_job_step_shape, &job->steps, &session->arena);
        if (step)
            build_step(build, &session->spans.items[i], step);
    }
    total_host(build);
    total_steps(build);
    find_critical_path(build);
    take_artifacts(build);
    job->overhead.samples = (int64_t)build->curve->count;
    job->overhead.dropped = (int64_t)session->journal.damaged;
    job->overhead.sampler_cpu_ms = tk_watch_cpu_ms(&session->kernel, session->state.job_fd);
    for (size_t i = 0; i < session->journal.records.count; i++) {
        add_up(&job->overhead.sampler_cpu_ms,
               session->journal.records.items[i].job.overhead.sampler_cpu_ms);
    }
}

/* A record of this moment, which ends what is open. */
static struct tk_step_record *read_now(struct tk_session *session)
{
    struct tk_step_record *now = tk_arena_alloc(&session->arena, sizeof(*now));
    if (now) {
        tk_step_record_init(now, TK_STEP_END, TK_STR(""));
        tk_session_read_host(session, now);
    }
    return now;
}

int64_t tk_session_last_ns(const struct tk_session *session, const struct tk_curve *curve)
{
    int64_t last_ns = curve->count > 0 ? curve->items[curve->count - 1].boot_ns : 0;
    return last_ns > session->journal.last_ns ? last_ns : session->journal.last_ns;
}

/* A record of that moment, without what nobody read then. */
static struct tk_step_record *read_last(struct tk_session *session,
                                        const struct tk_step_record *init,
                                        const struct tk_curve *curve)
{
    struct tk_step_record *last = tk_arena_alloc(&session->arena, sizeof(*last));
    if (last) {
        tk_step_record_init(last, TK_STEP_END, TK_STR(""));
        last->boot_ns = tk_session_last_ns(session, curve);
        last->real_ns = init->real_ns + (last->boot_ns - init->boot_ns);
    }
    return last;
}

/* With the samples of after `from_ns`. */
static int begin(struct tk_session *session, int64_t from_ns, struct tk_curve *curve,
                 struct build *ret, struct tk_err *err)
{
    const struct tk_step_record *init = tk_journal_get(&session->journal, TK_STEP_INIT);
    *ret =
        (struct build){.session = session, .init = init, .curve = curve, .link_mbps = (double)NAN};
    if (!init)
        return tk_fail(err, -EBADMSG, "the journal of %s cannot be used", session->state.job);
    ret->cores = tk_step_cores(&init->job.system);
    return tk_curve_read(session->state.job_fd, from_ns, curve, err);
}

/* The end of the step of a job that was made for it alone: of that moment all is known. */
static const struct tk_step_record *end_of_private(const struct build *build)
{
    const struct tk_step_spans *spans = &build->session->spans;
    return build->init->private == 1 && spans->count > 0 ? spans->items[0].end : NULL;
}

/* What ends that which is open. `lost` = nobody is there who could read anything now. */
static int set_now(struct build *build, bool lost, struct tk_err *err)
{
    struct tk_session *session = build->session;
    build->now = end_of_private(build);
    if (build->now)
        return 0;
    build->now = lost ? read_last(session, build->init, build->curve) : read_now(session);
    return build->now ? 0
                      : tk_fail(err, -EMSGSIZE, "the journal of %s is full", session->state.job);
}

static int build_all(struct tk_session *session, bool lost, struct tk_job *ret_job,
                     struct tk_err *err)
{
    TK_CLEANUP(tk_curve_release) struct tk_curve curve = {0};
    struct build build;
    int rc = tk_session_load(session, err);
    rc = rc < 0 ? rc : begin(session, INT64_MIN, &curve, &build, err);
    rc = rc < 0 ? rc : set_now(&build, lost, err);
    if (rc < 0)
        return rc;
    build.job = ret_job;
    build.link_mbps = tk_step_link_mbps(&session->kernel);
    build_job(&build);
    return 0;
}

int tk_session_build(struct tk_session *session, struct tk_job *ret_job, struct tk_err *err)
{
    return build_all(session, false, ret_job, err);
}

int tk_session_build_lost(struct tk_session *session, struct tk_job *ret_job, struct tk_err *err)
{
    return build_all(session, true, ret_job, err);
}

int tk_session_build_step(struct tk_session *session, tk_str span, struct tk_job_step *ret_step,
                          struct tk_err *err)
{
    TK_CLEANUP(tk_curve_release) struct tk_curve curve = {0};
    struct build build;
    const struct tk_journal_filter filter = {tk_arena_copy(&session->arena, span)};
    int rc = tk_journal_text_read_on(session->state.job_fd, &session->text, err);
    rc = rc < 0 ? rc : tk_session_parse(session, &filter, err);
    if (rc < 0)
        return rc;
    const struct tk_step_span *found = tk_step_spans_get(&session->spans, filter.span);
    if (!found)
        return tk_fail(err, -ENOENT, "there is no such step");
    rc = begin(session, found->start->boot_ns, &curve, &build, err);
    if (rc == 0 && !found->end)
        rc = set_now(&build, false, err);
    if (rc < 0)
        return rc;
    build_step(&build, found, ret_step);
    ret_step->id = (tk_str){0};
    ret_step->attempt = TK_JOB_NONE;
    return 0;
}

static bool is_private(const struct tk_session *session)
{
    const struct tk_step_record *init = tk_journal_get(&session->journal, TK_STEP_INIT);
    return init && init->private == 1;
}

int tk_session_finalize(struct tk_session *session, const struct tk_job *job, struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    char name[NAME_MAX + 8];
    struct tk_step_record record;
    tk_buf_init(&text, TK_JOB_TEXT_MAX);
    tk_job_format(job, TK_SHORTEST, &text);
    int rc = tk_buf_check(&text, "document of the job", err);
    (void)snprintf(name, sizeof(name), "%s.json", session->state.job);
    if (rc == 0) {
        rc = (is_private(session) ? tk_file_refresh : tk_file_write)(session->state.fd, name,
                                                                     tk_buf_str(&text), 0644, err);
    }
    if (rc < 0)
        return rc;
    tk_step_record_init(&record, TK_STEP_FINALIZE, TK_STR(""));
    rc = tk_session_append(session, &record, err);
    if (rc == 0)
        tk_state_unmark(&session->state);
    return rc;
}
