/* SPDX-License-Identifier: Apache-2.0 */
#include "table/recording.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "recording_mixes.h"
#include "tk_test.h"

enum { MS, US, KEY, COUNT, LOAD, EXACT, UP, NAME, CORES, TAGS, COLUMNS };

static const struct tk_column columns[COLUMNS] = {
    [MS] = {"ts_ms", TK_I64, "ms", "", TK_STAMP_MILLI},
    [US] = {"ts_us", TK_I64, "us", "", TK_STAMP},
    [KEY] = {"key", TK_TEXT, "", "", TK_KEY},
    [COUNT] = {"count", TK_I64, "", ""},
    [LOAD] = {"load", TK_F64, "%", "", 0, 2},
    [EXACT] = {"exact", TK_F64, "", "", 0, TK_SHORTEST},
    [UP] = {"up", TK_BOOL, "", ""},
    [NAME] = {"name", TK_TEXT, "", ""},
    [CORES] = {"cores", TK_F64_LIST, "%", "", 0, 1},
    [TAGS] = {"tags", TK_TEXT_LIST, "", ""},
};
static const struct tk_schema schema = {"test", "", columns, COLUMNS};

/* The same table of a program that knows fewer columns, and another type of one. */
static const struct tk_column old_columns[] = {
    {"name", TK_TEXT, "", ""},
    {"count", TK_TEXT, "", ""},
    {"ts_us", TK_I64, "us", "", TK_STAMP},
};
static const struct tk_schema old_schema = {"test", "", old_columns, TK_COUNTOF(old_columns)};

/* Rows of every kind ------------------------------------------------------------------ */

static const int64_t integers[] = {0,       1,       -1,         INT64_MAX, INT64_MIN, INT64_MAX,
                                   127,     128,     16383,      16384,     -16384,    1LL << 62,
                                   2097151, 2097152, 1763716800, 5};
static const double doubles[] = {0,    -0.0, 12.345, -7.005, 1e300, 5e-324, 99.99, 100.0,
                                 1e15, 9e15, -1e-9,  0.1,    2.675, 1234.5, 33.33, 1e22};

static void fill(struct tk_batch *batch, size_t i)
{
    static const char *const names[] = {"make", "cc1", "", "a much longer name: \xc3\xa9\n"};
    char key[16];
    int64_t us = 1763716800123456 + (int64_t)(i / 5) * 100000 - (i % 7 == 3 ? 100000 : 0);
    (void)snprintf(key, sizeof(key), "k%zu", i % 9);
    tk_batch_begin(batch);
    if (i % 11 != 4) {
        tk_batch_set_i64(batch, US, us);
        tk_batch_set_i64(batch, MS, us / 1000 + (i % 13 == 5));
    }
    if (i % 17 != 8)
        tk_batch_set_text(batch, KEY, tk_str_from(key));
    if (i % 6 != 2)
        tk_batch_set_i64(batch, COUNT, integers[i * 7 % TK_COUNTOF(integers)]);
    if (i % 4 != 1)
        tk_batch_set_f64(batch, LOAD, doubles[i % TK_COUNTOF(doubles)]);
    if (i % 3 != 0)
        tk_batch_set_f64(batch, EXACT, doubles[i * 5 % TK_COUNTOF(doubles)]);
    if (i % 5 != 0)
        tk_batch_set_bool(batch, UP, i % 2);
    tk_batch_set_text(batch, NAME, tk_str_from(names[i % TK_COUNTOF(names)]));
    if (i % 8 == 0)
        tk_batch_set_f64_list(batch, CORES, doubles, i % 4);
    if (i % 8 == 3)
        tk_batch_set_text_list(batch, TAGS, (tk_str[]){TK_STR("x"), TK_STR("")}, i % 3);
}

/* A recording of `rows` of them, closed after every `block` rows, and its lines. */
struct made {
    struct tk_buf file;
    struct tk_buf lines;
    struct tk_recording_encoder *encoder;
};

static void make_more(struct made *made, size_t first, size_t rows, size_t block)
{
    struct tk_err err;
    struct tk_batch *batch;
    assert_int_equal(tk_batch_new(&schema, 37, 1 << 16, &batch, &err), 0);
    for (size_t i = first; i < first + rows;) {
        size_t end = first + rows;
        tk_batch_reset(batch);
        do {
            fill(batch, i++);
        } while (i < end && i % block != 0 && tk_batch_has_room(batch));
        tk_encoder_jsonl.batch(batch, &made->lines);
        assert_int_equal(tk_recording_encoder_put(made->encoder, batch, &made->file, &err), 0);
        if (i % block == 0 || i == end)
            assert_int_equal(tk_recording_encoder_close_blocks(made->encoder, &made->file, &err),
                             0);
    }
    tk_batch_free(batch);
}

static void make(struct made *made, size_t rows, size_t block)
{
    struct tk_err err;
    tk_buf_init(&made->file, 64 << 20);
    tk_buf_init(&made->lines, 64 << 20);
    assert_int_equal(tk_recording_encoder_new(&made->encoder, &err), 0);
    make_more(made, 0, rows, block);
}

static void unmake(struct made *made)
{
    tk_buf_release(&made->file);
    tk_buf_release(&made->lines);
    tk_recording_encoder_free(made->encoder);
}

/* Reading --------------------------------------------------------------------------------- */

struct readings {
    struct tk_buf lines;
    uint64_t rows;
    uint64_t bad;   /* blocks */
    uint64_t stale; /* likewise: the one before is missing */
    uint64_t unknown;
};

static void read_block(struct tk_recording_decoder *decoder, struct tk_batch *batch,
                       struct readings *readings)
{
    struct tk_err err;
    int rc;
    do {
        tk_batch_reset(batch);
        rc = tk_recording_decoder_next(decoder, batch, &err);
        tk_encoder_jsonl.batch(batch, &readings->lines);
        readings->rows += batch->rows;
    } while (rc == 0);
    readings->bad += rc == -EBADMSG;
    assert_true(rc == 1 || rc == -EBADMSG);
}

/* Read from a heap copy without a byte of padding, so that ASan sees each byte too many. */
static void read_all(tk_str file, const struct tk_schema *as, size_t batch_rows,
                     struct readings *readings)
{
    struct tk_err err;
    struct tk_batch *batch;
    struct tk_recording_decoder *decoder;
    struct tk_recording_frame frame;
    *readings = (struct readings){.rows = 0};
    tk_buf_init(&readings->lines, 64 << 20);
    assert_int_equal(tk_batch_new(as, batch_rows, 8 << 20, &batch, &err), 0);
    assert_int_equal(tk_recording_decoder_new(as, &decoder, &err), 0);
    while (file.n >= TK_RECORDING_HEADER_BYTES && tk_recording_frame_decode(file.p, &frame) &&
           file.n - TK_RECORDING_HEADER_BYTES >= frame.stored_bytes) {
        char *copy = malloc(frame.stored_bytes + 1);
        assert_non_null(copy);
        memcpy(copy, file.p + TK_RECORDING_HEADER_BYTES, frame.stored_bytes);
        tk_str payload = {copy, frame.stored_bytes};
        int rc = tk_recording_decoder_begin(decoder, &frame, payload, &err);
        free(copy);
        readings->bad += rc == -EBADMSG;
        readings->stale += rc == -ESTALE;
        if (rc == 0)
            read_block(decoder, batch, readings);
        size_t n = TK_RECORDING_HEADER_BYTES + frame.stored_bytes;
        file = (tk_str){file.p + n, file.n - n};
    }
    readings->unknown = tk_recording_decoder_unknown_fields(decoder);
    tk_recording_decoder_free(decoder);
    tk_batch_free(batch);
}

static size_t frame_bytes(const char *header)
{
    struct tk_recording_frame frame;
    assert_true(tk_recording_frame_decode(header, &frame));
    return TK_RECORDING_HEADER_BYTES + frame.stored_bytes;
}

static void assert_same_lines(const struct tk_buf *got, const struct tk_buf *wanted)
{
    tk_str left = tk_buf_str(got);
    tk_str right = tk_buf_str(wanted);
    tk_str a;
    tk_str b;
    for (size_t i = 0; tk_str_take_line(&right, &b); i++) {
        assert_true(tk_str_take_line(&left, &a));
        if (!tk_str_eq(a, b))
            print_error("line %zu:\n%.*s\n%.*s\n", i, TK_STR_ARG(a), TK_STR_ARG(b));
        assert_true(tk_str_eq(a, b));
    }
    assert_int_equal(left.n, 0);
}

/* Tests ------------------------------------------------------------------------------------- */

static void gives_back_rows_of_every_kind(void **state)
{
    (void)state;
    static const struct {
        size_t rows, block, batch;
    } cases[] = {{1, 1, 1}, {3, 1, 1}, {500, 10, 7}, {5000, 999, 256}, {20000, 20000, 64}};
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct made made;
        struct readings readings;
        make(&made, cases[i].rows, cases[i].block);
        read_all(tk_buf_str(&made.file), &schema, cases[i].batch, &readings);
        assert_int_equal(readings.bad + readings.stale + readings.unknown, 0);
        assert_int_equal(readings.rows, cases[i].rows);
        assert_same_lines(&readings.lines, &made.lines);
        tk_buf_release(&readings.lines);
        unmake(&made);
    }
}

static void gives_back_doubles_bit_by_bit(void **state)
{
    (void)state;
    struct tk_err err;
    struct tk_batch *in;
    struct tk_batch *out;
    struct tk_recording_encoder *encoder;
    struct tk_recording_decoder *decoder;
    struct tk_recording_frame frame;
    struct tk_buf file;
    tk_buf_init(&file, 1 << 20);
    assert_int_equal(tk_batch_new(&schema, 64, 4096, &in, &err), 0);
    assert_int_equal(tk_batch_new(&schema, 64, 4096, &out, &err), 0);
    assert_int_equal(tk_recording_encoder_new(&encoder, &err), 0);
    assert_int_equal(tk_recording_decoder_new(&schema, &decoder, &err), 0);
    for (size_t i = 0; i < TK_COUNTOF(doubles); i++) {
        tk_batch_begin(in);
        tk_batch_set_f64(in, EXACT, doubles[i]);
        tk_batch_set_f64(in, LOAD, doubles[i]);
    }
    assert_int_equal(tk_recording_encoder_put(encoder, in, &file, &err), 0);
    assert_int_equal(tk_recording_encoder_close_blocks(encoder, &file, &err), 0);
    assert_true(tk_recording_frame_decode(file.p, &frame));
    tk_str payload = {file.p + TK_RECORDING_HEADER_BYTES, frame.stored_bytes};
    assert_int_equal(tk_recording_decoder_begin(decoder, &frame, payload, &err), 0);
    assert_int_equal(tk_recording_decoder_next(decoder, out, &err), 1);
    for (size_t i = 0; i < TK_COUNTOF(doubles); i++) {
        char text[TK_F64_MAX];
        double read_back;
        size_t n = tk_f64_format(doubles[i], 2, text);
        assert_true(tk_parse_f64((tk_str){text, n}, &read_back));
        assert_memory_equal(&tk_batch_at(out, i, EXACT)->f64, &doubles[i], sizeof(double));
        assert_memory_equal(&tk_batch_at(out, i, LOAD)->f64, &read_back, sizeof(double));
    }
    tk_batch_free(in);
    tk_batch_free(out);
    tk_recording_encoder_free(encoder);
    tk_recording_decoder_free(decoder);
    tk_buf_release(&file);
}

static void reads_what_an_older_program_knows(void **state)
{
    (void)state;
    struct made made;
    struct readings readings;
    make(&made, 100, 30);
    read_all(tk_buf_str(&made.file), &old_schema, 16, &readings);
    assert_int_equal(readings.bad + readings.stale, 0);
    assert_int_equal(readings.rows, 100);
    assert_true(readings.unknown > 300);
    tk_str lines = tk_buf_str(&readings.lines);
    tk_str first;
    assert_true(tk_str_take_line(&lines, &first));
    assert_str_equal(first, "{\"name\":\"make\",\"ts_us\":1763716800123456}");
    tk_buf_release(&readings.lines);
    unmake(&made);
}

/* Whole blocks before the end come back, no other row does. */
static void survives_a_cut_at_every_byte(void **state)
{
    (void)state;
    struct made made;
    make(&made, 40, 10);
    size_t ends[5] = {0};
    for (size_t i = 0; i < 4; i++)
        ends[i + 1] = ends[i] + frame_bytes(made.file.p + ends[i]);
    assert_int_equal(ends[4], made.file.n);
    for (size_t n = 0; n <= made.file.n; n++) {
        struct readings readings;
        size_t whole = 0;
        while (whole < 4 && ends[whole + 1] <= n)
            whole++;
        read_all((tk_str){made.file.p, n}, &schema, 64, &readings);
        assert_int_equal(readings.rows, whole * 10);
        assert_memory_equal(readings.lines.n ? readings.lines.p : "",
                            made.lines.n ? made.lines.p : "", readings.lines.n);
        tk_buf_release(&readings.lines);
    }
    unmake(&made);
}

/* A changed byte in a header ends this reader, which does not search; one in a payload is a bad
 * block and makes those stale that build on it. Never is there a row that was not written. */
static void never_gives_a_wrong_row_for_a_changed_byte(void **state)
{
    (void)state;
    struct made made;
    make(&made, 40, 10);
    for (size_t at = 0; at < made.file.n; at++) {
        struct readings readings;
        made.file.p[at] = (char)(made.file.p[at] ^ (1 << at % 8));
        read_all(tk_buf_str(&made.file), &schema, 64, &readings);
        made.file.p[at] = (char)(made.file.p[at] ^ (1 << at % 8));
        assert_true(readings.rows < 40);
        assert_int_equal(readings.rows % 10, 0);
        assert_memory_equal(readings.lines.n ? readings.lines.p : "", made.lines.p,
                            readings.lines.n);
        tk_buf_release(&readings.lines);
    }
    unmake(&made);
}

static void leaves_out_blocks_that_build_on_a_lost_one(void **state)
{
    (void)state;
    struct made made;
    struct readings readings;
    make(&made, 400, 10); /* a group has 32 blocks */
    size_t first = frame_bytes(made.file.p);
    read_all((tk_str){made.file.p + first, made.file.n - first}, &schema, 64, &readings);
    assert_int_equal(readings.stale, 31);
    assert_int_equal(readings.rows, 80);
    tk_buf_release(&readings.lines);
    unmake(&made);
}

static void begins_a_group_when_told_that_a_block_was_lost(void **state)
{
    (void)state;
    struct made made;
    struct readings readings;
    make(&made, 20, 10);
    tk_buf_reset(&made.file);
    tk_buf_reset(&made.lines);
    assert_int_equal(tk_recording_encoder_restart(made.encoder), 0);
    make_more(&made, 20, 20, 10);
    read_all(tk_buf_str(&made.file), &schema, 64, &readings);
    assert_int_equal(readings.rows, 20);
    assert_same_lines(&readings.lines, &made.lines);
    tk_buf_release(&readings.lines);
    unmake(&made);
}

static void keeps_its_memory_bounded_however_many_things_there_are(void **state)
{
    (void)state;
    struct tk_err err;
    struct tk_batch *batch;
    struct made made;
    struct readings readings;
    char key[300];
    make(&made, 1, 1);
    assert_int_equal(tk_batch_new(&schema, 32, 1 << 16, &batch, &err), 0);
    for (size_t i = 0; i < 70000;) {
        tk_batch_reset(batch);
        for (; batch->rows < 32; i++) {
            (void)snprintf(key, sizeof(key), "%0*zu", i % 200 == 0 ? 290 : 9, i);
            tk_batch_begin(batch);
            tk_batch_set_text(batch, KEY, tk_str_from(key));
        }
        tk_encoder_jsonl.batch(batch, &made.lines);
        assert_int_equal(tk_recording_encoder_put(made.encoder, batch, &made.file, &err), 0);
    }
    assert_int_equal(tk_recording_encoder_close_blocks(made.encoder, &made.file, &err), 0);
    read_all(tk_buf_str(&made.file), &schema, 256, &readings);
    assert_int_equal(readings.bad + readings.stale, 0);
    assert_same_lines(&readings.lines, &made.lines);
    tk_buf_release(&readings.lines);
    tk_batch_free(batch);
    unmake(&made);
}

static void refuses_a_batch_of_too_much_text_and_counts_it(void **state)
{
    (void)state;
    struct tk_err err;
    struct tk_batch *batch;
    struct made made;
    make(&made, 1, 1);
    assert_int_equal(tk_batch_new(&schema, 8, 2 << 20, &batch, &err), 0);
    char *text = calloc(1, 1 << 20);
    assert_non_null(text);
    tk_batch_begin(batch);
    tk_batch_set_text(batch, NAME, (tk_str){text, 1 << 20});
    assert_int_equal(tk_recording_encoder_put(made.encoder, batch, &made.file, &err), -EMSGSIZE);
    assert_string_equal(err.msg, "recording of test: more than 524288 bytes of text in a batch");
    assert_int_equal(tk_recording_encoder_restart(made.encoder), 1);
    free(text);
    tk_batch_free(batch);
    unmake(&made);
}

static void loses_only_what_does_not_fit_the_output(void **state)
{
    (void)state;
    struct tk_err err;
    struct tk_batch *batch;
    struct made made;
    make(&made, 1, 1);
    assert_int_equal(tk_batch_new(&schema, 32, 1 << 16, &batch, &err), 0);
    struct tk_buf tiny;
    tk_buf_init(&tiny, 64);
    for (size_t i = 0; i < 32; i++)
        fill(batch, i);
    assert_int_equal(tk_recording_encoder_put(made.encoder, batch, &tiny, &err), 0);
    assert_int_equal(tk_recording_encoder_open_rows(made.encoder), 32);
    assert_int_equal(tk_recording_encoder_close_blocks(made.encoder, &tiny, &err), -EMSGSIZE);
    assert_int_equal(tiny.n, 0);
    assert_int_equal(tk_recording_encoder_restart(made.encoder), 32);
    assert_int_equal(tk_recording_encoder_open_rows(made.encoder), 0);
    tk_buf_release(&tiny);
    tk_batch_free(batch);
    unmake(&made);
}

/* Size ---------------------------------------------------------------------------------------- */

static size_t mix_bytes(const struct mix *mix, bool whole_rows, int64_t ticks)
{
    struct tk_err err;
    struct tk_batch *batch;
    struct tk_recording_encoder *encoder;
    struct mix_run run;
    struct tk_buf file;
    tk_buf_init(&file, 64 << 20);
    mix_init(&run, mix);
    assert_int_equal(tk_recording_encoder_new(&encoder, &err), 0);
    assert_int_equal(tk_batch_new(whole_rows ? &tk_schema_proc_metrics : &nine_schema, 32, 1 << 16,
                                  &batch, &err),
                     0);
    for (run.tick = 0; run.tick < ticks; run.tick++) {
        for (size_t i = 0; i < mix->processes; i++) {
            if (mix_step(&run, i))
                (whole_rows ? mix_put_metrics : mix_put_nine)(&run, &run.processes[i], batch);
            if (i + 1 < mix->processes && tk_batch_has_room(batch))
                continue;
            assert_int_equal(tk_recording_encoder_put(encoder, batch, &file, &err), 0);
            tk_batch_reset(batch);
        }
        if ((run.tick + 1) % mix->block_ticks == 0)
            assert_int_equal(tk_recording_encoder_close_blocks(encoder, &file, &err), 0);
    }
    tk_batch_free(batch);
    tk_recording_encoder_free(encoder);
    mix_release(&run);
    size_t bytes = file.n;
    tk_buf_release(&file);
    return bytes;
}

/* The goals of collector.md section 9, in hundredths of a byte for each process and tick; whole
 * rows have twice the columns. The bytes are the same at each run with one version of zstd. */
static void takes_no_more_bytes_than_the_goals(void **state)
{
    (void)state;
    static const struct {
        size_t mix;
        int64_t ticks;
        size_t nine, whole;
    } goals[] = {{0, 640, 30, 50}, {1, 640, 200, 350}, {3, 40, 1800, 1900}};
    for (size_t i = 0; i < TK_COUNTOF(goals); i++) {
        const struct mix *mix = &mixes[goals[i].mix];
        size_t samples = mix->processes * (size_t)goals[i].ticks;
        size_t nine = mix_bytes(mix, false, goals[i].ticks) * 100 / samples;
        size_t whole = mix_bytes(mix, true, goals[i].ticks) * 100 / samples;
        print_message("# mix %s: %zu and %zu hundredths of a byte\n", mix->name, nine, whole);
        assert_in_range(nine, 1, goals[i].nine);
        assert_in_range(whole, 1, goals[i].whole);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_back_rows_of_every_kind),
        cmocka_unit_test(gives_back_doubles_bit_by_bit),
        cmocka_unit_test(reads_what_an_older_program_knows),
        cmocka_unit_test(survives_a_cut_at_every_byte),
        cmocka_unit_test(never_gives_a_wrong_row_for_a_changed_byte),
        cmocka_unit_test(leaves_out_blocks_that_build_on_a_lost_one),
        cmocka_unit_test(begins_a_group_when_told_that_a_block_was_lost),
        cmocka_unit_test(keeps_its_memory_bounded_however_many_things_there_are),
        cmocka_unit_test(refuses_a_batch_of_too_much_text_and_counts_it),
        cmocka_unit_test(loses_only_what_does_not_fit_the_output),
        cmocka_unit_test(takes_no_more_bytes_than_the_goals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
