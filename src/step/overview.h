/* SPDX-License-Identifier: Apache-2.0 */
/* The curves of a job's steps as one. Steps that ran side by side, or one within another, tell of
 * the same moments, each with its own distance of samples: laid beside each other they would be
 * drawn several times. Time is cut into equal cells here. What steps tell of the machine is taken
 * from the finest samples of a cell; what commands tell of themselves (CPU and memory of `exec`) is
 * added up, but not for a command within another, whose use the outer one has counted. */
#ifndef TK_STEP_OVERVIEW_H
#define TK_STEP_OVERVIEW_H

#include "step/job.h"

#define TK_OVERVIEW_CELLS 600

enum tk_band {
    TK_BAND_CPU,     /* cores in use */
    TK_BAND_MEMORY,  /* MB in use */
    TK_BAND_DISK,    /* MB/s read and written */
    TK_BAND_NETWORK, /* MB/s in and out */
    TK_BAND_STALL,   /* % of the time in which I/O held some process up */
    TK_BANDS_OF_MACHINE,
    TK_BAND_OWN_CPU = TK_BANDS_OF_MACHINE, /* of commands alone, as the next */
    TK_BAND_OWN_MEMORY,
    TK_BANDS
};

struct tk_overview {
    double start_s, cell_s;                     /* epoch; length of a cell */
    double values[TK_OVERVIEW_CELLS][TK_BANDS]; /* highest in the cell; NaN = not known */
    double max[TK_BANDS];                       /* 0 where nothing is known */
};

/* Of `span_s` (above 0) seconds from `start_s` (epoch). Samples outside are left out. `job` may be
 * any document. */
void tk_overview_of(const struct tk_job *job, double start_s, double span_s,
                    struct tk_overview *ret);

#endif
