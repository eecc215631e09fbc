/* SPDX-License-Identifier: Apache-2.0 */
/* TraceQL, JSON tags and Go's durations: what comes in the query of a URL. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "serve/traceql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tk_err err;
    struct tk_arena scratch;
    struct tk_api_search search = {.limit = 1};
    struct tk_traceql *query = NULL;
    struct tk_attr_condition condition;
    const tk_str text = {(const char *)data, size};
    uint8_t id[16];
    int64_t ns;
    if (tk_arena_init(&scratch, (size_t)1 << 20, &err) < 0)
        return 0;
    if (tk_traceql_parse(text, &search, &scratch, &query, &err) == 0 &&
        (query->count == 0 || query->count > TK_TRACEQL_MAX ||
         query->alternatives->query.condition_count > TK_API_CONDITIONS))
        abort();
    tk_traceql_free(query);
    (void)!tk_api_search_add_json(&search, "tags", text, &scratch, &err);
    (void)!tk_api_search_check(&search, "limit", "min", "max", &err);
    (void)!tk_attr_condition_parse(text, &condition, &err);
    (void)!tk_api_trace_id(text, id, &err);
    if (tk_go_duration_parse(text, &ns) && ns < 0)
        abort();
    tk_arena_release(&scratch);
    return 0;
}
