/* SPDX-License-Identifier: Apache-2.0 */
#include "step/job.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/number.h"
#include "tk_test.h"

struct fixture {
    struct tk_arena arena;
    struct tk_buf text;
    struct tk_buf out;
    struct tk_job job;
};

static int setup(void **state)
{
    struct tk_err err;
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    *state = fixture;
    tk_buf_init(&fixture->text, TK_JOB_TEXT_MAX);
    tk_buf_init(&fixture->out, TK_JOB_TEXT_MAX);
    return fixture ? tk_arena_init(&fixture->arena, TK_JOB_ARENA_MAX, &err) : -ENOMEM;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    tk_buf_release(&fixture->text);
    tk_buf_release(&fixture->out);
    tk_arena_release(&fixture->arena);
    free(fixture);
    return 0;
}

static void parse(struct fixture *fixture, tk_str text)
{
    struct tk_err err = {0};
    if (tk_job_parse(text, &fixture->arena, &fixture->job, &err) < 0) {
        print_error("%s\n", err.msg);
        fail();
    }
}

static void parse_file(struct fixture *fixture, const char *path)
{
    struct tk_err err = {0};
    assert_int_equal(tk_file_load(AT_FDCWD, path, &fixture->text, &err), 0);
    parse(fixture, tk_buf_str(&fixture->text));
}

static void a_document_with_every_section_is_written_as_it_was_read(void **state)
{
    struct fixture *fixture = *state;
    parse_file(fixture, TK_TEST_DATA "/jobs/full.json");
    tk_job_format(&fixture->job, TK_SHORTEST, &fixture->out);
    assert_true(tk_buf_ok(&fixture->out));
    tk_str written = tk_buf_str(&fixture->out);
    if (!tk_str_eq(written, tk_buf_str(&fixture->text))) {
        print_error("%.*s", TK_STR_ARG(written));
        fail();
    }
}

static void a_file_of_the_original_is_read_with_its_values_and_marked(void **state)
{
    struct fixture *fixture = *state;
    parse_file(fixture, TK_TEST_DATA "/jobs/original.json");
    const struct tk_job *job = &fixture->job;
    assert_true(tk_job_is_v1(job));
    assert_str_equal(job->job, "build");
    assert_str_equal(job->run_number, "42");
    assert_near(job->job_duration_s, 2100.056, 0);
    assert_int_equal(job->steps.count, 1);
    const struct tk_job_step *step = &job->steps.items[0];
    assert_str_equal(step->name, "packer_build");
    assert_near(step->disk_write_ops, 89000, 0);
    assert_near(step->queue_depth, 1.2, 0);
    assert_true(tk_job_has_text(&step->quality, TK_JOB_QUALITY_V1));
    assert_near(job->system.cpus, 4, 0);
}

static void what_was_not_measured_is_absent_and_not_zero(void **state)
{
    struct fixture *fixture = *state;
    parse(fixture, TK_STR("{\"job\":\"j\",\"steps\":[{\"name\":\"a\",\"net_rx_mb\":null}]}"));
    const struct tk_job_step *step = &fixture->job.steps.items[0];
    assert_true(isnan(step->net_rx_mb));
    assert_true(isnan(step->cpu.total_s));
    assert_int_equal(step->exit_code, TK_JOB_NONE);
    assert_null(step->status.p);
    tk_job_format(&fixture->job, TK_SHORTEST, &fixture->out);
    assert_str_equal(tk_buf_str(&fixture->out),
                     "{\"schema\":\"build-telemetry/2\",\"job\":\"j\","
                     "\"steps\":[{\"name\":\"a\",\"quality\":[\"v1\"]}]}\n");
}

static void an_empty_job_still_has_its_steps_for_old_readers(void **state)
{
    struct fixture *fixture = *state;
    tk_job_init(&fixture->job);
    tk_job_format(&fixture->job, TK_SHORTEST, &fixture->out);
    assert_str_equal(tk_buf_str(&fixture->out),
                     "{\"schema\":\"build-telemetry/2\",\"steps\":[]}\n");
}

static void names_are_escaped_and_come_back(void **state)
{
    struct fixture *fixture = *state;
    const char *name = "\\(env.SECRET) \"quoted\"\nline \t é";
    tk_job_init(&fixture->job);
    fixture->job.job = TK_STR("j");
    struct tk_job_step *step = tk_job_add(&tk_job_step_shape, &fixture->job.steps, &fixture->arena);
    step->name = tk_str_from(name);
    assert_true(tk_job_add_attr(&step->attrs, tk_str_from(name), TK_STR(""), &fixture->arena));
    tk_job_format(&fixture->job, TK_SHORTEST, &fixture->out);
    parse(fixture, tk_buf_str(&fixture->out));
    assert_str_equal(fixture->job.steps.items[0].name, name);
    assert_str_equal(fixture->job.steps.items[0].attrs.items[0].name, name);
}

static void members_that_nobody_knows_are_skipped(void **state)
{
    struct fixture *fixture = *state;
    parse(fixture, TK_STR("{\"future\":[{\"a\":1}],\"job\":\"j\",\"tool\":{\"x\":{}},"
                          "\"schema\":\"build-telemetry/3\",\"steps\":[]}"));
    assert_str_equal(fixture->job.job, "j");
}

static void a_bad_file_is_refused_with_place_and_reason(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"", "byte 0: expected an object, not the end"},
        {"[]", "byte 0: expected an object"},
        {"{\"steps\":[]}", "no build telemetry: \"job\" is missing"},
        {"{\"job\":\"j\",\"schema\":\"trace/1\"}", "schema \"trace/1\" is not build-telemetry/2"},
        {"{\"job\":\"j\"} x", "byte 12: expected the end"},
        {"{\"job\":\"j\",\"steps\":[{\"cpu\":{\"total_s\":true}}]}",
         "steps: cpu: total_s: byte 38: expected a number"},
        {"{\"job\":\"j\",\"steps\":{}}", "steps: byte 19: expected an array"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_err err = {0};
        int rc = tk_job_parse(tk_str_from(cases[i].text), &fixture->arena, &fixture->job, &err);
        assert_int_equal(rc, -EBADMSG);
        assert_string_equal(err.msg, cases[i].message);
    }
}

static void a_member_that_comes_twice_counts_as_its_last(void **state)
{
    struct fixture *fixture = *state;
    parse(fixture, TK_STR("{\"job\":\"a\",\"steps\":[{},{}],\"job\":\"b\",\"steps\":[{}]}"));
    assert_str_equal(fixture->job.job, "b");
    assert_int_equal(fixture->job.steps.count, 1);
}

static void numbers_are_found_by_path(void **state)
{
    struct fixture *fixture = *state;
    parse_file(fixture, TK_TEST_DATA "/jobs/full.json");
    const struct tk_job_step *step = &fixture->job.steps.items[1];
    static const struct {
        const char *path;
        double value;
    } cases[] = {
        {"duration_s", 1361},         {"cpu.cores_avg", 1}, {"measures.image_bytes", 28991029248.0},
        {"memory.major_faults", 811}, {"timed_out", 0},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        double value = tk_job_number(&tk_job_step_shape, step, tk_str_from(cases[i].path));
        assert_near(value, cases[i].value, 0);
    }
    static const char *const none[] = {"",         "cpu",   "cpu.none", "name", "duration_s.x",
                                       "measures", "signal"};
    for (size_t i = 0; i < TK_COUNTOF(none); i++)
        assert_true(isnan(tk_job_number(&tk_job_step_shape, step, tk_str_from(none[i]))));
    assert_string_equal(tk_job_field_find(&tk_job_step_shape, TK_STR("memory.peak_mb"))->unit,
                        "MB");
    assert_null(tk_job_field_find(&tk_job_step_shape, TK_STR("memory")));
}

static void lists_grow_and_stop_at_their_limit(void **state)
{
    struct fixture *fixture = *state;
    struct tk_job_measures measures = {0};
    for (int i = 0; i < TK_JOB_ITEMS_MAX; i++)
        assert_true(tk_job_add_measure(&measures, TK_STR("m"), i, &fixture->arena));
    assert_false(tk_job_add_measure(&measures, TK_STR("m"), 0, &fixture->arena));
    for (int i = 0; i < TK_JOB_ITEMS_MAX; i++)
        assert_near(measures.items[i].value, i, 0);
}

static void a_brief_reading_leaves_out_the_rows_of_samples_alone(void **state)
{
    struct fixture *fixture = *state;
    struct tk_err err;
    struct tk_job brief;
    TK_CLEANUP(tk_buf_release) struct tk_buf whole_text;
    TK_CLEANUP(tk_buf_release) struct tk_buf brief_text;
    tk_buf_init(&whole_text, TK_JOB_TEXT_MAX);
    tk_buf_init(&brief_text, TK_JOB_TEXT_MAX);
    parse_file(fixture, TK_TEST_DATA "/jobs/full.json");
    assert_int_equal(tk_job_parse_brief(tk_buf_str(&fixture->text), &fixture->arena, &brief, &err),
                     0);
    size_t rows = 0;
    for (size_t i = 0; i < fixture->job.steps.count; i++) {
        rows += fixture->job.steps.items[i].samples.rows.count;
        fixture->job.steps.items[i].samples.rows = (struct tk_job_rows){0};
    }
    assert_true(rows > 0);
    tk_job_format(&fixture->job, TK_SHORTEST, &whole_text);
    memset(fixture->text.p, 'x', fixture->text.n); /* its texts are its own */
    tk_job_format(&brief, TK_SHORTEST, &brief_text);
    assert_true(tk_str_eq(tk_buf_str(&whole_text), tk_buf_str(&brief_text)));
}

static void the_beginning_of_a_document_tells_its_job_and_start(void **state)
{
    (void)state;
    static const struct {
        const char *head;
        bool found;
    } cases[] = {
        {"{\"job\":\"build\",\"a\":[1],\"job_start\":12.5,\"st", true},
        {"{\"job_start\" : 12.5 , \"job\" : \"build\"", true},
        {"{\"job\":\"build\",\"job_start\":12.5}", true},
        {"{\"job\":\"build\",\"version\":\"1.0", false},
        {"{\"job\":1,\"job_start\":12.5}", false},
        {"{\"job\":\"build\",\"job_start\":null}", false},
        {"[]", false},
        {"", false},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        tk_str job = {0};
        double start = 0;
        assert_int_equal(tk_job_find_start(tk_str_from(cases[i].head), &job, &start),
                         cases[i].found);
        assert_true(tk_str_eq(job, cases[i].found ? TK_STR("build") : (tk_str){0}));
        assert_near(start, cases[i].found ? 12.5 : 0, 0);
    }
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_document_with_every_section_is_written_as_it_was_read),
        TEST(a_file_of_the_original_is_read_with_its_values_and_marked),
        TEST(what_was_not_measured_is_absent_and_not_zero),
        TEST(an_empty_job_still_has_its_steps_for_old_readers),
        TEST(names_are_escaped_and_come_back),
        TEST(members_that_nobody_knows_are_skipped),
        TEST(a_bad_file_is_refused_with_place_and_reason),
        TEST(a_member_that_comes_twice_counts_as_its_last),
        TEST(numbers_are_found_by_path),
        TEST(lists_grow_and_stop_at_their_limit),
        TEST(a_brief_reading_leaves_out_the_rows_of_samples_alone),
        TEST(the_beginning_of_a_document_tells_its_job_and_start),
    };
    return cmocka_run_group_tests_name("job", tests, NULL, NULL);
}
