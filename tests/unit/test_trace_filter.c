/* SPDX-License-Identifier: Apache-2.0 */
/* A block tells which traces it may have without being decoded: all that it has, hardly any other,
 * and nothing when its ids are damaged. */
#include "codec/trace_filter.h"

#include <stdlib.h>
#include <string.h>

#include "codec_maker.h"
#include "span_mix.h"

#define ROWS 3000

static struct tk_span_batch *new_batch(void)
{
    struct tk_err err;
    struct tk_span_batch *batch;
    assert_int_equal(tk_span_batch_new(ROWS + 1, &batch, &err), 0);
    return batch;
}

/* The only block of a file, and its hashes: NULL = it does not tell. */
static uint32_t *read_hashes(tk_str file, uint32_t *ret_count)
{
    struct tk_block_walk walk = {.file = file};
    struct tk_block block;
    struct tk_err err;
    assert_int_equal(tk_block_walk_next(&walk, &block, &err), 0);
    uint32_t *hashes = calloc((size_t)block.head.traces + 1, sizeof(*hashes));
    assert_non_null(hashes);
    *ret_count = block.head.traces;
    if (tk_trace_filter_read(&block, hashes))
        return hashes;
    free(hashes);
    return NULL;
}

static bool has(const uint32_t *hashes, uint32_t count, const uint8_t id[16])
{
    uint32_t hash = tk_trace_filter_hash(id);
    bool found = false;
    for (uint32_t i = 0; i < count; i++)
        found |= hashes[i] == hash;
    return found;
}

static void assert_finds_all(const struct tk_codec_options *options)
{
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = new_batch();
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *back = new_batch();
    TK_CLEANUP(tk_buf_release) struct tk_buf file;
    struct tk_codec_losses losses;
    uint32_t count;
    unsigned others = 0;
    mix_fill(batch, 5, ROWS);
    made_compress(batch, options, &file);
    (void)made_expand(tk_buf_str(&file), &(struct tk_codec_decoding){0}, back, &losses);
    uint32_t *hashes = read_hashes(tk_buf_str(&file), &count);
    assert_non_null(hashes);
    for (uint32_t i = 1; i < count; i++)
        assert_true(hashes[i - 1] <= hashes[i]);
    for (size_t row = 0; row < back->rows; row++)
        assert_true(has(hashes, count, back->trace_ids[row]));
    for (uint32_t i = 0; i < 2000; i++) {
        uint8_t id[16] = {0xA5};
        memcpy(id + 8, &i, sizeof(i));
        others += has(hashes, count, id);
    }
    assert_in_range(others, 0, 20); /* of 2,000: one hash in 2^26 / 3,000 at most is taken */
    free(hashes);
}

static void a_lossless_block_finds_its_traces_by_its_filter(void **state)
{
    (void)state;
    assert_finds_all(&(struct tk_codec_options){.mode = TK_CODEC_LOSSLESS, .filter = true});
}

static void blocks_without_ids_find_those_that_they_draw(void **state)
{
    (void)state;
    assert_finds_all(&(struct tk_codec_options){.mode = TK_CODEC_NEAR});
    assert_finds_all(&(struct tk_codec_options){.mode = TK_CODEC_GENERATIVE, .seed = 9});
    assert_finds_all(&(struct tk_codec_options){.mode = TK_CODEC_LOSSLESS, .no_ids = true});
}

static void what_cannot_be_told_is_not_guessed(void **state)
{
    (void)state;
    const struct tk_codec_options options[] = {
        {.mode = TK_CODEC_LOSSLESS},                     /* has no filter */
        {.mode = TK_CODEC_NEAR, .kept_per_mille = 100}}; /* some have their own ids */
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = new_batch();
    mix_fill(batch, 5, ROWS);
    for (size_t i = 0; i < TK_COUNTOF(options); i++) {
        TK_CLEANUP(tk_buf_release) struct tk_buf file;
        uint32_t count;
        made_compress(batch, &options[i], &file);
        assert_null(read_hashes(tk_buf_str(&file), &count));
    }
}

static void a_damaged_filter_tells_nothing(void **state)
{
    (void)state;
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = new_batch();
    TK_CLEANUP(tk_buf_release) struct tk_buf file;
    struct tk_block_walk walk = {0};
    struct tk_block block;
    struct tk_err err;
    uint32_t count;
    mix_fill(batch, 5, ROWS);
    made_compress(batch, &(struct tk_codec_options){.mode = TK_CODEC_LOSSLESS, .filter = true},
                  &file);
    walk.file = tk_buf_str(&file);
    assert_int_equal(tk_block_walk_next(&walk, &block, &err), 0);
    const uint32_t types[] = {TK_SECTION_IDS, TK_SECTION_TRACE_FILTER};
    for (size_t i = 0; i < TK_COUNTOF(types); i++) {
        const struct tk_section *section = tk_block_find(&block, types[i]);
        assert_non_null(section);
        file.p[section->offset] ^= 1;
        assert_null(read_hashes(tk_buf_str(&file), &count));
        file.p[section->offset] ^= 1;
    }
}

/* Truncated by quality, ids are drawn, and so are their hashes. */
static void a_truncated_block_finds_the_ids_that_it_has_then(void **state)
{
    (void)state;
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = new_batch();
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *back = new_batch();
    TK_CLEANUP(tk_buf_release) struct tk_buf file;
    TK_CLEANUP(tk_buf_release) struct tk_buf cut;
    struct tk_codec_losses losses;
    struct tk_codec_info info;
    struct tk_err err;
    uint32_t count;
    mix_fill(batch, 5, ROWS);
    made_compress(batch, &(struct tk_codec_options){.mode = TK_CODEC_LOSSLESS, .filter = true},
                  &file);
    tk_buf_init(&cut, FILE_MAX);
    assert_int_equal(tk_codec_truncate(&(struct tk_codec_ceiling){.planes = 3}, tk_buf_str(&file),
                                       &(struct tk_codec_output){made_write, &cut}, &info, &err),
                     0);
    assert_int_equal(info.section_bytes[TK_SECTION_TRACE_FILTER], 0);
    (void)made_expand(tk_buf_str(&cut), &(struct tk_codec_decoding){0}, back, &losses);
    uint32_t *hashes = read_hashes(tk_buf_str(&cut), &count);
    assert_non_null(hashes);
    for (size_t row = 0; row < back->rows; row++)
        assert_true(has(hashes, count, back->trace_ids[row]));
    free(hashes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lossless_block_finds_its_traces_by_its_filter),
        cmocka_unit_test(blocks_without_ids_find_those_that_they_draw),
        cmocka_unit_test(what_cannot_be_told_is_not_guessed),
        cmocka_unit_test(a_damaged_filter_tells_nothing),
        cmocka_unit_test(a_truncated_block_finds_the_ids_that_it_has_then),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
