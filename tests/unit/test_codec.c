/* SPDX-License-Identifier: Apache-2.0 */
/* Whole files of compressed traces: every mode comes back, alike for any number of threads; what is
 * cut off or damaged costs what it holds; odd traces and odd values are no exception. */
#include "codec/codec.h"

#include <stdlib.h>

#include "codec/exact_compare.h"
#include "codec_maker.h"
#include "forest_fixture.h"
#include "span_mix.h"

static struct tk_span_batch *new_batch(size_t rows)
{
    struct tk_err err;
    struct tk_span_batch *batch;
    assert_int_equal(tk_span_batch_new(rows, &batch, &err), 0);
    return batch;
}

/* Spans with everything that a span may have, of which none differs from another one's half. */
static struct tk_span_batch *mixed_batch(uint64_t seed, size_t rows)
{
    struct tk_span_batch *batch = new_batch(rows + 1);
    mix_fill(batch, seed, rows);
    return batch;
}

static void assert_equal_spans(const struct tk_span_batch *a, const struct tk_span_batch *b)
{
    struct tk_err err;
    struct tk_span_prints prints[2];
    struct tk_span_difference difference;
    const struct tk_span_batch *const sides[2] = {a, b};
    for (size_t i = 0; i < 2; i++) {
        const struct tk_span_rows rows = {sides[i], NULL, sides[i]->rows};
        tk_span_prints_init(&prints[i], 1 << 20);
        assert_int_equal(tk_span_prints_add(&prints[i], &rows, &err), 0);
    }
    tk_span_prints_compare(&prints[0], &prints[1], &difference);
    for (size_t i = 0; i < TK_FIELD_COUNT; i++) {
        if (difference.fields[i] > 0)
            print_error("%llu spans differ in %s\n", (unsigned long long)difference.fields[i],
                        tk_span_field_names[i]);
    }
    assert_int_equal(difference.equal, a->rows);
    assert_int_equal(difference.only_a + difference.only_b + difference.unequal, 0);
    tk_span_prints_release(&prints[0]);
    tk_span_prints_release(&prints[1]);
}

static const struct tk_codec_options modes[] = {
    {.mode = TK_CODEC_NEAR},
    {.mode = TK_CODEC_NEAR, .attrs = TK_CODEC_ATTRS_GENT, .planes = 8, .kept_per_mille = 200},
    {.mode = TK_CODEC_NEAR, .attrs = TK_CODEC_ATTRS_NONE, .planes = 1},
    {.mode = TK_CODEC_GENERATIVE},
    {.mode = TK_CODEC_LOSSLESS},
    {.mode = TK_CODEC_LOSSLESS, .filter = true},
    {.mode = TK_CODEC_LOSSLESS, .no_ids = true},
};

static void lossless_files_give_every_field_of_every_span(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        size_t rows = seed * seed * 5;
        TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = mixed_batch(seed, rows);
        TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *back = new_batch(rows + 1);
        TK_CLEANUP(tk_buf_release) struct tk_buf file;
        struct tk_codec_losses losses;
        const struct tk_codec_options options = {.mode = TK_CODEC_LOSSLESS,
                                                 .block_traces = (uint32_t)(seed * 3)};
        made_compress(batch, &options, &file);
        (void)made_expand(tk_buf_str(&file), &(struct tk_codec_decoding){0}, back, &losses);
        assert_false(tk_codec_losses_any(&losses));
        assert_equal_spans(batch, back);
    }
}

static void every_mode_gives_every_trace(void **state)
{
    (void)state;
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = mixed_batch(7, 2000);
    for (size_t i = 0; i < TK_COUNTOF(modes); i++) {
        TK_CLEANUP(tk_buf_release) struct tk_buf file;
        struct tk_codec_losses losses;
        struct tk_codec_info info;
        struct tk_err err;
        made_compress(batch, &modes[i], &file);
        struct made_spans spans =
            made_expand(tk_buf_str(&file), &(struct tk_codec_decoding){0}, NULL, &losses);
        assert_int_equal(tk_codec_info_read(tk_buf_str(&file), &info, &err), 0);
        assert_int_equal(spans.spans, 2000);
        assert_int_equal(info.spans, 2000);
        assert_int_equal(spans.traces, info.traces);
        assert_false(tk_codec_losses_any(&losses));
        assert_false(losses.cut);
    }
}

static void any_number_of_threads_gives_the_same(void **state)
{
    (void)state;
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = mixed_batch(3, 600);
    for (size_t i = 0; i < TK_COUNTOF(modes); i++) {
        TK_CLEANUP(tk_buf_release) struct tk_buf first;
        struct tk_codec_losses losses;
        struct tk_codec_options options = modes[i];
        options.block_traces = 20; /* seven blocks */
        options.trace_budget_bytes = options.mode == TK_CODEC_NEAR ? 150 : 0;
        made_compress(batch, &options, &first);
        uint64_t hash =
            made_expand(tk_buf_str(&first), &(struct tk_codec_decoding){0}, NULL, &losses).hash;
        for (uint32_t threads = 2; threads <= 4; threads += 2) {
            TK_CLEANUP(tk_buf_release) struct tk_buf file;
            const struct tk_codec_decoding decoding = {.threads = threads};
            options.threads = threads;
            made_compress(batch, &options, &file);
            assert_true(tk_str_eq(tk_buf_str(&file), tk_buf_str(&first)));
            assert_int_equal(made_expand(tk_buf_str(&file), &decoding, NULL, &losses).hash, hash);
        }
    }
}

static void the_seed_of_the_reader_takes_the_place_of_that_of_the_file(void **state)
{
    (void)state;
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = mixed_batch(3, 500);
    TK_CLEANUP(tk_buf_release) struct tk_buf one;
    TK_CLEANUP(tk_buf_release) struct tk_buf nine;
    struct tk_codec_losses losses;
    made_compress(batch, &(struct tk_codec_options){.seed = 1}, &one);
    made_compress(batch, &(struct tk_codec_options){.seed = 9}, &nine);
    const struct tk_codec_decoding own = {0};
    const struct tk_codec_decoding other = {.seed = 9};
    uint64_t hash = made_expand(tk_buf_str(&one), &own, NULL, &losses).hash;
    assert_int_equal(made_expand(tk_buf_str(&one), &own, NULL, &losses).hash, hash);
    assert_int_not_equal(made_expand(tk_buf_str(&one), &other, NULL, &losses).hash, hash);
    assert_int_equal(made_expand(tk_buf_str(&one), &other, NULL, &losses).hash,
                     made_expand(tk_buf_str(&nine), &own, NULL, &losses).hash);
}

static void files_in_a_row_have_ids_of_their_own(void **state)
{
    (void)state;
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = mixed_batch(3, 100);
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *later = mixed_batch(4, 100);
    TK_CLEANUP(tk_buf_release) struct tk_buf one;
    TK_CLEANUP(tk_buf_release) struct tk_buf two;
    struct tk_codec_losses losses;
    for (size_t row = 0; row < later->rows; row++)
        later->start_ns[row] += 12345;
    made_compress(batch, &(struct tk_codec_options){0}, &one);
    made_compress(later, &(struct tk_codec_options){0}, &two);
    tk_buf_put(&one, tk_buf_str(&two));
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *back = new_batch(200);
    (void)made_expand(tk_buf_str(&one), &(struct tk_codec_decoding){0}, back, &losses);
    assert_int_equal(back->rows, 200);
    for (size_t row = 0; row < 100; row++)
        assert_memory_not_equal(back->trace_ids[row], back->trace_ids[100 + row], 16);
}

/* Damage --------------------------------------------------------------------------------------- */

#define SMALL_SPANS 12

/* Tables of contexts are made anew for each block, which costs milliseconds: each mode is tried at
 * bytes of its own. The modes of a family have the same sections, so that together they are tried
 * at every tenth byte or so; all bytes are for tests/fuzz. Odd, so that each bit has its turn. */
#define STEP 31

/* A file of several blocks. */
static void small_file(size_t mode, struct tk_buf *out)
{
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = mixed_batch(5, SMALL_SPANS);
    struct tk_codec_options options = modes[mode];
    options.block_traces = 2;
    made_compress(batch, &options, out);
}

static void a_file_that_is_cut_gives_what_stands_before(void **state)
{
    (void)state;
    for (size_t i = 0; i < TK_COUNTOF(modes); i++) {
        TK_CLEANUP(tk_buf_release) struct tk_buf file;
        struct tk_codec_losses losses;
        size_t most = 0;
        small_file(i, &file);
        for (size_t n = i; n < file.n; n += STEP) {
            /* In memory of its own, so that a sanitizer sees every byte behind it. */
            char *copy = malloc(n > 0 ? n : 1);
            assert_non_null(copy);
            memcpy(copy, file.p, n);
            size_t spans =
                made_expand((tk_str){copy, n}, &(struct tk_codec_decoding){0}, NULL, &losses).spans;
            assert_true(spans >= most);
            assert_true(losses.cut || n + 8 >= file.n); /* the trailer of the index */
            most = spans;
            free(copy);
        }
        assert_true(most > 0);
    }
}

static void a_flipped_bit_costs_a_layer_or_a_block_and_is_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < TK_COUNTOF(modes); i++) {
        TK_CLEANUP(tk_buf_release) struct tk_buf file;
        struct tk_codec_losses losses;
        small_file(i, &file);
        for (size_t at = i; at < file.n; at += STEP) {
            file.p[at] = (char)(file.p[at] ^ 1 << at % 8);
            struct made_spans spans =
                made_expand(tk_buf_str(&file), &(struct tk_codec_decoding){0}, NULL, &losses);
            assert_true(tk_codec_losses_any(&losses) || losses.cut || spans.spans == SMALL_SPANS);
            assert_true(spans.spans > 0);
            file.p[at] = (char)(file.p[at] ^ 1 << at % 8);
        }
    }
}

/* The same files, truncated: what is left of them, or one line. */
static void damaged_files_are_truncated_or_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < TK_COUNTOF(modes); i++) {
        TK_CLEANUP(tk_buf_release) struct tk_buf file;
        small_file(i, &file);
        for (size_t at = i; at < file.n; at += STEP) {
            TK_CLEANUP(tk_buf_release) struct tk_buf cut;
            struct tk_codec_info info;
            struct tk_err err;
            const struct tk_codec_ceiling ceiling = {.planes = 2};
            const struct tk_codec_output output = {made_write, &cut};
            tk_str bytes = at % 2 ? (tk_str){file.p, at} : tk_buf_str(&file);
            tk_buf_init(&cut, FILE_MAX);
            file.p[at] = (char)(file.p[at] ^ 1 << at % 8);
            int rc = tk_codec_truncate(&ceiling, bytes, &output, &info, &err);
            assert_true(rc == 0 || rc == -EBADMSG);
            assert_true(rc < 0 || info.bytes == cut.n);
            file.p[at] = (char)(file.p[at] ^ 1 << at % 8);
        }
    }
}

/* Checksums that are right, and sections that make no sense: what a hostile file would have. */
static void sections_of_nonsense_cost_themselves_alone(void **state)
{
    (void)state;
    struct tk_buf files[TK_COUNTOF(modes)];
    for (size_t i = 0; i < TK_COUNTOF(modes); i++)
        small_file(i, &files[i]);
    for (uint64_t round = 0; round < 150; round++) {
        TK_CLEANUP(tk_buf_release) struct tk_buf bad;
        struct tk_codec_losses losses;
        struct tk_block block;
        struct tk_err err;
        char bytes[256];
        struct tk_block_walk walk = {.file = tk_buf_str(&files[round % TK_COUNTOF(modes)])};
        tk_buf_init(&bad, FILE_MAX);
        assert_int_equal(tk_block_walk_next(&walk, &block, &err), 0);
        struct tk_section *section = &block.sections[round / 6 % block.section_count];
        size_t n = section->bytes.n < sizeof(bytes) ? section->bytes.n : sizeof(bytes);
        memcpy(bytes, section->bytes.p, n);
        uint64_t random = tk_draw(round, 1, 2, 3);
        bytes[random % n] = (char)(random >> 32);
        if (random >> 60 == 0)
            n = random % n + 1;
        section->bytes = (tk_str){bytes, n};
        tk_block_put(&bad, &block.head, block.sections, block.section_count);
        (void)made_expand(tk_buf_str(&bad), &(struct tk_codec_decoding){0}, NULL, &losses);
    }
    for (size_t i = 0; i < TK_COUNTOF(modes); i++)
        tk_buf_release(&files[i]);
}

/* Odd traces ----------------------------------------------------------------------------------- */

/* A mode gives back as many spans as there were. */
static void assert_survives_in(const struct tk_codec_options *mode,
                               const struct tk_span_batch *batch)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf file;
    struct tk_codec_losses losses;
    made_compress(batch, mode, &file);
    struct made_spans spans =
        made_expand(tk_buf_str(&file), &(struct tk_codec_decoding){0}, NULL, &losses);
    assert_string_equal(losses.first, "");
    assert_int_equal(spans.spans, batch->rows);
    assert_false(tk_codec_losses_any(&losses));
}

static void assert_survives(const struct tk_span_batch *batch)
{
    for (size_t i = 0; i < TK_COUNTOF(modes); i++)
        assert_survives_in(&modes[i], batch);
}

static void a_chain_of_100000_levels_and_a_fan_of_as_many_survive(void **state)
{
    (void)state;
    enum { SPANS = 100000 };
    /* One of each family, which has all of its layers. */
    static const struct tk_codec_options families[] = {
        {.mode = TK_CODEC_NEAR, .planes = 8, .kept_per_mille = 200},
        {.mode = TK_CODEC_GENERATIVE},
        {.mode = TK_CODEC_LOSSLESS}};
    for (int is_chain = 0; is_chain < 2; is_chain++) {
        TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = new_batch(SPANS);
        for (uint64_t i = 0; i < SPANS; i++) {
            const struct made_span span = {.id = i + 1,
                                           .parent = is_chain ? i : i > 0,
                                           .start_ns = (int64_t)i * 1000,
                                           .duration_ns = 1000 * (SPANS - (int64_t)i)};
            made_add(batch, &span, 1);
        }
        for (size_t i = 0; i < TK_COUNTOF(families); i++)
            assert_survives_in(&families[i], batch);
    }
}

static void cycles_twins_and_times_at_the_edge_survive(void **state)
{
    (void)state;
    static const struct made_span spans[] = {
        {.id = 1, .parent = 2, .start_ns = 10, .duration_ns = 5}, /* a cycle of three */
        {.id = 2, .parent = 3, .start_ns = 20, .duration_ns = 0},
        {.id = 3, .parent = 1, .start_ns = 30, .duration_ns = 9},
        {.id = 4, .parent = 4, .start_ns = 5, .duration_ns = 1}, /* its own parent */
        {.id = 5, .parent = 99, .start_ns = 0, .duration_ns = 1},
        {.id = 6, .start_ns = -7, .duration_ns = 3},              /* before 1970 */
        {.id = 7, .parent = 6, .start_ns = -9, .duration_ns = 1}, /* before its parent */
        {.trace = 2, .id = 1, .start_ns = INT64_MAX - 5000000, .duration_ns = 900},
        {.trace = 3, .id = 1, .start_ns = 1700000000000000000, .duration_ns = INT64_MAX / 8},
    };
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = new_batch(16);
    made_add(batch, spans, TK_COUNTOF(spans));
    assert_survives(batch);
}

static void starts_in_the_last_millisecond_of_time_survive(void **state)
{
    (void)state;
    static const int64_t last_ms = INT64_MAX / 1000000 * 1000000;
    static const struct made_span files[][2] = {
        {{.trace = 1, .id = 1}, {.trace = 2, .id = 1, .start_ns = INT64_MAX}},
        {{.trace = 1, .id = 1, .start_ns = INT64_MAX - 1, .duration_ns = 1},
         {.trace = 2, .id = 1, .start_ns = INT64_MAX}},
        {{.trace = 1, .id = 1, .start_ns = -9000},
         {.trace = 2, .id = 1, .start_ns = last_ms - 9000}},
        {{.trace = 1, .id = 1, .start_ns = 1000000}, {.trace = 2, .id = 1, .start_ns = last_ms}},
        {{.trace = 1, .id = 1, .start_ns = last_ms - 5},
         {.trace = 2, .id = 1, .start_ns = last_ms}},
    };
    for (size_t i = 0; i < TK_COUNTOF(files); i++) {
        TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = new_batch(2);
        TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *back = new_batch(2);
        TK_CLEANUP(tk_buf_release) struct tk_buf file;
        struct tk_codec_losses losses;
        made_add(batch, files[i], 2);
        assert_survives(batch);
        made_compress(batch, &(struct tk_codec_options){.mode = TK_CODEC_LOSSLESS}, &file);
        (void)made_expand(tk_buf_str(&file), &(struct tk_codec_decoding){0}, back, &losses);
        assert_equal_spans(batch, back);
    }
}

/* A quiet service, then a hundred times as many traces in a second, of services and operations that
 * nobody has seen, in the same block: all is coded as it comes, and what blocks hold stays bounded.
 */
static void bursts_and_services_first_seen_in_mid_block_survive(void **state)
{
    (void)state;
    enum { QUIET = 40, BURST = 4000, NAMES = 97 };
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = new_batch(QUIET + BURST);
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *back = new_batch(QUIET + BURST);
    TK_CLEANUP(tk_buf_release) struct tk_buf file;
    TK_CLEANUP(tk_buf_release) struct tk_buf blocks;
    struct tk_codec_losses losses;
    struct tk_codec_info info;
    struct tk_err err;
    for (uint32_t i = 0; i < QUIET + BURST; i++) {
        char name[32];
        bool quiet = i < QUIET;
        int64_t start =
            quiet ? i * INT64_C(1000000000) : QUIET * INT64_C(1000000000) + i * INT64_C(250000);
        const struct made_span span = {
            .id = 1, .trace = i + 1, .start_ns = start, .duration_ns = 1000 + i % 7};
        made_add(batch, &span, 1);
        (void)snprintf(name, sizeof(name), quiet ? "quiet" : "new %u", i % NAMES);
        batch->names[i] = tk_texts_add(&batch->texts, tk_str_from(name));
    }
    assert_survives(batch);
    made_compress(batch, &(struct tk_codec_options){.mode = TK_CODEC_LOSSLESS}, &file);
    (void)made_expand(tk_buf_str(&file), &(struct tk_codec_decoding){0}, back, &losses);
    assert_equal_spans(batch, back);
    made_compress(batch, &(struct tk_codec_options){.block_traces = 100, .block_ns = 1000000000},
                  &blocks);
    assert_int_equal(tk_codec_info_read(tk_buf_str(&blocks), &info, &err), 0);
    assert_in_range(info.blocks, (QUIET + BURST) / 100, QUIET + BURST / 100 + 2);
}

/* Values that are no text, a key that is none, a value of a MiB. */
static void odd_values_come_back_byte_for_byte(void **state)
{
    (void)state;
    enum { LARGE = 1 << 20 };
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = new_batch(4);
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *back = new_batch(4);
    TK_CLEANUP(tk_buf_release) struct tk_buf file;
    struct tk_codec_losses losses;
    char *large = malloc(LARGE);
    assert_non_null(large);
    for (size_t i = 0; i < LARGE; i++)
        large[i] = (char)(i * 7 + i / 4096);
    const struct {
        tk_str key, value;
        uint32_t type;
    } attrs[] = {
        {TK_STR(""), TK_STR("no key"), TK_ATTR_STRING},
        {TK_STR("nul"), TK_STR("a\0b\0"), TK_ATTR_STRING},
        {TK_STR("bytes"), TK_STR("\xFF\xFE\x00\x80"), TK_ATTR_BYTES},
        {TK_STR("marks"), TK_STR("\x01\x02\x05 1 \x02"), TK_ATTR_STRING},
        {TK_STR("large"), {large, LARGE}, TK_ATTR_BYTES},
    };
    assert_int_equal(tk_span_batch_add_resource(batch, &(struct tk_span_resource){0}), 0);
    assert_int_equal(tk_span_batch_add_scope(batch, &(struct tk_span_scope){0}), 0);
    assert_int_equal(tk_span_batch_begin(batch), 0);
    batch->trace_ids[0][0] = 1;
    batch->span_ids[0] = 1;
    for (size_t i = 0; i < TK_COUNTOF(attrs); i++) {
        const struct tk_attr attr = {.key = tk_texts_add(&batch->texts, attrs[i].key),
                                     .type = attrs[i].type,
                                     .text = tk_texts_add(&batch->texts, attrs[i].value)};
        assert_int_equal(tk_span_batch_add_attr(batch, &attr), 0);
    }
    assert_int_equal(tk_span_batch_end(batch), 0);
    assert_survives(batch);
    made_compress(batch, &(struct tk_codec_options){.mode = TK_CODEC_LOSSLESS}, &file);
    (void)made_expand(tk_buf_str(&file), &(struct tk_codec_decoding){0}, back, &losses);
    assert_equal_spans(batch, back);
    free(large);
}

static void one_trace_and_none_are_files(void **state)
{
    (void)state;
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = new_batch(4);
    assert_survives(batch);
    made_add(batch, &(struct made_span){.id = 1, .duration_ns = 1}, 1);
    assert_survives(batch);
    made_add(batch, &(struct made_span){.id = 1, .trace = 9}, 1);
    assert_survives(batch);
}

static void spans_that_come_again_are_counted_in_the_file(void **state)
{
    (void)state;
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = new_batch(8);
    TK_CLEANUP(tk_buf_release) struct tk_buf file;
    struct tk_codec_info info;
    struct tk_err err;
    const struct made_span span = {.id = 1, .start_ns = 5, .duration_ns = 1};
    for (int i = 0; i < 3; i++)
        made_add(batch, &span, 1);
    made_add(batch, &(struct made_span){.id = 1, .start_ns = 6, .duration_ns = 1}, 1);
    made_compress(batch, &(struct tk_codec_options){0}, &file);
    assert_int_equal(tk_codec_info_read(tk_buf_str(&file), &info, &err), 0);
    assert_int_equal(info.spans, 1);
    assert_int_equal(info.spans_in, 4);
    assert_int_equal(info.duplicates, 3);
    assert_int_equal(info.unequal_duplicates, 1);
}

static size_t count_durations(const struct tk_span_batch *batch)
{
    size_t n = 0;
    for (size_t row = 0; row < batch->rows; row++)
        n += batch->duration_ns[row] > 0;
    return n;
}

static void a_budget_below_distributions_still_gives_most_spans_a_duration(void **state)
{
    (void)state;
    struct fixture fixture;
    struct tk_buf file;
    struct tk_codec_losses losses;
    const struct tk_codec_decoding decoding = {0};
    fixture_grow(&fixture, &(struct fixture_random){.seed = 3, .traces = 2000, .max_spans = 30});
    made_compress(fixture.batch, &(struct tk_codec_options){.mode = TK_CODEC_GENERATIVE}, &file);
    double trace_bytes = 0.9 * (double)file.n / 2000;
    tk_buf_release(&file);
    made_compress(fixture.batch, &(struct tk_codec_options){.trace_budget_bytes = trace_bytes},
                  &file);
    assert_true((double)file.n <= trace_bytes * 2000);
    struct tk_span_batch *out = new_batch(fixture.batch->rows + 1);
    (void)made_expand(tk_buf_str(&file), &decoding, out, &losses);
    assert_int_equal(out->rows, fixture.batch->rows);
    assert_true(count_durations(out) > count_durations(fixture.batch) / 2);
    tk_span_batch_free(out);
    tk_buf_release(&file);
    fixture_release(&fixture);
}

/* What even the coarsest distributions leave no room for: starts become counts of some seconds. */
static void a_budget_below_starts_still_gives_every_trace_in_its_seconds(void **state)
{
    (void)state;
    struct fixture fixture;
    struct tk_buf file;
    struct tk_codec_info info;
    struct tk_codec_losses losses;
    struct tk_err err;
    fixture_grow(&fixture, &(struct fixture_random){.seed = 3, .traces = 2000, .max_spans = 3});
    const struct tk_codec_options bare = {
        .mode = TK_CODEC_GENERATIVE, .attrs = TK_CODEC_ATTRS_NONE, .table_least = UINT32_MAX};
    made_compress(fixture.batch, &bare, &file);
    double trace_bytes = ((double)file.n - 100) / 2000;
    assert_int_equal(tk_codec_info_read(tk_buf_str(&file), &info, &err), 0);
    assert_int_equal(info.coarse_starts, 0);
    tk_buf_release(&file);
    made_compress(fixture.batch, &(struct tk_codec_options){.trace_budget_bytes = trace_bytes},
                  &file);
    assert_true((double)file.n <= trace_bytes * 2000);
    assert_int_equal(tk_codec_info_read(tk_buf_str(&file), &info, &err), 0);
    assert_int_equal(info.coarse_starts, 1);
    struct tk_span_batch *out = new_batch(fixture.batch->rows + 1);
    struct made_spans spans =
        made_expand(tk_buf_str(&file), &(struct tk_codec_decoding){0}, out, &losses);
    assert_int_equal(spans.traces, 2000);
    assert_int_equal(out->rows, fixture.batch->rows);
    tk_span_batch_free(out);
    tk_buf_release(&file);
    fixture_release(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lossless_files_give_every_field_of_every_span),
        cmocka_unit_test(a_budget_below_distributions_still_gives_most_spans_a_duration),
        cmocka_unit_test(a_budget_below_starts_still_gives_every_trace_in_its_seconds),
        cmocka_unit_test(every_mode_gives_every_trace),
        cmocka_unit_test(any_number_of_threads_gives_the_same),
        cmocka_unit_test(the_seed_of_the_reader_takes_the_place_of_that_of_the_file),
        cmocka_unit_test(files_in_a_row_have_ids_of_their_own),
        cmocka_unit_test(a_file_that_is_cut_gives_what_stands_before),
        cmocka_unit_test(a_flipped_bit_costs_a_layer_or_a_block_and_is_told),
        cmocka_unit_test(damaged_files_are_truncated_or_refused),
        cmocka_unit_test(sections_of_nonsense_cost_themselves_alone),
        cmocka_unit_test(a_chain_of_100000_levels_and_a_fan_of_as_many_survive),
        cmocka_unit_test(cycles_twins_and_times_at_the_edge_survive),
        cmocka_unit_test(starts_in_the_last_millisecond_of_time_survive),
        cmocka_unit_test(bursts_and_services_first_seen_in_mid_block_survive),
        cmocka_unit_test(odd_values_come_back_byte_for_byte),
        cmocka_unit_test(one_trace_and_none_are_files),
        cmocka_unit_test(spans_that_come_again_are_counted_in_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
