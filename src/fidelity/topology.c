/* SPDX-License-Identifier: Apache-2.0 */
/* Topology: how far the subtrees of A are from those of B, structure by structure
 * (trace-fidelity.md section 7).
 *
 * Gen-T sorts the distances of all pairs of structures and takes the nearest that are left, until
 * nothing is. The same matching comes out without most distances: those of 0 are pairs of one
 * structure, which a hash finds; then pairs are taken by ascending distance. A pair is known by
 * what its distance is at least: by how many nodes it differs at first. When its turn has come at
 * that distance, tk_tree_bound() puts most pairs off; and only whose turn has come again is
 * measured. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "fidelity/figures.h"
#include "fidelity/topology_forest.h"
#include "fidelity/tree_bound.h"

#define MOST_TREES     50000
#define MOST_LEFT      4096                /* structures of a side that are matched pair by pair */
#define MOST_OUTLINED  4096                /* nodes of a tree of which bounds are found */
#define MOST_STEPS     ((uint64_t)1 << 26) /* of one distance; else its bound is taken */
#define MOST_ALL_STEPS ((uint64_t)1 << 30) /* of all of one height */
#define GRACE_UNITS    4000 /* by which a child may start before its parent in Gen-T */

static const uint32_t heights[] = {2, 3, 5, 7, 9};

/* Of a score: what it is so far; neither = the distance. */
#define IS_DIFFERENCE ((uint32_t)1 << 31) /* of the numbers of nodes */
#define IS_BOUND      ((uint32_t)1 << 30)
#define AT_LEAST      (IS_BOUND - 1)

/* Structures of both sides that are no exact match, and how far they are from one another. */
struct pairing {
    const struct tk_subtrees *forests[TK_SIDES];
    uint32_t *left[TK_SIDES]; /* structures */
    uint32_t left_count[TK_SIDES];
    uint32_t *scores; /* [left A][left B] */
    struct tk_tree_tables tables;
    struct tk_tree_outline outline; /* of a structure of A */
    uint64_t steps;                 /* that may still be taken */
    uint64_t bounded;               /* distances that are bounds */
};

/* Distances of matched trees. */
struct matches {
    double sum, squares;
    uint64_t count, unmatched;
};

static void match(struct matches *matches, uint32_t distance, double trees)
{
    matches->sum += distance * trees;
    matches->squares += (double)distance * distance * trees;
    matches->count += (uint64_t)trees;
}

/* Take as many trees of two structures as both have. The compatible rule adds what it took to a
 * larger real number instead of subtracting it, as the original does. */
static void take(double *a, double *b, enum tk_figure_rule rule, uint32_t distance,
                 struct matches *matches)
{
    double took = *a < *b ? *a : *b;
    match(matches, distance, took);
    *b += rule == TK_FIGURE_COMPAT && *b > *a ? took : -took;
    *a -= took;
}

static uint32_t twin_of(const struct pairing *pairing, uint32_t a)
{
    const struct tk_subtrees *b = pairing->forests[TK_SIDE_B];
    uint32_t twin =
        tk_cells_find(&b->structures, &pairing->forests[TK_SIDE_A]->structures.items[a].key);
    bool equal = twin != TK_CELL_NONE &&
                 tk_tree_equal(pairing->forests[TK_SIDE_A]->trees[a], b->trees[twin]);
    return equal ? twin : TK_CELL_NONE;
}

static void pairing_release(struct pairing *pairing)
{
    for (int side = 0; side < TK_SIDES; side++)
        free(pairing->left[side]);
    free(pairing->scores);
    tk_tree_tables_release(&pairing->tables);
    tk_tree_outline_release(&pairing->outline);
}

/* Structures that still have trees after exact matches; the same under both rules. */
static int find_left(struct pairing *pairing, int side, const double *counts)
{
    uint32_t count = pairing->forests[side]->structures.count;
    pairing->left[side] = malloc((count + (size_t)1) * sizeof(uint32_t));
    if (!pairing->left[side])
        return -ENOMEM;
    uint32_t n = 0;
    for (uint32_t i = 0; i < count && n < MOST_LEFT; i++) {
        if (counts[i] > 0)
            pairing->left[side][n++] = i;
    }
    pairing->left_count[side] = n;
    return 0;
}

static const struct tk_label_tree *tree_of(const struct pairing *pairing, int side, uint32_t at)
{
    return pairing->forests[side]->trees[pairing->left[side][at]];
}

static int init_scores(struct pairing *pairing)
{
    size_t width = pairing->left_count[TK_SIDE_B];
    pairing->scores =
        malloc((pairing->left_count[TK_SIDE_A] * width + 1) * sizeof(*pairing->scores));
    if (!pairing->scores)
        return -ENOMEM;
    for (uint32_t a = 0; a < pairing->left_count[TK_SIDE_A]; a++) {
        uint32_t nodes = tree_of(pairing, TK_SIDE_A, a)->count;
        for (uint32_t b = 0; b < width; b++) {
            uint32_t others = tree_of(pairing, TK_SIDE_B, b)->count;
            pairing->scores[a * width + b] =
                IS_DIFFERENCE | (nodes > others ? nodes - others : others - nodes);
        }
    }
    return 0;
}

static int find_bound(struct pairing *pairing, uint32_t a, uint32_t b, uint32_t *score,
                      struct tk_err *err)
{
    const struct tk_label_tree *first = tree_of(pairing, TK_SIDE_A, a);
    int rc =
        pairing->outline.tree == first ? 0 : tk_tree_outline_read(&pairing->outline, first, err);
    if (rc == 0)
        *score = IS_BOUND | tk_tree_bound(&pairing->outline, tree_of(pairing, TK_SIDE_B, b));
    return rc;
}

/* Turn the bound of a pair into its distance, unless that takes too long. */
static int find_distance(struct pairing *pairing, uint32_t a, uint32_t b, uint32_t *score,
                         struct tk_err *err)
{
    const struct tk_label_tree *first = tree_of(pairing, TK_SIDE_A, a);
    const struct tk_label_tree *second = tree_of(pairing, TK_SIDE_B, b);
    uint64_t steps = tk_tree_steps(first, second);
    if (steps > MOST_STEPS || steps > pairing->steps) {
        *score &= AT_LEAST;
        pairing->bounded++;
        return 0;
    }
    pairing->steps -= steps;
    return tk_tree_distance(first, second, &pairing->tables, score, err);
}

/* Know more of a pair, as long as it may be as near as this. */
static int refine(struct pairing *pairing, uint32_t a, uint32_t b, uint32_t distance,
                  struct tk_err *err)
{
    uint32_t *score = &pairing->scores[a * (size_t)pairing->left_count[TK_SIDE_B] + b];
    int rc = *score == (IS_DIFFERENCE | distance) ? find_bound(pairing, a, b, score, err) : 0;
    if (rc == 0 && *score == (IS_BOUND | distance))
        rc = find_distance(pairing, a, b, score, err);
    return rc;
}

/* What is left when pairs are tried by distance. */
struct level {
    uint32_t distance;
    uint32_t next; /* the smallest distance or bound above it; UINT32_MAX = no pair is left */
    enum tk_figure_rule rule;
};

/* Try a structure of A against those of B. */
static int match_structure(struct pairing *pairing, uint32_t a, struct level *level,
                           double *counts[TK_SIDES], struct matches *matches, struct tk_err *err)
{
    size_t width = pairing->left_count[TK_SIDE_B];
    double *trees_a = &counts[TK_SIDE_A][pairing->left[TK_SIDE_A][a]];
    for (uint32_t b = 0; b<width && * trees_a> 0; b++) {
        double *trees_b = &counts[TK_SIDE_B][pairing->left[TK_SIDE_B][b]];
        const uint32_t *score = &pairing->scores[a * width + b];
        if (*trees_b <= 0)
            continue;
        int rc = refine(pairing, a, b, level->distance, err);
        if (rc < 0)
            return rc;
        uint32_t at_least = *score & AT_LEAST;
        if (*score == level->distance) {
            take(trees_a, trees_b, level->rule, level->distance, matches);
        } else if (at_least > level->distance && at_least < level->next) {
            level->next = at_least;
        }
    }
    return 0;
}

/* Match pairs at one distance, in the order of A's structures, then B's, as the original sorts. */
static int match_level(struct pairing *pairing, struct level *level, double *counts[TK_SIDES],
                       struct matches *matches, struct tk_err *err)
{
    int rc = 0;
    level->next = UINT32_MAX;
    for (uint32_t a = 0; rc == 0 && a < pairing->left_count[TK_SIDE_A]; a++)
        rc = match_structure(pairing, a, level, counts, matches, err);
    return rc;
}

static double *counts_of(const struct tk_subtrees *forest)
{
    double *counts = malloc((forest->structures.count + (size_t)1) * sizeof(*counts));
    for (uint32_t i = 0; counts && i < forest->structures.count; i++)
        counts[i] = forest->structures.items[i].sums[0];
    return counts;
}

static int match_counts(struct pairing *pairing, enum tk_figure_rule rule, double *counts[TK_SIDES],
                        struct matches *matches, struct tk_err *err)
{
    for (uint32_t a = 0; a < pairing->forests[TK_SIDE_A]->structures.count; a++) {
        uint32_t twin = twin_of(pairing, a);
        if (twin != TK_CELL_NONE)
            take(&counts[TK_SIDE_A][a], &counts[TK_SIDE_B][twin], rule, 0, matches);
    }
    if (!pairing->scores) {
        for (int side = 0; side < TK_SIDES; side++) {
            if (find_left(pairing, side, counts[side]) < 0)
                return tk_fail(err, -ENOMEM, "topology: out of memory");
        }
    }
    if (!pairing->scores && init_scores(pairing) < 0)
        return tk_fail(err, -ENOMEM, "topology: out of memory");
    struct level level = {.rule = rule};
    int rc = 0;
    while (rc == 0 && level.distance != UINT32_MAX) {
        rc = match_level(pairing, &level, counts, matches, err);
        level.distance = level.next;
    }
    for (uint32_t a = 0; a < pairing->forests[TK_SIDE_A]->structures.count; a++)
        matches->unmatched += (uint64_t)counts[TK_SIDE_A][a];
    return rc;
}

static int match_rule(struct pairing *pairing, enum tk_figure_rule rule, struct matches *matches,
                      struct tk_err *err)
{
    double *counts[TK_SIDES] = {counts_of(pairing->forests[TK_SIDE_A]),
                                counts_of(pairing->forests[TK_SIDE_B])};
    int rc = counts[TK_SIDE_A] && counts[TK_SIDE_B]
                 ? match_counts(pairing, rule, counts, matches, err)
                 : tk_fail(err, -ENOMEM, "topology: out of memory");
    for (int side = 0; side < TK_SIDES; side++)
        free(counts[side]);
    return rc;
}

static void add(struct tk_figures *figures, const struct tk_figure *figure, tk_str detail)
{
    struct tk_figure made = *figure;
    made.group = "topology";
    made.detail = detail;
    tk_figures_add(figures, &made);
}

/* Mean and deviation of one height; the original fails when it has more trees than the real side.
 */
static const char *reason_of(const struct pairing *pairing, enum tk_figure_rule rule,
                             const struct matches *matches)
{
    if (matches->count == 0)
        return "no tree on one side";
    bool fewer = pairing->forests[TK_SIDE_B]->total < pairing->forests[TK_SIDE_A]->total;
    return rule == TK_FIGURE_COMPAT && fewer ? "the original fails: fewer real trees than made ones"
                                             : NULL;
}

static void add_height(struct tk_figures *figures, const struct pairing *pairing, uint32_t height,
                       enum tk_figure_rule rule, const struct matches *matches)
{
    struct tk_figure figure = {.name = "tree_distance",
                               .rule = rule,
                               .value = (double)NAN,
                               .reason = reason_of(pairing, rule, matches),
                               .samples = matches->count};
    double deviation = (double)NAN;
    if (!figure.reason) {
        figure.value = matches->sum / (double)matches->count;
        double variance = matches->squares / (double)matches->count - figure.value * figure.value;
        deviation = sqrt(fmax(variance, 0));
    }
    char detail[] = "h=0";
    detail[2] = (char)('0' + height);
    add(figures, &figure, tk_str_from(detail));
    figure.name = "tree_distance_deviation";
    figure.value = deviation;
    add(figures, &figure, tk_str_from(detail));
}

/* Sums over heights. */
struct totals {
    struct tk_mean means[TK_FIGURE_RULE_COUNT];
    const char *reasons[TK_FIGURE_RULE_COUNT];
    uint64_t unmatched, bounded;
};

static int measure_height(const struct tk_subtrees forests[TK_SIDES], uint32_t height,
                          struct tk_figures *figures, struct totals *totals, struct tk_err *err)
{
    TK_CLEANUP(pairing_release)
    struct pairing pairing = {.forests = {&forests[TK_SIDE_A], &forests[TK_SIDE_B]},
                              .steps = MOST_ALL_STEPS};
    for (int i = 0; i < TK_FIGURE_RULE_COUNT; i++) {
        enum tk_figure_rule rule = (enum tk_figure_rule)i;
        struct matches matches = {0};
        int rc = match_rule(&pairing, rule, &matches, err);
        if (rc < 0)
            return rc;
        add_height(figures, &pairing, height, rule, &matches);
        totals->reasons[rule] = reason_of(&pairing, rule, &matches);
        if (!totals->reasons[rule])
            tk_mean_add(&totals->means[rule], matches.sum / (double)matches.count);
        if (rule == TK_FIGURE_STRICT)
            totals->unmatched += matches.unmatched;
    }
    totals->bounded += pairing.bounded;
    return 0;
}

static int measure_heights(const struct tk_family families[TK_SIDES], struct tk_figures *figures,
                           struct totals *totals, struct tk_err *err)
{
    for (size_t i = 0; i < TK_COUNTOF(heights); i++) {
        struct tk_subtrees forests[TK_SIDES] = {{.total = 0}, {.total = 0}};
        int rc = tk_subtrees_init(&forests[TK_SIDE_A], &families[TK_SIDE_A], heights[i], MOST_TREES,
                                  err);
        if (rc == 0) {
            rc = tk_subtrees_init(&forests[TK_SIDE_B], &families[TK_SIDE_B], heights[i],
                                  forests[TK_SIDE_A].total, err);
        }
        if (rc == 0)
            rc = measure_height(forests, heights[i], figures, totals, err);
        for (int side = 0; side < TK_SIDES; side++)
            tk_subtrees_release(&forests[side]);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* Children that Gen-T would move because they start too long before their parents. Nothing here
 * depends on it but a figure that says so. */
static int count_repairs(const struct tk_family *family, uint64_t *ret_count, struct tk_err *err)
{
    const struct tk_span_table *table = family->table;
    int64_t *starts = malloc((table->rows + (size_t)1) * sizeof(*starts));
    if (!starts)
        return tk_fail(err, -ENOMEM, "topology: out of memory");
    for (uint32_t row = 0; row < table->rows; row++)
        starts[row] = table->start_ns[row] / table->unit_ns;
    uint64_t count = 0;
    uint32_t i = 0;
    for (uint32_t row = 0; row < table->rows; row++) {
        for (; i < family->child_ends[row]; i++) {
            int64_t *start = &starts[family->children[i]];
            bool is_late = starts[row] > *start + GRACE_UNITS;
            *start = is_late ? starts[row] + GRACE_UNITS : *start;
            count += is_late;
        }
    }
    free(starts);
    *ret_count = count;
    return 0;
}

static void add_totals(struct tk_figures *figures, const struct totals *totals)
{
    for (int rule = 0; rule < TK_FIGURE_RULE_COUNT; rule++) {
        add(figures,
            &(struct tk_figure){.name = "tree_distance",
                                .rule = (enum tk_figure_rule)rule,
                                .value = tk_mean_of(&totals->means[rule]),
                                .reason = totals->reasons[rule],
                                .samples = totals->means[rule].count},
            (tk_str){0});
    }
    const struct {
        const char *name;
        uint64_t value;
    } counts[] = {{"unmatched_trees", totals->unmatched}, {"bounded_distances", totals->bounded}};
    for (size_t i = 0; i < TK_COUNTOF(counts); i++) {
        add(figures,
            &(struct tk_figure){.name = counts[i].name,
                                .sense = TK_FIGURE_COUNT,
                                .value = (double)counts[i].value,
                                .samples = TK_COUNTOF(heights)},
            (tk_str){0});
    }
}

static int measure_sides(const struct tk_sides *sides, struct tk_figures *figures,
                         struct tk_err *err)
{
    struct tk_family families[TK_SIDES] = {{.table = NULL}, {.table = NULL}};
    struct totals totals = {0};
    int rc = 0;
    for (int side = 0; rc == 0 && side < TK_SIDES; side++) {
        uint64_t repairs = 0;
        rc = tk_family_init(&families[side], sides, side, err);
        if (rc == 0)
            rc = count_repairs(&families[side], &repairs, err);
        if (rc == 0) {
            add(figures,
                &(struct tk_figure){.name = "repaired_starts",
                                    .sense = TK_FIGURE_COUNT,
                                    .rule = TK_FIGURE_COMPAT,
                                    .value = (double)repairs,
                                    .samples = sides->tables[side]->rows},
                side == TK_SIDE_A ? TK_STR("A") : TK_STR("B"));
        }
    }
    if (rc == 0)
        rc = measure_heights(families, figures, &totals, err);
    if (rc == 0)
        add_totals(figures, &totals);
    for (int side = 0; side < TK_SIDES; side++)
        tk_family_release(&families[side]);
    return rc;
}

static int topology_measure(const struct tk_span_table *a, const struct tk_span_table *b,
                            const struct tk_measure_options *options, struct tk_figures *figures,
                            struct tk_err *err)
{
    TK_CLEANUP(tk_sides_release) struct tk_sides sides = {.texts = 0};
    int rc = tk_sides_init(&sides, a, b, options, err);
    if (rc == 0)
        rc = measure_sides(&sides, figures, err);
    return rc < 0 ? rc : tk_figures_check(figures, err);
}

const struct tk_measure tk_measure_topology = {
    .name = "topology",
    .help = "edit distances of subtrees",
    .measure = topology_measure,
};
