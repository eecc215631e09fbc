/* SPDX-License-Identifier: Apache-2.0 */
/* The sections of the exact end of a block, of any bytes, for a small forest: the first two bytes
 * say where the ids and the details end, the rest are texts. */
#include <stddef.h>
#include <stdint.h>

#include "codec/exact.h"

#define NODES 6

static void decode(const struct tk_block *block, const struct tk_forest *forest,
                   struct tk_span_batch *batch)
{
    struct tk_err err;
    struct tk_exact_decoder *decoder = NULL;
    int rc = tk_exact_decoder_new(block, forest, &decoder, &err);
    for (uint32_t node = 0; rc == 0 && node < NODES; node++) {
        rc = tk_span_batch_begin(batch);
        rc = rc < 0 ? rc : tk_exact_decode_node(decoder, node / 3, node, batch, &err);
    }
    tk_exact_decoder_free(decoder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint32_t ends[] = {3, NODES}, symbols[NODES] = {0, 1, 1, 0, 0, 1};
    static uint32_t sizes[] = {3, 1, 1, 2, 1, 1};
    static int64_t starts[NODES], durations[] = {9, 8, 7, 6, 5, 4};
    static struct tk_symbol names[2] = {{.kind = 2}, {.kind = 3, .orphan = 1}};
    struct tk_forest forest = {.symbols = names,
                               .symbol_count = 2,
                               .tick_ns = 1000,
                               .trace_count = 2,
                               .trace_ends = ends,
                               .trace_starts = starts,
                               .node_count = NODES,
                               .node_symbols = symbols,
                               .sizes = sizes,
                               .starts = starts,
                               .durations = durations};
    struct tk_span_batch *batch = NULL;
    struct tk_err err;
    if (size < 2 || tk_texts_init(&forest.dictionary, 1024, &err) < 0)
        return 0;
    tk_str rest = {(const char *)data + 2, size - 2};
    size_t ids = data[0] < rest.n ? data[0] : rest.n;
    size_t details = data[1] < rest.n - ids ? data[1] : rest.n - ids;
    const struct tk_block block = {
        .sections = {{.type = TK_SECTION_IDS, .bytes = {rest.p, ids}},
                     {.type = TK_SECTION_DETAILS, .bytes = {rest.p + ids, details}},
                     {.type = TK_SECTION_EXACT_TEXTS,
                      .bytes = {rest.p + ids + details, rest.n - ids - details}}},
        .section_count = 2 + (ids + details < rest.n)};
    if (tk_span_batch_new(NODES, &batch, &err) == 0)
        decode(&block, &forest, batch);
    tk_span_batch_free(batch);
    tk_texts_release(&forest.dictionary);
    return 0;
}
