/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of models, and the columns that files are made of. */
#include "fidelity/int_rows.h"

#include <errno.h>

#include "fidelity/pack.h"
#include "table/varint.h"
#include "tk_test.h"

static void rows_that_agree_are_counted(void **state)
{
    (void)state;
    TK_CLEANUP(tk_int_rows_release) struct tk_int_rows records;
    static const int64_t rows[][3] = {{2, 1, 1}, {1, 5, 2}, {2, 1, 4}, {1, 4, 1}};
    static const int64_t expected[][3] = {{1, 4, 1}, {1, 5, 2}, {2, 1, 5}};
    tk_int_rows_init(&records, 3);
    for (size_t i = 0; i < 4; i++)
        tk_int_rows_add(&records, rows[i]);
    tk_int_rows_count(&records);
    assert_int_equal(records.count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_memory_equal(tk_int_rows_at(&records, i), expected[i], sizeof(expected[i]));
}

static void rows_are_found_by_their_first_numbers(void **state)
{
    (void)state;
    TK_CLEANUP(tk_int_rows_release) struct tk_int_rows records;
    size_t begin;
    size_t end;
    tk_int_rows_init(&records, 2);
    for (int64_t i = 0; i < 30; i++)
        tk_int_rows_add(&records, (int64_t[]){i / 10 * 2, i % 10});
    tk_int_rows_sort(&records);
    tk_int_rows_find(&records, (int64_t[]){2}, 1, &begin, &end);
    assert_int_equal(begin, 10);
    assert_int_equal(end, 20);
    tk_int_rows_find(&records, (int64_t[]){4, 3}, 2, &begin, &end);
    assert_int_equal(begin, 23);
    assert_int_equal(end, 24);
    tk_int_rows_find(&records, (int64_t[]){3}, 1, &begin, &end);
    assert_int_equal(begin, end);
}

static void rows_come_back_from_their_text(void **state)
{
    (void)state;
    TK_CLEANUP(tk_int_rows_release) struct tk_int_rows records;
    TK_CLEANUP(tk_int_rows_release) struct tk_int_rows again;
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    struct tk_err err;
    tk_buf_init(&text, 65536);
    tk_int_rows_init(&records, 3);
    tk_int_rows_init(&again, 3);
    for (int64_t i = 0; i < 100; i++)
        tk_int_rows_add(&records,
                        (int64_t[]){i / 7, i * i % 11 - 5, i == 50 ? INT64_MIN : INT64_MAX});
    tk_int_rows_sort(&records);
    tk_int_rows_encode(&records, &text);
    tk_str rest = tk_buf_str(&text);
    assert_int_equal(tk_int_rows_decode(&again, &rest, &err), 0);
    assert_int_equal(rest.n, 0);
    assert_int_equal(again.count, records.count);
    assert_memory_equal(again.values, records.values, sizeof(int64_t) * 300);
    for (size_t n = 0; n < text.n; n++) {
        TK_CLEANUP(tk_int_rows_release) struct tk_int_rows cut;
        tk_int_rows_init(&cut, 3);
        rest = (tk_str){text.p, n};
        assert_int_equal(tk_int_rows_decode(&cut, &rest, &err), -EBADMSG);
    }
}

static void packed_columns_come_back(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 10, 400000}; /* small ones share a frame, large ones do not */
    for (size_t i = 0; i < 3; i++) {
        struct tk_buf columns[3];
        struct tk_buf again[3] = {{0}};
        struct tk_err err;
        TK_CLEANUP(tk_buf_release) struct tk_buf text;
        tk_buf_init(&text, (size_t)1 << 24);
        for (size_t c = 0; c < 3; c++) {
            tk_buf_init(&columns[c], (size_t)1 << 24);
            for (size_t n = 0; n < (c == 1 ? 0 : sizes[i]); n++)
                tk_buf_putc(&columns[c], (char)(n * (c + 1) % 251));
        }
        assert_int_equal(tk_pack_encode(columns, 3, &text, &err), 0);
        assert_int_equal(tk_pack_decode(tk_buf_str(&text), again, 3, &err), 0);
        for (size_t c = 0; c < 3; c++) {
            assert_true(tk_str_eq(tk_buf_str(&columns[c]), tk_buf_str(&again[c])));
            tk_buf_release(&columns[c]);
            tk_buf_release(&again[c]);
        }
    }
}

static void a_frame_that_holds_more_than_it_may_is_refused(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf raw;
    TK_CLEANUP(tk_buf_release) struct tk_buf frame;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    struct tk_err err;
    tk_buf_init(&raw, (size_t)1 << 24);
    tk_buf_init(&frame, (size_t)1 << 24);
    tk_buf_init(&out, (size_t)1 << 24);
    for (size_t i = 0; i < 1000000; i++)
        tk_buf_putc(&raw, 0);
    assert_int_equal(tk_zstd_encode(tk_buf_str(&raw), 3, &frame, &err), 0);
    assert_int_equal(tk_zstd_decode(tk_buf_str(&frame), 999999, &out, &err), -EMSGSIZE);
    tk_buf_reset(&out);
    assert_int_equal(tk_zstd_decode(tk_buf_str(&frame), 1000000, &out, &err), 0);
    assert_int_equal(out.n, 1000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_that_agree_are_counted),
        cmocka_unit_test(rows_are_found_by_their_first_numbers),
        cmocka_unit_test(rows_come_back_from_their_text),
        cmocka_unit_test(packed_columns_come_back),
        cmocka_unit_test(a_frame_that_holds_more_than_it_may_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
