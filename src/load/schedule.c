/* SPDX-License-Identifier: Apache-2.0 */
#include "load/schedule.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"

#define GAP_MIN_NS TK_NS_PER_MS /* between two passes */

static const struct tk_load_body *body_at(const struct tk_schedule *schedule, size_t i)
{
    return &schedule->opts.bodies->items[i];
}

/* From the end of the first body to that of body i, at the speed of the load. */
static int64_t offset_of(const struct tk_schedule *schedule, size_t i)
{
    int64_t ns = body_at(schedule, i)->end_ns - body_at(schedule, 0)->end_ns;
    return (int64_t)((double)ns / schedule->opts.speed);
}

void tk_schedule_init(struct tk_schedule *schedule, const struct tk_schedule_opts *opts,
                      int64_t start_ns, int64_t start_real_ns)
{
    *schedule =
        (struct tk_schedule){.opts = *opts, .start_ns = start_ns, .start_real_ns = start_real_ns};
    if (opts->pace != TK_LOAD_OWN_PACE)
        return;
    int64_t length_ns = offset_of(schedule, opts->bodies->count - 1);
    int64_t gap_ns = length_ns / (int64_t)opts->bodies->count;
    schedule->period_ns = length_ns + (gap_ns > GAP_MIN_NS ? gap_ns : GAP_MIN_NS);
}

void tk_schedule_release(struct tk_schedule *schedule)
{
    free(schedule->waiting);
    *schedule = (struct tk_schedule){0};
}

/* New requests ----------------------------------------------------------------------------- */

static bool has_new(const struct tk_schedule *schedule)
{
    return !schedule->stopped &&
           (schedule->opts.passes == 0 || schedule->pass < schedule->opts.passes);
}

static int64_t new_due_ns(const struct tk_schedule *schedule)
{
    const struct tk_schedule_opts *opts = &schedule->opts;
    if (!has_new(schedule))
        return INT64_MAX;
    if (opts->pace == TK_LOAD_AS_FAST)
        return INT64_MIN;
    if (opts->pace == TK_LOAD_RATE) {
        double s = (double)schedule->spans_taken / opts->spans_per_s;
        return schedule->start_ns + (int64_t)(s * (double)TK_NS_PER_S);
    }
    return schedule->start_ns + (int64_t)schedule->pass * schedule->period_ns +
           offset_of(schedule, schedule->body);
}

/* What moves the times of a pass to the present: at its own pace a span ends when it is sent; where
 * the load runs faster than the spans did, the last of the pass ends when the pass begins, so that
 * no time lies in the future. */
static int64_t shift_of(const struct tk_schedule *schedule, int64_t now_ns)
{
    const struct tk_schedule_opts *opts = &schedule->opts;
    size_t last = opts->bodies->count - 1;
    int64_t now_real_ns = schedule->start_real_ns + (now_ns - schedule->start_ns);
    if (!opts->shift_time)
        return 0;
    if (opts->pace != TK_LOAD_OWN_PACE || opts->speed > 1)
        return now_real_ns - body_at(schedule, last)->end_ns;
    return schedule->start_real_ns + (int64_t)schedule->pass * schedule->period_ns -
           body_at(schedule, 0)->end_ns;
}

static void advance(struct tk_schedule *schedule)
{
    schedule->spans_taken += body_at(schedule, schedule->body)->spans;
    schedule->body++;
    if (schedule->body == schedule->opts.bodies->count) {
        schedule->body = 0;
        schedule->pass++;
    }
}

/* Requests that wait ----------------------------------------------------------------------- */

static void sift_up(struct tk_waiting_item *heap, size_t i)
{
    while (i > 0 && heap[i].at_ns < heap[(i - 1) / 2].at_ns) {
        struct tk_waiting_item above = heap[(i - 1) / 2];
        heap[(i - 1) / 2] = heap[i];
        heap[i] = above;
        i = (i - 1) / 2;
    }
}

static void sift_down(struct tk_waiting_item *heap, size_t count)
{
    for (size_t i = 0;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < count; child++) {
            if (heap[child].at_ns < heap[least].at_ns)
                least = child;
        }
        if (least == i)
            return;
        struct tk_waiting_item above = heap[i];
        heap[i] = heap[least];
        heap[least] = above;
        i = least;
    }
}

int tk_schedule_add(struct tk_schedule *schedule, const struct tk_load_item *item, int64_t at_ns)
{
    if (schedule->waiting_count == TK_LOAD_RETRIES_WAITING)
        return -ENOBUFS;
    if (schedule->waiting_count == schedule->waiting_cap) {
        size_t cap = schedule->waiting_cap > 0 ? schedule->waiting_cap * 2 : 64;
        struct tk_waiting_item *waiting = reallocarray(schedule->waiting, cap, sizeof(*waiting));
        if (!waiting)
            return -ENOMEM;
        schedule->waiting = waiting;
        schedule->waiting_cap = cap;
    }
    schedule->waiting[schedule->waiting_count] = (struct tk_waiting_item){at_ns, *item};
    sift_up(schedule->waiting, schedule->waiting_count++);
    return 0;
}

bool tk_schedule_drop(struct tk_schedule *schedule, struct tk_load_item *ret_item)
{
    if (schedule->waiting_count == 0)
        return false;
    *ret_item = schedule->waiting[0].item;
    schedule->waiting[0] = schedule->waiting[--schedule->waiting_count];
    sift_down(schedule->waiting, schedule->waiting_count);
    return true;
}

/* Both ------------------------------------------------------------------------------------- */

int64_t tk_schedule_next_ns(const struct tk_schedule *schedule)
{
    int64_t due_ns = new_due_ns(schedule);
    if (schedule->waiting_count > 0 && schedule->waiting[0].at_ns < due_ns)
        due_ns = schedule->waiting[0].at_ns;
    return due_ns;
}

bool tk_schedule_take(struct tk_schedule *schedule, int64_t now_ns, struct tk_load_item *ret_item)
{
    if (schedule->waiting_count > 0 && schedule->waiting[0].at_ns <= now_ns)
        return tk_schedule_drop(schedule, ret_item);
    int64_t due_ns = new_due_ns(schedule);
    if (due_ns > now_ns)
        return false;
    *ret_item = (struct tk_load_item){
        .body = (uint32_t)schedule->body,
        .pass = schedule->pass,
        .due_ns = due_ns == INT64_MIN ? now_ns : due_ns,
        .shift_ns = shift_of(schedule, now_ns),
    };
    advance(schedule);
    return true;
}

uint64_t tk_schedule_stop(struct tk_schedule *schedule, int64_t now_ns)
{
    uint64_t before = schedule->spans_taken;
    while (schedule->opts.pace != TK_LOAD_AS_FAST && new_due_ns(schedule) <= now_ns)
        advance(schedule);
    schedule->stopped = true;
    return schedule->spans_taken - before;
}
