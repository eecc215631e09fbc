/* SPDX-License-Identifier: Apache-2.0 */
/* Trees of traces, made by hand and of CRISP's own test cases. */
#include "span/trace_tree.h"

#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <time.h>

#include <jansson.h>

#include "span_maker.h"

/* A tree of spans that are made; release() it. */
struct made_tree {
    struct tk_span_batch *batch;
    struct tk_trace_tree tree;
};

static void plant(struct made_tree *made, const struct made_span *spans, size_t n, bool raw)
{
    struct tk_err err;
    assert_int_equal(tk_span_batch_new(n, &made->batch, &err), 0);
    made_add(made->batch, spans, n);
    const struct tk_span_rows rows = {made->batch, NULL, n};
    assert_int_equal(
        tk_trace_tree_init(&made->tree, &rows, &(struct tk_trace_options){.raw = raw}, &err), 0);
}

static void release(struct made_tree *made)
{
    tk_trace_tree_release(&made->tree);
    tk_span_batch_free(made->batch);
}

/* The nodes as one line: "id(child child)", orphans with '?', cut cycles with '@', critical ones
 * with '*'. */
static void put_tree(const struct tk_trace_tree *tree, uint32_t begin, uint32_t end, char *to)
{
    for (uint32_t k = begin; k < end; k += tree->nodes[k].size) {
        const struct tk_trace_node *node = &tree->nodes[k];
        sprintf(to + strlen(to), "%s%llx%s%s%s", k > begin ? " " : "",
                (unsigned long long)be64toh(tree->batch->span_ids[node->row]),
                node->flags & TK_TRACE_ORPHAN ? "?" : "", node->flags & TK_TRACE_CYCLE ? "@" : "",
                node->flags & TK_TRACE_CRITICAL ? "*" : "");
        if (node->size == 1)
            continue;
        strcat(to, "(");
        put_tree(tree, k + 1, k + node->size, to);
        strcat(to, ")");
    }
}

static void assert_tree(const struct made_span *spans, size_t n, const char *expected)
{
    char text[1024] = "";
    struct made_tree made;
    plant(&made, spans, n, false);
    put_tree(&made.tree, 0, made.tree.count, text);
    assert_string_equal(text, expected);
    release(&made);
}

static const struct tk_trace_node *node_of(const struct tk_trace_tree *tree, uint64_t id)
{
    static const struct tk_trace_node none;
    for (uint32_t k = 0; k < tree->count; k++) {
        if (be64toh(tree->batch->span_ids[tree->nodes[k].row]) == id)
            return &tree->nodes[k];
    }
    fail_msg("no node %llx", (unsigned long long)id);
    return &none;
}

static void children_stand_by_their_start_below_their_parent(void **state)
{
    (void)state;
    const struct made_span spans[] = {
        {.id = 4, .parent = 2, .start_ns = 30, .duration_ns = 10},
        {.id = 3, .parent = 1, .start_ns = 50, .duration_ns = 40},
        {.id = 1, .start_ns = 0, .duration_ns = 100},
        {.id = 2, .parent = 1, .start_ns = 10, .duration_ns = 35},
    };
    assert_tree(spans, TK_COUNTOF(spans), "1*(2*(4*) 3*)");
}

static void self_time_is_that_in_which_no_child_ran(void **state)
{
    (void)state;
    struct made_tree made;
    const struct made_span spans[] = {
        {.id = 1, .start_ns = 0, .duration_ns = 100},
        {.id = 2, .parent = 1, .start_ns = 10, .duration_ns = 30},
        {.id = 3, .parent = 1, .start_ns = 20, .duration_ns = 30}, /* overlaps 2 */
        {.id = 4, .parent = 1, .start_ns = 25, .duration_ns = 5},  /* within both */
        {.id = 5, .parent = 1, .start_ns = 90, .duration_ns = 50}, /* goes on after 1 */
        {.id = 6, .parent = 1, .start_ns = 200, .duration_ns = 9}, /* begins after 1 */
    };
    plant(&made, spans, TK_COUNTOF(spans), false);
    assert_int_equal(node_of(&made.tree, 1)->self_ns, 10 + 40);
    assert_int_equal(node_of(&made.tree, 5)->self_ns, 50);
    assert_int_equal(made.tree.outside, 2);
    assert_int_equal(made.tree.start_ns, 0);
    assert_int_equal(made.tree.end_ns, 209);
    release(&made);
}

static void shares_of_the_critical_path_add_up_to_the_root(void **state)
{
    (void)state;
    struct made_tree made;
    const struct made_span spans[] = {
        {.id = 1, .start_ns = 0, .duration_ns = 1000},
        {.id = 2, .parent = 1, .start_ns = 10, .duration_ns = 300},
        {.id = 3, .parent = 1, .start_ns = 200, .duration_ns = 700},
        {.id = 4, .parent = 3, .start_ns = 100, .duration_ns = 300}, /* begins before 3 */
        {.id = 5, .parent = 3, .start_ns = 500, .duration_ns = 900}, /* ends after 3 and 1 */
        {.id = 6, .parent = 1, .start_ns = 20, .duration_ns = 100},
    };
    plant(&made, spans, TK_COUNTOF(spans), false);
    int64_t sum = 0;
    for (uint32_t k = 0; k < made.tree.count; k++)
        sum += made.tree.nodes[k].critical_ns;
    assert_int_equal(sum, 1000);
    assert_int_equal(node_of(&made.tree, 5)->critical_ns, 400);
    assert_int_equal(node_of(&made.tree, 2)->critical_ns, 0);
    assert_int_equal(node_of(&made.tree, 6)->critical_ns, 100);
    release(&made);
}

static void odd_traces_become_trees(void **state)
{
    (void)state;
    static const struct {
        const char *expected;
        size_t n;
        struct made_span spans[3];
    } cases[] = {
        {"1*", 1, {{.id = 1, .start_ns = 5}}},
        /* orphans: the longest has the path when there is no other root */
        {"2? 3?*(4*)",
         3,
         {{.id = 2, .parent = 9, .start_ns = 0, .duration_ns = 5},
          {.id = 3, .parent = 8, .start_ns = 1, .duration_ns = 50},
          {.id = 4, .parent = 3, .start_ns = 2, .duration_ns = 5}}},
        {"2? 1*",
         2,
         {{.id = 2, .parent = 9, .start_ns = 0, .duration_ns = 500},
          {.id = 1, .start_ns = 10, .duration_ns = 1}}},
        /* several roots: the first to start */
        {"1*(3*) 2",
         3,
         {{.id = 2, .start_ns = 7, .duration_ns = 100},
          {.id = 1, .start_ns = 5, .duration_ns = 10},
          {.id = 3, .parent = 1, .start_ns = 6, .duration_ns = 2}}},
        /* its own parent */
        {"1@*", 1, {{.id = 1, .parent = 1}}},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++)
        assert_tree(cases[i].spans, cases[i].n, cases[i].expected);
}

static void a_cycle_is_cut_before_the_span_that_starts_first(void **state)
{
    (void)state;
    const struct made_span spans[] = {
        {.id = 1, .parent = 3, .start_ns = 30, .duration_ns = 1},
        {.id = 2, .parent = 1, .start_ns = 10, .duration_ns = 50},
        {.id = 3, .parent = 2, .start_ns = 20, .duration_ns = 20},
        {.id = 4, .parent = 1, .start_ns = 30, .duration_ns = 1}, /* hangs on it */
        {.id = 5, .start_ns = 90, .duration_ns = 1},              /* a root beside it */
    };
    assert_tree(spans, TK_COUNTOF(spans), "2@(3(1(4))) 5*");
}

static void spans_that_were_sent_twice_count_once(void **state)
{
    (void)state;
    struct made_tree made;
    const struct made_span spans[] = {
        {.id = 1, .start_ns = 0, .duration_ns = 10},
        {.id = 2, .parent = 1, .start_ns = 1, .duration_ns = 2},
        {.id = 2, .parent = 1, .start_ns = 1, .duration_ns = 2},
        {.id = 2, .parent = 1, .start_ns = 4, .duration_ns = 2}, /* another with its id */
        {.id = 2, .parent = 1, .start_ns = 4, .duration_ns = 2},
        {.id = 3, .parent = 2, .start_ns = 5, .duration_ns = 1},
    };
    plant(&made, spans, TK_COUNTOF(spans), false);
    char text[100] = "";
    put_tree(&made.tree, 0, made.tree.count, text);
    assert_string_equal(text, "1*(2*(3) 2*)");
    assert_int_equal(made.tree.duplicates, 2);
    assert_int_equal(made.tree.twins, 2);
    assert_int_equal(made.tree.outside, 1);
    release(&made);
}

static void a_server_that_shares_its_clients_id_is_its_child(void **state)
{
    (void)state;
    for (int server_first = 0; server_first < 2; server_first++) {
        struct made_span spans[] = {
            {.id = 1, .start_ns = 0, .duration_ns = 100, .kind = TK_SPAN_SERVER},
            {.id = 2, .parent = 1, .start_ns = 10, .duration_ns = 50, .kind = TK_SPAN_CLIENT},
            {.id = 2, .parent = 1, .start_ns = 20, .duration_ns = 30, .kind = TK_SPAN_SERVER},
            {.id = 3, .parent = 2, .start_ns = 25, .duration_ns = 5},
        };
        if (server_first) {
            struct made_span client = spans[1];
            spans[1] = spans[2];
            spans[2] = client;
        }
        assert_tree(spans, TK_COUNTOF(spans), "1*(2*(2*(3*)))");
    }
}

/* Clocks ------------------------------------------------------------------------------ */

static void a_call_is_moved_into_the_middle_of_its_client(void **state)
{
    (void)state;
    struct made_tree made;
    const struct made_span spans[] = {
        {.id = 1, .start_ns = 1000, .duration_ns = 100, .kind = TK_SPAN_CLIENT, .host = "a"},
        {.id = 2,
         .parent = 1,
         .start_ns = 5000,
         .duration_ns = 60,
         .kind = TK_SPAN_SERVER,
         .service = "far",
         .host = "b"},
        {.id = 3, .parent = 2, .start_ns = 5010, .duration_ns = 20, .service = "far", .host = "b"},
        {.id = 4, .parent = 3, .start_ns = 5012, .duration_ns = 5, .service = "there", .host = "b"},
        {.id = 5,
         .parent = 3,
         .start_ns = 5015,
         .duration_ns = 5,
         .service = "db",
         .host = "c"}, /* its clock agrees with that of b */
    };
    plant(&made, spans, TK_COUNTOF(spans), false);
    assert_int_equal(node_of(&made.tree, 2)->start_ns, 1020);
    assert_int_equal(node_of(&made.tree, 2)->shift_ns, -3980);
    assert_int_equal(node_of(&made.tree, 3)->start_ns, 1030);
    assert_int_equal(node_of(&made.tree, 4)->start_ns, 1032);
    assert_int_equal(node_of(&made.tree, 5)->start_ns, 1035);
    assert_int_equal(made.tree.moved, 4);
    assert_int_equal(made.tree.outside, 0);
    assert_int_equal(node_of(&made.tree, 1)->self_ns, 40);
    release(&made);

    plant(&made, spans, TK_COUNTOF(spans), true);
    assert_int_equal(node_of(&made.tree, 2)->start_ns, 5000);
    assert_int_equal(made.tree.moved, 0);
    assert_int_equal(made.tree.outside, 1);
    release(&made);
}

static void nothing_starts_before_what_caused_it(void **state)
{
    (void)state;
    struct made_tree made;
    const struct made_span spans[] = {
        {.id = 1, .start_ns = 1000, .duration_ns = 10, .kind = TK_SPAN_PRODUCER, .host = "a"},
        {.id = 2,
         .parent = 1,
         .start_ns = 400,
         .duration_ns = 50,
         .kind = TK_SPAN_CONSUMER,
         .service = "late",
         .host = "b"},
        {.id = 3,
         .parent = 1,
         .start_ns = 1500,
         .duration_ns = 50,
         .kind = TK_SPAN_CONSUMER,
         .service = "later",
         .host = "c"}, /* may well be so much later */
        {.id = 4, .parent = 1, .start_ns = 900, .duration_ns = 5, .host = "a"}, /* same clock */
    };
    plant(&made, spans, TK_COUNTOF(spans), false);
    assert_int_equal(node_of(&made.tree, 2)->start_ns, 1000);
    assert_int_equal(node_of(&made.tree, 3)->shift_ns, 0);
    assert_int_equal(node_of(&made.tree, 4)->shift_ns, 0);
    assert_int_equal(made.tree.moved, 1);
    release(&made);
}

/* Size -------------------------------------------------------------------------------- */

enum shape { SHAPE_CHAIN, SHAPE_FAN, SHAPE_TWINS, SHAPE_OVERLAPS, SHAPES };

static void span_shape(enum shape shape, uint64_t i, struct made_span *span)
{
    *span = (struct made_span){
        .id = i + 1, .parent = i ? 1 : 0, .start_ns = (int64_t)i, .duration_ns = 1};
    if (i == 0)
        span->duration_ns = 1000000;
    else if (shape == SHAPE_CHAIN)
        span->parent = i;
    else if (shape == SHAPE_TWINS)
        span->id = 2;
    else if (shape == SHAPE_OVERLAPS)
        span->duration_ns = 2;
}

static void a_hundred_thousand_spans_take_a_fraction_of_a_second(void **state)
{
    (void)state;
    enum { SPANS = 100000 };
    for (enum shape shape = 0; shape < SHAPES; shape++) {
        struct tk_err err;
        struct tk_span_batch *batch;
        struct tk_trace_tree tree;
        assert_int_equal(tk_span_batch_new(SPANS, &batch, &err), 0);
        for (uint64_t i = 0; i < SPANS; i++) {
            struct made_span span;
            span_shape(shape, i, &span);
            made_add(batch, &span, 1);
        }
        clock_t before = clock();
        const struct tk_span_rows rows = {batch, NULL, SPANS};
        assert_int_equal(tk_trace_tree_init(&tree, &rows, &(struct tk_trace_options){0}, &err), 0);
        assert_int_equal(tree.count, SPANS);
        /* Quadratic would be minutes. */
        assert_true((double)(clock() - before) / CLOCKS_PER_SEC < 5);
        tk_trace_tree_release(&tree);
        tk_span_batch_free(batch);
    }
}

static void no_spans_are_no_trace(void **state)
{
    (void)state;
    struct tk_err err;
    struct made_tree made = {0};
    assert_int_equal(tk_span_batch_new(1, &made.batch, &err), 0);
    const struct tk_span_rows rows = {made.batch, NULL, 0};
    assert_int_equal(tk_trace_tree_init(&made.tree, &rows, &(struct tk_trace_options){0}, &err),
                     -EINVAL);
    release(&made);
}

/* CRISP ------------------------------------------------------------------------------- */

/* Letters are the ids of CRISP's cases. */
static uint64_t crisp_id(const char *text)
{
    uint64_t id = 0;
    for (; text && *text; text++)
        id = id << 8 | (unsigned char)*text;
    return id;
}

static void crisp_load(json_t *trace, struct tk_span_batch *batch)
{
    size_t i;
    json_t *span;
    json_array_foreach(json_object_get(trace, "spans"), i, span)
    {
        const char *process = json_string_value(json_object_get(span, "processID"));
        json_t *place = json_object_get(json_object_get(trace, "processes"), process);
        json_t *reference = json_array_get(json_object_get(span, "references"), 0);
        const struct made_span made = {
            .service = json_string_value(json_object_get(place, "serviceName")),
            .name = json_string_value(json_object_get(span, "operationName")),
            .id = crisp_id(json_string_value(json_object_get(span, "spanID"))),
            .parent = crisp_id(json_string_value(json_object_get(reference, "spanID"))),
            .start_ns = json_integer_value(json_object_get(span, "startTime")) * 1000,
            .duration_ns = json_integer_value(json_object_get(span, "duration")) * 1000,
        };
        made_add(batch, &made, 1);
    }
}

/* Time on the critical path, summed by "[service] operation". */
static json_t *crisp_sums(const struct tk_trace_tree *tree)
{
    json_t *sums = json_object();
    for (uint32_t k = 0; k < tree->count; k++) {
        char key[200];
        const struct tk_trace_node *node = &tree->nodes[k];
        if (!(node->flags & TK_TRACE_CRITICAL))
            continue;
        snprintf(key, sizeof(key), "[%.*s] %.*s",
                 TK_STR_ARG(tk_span_service(tree->batch, node->row)),
                 TK_STR_ARG(tk_span_name(tree->batch, node->row)));
        json_int_t before = json_integer_value(json_object_get(sums, key));
        json_object_set_new(sums, key, json_integer(before + node->critical_ns / 1000));
    }
    return sums;
}

static void assert_crisp(const char *path)
{
    json_error_t error;
    struct tk_err err;
    struct made_tree made;
    json_t *document = json_load_file(path, 0, &error);
    assert_non_null(document);
    json_t *trace = json_array_get(json_object_get(document, "data"), 0);
    assert_int_equal(tk_span_batch_new(100, &made.batch, &err), 0);
    crisp_load(trace, made.batch);
    const struct tk_span_rows rows = {made.batch, NULL, made.batch->rows};
    assert_int_equal(tk_trace_tree_init(&made.tree, &rows, &(struct tk_trace_options){0}, &err), 0);

    json_t *expected = json_object_get(document, "testing");
    if (!expected)
        expected = json_object_get(trace, "testing");
    if (json_is_array(expected))
        expected = json_array_get(expected, 0);
    if (json_object_get(expected, "opTimeExclusive"))
        expected = json_object_get(expected, "opTimeExclusive");
    json_t *sums = crisp_sums(&made.tree);
    if (!json_equal(sums, expected)) {
        print_error("%s: %s instead of %s\n", path, json_dumps(sums, JSON_SORT_KEYS),
                    json_dumps(expected, JSON_SORT_KEYS));
        fail();
    }
    json_decref(sums);
    json_decref(document);
    release(&made);
}

static void the_critical_path_is_that_of_crisp(void **state)
{
    (void)state;
    glob_t files;
    int rc = glob(TK_SHARED_DATA "/crisp/test_cases/*.json", 0, NULL, &files);
    if (rc != 0)
        return_without("shared data");
    assert_int_equal(glob(TK_SHARED_DATA "/crisp/test_cases/*/*.json", GLOB_APPEND, NULL, &files),
                     0);
    assert_int_equal(files.gl_pathc, 33);
    for (size_t i = 0; i < files.gl_pathc; i++)
        assert_crisp(files.gl_pathv[i]);
    globfree(&files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(children_stand_by_their_start_below_their_parent),
        cmocka_unit_test(self_time_is_that_in_which_no_child_ran),
        cmocka_unit_test(shares_of_the_critical_path_add_up_to_the_root),
        cmocka_unit_test(odd_traces_become_trees),
        cmocka_unit_test(a_cycle_is_cut_before_the_span_that_starts_first),
        cmocka_unit_test(spans_that_were_sent_twice_count_once),
        cmocka_unit_test(a_server_that_shares_its_clients_id_is_its_child),
        cmocka_unit_test(a_call_is_moved_into_the_middle_of_its_client),
        cmocka_unit_test(nothing_starts_before_what_caused_it),
        cmocka_unit_test(a_hundred_thousand_spans_take_a_fraction_of_a_second),
        cmocka_unit_test(no_spans_are_no_trace),
        cmocka_unit_test(the_critical_path_is_that_of_crisp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
