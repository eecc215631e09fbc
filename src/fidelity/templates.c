/* SPDX-License-Identifier: Apache-2.0 */
#include "fidelity/templates.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_NAME "table_name"

/* Files ---------------------------------------------------------------------------------------- */

static bool is_word(tk_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_')
            return false;
    }
    return text.n > 0;
}

tk_str tk_template_next(tk_str *text, tk_str *ret_before)
{
    for (size_t i = 0; i < text->n; i++) {
        if (text->p[i] != '{')
            continue;
        tk_str rest = {text->p + i + 1, text->n - i - 1};
        tk_str name = {rest.p, tk_str_find(rest, '}')};
        if (name.n == rest.n || !is_word(name))
            continue;
        *ret_before = (tk_str){text->p, i};
        *text = (tk_str){rest.p + name.n + 1, rest.n - name.n - 1};
        return name;
    }
    *ret_before = *text;
    text->n = 0;
    return (tk_str){NULL, 0};
}

enum tk_query_param tk_template_param(tk_str name)
{
    size_t param = 0;
    while (param < TK_PARAM_COUNT && !tk_str_eq(name, tk_str_from(tk_query_param_names[param])))
        param++;
    return (enum tk_query_param)param;
}

static int find_params(struct tk_template *query, struct tk_err *err)
{
    tk_str rest = query->sql;
    tk_str before;
    tk_str name;
    while ((name = tk_template_next(&rest, &before)).p) {
        enum tk_query_param param = tk_template_param(name);
        if (param < TK_PARAM_COUNT) {
            query->params |= 1U << param;
        } else if (!tk_str_eq(name, TK_STR(TABLE_NAME))) {
            return tk_fail(err, -EBADMSG, "%.*s: {%.*s} is no placeholder", TK_STR_ARG(query->name),
                           TK_STR_ARG(name));
        }
    }
    return 0;
}

/* A comment about the query that comes: "-- KEY: VALUE". */
static void read_comment(tk_str line, struct tk_template *query)
{
    (void)tk_str_take_prefix(&line, TK_STR("--"));
    line = tk_str_trim(line);
    if (tk_str_take_prefix(&line, TK_STR("name:"))) {
        query->name = tk_str_trim(line);
    } else if (tk_str_take_prefix(&line, TK_STR("incidents:"))) {
        query->incidents = tk_str_trim(line);
    }
}

static int add_query(struct tk_templates *templates, struct tk_template *query, struct tk_err *err)
{
    struct tk_template *more = realloc(templates->items, (templates->count + 1) * sizeof(*more));
    if (!more)
        return tk_fail(err, -ENOMEM, "templates: out of memory");
    templates->items = more;
    (void)snprintf(query->number, sizeof(query->number), "query %zu", templates->count + 1);
    more[templates->count++] = *query;
    return 0;
}

/* Lines up to one that ends in ; or to the end of the text. */
static int read_queries(struct tk_templates *templates, tk_str text, struct tk_err *err)
{
    struct tk_template query = {.params = 0};
    tk_str line;
    int rc = 0;
    while (rc == 0 && tk_str_take_line(&text, &line)) {
        const char *begin = line.p;
        line = tk_str_trim(line);
        if (!query.sql.p && (line.n == 0 || tk_str_starts_with(line, TK_STR("--")))) {
            read_comment(line, &query);
            continue;
        }
        if (!query.sql.p)
            query.sql.p = begin;
        query.sql.n = (size_t)(line.p + line.n - query.sql.p);
        if (!tk_str_ends_with(line, TK_STR(";")) && text.n > 0)
            continue;
        query.sql.n -= tk_str_ends_with(line, TK_STR(";"));
        rc = add_query(templates, &query, err);
        query = (struct tk_template){.params = 0};
    }
    return rc;
}

int tk_templates_init(struct tk_templates *templates, tk_str text, struct tk_err *err)
{
    *templates = (struct tk_templates){0};
    int rc = read_queries(templates, text, err);
    for (size_t i = 0; i < templates->count && rc == 0; i++) {
        struct tk_template *query = &templates->items[i];
        if (query->name.n == 0)
            query->name = tk_str_from(query->number);
        rc = find_params(query, err);
    }
    if (rc == 0 && templates->count == 0)
        rc = tk_fail(err, -EBADMSG, "no queries");
    return rc;
}

void tk_templates_release(struct tk_templates *templates)
{
    free(templates->items);
    *templates = (struct tk_templates){0};
}
