/* SPDX-License-Identifier: Apache-2.0 */
#include "fidelity/sides.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/number.h"

/* A text of a table, to be sorted. */
struct place {
    tk_str text;
    uint32_t *number; /* in `numbers` of its side */
};

static int by_text(const void *a, const void *b)
{
    return tk_str_cmp(((const struct place *)a)->text, ((const struct place *)b)->text);
}

int tk_sides_init(struct tk_sides *sides, const struct tk_span_table *a,
                  const struct tk_span_table *b, const struct tk_measure_options *options,
                  struct tk_err *err)
{
    *sides = (struct tk_sides){.tables = {a, b}, .sample_of = options->sample_of};
    struct place *places = malloc(((size_t)a->texts.count + b->texts.count + 1) * sizeof(*places));
    size_t count = 0;
    bool whole = places;
    for (int side = 0; side < TK_SIDES && whole; side++) {
        const struct tk_texts *texts = &sides->tables[side]->texts;
        sides->numbers[side] = malloc((texts->count + (size_t)1) * sizeof(uint32_t));
        whole = sides->numbers[side];
        for (uint32_t i = 0; whole && i < texts->count; i++)
            places[count++] = (struct place){tk_texts_get(texts, i), &sides->numbers[side][i]};
    }
    if (!whole) {
        free(places);
        tk_sides_release(sides);
        return tk_fail(err, -ENOMEM, "comparison: out of memory");
    }
    qsort(places, count, sizeof(*places), by_text);
    for (size_t i = 0; i < count; i++) {
        sides->texts += i == 0 || !tk_str_eq(places[i].text, places[i - 1].text);
        *places[i].number = sides->texts - 1;
    }
    free(places);
    return 0;
}

void tk_sides_release(struct tk_sides *sides)
{
    for (int side = 0; side < TK_SIDES; side++) {
        free(sides->numbers[side]);
        sides->numbers[side] = NULL;
    }
}

tk_str tk_seconds_text(int64_t ns, char text[TK_SECONDS_MAX])
{
    size_t n = tk_f64_format((double)ns / 1e9, TK_SHORTEST, text);
    text[n++] = ' ';
    text[n++] = 's';
    return (tk_str){text, n};
}
