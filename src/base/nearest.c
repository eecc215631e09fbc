/* SPDX-License-Identifier: Apache-2.0 */
#include "base/nearest.h"

#include <stdbool.h>
#include <string.h>

#define WORD_MAX 32

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Edits between two words of at most WORD_MAX bytes: the distance of Damerau and Levenshtein, in
 * which no part is edited twice. Rows of the table are prefixes of `a`, columns those of `b`. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t rows[3][WORD_MAX + 1];
    for (size_t j = 0; j <= b_len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i + 2) % 3];
        const size_t *above2 = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t replaced = above[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = smaller(replaced, 1 + smaller(above[j], row[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = smaller(row[j], above2[j - 2] + 1);
        }
    }
    return rows[a_len % 3][b_len];
}

const char *tk_nearest_find(const char *given, const char *const *words, size_t count)
{
    const char *nearest = NULL;
    size_t given_len = strlen(given);
    size_t least = given_len / 3 + 1; /* more edits than one in three letters are another word */
    if (given_len < 2 || given_len > WORD_MAX)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(words[i]);
        if (len > WORD_MAX)
            continue;
        bool begins = strncmp(words[i], given, given_len) == 0;
        size_t edits = begins ? 0 : distance(given, given_len, words[i], len);
        if (edits < least) {
            least = edits;
            nearest = words[i];
        }
    }
    return nearest;
}
