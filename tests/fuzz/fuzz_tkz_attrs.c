/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the resources, templates and values of a small forest: what is decoded stays within
 * the batch. The first two bytes say where sections end. */
#include <stdint.h>
#include <stdlib.h>

#include "codec/attrs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Two traces of a chain and a fan of three symbols. */
static void plant(struct tk_forest *forest)
{
    static const uint32_t sizes[] = {3, 2, 1, 4, 1, 1, 1};
    struct tk_err err;
    if (tk_forest_init(forest, 2, TK_COUNTOF(sizes), &err) < 0)
        abort();
    (void)tk_texts_add(&forest->dictionary, TK_STR("svc"));
    (void)tk_texts_add(&forest->dictionary, TK_STR("\x01\x02\x03-x\x01"));
    forest->symbol_count = 3;
    forest->trace_count = 2;
    forest->node_count = TK_COUNTOF(sizes);
    forest->trace_ends[0] = 3;
    forest->trace_ends[1] = TK_COUNTOF(sizes);
    for (uint32_t i = 0; i < TK_COUNTOF(sizes); i++) {
        forest->sizes[i] = sizes[i];
        forest->node_symbols[i] = i % 3;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tk_err err;
    struct tk_forest forest = {0};
    struct tk_block block = {.section_count = 3};
    TK_CLEANUP(tk_attrs_decoder_freep) struct tk_attrs_decoder *decoder = NULL;
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = NULL;
    bool missing;
    if (size < 2 || tk_span_batch_new(16, &batch, &err) < 0)
        return 0;
    size_t a = data[0] < size - 2 ? data[0] : size - 2;
    size_t b = data[1] < size - 2 - a ? data[1] : size - 2 - a;
    const char *p = (const char *)data + 2;
    block.sections[0] = (struct tk_section){.type = TK_SECTION_RESOURCES, .bytes = {p, a}};
    block.sections[1] = (struct tk_section){.type = TK_SECTION_TEMPLATES, .bytes = {p + a, b}};
    block.sections[2] =
        (struct tk_section){.type = TK_SECTION_ATTRS, .bytes = {p + a + b, size - 2 - a - b}};
    plant(&forest);
    int rc = tk_attrs_decoder_new(&block, &forest, 1, &decoder, &missing, &err);
    if (rc == 0)
        tk_attrs_decoder_begin(decoder, batch);
    for (uint32_t i = 0; rc == 0 && i < forest.node_count; i++) {
        rc = tk_span_batch_begin(batch);
        rc = rc < 0 ? rc : tk_attrs_decode_node(decoder, i < 3 ? 0 : 1, i, &err);
        if (batch->attr_count > batch->max_attrs || batch->scope_count > batch->max_scopes)
            abort();
    }
    tk_forest_release(&forest);
    return 0;
}
