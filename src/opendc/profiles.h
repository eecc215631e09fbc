/* SPDX-License-Identifier: Apache-2.0 */
/* Which files and columns the versions of OpenDC take (opendc.md sections 2 and 3): one table for
 * what is written and what is checked. Everything is constant: safe from any thread. */
#ifndef TK_OPENDC_PROFILES_H
#define TK_OPENDC_PROFILES_H

#include "opendc/opendc.h"

/* What goes into a column. */
enum tk_task_column {
    TK_TASK_ID,
    TK_TASK_ID_TEXT,
    TK_TASK_NAME,
    TK_TASK_SUBMISSION,
    TK_TASK_END,
    TK_TASK_DURATION,
    TK_TASK_COUNT,
    TK_TASK_CAPACITY,
    TK_TASK_MEM,
    TK_TASK_PARENTS,
    TK_TASK_CHILDREN,
};

enum tk_fragment_column {
    TK_FRAGMENT_ID,
    TK_FRAGMENT_ID_TEXT,
    TK_FRAGMENT_END,
    TK_FRAGMENT_DURATION,
    TK_FRAGMENT_COUNT,
    TK_FRAGMENT_USAGE,
};

/* Nodes of a list of ids. */
#define TK_PROFILE_LIST_NODES 3

struct tk_profile {
    const char *tasks_name;
    const struct tk_parquet_node *tasks;
    size_t task_nodes;
    const enum tk_task_column *task_columns;
    size_t task_column_count;
    const char *fragments_name;
    const struct tk_parquet_node *fragments; /* as many as columns */
    const enum tk_fragment_column *fragment_columns;
    size_t fragment_column_count;
    bool has_lists; /* parents and children, at the end of the tasks */
};

/* By enum tk_opendc_profile. */
extern const struct tk_profile tk_profiles[TK_PROFILE_COUNT];

#endif
