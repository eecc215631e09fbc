/* SPDX-License-Identifier: Apache-2.0 */
/* MicroRank (Yu et al., WWW 2021) as RCAEval and GenTEval have it: operations and traces rank each
 * other as pages do, once by the normal and once by the anomalous spans, and a spectrum of both
 * blames. Their matrices hold single precision, and so do these:
 *
 *     members   pairs (operation, trace), each once: P_sr and P_rs
 *     calls     pairs (operation of the child, of the parent), each once: P_ss
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "fidelity/rca_internal.h"

#define ROUNDS  25
#define DAMPING 0.85
#define ALPHA   0.01
#define ABSENT  1e-7

enum { MEMBER, CALL }; /* parts of keys */

/* The spans on one side of the injection; operations and traces that are in it, by number. */
struct graph {
    struct tk_cells pairs; /* key: MEMBER, operation, trace; or CALL, child, parent */
    uint32_t *numbers;     /* [window operations] + 1; 0 = not in it */
    uint32_t *operations;  /* [operation_count] of the window */
    uint32_t operation_count, trace_count;
    double *operation_traces; /* distinct traces of an operation */
    double *weighted_traces;  /* the same, by weight */
    double *children;         /* distinct operations that an operation calls */
    uint32_t *trace_numbers;  /* [window traces] + 1 */
    double *trace_operations; /* distinct operations of a trace */
    double *trace_spans;
    uint64_t *trace_sets; /* hash of the operations of a trace */
    double *weights;      /* [operation_count] what the graph says of an operation */
};

static void graph_release(struct graph *graph)
{
    tk_cells_release(&graph->pairs);
    free(graph->numbers);
    free(graph->operations);
    free(graph->operation_traces);
    free(graph->weighted_traces);
    free(graph->children);
    free(graph->trace_numbers);
    free(graph->trace_operations);
    free(graph->trace_spans);
    free(graph->trace_sets);
    free(graph->weights);
}

static int graph_allocate(struct graph *graph, const struct rca_window *window)
{
    size_t operations = window->operations.count + (size_t)1;
    size_t traces = window->last_trace - window->first_trace + (size_t)1;
    graph->numbers = calloc(operations, sizeof(uint32_t));
    graph->operations = calloc(operations, sizeof(uint32_t));
    graph->operation_traces = calloc(operations, sizeof(double));
    graph->weighted_traces = calloc(operations, sizeof(double));
    graph->children = calloc(operations, sizeof(double));
    graph->weights = calloc(operations, sizeof(double));
    graph->trace_numbers = calloc(traces, sizeof(uint32_t));
    graph->trace_operations = calloc(traces, sizeof(double));
    graph->trace_spans = calloc(traces, sizeof(double));
    graph->trace_sets = calloc(traces, sizeof(uint64_t));
    bool whole = graph->numbers && graph->operations && graph->operation_traces &&
                 graph->weighted_traces && graph->children && graph->weights &&
                 graph->trace_numbers && graph->trace_operations && graph->trace_spans &&
                 graph->trace_sets;
    return whole ? 0 : -ENOMEM;
}

/* Add a pair; whether it is new. */
static bool add_pair(struct graph *graph, int64_t kind, uint32_t a, uint32_t b)
{
    uint32_t known = graph->pairs.count;
    return tk_cells_add(&graph->pairs, &(struct tk_cell_key){{kind, a, b}}, 0, 1) == known;
}

static void add_span(struct graph *graph, const struct rca_window *window,
                     const struct rca_row *row)
{
    uint32_t *operation = &graph->numbers[row->operation];
    uint32_t *trace = &graph->trace_numbers[row->trace - window->first_trace];
    if (*operation == 0) {
        graph->operations[graph->operation_count] = row->operation;
        *operation = ++graph->operation_count;
    }
    if (*trace == 0)
        *trace = ++graph->trace_count;
    graph->trace_spans[*trace - 1]++;
    if (add_pair(graph, MEMBER, *operation - 1, *trace - 1)) {
        graph->operation_traces[*operation - 1]++;
        graph->weighted_traces[*operation - 1] += rca_weight(window, row->trace);
        graph->trace_operations[*trace - 1]++;
        graph->trace_sets[*trace - 1] += tk_hash_mix(1, *operation);
    }
}

static int graph_read(struct graph *graph, const struct rca_window *window, bool anomalous)
{
    int rc = graph_allocate(graph, window);
    if (rc < 0)
        return rc;
    uint32_t count = window->end - window->begin;
    for (uint32_t i = 0; i < count; i++) {
        if (window->rows[i].is_anomalous == anomalous)
            add_span(graph, window, &window->rows[i]);
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t parent = window->table->parents[window->begin + i];
        if (window->rows[i].is_anomalous != anomalous || parent == TK_ROW_TOP)
            continue;
        const struct rca_row *caller = &window->rows[parent - window->begin];
        if (caller->is_anomalous != anomalous)
            continue;
        uint32_t from = graph->numbers[caller->operation] - 1;
        graph->children[from] +=
            add_pair(graph, CALL, graph->numbers[window->rows[i].operation] - 1, from);
    }
    return graph->pairs.failure;
}

/* Traces with the same operations, for each trace. */
static int find_kinds(const struct graph *graph, double *kinds)
{
    struct tk_cells sets = {0};
    for (uint32_t t = 0; t < graph->trace_count; t++)
        tk_cells_add(&sets, &(struct tk_cell_key){{(int64_t)graph->trace_sets[t]}}, 0, 1);
    int rc = sets.failure;
    for (uint32_t t = 0; rc == 0 && t < graph->trace_count; t++) {
        const struct tk_cell_key key = {{(int64_t)graph->trace_sets[t]}};
        kinds[t] = sets.items[tk_cells_find(&sets, &key)].sums[0];
    }
    tk_cells_release(&sets);
    return rc;
}

/* Turn kinds into preferences. */
static void prefer(const struct graph *graph, bool anomalous, double *kinds)
{
    double kind_sum = 0;
    double span_sum = 0;
    for (uint32_t t = 0; t < graph->trace_count; t++) {
        kind_sum += 1 / kinds[t];
        span_sum += 1 / graph->trace_spans[t];
    }
    for (uint32_t t = 0; t < graph->trace_count; t++) {
        double normal = 1 / kinds[t] / kind_sum;
        double rare = 1 / (kinds[t] / kind_sum * 0.5 + 1 / graph->trace_spans[t]) / span_sum * 0.5;
        kinds[t] = (double)(float)(anomalous ? rare : normal);
    }
}

/* What the rounds work on: ranks of operations and traces, and the next ones. */
struct ranks {
    double *s, *r, *next_s, *next_r;
};

static void normalise(double *values, uint32_t count)
{
    double most = 0;
    for (uint32_t i = 0; i < count; i++)
        most = values[i] > most ? values[i] : most;
    for (uint32_t i = 0; most > 0 && i < count; i++)
        values[i] /= most;
}

static void one_round(const struct graph *graph, const double *preferences, struct ranks *ranks)
{
    memset(ranks->next_s, 0, graph->operation_count * sizeof(double));
    for (uint32_t t = 0; t < graph->trace_count; t++)
        ranks->next_r[t] = (1 - DAMPING) * preferences[t];
    for (uint32_t i = 0; i < graph->pairs.count; i++) {
        const struct tk_cell_key *key = &graph->pairs.items[i].key;
        if (key->part[0] == MEMBER) {
            double sr = (double)(float)(1 / graph->trace_operations[key->part[2]]);
            double rs = (double)(float)(1 / graph->operation_traces[key->part[1]]);
            ranks->next_s[key->part[1]] += DAMPING * sr * ranks->r[key->part[2]];
            ranks->next_r[key->part[2]] += DAMPING * rs * ranks->s[key->part[1]];
        } else {
            double ss = (double)(float)(1 / graph->children[key->part[2]]);
            ranks->next_s[key->part[1]] += DAMPING * ALPHA * ss * ranks->s[key->part[2]];
        }
    }
    normalise(ranks->next_s, graph->operation_count);
    normalise(ranks->next_r, graph->trace_count);
    *ranks = (struct ranks){ranks->next_s, ranks->next_r, ranks->s, ranks->r};
}

/* Ranks after all rounds, as weights of operations. `room` is [2 operations + 3 traces]. */
static int rank(struct graph *graph, bool anomalous, double *room)
{
    double *preferences = room;
    struct ranks ranks = {.s = preferences + graph->trace_count};
    ranks.next_s = ranks.s + graph->operation_count;
    ranks.r = ranks.next_s + graph->operation_count;
    ranks.next_r = ranks.r + graph->trace_count;
    int rc = find_kinds(graph, preferences);
    if (rc < 0)
        return rc;
    prefer(graph, anomalous, preferences);
    double start = 1.0 / ((double)graph->operation_count + graph->trace_count);
    for (uint32_t i = 0; i < graph->operation_count; i++)
        ranks.s[i] = start;
    for (uint32_t i = 0; i < graph->trace_count; i++)
        ranks.r[i] = start;
    for (int i = 0; i < ROUNDS; i++)
        one_round(graph, preferences, &ranks);
    double sum = 0;
    for (uint32_t i = 0; i < graph->operation_count; i++)
        sum += ranks.s[i];
    for (uint32_t i = 0; i < graph->operation_count; i++)
        graph->weights[i] = ranks.s[i] * sum / graph->operation_count;
    return 0;
}

static int graph_rank(struct graph *graph, bool anomalous)
{
    size_t room = 2 * (size_t)graph->operation_count + 3 * (size_t)graph->trace_count;
    double *values = calloc(room + 1, sizeof(*values));
    int rc = values ? rank(graph, anomalous, values) : -ENOMEM;
    free(values);
    return rc;
}

/* Traces that have an abnormal span after the injection, and that have a usual one. */
struct spectrum {
    double abnormal, usual;
};

static struct spectrum find_spectrum(const struct rca_window *window)
{
    struct spectrum found = {0};
    for (uint32_t i = 0; i < window->end - window->begin;) {
        uint32_t trace = window->rows[i].trace;
        bool abnormal = false;
        bool usual = false;
        for (; i < window->end - window->begin && window->rows[i].trace == trace; i++) {
            const struct rca_row *row = &window->rows[i];
            abnormal |= row->is_anomalous && row->verdict == VERDICT_ABNORMAL;
            usual |= row->is_anomalous && row->verdict == VERDICT_USUAL;
        }
        found.abnormal += abnormal ? rca_weight(window, trace) : 0;
        found.usual += usual ? rca_weight(window, trace) : 0;
    }
    return found;
}

/* dstar2: ef^2 / (ep + nf). */
static double dstar2(const struct graph *normal, const struct graph *anomalous, uint32_t operation,
                     const struct spectrum *spectrum)
{
    uint32_t n = normal->numbers[operation];
    uint32_t a = anomalous->numbers[operation];
    double ef = ABSENT;
    double nf = ABSENT;
    double ep = ABSENT;
    if (a > 0) {
        double traces = anomalous->weighted_traces[a - 1];
        ef = anomalous->weights[a - 1] * traces;
        nf = anomalous->weights[a - 1] * (spectrum->abnormal - traces);
    }
    if (n > 0)
        ep = ((a > 0 ? 0 : 1) + normal->weights[n - 1]) * normal->weighted_traces[n - 1];
    return ep + nf != 0 ? ef * ef / (ep + nf) : 0;
}

static size_t score_all(const struct graph *normal, const struct graph *anomalous,
                        const struct spectrum *spectrum, struct rca_score *scores)
{
    size_t count = 0;
    for (uint32_t i = 0; i < anomalous->operation_count; i++)
        scores[count++].operation = anomalous->operations[i];
    for (uint32_t i = 0; i < normal->operation_count; i++) {
        if (anomalous->numbers[normal->operations[i]] == 0)
            scores[count++].operation = normal->operations[i];
    }
    for (size_t i = 0; i < count; i++)
        scores[i].value = dstar2(normal, anomalous, scores[i].operation, spectrum);
    return count;
}

int rca_microrank_scores(const struct rca_window *window, struct rca_score *scores,
                         size_t *ret_count)
{
    struct graph graphs[2] = {{.numbers = NULL}, {.numbers = NULL}};
    int rc = 0;
    for (int anomalous = 0; rc == 0 && anomalous < 2; anomalous++) {
        rc = graph_read(&graphs[anomalous], window, anomalous);
        if (rc == 0)
            rc = graph_rank(&graphs[anomalous], anomalous);
    }
    if (rc == 0) {
        struct spectrum spectrum = find_spectrum(window);
        *ret_count = score_all(&graphs[0], &graphs[1], &spectrum, scores);
    }
    for (int i = 0; i < 2; i++)
        graph_release(&graphs[i]);
    return rc;
}
