/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/attrs.h"

#include <errno.h>
#include <stdlib.h>

#include "forest_fixture.h"
#include "span/projection.h"
#include "tk_test.h"

#define ROWS 4096

/* A forest whose spans have attributes, what they were coded as, and what came back. */
struct coded {
    struct fixture fixture;
    struct tk_codec_options options;
    struct tk_section_set sections;
    struct tk_block block;
    struct tk_attrs_report report;
    struct tk_span_batch *back; /* a row a node */
};

static void put_attr(struct tk_span_batch *batch, const char *key, uint32_t type, const char *text,
                     int64_t number)
{
    struct tk_attr attr = {.key = made_text(batch, key), .type = type};
    if (tk_attr_is_text(type)) {
        attr.text = made_text(batch, text);
    } else {
        attr.i64 = number;
    }
    assert_int_equal(tk_span_batch_add_attr(batch, &attr), 0);
}

/* Begin a span; its attributes come next. */
static void put_span(struct fixture *fixture, const char *service, const char *name, uint64_t trace,
                     uint64_t number)
{
    const struct made_span span = {
        .service = service,
        .name = name,
        .trace = trace,
        .id = fixture_id(number),
        .start_ns = (int64_t)(trace * 1000000 + number * 1000),
        .duration_ns = 1000,
        .parent = number % 10 ? fixture_id(number - number % 10) : 0,
        .host = number % 7 ? "host-a" : "host-b",
    };
    made_begin(fixture->batch, &span);
}

static void encode(struct coded *coded)
{
    struct tk_err err = {0};
    fixture_build(&coded->fixture);
    tk_section_set_init(&coded->sections);
    if (tk_attrs_encode(&coded->fixture.forest, coded->fixture.batch, &coded->options,
                        &coded->sections, &coded->report, &err) != 0)
        fail_msg("%s", err.msg);
    for (uint32_t type = 0; type < TK_SECTION_COUNT; type++) {
        if (coded->sections.bytes[type].n > 0) {
            coded->block.sections[coded->block.section_count++] = (struct tk_section){
                .type = type, .bytes = tk_buf_str(&coded->sections.bytes[type])};
        }
    }
}

/* Decode a node into a row of `part`, which is reset when it is full, and on to `back`. */
static int decode_one(struct coded *coded, struct tk_attrs_decoder *decoder,
                      struct tk_span_batch *part, uint32_t trace, uint32_t node, struct tk_err *err)
{
    struct tk_span_copy *copy = NULL;
    if (part->rows == part->max_rows) {
        tk_span_batch_reset(part);
        tk_attrs_decoder_begin(decoder, part);
    }
    assert_int_equal(tk_span_batch_begin(part), 0);
    int rc = tk_attrs_decode_node(decoder, trace, node, err);
    assert_int_equal(tk_span_batch_end(part), 0);
    assert_int_equal(tk_span_copy_new(coded->back, part, &copy, err), 0);
    assert_int_equal(tk_span_copy_row(copy, part->rows - 1), 0);
    tk_span_copy_free(copy);
    return rc;
}

/* Decode all nodes into batches of `max_rows`, and gather them in `back`. */
static int decode(struct coded *coded, size_t max_rows, struct tk_err *err)
{
    const struct tk_forest *forest = &coded->fixture.forest;
    TK_CLEANUP(tk_attrs_decoder_freep) struct tk_attrs_decoder *decoder = NULL;
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *part = NULL;
    bool missing;
    int rc = tk_attrs_decoder_new(&coded->block, forest, 7, &decoder, &missing, err);
    if (rc < 0)
        return rc;
    tk_span_batch_free(coded->back);
    assert_int_equal(tk_span_batch_new(ROWS, &coded->back, err), 0);
    assert_int_equal(tk_span_batch_new(max_rows, &part, err), 0);
    tk_attrs_decoder_begin(decoder, part);
    for (uint32_t t = 0; rc == 0 && t < forest->trace_count; t++) {
        for (uint32_t i = tk_forest_begin(forest, t); rc == 0 && i < forest->trace_ends[t]; i++)
            rc = decode_one(coded, decoder, part, t, i, err);
    }
    return rc;
}

static void release(struct coded *coded)
{
    tk_attrs_report_release(&coded->report);
    tk_section_set_release(&coded->sections);
    tk_span_batch_free(coded->back);
    fixture_release(&coded->fixture);
}

static tk_str text_of(const struct tk_span_batch *batch, uint32_t id)
{
    return tk_texts_get(&batch->texts, id);
}

static void assert_same_text(tk_str a, tk_str b)
{
    if (a.n != b.n || (a.p && b.p && memcmp(a.p, b.p, a.n) != 0))
        fail_msg("'%.*s' is not '%.*s'", TK_STR_ARG(a), TK_STR_ARG(b));
}

static void assert_same_attrs(const struct tk_span_batch *a, const struct tk_attr *x, size_t n,
                              const struct tk_span_batch *b, const struct tk_attr *y, size_t m)
{
    assert_int_equal(n, m);
    for (size_t i = 0; i < n; i++) {
        assert_same_text(text_of(a, x[i].key), text_of(b, y[i].key));
        assert_int_equal(x[i].type, y[i].type);
        if (tk_attr_is_text(x[i].type)) {
            assert_same_text(text_of(a, x[i].text), text_of(b, y[i].text));
        } else if (x[i].type != TK_ATTR_EMPTY) {
            assert_int_equal(x[i].i64, y[i].i64);
        }
    }
}

/* Everything is as it was, in its order. */
static void assert_exact(const struct coded *coded)
{
    const struct tk_span_batch *a = coded->fixture.batch;
    const struct tk_span_batch *b = coded->back;
    for (uint32_t i = 0; i < coded->fixture.forest.node_count; i++) {
        size_t row = coded->fixture.forest.rows[i];
        size_t n;
        size_t m;
        const struct tk_attr *x = tk_span_attrs(a, row, &n);
        const struct tk_attr *y = tk_span_attrs(b, i, &m);
        assert_same_attrs(a, x, n, b, y, m);
        const struct tk_span_resource *r = tk_span_resource_of(a, row);
        const struct tk_span_resource *s = tk_span_resource_of(b, i);
        assert_same_attrs(a, a->side_attrs + r->attrs.begin, r->attrs.n, b,
                          b->side_attrs + s->attrs.begin, s->attrs.n);
        assert_same_text(text_of(a, r->service), text_of(b, s->service));
        assert_same_text(text_of(a, r->schema_url), text_of(b, s->schema_url));
        const struct tk_span_scope *p = &a->scopes[a->scope_ids[row]];
        const struct tk_span_scope *q = &b->scopes[b->scope_ids[i]];
        assert_same_text(text_of(a, p->name), text_of(b, q->name));
        assert_same_text(text_of(a, p->version), text_of(b, q->version));
        assert_int_equal(p->attrs.dropped, q->attrs.dropped);
    }
}

/* Spans with attributes of every type, some in another order, some twice. */
static void plant_mix(struct coded *coded, uint64_t seed)
{
    static const char *const names[] = {"get", "put", "list"};
    fixture_init(&coded->fixture, ROWS);
    struct tk_span_batch *batch = coded->fixture.batch;
    for (uint64_t i = 0; i < 1000; i++) {
        uint64_t noise = tk_draw_round(seed + i);
        char text[64];
        put_span(&coded->fixture, "svc", names[noise % 3], i / 10 + 1, i);
        (void)snprintf(text, sizeof(text), "%08x-%04x", (unsigned)(noise >> 7),
                       (unsigned)(noise & 0xFFFF));
        if (noise & 16)
            put_attr(batch, "flag", TK_ATTR_BOOL, NULL, (int64_t)(noise >> 5 & 1));
        put_attr(batch, "code", TK_ATTR_INT, NULL, (int64_t)(noise >> 8 & 3) - 2);
        put_attr(batch, "half", TK_ATTR_DOUBLE, NULL, (int64_t)(noise >> 9 & 7) << 52);
        put_attr(batch, "text", TK_ATTR_STRING, noise & 64 ? "some" : text, 0);
        if (!(noise & 16))
            put_attr(batch, "flag", TK_ATTR_BOOL, NULL, (int64_t)(noise >> 5 & 1));
        put_attr(batch, "bytes", TK_ATTR_BYTES, noise & 128 ? "\xFF\xFE" : "", 0);
        if (noise & 256)
            put_attr(batch, "code", TK_ATTR_INT, NULL, (int64_t)noise);
        if (noise & 512)
            put_attr(batch, "nothing", TK_ATTR_EMPTY, NULL, 0);
        assert_int_equal(tk_span_batch_end(batch), 0);
    }
    batch->scopes[0].name = made_text(batch, "lib");
    batch->scopes[0].attrs.dropped = 3;
    batch->resources[0].schema_url = made_text(batch, "https://example.org/1");
}

static void lossless_attributes_come_back_in_their_order(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct coded coded = {.options.mode = TK_CODEC_LOSSLESS};
        struct tk_err err = {0};
        plant_mix(&coded, seed * 1000);
        encode(&coded);
        assert_int_equal(decode(&coded, ROWS, &err), 0);
        assert_exact(&coded);
        release(&coded);
    }
}

static void batches_may_be_reset_between_any_two_rows(void **state)
{
    (void)state;
    for (size_t max_rows = 1; max_rows < 8; max_rows += 3) {
        struct coded coded = {.options.mode = TK_CODEC_LOSSLESS};
        struct tk_err err = {0};
        plant_mix(&coded, 5);
        encode(&coded);
        assert_int_equal(decode(&coded, max_rows, &err), 0);
        assert_exact(&coded);
        release(&coded);
    }
}

/* Bytes of all sections. */
static size_t size_of(const struct coded *coded)
{
    size_t sum = 0;
    for (size_t i = 0; i < coded->block.section_count; i++)
        sum += coded->block.sections[i].bytes.n;
    return sum;
}

static void what_never_changes_costs_nothing_a_span(void **state)
{
    (void)state;
    size_t sizes[2];
    for (int k = 0; k < 2; k++) {
        struct coded coded = {0};
        fixture_init(&coded.fixture, ROWS);
        for (uint64_t i = 0; i < (k ? 2000 : 200); i++) {
            put_span(&coded.fixture, "svc", "get", i / 10 + 1, i * 7 + 1);
            put_attr(coded.fixture.batch, "db.system", TK_ATTR_STRING, "redis", 0);
            put_attr(coded.fixture.batch, "port", TK_ATTR_INT, NULL, 6379);
            assert_int_equal(tk_span_batch_end(coded.fixture.batch), 0);
        }
        encode(&coded);
        sizes[k] = size_of(&coded);
        release(&coded);
    }
    assert_in_range(sizes[1], sizes[0], sizes[0] + 8);
}

/* Numbers of 50, with or without another that follows from each. */
static void plant_followers(struct coded *coded, bool with_name)
{
    fixture_init(&coded->fixture, ROWS);
    for (uint64_t i = 0; i < 2000; i++) {
        struct tk_span_batch *batch = coded->fixture.batch;
        uint64_t number = tk_draw_round(i) % 50;
        put_span(&coded->fixture, "svc", "get", i / 10 + 1, i);
        put_attr(batch, "id", TK_ATTR_INT, NULL, (int64_t)number);
        if (with_name)
            put_attr(batch, "name", TK_ATTR_INT, NULL, (int64_t)(tk_draw_round(number) >> 40));
        assert_int_equal(tk_span_batch_end(batch), 0);
    }
}

static void a_value_that_follows_from_another_costs_nothing(void **state)
{
    (void)state;
    size_t sizes[2];
    for (int k = 0; k < 2; k++) {
        struct coded coded = {.options.mode = TK_CODEC_LOSSLESS};
        struct tk_err err = {0};
        plant_followers(&coded, k == 1);
        encode(&coded);
        assert_int_equal(decode(&coded, ROWS, &err), 0);
        assert_exact(&coded);
        sizes[k] = size_of(&coded);
        release(&coded);
    }
    assert_in_range(sizes[1], sizes[0], sizes[0] + 400); /* 50 values of 3 bytes, and some */
}

/* A session id: two spans of each trace have the same. */
static void plant_sessions(struct coded *coded)
{
    fixture_init(&coded->fixture, ROWS);
    for (uint64_t i = 0; i < 400; i++) {
        char text[64];
        uint64_t noise = tk_draw_round(i / 10 * 10 + i % 5);
        (void)snprintf(text, sizeof(text), "%08x-%04x-4%03x-%08x", (unsigned)(noise >> 32),
                       (unsigned)(noise >> 16 & 0xFFFF), (unsigned)(noise & 0xFFF),
                       (unsigned)(noise >> 7));
        put_span(&coded->fixture, "svc", "get", i / 10 + 1, i);
        put_attr(coded->fixture.batch, "session", TK_ATTR_STRING, text, 0);
        assert_int_equal(tk_span_batch_end(coded->fixture.batch), 0);
    }
    encode(coded);
}

static tk_str projected(const struct tk_span_batch *batch, const struct tk_projected_text *text)
{
    return text->id != TK_TEXTS_NONE ? text_of(batch, text->id) : text->text;
}

static tk_str session_of(const struct coded *coded, uint32_t row)
{
    size_t n;
    const struct tk_attr *attr = tk_span_attrs(coded->back, row, &n);
    assert_int_equal(n, 1);
    return text_of(coded->back, attr->text);
}

static void ids_are_made_up_alike_inside_a_trace(void **state)
{
    (void)state;
    struct coded coded = {0};
    struct tk_err err = {0};
    plant_sessions(&coded);
    assert_int_equal(coded.report.keys[0].attr_class, TK_ATTR_CLASS_DRAWN);
    assert_false(coded.report.keys[0].is_exact);
    assert_int_equal(decode(&coded, ROWS, &err), 0);
    for (uint32_t i = 0; i + 5 < 400; i++) {
        tk_str own = session_of(&coded, i);
        assert_int_equal(own.n, 27);
        assert_int_equal(own.p[8], '-');
        assert_int_equal(own.p[14], '4');
        bool same = tk_str_eq(own, session_of(&coded, i + 5));
        assert_int_equal(same, i % 10 < 5);
    }
    release(&coded);
}

static void lossless_ids_take_half_a_byte_a_digit(void **state)
{
    (void)state;
    struct coded coded = {.options.mode = TK_CODEC_LOSSLESS};
    struct tk_err err = {0};
    plant_sessions(&coded);
    assert_int_equal(decode(&coded, ROWS, &err), 0);
    assert_exact(&coded);
    assert_in_range(size_of(&coded), 200 * 11, 200 * 12 + 600);
    release(&coded);
}

/* Requests with and without a method; the projection of what comes back is what it was. */
static void gen_ts_projection_comes_back(void **state)
{
    (void)state;
    struct coded coded = {.options.attrs = TK_CODEC_ATTRS_GENT};
    struct tk_err err = {0};
    fixture_init(&coded.fixture, ROWS);
    struct tk_span_batch *batch = coded.fixture.batch;
    for (uint64_t i = 0; i < 300; i++) {
        put_span(&coded.fixture, "svc", i % 3 ? "get" : "job", i / 10 + 1, i);
        put_attr(batch, "component", TK_ATTR_STRING, "proxy", 0);
        if (i % 3) {
            put_attr(batch, "http.method", TK_ATTR_STRING, i % 2 ? "GET" : "POST", 0);
            put_attr(batch, "http.status_code", TK_ATTR_STRING, i % 5 ? "200" : "404", 0);
            put_attr(batch, "http.url", TK_ATTR_STRING, i % 7 ? "/a?b&c&d" : "/a", 0);
        } else if (i % 2) {
            put_attr(batch, "error", TK_ATTR_BOOL, NULL, 1);
        }
        if (i % 11 == 0)
            put_attr(batch, "port", TK_ATTR_INT, NULL, (int64_t)i);
        assert_int_equal(tk_span_batch_end(batch), 0);
    }
    encode(&coded);
    assert_int_equal(decode(&coded, ROWS, &err), 0);
    struct tk_projector before;
    struct tk_projector after;
    tk_projector_init(&before);
    tk_projector_init(&after);
    tk_projector_begin(&before, batch);
    tk_projector_begin(&after, coded.back);
    for (uint32_t i = 0; i < coded.fixture.forest.node_count; i++) {
        struct tk_projection a;
        struct tk_projection b;
        tk_projector_read(&before, coded.fixture.forest.rows[i], &a);
        tk_projector_read(&after, i, &b);
        assert_memory_equal(a.integers, b.integers, sizeof(a.integers));
        assert_int_equal(a.has_issues, b.has_issues);
        for (size_t k = 0; k < TK_STR_FEATURES; k++)
            assert_same_text(projected(batch, &a.strings[k]), projected(coded.back, &b.strings[k]));
    }
    tk_projector_release(&before);
    tk_projector_release(&after);
    release(&coded);
}

static void without_attributes_only_services_are_left(void **state)
{
    (void)state;
    struct coded coded = {.options.attrs = TK_CODEC_ATTRS_NONE};
    struct tk_err err = {0};
    plant_mix(&coded, 21);
    encode(&coded);
    assert_int_equal(decode(&coded, ROWS, &err), 0);
    assert_int_equal(coded.back->attr_count, 0);
    assert_int_equal(coded.back->resource_count, 1);
    assert_same_text(tk_span_service(coded.back, 5), TK_STR("svc"));
    assert_in_range(size_of(&coded), 1, 120);
    release(&coded);
}

/* Whether a text stands anywhere in what the encoder made. */
static bool has_text(const struct coded *coded, const char *text)
{
    const struct tk_texts *texts = &coded->fixture.forest.dictionary;
    size_t n = strlen(text);
    bool found = memmem(texts->bytes.p, texts->bytes.n, text, n) != NULL;
    for (size_t i = 0; i < coded->block.section_count; i++) {
        tk_str bytes = coded->block.sections[i].bytes;
        found = found || memmem(bytes.p, bytes.n, text, n) != NULL;
    }
    const struct tk_span_batch *back = coded->back;
    return found || memmem(back->texts.bytes.p, back->texts.bytes.n, text, n) != NULL;
}

/* Spans in which four secrets are planted: as a value, in a text, as a key, and of a resource; and
 * a number of that kind. */
static void plant_secrets(struct coded *coded)
{
    fixture_init(&coded->fixture, ROWS);
    struct tk_span_batch *batch = coded->fixture.batch;
    for (uint64_t i = 0; i < 1000; i++) {
        char text[64];
        put_span(&coded->fixture, i == 500 ? "lone" : "svc", "get", i / 10 + 1, i);
        (void)snprintf(text, sizeof(text), "/user/%s%u/cart", i == 77 ? "s3cretA" : "u",
                       (unsigned)(i % 200));
        put_attr(batch, "url", TK_ATTR_STRING, text, 0);
        put_attr(batch, "plan", TK_ATTR_STRING,
                 i == 300 ? "secret-B"
                 : i % 2  ? "gold"
                          : "silver",
                 0);
        put_attr(batch, "account", TK_ATTR_INT, NULL, i == 400 ? 73577357 : (int64_t)(i % 3));
        if (i == 600)
            put_attr(batch, "secret-C", TK_ATTR_STRING, "gold", 0);
        assert_int_equal(tk_span_batch_end(batch), 0);
    }
    made_resource_attr(batch, &batch->resources[batch->resource_count - 1].attrs, "owner",
                       "secret-D");
}

static bool has_number(const struct coded *coded, int64_t number)
{
    bool found = false;
    for (uint32_t i = 0; i < coded->back->attr_count; i++)
        found = found || coded->back->attrs[i].i64 == number;
    return found;
}

static void generative_output_has_no_rare_values(void **state)
{
    (void)state;
    static const char *const secrets[] = {"s3cretA", "secret-B", "secret-C", "secret-D"};
    static const enum tk_codec_mode modes[] = {TK_CODEC_NEAR, TK_CODEC_GENERATIVE};
    for (size_t m = 0; m < TK_COUNTOF(modes); m++) {
        bool are_kept = modes[m] == TK_CODEC_NEAR;
        struct coded coded = {.options.mode = modes[m]};
        struct tk_err err = {0};
        plant_secrets(&coded);
        encode(&coded);
        assert_int_equal(decode(&coded, ROWS, &err), 0);
        for (size_t i = 0; i < TK_COUNTOF(secrets); i++)
            assert_int_equal(has_text(&coded, secrets[i]), are_kept);
        assert_int_equal(has_number(&coded, 73577357), are_kept);
        assert_int_equal(coded.report.left_out, are_kept ? 0 : 3);
        assert_true(has_text(&coded, "silver"));
        release(&coded);
    }
}

static void damaged_sections_are_told_and_never_crash(void **state)
{
    (void)state;
    struct coded coded = {.options.mode = TK_CODEC_LOSSLESS};
    struct tk_err err = {0};
    plant_mix(&coded, 9);
    encode(&coded);
    for (size_t s = 0; s < coded.block.section_count; s++) {
        tk_str whole = coded.block.sections[s].bytes;
        for (size_t n = 0; n < whole.n && n < 400; n += 7) {
            coded.block.sections[s].bytes.n = n;
            int rc = decode(&coded, ROWS, &err);
            assert_true(rc == 0 || rc == -EBADMSG || rc == -ENOMEM);
            if (n + 400 < whole.n)
                assert_int_equal(rc, -EBADMSG);
        }
        coded.block.sections[s].bytes = whole;
    }
    release(&coded);
}

/* Wrong bytes may give wrong values, but nothing beyond arrays, and no more than a batch. */
static void wrong_bytes_never_crash(void **state)
{
    (void)state;
    static const enum tk_codec_mode modes[] = {TK_CODEC_LOSSLESS, TK_CODEC_NEAR};
    for (uint64_t round = 0; round < 120; round++) {
        struct coded coded = {.options.mode = modes[round % 2]};
        struct tk_err err = {0};
        if (round % 4 < 2) {
            plant_mix(&coded, round);
        } else {
            plant_secrets(&coded);
        }
        encode(&coded);
        uint64_t noise = tk_draw_round(round + 1);
        const struct tk_section *section = &coded.block.sections[noise % 3];
        char *bytes = coded.sections.bytes[section->type].p;
        size_t reach = section->bytes.n < 300 ? section->bytes.n : 300;
        char *byte = &bytes[(noise >> 8) % reach];
        *byte = (char)((unsigned char)*byte ^ (1U << (noise >> 32 & 7)));
        int rc = decode(&coded, ROWS, &err);
        assert_true(rc == 0 || rc == -EBADMSG || rc == -ENOMEM || rc == -ENOBUFS);
        release(&coded);
    }
}

static void without_sections_spans_have_their_service(void **state)
{
    (void)state;
    struct coded coded = {0};
    struct tk_err err = {0};
    plant_mix(&coded, 11);
    encode(&coded);
    coded.block.section_count = 0;
    assert_int_equal(decode(&coded, ROWS, &err), 0);
    for (uint32_t i = 0; i < coded.fixture.forest.node_count; i++) {
        size_t n;
        (void)tk_span_attrs(coded.back, i, &n);
        assert_int_equal(n, 0);
        assert_same_text(tk_span_service(coded.back, i), TK_STR("svc"));
    }
    release(&coded);
}

static void a_block_without_spans_or_attributes_is_one_too(void **state)
{
    (void)state;
    struct coded coded = {0};
    struct tk_err err = {0};
    fixture_init(&coded.fixture, ROWS);
    encode(&coded);
    assert_int_equal(decode(&coded, ROWS, &err), 0);
    assert_int_equal(coded.back->rows, 0);
    release(&coded);

    coded = (struct coded){.options.mode = TK_CODEC_LOSSLESS};
    fixture_grow(&coded.fixture, &(struct fixture_random){.seed = 3, .traces = 50});
    encode(&coded);
    assert_int_equal(decode(&coded, ROWS, &err), 0);
    assert_exact(&coded);
    release(&coded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lossless_attributes_come_back_in_their_order),
        cmocka_unit_test(batches_may_be_reset_between_any_two_rows),
        cmocka_unit_test(what_never_changes_costs_nothing_a_span),
        cmocka_unit_test(a_value_that_follows_from_another_costs_nothing),
        cmocka_unit_test(ids_are_made_up_alike_inside_a_trace),
        cmocka_unit_test(lossless_ids_take_half_a_byte_a_digit),
        cmocka_unit_test(gen_ts_projection_comes_back),
        cmocka_unit_test(without_attributes_only_services_are_left),
        cmocka_unit_test(generative_output_has_no_rare_values),
        cmocka_unit_test(damaged_sections_are_told_and_never_crash),
        cmocka_unit_test(wrong_bytes_never_crash),
        cmocka_unit_test(without_sections_spans_have_their_service),
        cmocka_unit_test(a_block_without_spans_or_attributes_is_one_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
