/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/traceql.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/number.h"

enum field_kind { FIELD_NAME, FIELD_SERVICE, FIELD_STATUS, FIELD_KIND, FIELD_DURATION, FIELD_ATTR };

struct parser {
    tk_str text; /* all */
    tk_str rest;
    struct tk_arena *scratch;
    struct tk_api_search *search;
    struct tk_err *err;
};

struct value {
    tk_str text;
    bool is_quoted;
};

static void skip_blanks(struct parser *parser)
{
    while (parser->rest.n > 0 && strchr(" \t\r\n", parser->rest.p[0])) {
        parser->rest.p++;
        parser->rest.n--;
    }
}

static int refuse(const struct parser *parser, const char *what)
{
    return tk_fail(parser->err, -EINVAL, "TraceQL, byte %zu: %s", parser->text.n - parser->rest.n,
                   what);
}

static bool take(struct parser *parser, tk_str token)
{
    skip_blanks(parser);
    return tk_str_take_prefix(&parser->rest, token);
}

/* A text in double quotes, with the escapes of JSON, or in backquotes. */
static int read_quoted(struct parser *parser, tk_str *ret)
{
    if (tk_str_take_prefix(&parser->rest, TK_STR("`"))) {
        size_t end = tk_str_find(parser->rest, '`');
        if (end == parser->rest.n)
            return refuse(parser, "the text does not end");
        *ret = (tk_str){parser->rest.p, end};
        parser->rest = (tk_str){parser->rest.p + end + 1, parser->rest.n - end - 1};
        return 0;
    }
    struct tk_err why;
    struct tk_json json;
    tk_json_init(&json, parser->rest);
    if (tk_json_read_str(&json, parser->scratch, ret, &why) < 0)
        return refuse(parser, "expected a text in double quotes");
    size_t used = tk_json_offset(&json);
    parser->rest = (tk_str){parser->rest.p + used, parser->rest.n - used};
    return 0;
}

/* A run of bytes that is no operator. */
static tk_str take_word(struct parser *parser)
{
    size_t n = 0;
    while (n < parser->rest.n && !strchr(" \t\r\n=!<>&|(){}\"`,", parser->rest.p[n]))
        n++;
    tk_str word = {parser->rest.p, n};
    parser->rest = (tk_str){parser->rest.p + n, parser->rest.n - n};
    return word;
}

/* Fields ------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    enum field_kind kind;
} intrinsics[] = {
    {"name", FIELD_NAME},         {"span:name", FIELD_NAME},
    {"status", FIELD_STATUS},     {"span:status", FIELD_STATUS},
    {"kind", FIELD_KIND},         {"span:kind", FIELD_KIND},
    {"duration", FIELD_DURATION}, {"span:duration", FIELD_DURATION},
};

static int read_key(struct parser *parser, tk_str *ret_key)
{
    if (parser->rest.n > 0 && parser->rest.p[0] == '"')
        return read_quoted(parser, ret_key);
    *ret_key = take_word(parser);
    return ret_key->n > 0 ? 0 : refuse(parser, "expected the name of an attribute");
}

static int read_field(struct parser *parser, enum field_kind *ret_kind, tk_str *ret_key)
{
    static const char *const scopes[] = {"resource.", "span.", "."};
    skip_blanks(parser);
    for (size_t i = 0; i < TK_COUNTOF(scopes); i++) {
        if (!tk_str_take_prefix(&parser->rest, tk_str_from(scopes[i])))
            continue;
        int rc = read_key(parser, ret_key);
        bool is_service = rc == 0 && i != 1 && tk_str_eq(*ret_key, TK_STR("service.name"));
        *ret_kind = is_service ? FIELD_SERVICE : FIELD_ATTR;
        return rc;
    }
    struct parser before = *parser;
    tk_str word = take_word(parser);
    for (size_t i = 0; i < TK_COUNTOF(intrinsics); i++) {
        if (tk_str_eq(word, tk_str_from(intrinsics[i].name))) {
            *ret_kind = intrinsics[i].kind;
            return 0;
        }
    }
    return refuse(&before, "expected name, status, kind, duration, resource.KEY, span.KEY or .KEY");
}

static int read_operator(struct parser *parser, enum tk_attr_test *ret_test)
{
    static const struct {
        const char *text;
        int test;
    } tests[] = {
        {"!=", TK_ATTR_NOT_EQUAL},
        {">=", TK_ATTR_AT_LEAST},
        {"<=", TK_ATTR_AT_MOST},
        {"=~", -1},
        {"!~", -1},
        {"=", TK_ATTR_EQUAL},
        {">", TK_ATTR_ABOVE},
        {"<", TK_ATTR_BELOW},
    };
    skip_blanks(parser);
    for (size_t i = 0; i < TK_COUNTOF(tests); i++) {
        if (!tk_str_starts_with(parser->rest, tk_str_from(tests[i].text)))
            continue;
        if (tests[i].test < 0)
            return refuse(parser, "patterns (=~, !~) are not supported");
        (void)tk_str_take_prefix(&parser->rest, tk_str_from(tests[i].text));
        *ret_test = (enum tk_attr_test)tests[i].test;
        return 0;
    }
    return refuse(parser, "expected =, !=, >, >=, < or <=");
}

/* Conditions -------------------------------------------------------------------------- */

/* name and service: only by what they are. */
static int add_text(struct parser *parser, tk_str *to, enum tk_attr_test test,
                    const struct value *value)
{
    if (test != TK_ATTR_EQUAL || !value->is_quoted)
        return refuse(parser, "here only = \"TEXT\" is supported");
    if (to->p && !tk_str_eq(*to, value->text))
        parser->search->query.kinds = 1U << 31; /* two names at once: no span has that */
    *to = value->text.p ? value->text : TK_STR("");
    return 0;
}

static int add_bits(struct parser *parser, uint32_t *to, enum tk_attr_test test,
                    const struct value *value, const char *const *names)
{
    if (test != TK_ATTR_EQUAL && test != TK_ATTR_NOT_EQUAL)
        return refuse(parser, "here only = and != are supported");
    uint32_t all = 0;
    uint32_t bit = 0;
    for (uint32_t i = 0; names[i]; i++) {
        all |= 1U << i;
        if (tk_str_eq(value->text, tk_str_from(names[i])))
            bit = 1U << i;
    }
    if (bit == 0)
        return refuse(parser, "the value before is not one of this field");
    uint32_t bits = test == TK_ATTR_EQUAL ? bit : all & ~bit;
    *to = *to ? *to & bits : bits;
    *to = *to ? *to : 1U << 31; /* nothing is left */
    return 0;
}

static int add_duration(struct parser *parser, enum tk_attr_test test, const struct value *value)
{
    int64_t ns;
    struct tk_span_query *query = &parser->search->query;
    if (!tk_go_duration_parse(value->text, &ns))
        return refuse(parser, "the value before is no duration as 100ms");
    bool has_low = test == TK_ATTR_ABOVE || test == TK_ATTR_AT_LEAST || test == TK_ATTR_EQUAL;
    bool has_high = test == TK_ATTR_BELOW || test == TK_ATTR_AT_MOST || test == TK_ATTR_EQUAL;
    if (!has_low && !has_high)
        return refuse(parser, "here != is not supported");
    int64_t low_ns = test == TK_ATTR_ABOVE ? ns + 1 : ns;
    int64_t high_ns = test == TK_ATTR_BELOW ? ns - 1 : ns;
    if (has_low && low_ns > query->min_duration_ns)
        query->min_duration_ns = low_ns;
    if (has_high && high_ns <= 0)
        return refuse(parser, "the duration before is too short");
    if (has_high && (query->max_duration_ns == 0 || high_ns < query->max_duration_ns))
        query->max_duration_ns = high_ns;
    return 0;
}

static int add_attr(struct parser *parser, tk_str key, enum tk_attr_test test,
                    const struct value *value)
{
    double number;
    struct tk_attr_condition condition = {key, test, value->text};
    bool is_nil = !value->is_quoted && tk_str_eq(value->text, TK_STR("nil"));
    if (is_nil && test != TK_ATTR_NOT_EQUAL)
        return refuse(parser, "of nil only != is supported");
    if (is_nil) {
        condition.test = TK_ATTR_EXISTS;
    } else if (test != TK_ATTR_EQUAL && test != TK_ATTR_NOT_EQUAL &&
               !tk_parse_f64(value->text, &number)) {
        return refuse(parser, "the value before is no number");
    }
    return tk_api_search_add(parser->search, &condition, parser->err);
}

static int read_value(struct parser *parser, struct value *ret)
{
    skip_blanks(parser);
    ret->is_quoted = parser->rest.n > 0 && strchr("\"`", parser->rest.p[0]);
    if (ret->is_quoted)
        return read_quoted(parser, &ret->text);
    ret->text = take_word(parser);
    return ret->text.n > 0 ? 0 : refuse(parser, "expected a value");
}

static int read_condition(struct parser *parser)
{
    static const char *const statuses[] = {"unset", "ok", "error", NULL};
    static const char *const kinds[] = {"unspecified", "internal", "server", "client",
                                        "producer",    "consumer", NULL};
    tk_str key = {NULL, 0};
    struct value value = {0};
    enum field_kind field = FIELD_ATTR;
    enum tk_attr_test test = TK_ATTR_EXISTS;
    struct tk_span_query *query = &parser->search->query;
    int rc = read_field(parser, &field, &key);
    rc = rc < 0 ? rc : read_operator(parser, &test);
    rc = rc < 0 ? rc : read_value(parser, &value);
    if (rc < 0)
        return rc;
    switch (field) {
    case FIELD_NAME:
        return add_text(parser, &query->name, test, &value);
    case FIELD_SERVICE:
        return add_text(parser, &query->service, test, &value);
    case FIELD_STATUS:
        return add_bits(parser, &query->statuses, test, &value, statuses);
    case FIELD_KIND:
        return add_bits(parser, &query->kinds, test, &value, kinds);
    case FIELD_DURATION:
        return add_duration(parser, test, &value);
    case FIELD_ATTR:
        break;
    }
    return add_attr(parser, key, test, &value);
}

int tk_traceql_parse(tk_str text, struct tk_arena *scratch, struct tk_api_search *search,
                     struct tk_err *err)
{
    struct parser parser = {text, text, scratch, search, err};
    int rc = take(&parser, TK_STR("{")) ? 0 : refuse(&parser, "expected '{'");
    if (rc == 0 && !take(&parser, TK_STR("}"))) {
        do {
            rc = read_condition(&parser);
        } while (rc == 0 && take(&parser, TK_STR("&&")));
        if (rc == 0 && !take(&parser, TK_STR("}")))
            rc = refuse(&parser, "expected && or '}'; || and parentheses are not supported");
    }
    skip_blanks(&parser);
    if (rc == 0 && parser.rest.n > 0)
        rc = refuse(&parser, "only one set of spans is supported, without a pipeline");
    return rc;
}
