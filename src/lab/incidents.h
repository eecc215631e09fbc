/* SPDX-License-Identifier: Apache-2.0 */
/* The incidents of PandoraTrace: what is done to how many containers (trace-fidelity.md section
 * 18.2). To add one: its row in incidents.c. */
#ifndef TK_LAB_INCIDENTS_H
#define TK_LAB_INCIDENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"

struct tk_lab_incident {
    const char *name;    /* "packet_loss" */
    const char *help;    /* one line, lower case */
    const char *command; /* in the container, as root; NULL = the container is killed */
    const char *package; /* that the command needs; NULL = none */
    int64_t lasts_ns;    /* how long the command runs by itself; 0 = what it does stays */
};

/* In the order of the manual; ends with a row without a name. */
extern const struct tk_lab_incident tk_lab_incidents[];

/* Ratios 0.1, 0.2 .. 1.0 of each. */
#define TK_LAB_RATIOS 10

/* By its name and ratio: "packet_loss-0.2". The ratio is above 0 and at most 1. -EINVAL says what
 * is wrong. */
TK_MUST_USE int tk_lab_incident_find(const char *name, const struct tk_lab_incident **ret_incident,
                                     double *ret_ratio, struct tk_err *err);

/* Choose ceil(count x ratio) of `count` containers, the same of a seed, as ascending indices; how
 * many. `ret_chosen` is [count]. */
size_t tk_lab_incident_choose(size_t count, double ratio, uint64_t seed, size_t *ret_chosen);

#endif
