/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/stat.h>

#include "journal_lines.h"
#include "step/journal_text.h"

static const struct tk_journal_filter open_steps = {{0}};

static size_t size_of(const char *name)
{
    struct stat st;
    return fstatat(dirfd_of_folder, name, &st, 0) == 0 ? (size_t)st.st_size : 0;
}

/* Steps that have ended, until the journal is so long that there is an excerpt of it. */
static void append_past(void)
{
    char name[257];
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    size_t from = size_of(TK_JOURNAL_NAME);
    for (int i = 0; size_of(TK_JOURNAL_NAME) - from <= TK_JOURNAL_OPEN_STEP; i++) {
        char span[32];
        (void)snprintf(span, sizeof(span), "%zu.%d", from, i);
        append(TK_STEP_START, span, name);
        append(TK_STEP_NOTE, span, NULL);
        append(TK_STEP_END, span, NULL);
    }
}

struct read {
    struct tk_journal_text text;
    struct tk_arena arena;
    struct tk_journal journal;
    struct tk_step_spans spans;
};

static void parse(struct read *read, const struct tk_journal_filter *filter)
{
    struct tk_err err;
    assert_int_equal(tk_journal_text_parse(&read->text, filter, &read->arena, &read->journal, &err),
                     0);
    assert_int_equal(tk_step_spans_find(&read->journal, &read->arena, &read->spans, &err), 0);
}

static void read_open(struct read *read)
{
    struct tk_err err;
    tk_journal_text_init(&read->text);
    assert_int_equal(tk_arena_init(&read->arena, TK_JOB_ARENA_MAX, &err), 0);
    assert_int_equal(tk_journal_text_read_open(dirfd_of_folder, &read->text, &err), 0);
    parse(read, &open_steps);
}

static void release(struct read *read)
{
    tk_journal_text_release(&read->text);
    tk_arena_release(&read->arena);
}

/* The job, and the step "open" alone; all else that is told is as of the whole journal. */
static void expect_open(size_t damaged)
{
    struct read read;
    read_open(&read);
    assert_non_null(tk_journal_get(&read.journal, TK_STEP_INIT));
    assert_int_equal(read.spans.count, 1);
    assert_str_equal(read.spans.items[0].start->step.name, "open");
    assert_int_equal(read.journal.damaged, damaged);
    int64_t last_ns = read.journal.last_ns;
    struct tk_err err;
    assert_int_equal(tk_journal_text_read(dirfd_of_folder, &read.text, &err), 0);
    parse(&read, &open_steps);
    assert_int_equal(read.journal.last_ns, last_ns);
    assert_int_equal(read.spans.count, 1);
    release(&read);
}

/* A job with a step that is open, and many that have ended. */
static void begin(void)
{
    append(TK_STEP_INIT, "", NULL);
    append(TK_STEP_START, "a.1", "open");
    append(TK_STEP_NOTE, "a.1", NULL);
    append_past();
}

static void what_is_long_past_is_not_read_again(void **state)
{
    (void)state;
    begin();
    expect_open(0);
    size_t excerpt = size_of(TK_JOURNAL_OPEN_NAME);
    assert_in_range(excerpt, 1, 4096);

    /* Nobody looks at the beginning of the journal: it may hold anything but another end. */
    TK_CLEANUP(tk_fd_close) int fd = openat(dirfd_of_folder, TK_JOURNAL_NAME, O_WRONLY);
    assert_int_equal(pwrite(fd, "XXXXXXXX", 8, 1), 8);
    struct read read;
    read_open(&read);
    assert_non_null(tk_journal_get(&read.journal, TK_STEP_INIT));
    assert_in_range(read.text.lines.n, 1, excerpt);
    release(&read);
}

static void what_comes_after_the_excerpt_counts(void **state)
{
    (void)state;
    begin();
    expect_open(0);
    append(TK_STEP_START, "b.1", "later");
    struct read read;
    read_open(&read);
    assert_int_equal(read.spans.count, 2);
    release(&read);

    append(TK_STEP_END, "b.1", NULL);
    append_past();
    expect_open(0);
    append(TK_STEP_FINALIZE, "", NULL);
    append(TK_STEP_END, "a.1", NULL);
    append_past();
    read_open(&read); /* replaces it */
    release(&read);
    read_open(&read);
    assert_int_equal(read.spans.count, 0);
    assert_non_null(tk_journal_get(&read.journal, TK_STEP_INIT));
    assert_non_null(tk_journal_get(&read.journal, TK_STEP_FINALIZE));
    release(&read);
}

/* Others replace the excerpt meanwhile: the step is gone from it by then. */
static void all_of_a_step_that_was_open_is_found_at_its_end(void **state)
{
    (void)state;
    struct read read, other;
    struct tk_err err;
    const struct tk_journal_filter filter = {TK_STR("a.1")};
    begin();
    expect_open(0);
    read_open(&read);
    append(TK_STEP_NOTE, "a.1", NULL);
    append(TK_STEP_END, "a.1", NULL);
    append_past();
    read_open(&other);
    release(&other);
    assert_int_equal(tk_journal_text_read_on(dirfd_of_folder, &read.text, &err), 0);
    parse(&read, &filter);
    assert_int_equal(read.spans.count, 1);
    assert_non_null(read.spans.items[0].end);
    assert_int_equal(read.journal.records.count, 5); /* init, start, two notes, end */
    release(&read);
}

static void what_is_torn_is_read_again_and_damage_is_counted(void **state)
{
    (void)state;
    begin();
    append_bytes("\nno record, but a line of some length\n");
    append_bytes("\n3cd62d5e {\"verb\":\"star");
    struct read read;
    read_open(&read);
    release(&read);
    assert_true(size_of(TK_JOURNAL_OPEN_NAME) > 0);
    append(TK_STEP_NOTE, "a.1", NULL);
    expect_open(2);
}

static void an_excerpt_that_does_not_check_is_not_used(void **state)
{
    (void)state;
    begin();
    expect_open(0);
    char *text = folder_get(folder, TK_JOURNAL_OPEN_NAME);
    assert_non_null(text);
    size_t n = strlen(text);

    char *name = strstr(text, "\"open\"");
    assert_non_null(name);
    name[1] = 'O';
    folder_put(folder, TK_JOURNAL_OPEN_NAME, text);
    expect_open(0);
    name[1] = 'o';
    for (size_t cut = 0; cut < n; cut += n / 16 + 1) {
        char kept = text[cut];
        text[cut] = '\0';
        folder_put(folder, TK_JOURNAL_OPEN_NAME, text);
        expect_open(0);
        text[cut] = kept;
    }

    /* Of a longer journal. */
    folder_put(folder, TK_JOURNAL_OPEN_NAME, text);
    assert_int_equal(unlinkat(dirfd_of_folder, TK_JOURNAL_NAME, 0), 0);
    append(TK_STEP_INIT, "", NULL);
    append(TK_STEP_START, "c.1", "open");
    append(TK_STEP_END, "a.1", NULL);
    expect_open(0);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_long_past_is_not_read_again, open_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(what_comes_after_the_excerpt_counts, open_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(all_of_a_step_that_was_open_is_found_at_its_end,
                                        open_folder, remove_folder),
        cmocka_unit_test_setup_teardown(what_is_torn_is_read_again_and_damage_is_counted,
                                        open_folder, remove_folder),
        cmocka_unit_test_setup_teardown(an_excerpt_that_does_not_check_is_not_used, open_folder,
                                        remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
