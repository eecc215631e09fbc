/* SPDX-License-Identifier: Apache-2.0 */
/* A file is made smaller from its end: planes, then layers, never more than is asked for, and what
 * stays is what it was. */
#include <errno.h>
#include <string.h>

#include "stream_maker.h"

#define FILE_MAX ((size_t)1 << 20)

/* A block of all that a lossless one has. */
static const struct made_block whole = {0,
                                        10,
                                        1000,
                                        TK_CODEC_LOSSLESS,
                                        8,
                                        {{TK_SECTION_EVENTS, 100},
                                         {TK_SECTION_ATTRS, 200},
                                         {TK_SECTION_TIME_BASE, 300},
                                         {TK_SECTION_TIME_PLANE, 50},
                                         {TK_SECTION_TIME_PLANE + 1, 60},
                                         {TK_SECTION_TIME_PLANE + 2, 70},
                                         {TK_SECTION_TIME_REST, 90},
                                         {TK_SECTION_EXACT, 110},
                                         {TK_SECTION_IDS, 240},
                                         {TK_SECTION_DETAILS, 130}}};

static int cut(const struct tk_codec_ceiling *ceiling, const struct tk_buf *file,
               struct tk_buf *out, struct tk_codec_info *info, struct tk_err *err)
{
    tk_buf_init(out, FILE_MAX);
    return tk_codec_truncate(ceiling, tk_buf_str(file), &(struct tk_codec_output){made_write, out},
                             info, err);
}

static void planes_above_the_ceiling_go_and_with_them_what_is_exact(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf file;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    struct tk_codec_info info;
    struct tk_err err;
    tk_buf_init(&file, FILE_MAX);
    made_block_put(&file, &whole);
    assert_int_equal(cut(&(struct tk_codec_ceiling){.planes = 2}, &file, &out, &info, &err), 0);
    assert_int_equal(info.section_bytes[TK_SECTION_TIME_PLANE], 50);
    assert_int_equal(info.section_bytes[TK_SECTION_TIME_PLANE + 1], 0);
    assert_int_equal(info.section_bytes[TK_SECTION_TIME_REST], 0);
    assert_int_equal(info.section_bytes[TK_SECTION_EXACT], 110);
    assert_int_equal(info.section_bytes[TK_SECTION_IDS], 0);
    assert_int_equal(info.section_bytes[TK_SECTION_DETAILS], 0);
    assert_int_equal(info.lossless, 0);
    assert_int_equal(info.most_planes, 2);
    assert_int_equal(info.bytes, out.n);
    /* Again, it changes nothing. */
    TK_CLEANUP(tk_buf_release) struct tk_buf again;
    assert_int_equal(cut(&(struct tk_codec_ceiling){.planes = 4}, &out, &again, &info, &err), 0);
    assert_true(tk_str_eq(tk_buf_str(&again), tk_buf_str(&out)));
}

static void every_budget_is_kept_and_used(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf file;
    struct tk_err err;
    uint64_t before = 0;
    tk_buf_init(&file, FILE_MAX);
    made_block_put(&file, &whole);
    for (uint64_t budget = 300; budget < 2000; budget++) {
        TK_CLEANUP(tk_buf_release) struct tk_buf out;
        struct tk_codec_info info;
        const struct tk_codec_ceiling ceiling = {.budget_bytes = budget};
        assert_int_equal(cut(&ceiling, &file, &out, &info, &err), 0);
        assert_int_equal(info.bytes, out.n);
        assert_true(out.n <= budget);
        assert_true(out.n >= before);
        assert_true(out.n + 340 > budget || budget > 1500); /* the largest section, and the index */
        before = out.n;
    }
    assert_int_equal(before, file.n + 29); /* all, and an index */
}

static void a_budget_that_nothing_fits_is_refused(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf file;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    struct tk_codec_info info;
    struct tk_err err;
    tk_buf_init(&file, FILE_MAX);
    made_block_put(&file, &whole);
    const struct tk_codec_ceiling ceiling = {.trace_budget_bytes = 12};
    assert_int_equal(cut(&ceiling, &file, &out, &info, &err), -EMSGSIZE);
    assert_non_null(strstr(err.msg, "bytes for 10 traces, and 62 are left"));
}

static void only_blocks_that_are_old_enough_lose_anything(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf file;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    struct tk_codec_info info;
    struct tk_err err;
    struct made_block later = whole;
    later.origin_ns = 9000;
    tk_buf_init(&file, FILE_MAX);
    made_block_put(&file, &whole);
    made_block_put(&file, &later);
    const struct tk_codec_ceiling ceiling = {.planes = 1, .before_ns = 5000};
    assert_int_equal(cut(&ceiling, &file, &out, &info, &err), 0);
    assert_int_equal(info.section_bytes[TK_SECTION_TIME_BASE], 600);
    assert_int_equal(info.section_bytes[TK_SECTION_TIME_PLANE], 50);
    assert_int_equal(info.lossless, 1);
}

static void what_one_block_leaves_of_a_budget_the_next_ones_use(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf file;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    struct tk_codec_info info;
    struct tk_err err;
    struct made_block small = {
        0, 10, 500, TK_CODEC_NEAR, 1, {{TK_SECTION_EVENTS, 20}, {TK_SECTION_TIME_BASE, 10}}};
    tk_buf_init(&file, FILE_MAX);
    made_block_put(&file, &small);
    made_block_put(&file, &whole);
    const struct tk_codec_ceiling ceiling = {.trace_budget_bytes = 60};
    assert_int_equal(cut(&ceiling, &file, &out, &info, &err), 0);
    assert_in_range(out.n, 900, 1200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(planes_above_the_ceiling_go_and_with_them_what_is_exact),
        cmocka_unit_test(every_budget_is_kept_and_used),
        cmocka_unit_test(a_budget_that_nothing_fits_is_refused),
        cmocka_unit_test(only_blocks_that_are_old_enough_lose_anything),
        cmocka_unit_test(what_one_block_leaves_of_a_budget_the_next_ones_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
