/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of the check. */
#ifndef TK_OPENDC_CHECK_INTERNAL_H
#define TK_OPENDC_CHECK_INTERNAL_H

#include "base/hash.h"
#include "base/map.h"
#include "base/number.h"
#include "opendc/check.h"
#include "opendc/frame.h"
#include "opendc/profiles.h"

/* Of the topology, as far as the tasks need it. */
struct tk_check_hosts {
    bool is_there;
    int64_t hosts;
    double core_mhz;  /* of the fastest core */
    double most_mhz;  /* of the largest host, all cores */
    double total_mhz; /* of all */
    int64_t most_cores;
    double most_mem_mib;
};

/* A task as far as its fragments need it. */
struct tk_check_task {
    int64_t id;
    int64_t row;
    int64_t submission_ms, duration_ms, mem_kb;
    int32_t cpu_count;
    double capacity_mhz;
    /* Of its fragments: */
    int64_t fragments;
    int64_t length_ms;
    double first_mhz, last_mhz;
    bool is_constant;
    bool is_closed;                 /* those of another task came after */
    uint32_t first_parent, parents; /* in tk_check.edges */
    uint32_t first_child, children;
};

struct tk_check {
    const struct tk_check_options *options;
    struct tk_check_result *result;
    const struct tk_profile *profile;
    int dirfd;
    struct tk_check_hosts hosts;
    struct tk_check_task *tasks;
    uint32_t task_count, task_cap;
    struct tk_map by_id;
    int64_t *edges; /* ids */
    uint32_t edge_count, edge_cap;
    double work_mhz_ms;
    uint64_t usages[4096]; /* fragments by usage, 64 classes to a factor of two */
    uint64_t usage_count;
    double usage_min, usage_max;
};

/* Tell a finding, printf-like. `column` may be NULL, `row` -1. */
struct tk_check_place {
    const char *file;
    const char *column;
    int64_t row;
};
void tk_check_found(struct tk_check *check, enum tk_check_rule rule,
                    const struct tk_check_place *place, const char *fmt, ...) TK_PRINTF(4, 5);

/* Read the topology. Findings for what OpenDC would refuse or misread. */
TK_MUST_USE int tk_check_topology(struct tk_check *check, struct tk_err *err);

/* The same of a text; `name` is for findings. */
TK_MUST_USE int tk_check_topology_text(struct tk_check *check, const char *name, tk_str text,
                                       struct tk_err *err);

/* Compare the columns of a file with those that the profile has, findings for what differs. */
void tk_check_schema(struct tk_check *check, const struct tk_parquet_file *file, const char *name,
                     const struct tk_parquet_node *nodes, size_t node_count);

/* The tasks, then the fragments, then what needs both. */
TK_MUST_USE int tk_check_tasks(struct tk_check *check, struct tk_err *err);
void tk_check_fragments(struct tk_check *check);
TK_MUST_USE int tk_check_edges(struct tk_check *check, struct tk_err *err);
void tk_check_sums(struct tk_check *check);

/* An id as a number. A text that is none counts as its hash, which two practically never share. */
static inline int64_t tk_check_id(const struct tk_frame_column *column, size_t row, bool is_text)
{
    if (!is_text)
        return column->i64[row];
    int64_t id;
    return tk_parse_i64(column->text[row], &id)
               ? id
               : (int64_t)(tk_hash_text(column->text[row]) | 1ULL << 63);
}

#endif
