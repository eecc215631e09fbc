/* SPDX-License-Identifier: Apache-2.0 */
/* What pages about fidelity share: the head with its style, and plots of sets of traces over time.
 * One file that loads nothing, readable in the dark and on paper. Pure functions but for the
 * buffer. */
#ifndef TK_CMD_FIDELITY_PAGE_H
#define TK_CMD_FIDELITY_PAGE_H

#include "base/buf.h"
#include "fidelity/profile.h"

/* Append everything up to the heading, which is `title`; and the end of the page. */
void tk_page_begin(struct tk_buf *out, const char *title);
void tk_page_end(struct tk_buf *out);

/* A set of traces in plots. */
struct tk_page_profile {
    const char *name;
    const struct tk_profile *profile;
    unsigned colour; /* as report/plot.h */
    bool is_real;    /* the one that the others are to look like */
};

/* Append plots of the rate and of errors over time, of medians over time and of the quantiles of
 * durations. */
void tk_page_put_profiles(struct tk_buf *out, const struct tk_profile_range *range,
                          const struct tk_page_profile *profiles, size_t count);

#endif
