/* SPDX-License-Identifier: Apache-2.0 */
/* What queues and batch systems export: one row per job (columns or objects), or one object per
 * event in the life of a task (collect-and-cctf.md section 18), of which a call is made when the
 * task has ended. Only tasks that are under way are held, at most TASKS_MAX. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/map.h"
#include "span/records.h"

#define TASKS_MAX 1000000
#define ID_MAX    128 /* bytes of the id of a task, or the name of a node */

/* Names of common exports; Slurm's sacct has JobID, Submit, Start, End, Partition, ExitCode. */
static const struct tk_key names[] = {
    {"trace_id", TK_FIELD_TRACE_ID},
    {"job_id", TK_FIELD_JOB},
    {"jobid", TK_FIELD_JOB},
    {"task_id", TK_FIELD_JOB},
    {"task", TK_FIELD_JOB},
    {"id", TK_FIELD_JOB},
    {"event", TK_FIELD_EVENT},
    {"ts_ms", TK_FIELD_STAMP, TK_UNIT_MS},
    {"ts_enqueue", TK_FIELD_ENQUEUE, TK_UNIT_MS},
    {"ts_start", TK_FIELD_START, TK_UNIT_MS},
    {"ts_end", TK_FIELD_END, TK_UNIT_MS},
    {"submit", TK_FIELD_ENQUEUE},
    {"submit_time", TK_FIELD_ENQUEUE},
    {"submitted", TK_FIELD_ENQUEUE},
    {"submitted_at", TK_FIELD_ENQUEUE},
    {"queued_at", TK_FIELD_ENQUEUE},
    {"created_at", TK_FIELD_ENQUEUE},
    {"start", TK_FIELD_START},
    {"start_time", TK_FIELD_START},
    {"started", TK_FIELD_START},
    {"started_at", TK_FIELD_START},
    {"end", TK_FIELD_END},
    {"end_time", TK_FIELD_END},
    {"ended", TK_FIELD_END},
    {"ended_at", TK_FIELD_END},
    {"finished_at", TK_FIELD_END},
    {"completed_at", TK_FIELD_END},
    {"exit_code", TK_FIELD_EXIT},
    {"exitcode", TK_FIELD_EXIT},
    {"exit_status", TK_FIELD_EXIT},
    {"status", TK_FIELD_EXIT},
    {"user", TK_FIELD_USER},
    {"owner", TK_FIELD_USER},
    {"queue", TK_FIELD_QUEUE},
    {"partition", TK_FIELD_QUEUE},
    {"attempt", TK_FIELD_ATTEMPT},
    {"retries", TK_FIELD_RETRIES},
    {"jobname", TK_FIELD_MODULE_ID},
    {"job_name", TK_FIELD_MODULE_ID},
    {"module_id", TK_FIELD_MODULE_ID},
    {"name", TK_FIELD_MODULE_ID},
    {"command", TK_FIELD_PATH},
    {"node", TK_FIELD_NODE},
    {"nodelist", TK_FIELD_NODE},
    {"host", TK_FIELD_HOST},
    {"pid", TK_FIELD_PID},
    {"cpus", TK_FIELD_CPUS},
    {"cpu_units", TK_FIELD_CPUS},
    {"reqcpus", TK_FIELD_CPUS},
    {"mem_kb", TK_FIELD_MEM, TK_UNIT_KB},
};

/* A task whose end was not read yet. */
struct task {
    char id[ID_MAX], node[ID_MAX];
    int64_t submitted_ns, started_ns; /* -1 = unknown */
    int64_t attempt;                  /* 1 = the first */
    uint32_t next_free;
};

struct jobs {
    struct tk_records records;
    enum { SHAPE_UNKNOWN, SHAPE_OBJECTS, SHAPE_COLUMNS } shape; /* of the present text */
    struct task *tasks;                                         /* owned */
    size_t count;
    size_t cap;
    uint32_t free_list; /* index + 1; 0 = none */
    struct tk_map by_id;
    struct task ended; /* the last one: calls borrow from it */
};

/* Tasks under way --------------------------------------------------------------------------- */

static int grow(struct jobs *jobs, struct tk_err *err)
{
    size_t cap = jobs->cap ? jobs->cap * 2 : 64;
    struct task *tasks =
        jobs->cap < TASKS_MAX ? reallocarray(jobs->tasks, cap, sizeof(*tasks)) : NULL;
    if (!tasks)
        return tk_fail(err, -EMSGSIZE, "more than %zu tasks are under way at once", jobs->cap);
    jobs->tasks = tasks;
    jobs->cap = cap;
    return 0;
}

static struct task *find_task(struct jobs *jobs, tk_str id)
{
    uint32_t index;
    if (!tk_map_find(&jobs->by_id, tk_hash_text(id), &index))
        return NULL;
    return tk_str_eq(id, tk_str_from(jobs->tasks[index].id)) ? &jobs->tasks[index] : NULL;
}

static int add_task(struct jobs *jobs, tk_str id, struct task **ret_task, struct tk_err *err)
{
    uint32_t index = jobs->free_list;
    int rc = index == 0 && jobs->count == jobs->cap ? grow(jobs, err) : 0;
    if (rc < 0)
        return rc;
    if (index > 0) {
        jobs->free_list = jobs->tasks[--index].next_free;
    } else {
        index = (uint32_t)jobs->count++;
    }
    struct task *task = &jobs->tasks[index];
    *task = (struct task){.submitted_ns = -1, .started_ns = -1, .attempt = 1};
    memcpy(task->id, id.p, id.n);
    if (tk_map_add(&jobs->by_id, tk_hash_text(id), index) < 0)
        return tk_fail(err, -ENOMEM, "out of memory");
    *ret_task = task;
    return 0;
}

static void end_task(struct jobs *jobs, struct task *task)
{
    jobs->ended = *task;
    (void)tk_map_remove(&jobs->by_id, tk_hash_text(tk_str_from(task->id)));
    task->next_free = jobs->free_list;
    jobs->free_list = (uint32_t)(task - jobs->tasks) + 1;
}

/* Events ------------------------------------------------------------------------------------ */

enum event {
    EVENT_SUBMITTED,
    EVENT_ASSIGNED,
    EVENT_FETCHED,
    EVENT_STARTED,
    EVENT_ENDED,
    EVENT_REQUEUED,
    EVENT_COUNT
};

static const char *const event_names[EVENT_COUNT] = {
    [EVENT_SUBMITTED] = "submitted", [EVENT_ASSIGNED] = "assigned", [EVENT_FETCHED] = "fetched",
    [EVENT_STARTED] = "started",     [EVENT_ENDED] = "ended",       [EVENT_REQUEUED] = "requeued",
};

static enum event find_event(tk_str name)
{
    size_t i = 0;
    while (i < EVENT_COUNT && !tk_str_eq(name, tk_str_from(event_names[i])))
        i++;
    return (enum event)i;
}

static void set_ns(struct tk_call *call, enum tk_field field, int64_t ns)
{
    if (ns < 0 || tk_call_has(call, field))
        return;
    call->values[field].i64 = ns;
    call->present |= 1ULL << field;
    call->rank[field] = 0;
}

static void set_text(struct tk_call *call, enum tk_field field, const char *text)
{
    if (!*text || tk_call_has(call, field))
        return;
    call->values[field].text = tk_str_from(text);
    call->present |= 1ULL << field;
    call->rank[field] = 0;
}

/* The call of a task that has ended: what its last event tells, and what those before did. */
static int make_call(const struct task *task, int64_t ended_ns, struct tk_call *call,
                     struct tk_err *err)
{
    if (task->started_ns < 0)
        return tk_fail(err, -EBADMSG, "task '%s' ended, but was not started", task->id);
    set_ns(call, TK_FIELD_ENQUEUE, task->submitted_ns);
    set_ns(call, TK_FIELD_START, task->started_ns);
    set_ns(call, TK_FIELD_END, ended_ns);
    set_ns(call, TK_FIELD_ATTEMPT, task->attempt);
    set_ns(call, TK_FIELD_RETRIES,
           call->values[TK_FIELD_ATTEMPT].i64 > 0 ? call->values[TK_FIELD_ATTEMPT].i64 - 1 : 0);
    set_text(call, TK_FIELD_NODE, task->node);
    return TK_INGEST_CALL;
}

static void note_event(struct task *task, enum event event, const struct tk_call *call)
{
    int64_t ns = call->values[TK_FIELD_STAMP].i64;
    if (event == EVENT_SUBMITTED)
        task->submitted_ns = ns;
    if (event == EVENT_STARTED)
        task->started_ns = ns;
    if (event == EVENT_REQUEUED) { /* that try came to nothing */
        task->started_ns = -1;
        task->attempt++;
    }
    if (tk_call_has(call, TK_FIELD_ATTEMPT) && event != EVENT_REQUEUED)
        task->attempt = call->values[TK_FIELD_ATTEMPT].i64;
    if (tk_call_has(call, TK_FIELD_NODE))
        (void)tk_str_to_cstr(call->values[TK_FIELD_NODE].text, task->node, sizeof(task->node));
}

static int read_event(struct jobs *jobs, struct tk_call *call, struct tk_err *err)
{
    tk_str name = call->values[TK_FIELD_EVENT].text;
    tk_str id = call->values[TK_FIELD_JOB].text;
    enum event event = find_event(name);
    if (event == EVENT_COUNT)
        return tk_fail(err, -EBADMSG, "'%.*s' is no event of a task", TK_STR_ARG(name));
    if (!tk_call_has(call, TK_FIELD_JOB) || !tk_call_has(call, TK_FIELD_STAMP))
        return tk_fail(err, -EBADMSG, "an event must tell the task and ts_ms");
    if (id.n >= ID_MAX || memchr(id.p, '\0', id.n))
        return tk_fail(err, -EBADMSG, "id of the task: longer than %d bytes", ID_MAX - 1);
    struct task *task = find_task(jobs, id);
    int rc = task ? 0 : add_task(jobs, id, &task, err);
    if (rc < 0)
        return rc;
    note_event(task, event, call);
    if (event != EVENT_ENDED)
        return TK_INGEST_OTHER;
    end_task(jobs, task);
    return make_call(&jobs->ended, call->values[TK_FIELD_STAMP].i64, call, err);
}

/* Rows ---------------------------------------------------------------------------------------- */

static bool is_step(tk_str job)
{
    size_t dot = tk_str_find(job, '.');
    return dot > 0 && dot + 1 < job.n && isdigit((unsigned char)job.p[0]);
}

/* A job that waits or runs has no end yet, one that was cancelled before has no start; the steps of
 * a Slurm job, "17.batch", are parts of it. */
static int read_row(const struct tk_call *call)
{
    bool begun = tk_call_has(call, TK_FIELD_START) || tk_call_has(call, TK_FIELD_QUEUED);
    bool ended = tk_call_has(call, TK_FIELD_END) || tk_call_has(call, TK_FIELD_SERVICE);
    bool known = tk_call_has(call, TK_FIELD_ENQUEUE) || begun || ended;
    if (known && (!begun || !ended) && !tk_call_has(call, TK_FIELD_RT))
        return TK_INGEST_PASSED;
    bool step = tk_call_has(call, TK_FIELD_JOB) && is_step(call->values[TK_FIELD_JOB].text);
    return step ? TK_INGEST_PASSED : TK_INGEST_CALL;
}

static int jobs_read(void *opaque, tk_str record, struct tk_call *call, struct tk_err *err)
{
    struct jobs *jobs = opaque;
    if (jobs->shape == SHAPE_UNKNOWN && tk_str_trim(record).n > 0)
        jobs->shape = *tk_str_trim(record).p == '{' ? SHAPE_OBJECTS : SHAPE_COLUMNS;
    int rc = jobs->shape == SHAPE_OBJECTS
                 ? tk_records_read_object(&jobs->records, record, call, err)
                 : tk_records_read_columns(&jobs->records, record, call, err);
    if (rc != TK_INGEST_CALL)
        return rc;
    return tk_call_has(call, TK_FIELD_EVENT) ? read_event(jobs, call, err) : read_row(call);
}

static bool jobs_has_odd_quotes(const void *opaque, tk_str line)
{
    const struct jobs *jobs = opaque;
    bool is_object = jobs->shape == SHAPE_OBJECTS ||
                     (jobs->shape == SHAPE_UNKNOWN && tk_str_starts_with(line, TK_STR("{")));
    return !is_object && tk_records_has_odd_quotes(line);
}

static void jobs_begin(void *opaque)
{
    struct jobs *jobs = opaque;
    jobs->shape = SHAPE_UNKNOWN;
    tk_records_begin(&jobs->records);
}

static uint64_t jobs_count_open(const void *opaque)
{
    const struct jobs *jobs = opaque;
    return jobs->by_id.count;
}

static void jobs_close(void *opaque)
{
    struct jobs *jobs = opaque;
    tk_records_release(&jobs->records);
    tk_map_release(&jobs->by_id);
    free(jobs->tasks);
    free(jobs);
}

static int jobs_open(const struct tk_ingest_options *options, void **ret_state, struct tk_err *err)
{
    struct jobs *jobs = calloc(1, sizeof(*jobs));
    if (!jobs)
        return tk_fail(err, -ENOMEM, "out of memory");
    int rc = tk_records_init(&jobs->records, names, TK_COUNTOF(names), options, err);
    if (rc < 0) {
        jobs_close(jobs);
        return rc;
    }
    jobs->records.keys.any_case = true;
    *ret_state = jobs;
    return 0;
}

const struct tk_ingest tk_ingest_jobs = {
    .name = "jobs",
    .help = "rows or events of jobs: batch systems, queues, scheduler events",
    .has_maps = true,
    .has_delimiter = true,
    .open = jobs_open,
    .begin = jobs_begin,
    .has_odd_quotes = jobs_has_odd_quotes,
    .read = jobs_read,
    .count_open = jobs_count_open,
    .close = jobs_close,
};
