/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of the comparison. */
#ifndef TK_OPENDC_COMPARE_INTERNAL_H
#define TK_OPENDC_COMPARE_INTERNAL_H

#include "opendc/compare.h"
#include "opendc/pairs.h"

struct tk_comparison {
    const struct tk_compare_options *options;
    struct tk_compare_result *result;
    struct tk_pairs pairs;
};

/* Append a line with its verdict; one that passes up to its limit, or down to it. Of the last one
 * without a figure (NaN) nothing is judged. */
void tk_compare_add(struct tk_comparison *comparison, struct tk_compare_line line);
void tk_compare_add_most(struct tk_comparison *comparison, struct tk_compare_line line);
void tk_compare_add_least(struct tk_comparison *comparison, struct tk_compare_line line);

/* Say what could not be compared, printf-like. */
void tk_compare_note(struct tk_comparison *comparison, const char *fmt, ...) TK_PRINTF(2, 3);

/* CPU on both sides over the same intervals: lines of sMAPE, r and RMSE. Sorts the values. */
struct tk_courses_compared {
    const char *names[3];
    const char *unit;
    double *a, *b;
    size_t count; /* 1 or more */
};
void tk_compare_add_courses(struct tk_comparison *comparison,
                            const struct tk_courses_compared *courses);

/* Lines of load and power of hosts, or a note why there are none. */
TK_MUST_USE int tk_compare_hosts(struct tk_comparison *comparison, struct tk_err *err);

#endif
