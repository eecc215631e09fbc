/* SPDX-License-Identifier: Apache-2.0 */
#include "span/any_value.h"

#include <errno.h>

#include "tk_test.h"

/* What every test here needs. */
struct space {
    struct tk_texts texts;
    struct tk_arena scratch;
    struct tk_buf out;
    struct tk_err err;
};

static void open_space(struct space *space)
{
    *space = (struct space){0};
    assert_int_equal(tk_texts_init(&space->texts, 1 << 20, &space->err), 0);
    assert_int_equal(tk_arena_init(&space->scratch, 1 << 20, &space->err), 0);
    tk_buf_init(&space->out, 1 << 20);
}

static void close_space(struct space *space)
{
    tk_texts_release(&space->texts);
    tk_arena_release(&space->scratch);
    tk_buf_release(&space->out);
}

static int read_otlp(struct space *space, tk_str text, struct tk_attr *ret)
{
    struct tk_json json;
    tk_json_init(&json, text);
    int rc = tk_any_value_read_otlp(&json, &space->texts, &space->scratch, ret, &space->err);
    return rc < 0 ? rc : tk_json_expect_end(&json, &space->err);
}

static int read_json(struct space *space, tk_str text, struct tk_attr *ret)
{
    struct tk_json json;
    tk_json_init(&json, text);
    int rc = tk_any_value_read_json(&json, &space->texts, &space->scratch, ret, &space->err);
    return rc < 0 ? rc : tk_json_expect_end(&json, &space->err);
}

typedef void (*put_fn)(const struct tk_texts *texts, const struct tk_attr *attr,
                       struct tk_buf *out);

static void assert_put(struct space *space, put_fn put, const struct tk_attr *attr,
                       const char *expected)
{
    tk_buf_reset(&space->out);
    put(&space->texts, attr, &space->out);
    assert_str_equal(tk_buf_str(&space->out), expected);
}

static const struct {
    uint32_t type;
    const char *otlp, *json, *text;
} values[] = {
    {TK_ATTR_STRING, "{\"stringValue\":\"a \\\"b\\\"\"}", "\"a \\\"b\\\"\"", "a \"b\""},
    {TK_ATTR_STRING, "{\"stringValue\":\"\"}", "\"\"", ""},
    {TK_ATTR_BOOL, "{\"boolValue\":true}", "true", "true"},
    {TK_ATTR_BOOL, "{\"boolValue\":false}", "false", "false"},
    {TK_ATTR_INT, "{\"intValue\":\"-9223372036854775808\"}", "-9223372036854775808",
     "-9223372036854775808"},
    {TK_ATTR_INT, "{\"intValue\":\"12\"}", "12", "12"},
    {TK_ATTR_DOUBLE, "{\"doubleValue\":12}", "12.0", "12"},
    {TK_ATTR_DOUBLE, "{\"doubleValue\":-0.5}", "-0.5", "-0.5"},
    {TK_ATTR_DOUBLE, "{\"doubleValue\":1e+300}", "1e+300", "1e+300"},
    {TK_ATTR_ARRAY,
     "{\"arrayValue\":{\"values\":[{\"intValue\":\"1\"},{\"stringValue\":\"x\"},{},"
     "{\"arrayValue\":{\"values\":[]}}]}}",
     "[1,\"x\",null,[]]", "[1,\"x\",null,[]]"},
    {TK_ATTR_MAP,
     "{\"kvlistValue\":{\"values\":[{\"key\":\"a\",\"value\":{\"doubleValue\":1.5}},"
     "{\"key\":\"\",\"value\":{\"kvlistValue\":{\"values\":["
     "{\"key\":\"b\",\"value\":{\"boolValue\":true}}]}}}]}}",
     "{\"a\":1.5,\"\":{\"b\":true}}", "{\"a\":1.5,\"\":{\"b\":true}}"},
    {TK_ATTR_EMPTY, "{}", "null", ""},
};

static void values_are_read_and_printed_in_each_form(void **state)
{
    (void)state;
    struct space space;
    open_space(&space);
    for (size_t i = 0; i < TK_COUNTOF(values); i++) {
        struct tk_attr attr = {0};
        struct tk_attr plain = {0};
        print_message("# %s\n", values[i].otlp);
        assert_int_equal(read_otlp(&space, tk_str_from(values[i].otlp), &attr), 0);
        assert_int_equal(attr.type, values[i].type);
        assert_put(&space, tk_any_value_put_otlp, &attr, values[i].otlp);
        assert_put(&space, tk_any_value_put_json, &attr, values[i].json);
        assert_put(&space, tk_any_value_put_text, &attr, values[i].text);
        assert_int_equal(read_json(&space, tk_str_from(values[i].json), &plain), 0);
        assert_int_equal(plain.type, attr.type);
        assert_true(plain.i64 == attr.i64);
    }
    close_space(&space);
}

static void bytes_and_numbers_that_are_none_have_one_way(void **state)
{
    (void)state;
    static const struct {
        const char *otlp, *json, *text;
    } cases[] = {
        {"{\"bytesValue\":\"AP8=\"}", "\"AP8=\"", "AP8="},
        {"{\"doubleValue\":\"NaN\"}", "\"NaN\"", "NaN"},
        {"{\"doubleValue\":\"Infinity\"}", "\"Infinity\"", "Infinity"},
        {"{\"doubleValue\":\"-Infinity\"}", "\"-Infinity\"", "-Infinity"},
    };
    struct space space;
    open_space(&space);
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_attr attr = {0};
        assert_int_equal(read_otlp(&space, tk_str_from(cases[i].otlp), &attr), 0);
        assert_put(&space, tk_any_value_put_otlp, &attr, cases[i].otlp);
        assert_put(&space, tk_any_value_put_json, &attr, cases[i].json);
        assert_put(&space, tk_any_value_put_text, &attr, cases[i].text);
    }
    close_space(&space);
}

static void senders_may_write_values_in_other_ways(void **state)
{
    (void)state;
    static const struct {
        const char *written, *means;
    } cases[] = {
        {"{\"intValue\":12}", "{\"intValue\":\"12\"}"},
        {"{\"intValue\":\"1.2e1\"}", "{\"intValue\":\"12\"}"},
        {"{\"doubleValue\":\"1.5\"}", "{\"doubleValue\":1.5}"},
        {"{\"stringValue\":null}", "{}"},
        {"{\"stringValue\":\"a\",\"intValue\":\"3\"}", "{\"intValue\":\"3\"}"},
        {"{\"arrayValue\":{\"values\":[{}]},\"intValue\":\"3\"}", "{\"intValue\":\"3\"}"},
        {"{\"unknown\":[1,{\"a\":2}],\"boolValue\":true}", "{\"boolValue\":true}"},
        {"{\"arrayValue\":{}}", "{\"arrayValue\":{\"values\":[]}}"},
        {"{\"arrayValue\":{\"values\":null}}", "{\"arrayValue\":{\"values\":[]}}"},
        {"{\"bytesValue\":\"_-8\"}", "{\"bytesValue\":\"/+8=\"}"},
        {"{\"kvlistValue\":{\"values\":[{\"value\":{\"intValue\":1},\"key\":\"k\"},{}]}}",
         "{\"kvlistValue\":{\"values\":[{\"key\":\"k\",\"value\":{\"intValue\":\"1\"}},"
         "{\"key\":\"\",\"value\":{}}]}}"},
    };
    struct space space;
    open_space(&space);
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_attr attr = {0};
        print_message("# %s\n", cases[i].written);
        assert_int_equal(read_otlp(&space, tk_str_from(cases[i].written), &attr), 0);
        assert_put(&space, tk_any_value_put_otlp, &attr, cases[i].means);
    }
    close_space(&space);
}

static void bad_values_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"{\"intValue\":\"x\"}", "byte 12: expected a number"},
        {"{\"intValue\":1.5}", "byte 12: expected a whole number of 64 bits"},
        {"{\"boolValue\":1}", "byte 13: expected true or false"},
        {"{\"stringValue\":1}", "byte 15: expected a string"},
        {"{\"bytesValue\":\"A\"}", "byte 17: expected base64 before it"},
        {"{\"arrayValue\":[]}", "byte 14: expected an object"},
        {"[]", "byte 0: expected an object"},
    };
    struct space space;
    open_space(&space);
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_attr attr = {0};
        assert_int_equal(read_otlp(&space, tk_str_from(cases[i].text), &attr), -EBADMSG);
        assert_string_equal(space.err.msg, cases[i].message);
    }
    close_space(&space);
}

/* `depth` arrays in each other. */
static tk_str nest(struct tk_buf *out, const char *open, const char *close, int depth)
{
    tk_buf_reset(out);
    for (int i = 0; i < depth; i++)
        tk_buf_puts(out, open);
    for (int i = 0; i < depth; i++)
        tk_buf_puts(out, close);
    return tk_buf_str(out);
}

static void lists_nest_to_a_limit_in_json(void **state)
{
    (void)state;
    struct space space;
    open_space(&space);
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, 1 << 20);
    for (int depth = TK_ANY_VALUE_MAX_DEPTH; depth <= TK_ANY_VALUE_MAX_DEPTH + 1; depth++) {
        int expected = depth > TK_ANY_VALUE_MAX_DEPTH ? -EMSGSIZE : 0;
        struct tk_attr attr = {0};
        assert_int_equal(read_json(&space, nest(&text, "[", "]", depth), &attr), expected);
        assert_int_equal(read_json(&space, nest(&text, "{\"a\":[", "]}", depth / 2), &attr), 0);
        assert_int_equal(
            read_otlp(&space, nest(&text, "{\"arrayValue\":{\"values\":[", "]}}", depth), &attr),
            expected);
    }
    close_space(&space);
}

/* On the wire ------------------------------------------------------------------------------- */

static int read_pair(struct space *space, tk_str bytes, tk_str *ret_key, struct tk_attr *ret,
                     bool *ret_not_utf8)
{
    struct tk_wire_fault fault = {0};
    struct tk_wire in = {bytes.p, bytes.p + bytes.n, &fault};
    TK_CLEANUP(tk_buf_release) struct tk_buf scratch;
    tk_buf_init(&scratch, 1 << 20);
    int rc = tk_any_value_read_pair(&in, &space->texts, &scratch, ret_key, ret, ret_not_utf8);
    return rc < 0 ? tk_wire_tell(&fault, bytes, &space->err) : 0;
}

#define BYTES(literal)                                                                             \
    {                                                                                              \
        "" literal, sizeof(literal) - 1                                                            \
    }

static void pairs_on_the_wire_follow_the_rules_of_protobuf(void **state)
{
    (void)state;
    static const struct {
        tk_str bytes;
        const char *key, *means;
    } cases[] = {
        {BYTES("\x0A\x01k\x12\x03\x0A\x01v"), "k", "{\"stringValue\":\"v\"}"},
        {BYTES("\x12\x03\x0A\x01v\x0A\x01k"), "k", "{\"stringValue\":\"v\"}"},
        {BYTES("\x0A\x01j\x0A\x01k"), "k", "{}"},
        {BYTES("\x12\x00"), "", "{}"},
        {BYTES(""), "", "{}"},
        /* A value in pieces is merged; of the members the last counts. */
        {BYTES("\x12\x03\x0A\x01v\x12\x00"), "", "{\"stringValue\":\"v\"}"},
        {BYTES("\x12\x03\x0A\x01v\x12\x02\x10\x01"), "", "{\"boolValue\":true}"},
        {BYTES("\x12\x05\x10\x01\x0A\x01v"), "", "{\"stringValue\":\"v\"}"},
        {BYTES("\x12\x0B\x18\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"), "",
         "{\"intValue\":\"-1\"}"},
        {BYTES("\x12\x09\x21\0\0\0\0\0\0\xF8\x3F"), "", "{\"doubleValue\":1.5}"},
        {BYTES("\x12\x04\x3A\x02\x00\xFF"), "", "{\"bytesValue\":\"AP8=\"}"},
        {BYTES("\x12\x03\x0A\x01\xFF"), "", "{\"bytesValue\":\"/w==\"}"},
        /* Unknown fields, of values, of lists, and a member with another wire type. */
        {BYTES("\x12\x05\x0A\x01v\x40\x05\x1A\x00"), "", "{\"stringValue\":\"v\"}"},
        {BYTES("\x12\x05\x0A\x01v\x08\x05"), "", "{\"stringValue\":\"v\"}"},
        {BYTES("\x12\x08\x2A\x06\x0A\x02\x10\x01\x18\x07"), "",
         "{\"arrayValue\":{\"values\":[{\"boolValue\":true}]}}"},
        /* A list in pieces is one list, unless another member came between. */
        {BYTES("\x12\x0C\x2A\x04\x0A\x02\x10\x01\x2A\x04\x0A\x02\x18\x07"), "",
         "{\"arrayValue\":{\"values\":[{\"boolValue\":true},{\"intValue\":\"7\"}]}}"},
        {BYTES("\x12\x06\x2A\x04\x0A\x02\x10\x01\x12\x06\x2A\x04\x0A\x02\x18\x07"), "",
         "{\"arrayValue\":{\"values\":[{\"boolValue\":true},{\"intValue\":\"7\"}]}}"},
        {BYTES("\x12\x0E\x2A\x04\x0A\x02\x10\x01\x18\x01\x2A\x04\x0A\x02\x18\x07"), "",
         "{\"arrayValue\":{\"values\":[{\"intValue\":\"7\"}]}}"},
        {BYTES("\x12\x0F\x32\x0D\x0A\x0B\x12\x03\x0A\x01v\x0A\x01j\x0A\x01k"), "",
         "{\"kvlistValue\":{\"values\":[{\"key\":\"k\",\"value\":{\"stringValue\":\"v\"}}]}}"},
        {BYTES("\x12\x0C\x32\x0A\x0A\x08\x0A\x01\xFF\x12\x03\x0A\x01\xFE"), "",
         "{\"kvlistValue\":{\"values\":[{\"key\":\"\xEF\xBF\xBD\","
         "\"value\":{\"bytesValue\":\"/g==\"}}]}}"},
    };
    struct space space;
    open_space(&space);
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_attr attr = {0};
        tk_str key = {NULL, 0};
        bool not_utf8 = false;
        print_message("# case %zu: %s\n", i, cases[i].means);
        assert_int_equal(read_pair(&space, cases[i].bytes, &key, &attr, &not_utf8), 0);
        assert_str_equal(key, cases[i].key);
        assert_put(&space, tk_any_value_put_otlp, &attr, cases[i].means);
        assert_int_equal(not_utf8,
                         strstr(cases[i].means, "/w==") || strstr(cases[i].means, "/g=="));
    }
    close_space(&space);
}

static void lists_that_are_canonical_stay_as_they_are(void **state)
{
    (void)state;
    static const tk_str pair = BYTES("\x12\x1D\x32\x1B\x0A\x08\x0A\x01k\x12\x03\x0A\x01v\x0A\x0F"
                                     "\x0A\x01l\x12\x0A\x2A\x08\x0A\x00\x0A\x04\x3A\x02\x00\xFF");
    struct space space;
    open_space(&space);
    struct tk_attr attr = {0};
    tk_str key;
    bool not_utf8 = false;
    assert_int_equal(read_pair(&space, pair, &key, &attr, &not_utf8), 0);
    tk_buf_reset(&space.out);
    tk_any_value_put_wire(&space.texts, &attr, &space.out);
    assert_int_equal(space.out.n, pair.n - 2);
    assert_memory_equal(space.out.p, pair.p + 2, pair.n - 2);
    assert_false(not_utf8);
    close_space(&space);
}

static void bad_pairs_are_refused(void **state)
{
    (void)state;
    static const struct {
        tk_str bytes;
        const char *message;
    } cases[] = {
        {BYTES("\x0A\x02k"), "byte 2: expected as many bytes as the length before says"},
        {BYTES("\x12\x02\x0A\x01"), "byte 4: expected as many bytes as the length before says"},
        {BYTES("\x12\x02\x18\x80"), "byte 3: expected a varint, not the end"},
        {BYTES("\x12\x04\x2A\x02\x0A\x01"),
         "byte 6: expected as many bytes as the length before says"},
    };
    struct space space;
    open_space(&space);
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_attr attr = {0};
        tk_str key;
        bool not_utf8 = false;
        assert_int_equal(read_pair(&space, cases[i].bytes, &key, &attr, &not_utf8), -EBADMSG);
        assert_string_equal(space.err.msg, cases[i].message);
    }
    close_space(&space);
}

static void lists_nest_to_a_limit_on_the_wire(void **state)
{
    (void)state;
    struct space space;
    open_space(&space);
    for (size_t depth = TK_ANY_VALUE_MAX_DEPTH; depth <= TK_ANY_VALUE_MAX_DEPTH + 1; depth++) {
        char bytes[8 * TK_ANY_VALUE_MAX_DEPTH];
        char *at = bytes + sizeof(bytes);
        for (size_t i = 0; i < 2 * depth; i++) {
            char head[1 + TK_WIRE_VARINT_MAX] = {i % 2 == 0          ? 0x2A
                                                 : i + 1 < 2 * depth ? 0x0A
                                                                     : 0x12};
            size_t inside = (size_t)(bytes + sizeof(bytes) - at);
            size_t n = (size_t)(tk_wire_write_varint(head + 1, inside) - head);
            at -= n;
            memcpy(at, head, n);
        }
        struct tk_attr attr = {0};
        tk_str key;
        bool not_utf8 = false;
        tk_str pair = {at, (size_t)(bytes + sizeof(bytes) - at)};
        assert_int_equal(read_pair(&space, pair, &key, &attr, &not_utf8),
                         depth > TK_ANY_VALUE_MAX_DEPTH ? -EMSGSIZE : 0);
    }
    close_space(&space);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_read_and_printed_in_each_form),
        cmocka_unit_test(bytes_and_numbers_that_are_none_have_one_way),
        cmocka_unit_test(senders_may_write_values_in_other_ways),
        cmocka_unit_test(bad_values_are_refused),
        cmocka_unit_test(lists_nest_to_a_limit_in_json),
        cmocka_unit_test(pairs_on_the_wire_follow_the_rules_of_protobuf),
        cmocka_unit_test(lists_that_are_canonical_stay_as_they_are),
        cmocka_unit_test(bad_pairs_are_refused),
        cmocka_unit_test(lists_nest_to_a_limit_on_the_wire),
    };
    return cmocka_run_group_tests_name("any_value", tests, NULL, NULL);
}
