/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/exact.h"

#include <errno.h>
#include <stdlib.h>

#include "codec/details.h"
#include "codec/ids.h"

#define SECTION_MAX ((size_t)1 << 30)

/* Encoding ------------------------------------------------------------------------------------- */

static int encode_ids(const struct tk_forest *forest, const struct tk_span_batch *batch,
                      struct tk_buf *out, struct tk_err *err)
{
    struct tk_ids *ids = calloc(1, sizeof(*ids));
    if (!ids)
        return tk_fail(err, -ENOMEM, "out of memory");
    int rc = tk_ids_init(ids, forest, err);
    tk_coder_begin_encode(&ids->coder, out);
    for (uint32_t trace = 0, node = 0; rc == 0 && trace < forest->trace_count; trace++) {
        if (node < forest->trace_ends[trace])
            tk_code_trace_id(ids, batch->trace_ids[forest->rows[node]]);
        for (; node < forest->trace_ends[trace]; node++) {
            uint64_t span_id = batch->span_ids[forest->rows[node]];
            uint64_t parent_id = batch->parent_ids[forest->rows[node]];
            tk_code_node_ids(ids, trace, node, &span_id, &parent_id);
        }
    }
    tk_coder_end(&ids->coder);
    tk_ids_release(ids);
    free(ids);
    return rc < 0 ? rc : tk_buf_check(out, "ids of a block", err);
}

/* The keys of all symbols. */
static uint64_t *make_keys(const struct tk_forest *forest)
{
    uint64_t *keys = calloc((size_t)forest->symbol_count + 1, sizeof(*keys));
    for (uint32_t i = 0; keys && i < forest->symbol_count; i++)
        keys[i] = tk_symbol_key(forest, &forest->symbols[i]);
    return keys;
}

/* The part of a detail that both sides know before. */
static void begin_detail(struct tk_details *details, const struct tk_forest *forest,
                         const uint64_t *keys, uint32_t trace, uint32_t node)
{
    struct tk_detail *detail = &details->detail;
    uint64_t start = (uint64_t)forest->trace_starts[trace] + (uint64_t)forest->starts[node];
    uint64_t tick_ns = (uint64_t)forest->tick_ns;
    detail->symbol = keys[forest->node_symbols[node]];
    detail->start_ns = (int64_t)((uint64_t)forest->origin_ns + start * tick_ns);
    detail->end_ns =
        (int64_t)((uint64_t)detail->start_ns + (uint64_t)forest->durations[node] * tick_ns);
}

static int encode_nodes(struct tk_details *details, const struct tk_forest *forest,
                        const uint64_t *keys, const struct tk_span_batch *batch, struct tk_err *err)
{
    int rc = 0;
    for (uint32_t trace = 0, node = 0; trace < forest->trace_count; trace++) {
        for (; node < forest->trace_ends[trace] && rc == 0; node++) {
            uint32_t row = forest->rows[node];
            begin_detail(details, forest, keys, trace, node);
            memcpy(details->detail.trace_id, batch->trace_ids[row],
                   sizeof(details->detail.trace_id));
            rc = tk_detail_read(details, batch, row, err);
            if (rc == 0 && !tk_code_detail(details))
                rc = tk_fail(err, -ENOMEM, "events of a block: out of memory");
        }
    }
    return rc;
}

static int encode_details(const struct tk_forest *forest, const struct tk_span_batch *batch,
                          struct tk_section_set *set, struct tk_err *err)
{
    struct tk_details *details = calloc(1, sizeof(*details));
    uint64_t *keys = make_keys(forest);
    if (!details || !keys) {
        free(details);
        free(keys);
        return tk_fail(err, -ENOMEM, "out of memory");
    }
    int rc = tk_details_init(details, err);
    if (rc == 0) {
        tk_coder_begin_encode(&details->coder, &set->bytes[TK_SECTION_DETAILS]);
        rc = encode_nodes(details, forest, keys, batch, err);
        tk_coder_end(&details->coder);
    }
    if (rc == 0) {
        rc = tk_values_write_texts(&details->values, &batch->texts,
                                   &set->bytes[TK_SECTION_EXACT_TEXTS], err);
    }
    if (rc == 0)
        rc = tk_buf_check(&set->bytes[TK_SECTION_DETAILS], "details of a block", err);
    tk_details_release(details);
    free(details);
    free(keys);
    return rc;
}

int tk_exact_encode(const struct tk_forest *forest, const struct tk_span_batch *batch,
                    const struct tk_codec_options *options, struct tk_section_set *set,
                    struct tk_err *err)
{
    if (options->mode != TK_CODEC_LOSSLESS || forest->node_count == 0)
        return 0;
    int rc = 0;
    if (!options->no_ids)
        rc = encode_ids(forest, batch, &set->bytes[TK_SECTION_IDS], err);
    return rc < 0 ? rc : encode_details(forest, batch, set, err);
}

/* Decoding ------------------------------------------------------------------------------------- */

struct tk_exact_decoder {
    const struct tk_forest *forest;
    uint64_t *keys; /* [symbol_count] */
    struct tk_ids ids;
    struct tk_details details;
    bool has_ids, has_details;
    uint32_t trace; /* whose id is `trace_id` */
    uint32_t next;  /* node: those before are decoded */
    uint8_t trace_id[16];
    uint64_t span_id, parent_id; /* of the node before `next` */
};

void tk_exact_decoder_free(struct tk_exact_decoder *decoder)
{
    if (!decoder)
        return;
    tk_ids_release(&decoder->ids);
    tk_details_release(&decoder->details);
    free(decoder->keys);
    free(decoder);
}

/* Nothing at all is written of a section whose spans say nothing. */
static int open_sections(struct tk_exact_decoder *decoder, const struct tk_block *block,
                         struct tk_err *err)
{
    const struct tk_section *ids = tk_block_find(block, TK_SECTION_IDS);
    const struct tk_section *details = tk_block_find(block, TK_SECTION_DETAILS);
    const struct tk_section *texts = tk_block_find(block, TK_SECTION_EXACT_TEXTS);
    int rc = 0;
    decoder->has_ids = ids != NULL;
    decoder->has_details = details != NULL;
    if (ids) {
        rc = tk_ids_init(&decoder->ids, decoder->forest, err);
        tk_coder_begin_decode(&decoder->ids.coder, ids->bytes);
    }
    if (rc == 0 && details) {
        rc = tk_details_init(&decoder->details, err);
        tk_coder_begin_decode(&decoder->details.coder, details->bytes);
    }
    if (rc == 0 && details && texts)
        rc = tk_values_read_texts(&decoder->details.values, texts->bytes, err);
    return rc;
}

int tk_exact_decoder_new(const struct tk_block *block, const struct tk_forest *forest,
                         struct tk_exact_decoder **ret_decoder, struct tk_err *err)
{
    struct tk_exact_decoder *decoder = calloc(1, sizeof(*decoder));
    if (!decoder)
        return tk_fail(err, -ENOMEM, "out of memory");
    decoder->forest = forest;
    decoder->trace = UINT32_MAX;
    decoder->keys = make_keys(forest);
    int rc =
        decoder->keys ? open_sections(decoder, block, err) : tk_fail(err, -ENOMEM, "out of memory");
    if (rc < 0) {
        tk_exact_decoder_free(decoder);
        return rc;
    }
    *ret_decoder = decoder;
    return 0;
}

bool tk_exact_has_ids(const struct tk_exact_decoder *decoder)
{
    return decoder->has_ids;
}

bool tk_exact_has_details(const struct tk_exact_decoder *decoder)
{
    return decoder->has_details;
}

static int decode_ids(struct tk_exact_decoder *decoder, uint32_t trace, uint32_t node,
                      struct tk_err *err)
{
    if (decoder->trace != trace) {
        tk_code_trace_id(&decoder->ids, decoder->trace_id);
        decoder->trace = trace;
    }
    tk_code_node_ids(&decoder->ids, trace, node, &decoder->span_id, &decoder->parent_id);
    if (!tk_coder_is_over(&decoder->ids.coder))
        return 0;
    decoder->has_ids = false;
    return tk_fail(err, -EBADMSG, "section of ids: it ends at trace %u", trace);
}

static int decode_details(struct tk_exact_decoder *decoder, uint32_t trace, uint32_t node,
                          struct tk_err *err)
{
    struct tk_details *details = &decoder->details;
    begin_detail(details, decoder->forest, decoder->keys, trace, node);
    if (tk_code_detail(details))
        return 0;
    decoder->has_details = false;
    if (details->values.failure == -ENOMEM)
        return tk_fail(err, -ENOMEM, "out of memory");
    return tk_fail(err, -EBADMSG, "section of details: what trace %u has cannot be", trace);
}

int tk_exact_decode_node(struct tk_exact_decoder *decoder, uint32_t trace, uint32_t node,
                         struct tk_span_batch *batch, struct tk_err *err)
{
    size_t row = batch->rows - 1;
    int rc = 0;
    if (node == decoder->next) { /* else it is asked for again */
        decoder->next++;
        int details_rc = 0;
        if (decoder->has_ids)
            rc = decode_ids(decoder, trace, node, err);
        memcpy(decoder->details.detail.trace_id,
               decoder->has_ids ? decoder->trace_id : batch->trace_ids[row], 16);
        if (decoder->has_details)
            details_rc = decode_details(decoder, trace, node, err);
        rc = rc < 0 ? rc : details_rc;
    }
    if (decoder->has_ids) {
        memcpy(batch->trace_ids[row], decoder->trace_id, sizeof(decoder->trace_id));
        batch->span_ids[row] = decoder->span_id;
        batch->parent_ids[row] = decoder->parent_id;
    }
    if (rc == 0 && decoder->has_details)
        rc = tk_detail_write(&decoder->details, batch);
    return rc;
}
