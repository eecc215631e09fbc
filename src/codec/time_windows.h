/* SPDX-License-Identifier: Apache-2.0 */
/* In which ten seconds of the wall clock each span starts (docs/format-tkz.md, "Windows"). Where
 * times are inexact, that of a late span of a long trace is off by more than the time from there to
 * the next window; most traces lie in one window, so it costs next to nothing to say where a span
 * is not in that of its trace's start, and what is counted by 10 s, minutes or hours is as it was.
 *
 * Times are drawn until they are in their windows. One thread at a time. */
#ifndef TK_CODEC_TIME_WINDOWS_H
#define TK_CODEC_TIME_WINDOWS_H

#include "codec/stream.h"
#include "codec/time_context.h"

#define TK_WINDOW_NS INT64_C(10000000000)

/* Append the section of a forest whose arrivals are in the set; none where their unit is no part of
 * a millisecond, for nobody knows the windows of traces then. -ENOMEM. */
TK_MUST_USE int tk_time_windows_encode(const struct tk_forest *forest, struct tk_section_set *set,
                                       struct tk_err *err);

struct tk_time_windows; /* a decoder */

/* Of a block; NULL where it does not say. -ENOMEM. */
TK_MUST_USE int tk_time_windows_new(const struct tk_block *block, const struct tk_forest *forest,
                                    struct tk_time_windows **ret_windows, struct tk_err *err);

/* Accepts NULL. */
void tk_time_windows_free(struct tk_time_windows *windows);

/* For TK_CLEANUP. */
void tk_time_windows_freep(struct tk_time_windows **windows);

/* What draws the times of a trace that was loaded; it may be asked again. */
struct tk_time_drawer {
    void (*draw)(void *user, uint64_t draw_key, struct tk_time_trace *trace);
    void *user;
    uint64_t draw_key; /* of the block */
};

/* Read the windows of the next trace of the forest, which was loaded, and draw it until its spans
 * are in them, with keys that follow from that of the block; after some tries it is the best of
 * them. Without windows (NULL) it is drawn once. -EBADMSG. */
TK_MUST_USE int tk_time_windows_draw(struct tk_time_windows *windows,
                                     const struct tk_time_drawer *drawer,
                                     struct tk_time_trace *trace, struct tk_err *err);

#endif
