/* SPDX-License-Identifier: Apache-2.0 */
/* Where a process belongs, for the join with spans: the TRACEPARENT of its environment, its
 * container and pod, and the Resource that its OpenTelemetry SDK publishes. Read after its first
 * row, again when it executes another program, and the published Resource some times more, since
 * an SDK starts later than its process. Never on the way of a sample: at the end of a tick, within
 * a share of the time, and those that came meanwhile before those that were there: on a machine of
 * ten thousand processes the command that is recorded does not wait for them.
 *
 * Where a Resource is published is asked of the kernel for many processes at once by tiers B2 and
 * B1; else it is searched in PID/maps, which takes eight times as long.
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

#define SHARE           0.02                /* of the time ... */
#define MOST_NS         (20 * TK_NS_PER_MS) /* ... but of one tick no more than this */
#define FIRST_NS        TK_NS_PER_MS        /* of the first one */
#define LOOK_NS         (50 * TK_NS_PER_US) /* that one takes, until it is known */
#define QUEUE_MAX       65536
#define QUEUE_KEPT      1024 /* room that stays when a queue is empty */
#define CHUNK_BYTES     ((size_t)32 << 10)
#define FILE_MAX_BYTES  ((size_t)8 << 20) /* of maps: 65,530 mappings, the usual limit */
#define TRACEPARENT_MAX 256

/* Since the look before. */
static const int64_t look_after_ns[TK_CONTEXT_LOOKS] = {0, TK_NS_PER_S, 9 * TK_NS_PER_S,
                                                        50 * TK_NS_PER_S};

/* Queues ------------------------------------------------------------------------------ */

static uint32_t ms_of(int64_t ns)
{
    return (uint32_t)(ns / TK_NS_PER_MS);
}

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
    if (queue->count == 0 || (int32_t)(queue->items[queue->head].due_ms - ms_of(now_ns)) > 0)
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
static void await(struct tk_procs *procs, size_t look, uint32_t i, uint32_t mark)
{
    bool is_old = look == 0 && tk_procs_birth_ns(procs, i) < procs->contexts.since_ns;
    struct tk_context_due due = {
        .pid = procs->set.clocks[i].pid,
        .start_ticks = (uint32_t)procs->set.facts[i].start_ticks,
        .due_ms = ms_of(now_ns(procs) + look_after_ns[look]),
        .mark = mark,
    };
    if (!queue_add(&procs->contexts.queues[is_old ? TK_CONTEXT_OLD : look], due))
        procs->contexts.left_out++;
}

void tk_procs_await_context(struct tk_procs *procs, uint32_t i)
{
    bool is_kernel = procs->set.facts[i].rss_pages == 0; /* it has no memory of its own */
    if (procs->options.contexts && !is_kernel)
        await(procs, 0, i, 0);
}

void tk_procs_contexts_init(struct tk_procs *procs)
{
    struct tk_procs_contexts *contexts = &procs->contexts;
    contexts->since_ns = now_ns(procs) - TK_NS_PER_S; /* the command may have been started first */
    contexts->allowance =
        (struct tk_allowance){.share = SHARE, .most_ns = MOST_NS, .credit_ns = FIRST_NS};
    contexts->look_ns = LOOK_NS;
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

/* A file of a process, made of pieces. */
struct source {
    const char *name;
    char separator;
    bool ends_short; /* a read that fills less than it might has met the end */
    take_fn take;
};

/* Read PID/NAME piece by piece until one is taken. A piece too long for the buffer ends it. Returns
 * 0, or a negative errno when the file may not be read or is gone. */
static int read_pieces(struct tk_procs *procs, pid_t pid, const struct source *source,
                       void *context)
{
    char path[TK_I64_MAX + 16];
    struct tk_buf *text = &procs->contexts.text;
    size_t n = tk_i64_format(pid, path);
    path[n] = '/';
    (void)snprintf(path + n + 1, sizeof(path) - n - 1, "%s", source->name);
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
        found = take_pieces(text, source->separator, source->take, context);
        if (source->ends_short && (size_t)got < CHUNK_BYTES)
            break;
    }
    text->failure = 0;
    (void)close(fd);
    procs->syscalls += 2;
    return rc;
}

/* A value that is no text is none: it ends up in files that people read. */
static bool take_variable(void *context, tk_str piece)
{
    char *traceparent = context; /* [TRACEPARENT_MAX] */
    if (!tk_str_take_prefix(&piece, TK_STR("TRACEPARENT=")))
        return false;
    for (size_t i = 0; i < piece.n; i++) {
        if (piece.p[i] <= ' ' || piece.p[i] > '~')
            return true;
    }
    (void)tk_str_to_cstr(piece, traceparent, TRACEPARENT_MAX);
    return true;
}

static bool take_mapping(void *context, tk_str piece)
{
    uint64_t *address = context;
    return tk_otel_mapping_parse(piece, address);
}

static const struct source environment = {"environ", '\0', true, take_variable};
static const struct source memory_map = {"maps", '\n', false, take_mapping};

/* Looks ------------------------------------------------------------------------------- */

/* A process that is being looked at. */
struct looked {
    uint32_t i;
    uint32_t look;
    uint32_t mark;      /* of its mappings */
    uint32_t env_bytes; /* of its environment, which begins at `env`; 0 = not known */
    uint64_t env;
    uint64_t mapping; /* where it publishes its Resource; 0 = nowhere */
    int rc;           /* negative errno: why that cannot be told */
};

static pid_t pid_of(const struct tk_procs *procs, const struct looked *looked)
{
    return procs->set.clocks[looked->i].pid;
}

static void search_file(struct tk_procs *procs, struct looked *looked)
{
    looked->mapping = 0;
    looked->env_bytes = 0;
    looked->rc = read_pieces(procs, pid_of(procs, looked), &memory_map, &looked->mapping);
}

/* All at once. The file is asked, and waits, of those that are changing their memory. */
static void ask_kernel(struct tk_procs *procs, struct looked *batch, uint32_t count)
{
    struct tk_bpf_mapping mappings[TK_BPF_MAPPINGS_MAX];
    for (uint32_t n = 0; n < count; n++) {
        mappings[n] =
            (struct tk_bpf_mapping){.pid = pid_of(procs, &batch[n]), .mark = batch[n].mark};
    }
    int rc = procs->walker.find_mappings(procs->walker.context, mappings, count);
    procs->syscalls++;
    for (uint32_t n = 0; n < count; n++) {
        batch[n].rc = mappings[n].rc;
        batch[n].mapping = mappings[n].address;
        batch[n].mark = mappings[n].mark;
        batch[n].env = mappings[n].env;
        batch[n].env_bytes = mappings[n].rc == 0 ? mappings[n].env_bytes : 0;
        if (rc < 0 || mappings[n].rc == -EBUSY)
            search_file(procs, &batch[n]);
    }
}

/* After a walk that failed the tier is P, and its program goes on to serve. */
static bool asks_kernel(const struct tk_procs *procs)
{
    return procs->kernel->read_memory && procs->walker.find_mappings;
}

const char *tk_procs_context_source(const struct tk_procs *procs)
{
    bool has_any = procs->options.contexts && procs->kernel->read_memory;
    return !has_any ? "none" : asks_kernel(procs) ? "bpf" : "maps";
}

static void find_mappings(struct tk_procs *procs, struct looked *batch, uint32_t count)
{
    if (!procs->kernel->read_memory)
        return;
    if (asks_kernel(procs)) {
        ask_kernel(procs, batch, count);
        return;
    }
    for (uint32_t n = 0; n < count; n++)
        search_file(procs, &batch[n]);
}

/* The published Resource as JSON in contexts->resource, which stays empty when there is none. */
static void read_resource(struct tk_procs *procs, const struct looked *looked)
{
    struct tk_procs_contexts *contexts = &procs->contexts;
    const struct tk_kernel *kernel = procs->kernel;
    struct tk_err ignored;
    tk_buf_reset(&contexts->resource);
    if (looked->mapping == 0)
        return;
    procs->syscalls += 3;
    bool is_read = tk_otel_context_read(kernel->read_memory, kernel->world, pid_of(procs, looked),
                                        looked->mapping, &contexts->text) == 0;
    if (!is_read ||
        tk_otel_context_format(tk_buf_str(&contexts->text), &contexts->resource, &ignored) < 0)
        tk_buf_reset(&contexts->resource);
}

static void put(struct tk_procs *procs, struct tk_rows *rows, uint32_t i, const char *traceparent)
{
    struct tk_cgroup_identity identity;
    tk_cgroup_identify(tk_str_from(tk_groups_path(&procs->groups, procs->set.facts[i].group)),
                       &identity);
    const struct tk_proc_context context = {
        .traceparent = tk_str_from(traceparent),
        .container_id = tk_str_from(identity.id),
        .pod_uid = tk_str_from(identity.pod_uid),
        .resource = tk_buf_str(&procs->contexts.resource),
    };
    if (context.traceparent.n + context.container_id.n + context.pod_uid.n + context.resource.n > 0)
        tk_procs_put_context(procs, rows, i, &context, now_ns(procs));
}

/* From where the kernel told that it lies, by one call, or from its file: with less rights than
 * root's that may be read where memory may not. */
static int read_environment(struct tk_procs *procs, const struct looked *looked, char *traceparent)
{
    const struct tk_kernel *kernel = procs->kernel;
    struct tk_buf *text = &procs->contexts.text;
    tk_buf_reset(text);
    char *to = looked->env_bytes > 0 ? tk_buf_reserve(text, looked->env_bytes) : NULL;
    text->failure = 0;
    procs->syscalls += to != NULL;
    if (to && kernel->read_memory(kernel->world, pid_of(procs, looked), looked->env, to,
                                  looked->env_bytes) == 0) {
        text->n += looked->env_bytes;
        (void)take_pieces(text, environment.separator, environment.take, traceparent);
        return 0;
    }
    return read_pieces(procs, pid_of(procs, looked), &environment, traceparent);
}

/* Who is older than the last look publishes nothing new. */
static bool is_worth_more(const struct tk_procs *procs, const struct looked *looked)
{
    int64_t age_ns = now_ns(procs) - tk_procs_birth_ns(procs, looked->i);
    return looked->look + 1 < TK_CONTEXT_LOOKS && procs->kernel->read_memory &&
           age_ns < 60 * TK_NS_PER_S;
}

/* Tell what is found, and ask for another look when there may be more later. */
static void conclude(struct tk_procs *procs, struct tk_rows *rows, const struct looked *looked)
{
    char traceparent[TRACEPARENT_MAX] = "";
    int rc = 0;
    if (looked->look == 0)
        rc = read_environment(procs, looked, traceparent);
    rc = rc < 0 ? rc : looked->rc;
    read_resource(procs, looked);
    bool has_resource = procs->contexts.resource.n > 0;
    if (looked->look == 0 || has_resource)
        put(procs, rows, looked->i, traceparent);
    if (looked->look == 0) {
        procs->contexts.refused += rc == -EACCES || rc == -EPERM;
        procs->contexts.left_out += rc == -ESRCH || rc == -ENOENT;
    }
    /* What is being published need not change its mapping any more. */
    uint32_t mark = looked->mapping == 0 ? looked->mark : 0;
    if (rc == 0 && !has_resource && is_worth_more(procs, looked))
        await(procs, looked->look + 1, looked->i, mark);
}

/* Take the next one whose time has come and who is still there. */
static bool take_next(struct tk_procs *procs, uint32_t queue, int64_t at_ns, struct looked *ret)
{
    struct tk_context_due due;
    uint32_t look = queue == TK_CONTEXT_OLD ? 0 : queue;
    while (queue_take(&procs->contexts.queues[queue], at_ns, &due)) {
        uint32_t i = tk_proc_set_find(&procs->set, due.pid);
        if (i != TK_PROC_NONE && (uint32_t)procs->set.facts[i].start_ticks == due.start_ticks &&
            !(procs->set.clocks[i].flags & TK_PROC_GONE)) {
            *ret = (struct looked){.i = i, .look = look, .mark = due.mark};
            return true;
        }
        procs->contexts.left_out += look == 0;
    }
    return false;
}

/* Take at most so many whose time has come. */
static uint32_t take_batch(struct tk_procs *procs, int64_t at_ns, uint32_t most,
                           struct looked *batch)
{
    uint32_t count = 0;
    for (uint32_t queue = 0; queue <= TK_CONTEXT_OLD; queue++) {
        while (count < most && take_next(procs, queue, at_ns, &batch[count]))
            count++;
    }
    return count;
}

/* How many there is time for, by what one took last. */
static uint32_t room_for(const struct tk_procs *procs, int64_t left_ns)
{
    int64_t room = 1 + left_ns / procs->contexts.look_ns;
    return room < TK_BPF_MAPPINGS_MAX ? (uint32_t)room : TK_BPF_MAPPINGS_MAX;
}

void tk_procs_read_contexts(struct tk_procs *procs, struct tk_rows *rows)
{
    struct looked batch[TK_BPF_MAPPINGS_MAX];
    struct tk_procs_contexts *contexts = &procs->contexts;
    if (!procs->options.contexts)
        return;
    int64_t at_ns = now_ns(procs);
    int64_t left_ns = tk_allowance_earn(&contexts->allowance, at_ns);
    while (left_ns > 0) {
        uint32_t count = take_batch(procs, at_ns, room_for(procs, left_ns), batch);
        if (count == 0)
            break;
        find_mappings(procs, batch, count);
        for (uint32_t n = 0; n < count; n++)
            conclude(procs, rows, &batch[n]);
        int64_t taken_ns = now_ns(procs) - at_ns;
        contexts->look_ns = taken_ns / count + 1;
        at_ns += taken_ns;
        left_ns -= taken_ns;
    }
    contexts->allowance.credit_ns = left_ns;
}
