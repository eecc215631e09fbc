/* SPDX-License-Identifier: Apache-2.0 */
/* Names in what is exported: of nodes, and none at all. */
#ifndef TK_OPENDC_NAMES_H
#define TK_OPENDC_NAMES_H

#include "opendc/workload.h"

/* A name for each node, [node_count], that no other has: its label, else its host. The array is the
 * caller's to free; the texts are in workload->text. Fails with -ENOMEM. */
TK_MUST_USE int tk_workload_name_nodes(struct tk_workload *workload, const char ***ret_names,
                                       struct tk_err *err);

/* Put hashes in the place of all names, hosts, paths and ids: the same text gives the same digits
 * in every export. Fails with -ENOMEM. */
TK_MUST_USE int tk_workload_hide_names(struct tk_workload *workload, struct tk_err *err);

#endif
