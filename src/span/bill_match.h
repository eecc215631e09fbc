/* SPDX-License-Identifier: Apache-2.0 */
/* Which processes served a span (trace-storage-and-ui.md section 9.1). Rules are tried in the order
 * of enum tk_bill_rule; the first that names a process alive in the span's interval holds, and is
 * told. What a rule names is a target: a set of processes, each set once. One thread at a time. */
#ifndef TK_SPAN_BILL_MATCH_H
#define TK_SPAN_BILL_MATCH_H

#include "span/bill_process.h"

enum tk_bill_rule {
    TK_BILL_NO_RULE = 0,
    TK_BILL_BY_CONTEXT,     /* the process publishes the span's Resource (OTEP 4719) */
    TK_BILL_BY_ENVIRONMENT, /* TRACEPARENT: it was started in the span, or in what called it */
    TK_BILL_BY_CONTAINER,   /* container.id or k8s.pod.uid, by its control group */
    TK_BILL_BY_PID,         /* process.pid with process.creation.time; never a bare pid */
    TK_BILL_RULES
};

struct tk_bill_rule_about {
    const char *name; /* in files, "context" */
    const char *text; /* for people: "published Resource" */
};

/* By enum tk_bill_rule. */
extern const struct tk_bill_rule_about tk_bill_rules[TK_BILL_RULES];

struct tk_bill_attr {
    tk_str key, value; /* value as text */
};

/* What of a Resource tells processes. */
struct tk_bill_resource {
    uint32_t host;       /* text of the processes' texts; 0 = not told, or no host of the run */
    int64_t pid;         /* -1 = not told */
    int64_t creation_ns; /* epoch; 0 = not told */
    bool has_parent;     /* it carries TK_PARENT_ATTRIBUTE */
    uint32_t by_parent;  /* targets, TK_BILL_NONE = none: */
    uint32_t by_context;
    uint32_t by_container;
    uint32_t by_pid;
};

struct tk_bill_matcher;

/* A matcher of finished processes, which stay borrowed. */
TK_MUST_USE int tk_bill_matcher_new(struct tk_bill_processes *processes,
                                    struct tk_bill_matcher **ret_matcher, struct tk_err *err);

/* Accepts NULL. */
void tk_bill_matcher_free(struct tk_bill_matcher *matcher);

/* Find the targets of a Resource. -ENOMEM. */
TK_MUST_USE int tk_bill_matcher_read_resource(struct tk_bill_matcher *matcher,
                                              const struct tk_bill_attr *attrs, size_t count,
                                              struct tk_bill_resource *ret, struct tk_err *err);

/* What of a span is asked for. */
struct tk_bill_question {
    const struct tk_bill_resource *resource;
    const uint8_t *trace_id; /* [16] */
    uint64_t span_id;
    uint64_t caller_id; /* what called the first span of this Resource above it; 0 = nothing */
    int64_t start_ns, end_ns;
};

struct tk_bill_answer {
    enum tk_bill_rule rule;
    uint32_t target;    /* TK_BILL_NONE = no rule */
    uint32_t processes; /* of the target, alive in the interval */
};

/* -ENOMEM. */
TK_MUST_USE int tk_bill_matcher_ask(struct tk_bill_matcher *matcher,
                                    const struct tk_bill_question *question,
                                    struct tk_bill_answer *ret, struct tk_err *err);

/* Targets, 0 .. count; their processes ascend. Borrowed until the next question. */
uint32_t tk_bill_matcher_count(const struct tk_bill_matcher *matcher);
const uint32_t *tk_bill_matcher_target(const struct tk_bill_matcher *matcher, uint32_t target,
                                       uint32_t *ret_count);

/* Whether two targets share a process. */
bool tk_bill_matcher_meet(const struct tk_bill_matcher *matcher, uint32_t a, uint32_t b);

#endif
