/* SPDX-License-Identifier: Apache-2.0 */
/* The course of a task by windows of equal length, as traces of monitoring have it: what it used
 * within each, and how that was spread. One thread at a time. */
#ifndef TK_OPENDC_WINDOWS_H
#define TK_OPENDC_WINDOWS_H

#include "opendc/fragments.h"

/* A stretch of even use. */
struct tk_stretch {
    double cores;
    int64_t ms;
};

/* One window, or the part of it within the course. */
struct tk_window {
    int64_t start_ms, end_ms;
    double average, most;         /* cores */
    struct tk_stretch *stretches; /* [count] ascending by cores; until the next call */
    size_t count;
};

struct tk_windows {
    const struct tk_fragments *made; /* borrowed */
    int64_t origin_ms, length_ms;    /* a window begins at origin + k length */
    int64_t now_ms;
    size_t next;     /* fragment */
    int64_t left_ms; /* of the fragment before it */
    struct tk_stretch *stretches;
    size_t cap;
};

/* Go through fragments that begin at `start_ms`; a zeroed struct, or one to be used again. */
void tk_windows_begin(struct tk_windows *windows, const struct tk_fragments *made, int64_t start_ms,
                      int64_t origin_ms, int64_t length_ms);

/* The next window: 0, or 1 at the end. Fails with -ENOMEM. */
TK_MUST_USE int tk_windows_next(struct tk_windows *windows, struct tk_window *ret_window,
                                struct tk_err *err);

/* The smallest use such that the window has no more for `share` of its time. */
double tk_window_quantile(const struct tk_window *window, double share);

/* For TK_CLEANUP; accepts a zeroed struct. */
void tk_windows_release(struct tk_windows *windows);

#endif
