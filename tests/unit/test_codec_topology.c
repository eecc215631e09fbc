/* SPDX-License-Identifier: Apache-2.0 */
/* Trees and starts of traces, there and back. */
#include "codec/topology.h"

#include <errno.h>

#include "codec/grammar.h"
#include "codec/shape_counts.h"
#include "forest_fixture.h"

/* The sections of a forest, and the block that they make. */
struct coded {
    struct tk_section_set set;
    struct tk_block block;
};

static void encode(struct coded *coded, const struct tk_forest *forest,
                   const struct tk_codec_options *options)
{
    struct tk_err err = {0};
    tk_section_set_init(&coded->set);
    if (tk_topology_encode(forest, options, &coded->set, &err) < 0 ||
        tk_block_dictionary_encode(forest, &coded->set, &err) < 0)
        fail_msg("%s", err.msg);
    coded->block = (struct tk_block){.head = {.traces = forest->trace_count,
                                              .nodes = forest->node_count,
                                              .tick_ns = forest->tick_ns,
                                              .origin_ns = forest->origin_ns}};
    coded->block.section_count = tk_section_set_list(&coded->set, coded->block.sections);
}

static void decode(const struct coded *coded, struct tk_forest *ret_forest)
{
    struct tk_err err = {0};
    if (tk_topology_decode(&coded->block, 77, ret_forest, &err) < 0)
        fail_msg("%s", err.msg);
}

static struct tk_section *section_of(struct coded *coded, uint32_t type)
{
    for (size_t i = 0; i < coded->block.section_count; i++) {
        if (coded->block.sections[i].type == type)
            return &coded->block.sections[i];
    }
    fail_msg("no section of type %u", type);
    return &coded->block.sections[0];
}

/* All but times and rows are the same. */
static void assert_same_trees(const struct tk_forest *a, const struct tk_forest *b)
{
    assert_int_equal(a->trace_count, b->trace_count);
    assert_int_equal(a->node_count, b->node_count);
    assert_int_equal(a->symbol_count, b->symbol_count);
    assert_int_equal(a->dictionary.count, b->dictionary.count);
    assert_memory_equal(a->symbols, b->symbols, a->symbol_count * sizeof(*a->symbols));
    assert_memory_equal(a->trace_ends, b->trace_ends, a->trace_count * sizeof(uint32_t));
    assert_memory_equal(a->node_symbols, b->node_symbols, a->node_count * sizeof(uint32_t));
    assert_memory_equal(a->sizes, b->sizes, a->node_count * sizeof(uint32_t));
    for (uint32_t i = 0; i < a->dictionary.count; i++)
        assert_true(tk_str_eq(tk_texts_get(&a->dictionary, i), tk_texts_get(&b->dictionary, i)));
}

/* There and back; starts lie within `within` ticks of what they were. */
static void assert_round_trip(const struct tk_forest *forest,
                              const struct tk_codec_options *options, int64_t within)
{
    struct coded coded;
    struct tk_forest back = {0};
    encode(&coded, forest, options);
    decode(&coded, &back);
    assert_same_trees(forest, &back);
    for (uint32_t i = 0; i < forest->trace_count; i++) {
        int64_t off = back.trace_starts[i] - forest->trace_starts[i];
        assert_true(off <= within && -off <= within);
        assert_true(i == 0 || back.trace_starts[i] >= back.trace_starts[i - 1]);
    }
    tk_forest_release(&back);
    tk_section_set_release(&coded.set);
}

static void random_forests_come_back(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct fixture fixture;
        fixture_grow(&fixture, &(struct fixture_random){.seed = seed,
                                                        .traces = 1 + (uint32_t)seed * 7,
                                                        .max_spans = 1 + (uint32_t)seed * 2,
                                                        .operations = 1 + (uint32_t)seed % 13,
                                                        .tick_ns = seed % 3 == 0 ? 1 : 1000,
                                                        .is_skewed = seed % 2});
        int64_t ms = 1000000 / fixture.forest.tick_ns;
        const struct tk_codec_options us = {.arrivals = TK_CODEC_ARRIVALS_US};
        const struct tk_codec_options lossless = {.mode = TK_CODEC_LOSSLESS};
        assert_round_trip(&fixture.forest, &(struct tk_codec_options){0}, ms);
        assert_round_trip(&fixture.forest, &us, ms / 1000);
        assert_round_trip(&fixture.forest, &lossless, 0);
        fixture_release(&fixture);
    }
}

static void small_forests_come_back(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "0 web/get@0+90",
        "0 web/get@0+90\n5 web/get@0+90\n5 web/put@0+90",
        "0 a/a@0+1 a/a@1+1 a/a@1+1 b/b@2+1?(c/c@2+0!)",
        "0 a/a@0+1(b/b@0+1(c/c@0+1 c/c@0+1 c/c@0+1) b/b@0+1(c/c@0+1 c/c@0+1 c/c@0+1))",
        "0 a/a@0+1\n1 a/b@0+1\n2 a/c@0+1\n3 a/d@0+1(a/a@0+1)\n4 late/service@0+9(a/d@0+1)",
    };
    for (size_t i = 0; i < TK_COUNTOF(texts); i++) {
        struct fixture fixture;
        fixture_plant(&fixture, texts[i]);
        assert_round_trip(&fixture.forest, &(struct tk_codec_options){0}, 1000);
        fixture_release(&fixture);
    }
}

/* A chain, or as many equal children of one: 100,000 spans in a few bytes. */
static void deep_and_wide_traces_come_back(void **state)
{
    (void)state;
    const uint32_t n = 100000;
    for (int is_wide = 0; is_wide < 2; is_wide++) {
        struct fixture fixture;
        struct coded coded;
        fixture_init(&fixture, n);
        for (uint32_t i = 0; i < n; i++) {
            uint64_t parent = i == 0 ? 0 : is_wide ? 1 : i;
            made_add(fixture.batch, &(struct made_span){"s", "op", i + 1, parent, i, 1000}, 1);
        }
        fixture_build(&fixture);
        assert_round_trip(&fixture.forest, &(struct tk_codec_options){0}, 1000000);
        encode(&coded, &fixture.forest, &(struct tk_codec_options){0});
        if (is_wide)
            assert_true(coded.set.bytes[TK_SECTION_GRAMMAR].n < 12);
        tk_section_set_release(&coded.set);
        fixture_release(&fixture);
    }
}

/* Calls that run side by side end up in any order: no two of 2,000 traces are alike. */
static void fan_out_in_any_order_costs_what_its_order_tells(void **state)
{
    (void)state;
    const uint32_t traces = 2000;
    const uint32_t calls = 16;
    struct fixture fixture;
    struct coded coded;
    fixture_init(&fixture, (size_t)traces * (calls + 1));
    for (uint64_t trace = 0; trace < traces; trace++) {
        uint64_t root = trace * 100 + 1;
        int64_t at = (int64_t)trace * 1000000;
        made_add(fixture.batch,
                 &(struct made_span){"front", "all", root, 0, at, 5000, .trace = trace + 1}, 1);
        for (uint64_t i = 0; i < calls; i++) {
            char name[16];
            (void)snprintf(name, sizeof(name), "call-%u", (unsigned)i);
            int64_t behind = (int64_t)(tk_draw_round(trace * 100 + i) % 4000);
            const struct made_span span = {"back",      name, root + i + 1,      root,
                                           at + behind, 500,  .trace = trace + 1};
            made_add(fixture.batch, &span, 1);
        }
    }
    fixture_build(&fixture);
    assert_round_trip(&fixture.forest, &(struct tk_codec_options){0}, 1000000);
    encode(&coded, &fixture.forest, &(struct tk_codec_options){0});
    /* 16 times which of 16, with what it takes to learn that. */
    assert_true(coded.set.bytes[TK_SECTION_GRAMMAR].n < (size_t)traces * 70 / 8);
    tk_section_set_release(&coded.set);
    fixture_release(&fixture);
}

static void a_symbol_that_comes_late_costs_no_restart(void **state)
{
    (void)state;
    size_t sizes[2];
    for (int is_new = 0; is_new < 2; is_new++) {
        struct fixture fixture;
        struct coded coded;
        fixture_init(&fixture, 4000);
        for (uint64_t i = 0; i < 2000; i++) {
            const char *service = is_new && i >= 1000 && i % 100 == 0 ? "new" : "old";
            int64_t at = (int64_t)i * 1000000;
            const struct made_span spans[] = {
                {"front", "get", 2 * i + 1, 0, at, 500000, .trace = i + 1},
                {service, "get", 2 * i + 2, 2 * i + 1, at, 500000, .trace = i + 1}};
            made_add(fixture.batch, spans, 2);
        }
        fixture_build(&fixture);
        assert_round_trip(&fixture.forest, &(struct tk_codec_options){0}, 1000);
        encode(&coded, &fixture.forest, &(struct tk_codec_options){0});
        sizes[is_new] = 0;
        for (size_t i = 0; i < coded.block.section_count; i++)
            sizes[is_new] += coded.block.sections[i].bytes.n;
        tk_section_set_release(&coded.set);
        fixture_release(&fixture);
    }
    assert_true(sizes[1] < sizes[0] + 40); /* its name, its symbol, ten times that it came */
}

static void windows_keep_how_many_traces_started_in_each(void **state)
{
    (void)state;
    struct fixture fixture;
    struct coded exact;
    struct coded coded;
    struct tk_forest back = {0};
    uint32_t before[64] = {0};
    uint32_t after[64] = {0};
    fixture_grow(&fixture, &(struct fixture_random){
                               .seed = 3, .traces = 5000, .max_spans = 4, .tick_ns = 10000});
    encode(&exact, &fixture.forest, &(struct tk_codec_options){0});
    encode(&coded, &fixture.forest,
           &(struct tk_codec_options){.arrivals = TK_CODEC_ARRIVALS_WINDOWS});
    decode(&coded, &back);
    assert_same_trees(&fixture.forest, &back);
    for (uint32_t i = 0; i < back.trace_count; i++) {
        int64_t ticks_of_ten_s = INT64_C(10000000000) / back.tick_ns;
        before[fixture.forest.trace_starts[i] / ticks_of_ten_s]++;
        after[back.trace_starts[i] / ticks_of_ten_s]++;
        assert_true(i == 0 || back.trace_starts[i] >= back.trace_starts[i - 1]);
    }
    assert_memory_equal(before, after, sizeof(before));
    assert_true(coded.set.bytes[TK_SECTION_ARRIVALS].n * 5 <
                exact.set.bytes[TK_SECTION_ARRIVALS].n);
    tk_forest_release(&back);
    tk_section_set_release(&exact.set);
    tk_section_set_release(&coded.set);
    fixture_release(&fixture);
}

static void without_arrivals_traces_are_spread_evenly(void **state)
{
    (void)state;
    struct fixture fixture;
    struct coded coded;
    struct tk_forest back = {0};
    fixture_plant(&fixture, "0 a/a@0+1\n1 a/a@0+1\n2 a/a@0+1\n300 a/a@0+1");
    encode(&coded, &fixture.forest, &(struct tk_codec_options){0});
    section_of(&coded, TK_SECTION_ARRIVALS)->damaged = true;
    coded.block.head.end_ns = coded.block.head.origin_ns + 400000;
    decode(&coded, &back);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(back.trace_starts[i], 100 * i);
    tk_forest_release(&back);
    tk_section_set_release(&coded.set);
    fixture_release(&fixture);
}

/* The dictionary alone, there and back. */
static size_t assert_texts_come_back(const tk_str *texts, size_t n)
{
    struct tk_err err;
    struct coded coded;
    struct tk_forest forest;
    struct tk_forest back;
    assert_int_equal(tk_forest_init(&forest, 0, 0, &err), 0);
    assert_int_equal(tk_forest_init(&back, 0, 0, &err), 0);
    for (size_t i = 0; i < n; i++)
        (void)tk_texts_append(&forest.dictionary, texts[i]);
    encode(&coded, &forest, &(struct tk_codec_options){0});
    assert_int_equal(tk_block_dictionary_decode(&coded.block, &back, &err), 0);
    assert_int_equal(back.dictionary.count, n + 1);
    for (uint32_t i = 0; i < n; i++)
        assert_true(tk_str_eq(tk_texts_get(&back.dictionary, i + 1), texts[i]));
    size_t bytes = coded.set.bytes[TK_SECTION_DICTIONARY].n;
    tk_section_set_release(&coded.set);
    tk_forest_release(&forest);
    tk_forest_release(&back);
    return bytes;
}

static void texts_of_any_bytes_come_back(void **state)
{
    (void)state;
    static char noise[2][70000];
    for (size_t i = 0; i < sizeof(noise[0]); i++)
        noise[0][i] = (char)tk_draw_round(i);
    const tk_str odd[] = {TK_STR("a\0b\1\1\0"), TK_STR(""), TK_STR("\0"),         TK_STR("\1"),
                          TK_STR("\xFF\xFE"),   TK_STR(""), TK_STR("a\0b\1\1\0c")};
    const tk_str few[] = {{noise[0], 20000}, {noise[1], 20000}, {noise[0], 20000}};
    const tk_str many[] = {{noise[0], 70000}, {noise[1], 10}, {noise[1], 0}, {noise[0], 69999}};
    (void)assert_texts_come_back(NULL, 0);
    (void)assert_texts_come_back(odd, TK_COUNTOF(odd));
    assert_true(assert_texts_come_back(few, TK_COUNTOF(few)) < 43000);
    assert_true(assert_texts_come_back(many, TK_COUNTOF(many)) < 71000);
}

static void what_is_missing_is_named(void **state)
{
    (void)state;
    static const struct {
        uint32_t type;
        const char *message;
    } cases[] = {
        {TK_SECTION_DICTIONARY, "dictionary: missing or damaged"},
        {TK_SECTION_SYMBOLS, "symbols: missing or damaged"},
        {TK_SECTION_GRAMMAR, "grammar: missing or damaged"},
        {TK_SECTION_EVENTS, "events: missing or damaged"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct fixture fixture;
        struct coded coded;
        struct tk_err err;
        struct tk_forest back = {0};
        fixture_plant(&fixture, "0 web/get@0+90(db/put@1+2)");
        encode(&coded, &fixture.forest, &(struct tk_codec_options){0});
        section_of(&coded, cases[i].type)->damaged = true;
        assert_int_equal(tk_topology_decode(&coded.block, 1, &back, &err), -EBADMSG);
        assert_string_equal(err.msg, cases[i].message);
        tk_forest_release(&back);
        tk_section_set_release(&coded.set);
        fixture_release(&fixture);
    }
}

/* What a decoder makes of bytes that are not those of an encoder: a forest whose parts fit, or a
 * failure that names a section. */
static void assert_harmless(const struct tk_block *block)
{
    struct tk_err err;
    struct tk_forest back = {0};
    int rc = tk_topology_decode(block, 1, &back, &err);
    if (rc == 0) {
        uint32_t nodes = 0;
        for (uint32_t i = 0; i < back.trace_count; i++) {
            assert_true(back.trace_ends[i] > nodes);
            nodes = back.trace_ends[i];
        }
        assert_int_equal(nodes, block->head.nodes);
        for (uint32_t i = 0; i < nodes; i++)
            assert_true(back.node_symbols[i] < back.symbol_count && back.sizes[i] <= nodes - i);
    } else {
        assert_int_equal(rc, -EBADMSG);
        assert_non_null(strchr(err.msg, ':'));
    }
    tk_forest_release(&back);
}

static void damaged_sections_do_no_harm(void **state)
{
    (void)state;
    struct fixture fixture;
    struct coded coded;
    fixture_grow(&fixture, &(struct fixture_random){.seed = 5, .traces = 40, .is_skewed = true});
    encode(&coded, &fixture.forest, &(struct tk_codec_options){.mode = TK_CODEC_LOSSLESS});
    for (size_t i = 0; i < coded.block.section_count; i++) {
        struct tk_section *section = &coded.block.sections[i];
        size_t whole = section->bytes.n;
        char *bytes = coded.set.bytes[section->type].p;
        for (section->bytes.n = 0; section->bytes.n < whole; section->bytes.n++)
            assert_harmless(&coded.block);
        for (size_t k = 0; k<whole * 8; k += whole> 64 ? 5 : 1) {
            bytes[k / 8] = (char)(bytes[k / 8] ^ 1 << k % 8);
            assert_harmless(&coded.block);
            bytes[k / 8] = (char)(bytes[k / 8] ^ 1 << k % 8);
        }
    }
    tk_section_set_release(&coded.set);
    fixture_release(&fixture);
}

/* Four subtrees, each a thousand times the one before: 10^12 spans. */
static void a_grammar_of_more_spans_than_the_block_has_is_refused(void **state)
{
    (void)state;
    struct tk_err err;
    struct fixture fixture;
    struct coded coded;
    struct tk_grammar grammar;
    fixture_plant(&fixture, "0 a/a@0+1(a/b@0+1(a/c@0+1(a/d@0+1)))");
    encode(&coded, &fixture.forest, &(struct tk_codec_options){0});
    assert_int_equal(tk_grammar_init(&grammar, 1, 1 << 20, &err), 0);
    for (uint32_t i = 0; i < 5; i++) {
        grammar.runs[i] = (struct tk_grammar_run){i, 1000};
        grammar.subtrees[i] =
            (struct tk_subtree){i < 4 ? i : TK_GRAMMAR_TOP, i > 0 ? i - 1 : 0, i, 1};
    }
    grammar.shapes[0] = 4;
    grammar.shape_count = 1;
    grammar.subtree_count = 5;
    tk_buf_reset(&coded.set.bytes[TK_SECTION_GRAMMAR]);
    assert_int_equal(tk_grammar_encode(&grammar, &fixture.forest, &coded.set, &err), 0);
    section_of(&coded, TK_SECTION_GRAMMAR)->bytes =
        tk_buf_str(&coded.set.bytes[TK_SECTION_GRAMMAR]);
    struct tk_forest back = {0};
    coded.block.head.nodes = 1 << 20;
    assert_int_equal(tk_topology_decode(&coded.block, 1, &back, &err), -EBADMSG);
    assert_string_equal(err.msg, "grammar: bytes do not decode");
    tk_forest_release(&back);
    tk_grammar_release(&grammar);
    tk_section_set_release(&coded.set);
    fixture_release(&fixture);
}

/* The hash of the subtree below a node, by its trace. */
static struct tk_subtree_hash hash_of_trace(const char *text)
{
    struct tk_err err;
    struct fixture fixture;
    struct tk_grammar grammar;
    uint32_t shapes[8];
    struct tk_subtree_hash hashes[64];
    fixture_plant(&fixture, text);
    const struct tk_forest *forest = &fixture.forest;
    assert_int_equal(tk_grammar_init(&grammar, forest->trace_count, forest->node_count, &err), 0);
    assert_int_equal(tk_grammar_build(&grammar, forest, shapes, &err), 0);
    tk_grammar_hash(&grammar, forest, hashes);
    struct tk_subtree_hash hash = hashes[grammar.shapes[shapes[forest->trace_count - 1]]];
    tk_grammar_release(&grammar);
    fixture_release(&fixture);
    return hash;
}

static void equal_trees_of_different_blocks_have_one_hash(void **state)
{
    (void)state;
    struct tk_subtree_hash a = hash_of_trace("0 web/get@0+9(db/put@1+2 db/put@4+1)");
    struct tk_subtree_hash b =
        hash_of_trace("0 aaa/first@0+1\n1 cache/get@0+1\n2 web/get@0+5(db/put@0+2 db/put@2+2)");
    struct tk_subtree_hash other = hash_of_trace("0 web/get@0+9(db/put@1+2! db/put@4+1)");
    struct tk_subtree_hash once = hash_of_trace("0 web/get@0+9(db/put@1+2)");
    assert_true(a.a == b.a && a.b == b.b);
    assert_true(a.a != other.a && a.b != other.b);
    assert_true(a.a != once.a && a.b != once.b);
}

static void shapes_are_counted_over_blocks(void **state)
{
    (void)state;
    static const char *const blocks[] = {
        "0 a/a@0+1(b/b@0+1)\n1 a/a@0+1(b/b@0+1)\n2 a/a@0+1\n3 b/b@0+1",
        "0 a/a@0+1(b/b@0+1)\n1 0/0@0+1\n2 a/a@0+1\n3 a/a@0+1(b/b@0+1)",
    };
    struct tk_err err;
    struct tk_shape_counts shapes;
    struct tk_shape_counts_info info;
    tk_shape_counts_init(&shapes);
    for (size_t i = 0; i < TK_COUNTOF(blocks); i++) {
        struct fixture fixture;
        fixture_plant(&fixture, blocks[i]);
        assert_int_equal(tk_shape_counts_add(&shapes, &fixture.forest, &err), 0);
        fixture_release(&fixture);
    }
    tk_shape_counts_describe(&shapes, &info);
    assert_int_equal(info.traces, 8);
    assert_int_equal(info.shapes, 4);
    assert_int_equal(info.once, 2);
    assert_int_equal(info.subtrees, 4);
    assert_near(info.entropy_bits, 1.75, 1e-9);
    tk_shape_counts_release(&shapes);
}

/* The example of docs/format-tkz.md. */
static void the_example_of_the_format_is_true(void **state)
{
    (void)state;
    static const struct {
        uint32_t type;
        const char *bytes;
    } sections[] = {
        {TK_SECTION_DICTIONARY, "00 03 09 88 97 7b f0 07 e9 2a e2 b8 4c 9c"},
        {TK_SECTION_SYMBOLS, "02 ff ff fd ff 55 71 d2"},
        {TK_SECTION_GRAMMAR, "02 bf c6 b4"},
        {TK_SECTION_EVENTS, "00 df 85"},
        {TK_SECTION_ARRIVALS, "e8 07 ff e5"},
    };
    struct fixture fixture;
    struct coded coded;
    fixture_plant(&fixture, "0 web/get@0+90\n5 web/get@0+90\n5 web/put@0+90\n900 web/get@0+4");
    encode(&coded, &fixture.forest, &(struct tk_codec_options){0});
    for (size_t i = 0; i < TK_COUNTOF(sections); i++) {
        char text[128] = "";
        tk_str bytes = section_of(&coded, sections[i].type)->bytes;
        for (size_t k = 0; k < bytes.n; k++)
            (void)snprintf(text + strlen(text), 4, "%s%02x", k > 0 ? " " : "",
                           (unsigned)(uint8_t)bytes.p[k]);
        assert_string_equal(text, sections[i].bytes);
    }
    tk_section_set_release(&coded.set);
    fixture_release(&fixture);
}

/* The bytes of a format that is written down: change it, and this has to change with it. */
static void bytes_are_those_of_the_format(void **state)
{
    (void)state;
    uint64_t hash = 0;
    struct fixture fixture;
    struct coded coded;
    fixture_grow(&fixture, &(struct fixture_random){.seed = 9, .traces = 300, .is_skewed = true});
    encode(&coded, &fixture.forest, &(struct tk_codec_options){.mode = TK_CODEC_LOSSLESS});
    for (size_t i = 0; i < coded.block.section_count; i++) {
        tk_str bytes = coded.block.sections[i].bytes;
        hash = tk_draw_round(hash ^ bytes.n);
        for (size_t k = 0; k < bytes.n; k++)
            hash = tk_draw_round(hash ^ (uint8_t)bytes.p[k]);
    }
    assert_int_equal(hash, UINT64_C(0x5e68e86e8f894a1e));
    tk_section_set_release(&coded.set);
    fixture_release(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_forests_come_back),
        cmocka_unit_test(small_forests_come_back),
        cmocka_unit_test(deep_and_wide_traces_come_back),
        cmocka_unit_test(fan_out_in_any_order_costs_what_its_order_tells),
        cmocka_unit_test(a_symbol_that_comes_late_costs_no_restart),
        cmocka_unit_test(windows_keep_how_many_traces_started_in_each),
        cmocka_unit_test(without_arrivals_traces_are_spread_evenly),
        cmocka_unit_test(texts_of_any_bytes_come_back),
        cmocka_unit_test(what_is_missing_is_named),
        cmocka_unit_test(damaged_sections_do_no_harm),
        cmocka_unit_test(a_grammar_of_more_spans_than_the_block_has_is_refused),
        cmocka_unit_test(equal_trees_of_different_blocks_have_one_hash),
        cmocka_unit_test(shapes_are_counted_over_blocks),
        cmocka_unit_test(the_example_of_the_format_is_true),
        cmocka_unit_test(bytes_are_those_of_the_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
