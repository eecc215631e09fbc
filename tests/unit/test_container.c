/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/container.h"

#include <errno.h>
#include <string.h>

#include "base/compiler.h"
#include "tk_test.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void a_running_container_gives_its_id_node_and_stage(void **state)
{
    (void)state;
    static const char response[] =
        "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n"
        "{\"Id\":\"" ID "\",\"Created\":\"2026\",\"Path\":null,"
        "\"State\":{\"Status\":\"running\",\"Running\":true,\"Pid\":42,\"Health\":{\"Log\":[]}},"
        "\"Config\":{\"Image\":\"svc\",\"Env\":[\"PATH=/bin\",\"NODE_ID=edge7\",\"STAGE=edge\","
        "\"STAGE_TWO=x\"]},\"Mounts\":[{\"Type\":\"bind\"}]}\n";
    struct tk_container container = {0};
    struct tk_err err = {0};
    assert_int_equal(tk_container_parse(tk_str_from(response), &container, &err), 0);
    assert_string_equal(container.id, ID);
    assert_string_equal(container.node, "edge7");
    assert_string_equal(container.stage, "edge");
}

static void other_answers_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *response;
        int code;
        const char *message;
    } cases[] = {
        {"HTTP/1.0 404 Not Found\r\n\r\n{\"message\":\"No such container: svc\"}", -ENOENT,
         "the runtime says 404"},
        {"HTTP/1.1 200 OK\r\n\r\n{\"Id\":\"" ID "\",\"State\":{\"Running\":false}}", -ENOENT,
         "it does not run"},
        {"HTTP/1.1 200 OK\r\n\r\n{\"State\":{\"Running\":true}}", -ENOENT, "it does not run"},
        {"", -EBADMSG, "no HTTP answer"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", -EBADMSG, "HTTP answer without a body"},
        {"HTTP/1.1 200 OK\r\n\r\n{\"Id\":\"" ID "x\"}", -EBADMSG,
         "Id of 65 characters, expected at most 64"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_container container = {0};
        struct tk_err err = {0};
        assert_int_equal(tk_container_parse(tk_str_from(cases[i].response), &container, &err),
                         cases[i].code);
        assert_string_equal(err.msg, cases[i].message);
        assert_string_equal(container.id, "");
    }
}

static void a_name_that_is_a_path_is_not_asked_for(void **state)
{
    (void)state;
    static const char *const names[] = {"", "../x", "a/b", "a b", "a?b", "-x"};
    for (size_t i = 0; i < TK_COUNTOF(names); i++) {
        struct tk_container container;
        struct tk_err err = {0};
        assert_int_equal(tk_container_find(names[i], &container, &err), -ENOENT);
        assert_non_null(strstr(err.msg, "is no name of a container"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_running_container_gives_its_id_node_and_stage),
        cmocka_unit_test(other_answers_are_told_apart),
        cmocka_unit_test(a_name_that_is_a_path_is_not_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
