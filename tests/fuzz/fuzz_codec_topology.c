/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the topology sections of a block: numbers of traces and spans, then each section
 * behind its length. */
#include <stdint.h>
#include <stdlib.h>

#include "codec/topology.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t types[] = {TK_SECTION_DICTIONARY, TK_SECTION_SYMBOLS,
                                     TK_SECTION_GRAMMAR,    TK_SECTION_EVENTS,
                                     TK_SECTION_ARRIVALS,   TK_SECTION_ARRIVAL_REST};
    struct tk_err err;
    struct tk_forest forest = {0};
    struct tk_block block = {.head = {.tick_ns = 1000}};
    if (size < 2)
        return 0;
    block.head.traces = data[0];
    block.head.nodes = data[1];
    data += 2;
    size -= 2;
    for (size_t i = 0; i < TK_COUNTOF(types) && size > 0; i++) {
        size_t n = data[0] < size ? data[0] : size - 1;
        block.sections[i].type = types[i];
        block.sections[i].bytes = (tk_str){(const char *)data + 1, n};
        data += n + 1;
        size -= n + 1;
        block.section_count++;
    }
    if (tk_topology_decode(&block, 1, &forest, &err) == 0 && forest.node_count != block.head.nodes)
        abort();
    tk_forest_release(&forest);
    return 0;
}
