/* SPDX-License-Identifier: Apache-2.0 */
/* What a simulation is told of the world around it (opendc.md section 11): the carbon intensity of
 * the grid, and failures of hosts. Files of others, CSV or Parquet, are checked row by row and
 * written as OpenDC reads them. */
#ifndef TK_OPENDC_ENVIRONMENT_H
#define TK_OPENDC_ENVIRONMENT_H

#include "base/compiler.h"
#include "base/err.h"
#include "table/parquet.h"

enum tk_environment {
    TK_ENVIRONMENT_CARBON,   /* timestamp (epoch ms), carbon_intensity (gCO2/kWh) */
    TK_ENVIRONMENT_FAILURES, /* failure_interval, failure_duration (ms), failure_intensity (0, 1] */
    TK_ENVIRONMENT_COUNT
};

/* The name of the file that is written, by enum tk_environment. */
extern const char *const tk_environment_files[TK_ENVIRONMENT_COUNT];

/* Convert the file at `path` to tk_environment_files[kind] in the folder. Columns are found by
 * name, others are passed over. -EBADMSG names the first row that is not in order; nothing is
 * written then. */
TK_MUST_USE int tk_environment_convert(enum tk_environment kind, const char *path, int dirfd,
                                       enum tk_parquet_codec codec, struct tk_err *err);

#endif
