/* SPDX-License-Identifier: Apache-2.0 */
#include "table/format.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "tk_test.h"

enum { ID, LOAD, EXACT, UP, NAME, CORES, TAGS, NOTE };

static const struct tk_column columns[] = {
    [ID] = {"id", TK_I64, "", "", TK_REQUIRED, 0},
    [LOAD] = {"load", TK_F64, "%", "", 0, 2},
    [EXACT] = {"exact", TK_F64, "", "", 0, TK_SHORTEST},
    [UP] = {"up", TK_BOOL, "", "", 0, 0},
    [NAME] = {"name", TK_TEXT, "", "", 0, 0},
    [CORES] = {"cores", TK_F64_LIST, "%", "", 0, 1},
    [TAGS] = {"tags", TK_TEXT_LIST, "", "", 0, 0},
    [NOTE] = {"note", TK_TEXT, "", "", TK_NULLABLE, 0},
};

static const struct tk_schema schema = {"test", "", columns, TK_COUNTOF(columns)};

/* What one decoder call, or a chain of them, left behind. */
struct decoded {
    struct tk_batch *batch;
    struct tk_decode_stats stats;
    void *state;
};

static void decoded_init(struct decoded *decoded, size_t max_rows, size_t max_text)
{
    struct tk_err err;
    *decoded = (struct decoded){.state = calloc(1, tk_decoder_jsonl.state_size)};
    assert_non_null(decoded->state);
    assert_int_equal(tk_batch_new(&schema, max_rows, max_text, &decoded->batch, &err), 0);
}

static void decoded_release(struct decoded *decoded)
{
    tk_batch_free(decoded->batch);
    free(decoded->state);
}

/* Decode from a heap copy without a byte of padding, so that ASan sees each byte too many. */
static int decode(struct decoded *decoded, tk_str text, bool last, size_t *ret_left)
{
    char *copy = malloc(text.n ? text.n : 1);
    assert_non_null(copy);
    memcpy(copy, text.p, text.n);
    tk_str in = {copy, text.n};
    struct tk_err err = {0};
    int rc =
        tk_decoder_jsonl.batch(decoded->state, &in, last, decoded->batch, &decoded->stats, &err);
    *ret_left = in.n;
    free(copy);
    return rc;
}

static void assert_encodes(const struct tk_batch *batch, const char *expected)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, 1 << 20);
    tk_encoder_jsonl.batch(batch, &out);
    assert_true(tk_buf_ok(&out));
    assert_str_equal(tk_buf_str(&out), expected);
}

static void rows_are_written_in_column_order_without_what_is_absent(void **state)
{
    (void)state;
    struct tk_err err;
    TK_CLEANUP(tk_batch_freep) struct tk_batch *batch = NULL;
    assert_int_equal(tk_batch_new(&schema, 4, 4096, &batch, &err), 0);

    tk_batch_begin(batch);
    tk_batch_set_text(batch, NAME, TK_STR("c\"0"));
    tk_batch_set_i64(batch, ID, -7);
    tk_batch_set_f64(batch, LOAD, 12.5);
    tk_batch_set_f64(batch, EXACT, 0.1);
    tk_batch_set_bool(batch, UP, true);
    tk_batch_set_f64_list(batch, CORES, (double[]){1, 99.96}, 2);
    tk_batch_set_text_list(batch, TAGS, (tk_str[]){TK_STR("a"), TK_STR("")}, 2);
    tk_batch_set_text(batch, NOTE, TK_STR("x"));
    tk_batch_begin(batch);
    tk_batch_begin(batch);
    tk_batch_set_i64(batch, ID, 1);

    assert_encodes(batch, "{\"id\":-7,\"load\":12.50,\"exact\":0.1,\"up\":true,\"name\":\"c\\\"0\","
                          "\"cores\":[1.0,100.0],\"tags\":[\"a\",\"\"],\"note\":\"x\"}\n"
                          "{\"note\":null}\n"
                          "{\"id\":1,\"note\":null}\n");
}

static void a_full_buffer_holds_whole_rows_only(void **state)
{
    (void)state;
    struct tk_err err;
    TK_CLEANUP(tk_batch_freep) struct tk_batch *batch = NULL;
    assert_int_equal(tk_batch_new(&schema, 64, 1 << 16, &batch, &err), 0);
    char long_text[500];
    memset(long_text, '\n', sizeof(long_text)); /* each byte becomes two */
    for (int64_t i = 0; i < 64; i++) {
        tk_batch_begin(batch);
        tk_batch_set_i64(batch, ID, i);
        tk_batch_set_text(batch, NAME, (tk_str){long_text, sizeof(long_text)});
    }
    for (size_t max = 100; max < 12000; max += 97) {
        TK_CLEANUP(tk_buf_release) struct tk_buf out;
        tk_buf_init(&out, max);
        tk_encoder_jsonl.batch(batch, &out);
        assert_int_equal(out.failure, -EMSGSIZE);
        assert_true(out.n <= max);
        assert_true(out.n == 0 || out.p[out.n - 1] == '\n');
    }
}

static void what_old_files_hold_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *row; /* as we write it */
    } cases[] = {
        {"{\"id\":\"12\",\"load\":\"3.5\"}", "{\"id\":12,\"load\":3.50,\"note\":null}\n"},
        {"{\"id\":12.0,\"load\":3}", "{\"id\":12,\"load\":3.00,\"note\":null}\n"},
        {"{\"id\":1.2e1}", "{\"id\":12,\"note\":null}\n"},
        {"  {\t\"id\" : 1 ,\r \"up\":false } ", "{\"id\":1,\"up\":false,\"note\":null}\n"},
        {"{\"load\":1,\"id\":2}", "{\"id\":2,\"load\":1.00,\"note\":null}\n"},
        {"{\"id\":1,\"id\":2}", "{\"id\":2,\"note\":null}\n"},
        {"{\"id\":1,\"id\":null,\"note\":null}", "{\"note\":null}\n"},
        {"{\"\\u0069d\":5,\"name\":\"\\u00e9\\ud83d\\ude00\"}",
         "{\"id\":5,\"name\":\"\xC3\xA9\xF0\x9F\x98\x80\",\"note\":null}\n"},
        {"{\"tags\":[\"\\n\",\"b\"],\"cores\":[]}",
         "{\"cores\":[],\"tags\":[\"\\n\",\"b\"],\"note\":null}\n"},
        {"{\n \"id\": 1,\n \"up\": true\n}\n", "{\"id\":1,\"up\":true,\"note\":null}\n"},
        {"{\"id\":1}{\"id\":2}", "{\"id\":1,\"note\":null}\n{\"id\":2,\"note\":null}\n"},
        {"\r\n\n {}\n", "{\"note\":null}\n"},
        {"", ""},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct decoded decoded;
        size_t left;
        decoded_init(&decoded, 8, 4096);
        assert_int_equal(decode(&decoded, tk_str_from(cases[i].text), true, &left), 0);
        assert_string_equal(decoded.stats.first_bad, "");
        assert_int_equal(left, 0);
        assert_encodes(decoded.batch, cases[i].row);
        decoded_release(&decoded);
    }
}

static void a_bad_row_is_skipped_counted_and_named(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t rows, bad, torn, unknown, lines;
        const char *first_bad;
    } cases[] = {
        {"{\"id\":1}\n{\"id\" 2}\n{\"id\":3}\n", 2, 1, 0, 0, 3, "line 2: byte 6: expected ':'"},
        {"{\"id\":1}\n{\"id\":\"x\"}\n", 1, 1, 0, 0, 2, "line 2: id: byte 6: expected a number"},
        {"{\"id\":1.5}\n", 0, 1, 0, 0, 1, "line 1: id: byte 6: expected a whole number of 64 bits"},
        {"[1]\n5\n\"x\"\n{}\n", 1, 3, 0, 0, 4, "line 1: byte 0: expected an object"},
        {"{\"id\":1}\n{\"id\":", 1, 0, 1, 0, 2, ""},
        {"{\"id\":1}\n{\"id\":\n", 1, 1, 0, 0, 2,
         "line 2: id: byte 7: expected a number, not the end"},
        {"{\"id\":1,\"name\n{\"id\":2}\n", 1, 1, 0, 0, 2,
         "line 1: byte 13: expected a character of UTF-8 or a quote"},
        {"{\"id\":1,\"na\n{\"id\":2}\n{\"id\":3}", 2, 1, 0, 0, 3,
         "line 1: byte 11: expected a character of UTF-8 or a quote"},
        {"{\"id\":1,\n{\"id\":2}\n{\"id\":3}\n", 2, 1, 0, 0, 3, "line 1: byte 9: expected a key"},
        {"{\"id\":1} x\n{\"id\":2}\n", 2, 1, 0, 0, 2, "line 1: byte 9: expected an object"},
        {"{\"id\":1,\"new\":{\"a\":[1,2]},\"n\":null}\n", 1, 0, 0, 2, 1, ""},
        {"{\"new\":1,\"id\":true}\n", 0, 1, 0, 0, 1, "line 1: id: byte 14: expected a number"},
        {"\n\n{\n\"id\":\nx}\n", 0, 3, 0, 0, 5, "line 3: id: byte 8: expected a number"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct decoded decoded;
        size_t left;
        decoded_init(&decoded, 8, 4096);
        assert_int_equal(decode(&decoded, tk_str_from(cases[i].text), true, &left), 0);
        assert_int_equal(left, 0);
        assert_string_equal(decoded.stats.first_bad, cases[i].first_bad);
        assert_int_equal(decoded.stats.rows, cases[i].rows);
        assert_int_equal(decoded.batch->rows, cases[i].rows);
        assert_int_equal(decoded.stats.bad_rows, cases[i].bad);
        assert_int_equal(decoded.stats.torn_rows, cases[i].torn);
        assert_int_equal(decoded.stats.unknown_fields, cases[i].unknown);
        assert_int_equal(decoded.stats.line, cases[i].lines);
        decoded_release(&decoded);
    }
}

static void text_that_comes_in_pieces_gives_the_same_rows(void **state)
{
    (void)state;
    tk_str text = TK_STR("{\"id\":1,\"name\":\"\xC3\xA9\\n\"}\n{\"id\":-22e1,\"up\":true}\n"
                         "{\"new\":[null,\"x\"],\"load\":2.25}\n");
    for (size_t cut = 0; cut <= text.n; cut++) {
        struct decoded decoded;
        size_t left;
        decoded_init(&decoded, 8, 4096);
        assert_int_equal(decode(&decoded, (tk_str){text.p, cut}, false, &left), 0);
        assert_true(left <= cut);
        tk_str rest = {text.p + cut - left, text.n - cut + left};
        assert_int_equal(decode(&decoded, rest, true, &left), 0);
        assert_int_equal(left, 0);
        assert_int_equal(decoded.stats.bad_rows + decoded.stats.torn_rows, 0);
        assert_int_equal(decoded.stats.line, 3);
        assert_encodes(decoded.batch, "{\"id\":1,\"name\":\"\xC3\xA9\\n\",\"note\":null}\n"
                                      "{\"id\":-220,\"up\":true,\"note\":null}\n"
                                      "{\"load\":2.25,\"note\":null}\n");
        decoded_release(&decoded);
    }
}

static void a_full_batch_leaves_the_rest_in_the_text(void **state)
{
    (void)state;
    struct decoded decoded;
    size_t left;
    decoded_init(&decoded, 2, 4096);
    tk_str text = TK_STR("{\"id\":1}\n{\"id\":2}\n{\"id\":3}\n");
    assert_int_equal(decode(&decoded, text, true, &left), 0);
    assert_int_equal(decoded.batch->rows, 2);
    assert_int_equal(left, strlen("{\"id\":3}\n"));
    assert_int_equal(decoded.stats.line, 2);
    decoded_release(&decoded);
}

static void a_row_with_more_text_than_fits_waits_for_an_empty_batch(void **state)
{
    (void)state;
    struct decoded decoded;
    size_t left;
    decoded_init(&decoded, 8, 4096);
    char text[9000];
    int n = snprintf(text, sizeof(text), "{\"name\":\"%03000d\"}\n{\"name\":\"%03000d\"}\n", 1, 2);
    assert_int_equal(decode(&decoded, (tk_str){text, (size_t)n}, true, &left), 0);
    assert_int_equal(decoded.batch->rows, 1);
    tk_batch_reset(decoded.batch);
    assert_int_equal(decode(&decoded, (tk_str){text + n - left, left}, true, &left), 0);
    assert_int_equal(decoded.batch->rows, 1);
    assert_int_equal(left, 0);

    tk_batch_reset(decoded.batch);
    n = snprintf(text, sizeof(text), "{\"name\":\"%05000d\"}\n", 1);
    assert_int_equal(decode(&decoded, (tk_str){text, (size_t)n}, true, &left), -EMSGSIZE);
    assert_int_equal(left, n);
    decoded_release(&decoded);
}

/* Decode one row with blanks behind it: none leaves it to the pull scanner, many to the hot path.
 */
static void decode_padded(struct decoded *decoded, const char *row, size_t blanks)
{
    char text[1024];
    size_t n = strlen(row);
    size_t left;
    memcpy(text, row, n);
    memset(text + n, '\n', blanks);
    decoded_init(decoded, 8, 4096);
    assert_int_equal(decode(decoded, (tk_str){text, n + blanks}, true, &left), 0);
    assert_int_equal(left, 0);
}

static void assert_read_alike(const char *row)
{
    struct decoded slow;
    struct decoded hot;
    TK_CLEANUP(tk_buf_release) struct tk_buf expected;
    decode_padded(&slow, row, 0);
    decode_padded(&hot, row, 200);
    tk_buf_init(&expected, 4096);
    tk_encoder_jsonl.batch(slow.batch, &expected);
    tk_buf_putc(&expected, '\0');
    assert_encodes(hot.batch, expected.p);
    assert_int_equal(hot.stats.rows, slow.stats.rows);
    assert_int_equal(hot.stats.unknown_fields, slow.stats.unknown_fields);
    assert_int_equal(hot.stats.bad_rows, slow.stats.bad_rows + slow.stats.torn_rows);
    decoded_release(&slow);
    decoded_release(&hot);
}

static void the_hot_path_and_the_pull_scanner_read_the_same(void **state)
{
    (void)state;
    static const char *const keys[] = {"id", "load", "exact", "up", "name", "cores", "tags", "new"};
    static const char *const values[] = {
        "0",
        "-0",
        "7",
        "-7",
        "12345678",
        "123456789",
        "1763716800000",
        "1763716800000123",
        "123456789012345678",
        "1234567890123456789",
        "9223372036854775807",
        "-9223372036854775808",
        "9223372036854775808",
        "00",
        "01",
        "-",
        "",
        "+1",
        "1.0",
        "1.5",
        "-1.5",
        "0.5",
        "00.5",
        "1.",
        ".5",
        "-.5",
        "1.2.3",
        "12.50",
        "99999.5",
        "999999.5",
        "1234567.25",
        "12345678.5",
        "123456789.123456789",
        "9007199254740993",
        "0.1234567890123456789",
        "-0.0",
        "1e3",
        "1E-3",
        "1.5e2",
        "1e400",
        "null",
        "nul",
        "true",
        "false",
        "tru",
        "\"\"",
        "\"x\"",
        "\"12\"",
        "\"1234567\"",
        "\"12345678\"",
        "\"a longer text, sixteen and more\"",
        "\"\\n\"",
        "\"\xC3\xA9\"",
        "\"\xFF\"",
        "\"a\tb\"",
        "\"open",
        "[]",
        "[1,2.5]",
        "[\"a\",\"b\"]",
        "{}",
        "{\"x\":[1]}",
        "1 ",
        " 1",
        "  1",
        "1\n",
        "\n1",
        "x",
    };
    static const struct {
        const char *before, *between, *after;
    } shapes[] = {
        {"{\"", "\":", "}"},
        {"{\"", "\": ", "}"},
        {"{\"id\":1,\"", "\":", ",\"note\":\"n\"}"},
        {"{\"id\":1, \"", "\":", " }"},
        {"{\"", "\":", "}{\"id\":2}"},
        {"{\"note\":\"n\",\"", "\":", "}\n{\"id\":3}"},
        {"{\"", "\" :", "}"},
        {"{\"", "\":", ",}"},
        {"{\"", "\":", ""},
    };
    for (size_t k = 0; k < TK_COUNTOF(keys); k++)
        for (size_t i = 0; i < TK_COUNTOF(values); i++)
            for (size_t s = 0; s < TK_COUNTOF(shapes); s++) {
                char row[256];
                (void)snprintf(row, sizeof(row), "%s%s%s%s%s", shapes[s].before, keys[k],
                               shapes[s].between, values[i], shapes[s].after);
                assert_read_alike(row);
            }
}

static void the_hot_path_learns_another_key_order(void **state)
{
    (void)state;
    char text[2048];
    int n = 0;
    for (int i = 0; i < 20; i++)
        n += snprintf(
            text + n, sizeof(text) - (size_t)n,
            i % 3 ? "{\"name\":\"x\",\"id\":%d,\"up\":true}\n" : "{\"id\":%d,\"load\":1}\n", i);
    struct decoded decoded;
    size_t left;
    decoded_init(&decoded, 32, 4096);
    assert_int_equal(decode(&decoded, (tk_str){text, (size_t)n}, true, &left), 0);
    assert_int_equal(decoded.stats.rows, 20);
    for (size_t i = 0; i < 20; i++) {
        assert_int_equal(tk_batch_i64(decoded.batch, i, ID, -1), i);
        assert_int_equal(tk_batch_has(decoded.batch, i, NAME), i % 3 != 0);
        assert_int_equal(tk_batch_has(decoded.batch, i, LOAD), i % 3 == 0);
    }
    decoded_release(&decoded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_written_in_column_order_without_what_is_absent),
        cmocka_unit_test(a_full_buffer_holds_whole_rows_only),
        cmocka_unit_test(what_old_files_hold_is_read),
        cmocka_unit_test(a_bad_row_is_skipped_counted_and_named),
        cmocka_unit_test(text_that_comes_in_pieces_gives_the_same_rows),
        cmocka_unit_test(a_full_batch_leaves_the_rest_in_the_text),
        cmocka_unit_test(the_hot_path_and_the_pull_scanner_read_the_same),
        cmocka_unit_test(the_hot_path_learns_another_key_order),
        cmocka_unit_test(a_row_with_more_text_than_fits_waits_for_an_empty_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
