/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of trace-protocols.md sections 2.1 and 2.2: messages in a readable form of protobuf,
 * and what they mean as OTLP/JSON. */
#include "span/otlp.h"

#include <errno.h>

#include "tk_test.h"
#include "wire_text.h"

#define IDS   "1#000102030405060708090a0b0c0d0e0f 2#1011121314151617 "
#define TIMES "7@1000 8@3000 "
#define SPAN  "2{" IDS TIMES "} "

#define JSON_IDS   "\"traceId\":\"000102030405060708090a0b0c0d0e0f\",\"spanId\":\"1011121314151617\","
#define JSON_TIMES "\"startTimeUnixNano\":\"1000\",\"endTimeUnixNano\":\"3000\""
#define JSON_SPAN  "{" JSON_IDS JSON_TIMES "}"

/* Around spans. */
#define JSON_HEAD "{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":["
#define JSON_TAIL "]}]}]}"

struct space {
    struct tk_span_batch *batch;
    struct tk_otlp_reader *reader;
    struct tk_span_tally tally;
    struct tk_buf message;
    struct tk_buf out;
    struct tk_err err;
};

static void open_space(struct space *space)
{
    *space = (struct space){0};
    assert_int_equal(tk_span_batch_new(1000, &space->batch, &space->err), 0);
    assert_int_equal(tk_otlp_reader_new(space->batch, &space->reader, &space->err), 0);
    tk_buf_init(&space->message, 1 << 20);
    tk_buf_init(&space->out, 1 << 24);
}

static void close_space(struct space *space)
{
    tk_otlp_reader_free(space->reader);
    tk_span_batch_free(space->batch);
    tk_buf_release(&space->message);
    tk_buf_release(&space->out);
}

static int decode(struct space *space, const char *text)
{
    tk_buf_reset(&space->message);
    assert_int_equal(*wire_text(&space->message, text), '\0');
    return tk_otlp_decode(space->reader, tk_buf_str(&space->message), &space->tally, &space->err);
}

static tk_str as_json(struct space *space)
{
    tk_buf_reset(&space->out);
    tk_otlp_encode_json(&(struct tk_span_rows){space->batch, NULL, space->batch->rows},
                        &space->out);
    return tk_buf_str(&space->out);
}

static const struct {
    const char *message, *json;
} meanings[] = {
    /* A plain span, and nothing. */
    {"1{2{" SPAN "}}", JSON_HEAD JSON_SPAN JSON_TAIL},
    {"", "{\"resourceSpans\":[]}"},
    {"1{} 1{2{}} 1{1{1{1\"k\"}} 2{1{1\"lib\"}}}", "{\"resourceSpans\":[]}"},
    /* Every field of a span. */
    {"1{2{2{" IDS "3\"a=b\" 4#2021222324252627 5\"op\" 6=2 " TIMES
     "9{1\"k\" 2{1\"v\"}} 10=1 11{1@5 2\"ev\" 3{1\"e\" 2{3=-7}} 4=2} 12=3 "
     "13{1#ff0102030405060708090a0b0c0d0e0f 2#f011121314151617 3\"c=d\" "
     "4{1\"l\" 2{2=1}} 5=4 6%769} 14=5 15{2\"no\" 3=2} 16%257}}}",
     JSON_HEAD "{" JSON_IDS "\"traceState\":\"a=b\",\"parentSpanId\":\"2021222324252627\","
               "\"name\":\"op\",\"kind\":2," JSON_TIMES
               ",\"attributes\":[{\"key\":\"k\",\"value\":{\"stringValue\":\"v\"}}],"
               "\"droppedAttributesCount\":1,\"events\":[{\"timeUnixNano\":\"5\",\"name\":\"ev\","
               "\"attributes\":[{\"key\":\"e\",\"value\":{\"intValue\":\"-7\"}}],"
               "\"droppedAttributesCount\":2}],\"droppedEventsCount\":3,\"links\":[{"
               "\"traceId\":\"ff0102030405060708090a0b0c0d0e0f\",\"spanId\":\"f011121314151617\","
               "\"traceState\":\"c=d\",\"attributes\":[{\"key\":\"l\",\"value\":{"
               "\"boolValue\":true}}],\"droppedAttributesCount\":4,\"flags\":769}],"
               "\"droppedLinksCount\":5,\"status\":{\"message\":\"no\",\"code\":2},"
               "\"flags\":257}" JSON_TAIL},
    /* Every field of resources and scopes, both schema_urls, references to entities. */
    {"1{1{1{1\"service.name\" 2{1\"shop\"}} 2=1 3{1\"u\" 2\"service\" 3\"a\" 3\"b\" 4\"c\"} "
     "3{2\"host\"}} 2{1{1\"lib\" 2\"1.0\" 3{1\"s\" 2{}} 4=2} " SPAN "3\"scope-url\"} "
     "3\"resource-url\"}",
     "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{"
     "\"stringValue\":\"shop\"}}],\"droppedAttributesCount\":1,\"entityRefs\":[{\"schemaUrl\":"
     "\"u\",\"type\":\"service\",\"idKeys\":[\"a\",\"b\"],\"descriptionKeys\":[\"c\"]},"
     "{\"type\":\"host\"}]},\"scopeSpans\":[{\"scope\":{\"name\":\"lib\",\"version\":\"1.0\","
     "\"attributes\":[{\"key\":\"s\",\"value\":{}}],\"droppedAttributesCount\":2},"
     "\"spans\":[" JSON_SPAN "],\"schemaUrl\":\"scope-url\"}],\"schemaUrl\":\"resource-url\"}]}"},
    /* Heads behind what they belong to. */
    {"1{3\"ru\" 2{" SPAN "3\"su\" 1{1\"lib\"}} 1{2=7}}",
     "{\"resourceSpans\":[{\"resource\":{\"droppedAttributesCount\":7},\"scopeSpans\":[{\"scope\":"
     "{\"name\":\"lib\"},\"spans\":[" JSON_SPAN "],\"schemaUrl\":\"su\"}],\"schemaUrl\":\"ru\"}]}"},
    /* Heads in pieces are merged; of scalars the last counts. */
    {"1{1{1{1\"a\" 2{1\"b\"}} 2=3} 2{1{1\"x\" 2\"v\"} " SPAN "1{1\"lib\"}} 1{} "
     "1{1{1\"c\" 2{1\"d\"}}}}",
     "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"a\",\"value\":{"
     "\"stringValue\":\"b\"}},{\"key\":\"c\",\"value\":{\"stringValue\":\"d\"}}],"
     "\"droppedAttributesCount\":3},\"scopeSpans\":[{\"scope\":{\"name\":\"lib\",\"version\":"
     "\"v\"},\"spans\":[" JSON_SPAN "]}]}]}"},
    {"1{2{2{16%1 15{2\"a\" 3=1} 14=1 5\"x\" 8@1 7@1 5\"op\" 14=0 16%2 15{3=2} " IDS TIMES "}}}",
     JSON_HEAD "{" JSON_IDS "\"name\":\"op\"," JSON_TIMES
               ",\"status\":{\"message\":\"a\",\"code\":2},\"flags\":2}" JSON_TAIL},
    {"1{2{2{" IDS TIMES "9{2{1\"x\"} 1\"a\" 1\"k\" 2{3=5}}}}}",
     JSON_HEAD "{" JSON_IDS JSON_TIMES
               ",\"attributes\":[{\"key\":\"k\",\"value\":{\"intValue\":\"5\"}}]}" JSON_TAIL},
    /* Unknown fields at each level, of all wire types; a known one with another wire type. */
    {"99=1 1{1000{1{}} 2{7(1=2 8(8)7) 2{100@1 101%2 102\"x\" 5=3 " IDS "103(103)" TIMES
     "15{1=9 9\"x\"}}} 4=1} 1=5",
     JSON_HEAD JSON_SPAN JSON_TAIL},
    /* Kinds and codes that are not known, numbers above 32 bits. */
    {"1{2{2{6=77 15{3=9} 10=4294967297 " IDS TIMES "}}}",
     JSON_HEAD "{" JSON_IDS JSON_TIMES ",\"droppedAttributesCount\":1}" JSON_TAIL},
    /* Values of each type, also where the short way does not fit. */
    {"1{2{2{" IDS TIMES "9{1\"s\" 2{1\"\"}} 9{1\"n\" 2{3=9223372036854775807}} 9{1\"d\" 2{4@0}} "
     "9{1\"b\" 2{7#00ff}} 9{1\"a\" 2{5{1{3=1} 1{}}}} 9{1\"m\" 2{6{1{1\"k\" 2{2=0}}}}} 9{1\"e\"} "
     "9{2{1\"no key\"}} 9{1\"u\" 2{1\"v\"} 3=4} 9{1\"w\" 2{1\"v\" 8=4}}}}}",
     JSON_HEAD
     "{" JSON_IDS JSON_TIMES ",\"attributes\":[{\"key\":\"s\",\"value\":{\"stringValue\":\"\"}},"
     "{\"key\":\"n\",\"value\":{\"intValue\":\"9223372036854775807\"}},"
     "{\"key\":\"d\",\"value\":{\"doubleValue\":0}},{\"key\":\"b\",\"value\":{\"bytesValue\":"
     "\"AP8=\"}},{\"key\":\"a\",\"value\":{\"arrayValue\":{\"values\":[{\"intValue\":\"1\"},{}]}}},"
     "{\"key\":\"m\",\"value\":{\"kvlistValue\":{\"values\":[{\"key\":\"k\",\"value\":{"
     "\"boolValue\":false}}]}}},{\"key\":\"e\",\"value\":{}},{\"key\":\"\",\"value\":{"
     "\"stringValue\":\"no key\"}},{\"key\":\"u\",\"value\":{\"stringValue\":\"v\"}},"
     "{\"key\":\"w\",\"value\":{\"stringValue\":\"v\"}}]}" JSON_TAIL},
    /* A link may lack its ids. */
    {"1{2{2{" IDS TIMES "13{3\"a=b\"}}}}",
     JSON_HEAD "{" JSON_IDS JSON_TIMES ",\"links\":[{\"traceState\":\"a=b\"}]}" JSON_TAIL},
};

static void messages_mean_what_the_protocol_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < TK_COUNTOF(meanings); i++) {
        struct space space;
        open_space(&space);
        print_message("# %s\n", meanings[i].message);
        assert_int_equal(decode(&space, meanings[i].message), 0);
        assert_str_equal(as_json(&space), meanings[i].json);
        close_space(&space);
    }
}

static void what_is_written_is_read_as_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < TK_COUNTOF(meanings); i++) {
        struct space space;
        open_space(&space);
        assert_int_equal(decode(&space, meanings[i].message), 0);
        tk_buf_reset(&space.message);
        tk_otlp_encode(&(struct tk_span_rows){space.batch, NULL, space.batch->rows},
                       &space.message);
        tk_span_batch_reset(space.batch);
        tk_otlp_reader_reset(space.reader, space.batch);
        assert_int_equal(
            tk_otlp_decode(space.reader, tk_buf_str(&space.message), &space.tally, &space.err), 0);
        assert_str_equal(as_json(&space), meanings[i].json);
        close_space(&space);
    }
}

static void the_same_in_json_gives_an_equal_batch(void **state)
{
    (void)state;
    for (size_t i = 0; i < TK_COUNTOF(meanings); i++) {
        struct space space;
        struct space other;
        open_space(&space);
        open_space(&other);
        assert_int_equal(decode(&space, meanings[i].message), 0);
        assert_int_equal(tk_otlp_decode_json(other.reader, tk_str_from(meanings[i].json),
                                             &other.tally, &other.err),
                         0);
        assert_memory_equal(&space.tally, &other.tally, sizeof(space.tally));
        assert_str_equal(as_json(&other), meanings[i].json);
        tk_buf_reset(&space.message);
        tk_otlp_encode(&(struct tk_span_rows){space.batch, NULL, space.batch->rows},
                       &space.message);
        tk_otlp_encode(&(struct tk_span_rows){other.batch, NULL, other.batch->rows},
                       &other.message);
        assert_true(tk_str_eq(tk_buf_str(&space.message), tk_buf_str(&other.message)));
        close_space(&space);
        close_space(&other);
    }
}

static void bad_messages_are_refused_as_a_whole(void **state)
{
    (void)state;
    static const struct {
        const char *message, *error;
    } cases[] = {
        {"1{2{" SPAN "2(}} ", "byte 53: expected the end of a group"},
        {"1{2{" SPAN "} 1)}", "byte 53: expected no end of a group that is not open"},
        {"1{2{" SPAN "2{9{1\"k\" 2#0a05}}}}",
         "byte 63: expected as many bytes as the length before says"},
        {"1{2{" SPAN "2{" IDS "11#09}}}", "byte 85: expected 8 bytes"},
        {"1{1#08 2{" SPAN "}}", "byte 5: expected a varint, not the end"},
        {"1{2{" SPAN "} 2{1{3#0a} " SPAN "}}", "byte 59: expected a varint, not the end"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct space space;
        open_space(&space);
        print_message("# %s\n", cases[i].message);
        assert_int_equal(decode(&space, "1{2{" SPAN "}}"), 0);
        assert_int_equal(decode(&space, cases[i].message), -EBADMSG);
        assert_string_equal(space.err.msg, cases[i].error);
        assert_int_equal(space.batch->rows, 1);
        assert_int_equal(space.tally.spans, 1);
        assert_str_equal(as_json(&space), JSON_HEAD JSON_SPAN JSON_TAIL);
        close_space(&space);
    }
}

static void invalid_spans_are_left_out_and_counted(void **state)
{
    (void)state;
    static const struct {
        const char *span;
        enum tk_span_reason reason;
    } cases[] = {
        {"2#1011121314151617 " TIMES, TK_SPAN_BAD_TRACE_ID},
        {"1#0102 2#1011121314151617 " TIMES, TK_SPAN_BAD_TRACE_ID},
        {"1#00000000000000000000000000000000 2#1011121314151617 " TIMES, TK_SPAN_BAD_TRACE_ID},
        {"1#000102030405060708090a0b0c0d0e0f " TIMES, TK_SPAN_BAD_SPAN_ID},
        {"1#000102030405060708090a0b0c0d0e0f 2#0000000000000000 " TIMES, TK_SPAN_BAD_SPAN_ID},
        {"1#000102030405060708090a0b0c0d0e0f 2#000000000000000001 " TIMES, TK_SPAN_BAD_SPAN_ID},
        {IDS TIMES "4#0102", TK_SPAN_BAD_PARENT_ID},
        {IDS "8@5", TK_SPAN_BAD_TIME},
        {IDS "7@9223372036854775808 8@9223372036854775809", TK_SPAN_BAD_TIME},
    };
    struct space space;
    open_space(&space);
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        char text[512];
        struct tk_span_tally before = space.tally;
        print_message("# %s\n", cases[i].span);
        (void)snprintf(text, sizeof(text),
                       "1{2{" SPAN "2{%s 9{1\"k\" 2{1\"v\"}} 11{3{1\"e\"}} 13{}} " SPAN "}}",
                       cases[i].span);
        assert_int_equal(decode(&space, text), 0);
        assert_int_equal(space.tally.spans, before.spans + 2);
        before.spans += 2;
        before.by_reason[cases[i].reason]++;
        assert_memory_equal(&space.tally, &before, sizeof(before));
        assert_int_equal(space.batch->attr_count, 0);
        assert_int_equal(space.batch->event_count, 0);
        assert_int_equal(space.batch->link_count, 0);
        assert_int_equal(space.batch->side_attr_count, 0);
    }
    close_space(&space);
}

static void a_span_that_ends_before_it_starts_has_no_duration(void **state)
{
    (void)state;
    struct space space;
    open_space(&space);
    assert_int_equal(decode(&space, "1{2{2{" IDS "7@2000 8@1000} 2{" IDS "7@2000}}}"), 0);
    assert_int_equal(space.batch->rows, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(space.batch->start_ns[i], 2000);
        assert_int_equal(space.batch->duration_ns[i], 0);
    }
    assert_int_equal(space.tally.by_reason[TK_SPAN_ENDS_EARLY], 2);
    close_space(&space);
}

static void text_that_is_no_utf8_is_kept_as_bytes_or_mended(void **state)
{
    (void)state;
    struct space space;
    open_space(&space);
    assert_int_equal(decode(&space, "1{2{2{" IDS TIMES "5#61ff 9{1#6bfe 2{1#fd}}} "
                                    "2{" IDS TIMES "9{1\"k\" 2{1#c3a9}}}}}"),
                     0);
    assert_str_equal(as_json(&space),
                     JSON_HEAD "{" JSON_IDS "\"name\":\"a\xEF\xBF\xBD\"," JSON_TIMES
                               ",\"attributes\":[{\"key\":\"k\xEF\xBF\xBD\",\"value\":{"
                               "\"bytesValue\":\"/Q==\"}}]},{" JSON_IDS JSON_TIMES
                               ",\"attributes\":[{\"key\":\"k\",\"value\":{\"stringValue\":"
                               "\"\xC3\xA9\"}}]}" JSON_TAIL);
    assert_int_equal(space.tally.by_reason[TK_SPAN_NO_UTF8], 1);
    close_space(&space);
}

static void attributes_above_the_cap_are_counted_as_dropped(void **state)
{
    (void)state;
    struct space space;
    struct tk_buf text;
    open_space(&space);
    tk_buf_init(&text, 1 << 20);
    tk_buf_puts(&text, "1{2{2{10=5 11{");
    for (int i = 0; i < TK_OTLP_MAX_ATTRS + 3; i++)
        tk_buf_puts(&text, "3{1\"e\"}");
    tk_buf_puts(&text, "}");
    for (int i = 0; i < TK_OTLP_MAX_ATTRS + 2; i++)
        tk_buf_puts(&text, "9{1\"k\" 2{3=1}}");
    tk_buf_puts(&text, IDS TIMES "}");
    tk_buf_puts(&text, SPAN "}}");
    tk_buf_putc(&text, '\0');
    assert_int_equal(decode(&space, text.p), 0);
    assert_int_equal(space.batch->attr_ends[0], TK_OTLP_MAX_ATTRS);
    assert_int_equal(space.batch->dropped_attrs[0], 5 + 2);
    assert_int_equal(space.batch->events[0].attrs.n, TK_OTLP_MAX_ATTRS);
    assert_int_equal(space.batch->events[0].attrs.dropped, 3);
    assert_int_equal(space.tally.by_reason[TK_SPAN_CUT_ATTRS], 1);
    tk_buf_release(&text);
    close_space(&space);
}

static void links_with_ids_of_another_length_are_counted_as_dropped(void **state)
{
    (void)state;
    struct space space;
    open_space(&space);
    assert_int_equal(decode(&space, "1{2{2{" IDS TIMES "14=1 13{1#01} 13{2#02} 13{6%1}}}}"), 0);
    assert_int_equal(space.batch->link_count, 1);
    assert_int_equal(space.batch->dropped_links[0], 3);
    close_space(&space);
}

static void resources_and_scopes_that_came_before_are_shared(void **state)
{
    (void)state;
    struct space space;
    open_space(&space);
    static const char *const messages[] = {
        "1{1{1{1\"service.name\" 2{1\"shop\"}}} 2{1{1\"lib\"}" SPAN "} 2{1{1\"other\"}" SPAN "}}",
        "1{1{1{1\"service.name\" 2{1\"cart\"}}} 2{1{1\"lib\"}" SPAN "}}",
        "1{1{1{1\"service.name\" 2{1\"shop\"}}} 2{1{1\"lib\"}" SPAN "} 3\"url\"}",
    };
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < TK_COUNTOF(messages); i++)
            assert_int_equal(decode(&space, messages[i]), 0);
    }
    assert_int_equal(space.batch->resource_count, 3);
    assert_int_equal(space.batch->scope_count, 4);
    static const char *const services[] = {"shop", "shop", "cart", "shop"};
    for (size_t row = 0; row < 12; row++)
        assert_str_equal(tk_span_service(space.batch, row), services[row % 4]);
    close_space(&space);
}

static void a_message_that_does_not_fit_can_be_read_after_a_reset(void **state)
{
    (void)state;
    struct space space;
    open_space(&space);
    static const char message[] = "1{1{1{1\"service.name\" 2{1\"shop\"}}} 2{" SPAN SPAN SPAN "}}";
    int rc = 0;
    for (int i = 0; i < 333 && rc == 0; i++)
        rc = decode(&space, message);
    assert_int_equal(rc, 0);
    assert_int_equal(decode(&space, message), -ENOBUFS);
    assert_int_equal(space.batch->rows, 999);
    tk_span_batch_reset(space.batch);
    tk_otlp_reader_reset(space.reader, space.batch);
    assert_int_equal(decode(&space, message), 0);
    assert_int_equal(space.batch->rows, 3);
    assert_str_equal(tk_span_service(space.batch, 2), "shop");
    close_space(&space);
}

/* Values that never come twice are appended after a while, and all stay right. */
static void values_that_vary_are_kept_as_well(void **state)
{
    (void)state;
    struct space space;
    open_space(&space);
    for (int i = 0; i < 20000; i++) {
        char text[256];
        (void)snprintf(text, sizeof(text),
                       "1{2{2{" IDS TIMES "9{1\"id\" 2{1\"value %d\"}} 9{1\"k\" 2{1\"%d\"}}}}}", i,
                       i % 10);
        assert_int_equal(decode(&space, text), 0);
        size_t n;
        const struct tk_attr *attrs = tk_span_attrs(space.batch, space.batch->rows - 1, &n);
        char value[32];
        (void)snprintf(value, sizeof(value), "value %d", i);
        assert_str_equal(tk_texts_get(&space.batch->texts, attrs[0].text), value);
        (void)snprintf(value, sizeof(value), "%d", i % 10);
        assert_str_equal(tk_texts_get(&space.batch->texts, attrs[1].text), value);
        if (space.batch->rows < 1000)
            continue;
        /* Not the reader: it goes on with what it knows of the keys. */
        space.batch->rows = 0;
        space.batch->attr_count = 0;
    }
    /* The ten values of the other key, the two keys, the empty text; all ids. */
    assert_int_equal(space.batch->texts.count, 20000 + 10 + 2 + 1);
    assert_int_equal(space.batch->texts.used, 4096 + 10 + 2);
    close_space(&space);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_mean_what_the_protocol_says),
        cmocka_unit_test(what_is_written_is_read_as_the_same),
        cmocka_unit_test(the_same_in_json_gives_an_equal_batch),
        cmocka_unit_test(bad_messages_are_refused_as_a_whole),
        cmocka_unit_test(invalid_spans_are_left_out_and_counted),
        cmocka_unit_test(a_span_that_ends_before_it_starts_has_no_duration),
        cmocka_unit_test(text_that_is_no_utf8_is_kept_as_bytes_or_mended),
        cmocka_unit_test(attributes_above_the_cap_are_counted_as_dropped),
        cmocka_unit_test(links_with_ids_of_another_length_are_counted_as_dropped),
        cmocka_unit_test(resources_and_scopes_that_came_before_are_shared),
        cmocka_unit_test(a_message_that_does_not_fit_can_be_read_after_a_reset),
        cmocka_unit_test(values_that_vary_are_kept_as_well),
    };
    return cmocka_run_group_tests_name("otlp_decode", tests, NULL, NULL);
}
