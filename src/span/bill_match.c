/* SPDX-License-Identifier: Apache-2.0 */
#include "span/bill_match.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/number.h"
#include "span/trace_id.h"
#include "span/when.h"

#define MEMBERS_MAX   (1U << 28)
#define GENERATIONS   64
#define SCRATCH_BYTES ((size_t)1 << 20)
#define CONTAINER_MIN 12 /* digits of a container's id that docker and SDKs cut it to */
/* A creation time may be cut to seconds, and a start is told in ticks of 10 ms. */
#define CREATION_EARLY_NS (1010 * TK_NS_PER_MS)
#define CREATION_LATE_NS  (20 * TK_NS_PER_MS)

const struct tk_bill_rule_about tk_bill_rules[TK_BILL_RULES] = {
    [TK_BILL_NO_RULE] = {"none", "no process found"},
    [TK_BILL_BY_CONTEXT] = {"context", "published Resource"},
    [TK_BILL_BY_ENVIRONMENT] = {"environment", "TRACEPARENT of its environment"},
    [TK_BILL_BY_CONTAINER] = {"container", "container or pod"},
    [TK_BILL_BY_PID] = {"pid", "pid and creation time"},
};

struct target {
    size_t first;
    uint32_t count;
};

struct tk_bill_matcher {
    struct tk_bill_processes *processes; /* borrowed */
    struct target *targets;
    uint32_t count, cap;
    uint32_t *members; /* of all targets, one after the other */
    size_t member_count, member_cap;
    struct tk_map by_set;     /* hash of the members: target */
    struct tk_map by_trace;   /* hash of a span of which processes were started: target */
    struct tk_map unions;     /* of two targets: target */
    struct tk_map narrowed;   /* of a target and a pid: target */
    struct tk_arena *scratch; /* of the JSON at hand */
};

/* Targets ----------------------------------------------------------------------------- */

static int fail_memory(struct tk_err *err)
{
    return tk_fail(err, -ENOMEM, "join: out of memory");
}

static bool put_member(struct tk_bill_matcher *matcher, uint32_t process)
{
    if (matcher->member_count == matcher->member_cap) {
        size_t cap = matcher->member_cap ? matcher->member_cap * 2 : 1024;
        uint32_t *members =
            cap <= MEMBERS_MAX ? realloc(matcher->members, cap * sizeof(*members)) : NULL;
        if (!members)
            return false;
        matcher->members = members;
        matcher->member_cap = cap;
    }
    matcher->members[matcher->member_count++] = process;
    return true;
}

static bool same_members(const struct tk_bill_matcher *matcher, uint32_t target, size_t first,
                         uint32_t count)
{
    const struct target *known = &matcher->targets[target];
    return known->count == count &&
           memcmp(matcher->members + known->first, matcher->members + first,
                  count * sizeof(*matcher->members)) == 0;
}

/* Make the members put since `first`, which ascend, a target; one that is there already is taken
 * in their place. No members, no target. */
static int close_target(struct tk_bill_matcher *matcher, size_t first, uint32_t *ret,
                        struct tk_err *err)
{
    uint32_t count = (uint32_t)(matcher->member_count - first);
    uint64_t hash = count;
    uint32_t known;
    if (count == 0) {
        *ret = TK_BILL_NONE;
        return 0;
    }
    for (uint32_t i = 0; i < count; i++)
        hash = tk_hash_mix(hash, matcher->members[first + i]);
    if (tk_map_find(&matcher->by_set, hash, &known) && same_members(matcher, known, first, count)) {
        matcher->member_count = first;
        *ret = known;
        return 0;
    }
    if (matcher->count == matcher->cap) {
        uint32_t cap = matcher->cap ? matcher->cap * 2 : 64;
        struct target *targets = realloc(matcher->targets, cap * sizeof(*targets));
        if (!targets)
            return fail_memory(err);
        matcher->targets = targets;
        matcher->cap = cap;
    }
    matcher->targets[matcher->count] = (struct target){first, count};
    if (tk_map_add(&matcher->by_set, hash, matcher->count) < 0)
        return fail_memory(err);
    *ret = matcher->count++;
    return 0;
}

/* All processes of which `is_meant` holds. */
static int make_target(struct tk_bill_matcher *matcher,
                       bool (*is_meant)(const struct tk_bill_matcher *matcher,
                                        const struct tk_bill_process *process, const void *context),
                       const void *context, uint32_t *ret, struct tk_err *err)
{
    size_t first = matcher->member_count;
    for (uint32_t i = 0; i < matcher->processes->count; i++) {
        if (is_meant(matcher, &matcher->processes->items[i], context) && !put_member(matcher, i))
            return fail_memory(err);
    }
    return close_target(matcher, first, ret, err);
}

uint32_t tk_bill_matcher_count(const struct tk_bill_matcher *matcher)
{
    return matcher->count;
}

const uint32_t *tk_bill_matcher_target(const struct tk_bill_matcher *matcher, uint32_t target,
                                       uint32_t *ret_count)
{
    *ret_count = matcher->targets[target].count;
    return matcher->members + matcher->targets[target].first;
}

bool tk_bill_matcher_meet(const struct tk_bill_matcher *matcher, uint32_t a, uint32_t b)
{
    const struct target *first = &matcher->targets[a];
    const struct target *second = &matcher->targets[b];
    uint32_t i = 0;
    uint32_t k = 0;
    if (a == b)
        return true;
    while (i < first->count && k < second->count) {
        uint32_t left = matcher->members[first->first + i];
        uint32_t right = matcher->members[second->first + k];
        if (left == right)
            return true;
        i += left < right;
        k += right < left;
    }
    return false;
}

/* Members of either of two targets. */
static int unite(struct tk_bill_matcher *matcher, uint32_t a, uint32_t b, uint32_t *ret,
                 struct tk_err *err)
{
    uint64_t key = (uint64_t)a << 32 | b;
    if (a == b || a == TK_BILL_NONE || b == TK_BILL_NONE) {
        *ret = a == TK_BILL_NONE ? b : a;
        return 0;
    }
    if (tk_map_find(&matcher->unions, key, ret))
        return 0;
    size_t first = matcher->member_count;
    uint32_t i = 0;
    uint32_t k = 0;
    while (i < matcher->targets[a].count || k < matcher->targets[b].count) {
        const uint32_t *left = matcher->members + matcher->targets[a].first;
        const uint32_t *right = matcher->members + matcher->targets[b].first;
        uint32_t next_left = i < matcher->targets[a].count ? left[i] : TK_BILL_NONE;
        uint32_t next_right = k < matcher->targets[b].count ? right[k] : TK_BILL_NONE;
        i += next_left <= next_right;
        k += next_right <= next_left;
        if (!put_member(matcher, next_left < next_right ? next_left : next_right))
            return fail_memory(err);
    }
    int rc = close_target(matcher, first, ret, err);
    if (rc == 0 && tk_map_add(&matcher->unions, key, *ret) < 0)
        return fail_memory(err);
    return rc;
}

/* Of a target, those with the pid that the Resource tells, as the host or as their container counts
 * it; all when it tells none, or one that nobody has. */
static int narrow(struct tk_bill_matcher *matcher, uint32_t target, int64_t pid, uint32_t *ret,
                  struct tk_err *err)
{
    if (target == TK_BILL_NONE || pid < 0) {
        *ret = target;
        return 0;
    }
    uint64_t key = tk_hash_mix(target, (uint64_t)pid);
    if (tk_map_find(&matcher->narrowed, key, ret))
        return 0;
    size_t first = matcher->member_count;
    for (uint32_t i = 0; i < matcher->targets[target].count; i++) {
        uint32_t member = matcher->members[matcher->targets[target].first + i];
        const struct tk_bill_process *process = &matcher->processes->items[member];
        int64_t shown = process->ns_pid > 0 ? process->ns_pid : process->pid;
        if ((shown == pid || process->pid == pid) && !put_member(matcher, member))
            return fail_memory(err);
    }
    int rc = close_target(matcher, first, ret, err);
    if (rc == 0 && *ret == TK_BILL_NONE)
        *ret = target;
    if (rc == 0 && tk_map_add(&matcher->narrowed, key, *ret) < 0)
        return fail_memory(err);
    return rc;
}

/* Environment ------------------------------------------------------------------------- */

static bool is_same_trace(const struct tk_traceparent *a, const struct tk_traceparent *b)
{
    return a->span_id == b->span_id && memcmp(a->trace_id, b->trace_id, sizeof(a->trace_id)) == 0;
}

/* It, or an ancestor of it, was started in that span. */
static bool is_within(const struct tk_bill_matcher *matcher, const struct tk_bill_process *process,
                      const void *context)
{
    for (int n = 0; n < GENERATIONS; n++) {
        if (process->has_trace && is_same_trace(&process->trace, context))
            return true;
        if (process->parent == TK_BILL_NONE)
            return false;
        process = &matcher->processes->items[process->parent];
    }
    return false;
}

static int make_environments(struct tk_bill_matcher *matcher, struct tk_err *err)
{
    for (uint32_t i = 0; i < matcher->processes->count; i++) {
        const struct tk_bill_process *process = &matcher->processes->items[i];
        uint64_t key = tk_span_id_hash(process->trace.trace_id, process->trace.span_id);
        uint32_t target;
        if (!process->has_trace || tk_map_find(&matcher->by_trace, key, &target))
            continue;
        int rc = make_target(matcher, is_within, &process->trace, &target, err);
        if (rc < 0)
            return rc;
        if (tk_map_add(&matcher->by_trace, key, target) < 0)
            return fail_memory(err);
    }
    return 0;
}

static uint32_t started_in(const struct tk_bill_matcher *matcher, const uint8_t trace_id[16],
                           uint64_t span_id)
{
    uint32_t target;
    return span_id != 0 &&
                   tk_map_find(&matcher->by_trace, tk_span_id_hash(trace_id, span_id), &target)
               ? target
               : TK_BILL_NONE;
}

/* Resources ---------------------------------------------------------------------------- */

struct attrs {
    const struct tk_bill_attr *items;
    size_t count;
};

static tk_str find_attr(const struct attrs *attrs, tk_str key)
{
    for (size_t i = 0; i < attrs->count; i++) {
        if (tk_str_eq(attrs->items[i].key, key))
            return attrs->items[i].value;
    }
    return (tk_str){NULL, 0};
}

/* Compares what a process publishes with a Resource. */
struct comparison {
    const struct attrs *attrs;
    bool has_service; /* both have the same */
    bool differs;
};

static int compare_member(struct tk_json *json, tk_str key, struct tk_arena *scratch, void *into,
                          struct tk_err *err)
{
    struct comparison *comparison = into;
    tk_str value;
    tk_str expected = find_attr(comparison->attrs, key);
    if (!expected.p)
        return 1;
    int rc = tk_json_peek(json) == TK_JSON_STRING ? tk_json_read_str(json, scratch, &value, err)
                                                  : tk_json_skip(json, &value, err);
    if (rc < 0)
        return rc;
    bool is_same = tk_str_eq(value, expected);
    comparison->differs |= !is_same;
    comparison->has_service |= is_same && tk_str_eq(key, TK_STR("service.name"));
    return 0;
}

/* The same service, and nothing that both tell differs. */
static bool publishes(const struct tk_bill_matcher *matcher, const struct tk_bill_process *process,
                      const void *context)
{
    struct comparison comparison = {.attrs = context};
    struct tk_json json;
    struct tk_err ignored;
    if (process->resource == 0)
        return false;
    tk_arena_reset(matcher->scratch);
    tk_json_init(&json, tk_texts_get(&matcher->processes->texts, process->resource));
    int rc = tk_json_read_members(&json, matcher->scratch, compare_member, &comparison, &ignored);
    return rc == 0 && comparison.has_service && !comparison.differs;
}

static bool is_in_container(const struct tk_bill_matcher *matcher,
                            const struct tk_bill_process *process, const void *context)
{
    const struct attrs *attrs = context;
    tk_str wanted_id = find_attr(attrs, TK_STR("container.id"));
    tk_str wanted_pod = find_attr(attrs, TK_STR("k8s.pod.uid"));
    tk_str id = tk_texts_get(&matcher->processes->texts, process->container_id);
    tk_str pod = tk_texts_get(&matcher->processes->texts, process->pod_uid);
    if (wanted_id.n >= CONTAINER_MIN && id.n > 0)
        return tk_str_starts_with(id, wanted_id);
    return wanted_pod.n > 0 && tk_str_eq(pod, wanted_pod);
}

static bool was_created(const struct tk_bill_matcher *matcher,
                        const struct tk_bill_process *process, const void *context)
{
    (void)matcher;
    const struct tk_bill_resource *resource = context;
    int64_t shown = process->ns_pid > 0 ? process->ns_pid : process->pid;
    if ((shown != resource->pid && process->pid != resource->pid) ||
        (resource->host != 0 && process->host != 0 && resource->host != process->host) ||
        process->start_ns == INT64_MIN)
        return false;
    int64_t late_ns = process->start_ns - resource->creation_ns;
    return late_ns >= -CREATION_LATE_NS && late_ns <= CREATION_EARLY_NS;
}

static void read_identity(struct tk_bill_matcher *matcher, const struct attrs *attrs,
                          struct tk_bill_resource *ret)
{
    tk_str pid = find_attr(attrs, TK_STR("process.pid"));
    tk_str creation = find_attr(attrs, TK_STR("process.creation.time"));
    tk_str host = find_attr(attrs, TK_STR("host.name"));
    *ret = (struct tk_bill_resource){.pid = -1};
    (void)tk_parse_whole(pid, &ret->pid);
    if (creation.n > 0)
        (void)tk_when_parse(creation, false, &ret->creation_ns);
    uint32_t id = host.n > 0 ? tk_texts_add(&matcher->processes->texts, host) : 0;
    ret->host = id == TK_TEXTS_NONE ? 0 : id;
}

int tk_bill_matcher_read_resource(struct tk_bill_matcher *matcher, const struct tk_bill_attr *items,
                                  size_t count, struct tk_bill_resource *ret, struct tk_err *err)
{
    const struct attrs attrs = {items, count};
    struct tk_traceparent parent;
    read_identity(matcher, &attrs, ret);
    ret->has_parent = tk_traceparent_parse(find_attr(&attrs, TK_STR(TK_PARENT_ATTRIBUTE)), &parent);
    ret->by_parent = TK_BILL_NONE;
    if (ret->has_parent)
        ret->by_parent = started_in(matcher, parent.trace_id, parent.span_id);
    ret->by_pid = TK_BILL_NONE;
    int rc = narrow(matcher, ret->by_parent, ret->pid, &ret->by_parent, err);
    rc = rc < 0 ? rc : make_target(matcher, publishes, &attrs, &ret->by_context, err);
    rc = rc < 0 ? rc : make_target(matcher, is_in_container, &attrs, &ret->by_container, err);
    rc = rc < 0 ? rc : narrow(matcher, ret->by_container, ret->pid, &ret->by_container, err);
    if (rc == 0 && ret->pid >= 0 && ret->creation_ns > 0)
        rc = make_target(matcher, was_created, ret, &ret->by_pid, err);
    return rc;
}

/* Spans --------------------------------------------------------------------------------- */

static uint32_t count_alive(const struct tk_bill_matcher *matcher, uint32_t target,
                            const struct tk_bill_question *question)
{
    uint32_t alive = 0;
    if (target == TK_BILL_NONE)
        return 0;
    for (uint32_t i = 0; i < matcher->targets[target].count; i++) {
        uint32_t member = matcher->members[matcher->targets[target].first + i];
        alive += tk_bill_process_overlaps(&matcher->processes->items[member], question->start_ns,
                                          question->end_ns);
    }
    return alive;
}

int tk_bill_matcher_ask(struct tk_bill_matcher *matcher, const struct tk_bill_question *question,
                        struct tk_bill_answer *ret, struct tk_err *err)
{
    const struct tk_bill_resource *resource = question->resource;
    uint32_t own = started_in(matcher, question->trace_id, question->span_id);
    uint32_t called = started_in(matcher, question->trace_id, question->caller_id);
    int rc = narrow(matcher, called, resource->pid, &called, err);
    if (rc < 0)
        return rc;
    const struct {
        enum tk_bill_rule rule;
        uint32_t target;
    } tries[] = {
        {TK_BILL_BY_CONTEXT, resource->by_context},
        {TK_BILL_BY_ENVIRONMENT, resource->by_parent},
        {TK_BILL_BY_ENVIRONMENT, own != TK_BILL_NONE ? own : called},
        {TK_BILL_BY_CONTAINER, resource->by_container},
        {TK_BILL_BY_PID, resource->by_pid},
    };
    *ret = (struct tk_bill_answer){.target = TK_BILL_NONE};
    for (size_t i = 0; i < TK_COUNTOF(tries) && ret->processes == 0; i++) {
        ret->rule = tries[i].rule;
        ret->target = tries[i].target;
        ret->processes = count_alive(matcher, tries[i].target, question);
    }
    if (ret->processes == 0) {
        *ret = (struct tk_bill_answer){.target = TK_BILL_NONE};
        return 0;
    }
    /* What was started in a span worked for it, whoever told of the span. */
    rc = unite(matcher, ret->target, own, &ret->target, err);
    if (rc == 0)
        ret->processes = count_alive(matcher, ret->target, question);
    return rc;
}

/* Life ----------------------------------------------------------------------------------- */

int tk_bill_matcher_new(struct tk_bill_processes *processes, struct tk_bill_matcher **ret_matcher,
                        struct tk_err *err)
{
    struct tk_bill_matcher *matcher = calloc(1, sizeof(*matcher));
    if (!matcher)
        return fail_memory(err);
    matcher->processes = processes;
    matcher->scratch = calloc(1, sizeof(*matcher->scratch));
    int rc =
        matcher->scratch ? tk_arena_init(matcher->scratch, SCRATCH_BYTES, err) : fail_memory(err);
    rc = rc < 0 ? rc : make_environments(matcher, err);
    if (rc < 0) {
        tk_bill_matcher_free(matcher);
        return rc;
    }
    *ret_matcher = matcher;
    return 0;
}

void tk_bill_matcher_free(struct tk_bill_matcher *matcher)
{
    if (!matcher)
        return;
    free(matcher->targets);
    free(matcher->members);
    tk_map_release(&matcher->by_set);
    tk_map_release(&matcher->by_trace);
    tk_map_release(&matcher->unions);
    tk_map_release(&matcher->narrowed);
    if (matcher->scratch)
        tk_arena_release(matcher->scratch);
    free(matcher->scratch);
    free(matcher);
}
