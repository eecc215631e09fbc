/* SPDX-License-Identifier: Apache-2.0 */
/* Formats that `tracekit export` writes. To add one: its file src/cmd/export_x.c with its `const
 * struct tk_export_format`, its extern here and its line in cmd_export.c. An option that only some
 * formats take says so in its help. */
#ifndef TK_CMD_EXPORT_H
#define TK_CMD_EXPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "span/span_format.h"

/* Options of all formats, as the table in cmd_export.c sets them. */
struct tk_export_opts {
    const char *input;
    const char *output;
    const char *compression; /* NULL = the format's default */
    /* Of formats made of tasks. */
    int service_mode;
    int cpu_unit;
    int count_method;
    double reference_mhz;
    double assumed_mhz;
    double smt_factor;
    int64_t top;
    bool anonymise;
    bool no_estimate;
    /* Of opendc. */
    int profile;
    int compat;
    bool exact;
    int ids;
    double floor_mhz;
    double scale_cpu;
    double scale_duration;
    int64_t startup_ns;
    int64_t shift_ms;
    double headroom;
    double core_speed;
    double cpu_ratio;
    const char *calibration;
    bool per_node;
    const char *carbon;
    const char *failures;
};

struct tk_export_format {
    const char *name;
    bool has_spans;                      /* the spans of a run can be written, too */
    bool spans_instead;                  /* of tables, where the run has spans */
    const struct tk_span_encoder *spans; /* what writes them; NULL = Parquet */

    /* NULL = spans only. Export the runs in these folders [1 or more] to opts->output, which is
     * set, and say on stdout what was written. */
    int (*run)(const struct tk_export_format *format, const struct tk_export_opts *opts,
               const char *const *folders, size_t count, struct tk_err *err);
};

/* Export the spans of a run: 0, or 1 when it has none. */
TK_MUST_USE int tk_export_spans(const struct tk_export_format *format, const char *folder,
                                const char *output, struct tk_err *err);

extern const struct tk_export_format tk_export_batsim;
extern const struct tk_export_format tk_export_chrome;
extern const struct tk_export_format tk_export_csv;
extern const struct tk_export_format tk_export_gent;
extern const struct tk_export_format tk_export_jaeger;
extern const struct tk_export_format tk_export_jsonl;
extern const struct tk_export_format tk_export_opendc;
extern const struct tk_export_format tk_export_otlp;
extern const struct tk_export_format tk_export_otlp_proto;
extern const struct tk_export_format tk_export_parquet;
extern const struct tk_export_format tk_export_perfetto;
extern const struct tk_export_format tk_export_planetlab;
extern const struct tk_export_format tk_export_simgrid;
extern const struct tk_export_format tk_export_swf;
extern const struct tk_export_format tk_export_usage;
extern const struct tk_export_format tk_export_wfformat;
extern const struct tk_export_format tk_export_wta;
extern const struct tk_export_format tk_export_zipkin;

#endif
