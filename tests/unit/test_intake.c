/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/intake.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "segment/segment_set.h"
#include "span/span_tally.h"
#include "tk_folder.h"

#define MAX_BYTES ((size_t)1 << 20)

struct place {
    char path[PATH_MAX];
    int fd;
};

static void place_make(struct place *place)
{
    struct tk_err err;
    folder_make(place->path);
    place->fd = -1;
    assert_int_equal(tk_dir_open(AT_FDCWD, place->path, &place->fd, &err), 0);
}

static void place_remove(struct place *place)
{
    tk_fd_close(&place->fd);
    folder_remove(place->path);
}

static struct tk_intake *intake_of(const struct place *place, struct tk_segment_opts opts)
{
    struct tk_err err;
    struct tk_intake *intake = NULL;
    assert_int_equal(tk_intake_new(place->fd, &opts, MAX_BYTES, &intake, &err), 0);
    return intake;
}

/* Spans in the folder, in segments and in logs. */
static uint64_t spans_in(const struct place *place)
{
    struct tk_err err;
    struct tk_segment_set *set = NULL;
    struct tk_segment_totals totals;
    assert_int_equal(tk_segment_set_new(place->fd, false, &set, &err), 0);
    tk_segment_set_count(set, &totals);
    tk_segment_set_free(set);
    return totals.spans;
}

/* Hand in a request of `n` spans of Zipkin, the first with the id `first`. */
static struct tk_verdict add_spans(struct tk_intake *intake, unsigned first, unsigned n)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    struct tk_verdict verdict;
    tk_buf_init(&text, MAX_BYTES);
    tk_buf_putc(&text, '[');
    for (unsigned i = first; i < first + n; i++) {
        tk_buf_printf(&text, "%s{\"traceId\":\"%016x\",\"id\":\"%016x\",\"timestamp\":%u}",
                      i > first ? "," : "", i, i, i);
    }
    tk_buf_putc(&text, ']');
    const struct tk_payload payload = {TK_PAYLOAD_ZIPKIN_JSON, TK_CODING_IDENTITY,
                                       tk_buf_str(&text)};
    tk_intake_add(intake, &payload, &verdict);
    return verdict;
}

static void each_payload_has_its_outcome(void **state)
{
    (void)state;
    static const char json[] =
        "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":"
        "\"0102030405060708090a0b0c0d0e0f10\",\"spanId\":\"0102030405060708\","
        "\"startTimeUnixNano\":\"5\",\"endTimeUnixNano\":\"6\"}]}]}]}";
    static const char events[] = "{\"ts_start\":1,\"ts_end\":2}\n{\"ts_end\":2}\n"
                                 "{\"ts_start\":2,\"ts_end\":2}\n";
    static const struct {
        struct tk_payload payload;
        enum tk_outcome outcome;
        uint64_t spans;
        const char *message;
    } cases[] = {
        {{TK_PAYLOAD_OTLP, TK_CODING_IDENTITY, {"", 0}}, TK_OUTCOME_TAKEN, 0, NULL},
        {{TK_PAYLOAD_OTLP_JSON, TK_CODING_IDENTITY, {json, sizeof(json) - 1}},
         TK_OUTCOME_TAKEN,
         1,
         NULL},
        {{TK_PAYLOAD_OTLP_JSON, TK_CODING_IDENTITY, {json, sizeof(json) - 3}},
         TK_OUTCOME_BAD,
         0,
         NULL},
        {{TK_PAYLOAD_OTLP, TK_CODING_IDENTITY, {"\x0A\x7F", 2}}, TK_OUTCOME_BAD, 0, NULL},
        {{TK_PAYLOAD_ZIPKIN, TK_CODING_IDENTITY, {"\x0A\x7F", 2}}, TK_OUTCOME_BAD, 0, NULL},
        {{TK_PAYLOAD_ZIPKIN_JSON, TK_CODING_IDENTITY, {"[", 1}}, TK_OUTCOME_BAD, 0, NULL},
        {{TK_PAYLOAD_EVENTS, TK_CODING_IDENTITY, {events, sizeof(events) - 1}},
         TK_OUTCOME_TAKEN,
         2,
         "line 2: an event without ts_start"},
        {{TK_PAYLOAD_EVENTS, TK_CODING_IDENTITY, {"[]\n", 3}}, TK_OUTCOME_TAKEN, 0, ""},
        {{TK_PAYLOAD_EVENTS, TK_CODING_IDENTITY, {"7\n", 2}},
         TK_OUTCOME_BAD,
         0,
         "line 1: expected an object"},
        {{TK_PAYLOAD_OTLP, TK_CODING_GZIP, {"xx", 2}},
         TK_OUTCOME_BAD,
         0,
         "body, byte 0: expected a gzip stream"},
    };
    struct place place;
    struct tk_err err;
    place_make(&place);
    struct tk_intake *intake = intake_of(&place, (struct tk_segment_opts){0});
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_verdict verdict;
        tk_intake_add(intake, &cases[i].payload, &verdict);
        assert_int_equal(verdict.outcome, cases[i].outcome);
        assert_int_equal(verdict.tally.spans, cases[i].spans);
        if (cases[i].message)
            assert_string_equal(verdict.err.msg, cases[i].message);
    }
    assert_int_equal(tk_intake_close(intake, &err), 0);
    tk_intake_free(intake);
    assert_int_equal(spans_in(&place), 3); /* of what was refused nothing is left */
    place_remove(&place);
}

static void a_request_that_does_not_fit_goes_to_the_next_segment_as_a_whole(void **state)
{
    (void)state;
    struct place place;
    struct tk_err err;
    struct tk_segment_counts counts;
    place_make(&place);
    struct tk_intake *intake =
        intake_of(&place, (struct tk_segment_opts){.segment_rows = 10, .queue = 8});
    assert_int_equal(add_spans(intake, 1, 7).outcome, TK_OUTCOME_TAKEN);
    assert_int_equal(add_spans(intake, 8, 7).outcome, TK_OUTCOME_TAKEN);
    assert_int_equal(add_spans(intake, 15, 10).outcome, TK_OUTCOME_TAKEN);
    assert_int_equal(tk_intake_close(intake, &err), 0);
    tk_segment_sink_count(tk_intake_sink(intake), &counts);
    assert_int_equal(counts.spans, 24);
    assert_int_equal(counts.segments, 3);
    tk_intake_free(intake);
    assert_int_equal(spans_in(&place), 24);
    place_remove(&place);
}

/* Events, `n` of them, and what is no JSON behind them if so wanted. */
static struct tk_verdict add_events(struct tk_intake *intake, unsigned n, const char *behind)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    struct tk_verdict verdict;
    tk_buf_init(&text, MAX_BYTES);
    for (unsigned i = 1; i <= n; i++)
        tk_buf_printf(&text, "{\"ts_start\":%u,\"ts_end\":%u}\n", i, i + 1);
    tk_buf_puts(&text, behind);
    const struct tk_payload payload = {TK_PAYLOAD_EVENTS, TK_CODING_IDENTITY, tk_buf_str(&text)};
    tk_intake_add(intake, &payload, &verdict);
    return verdict;
}

static void a_request_longer_than_a_segment_gets_one_of_its_own(void **state)
{
    (void)state;
    struct place place;
    struct tk_err err;
    struct tk_segment_counts counts;
    place_make(&place);
    struct tk_intake *intake =
        intake_of(&place, (struct tk_segment_opts){.segment_rows = 10, .queue = 8});
    assert_int_equal(add_spans(intake, 1, 7).outcome, TK_OUTCOME_TAKEN);
    struct tk_verdict verdict = add_spans(intake, 8, 75);
    assert_int_equal(verdict.outcome, TK_OUTCOME_TAKEN);
    assert_int_equal(verdict.tally.spans, 75);
    verdict = add_events(intake, 333, "7\n");
    assert_int_equal(verdict.outcome, TK_OUTCOME_TAKEN);
    assert_int_equal(verdict.tally.spans, 333);
    assert_int_equal(verdict.tally.by_reason[TK_SPAN_BAD_RECORD], 1); /* not once for each try */
    assert_int_equal(add_spans(intake, 8, 10).outcome, TK_OUTCOME_TAKEN);
    assert_int_equal(tk_intake_close(intake, &err), 0);
    tk_segment_sink_count(tk_intake_sink(intake), &counts);
    assert_int_equal(counts.spans, 425);
    assert_int_equal(counts.segments, 4);
    tk_intake_free(intake);
    assert_int_equal(spans_in(&place), 425);
    place_remove(&place);
}

static void a_long_request_that_is_damaged_leaves_nothing_behind(void **state)
{
    (void)state;
    struct place place;
    struct tk_err err;
    place_make(&place);
    struct tk_intake *intake =
        intake_of(&place, (struct tk_segment_opts){.segment_rows = 10, .queue = 8});
    assert_int_equal(add_spans(intake, 1, 7).outcome, TK_OUTCOME_TAKEN);
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    struct tk_verdict verdict;
    tk_buf_init(&text, MAX_BYTES);
    tk_buf_putc(&text, '[');
    for (unsigned i = 1; i <= 99; i++)
        tk_buf_printf(&text, "{\"traceId\":\"%016x\",\"id\":\"%016x\"},", i, i);
    const struct tk_payload payload = {TK_PAYLOAD_ZIPKIN_JSON, TK_CODING_IDENTITY,
                                       tk_buf_str(&text)};
    tk_intake_add(intake, &payload, &verdict);
    assert_int_equal(verdict.outcome, TK_OUTCOME_BAD);
    assert_int_equal(spans_in(&place), 7);
    assert_int_equal(add_spans(intake, 8, 7).outcome, TK_OUTCOME_TAKEN);
    assert_int_equal(tk_intake_close(intake, &err), 0);
    tk_intake_free(intake);
    assert_int_equal(spans_in(&place), 14);
    place_remove(&place);
}

static void a_request_is_too_large_when_no_segment_may_be_as_long(void **state)
{
    (void)state;
    struct place place;
    struct tk_err err;
    place_make(&place);
    struct tk_intake *intake = intake_of(&place, (struct tk_segment_opts){.segment_rows = 10});
    struct tk_segment_sink *sink = tk_intake_sink(intake);
    assert_int_equal(tk_segment_sink_widen(sink, &err), 0);
    assert_int_equal(tk_segment_sink_batch(sink)->max_rows, TK_SPAN_BATCH_ROWS_MAX);
    assert_int_equal(tk_segment_sink_widen(sink, &err), -EMSGSIZE);
    assert_string_equal(err.msg, "more spans than the 1048576 of a segment: send them in parts");
    tk_intake_free(intake);
    place_remove(&place);
}

static void a_batch_with_more_room_than_a_segment_takes_a_whole_request(void **state)
{
    (void)state;
    struct place place;
    struct tk_err err;
    struct tk_segment_counts counts;
    place_make(&place);
    struct tk_intake *intake = intake_of(
        &place, (struct tk_segment_opts){.segment_rows = 10, .batch_rows = 20, .queue = 8});
    assert_int_equal(add_spans(intake, 1, 7).outcome, TK_OUTCOME_TAKEN);
    assert_int_equal(add_spans(intake, 8, 7).outcome, TK_OUTCOME_TAKEN); /* 14: it is full */
    assert_int_equal(add_spans(intake, 15, 2).outcome, TK_OUTCOME_TAKEN);
    assert_int_equal(add_spans(intake, 17, 20).outcome, TK_OUTCOME_TAKEN); /* has one alone */
    assert_int_equal(tk_intake_close(intake, &err), 0);
    tk_segment_sink_count(tk_intake_sink(intake), &counts);
    assert_int_equal(counts.spans, 36);
    assert_int_equal(counts.segments, 3);
    tk_intake_free(intake);
    assert_int_equal(spans_in(&place), 36);
    place_remove(&place);
}

static void a_segment_that_is_old_enough_is_sealed(void **state)
{
    (void)state;
    struct place place;
    struct tk_err err;
    struct tk_segment_counts counts;
    place_make(&place);
    struct tk_intake *intake =
        intake_of(&place, (struct tk_segment_opts){.segment_age_ns = 60 * TK_NS_PER_S});
    assert_int_equal(add_spans(intake, 1, 3).outcome, TK_OUTCOME_TAKEN);
    int64_t now_ns = tk_clock_mono_ns();
    tk_intake_step(intake, now_ns);
    tk_segment_sink_count(tk_intake_sink(intake), &counts);
    assert_int_equal(counts.segments + counts.waiting, 0);
    tk_intake_step(intake, now_ns + 61 * TK_NS_PER_S);
    tk_segment_sink_count(tk_intake_sink(intake), &counts);
    assert_int_equal(counts.segments + counts.waiting, 1);
    assert_int_equal(tk_intake_close(intake, &err), 0);
    tk_intake_free(intake);
    place_remove(&place);
}

/* Take spans, tell each answer by a byte, until killed. */
static void take_until_killed(const struct place *place, enum tk_ack ack, int pipe_fd)
{
    struct tk_intake *intake =
        intake_of(place, (struct tk_segment_opts){.ack = ack, .segment_rows = 40, .queue = 60});
    for (unsigned i = 1;; i += 10) {
        enum tk_outcome outcome = add_spans(intake, i, 10).outcome;
        struct tk_err err;
        if (outcome == TK_OUTCOME_OVERLOADED)
            continue;
        if (outcome == TK_OUTCOME_TAKEN && ack == TK_ACK_FSYNC &&
            tk_segment_sink_sync(tk_intake_sink(intake), &err) < 0)
            outcome = TK_OUTCOME_FAILED;
        if (outcome != TK_OUTCOME_TAKEN || write(pipe_fd, "", 1) != 1)
            _exit(1);
    }
}

static void what_was_acknowledged_outlives_the_process(void **state)
{
    (void)state;
    static const enum tk_ack acks[] = {TK_ACK_WRITE, TK_ACK_FSYNC};
    for (size_t i = 0; i < TK_COUNTOF(acks); i++) {
        struct place place;
        struct tk_err err;
        uint64_t answers = 0;
        char bytes[512];
        int pipe_fds[2];
        place_make(&place);
        assert_int_equal(pipe(pipe_fds), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            take_until_killed(&place, acks[i], pipe_fds[1]);
        (void)close(pipe_fds[1]);
        while (answers < 50) { /* some segments were written, one is open */
            ssize_t n = read(pipe_fds[0], bytes, sizeof(bytes));
            assert_true(n > 0);
            answers += (uint64_t)n;
        }
        assert_int_equal(kill(pid, SIGKILL), 0);
        for (ssize_t n; (n = read(pipe_fds[0], bytes, sizeof(bytes))) > 0;)
            answers += (uint64_t)n;
        (void)close(pipe_fds[0]);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        struct tk_intake *intake = intake_of(&place, (struct tk_segment_opts){0});
        assert_int_equal(tk_intake_close(intake, &err), 0);
        tk_intake_free(intake);
        uint64_t spans = spans_in(&place);
        assert_true(spans >= answers * 10);
        assert_true(spans <= answers * 10 + 10); /* and one that was on its way */
        place_remove(&place);
    }
}

static void in_memory_nothing_is_logged(void **state)
{
    (void)state;
    struct place place;
    struct tk_segment_counts counts;
    place_make(&place);
    struct tk_intake *intake = intake_of(&place, (struct tk_segment_opts){.ack = TK_ACK_MEMORY});
    assert_int_equal(add_spans(intake, 1, 10).outcome, TK_OUTCOME_TAKEN);
    tk_segment_sink_count(tk_intake_sink(intake), &counts);
    assert_int_equal(counts.log_bytes, 0);
    tk_intake_free(intake); /* as if it had crashed */
    assert_int_equal(spans_in(&place), 0);
    place_remove(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_payload_has_its_outcome),
        cmocka_unit_test(a_request_that_does_not_fit_goes_to_the_next_segment_as_a_whole),
        cmocka_unit_test(a_request_longer_than_a_segment_gets_one_of_its_own),
        cmocka_unit_test(a_long_request_that_is_damaged_leaves_nothing_behind),
        cmocka_unit_test(a_request_is_too_large_when_no_segment_may_be_as_long),
        cmocka_unit_test(a_batch_with_more_room_than_a_segment_takes_a_whole_request),
        cmocka_unit_test(a_segment_that_is_old_enough_is_sealed),
        cmocka_unit_test(what_was_acknowledged_outlives_the_process),
        cmocka_unit_test(in_memory_nothing_is_logged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
