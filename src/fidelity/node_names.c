/* SPDX-License-Identifier: Apache-2.0 */
#include "fidelity/node_names.h"

#include <errno.h>
#include <stdlib.h>

/* How many spans of a service the trace had so far. */
struct service_count {
    uint32_t trace; /* + 1, of which `count` is; others count 0 */
    uint32_t count;
};

int tk_node_names_new(const struct tk_sides *sides, int side, uint64_t **ret_names,
                      struct tk_err *err)
{
    const struct tk_span_table *table = sides->tables[side];
    struct service_count *counts = calloc(sides->texts + (size_t)1, sizeof(*counts));
    uint64_t *names = malloc((table->rows + (size_t)1) * sizeof(*names));
    if (!counts || !names) {
        free(counts);
        free(names);
        return tk_fail(err, -ENOMEM, "names of spans: out of memory");
    }
    uint32_t row = 0;
    for (uint32_t trace = 0; trace < table->traces; trace++) {
        for (; row < table->trace_ends[trace]; row++) {
            uint32_t service = tk_sides_text(sides, side, table->services[row]);
            struct service_count *of = &counts[service];
            if (of->trace != trace + 1)
                *of = (struct service_count){.trace = trace + 1};
            names[row] = (uint64_t)service << 32 | of->count++;
        }
    }
    free(counts);
    *ret_names = names;
    return 0;
}
