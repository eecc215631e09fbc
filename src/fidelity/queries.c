/* SPDX-License-Identifier: Apache-2.0 */
#include "fidelity/queries.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fidelity/queries_internal.h"

#define MAX_COMBINATIONS ((uint64_t)1 << 28)

const char *const tk_query_param_names[TK_PARAM_COUNT] = {
    [TK_PARAM_ENTRY] = "entry_point",      [TK_PARAM_SERVICE] = "service_name",
    [TK_PARAM_SERVICE2] = "service_name2", [TK_PARAM_ATTR] = "attr_name",
    [TK_PARAM_INT_ATTR] = "int_attr_name",
};

const char *const tk_query_incident_names[TK_INCIDENT_COUNT] = {
    [TK_INCIDENT_CPU_LOAD] = "cpu_load",
    [TK_INCIDENT_CRUSH] = "crush",
    [TK_INCIDENT_DISK_IO_STRESS] = "disk_io_stress",
    [TK_INCIDENT_LATENCY] = "latency",
    [TK_INCIDENT_MEMORY_STRESS] = "memory_stress",
    [TK_INCIDENT_PACKET_LOSS] = "packet_loss",
};

enum {
    NETWORK = 1U << TK_INCIDENT_CRUSH | 1U << TK_INCIDENT_PACKET_LOSS,
    LOAD = 1U << TK_INCIDENT_CPU_LOAD | 1U << TK_INCIDENT_DISK_IO_STRESS |
           1U << TK_INCIDENT_LATENCY | 1U << TK_INCIDENT_MEMORY_STRESS,
    ALL = NETWORK | LOAD
};

const struct tk_query tk_queries[TK_QUERIES] = {
    {.name = "error_traces",
     .description = "Find traces of a service that having an error",
     .incidents = NETWORK,
     .params = {TK_PARAM_ENTRY, TK_PARAM_COUNT},
     .key = TK_QUERY_BY_TIME,
     .walk = tk_query_walk_error_traces},
    {.name = "attribute_traces",
     .description = "Find traces that have a particular attribute",
     .incidents = NETWORK,
     .params = {TK_PARAM_ENTRY, TK_PARAM_ATTR},
     .key = TK_QUERY_BY_COLUMN,
     .walk = tk_query_walk_attributes},
    {.name = "system_architecture",
     .description = "Discover architecture of the whole system",
     .incidents = NETWORK,
     .params = {TK_PARAM_SERVICE, TK_PARAM_SERVICE2},
     .key = TK_QUERY_BY_TIME,
     .walk = tk_query_walk_edges},
    {.name = "bottlenecks",
     .description = "Find bottlenecks",
     .incidents = LOAD,
     .params = {TK_PARAM_ENTRY, TK_PARAM_SERVICE},
     .key = TK_QUERY_BY_RATIO,
     .walk = tk_query_walk_bottlenecks},
    {.name = "red_rate",
     .description = "RED metrics - rate",
     .incidents = ALL,
     .params = {TK_PARAM_SERVICE, TK_PARAM_COUNT},
     .key = TK_QUERY_BY_TIME,
     .walk = tk_query_walk_rates},
    {.name = "red_error",
     .description = "RED metrics - error",
     .incidents = ALL,
     .params = {TK_PARAM_SERVICE, TK_PARAM_COUNT},
     .key = TK_QUERY_BY_DURATION,
     .walk = tk_query_walk_errors},
    {.name = "red_duration",
     .description = "RED metrics - duration",
     .incidents = ALL,
     .params = {TK_PARAM_SERVICE, TK_PARAM_COUNT},
     .key = TK_QUERY_BY_DURATION,
     .walk = tk_query_walk_durations},
    {.name = "attribute_frequency",
     .description = "Frequency of an attribute",
     .incidents = ALL,
     .params = {TK_PARAM_ATTR, TK_PARAM_COUNT},
     .key = TK_QUERY_BY_COLUMN,
     .walk = tk_query_walk_frequencies},
    {.name = "attribute_max_window",
     .description = "Max value of an attribute for every 5 minute window",
     .incidents = NETWORK,
     .params = {TK_PARAM_SERVICE, TK_PARAM_INT_ATTR},
     .key = TK_QUERY_BY_TIME,
     .is_max = true,
     .walk = tk_query_walk_maxima},
    {.name = "filtered_attribute_frequency",
     .description = "Frequency of an attribute after filtering by another attribute",
     .incidents = NETWORK,
     .params = {TK_PARAM_SERVICE, TK_PARAM_ATTR},
     .key = TK_QUERY_BY_COLUMN,
     .walk = tk_query_walk_filtered},
};

const struct tk_query *tk_query_find(const char *name)
{
    for (size_t i = 0; i < TK_QUERIES; i++) {
        if (strcmp(tk_queries[i].name, name) == 0)
            return &tk_queries[i];
    }
    return NULL;
}

uint64_t tk_query_combinations(const struct tk_query_space *space, const struct tk_query *query)
{
    uint64_t count = space->counts[query->params[0]];
    if (query->params[1] != TK_PARAM_COUNT)
        count *= space->counts[query->params[1]];
    return count;
}

/* Counting ------------------------------------------------------------------------------------- */

static int make_scratch(const struct tk_query_space *space, struct tk_query_scratch *scratch,
                        struct tk_err *err)
{
    size_t entries = (size_t)space->counts[TK_PARAM_ENTRY] + 1;
    size_t rows = (size_t)space->longest + 1;
    *scratch = (struct tk_query_scratch){
        .numbers = calloc(entries, sizeof(*scratch->numbers)),
        .entries = calloc(entries, sizeof(*scratch->entries)),
        .items = calloc(rows, sizeof(*scratch->items)),
        .services = calloc(rows, sizeof(*scratch->services)),
    };
    bool ok = scratch->numbers && scratch->entries && scratch->items && scratch->services;
    return ok ? 0 : tk_fail(err, -ENOMEM, "queries: out of memory");
}

static void free_scratch(struct tk_query_scratch *scratch)
{
    free(scratch->numbers);
    free(scratch->entries);
    free(scratch->items);
    free(scratch->services);
}

int tk_query_count(const struct tk_query_space *space, const struct tk_query *query,
                   const struct tk_query_keys *keys, int sides, struct tk_pair_counts *counts,
                   struct tk_err *err)
{
    struct tk_query_scratch scratch;
    uint64_t combinations = tk_query_combinations(space, query);
    if (combinations > MAX_COMBINATIONS) {
        return tk_fail(err, -EMSGSIZE,
                       "query %s has %llu combinations of parameters: name some of the values",
                       query->name, (unsigned long long)combinations);
    }
    int rc = make_scratch(space, &scratch, err);
    tk_pair_counts_reset(counts);
    for (int side = 0; side < sides && rc == 0; side++) {
        struct tk_query_walk walk = {.space = space,
                                     .query = query,
                                     .side = &space->sides[side],
                                     .keys = *keys,
                                     .counts = counts,
                                     .scratch = &scratch};
        counts->side = side;
        query->walk(&walk);
        rc = tk_pair_counts_check(counts, err);
    }
    free_scratch(&scratch);
    return rc;
}
