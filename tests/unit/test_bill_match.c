/* SPDX-License-Identifier: Apache-2.0 */
#include "span/bill_match.h"

#include <string.h>

#include "base/clock.h"
#include "run/schemas.h"
#include "tk_test.h"

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define SPAN  "b7ad6b7169203331"
#define ID64  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* A launcher with TRACEPARENT, its child that nobody asked, a process in a container, one that
 * publishes its Resource, and two lives of one pid. */
static const struct life {
    int64_t pid, ppid, start_s;
    int64_t end_s; /* 0 = it goes on */
    const char *traceparent, *container, *resource;
} lives[] = {
    {100, 1, 10, 0, "00-" TRACE "-" SPAN "-01", NULL, NULL},
    {101, 100, 20, 0, NULL, NULL, NULL},
    {200, 1, 10, 0, NULL, ID64, NULL},
    {300, 1, 10, 0, NULL, NULL, "{\"service.name\":\"shop\",\"service.instance.id\":\"a\"}"},
    {400, 1, 10, 30, NULL, NULL, NULL},
    {400, 1, 40, 0, NULL, NULL, NULL},
};

static struct world {
    struct tk_bill_processes processes;
    struct tk_bill_matcher *matcher;
} world;

static void put(struct tk_batch *row, size_t column, const char *text)
{
    if (text)
        tk_batch_set_text(row, column, tk_str_from(text));
}

static void add_life(const struct life *life)
{
    struct tk_err err;
    TK_CLEANUP(tk_batch_freep) struct tk_batch *sample = NULL;
    TK_CLEANUP(tk_batch_freep) struct tk_batch *context = NULL;
    TK_CLEANUP(tk_batch_freep) struct tk_batch *end = NULL;
    assert_int_equal(tk_batch_new(&tk_schema_proc_metrics, 1, 4096, &sample, &err), 0);
    assert_int_equal(tk_batch_new(&tk_schema_proc_context, 1, 4096, &context, &err), 0);
    assert_int_equal(tk_batch_new(&tk_schema_proc_exit, 1, 4096, &end, &err), 0);
    tk_batch_begin(sample);
    tk_batch_set_i64(sample, TK_PROC_METRICS_TS_US, life->start_s * 1000000 + 100);
    tk_batch_set_i64(sample, TK_PROC_METRICS_PID, life->pid);
    tk_batch_set_i64(sample, TK_PROC_METRICS_PPID, life->ppid);
    tk_batch_set_i64(sample, TK_PROC_METRICS_START_TICKS, life->start_s * 100);
    assert_int_equal(tk_bill_processes_add_sample(&world.processes, sample, 0), 0);
    tk_batch_begin(context);
    tk_batch_set_i64(context, TK_PROC_CONTEXT_PID, life->pid);
    tk_batch_set_i64(context, TK_PROC_CONTEXT_START_TICKS, life->start_s * 100);
    tk_batch_set_i64(context, TK_PROC_CONTEXT_START_US, life->start_s * 1000000);
    put(context, TK_PROC_CONTEXT_TRACEPARENT, life->traceparent);
    put(context, TK_PROC_CONTEXT_CONTAINER_ID, life->container);
    put(context, TK_PROC_CONTEXT_RESOURCE, life->resource);
    assert_int_equal(tk_bill_processes_add_context(&world.processes, context, 0), 0);
    if (life->end_s == 0)
        return;
    tk_batch_begin(end);
    tk_batch_set_i64(end, TK_PROC_EXIT_TS_US, life->end_s * 1000000);
    tk_batch_set_i64(end, TK_PROC_EXIT_PID, life->pid);
    tk_batch_set_i64(end, TK_PROC_EXIT_START_TICKS, life->start_s * 100);
    assert_int_equal(tk_bill_processes_add_exit(&world.processes, end, 0), 0);
}

static int begin(void **state)
{
    (void)state;
    struct tk_err err;
    assert_int_equal(tk_bill_processes_init(&world.processes, 0, 100, &err), 0);
    for (size_t i = 0; i < TK_COUNTOF(lives); i++)
        add_life(&lives[i]);
    assert_int_equal(tk_bill_processes_finish(&world.processes, &err), 0);
    assert_int_equal(tk_bill_matcher_new(&world.processes, &world.matcher, &err), 0);
    return 0;
}

static int end(void **state)
{
    (void)state;
    tk_bill_matcher_free(world.matcher);
    tk_bill_processes_release(&world.processes);
    return 0;
}

/* Keys and values in turn, NULL at the end. */
static struct tk_bill_answer ask(const char *const *texts, const char *own, const char *caller)
{
    struct tk_bill_attr attrs[8];
    size_t count = 0;
    struct tk_bill_resource resource;
    struct tk_bill_answer answer;
    struct tk_err err;
    struct tk_traceparent self = {.flags = 0};
    struct tk_traceparent called = {.flags = 0};
    for (; texts[2 * count]; count++)
        attrs[count] =
            (struct tk_bill_attr){tk_str_from(texts[2 * count]), tk_str_from(texts[2 * count + 1])};
    (void)tk_traceparent_parse(tk_str_from(own), &self);
    (void)tk_traceparent_parse(tk_str_from(caller), &called);
    assert_int_equal(tk_bill_matcher_read_resource(world.matcher, attrs, count, &resource, &err),
                     0);
    const struct tk_bill_question question = {
        .resource = &resource,
        .trace_id = own ? self.trace_id : called.trace_id,
        .span_id = self.span_id,
        .caller_id = called.span_id,
        .start_ns = 50 * TK_NS_PER_S,
        .end_ns = 51 * TK_NS_PER_S,
    };
    assert_int_equal(tk_bill_matcher_ask(world.matcher, &question, &answer, &err), 0);
    return answer;
}

static void rules_hold_in_their_order(void **state)
{
    (void)state;
    static const struct {
        const char *attrs[9];
        const char *own, *caller;
        enum tk_bill_rule rule;
        uint32_t processes;
    } cases[] = {
        {{"service.name", "shop", "service.instance.id", "a"}, NULL, NULL, TK_BILL_BY_CONTEXT, 1},
        {{"service.name", "shop", "service.instance.id", "b"}, NULL, NULL, TK_BILL_NO_RULE, 0},
        {{"service.instance.id", "a"}, NULL, NULL, TK_BILL_NO_RULE, 0},
        {{"tracekit.parent", "00-" TRACE "-" SPAN "-01"}, NULL, NULL, TK_BILL_BY_ENVIRONMENT, 2},
        {{"tracekit.parent", "00-" TRACE "-" SPAN "-01", "process.pid", "101"},
         NULL,
         NULL,
         TK_BILL_BY_ENVIRONMENT,
         1},
        {{NULL}, "00-" TRACE "-" SPAN "-01", NULL, TK_BILL_BY_ENVIRONMENT, 2},
        {{NULL}, NULL, "00-" TRACE "-" SPAN "-01", TK_BILL_BY_ENVIRONMENT, 2},
        {{"container.id", ID64}, NULL, NULL, TK_BILL_BY_CONTAINER, 1},
        {{"container.id", "0123456789ab"}, NULL, NULL, TK_BILL_BY_CONTAINER, 1},
        {{"container.id", "0123"}, NULL, NULL, TK_BILL_NO_RULE, 0},
        {{"process.pid", "400", "process.creation.time", "1970-01-01T00:00:40Z"},
         NULL,
         NULL,
         TK_BILL_BY_PID,
         1},
        {{"process.pid", "400", "process.creation.time", "1970-01-01T00:00:10Z"},
         NULL,
         NULL,
         TK_BILL_NO_RULE,
         0},
        {{"process.pid", "400", "process.creation.time", "1970-01-01T00:00:42Z"},
         NULL,
         NULL,
         TK_BILL_NO_RULE,
         0},
        {{"process.pid", "400"}, NULL, NULL, TK_BILL_NO_RULE, 0},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_bill_answer answer = ask(cases[i].attrs, cases[i].own, cases[i].caller);
        if (answer.rule != cases[i].rule || answer.processes != cases[i].processes)
            fail_msg("case %zu: rule %d, %u processes", i, (int)answer.rule, answer.processes);
    }
}

static void what_was_started_in_a_span_is_its_own_whoever_tells_of_it(void **state)
{
    (void)state;
    static const char *const shop[] = {"service.name", "shop", NULL};
    struct tk_bill_answer answer = ask(shop, "00-" TRACE "-" SPAN "-01", NULL);
    assert_int_equal(answer.rule, TK_BILL_BY_CONTEXT);
    assert_int_equal(answer.processes, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rules_hold_in_their_order, begin, end),
        cmocka_unit_test_setup_teardown(what_was_started_in_a_span_is_its_own_whoever_tells_of_it,
                                        begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
