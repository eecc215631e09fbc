/* SPDX-License-Identifier: Apache-2.0 */
#include "segment/segment_set.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "segment/segment_sink.h"
#include "span_mix.h"
#include "tk_place.h"

/* A folder with segments and a log, and one batch of all their spans. */
struct spans {
    char path[PATH_MAX];
    int fd;
    struct tk_segment_sink *sink;
    struct tk_segment_set *set;
    struct tk_span_batch *all;
};

static void make_attrs(struct tk_span_batch *batch, size_t i)
{
    struct tk_attr number = {.type = TK_ATTR_INT, .i64 = (int64_t)(i % 50)};
    number.key = tk_texts_add(&batch->texts, TK_STR("size"));
    struct tk_attr text = {.type = TK_ATTR_STRING, .text = mix_text(batch, "/route/", i % 10)};
    text.key = tk_texts_add(&batch->texts, TK_STR("http.route"));
    assert_int_equal(tk_span_batch_add_attr(batch, &number), 0);
    assert_int_equal(tk_span_batch_add_attr(batch, &text), 0);
    if (i % 100 == 0) {
        struct tk_attr rare = {.type = TK_ATTR_STRING, .text = mix_text(batch, "cause-", i % 300)};
        rare.key = tk_texts_add(&batch->texts, TK_STR("rare.cause"));
        assert_int_equal(tk_span_batch_add_attr(batch, &rare), 0);
    }
    if (i % 77 == 0) {
        struct tk_attr rare = {.type = TK_ATTR_DOUBLE, .f64 = (double)i};
        rare.key = tk_texts_add(&batch->texts, TK_STR("rare.number"));
        assert_int_equal(tk_span_batch_add_attr(batch, &rare), 0);
    }
}

static void make_rows(struct tk_span_batch *batch, size_t first, size_t n)
{
    struct mix mix = {.state = first};
    if (batch->scope_count == 0) {
        for (size_t k = 0; k < 4; k++) {
            struct tk_span_resource resource = {.service = mix_text(batch, "service-", k)};
            struct tk_attr attrs[2] = {{.type = TK_ATTR_STRING, .text = resource.service},
                                       {.type = TK_ATTR_STRING, .text = mix_text(batch, "h", k)}};
            attrs[0].key = tk_texts_add(&batch->texts, TK_STR("service.name"));
            attrs[1].key = tk_texts_add(&batch->texts, TK_STR("host.name"));
            resource.attrs.begin = tk_span_batch_add_side_attr(batch, &attrs[0]);
            assert_true(tk_span_batch_add_side_attr(batch, &attrs[1]) != UINT32_MAX);
            resource.attrs.n = 2;
            struct tk_span_scope scope = {.resource = tk_span_batch_add_resource(batch, &resource)};
            assert_true(tk_span_batch_add_scope(batch, &scope) != UINT32_MAX);
        }
    }
    for (size_t i = first; i < first + n; i++) {
        assert_int_equal(tk_span_batch_begin(batch), 0);
        size_t row = batch->rows - 1;
        mix_trace_id(i / 10, batch->trace_ids[row]);
        batch->span_ids[row] = i + 1;
        batch->parent_ids[row] = i % 10 == 0 ? 0 : i;
        batch->start_ns[row] = (int64_t)i * 1000;
        batch->duration_ns[row] = (int64_t)mix_below(&mix, 100000);
        batch->names[row] = mix_text(batch, "op-", i % 20);
        batch->scope_ids[row] = (uint32_t)(i % 4);
        batch->kinds[row] = (uint8_t)(i % 6);
        batch->statuses[row] = (uint8_t)(i % 3);
        make_attrs(batch, i);
        assert_int_equal(tk_span_batch_end(batch), 0);
    }
}

static int spans_setup(void **state)
{
    struct spans *spans = calloc(1, sizeof(*spans));
    struct tk_err err = {0};
    assert_non_null(spans);
    folder_make(spans->path);
    spans->fd = open(spans->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct tk_segment_opts opts = {.queue = 8};
    assert_int_equal(tk_segment_sink_new(spans->fd, &opts, &spans->sink, &err), 0);
    assert_int_equal(tk_span_batch_new(100000, &spans->all, &err), 0);
    static const size_t sizes[] = {40000, 100, 5000, 300};
    size_t first = 0;
    for (size_t i = 0; i < TK_COUNTOF(sizes); i++) {
        make_rows(tk_segment_sink_batch(spans->sink), first, sizes[i]);
        make_rows(spans->all, first, sizes[i]);
        first += sizes[i];
        assert_int_equal(tk_segment_sink_commit(spans->sink, &err), 0);
        if (i + 1 < TK_COUNTOF(sizes))
            assert_int_equal(tk_segment_sink_seal(spans->sink, &err), 0);
    }
    assert_int_equal(tk_segment_set_new(spans->fd, false, &spans->set, &err), 0);
    *state = spans;
    return 0;
}

static int spans_teardown(void **state)
{
    struct spans *spans = *state;
    struct tk_err err;
    tk_segment_set_free(spans->set);
    (void)!tk_segment_sink_close(spans->sink, &err);
    tk_segment_sink_free(spans->sink);
    tk_span_batch_free(spans->all);
    close(spans->fd);
    folder_remove(spans->path);
    free(spans);
    return 0;
}

static int note(void *user, const struct tk_span_rows *rows, struct tk_err *err)
{
    (void)err;
    for (size_t i = 0; i < rows->n; i++)
        span_texts_add(user, rows->batch, tk_span_rows_at(rows, i));
    return 0;
}

static const struct tk_attr_condition conditions[] = {
    {.key = {"http.route", 10}, .test = TK_ATTR_EQUAL, .value = {"/route/3", 8}},
    {.key = {"size", 4}, .test = TK_ATTR_EQUAL, .value = {"7", 1}},
    {.key = {"size", 4}, .test = TK_ATTR_ABOVE, .value = {"47", 2}},
    {.key = {"size", 4}, .test = TK_ATTR_NOT_EQUAL, .value = {"0", 1}},
    {.key = {"rare.cause", 10}, .test = TK_ATTR_EQUAL, .value = {"cause-100", 9}},
    {.key = {"rare.cause", 10}, .test = TK_ATTR_EXISTS, .value = {NULL, 0}},
    {.key = {"rare.number", 11}, .test = TK_ATTR_EQUAL, .value = {"77", 2}},
    {.key = {"rare.number", 11}, .test = TK_ATTR_BELOW, .value = {"1000.5", 6}},
    {.key = {"host.name", 9}, .test = TK_ATTR_EQUAL, .value = {"h2", 2}},
    {.key = {"service.name", 12}, .test = TK_ATTR_EQUAL, .value = {"service-1", 9}},
    {.key = {"no.such", 7}, .test = TK_ATTR_EXISTS, .value = {NULL, 0}},
};

static const uint8_t some_traces[2][16] = {
    {3, 0, 0, 0, 0, 0, 0, 0, 0xAB, 0xAB, 0xAB, 0xAB, 0xAB, 0xAB, 0xAB, 0xAB},
    {0xB0, 0x11, 0, 0, 0, 0, 0, 0, 0xAB, 0xAB, 0xAB, 0xAB, 0xAB, 0xAB, 0xAB, 0xAB},
};

static const struct {
    const char *label;
    struct tk_span_query query;
} queries[] = {
    {"all", {.from_ns = 0}},
    {"a service", {.service = {"service-2", 9}}},
    {"no such service", {.service = {"service-9", 9}}},
    {"a name", {.name = {"op-7", 4}}},
    {"a time", {.from_ns = 39990000, .to_ns = 40050000}},
    {"later than all", {.from_ns = 1000000000}},
    {"durations", {.min_duration_ns = 90000, .max_duration_ns = 95000}},
    {"kinds", {.kinds = 1U << 2 | 1U << 5}},
    {"statuses", {.statuses = 1U << 2}},
    {"roots", {.roots = true}},
    {"traces", {.trace_ids = some_traces, .trace_id_count = 2}},
    {"a prefix", {.trace_prefix = {0x10, 0x0F}, .trace_prefix_digits = 4}},
    {"a route", {.conditions = conditions, .condition_count = 1}},
    {"an integer", {.conditions = conditions + 1, .condition_count = 1}},
    {"above", {.conditions = conditions + 2, .condition_count = 1}},
    {"another", {.conditions = conditions + 3, .condition_count = 1}},
    {"a tail attribute", {.conditions = conditions + 4, .condition_count = 1}},
    {"a tail key", {.conditions = conditions + 5, .condition_count = 1}},
    {"a tail number", {.conditions = conditions + 6, .condition_count = 1}},
    {"a tail number below", {.conditions = conditions + 7, .condition_count = 1}},
    {"of the resource", {.conditions = conditions + 8, .condition_count = 1}},
    {"the service as attribute", {.conditions = conditions + 9, .condition_count = 1}},
    {"no such key", {.conditions = conditions + 10, .condition_count = 1}},
    {"much at once",
     {.service = {"service-3", 9},
      .statuses = 1U << 1,
      .conditions = conditions,
      .condition_count = 1}},
};

static void queries_find_what_a_look_at_every_span_finds(void **state)
{
    struct spans *spans = *state;
    for (size_t i = 0; i < TK_COUNTOF(queries); i++) {
        struct tk_err err = {0};
        struct span_texts wanted = {0};
        struct span_texts found = {0};
        print_message("# %s\n", queries[i].label);
        for (size_t row = 0; row < spans->all->rows; row++) {
            if (tk_span_query_matches(&queries[i].query, spans->all, row))
                span_texts_add(&wanted, spans->all, row);
        }
        int rc = tk_segment_set_scan(spans->set, &queries[i].query, note, &found, &err);
        if (rc < 0)
            print_error("%s\n", err.msg);
        assert_int_equal(rc, 0);
        assert_same_spans(&wanted, &found);
        span_texts_release(&wanted);
        span_texts_release(&found);
    }
}

static void no_bound_leaves_out_no_odd_time(void **state)
{
    (void)state;
    static const struct tk_span_query all = {0};
    struct place place;
    struct tk_err err = {0};
    struct span_texts found = {0};
    struct tk_segment_sink *sink = NULL;
    struct tk_segment_set *set = NULL;
    place_make(&place);
    assert_int_equal(tk_segment_sink_new(place.fd, &(struct tk_segment_opts){0}, &sink, &err), 0);
    struct tk_span_batch *batch = tk_segment_sink_batch(sink);
    mix_fill(batch, 1, 1);
    batch->start_ns[0] = -5000000000;
    batch->duration_ns[0] = -1;
    assert_int_equal(tk_segment_sink_close(sink, &err), 0);
    assert_int_equal(tk_segment_set_new(place.fd, false, &set, &err), 0);
    assert_int_equal(tk_segment_set_scan(set, &all, note, &found, &err), 0);
    assert_int_equal(found.n, 1);
    tk_segment_set_free(set);
    tk_segment_sink_free(sink);
    span_texts_release(&found);
    place_remove(&place);
}

static void all_spans_are_read_batch_after_batch(void **state)
{
    static const size_t sizes[] = {100, 33333, 200000};
    struct spans *spans = *state;
    for (size_t i = 0; i < TK_COUNTOF(sizes); i++) {
        struct tk_err err = {0};
        struct span_texts wanted = {0};
        struct span_texts found = {0};
        struct tk_segment_cursor cursor = {0};
        struct tk_span_batch *batch;
        int rc = 0;
        for (size_t row = 0; row < spans->all->rows; row++)
            span_texts_add(&wanted, spans->all, row);
        assert_int_equal(tk_span_batch_new(sizes[i], &batch, &err), 0);
        while (rc == 0) {
            tk_span_batch_reset(batch);
            rc = tk_segment_set_read(spans->set, &cursor, batch, &err);
            for (size_t row = 0; row < batch->rows; row++)
                span_texts_add(&found, batch, row);
        }
        assert_int_equal(rc, 1);
        assert_same_spans(&wanted, &found);
        tk_span_batch_free(batch);
        span_texts_release(&wanted);
        span_texts_release(&found);
    }
}

static void traces_come_in_the_order_that_was_asked_for(void **state)
{
    struct spans *spans = *state;
    struct tk_err err = {0};
    uint8_t ids[3][16];
    mix_trace_id(4520, ids[0]); /* in the log */
    mix_trace_id(1, ids[1]);
    mix_trace_id(4015, ids[2]);
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch;
    assert_int_equal(tk_span_batch_new(100, &batch, &err), 0);
    assert_int_equal(tk_segment_set_traces(spans->set, (const uint8_t(*)[16])ids, 3, batch, &err),
                     0);
    assert_int_equal(batch->rows, 30);
    for (size_t i = 0; i < 30; i++) {
        assert_memory_equal(batch->trace_ids[i], ids[i / 10], 16);
        assert_true(i % 10 == 0 || batch->start_ns[i] > batch->start_ns[i - 1]);
    }
    tk_span_batch_free(batch);
    assert_int_equal(tk_span_batch_new(20, &batch, &err), 0);
    assert_int_equal(tk_segment_set_traces(spans->set, (const uint8_t(*)[16])ids, 3, batch, &err),
                     -ENOBUFS);
}

static void the_latest_traces_are_found_first(void **state)
{
    struct spans *spans = *state;
    struct tk_err err = {0};
    struct tk_span_query query = {.service = TK_STR("service-1")};
    const uint8_t(*ids)[16];
    size_t n;
    assert_int_equal(tk_segment_set_find(spans->set, &query, 7, &ids, &n, &err), 0);
    assert_int_equal(n, 7);
    for (size_t i = 0; i < n; i++) {
        uint8_t wanted[16];
        mix_trace_id(4539 - i, wanted);
        assert_memory_equal(ids[i], wanted, 16);
    }
}

static void operations_are_counted_over_all_files(void **state)
{
    struct spans *spans = *state;
    struct tk_err err = {0};
    const struct tk_span_operation *items;
    size_t n;
    uint64_t spans_seen = 0;
    assert_int_equal(tk_segment_set_operations(spans->set, (tk_str){NULL, 0}, &items, &n, &err), 0);
    for (size_t i = 0; i < n; i++) {
        spans_seen += items[i].spans;
        if (i > 0) {
            int order = tk_str_cmp(items[i - 1].service, items[i].service);
            assert_true(order < 0 ||
                        (order == 0 && tk_str_cmp(items[i - 1].name, items[i].name) <= 0));
        }
    }
    assert_int_equal(spans_seen, spans->all->rows);
    assert_int_equal(tk_segment_set_operations(spans->set, TK_STR("service-1"), &items, &n, &err),
                     0);
    assert_int_equal(n, 15); /* names 1, 5, 9, 13, 17, each with kinds 1, 3, 5 */
    for (size_t i = 0; i < n; i++)
        assert_true(tk_str_eq(items[i].service, TK_STR("service-1")));
}

static void a_file_that_is_no_segment_is_named_or_counted(void **state)
{
    struct spans *spans = *state;
    struct tk_err err = {0};
    struct tk_segment_set *set;
    struct tk_segment_totals totals;
    folder_put(spans->path, "part-000900.parquet", "this is no Parquet file");
    assert_int_equal(tk_segment_set_new(spans->fd, false, &set, &err), -EBADMSG);
    assert_non_null(strstr(err.msg, "part-000900.parquet: "));
    assert_int_equal(tk_segment_set_new(spans->fd, true, &set, &err), 0);
    tk_segment_set_count(set, &totals);
    assert_int_equal(totals.bad_files, 1);
    assert_int_equal(totals.spans, spans->all->rows);
    tk_segment_set_free(set);
    assert_int_equal(unlinkat(spans->fd, "part-000900.parquet", 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queries_find_what_a_look_at_every_span_finds),
        cmocka_unit_test(no_bound_leaves_out_no_odd_time),
        cmocka_unit_test(all_spans_are_read_batch_after_batch),
        cmocka_unit_test(traces_come_in_the_order_that_was_asked_for),
        cmocka_unit_test(the_latest_traces_are_found_first),
        cmocka_unit_test(operations_are_counted_over_all_files),
        cmocka_unit_test(a_file_that_is_no_segment_is_named_or_counted),
    };
    return cmocka_run_group_tests_name("segment_set", tests, spans_setup, spans_teardown);
}
