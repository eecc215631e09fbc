/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of Gen-T: the golden case of trace-compression.md section 15.5, odd traces, odd texts; and
 * what was written is read back. */
#include "span/write_gent.h"

#include <stdlib.h>

#include "span/span_format.h"
#include "span_maker.h"

#define OUT_MAX ((size_t)1 << 20)

/* What the encoder makes of all rows. */
static void encode(const struct tk_span_batch *batch, const struct tk_gent_options *options,
                   struct tk_buf *out)
{
    struct tk_err err;
    uint32_t rows[64];
    void *state = calloc(1, tk_span_encoder_gent.state_size);
    assert_non_null(state);
    memcpy(state, options, sizeof(*options));
    for (uint32_t i = 0; i < batch->rows; i++)
        rows[i] = i;
    tk_buf_init(out, OUT_MAX);
    assert_int_equal(tk_span_encoder_gent.spans(
                         state, &(struct tk_span_rows){batch, rows, batch->rows}, out, &err),
                     0);
    tk_span_encoder_gent.release(state);
    free(state);
    tk_buf_putc(out, '\0');
    assert_true(tk_buf_ok(out));
}

static bool has(const struct tk_buf *out, const char *text)
{
    return strstr(out->p, text) != NULL;
}

/* The three spans of the golden case, child first. */
static struct tk_span_batch *golden_batch(void)
{
    static const struct made_span spans[] = {
        {"cartservice", "HGET", 0x38c5, 0x63fc, 1656095783087471000, 427000, 0, 0,
         0x62b8a8877fdfa085, NULL},
        {"cartservice", "GetCart", 0x63fc, 0x54df, 1656095783087240000, 301000, 0, 0,
         0x62b8a8877fdfa085, NULL},
        {"cartservice", "grpc.request", 0x54df, 0, 1656095783086384000, 1674000, 0, 0,
         0x62b8a8877fdfa085, NULL},
    };
    struct tk_span_batch *batch;
    struct tk_err err;
    assert_int_equal(tk_span_batch_new(64, &batch, &err), 0);
    made_add(batch, spans, TK_COUNTOF(spans));
    return batch;
}

static void the_golden_case_is_as_the_page_has_it(void **state)
{
    (void)state;
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = golden_batch();
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    encode(batch, &(struct tk_gent_options){.service_type = "jaeger"}, &out);
    assert_true(has(&out,
                    "{\"traceStatus\": \"manual-traced\", \"nodesData\": {\"cartservice*2\": "
                    "{\"resource\": {\"id\": \"cartservice*2\", \"name\": \"cartservice*2\", "
                    "\"serviceType\": \"jaeger\"}, \"id\": \"cartservice*2\", "
                    "\"startTime\": 1656095783087471, \"duration\": 427, "
                    "\"appTagId\": \"app_0000000000\", \"hasData\": 0, "
                    "\"environmentVariables\": {\"isTruncated\": 0, \"body\": {}}, "
                    "\"issues\": [], \"type\": \"jaeger\", \"operation\": \"HGET\", "
                    "\"kind\": \"unspecified\", \"statusMessage\": \"\"}, \"cartservice*1\""));
    assert_true(has(&out, "\"graph\": {\"status\": \"completed\", \"edges\": ["
                          "{\"source\": \"cartservice*1\", \"target\": \"cartservice*2\"}, "
                          "{\"source\": \"cartservice*0\", \"target\": \"cartservice*1\"}]}"));
    assert_true(has(&out, "\"childrenIds\": [\"cartservice*2\"], \"group\": \"\", "
                          "\"start\": 1656095783087240, \"end\": 1656095783087541, "
                          "\"duration\": 301}"));
    assert_true(has(&out, "\"details\": {\"status\": \"completed\", "
                          "\"transactionId\": \"62b8a8877fdfa085\", "
                          "\"startTime\": 1656095783086384, \"duration\": 1674, \"cost\": 0, "
                          "\"regions\": [], \"issues\": {\"count\": 0}, "
                          "\"triggeredService\": {}}},\n"));
}

static void reversed_edges_go_from_child_to_parent(void **state)
{
    (void)state;
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = golden_batch();
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    encode(batch, &(struct tk_gent_options){.reversed = true, .compat = true}, &out);
    assert_true(has(&out, "\"edges\": [{\"source\": \"cartservice*2\", \"target\": "
                          "\"cartservice*1\"}, {\"source\": \"cartservice*1\", \"target\": "
                          "\"cartservice*0\"}]}"));
    assert_true(has(&out, "{\"id\": \"cartservice*2\", \"childrenIds\": [\"cartservice*1\"]"));
    assert_false(has(&out, "\"operation\""));
}

static void what_was_written_is_read_back(void **state)
{
    (void)state;
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = golden_batch();
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *back = NULL;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    struct tk_err err;
    struct tk_span_tally tally = {0};
    void *reader;
    batch->statuses[0] = TK_SPAN_ERROR;
    batch->messages[0] = made_text(batch, "no \"cart\"\n\xC3\xA9 \xF0\x9F\x98\x80\x7F");
    encode(batch, &(struct tk_gent_options){0}, &out);
    assert_true(has(&out, "no \\\"cart\\\"\\n\\u00e9 \\ud83d\\ude00\\u007f"));
    assert_int_equal(tk_span_batch_new(64, &back, &err), 0);
    assert_int_equal(tk_span_reader_gent.open(&reader, &err), 0);
    struct tk_span_input input = {.text = {out.p, out.n - 1}};
    assert_int_equal(tk_span_reader_gent.read(reader, &input, back, &tally, &err), 1);
    tk_span_reader_gent.close(reader);
    assert_string_equal(input.first_bad, "");
    assert_int_equal(back->rows, 3);
    for (size_t row = 0; row < 3; row++) {
        assert_memory_equal(back->trace_ids[row], batch->trace_ids[row], 16);
        assert_int_equal(back->start_ns[row], batch->start_ns[row]);
        assert_int_equal(back->duration_ns[row], batch->duration_ns[row]);
        assert_true(tk_str_eq(tk_span_name(back, row), tk_span_name(batch, row)));
        assert_int_equal(back->statuses[row], batch->statuses[row]);
    }
    assert_true(tk_str_eq(tk_texts_get(&back->texts, back->messages[0]),
                          tk_texts_get(&batch->texts, batch->messages[0])));
    assert_int_equal(back->parent_ids[0], back->span_ids[1]);
    assert_int_equal(back->parent_ids[1], back->span_ids[2]);
}

static void of_equal_keys_the_last_value_stands_in_the_place_of_the_first(void **state)
{
    (void)state;
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = NULL;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    struct tk_err err;
    assert_int_equal(tk_span_batch_new(8, &batch, &err), 0);
    made_begin(batch, &(struct made_span){.service = "a", .id = 1, .host = "h1"});
    made_attr(batch, "k", "first");
    made_attr(batch, "process_host.name", "of the span");
    made_attr_i64(batch, "http.status_code", 302);
    made_attr(batch, "k", "last");
    made_attr(batch, "gent.service_type", "http");
    assert_int_equal(tk_span_batch_end(batch), 0);
    encode(batch, &(struct tk_gent_options){0}, &out);
    assert_true(has(&out,
                    "\"hasData\": 1, \"environmentVariables\": {\"isTruncated\": 0, \"body\": "
                    "{\"k\": \"last\", \"process_host.name\": \"h1\", "
                    "\"http.status_code\": 302}}"));
    assert_true(has(&out, "\"issues\": [{\"category\": \"ERROR\", \"id\": \"a*0\", "));
    assert_true(has(&out, "\"type\": \"http\""));
}

static void equal_starts_are_ranked_by_id_and_orphans_have_no_edge(void **state)
{
    (void)state;
    static const struct made_span spans[] = {
        {.service = "a", .id = 9, .parent = 7, .start_ns = 5000},
        {.service = "a", .id = 3, .parent = 3, .start_ns = 5000},
        {.service = "b", .id = 4, .start_ns = -1500, .duration_ns = 2000},
    };
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = NULL;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    TK_CLEANUP(tk_buf_release) struct tk_buf compat;
    struct tk_err err;
    assert_int_equal(tk_span_batch_new(8, &batch, &err), 0);
    made_add(batch, spans, TK_COUNTOF(spans));
    encode(batch, &(struct tk_gent_options){0}, &out);
    assert_true(has(&out, "\"nodesData\": {\"a*1\": "));
    assert_true(has(&out, "\"edges\": []}"));
    assert_true(has(&out, "\"range\": {\"start\": -2, \"end\": 5}"));
    encode(batch, &(struct tk_gent_options){.compat = true}, &compat);
    assert_string_equal(compat.p, "");
}

static void names_by_url_are_those_of_gent(void **state)
{
    (void)state;
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = golden_batch();
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    made_begin(batch,
               &(struct made_span){
                   .service = "web", .id = 0x99, .parent = 0x54df, .trace = 0x62b8a8877fdfa085});
    made_attr(batch, "http.url", "http://shop/cart?id=1");
    assert_int_equal(tk_span_batch_end(batch), 0);
    encode(batch, &(struct tk_gent_options){.compat = true}, &out);
    assert_true(has(&out, "\"shop/cart*0\""));
    assert_false(has(&out, "\"web*0\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_golden_case_is_as_the_page_has_it),
        cmocka_unit_test(reversed_edges_go_from_child_to_parent),
        cmocka_unit_test(what_was_written_is_read_back),
        cmocka_unit_test(of_equal_keys_the_last_value_stands_in_the_place_of_the_first),
        cmocka_unit_test(equal_starts_are_ranked_by_id_and_orphans_have_no_edge),
        cmocka_unit_test(names_by_url_are_those_of_gent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
