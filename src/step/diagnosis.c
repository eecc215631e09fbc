/* SPDX-License-Identifier: Apache-2.0 */
#include "step/diagnosis.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "step/diagnosis_internal.h"

#define MIN_DURATION_S 1
#define MIN_OPS        100

/* What rules use -------------------------------------------------------------------- */

void tk_says_text(struct tk_says *says, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(says->text, sizeof(says->text), fmt, args);
    va_end(args);
}

void tk_says_advice(struct tk_says *says, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(says->advice, sizeof(says->advice), fmt, args);
    va_end(args);
}

void tk_says_evidence(struct tk_says *says, const char *name, double value)
{
    if (isnan(value) || says->evidence_count == TK_SAYS_EVIDENCE_MAX)
        return;
    says->evidence[says->evidence_count].name = name;
    says->evidence[says->evidence_count++].value = value;
}

enum tk_level tk_level_over(double value, double warn, double critical)
{
    if (value > critical)
        return TK_LEVEL_CRITICAL;
    return value > warn ? TK_LEVEL_WARN : TK_LEVEL_NONE;
}

const struct tk_job_process *tk_top_cpu(const struct tk_job_step *step)
{
    const struct tk_job_process *most = NULL;
    for (size_t i = 0; i < step->top.count; i++) {
        const struct tk_job_process *one = &step->top.items[i];
        if (one->cpu_s > (most ? most->cpu_s : 0))
            most = one;
    }
    return most;
}

const struct tk_job_process *tk_top_writer(const struct tk_job_step *step)
{
    const struct tk_job_process *most = NULL;
    for (size_t i = 0; i < step->top.count; i++) {
        const struct tk_job_process *one = &step->top.items[i];
        if (one->write_mb > (most ? most->write_mb : 0))
            most = one;
    }
    return most;
}

/* `inner` is nested in `outer`, at any depth. */
static bool is_inside(const struct tk_job *job, const struct tk_job_step *inner,
                      const struct tk_job_step *outer)
{
    for (size_t depth = 0; inner && inner->parent.p && depth < job->steps.count; depth++) {
        if (tk_str_eq(inner->parent, outer->id))
            return true;
        const struct tk_job_step *parent = NULL;
        for (size_t i = 0; i < job->steps.count && !parent; i++) {
            if (tk_str_eq(job->steps.items[i].id, inner->parent))
                parent = &job->steps.items[i];
        }
        inner = parent;
    }
    return false;
}

bool tk_step_has_company(const struct tk_job *job, const struct tk_job_step *step)
{
    for (size_t i = 0; i < job->steps.count; i++) {
        const struct tk_job_step *other = &job->steps.items[i];
        bool overlaps =
            other->start_time < step->end_time - 0.5 && other->end_time > step->start_time + 0.5;
        if (other != step && overlaps && !is_inside(job, other, step) &&
            !is_inside(job, step, other))
            return true;
    }
    return false;
}

/* Facts ----------------------------------------------------------------------------- */

static double percent_of(double part_s, double whole_s)
{
    return whole_s > 0 ? 100 * part_s / whole_s : (double)NAN;
}

static void facts_of_machine(const struct tk_job *job, struct tk_facts *facts)
{
    facts->job = job;
    facts->n = tk_known(job->system.cpus_effective, job->system.cpus);
    facts->limit_mb = tk_known(job->system.memory_limit_mb, job->system.memory_total_mb);
}

static void facts_of_cpu(const struct tk_job_step *step, struct tk_facts *facts)
{
    double own = tk_known(step->cpu.cores_avg, step->cpu.total_s / step->duration_s);
    facts->attributed = !isnan(own);
    facts->c = tk_known(own, step->cpu_percent / 100 * facts->n);
    facts->cpu_some = percent_of(step->pressure.cpu_some_s, facts->d);
    facts->io_some = percent_of(step->pressure.io_some_s, facts->d);
    facts->io_full = percent_of(step->pressure.io_full_s, facts->d);
    facts->memory_full = percent_of(step->pressure.memory_full_s, facts->d);
}

/* What the kernel could not take back: memory of processes, tmpfs and shared memory. Their peaks
 * need not have come at one moment, so all that there was at once bounds the sum. */
static double needed_mb(const struct tk_job_memory *memory, double peak_mb)
{
    if (isnan(memory->anon_peak_mb))
        return peak_mb;
    double sum_mb = memory->anon_peak_mb + tk_known(memory->shmem_peak_mb, 0);
    return sum_mb > peak_mb ? peak_mb : sum_mb;
}

static void facts_of_memory(const struct tk_job_step *step, struct tk_facts *facts)
{
    facts->peak_mb = tk_known(step->memory.peak_mb, step->memory_used_mb);
    facts->memory_mb = needed_mb(&step->memory, facts->peak_mb);
    facts->limit_mb = tk_known(step->memory.limit_mb, facts->limit_mb);
}

static void facts_of_disk(const struct tk_job_step *step, struct tk_facts *facts)
{
    facts->read_mb = tk_known(step->io.read_mb, step->disk_read_mb);
    facts->write_mb = tk_known(step->io.write_mb, step->disk_write_mb);
    facts->ops = step->disk_read_ops + step->disk_write_ops;
    facts->await_ms = step->await_ms;
    facts->util = step->disk_util_percent;
    facts->queue = step->queue_depth;
    for (size_t i = 0; i < step->io.devices.count; i++)
        facts->rotational = facts->rotational || step->io.devices.items[i].rotational == 1;
}

static void facts_of_net(const struct tk_job_step *step, struct tk_facts *facts)
{
    facts->rx_mb = tk_known(step->net.rx_mb, step->net_rx_mb);
    facts->rx_mbs = facts->rx_mb / facts->d;
    facts->net_mbs =
        (facts->rx_mb + tk_known(tk_known(step->net.tx_mb, step->net_tx_mb), 0)) / facts->d;
    facts->link_mbs = step->net.link_mbps > 0 ? step->net.link_mbps / 8 : (double)NAN;
}

static void facts_of_step(const struct tk_job *job, const struct tk_job_step *step,
                          struct tk_facts *facts)
{
    facts_of_machine(job, facts);
    facts->step = step;
    facts->d = step->duration_s;
    facts_of_cpu(step, facts);
    facts_of_memory(step, facts);
    facts_of_disk(step, facts);
    facts_of_net(step, facts);
}

/* Findings -------------------------------------------------------------------------- */

static int full(struct tk_err *err)
{
    return tk_fail(err, -EMSGSIZE, "diagnosis: more findings than fit");
}

static int finding_add(struct tk_job_findings *findings, tk_str rule, enum tk_level level,
                       const struct tk_says *says, struct tk_arena *arena, struct tk_err *err)
{
    struct tk_job_finding *finding = tk_job_add(&tk_job_finding_shape, findings, arena);
    if (!finding)
        return full(err);
    finding->rule = rule;
    finding->level = tk_str_from(tk_level_name(level));
    finding->saves_s = says->saves_s;
    finding->text = tk_arena_copy(arena, tk_str_from(says->text));
    if (says->advice[0])
        finding->advice = tk_arena_copy(arena, tk_str_from(says->advice));
    bool ok = finding->text.p || !says->text[0];
    for (size_t i = 0; ok && i < says->evidence_count; i++) {
        ok = tk_job_add_measure(&finding->evidence, tk_str_from(says->evidence[i].name),
                                says->evidence[i].value, arena);
    }
    return ok ? 0 : full(err);
}

/* The rule's own advice, else that for the process with the most CPU time. */
static void advise(const struct tk_rule *rule, const struct tk_facts *facts, struct tk_says *says)
{
    if (says->advice[0])
        return;
    const struct tk_job_process *top = facts->step ? tk_top_cpu(facts->step) : NULL;
    tk_str advice = top ? tk_advice_find(facts->options->user, top->comm) : (tk_str){0};
    if (advice.p && rule->advice) {
        tk_says_advice(says, "%.*s: %.*s; or %s", TK_STR_ARG(top->comm), TK_STR_ARG(advice),
                       rule->advice);
    } else if (rule->advice) {
        tk_says_advice(says, "%s", rule->advice);
    }
}

static const struct tk_rule *rule_find(tk_str name)
{
    static const struct tk_rule *const tables[] = {tk_step_rules, tk_job_rules};
    for (size_t i = 0; i < TK_COUNTOF(tables); i++) {
        for (const struct tk_rule *rule = tables[i]; rule->name; rule++) {
            if (tk_str_eq(name, tk_str_from(rule->name)))
                return rule;
        }
    }
    return NULL;
}

/* Something among the findings tells why it took as long. */
static bool is_explained(const struct tk_job_findings *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        const struct tk_rule *rule = rule_find(findings->items[i].rule);
        if (rule && !rule->mark && tk_level_find(findings->items[i].level) > TK_LEVEL_INFO)
            return true;
    }
    return false;
}

static bool applies(const struct tk_rule *rule, const struct tk_facts *facts,
                    const struct tk_job_findings *so_far)
{
    return (rule->any_duration || facts->d >= MIN_DURATION_S) &&
           (!rule->needs_ops || facts->ops >= MIN_OPS) && !(rule->alone && is_explained(so_far));
}

static int judge(const struct tk_rule *rules, const struct tk_facts *facts,
                 struct tk_job_findings *findings, struct tk_arena *arena, struct tk_err *err)
{
    for (const struct tk_rule *rule = rules; rule->name; rule++) {
        if (!applies(rule, facts, findings))
            continue;
        struct tk_says says = {.saves_s = (double)NAN};
        enum tk_level level = rule->judge(facts, &says);
        if (level == TK_LEVEL_NONE)
            continue;
        advise(rule, facts, &says);
        size_t n = strlen(says.text);
        if (facts->step && !facts->attributed)
            (void)snprintf(says.text + n, sizeof(says.text) - n, " (machine's figures)");
        int rc = finding_add(findings, tk_str_from(rule->name), level, &says, arena, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* Rules of the user ------------------------------------------------------------------ */

static bool user_rule_fires(const struct tk_user_rule *rule, double value)
{
    if (rule->or_equal && value == rule->limit)
        return true;
    return rule->below ? value < rule->limit : value > rule->limit;
}

static int judge_user(const struct tk_user_rules *user, bool of_job, const void *object,
                      struct tk_job_findings *findings, struct tk_arena *arena)
{
    const struct tk_job_shape *shape = of_job ? &tk_job_shape : &tk_job_step_shape;
    for (size_t i = 0; user && i < user->rule_count; i++) {
        const struct tk_user_rule *rule = &user->rules[i];
        if (rule->of_job != of_job)
            continue;
        double value = tk_job_number(shape, object, rule->path);
        if (rule->divisor.n)
            value /= tk_job_number(shape, object, rule->divisor);
        if (!user_rule_fires(rule, value))
            continue;
        struct tk_job_finding *finding = tk_job_add(&tk_job_finding_shape, findings, arena);
        if (!finding || !tk_job_add_measure(&finding->evidence, rule->path, value, arena))
            return -EMSGSIZE;
        finding->rule = rule->name;
        finding->level = tk_str_from(tk_level_name(rule->level));
        finding->text = rule->text;
    }
    return 0;
}

int tk_diagnosis_add(const struct tk_diagnosis_options *options, struct tk_job *job,
                     struct tk_arena *arena, struct tk_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < job->steps.count; i++) {
        struct tk_job_step *step = &job->steps.items[i];
        struct tk_facts facts = {.options = options};
        facts_of_step(job, step, &facts);
        step->diagnosis = (struct tk_job_findings){0};
        rc = judge(tk_step_rules, &facts, &step->diagnosis, arena, err);
        if (rc == 0 && judge_user(options->user, false, step, &step->diagnosis, arena) < 0)
            rc = full(err);
    }
    struct tk_facts facts = {.options = options, .d = job->job_duration_s};
    facts_of_machine(job, &facts);
    job->diagnosis = (struct tk_job_findings){0};
    rc = rc < 0 ? rc : judge(tk_job_rules, &facts, &job->diagnosis, arena, err);
    if (rc == 0 && judge_user(options->user, true, job, &job->diagnosis, arena) < 0)
        rc = full(err);
    return rc;
}

/* Verdicts --------------------------------------------------------------------------- */

/* Order of what a finding says: a mark least, then by level, causes before symptoms, by seconds. */
static bool says_more(const struct tk_job_finding *a, const struct tk_job_finding *b)
{
    const struct tk_rule *rule_a = rule_find(a->rule);
    const struct tk_rule *rule_b = rule_find(b->rule);
    bool mark_a = rule_a && rule_a->mark;
    bool mark_b = rule_b && rule_b->mark;
    if (mark_a != mark_b)
        return mark_b;
    enum tk_level level_a = tk_level_find(a->level);
    enum tk_level level_b = tk_level_find(b->level);
    if (level_a != level_b)
        return level_a > level_b;
    bool cause_a = rule_a && rule_a->cause;
    bool cause_b = rule_b && rule_b->cause;
    if (cause_a != cause_b)
        return cause_a;
    return tk_known(a->saves_s, -1) > tk_known(b->saves_s, -1);
}

const struct tk_job_finding *tk_diagnosis_verdict(const struct tk_job_findings *findings)
{
    const struct tk_job_finding *best = NULL;
    for (size_t i = 0; i < findings->count; i++) {
        if (!best || says_more(&findings->items[i], best))
            best = &findings->items[i];
    }
    return best;
}

tk_str tk_diagnosis_label(const struct tk_job_finding *finding)
{
    const struct tk_rule *rule = rule_find(finding->rule);
    return rule ? tk_str_from(rule->label) : finding->rule;
}

static void reason_add(struct tk_reason reasons[TK_REASONS_MAX], size_t *count,
                       struct tk_reason reason)
{
    const struct tk_rule *rule = reason.finding ? rule_find(reason.finding->rule) : NULL;
    if (!reason.finding || (rule && rule->mark) ||
        tk_level_find(reason.finding->level) < TK_LEVEL_WARN)
        return;
    size_t at = *count;
    while (at > 0 && says_more(reason.finding, reasons[at - 1].finding))
        at--;
    if (at == TK_REASONS_MAX)
        return;
    size_t kept = *count < TK_REASONS_MAX ? *count : TK_REASONS_MAX - 1;
    memmove(&reasons[at + 1], &reasons[at], (kept - at) * sizeof(*reasons));
    reasons[at] = reason;
    *count = kept + 1;
}

size_t tk_diagnosis_reasons(const struct tk_job *job, struct tk_reason ret_reasons[TK_REASONS_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < job->steps.count; i++) {
        const struct tk_job_step *step = &job->steps.items[i];
        reason_add(ret_reasons, &count,
                   (struct tk_reason){step, tk_diagnosis_verdict(&step->diagnosis)});
    }
    reason_add(ret_reasons, &count,
               (struct tk_reason){NULL, tk_diagnosis_verdict(&job->diagnosis)});
    return count;
}
