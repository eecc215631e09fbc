/* SPDX-License-Identifier: Apache-2.0 */
/* Times come back within the error of the planes that are there, spans stay inside their parents,
 * and all planes with the rest give every tick. */
#include "codec/timing.h"

#include <errno.h>
#include <string.h>

#include "codec/draw.h"
#include "forest_fixture.h"
#include "tk_test.h"

#define ALL_PLANES 8

/* What the encoder wrote, as the block that a decoder gets. */
struct coded {
    struct tk_section_set sections;
    struct tk_block block;
};

static void coded_fill(struct coded *coded)
{
    coded->block.section_count = 0;
    for (uint32_t type = 1; type < TK_SECTION_COUNT; type++) {
        const struct tk_buf *bytes = &coded->sections.bytes[type];
        if (bytes->n > 0) {
            coded->block.sections[coded->block.section_count++] =
                (struct tk_section){.type = type, .bytes = tk_buf_str(bytes)};
        }
    }
}

static void encode(const struct tk_forest *forest, const struct tk_codec_options *options,
                   struct coded *coded)
{
    struct tk_err err = {0};
    *coded = (struct coded){0};
    tk_section_set_init(&coded->sections);
    if (tk_timing_encode(forest, options, &coded->sections, &err) != 0)
        fail_msg("%s", err.msg);
    coded_fill(coded);
}

/* The same forest without times. */
struct blank {
    struct tk_forest forest;
    int64_t *starts, *durations;
};

static void blank_init(struct blank *blank, const struct tk_forest *forest)
{
    blank->forest = *forest;
    blank->forest.starts = blank->starts = calloc(forest->node_count + 1, sizeof(int64_t));
    blank->forest.durations = blank->durations = calloc(forest->node_count + 1, sizeof(int64_t));
    assert_non_null(blank->starts);
    assert_non_null(blank->durations);
}

static void blank_release(struct blank *blank)
{
    free(blank->starts);
    free(blank->durations);
}

static struct tk_timing_report decode(const struct coded *coded, bool centre, struct blank *blank)
{
    struct tk_timing_report report;
    struct tk_err err = {0};
    if (tk_timing_decode(&coded->block, tk_draw_block(1, 0), centre, &blank->forest, &report,
                         &err) != 0)
        fail_msg("%s", err.msg);
    return report;
}

static void grow(struct fixture *fixture, uint64_t seed, bool is_skewed)
{
    fixture_grow(fixture,
                 &(struct fixture_random){
                     .seed = seed, .traces = 400, .max_spans = 30, .is_skewed = is_skewed});
}

/* Whether a is b but for a factor, or a tick. */
static bool is_near(int64_t a, int64_t b, double ratio)
{
    double x = (double)a;
    double y = (double)b;
    return (x <= y * ratio && y <= x * ratio) || (a - b <= 1 && b - a <= 1);
}

static void every_tick_comes_back_when_nothing_is_left_out(void **state)
{
    (void)state;
    static const int64_t ticks[] = {1, 1000, 1000000};
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct fixture fixture;
        struct coded coded;
        struct blank blank;
        fixture_grow(&fixture, &(struct fixture_random){.seed = seed,
                                                        .traces = 300,
                                                        .max_spans = 40,
                                                        .tick_ns = ticks[seed % 3],
                                                        .is_skewed = seed > 3});
        encode(&fixture.forest, &(struct tk_codec_options){.mode = TK_CODEC_LOSSLESS}, &coded);
        blank_init(&blank, &fixture.forest);
        struct tk_timing_report report = decode(&coded, false, &blank);
        size_t n = fixture.forest.node_count * sizeof(int64_t);
        assert_true(report.is_exact);
        assert_int_equal(report.planes, ALL_PLANES);
        assert_memory_equal(blank.starts, fixture.forest.starts, n);
        assert_memory_equal(blank.durations, fixture.forest.durations, n);
        blank_release(&blank);
        tk_section_set_release(&coded.sections);
        fixture_release(&fixture);
    }
}

static void check_ratios(const struct tk_forest *was, const struct blank *is, double ratio)
{
    for (uint32_t i = 0; i < was->node_count; i++)
        assert_true(is_near(is->durations[i], was->durations[i], ratio));
}

static void durations_stay_within_a_cell_of_the_planes_that_are_there(void **state)
{
    (void)state;
    static const double ratios[] = {2.1436, 1.4642, 1.2101, 1.1001, 1.0489, 1.0242, 1.012, 1.006};
    struct fixture fixture;
    grow(&fixture, 11, true);
    for (uint32_t planes = 1; planes <= ALL_PLANES; planes++) {
        struct coded coded;
        struct blank blank;
        encode(&fixture.forest, &(struct tk_codec_options){.planes = planes}, &coded);
        blank_init(&blank, &fixture.forest);
        for (int centre = 0; centre < 2; centre++) {
            assert_int_equal(decode(&coded, centre, &blank).planes, planes);
            check_ratios(&fixture.forest, &blank, ratios[planes - 1]);
        }
        blank_release(&blank);
        tk_section_set_release(&coded.sections);
    }
    fixture_release(&fixture);
}

/* Compare one child with its parent, before and after. */
static void check_nesting(const struct tk_forest *was, const struct blank *is, uint32_t parent,
                          uint32_t child)
{
    const int64_t *start = was->starts;
    const int64_t *duration = was->durations;
    bool was_inside = start[child] >= start[parent] &&
                      start[child] + duration[child] <= start[parent] + duration[parent];
    if (!was_inside)
        return;
    assert_true(is->starts[child] >= is->starts[parent]);
    assert_true(is->starts[child] + is->durations[child] <=
                is->starts[parent] + is->durations[parent]);
    if (duration[child] < duration[parent])
        assert_true(is->durations[child] < is->durations[parent]);
}

static void check_all_nesting(const struct tk_forest *was, const struct blank *is)
{
    for (uint32_t i = 0; i < was->node_count; i++) {
        for (uint32_t k = i + 1; k < i + was->sizes[i]; k += was->sizes[k])
            check_nesting(was, is, i, k);
    }
}

static void spans_stay_inside_their_parents_and_shorter(void **state)
{
    (void)state;
    for (uint32_t planes = 1; planes <= ALL_PLANES; planes += 3) {
        struct fixture fixture;
        struct coded coded;
        struct blank blank;
        grow(&fixture, 20 + planes, planes == 4);
        encode(&fixture.forest, &(struct tk_codec_options){.planes = planes}, &coded);
        blank_init(&blank, &fixture.forest);
        for (int centre = 0; centre < 2; centre++) {
            (void)decode(&coded, centre, &blank);
            check_all_nesting(&fixture.forest, &blank);
        }
        blank_release(&blank);
        tk_section_set_release(&coded.sections);
        fixture_release(&fixture);
    }
}

static void a_child_that_fills_its_parent_still_does(void **state)
{
    (void)state;
    struct fixture fixture;
    struct coded coded;
    struct blank blank;
    fixture_plant(&fixture, "0 web/get@0+9000(cart/add@0+9000(db/put@0+9000))\n"
                            "9 web/get@0+9000(cart/add@0+8999(db/put@1+8998))\n"
                            "20 web/get@0+0(cart/add@0+0)\n");
    encode(&fixture.forest, &(struct tk_codec_options){.planes = 1}, &coded);
    blank_init(&blank, &fixture.forest);
    (void)decode(&coded, false, &blank);
    assert_int_equal(blank.durations[0], blank.durations[1]);
    assert_int_equal(blank.durations[1], blank.durations[2]);
    assert_true(blank.durations[3] > blank.durations[4]);
    assert_true(blank.durations[4] > blank.durations[5]);
    assert_int_equal(blank.starts[5] + blank.durations[5], blank.durations[4]);
    assert_int_equal(blank.durations[6], 0);
    assert_int_equal(blank.durations[7], 0);
    blank_release(&blank);
    tk_section_set_release(&coded.sections);
    fixture_release(&fixture);
}

static void fewer_planes_are_the_first_sections_of_more(void **state)
{
    (void)state;
    struct fixture fixture;
    struct coded all;
    grow(&fixture, 31, true);
    encode(&fixture.forest, &(struct tk_codec_options){.mode = TK_CODEC_LOSSLESS}, &all);
    for (uint32_t planes = 1; planes <= ALL_PLANES; planes++) {
        struct coded some;
        encode(&fixture.forest, &(struct tk_codec_options){.planes = planes}, &some);
        assert_int_equal(some.block.section_count, planes);
        for (size_t i = 0; i < some.block.section_count; i++) {
            assert_int_equal(some.block.sections[i].type, all.block.sections[i].type);
            assert_true(tk_str_eq(some.block.sections[i].bytes, all.block.sections[i].bytes));
        }
        tk_section_set_release(&some.sections);
    }
    tk_section_set_release(&all.sections);
    fixture_release(&fixture);
}

static void without_sections_all_times_are_zero(void **state)
{
    (void)state;
    struct fixture fixture;
    struct coded none = {0};
    struct blank blank;
    grow(&fixture, 41, false);
    blank_init(&blank, &fixture.forest);
    memset(blank.durations, 7, fixture.forest.node_count * sizeof(int64_t));
    assert_int_equal(decode(&none, false, &blank).planes, 0);
    for (uint32_t i = 0; i < fixture.forest.node_count; i++)
        assert_int_equal(blank.durations[i], 0);
    blank_release(&blank);
    fixture_release(&fixture);
}

static void damaged_bytes_give_an_error_or_some_times(void **state)
{
    (void)state;
    struct fixture fixture;
    struct coded coded;
    struct blank blank;
    unsigned failed = 0;
    fixture_grow(&fixture, &(struct fixture_random){.seed = 51, .traces = 50, .is_skewed = true});
    encode(&fixture.forest, &(struct tk_codec_options){.mode = TK_CODEC_LOSSLESS}, &coded);
    blank_init(&blank, &fixture.forest);
    for (uint64_t round = 0; round < 40; round++) {
        struct tk_timing_report report;
        struct tk_err err = {0};
        uint64_t draw = tk_draw_round(round + 1);
        struct tk_section *section = &coded.block.sections[draw % coded.block.section_count];
        size_t at = (draw >> 32) % section->bytes.n;
        struct tk_buf *bytes = &coded.sections.bytes[section->type];
        bytes->p[at] = (char)(bytes->p[at] ^ (int)(1 + round));
        section->bytes.n = round % 2 ? at : bytes->n;
        int rc = tk_timing_decode(&coded.block, 1, false, &blank.forest, &report, &err);
        failed += rc == -EBADMSG;
        assert_true(rc == 0 || rc == -EBADMSG);
        for (uint32_t i = 0; rc == 0 && i < fixture.forest.node_count; i++) {
            assert_true(blank.starts[i] >= 0 && blank.durations[i] >= 0);
            assert_true(blank.durations[i] <= INT64_MAX - blank.starts[i]);
        }
        bytes->p[at] = (char)(bytes->p[at] ^ (int)(1 + round));
        coded_fill(&coded);
    }
    assert_true(failed > 0);
    blank_release(&blank);
    tk_section_set_release(&coded.sections);
    fixture_release(&fixture);
}

/* Tables --------------------------------------------------------------------------------------- */

static int compare_times(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* The median duration of the roots. */
static int64_t median_of_roots(const struct tk_forest *forest, const int64_t *durations)
{
    int64_t times[1000];
    uint32_t n = 0;
    for (uint32_t t = 0; t < forest->trace_count && n < TK_COUNTOF(times); t++)
        times[n++] = durations[tk_forest_begin(forest, t)];
    qsort(times, n, sizeof(times[0]), compare_times);
    return times[n / 2];
}

/* Traces of a root and two calls, one behind the other; each as slow as the trace's number says. */
static void plant_calls(struct fixture *fixture, uint32_t traces, int64_t secret_ns)
{
    fixture_init(fixture, (size_t)traces * 3);
    for (uint32_t t = 0; t < traces; t++) {
        int64_t slow = 1000 + (int64_t)(tk_draw_round(t) % 1000) * 20;
        int64_t start = (int64_t)t * 1000000;
        uint64_t root = fixture_id((uint64_t)t * 3);
        struct made_span span = {.service = "web", .name = "get", .trace = t + 1, .id = root};
        span.start_ns = start;
        span.duration_ns = 10 * slow + (t == 7 ? secret_ns : 0);
        made_add(fixture->batch, &span, 1);
        span.name = "call";
        span.parent = root;
        for (uint32_t k = 0; k < 2; k++) {
            span.id = fixture_id((uint64_t)t * 3 + 1 + k);
            span.start_ns = start + slow + (int64_t)k * 4 * slow;
            span.duration_ns = 3 * slow;
            made_add(fixture->batch, &span, 1);
        }
    }
    fixture_build(fixture);
}

static void tables_keep_distributions_and_what_goes_with_what(void **state)
{
    (void)state;
    struct fixture fixture;
    struct coded coded;
    struct blank blank;
    plant_calls(&fixture, 1000, 0);
    encode(&fixture.forest, &(struct tk_codec_options){.mode = TK_CODEC_GENERATIVE}, &coded);
    assert_true(coded.sections.bytes[TK_SECTION_TIME_TABLES].n < 300);
    blank_init(&blank, &fixture.forest);
    struct tk_timing_report report = decode(&coded, false, &blank);
    assert_true(report.is_modelled);
    assert_int_equal(report.planes, 0);
    assert_true(is_near(median_of_roots(&fixture.forest, blank.durations),
                        median_of_roots(&fixture.forest, fixture.forest.durations), 1.15));
    uint32_t near = 0;
    for (uint32_t i = 0; i < fixture.forest.node_count; i += 3) {
        for (uint32_t k = 1; k < 3; k++) {
            assert_true(blank.starts[i + k] + blank.durations[i + k] <= blank.durations[i]);
            near += is_near(blank.durations[i + k] * 10 / 3, blank.durations[i], 1.6);
        }
    }
    assert_true(near > 2000 * 9 / 10); /* 3 of 10 in each trace: by chance it were a third */
    blank_release(&blank);
    tk_section_set_release(&coded.sections);
    fixture_release(&fixture);
}

static void tables_hold_no_outlier_and_nothing_of_a_few(void **state)
{
    (void)state;
    static const struct {
        uint32_t traces;
        int64_t most_ns;
    } table[] = {{1000, 2000000}, {2, 0}};
    for (size_t i = 0; i < TK_COUNTOF(table); i++) {
        struct fixture fixture;
        struct coded coded;
        struct blank blank;
        plant_calls(&fixture, table[i].traces, INT64_C(3600000000000));
        encode(&fixture.forest, &(struct tk_codec_options){.mode = TK_CODEC_GENERATIVE}, &coded);
        blank_init(&blank, &fixture.forest);
        (void)decode(&coded, false, &blank);
        for (uint32_t k = 0; k < fixture.forest.node_count; k++) {
            bool is_root = fixture.forest.sizes[k] > 1;
            assert_true(!is_root ||
                        blank.durations[k] * fixture.forest.tick_ns <= table[i].most_ns);
        }
        blank_release(&blank);
        tk_section_set_release(&coded.sections);
        fixture_release(&fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_tick_comes_back_when_nothing_is_left_out),
        cmocka_unit_test(durations_stay_within_a_cell_of_the_planes_that_are_there),
        cmocka_unit_test(spans_stay_inside_their_parents_and_shorter),
        cmocka_unit_test(a_child_that_fills_its_parent_still_does),
        cmocka_unit_test(fewer_planes_are_the_first_sections_of_more),
        cmocka_unit_test(without_sections_all_times_are_zero),
        cmocka_unit_test(damaged_bytes_give_an_error_or_some_times),
        cmocka_unit_test(tables_keep_distributions_and_what_goes_with_what),
        cmocka_unit_test(tables_hold_no_outlier_and_nothing_of_a_few),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
