/* SPDX-License-Identifier: Apache-2.0 */
/* The edit distance of texts is found 64 cells at a time: G. Myers, "A fast bit-vector algorithm
 * for approximate string matching based on dynamic programming", J. ACM 46 (1999), with the blocks
 * of H. Hyyrö, "A bit-vector algorithm for computing Levenshtein and Damerau edit distances",
 * Nordic J. of Computing 10 (2003). */
#include "fidelity/tree_bound.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ORDERS = 2, WORD_BITS = 64 };

static const uint64_t *labels_of(const struct tk_label_tree *tree, int order)
{
    return order == 0 ? tree->labels : tree->outline;
}

/* The place of a label among the names; `kinds` = none, whose masks are empty. */
static uint32_t kind_of(const struct tk_tree_outline *outline, uint64_t label)
{
    uint32_t low = 0;
    for (uint32_t n = outline->kinds; n > 0;) {
        uint32_t half = n / 2;
        bool is_above = outline->names[low + half] < label;
        low = is_above ? low + half + 1 : low;
        n = is_above ? n - half - 1 : half;
    }
    return low < outline->kinds && outline->names[low] == label ? low : outline->kinds;
}

static uint64_t *masks_of(const struct tk_tree_outline *outline, int order, uint32_t kind)
{
    return outline->masks + ((size_t)order * (outline->kinds + 1) + kind) * (size_t)outline->words;
}

static int reserve(struct tk_tree_outline *outline, size_t needed, struct tk_err *err)
{
    if (needed <= outline->max)
        return 0;
    free(outline->names);
    outline->max = 0;
    outline->names = malloc(needed * sizeof(*outline->names));
    if (!outline->names)
        return tk_fail(err, -ENOMEM, "outline of a tree: out of memory");
    outline->max = needed;
    return 0;
}

int tk_tree_outline_read(struct tk_tree_outline *outline, const struct tk_label_tree *tree,
                         struct tk_err *err)
{
    uint32_t kinds = 1;
    for (uint32_t i = 1; i < tree->count; i++)
        kinds += tree->sorted[i] != tree->sorted[i - 1];
    uint32_t words = (tree->count + WORD_BITS - 1) / WORD_BITS;
    size_t mask_words = ORDERS * (size_t)(kinds + 1) * words;
    int rc = reserve(outline, kinds + mask_words + 2 * (size_t)words, err);
    if (rc < 0)
        return rc;
    outline->tree = tree;
    outline->kinds = 0;
    for (uint32_t i = 0; i < tree->count; i++) {
        if (i == 0 || tree->sorted[i] != tree->sorted[i - 1])
            outline->names[outline->kinds++] = tree->sorted[i];
    }
    outline->words = words;
    outline->masks = outline->names + kinds;
    outline->columns = outline->masks + mask_words;
    memset(outline->masks, 0, mask_words * sizeof(*outline->masks));
    for (int order = 0; order < ORDERS; order++) {
        const uint64_t *labels = labels_of(tree, order);
        for (uint32_t i = 0; i < tree->count; i++) {
            uint64_t *nodes = masks_of(outline, order, kind_of(outline, labels[i]));
            nodes[i / WORD_BITS] |= 1ULL << i % WORD_BITS;
        }
    }
    return 0;
}

void tk_tree_outline_release(struct tk_tree_outline *outline)
{
    free(outline->names);
    *outline = (struct tk_tree_outline){0};
}

/* One column of the table of distances: where a cell is one more (`ups`), or one less (`downs`),
 * than the cell above it. Returns by how much the last cell of the column differs from that of the
 * column before. */
static int32_t add_column(const struct tk_tree_outline *outline, const uint64_t *equal)
{
    uint64_t *ups = outline->columns;
    uint64_t *downs = ups + outline->words;
    uint64_t last = 1ULL << (outline->tree->count - 1) % WORD_BITS;
    uint64_t more = 1; /* what comes from the block above: the first row counts up */
    uint64_t less = 0;
    for (uint32_t w = 0; w < outline->words; w++) {
        uint64_t same = equal[w];
        uint64_t aside = same | downs[w];
        same |= less;
        uint64_t across = (((same & ups[w]) + ups[w]) ^ ups[w]) | same;
        uint64_t rises = downs[w] | ~(across | ups[w]);
        uint64_t falls = ups[w] & across;
        uint64_t end = w + 1 == outline->words ? last : 1ULL << (WORD_BITS - 1);
        uint64_t shifted_rises = rises << 1 | more;
        uint64_t shifted_falls = falls << 1 | less;
        more = (rises & end) != 0;
        less = (falls & end) != 0;
        ups[w] = shifted_falls | ~(aside | shifted_rises);
        downs[w] = shifted_rises & aside;
    }
    return (int32_t)more - (int32_t)less;
}

static uint32_t text_distance(const struct tk_tree_outline *outline,
                              const struct tk_label_tree *other, int order)
{
    const uint64_t *labels = labels_of(other, order);
    uint32_t distance = outline->tree->count;
    memset(outline->columns, 0xff, outline->words * sizeof(*outline->columns));
    memset(outline->columns + outline->words, 0, outline->words * sizeof(*outline->columns));
    for (uint32_t i = 0; i < other->count; i++) {
        const uint64_t *equal = masks_of(outline, order, kind_of(outline, labels[i]));
        distance += (uint32_t)add_column(outline, equal);
    }
    return distance;
}

uint32_t tk_tree_bound(struct tk_tree_outline *outline, const struct tk_label_tree *other)
{
    uint32_t last = text_distance(outline, other, 0);
    uint32_t first = text_distance(outline, other, 1);
    return last > first ? last : first;
}
