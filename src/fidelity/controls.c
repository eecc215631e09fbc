/* SPDX-License-Identifier: Apache-2.0 */
#include "fidelity/controls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fidelity/draws.h"
#include "fidelity/span_columns.h"

/* Halves --------------------------------------------------------------------------------------- */

static int pick_half(const struct tk_span_table *real, uint64_t seed, bool upper,
                     struct tk_span_table **ret_table, struct tk_err *err)
{
    size_t count = 0;
    struct tk_trace_pick *picks = calloc((size_t)real->traces + 1, sizeof(*picks));
    if (!picks)
        return tk_fail(err, -ENOMEM, "out of memory");
    for (uint32_t t = 0; t < real->traces; t++) {
        if ((tk_draw_trace(seed, real->trace_ids[t]) >= 0.5) == upper)
            picks[count++] = (struct tk_trace_pick){t, real->weights[t]};
    }
    int rc = tk_span_table_pick(real, picks, count, ret_table, err);
    free(picks);
    return rc;
}

static int make_halves(const struct tk_span_table *real, uint64_t seed,
                       struct tk_span_table **ret_a, struct tk_span_table **ret_b,
                       struct tk_err *err)
{
    int rc = pick_half(real, seed, false, ret_a, err);
    return rc < 0 ? rc : pick_half(real, seed, true, ret_b, err);
}

/* Starts --------------------------------------------------------------------------------------- */

/* A copy whose starts `move` changes, in order again. */
static int make_moved(const struct tk_span_table *real, uint64_t seed,
                      void (*move)(struct tk_span_table *table, uint64_t seed),
                      struct tk_span_table **ret_a, struct tk_err *err)
{
    int rc = tk_span_table_copy(real, ret_a, err);
    if (rc < 0)
        return rc;
    move(*ret_a, seed);
    return tk_span_table_sort(*ret_a, err);
}

/* Traces move as a whole: what happens inside them stays right. */
static void move_uniformly(struct tk_span_table *table, uint64_t seed)
{
    if (table->traces == 0)
        return;
    int64_t first_ns = table->start_ns[0];
    int64_t last_ns = table->start_ns[tk_span_table_begin(table, table->traces - 1)];
    for (uint32_t t = 0; t < table->traces; t++) {
        uint32_t begin = tk_span_table_begin(table, t);
        uint64_t width = (uint64_t)(last_ns - first_ns) + 1;
        int64_t shift = first_ns + (int64_t)tk_draw_index(seed, t, width) - table->start_ns[begin];
        for (uint32_t r = begin; r < table->trace_ends[t]; r++)
            table->start_ns[r] += shift;
    }
}

static void move_together(struct tk_span_table *table, uint64_t seed)
{
    (void)seed;
    for (uint32_t r = 1; r < table->rows; r++)
        table->start_ns[r] = table->start_ns[0];
}

static int make_uniform(const struct tk_span_table *real, uint64_t seed,
                        struct tk_span_table **ret_a, struct tk_span_table **ret_b,
                        struct tk_err *err)
{
    (void)ret_b;
    return make_moved(real, seed, move_uniformly, ret_a, err);
}

static int make_constant(const struct tk_span_table *real, uint64_t seed,
                         struct tk_span_table **ret_a, struct tk_span_table **ret_b,
                         struct tk_err *err)
{
    (void)ret_b;
    return make_moved(real, seed, move_together, ret_a, err);
}

/* Attributes ----------------------------------------------------------------------------------- */

/* A random order of 0 .. n - 1 (Fisher and Yates). */
static void shuffle(uint32_t *order, uint32_t n, uint64_t seed)
{
    for (uint32_t i = 0; i < n; i++)
        order[i] = i;
    for (uint32_t i = n; i > 1; i--) {
        uint32_t other = (uint32_t)tk_draw_index(seed, i, i);
        uint32_t kept = order[i - 1];
        order[i - 1] = order[other];
        order[other] = kept;
    }
}

static void shuffle_features(const struct tk_span_table *real, uint32_t *order, uint64_t seed,
                             struct tk_span_table *table)
{
    for (uint64_t f = 0; f < TK_STR_FEATURES; f++) {
        shuffle(order, real->rows, tk_draw_bits(seed, f));
        for (uint32_t r = 0; r < real->rows; r++)
            table->str_features[f][r] = real->str_features[f][order[r]];
    }
    for (uint64_t f = 0; f < TK_INT_FEATURES; f++) {
        shuffle(order, real->rows, tk_draw_bits(seed, TK_STR_FEATURES + f));
        for (uint32_t r = 0; r < real->rows; r++)
            table->int_features[f][r] = real->int_features[f][order[r]];
    }
    shuffle(order, real->rows, tk_draw_bits(seed, TK_STR_FEATURES + TK_INT_FEATURES));
    for (uint32_t r = 0; r < real->rows; r++) {
        table->methods[r] = real->methods[order[r]];
        table->http_codes[r] = real->http_codes[order[r]];
    }
}

static int make_shuffled(const struct tk_span_table *real, uint64_t seed,
                         struct tk_span_table **ret_a, struct tk_span_table **ret_b,
                         struct tk_err *err)
{
    uint32_t *order = calloc((size_t)real->rows + 1, sizeof(*order));
    int rc = order ? tk_span_table_copy(real, ret_a, err) : tk_fail(err, -ENOMEM, "out of memory");
    (void)ret_b;
    if (rc == 0 && order)
        shuffle_features(real, order, seed, *ret_a);
    free(order);
    return rc;
}

/* Durations ------------------------------------------------------------------------------------ */

/* The two services that have most spans, the first by number where there are as many. */
static void find_largest(const struct tk_span_table *table, const uint32_t *counts,
                         uint32_t ret_services[2])
{
    ret_services[0] = ret_services[1] = 0;
    for (uint32_t s = 0; s < table->texts.count; s++) {
        if (counts[s] > counts[ret_services[0]]) {
            ret_services[1] = ret_services[0];
            ret_services[0] = s;
        } else if (s != ret_services[0] &&
                   (counts[s] > counts[ret_services[1]] || ret_services[1] == ret_services[0])) {
            ret_services[1] = s;
        }
    }
}

/* Each span of one service gets a duration of the other, one after the other, from the first again
 * where that one has fewer. */
static void swap_durations(const struct tk_span_table *real, const uint32_t services[2],
                           uint32_t *lists, struct tk_span_table *table)
{
    uint32_t *rows[2] = {lists, lists + real->rows};
    uint32_t counts[2] = {0, 0};
    for (uint32_t r = 0; r < real->rows; r++) {
        for (int side = 0; side < 2; side++) {
            if (real->services[r] == services[side])
                rows[side][counts[side]++] = r;
        }
    }
    if (counts[0] == 0 || counts[1] == 0)
        return;
    for (int side = 0; side < 2; side++) {
        for (uint32_t i = 0; i < counts[side]; i++) {
            table->duration_ns[rows[side][i]] =
                real->duration_ns[rows[1 - side][i % counts[1 - side]]];
        }
    }
}

static int make_swapped(const struct tk_span_table *real, uint64_t seed,
                        struct tk_span_table **ret_a, struct tk_span_table **ret_b,
                        struct tk_err *err)
{
    (void)seed;
    uint32_t services[2];
    uint32_t *counts = calloc((size_t)real->texts.count + 1, sizeof(*counts));
    uint32_t *lists = calloc(2 * (size_t)real->rows + 1, sizeof(*lists));
    bool ok = counts && lists;
    int rc = ok ? tk_span_table_copy(real, ret_a, err) : tk_fail(err, -ENOMEM, "out of memory");
    (void)ret_b;
    for (uint32_t r = 0; ok && r < real->rows; r++)
        counts[real->services[r]]++;
    if (ok && rc == 0) {
        find_largest(real, counts, services);
        swap_durations(real, services, lists, *ret_a);
    }
    free(lists);
    free(counts);
    return rc;
}

/* All ------------------------------------------------------------------------------------------ */

/* What ought to see that times, attributes or durations are wrong. Who counts an attribute over all
 * spans has nothing to see in a permutation of it. A mean over all queries is only told by what
 * breaks many of them. */
static const char *const over_time[] = {
    "mean",
    "error_traces",
    "system_architecture",
    "red_rate",
    "rate",
    "attribute_max_window",
    "trigger_correlation",
    "trigger_correlation_many",
    "errors",
    "monitor_errors",
    "rate_cosine",
    "errors_cosine",
    "durations",
    "durations_cosine",
    "graph",
    NULL,
};
static const char *const of_attributes[] = {
    "attribute_traces",  "attribute_max_window", "filtered_attribute_frequency",
    "attributes_string", "attributes_integer",   NULL,
};
static const char *const of_durations[] = {
    "bottlenecks", "red_error",     "red_duration",      "durations",
    "correlation", "critical_path", "training_duration", NULL,
};

const struct tk_control tk_control_halves = {
    .name = "halves",
    .help = "two random halves of the real traces, one against the other",
    .shows = "the noise floor of every measure",
    .is_floor = true,
    .make = make_halves,
};

const struct tk_control tk_control_uniform_starts = {
    .name = "uniform-starts",
    .help = "each trace starts at random in the window, all else kept",
    .shows = "blind to when traces happened",
    .breaks = over_time,
    .make = make_uniform,
};

const struct tk_control tk_control_constant_starts = {
    .name = "constant-starts",
    .help = "all spans start at one moment",
    .shows = "blind to when spans happened",
    .breaks = over_time,
    .make = make_constant,
};

const struct tk_control tk_control_shuffled_attributes = {
    .name = "shuffled-attributes",
    .help = "values of each attribute permuted over all spans",
    .shows = "blind to whose attribute it is",
    .breaks = of_attributes,
    .make = make_shuffled,
};

const struct tk_control tk_control_swapped_durations = {
    .name = "swapped-durations",
    .help = "durations of the two services with most spans exchanged",
    .shows = "blind to whose duration it is",
    .breaks = of_durations,
    .make = make_swapped,
};

const struct tk_control *const tk_controls[] = {
    &tk_control_halves,
    &tk_control_uniform_starts,
    &tk_control_constant_starts,
    &tk_control_shuffled_attributes,
    &tk_control_swapped_durations,
    NULL,
};

const struct tk_control *tk_control_find(const char *name)
{
    for (size_t i = 0; tk_controls[i]; i++) {
        if (strcmp(tk_controls[i]->name, name) == 0)
            return tk_controls[i];
    }
    return NULL;
}

bool tk_control_breaks(const struct tk_control *control, const char *group, const char *name)
{
    bool is_total = strcmp(group, "totals") == 0;
    for (size_t i = 0; control->breaks && control->breaks[i] && !is_total; i++) {
        if (strcmp(control->breaks[i], name) == 0)
            return true;
    }
    return false;
}
