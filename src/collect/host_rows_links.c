/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of link_metrics. */
#include <string.h>

#include "collect/host_internal.h"
#include "collect/host_values.h"

static const struct tk_host_link *find_link(const struct tk_host_links *links, const char *name,
                                            size_t hint)
{
    for (size_t i = 0; i < links->count; i++) {
        const struct tk_host_link *link = &links->items[(hint + i) % links->count];
        if (strcmp(link->name, name) == 0)
            return link;
    }
    return NULL;
}

/* What is remembered of a link; NULL when there are too many. */
static struct tk_known_link *known_link(struct tk_host *host, const char *name, size_t hint)
{
    for (size_t i = 0; i < host->link_count; i++) {
        struct tk_known_link *known = &host->links[(hint + i) % host->link_count];
        if (strcmp(known->name, name) == 0)
            return known;
    }
    if (host->link_count == TK_COUNTOF(host->links))
        return NULL;
    struct tk_known_link *known = &host->links[host->link_count++];
    memcpy(known->name, name, strlen(name) + 1);
    return known;
}

static bool is_wanted(struct tk_host *host, const struct tk_host_link *now,
                      const struct tk_host_link *before, size_t hint)
{
    if (strcmp(now->name, host->options.iface) == 0)
        return true;
    struct tk_known_link *known = known_link(host, now->name, hint);
    if (!known)
        return false;
    known->active = known->active || now->rx_packets != before->rx_packets ||
                    now->tx_packets != before->tx_packets;
    return known->active;
}

/* "NODE.nic" for the NIC of the run, "NODE.IFACE" for others. */
static void put_link_name(const struct tk_host *host, struct tk_batch *row, const char *name)
{
    char text[256 + TK_HOST_LINK_NAME];
    tk_str tail = strcmp(name, host->options.iface) == 0 ? TK_STR("nic") : tk_str_from(name);
    size_t n = strnlen(host->options.node, 255);
    memcpy(text, host->options.node, n);
    text[n++] = '.';
    memcpy(text + n, tail.p, tail.n);
    tk_batch_set_text(row, TK_LINK_METRICS_LINK, (tk_str){text, n + tail.n});
}

static void put_link(struct tk_host *host, struct tk_rows *rows, const struct tk_host_span *span,
                     const struct tk_host_link *now, const struct tk_host_link *before)
{
    int64_t rx = tk_host_delta(now->rx_bytes, before->rx_bytes);
    int64_t tx = tk_host_delta(now->tx_bytes, before->tx_bytes);
    if (rx < 0 || tx < 0)
        return;
    struct tk_batch *row = tk_rows_begin(rows, TK_TABLE_LINK_METRICS);
    int64_t ns = tk_host_epoch_ns(host, span);
    tk_batch_set_i64(row, TK_LINK_METRICS_TS_MS, ns / TK_NS_PER_MS);
    tk_batch_set_i64(row, TK_LINK_METRICS_TS_US, ns / TK_NS_PER_US);
    tk_batch_set_text(row, TK_LINK_METRICS_NODE, tk_str_from(host->options.node));
    tk_batch_set_text(row, TK_LINK_METRICS_STAGE, tk_str_from(host->options.stage));
    tk_batch_set_text(row, TK_LINK_METRICS_HOST, tk_str_from(host->options.host));
    tk_batch_set_text(row, TK_LINK_METRICS_IFACE, tk_str_from(now->name));
    put_link_name(host, row, now->name);
    tk_batch_set_i64(row, TK_LINK_METRICS_DT_MS, span->dt_ms);
    tk_row_set_whole_rate(row, TK_LINK_METRICS_RX_BPS, rx, span->dt_us);
    tk_row_set_whole_rate(row, TK_LINK_METRICS_TX_BPS, tx, span->dt_us);
    tk_row_set_rate(row, TK_LINK_METRICS_RX_PPS, tk_host_delta(now->rx_packets, before->rx_packets),
                    span->dt_us);
    tk_row_set_rate(row, TK_LINK_METRICS_TX_PPS, tk_host_delta(now->tx_packets, before->tx_packets),
                    span->dt_us);
    tk_row_set_count(row, TK_LINK_METRICS_RX_DROP, tk_host_delta(now->rx_drop, before->rx_drop));
    tk_row_set_count(row, TK_LINK_METRICS_TX_DROP, tk_host_delta(now->tx_drop, before->tx_drop));
}

void tk_host_put_links(struct tk_host *host, struct tk_rows *rows)
{
    struct tk_host_span span = tk_host_span_of(host, TK_HOST_NET_DEV);
    if (!span.before)
        return;
    const struct tk_host_links *links = &span.now->links;
    for (size_t i = 0; i < links->count; i++) {
        const struct tk_host_link *now = &links->items[i];
        const struct tk_host_link *before = find_link(&span.before->links, now->name, i);
        if (before && is_wanted(host, now, before, i))
            put_link(host, rows, &span, now, before);
    }
}
