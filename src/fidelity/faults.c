/* SPDX-License-Identifier: Apache-2.0 */
#include "fidelity/faults.h"

#include <errno.h>
#include <stdbool.h>

#include "base/json.h"
#include "span/span_fields.h"
#include "span/when.h"

#define MOST_FAULTS 65536
#define NS_PER_S    1000000000LL

/* A fault while it is read. */
struct reading {
    struct tk_fault fault;
    bool has_time, has_pod;
};

static int read_text(struct tk_json *json, struct tk_arena *texts, tk_str *ret, struct tk_err *err)
{
    tk_str text;
    int rc = tk_json_read_str(json, texts, &text, err);
    if (rc < 0)
        return rc;
    *ret = tk_arena_copy(texts, text);
    return ret->p || text.n == 0 ? 0 : tk_fail(err, -ENOMEM, "out of memory");
}

static int read_member(struct tk_json *json, tk_str key, struct tk_arena *texts, void *into,
                       struct tk_err *err)
{
    struct reading *reading = into;
    struct tk_fault *fault = &reading->fault;
    int rc = 1;
    if (tk_str_eq(key, TK_STR("inject_time"))) {
        rc = read_text(json, texts, &fault->time, err);
        if (rc == 0 && !tk_when_parse(fault->time, false, &fault->inject_ns)) {
            return tk_fail(err, -EBADMSG, "inject_time '%.*s' is no time as 2022-08-22 03:53:54",
                           TK_STR_ARG(fault->time));
        }
        fault->inject_ns -= fault->inject_ns % NS_PER_S;
        reading->has_time = rc == 0;
    } else if (tk_str_eq(key, TK_STR("inject_pod"))) {
        rc = read_text(json, texts, &fault->pod, err);
        fault->service = tk_span_pod_service(fault->pod);
        reading->has_pod = rc == 0 && fault->pod.n > 0;
    } else if (tk_str_eq(key, TK_STR("inject_type"))) {
        rc = read_text(json, texts, &fault->type, err);
    }
    return rc;
}

static int read_fault(struct tk_json *json, struct tk_faults *faults, struct tk_err *err)
{
    struct reading reading = {.has_time = false};
    int rc = tk_json_read_members(json, &faults->texts, read_member, &reading, err);
    if (rc < 0)
        return rc;
    if (!reading.has_time)
        return tk_fail(err, -EBADMSG, "inject_time is missing");
    if (!reading.has_pod)
        return tk_fail(err, -EBADMSG, "inject_pod is missing");
    if (faults->count == MOST_FAULTS)
        return tk_fail(err, -EMSGSIZE, "more than %d faults", MOST_FAULTS);
    faults->items[faults->count++] = reading.fault;
    return 0;
}

static int read_hour(struct tk_json *json, tk_str hour, struct tk_faults *faults,
                     struct tk_err *err)
{
    int rc = tk_json_enter_array(json, err);
    if (rc < 0)
        return tk_err_prefix(err, "hour \"%.*s\"", TK_STR_ARG(hour));
    for (size_t number = 1;; number++) {
        rc = tk_json_next_element(json, err);
        if (rc == 0)
            rc = read_fault(json, faults, err);
        if (rc < 0)
            return tk_err_prefix(err, "hour \"%.*s\", fault %zu", TK_STR_ARG(hour), number);
        if (rc > 0)
            return 0;
    }
}

int tk_faults_parse(tk_str json, struct tk_faults *ret_faults, struct tk_err *err)
{
    struct tk_json scan;
    *ret_faults = (struct tk_faults){0};
    int rc = tk_arena_init(&ret_faults->texts,
                           MOST_FAULTS * sizeof(struct tk_fault) + 2 * json.n + 65536, err);
    if (rc < 0)
        return rc;
    ret_faults->items = tk_arena_alloc(&ret_faults->texts, MOST_FAULTS * sizeof(struct tk_fault));
    if (!ret_faults->items)
        return tk_fail(err, -ENOMEM, "faults: out of memory");
    tk_json_init(&scan, json);
    rc = tk_json_enter_object(&scan, err);
    while (rc == 0) {
        tk_str hour;
        rc = tk_json_next_key(&scan, &ret_faults->texts, &hour, err);
        if (rc == 0)
            rc = read_hour(&scan, hour, ret_faults, err);
    }
    return rc < 0 ? rc : tk_json_expect_end(&scan, err);
}

void tk_faults_release(struct tk_faults *faults)
{
    tk_arena_release(&faults->texts);
    *faults = (struct tk_faults){0};
}
