/* SPDX-License-Identifier: Apache-2.0 */
#include "fidelity/cells.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define FIRST_CELLS 256

void tk_cells_release(struct tk_cells *cells)
{
    free(cells->items);
    free(cells->slots);
    *cells = (struct tk_cells){0};
}

void tk_cells_reset(struct tk_cells *cells)
{
    if (cells->slots)
        memset(cells->slots, 0, ((size_t)cells->mask + 1) * sizeof(*cells->slots));
    cells->count = 0;
}

static bool keys_equal(const struct tk_cell_key *a, const struct tk_cell_key *b)
{
    return a->part[0] == b->part[0] && a->part[1] == b->part[1] && a->part[2] == b->part[2];
}

/* The slot that holds the key, or the free one where it would go. */
static uint32_t slot_of(const struct tk_cells *cells, const struct tk_cell_key *key)
{
    uint64_t hash = tk_hash_mix(tk_hash_mix((uint64_t)key->part[0], (uint64_t)key->part[1]),
                                (uint64_t)key->part[2]);
    uint32_t slot = (uint32_t)hash & cells->mask;
    while (cells->slots[slot] && !keys_equal(&cells->items[cells->slots[slot] - 1].key, key))
        slot = (slot + 1) & cells->mask;
    return slot;
}

/* Twice the room, slots twice as many as cells. */
static int grow(struct tk_cells *cells)
{
    if (cells->max > UINT32_MAX / 4)
        return -ENOMEM;
    uint32_t max = cells->max ? cells->max * 2 : FIRST_CELLS;
    struct tk_cell *items = realloc(cells->items, max * sizeof(*items));
    if (!items)
        return -ENOMEM;
    cells->items = items;
    uint32_t *slots = calloc((size_t)max * 2, sizeof(*slots));
    if (!slots)
        return -ENOMEM;
    free(cells->slots);
    cells->slots = slots;
    cells->max = max;
    cells->mask = max * 2 - 1;
    for (uint32_t i = 0; i < cells->count; i++)
        cells->slots[slot_of(cells, &items[i].key)] = i + 1;
    return 0;
}

uint32_t tk_cells_add(struct tk_cells *cells, const struct tk_cell_key *key, int side,
                      double amount)
{
    if (cells->failure == 0 && cells->count == cells->max)
        cells->failure = grow(cells);
    if (cells->failure < 0)
        return TK_CELL_NONE;
    uint32_t *slot = &cells->slots[slot_of(cells, key)];
    if (*slot == 0) {
        cells->items[cells->count++] = (struct tk_cell){.key = *key};
        *slot = cells->count;
    }
    cells->items[*slot - 1].sums[side] += amount;
    return *slot - 1;
}

uint32_t tk_cells_find(const struct tk_cells *cells, const struct tk_cell_key *key)
{
    return cells->count > 0 ? cells->slots[slot_of(cells, key)] - 1 : TK_CELL_NONE;
}

int tk_cells_check(const struct tk_cells *cells, struct tk_err *err)
{
    return cells->failure < 0 ? tk_fail(err, cells->failure, "comparison: out of memory") : 0;
}

static int by_key(const void *a, const void *b)
{
    const struct tk_cell *x = a;
    const struct tk_cell *y = b;
    for (int i = 0; i < 3; i++) {
        if (x->key.part[i] != y->key.part[i])
            return x->key.part[i] < y->key.part[i] ? -1 : 1;
    }
    return 0;
}

void tk_cells_sort(struct tk_cells *cells)
{
    if (cells->count > 0)
        qsort(cells->items, cells->count, sizeof(*cells->items), by_key);
}

double tk_cells_f1(const struct tk_cells *cells)
{
    uint64_t both = 0;
    uint64_t one = 0;
    for (uint32_t i = 0; i < cells->count; i++) {
        const double *sums = cells->items[i].sums;
        both += sums[TK_SIDE_A] > 0 && sums[TK_SIDE_B] > 0;
        one += (sums[TK_SIDE_A] > 0) != (sums[TK_SIDE_B] > 0);
    }
    return both + one > 0 ? 2.0 * (double)both / (double)(2 * both + one) : (double)NAN;
}

void tk_samples_release(struct tk_samples *samples)
{
    free(samples->items);
    *samples = (struct tk_samples){0};
}

void tk_samples_add(struct tk_samples *samples, uint32_t cell, double value, double weight)
{
    if (samples->count == samples->max && samples->failure == 0) {
        size_t max = samples->max ? samples->max * 2 : FIRST_CELLS;
        struct tk_sample *items = realloc(samples->items, max * sizeof(*items));
        samples->failure = items ? 0 : -ENOMEM;
        samples->items = items ? items : samples->items;
        samples->max = items ? max : samples->max;
    }
    if (samples->failure == 0)
        samples->items[samples->count++] = (struct tk_sample){cell, value, weight};
}

int tk_samples_check(const struct tk_samples *samples, struct tk_err *err)
{
    return samples->failure < 0 ? tk_fail(err, samples->failure, "comparison: out of memory") : 0;
}

static int by_cell(const void *a, const void *b)
{
    const struct tk_sample *x = a;
    const struct tk_sample *y = b;
    if (x->cell != y->cell)
        return x->cell < y->cell ? -1 : 1;
    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    return (x->weight > y->weight) - (x->weight < y->weight);
}

/* Many samples are sorted byte by byte of what they are sorted by, the last byte first: bytes that
 * all share, which are most of whole numbers and of weights, cost nothing. */
#define KEY_WORDS   3
#define KEY_BYTES   (KEY_WORDS * sizeof(uint64_t))
#define RADIX_LEAST 512 /* samples that are worth counting bytes */

/* Doubles as numbers in the same order. */
static uint64_t order_of(double value)
{
    uint64_t bits;
    value += 0.0; /* both zeros are one */
    memcpy(&bits, &value, sizeof(bits));
    return bits ^ (bits >> 63 ? UINT64_MAX : UINT64_C(1) << 63);
}

static uint64_t key_word(const struct tk_sample *sample, size_t word)
{
    return word == 0   ? order_of(sample->weight)
           : word == 1 ? order_of(sample->value)
                       : sample->cell;
}

/* How often each byte of the keys has each value. */
static void count_bytes(const struct tk_samples *samples, size_t counts[KEY_BYTES][256])
{
    for (size_t i = 0; i < samples->count; i++) {
        for (size_t word = 0; word < KEY_WORDS; word++) {
            uint64_t key = key_word(&samples->items[i], word);
            for (size_t byte = 0; byte < sizeof(key); byte++)
                counts[word * sizeof(key) + byte][key >> 8 * byte & 255]++;
        }
    }
}

/* By one byte of the keys, keeping the order of those that share it. */
static void place_by_byte(const struct tk_sample *from, size_t n, struct tk_sample *to, size_t byte,
                          size_t counts[256])
{
    size_t at = 0;
    for (size_t i = 0; i < 256; i++) {
        size_t count = counts[i];
        counts[i] = at;
        at += count;
    }
    for (size_t i = 0; i < n; i++) {
        uint64_t key = key_word(&from[i], byte / sizeof(key));
        to[counts[key >> 8 * (byte % sizeof(key)) & 255]++] = from[i];
    }
}

/* False without memory. */
static bool sort_by_bytes(struct tk_samples *samples)
{
    size_t counts[KEY_BYTES][256] = {{0}};
    struct tk_sample *spare = malloc(samples->max * sizeof(*spare));
    if (!spare)
        return false;
    count_bytes(samples, counts);
    for (size_t byte = 0; byte < KEY_BYTES; byte++) {
        uint64_t first = key_word(samples->items, byte / sizeof(first));
        if (counts[byte][first >> 8 * (byte % sizeof(first)) & 255] == samples->count)
            continue;
        place_by_byte(samples->items, samples->count, spare, byte, counts[byte]);
        struct tk_sample *sorted = spare;
        spare = samples->items;
        samples->items = sorted;
    }
    free(spare);
    return true;
}

void tk_samples_sort(struct tk_samples *samples)
{
    if (samples->count >= RADIX_LEAST && sort_by_bytes(samples))
        return;
    if (samples->count > 0)
        qsort(samples->items, samples->count, sizeof(*samples->items), by_cell);
}

struct tk_sample_run tk_samples_of(const struct tk_samples *samples, uint32_t cell, size_t *at)
{
    while (*at < samples->count && samples->items[*at].cell < cell)
        (*at)++;
    size_t begin = *at;
    while (*at < samples->count && samples->items[*at].cell == cell)
        (*at)++;
    if (*at == begin)
        return (struct tk_sample_run){0};
    return (struct tk_sample_run){&samples->items[begin], *at - begin};
}

static double total_of(const struct tk_sample_run *run)
{
    double total = 0;
    for (size_t i = 0; i < run->count; i++)
        total += run->items[i].weight;
    return total;
}

double tk_samples_w1(const struct tk_sample_run *a, const struct tk_sample_run *b)
{
    double total_a = total_of(a);
    double total_b = total_of(b);
    double done_a = 0;
    double done_b = 0;
    double distance = 0;
    double last = 0;
    size_t i = 0;
    size_t k = 0;
    while (i < a->count || k < b->count) {
        bool from_a = k == b->count || (i < a->count && a->items[i].value <= b->items[k].value);
        const struct tk_sample *next = from_a ? &a->items[i++] : &b->items[k++];
        if (i + k > 1)
            distance += fabs(done_a / total_a - done_b / total_b) * (next->value - last);
        *(from_a ? &done_a : &done_b) += next->weight;
        last = next->value;
    }
    return distance;
}

double tk_samples_quantile(const struct tk_sample_run *run, double q)
{
    const struct tk_sample *items = run->items;
    size_t last = run->count - 1;
    double half = (items[0].weight + items[last].weight) / 2;
    double target = q * (total_of(run) - half) + items[0].weight / 2;
    double place = items[0].weight / 2;
    for (size_t i = 1; i <= last; i++) {
        double step = (items[i - 1].weight + items[i].weight) / 2;
        if (place + step > target) {
            return items[i - 1].value +
                   (items[i].value - items[i - 1].value) * ((target - place) / step);
        }
        place += step;
    }
    return items[last].value;
}

double tk_mean_of(const struct tk_mean *mean)
{
    return mean->count > 0 ? mean->sum / (double)mean->count : (double)NAN;
}
