/* SPDX-License-Identifier: Apache-2.0 */
/* Who is who: the nodes of all inputs by label and host, the ids that tell them apart, and the
 * documents that are about them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/merge_internal.h"

#define DOCUMENT_MAX ((size_t)4 << 20)

/* Read nodes.json or links.json of an input; an empty batch when it is missing. */
static int read_rows(const struct tk_merge_input *input, enum tk_table table,
                     struct tk_batch **ret_batch, struct tk_err *err)
{
    const char *name = tk_tables[table].cctf;
    int rc = tk_objects_read(input->cctf, name, tk_tables[table].schema, ret_batch, err);
    if (rc == -ENOENT)
        return tk_batch_new(tk_tables[table].schema, 1, 0, ret_batch, err);
    if (rc < 0)
        (void)tk_err_prefix(err, "%s", input->path);
    return rc;
}

/* Copy a row of the same schema. */
static void copy_row(struct tk_batch *to, const struct tk_batch *from, size_t row)
{
    tk_batch_begin(to);
    for (size_t i = 0; i < from->schema->column_count; i++) {
        if (tk_batch_has(from, row, i))
            tk_batch_copy_value(to, i, tk_batch_at(from, row, i));
    }
}

/* Set a text of any row. */
static void set_text_at(struct tk_batch *batch, size_t row, size_t column, tk_str text)
{
    size_t rows = batch->rows;
    batch->rows = row + 1;
    tk_batch_set_text(batch, column, text);
    batch->rows = rows;
}

/* Nodes ---------------------------------------------------------------------------------------- */

static void name_node(struct tk_merge_node *node, const struct tk_merge_input *input,
                      const struct tk_batch *batch, size_t row)
{
    tk_str label = tk_batch_text(batch, row, TK_NODES_NODE_LABEL);
    tk_str id = tk_batch_text(batch, row, TK_NODES_NODE_ID);
    tk_str host = tk_batch_text(batch, row, TK_NODES_HOST);
    tk_str called = label.n > 0 ? label : id;
    (void)snprintf(node->label, sizeof(node->label), "%.*s", TK_STR_ARG(called));
    (void)snprintf(node->id, sizeof(node->id), "%.*s", TK_STR_ARG(called));
    if (!tk_str_eq(called, id))
        (void)snprintf(node->alias, sizeof(node->alias), "%.*s", TK_STR_ARG(id));
    (void)snprintf(node->host, sizeof(node->host), "%.*s",
                   TK_STR_ARG(host.n > 0 ? host : tk_str_from(input->name)));
    node->host_known = host.n > 0;
    node->bound_us = -1;
}

/* The node of this label and host; a new one when there is none. */
static size_t find_node(const struct tk_merge_report *report, const struct tk_merge_node *node)
{
    size_t i = 0;
    while (i < report->node_count && (strcmp(report->nodes[i].label, node->label) != 0 ||
                                      strcmp(report->nodes[i].host, node->host) != 0))
        i++;
    return i;
}

static int add_node(struct tk_merge *merge, struct tk_merge_input *input,
                    const struct tk_batch *batch, size_t row, struct tk_err *err)
{
    struct tk_merge_report *report = merge->report;
    struct tk_merge_node node = {0};
    name_node(&node, input, batch, row);
    if (!node.label[0]) {
        return tk_fail(err, -EBADMSG, "%s: nodes.json: node %zu has no node_id", input->path,
                       row + 1);
    }
    size_t index = find_node(report, &node);
    if (index == TK_MERGE_NODES_MAX)
        return tk_fail(err, -EMSGSIZE, "more than %d nodes", TK_MERGE_NODES_MAX);
    if (input->node_count == TK_COUNTOF(input->nodes))
        return tk_fail(err, -EMSGSIZE, "%s: more than %zu nodes", input->path, input->node_count);
    input->nodes[input->node_count++] = index;
    if (index < report->node_count) {
        if (node.alias[0])
            memcpy(report->nodes[index].alias, node.alias, sizeof(node.alias));
        return 0;
    }
    report->nodes[report->node_count++] = node;
    copy_row(merge->nodes, batch, row);
    return 0;
}

static int add_nodes(struct tk_merge *merge, struct tk_merge_input *input, struct tk_err *err)
{
    TK_CLEANUP(tk_batch_freep) struct tk_batch *batch = NULL;
    int rc = read_rows(input, TK_TABLE_NODES, &batch, err);
    if (rc < 0)
        return rc;
    if (batch->rows == 0)
        return tk_fail(err, -ENOENT, "%s: nodes.json names no node", input->path);
    for (size_t row = 0; row < batch->rows && rc == 0; row++)
        rc = add_node(merge, input, batch, row, err);
    return rc;
}

static bool is_taken(const struct tk_merge_report *report, size_t node, const char *id)
{
    for (size_t i = 0; i < report->node_count; i++) {
        if (i != node && strcmp(report->nodes[i].id, id) == 0)
            return true;
    }
    return false;
}

/* Nodes with one label become their hosts; where even those are taken, both. */
static void tell_apart(struct tk_merge *merge)
{
    struct tk_merge_report *report = merge->report;
    bool renamed[TK_MERGE_NODES_MAX] = {false};
    bool said = false;
    for (size_t i = 0; i < report->node_count; i++)
        renamed[i] = is_taken(report, i, report->nodes[i].id);
    for (size_t i = 0; i < report->node_count; i++) {
        struct tk_merge_node *node = &report->nodes[i];
        char both[2 * TK_MERGE_NAME_MAX];
        if (!renamed[i])
            continue;
        tk_str label = tk_batch_text(merge->nodes, i, TK_NODES_NODE_LABEL);
        if (!said) {
            tk_merge_say(merge,
                         "several hosts call themselves '%s': the host name becomes the node id",
                         node->id);
        }
        said = true;
        (void)snprintf(both, sizeof(both), "%s@%s", node->id, node->host);
        if (label.n == 0)
            set_text_at(merge->nodes, i, TK_NODES_NODE_LABEL, tk_str_from(node->id));
        (void)snprintf(node->id, sizeof(node->id), "%s", node->host);
        if (is_taken(report, i, node->id))
            (void)snprintf(node->id, sizeof(node->id), "%.*s", TK_MERGE_NAME_MAX - 1, both);
    }
}

static bool has_node(const struct tk_merge_input *input, size_t node)
{
    for (size_t i = 0; i < input->node_count; i++) {
        if (input->nodes[i] == node)
            return true;
    }
    return false;
}

/* Two recordings of one node may hold the same rows: copies, or an archive beside the run. */
static void find_shared(struct tk_merge *merge)
{
    for (size_t i = 0; i < merge->input_count; i++) {
        struct tk_merge_input *input = &merge->inputs[i];
        for (size_t k = 0; k < merge->input_count; k++) {
            for (size_t n = 0; n < input->node_count && k != i; n++)
                input->shares_node |= has_node(&merge->inputs[k], input->nodes[n]);
        }
    }
}

int tk_merge_find_nodes(struct tk_merge *merge, struct tk_err *err)
{
    merge->report->nodes = calloc(TK_MERGE_NODES_MAX, sizeof(*merge->report->nodes));
    merge->shifts = calloc(TK_MERGE_NODES_MAX, sizeof(struct tk_merge_shift *));
    if (!merge->report->nodes || !merge->shifts)
        return tk_fail(err, -ENOMEM, "out of memory");
    int rc =
        tk_batch_new(&tk_schema_nodes, TK_MERGE_NODES_MAX, 8 * DOCUMENT_MAX, &merge->nodes, err);
    for (size_t i = 0; i < merge->input_count && rc == 0; i++)
        rc = add_nodes(merge, &merge->inputs[i], err);
    if (rc < 0)
        return rc;
    tell_apart(merge);
    find_shared(merge);
    return 0;
}

static bool is_same(tk_str said, const char *name)
{
    return said.n == 0 || tk_str_eq(said, tk_str_from(name));
}

static bool is_called(const struct tk_merge_node *node, tk_str said)
{
    return is_same(said, node->label) || (node->alias[0] && is_same(said, node->alias));
}

size_t tk_merge_node_of(const struct tk_merge *merge, const struct tk_merge_input *input,
                        tk_str node, tk_str host)
{
    for (size_t i = 0; i < input->node_count; i++) {
        const struct tk_merge_node *one = &merge->report->nodes[input->nodes[i]];
        if (is_called(one, node) && (!one->host_known || is_same(host, one->host)))
            return input->nodes[i];
    }
    return TK_MERGE_NODES_MAX;
}

/* Documents ------------------------------------------------------------------------------------ */

/* "LABEL.net" of a node as "ID.net". */
static void rename_end(struct tk_batch *links, size_t row, const struct tk_merge_node *node)
{
    char name[TK_MERGE_NAME_MAX + 64];
    tk_str end = tk_batch_text(links, row, TK_LINKS_V);
    if (!tk_merge_take_label(&end, node))
        return;
    (void)snprintf(name, sizeof(name), "%s%.*s", node->id, TK_STR_ARG(end));
    set_text_at(links, row, TK_LINKS_V, tk_str_from(name));
}

static bool has_link(const struct tk_batch *links, tk_str u, tk_str v)
{
    for (size_t i = 0; i < links->rows; i++) {
        if (tk_str_eq(tk_batch_text(links, i, TK_LINKS_U), u) &&
            tk_str_eq(tk_batch_text(links, i, TK_LINKS_V), v))
            return true;
    }
    return false;
}

static int add_links(const struct tk_merge *merge, const struct tk_merge_input *input,
                     struct tk_batch *links, struct tk_err *err)
{
    TK_CLEANUP(tk_batch_freep) struct tk_batch *batch = NULL;
    int rc = read_rows(input, TK_TABLE_LINKS, &batch, err);
    if (rc < 0)
        return rc;
    for (size_t row = 0; row < batch->rows && tk_batch_has_room(links); row++) {
        tk_str u = tk_batch_text(batch, row, TK_LINKS_U);
        size_t index = tk_merge_node_of(merge, input, u, (tk_str){NULL, 0});
        if (index < TK_MERGE_NODES_MAX) {
            const struct tk_merge_node *node = &merge->report->nodes[index];
            set_text_at(batch, row, TK_LINKS_U, tk_str_from(node->id));
            rename_end(batch, row, node);
        }
        if (!has_link(links, tk_batch_text(batch, row, TK_LINKS_U),
                      tk_batch_text(batch, row, TK_LINKS_V)))
            copy_row(links, batch, row);
    }
    return 0;
}

int tk_merge_write_nodes(struct tk_merge *merge, struct tk_err *err)
{
    TK_CLEANUP(tk_batch_freep) struct tk_batch *links = NULL;
    const struct tk_merge_report *report = merge->report;
    for (size_t i = 0; i < report->node_count; i++)
        set_text_at(merge->nodes, i, TK_NODES_NODE_ID, tk_str_from(report->nodes[i].id));
    int rc = tk_objects_write(merge->out, tk_tables[TK_TABLE_NODES].cctf, merge->nodes, err);
    if (rc == 0)
        rc = tk_batch_new(&tk_schema_links, TK_MERGE_NODES_MAX, 8 * DOCUMENT_MAX, &links, err);
    for (size_t i = 0; i < merge->input_count && rc == 0; i++)
        rc = add_links(merge, &merge->inputs[i], links, err);
    return rc < 0 ? rc : tk_objects_write(merge->out, tk_tables[TK_TABLE_LINKS].cctf, links, err);
}
