/* SPDX-License-Identifier: Apache-2.0 */
/* Invocations: enqueue <= start <= end, a child starts after its parent, and the process that
 * served it has rows. */
#include "base/hash.h"
#include "run/verify_internal.h"

#define US_PER_MS 1000

/* How far a child may start before its parent: on one host the rounding of the stamps; between
 * hosts the bound of clock.jsonl, else what merge shifts without being forced. */
#define ROUNDING_MS      1
#define UNKNOWN_CLOCK_MS 1000

/* A caller, or wrap, reads the wall clock itself. */
static bool stepped_back(struct tk_verify *verify, uint64_t clock, uint64_t line, int64_t before_ms,
                         int64_t after_ms)
{
    static const int64_t limit_ms = INT64_MAX / 4 / US_PER_MS;
    return before_ms < limit_ms && after_ms > -limit_ms &&
           tk_verify_stepped_back(verify, clock, line, (before_ms - after_ms) * US_PER_MS);
}

static void check_times(struct tk_verify *verify, const struct tk_row *row)
{
    static const size_t times[] = {TK_INVOCATIONS_TS_ENQUEUE, TK_INVOCATIONS_TS_START,
                                   TK_INVOCATIONS_TS_END};
    for (size_t i = 1; i < TK_COUNTOF(times); i++) {
        int64_t before = tk_row_i64(row, times[i - 1], INT64_MIN);
        int64_t after = tk_row_i64(row, times[i], INT64_MAX);
        if (before > after &&
            !stepped_back(verify, tk_verify_clock_key(row), row->line, before, after)) {
            tk_verify_add(verify, TK_VERIFY_EVENT_ORDER, row->line, "%s %lld is before %s %lld",
                          row->schema->columns[times[i]].name, (long long)after,
                          row->schema->columns[times[i - 1]].name, (long long)before);
        }
    }
}

static void count_missing(struct tk_verify *verify, const struct tk_row *row)
{
    static const size_t columns[] = {TK_INVOCATIONS_TRACE_ID, TK_INVOCATIONS_TS_ENQUEUE,
                                     TK_INVOCATIONS_TS_START, TK_INVOCATIONS_TS_END,
                                     TK_INVOCATIONS_PID};
    for (size_t i = 0; i < TK_COUNTOF(columns); i++)
        verify->audit.invocations_without[i] += !tk_row_has(row, columns[i]);
}

static uint64_t hash_id(tk_str id)
{
    return id.n > 0 ? tk_hash_text(id) : 0;
}

/* INT64_MIN = none, or one that no clock shows. */
static int64_t start_ms(const struct tk_row *row)
{
    int64_t ms = tk_row_i64(row, TK_INVOCATIONS_TS_START, INT64_MIN);
    return ms > INT64_MAX / 4 || ms < INT64_MIN / 4 ? INT64_MIN : ms;
}

void tk_verify_invocation_row(struct tk_verify *verify, const struct tk_row *row)
{
    check_times(verify, row);
    count_missing(verify, row);

    tk_str host = tk_row_text(row, TK_INVOCATIONS_HOST);
    struct tk_verify_invocation invocation = {
        .file = verify->file,
        .line = row->line,
        .span = hash_id(tk_row_text(row, TK_INVOCATIONS_SPAN_ID)),
        .parent = hash_id(tk_row_text(row, TK_INVOCATIONS_PARENT_ID)),
        .host = tk_hash_text(host.n > 0 ? host : tk_row_text(row, TK_INVOCATIONS_NODE)),
        .clock = tk_verify_clock_key(row),
        .node = tk_verify_node(verify, tk_row_text(row, TK_INVOCATIONS_NODE)),
        .start_ms = start_ms(row),
        .pid = tk_row_i64(row, TK_INVOCATIONS_PID, -1),
        .start_ticks = tk_row_i64(row, TK_INVOCATIONS_START_TICKS, -1),
    };
    if (invocation.pid >= 0) {
        struct tk_verify_pid *entry =
            tk_verify_pid(verify, tk_row_text(row, TK_INVOCATIONS_NODE), invocation.pid);
        if (entry)
            entry->invoked = true;
    }
    invocation.pid = tk_row_i64(row, TK_INVOCATIONS_HOST_PID, invocation.pid);
    struct tk_verify_invocation *item = tk_verify_push(verify, &verify->invocations);
    if (!item)
        return;
    *item = invocation;
    if (invocation.span) {
        tk_verify_put(verify, &verify->spans, invocation.span,
                      (uint32_t)(verify->invocations.count - 1));
    }
}

static void check_cause(struct tk_verify *verify, const struct tk_verify_invocation *child)
{
    uint32_t index;
    if (!child->parent || child->start_ms == INT64_MIN ||
        !tk_map_find(&verify->spans, child->parent, &index))
        return;
    const struct tk_verify_invocation *parent = tk_verify_at(&verify->invocations, index);
    int64_t bound_ms = ROUNDING_MS;
    if (child->host != parent->host) {
        bound_ms = verify->clock_error_us < 0 ? UNKNOWN_CLOCK_MS
                                              : verify->clock_error_us / US_PER_MS + ROUNDING_MS;
    }
    if (parent->start_ms != INT64_MIN && child->start_ms < parent->start_ms - bound_ms &&
        !stepped_back(verify, child->clock, child->line, parent->start_ms, child->start_ms)) {
        tk_verify_add(verify, TK_VERIFY_CAUSALITY, child->line,
                      "starts %lld ms before its parent, %s line %llu (error bound %lld ms)",
                      (long long)(parent->start_ms - child->start_ms), parent->file,
                      (unsigned long long)parent->line, (long long)bound_ms);
    }
}

void tk_verify_invocations_end(struct tk_verify *verify)
{
    const struct tk_verify_list *invocations = &verify->invocations;
    const struct tk_verify_procs *procs = &verify->procs;
    bool any_process = procs->processes.list.count > 0 || procs->started.count > 0;
    for (size_t i = 0; i < invocations->count; i++) {
        const struct tk_verify_invocation *invocation = tk_verify_at(invocations, i);
        verify->file = invocation->file;
        check_cause(verify, invocation);
        if (invocation->pid < 0 || tk_verify_has_process(verify, invocation->node, invocation->pid,
                                                         invocation->start_ticks))
            continue;
        verify->audit.unmatched++;
        if (any_process) {
            tk_verify_add(verify, TK_VERIFY_COVERAGE, invocation->line,
                          "pid %lld has neither samples nor an exit record",
                          (long long)invocation->pid);
        }
    }
    if (invocations->count > 0 && !any_process) {
        tk_verify_add(verify, TK_VERIFY_COVERAGE, 0,
                      "the run has no rows of processes, so no invocation has any");
    }
}
