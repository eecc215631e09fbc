/* SPDX-License-Identifier: Apache-2.0 */
/* Where a process belongs, for the join with spans: the TRACEPARENT of its environment, its
 * container and pod, and the Resource that its OpenTelemetry SDK publishes. Read after its first
 * row, again when it executes another program, and the published Resource some times more, since
 * an SDK starts later than its process. Never on the way of a sample: at the end of a tick, within
 * a budget of time, and those that came meanwhile before those that were there: on a machine of
 * ten thousand processes the command that is recorded does not wait for them.
 *
 * Of the environment only that one value is kept. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/number.h"
#include "collect/container_names.h"
#include "collect/otel_context.h"
#include "collect/procs_internal.h"

#define BUDGET_NS       TK_NS_PER_MS /* of a tick */
#define QUEUE_MAX       65536
#define QUEUE_KEPT      1024 /* room that stays when a queue is empty */
#define CHUNK_BYTES     ((size_t)32 << 10)
#define FILE_MAX_BYTES  ((size_t)8 << 20) /* of maps: 65,530 mappings, the usual limit */
#define TRACEPARENT_MAX 256

/* Since the look before. */
static const int64_t look_after_ns[TK_CONTEXT_LOOKS] = {0, TK_NS_PER_S, 9 * TK_NS_PER_S,
                                                        50 * TK_NS_PER_S};

/* Queues ------------------------------------------------------------------------------ */

static bool queue_add(struct tk_context_queue *queue, struct tk_context_due due)
{
    if (queue->count == queue->cap) {
        uint32_t cap = queue->cap ? queue->cap * 2 : 64;
        struct tk_context_due *items = cap <= QUEUE_MAX ? malloc(cap * sizeof(*items)) : NULL;
        if (!items)
            return false;
        for (uint32_t n = 0; n < queue->count; n++)
            items[n] = queue->items[(queue->head + n) % queue->cap];
        free(queue->items);
        *queue = (struct tk_context_queue){items, 0, queue->count, cap};
    }
    queue->items[(queue->head + queue->count++) % queue->cap] = due;
    return true;
}

static bool queue_take(struct tk_context_queue *queue, int64_t now_ns, struct tk_context_due *ret)
{
    if (queue->count == 0 || queue->items[queue->head].due_ns > now_ns)
        return false;
    *ret = queue->items[queue->head];
    queue->head = (queue->head + 1) % queue->cap;
    queue->count--;
    if (queue->count == 0 && queue->cap > QUEUE_KEPT) { /* what a storm of processes needed */
        free(queue->items);
        *queue = (struct tk_context_queue){0};
    }
    return true;
}

static int64_t now_ns(const struct tk_procs *procs)
{
    return procs->kernel->mono_ns(procs->kernel->world);
}

/* Looks are due in the order in which they were asked for, so that each queue is sorted. */
static void await(struct tk_procs *procs, size_t look, uint32_t i)
{
    bool is_old = look == 0 && tk_procs_birth_ns(procs, i) < procs->contexts.since_ns;
    struct tk_context_due due = {procs->set.clocks[i].pid, procs->set.facts[i].start_ticks,
                                 now_ns(procs) + look_after_ns[look]};
    if (!queue_add(&procs->contexts.queues[is_old ? TK_CONTEXT_OLD : look], due))
        procs->contexts.left_out++;
}

void tk_procs_await_context(struct tk_procs *procs, uint32_t i)
{
    bool is_kernel = procs->set.facts[i].rss_pages == 0; /* it has no memory of its own */
    if (procs->options.contexts && !is_kernel)
        await(procs, 0, i);
}

void tk_procs_contexts_init(struct tk_procs *procs)
{
    struct tk_procs_contexts *contexts = &procs->contexts;
    contexts->since_ns = now_ns(procs) - TK_NS_PER_S; /* the command may have been started first */
    tk_buf_init(&contexts->text, CHUNK_BYTES * 8);
    tk_buf_init(&contexts->resource, TK_OTEL_PAYLOAD_MAX * 8);
}

void tk_procs_contexts_release(struct tk_procs_contexts *contexts)
{
    for (size_t i = 0; i <= TK_CONTEXT_OLD; i++)
        free(contexts->queues[i].items);
    tk_buf_release(&contexts->text);
    tk_buf_release(&contexts->resource);
}

/* Files ------------------------------------------------------------------------------- */

/* Takes one piece of a file, without its separator; true = that was it. */
typedef bool (*take_fn)(void *context, tk_str piece);

/* The pieces at hand; what is left is the beginning of the next one. */
static bool take_pieces(struct tk_buf *text, char separator, take_fn take, void *context)
{
    tk_str rest = tk_buf_str(text);
    bool found = false;
    while (!found) {
        size_t end = tk_str_find(rest, separator);
        if (end == rest.n)
            break;
        found = take(context, (tk_str){rest.p, end});
        rest = (tk_str){rest.p + end + 1, rest.n - end - 1};
    }
    size_t left = found ? 0 : rest.n;
    tk_buf_consume(text, text->n - left);
    return found;
}

/* Read PID/NAME piece by piece until one is taken. A piece too long for the buffer ends it. Returns
 * 0, or a negative errno when the file may not be read or is gone. */
static int read_pieces(struct tk_procs *procs, pid_t pid, const char *name, char separator,
                       take_fn take, void *context)
{
    char path[TK_I64_MAX + 16];
    struct tk_buf *text = &procs->contexts.text;
    size_t n = tk_i64_format(pid, path);
    path[n] = '/';
    (void)snprintf(path + n + 1, sizeof(path) - n - 1, "%s", name);
    int fd = openat(procs->kernel->procfd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    tk_buf_reset(text);
    int rc = 0;
    bool found = false;
    for (size_t total = 0; !found && total < FILE_MAX_BYTES;) {
        char *to = tk_buf_reserve(text, CHUNK_BYTES);
        ssize_t got = to ? read(fd, to, CHUNK_BYTES) : 0;
        procs->syscalls++;
        rc = got < 0 ? -errno : 0;
        if (got <= 0)
            break;
        text->n += (size_t)got;
        total += (size_t)got;
        found = take_pieces(text, separator, take, context);
    }
    text->failure = 0;
    (void)close(fd);
    procs->syscalls += 2;
    return rc;
}

/* What is found of one process. */
struct findings {
    char traceparent[TRACEPARENT_MAX]; /* "" = none */
    uint64_t mapping;                  /* of the published Resource; 0 = none */
};

/* A value that is no text is none: it ends up in files that people read. */
static bool take_variable(void *context, tk_str piece)
{
    struct findings *findings = context;
    if (!tk_str_take_prefix(&piece, TK_STR("TRACEPARENT=")))
        return false;
    for (size_t i = 0; i < piece.n; i++) {
        if (piece.p[i] <= ' ' || piece.p[i] > '~')
            return true;
    }
    (void)tk_str_to_cstr(piece, findings->traceparent, sizeof(findings->traceparent));
    return true;
}

static bool take_mapping(void *context, tk_str piece)
{
    struct findings *findings = context;
    return tk_otel_mapping_parse(piece, &findings->mapping);
}

/* Looks ------------------------------------------------------------------------------- */

/* The published Resource as JSON in contexts->resource, which stays empty when there is none. */
static void read_resource(struct tk_procs *procs, pid_t pid, const struct findings *findings)
{
    struct tk_procs_contexts *contexts = &procs->contexts;
    const struct tk_kernel *kernel = procs->kernel;
    struct tk_err ignored;
    tk_buf_reset(&contexts->resource);
    if (findings->mapping == 0)
        return;
    procs->syscalls += 3;
    bool is_read = tk_otel_context_read(kernel->read_memory, kernel->world, pid, findings->mapping,
                                        &contexts->text) == 0;
    if (!is_read ||
        tk_otel_context_format(tk_buf_str(&contexts->text), &contexts->resource, &ignored) < 0)
        tk_buf_reset(&contexts->resource);
}

static void put(struct tk_procs *procs, struct tk_rows *rows, uint32_t i,
                const struct findings *findings)
{
    struct tk_cgroup_identity identity;
    tk_cgroup_identify(tk_str_from(tk_groups_path(&procs->groups, procs->set.facts[i].group)),
                       &identity);
    const struct tk_proc_context context = {
        .traceparent = tk_str_from(findings->traceparent),
        .container_id = tk_str_from(identity.id),
        .pod_uid = tk_str_from(identity.pod_uid),
        .resource = tk_buf_str(&procs->contexts.resource),
    };
    if (context.traceparent.n + context.container_id.n + context.pod_uid.n + context.resource.n > 0)
        tk_procs_put_context(procs, rows, i, &context, now_ns(procs));
}

/* 0 = there may be more to find later, 1 = all is found, or a negative errno. */
static int look_at(struct tk_procs *procs, struct tk_rows *rows, uint32_t i, size_t look)
{
    pid_t pid = procs->set.clocks[i].pid;
    struct findings findings = {.mapping = 0};
    int rc = look == 0 ? read_pieces(procs, pid, "environ", '\0', take_variable, &findings) : 0;
    if (rc == 0 && procs->kernel->read_memory)
        rc = read_pieces(procs, pid, "maps", '\n', take_mapping, &findings);
    read_resource(procs, pid, &findings);
    bool has_resource = procs->contexts.resource.n > 0;
    if (look == 0 || has_resource)
        put(procs, rows, i, &findings);
    return rc < 0 ? rc : has_resource;
}

/* Who is older than the last look publishes nothing new. */
static bool is_worth_more(const struct tk_procs *procs, uint32_t i, size_t look)
{
    int64_t age_ns = now_ns(procs) - tk_procs_birth_ns(procs, i);
    return look + 1 < TK_CONTEXT_LOOKS && procs->kernel->read_memory && age_ns < 60 * TK_NS_PER_S;
}

static void take(struct tk_procs *procs, struct tk_rows *rows, const struct tk_context_due *due,
                 size_t look)
{
    uint32_t i = tk_proc_set_find(&procs->set, due->pid);
    bool is_there = i != TK_PROC_NONE && procs->set.facts[i].start_ticks == due->start_ticks &&
                    !(procs->set.clocks[i].flags & TK_PROC_GONE);
    int rc = is_there ? look_at(procs, rows, i, look) : -ESRCH;
    if (look == 0) {
        procs->contexts.refused += rc == -EACCES || rc == -EPERM;
        procs->contexts.left_out += rc == -ESRCH || rc == -ENOENT;
    }
    if (rc == 0 && is_worth_more(procs, i, look))
        await(procs, look + 1, i);
}

void tk_procs_read_contexts(struct tk_procs *procs, struct tk_rows *rows)
{
    int64_t start_ns = now_ns(procs);
    int64_t at_ns = start_ns;
    struct tk_context_due due;
    for (size_t queue = 0; queue <= TK_CONTEXT_OLD; queue++) {
        while (at_ns - start_ns < BUDGET_NS &&
               queue_take(&procs->contexts.queues[queue], at_ns, &due)) {
            take(procs, rows, &due, queue == TK_CONTEXT_OLD ? 0 : queue);
            at_ns = now_ns(procs);
        }
    }
}
