/* SPDX-License-Identifier: Apache-2.0 */
#include "opendc/series.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

int tk_series_add(struct tk_series *series, struct tk_knot knot, struct tk_err *err)
{
    struct tk_knot *last = series->count > 0 ? &series->items[series->count - 1] : NULL;
    if (last && knot.ns < last->ns)
        knot.ns = last->ns;
    if (last && knot.us <= last->us) {
        last->ns = knot.ns;
        last->is_reading = last->is_reading || knot.is_reading;
        last->rss_kb = knot.rss_kb > last->rss_kb ? knot.rss_kb : last->rss_kb;
        return 0;
    }
    if (series->count == series->cap) {
        size_t cap = series->cap ? series->cap * 2 : 64;
        struct tk_knot *items = realloc(series->items, cap * sizeof(*items));
        if (!items)
            return tk_fail(err, -ENOMEM, "out of memory for %zu readings", cap);
        series->items = items;
        series->cap = cap;
    }
    assert(series->items);
    series->items[series->count++] = knot;
    return 0;
}

size_t tk_series_find(const struct tk_series *series, int64_t us)
{
    size_t low = 0;
    size_t high = series->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (series->items[middle].us < us) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Between two neighbours, rounded down. */
static int64_t between(const struct tk_knot *a, const struct tk_knot *b, int64_t us)
{
    if (us == b->us)
        return b->ns;
    return a->ns + (int64_t)tk_mul_div((uint64_t)(b->ns - a->ns), (uint64_t)(us - a->us),
                                       (uint64_t)(b->us - a->us));
}

int64_t tk_series_at(const struct tk_series *series, int64_t us, size_t near)
{
    if (series->count == 0)
        return 0;
    size_t at = near;
    /* Moments come in order as a rule, so that the next knots are looked at first. */
    for (int tries = 0; tries < 4 && at < series->count && series->items[at].us < us; tries++)
        at++;
    bool is_found = at < series->count && series->items[at].us >= us &&
                    (at == 0 || series->items[at - 1].us < us);
    if (!is_found)
        at = tk_series_find(series, us);
    if (at == series->count)
        return series->items[at - 1].ns;
    return at == 0 ? series->items[0].ns : between(&series->items[at - 1], &series->items[at], us);
}

void tk_series_release(struct tk_series *series)
{
    free(series->items);
    *series = (struct tk_series){0};
}

void tk_series_free(struct tk_series *series)
{
    if (!series)
        return;
    tk_series_release(series);
    free(series);
}

/* Sharing ---------------------------------------------------------------------------------- */

/* On its way through time, over knots, starts and ends. */
struct sharing {
    const struct tk_series *whole;
    struct tk_turn *turns;
    const int64_t *ends; /* ascending */
    size_t count;
    size_t at_knot, at_start, at_end;
    size_t group;     /* first turn of those that overlap now */
    bool group_says;  /* all of them know their own CPU time */
    int64_t done_ns;  /* of the whole */
    int64_t share_ns; /* of one task, if it had been active all the time */
    int64_t left_ns;  /* that did not divide; goes to the next interval */
    int64_t nobodys_ns;
};

static int compare_i64(const void *a, const void *b)
{
    int64_t first = *(const int64_t *)a;
    int64_t second = *(const int64_t *)b;
    return (first > second) - (first < second);
}

/* The next moment at which anything changes; false at the end. */
static bool next_moment(const struct sharing *sharing, int64_t *ret_us)
{
    int64_t us = INT64_MAX;
    if (sharing->at_knot < sharing->whole->count)
        us = sharing->whole->items[sharing->at_knot].us;
    if (sharing->at_start < sharing->count && sharing->turns[sharing->at_start].start_us < us)
        us = sharing->turns[sharing->at_start].start_us;
    if (sharing->at_end < sharing->count && sharing->ends[sharing->at_end] < us)
        us = sharing->ends[sharing->at_end];
    *ret_us = us;
    return us != INT64_MAX;
}

/* Give what was used up to a moment to those that were active until then. */
static void divide(struct sharing *sharing, int64_t ns)
{
    int64_t used_ns = ns - sharing->done_ns + sharing->left_ns;
    int64_t active = (int64_t)(sharing->at_start - sharing->at_end);
    sharing->done_ns = ns;
    sharing->left_ns = active > 0 ? used_ns % active : 0;
    if (active > 0) {
        sharing->share_ns += used_ns / active;
    } else {
        sharing->nobodys_ns += used_ns;
    }
}

static void end_group(struct sharing *sharing)
{
    for (size_t i = sharing->group; i < sharing->at_start; i++)
        sharing->turns[i].ret_all_say = sharing->group_says;
    sharing->group = sharing->at_start;
    sharing->group_says = true;
}

/* Those that end now are not active any more, and then those that start now are. */
static void pass(struct sharing *sharing, int64_t us)
{
    while (sharing->at_end < sharing->count && sharing->ends[sharing->at_end] == us)
        sharing->at_end++;
    if (sharing->at_start == sharing->at_end)
        end_group(sharing);
    while (sharing->at_start < sharing->count && sharing->turns[sharing->at_start].start_us == us)
        sharing->group_says = sharing->turns[sharing->at_start++].says_own && sharing->group_says;
}

static int share(struct sharing *sharing, struct tk_series *ret_share, struct tk_err *err)
{
    const struct tk_series *whole = sharing->whole;
    int64_t us;
    int rc = 0;
    while (rc == 0 && next_moment(sharing, &us)) {
        struct tk_knot knot = {.us = us, .rss_kb = -1};
        bool at_reading =
            sharing->at_knot < whole->count && whole->items[sharing->at_knot].us == us;
        divide(sharing, tk_series_at(whole, us, sharing->at_knot));
        if (at_reading) {
            knot = whole->items[sharing->at_knot];
            sharing->at_knot++;
        }
        knot.ns = sharing->share_ns;
        rc = tk_series_add(ret_share, knot, err);
        pass(sharing, us);
    }
    end_group(sharing);
    sharing->nobodys_ns += sharing->left_ns;
    return rc;
}

int tk_series_share(const struct tk_series *whole, struct tk_turn *turns, size_t count,
                    struct tk_series *ret_share, int64_t *ret_unattributed_ns, struct tk_err *err)
{
    int64_t *ends = malloc((count + 1) * sizeof(*ends));
    if (!ends)
        return tk_fail(err, -ENOMEM, "out of memory for %zu tasks", count);
    for (size_t i = 0; i < count; i++)
        ends[i] = turns[i].end_us;
    qsort(ends, count, sizeof(*ends), compare_i64);
    struct sharing sharing = {.whole = whole,
                              .turns = turns,
                              .ends = ends,
                              .count = count,
                              .group_says = true,
                              .done_ns = whole->count > 0 ? whole->items[0].ns : 0};
    int rc = share(&sharing, ret_share, err);
    *ret_unattributed_ns = sharing.nobodys_ns;
    free(ends);
    return rc;
}
