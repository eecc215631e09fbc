/* SPDX-License-Identifier: Apache-2.0 */
#include "opendc/profiles.h"

/* OPTIONAL group, repeated group `list`, OPTIONAL `element`: the only form that OpenDC reads. */
#define LIST_OF_IDS(name)                                                                          \
    {name, TK_PARQUET_GROUP, TK_PARQUET_OPTIONAL, TK_PARQUET_LIST, .children = 1},                 \
        {"list", TK_PARQUET_GROUP, TK_PARQUET_REPEATED, .children = 1},                            \
    {                                                                                              \
        "element", TK_PARQUET_I32, TK_PARQUET_OPTIONAL                                             \
    }

static const struct tk_parquet_node tasks[] = {
    {"id", TK_PARQUET_I32},
    {"name", TK_PARQUET_BYTES, TK_PARQUET_OPTIONAL, TK_PARQUET_STRING},
    {"submission_time", TK_PARQUET_I64, .logical = TK_PARQUET_TIMESTAMP_MS},
    {"duration", TK_PARQUET_I64},
    {"cpu_count", TK_PARQUET_I32},
    {"cpu_capacity", TK_PARQUET_F64},
    {"mem_capacity", TK_PARQUET_I64},
    LIST_OF_IDS("parents"),
    LIST_OF_IDS("children"),
};
static const enum tk_task_column task_columns[] = {
    TK_TASK_ID,       TK_TASK_NAME, TK_TASK_SUBMISSION, TK_TASK_DURATION, TK_TASK_COUNT,
    TK_TASK_CAPACITY, TK_TASK_MEM,  TK_TASK_PARENTS,    TK_TASK_CHILDREN,
};
static const struct tk_parquet_node fragments[] = {
    {"id", TK_PARQUET_I32},
    {"duration", TK_PARQUET_I64},
    {"cpu_usage", TK_PARQUET_F64},
};
static const enum tk_fragment_column fragment_columns[] = {
    TK_FRAGMENT_ID,
    TK_FRAGMENT_DURATION,
    TK_FRAGMENT_USAGE,
};

static const struct tk_parquet_node tasks_24e[] = {
    {"id", TK_PARQUET_BYTES, .logical = TK_PARQUET_STRING},
    {"submission_time", TK_PARQUET_I64, .logical = TK_PARQUET_TIMESTAMP_MS},
    {"duration", TK_PARQUET_I64},
    {"cpu_count", TK_PARQUET_I32},
    {"cpu_capacity", TK_PARQUET_F64},
    {"mem_capacity", TK_PARQUET_I64},
};
static const enum tk_task_column task_columns_24e[] = {
    TK_TASK_ID_TEXT, TK_TASK_SUBMISSION, TK_TASK_DURATION,
    TK_TASK_COUNT,   TK_TASK_CAPACITY,   TK_TASK_MEM,
};
static const struct tk_parquet_node fragments_24e[] = {
    {"id", TK_PARQUET_BYTES, .logical = TK_PARQUET_STRING},
    {"duration", TK_PARQUET_I64},
    {"cpu_count", TK_PARQUET_I32},
    {"cpu_usage", TK_PARQUET_F64},
};
static const enum tk_fragment_column fragment_columns_24e[] = {
    TK_FRAGMENT_ID_TEXT,
    TK_FRAGMENT_DURATION,
    TK_FRAGMENT_COUNT,
    TK_FRAGMENT_USAGE,
};

static const struct tk_parquet_node meta_21[] = {
    {"id", TK_PARQUET_BYTES, .logical = TK_PARQUET_STRING},
    {"start_time", TK_PARQUET_I64, .logical = TK_PARQUET_TIMESTAMP_MS},
    {"stop_time", TK_PARQUET_I64, .logical = TK_PARQUET_TIMESTAMP_MS},
    {"cpu_count", TK_PARQUET_I32},
    {"cpu_capacity", TK_PARQUET_F64},
    {"mem_capacity", TK_PARQUET_I64},
};
static const enum tk_task_column meta_columns_21[] = {
    TK_TASK_ID_TEXT, TK_TASK_SUBMISSION, TK_TASK_END, TK_TASK_COUNT, TK_TASK_CAPACITY, TK_TASK_MEM,
};
static const struct tk_parquet_node trace_21[] = {
    {"id", TK_PARQUET_BYTES, .logical = TK_PARQUET_STRING},
    {"timestamp", TK_PARQUET_I64, .logical = TK_PARQUET_TIMESTAMP_MS},
    {"duration", TK_PARQUET_I64},
    {"cpu_count", TK_PARQUET_I32},
    {"cpu_usage", TK_PARQUET_F64},
};
static const enum tk_fragment_column trace_columns_21[] = {
    TK_FRAGMENT_ID_TEXT, TK_FRAGMENT_END,   TK_FRAGMENT_DURATION,
    TK_FRAGMENT_COUNT,   TK_FRAGMENT_USAGE,
};

#define TASKS_OF(nodes, columns)                                                                   \
    .tasks = (nodes), .task_nodes = TK_COUNTOF(nodes), .task_columns = (columns),                  \
    .task_column_count = TK_COUNTOF(columns)
#define FRAGMENTS_OF(nodes, columns)                                                               \
    .fragments = (nodes), .fragment_columns = (columns),                                           \
    .fragment_column_count = TK_COUNTOF(columns)

const struct tk_profile tk_profiles[TK_PROFILE_COUNT] = {
    [TK_PROFILE_OPENDC] = {"tasks.parquet", TASKS_OF(tasks, task_columns), "fragments.parquet",
                           FRAGMENTS_OF(fragments, fragment_columns), .has_lists = true},
    [TK_PROFILE_24F] = {"tasks.parquet", TASKS_OF(tasks, task_columns), "fragments.parquet",
                        FRAGMENTS_OF(fragments, fragment_columns), .has_lists = true},
    [TK_PROFILE_24E] = {"tasks.parquet", TASKS_OF(tasks_24e, task_columns_24e), "fragments.parquet",
                        FRAGMENTS_OF(fragments_24e, fragment_columns_24e)},
    [TK_PROFILE_21] = {"meta.parquet", TASKS_OF(meta_21, meta_columns_21), "trace.parquet",
                       FRAGMENTS_OF(trace_21, trace_columns_21)},
};

const char *const tk_opendc_profiles[] = {"opendc", "opendc-2.4f", "opendc-2.4e", "opendc-2.1",
                                          NULL};
