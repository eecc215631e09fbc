/* SPDX-License-Identifier: Apache-2.0 */
/* task_map.jsonl of an export: from the ids that OpenDC knows back to what was recorded. */
#ifndef TK_OPENDC_TASK_MAP_H
#define TK_OPENDC_TASK_MAP_H

#include "table/schema.h"

#define TK_TASK_MAP_FILE "task_map.jsonl"

enum {
    TK_TASK_MAP_ID,
    TK_TASK_MAP_RUN_ID,
    TK_TASK_MAP_NODE,
    TK_TASK_MAP_HOST,
    TK_TASK_MAP_PID,
    TK_TASK_MAP_START_TICKS,
    TK_TASK_MAP_TRACE_ID,
    TK_TASK_MAP_SPAN_ID,
    TK_TASK_MAP_NAME,
    TK_TASK_MAP_TS_ENQUEUE,
    TK_TASK_MAP_TS_START,
    TK_TASK_MAP_TS_END,
    TK_TASK_MAP_COUNT
};
extern const struct tk_schema tk_schema_task_map;

#endif
