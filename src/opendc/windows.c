/* SPDX-License-Identifier: Apache-2.0 */
#include "opendc/windows.h"

#include <errno.h>
#include <stdlib.h>

void tk_windows_begin(struct tk_windows *windows, const struct tk_fragments *made, int64_t start_ms,
                      int64_t origin_ms, int64_t length_ms)
{
    windows->made = made;
    windows->origin_ms = origin_ms;
    windows->length_ms = length_ms;
    windows->now_ms = start_ms;
    windows->next = 0;
    windows->left_ms = 0;
}

static int compare_stretches(const void *a, const void *b)
{
    double x = ((const struct tk_stretch *)a)->cores;
    double y = ((const struct tk_stretch *)b)->cores;
    return (x > y) - (x < y);
}

static double cores_of(const struct tk_fragment *fragment)
{
    return (double)fragment->cpu_ns / TK_NS_PER_MS_D / (double)fragment->duration_ms;
}

static int add_stretch(struct tk_windows *windows, size_t count, struct tk_stretch stretch,
                       struct tk_err *err)
{
    if (count == windows->cap) {
        size_t cap = 2 * windows->cap + 16;
        struct tk_stretch *grown = realloc(windows->stretches, cap * sizeof(*grown));
        if (!grown)
            return tk_fail(err, -ENOMEM, "out of memory");
        windows->stretches = grown;
        windows->cap = cap;
    }
    windows->stretches[count] = stretch;
    return 0;
}

/* Take fragments, or parts of them, up to `end_ms`. */
static int fill(struct tk_windows *windows, int64_t end_ms, size_t *ret_count, struct tk_err *err)
{
    size_t count = 0;
    while (windows->now_ms < end_ms) {
        if (windows->left_ms == 0 && windows->next == windows->made->count)
            break;
        if (windows->left_ms == 0)
            windows->left_ms = windows->made->items[windows->next++].duration_ms;
        const struct tk_fragment *fragment = &windows->made->items[windows->next - 1];
        int64_t room_ms = end_ms - windows->now_ms;
        int64_t ms = windows->left_ms < room_ms ? windows->left_ms : room_ms;
        int rc = add_stretch(windows, count++, (struct tk_stretch){cores_of(fragment), ms}, err);
        if (rc < 0)
            return rc;
        windows->left_ms -= ms;
        windows->now_ms += ms;
    }
    *ret_count = count;
    return 0;
}

int tk_windows_next(struct tk_windows *windows, struct tk_window *ret_window, struct tk_err *err)
{
    int64_t start_ms = windows->now_ms;
    int64_t index = (start_ms - windows->origin_ms) / windows->length_ms;
    size_t count;
    double core_ms = 0;
    int rc = fill(windows, windows->origin_ms + (index + 1) * windows->length_ms, &count, err);
    if (rc < 0)
        return rc;
    if (count == 0)
        return 1;
    for (size_t i = 0; i < count; i++)
        core_ms += windows->stretches[i].cores * (double)windows->stretches[i].ms;
    qsort(windows->stretches, count, sizeof(*windows->stretches), compare_stretches);
    *ret_window = (struct tk_window){
        .start_ms = start_ms,
        .end_ms = windows->now_ms,
        .average = core_ms / (double)(windows->now_ms - start_ms),
        .most = windows->stretches[count - 1].cores,
        .stretches = windows->stretches,
        .count = count,
    };
    return 0;
}

double tk_window_quantile(const struct tk_window *window, double share)
{
    double wanted_ms = share * (double)(window->end_ms - window->start_ms);
    double ms = 0;
    for (size_t i = 0; i < window->count; i++) {
        ms += (double)window->stretches[i].ms;
        if (ms >= wanted_ms - 1e-6)
            return window->stretches[i].cores;
    }
    return window->most;
}

void tk_windows_release(struct tk_windows *windows)
{
    free(windows->stretches);
}
