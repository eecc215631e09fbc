/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/step_import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/number.h"
#include "span/when.h"

#define FIELD(type, member, kind, shape)                                                           \
    {                                                                                              \
#member, kind, offsetof(struct type, member), NULL, shape                                  \
    }
#define TEXT(type, member) FIELD(type, member, TK_JOB_TEXT, NULL)
#define SHAPE(name, type, fields)                                                                  \
    {                                                                                              \
        name, sizeof(struct type), fields, TK_COUNTOF(fields)                                      \
    }

enum {
    NINJA_STEPS = 200, /* the longest: a log holds thousands of compilations */
};

/* Ninja ---------------------------------------------------------------------------------- */

/* A line of .ninja_log, "start<TAB>end<TAB>mtime<TAB>output<TAB>hash"; ms since Ninja began. */
struct edge {
    int64_t start_ms, end_ms;
    tk_str output;
};

static bool edge_read(tk_str line, struct edge *edge)
{
    tk_str start, end, written;
    return tk_str_take_until(&line, '\t', &start) && tk_parse_i64(start, &edge->start_ms) &&
           tk_str_take_until(&line, '\t', &end) && tk_parse_i64(end, &edge->end_ms) &&
           tk_str_take_until(&line, '\t', &written) &&
           tk_str_take_until(&line, '\t', &edge->output) && edge->start_ms >= 0 &&
           edge->start_ms <= edge->end_ms && edge->end_ms <= INT32_MAX;
}

static int compare_longest(const void *a, const void *b)
{
    const struct edge *x = a;
    const struct edge *y = b;
    int64_t dx = x->end_ms - x->start_ms;
    int64_t dy = y->end_ms - y->start_ms;
    return (dx < dy) - (dx > dy);
}

/* The edges of the last run: ends ascend within one, and an earlier one begins another. */
static int edges_read(tk_str text, struct edge **ret_edges, size_t *ret_count, struct tk_err *err)
{
    tk_str line;
    size_t lines = 0;
    for (size_t i = 0; i < text.n; i++)
        lines += text.p[i] == '\n';
    struct edge *edges = malloc((lines + 1) * sizeof(*edges));
    if (!edges)
        return tk_fail(err, -ENOMEM, "out of memory");
    size_t count = 0;
    while (tk_str_take_line(&text, &line)) {
        struct edge edge;
        if (!edge_read(line, &edge))
            continue;
        if (count > 0 && edge.end_ms < edges[count - 1].end_ms)
            count = 0;
        edges[count++] = edge;
    }
    *ret_edges = edges;
    *ret_count = count;
    return 0;
}

static int ninja_read(tk_str text, int64_t written_ns, const struct tk_import_sink *sink,
                      struct tk_err *err)
{
    struct edge *edges = NULL;
    size_t count = 0;
    if (!tk_str_starts_with(text, TK_STR("# ninja log v")))
        return tk_fail(err, -EBADMSG, "no log of Ninja: it does not begin with \"# ninja log v\"");
    int rc = edges_read(text, &edges, &count, err);
    if (rc < 0)
        return rc;
    int64_t begin_ns = count > 0 ? written_ns - edges[count - 1].end_ms * TK_NS_PER_MS : 0;
    if (count > 0)
        qsort(edges, count, sizeof(*edges), compare_longest);
    for (size_t i = 0; rc == 0 && i < count && i < NINJA_STEPS; i++) {
        const struct tk_import_step step = {
            .name = edges[i].output,
            .start_ns = begin_ns + edges[i].start_ms * TK_NS_PER_MS,
            .end_ns = begin_ns + edges[i].end_ms * TK_NS_PER_MS,
        };
        rc = sink->add(sink->into, &step, err);
    }
    free(edges);
    return rc;
}

/* Steps with two times -------------------------------------------------------------------- */

/* Add a step that began and ended; others are left out. */
static int add_timed(const struct tk_import_sink *sink, tk_str name, tk_str started,
                     tk_str completed, bool failed, struct tk_err *err)
{
    struct tk_import_step step = {.name = name, .failed = failed};
    if (name.n == 0 || !tk_when_parse(started, false, &step.start_ns) ||
        !tk_when_parse(completed, false, &step.end_ns) || step.end_ns < step.start_ns)
        return 0;
    return sink->add(sink->into, &step, err);
}

/* BuildKit --------------------------------------------------------------------------------- */

/* A line of rawjson has what changed; a vertex comes again until it is completed. */
struct vertex {
    tk_str name, started, completed, error;
};

struct vertexes {
    struct vertex *items;
    size_t count;
};

struct status {
    struct vertexes vertexes;
};

static const struct tk_job_field vertex_fields[] = {
    TEXT(vertex, name),
    TEXT(vertex, started),
    TEXT(vertex, completed),
    TEXT(vertex, error),
};
static const struct tk_job_shape vertex_shape = SHAPE("vertex", vertex, vertex_fields);
static const struct tk_job_field status_fields[] = {
    FIELD(status, vertexes, TK_JOB_OBJECTS, &vertex_shape),
};
static const struct tk_job_shape status_shape = SHAPE("status", status, status_fields);

static int buildkit_line(tk_str line, struct tk_arena *arena, const struct tk_import_sink *sink,
                         struct tk_err *err)
{
    struct status status;
    int rc = tk_job_shape_parse(line, &status_shape, arena, &status, err);
    for (size_t i = 0; rc == 0 && i < status.vertexes.count; i++) {
        const struct vertex *vertex = &status.vertexes.items[i];
        rc = add_timed(sink, vertex->name, vertex->started, vertex->completed, vertex->error.n > 0,
                       err);
    }
    return rc;
}

static int buildkit_read(tk_str text, int64_t written_ns, const struct tk_import_sink *sink,
                         struct tk_err *err)
{
    TK_CLEANUP(tk_arena_release) struct tk_arena arena = {0};
    tk_str line;
    (void)written_ns;
    int rc = tk_arena_init(&arena, TK_JOB_ARENA_MAX, err);
    for (size_t number = 1; rc == 0 && tk_str_take_line(&text, &line); number++) {
        tk_arena_reset(&arena);
        if (tk_str_trim(line).n > 0)
            rc = buildkit_line(line, &arena, sink, err);
        if (rc < 0)
            rc = tk_err_prefix(err, "line %zu", number);
    }
    return rc;
}

/* GitHub ------------------------------------------------------------------------------------- */

/* GET /repos/OWNER/REPO/actions/runs/ID/jobs */
struct github_step {
    tk_str name, conclusion, started_at, completed_at;
};

struct github_steps {
    struct github_step *items;
    size_t count;
};

struct github_job {
    tk_str name;
    struct github_steps steps;
};

struct github_jobs {
    struct github_job *items;
    size_t count;
};

struct github_run {
    struct github_jobs jobs;
};

static const struct tk_job_field github_step_fields[] = {
    TEXT(github_step, name),
    TEXT(github_step, conclusion),
    TEXT(github_step, started_at),
    TEXT(github_step, completed_at),
};
static const struct tk_job_shape github_step_shape = SHAPE("step", github_step, github_step_fields);
static const struct tk_job_field github_job_fields[] = {
    TEXT(github_job, name),
    FIELD(github_job, steps, TK_JOB_OBJECTS, &github_step_shape),
};
static const struct tk_job_shape github_job_shape = SHAPE("job", github_job, github_job_fields);
static const struct tk_job_field github_run_fields[] = {
    FIELD(github_run, jobs, TK_JOB_OBJECTS, &github_job_shape),
};
static const struct tk_job_shape github_run_shape = SHAPE("run", github_run, github_run_fields);

/* With several jobs their names stand before those of the steps. */
static int github_job_add(const struct github_job *job, bool alone,
                          const struct tk_import_sink *sink, struct tk_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < job->steps.count; i++) {
        const struct github_step *step = &job->steps.items[i];
        char name[512];
        bool failed = tk_str_eq(step->conclusion, TK_STR("failure")) ||
                      tk_str_eq(step->conclusion, TK_STR("timed_out"));
        int n = snprintf(name, sizeof(name), "%.*s%s%.*s", alone ? 0 : (int)job->name.n,
                         alone ? "" : job->name.p, alone ? "" : " / ", TK_STR_ARG(step->name));
        tk_str whole = {name, n < (int)sizeof(name) ? (size_t)n : sizeof(name) - 1};
        rc = add_timed(sink, whole, step->started_at, step->completed_at, failed, err);
    }
    return rc;
}

static int github_read(tk_str text, int64_t written_ns, const struct tk_import_sink *sink,
                       struct tk_err *err)
{
    TK_CLEANUP(tk_arena_release) struct tk_arena arena = {0};
    struct github_run run = {0};
    (void)written_ns;
    int rc = tk_arena_init(&arena, TK_JOB_ARENA_MAX, err);
    rc = rc < 0 ? rc : tk_job_shape_parse(text, &github_run_shape, &arena, &run, err);
    if (rc == 0 && run.jobs.count == 0)
        return tk_fail(err, -EBADMSG, "no jobs of a run of GitHub Actions: \"jobs\" is missing");
    for (size_t i = 0; rc == 0 && i < run.jobs.count; i++)
        rc = github_job_add(&run.jobs.items[i], run.jobs.count == 1, sink, err);
    return rc;
}

const struct tk_import_format tk_import_formats[] = {
    {"ninja_log", ninja_read},
    {"buildkit", buildkit_read},
    {"github", github_read},
    {0},
};

/* Into the journal ---------------------------------------------------------------------------- */

struct importing {
    struct tk_session *session;
    const char *kind;
    size_t count;
};

static void stamp(struct tk_step_record *record, int64_t real_ns)
{
    record->boot_ns += real_ns - record->real_ns;
    record->real_ns = real_ns;
}

static int add_step(void *into, const struct tk_import_step *step, struct tk_err *err)
{
    struct importing *importing = into;
    struct tk_step_record record;
    char span[TK_STEP_SPAN_MAX];
    (void)snprintf(span, sizeof(span), "im.%llx.%zu", (unsigned long long)tk_clock_boot_ns(),
                   importing->count++);
    tk_step_record_init(&record, TK_STEP_START, tk_str_from(span));
    stamp(&record, step->start_ns);
    record.step.name = step->name;
    record.step.kind = tk_str_from(importing->kind);
    int rc = tk_session_append(importing->session, &record, err);
    if (rc < 0)
        return rc;
    tk_step_record_init(&record, TK_STEP_END, tk_str_from(span));
    stamp(&record, step->end_ns);
    record.step.status = step->failed ? TK_STR(TK_JOB_FAILED) : TK_STR(TK_JOB_SUCCESS);
    return tk_session_append(importing->session, &record, err);
}

int tk_step_import(struct tk_session *session, const struct tk_import_format *format,
                   const char *path, size_t *ret_count, struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    struct stat st;
    struct importing importing = {session, format->name, 0};
    const struct tk_import_sink sink = {add_step, &importing};
    tk_buf_init(&text, TK_JOB_TEXT_MAX);
    int rc = tk_file_load(AT_FDCWD, path, &text, err);
    if (rc < 0)
        return rc;
    if (stat(path, &st) < 0)
        return tk_fail_errno(err, "%s", path);
    int64_t written_ns = st.st_mtim.tv_sec * TK_NS_PER_S + st.st_mtim.tv_nsec;
    rc = format->read(tk_buf_str(&text), written_ns, &sink, err);
    *ret_count = importing.count;
    return rc < 0 ? tk_err_prefix(err, "%s", path) : 0;
}
