/* SPDX-License-Identifier: Apache-2.0 */
/* What held a step up, in one sentence with evidence and the seconds that a change would save
 * (build-telemetry.md section 15). The rules are one const table over the figures of a job
 * document; attributed figures are used where there are some, else the machine's, and the sentence
 * says so then. A figure that is absent fires no rule.
 *
 * To add a rule: its function and its line in diagnosis_rules.c (of a step) or diagnosis_job.c (of
 * the whole job), and a row in tests/unit/test_diagnosis.c that fires and one that does not.
 */
#ifndef TK_STEP_DIAGNOSIS_H
#define TK_STEP_DIAGNOSIS_H

#include "step/job.h"

enum tk_level {
    TK_LEVEL_NONE,
    TK_LEVEL_INFO,
    TK_LEVEL_WARN,
    TK_LEVEL_CRITICAL,
};

/* "info", "warn", "critical"; "" for none. And back: TK_LEVEL_NONE when it is no level. */
const char *tk_level_name(enum tk_level level);
enum tk_level tk_level_find(tk_str name);

/* Rules and advice of the user ------------------------------------------------------ */

/* `name: expr > number : level : text`. Borrowed from the text that was parsed. */
struct tk_user_rule {
    tk_str name;
    tk_str path, divisor; /* of numbers in the step, else in the job; divisor may be empty */
    bool of_job;
    bool below, or_equal; /* `<`, `<=`, `>=`; else `>` */
    double limit;
    enum tk_level level;
    tk_str text;
};

struct tk_user_advice {
    tk_str process;
    tk_str advice;
};

#define TK_USER_RULES_MAX 256

struct tk_user_rules {
    struct tk_user_rule rules[TK_USER_RULES_MAX];
    size_t rule_count;
    struct tk_user_advice advice[TK_USER_RULES_MAX];
    size_t advice_count;
};

/* Read lines of two kinds, blank ones and those that begin with # aside:
 *
 *     big_image: measures.image_bytes > 3e10 : warn : the image outgrows its disk
 *     process terser: --parallel
 *
 * expr is a path of tk_job_number() or one divided by another ("cpu.system_s / cpu.total_s"). Fails
 * with -EBADMSG and the number of the line. The texts stay borrowed. */
TK_MUST_USE int tk_user_rules_parse(tk_str text, struct tk_user_rules *ret_rules,
                                    struct tk_err *err);

/* Judging ------------------------------------------------------------------------ */

struct tk_diagnosis_options {
    const struct tk_job *past; /* earlier jobs of the same kind, newest first; may be NULL */
    size_t past_count;
    const struct tk_user_rules *user; /* may be NULL */
};

/* Judge every step and the job: replaces the `diagnosis` lists. Fails with -EMSGSIZE when the arena
 * is full. */
TK_MUST_USE int tk_diagnosis_add(const struct tk_diagnosis_options *options, struct tk_job *job,
                                 struct tk_arena *arena, struct tk_err *err);

/* The finding that says most: the highest level, a cause before its symptoms, then the most seconds
 * saved; NULL when there is none. */
const struct tk_job_finding *tk_diagnosis_verdict(const struct tk_job_findings *findings);

/* A verdict in two words for a table, "disk", "fixed wait"; the rule's name for a user's rule. */
tk_str tk_diagnosis_label(const struct tk_job_finding *finding);

struct tk_reason {
    const struct tk_job_step *step; /* NULL: of the job */
    const struct tk_job_finding *finding;
};

#define TK_REASONS_MAX 3

/* The verdicts that explain the job best, at most one of a step, the first says most. Findings that
 * only mark (LONG) and infos are left out. Returns how many. */
size_t tk_diagnosis_reasons(const struct tk_job *job, struct tk_reason ret_reasons[TK_REASONS_MAX]);

/* Advice for a process by its name ("xz"); NULL p when there is none. `user` may be NULL. */
tk_str tk_advice_find(const struct tk_user_rules *user, tk_str comm);

#endif
