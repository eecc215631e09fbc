/* SPDX-License-Identifier: Apache-2.0 */
#include "fidelity/topology_forest.h"

#include <errno.h>
#include <stdlib.h>

#include "fidelity/node_names.h"

int tk_family_init(struct tk_family *family, const struct tk_sides *sides, int side,
                   struct tk_err *err)
{
    const struct tk_span_table *table = sides->tables[side];
    *family = (struct tk_family){.table = table};
    int rc = tk_node_names_new(sides, side, &family->names, err);
    if (rc < 0)
        return rc;
    family->child_ends = calloc(table->rows + (size_t)2, sizeof(uint32_t));
    family->children = malloc((table->rows + (size_t)1) * sizeof(uint32_t));
    if (!family->child_ends || !family->children)
        return tk_fail(err, -ENOMEM, "children of spans: out of memory");
    uint32_t *begins = family->child_ends + 1;
    for (uint32_t row = 0; row < table->rows; row++) {
        if (table->parents[row] != TK_ROW_TOP)
            begins[table->parents[row]]++;
    }
    for (uint32_t row = 0; row < table->rows; row++)
        begins[row] += family->child_ends[row];
    /* What begins a row's children is moved on to where they end. */
    for (uint32_t row = 0; row < table->rows; row++) {
        if (table->parents[row] != TK_ROW_TOP)
            family->children[family->child_ends[table->parents[row]]++] = row;
    }
    return 0;
}

void tk_family_release(struct tk_family *family)
{
    free(family->names);
    free(family->child_ends);
    free(family->children);
    *family = (struct tk_family){0};
}

static uint32_t child_begin(const struct tk_family *family, uint32_t row)
{
    return row > 0 ? family->child_ends[row - 1] : 0;
}

/* A subtree, level by level. */
struct subtree {
    uint32_t *rows, *parents; /* [count]; parents by place in `rows` */
    uint64_t *labels;
    uint32_t count, max;
    struct tk_structure structure;
};

static void subtree_release(struct subtree *subtree)
{
    free(subtree->rows);
    free(subtree->parents);
    free(subtree->labels);
}

/* Twice the room; on a failure what there is stays. */
static int subtree_grow(struct subtree *subtree)
{
    uint32_t max = subtree->max ? subtree->max * 2 : 64;
    uint32_t *rows = realloc(subtree->rows, max * sizeof(*rows));
    subtree->rows = rows ? rows : subtree->rows;
    uint32_t *parents = realloc(subtree->parents, max * sizeof(*parents));
    subtree->parents = parents ? parents : subtree->parents;
    uint64_t *labels = realloc(subtree->labels, max * sizeof(*labels));
    subtree->labels = labels ? labels : subtree->labels;
    if (!rows || !parents || !labels)
        return -ENOMEM;
    subtree->max = max;
    return 0;
}

static int subtree_add(struct subtree *subtree, const struct tk_family *family, uint32_t row,
                       uint32_t parent)
{
    if (subtree->count == subtree->max && subtree_grow(subtree) < 0)
        return -ENOMEM;
    uint32_t at = subtree->count++;
    subtree->rows[at] = row;
    subtree->parents[at] = parent;
    subtree->labels[at] = family->names[row];
    if (at > 0)
        tk_structure_add(&subtree->structure, subtree->labels[parent], subtree->labels[at]);
    return 0;
}

static int subtree_read(struct subtree *subtree, const struct tk_family *family, uint32_t top,
                        uint32_t height)
{
    subtree->count = 0;
    subtree->structure = (struct tk_structure){0};
    int rc = subtree_add(subtree, family, top, 0);
    uint32_t level = 0;
    for (uint32_t depth = 0; depth < height; depth++) {
        uint32_t level_end = subtree->count;
        for (; rc == 0 && level < level_end; level++) {
            uint32_t row = subtree->rows[level];
            for (uint32_t i = child_begin(family, row); rc == 0 && i < family->child_ends[row]; i++)
                rc = subtree_add(subtree, family, family->children[i], level);
        }
    }
    return rc;
}

/* Count the subtree; the first of its structure is kept as a tree. */
static int forest_add(struct tk_subtrees *forest, const struct subtree *subtree, struct tk_err *err)
{
    const struct tk_cell_key key = {
        {(int64_t)subtree->structure.part[0], (int64_t)subtree->structure.part[1], 0}};
    uint32_t known = forest->structures.count;
    uint32_t at = tk_cells_add(&forest->structures, &key, 0, 1);
    int rc = tk_cells_check(&forest->structures, err);
    if (rc < 0)
        return rc;
    forest->total++;
    if (at < known)
        return 0;
    if (at == forest->max) {
        uint32_t max = forest->max ? forest->max * 2 : 64;
        struct tk_label_tree **trees = realloc(forest->trees, max * sizeof(struct tk_label_tree *));
        if (!trees)
            return tk_fail(err, -ENOMEM, "forest: out of memory");
        forest->trees = trees;
        forest->max = max;
    }
    forest->trees[at] = NULL;
    return tk_label_tree_new(subtree->labels, subtree->parents, subtree->count, &forest->trees[at],
                             err);
}

int tk_subtrees_init(struct tk_subtrees *forest, const struct tk_family *family, uint32_t height,
                     uint64_t most, struct tk_err *err)
{
    struct subtree subtree = {.count = 0};
    *forest = (struct tk_subtrees){0};
    int rc = 0;
    for (uint32_t row = 0; rc == 0 && row < family->table->rows && forest->total < most; row++) {
        if (child_begin(family, row) == family->child_ends[row])
            continue;
        if (subtree_read(&subtree, family, row, height) < 0) {
            rc = tk_fail(err, -ENOMEM, "forest: out of memory");
        } else {
            rc = forest_add(forest, &subtree, err);
        }
    }
    subtree_release(&subtree);
    return rc;
}

void tk_subtrees_release(struct tk_subtrees *forest)
{
    /* After a failure the last structure may be without its tree. */
    for (uint32_t i = 0; i < forest->structures.count && i < forest->max; i++)
        tk_label_tree_free(forest->trees[i]);
    free(forest->trees);
    tk_cells_release(&forest->structures);
    *forest = (struct tk_subtrees){0};
}
