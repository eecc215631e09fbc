/* SPDX-License-Identifier: Apache-2.0 */
#include "fidelity/faults.h"

#include <errno.h>

#include "tk_test.h"

static void faults_are_read_in_the_order_of_the_file(void **state)
{
    (void)state;
    static const char text[] =
        "{\"04\": [{\"inject_time\": \"2022-08-22 04:02:07\", \"inject_timestamp\": \"1\",\n"
        "  \"inject_pod\": \"frontend-579b9bff58-t2dbm\", \"inject_type\": \"return\"}],\n"
        " \"03\": [], \"05\": [{\"inject_pod\": \"mongo-0\", \"other\": [1, {}],\n"
        "  \"inject_time\": \"1970-01-01T00:01:00.9\"}]}";
    const struct tk_fault expected[] = {
        /* UTC, not inject_timestamp. */
        {.inject_ns = 1661140927LL * 1000000000,
         .pod = TK_STR("frontend-579b9bff58-t2dbm"),
         .service = TK_STR("frontend"),
         .type = TK_STR("return")},
        {.inject_ns = 60LL * 1000000000, .pod = TK_STR("mongo-0"), .service = TK_STR("mongo-0")},
    };
    struct tk_faults faults;
    struct tk_err err;
    assert_int_equal(tk_faults_parse(tk_str_from(text), &faults, &err), 0);
    assert_int_equal(faults.count, TK_COUNTOF(expected));
    for (size_t i = 0; i < TK_COUNTOF(expected); i++) {
        assert_int_equal(faults.items[i].inject_ns, expected[i].inject_ns);
        assert_true(tk_str_eq(faults.items[i].pod, expected[i].pod));
        assert_true(tk_str_eq(faults.items[i].service, expected[i].service));
        assert_true(tk_str_eq(faults.items[i].type, expected[i].type));
    }
    tk_faults_release(&faults);
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "byte 0: expected an object, not the end"},
        {"{\"03\": 1}", "hour \"03\": byte 7: expected an array"},
        {"{\"03\": [{}]}", "hour \"03\", fault 1: inject_time is missing"},
        {"{\"03\": [{\"inject_time\": \"2022-08-22 03:53:54\"}]}",
         "hour \"03\", fault 1: inject_pod is missing"},
        {"{\"03\": [{\"inject_time\": \"yesterday\", \"inject_pod\": \"p\"}]}",
         "hour \"03\", fault 1: inject_time 'yesterday' is no time as 2022-08-22 03:53:54"},
        {"{} x", "byte 3: expected the end"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_faults faults;
        struct tk_err err;
        assert_int_equal(tk_faults_parse(tk_str_from(cases[i].text), &faults, &err), -EBADMSG);
        assert_string_equal(err.msg, cases[i].message);
        tk_faults_release(&faults);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_are_read_in_the_order_of_the_file),
        cmocka_unit_test(what_is_wrong_is_named),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
