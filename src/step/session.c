/* SPDX-License-Identifier: Apache-2.0 */
#include "step/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/file.h"
#include "base/number.h"
#include "step/session_internal.h"

#define LOCK_PATIENCE_NS (5 * TK_NS_PER_S)

enum {
    ANCESTORS = 16, /* processes between a step's owner and that of the step around it */
    PATH_BYTES = 4096,
};

/* Opening ---------------------------------------------------------------------------- */

int tk_session_open(const struct tk_state_options *options, struct tk_session **ret_session,
                    struct tk_err *err)
{
    struct tk_session *session = calloc(1, sizeof(*session));
    if (!session)
        return tk_fail(err, -ENOMEM, "out of memory");
    session->options = options;
    session->state = (struct tk_state){.fd = -1, .job_fd = -1};
    tk_journal_text_init(&session->text);
    int rc = tk_kernel_open(&session->kernel, "/", err);
    rc = rc < 0 ? rc : tk_arena_init(&session->arena, TK_JOB_ARENA_MAX, err);
    rc = rc < 0 ? rc : tk_host_viewer_new(&session->kernel, &session->viewer, err);
    rc = rc < 0 ? rc : tk_state_open(&session->state, options, err);
    if (rc < 0) {
        tk_session_free(session);
        return rc;
    }
    *ret_session = session;
    return 0;
}

void tk_session_free(struct tk_session *session)
{
    if (!session)
        return;
    tk_state_close(&session->state);
    tk_host_viewer_free(session->viewer);
    tk_journal_text_release(&session->text);
    tk_arena_release(&session->arena);
    tk_kernel_close(&session->kernel);
    free(session);
}

void tk_session_freep(struct tk_session **session)
{
    tk_session_free(*session);
}

const char *tk_session_path(struct tk_session *session)
{
    const struct tk_state *state = &session->state;
    (void)snprintf(session->path, sizeof(session->path), "%s/%s", state->folder, state->job);
    return session->path;
}

const struct tk_kernel *tk_session_kernel(const struct tk_session *session)
{
    return &session->kernel;
}

struct tk_state *tk_session_state(struct tk_session *session)
{
    return &session->state;
}

struct tk_arena *tk_session_arena(struct tk_session *session)
{
    return &session->arena;
}

struct tk_host_viewer *tk_session_viewer(struct tk_session *session)
{
    return session->viewer;
}

const struct tk_journal *tk_session_journal(const struct tk_session *session)
{
    return &session->journal;
}

const struct tk_step_spans *tk_session_spans(const struct tk_session *session)
{
    return &session->spans;
}

const struct tk_cgroup_mounts *tk_session_mounts(struct tk_session *session)
{
    struct tk_err ignored;
    if (!session->has_mounts) {
        session->has_mounts =
            tk_cgroup_mounts_read(&session->kernel, &session->mounts, &ignored) == 0;
    }
    return session->has_mounts ? &session->mounts : NULL;
}

int tk_session_parse(struct tk_session *session, const struct tk_journal_filter *filter,
                     struct tk_err *err)
{
    int rc = tk_journal_text_parse(&session->text, filter, &session->arena, &session->journal, err);
    rc = rc < 0 ? rc : tk_step_spans_find(&session->journal, &session->arena, &session->spans, err);
    return rc;
}

int tk_session_load(struct tk_session *session, struct tk_err *err)
{
    int rc = tk_journal_text_read(session->state.job_fd, &session->text, err);
    return rc < 0 ? rc : tk_session_parse(session, NULL, err);
}

int tk_session_find(struct tk_session *session, struct tk_err *err)
{
    static const struct tk_journal_filter open_steps = {{0}};
    int rc =
        session->state.job_fd >= 0 ? 0 : tk_state_find_job(&session->state, session->options, err);
    rc = rc < 0 ? rc : tk_journal_text_read_open(session->state.job_fd, &session->text, err);
    rc = rc < 0 ? rc : tk_session_parse(session, &open_steps, err);
    if (rc < 0)
        return rc;
    if (!tk_journal_get(&session->journal, TK_STEP_INIT)) {
        return tk_fail(err, -EBADMSG, "%s/%s: the journal does not begin with a job",
                       session->state.folder, session->state.job);
    }
    if (tk_journal_get(&session->journal, TK_STEP_FINALIZE))
        return tk_fail(err, -EALREADY, "job %s is finalised", session->state.job);
    return 0;
}

int tk_session_find_alone(struct tk_session *session, struct tk_err *err)
{
    int rc =
        session->state.job_fd >= 0 ? 0 : tk_state_find_job(&session->state, session->options, err);
    if (rc == 0)
        (void)tk_fd_lock(session->state.job_fd, LOCK_PATIENCE_NS);
    return rc < 0 ? rc : tk_session_find(session, err);
}

/* Records ---------------------------------------------------------------------------- */

static void read_view(struct tk_session *session)
{
    tk_host_viewer_read(session->viewer, &session->view);
}

/* What was read last goes into a record of now. */
static void take_view(struct tk_session *session, struct tk_step_record *record)
{
    tk_step_host_take(&record->host, &session->view, &session->arena);
    record->real_ns = tk_clock_real_ns();
    record->boot_ns = tk_clock_boot_ns();
}

void tk_session_read_host(struct tk_session *session, struct tk_step_record *record)
{
    read_view(session);
    take_view(session, record);
}

int tk_session_append(struct tk_session *session, const struct tk_step_record *record,
                      struct tk_err *err)
{
    int rc = tk_journal_append(session->state.job_fd, record, err);
    return rc < 0 ? tk_err_prefix(err, "%s/%s", session->state.folder, session->state.job) : rc;
}

/* Jobs ------------------------------------------------------------------------------- */

static void set_id(struct tk_session *session, struct tk_job *job, int64_t now_ns)
{
    unsigned char random[3] = {0};
    char time[TK_TIME_MAX];
    char id[TK_TIME_MAX + 8];
    (void)!getrandom(random, sizeof(random), 0);
    int n = snprintf(id, sizeof(id), "%s-%02x%02x%02x", tk_time_format_compact(now_ns, time),
                     random[0], random[1], random[2]);
    job->id = tk_arena_copy(&session->arena, (tk_str){id, (size_t)n});
}

/* Before its journal begins, so that a wrapper that is killed never leaves one that nobody ends. */
static int mark_private(struct tk_session *session, struct tk_err *err)
{
    pid_t above;
    int64_t born;
    if (!tk_step_process_read(&session->kernel, getpid(), &above, &born))
        return 0; /* a host that does not tell of processes */
    return tk_state_mark(&session->state, getpid(), born, err);
}

int tk_session_begin(struct tk_session *session, struct tk_job *job, bool private,
                     struct tk_err *err)
{
    char name[256];
    char host[TK_NODE_NAME_MAX];
    struct tk_step_record record;
    tk_step_record_init(&record, TK_STEP_INIT, TK_STR(""));
    (void)snprintf(name, sizeof(name), "%.*s", TK_STR_ARG(job->job));
    int rc = tk_state_new_job(&session->state, name, record.real_ns, err);
    if (rc < 0)
        return rc;
    tk_node_host_name(&session->kernel, host);
    set_id(session, job, record.real_ns);
    job->runner = tk_arena_copy(&session->arena, tk_str_from(host));
    job->clock.boot_id = tk_str_from(session->kernel.boot_id);
    tk_session_read_host(session, &record);
    tk_step_system_read(session, &job->system);
    record.job = *job;
    record.private = private;
    session->view_is_new = private; /* its step starts at once */
    record.job.clock.start_boottime_ns = record.boot_ns;
    if (private)
        rc = mark_private(session, err);
    rc = rc < 0 ? rc : tk_session_append(session, &record, err);
    if (rc == 0 && !private)
        rc = tk_state_point(&session->state, err);
    return rc < 0 ? rc : tk_session_load(session, err);
}

/* Steps ------------------------------------------------------------------------------ */

/* Unique on this machine: no two processes have a pid at one moment. */
static void new_span(char ret[TK_STEP_SPAN_MAX])
{
    (void)snprintf(ret, TK_STEP_SPAN_MAX, "%llx.%x",
                   (unsigned long long)(tk_clock_boot_ns() / TK_NS_PER_US), (unsigned)getpid());
}

/* The process that made up the name of a span. */
static pid_t span_maker(tk_str span)
{
    uint32_t pid = 0;
    for (size_t i = tk_str_find_last(span, '.') + 1; i < span.n; i++)
        pid = pid * 16 + (uint32_t)tk_hex_value(span.p[i]);
    return (pid_t)pid;
}

struct process {
    pid_t pid; /* 0 = none */
    int64_t born;
};

/* The shell forked this child before it began the step: what it left running beside it is not part
 * of what it does next. Within a tick of the clock the numbers of processes tell, as they ascend.
 */
static bool is_older(const struct tk_kernel *kernel, const struct process *child,
                     const struct tk_step_span *span)
{
    const struct tk_step_record *start = span->start;
    int64_t tick_ns = TK_NS_PER_S / kernel->clk_tck;
    if (!child->pid || !tk_str_eq(start->step.kind, TK_STR("shell")))
        return false;
    int64_t start_ticks = start->boot_ns / tick_ns;
    return child->born < start_ticks ||
           (child->born == start_ticks && child->pid < span_maker(start->span));
}

/* The last open step of a process, `below` which stands the child of it that is looked at. */
static const struct tk_step_span *owned_by(const struct tk_session *session,
                                           const struct process *owner, const struct process *below)
{
    for (size_t i = session->spans.count; i-- > 0;) {
        const struct tk_step_span *span = &session->spans.items[i];
        if (!span->end && span->start->owner == owner->pid &&
            span->start->owner_born == owner->born && !is_older(&session->kernel, below, span))
            return span;
    }
    return NULL;
}

/* The step around one of this owner: the last open one of it or of a process above it. */
static tk_str find_parent(const struct tk_session *session, pid_t pid)
{
    struct process below = {0};
    struct process process = {.pid = pid};
    if (!tk_step_spans_last_open(&session->spans, (tk_str){0}))
        return (tk_str){0};
    for (int i = 0; i < ANCESTORS && process.pid > 1; i++) {
        pid_t above;
        if (!tk_step_process_read(&session->kernel, process.pid, &above, &process.born))
            break;
        const struct tk_step_span *span = owned_by(session, &process, &below);
        if (span)
            return span->start->span;
        below = process;
        process.pid = above;
    }
    return (tk_str){0};
}

/* A control group for the step, with its owner in it; what it is called goes to the record. */
static struct tk_cgroup_leaf *move_owner(struct tk_session *session, const char *span, pid_t owner,
                                         struct tk_step_record *record)
{
    char name[96];
    struct tk_err ignored;
    struct tk_cgroup_leaf *leaf = NULL;
    (void)snprintf(name, sizeof(name), "tracekit-step-%s-%d", span, (int)owner);
    if (tk_cgroup_leaf_new(&session->kernel, tk_session_mounts(session), name, &leaf, &ignored) < 0)
        return NULL;
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, PATH_BYTES);
    tk_cgroup_leaf_describe(leaf, &text);
    record->cgroup = tk_arena_copy(&session->arena, tk_buf_str(&text));
    if (!tk_buf_ok(&text) || !record->cgroup.p || tk_cgroup_leaf_take(leaf, owner) < 0) {
        record->cgroup = (tk_str){0};
        tk_cgroup_leaf_free(leaf);
        return NULL;
    }
    return leaf;
}

static void set_owner(const struct tk_session *session, const struct tk_session_step *wanted,
                      struct tk_step_record *record)
{
    pid_t above;
    int64_t born;
    pid_t owner = wanted->owner;
    if (owner <= 0 || !tk_step_process_read(&session->kernel, owner, &above, &born))
        return;
    record->owner = owner;
    record->owner_born = born;
    if (session->kernel.pid_ns != 0)
        record->pid_ns = session->kernel.pid_ns;
    if (wanted->usage) {
        record->usage = *wanted->usage;
    } else {
        (void)tk_step_usage_read(&session->kernel, owner, &record->usage);
    }
}

int tk_session_start(struct tk_session *session, const struct tk_session_step *wanted,
                     char ret_span[TK_STEP_SPAN_MAX], struct tk_err *err)
{
    char span[TK_STEP_SPAN_MAX];
    struct tk_step_record record;
    new_span(span);
    tk_step_record_init(&record, TK_STEP_START, tk_str_from(span));
    record.step.name = wanted->name;
    record.step.kind = tk_str_from(wanted->kind);
    record.step.attrs = wanted->attrs;
    record.step.argv = wanted->argv;
    record.step.trace = wanted->trace;
    record.cgroup = wanted->cgroup;
    bool given = wanted->parent && *wanted->parent &&
                 tk_step_spans_get(&session->spans, tk_str_from(wanted->parent));
    pid_t inner = wanted->owner == getpid() ? getppid() : wanted->owner;
    record.step.parent = given ? tk_str_from(wanted->parent) : find_parent(session, inner);
    struct tk_cgroup_leaf *leaf = NULL;
    if (wanted->move_owner && wanted->owner > 1)
        leaf = move_owner(session, span, wanted->owner, &record);
    set_owner(session, wanted, &record);
    if (!session->view_is_new)
        read_view(session);
    session->view_is_new = false;
    take_view(session, &record);
    int rc = tk_session_append(session, &record, err);
    if (rc < 0) {
        tk_cgroup_leaf_free(leaf);
        return rc;
    }
    tk_cgroup_leaf_leave(leaf);
    memcpy(ret_span, span, sizeof(span));
    return 0;
}

/* Version 1 counts the memory of the step's control group. */
static bool is_legacy(const struct tk_step_record *start)
{
    return memmem(start->cgroup.p, start->cgroup.n, " memory=", 8) != NULL;
}

/* The shell that started the step ends it: what it used, and what its control group did. */
static void measure_owner(struct tk_session *session, const struct tk_step_record *start,
                          struct tk_step_record *end, struct tk_cgroup_leaf *leaf)
{
    struct tk_cgroup_reading reading;
    struct tk_cgroup_memory memory;
    struct tk_step_usage usage;
    struct tk_err ignored;
    if (leaf && tk_cgroup_leaf_read(leaf, &reading, &ignored) == 0) {
        tk_cgroup_leaf_read_memory(leaf, &memory);
        tk_step_measure_leaf(&reading, &memory, is_legacy(start), &end->step);
    }
    if (start->usage.user_ns == TK_JOB_NONE ||
        !tk_step_usage_read(&session->kernel, (pid_t)start->owner, &usage))
        return;
    if (!end->step.scope.p)
        end->step.scope = TK_STR(TK_JOB_SCOPE_TREE);
    tk_step_measure_usage(&start->usage, &usage, &end->step);
}

static bool is_owner(const struct tk_session *session, const struct tk_step_record *start,
                     pid_t shell)
{
    pid_t above;
    int64_t born;
    return start->owner == shell && tk_step_process_read(&session->kernel, shell, &above, &born) &&
           born == start->owner_born;
}

int tk_session_end(struct tk_session *session, tk_str name, pid_t shell,
                   const struct tk_job_step *known, struct tk_err *err)
{
    struct tk_step_record record;
    const struct tk_step_span *span = tk_step_spans_last_open(&session->spans, name);
    if (!span)
        return tk_fail(err, -ENOENT, "no step '%.*s' is open", TK_STR_ARG(name));
    tk_step_record_init(&record, TK_STEP_END, span->start->span);
    record.step = *known;
    tk_session_read_host(session, &record);
    struct tk_cgroup_leaf *leaf = NULL;
    struct tk_err ignored;
    if (span->start->cgroup.n > 0 &&
        tk_cgroup_leaf_reopen(&session->kernel, tk_session_mounts(session), span->start->cgroup,
                              &leaf, &ignored) < 0)
        leaf = NULL;
    if (is_owner(session, span->start, shell))
        measure_owner(session, span->start, &record, leaf);
    tk_cgroup_leaf_free(leaf);
    return tk_session_append(session, &record, err);
}

/* Steps whose owner is gone ---------------------------------------------------------- */

/* What the control group of the owner had used, when the owner is gone. */
static void measure_left(struct tk_session *session, const struct tk_step_record *start,
                         struct tk_job_step *step)
{
    struct tk_cgroup_reading reading;
    struct tk_cgroup_memory memory;
    struct tk_cgroup_leaf *leaf;
    struct tk_err ignored;
    if (start->cgroup.n == 0 || tk_cgroup_leaf_reopen(&session->kernel, tk_session_mounts(session),
                                                      start->cgroup, &leaf, &ignored) < 0)
        return;
    if (tk_cgroup_leaf_read(leaf, &reading, &ignored) == 0) {
        tk_cgroup_leaf_read_memory(leaf, &memory);
        tk_step_measure_leaf(&reading, &memory, is_legacy(start), step);
    }
    /* What a command left may run on in its group. */
    if (tk_str_eq(start->step.kind, TK_STR("shell"))) {
        tk_cgroup_leaf_free(leaf);
    } else {
        tk_cgroup_leaf_leave(leaf);
    }
}

int tk_session_tell_gone(struct tk_session *session, const struct tk_step_span *span,
                         int64_t boot_ns, const struct tk_ending *ending, struct tk_err *err)
{
    struct tk_step_record record;
    const struct tk_step_record *start = span->start;
    tk_step_record_init(&record, TK_STEP_GONE, start->span);
    if (ending) {
        record.step.exit_code = ending->exit_code;
        record.step.signal = ending->signal;
    }
    if (boot_ns == 0) {
        tk_session_read_host(session, &record);
    } else {
        record.boot_ns = boot_ns > start->boot_ns ? boot_ns : start->boot_ns;
        record.real_ns = start->real_ns + (record.boot_ns - start->boot_ns);
    }
    measure_left(session, start, &record.step);
    return tk_session_append(session, &record, err);
}
