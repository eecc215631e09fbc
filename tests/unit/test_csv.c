/* SPDX-License-Identifier: Apache-2.0 */
#include "table/format.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "tk_test.h"

enum { ID, LOAD, UP, NAME, CORES, TAGS };

static const struct tk_column columns[] = {
    [ID] = {"id", TK_I64, "", "", 0, 0},
    [LOAD] = {"load", TK_F64, "%", "", 0, 2},
    [UP] = {"up", TK_BOOL, "", "", 0, 0},
    [NAME] = {"name", TK_TEXT, "", "", TK_NULLABLE, 0},
    [CORES] = {"cores", TK_F64_LIST, "%", "", 0, TK_SHORTEST},
    [TAGS] = {"tags", TK_TEXT_LIST, "", "", 0, 0},
};
static const struct tk_schema schema = {"test", "", columns, TK_COUNTOF(columns)};

#define HEAD "id,load,up,name,cores,tags\n"

struct decoded {
    struct tk_batch *batch;
    struct tk_decode_stats stats;
    struct tk_err err;
    void *state;
};

static void decoded_init(struct decoded *decoded, const struct tk_schema *of)
{
    *decoded = (struct decoded){.state = calloc(1, tk_decoder_csv.state_size)};
    assert_non_null(decoded->state);
    assert_int_equal(tk_batch_new(of, 8, 4096, &decoded->batch, &decoded->err), 0);
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
    int rc = tk_decoder_csv.batch(decoded->state, &in, last, decoded->batch, &decoded->stats,
                                  &decoded->err);
    *ret_left = in.n;
    free(copy);
    return rc;
}

static void assert_encodes(const struct tk_batch *batch, const char *expected)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, 1 << 20);
    tk_encoder_csv.head(batch->schema, &out);
    tk_encoder_csv.batch(batch, &out);
    assert_true(tk_buf_ok(&out));
    assert_str_equal(tk_buf_str(&out), expected);
}

static void cells_are_quoted_only_where_they_must_be(void **state)
{
    (void)state;
    struct tk_err err;
    TK_CLEANUP(tk_batch_freep) struct tk_batch *batch = NULL;
    assert_int_equal(tk_batch_new(&schema, 4, 4096, &batch, &err), 0);
    tk_batch_begin(batch);
    tk_batch_set_i64(batch, ID, -1);
    tk_batch_set_f64(batch, LOAD, 2.345);
    tk_batch_set_bool(batch, UP, false);
    tk_batch_set_text(batch, NAME, TK_STR("a \"b\", c\nd\xFF"));
    tk_batch_set_f64_list(batch, CORES, (double[]){1.5, 2}, 2);
    tk_batch_set_text_list(batch, TAGS, (tk_str[]){TK_STR("x")}, 1);
    tk_batch_begin(batch);
    tk_batch_set_text(batch, NAME, TK_STR(""));
    tk_batch_set_f64_list(batch, CORES, NULL, 0);
    tk_batch_begin(batch);
    tk_batch_set_text(batch, NAME, TK_STR("plain text"));
    tk_batch_begin(batch);
    assert_encodes(batch, HEAD "-1,2.35,false,\"a \"\"b\"\", c\nd\xEF\xBF\xBD\",\"[1.5,2]\","
                               "\"[\"\"x\"\"]\"\n"
                               ",,,\"\",[],\n"
                               ",,,plain text,,\n"
                               ",,,,,\n");
}

static void what_other_tools_write_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *rows; /* as we write them */
        uint64_t unknown;
    } cases[] = {
        {"id,load,up,name,cores,tags\n1,2.5,true,x,\"[1]\",\"[]\"\n", "1,2.50,true,x,[1],[]\n", 0},
        {"\xEF\xBB\xBFname,id\r\nx,1\r\n\"y\",\" 2 \"\r\n", "1,,,x,,\n2,,,y,,\n", 0},
        {"\"id\",\"extra\"\n1,what\n2,\n", "1,,,,,\n2,,,,,\n", 1},
        {"id,up\n3.0,1\n4e0,0", "3,,true,,,\n4,,false,,,\n", 0},
        {"id,name\n\n\r\n1,\"\"\n\"\",b\n", "1,,,\"\",,\n,,,b,,\n", 0},
        {"name,id\n\"a\"\"b\",1\n\"two\nlines\",2\n", "1,,,\"a\"\"b\",,\n2,,,\"two\nlines\",,\n",
         0},
        {"id,tags\n1,\"[\"\"a\\n\"\",\"\"b\"\"]\"\n", "1,,,,,\"[\"\"a\\n\"\",\"\"b\"\"]\"\n", 0},
        {"id,name\n1,\"x\"", "1,,,x,,\n", 0},
        {"id\n", "", 0},
        {"", "", 0},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct decoded decoded;
        size_t left;
        char expected[256];
        decoded_init(&decoded, &schema);
        assert_int_equal(decode(&decoded, tk_str_from(cases[i].text), true, &left), 0);
        assert_string_equal(decoded.stats.first_bad, "");
        assert_int_equal(decoded.stats.torn_rows, 0);
        assert_int_equal(decoded.stats.unknown_fields, cases[i].unknown);
        assert_int_equal(left, 0);
        (void)snprintf(expected, sizeof(expected), HEAD "%s", cases[i].rows);
        assert_encodes(decoded.batch, expected);
        decoded_release(&decoded);
    }
}

static void a_bad_record_is_skipped_counted_and_named(void **state)
{
    (void)state;
    static const struct {
        const char *text; /* behind "id,name\n" */
        uint64_t rows, bad, torn, lines;
        const char *first_bad;
    } cases[] = {
        {"1,a\n2\n3,c\n", 2, 1, 0, 4, "line 3: 1 fields, but the header has 2"},
        {"1,a,b\n2,c\n", 1, 1, 0, 3, "line 2: more than the 2 fields of the header"},
        {"x,a\n2,b\n", 1, 1, 0, 3, "line 2: id: byte 0: expected a whole number of 64 bits"},
        {"1,a\n\n2,\x80\n", 1, 1, 0, 4, "line 4: name: byte 2: expected UTF-8"},
        {"1,\"a\"b\n2,c\n", 1, 1, 0, 3, "line 2: byte 5: expected ',' or the end of the line"},
        {"1,\"a\n2,b\n", 1, 1, 0, 3, "line 2: byte 9: expected a quote, not the end"},
        {"1,\"a\nb\",\n2,c\n", 1, 1, 0, 4, "line 2: more than the 2 fields of the header"},
        {"1,a\n2", 1, 0, 1, 3, ""},
        {"1,a\n2,\"b", 1, 0, 1, 3, ""},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct decoded decoded;
        size_t left;
        char text[256];
        int n = snprintf(text, sizeof(text), "id,name\n%s", cases[i].text);
        decoded_init(&decoded, &schema);
        assert_int_equal(decode(&decoded, (tk_str){text, (size_t)n}, true, &left), 0);
        assert_int_equal(left, 0);
        assert_string_equal(decoded.stats.first_bad, cases[i].first_bad);
        assert_int_equal(decoded.stats.rows, cases[i].rows);
        assert_int_equal(decoded.batch->rows, cases[i].rows);
        assert_int_equal(decoded.stats.bad_rows, cases[i].bad);
        assert_int_equal(decoded.stats.torn_rows, cases[i].torn);
        assert_int_equal(decoded.stats.line, cases[i].lines);
        decoded_release(&decoded);
    }
}

static void a_header_of_another_table_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"1,2,3\n4,5,6\n", "the header names no column of table test"},
        {"id,\"name\"x\n", "line 1: byte 9: expected ',' or the end of the line"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct decoded decoded;
        size_t left;
        decoded_init(&decoded, &schema);
        assert_int_equal(decode(&decoded, tk_str_from(cases[i].text), true, &left), -EBADMSG);
        assert_string_equal(decoded.err.msg, cases[i].message);
        decoded_release(&decoded);
    }
}

static void text_that_comes_in_pieces_gives_the_same_rows(void **state)
{
    (void)state;
    tk_str text =
        TK_STR("id,name,cores\r\n1,\"a\"\"\nb\",\"[1,2]\"\r\n-22,\xC3\xA9,\r\n33,x,[]\r\n");
    for (size_t cut = 0; cut <= text.n; cut++) {
        struct decoded decoded;
        size_t left;
        decoded_init(&decoded, &schema);
        assert_int_equal(decode(&decoded, (tk_str){text.p, cut}, false, &left), 0);
        assert_true(left <= cut);
        tk_str rest = {text.p + cut - left, text.n - cut + left};
        assert_int_equal(decode(&decoded, rest, true, &left), 0);
        assert_int_equal(left, 0);
        assert_int_equal(decoded.stats.bad_rows + decoded.stats.torn_rows, 0);
        assert_int_equal(decoded.stats.line, 5);
        assert_encodes(decoded.batch, HEAD "1,,,\"a\"\"\nb\",\"[1,2]\",\n"
                                           "-22,,,\xC3\xA9,,\n33,,,x,[],\n");
        decoded_release(&decoded);
    }
}

static void a_table_of_one_column_keeps_its_empty_rows(void **state)
{
    (void)state;
    static const struct tk_column one[] = {{"name", TK_TEXT, "", "", 0, 0}};
    static const struct tk_schema schema_of_one = {"one", "", one, 1};
    struct decoded decoded;
    size_t left;
    decoded_init(&decoded, &schema_of_one);
    assert_int_equal(decode(&decoded, TK_STR("name\na\n\n\"\"\n"), true, &left), 0);
    assert_int_equal(decoded.batch->rows, 3);
    assert_encodes(decoded.batch, "name\na\n\n\"\"\n");
    decoded_release(&decoded);
}

static void a_record_larger_than_the_batch_is_refused(void **state)
{
    (void)state;
    struct decoded decoded;
    size_t left;
    char text[6000];
    int n = snprintf(text, sizeof(text), "name,id\n%05000d,1\n", 7);
    decoded_init(&decoded, &schema);
    assert_int_equal(decode(&decoded, (tk_str){text, (size_t)n}, true, &left), -EMSGSIZE);
    assert_int_equal(left, n - 8);
    decoded_release(&decoded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_are_quoted_only_where_they_must_be),
        cmocka_unit_test(what_other_tools_write_is_read),
        cmocka_unit_test(a_bad_record_is_skipped_counted_and_named),
        cmocka_unit_test(a_header_of_another_table_is_refused),
        cmocka_unit_test(text_that_comes_in_pieces_gives_the_same_rows),
        cmocka_unit_test(a_table_of_one_column_keeps_its_empty_rows),
        cmocka_unit_test(a_record_larger_than_the_batch_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
