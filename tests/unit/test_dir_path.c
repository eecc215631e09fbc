/* SPDX-License-Identifier: Apache-2.0 */
#include "tk_test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/dir_path.h"

/* The names of a path, joined by '/'. */
static char *encode(tk_str key, char buf[8 << 10])
{
    struct tk_dir_path path;
    struct tk_err err;
    assert_int_equal(tk_dir_path_encode(key, &path, &err), 0);
    size_t n = 0;
    for (size_t i = 0; i < path.count; i++)
        n += (size_t)snprintf(buf + n, (8 << 10) - n, "%s%s", i ? "/" : "", path.names[i]);
    return buf;
}

static void keys_have_these_paths(void **state)
{
    (void)state;
    static const struct {
        const char *key, *path;
    } cases[] = {
        {"latest/build_1.0.json", "latest/build_1.0.json"},
        {"a b+c=d&e?f#g", "a b+c=d&e?f#g"},
        {"x/../y", "x/%2E%2E/y"},
        {"./dot", "%2E/dot"},
        {".hidden/...", ".hidden/..."},
        {"x//y", "x/%e/y"},
        {"/", "%e/%e"},
        {"a/", "a/%e"},
        {"per%cent%2F", "per%25cent%252F"},
        {"tab\tnewline\n\x7F", "tab%09newline%0A%7F"},
        {"%tmp", "%25tmp"},
        {"\xC3\xA9", "\xC3\xA9"},
    };
    char buf[8 << 10];
    for (size_t i = 0; i < TK_COUNTOF(cases); i++)
        assert_string_equal(encode(tk_str_from(cases[i].key), buf), cases[i].path);
}

/* The key that a path stands for, as a list finds it. */
static void decode(const struct tk_dir_path *path, struct tk_buf *key)
{
    for (size_t i = 0; i < path->count; i++)
        assert_true(tk_dir_name_decode(tk_str_from(path->names[i]), i + 1 < path->count, key));
}

static void any_key_comes_back(void **state)
{
    (void)state;
    static const char bytes[] = "a/.%\x01\x7F\xFF";
    struct tk_buf key;
    struct tk_err err;
    tk_buf_init(&key, 4096);
    srandom(1);
    for (int round = 0; round < 20000; round++) {
        char text[1024];
        size_t n = 1 + (size_t)random() % (round % 20 == 0 ? sizeof(text) : 12);
        size_t kinds = round % 20 == 0 ? 1 + (size_t)random() % 7 : 7;
        for (size_t i = 0; i < n; i++)
            text[i] = bytes[(size_t)random() % kinds];
        struct tk_dir_path path;
        int rc = tk_dir_path_encode((tk_str){text, n}, &path, &err);
        if (rc == -ENAMETOOLONG)
            continue;
        assert_int_equal(rc, 0);
        for (size_t i = 0; i < path.count; i++) {
            assert_in_range(strlen(path.names[i]), 1, TK_DIR_NAME_MAX + 2);
            assert_true(strcmp(path.names[i], ".") != 0 && strcmp(path.names[i], "..") != 0);
        }
        tk_buf_reset(&key);
        decode(&path, &key);
        assert_true(tk_str_eq(tk_buf_str(&key), (tk_str){text, n}));
    }
    tk_buf_release(&key);
}

static void the_longest_escapes_fit(void **state)
{
    (void)state;
    char text[1024];
    struct tk_dir_path path;
    struct tk_err err;
    memset(text, 1, sizeof(text));
    assert_int_equal(tk_dir_path_encode((tk_str){text, sizeof(text)}, &path, &err), 0);
    memset(text, '/', sizeof(text));
    assert_int_equal(tk_dir_path_encode((tk_str){text, sizeof(text)}, &path, &err), -ENAMETOOLONG);
    assert_int_equal(tk_dir_path_encode((tk_str){text, TK_DIR_DEPTH_MAX - 1}, &path, &err), 0);
    assert_int_equal(path.count, TK_DIR_DEPTH_MAX);
}

static void names_that_no_key_has_stand_for_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool is_folder;
    } cases[] = {
        {TK_DIR_TEMPORARY, true}, {"%41", false}, {"%2e", false},
        {"a%2E", false},          {"%", false},   {"%2", false},
        {"tab\t", false},         {"%d", true},   {"%f", false},
        {"a%d", false},           {"a%f", true},  {"short%+", true},
        {"a%+", false},
    };
    struct tk_buf key;
    tk_buf_init(&key, 4096);
    for (size_t i = 0; i < TK_COUNTOF(cases); i++)
        assert_false(tk_dir_name_decode(tk_str_from(cases[i].name), cases[i].is_folder, &key));
    tk_buf_release(&key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_have_these_paths),
        cmocka_unit_test(any_key_comes_back),
        cmocka_unit_test(the_longest_escapes_fit),
        cmocka_unit_test(names_that_no_key_has_stand_for_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
