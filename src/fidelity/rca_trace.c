/* SPDX-License-Identifier: Apache-2.0 */
/* TraceRCA (Li et al., IWQoS 2021) as RCAEval and GenTEval have it: an operation is to blame when
 * many abnormal spans are its, and many of its spans are abnormal. */
#include <errno.h>
#include <stdlib.h>

#include "fidelity/rca_internal.h"

/* Anomalous spans of an operation. */
struct counts {
    double all, abnormal;
};

static double score_of(const struct counts *counts, double abnormal)
{
    double support = abnormal > 0 ? counts->abnormal / abnormal : 0;
    double confidence = counts->abnormal / counts->all;
    double sum = support + confidence;
    return sum > 0 ? 2 * support * confidence / sum : 0;
}

int rca_trace_scores(const struct rca_window *window, struct rca_score *scores, size_t *ret_count)
{
    struct counts *counts = calloc(window->operations.count + (size_t)1, sizeof(*counts));
    if (!counts)
        return -ENOMEM;
    size_t found = 0;
    double abnormal = 0;
    for (uint32_t i = 0; i < window->end - window->begin; i++) {
        const struct rca_row *row = &window->rows[i];
        double weight = rca_weight(window, row->trace);
        if (!row->is_anomalous)
            continue;
        if (counts[row->operation].all == 0)
            scores[found++].operation = row->operation;
        counts[row->operation].all += weight;
        if (row->verdict == VERDICT_ABNORMAL) {
            counts[row->operation].abnormal += weight;
            abnormal += weight;
        }
    }
    for (size_t i = 0; i < found; i++)
        scores[i].value = score_of(&counts[scores[i].operation], abnormal);
    free(counts);
    *ret_count = found;
    return 0;
}
