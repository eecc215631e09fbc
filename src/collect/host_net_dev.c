/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/net/dev, see proc(5): two lines of headings, then "  name: " and 16 numbers, 8 received
 * (bytes packets errs drop ...) and 8 sent. Old kernels leave no space after the colon. */
#include <errno.h>
#include <string.h>

#include "collect/host_sources.h"
#include "collect/kernel_text.h"

enum {
    NUMBERS = 16,
};

static void take_link(struct tk_host_links *links, tk_str name, const int64_t n[NUMBERS])
{
    if (links->count == TK_HOST_LINKS_MAX) {
        links->skipped++;
        return;
    }
    struct tk_host_link *link = &links->items[links->count++];
    memcpy(link->name, name.p, name.n);
    link->name[name.n] = '\0';
    link->rx_bytes = n[0];
    link->rx_packets = n[1];
    link->rx_drop = n[3];
    link->tx_bytes = n[8];
    link->tx_packets = n[9];
    link->tx_drop = n[11];
}

int tk_host_net_dev_parse(tk_str text, size_t index, struct tk_host_reading *reading,
                          struct tk_err *err)
{
    (void)index;
    struct tk_host_links *links = &reading->links;
    links->count = 0;
    links->skipped = 0;

    tk_str line;
    for (size_t i = 1; tk_str_take_line(&text, &line); i++) {
        if (i <= 2 && tk_str_find(line, '|') < line.n)
            continue;
        tk_str name;
        int64_t numbers[NUMBERS];
        size_t colon = tk_str_find_last(line, ':');
        name = tk_str_trim((tk_str){line.p, colon});
        if (colon == line.n || name.n == 0 || name.n >= TK_HOST_LINK_NAME)
            return tk_fail(err, -EBADMSG, "line %zu: expected \"NAME:\"", i);
        line = (tk_str){line.p + colon + 1, line.n - colon - 1};
        size_t n = tk_scan_counters(&line, numbers, NUMBERS);
        if (n < NUMBERS) {
            return tk_fail(err, -EBADMSG, "line %zu: %zu numbers after the name, expected %d", i, n,
                           NUMBERS);
        }
        take_link(links, name, numbers);
    }
    return 0;
}
