/* SPDX-License-Identifier: Apache-2.0 */
#include "table/batch.h"

#include <errno.h>
#include <string.h>

#include "tk_test.h"

enum { ID, LOAD, NAME, CORES, TAGS };

static const struct tk_column columns[] = {
    [ID] = {"id", TK_I64, "", "", 0, 0},           [LOAD] = {"load", TK_F64, "", "", 0, 0},
    [NAME] = {"name", TK_TEXT, "", "", 0, 0},      [CORES] = {"cores", TK_F64_LIST, "", "", 0, 0},
    [TAGS] = {"tags", TK_TEXT_LIST, "", "", 0, 0},
};
static const struct tk_schema schema = {"test", "", columns, TK_COUNTOF(columns)};

static struct tk_batch *make(size_t max_rows, size_t max_text)
{
    struct tk_err err;
    struct tk_batch *batch = NULL;
    assert_int_equal(tk_batch_new(&schema, max_rows, max_text, &batch, &err), 0);
    return batch;
}

static void what_a_row_does_not_set_is_absent(void **state)
{
    (void)state;
    TK_CLEANUP(tk_batch_freep) struct tk_batch *batch = make(2, 4096);
    tk_batch_begin(batch);
    tk_batch_set_i64(batch, ID, 7);
    tk_batch_begin(batch);
    tk_batch_set_f64(batch, LOAD, 0.5);
    assert_int_equal(tk_batch_i64(batch, 0, ID, -1), 7);
    assert_int_equal(tk_batch_i64(batch, 1, ID, -1), -1);
    assert_near(tk_batch_f64(batch, 0, LOAD, -1), -1, 0);
    assert_near(tk_batch_f64(batch, 1, LOAD, -1), 0.5, 0);
    assert_null(tk_batch_text(batch, 0, NAME).p);
}

static void numbers_that_json_cannot_hold_stay_absent(void **state)
{
    (void)state;
    TK_CLEANUP(tk_batch_freep) struct tk_batch *batch = make(1, 4096);
    tk_batch_begin(batch);
    tk_batch_set_f64(batch, LOAD, __builtin_nan(""));
    assert_false(tk_batch_has(batch, 0, LOAD));
    tk_batch_set_f64(batch, LOAD, -__builtin_inf());
    assert_false(tk_batch_has(batch, 0, LOAD));
}

static void texts_and_lists_are_copied(void **state)
{
    (void)state;
    TK_CLEANUP(tk_batch_freep) struct tk_batch *batch = make(1, 4096);
    char word[] = "word";
    double numbers[] = {1, 2};
    tk_batch_begin(batch);
    tk_batch_set_text(batch, NAME, tk_str_from(word));
    tk_batch_set_f64_list(batch, CORES, numbers, 2);
    tk_batch_set_text_list(batch, TAGS, (tk_str[]){tk_str_from(word), TK_STR("")}, 2);
    memset(word, 'x', 4);
    numbers[0] = 9;
    assert_str_equal(tk_batch_text(batch, 0, NAME), "word");
    struct tk_list list = tk_batch_at(batch, 0, CORES)->list;
    assert_int_equal(list.n, 2);
    assert_near(((const double *)list.items)[0], 1, 0);
    list = tk_batch_at(batch, 0, TAGS)->list;
    assert_str_equal(((const tk_str *)list.items)[0], "word");
    assert_str_equal(((const tk_str *)list.items)[1], "");
}

static void the_empty_text_is_there_and_the_absent_is_not(void **state)
{
    (void)state;
    TK_CLEANUP(tk_batch_freep) struct tk_batch *batch = make(2, 4096);
    tk_batch_begin(batch);
    tk_batch_set_text(batch, NAME, TK_STR(""));
    tk_batch_set_f64_list(batch, CORES, NULL, 0);
    assert_true(tk_batch_has(batch, 0, NAME));
    assert_true(tk_batch_has(batch, 0, CORES));
}

static void text_that_does_not_fit_leaves_the_value_absent_and_says_so(void **state)
{
    (void)state;
    TK_CLEANUP(tk_batch_freep) struct tk_batch *batch = make(4, 16);
    tk_batch_begin(batch);
    tk_batch_set_text(batch, NAME, TK_STR("12345678"));
    assert_false(batch->overflow);
    tk_batch_set_text(batch, NAME, TK_STR("123456789"));
    assert_true(batch->overflow);
    assert_false(tk_batch_has(batch, 0, NAME));
    tk_batch_set_text_list(batch, TAGS, (tk_str[]){TK_STR("a")}, 1);
    assert_false(tk_batch_has(batch, 0, TAGS));
    tk_batch_reset(batch);
    assert_false(batch->overflow);
    assert_int_equal(batch->rows, 0);
}

static void room_ends_with_the_rows_or_the_last_eighth_of_the_text(void **state)
{
    (void)state;
    TK_CLEANUP(tk_batch_freep) struct tk_batch *batch = make(2, 80);
    assert_true(tk_batch_has_room(batch));
    tk_batch_begin(batch);
    assert_true(tk_batch_has_room(batch));
    tk_batch_begin(batch);
    assert_false(tk_batch_has_room(batch));
    tk_batch_drop(batch);
    assert_true(tk_batch_has_room(batch));
    tk_batch_set_text(
        batch, NAME,
        TK_STR("0123456789012345678901234567890123456789012345678901234567890123456789"));
    assert_true(tk_batch_has_room(batch));
    tk_batch_set_text(batch, NAME, TK_STR("1"));
    assert_false(tk_batch_has_room(batch));
    tk_batch_reset(batch);
    assert_true(tk_batch_has_room(batch));
}

static void a_size_past_all_memory_is_refused(void **state)
{
    (void)state;
    struct tk_err err;
    struct tk_batch *batch = NULL;
    assert_int_equal(tk_batch_new(&schema, SIZE_MAX / 16, 1, &batch, &err), -ENOMEM);
    assert_null(batch);
    assert_string_equal(err.msg, "table test: no memory for 1152921504606846975 rows");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_row_does_not_set_is_absent),
        cmocka_unit_test(numbers_that_json_cannot_hold_stay_absent),
        cmocka_unit_test(texts_and_lists_are_copied),
        cmocka_unit_test(the_empty_text_is_there_and_the_absent_is_not),
        cmocka_unit_test(text_that_does_not_fit_leaves_the_value_absent_and_says_so),
        cmocka_unit_test(room_ends_with_the_rows_or_the_last_eighth_of_the_text),
        cmocka_unit_test(a_size_past_all_memory_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
