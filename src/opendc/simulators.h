/* SPDX-License-Identifier: Apache-2.0 */
/* Formats of other simulators and viewers (opendc.md section 16): each turns the tasks of a
 * workload into files of a folder. To add one: its file src/opendc/sim_x.c with its `const struct
 * tk_simulator`, its extern here and its line in simulators.c. */
#ifndef TK_OPENDC_SIMULATORS_H
#define TK_OPENDC_SIMULATORS_H

#include "opendc/opendc.h"

/* Tasks with all that is known of them: cpu_ns, cpu_count, mem_kb, known are set. */
struct tk_simulation {
    struct tk_workload *workload;            /* borrowed; tasks in the order of workload->sorted */
    const struct tk_opendc_options *options; /* borrowed */
    int dirfd;                               /* folder that is written */
    const char *const *node_names;           /* [workload->node_count] unique */
    double *most_cores;                      /* [workload->task_count] most in use at once */
    int64_t first_ms;                        /* first submission */
};

struct tk_simulator {
    const char *name; /* as in `tracekit export NAME` */
    const char *help;
    enum tk_service_mode mode; /* what its tasks are; AUTO = as the options say */
    int (*write)(const struct tk_simulation *simulation, struct tk_err *err);
};

extern const struct tk_simulator tk_simulator_batsim;
extern const struct tk_simulator tk_simulator_chrome;
extern const struct tk_simulator tk_simulator_planetlab;
extern const struct tk_simulator tk_simulator_simgrid;
extern const struct tk_simulator tk_simulator_swf;
extern const struct tk_simulator tk_simulator_usage;
extern const struct tk_simulator tk_simulator_wfformat;
extern const struct tk_simulator tk_simulator_wta;

/* All, by name; ends with NULL. */
extern const struct tk_simulator *const tk_simulators[];

/* Write a folder by `simulator`; of the options `workload`, `to`, `count_method`, `headroom`,
 * `top`, `no_estimate`, `anonymise`, `codec` and `say` count. Fails as tk_opendc_export(). */
TK_MUST_USE int tk_simulator_export(const struct tk_simulator *simulator,
                                    const struct tk_opendc_options *options,
                                    struct tk_opendc_report *ret_report, struct tk_err *err);

#endif
