/* SPDX-License-Identifier: Apache-2.0 */
#include "segment/log_pack.h"

#include <stdlib.h>
#include <string.h>

#include "span/span_batch.h"
#include "tk_test.h"

#define ROOM 65536

/* Pack, unpack from just as many bytes, and from too few. Returns the bytes that it took. */
static size_t round_trip(const struct tk_log_items *items, const void *from)
{
    uint8_t form;
    size_t n = items->n * items->width;
    char *packed = malloc(tk_log_pack_bound(items));
    char *again = calloc(n + 1, 1);
    assert_non_null(packed);
    assert_non_null(again);
    size_t bytes = (size_t)(tk_log_pack(items, from, packed, &form) - packed);
    for (size_t cut = 0; cut < bytes; cut += cut + 7 < bytes ? 7 : 1) {
        char *piece = malloc(cut + 1); /* of its size, so that a sanitizer sees what lies behind */
        assert_non_null(piece);
        memcpy(piece, packed, cut);
        tk_str rest = {piece, cut};
        assert_false(tk_log_unpack(items, form, &rest, again));
        free(piece);
    }
    tk_str rest = {packed, bytes};
    memset(again, 0, n);
    assert_true(tk_log_unpack(items, form, &rest, again));
    assert_int_equal(rest.n, 0);
    if (n > 0)
        assert_memory_equal(again, from, n);
    free(packed);
    free(again);
    return bytes;
}

static void numbers_that_repeat_take_no_room(void **state)
{
    (void)state;
    uint32_t words[1000];
    uint64_t longs[1000];
    uint8_t bytes[1000];
    const struct tk_log_items of_words = {TK_LOG_NUMBERS, sizeof(*words), 1000, NULL, 0, 0};
    const struct tk_log_items of_longs = {TK_LOG_NUMBERS, sizeof(*longs), 1000, NULL, 0, 0};
    const struct tk_log_items of_bytes = {TK_LOG_NUMBERS, 1, 1000, NULL, 0, 0};
    memset(words, 0, sizeof(words));
    assert_int_equal(round_trip(&of_words, words), 4);
    for (uint32_t i = 0; i < 1000; i++) {
        words[i] = 4000000000U + i * 1000000U; /* beyond the end of its numbers, too */
        longs[i] = 1792000000000000000U + (i * 2654435761U & UINT32_MAX);
        bytes[i] = (uint8_t)(i % 3);
    }
    assert_int_equal(round_trip(&of_words, words), 8);
    assert_int_equal(round_trip(&of_longs, longs), 8 + 4000);
    assert_int_equal(round_trip(&of_bytes, bytes), 1000);
    words[500]++;
    longs[500] = 0;
    assert_int_equal(round_trip(&of_words, words), 4000);
    assert_int_equal(round_trip(&of_longs, longs), 8000);
    longs[0] = UINT64_MAX;
    longs[500] = 1;
    assert_int_equal(round_trip(&of_longs, longs), 8000);
}

static void ids_that_come_again_take_a_bit(void **state)
{
    (void)state;
    uint8_t ids[100][16];
    const struct tk_log_items items = {TK_LOG_IDS, 16, 100, NULL, 0, 0};
    for (size_t i = 0; i < 100; i++)
        memset(ids[i], (int)(i / 10) + 1, sizeof(ids[i]));
    assert_int_equal(round_trip(&items, ids), 13 + 10 * 16);
    for (size_t i = 0; i < 100; i++)
        memset(ids[i], (int)i, sizeof(ids[i]));
    assert_int_equal(round_trip(&items, ids), 13 + 100 * 16);
}

/* Rows of 0 to 3 attributes, of `shapes` shapes. */
static size_t make_attrs(struct tk_attr *attrs, uint32_t *ends, size_t rows, size_t shapes,
                         uint32_t begin)
{
    uint32_t n = 0;
    memset(attrs, 0, ROOM * sizeof(*attrs)); /* the texts leave half of a value */
    for (size_t row = 0; row < rows; row++) {
        for (size_t i = 0; i < row % 4; i++) {
            struct tk_attr *attr = &attrs[n++];
            attr->key = (uint32_t)(1 + i + 10 * (row / 4 % shapes));
            attr->type = i == 1 ? TK_ATTR_INT : i == 2 ? TK_ATTR_MAP : TK_ATTR_STRING;
            if (i == 1) {
                attr->i64 = INT64_MIN + (int64_t)row;
            } else {
                attr->text = (uint32_t)row;
            }
        }
        ends[row] = begin + n;
    }
    return n;
}

static void attributes_of_a_known_shape_are_values_alone(void **state)
{
    (void)state;
    static struct tk_attr attrs[ROOM];
    uint32_t ends[4000];
    struct tk_log_items items = {TK_LOG_ATTRS, sizeof(*attrs), 0, ends, 4000, 77};
    items.n = make_attrs(attrs, ends, 4000, 1, 77);
    /* A byte a row, the heads of three shapes, and of four rows four texts and two integers. */
    assert_int_equal(round_trip(&items, attrs), 4000 + 6 * 8 + 1000 * (4 * 4 + 2 * 8));
    items.n = make_attrs(attrs, ends, 4000, 300, 77); /* more than have a number */
    assert_true(round_trip(&items, attrs) < items.n * 16);
    items.rows = 0;
    items.n = 0;
    assert_int_equal(round_trip(&items, attrs), 0);
}

static void what_contradicts_itself_is_refused(void **state)
{
    (void)state;
    struct tk_attr attrs[8] = {{.key = 1, .type = TK_ATTR_STRING, .text = 5}};
    struct tk_attr again[8];
    uint32_t ends[2] = {1, 0};
    char packed[256];
    uint8_t form;
    const struct tk_log_items one = {TK_LOG_ATTRS, sizeof(*attrs), 1, ends, 1, 0};
    char *end = tk_log_pack(&one, attrs, packed, &form);
    const struct {
        struct tk_log_items items;
        uint8_t form;
    } cases[] = {
        {{TK_LOG_ATTRS, sizeof(*attrs), 1, ends, 2, 0}, form}, /* ends that descend */
        {{TK_LOG_ATTRS, sizeof(*attrs), 1, ends, 1, 2}, form}, /* before its beginning */
        {{TK_LOG_ATTRS, sizeof(*attrs), 2, ends, 1, 0}, form}, /* fewer than there are */
        {{TK_LOG_ATTRS, sizeof(*attrs), 0, ends, 1, 0}, form}, /* and more */
        {{TK_LOG_ATTRS, sizeof(*attrs), 1, ends, 1, 0}, 0},    /* forms of others */
        {{TK_LOG_ITEMS, 1, 1, NULL, 0, 0}, form},
        {{TK_LOG_IDS, 16, 1, NULL, 0, 0}, form},
        {{TK_LOG_NUMBERS, 8, 1, NULL, 0, 0}, form},
        {{TK_LOG_NUMBERS, 8, 2, NULL, 0, 0}, 2}, /* steps of eight bytes */
        {{TK_LOG_NUMBERS, 4, 1, NULL, 0, 0}, 2}, /* of one */
        {{TK_LOG_NUMBERS, 4, 1, NULL, 0, 0}, 3}, /* eight bytes that are near, of four */
        {{TK_LOG_NUMBERS, 4, 1, NULL, 0, 0}, 200},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        tk_str rest = {packed, (size_t)(end - packed)};
        assert_false(tk_log_unpack(&cases[i].items, cases[i].form, &rest, again));
    }
    packed[0] = 7; /* a shape that was not there */
    tk_str rest = {packed, (size_t)(end - packed)};
    assert_false(tk_log_unpack(&one, form, &rest, again));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_that_repeat_take_no_room),
        cmocka_unit_test(ids_that_come_again_take_a_bit),
        cmocka_unit_test(attributes_of_a_known_shape_are_values_alone),
        cmocka_unit_test(what_contradicts_itself_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
