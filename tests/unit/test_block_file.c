/* SPDX-License-Identifier: Apache-2.0 */
#include "segment/block_file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "segment/folder.h"
#include "segment/segment_set.h"
#include "segment/segment_sink.h"
#include "segment/segment_write.h"
#include "span_maker.h"
#include "span_mix.h"
#include "tk_place.h"

static const struct tk_codec_options lossless = {.mode = TK_CODEC_LOSSLESS};

static void check(int rc, const struct tk_err *err)
{
    if (rc < 0)
        fail_msg("%s", err->msg);
}

static bool is_there(const struct place *place, const char *name)
{
    return faccessat(place->fd, name, F_OK, 0) == 0;
}

static int note(void *user, const struct tk_span_rows *rows, struct tk_err *err)
{
    (void)err;
    for (size_t i = 0; i < rows->n; i++)
        span_texts_add(user, rows->batch, tk_span_rows_at(rows, i));
    return 0;
}

static void note_all(const struct place *place, struct span_texts *texts)
{
    struct tk_err err = {0};
    struct tk_segment_set *set = NULL;
    const struct tk_span_query query = {.from_ns = INT64_MIN};
    check(tk_segment_set_new(place->fd, false, &set, &err), &err);
    check(tk_segment_set_scan(set, &query, note, texts, &err), &err);
    tk_segment_set_free(set);
}

/* Spans of several segments, some sealed, the last one not, come back whole. */
static void compressed_segments_hold_every_field(void **state)
{
    (void)state;
    struct place place;
    struct tk_err err = {0};
    struct tk_segment_sink *sink = NULL;
    struct span_texts before = {0};
    struct span_texts after = {0};
    const struct tk_segment_opts opts = {.segment_rows = 1000, .compress = &lossless};
    place_make(&place);
    check(tk_segment_sink_new(place.fd, &opts, &sink, &err), &err);
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct tk_span_batch *batch = tk_segment_sink_batch(sink);
        mix_fill(batch, seed, 500);
        span_texts_add_all(&before, batch);
        check(tk_segment_sink_commit(sink, &err), &err);
        if (seed < 3)
            check(tk_segment_sink_seal(sink, &err), &err);
    }
    check(tk_segment_sink_close(sink, &err), &err);
    tk_segment_sink_free(sink);
    assert_true(is_there(&place, "part-000001.tkz"));
    assert_false(is_there(&place, "part-000001.parquet"));
    note_all(&place, &after);
    assert_same_spans(&before, &after);
    span_texts_release(&before);
    span_texts_release(&after);
    place_remove(&place);
}

static void write_spans(const struct place *place, const struct made_span *spans, size_t n)
{
    struct tk_err err = {0};
    const struct tk_segment_form form = {.compress = &lossless};
    struct tk_span_batch *batch;
    uint64_t bytes;
    check(tk_span_batch_new(64, &batch, &err), &err);
    made_add(batch, spans, n);
    check(tk_segment_write_as(place->fd, 1, batch, &form, &bytes, &err), &err);
    assert_true(bytes > 0);
    tk_span_batch_free(batch);
}

static const struct made_span shop[] = {
    {.service = "web", .name = "get", .id = 1, .start_ns = 1000000, .duration_ns = 500},
    {.service = "cart", .name = "add", .id = 2, .parent = 1, .start_ns = 1000100, .duration_ns = 9},
    {.service = "web", .name = "get", .id = 3, .start_ns = 2000000, .duration_ns = 7, .trace = 2},
};

static void what_is_known_saves_decoding(void **state)
{
    (void)state;
    struct place place;
    struct tk_err err = {0};
    struct tk_block_file file;
    const uint8_t there[1][16] = {{[15] = 2}};
    const uint8_t other[1][16] = {{[15] = 9}};
    place_make(&place);
    write_spans(&place, shop, TK_COUNTOF(shop));
    check(tk_block_file_open(place.fd, "part-000001.tkz", &file, &err), &err);
    assert_int_equal(file.info.spans, 3);
    const struct tk_span_query late = {.from_ns = 3000000};
    const struct tk_span_query early = {.to_ns = 1000000};
    const struct tk_span_query mail = {.service = TK_STR("mail")};
    const struct tk_span_query cart = {.service = TK_STR("cart"), .name = TK_STR("add")};
    const struct tk_span_query mixed = {.service = TK_STR("cart"), .name = TK_STR("get")};
    const struct tk_span_query of_there = {.trace_ids = there, .trace_id_count = 1};
    const struct tk_span_query of_other = {.trace_ids = other, .trace_id_count = 1};
    assert_false(tk_block_file_may_match(&file, &late));
    assert_false(tk_block_file_may_match(&file, &early));
    assert_true(tk_block_file_may_match(&file, &mail)); /* not known yet */
    check(tk_block_file_load(&file, &err), &err);
    tk_block_file_unload(&file);
    assert_false(tk_block_file_may_match(&file, &mail));
    assert_true(tk_block_file_may_match(&file, &cart));
    assert_false(tk_block_file_may_match(&file, &mixed));
    assert_true(tk_block_file_may_match(&file, &of_there));
    assert_false(tk_block_file_may_match(&file, &of_other));
    tk_block_file_close(&file);
    place_remove(&place);
}

static void a_file_that_is_cut_is_refused_by_its_name(void **state)
{
    (void)state;
    struct place place;
    struct tk_err err = {0};
    struct tk_block_file file;
    char path[PATH_MAX + 32];
    place_make(&place);
    write_spans(&place, shop, TK_COUNTOF(shop));
    (void)snprintf(path, sizeof(path), "%s/part-000001.tkz", place.path);
    for (off_t n = 0; n < 100; n += 7) {
        assert_int_equal(truncate(path, 99 - n), 0);
        assert_int_equal(tk_block_file_open(place.fd, "part-000001.tkz", &file, &err), -EBADMSG);
        assert_non_null(strstr(err.msg, "part-000001.tkz"));
    }
    place_remove(&place);
}

static void spans_that_no_block_holds_become_parquet(void **state)
{
    (void)state;
    struct place place;
    struct span_texts texts = {0};
    static const struct made_span apart[] = {
        {.id = 1, .start_ns = INT64_MIN + 5, .duration_ns = 1},
        {.id = 2, .start_ns = INT64_MAX - 5, .duration_ns = 1},
    };
    place_make(&place);
    write_spans(&place, apart, TK_COUNTOF(apart));
    assert_true(is_there(&place, "part-000001.parquet"));
    assert_false(is_there(&place, "part-000001.tkz"));
    note_all(&place, &texts);
    assert_int_equal(texts.n, 2);
    span_texts_release(&texts);
    place_remove(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compressed_segments_hold_every_field),
        cmocka_unit_test(what_is_known_saves_decoding),
        cmocka_unit_test(a_file_that_is_cut_is_refused_by_its_name),
        cmocka_unit_test(spans_that_no_block_holds_become_parquet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
