/* SPDX-License-Identifier: Apache-2.0 */
#include "step/marked.h"

#include <stdlib.h>

#include "tk_test.h"

/* What a reader gave out. */
struct found {
    struct tk_buf records, lines;
};

static void take_record(void *into, tk_str json)
{
    struct found *found = into;
    tk_buf_put(&found->records, json);
    tk_buf_putc(&found->records, '\n');
}

static void take_line(void *into, tk_str line)
{
    struct found *found = into;
    tk_buf_put(&found->lines, line);
}

static void read_log(tk_str log, size_t chunk, struct found *found)
{
    struct tk_err err;
    TK_CLEANUP(tk_marked_reader_freep) struct tk_marked_reader *reader = NULL;
    const struct tk_marked_sink sink = {take_record, take_line, found};
    tk_buf_init(&found->records, 1 << 20);
    tk_buf_init(&found->lines, 1 << 20);
    assert_int_equal(tk_marked_reader_new(&sink, &reader, &err), 0);
    for (size_t at = 0; at < log.n; at += chunk)
        tk_marked_reader_feed(reader,
                              (tk_str){log.p + at, log.n - at < chunk ? log.n - at : chunk});
    tk_marked_reader_flush(reader);
}

static void found_release(struct found *found)
{
    tk_buf_release(&found->records);
    tk_buf_release(&found->lines);
}

/* A step with all that a line may tell. */
static void fill(struct tk_step_record *record, const char *name)
{
    tk_step_record_init(record, TK_STEP_END, TK_STR("5f3a.2b"));
    record->real_ns = 1769257200123456789;
    record->step.name = tk_str_from(name);
    record->step.status = TK_STR("success");
    record->step.duration_s = 12.5;
    record->step.cpu_percent = 45.25;
    record->step.disk_write_mb = 1024;
    record->step.cpu.total_s = 11;
    record->step.memory.peak_mb = 512;
}

static void put_line(const char *name, struct tk_buf *out)
{
    struct tk_step_record record;
    fill(&record, name);
    tk_buf_init(out, 1 << 16);
    tk_marked_put(&record, out);
    assert_true(tk_buf_ok(out) && out->n <= TK_MARKED_MAX);
}

/* Break a line every `width` bytes as a log does, each piece after `prefix`. */
static void wrap(tk_str line, size_t width, const char *prefix, const char *suffix,
                 struct tk_buf *out)
{
    tk_buf_init(out, 1 << 16);
    line = tk_str_trim(line);
    for (size_t at = 0; at < line.n; at += width) {
        tk_buf_puts(out, prefix);
        tk_buf_put(out, (tk_str){line.p + at, line.n - at < width ? line.n - at : width});
        tk_buf_puts(out, suffix);
    }
}

static void assert_one_record(struct found *found, const char *name)
{
    struct tk_err err;
    struct tk_step_record record;
    TK_CLEANUP(tk_arena_release) struct tk_arena arena = {0};
    assert_int_equal(tk_arena_init(&arena, 1 << 20, &err), 0);
    tk_str text = tk_buf_str(&found->records);
    tk_str line;
    assert_true(tk_str_take_line(&text, &line));
    assert_int_equal(text.n, 0);
    assert_int_equal(tk_job_shape_parse(line, &tk_step_record_shape, &arena, &record, &err), 0);
    assert_str_equal(record.step.name, name);
    assert_int_equal(record.real_ns, 1769257200123456789);
    assert_near(record.step.duration_s, 12.5, 0);
    assert_near(record.step.cpu.total_s, 11, 0);
}

static void a_record_comes_back_through_whatever_a_log_does(void **state)
{
    (void)state;
    static const char name[] = "Step 5 \"pull\" | caf\xC3\xA9";
    static const struct {
        size_t width;
        const char *prefix, *suffix;
    } logs[] = {
        {4096, "", "\n"},
        {4096, "    qemu.base: ", "\r\n"},
        {4096, "\033[0;32m    qemu.base: ", "\033[0m\n"},
        {4096, "2026-01-24T12:00:00Z:     qemu: ", "\n"},
        {80, "", "\n"},
        {60, "    qemu.base: ", "\n"},
        {60, "\033[0;32m    qemu.base: \033[1m", " \033[0m\r\n"},
    };
    TK_CLEANUP(tk_buf_release) struct tk_buf line;
    put_line(name, &line);
    for (size_t i = 0; i < TK_COUNTOF(logs); i++) {
        TK_CLEANUP(tk_buf_release) struct tk_buf log;
        struct found found;
        wrap(tk_buf_str(&line), logs[i].width, logs[i].prefix, logs[i].suffix, &log);
        read_log(tk_buf_str(&log), 1 + 7 * i, &found);
        assert_one_record(&found, name);
        assert_int_equal(found.lines.n, 0);
        found_release(&found);
    }
}

static void packers_machine_readable_commas_are_commas(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf line;
    TK_CLEANUP(tk_buf_release) struct tk_buf log;
    struct found found;
    put_line("base", &line);
    tk_buf_init(&log, 1 << 16);
    tk_buf_lit(&log, "1769257200,qemu,ui,say,    qemu: ");
    for (size_t i = 0; i < line.n; i++) {
        if (line.p[i] == ',') {
            tk_buf_lit(&log, "%!(PACKER_COMMA)");
        } else {
            tk_buf_putc(&log, line.p[i]);
        }
    }
    read_log(tk_buf_str(&log), 4096, &found);
    assert_one_record(&found, "base");
    found_release(&found);
}

static void other_lines_pass_as_they_came_and_in_order(void **state)
{
    (void)state;
    static const char text[] = "==> qemu: Starting VM\n\033[1mcolour\033[0m\r\n"
                               "    qemu: ##tk1 {\"verb\":\"start\",\"crc\":\"00000000\"}\n"
                               "    qemu: ##tk1 torn\n    qemu: ##tk1 {\"verb\n"
                               "    qemu: and on\n##tk1 {\nlast line without an end";
    for (size_t chunk = 1; chunk < sizeof(text); chunk++) {
        struct found found;
        read_log(tk_str_from(text), chunk, &found);
        assert_int_equal(found.records.n, 0);
        assert_str_equal(tk_buf_str(&found.lines), text);
        found_release(&found);
    }
}

static void builds_side_by_side_do_not_mix_their_broken_records(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf line;
    TK_CLEANUP(tk_buf_release) struct tk_buf log;
    struct found found;
    put_line("base", &line);
    tk_str text = tk_str_trim(tk_buf_str(&line));
    size_t half = text.n / 2;
    tk_buf_init(&log, 1 << 16);
    tk_buf_printf(&log, "    a: %.*s\n    b: %.*s\n    c: an ordinary line\n", (int)half, text.p,
                  (int)half, text.p);
    tk_buf_printf(&log, "    a: %.*s\n    b: %.*s\n", (int)(text.n - half), text.p + half,
                  (int)(text.n - half), text.p + half);
    read_log(tk_buf_str(&log), 4096, &found);
    size_t records = 0;
    for (size_t i = 0; i < found.records.n; i++)
        records += found.records.p[i] == '\n';
    assert_int_equal(records, 2);
    assert_str_equal(tk_buf_str(&found.lines), "    c: an ordinary line\n");
    found_release(&found);
}

static void a_line_keeps_its_limit_whatever_the_name(void **state)
{
    (void)state;
    char name[4000];
    static const char *const units[] = {"x", "\xC3\xA9", "\"", " "};
    for (size_t i = 0; i < TK_COUNTOF(units); i++) {
        size_t n = 0;
        while (n + 4 < sizeof(name))
            n += (size_t)snprintf(name + n, sizeof(name) - n, "%s", units[i]);
        TK_CLEANUP(tk_buf_release) struct tk_buf line;
        struct found found;
        put_line(name, &line);
        read_log(tk_buf_str(&line), 4096, &found);
        assert_true(found.records.n > 0 && found.lines.n == 0);
        found_release(&found);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_comes_back_through_whatever_a_log_does),
        cmocka_unit_test(packers_machine_readable_commas_are_commas),
        cmocka_unit_test(other_lines_pass_as_they_came_and_in_order),
        cmocka_unit_test(builds_side_by_side_do_not_mix_their_broken_records),
        cmocka_unit_test(a_line_keeps_its_limit_whatever_the_name),
    };
    return cmocka_run_group_tests_name("marked", tests, NULL, NULL);
}
