/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "run/run.h"
#include "tk_folder.h"

static void an_id_is_letters_digits_and_a_few_signs(void **state)
{
    (void)state;
    static const struct {
        const char *id;
        bool ok;
    } cases[] = {
        {"20261121T090229Z", true},
        {"20250922002(c0)", true},
        {"a", true},
        {"a..b", true},
        {"-x_1.2", true},
        {"", false},
        {".", false},
        {"..", false},
        {"a/b", false},
        {"a b", false},
        {"a\nb", false},
        {"\xc3\xa4", false},
        {"$(x)", false},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++)
        if (tk_run_id_ok(tk_str_from(cases[i].id)) != cases[i].ok)
            fail_msg("'%s'", cases[i].id);
    char long_id[TK_RUN_ID_MAX + 1];
    memset(long_id, 'a', sizeof(long_id));
    assert_true(tk_run_id_ok((tk_str){long_id, TK_RUN_ID_MAX - 1}));
    assert_false(tk_run_id_ok((tk_str){long_id, TK_RUN_ID_MAX}));
    assert_false(tk_run_id_ok((tk_str){"a\0b", 3}));
}

static int compare_ids(const void *a, const void *b)
{
    return tk_run_id_cmp(tk_str_from(*(const char *const *)a),
                         tk_str_from(*(const char *const *)b));
}

static void folders_of_a_run_are_ordered_by_node_number(void **state)
{
    (void)state;
    const char *ids[] = {"R(c10)", "S(c0)",   "R",
                         "R(c2)",  "R(left)", "Q",
                         "R(c0)",  "R(b2)",   "R(99999999999999999999)",
                         "R()"};
    static const char *const sorted[] = {"Q",       "R(c0)", "R(b2)", "R(c2)",
                                         "R(c10)",  "R",     "R()",   "R(99999999999999999999)",
                                         "R(left)", "S(c0)"};
    qsort(ids, TK_COUNTOF(ids), sizeof(ids[0]), compare_ids);
    for (size_t i = 0; i < TK_COUNTOF(ids); i++)
        assert_string_equal(ids[i], sorted[i]);
}

static void an_environment_file_is_read_as_a_shell_would(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *value; /* NULL = not assigned */
    } cases[] = {
        {"RUN_ID=a", "a"},
        {"# RUN_ID=x\n\n  RUN_ID=b # why\n", "b"},
        {"export RUN_ID='c d'\r\n", "c d"},
        {"RUN_ID=\"q\"\nNODE_ID=z", "q"},
        {"RUN_ID=1\nRUN_ID=2\n", "2"},
        {"RUN_ID=", ""},
        {"RUN_ID=\"open", "open"},
        {"RUN_IDS=x\nMY_RUN_ID=y\nRUN_ID =z\n", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        tk_str value = TK_STR("untouched");
        bool found = tk_run_env_find(tk_str_from(cases[i].text), TK_STR("RUN_ID"), &value);
        assert_int_equal(found, cases[i].value != NULL);
        assert_str_equal(value, cases[i].value ? cases[i].value : "untouched");
    }
}

/* Each test below runs in a working folder of its own. */
static char folder[PATH_MAX];
static char before[PATH_MAX];

static int enter_folder(void **state)
{
    (void)state;
    unsetenv("RUN_ID");
    unsetenv("NODE_ID");
    unsetenv("LD_PRELOAD");
    folder_make(folder);
    return getcwd(before, sizeof(before)) && chdir(folder) == 0 ? 0 : -1;
}

static int leave_folder(void **state)
{
    (void)state;
    unsetenv("RUN_ID");
    unsetenv("TK_CLOCK");
    folder_remove(folder);
    return chdir(before);
}

static void the_id_comes_from_the_nearest_source(void **state)
{
    (void)state;
    char id[TK_RUN_ID_MAX];
    struct tk_err err;
    setenv("TK_CLOCK", "1700000000", 1);
    assert_int_equal(tk_run_id_resolve(NULL, false, id, &err), 0);
    assert_string_equal(id, "20231114T221320Z");
    folder_put(folder, "run_id.env", "RUN_ID=filed\n");
    assert_int_equal(tk_run_id_resolve("", false, id, &err), 0);
    assert_string_equal(id, "filed");
    setenv("RUN_ID", "told", 1);
    assert_int_equal(tk_run_id_resolve(NULL, false, id, &err), 0);
    assert_string_equal(id, "told");
    assert_int_equal(tk_run_id_resolve("given", false, id, &err), 0);
    assert_string_equal(id, "given");
}

static void a_bad_id_is_refused_with_its_source(void **state)
{
    (void)state;
    char id[TK_RUN_ID_MAX];
    struct tk_err err;
    folder_put(folder, "run_id.env", "RUN_ID=../etc\n");
    assert_int_equal(tk_run_id_resolve(NULL, false, id, &err), -EINVAL);
    assert_string_equal(err.msg, "run_id.env: '../etc' is no run id, expected letters, digits, "
                                 "'.', '_', '-', '(' and ')', at most 127");
    setenv("RUN_ID", "a b", 1);
    assert_int_equal(tk_run_id_resolve(NULL, false, id, &err), -EINVAL);
    assert_memory_equal(err.msg, "RUN_ID: 'a b'", 13);
}

static void parse_takes_the_last_folder(void **state)
{
    (void)state;
    char id[TK_RUN_ID_MAX];
    struct tk_err err;
    assert_int_equal(tk_run_id_resolve(NULL, true, id, &err), -ENOENT);
    assert_string_equal(err.msg, "no run given, and no folder logs/ here");
    folder_put(folder, "logs/.hidden/x", "");
    assert_int_equal(tk_run_id_resolve(NULL, true, id, &err), -ENOENT);
    assert_string_equal(err.msg, "no run given, and none in logs/");
    folder_put(folder, "logs/20260101/x", "");
    folder_put(folder, "logs/20260102/x", "");
    folder_put(folder, "logs/zzz-a-file", "");
    assert_int_equal(tk_run_id_resolve(NULL, true, id, &err), 0);
    assert_string_equal(id, "20260102");
}

static void a_folder_beats_a_run_of_that_name(void **state)
{
    (void)state;
    char path[PATH_MAX];
    struct tk_err err;
    folder_put(folder, "logs/r1/x", "");
    folder_put(folder, "logs/r2/x", "");
    folder_put(folder, "r2/x", "");
    assert_int_equal(tk_run_path_resolve("r1", path, sizeof(path), &err), 0);
    assert_string_equal(path, "logs/r1");
    assert_int_equal(tk_run_path_resolve("r1/", path, sizeof(path), &err), 0);
    assert_string_equal(path, "logs/r1");
    assert_int_equal(tk_run_path_resolve("r2//", path, sizeof(path), &err), 0);
    assert_string_equal(path, "r2");
    assert_int_equal(tk_run_path_resolve(NULL, path, sizeof(path), &err), 0);
    assert_string_equal(path, "logs/r2");
    assert_int_equal(tk_run_path_resolve("r3", path, sizeof(path), &err), -ENOENT);
    assert_string_equal(err.msg, "no run 'r3': neither a folder here nor logs/r3");
    assert_int_equal(tk_run_path_resolve("no/such", path, sizeof(path), &err), -ENOENT);
    assert_string_equal(err.msg, "no/such: no such folder");
}

static void the_file_fills_the_environment_but_never_beats_it(void **state)
{
    (void)state;
    struct tk_err err;
    assert_int_equal(tk_run_env_load(&err), 0);
    folder_put(folder, "run_id.env", "RUN_ID=filed\nNODE_ID=n1\nLD_PRELOAD=/evil.so\n");
    setenv("NODE_ID", "mine", 1);
    assert_int_equal(tk_run_env_load(&err), 0);
    assert_string_equal(getenv("RUN_ID"), "filed");
    assert_string_equal(getenv("NODE_ID"), "mine");
    assert_null(getenv("LD_PRELOAD"));
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, enter_folder, leave_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_is_letters_digits_and_a_few_signs),
        cmocka_unit_test(folders_of_a_run_are_ordered_by_node_number),
        cmocka_unit_test(an_environment_file_is_read_as_a_shell_would),
        in_folder(the_id_comes_from_the_nearest_source),
        in_folder(a_bad_id_is_refused_with_its_source),
        in_folder(parse_takes_the_last_folder),
        in_folder(a_folder_beats_a_run_of_that_name),
        in_folder(the_file_fills_the_environment_but_never_beats_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
