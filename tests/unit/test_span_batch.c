/* SPDX-License-Identifier: Apache-2.0 */
#include "span/span_batch.h"

#include <errno.h>

#include "tk_test.h"

static struct tk_span_batch *new_batch(size_t rows)
{
    struct tk_err err;
    struct tk_span_batch *batch = NULL;
    assert_int_equal(tk_span_batch_new(rows, &batch, &err), 0);
    return batch;
}

static uint32_t text(struct tk_span_batch *batch, const char *value)
{
    return tk_texts_add(&batch->texts, tk_str_from(value));
}

static struct tk_attr string(struct tk_span_batch *batch, const char *key, const char *value)
{
    return (struct tk_attr){
        .key = text(batch, key), .type = TK_ATTR_STRING, .text = text(batch, value)};
}

/* A scope of a resource of one attribute each. */
static uint32_t add_scope(struct tk_span_batch *batch, const char *service, const char *name)
{
    struct tk_attr attr = string(batch, "service.name", service);
    struct tk_span_resource resource = {.service = attr.text};
    resource.attrs = (struct tk_attr_range){tk_span_batch_add_side_attr(batch, &attr), 1, 0};
    struct tk_span_scope scope = {.name = text(batch, name)};
    scope.resource = tk_span_batch_add_resource(batch, &resource);
    attr = string(batch, "scope", name);
    scope.attrs = (struct tk_attr_range){tk_span_batch_add_side_attr(batch, &attr), 1, 3};
    return tk_span_batch_add_scope(batch, &scope);
}

/* A row with everything, that differs by `i`. */
static void add_row(struct tk_span_batch *batch, uint32_t scope, uint32_t i)
{
    char name[16];
    (void)snprintf(name, sizeof(name), "name %u", i);
    assert_int_equal(tk_span_batch_begin(batch), 0);
    size_t row = batch->rows - 1;
    batch->trace_ids[row][0] = (uint8_t)(i + 1);
    batch->span_ids[row] = i + 1;
    batch->names[row] = text(batch, name);
    batch->scope_ids[row] = scope;
    for (uint32_t k = 0; k < i % 4; k++) {
        struct tk_attr attr = string(batch, "key", name);
        assert_int_equal(tk_span_batch_add_attr(batch, &attr), 0);
        attr = (struct tk_attr){
            .key = text(batch, "count"), .type = TK_ATTR_INT, .i64 = (int64_t)k - 5};
        struct tk_span_event event = {.time_ns = k, .name = text(batch, "event")};
        event.attrs = (struct tk_attr_range){tk_span_batch_add_side_attr(batch, &attr), 1, k};
        assert_int_equal(tk_span_batch_add_event(batch, &event), 0);
        struct tk_span_link link = {.span_id = k, .flags = 7, .trace_state = text(batch, "a=b")};
        assert_int_equal(tk_span_batch_add_link(batch, &link), 0);
    }
    assert_int_equal(tk_span_batch_end(batch), 0);
}

static void assert_row(const struct tk_span_batch *batch, size_t row, uint32_t i)
{
    char name[16];
    size_t n;
    (void)snprintf(name, sizeof(name), "name %u", i);
    assert_str_equal(tk_span_name(batch, row), name);
    assert_int_equal(batch->span_ids[row], i + 1);
    assert_int_equal(batch->trace_ids[row][0], (uint8_t)(i + 1));
    const struct tk_attr *attrs = tk_span_attrs(batch, row, &n);
    assert_int_equal(n, i % 4);
    for (size_t k = 0; k < n; k++) {
        assert_str_equal(tk_texts_get(&batch->texts, attrs[k].key), "key");
        assert_str_equal(tk_texts_get(&batch->texts, attrs[k].text), name);
    }
    const struct tk_span_event *events = tk_span_events(batch, row, &n);
    assert_int_equal(n, i % 4);
    for (size_t k = 0; k < n; k++) {
        const struct tk_attr *attr = &batch->side_attrs[events[k].attrs.begin];
        assert_int_equal(events[k].time_ns, k);
        assert_int_equal(events[k].attrs.dropped, k);
        assert_str_equal(tk_texts_get(&batch->texts, events[k].name), "event");
        assert_str_equal(tk_texts_get(&batch->texts, attr->key), "count");
        assert_int_equal(attr->i64, (int64_t)k - 5);
    }
    const struct tk_span_link *links = tk_span_links(batch, row, &n);
    assert_int_equal(n, i % 4);
    for (size_t k = 0; k < n; k++) {
        assert_int_equal(links[k].span_id, k);
        assert_str_equal(tk_texts_get(&batch->texts, links[k].trace_state), "a=b");
    }
}

static void rows_hold_what_was_put_into_them(void **state)
{
    (void)state;
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = new_batch(100);
    uint32_t scope = add_scope(batch, "shop", "lib");
    for (uint32_t i = 0; i < 100; i++)
        add_row(batch, scope, i);
    for (uint32_t i = 0; i < 100; i++)
        assert_row(batch, i, i);
    assert_str_equal(tk_span_service(batch, 99), "shop");
    assert_int_equal(tk_span_batch_begin(batch), -ENOBUFS);
    assert_int_equal(batch->rows, 100);
}

static void a_reset_batch_holds_nothing_and_can_be_filled_again(void **state)
{
    (void)state;
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = new_batch(10);
    size_t empty = tk_span_batch_bytes(batch);
    for (int round = 0; round < 3; round++) {
        uint32_t scope = add_scope(batch, "shop", "lib");
        for (uint32_t i = 0; i < 10; i++)
            add_row(batch, scope, i);
        assert_true(tk_span_batch_bytes(batch) > empty + 1000);
        assert_row(batch, 7, 7);
        tk_span_batch_reset(batch);
        assert_int_equal(tk_span_batch_bytes(batch), empty);
    }
}

static void rewinding_takes_rows_back_but_keeps_resources(void **state)
{
    (void)state;
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = new_batch(100);
    uint32_t scope = add_scope(batch, "shop", "lib");
    for (uint32_t i = 0; i < 5; i++)
        add_row(batch, scope, i);
    struct tk_span_mark mark = tk_span_batch_mark(batch);
    add_row(batch, scope, 7);
    uint32_t other = add_scope(batch, "cart", "lib");
    add_row(batch, other, 3);
    tk_span_batch_rewind(batch, &mark);
    assert_int_equal(batch->rows, 5);
    assert_int_equal(batch->event_count, mark.events);
    add_row(batch, other, 6);
    assert_row(batch, 4, 4);
    assert_row(batch, 5, 6);
    assert_str_equal(tk_span_service(batch, 5), "cart");
    const struct tk_attr *attr = &batch->side_attrs[tk_span_resource_of(batch, 5)->attrs.begin];
    assert_str_equal(tk_texts_get(&batch->texts, attr->text), "cart");
}

static void a_removed_row_leaves_nothing(void **state)
{
    (void)state;
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = new_batch(100);
    uint32_t scope = add_scope(batch, "shop", "lib");
    add_row(batch, scope, 3);
    struct tk_span_mark before = tk_span_batch_mark(batch);
    add_row(batch, scope, 7);
    tk_span_batch_remove(batch);
    struct tk_span_mark after = tk_span_batch_mark(batch);
    assert_memory_equal(&before, &after, sizeof(before));
    assert_row(batch, 0, 3);
}

static void a_row_begins_with_zeros_where_others_were(void **state)
{
    (void)state;
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = new_batch(10);
    uint32_t scope = add_scope(batch, "shop", "lib");
    add_row(batch, scope, 3);
    batch->messages[0] = batch->trace_states[0] = batch->flags[0] = 7;
    batch->dropped_attrs[0] = batch->dropped_events[0] = batch->dropped_links[0] = 7;
    batch->kinds[0] = batch->statuses[0] = 2;
    tk_span_batch_reset(batch);
    assert_int_equal(tk_span_batch_begin(batch), 0);
    assert_int_equal(batch->messages[0] | batch->trace_states[0] | batch->flags[0], 0);
    assert_int_equal(batch->dropped_attrs[0] | batch->dropped_events[0] | batch->dropped_links[0],
                     0);
    assert_int_equal(batch->kinds[0] | batch->statuses[0] | batch->names[0], 0);
    assert_int_equal(batch->attr_ends[0] | batch->event_ends[0] | batch->link_ends[0], 0);
}

static void a_row_whose_texts_do_not_fit_is_taken_back(void **state)
{
    (void)state;
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = new_batch(100);
    uint32_t scope = add_scope(batch, "shop", "lib");
    add_row(batch, scope, 1);
    static char large[40 << 20];
    memset(large, 'x', sizeof(large));
    (void)tk_texts_append(&batch->texts, (tk_str){large, sizeof(large)});
    assert_int_equal(tk_span_batch_begin(batch), 0);
    batch->names[1] = tk_texts_append(&batch->texts, (tk_str){large, sizeof(large)});
    assert_int_equal(batch->names[1], TK_TEXTS_NONE);
    assert_int_equal(tk_span_batch_end(batch), -ENOBUFS);
    assert_int_equal(batch->rows, 1);
    assert_int_equal(tk_span_batch_add_resource(batch, &(struct tk_span_resource){0}), UINT32_MAX);
}

static void copies_have_the_same_rows_and_each_resource_once(void **state)
{
    (void)state;
    struct tk_err err;
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *from = new_batch(100);
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *to = new_batch(100);
    uint32_t scopes[] = {add_scope(from, "shop", "lib"), add_scope(from, "cart", "lib"),
                         add_scope(from, "shop", "other")};
    for (uint32_t i = 0; i < 40; i++)
        add_row(from, scopes[i % 3], i);
    for (int round = 0; round < 2; round++) {
        struct tk_span_copy *copy = NULL;
        assert_int_equal(tk_span_copy_new(to, from, &copy, &err), 0);
        for (size_t i = 40; i > 0; i--)
            assert_int_equal(tk_span_copy_row(copy, i - 1), 0);
        tk_span_copy_free(copy);
    }
    for (uint32_t i = 0; i < 40; i++) {
        assert_row(to, 39 - i, i);
        assert_row(to, 79 - i, i);
        assert_str_equal(tk_span_service(to, 39 - i), i % 3 == 1 ? "cart" : "shop");
    }
    /* The two resources of the shop are equal; a second copy adds none. */
    assert_int_equal(to->resource_count, 2);
    assert_int_equal(to->scope_count, 3);
    const struct tk_span_scope *scope = &to->scopes[to->scope_ids[0]];
    assert_int_equal(scope->attrs.dropped, 3);
    assert_int_equal(scope->attrs.n, 1);
}

static void a_copy_into_a_full_batch_appends_nothing(void **state)
{
    (void)state;
    struct tk_err err;
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *from = new_batch(10);
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *to = new_batch(4);
    uint32_t scope = add_scope(from, "shop", "lib");
    for (uint32_t i = 0; i < 10; i++)
        add_row(from, scope, i);
    struct tk_span_copy *copy = NULL;
    assert_int_equal(tk_span_copy_new(to, from, &copy, &err), 0);
    size_t copied = 0;
    for (size_t i = 0; i < 10; i++) {
        int rc = tk_span_copy_row(copy, i);
        if (rc < 0) {
            assert_int_equal(rc, -ENOBUFS);
            assert_int_equal(to->rows, 4);
            tk_span_batch_reset(to);
            tk_span_copy_reset(copy);
            assert_int_equal(tk_span_copy_row(copy, i), 0);
        }
        assert_row(to, to->rows - 1, (uint32_t)i);
        copied++;
    }
    tk_span_copy_free(copy);
    assert_int_equal(copied, 10);
    assert_int_equal(to->rows, 2);
}

static void sizes_are_limited(void **state)
{
    (void)state;
    struct tk_err err;
    struct tk_span_batch *batch;
    assert_int_equal(tk_span_batch_new(0, &batch, &err), -EINVAL);
    assert_int_equal(tk_span_batch_new((1 << 20) + 1, &batch, &err), -EINVAL);
    assert_string_equal(err.msg, "a batch has 1 to 1048576 spans, not 1048577");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_hold_what_was_put_into_them),
        cmocka_unit_test(a_reset_batch_holds_nothing_and_can_be_filled_again),
        cmocka_unit_test(rewinding_takes_rows_back_but_keeps_resources),
        cmocka_unit_test(a_removed_row_leaves_nothing),
        cmocka_unit_test(a_row_begins_with_zeros_where_others_were),
        cmocka_unit_test(a_row_whose_texts_do_not_fit_is_taken_back),
        cmocka_unit_test(copies_have_the_same_rows_and_each_resource_once),
        cmocka_unit_test(a_copy_into_a_full_batch_appends_nothing),
        cmocka_unit_test(sizes_are_limited),
    };
    return cmocka_run_group_tests_name("span_batch", tests, NULL, NULL);
}
