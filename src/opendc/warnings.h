/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TK_OPENDC_WARNINGS_H
#define TK_OPENDC_WARNINGS_H

#include "opendc/workload.h"

/* Who is told, a line at a time. */
struct tk_listener {
    void (*say)(void *context, const char *line); /* NULL = nobody */
    void *context;
};

/* Tell what was left out or guessed while the workload was read, whatever it is written as.
 * `hides_names`: without names of what was recorded. */
void tk_workload_warn(const struct tk_workload *workload, bool hides_names,
                      const struct tk_listener *listener);

#endif
