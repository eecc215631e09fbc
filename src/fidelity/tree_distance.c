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

/* One block: the struct and its five arrays. */
static struct tk_label_tree *allocate(uint32_t count)
{
    size_t longs = 3 * (size_t)count * sizeof(uint64_t);
    size_t words = 2 * (size_t)count * sizeof(uint32_t);
    struct tk_label_tree *tree = malloc(sizeof(*tree) + longs + words);
    if (!tree)
        return NULL;
    uint64_t *at = (uint64_t *)(void *)(tree + 1);
    *tree = (struct tk_label_tree){.count = count, .labels = at, .outline = at + count};
    tree->sorted = at + 2 * (size_t)count;
    tree->leftmost = (uint32_t *)(void *)(at + 3 * (size_t)count);
    tree->key_roots = tree->leftmost + count;
    return tree;
}

/* What is known of the nodes of a tree: arrays of one block. */
struct placing {
    uint32_t *sizes;  /* of the subtree */
    uint32_t *places; /* in the order children, then parent */
    uint32_t *depths; /* the root's is 0 */
};

/* A node comes after all of its subtree, and its later siblings after that. A parent stands before
 * its children, so two passes do: sizes from the back, places from the front. */
static void place_nodes(const uint32_t *parents, uint32_t count, const struct placing *placing)
{
    uint32_t *sizes = placing->sizes;
    uint32_t *places = placing->places;
    for (uint32_t n = 0; n < count; n++)
        sizes[n] = 1;
    for (uint32_t n = count - 1; n > 0; n--)
        sizes[parents[n]] += sizes[n];
    /* places[n] is, until n's turn has come, where the subtree of its next child begins. */
    places[0] = placing->depths[0] = 0;
    for (uint32_t n = 1; n < count; n++) {
        places[n] = places[parents[n]];
        places[parents[n]] += sizes[n];
        placing->depths[n] = placing->depths[parents[n]] + 1;
    }
}

static void fill(struct tk_label_tree *tree, const uint64_t *labels, const struct placing *placing)
{
    for (uint32_t n = 0; n < tree->count; n++) {
        /* Its children have all moved the place on: it is where the node itself goes. */
        uint32_t place = placing->places[n];
        uint32_t leftmost = place + 1 - placing->sizes[n];
        tree->labels[place] = labels[n];
        tree->leftmost[place] = leftmost;
        /* Parents first, there stand before it what is left of its subtree, and its ancestors. */
        tree->outline[leftmost + placing->depths[n]] = labels[n];
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
    uint32_t *room = malloc(3 * (size_t)count * sizeof(*room));
    if (!tree || !room) {
        free(room);
        tk_label_tree_free(tree);
        return tk_fail(err, -ENOMEM, "tree of %u nodes: out of memory", count);
    }
    const struct placing placing = {room, room + count, room + 2 * (size_t)count};
    place_nodes(parents, count, &placing);
    fill(tree, labels, &placing);
    find_key_roots(tree, room);
    free(room);
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

/* A pair of key roots, and the tables that their subtrees fill. */
struct forests {
    const struct tk_label_tree *a, *b;
    uint32_t first_a, first_b; /* the first leaves of both subtrees */
    uint32_t *trees;           /* distances of whole subtrees, [a][b] */
    uint32_t *cells;           /* of forests; a row and a column more than the two subtrees */
    size_t width;              /* of a row of cells */
};

/* A row of a node whose subtree is no beginning of A's forest: forests that end in two whole
 * subtrees are those subtrees and what is left of them. */
static void fill_inner_row(const struct forests *forests, uint32_t node_a)
{
    const uint32_t *leftmost = forests->b->leftmost + forests->first_b;
    uint32_t *row = forests->cells + (node_a - forests->first_a + 1) * forests->width;
    const uint32_t *above = row - forests->width;
    const uint32_t *before =
        forests->cells + (forests->a->leftmost[node_a] - forests->first_a) * forests->width;
    const uint32_t *trees = forests->trees + (size_t)node_a * forests->b->count + forests->first_b;
    for (uint32_t k = 1; k < forests->width; k++) {
        uint32_t kept = before[leftmost[k - 1] - forests->first_b] + trees[k - 1];
        row[k] = least(above[k] + 1, row[k - 1] + 1, kept);
    }
}

/* A row of a node whose subtree is all of A's forest so far: what is all of B's, too, is a pair of
 * whole subtrees. */
static void fill_whole_row(const struct forests *forests, uint32_t node_a)
{
    const uint32_t *leftmost = forests->b->leftmost + forests->first_b;
    const uint64_t *labels = forests->b->labels + forests->first_b;
    const uint32_t *before = forests->cells;
    uint32_t *row = forests->cells + (node_a - forests->first_a + 1) * forests->width;
    const uint32_t *above = row - forests->width;
    uint32_t *trees = forests->trees + (size_t)node_a * forests->b->count + forests->first_b;
    for (uint32_t k = 1; k < forests->width; k++) {
        bool whole = leftmost[k - 1] == forests->first_b;
        uint32_t rename = forests->a->labels[node_a] != labels[k - 1];
        uint32_t kept = whole ? above[k - 1] + rename
                              : before[leftmost[k - 1] - forests->first_b] + trees[k - 1];
        row[k] = least(above[k] + 1, row[k - 1] + 1, kept);
        if (whole)
            trees[k - 1] = row[k];
    }
}

/* Distances of the forests left of each pair of nodes below a pair of key roots. */
static void fill_forests(const struct forests *forests, uint32_t root_a)
{
    uint32_t rows = root_a - forests->first_a + 2;
    for (uint32_t i = 0; i < rows; i++)
        forests->cells[i * forests->width] = i;
    for (uint32_t k = 0; k < forests->width; k++)
        forests->cells[k] = k;
    for (uint32_t node_a = forests->first_a; node_a <= root_a; node_a++) {
        if (forests->a->leftmost[node_a] == forests->first_a) {
            fill_whole_row(forests, node_a);
        } else {
            fill_inner_row(forests, node_a);
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
            const struct forests forests = {
                .a = a,
                .b = b,
                .first_a = a->leftmost[a->key_roots[i]],
                .first_b = b->leftmost[b->key_roots[k]],
                .trees = tables->cells,
                .cells = tables->cells + pairs,
                .width = b->key_roots[k] - b->leftmost[b->key_roots[k]] + (size_t)2,
            };
            fill_forests(&forests, a->key_roots[i]);
        }
    }
    *ret_distance = tables->cells[pairs - 1];
    return 0;
}
