/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "codec/keep.h"
#include "forest_fixture.h"
#include "tk_test.h"

static void choose(const struct fixture *fixture, const struct tk_keep_options *options,
                   struct tk_kept **ret_kept, size_t *ret_count)
{
    struct tk_err err;
    assert_int_equal(tk_keep_choose(&fixture->forest, options, ret_kept, ret_count, &err), 0);
}

static bool has(const struct tk_kept *kept, size_t count, uint32_t trace)
{
    for (size_t i = 0; i < count; i++) {
        if (kept[i].trace == trace)
            return true;
    }
    return false;
}

/* So many like traces, one with an error, one of another shape, one that takes long. */
static void plant_odd_ones(struct fixture *fixture, uint32_t traces)
{
    fixture_init(fixture, (size_t)traces * 2 + 8);
    for (uint32_t i = 0; i < traces; i++) {
        char line[128];
        const char *root = i == 700   ? "web/get@0+90!"
                           : i == 800 ? "web/get@0+90(cart/add@1+5)"
                           : i == 900 ? "web/get@0+90000"
                                      : "web/get@0+90";
        (void)snprintf(line, sizeof(line), "%u %s", i * 100, root);
        (void)fixture_line(fixture, line, i + 1);
    }
    fixture_build(fixture);
}

static void odd_traces_are_kept(void **state)
{
    (void)state;
    struct fixture fixture;
    struct tk_kept *kept;
    size_t count;
    plant_odd_ones(&fixture, 1000);
    choose(&fixture, &(struct tk_keep_options){.per_mille = 100, .seed = 1}, &kept, &count);
    assert_int_equal(count, 100);
    assert_true(has(kept, count, 700));
    assert_true(has(kept, count, 800));
    assert_true(has(kept, count, 900));
    assert_true(has(kept, count, 0)); /* the first of its shape */
    free(kept);
    fixture_release(&fixture);
}

static void what_is_kept_stands_for_all(void **state)
{
    (void)state;
    struct fixture fixture;
    double sum = 0;
    double errors = 0;
    plant_odd_ones(&fixture, 1000);
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct tk_kept *kept;
        size_t count;
        choose(&fixture, &(struct tk_keep_options){.per_mille = 50, .seed = seed}, &kept, &count);
        for (size_t i = 0; i < count; i++) {
            double stands_for = (double)TK_KEPT_ALWAYS / kept[i].probability;
            sum += stands_for / 200;
            errors += kept[i].trace == 700 ? stands_for / 200 : 0;
        }
        free(kept);
    }
    assert_near(sum, 1000, 25);
    assert_near(errors, 1, 0.05);
    fixture_release(&fixture);
}

static void the_seed_decides(void **state)
{
    (void)state;
    struct fixture fixture;
    const struct fixture_random random = {.seed = 5, .traces = 500};
    struct tk_kept *first = NULL;
    struct tk_kept *again = NULL;
    struct tk_kept *other = NULL;
    size_t counts[3];
    fixture_grow(&fixture, &random);
    choose(&fixture, &(struct tk_keep_options){.per_mille = 100, .seed = 7}, &first, &counts[0]);
    choose(&fixture, &(struct tk_keep_options){.per_mille = 100, .seed = 7}, &again, &counts[1]);
    choose(&fixture, &(struct tk_keep_options){.per_mille = 100, .seed = 8}, &other, &counts[2]);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(counts[i], 50);
    assert_memory_equal(first, again, 50 * sizeof(*first));
    assert_memory_not_equal(first, other, 50 * sizeof(*first));
    free(first);
    free(again);
    free(other);
    fixture_release(&fixture);
}

static void rules_always_hold(void **state)
{
    (void)state;
    struct fixture fixture;
    const struct fixture_random random = {.seed = 6, .traces = 200};
    struct tk_kept *kept;
    size_t count;
    fixture_grow(&fixture, &random);
    bool wanted[200];
    for (size_t i = 0; i < TK_COUNTOF(wanted); i++)
        wanted[i] = i % 2 == 0;
    choose(&fixture, &(struct tk_keep_options){.per_mille = 1, .seed = 1, .wanted = wanted}, &kept,
           &count);
    assert_int_equal(count, 101);
    for (size_t i = 0; i < count; i++) {
        if (kept[i].trace % 2 == 0)
            assert_int_equal(kept[i].probability, TK_KEPT_ALWAYS);
    }
    free(kept);
    fixture_release(&fixture);
}

static void a_section_comes_back_and_bad_ones_are_refused(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf section;
    const struct tk_kept kept[] = {{.trace = 0, .probability = TK_KEPT_ALWAYS},
                                   {.trace = 7, .probability = 1},
                                   {.trace = 300, .probability = 4711}};
    struct tk_kept *read = NULL;
    size_t count = 0;
    tk_str block = {NULL, 0};
    struct tk_err err;
    tk_buf_init(&section, 1000);
    tk_keep_put(kept, TK_COUNTOF(kept), TK_STR("block"), &section);
    assert_int_equal(tk_keep_read(tk_buf_str(&section), 301, &read, &count, &block, &err), 0);
    assert_int_equal(count, 3);
    for (size_t i = 0; i < TK_COUNTOF(kept); i++) {
        assert_int_equal(read[i].trace, kept[i].trace);
        assert_int_equal(read[i].probability, kept[i].probability);
    }
    assert_str_equal(block, "block");
    free(read);
    assert_int_equal(tk_keep_read(tk_buf_str(&section), 300, &read, &count, &block, &err),
                     -EBADMSG);
    for (size_t n = 0; n < 9; n++) {
        tk_str cut = {section.p, n};
        assert_int_equal(tk_keep_read(cut, 301, &read, &count, &block, &err), -EBADMSG);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(odd_traces_are_kept),
        cmocka_unit_test(what_is_kept_stands_for_all),
        cmocka_unit_test(the_seed_decides),
        cmocka_unit_test(rules_always_hold),
        cmocka_unit_test(a_section_comes_back_and_bad_ones_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
