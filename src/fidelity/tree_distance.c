/* SPDX-License-Identifier: Apache-2.0 */
#include "fidelity/tree_distance.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* One block: the struct and its four arrays. */
static struct tk_label_tree *allocate(uint32_t count)
{
    size_t longs = 2 * (size_t)count * sizeof(uint64_t);
    size_t words = 2 * (size_t)count * sizeof(uint32_t);
    struct tk_label_tree *tree = malloc(sizeof(*tree) + longs + words);
    if (!tree)
        return NULL;
    uint64_t *at = (uint64_t *)(void *)(tree + 1);
    *tree = (struct tk_label_tree){.count = count, .labels = at, .sorted = at + count};
    tree->leftmost = (uint32_t *)(void *)(at + 2 * (size_t)count);
    tree->key_roots = tree->leftmost + count;
    return tree;
}

/* Places in the order children, then parent: node n comes after all of its subtree, which has
 * sizes[n] nodes, and its later siblings after that. A parent stands before its children, so two
 * passes do: sizes from the back, places from the front. */
static void place_nodes(const uint32_t *parents, uint32_t count, uint32_t *sizes, uint32_t *places)
{
    for (uint32_t n = 0; n < count; n++)
        sizes[n] = 1;
    for (uint32_t n = count - 1; n > 0; n--)
        sizes[parents[n]] += sizes[n];
    /* places[n] is, until n's turn has come, where the subtree of its next child begins. */
    places[0] = 0;
    for (uint32_t n = 1; n < count; n++) {
        places[n] = places[parents[n]];
        places[parents[n]] += sizes[n];
    }
}

static void fill(struct tk_label_tree *tree, const uint64_t *labels, const uint32_t *sizes,
                 const uint32_t *places)
{
    for (uint32_t n = 0; n < tree->count; n++) {
        /* Its children have all moved the place on: it is where the node itself goes. */
        tree->labels[places[n]] = labels[n];
        tree->leftmost[places[n]] = places[n] + 1 - sizes[n];
    }
    memcpy(tree->sorted, tree->labels, tree->count * sizeof(*tree->sorted));
    qsort(tree->sorted, tree->count, sizeof(*tree->sorted), by_value);
}

/* The last node of each first leaf. `seen` is [count]. */
static void find_key_roots(struct tk_label_tree *tree, uint32_t *seen)
{
    memset(seen, 0, tree->count * sizeof(*seen));
    uint32_t at = tree->count;
    for (uint32_t n = tree->count; n-- > 0;) {
        if (!seen[tree->leftmost[n]]) {
            seen[tree->leftmost[n]] = 1;
            tree->key_roots[--at] = n;
            tree->work += n - tree->leftmost[n] + 1;
        }
    }
    tree->key_root_count = tree->count - at;
    memmove(tree->key_roots, tree->key_roots + at, tree->key_root_count * sizeof(uint32_t));
}

int tk_label_tree_new(const uint64_t *labels, const uint32_t *parents, uint32_t count,
                      struct tk_label_tree **ret_tree, struct tk_err *err)
{
    struct tk_label_tree *tree = allocate(count);
    uint32_t *sizes = malloc(2 * (size_t)count * sizeof(*sizes));
    if (!tree || !sizes) {
        free(sizes);
        tk_label_tree_free(tree);
        return tk_fail(err, -ENOMEM, "tree of %u nodes: out of memory", count);
    }
    place_nodes(parents, count, sizes, sizes + count);
    fill(tree, labels, sizes, sizes + count);
    find_key_roots(tree, sizes);
    free(sizes);
    *ret_tree = tree;
    return 0;
}

void tk_label_tree_free(struct tk_label_tree *tree)
{
    free(tree);
}

bool tk_tree_equal(const struct tk_label_tree *a, const struct tk_label_tree *b)
{
    return a->count == b->count &&
           memcmp(a->labels, b->labels, a->count * sizeof(*a->labels)) == 0 &&
           memcmp(a->leftmost, b->leftmost, a->count * sizeof(*a->leftmost)) == 0;
}

uint32_t tk_tree_bound(const struct tk_label_tree *a, const struct tk_label_tree *b)
{
    uint32_t common = 0;
    for (uint32_t i = 0, k = 0; i < a->count && k < b->count;) {
        uint64_t x = a->sorted[i];
        uint64_t y = b->sorted[k];
        common += x == y;
        i += x <= y;
        k += y <= x;
    }
    return (a->count > b->count ? a->count : b->count) - common;
}

void tk_tree_tables_release(struct tk_tree_tables *tables)
{
    free(tables->cells);
    *tables = (struct tk_tree_tables){0};
}

static uint32_t least(uint32_t a, uint32_t b, uint32_t c)
{
    uint32_t ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* Distances of the forests left of each pair of nodes below a pair of key roots; those of whole
 * subtrees go to `trees`. `forests` has one row and column more than the two subtrees. */
static void fill_forests(const struct tk_label_tree *a, const struct tk_label_tree *b,
                         const uint32_t roots[2], uint32_t *trees, uint32_t *forests)
{
    uint32_t first_a = a->leftmost[roots[0]];
    uint32_t first_b = b->leftmost[roots[1]];
    uint32_t rows = roots[0] - first_a + 2;
    size_t width = roots[1] - first_b + (size_t)2;
    for (uint32_t i = 0; i < rows; i++)
        forests[i * width] = i;
    for (uint32_t k = 0; k < width; k++)
        forests[k] = k;
    for (uint32_t i = 1; i < rows; i++) {
        uint32_t node_a = first_a + i - 1;
        const uint32_t *above = forests + (i - 1) * width;
        uint32_t *row = forests + i * width;
        const uint32_t *before_a = forests + (a->leftmost[node_a] - first_a) * width;
        uint32_t *trees_row = trees + (size_t)node_a * b->count + first_b;
        for (uint32_t k = 1; k < width; k++) {
            uint32_t node_b = first_b + k - 1;
            uint32_t first = b->leftmost[node_b];
            bool whole = a->leftmost[node_a] == first_a && first == first_b;
            uint32_t rename = a->labels[node_a] != b->labels[node_b];
            uint32_t kept =
                whole ? above[k - 1] + rename : before_a[first - first_b] + trees_row[k - 1];
            row[k] = least(above[k] + 1, row[k - 1] + 1, kept);
            if (whole)
                trees_row[k - 1] = row[k];
        }
    }
}

int tk_tree_distance(const struct tk_label_tree *a, const struct tk_label_tree *b,
                     struct tk_tree_tables *tables, uint32_t *ret_distance, struct tk_err *err)
{
    size_t pairs = (size_t)a->count * b->count;
    size_t needed = pairs + ((size_t)a->count + 1) * ((size_t)b->count + 1);
    if (needed > tables->max) {
        free(tables->cells);
        tables->max = 0;
        tables->cells = malloc(needed * sizeof(*tables->cells));
        if (!tables->cells) {
            return tk_fail(err, -ENOMEM, "trees of %u and %u nodes: out of memory", a->count,
                           b->count);
        }
        tables->max = needed;
    }
    for (uint32_t i = 0; i < a->key_root_count; i++) {
        for (uint32_t k = 0; k < b->key_root_count; k++) {
            fill_forests(a, b, (uint32_t[]){a->key_roots[i], b->key_roots[k]}, tables->cells,
                         tables->cells + pairs);
        }
    }
    *ret_distance = tables->cells[pairs - 1];
    return 0;
}
