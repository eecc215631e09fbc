/* SPDX-License-Identifier: Apache-2.0 */
/* A calibration: what an export changes so that the simulation comes closer to what was measured
 * (opendc.md section 15). It is a member of manifest.json. One thread at a time. */
#ifndef TK_OPENDC_CALIBRATION_H
#define TK_OPENDC_CALIBRATION_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "opendc/power.h"

struct tk_host_power {
    char host[128]; /* its name in the topology */
    struct tk_power_model model;
};

struct tk_calibration {
    double core_speed;           /* factor of the speed of all cores in the topology */
    double scale_cpu;            /* factor of usage */
    double scale_duration;       /* factor of durations */
    int64_t startup_ms;          /* added to each task's first fragment */
    int64_t shift_ms;            /* added to each submission */
    struct tk_host_power *power; /* owned */
    size_t power_count;
};

/* One that changes nothing. */
extern const struct tk_calibration tk_calibration_none;

/* Add the power model of a host. -ENOMEM. */
TK_MUST_USE int tk_calibration_add_power(struct tk_calibration *calibration, const char *host,
                                         const struct tk_power_model *model, struct tk_err *err);

/* The model of a host, or NULL. */
const struct tk_power_model *tk_calibration_find_power(const struct tk_calibration *calibration,
                                                       const char *host);

/* Append its members to the JSON object at hand. */
void tk_calibration_put(struct tk_buf *out, const struct tk_calibration *calibration);

/* The one in the text of a manifest. -EBADMSG when it has none or one that makes no sense. */
TK_MUST_USE int tk_calibration_parse(tk_str text, struct tk_calibration *ret_calibration,
                                     struct tk_err *err);

/* Read the one in `path`: a manifest.json, or a folder with one. -ENOENT, or -EBADMSG when it has
 * none or one that makes no sense. */
TK_MUST_USE int tk_calibration_read(const char *path, struct tk_calibration *ret_calibration,
                                    struct tk_err *err);

/* Accepts a zeroed struct; for TK_CLEANUP. */
void tk_calibration_release(struct tk_calibration *calibration);

#endif
