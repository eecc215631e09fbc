/* SPDX-License-Identifier: Apache-2.0 */
/* What is peculiar to OTLP/JSON, trace-protocols.md section 4; that the same means the same as in
 * protobuf is tested in test_otlp_decode.c. */
#include "span/otlp.h"

#include <errno.h>
#include <stdlib.h>

#include "tk_test.h"

#define IDS   "\"traceId\":\"000102030405060708090a0b0c0d0e0f\",\"spanId\":\"1011121314151617\","
#define TIMES "\"startTimeUnixNano\":\"1000\",\"endTimeUnixNano\":\"3000\""
#define SPAN  "{" IDS TIMES "}"
#define HEAD  "{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":["
#define TAIL  "]}]}]}"

struct space {
    struct tk_span_batch *batch;
    struct tk_otlp_reader *reader;
    struct tk_span_tally tally;
    struct tk_buf out;
    struct tk_err err;
};

static void open_space(struct space *space)
{
    *space = (struct space){0};
    assert_int_equal(tk_span_batch_new(100, &space->batch, &space->err), 0);
    assert_int_equal(tk_otlp_reader_new(space->batch, &space->reader, &space->err), 0);
    tk_buf_init(&space->out, 1 << 24);
}

static void close_space(struct space *space)
{
    tk_otlp_reader_free(space->reader);
    tk_span_batch_free(space->batch);
    tk_buf_release(&space->out);
}

/* From a copy without a byte behind it, so that ASan sees what is read too many. */
static int decode(struct space *space, const char *text)
{
    size_t n = strlen(text);
    char *copy = malloc(n + 1);
    assert_non_null(copy);
    memcpy(copy, text, n);
    copy = realloc(copy, n > 0 ? n : 1);
    int rc = tk_otlp_decode_json(space->reader, (tk_str){copy, n}, &space->tally, &space->err);
    free(copy);
    return rc;
}

static tk_str as_json(struct space *space)
{
    tk_buf_reset(&space->out);
    tk_otlp_encode_json(&(struct tk_span_rows){space->batch, NULL, space->batch->rows},
                        &space->out);
    return tk_buf_str(&space->out);
}

static void senders_may_write_spans_in_many_ways(void **state)
{
    (void)state;
    static const struct {
        const char *written, *means;
    } cases[] = {
        {HEAD SPAN TAIL, HEAD SPAN TAIL},
        {"{}", "{\"resourceSpans\":[]}"},
        {" { \"resourceSpans\" : null } \n", "{\"resourceSpans\":[]}"},
        {"{\"resourceSpans\":[{},{\"scopeSpans\":[{\"spans\":[]}]}]}", "{\"resourceSpans\":[]}"},
        /* Without heads, and the heads behind. */
        {"{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[" SPAN "]}]}]}", HEAD SPAN TAIL},
        {"{\"resourceSpans\":[{\"schemaUrl\":\"u\",\"scopeSpans\":[{\"schemaUrl\":\"v\",\"spans\":"
         "[" SPAN "],\"scope\":{\"name\":\"lib\"}},{\"spans\":[" SPAN
         "]}],\"resource\":{\"droppedAttributesCount\":2}}]}",
         "{\"resourceSpans\":[{\"resource\":{\"droppedAttributesCount\":2},\"scopeSpans\":[{"
         "\"scope\":{\"name\":\"lib\"},\"spans\":[" SPAN "],\"schemaUrl\":\"v\"},{\"scope\":{},"
         "\"spans\":[" SPAN "]}],\"schemaUrl\":\"u\"}]}"},
        /* Ids in upper case, numbers as numbers, enums by name, null for defaults, white space. */
        {HEAD "{ \"traceId\" : \"000102030405060708090A0B0C0D0E0F\" , \"spanId\":"
              "\"1011121314151617\" ,\"startTimeUnixNano\": 1000,\"endTimeUnixNano\":\"3000\","
              "\"kind\":\"SPAN_KIND_CLIENT\",\"status\":{\"code\":\"STATUS_CODE_ERROR\"},"
              "\"name\":null,\"attributes\":null,\"parentSpanId\":\"\",\"flags\":null}" TAIL,
         HEAD "{" IDS "\"kind\":3," TIMES ",\"status\":{\"code\":2}}" TAIL},
        /* Unknown members, and snake_case, which is unknown. */
        {HEAD "{\"x\":[{\"y\":1}],\"start_time_unix_nano\":\"5\",\"name\":\"a\",\"name\":\"b\"," IDS
             TIMES "}" TAIL,
         HEAD "{" IDS "\"name\":\"b\"," TIMES "}" TAIL},
        /* Attributes in the form that is taken at once, and nearly in it. */
        {HEAD "{" IDS TIMES ",\"attributes\":[{\"key\":\"a\",\"value\":{\"stringValue\":\"x\"}},"
              "{\"key\":\"a\",\"value\":{\"stringValue\":\"\\u0041\"}},"
              "{\"key\":\"a\",\"value\":{\"stringValue\":\"\xC3\xA9\"}},"
              "{\"key\":\"a\",\"value\":{\"stringValue\":\"x\"} },"
              "{\"key\":\"\\n\",\"value\":{\"stringValue\":\"\"}},"
              "{\"value\":{\"stringValue\":\"x\"},\"key\":\"a\"},"
              "{\"key\":\"a\",\"value\":{\"intValue\":\"-12\"}},"
              "{\"key\":\"a\",\"value\":{\"intValue\":12}},"
              "{\"key\":\"a\",\"value\":{\"intValue\":\"9223372036854775807\"}},"
              "{\"key\":\"a\",\"value\":{\"intValue\":1.0}},"
              "{\"key\":\"a\",\"value\":{\"stringValue\":\"x\",\"intValue\":\"3\"}},"
              "{\"key\":\"a\",\"value\":null},{\"key\":\"a\"},{}]}" TAIL,
         HEAD "{" IDS TIMES ",\"attributes\":[{\"key\":\"a\",\"value\":{\"stringValue\":\"x\"}},"
              "{\"key\":\"a\",\"value\":{\"stringValue\":\"A\"}},"
              "{\"key\":\"a\",\"value\":{\"stringValue\":\"\xC3\xA9\"}},"
              "{\"key\":\"a\",\"value\":{\"stringValue\":\"x\"}},"
              "{\"key\":\"\\n\",\"value\":{\"stringValue\":\"\"}},"
              "{\"key\":\"a\",\"value\":{\"stringValue\":\"x\"}},"
              "{\"key\":\"a\",\"value\":{\"intValue\":\"-12\"}},"
              "{\"key\":\"a\",\"value\":{\"intValue\":\"12\"}},"
              "{\"key\":\"a\",\"value\":{\"intValue\":\"9223372036854775807\"}},"
              "{\"key\":\"a\",\"value\":{\"intValue\":\"1\"}},"
              "{\"key\":\"a\",\"value\":{\"intValue\":\"3\"}},"
              "{\"key\":\"a\",\"value\":{}},{\"key\":\"a\",\"value\":{}},"
              "{\"key\":\"\",\"value\":{}}]}" TAIL},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct space space;
        open_space(&space);
        print_message("# %s\n", cases[i].written);
        assert_int_equal(decode(&space, cases[i].written), 0);
        assert_str_equal(as_json(&space), cases[i].means);
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
        {"\"traceId\":\"\",\"spanId\":\"1011121314151617\"", TK_SPAN_BAD_TRACE_ID},
        {"\"spanId\":\"1011121314151617\"", TK_SPAN_BAD_TRACE_ID},
        {"\"traceId\":\"AAECAwQFBgcICQoLDA0ODw==\",\"spanId\":\"1011121314151617\"",
         TK_SPAN_BAD_TRACE_ID},
        {"\"traceId\":\"000102030405060708090a0b0c0d0e0g\",\"spanId\":\"1011121314151617\"",
         TK_SPAN_BAD_TRACE_ID},
        {"\"traceId\":\"000102030405060708090a0b0c0d0e0f\",\"spanId\":\"1\"", TK_SPAN_BAD_SPAN_ID},
        {IDS "\"parentSpanId\":\"x\"", TK_SPAN_BAD_PARENT_ID},
        {IDS "\"startTimeUnixNano\":\"0\"", TK_SPAN_BAD_TIME},
        {IDS "\"startTimeUnixNano\":\"99999999999999999999\"", TK_SPAN_BAD_TIME},
        {IDS "\"startTimeUnixNano\":\"9999999999999999999\"", TK_SPAN_BAD_TIME},
        {IDS "\"startTimeUnixNano\":-5", TK_SPAN_BAD_TIME},
    };
    struct space space;
    open_space(&space);
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        char text[1024];
        struct tk_span_tally expected = space.tally;
        expected.spans++;
        expected.by_reason[cases[i].reason]++;
        print_message("# %s\n", cases[i].span);
        (void)snprintf(text, sizeof(text), "%s{%s,%s},%s%s", HEAD, TIMES, cases[i].span, SPAN,
                       TAIL);
        assert_int_equal(decode(&space, text), 0);
        assert_memory_equal(&space.tally, &expected, sizeof(expected));
    }
    close_space(&space);
}

static void bad_messages_are_refused_as_a_whole(void **state)
{
    (void)state;
    static const struct {
        const char *message, *error;
    } cases[] = {
        {"", "byte 0: expected an object, not the end"},
        {"[]", "byte 0: expected an object"},
        {"{} x", "byte 3: expected the end"},
        {"{\"resourceSpans\":{}}", "byte 17: expected an array"},
        {HEAD "5" TAIL, "byte 68: expected an object"},
        {HEAD SPAN ",{" IDS "\"name\":\"\xFF\"}" TAIL,
         "byte 277: expected a character of UTF-8 or a quote"},
        {HEAD SPAN ",{\"kind\":\"SPAN_KIND_X\"}" TAIL, "byte 203: expected a number"},
        {HEAD SPAN ",{\"attributes\":[{\"key\":\"a\",\"value\":{\"stringValue\":5}}]}" TAIL,
         "byte 244: expected a string"},
        {"{\"resourceSpans\":[{\"resource\":{\"attributes\":5},\"scopeSpans\":[{\"spans\":[" SPAN
         "]}]}]}",
         "byte 44: expected an array"},
        {HEAD SPAN "]}]}", "byte 198: expected ',' or ']', not the end"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct space space;
        open_space(&space);
        print_message("# %s\n", cases[i].message);
        assert_int_equal(decode(&space, HEAD SPAN TAIL), 0);
        assert_int_equal(decode(&space, cases[i].message), -EBADMSG);
        assert_string_equal(space.err.msg, cases[i].error);
        assert_int_equal(space.tally.spans, 1);
        assert_str_equal(as_json(&space), HEAD SPAN TAIL);
        close_space(&space);
    }
}

static void a_message_cut_off_anywhere_is_refused(void **state)
{
    (void)state;
    static const char whole[] =
        HEAD "{" IDS TIMES ",\"attributes\":[{\"key\":\"a\",\"value\":{\"stringValue\":\"x\"}},"
             "{\"key\":\"b\",\"value\":{\"intValue\":\"12\"}}],\"status\":{\"code\":2}}" TAIL;
    struct space space;
    open_space(&space);
    for (size_t n = 0; n + 1 < sizeof(whole); n++) {
        char part[sizeof(whole)];
        memcpy(part, whole, n);
        part[n] = '\0';
        assert_int_equal(decode(&space, part), -EBADMSG);
        assert_int_equal(space.batch->rows, 0);
    }
    assert_int_equal(decode(&space, whole), 0);
    close_space(&space);
}

static void resources_and_scopes_that_came_before_are_shared(void **state)
{
    (void)state;
    struct space space;
    open_space(&space);
    static const char message[] =
        "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{"
        "\"stringValue\":\"shop\"}}]},\"scopeSpans\":[{\"scope\":{\"name\":\"lib\"},\"spans\":"
        "[" SPAN "]}]}]}";
    for (int i = 0; i < 5; i++)
        assert_int_equal(decode(&space, message), 0);
    assert_int_equal(space.batch->resource_count, 1);
    assert_int_equal(space.batch->scope_count, 1);
    assert_str_equal(tk_span_service(space.batch, 4), "shop");
    close_space(&space);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(senders_may_write_spans_in_many_ways),
        cmocka_unit_test(invalid_spans_are_left_out_and_counted),
        cmocka_unit_test(bad_messages_are_refused_as_a_whole),
        cmocka_unit_test(a_message_cut_off_anywhere_is_refused),
        cmocka_unit_test(resources_and_scopes_that_came_before_are_shared),
    };
    return cmocka_run_group_tests_name("otlp_decode_json", tests, NULL, NULL);
}
