/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/traceql.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/number.h"

#define PATTERN_MAX 1024

enum field_kind {
    FIELD_NAME,
    FIELD_SERVICE,
    FIELD_STATUS,
    FIELD_KIND,
    FIELD_DURATION,
    FIELD_PARENT,
    FIELD_ATTR
};

struct value {
    tk_str text;
    bool is_quoted;
};

/* A condition as it stands there. */
struct atom {
    enum field_kind field;
    tk_str key;
    enum tk_attr_test test;
    struct value value;
    const regex_t *pattern;
    tk_str rest; /* of the text, behind it */
};

#define ATOMS_MAX 64 /* bits of a set of them */
#define DEPTH_MAX 16 /* of parentheses */

/* Sets of atoms, in one of which all must hold: what "a && (b || c)" comes to. */
struct terms {
    uint64_t sets[TK_TRACEQL_MAX];
    size_t n;
};

struct parser {
    tk_str text; /* all */
    tk_str rest;
    struct tk_arena *scratch;
    struct tk_traceql *query;
    struct tk_api_search *search; /* the alternative that is made */
    struct atom atoms[ATOMS_MAX];
    size_t atom_count;
    struct tk_err *err;
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
    {"name", FIELD_NAME},
    {"span:name", FIELD_NAME},
    {"status", FIELD_STATUS},
    {"span:status", FIELD_STATUS},
    {"kind", FIELD_KIND},
    {"span:kind", FIELD_KIND},
    {"duration", FIELD_DURATION},
    {"span:duration", FIELD_DURATION},
    {"nestedSetParent", FIELD_PARENT},
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
        enum tk_attr_test test;
    } tests[] = {
        {"!=", TK_ATTR_NOT_EQUAL}, {">=", TK_ATTR_AT_LEAST},    {"<=", TK_ATTR_AT_MOST},
        {"=~", TK_ATTR_MATCHES},   {"!~", TK_ATTR_NOT_MATCHES}, {"=", TK_ATTR_EQUAL},
        {">", TK_ATTR_ABOVE},      {"<", TK_ATTR_BELOW},
    };
    skip_blanks(parser);
    for (size_t i = 0; i < TK_COUNTOF(tests); i++) {
        if (tk_str_take_prefix(&parser->rest, tk_str_from(tests[i].text))) {
            *ret_test = tests[i].test;
            return 0;
        }
    }
    return refuse(parser, "expected =, !=, =~, !~, >, >=, < or <=");
}

/* Patterns ---------------------------------------------------------------------------- */

/* The index of the ']' that ends the set beginning at `i`; the length of the pattern = none, or one
 * with a backslash, which RE2 and POSIX read in two ways. */
static size_t end_of_set(tk_str pattern, size_t i)
{
    i += i + 1 < pattern.n && pattern.p[i + 1] == '^' ? 2 : 1;
    i += i < pattern.n && pattern.p[i] == ']';
    for (; i < pattern.n && pattern.p[i] != ']'; i++) {
        if (pattern.p[i] == '\\' || pattern.p[i] == '\0')
            return pattern.n;
        if (pattern.p[i] == '[' && i + 1 < pattern.n && pattern.p[i + 1] == ':') {
            while (i + 1 < pattern.n && pattern.p[i] != ']')
                i++;
        }
    }
    return i;
}

/* What means the same in RE2, which Tempo has, and in POSIX; without counts and back references,
 * which make a short pattern cost a lot. NULL = it does, else what does not. */
static const char *find_unlike(tk_str pattern)
{
    for (size_t i = 0; i < pattern.n; i++) {
        char c = pattern.p[i];
        char next = '\0';
        if (i + 1 < pattern.n)
            next = pattern.p[i + 1];
        if (c == '\0')
            return "a pattern holds no NUL";
        if (c == '(' && next == '?')
            return "groups (?...) in patterns are not supported";
        if (c == '[' && (i = end_of_set(pattern, i)) == pattern.n)
            return "sets [...] that do not end, or hold a backslash, are not supported";
        if (c == '{')
            return "counts {n} in patterns are not supported";
        if (c != '\\')
            continue;
        if (next == '\0' || (!strchr("wWsSbB", next) && !ispunct((unsigned char)next)))
            return "in patterns of the backslashes only \\w \\W \\s \\S \\b \\B are supported";
        i++;
    }
    return NULL;
}

/* Patterns describe all of a text. */
static int read_pattern(struct parser *parser, const struct value *value, const regex_t **ret)
{
    struct tk_traceql *query = parser->query;
    const char *unlike = find_unlike(value->text);
    if (!value->is_quoted)
        return refuse(parser, "expected a pattern in double quotes");
    if (unlike)
        return refuse(parser, unlike);
    if (query->pattern_count == TK_TRACEQL_MAX || value->text.n > PATTERN_MAX)
        return refuse(parser, "more, or longer, patterns than are supported");
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, PATTERN_MAX + 8);
    tk_buf_lit(&text, "^(");
    tk_buf_put(&text, value->text);
    tk_buf_lit(&text, ")$");
    tk_buf_putc(&text, '\0');
    regex_t *pattern = &query->patterns[query->pattern_count];
    if (!tk_buf_ok(&text) || regcomp(pattern, text.p, REG_EXTENDED | REG_NOSUB) != 0)
        return refuse(parser, "the value before is no pattern");
    query->pattern_count++;
    *ret = pattern;
    return 0;
}

/* Conditions -------------------------------------------------------------------------- */

/* name and service: equality has a column of its own in a query. */
static int add_text(struct parser *parser, const struct atom *atom, tk_str *to,
                    enum tk_condition_field field)
{
    tk_str text = atom->value.text.p ? atom->value.text : TK_STR("");
    if (!atom->value.is_quoted)
        return refuse(parser, "the value before is no text in double quotes");
    if (atom->test == TK_ATTR_EQUAL && !to->p) {
        *to = text;
        return 0;
    }
    const struct tk_attr_condition condition = {
        .test = atom->test, .value = text, .pattern = atom->pattern, .field = field};
    bool is_text = atom->test == TK_ATTR_EQUAL || atom->test == TK_ATTR_NOT_EQUAL || atom->pattern;
    if (!is_text)
        return refuse(parser, "here only =, !=, =~ and !~ are supported");
    return tk_api_search_add(parser->search, &condition, parser->err);
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

/* Grafana's word for spans without a parent. */
static int add_parent(struct parser *parser, const struct atom *atom)
{
    if (atom->test != TK_ATTR_BELOW || !tk_str_eq(atom->value.text, TK_STR("0")))
        return refuse(parser, "here only < 0 is supported");
    parser->search->query.roots = true;
    return 0;
}

static int add_attr(struct parser *parser, const struct atom *atom)
{
    double number;
    struct tk_attr_condition condition = {
        .key = atom->key, .test = atom->test, .value = atom->value.text, .pattern = atom->pattern};
    bool is_nil = !atom->value.is_quoted && tk_str_eq(atom->value.text, TK_STR("nil"));
    bool is_text = atom->test == TK_ATTR_EQUAL || atom->test == TK_ATTR_NOT_EQUAL || atom->pattern;
    if (is_nil && atom->test != TK_ATTR_NOT_EQUAL)
        return refuse(parser, "of nil only != is supported");
    if (is_nil) {
        condition.test = TK_ATTR_EXISTS;
    } else if (!is_text && !tk_parse_f64(atom->value.text, &number)) {
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

static int read_condition(struct parser *parser, struct terms *ret)
{
    if (parser->atom_count == ATOMS_MAX)
        return refuse(parser, "more conditions than are supported");
    struct atom *atom = &parser->atoms[parser->atom_count];
    *atom = (struct atom){.field = FIELD_ATTR};
    int rc = read_field(parser, &atom->field, &atom->key);
    rc = rc < 0 ? rc : read_operator(parser, &atom->test);
    rc = rc < 0 ? rc : read_value(parser, &atom->value);
    if (rc == 0 && (atom->test == TK_ATTR_MATCHES || atom->test == TK_ATTR_NOT_MATCHES))
        rc = read_pattern(parser, &atom->value, &atom->pattern);
    if (rc < 0)
        return rc;
    atom->rest = parser->rest;
    *ret = (struct terms){{UINT64_C(1) << parser->atom_count++}, 1};
    return 0;
}

/* Ask for one condition in the alternative that is made. */
static int add_atom(struct parser *parser, const struct atom *atom)
{
    static const char *const statuses[] = {"unset", "ok", "error", NULL};
    static const char *const kinds[] = {"unspecified", "internal", "server", "client",
                                        "producer",    "consumer", NULL};
    struct tk_span_query *query = &parser->search->query;
    parser->rest = atom->rest; /* for what is wrong with it */
    switch (atom->field) {
    case FIELD_NAME:
        return add_text(parser, atom, &query->name, TK_CONDITION_NAME);
    case FIELD_SERVICE:
        return add_text(parser, atom, &query->service, TK_CONDITION_SERVICE);
    case FIELD_STATUS:
        return add_bits(parser, &query->statuses, atom->test, &atom->value, statuses);
    case FIELD_KIND:
        return add_bits(parser, &query->kinds, atom->test, &atom->value, kinds);
    case FIELD_DURATION:
        return add_duration(parser, atom->test, &atom->value);
    case FIELD_PARENT:
        return add_parent(parser, atom);
    case FIELD_ATTR:
        break;
    }
    return add_attr(parser, atom);
}

/* Expressions ------------------------------------------------------------------------- */

static int read_any(struct parser *parser, int depth, struct terms *ret);

/* "true", a condition, or an expression in parentheses. */
static int read_one(struct parser *parser, int depth, struct terms *ret)
{
    if (take(parser, TK_STR("("))) {
        if (depth == DEPTH_MAX)
            return refuse(parser, "parentheses too deep");
        int rc = read_any(parser, depth + 1, ret);
        return rc < 0 || take(parser, TK_STR(")")) ? rc : refuse(parser, "expected ')'");
    }
    tk_str before = parser->rest;
    if (tk_str_eq(take_word(parser), TK_STR("true"))) {
        *ret = (struct terms){{0}, 1};
        return 0;
    }
    parser->rest = before;
    return read_condition(parser, ret);
}

static int read_all(struct parser *parser, int depth, struct terms *ret)
{
    int rc = read_one(parser, depth, ret);
    while (rc == 0 && take(parser, TK_STR("&&"))) {
        struct terms left = *ret;
        struct terms right;
        rc = read_one(parser, depth, &right);
        if (rc == 0 && left.n * right.n > TK_TRACEQL_MAX)
            rc = refuse(parser, "more alternatives than are supported");
        for (size_t i = 0; rc == 0 && i < left.n * right.n; i++)
            ret->sets[i] = left.sets[i / right.n] | right.sets[i % right.n];
        ret->n = rc == 0 ? left.n * right.n : 0;
    }
    return rc;
}

static int read_any(struct parser *parser, int depth, struct terms *ret)
{
    int rc = read_all(parser, depth, ret);
    while (rc == 0 && take(parser, TK_STR("||"))) {
        struct terms right;
        rc = read_all(parser, depth, &right);
        if (rc == 0 && ret->n + right.n > TK_TRACEQL_MAX)
            rc = refuse(parser, "more alternatives than are supported");
        for (size_t i = 0; rc == 0 && i < right.n; i++)
            ret->sets[ret->n++] = right.sets[i];
    }
    return rc;
}

static int read_text(struct parser *parser, struct terms *ret)
{
    *ret = (struct terms){{0}, 1};
    int rc = take(parser, TK_STR("{")) ? 0 : refuse(parser, "expected '{'");
    if (rc == 0 && !take(parser, TK_STR("}"))) {
        rc = read_any(parser, 0, ret);
        if (rc == 0 && !take(parser, TK_STR("}")))
            rc = refuse(parser, "expected &&, || or '}'");
    }
    skip_blanks(parser);
    if (rc == 0 && parser->rest.n > 0)
        rc = refuse(parser, "only one set of spans is supported, without a pipeline");
    return rc;
}

/* What a set of atoms asks for, on top of what is asked for anyway. */
static int make_alternative(struct parser *parser, const struct tk_api_search *base, uint64_t set)
{
    struct tk_traceql *query = parser->query;
    struct tk_api_search *search = &query->alternatives[query->count];
    *search = *base;
    search->query.conditions = search->conditions;
    if (query->count > 0)
        query->alternatives[query->count - 1].query.otherwise = &search->query;
    query->count++;
    parser->search = search;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < parser->atom_count; i++) {
        if (set >> i & 1)
            rc = add_atom(parser, &parser->atoms[i]);
    }
    return rc;
}

int tk_traceql_parse(tk_str text, const struct tk_api_search *base, struct tk_arena *scratch,
                     struct tk_traceql **ret_query, struct tk_err *err)
{
    struct terms terms;
    struct parser parser = {.text = text, .rest = text, .scratch = scratch, .err = err};
    parser.query = calloc(1, sizeof(*parser.query));
    if (!parser.query)
        return tk_fail(err, -ENOMEM, "TraceQL: out of memory");
    int rc = read_text(&parser, &terms);
    for (size_t i = 0; rc == 0 && i < terms.n; i++)
        rc = make_alternative(&parser, base, terms.sets[i]);
    if (rc < 0) {
        tk_traceql_free(parser.query);
        return rc;
    }
    *ret_query = parser.query;
    return 0;
}

void tk_traceql_free(struct tk_traceql *query)
{
    if (!query)
        return;
    for (size_t i = 0; i < query->pattern_count; i++)
        regfree(&query->patterns[i]);
    free(query);
}
