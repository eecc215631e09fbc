/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/exact_compare.h"
#include "span_maker.h"
#include "span_mix.h"
#include "tk_test.h"

static struct tk_span_batch *make_batch(void)
{
    struct tk_err err;
    struct tk_span_batch *batch;
    assert_int_equal(tk_span_batch_new(512, &batch, &err), 0);
    mix_fill(batch, 5, 200);
    return batch;
}

static void print_rows(struct tk_span_prints *prints, const struct tk_span_batch *batch,
                       const uint32_t *rows, size_t n)
{
    struct tk_err err;
    tk_span_prints_init(prints, 1000);
    assert_int_equal(tk_span_prints_add(prints, &(struct tk_span_rows){batch, rows, n}, &err), 0);
}

static void compare(const struct tk_span_batch *a, const struct tk_span_batch *b,
                    struct tk_span_difference *ret)
{
    struct tk_span_prints left;
    struct tk_span_prints right;
    print_rows(&left, a, NULL, a->rows);
    print_rows(&right, b, NULL, b->rows);
    tk_span_prints_compare(&left, &right, ret);
    tk_span_prints_release(&left);
    tk_span_prints_release(&right);
}

static void the_order_of_spans_does_not_matter(void **state)
{
    (void)state;
    struct tk_span_batch *batch = make_batch();
    struct tk_span_prints left;
    struct tk_span_prints right;
    struct tk_span_difference difference;
    uint32_t rows[200];
    for (uint32_t i = 0; i < 200; i++)
        rows[i] = (i * 77 + 5) % 200;
    print_rows(&left, batch, NULL, 200);
    print_rows(&right, batch, rows, 200);
    tk_span_prints_compare(&left, &right, &difference);
    assert_int_equal(difference.equal, 200);
    assert_false(difference.has_first);
    tk_span_prints_release(&left);
    tk_span_prints_release(&right);
    tk_span_batch_free(batch);
}

static void change_parent(struct tk_span_batch *batch)
{
    batch->parent_ids[7] ^= 1;
}
static void change_time(struct tk_span_batch *batch)
{
    batch->duration_ns[7]++;
}
static void change_name(struct tk_span_batch *batch)
{
    batch->statuses[7] ^= 1;
}
static void change_message(struct tk_span_batch *batch)
{
    batch->messages[7] = made_text(batch, "other");
}
static void change_state(struct tk_span_batch *batch)
{
    batch->dropped_links[7]++;
}
static void change_attrs(struct tk_span_batch *batch)
{
    size_t n;
    size_t row = 7;
    while (tk_span_attrs(batch, row, &n), n == 0)
        row++;
    batch->attrs[batch->attr_ends[row] - 1].key = made_text(batch, "other");
}
static void change_events(struct tk_span_batch *batch)
{
    batch->events[3].time_ns++;
}
static void change_links(struct tk_span_batch *batch)
{
    batch->links[3].flags ^= 4;
}
static void change_resource(struct tk_span_batch *batch)
{
    batch->resources[0].attrs.dropped ^= 1;
}
static void change_scope(struct tk_span_batch *batch)
{
    batch->scopes[0].version = made_text(batch, "other");
}

static void a_change_is_told_by_its_field(void **state)
{
    (void)state;
    static void (*const changes[TK_FIELD_COUNT])(struct tk_span_batch *) = {
        [TK_FIELD_PARENT] = change_parent,     [TK_FIELD_TIMES] = change_time,
        [TK_FIELD_NAME] = change_name,         [TK_FIELD_MESSAGE] = change_message,
        [TK_FIELD_STATE] = change_state,       [TK_FIELD_ATTRS] = change_attrs,
        [TK_FIELD_EVENTS] = change_events,     [TK_FIELD_LINKS] = change_links,
        [TK_FIELD_RESOURCE] = change_resource, [TK_FIELD_SCOPE] = change_scope,
    };
    struct tk_span_batch *batch = make_batch();
    for (size_t field = 0; field < TK_FIELD_COUNT; field++) {
        struct tk_span_batch *other = make_batch();
        struct tk_span_difference difference;
        changes[field](other);
        compare(batch, other, &difference);
        assert_true(difference.unequal > 0);
        assert_true(difference.has_first);
        for (size_t i = 0; i < TK_FIELD_COUNT; i++)
            assert_int_equal(difference.fields[i], i == field ? difference.unequal : 0);
        tk_span_batch_free(other);
    }
    tk_span_batch_free(batch);
}

static void spans_of_one_side_are_counted(void **state)
{
    (void)state;
    struct tk_span_batch *batch = make_batch();
    struct tk_span_prints left;
    struct tk_span_prints right;
    struct tk_span_difference difference;
    const uint32_t some[] = {1, 2, 3};
    const uint32_t others[] = {3, 4, 4, 5};
    print_rows(&left, batch, some, 3);
    print_rows(&right, batch, others, 4);
    tk_span_prints_compare(&left, &right, &difference);
    assert_int_equal(difference.equal, 1);
    assert_int_equal(difference.only_a, 2);
    assert_int_equal(difference.only_b, 3);
    tk_span_prints_release(&left);
    tk_span_prints_release(&right);
    tk_span_batch_free(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order_of_spans_does_not_matter),
        cmocka_unit_test(a_change_is_told_by_its_field),
        cmocka_unit_test(spans_of_one_side_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
