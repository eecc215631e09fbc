/* SPDX-License-Identifier: Apache-2.0 */
/* Check a folder that OpenDC is to load (opendc.md sections 4 and 13): its files by the rules of
 * OpenDC's strict reader, their values by what the simulator makes of them, the topology beside
 * them. Fragments are streamed; what is held is a record per task. One thread at a time. */
#ifndef TK_OPENDC_CHECK_H
#define TK_OPENDC_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "opendc/opendc.h"

enum tk_check_rule {
    TK_CHECK_E01,
    TK_CHECK_E02,
    TK_CHECK_E03,
    TK_CHECK_E04,
    TK_CHECK_E05,
    TK_CHECK_E06,
    TK_CHECK_E07,
    TK_CHECK_E08,
    TK_CHECK_E09,
    TK_CHECK_E10,
    TK_CHECK_E11,
    TK_CHECK_E12,
    TK_CHECK_E13,
    TK_CHECK_E14,
    TK_CHECK_W01,
    TK_CHECK_W02,
    TK_CHECK_W03,
    TK_CHECK_W04,
    TK_CHECK_W05,
    TK_CHECK_W06,
    TK_CHECK_W07,
    TK_CHECK_W08,
    TK_CHECK_W09,
    TK_CHECK_RULES
};

struct tk_check_rule_about {
    const char *code; /* "E01" */
    bool is_error;    /* OpenDC would fail, or simulate something else; else a warning */
    const char *help; /* one line */
};

/* By enum tk_check_rule. */
extern const struct tk_check_rule_about tk_check_rules[TK_CHECK_RULES];

struct tk_check_finding {
    enum tk_check_rule rule;
    const char *file;   /* below the folder */
    const char *column; /* NULL = none in particular */
    int64_t row;        /* from 0; -1 = the file as a whole */
    const char *text;   /* one line; borrowed for the call */
};

struct tk_check_options {
    const char *folder;
    int profile;            /* enum tk_opendc_profile; -1 = by the files */
    const char *topology;   /* NULL = topology.json in the folder, if it is there */
    uint64_t max_examples;  /* told per rule, all are counted; 0 = all */
    int64_t most_fragments; /* more are W07; 0 = 5 * 10^7 */

    /* Told each finding as it comes; NULL = nobody. */
    void (*found)(void *context, const struct tk_check_finding *finding);
    void *context;
};

/* Smallest, largest and middle of a figure. */
struct tk_spread {
    double min, median, max;
};

struct tk_check_result {
    enum tk_opendc_profile profile;
    uint64_t counts[TK_CHECK_RULES];
    uint64_t errors, warnings;
    int64_t tasks, fragments;
    int64_t span_ms;    /* first submission to the last possible end */
    double cpu_hours;   /* work by the speed of the topology's cores; NaN without one */
    double utilisation; /* of the topology over the span; NaN without one */
    /* Of tasks, and usage of fragments: its median is within 1 %. */
    struct tk_spread duration_ms, capacity_mhz, cpu_count, mem_kb, fragments_per_task, usage_mhz;
};

/* Check a folder. 0 also when there are findings; fails when the folder cannot be opened, or memory
 * is short. */
TK_MUST_USE int tk_opendc_check(const struct tk_check_options *options,
                                struct tk_check_result *ret_result, struct tk_err *err);

/* What OpenDC's own loader would do with the files of a folder, by its rules of section 4 alone: 0
 * and how many tasks it loads with how many fragments in all, or -EBADMSG with a message like its
 * own. */
struct tk_opendc_loaded {
    int64_t tasks;
    int64_t fragments;
};
TK_MUST_USE int tk_opendc_accepts(const char *folder, enum tk_opendc_profile profile,
                                  struct tk_opendc_loaded *ret_loaded, struct tk_err *err);

#endif
