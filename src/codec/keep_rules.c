/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/keep_rules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/opt.h"
#include "codec/keep_weights.h"
#include "span/span_text.h"

/* Between reading a rule and marking traces. */
struct matching {
    const struct tk_keep_rule *rule;
    const struct tk_forest *forest;
    const struct tk_span_batch *batch;
    int64_t *lengths;  /* [traces] ticks; owned */
    int64_t *sorted;   /* [traces] the same, the longest first; owned */
    int64_t threshold; /* ticks: shorter ones do not match */
    uint32_t key;      /* text of the batch */
};

struct tk_keep_rule_kind {
    const char *name;
    const char *arg; /* what follows "="; NULL = nothing */
    bool (*parse)(const char *text, struct tk_keep_rule *rule);
    void (*begin)(struct matching *matching); /* NULL = nothing to do */
    bool (*matches)(const struct matching *matching, uint32_t trace);
};

/* Errors --------------------------------------------------------------------------------------- */

static bool matches_error(const struct matching *matching, uint32_t trace)
{
    return tk_keep_has_error(matching->forest, trace);
}

/* Lengths -------------------------------------------------------------------------------------- */

static bool parse_slower(const char *text, struct tk_keep_rule *rule)
{
    return tk_duration_parse(text, &rule->limit_ns) && rule->limit_ns >= 0;
}

static void begin_slower(struct matching *matching)
{
    matching->threshold = matching->rule->limit_ns / matching->forest->tick_ns + 1;
}

static bool parse_slowest(const char *text, struct tk_keep_rule *rule)
{
    tk_str rest = tk_str_from(text);
    if (!tk_scan_f64(&rest, &rule->share) || !(rule->share > 0) || rule->share > 100)
        return false;
    (void)tk_str_take_prefix(&rest, TK_STR("%"));
    rule->share /= 100;
    return rest.n == 0;
}

/* The length of the last of so many, rounded up; all that are as long match as well. */
static void begin_slowest(struct matching *matching)
{
    size_t n = matching->forest->trace_count;
    size_t places = (size_t)(matching->rule->share * (double)n + 0.999999);
    matching->threshold = n == 0 ? 0 : matching->sorted[places < n ? places - 1 : n - 1];
}

static bool matches_length(const struct matching *matching, uint32_t trace)
{
    return matching->lengths[trace] >= matching->threshold;
}

/* Attributes ----------------------------------------------------------------------------------- */

static bool parse_has(const char *text, struct tk_keep_rule *rule)
{
    tk_str rest = tk_str_from(text);
    size_t colon = tk_str_find(rest, ':');
    rule->key = (tk_str){rest.p, colon};
    rule->value = (tk_str){NULL, 0};
    if (colon < rest.n)
        rule->value = (tk_str){rest.p + colon + 1, rest.n - colon - 1};
    return rule->key.n > 0;
}

static void begin_has(struct matching *matching)
{
    matching->key = tk_texts_find(&matching->batch->texts, matching->rule->key);
}

static bool is_value(const struct tk_span_batch *batch, const struct tk_attr *attr, tk_str value)
{
    int64_t integer;
    double number;
    if (tk_attr_is_text(attr->type))
        return tk_str_eq(tk_texts_get(&batch->texts, attr->text), value);
    if (attr->type == TK_ATTR_BOOL)
        return tk_str_eq(value, attr->i64 ? TK_STR("true") : TK_STR("false"));
    if (attr->type == TK_ATTR_INT)
        return tk_scan_i64(&value, &integer) && value.n == 0 && integer == attr->i64;
    return attr->type == TK_ATTR_DOUBLE && tk_scan_f64(&value, &number) && value.n == 0 &&
           !(number < attr->f64) && !(number > attr->f64);
}

static bool any_matches(const struct matching *matching, const struct tk_attr *attrs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (attrs[i].key == matching->key &&
            (!matching->rule->value.p ||
             is_value(matching->batch, &attrs[i], matching->rule->value)))
            return true;
    }
    return false;
}

static bool matches_attribute(const struct matching *matching, uint32_t trace)
{
    const struct tk_span_batch *batch = matching->batch;
    const struct tk_forest *forest = matching->forest;
    bool found = false;
    for (uint32_t i = tk_forest_begin(forest, trace); !found && i < forest->trace_ends[trace];
         i++) {
        size_t n;
        const struct tk_attr *attrs = tk_span_attrs(batch, forest->rows[i], &n);
        const struct tk_attr_range *of_resource =
            &tk_span_resource_of(batch, forest->rows[i])->attrs;
        found = any_matches(matching, attrs, n) ||
                any_matches(matching, batch->side_attrs + of_resource->begin, of_resource->n);
    }
    return found;
}

/* Ids ------------------------------------------------------------------------------------------ */

static bool parse_trace(const char *text, struct tk_keep_rule *rule)
{
    return tk_trace_id_parse(tk_str_from(text), rule->trace_id);
}

static bool matches_trace(const struct matching *matching, uint32_t trace)
{
    const struct tk_forest *forest = matching->forest;
    uint32_t first = tk_forest_begin(forest, trace);
    return first < forest->trace_ends[trace] &&
           memcmp(matching->batch->trace_ids[forest->rows[first]], matching->rule->trace_id,
                  sizeof(matching->rule->trace_id)) == 0;
}

/* All kinds ------------------------------------------------------------------------------------ */

static const struct tk_keep_rule_kind kinds[] = {
    {"errors", NULL, NULL, NULL, matches_error},
    {"slower", "TIME", parse_slower, begin_slower, matches_length},
    {"slowest", "PERCENT", parse_slowest, begin_slowest, matches_length},
    {"has", "KEY[:VALUE]", parse_has, begin_has, matches_attribute},
    {"trace", "ID", parse_trace, NULL, matches_trace},
};

static int refuse(const char *text, struct tk_err *err)
{
    char list[200];
    size_t n = 0;
    for (size_t i = 0; i < TK_COUNTOF(kinds); i++) {
        n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s%s%s", i > 0 ? ", " : "",
                              kinds[i].name, kinds[i].arg ? "=" : "",
                              kinds[i].arg ? kinds[i].arg : "");
    }
    return tk_fail(err, -EINVAL, "'%s' is no rule: expected %s", text, list);
}

int tk_keep_rule_parse(const char *text, struct tk_keep_rule *ret_rule, struct tk_err *err)
{
    const char *equals = strchr(text, '=');
    const tk_str name = {text, equals ? (size_t)(equals - text) : strlen(text)};
    for (size_t i = 0; i < TK_COUNTOF(kinds); i++) {
        if (!tk_str_eq(name, tk_str_from(kinds[i].name)))
            continue;
        struct tk_keep_rule rule = {.kind = &kinds[i]};
        if ((equals != NULL) != (kinds[i].arg != NULL) ||
            (kinds[i].parse && !kinds[i].parse(equals + 1, &rule)))
            break;
        *ret_rule = rule;
        return 0;
    }
    return refuse(text, err);
}

static int longest_first(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return x > y ? -1 : x < y;
}

static void measure(struct matching *matching)
{
    uint32_t n = matching->forest->trace_count;
    for (uint32_t trace = 0; trace < n; trace++)
        matching->lengths[trace] = tk_keep_length(matching->forest, trace);
    memcpy(matching->sorted, matching->lengths, n * sizeof(*matching->sorted));
    qsort(matching->sorted, n, sizeof(*matching->sorted), longest_first);
}

int tk_keep_rules_match(const struct tk_keep_rule *rules, size_t count,
                        const struct tk_forest *forest, const struct tk_span_batch *batch,
                        bool *ret_wanted, struct tk_err *err)
{
    if (count == 0)
        return 0;
    int64_t *room = calloc((size_t)forest->trace_count * 2 + 1, sizeof(*room));
    if (!room)
        return tk_fail(err, -ENOMEM, "rules of exact traces: out of memory");
    struct matching matching = {
        .forest = forest, .batch = batch, .lengths = room, .sorted = room + forest->trace_count};
    measure(&matching);
    for (size_t i = 0; i < count; i++) {
        matching.rule = &rules[i];
        if (rules[i].kind->begin)
            rules[i].kind->begin(&matching);
        for (uint32_t trace = 0; trace < forest->trace_count; trace++)
            ret_wanted[trace] = ret_wanted[trace] || rules[i].kind->matches(&matching, trace);
    }
    free(room);
    return 0;
}
