/* SPDX-License-Identifier: Apache-2.0 */
#include "fidelity/tree_distance.h"

#include <stdlib.h>

#include "fidelity/tree_bound.h"

#include "tk_test.h"

#define MOST_NODES 64

/* "f(d(a c(b)) e)": a label is one letter. */
static struct tk_label_tree *tree_of(const char *text)
{
    uint64_t labels[MOST_NODES];
    uint32_t parents[MOST_NODES];
    uint32_t open[MOST_NODES];
    uint32_t count = 0;
    uint32_t depth = 0;
    for (const char *p = text; *p; p++) {
        if (*p == '(') {
            open[depth++] = count - 1;
        } else if (*p == ')') {
            depth--;
        } else if (*p != ' ') {
            labels[count] = (unsigned char)*p;
            parents[count++] = depth > 0 ? open[depth - 1] : 0;
        }
    }
    struct tk_label_tree *tree = NULL;
    struct tk_err err;
    assert_int_equal(tk_label_tree_new(labels, parents, count, &tree, &err), 0);
    return tree;
}

static uint32_t distance_of(const struct tk_label_tree *a, const struct tk_label_tree *b)
{
    struct tk_tree_tables tables = {0};
    struct tk_err err;
    uint32_t distance;
    assert_int_equal(tk_tree_distance(a, b, &tables, &distance, &err), 0);
    tk_tree_tables_release(&tables);
    return distance;
}

static uint32_t bound_of(const struct tk_label_tree *a, const struct tk_label_tree *b)
{
    struct tk_tree_outline outline = {0};
    struct tk_err err;
    assert_int_equal(tk_tree_outline_read(&outline, a, &err), 0);
    uint32_t bound = tk_tree_bound(&outline, b);
    tk_tree_outline_release(&outline);
    return bound;
}

static void counts_inserts_removes_and_renames(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        uint32_t distance, bound;
    } cases[] = {
        {"a", "a", 0, 0},
        {"a", "b", 1, 1},
        {"a(b)", "a", 1, 1},
        {"a", "x(a(y))", 2, 2},
        {"f(d(a c(b)) e)", "f(c(d(a b)) e)", 2, 2}, /* the example of Zhang and Shasha */
        {"a(b c)", "a(c b)", 2, 2},                 /* the order of children counts */
        {"a(b(c))", "a(b c)", 2, 2},
        {"a(b c d e)", "a(b d e)", 1, 1},
        {"r(a(x y) b(z))", "r(b(z) a(x y))", 4, 4},
        {"a(b(c(d(e))))", "e(d(c(b(a))))", 4, 4},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_label_tree *a = tree_of(cases[i].a);
        struct tk_label_tree *b = tree_of(cases[i].b);
        assert_int_equal(distance_of(a, b), cases[i].distance);
        assert_int_equal(distance_of(b, a), cases[i].distance);
        assert_int_equal(bound_of(a, b), cases[i].bound);
        assert_int_equal(bound_of(b, a), cases[i].bound);
        assert_int_equal(tk_tree_equal(a, b), cases[i].distance == 0);
        tk_label_tree_free(a);
        tk_label_tree_free(b);
    }
}

/* The distance of the last `a` and `b` nodes left of a place, by its definition: a forest is what
 * stands in the order children, then parent, between two places. */
struct oracle {
    const struct tk_label_tree *a, *b;
};

static uint32_t least_of(uint32_t x, uint32_t y)
{
    return x < y ? x : y;
}

static uint32_t forest_distance(const struct oracle *oracle, const uint32_t a[2],
                                const uint32_t b[2])
{
    uint32_t in_a = a[1] - a[0];
    uint32_t in_b = b[1] - b[0];
    if (in_a == 0 || in_b == 0)
        return in_a + in_b;
    uint32_t la = a[1] - 1;
    uint32_t lb = b[1] - 1;
    uint32_t first_a = oracle->a->leftmost[la];
    uint32_t first_b = oracle->b->leftmost[lb];
    uint32_t best = 1 + forest_distance(oracle, (uint32_t[]){a[0], la}, b);
    best = least_of(best, 1 + forest_distance(oracle, a, (uint32_t[]){b[0], lb}));
    uint32_t kept =
        (oracle->a->labels[la] != oracle->b->labels[lb]) +
        forest_distance(oracle, (uint32_t[]){first_a, la}, (uint32_t[]){first_b, lb}) +
        forest_distance(oracle, (uint32_t[]){a[0], first_a}, (uint32_t[]){b[0], first_b});
    return least_of(best, kept);
}

static struct tk_label_tree *random_tree(uint32_t *seed)
{
    uint64_t labels[MOST_NODES];
    uint32_t parents[MOST_NODES] = {0};
    uint32_t count = 1 + (*seed = *seed * 1664525 + 1013904223) / 7 % 6;
    for (uint32_t i = 0; i < count; i++) {
        *seed = *seed * 1664525 + 1013904223;
        labels[i] = *seed >> 16 & 3;
        parents[i] = i > 0 ? (*seed >> 20) % i : 0;
    }
    struct tk_label_tree *tree = NULL;
    struct tk_err err;
    assert_int_equal(tk_label_tree_new(labels, parents, count, &tree, &err), 0);
    return tree;
}

static void agrees_with_the_definition_on_random_trees(void **state)
{
    (void)state;
    uint32_t seed = 1;
    for (int i = 0; i < 500; i++) {
        struct tk_label_tree *a = random_tree(&seed);
        struct tk_label_tree *b = random_tree(&seed);
        const struct oracle oracle = {a, b};
        uint32_t expected =
            forest_distance(&oracle, (uint32_t[]){0, a->count}, (uint32_t[]){0, b->count});
        assert_int_equal(distance_of(a, b), expected);
        assert_true(bound_of(a, b) <= expected);
        assert_int_equal(tk_tree_equal(a, b), expected == 0);
        tk_label_tree_free(a);
        tk_label_tree_free(b);
    }
}

/* The edit distance of two texts by its definition, a row at a time. */
static uint32_t text_distance(const uint64_t *a, uint32_t in_a, const uint64_t *b, uint32_t in_b)
{
    uint32_t *row = calloc(in_b + 1, sizeof(*row));
    assert_non_null(row);
    for (uint32_t k = 0; k <= in_b; k++)
        row[k] = k;
    for (uint32_t i = 0; i < in_a; i++) {
        uint32_t aside = row[0]++;
        for (uint32_t k = 0; k < in_b; k++) {
            uint32_t kept = aside + (a[i] != b[k]);
            aside = row[k + 1];
            row[k + 1] = least_of(kept, least_of(row[k], row[k + 1]) + 1);
        }
    }
    uint32_t distance = row[in_b];
    free(row);
    return distance;
}

/* Trees of many words of bits. */
static void the_bound_is_that_of_both_orders(void **state)
{
    (void)state;
    enum { MOST = 200 };
    uint64_t labels[MOST];
    uint32_t parents[MOST] = {0};
    uint32_t seed = 7;
    struct tk_label_tree *before = NULL;
    struct tk_err err;
    for (int i = 0; i < 60; i++) {
        struct tk_label_tree *tree = NULL;
        uint32_t count = i % 4 == 0 ? 64 * (uint32_t)(1 + i % 3) : 1 + (uint32_t)i * 3;
        for (uint32_t n = 0; n < count; n++) {
            seed = seed * 1664525 + 1013904223;
            labels[n] = seed >> 16 & 7;
            parents[n] = n > 0 ? (seed >> 20) % n : 0;
        }
        assert_int_equal(tk_label_tree_new(labels, parents, count, &tree, &err), 0);
        if (before) {
            uint32_t last = text_distance(before->labels, before->count, tree->labels, tree->count);
            uint32_t first =
                text_distance(before->outline, before->count, tree->outline, tree->count);
            assert_int_equal(bound_of(before, tree), last > first ? last : first);
            assert_true(bound_of(before, tree) <= distance_of(before, tree));
        }
        tk_label_tree_free(before);
        before = tree;
    }
    tk_label_tree_free(before);
}

static void a_chain_of_many_nodes_needs_no_stack(void **state)
{
    (void)state;
    enum { NODES = 100000 };
    uint64_t *labels = calloc(NODES, sizeof(*labels));
    uint32_t *parents = calloc(NODES, sizeof(*parents));
    assert_non_null(labels);
    assert_non_null(parents);
    for (uint32_t i = 1; i < NODES; i++)
        parents[i] = i - 1;
    struct tk_label_tree *chain = NULL;
    struct tk_err err;
    assert_int_equal(tk_label_tree_new(labels, parents, NODES, &chain, &err), 0);
    struct tk_label_tree *one = tree_of("a");
    assert_int_equal(distance_of(chain, one), NODES);
    assert_int_equal(chain->key_root_count, 1);
    tk_label_tree_free(one);
    tk_label_tree_free(chain);
    free(labels);
    free(parents);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_inserts_removes_and_renames),
        cmocka_unit_test(agrees_with_the_definition_on_random_trees),
        cmocka_unit_test(the_bound_is_that_of_both_orders),
        cmocka_unit_test(a_chain_of_many_nodes_needs_no_stack),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
