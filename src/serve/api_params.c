/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters of the query APIs. */
#include <errno.h>
#include <string.h>

#include "base/base64.h"
#include "base/checked.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/number.h"
#include "serve/api.h"
#include "span/span_text.h"
#include "span/when.h"

bool tk_api_param(const struct tk_request *request, const char *name, const char *alias,
                  tk_str *ret_value)
{
    for (int i = 0; i < 2; i++) {
        const char *wanted = i == 0 ? name : alias;
        for (size_t p = 0; wanted && p < request->param_count; p++) {
            const struct tk_param *param = &request->params[p];
            if (param->value.n == 0 || !tk_str_eq(param->name, tk_str_from(wanted)))
                continue;
            *ret_value = param->value;
            return true;
        }
    }
    return false;
}

static int refuse(const char *name, tk_str value, const char *what, struct tk_err *err)
{
    return tk_fail(err, -EINVAL, "unable to parse param '%s': '%.*s' is not %s", name,
                   TK_STR_ARG(value), what);
}

int tk_api_param_i64(const struct tk_request *request, const char *name, int64_t *ret,
                     struct tk_err *err)
{
    tk_str value;
    if (!tk_api_param(request, name, NULL, &value) || tk_parse_i64(value, ret))
        return 0;
    return refuse(name, value, "a number", err);
}

int tk_api_param_units(const struct tk_request *request, const char *name, int64_t unit_ns,
                       int64_t *ret_ns, struct tk_err *err)
{
    tk_str value;
    int64_t number;
    if (!tk_api_param(request, name, NULL, &value))
        return 0;
    if (tk_parse_i64(value, &number) && number >= 0 && tk_mul_i64(number, unit_ns, ret_ns))
        return 0;
    return refuse(name, value, "a number in its range", err);
}

int tk_api_param_bool(const struct tk_request *request, const char *name, const char *alias,
                      bool *ret, struct tk_err *err)
{
    static const char *const words[2][6] = {{"0", "f", "F", "false", "FALSE", "False"},
                                            {"1", "t", "T", "true", "TRUE", "True"}};
    tk_str value;
    if (!tk_api_param(request, name, alias, &value))
        return 0;
    for (int truth = 0; truth < 2; truth++) {
        for (size_t i = 0; i < TK_COUNTOF(words[0]); i++) {
            if (!tk_str_eq(value, tk_str_from(words[truth][i])))
                continue;
            *ret = truth;
            return 0;
        }
    }
    return refuse(name, value, "true or false", err);
}

/* The unit at the front of a duration; 0 = none. */
static int64_t take_unit(tk_str *text)
{
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = {
        {"ns", 1},
        {"us", TK_NS_PER_US},
        {"\u00b5s", TK_NS_PER_US}, /* micro sign */
        {"\u03bcs", TK_NS_PER_US}, /* Greek mu */
        {"ms", TK_NS_PER_MS},
        {"s", TK_NS_PER_S},
        {"m", 60 * TK_NS_PER_S},
        {"h", 3600 * TK_NS_PER_S},
    };
    for (size_t i = 0; i < TK_COUNTOF(units); i++) {
        if (tk_str_take_prefix(text, tk_str_from(units[i].name)))
            return units[i].ns;
    }
    return 0;
}

bool tk_go_duration_parse(tk_str text, int64_t *ret_ns)
{
    int64_t sum_ns = 0;
    if (tk_str_eq(text, TK_STR("0"))) {
        *ret_ns = 0;
        return true;
    }
    if (text.n == 0)
        return false;
    while (text.n > 0) {
        int64_t billionths; /* of a unit */
        if (!tk_is_digit(text.p[0]) && text.p[0] != '.')
            return false;
        if (!tk_scan_fixed(&text, 9, &billionths))
            return false;
        int64_t unit_ns = take_unit(&text);
        if (unit_ns == 0)
            return false;
        uint64_t part_ns = tk_mul_div((uint64_t)billionths, (uint64_t)unit_ns, 1000000000);
        if (part_ns > INT64_MAX || !tk_add_i64(sum_ns, (int64_t)part_ns, &sum_ns))
            return false;
    }
    *ret_ns = sum_ns;
    return true;
}

int tk_api_param_duration(const struct tk_request *request, const char *name, const char *alias,
                          int64_t *ret_ns, struct tk_err *err)
{
    tk_str value;
    if (!tk_api_param(request, name, alias, &value) || tk_go_duration_parse(value, ret_ns))
        return 0;
    return refuse(name, value, "a duration as 1.5s or 100ms", err);
}

int tk_api_param_time(const struct tk_request *request, const char *name, const char *alias,
                      int64_t *ret_ns, struct tk_err *err)
{
    tk_str value;
    if (!tk_api_param(request, name, alias, &value) || tk_when_parse(value, false, ret_ns))
        return 0;
    return refuse(name, value, "a time as 2026-11-21T09:02:29.123Z", err);
}

/* Ids --------------------------------------------------------------------------------- */

/* Base64 of 16 bytes. */
static bool parse_base64(tk_str text, uint8_t id[16])
{
    struct tk_buf bytes;
    tk_buf_init(&bytes, 64);
    bool ok = tk_base64_decode(text, &bytes) && bytes.n == 16;
    if (ok)
        memcpy(id, bytes.p, 16);
    tk_buf_release(&bytes);
    return ok;
}

int tk_api_trace_id(tk_str text, uint8_t ret_id[16], struct tk_err *err)
{
    uint8_t id[16];
    if (!tk_trace_id_parse(text, id) && !parse_base64(text, id)) {
        return tk_fail(err, -EINVAL,
                       "'%.*s' is not a trace id: expected up to 32 hexadecimal digits",
                       TK_STR_ARG(text));
    }
    if (tk_trace_id_is_zero(id))
        return tk_fail(err, -EINVAL, "a trace id cannot be zero");
    memcpy(ret_id, id, sizeof(id));
    return 0;
}

void tk_api_put_trace_id(struct tk_buf *out, const uint8_t id[16], bool short_form)
{
    static const uint8_t zero[8];
    char text[TK_TRACE_ID_DIGITS];
    size_t skip = short_form && memcmp(id, zero, sizeof(zero)) == 0 ? sizeof(text) / 2 : 0;
    tk_trace_id_format(id, text);
    tk_buf_put(out, (tk_str){text + skip, sizeof(text) - skip});
}

void tk_api_put_span_id(struct tk_buf *out, uint64_t id)
{
    char text[TK_SPAN_ID_DIGITS];
    tk_span_id_format(id, text);
    tk_buf_put(out, (tk_str){text, sizeof(text)});
}

/* Searches ---------------------------------------------------------------------------- */

/* Tags of Jaeger and Zipkin that stand for columns: the bit that their value means. */
static const struct {
    const char *key;
    const char *value;
    bool is_kind;
    uint32_t bits;
} column_tags[] = {
    {"error", "true", false, 1U << TK_SPAN_ERROR},
    {"error", "false", false, 1U << TK_SPAN_UNSET | 1U << TK_SPAN_OK},
    {"otel.status_code", "ERROR", false, 1U << TK_SPAN_ERROR},
    {"otel.status_code", "OK", false, 1U << TK_SPAN_OK},
    {"span.kind", "internal", true, 1U << TK_SPAN_INTERNAL},
    {"span.kind", "server", true, 1U << TK_SPAN_SERVER},
    {"span.kind", "client", true, 1U << TK_SPAN_CLIENT},
    {"span.kind", "producer", true, 1U << TK_SPAN_PRODUCER},
    {"span.kind", "consumer", true, 1U << TK_SPAN_CONSUMER},
};

/* Bits that no kind and no status has: nothing fits. */
#define NO_BITS 0x80000000U

static void narrow(uint32_t *bits, uint32_t by)
{
    *bits = *bits ? *bits & by : by;
    *bits = *bits ? *bits : NO_BITS;
}

int tk_api_search_add(struct tk_api_search *search, const struct tk_attr_condition *condition,
                      struct tk_err *err)
{
    struct tk_span_query *query = &search->query;
    for (size_t i = 0; condition->test == TK_ATTR_EQUAL && i < TK_COUNTOF(column_tags); i++) {
        if (!tk_str_eq(condition->key, tk_str_from(column_tags[i].key)) ||
            !tk_str_eq(condition->value, tk_str_from(column_tags[i].value)))
            continue;
        narrow(column_tags[i].is_kind ? &query->kinds : &query->statuses, column_tags[i].bits);
        return 0;
    }
    if (query->condition_count == TK_API_CONDITIONS)
        return tk_fail(err, -EINVAL, "more than %d attributes are asked for", TK_API_CONDITIONS);
    search->conditions[query->condition_count++] = *condition;
    query->conditions = search->conditions;
    return 0;
}

int tk_api_search_add_json(struct tk_api_search *search, const char *name, tk_str text,
                           struct tk_arena *scratch, struct tk_err *err)
{
    struct tk_json json;
    struct tk_err why;
    struct tk_attr_condition condition = {.test = TK_ATTR_EQUAL};
    tk_json_init(&json, text);
    int rc = tk_json_enter_object(&json, &why);
    while (rc == 0 && (rc = tk_json_next_key(&json, scratch, &condition.key, &why)) == 0) {
        rc = tk_json_read_str(&json, scratch, &condition.value, &why);
        if (rc == 0 && tk_api_search_add(search, &condition, err) < 0)
            return -EINVAL;
    }
    if (rc == 1)
        rc = tk_json_expect_end(&json, &why);
    if (rc < 0) {
        return tk_fail(err, -EINVAL,
                       "malformed '%s' parameter, expected a JSON object of texts: %s", name,
                       why.msg);
    }
    return 0;
}

int tk_api_search_check(const struct tk_api_search *search, const char *limit, const char *min,
                        const char *max, struct tk_err *err)
{
    const struct tk_span_query *query = &search->query;
    if (search->limit <= 0 || search->limit > TK_API_LIMIT)
        return tk_fail(err, -EINVAL, "invalid parameter: %s must be 1 to %d", limit, TK_API_LIMIT);
    if (query->max_duration_ns > 0 && query->max_duration_ns < query->min_duration_ns)
        return tk_fail(err, -EINVAL, "'%s' should be greater than '%s'", max, min);
    if (query->to_ns > 0 && query->to_ns <= query->from_ns)
        return tk_fail(err, -EINVAL, "invalid parameter: the start must be before the end");
    return 0;
}
