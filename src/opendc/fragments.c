/* SPDX-License-Identifier: Apache-2.0 */
#include "opendc/fragments.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/clock.h"

/* Policy Perfect drops a fragment whose work is below the supply of the one before for 1 ms, and,
 * from v2.4g on, one whose work is below 1 MHz*ms: both with a margin. */
#define LEAST_WORK   2.0
#define SUPPLY_SHARE 1.01

int tk_fragments_add(struct tk_fragments *fragments, struct tk_fragment fragment,
                     struct tk_err *err)
{
    if (fragments->count == fragments->cap) {
        size_t cap = fragments->cap ? fragments->cap * 2 : 256;
        struct tk_fragment *items = realloc(fragments->items, cap * sizeof(*items));
        if (!items)
            return tk_fail(err, -ENOMEM, "out of memory for %zu fragments", cap);
        fragments->items = items;
        fragments->cap = cap;
    }
    fragments->items[fragments->count++] = fragment;
    return 0;
}

void tk_fragments_release(struct tk_fragments *fragments)
{
    free(fragments->items);
    *fragments = (struct tk_fragments){0};
}

/* Cutting ------------------------------------------------------------------------------- */

static double cores_of(const struct tk_fragment *fragment)
{
    return (double)fragment->cpu_ns / ((double)fragment->duration_ms * TK_NS_PER_MS_D);
}

static void clamp(struct tk_fragment *fragment, const struct tk_fragment_rules *rules,
                  struct tk_fragment_sums *sums)
{
    int64_t most_ns;
    if (!tk_mul_i64(fragment->duration_ms, rules->cores * TK_NS_PER_MS, &most_ns) ||
        fragment->cpu_ns <= most_ns)
        return;
    sums->clamped++;
    sums->clamped_ns += fragment->cpu_ns - most_ns;
    fragment->cpu_ns = most_ns;
}

/* Near enough to be one fragment; what is idle stays apart from what is not. */
static bool is_alike(const struct tk_fragment *a, const struct tk_fragment *b,
                     const struct tk_fragment_rules *rules)
{
    double first = cores_of(a);
    double second = cores_of(b);
    double idle = rules->floor_mhz / rules->mhz;
    return (first < idle) == (second < idle) && fabs(first - second) < rules->epsilon;
}

/* Append a fragment in pieces of at most the longest, whose CPU times add up. */
static int add_pieces(struct tk_fragments *fragments, const struct tk_fragment *whole,
                      const struct tk_fragment_rules *rules, struct tk_fragment_sums *sums,
                      struct tk_err *err)
{
    int64_t done_ms = 0;
    int64_t done_ns = 0;
    int rc = 0;
    while (rc == 0 && done_ms < whole->duration_ms) {
        int64_t left_ms = whole->duration_ms - done_ms;
        int64_t piece_ms = left_ms < rules->longest_ms ? left_ms : rules->longest_ms;
        int64_t end_ns = (int64_t)tk_mul_div(
            (uint64_t)whole->cpu_ns, (uint64_t)(done_ms + piece_ms), (uint64_t)whole->duration_ms);
        struct tk_fragment piece = {.duration_ms = piece_ms, .cpu_ns = end_ns - done_ns};
        sums->split += done_ms > 0;
        rc = tk_fragments_add(fragments, piece, err);
        done_ms += piece_ms;
        done_ns = end_ns;
    }
    return rc;
}

int tk_fragments_cut(struct tk_fragments *fragments, const struct tk_course *course,
                     const struct tk_fragment_rules *rules, struct tk_fragment_sums *sums,
                     struct tk_err *err)
{
    fragments->count = 0;
    struct tk_fragment joined = {0};
    int rc = 0;
    for (size_t i = 1; rc == 0 && i < course->count; i++) {
        struct tk_fragment next = {.duration_ms = course->at_ms[i] - course->at_ms[i - 1],
                                   .cpu_ns = course->cpu_ns[i] - course->cpu_ns[i - 1]};
        clamp(&next, rules, sums);
        if (joined.duration_ms > 0 && is_alike(&joined, &next, rules)) {
            joined.duration_ms += next.duration_ms;
            joined.cpu_ns += next.cpu_ns;
            sums->joined++;
            continue;
        }
        if (joined.duration_ms > 0)
            rc = add_pieces(fragments, &joined, rules, sums, err);
        joined = next;
    }
    if (rc == 0 && joined.duration_ms > 0)
        rc = add_pieces(fragments, &joined, rules, sums, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < fragments->count; i++)
        fragments->items[i].mhz = cores_of(&fragments->items[i]) * rules->mhz;
    tk_fragments_raise(fragments, rules, sums);
    return 0;
}

/* Floor and nudge ------------------------------------------------------------------------ */

double tk_fragment_floor(int64_t duration_ms, double before_mhz, double floor_mhz)
{
    double duration = (double)duration_ms;
    double least = fmax(floor_mhz, LEAST_WORK / duration);
    return fmax(least, SUPPLY_SHARE * before_mhz / duration);
}

double tk_fragment_nudge(int64_t duration_ms, double mhz)
{
    double duration = (double)duration_ms;
    while (mhz > 0 && (int64_t)((mhz * duration) / mhz) < duration_ms)
        mhz = nextafter(mhz, HUGE_VAL);
    return mhz;
}

void tk_fragments_raise(struct tk_fragments *fragments, const struct tk_fragment_rules *rules,
                        struct tk_fragment_sums *sums)
{
    if (rules->floor_mhz <= 0)
        return;
    double most = (double)rules->cores * rules->mhz;
    double before = 0;
    for (size_t i = 0; i < fragments->count; i++) {
        struct tk_fragment *at = &fragments->items[i];
        double duration = (double)at->duration_ms;
        double least = fmin(tk_fragment_floor(at->duration_ms, before, rules->floor_mhz), most);
        if (at->mhz < least) {
            sums->floored++;
            sums->floor_mhz_ms += (least - at->mhz) * duration;
            at->mhz = least;
        }
        double nudged = tk_fragment_nudge(at->duration_ms, at->mhz);
        if (nudged > at->mhz) {
            sums->nudged++;
            sums->nudge_mhz_ms += (nudged - at->mhz) * duration;
            at->mhz = nudged;
        }
        before = at->mhz;
    }
}

/* Cores ----------------------------------------------------------------------------------- */

/* Three parts of items[low, high): below the pivot, as it, above it. */
struct parts {
    size_t same, above; /* first of the second and of the third part */
    double below_ms, same_ms;
};

static void exchange(struct tk_fragment *a, struct tk_fragment *b)
{
    struct tk_fragment kept = *a;
    *a = *b;
    *b = kept;
}

static struct parts partition(struct tk_fragment *items, size_t low, size_t high)
{
    double pivot = cores_of(&items[low + (high - low) / 2]);
    struct parts parts = {.same = low, .above = high};
    for (size_t at = low; at < parts.above;) {
        double cores = cores_of(&items[at]);
        double duration_ms = (double)items[at].duration_ms;
        if (cores > pivot) {
            exchange(&items[at], &items[--parts.above]);
            continue;
        }
        if (cores < pivot) {
            parts.below_ms += duration_ms;
            exchange(&items[at], &items[parts.same++]);
        } else {
            parts.same_ms += duration_ms;
        }
        at++;
    }
    return parts;
}

/* Quickselect by weight: of the parts, only the one that holds the quantile is looked at again. */
static double select_cores(struct tk_fragment *items, size_t count, double share_ms)
{
    size_t low = 0;
    size_t high = count;
    for (;;) {
        struct parts parts = partition(items, low, high);
        if (parts.below_ms >= share_ms && parts.same > low) {
            high = parts.same;
        } else if (parts.below_ms + parts.same_ms >= share_ms || parts.above == high) {
            return cores_of(&items[parts.same]);
        } else {
            share_ms -= parts.below_ms + parts.same_ms;
            low = parts.above;
        }
    }
}

int tk_fragments_quantile(const struct tk_fragments *fragments, double share, double *ret_cores,
                          struct tk_err *err)
{
    *ret_cores = 0;
    if (fragments->count == 0)
        return 0;
    struct tk_fragment *items = malloc(fragments->count * sizeof(*items));
    if (!items)
        return tk_fail(err, -ENOMEM, "out of memory for %zu fragments", fragments->count);
    memcpy(items, fragments->items, fragments->count * sizeof(*items));
    double total_ms = 0;
    for (size_t i = 0; i < fragments->count; i++)
        total_ms += (double)items[i].duration_ms;
    *ret_cores = select_cores(items, fragments->count, share * total_ms);
    free(items);
    return 0;
}
