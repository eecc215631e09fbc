/* SPDX-License-Identifier: Apache-2.0 */
#include "fidelity/distances.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "fidelity/queries.h"

#define DOUBLINGS 4.0 /* that cost 1 */
#define FEW       64  /* values that are sorted by comparing */

enum { SIDE_A = 1, SIDE_B = 2, BOTH = 3 };

static double sum_of(const struct tk_results *results, int side)
{
    double sum = 0;
    for (size_t i = 0; i < results->n; i++)
        sum += results->pairs[i].values[side];
    return sum;
}

unsigned tk_results_sides(const struct tk_results *results)
{
    unsigned sides = 0;
    for (size_t i = 0; i < results->n && sides != BOTH; i++)
        sides |= results->pairs[i].has;
    return sides;
}

/* Sorting -------------------------------------------------------------------------------------- */

/* Doubles as integers of the same order, and back. */
static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits >> 63 ? ~bits : bits | 1ULL << 63;
}

static double value_of(uint64_t bits)
{
    double value;
    bits = bits >> 63 ? bits & ~(1ULL << 63) : ~bits;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* Sort by one byte of the bits; false when all have the same. */
static bool sort_by_byte(const uint64_t *from, uint64_t *to, size_t n, unsigned shift)
{
    size_t places[256] = {0};
    size_t sum = 0;
    for (size_t i = 0; i < n; i++)
        places[from[i] >> shift & 0xFF]++;
    if (places[from[0] >> shift & 0xFF] == n)
        return false;
    for (size_t i = 0; i < 256; i++) {
        size_t count = places[i];
        places[i] = sum;
        sum += count;
    }
    for (size_t i = 0; i < n; i++)
        to[places[from[i] >> shift & 0xFF]++] = from[i];
    return true;
}

/* Ascending. Counts have few different values, so that most bytes are passed over. `scratch` is
 * room for as many. */
static void sort_values(double *values, double *scratch, size_t n)
{
    if (n < FEW) {
        if (n > 1)
            qsort(values, n, sizeof(*values), tk_f64_cmp);
        return;
    }
    uint64_t *from = (uint64_t *)(void *)values;
    uint64_t *to = (uint64_t *)(void *)scratch;
    for (size_t i = 0; i < n; i++) {
        uint64_t bits = bits_of(values[i]);
        memcpy(&from[i], &bits, sizeof(bits));
    }
    for (unsigned shift = 0; shift < 64; shift += 8) {
        if (sort_by_byte(from, to, n, shift)) {
            uint64_t *swapped = from;
            from = to;
            to = swapped;
        }
    }
    for (size_t i = 0; i < n; i++) {
        double value = value_of(from[i]);
        memcpy(&values[i], &value, sizeof(value));
    }
}

/* Compatible ----------------------------------------------------------------------------------- */

/* Whether the NULL key counts twice: both sides have it, and other keys, which are numbers then. */
static bool is_null_double(const struct tk_results *results)
{
    unsigned of_null = 0;
    unsigned of_numbers = 0;
    for (size_t i = 0; i < results->n; i++) {
        if (results->pairs[i].key == TK_KEY_NULL) {
            of_null = results->pairs[i].has;
        } else {
            of_numbers |= results->pairs[i].has;
        }
    }
    return of_null == BOTH && of_numbers == BOTH;
}

double tk_distance_compat(const struct tk_results *results, bool has_null)
{
    double sums[2] = {sum_of(results, 0), sum_of(results, 1)};
    size_t room = results->n + 1;
    bool is_double = has_null && is_null_double(results);
    size_t keys = results->n + is_double;
    double *values[2] = {results->scratch, results->scratch + room};
    for (int side = 0; side < 2; side++) {
        size_t at = 0;
        for (size_t i = 0; i < results->n; i++) {
            const struct tk_pair *pair = &results->pairs[i];
            double value = sums[side] != 0 ? pair->values[side] / sums[side] : 0;
            values[side][at++] = value;
            if (is_double && pair->key == TK_KEY_NULL)
                values[side][at++] = value;
        }
        sort_values(values[side], results->scratch + 2 * room, keys);
    }
    double distance = 0;
    for (size_t i = 0; i < keys; i++)
        distance += fabs(values[0][i] - values[1][i]);
    return distance / (double)keys;
}

/* Strict --------------------------------------------------------------------------------------- */

double tk_distance_counts(const struct tk_results *results)
{
    double difference = 0;
    double sum = 0;
    for (size_t i = 0; i < results->n; i++) {
        const struct tk_pair *pair = &results->pairs[i];
        difference += fabs(pair->values[0] - pair->values[1]);
        sum += pair->values[0] + pair->values[1];
    }
    return sum > 0 ? difference / sum : 0;
}

double tk_distance_shares(const struct tk_results *results)
{
    double a = sum_of(results, 0);
    double b = sum_of(results, 1);
    double difference = 0;
    for (size_t i = 0; i < results->n; i++) {
        const struct tk_pair *pair = &results->pairs[i];
        difference += fabs(pair->values[0] / a - pair->values[1] / b);
    }
    return difference / 2;
}

double tk_distance_relative(const struct tk_results *results)
{
    double sum = 0;
    for (size_t i = 0; i < results->n; i++) {
        const struct tk_pair *pair = &results->pairs[i];
        double size = fabs(pair->values[0]) + fabs(pair->values[1]);
        if (pair->has != BOTH) {
            sum += 1;
        } else if (size > 0) {
            sum += fabs(pair->values[0] - pair->values[1]) / size;
        }
    }
    return results->n > 0 ? sum / (double)results->n : 0;
}

/* W1 in doublings of two sets of shares on the line; `sums` are those of the pairs [from, to). */
static double move_cost(const struct tk_results *results, size_t from, size_t to,
                        const double sums[2], double (*place)(uint64_t key))
{
    double ahead = 0; /* share of a up to here that b has not */
    double cost = 0;
    for (size_t i = from; i < to; i++) {
        const struct tk_pair *pair = &results->pairs[i];
        if (i > from)
            cost += fabs(ahead) * (place(pair->key) - place(pair[-1].key));
        ahead += pair->values[0] / sums[0] - pair->values[1] / sums[1];
    }
    return cost;
}

/* As the header tells. What has no logarithm is the pair `outside`, which is the first or the last
 * when it is there; results->n = it is not. */
static double move_distance(const struct tk_results *results, size_t outside,
                            double (*place)(uint64_t key))
{
    const double totals[2] = {sum_of(results, 0), sum_of(results, 1)};
    double sums[2] = {totals[0], totals[1]};
    double least = 1;
    double apart = 0;
    for (int side = 0; side < 2; side++) {
        double share = outside < results->n ? results->pairs[outside].values[side] : 0;
        sums[side] -= share;
        share /= totals[side];
        least = 1 - share < least ? 1 - share : least;
        apart = side == 0 ? share : fabs(apart - share);
    }
    if (sums[0] <= 0 || sums[1] <= 0)
        return apart;
    size_t from = outside == 0 ? 1 : 0;
    size_t to = outside == results->n - 1 && outside > 0 ? outside : results->n;
    double moved = move_cost(results, from, to, sums, place) / DOUBLINGS;
    return apart + least * (moved < 1 ? moved : 1);
}

static double place_of_duration(uint64_t key)
{
    return log2((double)key);
}

static double place_of_ratio(uint64_t key)
{
    return (double)(int64_t)(key - TK_RATIO_ZERO) / TK_RATIO_STEPS;
}

double tk_distance_durations(const struct tk_results *results)
{
    if (results->n == 0)
        return 0;
    qsort(results->pairs, results->n, sizeof(*results->pairs), tk_pair_cmp);
    return move_distance(results, results->pairs[0].key == 0 ? 0 : results->n, place_of_duration);
}

double tk_distance_ratios(const struct tk_results *results)
{
    if (results->n == 0)
        return 0;
    size_t last = results->n - 1;
    qsort(results->pairs, results->n, sizeof(*results->pairs), tk_pair_cmp);
    bool has_null = results->pairs[last].key == TK_KEY_NULL;
    return move_distance(results, has_null ? last : results->n, place_of_ratio);
}
