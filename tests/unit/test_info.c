/* SPDX-License-Identifier: Apache-2.0 */
/* What a file holds is told by its heads; quality is told in per cent. */
#include <errno.h>

#include "stream_maker.h"

#define FILE_MAX ((size_t)1 << 20)

static void quality_goes_to_planes_and_back(void **state)
{
    (void)state;
    static const struct {
        double percent;
        uint32_t planes;
    } cases[] = {{100, 1}, {57, 1}, {25, 2},  {23, 2}, {10.5, 3}, {10, 4},  {5, 4},   {4.9, 5},
                 {2.4, 5}, {2, 6},  {1.2, 6}, {1, 7},  {0.6, 7},  {0.5, 8}, {0.3, 8}, {0, 8}};
    for (size_t i = 0; i < TK_COUNTOF(cases); i++)
        assert_int_equal(tk_codec_planes(cases[i].percent), cases[i].planes);
    for (uint32_t planes = 1; planes <= 8; planes++)
        assert_int_equal(tk_codec_planes(tk_codec_quality(planes)), planes);
    assert_near(tk_codec_quality(4), 5, 1e-9);
}

static void a_file_is_described_by_its_heads(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf file;
    struct tk_codec_info info;
    struct tk_err err;
    const struct made_block blocks[] = {
        {0, 10, 1000, TK_CODEC_NEAR, 4, {{TK_SECTION_EVENTS, 30}, {TK_SECTION_TIME_BASE, 200}}},
        {1, 5, 900, TK_CODEC_LOSSLESS, 8, {{TK_SECTION_EVENTS, 20}, {TK_SECTION_IDS, 100}}},
        {2, 1, 5000, TK_CODEC_GENERATIVE, 0, {{TK_SECTION_EVENTS, 3}, {50, 7}}},
    };
    tk_buf_init(&file, FILE_MAX);
    for (size_t i = 0; i < TK_COUNTOF(blocks); i++)
        made_block_put(&file, &blocks[i]);
    assert_int_equal(tk_codec_info_read(tk_buf_str(&file), &info, &err), 0);
    assert_int_equal(info.bytes, file.n);
    assert_int_equal(info.blocks, 3);
    assert_int_equal(info.traces, 16);
    assert_int_equal(info.spans, 48);
    assert_int_equal(info.spans_in, 64);
    assert_int_equal(info.lossless, 1);
    assert_int_equal(info.generative, 1);
    assert_int_equal(info.least_planes, 4);
    assert_int_equal(info.most_planes, 8);
    assert_int_equal(info.first_ns, 900);
    assert_int_equal(info.last_ns, 5050);
    assert_int_equal(info.section_bytes[TK_SECTION_EVENTS], 53);
    assert_int_equal(info.section_bytes[TK_SECTION_IDS], 100);
    assert_int_equal(info.unknown_bytes, 7);
    assert_int_equal(info.head_bytes, file.n - 30 - 200 - 20 - 100 - 3 - 7);
    assert_false(info.closed);
    file.p[file.n - 1] ^= 1;
    assert_int_equal(tk_codec_info_read(tk_buf_str(&file), &info, &err), 0);
    assert_int_equal(info.damaged_sections, 1);
}

static void a_file_says_how_its_encoder_was_set(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf file;
    struct tk_codec_info info;
    struct tk_err err;
    const struct made_block blocks[] = {
        {.traces = 9, .mode = TK_CODEC_NEAR, .planes = 4, .attrs = 1, .kept_per_mille = 20},
        {.number = 1, .traces = 9, .mode = TK_CODEC_LOSSLESS, .planes = 8, .no_ids = true},
        {.number = 2, .traces = 9, .mode = TK_CODEC_GENERATIVE, .attrs = 2, .min_count = 7},
        {.number = 3, .traces = 9, .mode = TK_CODEC_GENERATIVE, .attrs = 2, .min_count = 3},
    };
    tk_buf_init(&file, FILE_MAX);
    for (size_t i = 0; i < TK_COUNTOF(blocks); i++)
        made_block_put(&file, &blocks[i]);
    assert_int_equal(tk_codec_info_read(tk_buf_str(&file), &info, &err), 0);
    assert_int_equal(info.seed, 1);
    assert_int_equal(info.tick_ns, 1);
    assert_int_equal(info.with_gent_attrs, 1);
    assert_int_equal(info.without_attrs, 2);
    assert_int_equal(info.without_ids, 1);
    assert_int_equal(info.min_count, 3);
    assert_int_equal(info.kept_per_mille, 20);
}

static void what_is_no_file_of_traces_is_refused(void **state)
{
    (void)state;
    struct tk_codec_info info;
    struct tk_err err;
    assert_int_equal(tk_codec_info_read(TK_STR("tkzB and so on"), &info, &err), -EBADMSG);
    assert_string_equal(err.msg, "holds no block of traces that is whole");
    assert_int_equal(tk_codec_info_read((tk_str){NULL, 0}, &info, &err), -EBADMSG);
}

static void files_merge_by_time_in_whichever_order_they_come(void **state)
{
    (void)state;
    struct tk_buf parts[3];
    struct tk_buf merged[3];
    struct tk_codec_info info;
    struct tk_err err;
    for (uint32_t i = 0; i < 3; i++) {
        tk_buf_init(&parts[i], FILE_MAX);
        tk_buf_init(&merged[i], FILE_MAX);
        for (uint32_t k = 0; k < 2; k++) {
            made_block_put(
                &parts[i],
                &(struct made_block){
                    k, 1 + i, 1000 * (int64_t)k + i, 0, 4, {{TK_SECTION_EVENTS, 5 + i}}});
        }
    }
    for (uint32_t i = 0; i < 3; i++) { /* any rotation; and two first, then the third */
        tk_str files[] = {tk_buf_str(&parts[i]), tk_buf_str(&parts[(i + 1) % 3]),
                          tk_buf_str(&parts[(i + 2) % 3])};
        const struct tk_codec_output output = {made_write, &merged[i]};
        assert_int_equal(tk_codec_merge(files, 3, &output, &info, &err), 0);
        assert_int_equal(info.blocks, 6);
        assert_true(tk_str_eq(tk_buf_str(&merged[i]), tk_buf_str(&merged[0])));
        assert_int_equal(info.bytes, merged[i].n);
    }
    TK_CLEANUP(tk_buf_release) struct tk_buf two;
    TK_CLEANUP(tk_buf_release) struct tk_buf three;
    tk_buf_init(&two, FILE_MAX);
    tk_buf_init(&three, FILE_MAX);
    assert_int_equal(tk_codec_merge((tk_str[]){tk_buf_str(&parts[0]), tk_buf_str(&parts[1])}, 2,
                                    &(struct tk_codec_output){made_write, &two}, &info, &err),
                     0);
    assert_int_equal(tk_codec_merge((tk_str[]){tk_buf_str(&parts[2]), tk_buf_str(&two)}, 2,
                                    &(struct tk_codec_output){made_write, &three}, &info, &err),
                     0);
    assert_true(tk_str_eq(tk_buf_str(&three), tk_buf_str(&merged[0])));
    for (size_t i = 0; i < 3; i++) {
        tk_buf_release(&parts[i]);
        tk_buf_release(&merged[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quality_goes_to_planes_and_back),
        cmocka_unit_test(a_file_is_described_by_its_heads),
        cmocka_unit_test(a_file_says_how_its_encoder_was_set),
        cmocka_unit_test(what_is_no_file_of_traces_is_refused),
        cmocka_unit_test(files_merge_by_time_in_whichever_order_they_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
