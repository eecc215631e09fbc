/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/kernel_text.h"

static int64_t *field_of(void *object, size_t offset)
{
    return (int64_t *)(void *)((char *)object + offset);
}

/* The key that starts `line`, looked for from `hint` on and around; `count` when there is none. */
static size_t find_key(tk_str line, const struct tk_scan_key *keys, size_t count, size_t hint)
{
    for (size_t i = 0; i < count; i++) {
        size_t k = hint + i < count ? hint + i : hint + i - count;
        if (line.n > 0 && line.p[0] == keys[k].name.p[0] && tk_str_starts_with(line, keys[k].name))
            return k;
    }
    return count;
}

size_t tk_scan_keys(tk_str text, const struct tk_scan_key *keys, size_t count, void *ret)
{
    for (size_t i = 0; i < count; i++)
        *field_of(ret, keys[i].offset) = -1;

    size_t found = 0;
    size_t hint = 0;
    tk_str line;
    while (found < count && tk_str_take_line(&text, &line)) {
        size_t k = find_key(line, keys, count, hint);
        if (k == count)
            continue;
        int64_t *field = field_of(ret, keys[k].offset);
        tk_str value = {line.p + keys[k].name.n, line.n - keys[k].name.n};
        if (*field < 0 && tk_scan_counter(&value, field))
            found++;
        hint = k + 1 < count ? k + 1 : 0;
    }
    return found;
}
