/* SPDX-License-Identifier: Apache-2.0 */
/* The frame of `.tkz`: blocks come back as they were written; what was cut off or damaged costs
 * itself alone; what a newer version wrote is refused, or passed over where it may be. */
#include "codec/stream.h"

#include <errno.h>
#include <libdeflate.h>
#include <string.h>

#include "codec/codec.h"
#include "tk_test.h"

#define FILE_MAX ((size_t)1 << 20)

static const struct tk_block_head head_of_test = {.traces = 3,
                                                  .nodes = 7,
                                                  .number = 2,
                                                  .seed = 0xFFFFFFFFFFFFFFFF,
                                                  .origin_ns = -5,
                                                  .tick_ns = 1000,
                                                  .end_ns = 90,
                                                  .mode = TK_CODEC_LOSSLESS,
                                                  .attrs = TK_CODEC_ATTRS_GENT,
                                                  .planes = 4,
                                                  .min_count = 5,
                                                  .kept_per_mille = 20,
                                                  .no_ids = true,
                                                  .spans_in = 9,
                                                  .duplicates = 2,
                                                  .unequal_duplicates = 1,
                                                  .orphans = 3,
                                                  .cycles = 4,
                                                  .late = 6};

static struct tk_section section_of(uint32_t type, bool required, const char *bytes)
{
    return (struct tk_section){.type = type, .required = required, .bytes = tk_str_from(bytes)};
}

/* A block whose sections hold their names. */
static void put_block(struct tk_buf *out, uint64_t number)
{
    struct tk_block_head head = head_of_test;
    head.number = number;
    const struct tk_section sections[] = {
        section_of(TK_SECTION_DICTIONARY, true, "texts of the block"),
        section_of(TK_SECTION_EVENTS, true, "shapes"),
        section_of(TK_SECTION_TIME_BASE, false, "levels of time"),
        section_of(TK_SECTION_TIME_PLANE + 1, false, "more"),
    };
    tk_block_put(out, &head, sections, TK_COUNTOF(sections));
}

/* A file of blocks numbered from 0, with its index. */
static void put_file(struct tk_buf *out, uint64_t blocks)
{
    struct tk_block_entry entries[8];
    size_t begin = out->n;
    for (uint64_t i = 0; i < blocks; i++) {
        size_t at = out->n;
        put_block(out, i);
        entries[i] = (struct tk_block_entry){at - begin, out->n - at, -5, 90, 3, 7};
    }
    tk_block_index_put(out, entries, blocks);
    assert_true(tk_buf_ok(out));
}

/* What a walk finds. */
struct found {
    size_t blocks, whole_sections, damaged_sections;
    uint64_t numbers; /* a bit each */
    struct tk_block_walk walk;
};

static struct found walk_file(tk_str file)
{
    struct found found = {.walk = {.file = file}};
    struct tk_block block;
    struct tk_err err;
    int rc;
    while ((rc = tk_block_walk_next(&found.walk, &block, &err)) == 0) {
        found.blocks++;
        found.numbers |= UINT64_C(1) << (block.head.number & 63);
        for (size_t i = 0; i < block.section_count; i++) {
            const struct tk_section *section = &block.sections[i];
            assert_true(section->offset + section->bytes.n <= file.n);
            found.damaged_sections += section->damaged;
            found.whole_sections += !section->damaged;
            assert_ptr_equal(tk_block_find(&block, section->type),
                             section->damaged ? NULL : section);
        }
    }
    assert_int_equal(rc, 1);
    assert_int_equal(found.walk.offset, file.n);
    return found;
}

static void a_block_comes_back_as_it_was_written(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    struct tk_block block;
    struct tk_err err;
    tk_buf_init(&out, FILE_MAX);
    put_block(&out, 2);
    struct tk_block_walk walk = {.file = tk_buf_str(&out)};
    assert_int_equal(tk_block_walk_next(&walk, &block, &err), 0);
    struct tk_block_head expected = head_of_test;
    expected.version = TK_STREAM_VERSION;
    assert_memory_equal(&block.head, &expected, sizeof(expected));
    assert_int_equal(block.section_count, 4);
    assert_int_equal(block.size, out.n);
    assert_str_equal(tk_block_find(&block, TK_SECTION_DICTIONARY)->bytes, "texts of the block");
    assert_str_equal(tk_block_find(&block, TK_SECTION_TIME_PLANE + 1)->bytes, "more");
    assert_null(tk_block_find(&block, TK_SECTION_ATTRS));
    assert_int_equal(tk_block_walk_next(&walk, &block, &err), 1);
    assert_true(tk_stream_detect(tk_buf_str(&out)));
}

static void only_sections_with_bytes_are_written(void **state)
{
    (void)state;
    struct tk_section_set set = {0};
    struct tk_section sections[TK_SECTION_COUNT];
    tk_section_set_init(&set);
    tk_buf_lit(&set.bytes[TK_SECTION_DETAILS], "d");
    tk_buf_lit(&set.bytes[TK_SECTION_SYMBOLS], "s");
    assert_int_equal(tk_section_set_list(&set, sections), 2);
    assert_int_equal(sections[0].type, TK_SECTION_SYMBOLS);
    assert_true(sections[0].required);
    assert_int_equal(sections[1].type, TK_SECTION_DETAILS);
    assert_false(sections[1].required);
    tk_section_set_release(&set);
}

static void files_in_a_row_are_a_file(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, FILE_MAX);
    put_file(&out, 2);
    put_file(&out, 3);
    struct found found = walk_file(tk_buf_str(&out));
    assert_int_equal(found.blocks, 5);
    assert_int_equal(found.whole_sections, 20);
    assert_int_equal(found.walk.damaged_bytes, 0);
    assert_true(found.walk.at_index);
}

static void a_file_cut_anywhere_gives_what_stands_before_the_cut(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, FILE_MAX);
    put_file(&out, 2);
    size_t most = 0;
    for (size_t n = 0; n <= out.n; n++) {
        struct found found = walk_file((tk_str){out.p, n});
        assert_true(found.whole_sections >= most);
        assert_int_equal(found.walk.at_index, n > out.n - 9);
        most = found.whole_sections;
    }
    assert_int_equal(most, 8);
}

static void a_flipped_bit_costs_one_section_or_one_block(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, FILE_MAX);
    put_file(&out, 3);
    for (size_t bit = 0; bit < out.n * 8; bit++) {
        out.p[bit / 8] = (char)(out.p[bit / 8] ^ 1 << bit % 8);
        struct found found = walk_file(tk_buf_str(&out));
        assert_true(found.blocks == 3 || found.blocks == 2);
        assert_true(found.whole_sections >= (found.blocks == 3 ? 11 : 8));
        assert_true(found.blocks == 3 || found.walk.damaged_bytes > 0);
        out.p[bit / 8] = (char)(out.p[bit / 8] ^ 1 << bit % 8);
    }
}

static void a_file_behind_one_that_was_cut_is_found(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf first;
    TK_CLEANUP(tk_buf_release) struct tk_buf both;
    tk_buf_init(&first, FILE_MAX);
    tk_buf_init(&both, FILE_MAX);
    put_block(&first, 0);
    for (size_t n = 0; n < first.n; n++) {
        tk_buf_reset(&both);
        tk_buf_put(&both, (tk_str){first.p, n});
        put_block(&both, 1);
        put_block(&both, 2);
        struct found found = walk_file(tk_buf_str(&both));
        assert_int_equal(found.numbers & 6, 6);
    }
}

static void what_a_newer_version_wrote_is_refused_or_passed_over(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    struct tk_section sections[] = {section_of(40, false, "new"),
                                    section_of(TK_SECTION_EVENTS, true, "old")};
    struct tk_block block;
    struct tk_err err;
    tk_buf_init(&out, FILE_MAX);
    tk_block_put(&out, &head_of_test, sections, 2);
    struct tk_block_walk walk = {.file = tk_buf_str(&out)};
    assert_int_equal(tk_block_walk_next(&walk, &block, &err), 0);
    assert_int_equal(walk.unknown, 1);
    assert_str_equal(tk_block_find(&block, TK_SECTION_EVENTS)->bytes, "old");

    tk_buf_reset(&out);
    sections[0].required = true;
    tk_block_put(&out, &head_of_test, sections, 2);
    walk = (struct tk_block_walk){.file = tk_buf_str(&out)};
    assert_int_equal(tk_block_walk_next(&walk, &block, &err), -EOPNOTSUPP);
    assert_string_equal(err.msg, "block at byte 0: needs sections of type 40, which a newer "
                                 "tracekit reads");

    out.p[12] = 2; /* the version, and the checksum that goes with it */
    uint32_t n;
    memcpy(&n, out.p + 4, sizeof(n));
    uint32_t crc = libdeflate_crc32(0, out.p + 12, n);
    memcpy(out.p + 8, &crc, sizeof(crc));
    walk = (struct tk_block_walk){.file = tk_buf_str(&out)};
    assert_int_equal(tk_block_walk_next(&walk, &block, &err), -EOPNOTSUPP);
    assert_string_equal(err.msg, "block at byte 0: version 2 of the format, which a newer tracekit "
                                 "reads");
}

static void a_head_that_asks_for_too_much_is_damage(void **state)
{
    (void)state;
    const struct tk_block_head bad[] = {
        {.traces = 2, .nodes = 1, .tick_ns = 1},
        {.traces = 1, .nodes = UINT32_MAX, .tick_ns = 1},
        {.traces = 1, .nodes = 1, .tick_ns = 7},
    };
    for (size_t i = 0; i < TK_COUNTOF(bad); i++) {
        TK_CLEANUP(tk_buf_release) struct tk_buf out;
        tk_buf_init(&out, FILE_MAX);
        tk_block_put(&out, &bad[i], NULL, 0);
        size_t n = out.n;
        put_block(&out, 3);
        struct found found = walk_file(tk_buf_str(&out));
        assert_int_equal(found.blocks, 1);
        assert_int_equal(found.walk.damaged_bytes, n);
    }
}

static void the_index_tells_where_blocks_are(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    struct tk_block_entry entries[2];
    size_t count;
    tk_buf_init(&out, FILE_MAX);
    put_file(&out, 3);
    assert_true(tk_block_index_read(tk_buf_str(&out), entries, 2, &count));
    assert_int_equal(count, 3);
    assert_int_equal(entries[1].offset, entries[0].size);
    assert_int_equal(entries[1].origin_ns, -5);
    assert_int_equal(entries[1].end_ns, 90);
    assert_int_equal(entries[1].nodes, 7);
    size_t whole = out.n;
    for (size_t n = 0; n < whole; n++)
        assert_false(tk_block_index_read((tk_str){out.p, n}, entries, 2, &count));
    put_file(&out, 1); /* of the second file alone */
    assert_false(tk_block_index_read(tk_buf_str(&out), entries, 2, &count));
}

static void every_section_has_a_name_and_a_layer(void **state)
{
    (void)state;
    for (uint32_t type = 1; type < TK_SECTION_COUNT; type++) {
        assert_in_range(tk_section_layer(type), 0, 5);
        assert_string_not_equal(tk_section_name(type), "unknown");
    }
    assert_string_equal(tk_section_name(TK_SECTION_TIME_PLANE + 7), "time plane 8");
    assert_string_equal(tk_section_name(TK_SECTION_DETAILS), "details");
    assert_string_equal(tk_section_name(TK_SECTION_COUNT), "unknown");
}

static void sections_stand_by_what_they_are_worth(void **state)
{
    (void)state;
    static const uint32_t first[] = {TK_SECTION_ARRIVALS, TK_SECTION_TIME_WINDOWS,
                                     TK_SECTION_RESOURCES};
    struct tk_section_set set;
    struct tk_section sections[TK_SECTION_COUNT];
    tk_section_set_init(&set);
    for (uint32_t type = TK_SECTION_ARRIVALS; type < TK_SECTION_COUNT; type++)
        tk_buf_putc(&set.bytes[type], 'x');
    size_t count = tk_section_set_list(&set, sections);
    assert_int_equal(count, TK_SECTION_COUNT - TK_SECTION_ARRIVALS);
    for (size_t i = 0; i < TK_COUNTOF(first); i++)
        assert_int_equal(sections[i].type, first[i]);
    for (size_t i = TK_COUNTOF(first); i < count; i++)
        assert_int_equal(sections[i].type, sections[i - 1].type + 1);
    tk_section_set_release(&set);
}

static void draws_of_blocks_differ_by_seed_number_and_time(void **state)
{
    (void)state;
    struct tk_block_head head = head_of_test;
    uint64_t key = tk_block_draw_key(&head, 0);
    assert_int_equal(tk_block_draw_key(&head, head.seed), key);
    assert_int_not_equal(tk_block_draw_key(&head, 1), key);
    head.number++;
    assert_int_not_equal(tk_block_draw_key(&head, 0), key);
    head.number--;
    head.origin_ns++;
    assert_int_not_equal(tk_block_draw_key(&head, 0), key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_comes_back_as_it_was_written),
        cmocka_unit_test(only_sections_with_bytes_are_written),
        cmocka_unit_test(files_in_a_row_are_a_file),
        cmocka_unit_test(a_file_cut_anywhere_gives_what_stands_before_the_cut),
        cmocka_unit_test(a_flipped_bit_costs_one_section_or_one_block),
        cmocka_unit_test(a_file_behind_one_that_was_cut_is_found),
        cmocka_unit_test(what_a_newer_version_wrote_is_refused_or_passed_over),
        cmocka_unit_test(a_head_that_asks_for_too_much_is_damage),
        cmocka_unit_test(the_index_tells_where_blocks_are),
        cmocka_unit_test(every_section_has_a_name_and_a_layer),
        cmocka_unit_test(sections_stand_by_what_they_are_worth),
        cmocka_unit_test(draws_of_blocks_differ_by_seed_number_and_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
