/* SPDX-License-Identifier: Apache-2.0 */
/* The sections of timing, of any bytes, for sixty traces of four spans: the first byte says whether
 * they are tables or numbers, the next ones how long each section of numbers is, and of windows. */
#include <stddef.h>
#include <stdint.h>

#include "codec/timing.h"

#define TRACES   60
#define NODES    (4 * TRACES)
#define SECTIONS 9 /* base level, seven planes, the rest */

/* Take a section of `n` bytes, or of all that is left. */
static void take(struct tk_block *block, tk_str *rest, uint32_t type, size_t n)
{
    tk_str bytes = {rest->p, n < rest->n ? n : rest->n};
    *rest = (tk_str){rest->p + bytes.n, rest->n - bytes.n};
    block->sections[block->section_count++] = (struct tk_section){.type = type, .bytes = bytes};
}

static void split(const uint8_t *data, size_t size, struct tk_block *block)
{
    bool is_tables = data[0] & 1;
    tk_str rest = {(const char *)data + 2 + SECTIONS, size - 2 - SECTIONS};
    tk_str unit = {"\1", 1};
    take(block, &unit, TK_SECTION_ARRIVALS, 1);
    take(block, &rest, TK_SECTION_TIME_WINDOWS, data[1 + SECTIONS]);
    for (size_t i = 0; i < (is_tables ? 1 : SECTIONS); i++) {
        uint32_t type = i == 0 ? TK_SECTION_TIME_BASE : TK_SECTION_TIME_PLANE + (uint32_t)i - 1;
        type = is_tables ? TK_SECTION_TIME_TABLES : i == 8 ? TK_SECTION_TIME_REST : type;
        take(block, &rest, type, is_tables ? rest.n : data[1 + i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint32_t ends[TRACES], symbols[NODES], sizes[NODES];
    static int64_t starts[NODES], durations[NODES], trace_starts[TRACES];
    for (uint32_t i = 0; i < NODES; i++) {
        ends[i / 4] = i / 4 * 4 + 4;
        sizes[i] = i % 4 == 0 ? 4 : i % 4 == 1 && i % 8 == 1 ? 2 : 1;
        symbols[i] = i % 4;
    }
    struct tk_forest forest = {.tick_ns = 1,
                               .trace_count = TRACES,
                               .trace_ends = ends,
                               .trace_starts = trace_starts,
                               .node_count = NODES,
                               .node_symbols = symbols,
                               .sizes = sizes,
                               .starts = starts,
                               .durations = durations};
    struct tk_timing_report report;
    struct tk_block block = {0};
    struct tk_err err;
    if (size <= 2 + SECTIONS)
        return 0;
    split(data, size, &block);
    (void)!tk_timing_decode(&block, 1, data[0] & 2, &forest, &report, &err);
    return 0;
}
