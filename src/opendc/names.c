/* SPDX-License-Identifier: Apache-2.0 */
#include "opendc/names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"

#define ANONYMOUS_DIGITS 16

/* Names of nodes --------------------------------------------------------------------------- */

static bool is_taken(const char *const *names, uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0)
            return true;
    }
    return false;
}

/* Nodes that share a label go by their hosts. */
static bool is_shared_label(const struct tk_workload *workload, uint32_t index)
{
    for (uint32_t i = 0; i < workload->node_count; i++) {
        if (i != index && tk_str_eq(workload->nodes[i].node, workload->nodes[index].node))
            return true;
    }
    return false;
}

int tk_workload_name_nodes(struct tk_workload *workload, const char ***ret_names,
                           struct tk_err *err)
{
    const char **names = calloc((size_t)workload->node_count + 1, sizeof(*names));
    if (!names)
        return tk_fail(err, -ENOMEM, "out of memory");
    for (uint32_t i = 0; i < workload->node_count; i++) {
        const struct tk_node *node = &workload->nodes[i];
        tk_str label = is_shared_label(workload, i) && node->host.n > 0 ? node->host : node->node;
        char name[300];
        (void)snprintf(name, sizeof(name), "%.*s", TK_STR_ARG(label));
        for (uint32_t k = 2; is_taken(names, i, name); k++)
            (void)snprintf(name, sizeof(name), "%.*s-%u", TK_STR_ARG(label), k);
        tk_str copy = tk_arena_copy(&workload->text, (tk_str){name, strlen(name) + 1});
        if (!copy.p) {
            free((void *)names);
            return tk_fail(err, -ENOMEM, "out of memory");
        }
        names[i] = copy.p;
    }
    *ret_names = names;
    return 0;
}

/* Anonymity -------------------------------------------------------------------------------- */

/* The same text gives the same digits in every export. */
static int hide(struct tk_workload *workload, tk_str *text, struct tk_err *err)
{
    char hex[TK_DIGEST_MAX];
    if (text->n == 0)
        return 0;
    int rc = tk_digest_text(*text, hex, err);
    if (rc < 0)
        return rc;
    *text = tk_arena_copy(&workload->text, (tk_str){hex, ANONYMOUS_DIGITS});
    return text->p ? 0 : tk_fail(err, -ENOMEM, "out of memory");
}

static int hide_all(struct tk_workload *workload, tk_str *const *texts, size_t count,
                    struct tk_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = hide(workload, texts[i], err);
    return rc;
}

int tk_workload_hide_names(struct tk_workload *workload, struct tk_err *err)
{
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < workload->folder_count; i++) {
        tk_str *const texts[] = {&workload->folders[i].run_id, &workload->folders[i].path};
        rc = hide_all(workload, texts, TK_COUNTOF(texts), err);
    }
    for (uint32_t i = 0; rc == 0 && i < workload->node_count; i++) {
        tk_str *const texts[] = {&workload->nodes[i].node, &workload->nodes[i].host};
        rc = hide_all(workload, texts, TK_COUNTOF(texts), err);
    }
    for (uint32_t i = 0; rc == 0 && i < workload->process_count; i++)
        rc = hide(workload, &workload->processes[i].comm, err);
    for (uint32_t i = 0; rc == 0 && i < workload->task_count; i++) {
        struct tk_task *task = &workload->tasks[i];
        tk_str *const texts[] = {&task->name,   &task->trace, &task->span,
                                 &task->parent, &task->input, &task->output};
        rc = hide_all(workload, texts, TK_COUNTOF(texts), err);
    }
    workload->counts.first_skipped[0] = 0;
    return rc;
}
