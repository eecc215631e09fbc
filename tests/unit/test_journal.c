/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/wait.h>

#include "journal_lines.h"
#include "step/journal_text.h"

struct loaded {
    struct tk_journal_text text;
    struct tk_arena arena;
    struct tk_journal journal;
    struct tk_step_spans spans;
};

static void load(struct loaded *loaded)
{
    struct tk_err err;
    tk_journal_text_init(&loaded->text);
    assert_int_equal(tk_arena_init(&loaded->arena, TK_JOB_ARENA_MAX, &err), 0);
    assert_int_equal(tk_journal_text_read(dirfd_of_folder, &loaded->text, &err), 0);
    assert_int_equal(
        tk_journal_text_parse(&loaded->text, NULL, &loaded->arena, &loaded->journal, &err), 0);
    assert_int_equal(tk_step_spans_find(&loaded->journal, &loaded->arena, &loaded->spans, &err), 0);
}

static void release(struct loaded *loaded)
{
    tk_journal_text_release(&loaded->text);
    tk_arena_release(&loaded->arena);
}

static void a_record_comes_back_as_it_was(void **state)
{
    (void)state;
    struct tk_step_record record;
    struct tk_err err;
    struct loaded loaded;
    tk_step_record_init(&record, TK_STEP_END, TK_STR("a.1"));
    record.owner = 17;
    record.step.name = TK_STR("\\(env.X) \"q\"\n\xc3\xa4");
    record.step.exit_code = 0;
    record.step.cpu.total_s = 0.1;
    record.host.user = INT64_MAX;
    assert_int_equal(tk_journal_append(dirfd_of_folder, &record, &err), 0);
    load(&loaded);
    assert_int_equal(loaded.journal.records.count, 1);
    const struct tk_step_record *read = &loaded.journal.records.items[0];
    assert_true(tk_step_record_is(read, TK_STEP_END));
    assert_str_equal(read->step.name, "\\(env.X) \"q\"\n\xc3\xa4");
    assert_int_equal(read->real_ns, record.real_ns);
    assert_int_equal(read->owner, 17);
    assert_int_equal(read->owner_born, TK_JOB_NONE);
    assert_int_equal(read->step.exit_code, 0);
    assert_int_equal(read->host.user, INT64_MAX);
    assert_near(read->step.cpu.total_s, 0.1, 0);
    assert_true(isnan(read->step.cpu.user_s));
    release(&loaded);
}

static void what_is_torn_or_changed_is_skipped_alone(void **state)
{
    (void)state;
    struct loaded loaded;
    append(TK_STEP_START, "a", "one");
    append_bytes("\n1234abcd {\"verb\":\"start\",\"spa");
    append(TK_STEP_START, "b", "two");
    append_bytes("\n00000000 {\"verb\":\"end\",\"span\":\"b\"}\n");
    append_bytes("\nrubbish\n");
    append(TK_STEP_END, "a", "one");
    append_bytes("\nffff");
    load(&loaded);
    assert_int_equal(loaded.journal.records.count, 3);
    assert_int_equal(loaded.journal.damaged, 4);
    assert_int_equal(loaded.spans.count, 2);
    assert_non_null(loaded.spans.items[0].end);
    assert_null(loaded.spans.items[1].end);
    release(&loaded);
}

static void the_last_open_step_of_a_name_is_found(void **state)
{
    (void)state;
    struct loaded loaded;
    append(TK_STEP_START, "a", "x");
    append(TK_STEP_START, "b", "x");
    append(TK_STEP_START, "c", "y");
    append(TK_STEP_START, "d", "x");
    append(TK_STEP_END, "d", NULL);
    append(TK_STEP_GONE, "b", NULL);
    append(TK_STEP_END, "nobody", NULL);
    load(&loaded);
    assert_str_equal(tk_step_spans_last_open(&loaded.spans, TK_STR("x"))->start->span, "b");
    assert_str_equal(tk_step_spans_last_open(&loaded.spans, (tk_str){0})->start->span, "c");
    assert_null(tk_step_spans_last_open(&loaded.spans, TK_STR("z")));
    assert_non_null(tk_step_spans_get(&loaded.spans, TK_STR("b"))->gone);
    assert_null(tk_step_spans_get(&loaded.spans, TK_STR("nobody")));
    release(&loaded);
}

static void writers_side_by_side_do_not_mix(void **state)
{
    (void)state;
    enum { WRITERS = 8, EACH = 50 };
    struct loaded loaded;
    for (int i = 0; i < WRITERS; i++) {
        if (fork() != 0)
            continue;
        struct tk_err err;
        struct tk_step_record record;
        int failed = 0;
        for (int k = 0; k < EACH; k++) {
            tk_step_record_init(&record, TK_STEP_NOTE, TK_STR("span"));
            failed |= tk_journal_append(dirfd_of_folder, &record, &err);
        }
        _exit(failed != 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        int status;
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    load(&loaded);
    assert_int_equal(loaded.journal.records.count, WRITERS * EACH);
    assert_int_equal(loaded.journal.damaged, 0);
    release(&loaded);
}

static void who_asks_for_open_steps_gets_no_others(void **state)
{
    (void)state;
    struct loaded loaded;
    struct tk_err err;
    struct tk_journal some;
    struct tk_journal_filter filter = {{0}};
    append(TK_STEP_INIT, "", NULL);
    append(TK_STEP_START, "a.1", "done");
    append(TK_STEP_START, "b.1", "open");
    append(TK_STEP_NOTE, "a.1", NULL);
    append(TK_STEP_NOTE, "b.1", NULL);
    append(TK_STEP_END, "a.1", NULL);
    load(&loaded);
    assert_int_equal(loaded.journal.records.count, 6);
    tk_str text = tk_buf_str(&loaded.text.lines);
    assert_int_equal(tk_journal_parse(text, &filter, &loaded.arena, &some, &err), 0);
    assert_int_equal(some.records.count, 2);
    assert_str_equal(some.records.items[1].step.name, "open");
    assert_true(some.last_ns > 0 && some.last_ns == loaded.journal.last_ns);
    filter.span = TK_STR("a.1");
    assert_int_equal(tk_journal_parse(text, &filter, &loaded.arena, &some, &err), 0);
    assert_int_equal(some.records.count, 5);
    release(&loaded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_record_comes_back_as_it_was, open_folder, remove_folder),
        cmocka_unit_test_setup_teardown(what_is_torn_or_changed_is_skipped_alone, open_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(the_last_open_step_of_a_name_is_found, open_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(writers_side_by_side_do_not_mix, open_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(who_asks_for_open_steps_gets_no_others, open_folder,
                                        remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
