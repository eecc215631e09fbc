/* SPDX-License-Identifier: Apache-2.0 */
/* A platform of SimGrid (XML, version 4.1): hosts by their cores and frequency, a cycle as a
 * floating point operation, and the links of the run. */
#include <errno.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/number.h"
#include "opendc/simulators.h"
#include "run/run.h"

#define PLATFORM_MAX    ((size_t)64 << 20)
#define DEFAULT_BPS     1000000000 /* of a link whose speed is not known */
#define DEFAULT_DELAY_S 0.0001

static void put_xml(struct tk_buf *out, tk_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        switch (text.p[i]) {
        case '&':
            tk_buf_lit(out, "&amp;");
            break;
        case '<':
            tk_buf_lit(out, "&lt;");
            break;
        case '"':
            tk_buf_lit(out, "&quot;");
            break;
        default:
            tk_buf_putc(out, text.p[i]);
        }
    }
}

struct link {
    int64_t bits_per_s; /* 0 = unknown */
    double delay_s;     /* -1 = unknown */
};

/* The link of a node: that of its folder, or of nodes.json's neighbour. */
static int read_link(const struct tk_workload *workload, uint32_t node, struct link *ret,
                     struct tk_err *err)
{
    static const char *const names[] = {"cctf/links.json", "links.json"};
    const struct tk_folder *folder = &workload->folders[workload->nodes[node].folder];
    *ret = (struct link){.delay_s = -1};
    TK_CLEANUP(tk_batch_freep) struct tk_batch *meta = NULL;
    int rc = tk_object_read(folder->dirfd, "link_meta.json", &tk_schema_link_meta, &meta, err);
    if (rc == 0) {
        ret->bits_per_s = tk_batch_i64(meta, 0, TK_LINK_META_BW_BPS, 0);
        ret->delay_s = tk_batch_f64(meta, 0, TK_LINK_META_PR_S, -1);
        return 0;
    }
    for (size_t i = 0; rc == -ENOENT && i < TK_COUNTOF(names); i++) {
        TK_CLEANUP(tk_batch_freep) struct tk_batch *links = NULL;
        rc = tk_objects_read(folder->dirfd, names[i], &tk_schema_links, &links, err);
        for (size_t row = 0; rc == 0 && row < links->rows; row++) {
            if (!tk_str_eq(tk_batch_text(links, row, TK_LINKS_U), workload->nodes[node].node))
                continue;
            ret->bits_per_s = tk_batch_i64(links, row, TK_LINKS_BW_BPS, 0);
            ret->delay_s = tk_batch_f64(links, row, TK_LINKS_PR_S, -1);
        }
    }
    return rc == -ENOENT ? 0 : rc;
}

static void put_host(struct tk_buf *out, const struct tk_simulation *simulation, uint32_t index)
{
    const struct tk_node *node = &simulation->workload->nodes[index];
    tk_buf_lit(out, "    <host id=\"");
    put_xml(out, tk_str_from(simulation->node_names[index]));
    tk_buf_lit(out, "\" speed=\"");
    tk_buf_put_f64(out, node->mhz, TK_SHORTEST);
    tk_buf_printf(out, "Mf\" core=\"%lld\"/>\n", (long long)node->cores);
}

static void put_link(struct tk_buf *out, const struct tk_simulation *simulation, uint32_t index,
                     const struct link *link)
{
    bool is_known = link->bits_per_s > 0;
    if (!is_known) {
        tk_buf_printf(out, "    <!-- the speed of this link is not known: %d bit/s -->\n",
                      DEFAULT_BPS);
    }
    tk_buf_lit(out, "    <link id=\"");
    put_xml(out, tk_str_from(simulation->node_names[index]));
    tk_buf_lit(out, ".nic\" bandwidth=\"");
    tk_buf_put_i64(out, (is_known ? link->bits_per_s : DEFAULT_BPS) / 8);
    tk_buf_lit(out, "Bps\" latency=\"");
    tk_buf_put_f64(out, link->delay_s >= 0 ? link->delay_s : DEFAULT_DELAY_S, TK_SHORTEST);
    tk_buf_lit(out, "s\"/>\n");
}

/* From each host to each other through both NICs. */
static void put_route(struct tk_buf *out, const struct tk_simulation *simulation, uint32_t from,
                      uint32_t to)
{
    tk_buf_lit(out, "    <route src=\"");
    put_xml(out, tk_str_from(simulation->node_names[from]));
    tk_buf_lit(out, "\" dst=\"");
    put_xml(out, tk_str_from(simulation->node_names[to]));
    tk_buf_lit(out, "\"><link_ctn id=\"");
    put_xml(out, tk_str_from(simulation->node_names[from]));
    tk_buf_lit(out, ".nic\"/><link_ctn id=\"");
    put_xml(out, tk_str_from(simulation->node_names[to]));
    tk_buf_lit(out, ".nic\"/></route>\n");
}

static int write(const struct tk_simulation *simulation, struct tk_err *err)
{
    uint32_t count = simulation->workload->node_count;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, PLATFORM_MAX);
    tk_buf_lit(&out, "<?xml version=\"1.0\"?>\n"
                     "<!DOCTYPE platform SYSTEM \"https://simgrid.org/simgrid.dtd\">\n"
                     "<platform version=\"4.1\">\n"
                     "  <zone id=\"zone0\" routing=\"Full\">\n");
    for (uint32_t i = 0; i < count; i++)
        put_host(&out, simulation, i);
    for (uint32_t i = 0; i < count; i++) {
        struct link link;
        int rc = read_link(simulation->workload, i, &link, err);
        if (rc < 0)
            return rc;
        put_link(&out, simulation, i, &link);
    }
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = i + 1; k < count; k++)
            put_route(&out, simulation, i, k);
    }
    tk_buf_lit(&out, "  </zone>\n</platform>\n");
    int rc = tk_buf_check(&out, "platform.xml", err);
    return rc < 0 ? rc
                  : tk_file_write(simulation->dirfd, "platform.xml", tk_buf_str(&out), 0644, err);
}

const struct tk_simulator tk_simulator_simgrid = {
    .name = "simgrid",
    .help = "platform.xml, the nodes and links of the run, for SimGrid",
    .write = write,
};
