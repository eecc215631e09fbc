/* SPDX-License-Identifier: Apache-2.0 */
#include "fidelity/templates.h"

#include <errno.h>

#include "tk_test.h"

static void queries_are_read_with_what_comments_say(void **state)
{
    (void)state;
    static const char text[] = "-- Of ours.\n"
                               "-- name: rate\n"
                               "--incidents: crush, latency\n"
                               "SELECT 1 AS f, '{\"a\":1}' AS c\n"
                               "FROM {table_name} -- all of it\n"
                               "WHERE serviceName = '{service_name}';\n"
                               "\n"
                               "SELECT {attr_name} AS f, 1 AS c FROM {table_name}";
    struct tk_templates templates;
    struct tk_err err;
    assert_int_equal(tk_templates_init(&templates, tk_str_from(text), &err), 0);
    assert_int_equal(templates.count, 2);
    assert_str_equal(templates.items[0].name, "rate");
    assert_str_equal(templates.items[0].incidents, "crush, latency");
    assert_int_equal(templates.items[0].params, 1U << TK_PARAM_SERVICE);
    assert_true(tk_str_ends_with(templates.items[0].sql, TK_STR("'{service_name}'")));
    assert_str_equal(templates.items[1].name, "query 2");
    assert_str_equal(templates.items[1].sql, "SELECT {attr_name} AS f, 1 AS c FROM {table_name}");
    assert_int_equal(templates.items[1].params, 1U << TK_PARAM_ATTR);
    tk_templates_release(&templates);
}

static void what_is_no_file_of_queries_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "no queries"},
        {"-- name: x\n\n", "no queries"},
        {"SELECT {service} AS f;", "query 1: {service} is no placeholder"},
        {"-- name: mine\nSELECT {x} AS f;", "mine: {x} is no placeholder"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_templates templates;
        struct tk_err err;
        assert_int_equal(tk_templates_init(&templates, tk_str_from(cases[i].text), &err), -EBADMSG);
        assert_string_equal(err.msg, cases[i].message);
        tk_templates_release(&templates);
    }
}

static void placeholders_are_words_in_braces(void **state)
{
    (void)state;
    tk_str rest = TK_STR("a{b}c{ }{}{D}{e_1}f{");
    tk_str before;
    assert_str_equal(tk_template_next(&rest, &before), "b");
    assert_str_equal(before, "a");
    assert_str_equal(tk_template_next(&rest, &before), "e_1");
    assert_str_equal(before, "c{ }{}{D}");
    assert_null(tk_template_next(&rest, &before).p);
    assert_str_equal(before, "f{");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queries_are_read_with_what_comments_say),
        cmocka_unit_test(what_is_no_file_of_queries_is_refused),
        cmocka_unit_test(placeholders_are_words_in_braces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
