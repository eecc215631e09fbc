/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/zoneinfo: for each zone of each memory node a head and, among much else, its pages:
 *
 *     Node 0, zone   Normal
 *       pages free     2669175
 *             min      13464
 *             low      16830
 *             high     20196
 *             managed  3047424
 *
 * The zones of a node are added up. When free pages fall to "low" the kernel begins to reclaim, and
 * at "min" those who want memory have to do so themselves. */
#include <errno.h>

#include "base/checked.h"
#include "collect/host_sources.h"
#include "collect/kernel_text.h"

/* "Node 0, zone   Normal" */
static bool take_head(tk_str line, int64_t *ret_node)
{
    tk_str number;
    return tk_str_take_prefix(&line, TK_STR("Node ")) && tk_str_take_until(&line, ',', &number) &&
           tk_parse_i64(number, ret_node) && *ret_node >= 0;
}

static struct tk_host_memory_node *find_node(struct tk_host_memory_nodes *nodes, int64_t id)
{
    for (size_t i = 0; i < nodes->count; i++) {
        if (nodes->items[i].id == id)
            return &nodes->items[i];
    }
    if (nodes->count == TK_HOST_NODES_MAX)
        return NULL;
    nodes->items[nodes->count] = (struct tk_host_memory_node){.id = id};
    return &nodes->items[nodes->count++];
}

/* A line of pages: which of them, and how many. */
static void take_pages(tk_str line, struct tk_host_memory_node *node)
{
    static const struct {
        tk_str name;
        size_t offset;
    } kinds[] = {
        {{"pages free", 10}, offsetof(struct tk_host_memory_node, free_pages)},
        {{"min ", 4}, offsetof(struct tk_host_memory_node, min_pages)},
        {{"low ", 4}, offsetof(struct tk_host_memory_node, low_pages)},
        {{"high ", 5}, offsetof(struct tk_host_memory_node, high_pages)},
        {{"managed ", 8}, offsetof(struct tk_host_memory_node, managed_pages)},
    };
    line = tk_str_trim(line);
    for (size_t i = 0; i < TK_COUNTOF(kinds); i++) {
        int64_t pages;
        tk_str rest = line;
        if (!tk_str_take_prefix(&rest, kinds[i].name) || !tk_scan_counter(&rest, &pages))
            continue;
        char *field = (char *)node + kinds[i].offset;
        int64_t *sum = (int64_t *)(void *)field;
        if (!tk_add_i64(*sum, pages, sum))
            *sum = INT64_MAX;
        return;
    }
}

int tk_host_zoneinfo_parse(tk_str text, size_t index, struct tk_host_reading *reading,
                           struct tk_err *err)
{
    (void)index;
    struct tk_host_memory_nodes *nodes = &reading->nodes;
    struct tk_host_memory_node *node = NULL;
    tk_str line;
    nodes->count = 0;
    bool any = false;
    while (tk_str_take_line(&text, &line)) {
        int64_t id;
        if (take_head(line, &id)) {
            node = find_node(nodes, id);
            any = true;
        } else if (node) {
            take_pages(line, node);
        }
    }
    return any ? 0 : tk_fail(err, -EBADMSG, "no line \"Node 0, zone Normal\"");
}
