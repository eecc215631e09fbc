/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/block_budget.h"

#include "codec/block_writer.h"

void tk_block_budget_init(struct tk_block_budget *budget, double trace_bytes, double span_bytes)
{
    *budget = (struct tk_block_budget){
        .of_trace = trace_bytes, .of_span = span_bytes, .left = -TK_BLOCK_INDEX_BYTES};
}

uint64_t tk_block_budget_open(struct tk_block_budget *budget, const struct tk_block_head *head)
{
    double of_traces = budget->of_trace * head->traces;
    double of_spans = budget->of_span * head->nodes;
    if (budget->of_trace <= 0 && budget->of_span <= 0)
        return UINT64_MAX;
    bool by_spans = budget->of_trace <= 0 || (budget->of_span > 0 && of_spans < of_traces);
    budget->left += (by_spans ? of_spans : of_traces) - TK_BLOCK_ENTRY_BYTES;
    return budget->left > 0 ? (uint64_t)budget->left : 0;
}

void tk_block_budget_pay(struct tk_block_budget *budget, uint64_t bytes)
{
    budget->left -= (double)bytes;
}

void tk_block_budget_drop(struct tk_block_head *head, uint32_t type)
{
    if (type >= TK_SECTION_TIME_REST && type != TK_SECTION_EXACT_TEXTS &&
        type != TK_SECTION_EXACT && type != TK_SECTION_TRACE_FILTER &&
        type != TK_SECTION_TIME_WINDOWS && head->mode == TK_CODEC_LOSSLESS)
        head->mode = TK_CODEC_NEAR;
    if (type >= TK_SECTION_TIME_BASE && type < TK_SECTION_TIME_REST &&
        head->planes > type - TK_SECTION_TIME_BASE)
        head->planes = type - TK_SECTION_TIME_BASE;
}

bool tk_block_budget_fit(uint64_t limit, struct tk_block_head *head,
                         const struct tk_section *sections, size_t *count, uint64_t *ret_bytes)
{
    struct tk_block_head left = *head;
    size_t n = *count;
    uint64_t bytes;
    while ((bytes = tk_block_bytes(&left, sections, n)) > limit && n > 0 &&
           !sections[n - 1].required)
        tk_block_budget_drop(&left, sections[--n].type);
    *ret_bytes = bytes;
    if (bytes > limit)
        return false;
    *head = left;
    *count = n;
    return true;
}
