/* SPDX-License-Identifier: Apache-2.0 */
/* One request or job as a log tells it: a value for some of the named fields below. Readers set
 * fields from texts; when a record has been read, the times that it lacks follow from those that it
 * has, and the call becomes a row of the invocations table. One thread at a time. */
#ifndef TK_SPAN_CALL_H
#define TK_SPAN_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "table/batch.h"

enum tk_field {
    /* three times, and the three distances between them */
    TK_FIELD_ENQUEUE,
    TK_FIELD_START,
    TK_FIELD_END,
    TK_FIELD_QUEUED,
    TK_FIELD_SERVICE,
    TK_FIELD_RT,
    /* texts that set other fields */
    TK_FIELD_REQUEST,
    TK_FIELD_TRACEPARENT,
    TK_FIELD_EXIT,
    TK_FIELD_JOB,
    TK_FIELD_EVENT,
    TK_FIELD_STAMP,
    /* columns of the table */
    TK_FIELD_TRACE_ID,
    TK_FIELD_SPAN_ID,
    TK_FIELD_PARENT_ID,
    TK_FIELD_W3C_TRACE_ID,
    TK_FIELD_W3C_SPAN_ID,
    TK_FIELD_MODULE_ID,
    TK_FIELD_INSTANCE_ID,
    TK_FIELD_NODE,
    TK_FIELD_STAGE,
    TK_FIELD_HOST,
    TK_FIELD_METHOD,
    TK_FIELD_PATH,
    TK_FIELD_INPUT,
    TK_FIELD_OUTPUT,
    TK_FIELD_QUEUE,
    TK_FIELD_USER,
    TK_FIELD_STATUS,
    TK_FIELD_EXIT_CODE,
    TK_FIELD_PID,
    TK_FIELD_HOST_PID,
    TK_FIELD_ATTEMPT,
    TK_FIELD_RETRIES,
    TK_FIELD_CPUS,
    TK_FIELD_BYTES_IN,
    TK_FIELD_BYTES_OUT,
    TK_FIELD_MEM,
    TK_FIELD_CPU_TIME,
    TK_FIELD_UPSTREAM_TIME,
    TK_FIELD_COUNT
};

/* How the text of a field is read. */
enum tk_field_kind {
    TK_KIND_TIME,     /* calendar (when.h), or a number since the epoch in a stated unit */
    TK_KIND_DURATION, /* a number in a stated unit */
    TK_KIND_SUM,      /* durations separated by commas and colons, added up */
    TK_KIND_COUNT,    /* a whole number, not negative */
    TK_KIND_SIZE,     /* a whole number, in bytes unless a unit says otherwise */
    TK_KIND_TEXT,
    TK_KIND_REQUEST,     /* "GET /x HTTP/1.1": method and path */
    TK_KIND_TRACEPARENT, /* W3C trace context: trace_id, w3c_trace_id, parent_id */
    TK_KIND_EXIT,        /* "CODE" or, as Slurm has it, "CODE:SIGNAL": exit_code and status */
};

struct tk_field_about {
    const char *name; /* as in --map */
    enum tk_field_kind kind;
    size_t column;    /* of invocations; SIZE_MAX = none */
    const char *help; /* one line for the manual */
};

/* By enum tk_field. */
extern const struct tk_field_about tk_fields[TK_FIELD_COUNT];

/* The field of that name; TK_FIELD_COUNT when there is none. */
enum tk_field tk_field_find(tk_str name);

/* What a number counts. Which units a field takes is told by its kind. */
enum tk_unit {
    TK_UNIT_NONE, /* not stated */
    TK_UNIT_S,
    TK_UNIT_MS,
    TK_UNIT_US,
    TK_UNIT_NS,
    TK_UNIT_BYTES,
    TK_UNIT_KB, /* 1024 bytes, so MB, GB */
    TK_UNIT_MB,
    TK_UNIT_GB,
    TK_UNIT_COUNT
};

/* The unit "s", "ms", "us", "ns", "bytes", "kb", "mb", "gb"; TK_UNIT_COUNT when it is none. */
enum tk_unit tk_unit_find(tk_str name);

/* A unit that the kind takes; TK_UNIT_NONE always is. */
bool tk_unit_ok(enum tk_field_kind kind, enum tk_unit unit);

union tk_field_value {
    int64_t i64; /* ns, bytes, counts */
    tk_str text; /* borrowed from the record */
};

struct tk_call {
    uint64_t present; /* bit f: field f is set */
    uint8_t rank[TK_FIELD_COUNT];
    union tk_field_value values[TK_FIELD_COUNT];
    bool local; /* calendar times without a zone are of the zone that TZ names; kept by reset */

    /* The last calendar time: neighbours share it. */
    char when_text[40];
    uint8_t when_n;
    int64_t when_ns;
};

/* Forget all fields. */
static inline void tk_call_reset(struct tk_call *call)
{
    call->present = 0;
}

/* The field is set. */
static inline bool tk_call_has(const struct tk_call *call, enum tk_field field)
{
    return (call->present >> field & 1) != 0;
}

/* A place of a log that tells a field: a key, a column, a variable. */
struct tk_source {
    tk_str name; /* by which the log knows it; borrowed */
    enum tk_field field;
    enum tk_unit unit;
    uint8_t rank; /* of several that tell one field the smallest counts */
};

/* Set a field from its text, which is borrowed. An empty text and "-" are no value, nor is
 * "Unknown" a time. -EBADMSG when the text is no value of the field: "request_time: 'x' is no
 * duration in s". */
TK_MUST_USE int tk_call_set(struct tk_call *call, const struct tk_source *source, tk_str text,
                            struct tk_err *err);

/* Set the times that follow from those that are set; without a time of arrival it is the start.
 * -EBADMSG when start or end do not follow, or the three do not ascend. */
TK_MUST_USE int tk_call_complete(struct tk_call *call, struct tk_err *err);

/* Where it happened, for calls that do not say. */
struct tk_call_place {
    tk_str node, stage, host; /* empty = leave it absent */
};

/* Set the values of the last row of `batch`, of tk_schema_invocations, from a complete call: times
 * in ms, rounded down, and the three derived ones. */
void tk_call_put(const struct tk_call *call, const struct tk_call_place *place,
                 struct tk_batch *batch);

#endif
