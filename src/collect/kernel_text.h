/* SPDX-License-Identifier: Apache-2.0 */
/* Scanning of kernel text: what all parsers of /proc and /sys files share. */
#ifndef TK_COLLECT_KERNEL_TEXT_H
#define TK_COLLECT_KERNEL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/number.h"
#include "base/str.h"

/* Skip blanks, then take an unsigned counter that ends at white space or at the end. One above
 * INT64_MAX (a kernel that counted below zero) saturates. Nothing is consumed on failure. */
static inline bool tk_scan_counter(tk_str *text, int64_t *ret)
{
    tk_str rest = *text;
    while (rest.n > 0 && (rest.p[0] == ' ' || rest.p[0] == '\t')) {
        rest.p++;
        rest.n--;
    }
    uint64_t value;
    if (!tk_scan_u64(&rest, &value))
        return false;
    if (rest.n > 0 && rest.p[0] != ' ' && rest.p[0] != '\t' && rest.p[0] != '\n')
        return false;
    *ret = value > INT64_MAX ? INT64_MAX : (int64_t)value;
    *text = rest;
    return true;
}

/* Nothing but white space is left. */
static inline bool tk_scan_at_end(tk_str text)
{
    return tk_str_trim(text).n == 0;
}

/* Take up to `cap` counters; returns how many there were. */
static inline size_t tk_scan_counters(tk_str *text, int64_t *ret, size_t cap)
{
    size_t n = 0;
    while (n < cap && tk_scan_counter(text, &ret[n]))
        n++;
    return n;
}

/* A name at the start of a line, and where its counter goes. */
struct tk_scan_key {
    tk_str name; /* with the separator, "MemTotal:" or "pgmajfault " */
    size_t offset;
};

#define TK_SCAN_KEY(literal, type, field)                                                          \
    {                                                                                              \
        {"" literal, sizeof(literal) - 1}, offsetof(type, field)                                   \
    }

/* Read the counters of the lines that start with one of `keys` into the int64_t fields of `ret`
 * and set the others to -1. Keys are searched in file order: one after the other costs one
 * comparison per line. Returns how many were found; a key without a number counts as not found. */
size_t tk_scan_keys(tk_str text, const struct tk_scan_key *keys, size_t count, void *ret);

#endif
