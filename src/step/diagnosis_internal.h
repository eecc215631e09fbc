/* SPDX-License-Identifier: Apache-2.0 */
/* What rules see and what they say. */
#ifndef TK_STEP_DIAGNOSIS_INTERNAL_H
#define TK_STEP_DIAGNOSIS_INTERNAL_H

#include "step/diagnosis.h"

/* The figures of a step that several rules look at, NaN where unknown, and those of its job. */
struct tk_facts {
    const struct tk_job *job;
    const struct tk_job_step *step;
    const struct tk_diagnosis_options *options;
    bool attributed;                                /* the CPU time is the step's own */
    double d;                                       /* seconds */
    double n;                                       /* cores */
    double c;                                       /* cores busy on average */
    double cpu_some, io_some, io_full, memory_full; /* % of d */
    double memory_mb; /* what it needed: without page cache where known */
    double peak_mb, limit_mb;
    double read_mb, write_mb;
    double rx_mb, rx_mbs, net_mbs, link_mbs;
    double ops, await_ms, util, queue;
    bool rotational;
};

#define TK_SAYS_EVIDENCE_MAX 6

struct tk_says {
    char text[400];
    char advice[300];
    double saves_s; /* NaN = no estimate */
    struct {
        const char *name;
        double value;
    } evidence[TK_SAYS_EVIDENCE_MAX];
    size_t evidence_count;
};

struct tk_rule {
    const char *name;
    const char *label;  /* the verdict in a table */
    bool any_duration;  /* also below 1 s */
    bool needs_ops;     /* at least 100 operations of the disk */
    bool cause;         /* goes before rules of the same level, which are its symptoms */
    bool mark;          /* explains nothing */
    bool alone;         /* only where nothing explains the step so far */
    const char *advice; /* unless the rule says its own */
    enum tk_level (*judge)(const struct tk_facts *facts, struct tk_says *says);
};

/* Ends with a rule without a name. `step` in the facts of a job's rule is NULL. */
extern const struct tk_rule tk_step_rules[];
extern const struct tk_rule tk_job_rules[];

/* Set the sentence and what to do; add to the evidence. */
void tk_says_text(struct tk_says *says, const char *fmt, ...) TK_PRINTF(2, 3);
void tk_says_advice(struct tk_says *says, const char *fmt, ...) TK_PRINTF(2, 3);
void tk_says_evidence(struct tk_says *says, const char *name, double value);

/* `critical` or `warn` when the value is over that limit, else none. NaN is over nothing. */
enum tk_level tk_level_over(double value, double warn, double critical);

/* The first that is known. */
static inline double tk_known(double a, double b)
{
    return isnan(a) ? b : a;
}

/* The process with the most CPU time or the most bytes written; NULL when unknown. */
const struct tk_job_process *tk_top_cpu(const struct tk_job_step *step);
const struct tk_job_process *tk_top_writer(const struct tk_job_step *step);

/* True while another step ran that is neither inside nor around this one. */
bool tk_step_has_company(const struct tk_job *job, const struct tk_job_step *step);

#endif
