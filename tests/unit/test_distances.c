/* SPDX-License-Identifier: Apache-2.0 */
/* The golden vectors of trace-fidelity.md section 4, and what the strict distances make of them. */
#include "fidelity/distances.h"

#include "fidelity/queries.h"
#include "tk_test.h"

#define KEYS_MAX 400

/* Results by hand. */
struct made {
    struct tk_pair pairs[KEYS_MAX];
    double scratch[4 * (KEYS_MAX + 1)];
    struct tk_results results;
};

static struct tk_pair *made_pair(struct made *made, uint64_t key)
{
    for (size_t i = 0; i < made->results.n; i++) {
        if (made->pairs[i].key == key)
            return &made->pairs[i];
    }
    assert_true(made->results.n < KEYS_MAX);
    struct tk_pair *pair = &made->pairs[made->results.n++];
    *pair = (struct tk_pair){.key = key};
    return pair;
}

static void made_add(struct made *made, int side, uint64_t key, double value)
{
    struct tk_pair *pair = made_pair(made, key);
    pair->values[side] = value;
    pair->has |= (uint8_t)(1U << side);
}

/* Read "1:3 2:1"; N is NULL, a and b are keys too. */
static void made_read(struct made *made, int side, const char *text)
{
    tk_str rest = tk_str_from(text);
    tk_str word;
    while (tk_str_take_word(&rest, &word)) {
        uint64_t key = *word.p == 'N' ? TK_KEY_NULL : (uint64_t)(unsigned char)*word.p;
        assert_true(word.n == 3 && word.p[1] == ':');
        made_add(made, side, key, word.p[2] - '0');
    }
}

static struct made *make(const char *a, const char *b)
{
    static struct made made;
    made.results = (struct tk_results){made.pairs, 0, made.scratch};
    made_read(&made, 0, a);
    made_read(&made, 1, b);
    return &made;
}

static void compatible_distances_are_those_of_the_page(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        double distance;
    } cases[] = {
        {"1:1 2:1", "3:1 4:1", 0},
        {"1:3 2:1", "1:1 2:3", 0},
        {"1:1 2:1", "1:3 2:1", 0.25},
        {"a:2 b:2", "a:1 c:3", 1.0 / 6},
        {"1:5", "3:1 4:1 5:1 6:1", 0.3},
        {"1:0 2:0", "1:2 3:2", 1.0 / 3},
        {"1:0 2:0", "1:0 3:0", 0},
        {"N:1 0:1 1:2", "N:3 0:1", 0.25},
        {"0:4 1:2 N:3", "0:4 1:2", 4.0 / 27},
        {"N:1", "N:3", 0},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        const struct made *made = make(cases[i].a, cases[i].b);
        assert_near(tk_distance_compat(&made->results, true), cases[i].distance, 1e-15);
        made = make(cases[i].b, cases[i].a);
        assert_near(tk_distance_compat(&made->results, true), cases[i].distance, 1e-15);
    }
}

static void null_is_a_key_like_others_where_keys_are_no_ratios(void **state)
{
    (void)state;
    const struct made *made = make("N:1 0:1 1:2", "N:3 0:1");
    assert_near(tk_distance_compat(&made->results, false), 1.0 / 6, 1e-15);
}

/* More keys than are sorted by comparing, of both signs. */
static void many_values_are_sorted_as_few_are(void **state)
{
    (void)state;
    struct made *made = make("", "");
    for (uint64_t key = 0; key < KEYS_MAX; key++) {
        double value = (double)(key * 7919 % KEYS_MAX) - 10;
        made_add(made, 0, key, value);
        made_add(made, 1, key, 3 * ((double)(key * 104729 % KEYS_MAX) - 10));
    }
    assert_near(tk_distance_compat(&made->results, false), 0, 1e-15);
    made_add(made, 1, 5, made->pairs[5].values[1] + 1000);
    assert_true(tk_distance_compat(&made->results, false) > 1e-6);
}

static void strict_distances_see_keys(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        double counts, shares, relative;
    } cases[] = {
        {"1:1 2:1", "1:1 2:1", 0, 0, 0},
        {"1:1 2:1", "3:1 4:1", 1, 1, 1},
        {"1:3 2:1", "1:1 2:3", 0.5, 0.5, 0.5},
        {"1:1 2:1", "1:2 2:2", 1.0 / 3, 0, 1.0 / 3},
        {"1:4", "1:2 2:2", 0.5, 0.5, (1.0 / 3 + 1) / 2},
        {"1:0 2:3", "1:0 2:1", 0.5, 0, 0.25},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        const struct made *made = make(cases[i].a, cases[i].b);
        assert_near(tk_distance_counts(&made->results), cases[i].counts, 1e-15);
        assert_near(tk_distance_shares(&made->results), cases[i].shares, 1e-15);
        assert_near(tk_distance_relative(&made->results), cases[i].relative, 1e-15);
    }
}

struct moved {
    uint64_t a[3], b[3]; /* keys, each once; 1 ends */
    double distance;
};

static double distance_of(const struct moved *moved, double (*distance)(const struct tk_results *))
{
    struct made *made = make("", "");
    for (size_t i = 0; i < 3 && moved->a[i] != 1; i++)
        made_add(made, 0, moved->a[i], 1);
    for (size_t i = 0; i < 3 && moved->b[i] != 1; i++)
        made_add(made, 1, moved->b[i], 1);
    return distance(&made->results);
}

static void durations_cost_by_how_often_they_double(void **state)
{
    (void)state;
    static const struct moved cases[] = {
        {{1000, 1}, {1000, 1}, 0},
        {{1000, 1}, {2000, 1}, 0.25},
        {{1024, 4096, 1}, {2048, 8192, 1}, 0.25},
        {{1024, 4096, 1}, {1024, 16384, 1}, 0.25},
        {{1024, 1}, {1024 * 1024, 1}, 1},
        {{0, 1}, {1000, 1}, 1},
        {{0, 1}, {0, 1}, 0},
        {{0, 1000, 1}, {1000, 1}, 0.5},
        {{0, 1000, 1}, {0, 4000, 1}, 0.25},
        {{0, 1000, 4000}, {0, 2000, 1}, 1.0 / 6 + 0.5 / 4},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++)
        assert_near(distance_of(&cases[i], tk_distance_durations), cases[i].distance, 1e-12);
}

static void ratios_cost_by_their_steps(void **state)
{
    (void)state;
    static const struct moved cases[] = {
        {{TK_RATIO_ZERO, 1}, {TK_RATIO_ZERO - TK_RATIO_STEPS, 1}, 0.25},
        {{TK_KEY_NULL, 1}, {TK_RATIO_ZERO, 1}, 1},
        {{TK_KEY_NULL, 1}, {TK_KEY_NULL, 1}, 0},
        {{TK_KEY_NULL, TK_RATIO_ZERO, 1}, {TK_RATIO_ZERO + TK_RATIO_STEPS, TK_KEY_NULL, 1}, 0.125},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++)
        assert_near(distance_of(&cases[i], tk_distance_ratios), cases[i].distance, 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compatible_distances_are_those_of_the_page),
        cmocka_unit_test(null_is_a_key_like_others_where_keys_are_no_ratios),
        cmocka_unit_test(many_values_are_sorted_as_few_are),
        cmocka_unit_test(strict_distances_see_keys),
        cmocka_unit_test(durations_cost_by_how_often_they_double),
        cmocka_unit_test(ratios_cost_by_their_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
