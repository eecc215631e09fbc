/* SPDX-License-Identifier: Apache-2.0 */
/* Spans of long traces start in the ten seconds of the clock in which they did, though their times
 * are not exact; without the section that says so many do not. */
#include "codec/time_windows.h"

#include <stdlib.h>

#include "codec_maker.h"
#include "forest_fixture.h"

#define TRACES   400
#define CHILDREN 6
#define KEYS     4096

/* Jobs that take up to a minute, whose steps come one after the other, among short requests. */
static struct tk_span_batch *make_jobs(void)
{
    struct tk_err err;
    struct tk_span_batch *batch;
    const struct fixture_random random = {.seed = 5};
    assert_int_equal(tk_span_batch_new((size_t)TRACES * (CHILDREN + 1), &batch, &err), 0);
    for (uint64_t trace = 0; trace < TRACES; trace++) {
        int64_t start_ns = (int64_t)trace * 731234567;
        bool is_long = trace % 4 == 0;
        struct made_span root = {.service = "jobs", .name = "run", .trace = trace + 1};
        root.id = fixture_id(batch->rows);
        root.start_ns = start_ns;
        root.duration_ns = is_long ? 62000000000 : 620000000;
        made_add(batch, &root, 1);
        for (uint32_t i = 0; i < CHILDREN; i++) {
            uint64_t gap_ns = 1 + fixture_draw(&random, trace, i, 1, 9000000000);
            struct made_span step = {.service = "steps", .name = "step", .trace = trace + 1};
            start_ns += (int64_t)gap_ns / (is_long ? 1 : 100);
            step.id = fixture_id(batch->rows);
            step.parent = root.id;
            step.start_ns = start_ns;
            step.duration_ns = (int64_t)fixture_draw(&random, trace, i, 2, 1000000) + 1;
            start_ns += step.duration_ns;
            made_add(batch, &step, 1);
        }
    }
    return batch;
}

/* How many spans of each window one has more than the other, in all. */
static size_t count_moved(const struct tk_span_batch *a, const struct tk_span_batch *b)
{
    static int64_t counts[KEYS];
    size_t moved = 0;
    assert_int_equal(a->rows, b->rows);
    memset(counts, 0, sizeof(counts));
    for (size_t row = 0; row < a->rows; row++) {
        counts[a->start_ns[row] / TK_WINDOW_NS % KEYS]++;
        counts[b->start_ns[row] / TK_WINDOW_NS % KEYS]--;
    }
    for (size_t i = 0; i < KEYS; i++)
        moved += (size_t)(counts[i] > 0 ? counts[i] : 0);
    return moved;
}

/* The same file without the section. */
static void strip(tk_str file, struct tk_buf *out)
{
    struct tk_err err;
    struct tk_block_walk walk = {.file = file};
    struct tk_block block;
    tk_buf_init(out, FILE_MAX);
    while (tk_block_walk_next(&walk, &block, &err) == 0) {
        size_t kept = 0;
        size_t count = block.section_count;
        for (size_t i = 0; i < count; i++) {
            if (block.sections[i].type != TK_SECTION_TIME_WINDOWS)
                block.sections[kept++] = block.sections[i];
        }
        assert_int_equal(kept, count - 1);
        tk_block_put(out, &block.head, block.sections, kept);
    }
}

static size_t moved_in(tk_str file, const struct tk_span_batch *jobs)
{
    struct tk_err err;
    struct tk_codec_losses losses;
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = NULL;
    assert_int_equal(tk_span_batch_new(jobs->rows + 1, &batch, &err), 0);
    (void)made_expand(file, &(struct tk_codec_decoding){0}, batch, &losses);
    assert_false(tk_codec_losses_any(&losses));
    return count_moved(batch, jobs);
}

/* At most `most` of the spans move, and of a file without the section ten times as many. */
static void check(const struct tk_codec_options *options, size_t most)
{
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *jobs = make_jobs();
    TK_CLEANUP(tk_buf_release) struct tk_buf file;
    TK_CLEANUP(tk_buf_release) struct tk_buf stripped;
    made_compress(jobs, options, &file);
    strip(tk_buf_str(&file), &stripped);
    size_t with = moved_in(tk_buf_str(&file), jobs);
    size_t without = moved_in(tk_buf_str(&stripped), jobs);
    if (with > most || without < 10 * (with + 1))
        fail_msg("%zu of %zu spans moved, %zu without windows", with, jobs->rows, without);
}

static void inexact_times_stay_in_their_ten_seconds(void **state)
{
    (void)state;
    check(&(struct tk_codec_options){.planes = 4}, 0);
    check(&(struct tk_codec_options){.planes = 2}, 8);
}

static void times_from_tables_come_into_their_ten_seconds(void **state)
{
    (void)state;
    check(&(struct tk_codec_options){.mode = TK_CODEC_GENERATIVE}, 30);
}

/* Whether a file of the jobs tells windows. */
static bool tells_windows(const struct tk_codec_options *options)
{
    struct tk_err err;
    struct tk_codec_info info;
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *jobs = make_jobs();
    TK_CLEANUP(tk_buf_release) struct tk_buf file;
    made_compress(jobs, options, &file);
    assert_int_equal(tk_codec_info_read(tk_buf_str(&file), &info, &err), 0);
    return info.section_bytes[TK_SECTION_TIME_WINDOWS] > 0;
}

static void only_who_knows_when_traces_start_tells_windows(void **state)
{
    (void)state;
    assert_true(tells_windows(&(struct tk_codec_options){.planes = 1}));
    assert_true(tells_windows(&(struct tk_codec_options){.arrivals = TK_CODEC_ARRIVALS_US}));
    assert_false(tells_windows(&(struct tk_codec_options){.arrivals = TK_CODEC_ARRIVALS_WINDOWS}));
    assert_false(tells_windows(&(struct tk_codec_options){.mode = TK_CODEC_LOSSLESS}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inexact_times_stay_in_their_ten_seconds),
        cmocka_unit_test(times_from_tables_come_into_their_ten_seconds),
        cmocka_unit_test(only_who_knows_when_traces_start_tells_windows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
