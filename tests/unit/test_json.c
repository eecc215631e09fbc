/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "json_oracle.h"
#include "tk_test.h"

/* A copy without a byte of padding, so that ASan sees each byte that is read too many. */
static tk_str exact_copy(tk_str text)
{
    char *copy = malloc(text.n ? text.n : 1);
    assert_non_null(copy);
    if (text.n)
        memcpy(copy, text.p, text.n);
    return (tk_str){copy, text.n};
}

static int skip_copy(tk_str text, size_t *ret_offset, struct tk_err *err)
{
    tk_str copy = exact_copy(text);
    int rc = oracle_skip(copy, ret_offset, err);
    free((void *)(uintptr_t)copy.p);
    return rc;
}

/* Texts that RFC 8259 allows. */
static const char *const good[] = {
    "0",
    "-0",
    "-12.50e+3",
    "1E-2",
    "123456789012345678901234567890",
    "null",
    " true ",
    "\t\r\nfalse\n",
    "\"\"",
    "\"plain text that is longer than eight bytes\"",
    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20AC\\ud83d\\uDE00\"",
    "\"\\u0000\"",
    "\"\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80 \x7F\"",
    "\"\xEF\xBF\xBF \xF4\x8F\xBF\xBF \xED\x9F\xBF \xEE\x80\x80\"",
    "[]",
    "[ ]",
    "{}",
    "{ }",
    "[1,[2,[3,{}]],{\"a\":[]}]",
    "{\"a\":1,\"b\":{\"c\":[true,null]},\"\":\"\"}",
    " { \"a\" : [ 1 , 2 ] , \"a\" : 3 } ",
};

static const struct {
    const char *text;
    size_t n; /* 0 = strlen */
    const char *message;
} bad[] = {
    {"", 0, "byte 0: expected a value, not the end"},
    {"  ", 0, "byte 2: expected a value, not the end"},
    {"nul", 0, "byte 3: expected null, not the end"},
    {"nulL", 0, "byte 3: expected null"},
    {"truefalse", 0, "byte 4: expected the end"},
    {"True", 0, "byte 0: expected a value"},
    {"NaN", 0, "byte 0: expected a value"},
    {"-Infinity", 0, "byte 1: expected a digit"},
    {"01", 0, "byte 1: expected the end"},
    {"-", 0, "byte 1: expected a digit, not the end"},
    {"+1", 0, "byte 0: expected a value"},
    {".5", 0, "byte 0: expected a value"},
    {"5.", 0, "byte 2: expected a digit, not the end"},
    {"5.x", 0, "byte 2: expected a digit"},
    {"1e", 0, "byte 2: expected a digit, not the end"},
    {"1e+-1", 0, "byte 3: expected a digit"},
    {"1 2", 0, "byte 2: expected the end"},
    {"\"abc", 0, "byte 4: expected a character of UTF-8 or a quote, not the end"},
    {"\"a\nb\"", 0, "byte 2: expected a character of UTF-8 or a quote"},
    {"\"a\0b\"", 5, "byte 2: expected a character of UTF-8 or a quote"},
    {"\"\\x\"", 0, "byte 2: expected an escape"},
    {"\"\\\0\"", 4, "byte 2: expected an escape"},
    {"\"\\u12g4\"", 0, "byte 5: expected an escape"},
    {"\"\\u12", 0, "byte 5: expected an escape, not the end"},
    {"\"\\ud800\"", 0, "byte 7: expected an escape"},
    {"\"\\ud800\\n\"", 0, "byte 8: expected an escape"},
    {"\"\\ud800\\u0041\"", 0, "byte 13: expected an escape"},
    {"\"\\udc00\"", 0, "byte 7: expected an escape"},
    {"\"\x80\"", 0, "byte 1: expected a character of UTF-8 or a quote"},
    {"\"\xC0\xAF\"", 0, "byte 1: expected a character of UTF-8 or a quote"},
    {"\"\xC3(\"", 0, "byte 1: expected a character of UTF-8 or a quote"},
    {"\"\xE0\x9F\xBF\"", 0, "byte 1: expected a character of UTF-8 or a quote"},
    {"\"\xED\xA0\x80\"", 0, "byte 1: expected a character of UTF-8 or a quote"},
    {"\"\xF0\x8F\xBF\xBF\"", 0, "byte 1: expected a character of UTF-8 or a quote"},
    {"\"\xF4\x90\x80\x80\"", 0, "byte 1: expected a character of UTF-8 or a quote"},
    {"\"\xF5\x80\x80\x80\"", 0, "byte 1: expected a character of UTF-8 or a quote"},
    {"[", 0, "byte 1: expected a value, not the end"},
    {"[1", 0, "byte 2: expected ',' or ']', not the end"},
    {"[1,]", 0, "byte 3: expected a value"},
    {"[,1]", 0, "byte 1: expected a value"},
    {"[1 2]", 0, "byte 3: expected ',' or ']'"},
    {"[1}", 0, "byte 2: expected ',' or ']'"},
    {"{", 0, "byte 1: expected a key, not the end"},
    {"{\"a\"", 0, "byte 4: expected ':', not the end"},
    {"{\"a\" 1}", 0, "byte 5: expected ':'"},
    {"{\"a\":}", 0, "byte 5: expected a value"},
    {"{\"a\":1,}", 0, "byte 7: expected a key"},
    {"{\"a\":1 \"b\":2}", 0, "byte 7: expected ',' or '}'"},
    {"{a:1}", 0, "byte 1: expected a key"},
    {"{1:1}", 0, "byte 1: expected a key"},
    {"{\"a\":1]", 0, "byte 6: expected ',' or '}'"},
    {"]", 0, "byte 0: expected a value"},
    {"\xEF\xBB\xBF{}", 0, "byte 0: expected a value"},
    {"1\0", 2, "byte 1: expected the end"},
};

static tk_str bad_text(size_t i)
{
    return (tk_str){bad[i].text, bad[i].n ? bad[i].n : strlen(bad[i].text)};
}

static void what_the_rfc_allows_is_skipped_to_its_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < TK_COUNTOF(good); i++) {
        struct tk_err err = {0};
        size_t offset;
        int rc = skip_copy(tk_str_from(good[i]), &offset, &err);
        if (rc < 0)
            fail_msg("%s: %s", good[i], err.msg);
        assert_int_equal(offset, strlen(good[i]));
    }
}

/* Brackets in strings count for nothing, and escaped quotes end none. */
static void a_value_that_is_not_read_ends_where_it_does(void **state)
{
    (void)state;
    static const char *const texts[] = {"{\"a]}\":[\"\\\"]\",{}]}",
                                        "[[1.5,-2e9,null],[true,\"Y_y\"]]"};
    for (size_t i = 0; i < TK_COUNTOF(good) + TK_COUNTOF(texts); i++) {
        const char *text = i < TK_COUNTOF(good) ? good[i] : texts[i - TK_COUNTOF(good)];
        struct tk_err err;
        struct tk_json json;
        tk_json_init(&json, tk_str_from(text));
        assert_int_equal(tk_json_skip_unread(&json, &err), 0);
        assert_int_equal(tk_json_expect_end(&json, &err), 0);
    }
    struct tk_err err = {0};
    struct tk_json json;
    tk_json_init(&json, TK_STR("[[1, 2, 3], {\"a\": \"]\"}"));
    assert_int_equal(tk_json_skip_unread(&json, &err), -EBADMSG);
    assert_string_equal(err.msg, "byte 22: expected the end of a container, not the end");
}

static void what_the_rfc_forbids_is_refused_with_the_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < TK_COUNTOF(bad); i++) {
        struct tk_err err = {0};
        size_t offset;
        assert_int_equal(skip_copy(bad_text(i), &offset, &err), -EBADMSG);
        assert_string_equal(err.msg, bad[i].message);
    }
}

static void a_text_cut_off_fails_at_its_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < TK_COUNTOF(good); i++) {
        tk_str text = tk_str_trim(tk_str_from(good[i]));
        bool open = text.p[0] == '{' || text.p[0] == '[' || text.p[0] == '"';
        for (size_t n = 0; open && n < text.n; n++) {
            struct tk_err err;
            size_t offset;
            assert_int_equal(skip_copy((tk_str){text.p, n}, &offset, &err), -EBADMSG);
            assert_int_equal(offset, n);
        }
    }
}

static void nesting_has_a_limit(void **state)
{
    (void)state;
    char text[4 * TK_JSON_DEPTH + 8];
    for (int depth = TK_JSON_DEPTH; depth <= TK_JSON_DEPTH + 1; depth++) {
        int n = 0;
        for (int i = 0; i < depth; i++)
            text[n++] = '[';
        for (int i = 0; i < depth; i++)
            text[n++] = ']';
        struct tk_err err = {0};
        size_t offset;
        int rc = skip_copy((tk_str){text, (size_t)n}, &offset, &err);
        assert_int_equal(rc, depth <= TK_JSON_DEPTH ? 0 : -EMSGSIZE);
        if (rc < 0)
            assert_string_equal(err.msg, "byte 512: nested deeper than 512");
    }
}

static void the_caller_walks_members_and_elements(void **state)
{
    (void)state;
    struct tk_err err;
    struct tk_json json;
    tk_str key;
    tk_str raw;
    int64_t value;
    bool truth;
    tk_json_init(&json,
                 TK_STR(" {\"list\":[1,-2, 3 ],\"none\":null,\"x\":{\"y\":[true]},\"\":{}}!"));
    assert_int_equal(tk_json_peek(&json), TK_JSON_OBJECT);
    assert_int_equal(tk_json_enter_object(&json, &err), 0);
    assert_int_equal(tk_json_next_key(&json, NULL, &key, &err), 0);
    assert_str_equal(key, "list");
    assert_int_equal(tk_json_enter_array(&json, &err), 0);
    int64_t sum = 0;
    while (tk_json_next_element(&json, &err) == 0) {
        assert_int_equal(tk_json_read_i64(&json, &value, &err), 0);
        sum += value * value;
    }
    assert_int_equal(sum, 14);
    assert_int_equal(tk_json_next_key(&json, NULL, &key, &err), 0);
    assert_int_equal(tk_json_peek(&json), TK_JSON_NULL);
    assert_int_equal(tk_json_read_null(&json, &err), 0);
    assert_int_equal(tk_json_next_key(&json, NULL, &key, &err), 0);
    assert_int_equal(tk_json_enter_object(&json, &err), 0);
    assert_int_equal(tk_json_next_key(&json, NULL, &key, &err), 0);
    assert_int_equal(tk_json_enter_array(&json, &err), 0);
    assert_int_equal(tk_json_next_element(&json, &err), 0);
    assert_int_equal(tk_json_read_bool(&json, &truth, &err), 0);
    assert_true(truth);
    assert_int_equal(tk_json_next_element(&json, &err), 1);
    assert_int_equal(tk_json_next_key(&json, NULL, &key, &err), 1);
    assert_int_equal(tk_json_next_key(&json, NULL, &key, &err), 0);
    assert_str_equal(key, "");
    assert_int_equal(tk_json_skip(&json, &raw, &err), 0);
    assert_str_equal(raw, "{}");
    assert_int_equal(tk_json_next_key(&json, NULL, &key, &err), 1);
    assert_int_equal(tk_json_peek(&json), TK_JSON_BAD);
    assert_int_equal(tk_json_expect_end(&json, &err), -EBADMSG);
}

static void numbers_are_read_from_numbers_and_strings(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int rc_i64;
        int64_t i64;
        int rc_f64;
        double f64;
    } cases[] = {
        {"12", 0, 12, 0, 12},
        {"\"12\"", 0, 12, 0, 12},
        {"\"12.0\"", 0, 12, 0, 12},
        {"-1.2e1", 0, -12, 0, -12},
        {"12.5", -ERANGE, 0, 0, 12.5},
        {"\"12.5\"", -ERANGE, 0, 0, 12.5},
        {"9223372036854775808", -ERANGE, 0, 0, 9223372036854775808.0},
        {"1e999", -ERANGE, 0, -ERANGE, 0},
        {"\"\"", -EBADMSG, 0, -EBADMSG, 0},
        {"\"12 \"", -EBADMSG, 0, -EBADMSG, 0},
        {"\"x\"", -EBADMSG, 0, -EBADMSG, 0},
        {"true", -EBADMSG, 0, -EBADMSG, 0},
        {"[1]", -EBADMSG, 0, -EBADMSG, 0},
        {"-", -EBADMSG, 0, -EBADMSG, 0},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_err err = {0};
        struct tk_json json;
        int64_t i64 = 0;
        double f64 = 0;
        tk_json_init(&json, tk_str_from(cases[i].text));
        assert_int_equal(tk_json_read_i64(&json, &i64, &err), cases[i].rc_i64);
        assert_int_equal(err.code, cases[i].rc_i64);
        assert_int_equal(i64, cases[i].i64);
        tk_json_init(&json, tk_str_from(cases[i].text));
        assert_int_equal(tk_json_read_f64(&json, &f64, &err), cases[i].rc_f64);
        assert_true(f64 == cases[i].f64);
    }
}

static void a_value_of_another_type_can_still_be_skipped(void **state)
{
    (void)state;
    static const char *const texts[] = {"\"abc\"", "1.5", "true", "[1,2]", "{\"a\":1}"};
    for (size_t i = 0; i < TK_COUNTOF(texts); i++) {
        struct tk_err err;
        struct tk_json json;
        int64_t value;
        tk_str raw;
        tk_json_init(&json, tk_str_from(texts[i]));
        assert_true(tk_json_read_i64(&json, &value, &err) < 0);
        assert_int_equal(tk_json_skip(&json, &raw, &err), 0);
        assert_str_equal(raw, texts[i]);
    }
}

static void strings_are_views_until_they_hold_escapes(void **state)
{
    (void)state;
    static const char text[] =
        "{\"\\u006bey\":\"pl\xC3\xA4in\",\"k\":\"\\ud83d\\ude00\\u00e9\\u20ac\\n\\/\"}";
    struct tk_err err;
    TK_CLEANUP(tk_arena_release) struct tk_arena scratch;
    assert_int_equal(tk_arena_init(&scratch, 4096, &err), 0);
    struct tk_json json;
    tk_str key;
    tk_str value;
    tk_json_init(&json, tk_str_from(text));
    assert_int_equal(tk_json_enter_object(&json, &err), 0);
    assert_int_equal(tk_json_next_key(&json, &scratch, &key, &err), 0);
    assert_str_equal(key, "key");
    assert_true(tk_arena_has(&scratch, key.p));
    assert_int_equal(tk_json_read_str(&json, &scratch, &value, &err), 0);
    assert_str_equal(value, "pl\xC3\xA4in");
    assert_false(tk_arena_has(&scratch, value.p));
    assert_int_equal(tk_json_next_key(&json, &scratch, &key, &err), 0);
    assert_int_equal(tk_json_read_str(&json, &scratch, &value, &err), 0);
    assert_str_equal(value, "\xF0\x9F\x98\x80\xC3\xA9\xE2\x82\xAC\n/");

    /* Without scratch a key comes as it was written. */
    tk_json_init(&json, tk_str_from(text));
    assert_int_equal(tk_json_enter_object(&json, &err), 0);
    assert_int_equal(tk_json_next_key(&json, NULL, &key, &err), 0);
    assert_str_equal(key, "\\u006bey");
}

static void a_string_too_long_for_the_scratch_is_refused(void **state)
{
    (void)state;
    struct tk_err err;
    TK_CLEANUP(tk_arena_release) struct tk_arena scratch;
    assert_int_equal(tk_arena_init(&scratch, 16, &err), 0);
    struct tk_json json;
    tk_str value;
    tk_json_init(&json, TK_STR("\"\\n 4567890123456\""));
    assert_int_equal(tk_json_read_str(&json, &scratch, &value, &err), 0);
    assert_int_equal(tk_json_read_str(&json, &scratch, &value, &err), -EBADMSG);
    tk_json_init(&json, TK_STR("\"\\n\""));
    assert_int_equal(tk_json_read_str(&json, &scratch, &value, &err), -EMSGSIZE);
}

static void written_strings_are_escaped_and_always_readable(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t n;
        const char *json;
    } cases[] = {
        {"", 0, "\"\""},
        {"plain", 5, "\"plain\""},
        {"a\"b\\c/d", 7, "\"a\\\"b\\\\c/d\""},
        {"\b\f\n\r\t\x01\x1f\x7f", 8, "\"\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\""},
        {"a\0b", 3, "\"a\\u0000b\""},
        {"\xC3\xA9\xF0\x9F\x98\x80", 6, "\"\xC3\xA9\xF0\x9F\x98\x80\""},
        {"a\xFF\xFE", 3, "\"a\xEF\xBF\xBD\xEF\xBF\xBD\""},
        {"\xE2\x82", 2, "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},
        {"\xED\xA0\x80x", 4, "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDx\""},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        TK_CLEANUP(tk_buf_release) struct tk_buf out;
        struct tk_err err;
        size_t offset;
        tk_buf_init(&out, 256);
        tk_json_put_str(&out, (tk_str){cases[i].text, cases[i].n});
        assert_str_equal(tk_buf_str(&out), cases[i].json);
        assert_int_equal(skip_copy(tk_buf_str(&out), &offset, &err), 0);
    }
}

static void commas_come_between_members_only(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, 256);
    tk_buf_putc(&out, '{');
    tk_json_put_key(&out, "a");
    tk_buf_putc(&out, '[');
    for (int i = 0; i < 3; i++) {
        tk_json_put_comma(&out);
        tk_json_put_str(&out, TK_STR("["));
    }
    tk_buf_putc(&out, ']');
    tk_json_put_key(&out, "b");
    tk_buf_lit(&out, "{}}");
    assert_str_equal(tk_buf_str(&out), "{\"a\":[\"[\",\"[\",\"[\"],\"b\":{}}");
}

static void jansson_agrees_on_the_tables_and_their_mutants(void **state)
{
    (void)state;
    static const char marks[] = "\"\\{}[]:,0-.eEtnu \n\x01\x80\xC3\xED";
    for (size_t i = 0; i < TK_COUNTOF(good); i++) {
        char text[256];
        size_t n = strlen(good[i]);
        for (size_t at = 0; at <= n; at++) {
            memcpy(text, good[i], n);
            assert_true(oracle_agrees((tk_str){text, at}));
            for (size_t m = 0; at < n && m < sizeof(marks); m++) {
                text[at] = marks[m];
                if (!oracle_agrees((tk_str){text, n}))
                    fail_msg("jansson does not agree on: %.*s", (int)n, text);
            }
        }
    }
    for (size_t i = 0; i < TK_COUNTOF(bad); i++)
        assert_true(oracle_agrees(bad_text(i)));
}

static void jansson_agrees_on_real_files(void **state)
{
    (void)state;
    static const char folder[] = TK_SHARED_DATA "/crisp/test_cases";
    TK_CLEANUP(tk_fd_close) int dirfd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = dirfd < 0 ? NULL : fdopendir(dup(dirfd));
    if (!dir)
        return_without(folder);
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, 1 << 24);
    int files = 0;
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        struct tk_err err;
        size_t offset;
        if (!tk_str_ends_with(tk_str_from(entry->d_name), TK_STR(".json")))
            continue;
        tk_buf_reset(&text);
        assert_int_equal(tk_file_load(dirfd, entry->d_name, &text, &err), 0);
        assert_int_equal(oracle_skip(tk_buf_str(&text), &offset, &err), 0);
        assert_true(oracle_agrees(tk_buf_str(&text)));
        files++;
    }
    closedir(dir);
    assert_true(files > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_rfc_allows_is_skipped_to_its_end),
        cmocka_unit_test(a_value_that_is_not_read_ends_where_it_does),
        cmocka_unit_test(what_the_rfc_forbids_is_refused_with_the_byte),
        cmocka_unit_test(a_text_cut_off_fails_at_its_end),
        cmocka_unit_test(nesting_has_a_limit),
        cmocka_unit_test(the_caller_walks_members_and_elements),
        cmocka_unit_test(numbers_are_read_from_numbers_and_strings),
        cmocka_unit_test(a_value_of_another_type_can_still_be_skipped),
        cmocka_unit_test(strings_are_views_until_they_hold_escapes),
        cmocka_unit_test(a_string_too_long_for_the_scratch_is_refused),
        cmocka_unit_test(written_strings_are_escaped_and_always_readable),
        cmocka_unit_test(commas_come_between_members_only),
        cmocka_unit_test(jansson_agrees_on_the_tables_and_their_mutants),
        cmocka_unit_test(jansson_agrees_on_real_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
