/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "base/number.h"
#include "step/diagnosis.h"

static const char *const level_names[] = {"", "info", "warn", "critical"};

const char *tk_level_name(enum tk_level level)
{
    return level_names[level];
}

enum tk_level tk_level_find(tk_str name)
{
    for (size_t i = TK_LEVEL_INFO; i < TK_COUNTOF(level_names); i++) {
        if (tk_str_eq(name, tk_str_from(level_names[i])))
            return (enum tk_level)i;
    }
    return TK_LEVEL_NONE;
}

/* A number may stand here: a field, or any name in an object of numbers. */
static bool is_number(const struct tk_job_shape *shape, tk_str path)
{
    tk_str name = path;
    if (tk_str_take_prefix(&name, TK_STR("measures.")))
        return shape == &tk_job_step_shape && name.n > 0;
    const struct tk_job_field *field = tk_job_field_find(shape, path);
    return field &&
           (field->type == TK_JOB_F64 || field->type == TK_JOB_INT || field->type == TK_JOB_TRUTH);
}

static bool paths_ok(const struct tk_user_rule *rule, const struct tk_job_shape *shape)
{
    return is_number(shape, rule->path) &&
           (rule->divisor.n == 0 || is_number(shape, rule->divisor));
}

/* "PATH > 3", "PATH / PATH <= 3" */
static int parse_condition(tk_str text, struct tk_user_rule *rule, struct tk_err *err)
{
    size_t at = tk_str_find(text, '>');
    rule->below = at == text.n;
    if (rule->below)
        at = tk_str_find(text, '<');
    if (at == text.n)
        return tk_fail(err, -EBADMSG, "a condition has > or <: \"%.*s\"", TK_STR_ARG(text));
    tk_str left = {text.p, at};
    tk_str right = {text.p + at + 1, text.n - at - 1};
    rule->or_equal = tk_str_take_prefix(&right, TK_STR("="));
    right = tk_str_trim(right);
    if (!tk_parse_f64(right, &rule->limit))
        return tk_fail(err, -EBADMSG, "\"%.*s\" is no number", TK_STR_ARG(right));
    tk_str path = {0};
    (void)tk_str_take_until(&left, '/', &path);
    rule->path = tk_str_trim(path);
    rule->divisor = tk_str_trim(left);
    rule->of_job = !paths_ok(rule, &tk_job_step_shape);
    if (rule->of_job && !paths_ok(rule, &tk_job_shape)) {
        return tk_fail(err, -EBADMSG, "neither a step nor a job has the numbers of \"%.*s\"",
                       TK_STR_ARG(text));
    }
    return 0;
}

/* `name: expr > number : level : text` */
static int parse_rule(tk_str line, struct tk_user_rule *rule, struct tk_err *err)
{
    tk_str name = {0};
    tk_str condition = {0};
    tk_str level = {0};
    bool whole = tk_str_take_until(&line, ':', &name) &&
                 tk_str_take_until(&line, ':', &condition) && tk_str_take_until(&line, ':', &level);
    *rule = (struct tk_user_rule){.name = tk_str_trim(name), .text = tk_str_trim(line)};
    rule->level = tk_level_find(tk_str_trim(level));
    if (!whole || rule->name.n == 0 || rule->text.n == 0)
        return tk_fail(err, -EBADMSG, "expected NAME: EXPR > NUMBER : LEVEL : TEXT");
    if (rule->level == TK_LEVEL_NONE) {
        return tk_fail(err, -EBADMSG, "\"%.*s\" is no level: info, warn, critical",
                       TK_STR_ARG(tk_str_trim(level)));
    }
    return parse_condition(condition, rule, err);
}

static int parse_advice(tk_str line, struct tk_user_advice *advice, struct tk_err *err)
{
    tk_str process = {0};
    (void)tk_str_take_until(&line, ':', &process);
    *advice = (struct tk_user_advice){tk_str_trim(process), tk_str_trim(line)};
    if (advice->process.n == 0 || advice->advice.n == 0)
        return tk_fail(err, -EBADMSG, "expected process NAME: ADVICE");
    return 0;
}

static int parse_line(tk_str line, struct tk_user_rules *rules, struct tk_err *err)
{
    if (line.n == 0 || line.p[0] == '#')
        return 0;
    if (rules->rule_count == TK_USER_RULES_MAX || rules->advice_count == TK_USER_RULES_MAX)
        return tk_fail(err, -EMSGSIZE, "more than %d rules", TK_USER_RULES_MAX);
    if (tk_str_take_prefix(&line, TK_STR("process ")))
        return parse_advice(line, &rules->advice[rules->advice_count++], err);
    return parse_rule(line, &rules->rules[rules->rule_count++], err);
}

int tk_user_rules_parse(tk_str text, struct tk_user_rules *ret_rules, struct tk_err *err)
{
    ret_rules->rule_count = 0;
    ret_rules->advice_count = 0;
    tk_str line;
    for (size_t number = 1; tk_str_take_line(&text, &line); number++) {
        int rc = parse_line(tk_str_trim(line), ret_rules, err);
        if (rc < 0)
            return tk_err_prefix(err, "line %zu", number);
    }
    return 0;
}
