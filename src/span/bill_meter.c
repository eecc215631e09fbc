/* SPDX-License-Identifier: Apache-2.0 */
#include "span/bill_meter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define EVENTS_PER_MARK 4096
#define PEAKS_MAX       4096

/* Schedule ---------------------------------------------------------------------------- */

/* A span begins or ceases to be innermost. It keeps its slot in between, so that a meter finds it
 * without a search. */
struct event {
    int64_t time_ns;
    uint32_t span;
    uint32_t slot : 31;
    uint32_t begins : 1;
};

/* Who is innermost before event n * EVENTS_PER_MARK: a meter that begins late starts there. */
struct mark {
    size_t first, count; /* in `marked` */
};

struct slot {
    uint32_t span, slot;
};

struct tk_bill_schedule {
    struct event *events; /* owned, by time */
    size_t count, cap;
    uint32_t slots; /* ever used at once */
    struct mark *marks;
    struct slot *marked;
    size_t marked_count, marked_cap;
};

/* While a schedule is made. */
struct scheduler {
    struct tk_bill_schedule *schedule;
    const struct tk_bill_interval *intervals;
    uint32_t count;
    uint32_t *by_end;   /* [count] */
    uint32_t *children; /* [count] open ones */
    uint32_t *slot;     /* [count] while innermost, else TK_BILL_NONE */
    bool *is_open;
    uint32_t *free_slots; /* a stack */
    uint32_t free_count;
    struct slot *innermost; /* dense, at [place] */
    uint32_t *place;        /* by slot */
    uint32_t innermost_count;
    bool failed; /* no memory */
};

static bool reserve(void **items, size_t *cap, size_t need, size_t item_bytes)
{
    if (need <= *cap)
        return true;
    size_t bigger = *cap ? *cap * 2 : 1024;
    while (bigger < need)
        bigger *= 2;
    void *moved = realloc(*items, bigger * item_bytes);
    if (!moved)
        return false;
    *items = moved;
    *cap = bigger;
    return true;
}

/* Note who is innermost before the event that comes next. */
static void set_mark(struct scheduler *scheduler)
{
    struct tk_bill_schedule *schedule = scheduler->schedule;
    size_t n = schedule->count / EVENTS_PER_MARK;
    size_t need = schedule->marked_count + scheduler->innermost_count;
    struct mark *marks = realloc(schedule->marks, (n + 1) * sizeof(*marks));
    if (marks)
        schedule->marks = marks;
    if (!marks || !reserve((void **)&schedule->marked, &schedule->marked_cap, need,
                           sizeof(*schedule->marked))) {
        scheduler->failed = true;
        return;
    }
    marks[n] = (struct mark){schedule->marked_count, scheduler->innermost_count};
    if (scheduler->innermost_count > 0) {
        memcpy(schedule->marked + schedule->marked_count, scheduler->innermost,
               scheduler->innermost_count * sizeof(*scheduler->innermost));
    }
    schedule->marked_count = need;
}

static void put_event(struct scheduler *scheduler, struct event event)
{
    struct tk_bill_schedule *schedule = scheduler->schedule;
    if (schedule->count % EVENTS_PER_MARK == 0)
        set_mark(scheduler);
    if (!reserve((void **)&schedule->events, &schedule->cap, schedule->count + 1, sizeof(event)))
        scheduler->failed = true;
    if (!scheduler->failed)
        schedule->events[schedule->count++] = event;
}

static void begin_innermost(struct scheduler *scheduler, uint32_t i, int64_t time_ns)
{
    uint32_t slot = scheduler->free_count > 0 ? scheduler->free_slots[--scheduler->free_count]
                                              : scheduler->schedule->slots++;
    uint32_t span = scheduler->intervals[i].span;
    put_event(scheduler, (struct event){time_ns, span, slot & INT32_MAX, 1});
    scheduler->slot[i] = slot;
    scheduler->place[slot] = scheduler->innermost_count;
    scheduler->innermost[scheduler->innermost_count++] = (struct slot){span, slot};
}

static void end_innermost(struct scheduler *scheduler, uint32_t i, int64_t time_ns)
{
    uint32_t slot = scheduler->slot[i];
    uint32_t span = scheduler->intervals[i].span;
    put_event(scheduler, (struct event){time_ns, span, slot & INT32_MAX, 0});
    const struct slot last = scheduler->innermost[--scheduler->innermost_count];
    scheduler->innermost[scheduler->place[slot]] = last;
    scheduler->place[last.slot] = scheduler->place[slot];
    scheduler->slot[i] = TK_BILL_NONE;
    scheduler->free_slots[scheduler->free_count++] = slot;
}

static void open_interval(struct scheduler *scheduler, uint32_t i)
{
    const struct tk_bill_interval *interval = &scheduler->intervals[i];
    uint32_t parent = interval->parent;
    scheduler->is_open[i] = true;
    if (scheduler->children[i] == 0)
        begin_innermost(scheduler, i, interval->start_ns);
    if (parent == TK_BILL_NONE)
        return;
    scheduler->children[parent]++;
    if (scheduler->slot[parent] != TK_BILL_NONE)
        end_innermost(scheduler, parent, interval->start_ns);
}

static void close_interval(struct scheduler *scheduler, uint32_t i)
{
    const struct tk_bill_interval *interval = &scheduler->intervals[i];
    uint32_t parent = interval->parent;
    scheduler->is_open[i] = false;
    if (scheduler->slot[i] != TK_BILL_NONE)
        end_innermost(scheduler, i, interval->end_ns);
    if (parent == TK_BILL_NONE)
        return;
    scheduler->children[parent]--;
    if (scheduler->children[parent] == 0 && scheduler->is_open[parent])
        begin_innermost(scheduler, parent, interval->end_ns);
}

static int compare_ends(const void *a, const void *b, void *context)
{
    const struct tk_bill_interval *intervals = ((const struct scheduler *)context)->intervals;
    int64_t first = intervals[*(const uint32_t *)a].end_ns;
    int64_t second = intervals[*(const uint32_t *)b].end_ns;
    return (first > second) - (first < second);
}

static bool has_length(const struct tk_bill_interval *interval)
{
    return interval->end_ns > interval->start_ns;
}

/* Ends before beginnings of the same moment. */
static void run(struct scheduler *scheduler)
{
    uint32_t ended = 0;
    qsort_r(scheduler->by_end, scheduler->count, sizeof(*scheduler->by_end), compare_ends,
            scheduler);
    for (uint32_t i = 0; i <= scheduler->count && !scheduler->failed; i++) {
        bool is_last = i == scheduler->count;
        while (ended < scheduler->count &&
               (is_last || scheduler->intervals[scheduler->by_end[ended]].end_ns <=
                               scheduler->intervals[i].start_ns)) {
            uint32_t which = scheduler->by_end[ended++];
            if (scheduler->is_open[which])
                close_interval(scheduler, which);
        }
        if (!is_last && has_length(&scheduler->intervals[i]))
            open_interval(scheduler, i);
    }
}

static bool scheduler_init(struct scheduler *scheduler, struct tk_bill_schedule *schedule,
                           const struct tk_bill_interval *intervals, uint32_t count)
{
    size_t n = count + 1U;
    *scheduler = (struct scheduler){
        .schedule = schedule,
        .intervals = intervals,
        .count = count,
        .failed = true,
        .by_end = malloc(n * sizeof(uint32_t)),
        .children = calloc(n, sizeof(uint32_t)),
        .slot = malloc(n * sizeof(uint32_t)),
        .is_open = calloc(n, sizeof(bool)),
        .free_slots = malloc(n * sizeof(uint32_t)),
        .innermost = malloc(n * sizeof(struct slot)),
        .place = calloc(n, sizeof(uint32_t)),
    };
    if (!scheduler->by_end || !scheduler->children || !scheduler->slot || !scheduler->is_open ||
        !scheduler->free_slots || !scheduler->innermost || !scheduler->place)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        scheduler->by_end[i] = i;
        scheduler->slot[i] = TK_BILL_NONE;
    }
    scheduler->failed = false;
    return true;
}

static void scheduler_release(struct scheduler *scheduler)
{
    free(scheduler->by_end);
    free(scheduler->children);
    free(scheduler->slot);
    free(scheduler->is_open);
    free(scheduler->free_slots);
    free(scheduler->innermost);
    free(scheduler->place);
}

int tk_bill_schedule_new(const struct tk_bill_interval *intervals, uint32_t count,
                         struct tk_bill_schedule **ret_schedule, struct tk_err *err)
{
    struct scheduler scheduler = {.failed = true};
    struct tk_bill_schedule *schedule = calloc(1, sizeof(*schedule));
    if (schedule && scheduler_init(&scheduler, schedule, intervals, count))
        run(&scheduler);
    scheduler_release(&scheduler);
    if (scheduler.failed) {
        tk_bill_schedule_free(schedule);
        return tk_fail(err, -ENOMEM, "bills: out of memory");
    }
    *ret_schedule = schedule;
    return 0;
}

void tk_bill_schedule_free(struct tk_bill_schedule *schedule)
{
    if (!schedule)
        return;
    free(schedule->events);
    free(schedule->marks);
    free(schedule->marked);
    free(schedule);
}

/* Meter -------------------------------------------------------------------------------- */

/* A span that is innermost. */
struct entry {
    uint32_t span;
    bool is_used;
    int64_t since_ns;
    double paid[TK_BILL_COUNTERS]; /* the integrals when it began */
};

/* Readings of the resident set, each larger than all that followed: the first at or after a moment
 * is the largest since. */
struct peak {
    int64_t time_ns, rss_bytes;
};

struct tk_bill_meter {
    const struct tk_bill_schedule *schedule;
    size_t next; /* event */
    struct tk_bill_reading last;
    uint8_t known;
    uint32_t open; /* entries in use */
    double paid[TK_BILL_COUNTERS];
    struct entry *entries; /* by slot, owned */
    size_t entry_cap;
    struct peak *peaks; /* owned */
    size_t peak_count, peak_cap;
};

static bool begin_entry(struct tk_bill_meter *meter, struct slot slot, int64_t time_ns)
{
    size_t before = meter->entry_cap;
    if (!reserve((void **)&meter->entries, &meter->entry_cap, (size_t)slot.slot + 1,
                 sizeof(*meter->entries)))
        return false;
    for (size_t i = before; i < meter->entry_cap; i++)
        meter->entries[i].is_used = false;
    struct entry *entry = &meter->entries[slot.slot];
    *entry = (struct entry){.span = slot.span, .is_used = true, .since_ns = time_ns};
    memcpy(entry->paid, meter->paid, sizeof(entry->paid));
    meter->open++;
    return true;
}

/* The largest reading since a moment, or the last before it. */
static int64_t peak_since(const struct tk_bill_meter *meter, int64_t since_ns)
{
    size_t low = 0;
    size_t high = meter->peak_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (meter->peaks[middle].time_ns < since_ns) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low < meter->peak_count)
        return meter->peaks[low].rss_bytes;
    return meter->peak_count > 0 ? meter->peaks[meter->peak_count - 1].rss_bytes : -1;
}

static void end_entry(struct tk_bill_meter *meter, uint32_t slot, int64_t time_ns,
                      struct tk_bill *bills)
{
    struct entry *entry = &meter->entries[slot];
    struct tk_bill *bill = &bills[entry->span];
    int64_t rss_bytes = peak_since(meter, entry->since_ns);
    for (size_t c = 0; c < TK_BILL_COUNTERS; c++)
        bill->used[c] += meter->paid[c] - entry->paid[c];
    bill->innermost_ns += time_ns - entry->since_ns;
    bill->known |= meter->known;
    bill->is_metered = true;
    if (rss_bytes > bill->max_rss_bytes)
        bill->max_rss_bytes = rss_bytes;
    entry->is_used = false;
    meter->open--;
}

static void add_peak(struct tk_bill_meter *meter, int64_t time_ns, int64_t rss_bytes)
{
    if (rss_bytes < 0)
        return;
    while (meter->peak_count > 0 && meter->peaks[meter->peak_count - 1].rss_bytes <= rss_bytes)
        meter->peak_count--;
    if (meter->peak_count == PEAKS_MAX) { /* memory shrinks for hours: the oldest may go */
        meter->peak_count /= 2;
        memmove(meter->peaks, meter->peaks + PEAKS_MAX / 2,
                meter->peak_count * sizeof(*meter->peaks));
    }
    if (reserve((void **)&meter->peaks, &meter->peak_cap, meter->peak_count + 1,
                sizeof(*meter->peaks)))
        meter->peaks[meter->peak_count++] = (struct peak){time_ns, rss_bytes};
}

/* The first event after a moment. */
static size_t event_after(const struct tk_bill_schedule *schedule, int64_t time_ns)
{
    size_t low = 0;
    size_t high = schedule->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (schedule->events[middle].time_ns <= time_ns) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Let those be open who are at the first reading: as of the last mark, and what changed since. */
static bool enter(struct tk_bill_meter *meter)
{
    const struct tk_bill_schedule *schedule = meter->schedule;
    int64_t time_ns = meter->last.time_ns;
    size_t end = event_after(schedule, time_ns);
    size_t n = end / EVENTS_PER_MARK;
    bool ok = true;
    if (schedule->count == 0)
        return true;
    if (n * EVENTS_PER_MARK >= schedule->count)
        n = (schedule->count - 1) / EVENTS_PER_MARK;
    for (size_t i = 0; i < schedule->marks[n].count; i++)
        ok &= begin_entry(meter, schedule->marked[schedule->marks[n].first + i], time_ns);
    for (size_t i = n * EVENTS_PER_MARK; ok && i < end; i++) {
        const struct event *event = &schedule->events[i];
        if (event->begins) {
            ok = begin_entry(meter, (struct slot){event->span, event->slot}, time_ns);
        } else {
            meter->entries[event->slot].is_used = false;
            meter->open--;
        }
    }
    meter->next = end;
    return ok;
}

int tk_bill_meter_new(const struct tk_bill_schedule *schedule, const struct tk_bill_reading *first,
                      struct tk_bill_meter **ret_meter, struct tk_err *err)
{
    struct tk_bill_meter *meter = calloc(1, sizeof(*meter));
    if (!meter)
        return tk_fail(err, -ENOMEM, "bills: out of memory");
    meter->schedule = schedule;
    meter->last = *first;
    meter->known = first->known;
    add_peak(meter, first->time_ns, first->rss_bytes);
    if (!enter(meter)) {
        tk_bill_meter_free(meter);
        return tk_fail(err, -ENOMEM, "bills: out of memory");
    }
    *ret_meter = meter;
    return 0;
}

/* What was used per ns between two readings; counters that go backwards stand still. */
static bool read_rates(struct tk_bill_meter *meter, const struct tk_bill_reading *reading,
                       double ret_rates[TK_BILL_COUNTERS])
{
    double length_ns = (double)(reading->time_ns - meter->last.time_ns);
    bool moves = false;
    for (size_t c = 0; c < TK_BILL_COUNTERS; c++) {
        bool is_told = reading->known >> c & meter->known >> c & 1;
        double used = is_told ? reading->counters[c] - meter->last.counters[c] : 0;
        ret_rates[c] = used > 0 ? used / length_ns : 0;
        moves |= used > 0;
        if (reading->known >> c & 1)
            meter->last.counters[c] = reading->counters[c];
    }
    meter->known |= reading->known;
    return moves;
}

static void pay(struct tk_bill_meter *meter, const double rates[TK_BILL_COUNTERS], int64_t ns)
{
    if (meter->open == 0 || ns <= 0)
        return;
    double share_ns = (double)ns / meter->open;
    for (size_t c = 0; c < TK_BILL_COUNTERS; c++)
        meter->paid[c] += rates[c] * share_ns;
}

/* An edge within a period in which nothing was used is exact. */
static void note_period(struct tk_bill *bill, int64_t period_ns, bool moves)
{
    if (moves && period_ns > bill->period_ns)
        bill->period_ns = period_ns;
}

int tk_bill_meter_add(struct tk_bill_meter *meter, const struct tk_bill_reading *reading,
                      struct tk_bill *bills)
{
    const struct tk_bill_schedule *schedule = meter->schedule;
    double rates[TK_BILL_COUNTERS];
    int64_t at_ns = meter->last.time_ns;
    int64_t period_ns = reading->time_ns - at_ns;
    if (period_ns <= 0)
        return 0;
    bool moves = read_rates(meter, reading, rates);
    for (; meter->next < schedule->count; meter->next++) {
        const struct event *event = &schedule->events[meter->next];
        if (event->time_ns > reading->time_ns)
            break;
        pay(meter, rates, event->time_ns - at_ns);
        at_ns = event->time_ns;
        note_period(&bills[event->span], period_ns, moves);
        if (!event->begins) {
            end_entry(meter, event->slot, at_ns, bills);
        } else if (!begin_entry(meter, (struct slot){event->span, event->slot}, at_ns)) {
            return -ENOMEM;
        }
    }
    pay(meter, rates, reading->time_ns - at_ns);
    add_peak(meter, reading->time_ns, reading->rss_bytes);
    meter->last.time_ns = reading->time_ns;
    return 0;
}

void tk_bill_meter_finish(struct tk_bill_meter *meter, struct tk_bill *bills)
{
    for (uint32_t slot = 0; slot < meter->entry_cap; slot++) {
        if (meter->entries[slot].is_used)
            end_entry(meter, slot, meter->last.time_ns, bills);
    }
}

void tk_bill_meter_free(struct tk_bill_meter *meter)
{
    if (!meter)
        return;
    free(meter->entries);
    free(meter->peaks);
    free(meter);
}

/* Trees --------------------------------------------------------------------------------- */

static void add_bill(struct tk_bill *to, const struct tk_bill *from)
{
    for (size_t c = 0; c < TK_BILL_COUNTERS; c++)
        to->used[c] += from->used[c];
    if (from->max_rss_bytes > to->max_rss_bytes)
        to->max_rss_bytes = from->max_rss_bytes;
    to->known |= from->known;
    to->is_metered |= from->is_metered;
}

int tk_bill_add_children(struct tk_bill *bills, const uint32_t *parents, uint32_t count,
                         struct tk_err *err)
{
    uint32_t *waiting = calloc(count + 1U, sizeof(*waiting)); /* children not yet added */
    uint32_t *ready = malloc((count + 1U) * sizeof(*ready));
    uint32_t ready_count = 0;
    if (!waiting || !ready) {
        free(waiting);
        free(ready);
        return tk_fail(err, -ENOMEM, "bills: out of memory");
    }
    for (uint32_t i = 0; i < count; i++) {
        if (parents[i] != TK_BILL_NONE)
            waiting[parents[i]]++;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (waiting[i] == 0)
            ready[ready_count++] = i;
    }
    for (uint32_t n = 0; n < ready_count; n++) {
        uint32_t parent = parents[ready[n]];
        if (parent == TK_BILL_NONE)
            continue;
        add_bill(&bills[parent], &bills[ready[n]]);
        if (--waiting[parent] == 0)
            ready[ready_count++] = parent;
    }
    free(waiting);
    free(ready);
    return 0;
}
