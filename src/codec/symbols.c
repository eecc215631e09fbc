/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/symbols.h"

#include <errno.h>

#include "codec/coder.h"
#include "table/varint.h"

/* Symbols stand by their texts, and so do new texts: a text is that of the symbol before, or the
 * next one that no symbol had, or any. */
struct text_models {
    struct tk_bit is_same[2];  /* [the service is] */
    struct tk_exp_models back; /* from the next new one */
};

struct models {
    struct text_models service, operation;
    struct tk_bit kind[256], status[256]; /* of the symbol alone: there are few */
    struct tk_bit code_class[16];
    struct tk_bit orphan[2];
    uint32_t next; /* the text that no symbol had yet */
};

static void text_models_init(struct text_models *models)
{
    tk_bits_init(models->is_same, TK_COUNTOF(models->is_same));
    tk_exp_models_init(&models->back);
}

static void models_init(struct models *models)
{
    text_models_init(&models->service);
    text_models_init(&models->operation);
    tk_bits_init(models->kind, TK_COUNTOF(models->kind));
    tk_bits_init(models->status, TK_COUNTOF(models->status));
    tk_bits_init(models->code_class, TK_COUNTOF(models->code_class));
    tk_bits_init(models->orphan, TK_COUNTOF(models->orphan));
    models->next = 1;
}

/* A text that may be any; a decoder gets UINT32_MAX for what is none. */
static uint32_t code_text(struct tk_coder *coder, struct text_models *models, uint32_t *next,
                          uint32_t before, bool is_near, uint32_t text)
{
    if (tk_code_bit(coder, &models->is_same[is_near], text == before))
        return before;
    uint64_t back = tk_code_exp(coder, &models->back, (uint64_t)*next - text);
    text = back <= *next ? *next - (uint32_t)back : UINT32_MAX;
    *next += back == 0;
    return text;
}

static struct tk_symbol code_symbol(struct tk_coder *coder, struct models *models,
                                    const struct tk_symbol *before, struct tk_symbol symbol)
{
    uint32_t *next = &models->next;
    symbol.service =
        code_text(coder, &models->service, next, before->service, false, symbol.service);
    bool is_near = symbol.service == before->service;
    symbol.operation =
        code_text(coder, &models->operation, next, before->operation, is_near, symbol.operation);
    is_near = is_near && symbol.operation == before->operation;
    symbol.kind = (uint8_t)tk_code_tree(coder, models->kind, 8, symbol.kind);
    symbol.status = (uint8_t)tk_code_tree(coder, models->status, 8, symbol.status);
    symbol.code_class = (uint8_t)tk_code_tree(coder, models->code_class, 4, symbol.code_class);
    symbol.orphan = tk_code_bit(coder, &models->orphan[is_near], symbol.orphan);
    return symbol;
}

int tk_block_symbols_encode(const struct tk_forest *forest, struct tk_section_set *set,
                            struct tk_err *err)
{
    struct tk_buf *out = &set->bytes[TK_SECTION_SYMBOLS];
    struct tk_symbol before = {0};
    struct tk_coder coder;
    struct models models;
    models_init(&models);
    tk_varint_put(out, forest->symbol_count);
    tk_coder_begin_encode(&coder, out);
    for (uint32_t i = 0; i < forest->symbol_count; i++)
        before = code_symbol(&coder, &models, &before, forest->symbols[i]);
    tk_coder_end(&coder);
    return tk_buf_check(out, "symbols", err);
}

int tk_block_symbols_decode(const struct tk_block *block, uint32_t max_symbols,
                            struct tk_forest *forest, struct tk_err *err)
{
    const struct tk_section *section = tk_block_find(block, TK_SECTION_SYMBOLS);
    tk_str rest = section ? section->bytes : (tk_str){NULL, 0};
    struct tk_symbol before = {0};
    struct tk_coder coder;
    struct models models;
    uint64_t count;
    if (!tk_varint_read(&rest, &count))
        return tk_fail(err, -EBADMSG, "symbols: missing or damaged");
    if (count > max_symbols)
        return tk_fail(err, -EBADMSG, "symbols: more than the block has spans");
    models_init(&models);
    tk_coder_begin_decode(&coder, rest);
    for (uint32_t i = 0; i < count; i++) {
        before = code_symbol(&coder, &models, &before, before);
        if (before.service >= forest->dictionary.count ||
            before.operation >= forest->dictionary.count || tk_coder_is_over(&coder))
            return tk_fail(err, -EBADMSG, "symbols: bytes do not decode");
        forest->symbols[i] = before;
    }
    forest->symbol_count = (uint32_t)count;
    return 0;
}
