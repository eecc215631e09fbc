/* SPDX-License-Identifier: Apache-2.0 */
/* What a reader remembers from request to request. */
#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/scan.h"
#include "span/otlp_reader_internal.h"

#define MAX_KEYS       4096
#define HEAD_BYTES     ((size_t)16 << 20)
#define DECODED_BYTES  ((size_t)128 << 20)
#define SCRATCH_BYTES  ((size_t)128 << 20)
#define JUDGED_TEXTS   4096                     /* of one key */
#define MANY_FRESH     (JUDGED_TEXTS * 15 / 16) /* of them: its values hardly ever come twice */
#define TRACE_ID_BYTES 16
#define SPAN_ID_BYTES  8

int tk_otlp_reader_new(struct tk_span_batch *batch, struct tk_otlp_reader **ret_reader,
                       struct tk_err *err)
{
    struct tk_otlp_reader *reader = calloc(1, sizeof(*reader));
    struct tk_otlp_key *keys = calloc(MAX_KEYS, sizeof(*keys));
    if (!reader || !keys) {
        free(reader);
        free(keys);
        return tk_fail(err, -ENOMEM, "out of memory");
    }
    reader->keys = keys;
    tk_buf_init(&reader->head, SCRATCH_BYTES);
    tk_buf_init(&reader->entities, SCRATCH_BYTES);
    tk_buf_init(&reader->waiting, SCRATCH_BYTES);
    tk_buf_init(&reader->scratch, SCRATCH_BYTES);
    int rc = tk_arena_init(&reader->heads, HEAD_BYTES, err);
    if (rc == 0)
        rc = tk_arena_init(&reader->decoded, DECODED_BYTES, err);
    if (rc < 0) {
        tk_otlp_reader_free(reader);
        return rc;
    }
    tk_otlp_reader_reset(reader, batch);
    *ret_reader = reader;
    return 0;
}

void tk_otlp_reader_free(struct tk_otlp_reader *reader)
{
    if (!reader)
        return;
    free(reader->keys);
    tk_map_release(&reader->key_of);
    tk_arena_release(&reader->heads);
    tk_map_release(&reader->head_of);
    tk_buf_release(&reader->head);
    tk_buf_release(&reader->entities);
    tk_buf_release(&reader->waiting);
    tk_buf_release(&reader->scratch);
    tk_arena_release(&reader->decoded);
    free(reader);
}

void tk_otlp_reader_reset(struct tk_otlp_reader *reader, struct tk_span_batch *batch)
{
    reader->batch = batch;
    reader->key_count = TK_OTLP_FIRST_COUNT;
    for (size_t i = 0; i < TK_OTLP_FIRST_COUNT; i++)
        reader->keys[i] = (struct tk_otlp_key){.n = UINT32_MAX, .value_n = UINT32_MAX};
    tk_map_reset(&reader->key_of);
    tk_arena_reset(&reader->heads);
    tk_map_reset(&reader->head_of);
}

void tk_otlp_begin(struct tk_otlp_reader *reader)
{
    reader->tally = (struct tk_span_tally){0};
    reader->not_utf8 = false;
    reader->has_cut = false;
    reader->late_count = 0;
    tk_arena_reset(&reader->decoded);
    tk_buf_reset(&reader->waiting);
}

/* Keys and texts ---------------------------------------------------------------------------- */

uint32_t tk_otlp_text(struct tk_otlp_reader *reader, tk_str text)
{
    bool is_utf8;
    struct tk_texts *texts = &reader->batch->texts;
    uint32_t id = tk_texts_add_utf8(texts, text, &is_utf8);
    if (is_utf8)
        return id;
    reader->not_utf8 = true;
    tk_buf_reset(&reader->scratch);
    tk_any_value_put_utf8(&reader->scratch, text);
    return tk_texts_add(texts, tk_buf_str(&reader->scratch));
}

struct tk_otlp_key *tk_otlp_key_find(struct tk_otlp_reader *reader, struct tk_otlp_key *before,
                                     tk_str text)
{
    uint32_t index = TK_OTLP_OTHER_KEY;
    uint32_t id = tk_otlp_text(reader, text);
    bool is_known = tk_map_find(&reader->key_of, id, &index);
    if (!is_known && id != TK_TEXTS_NONE && reader->key_count < MAX_KEYS &&
        tk_map_add(&reader->key_of, id, reader->key_count) == 0)
        index = reader->key_count++;
    struct tk_otlp_key *key = &reader->keys[index];
    if (!is_known) {
        tk_str own = tk_texts_get(&reader->batch->texts, id == TK_TEXTS_NONE ? 0 : id);
        *key = (struct tk_otlp_key){.p = own.p,
                                    .n = id == TK_TEXTS_NONE ? UINT32_MAX : (uint32_t)own.n,
                                    .id = id,
                                    .value_n = UINT32_MAX};
    }
    before->next = index;
    return key;
}

/* Values of a key that are new again and again are not looked for: the search finds nothing, and
 * each one would cost a place in the table. */
static void judge(struct tk_otlp_key *key, bool is_fresh)
{
    key->fresh += is_fresh;
    if (++key->seen < JUDGED_TEXTS)
        return;
    key->varies = key->fresh > MANY_FRESH;
    key->seen = 0;
    key->fresh = 0;
}

/* The text of `attr` is this one: it has that id. */
static void set_text(struct tk_otlp_reader *reader, struct tk_otlp_key *key, struct tk_attr *attr,
                     uint32_t id, bool is_utf8)
{
    *attr = (struct tk_attr){.key = key->id, .type = TK_ATTR_STRING, .text = id};
    if (!is_utf8) {
        reader->not_utf8 = true;
        attr->type = TK_ATTR_BYTES;
    } else if (id != TK_TEXTS_NONE) {
        tk_str own = tk_texts_get(&reader->batch->texts, id);
        key->value = own.p;
        key->value_n = (uint32_t)own.n;
        key->value_id = id;
    }
}

static void find_text(struct tk_otlp_reader *reader, const struct tk_otlp_late *late)
{
    struct tk_texts *texts = &reader->batch->texts;
    bool is_utf8;
    uint32_t count = texts->count;
    uint32_t id = tk_texts_add_hashed(texts, late->text, late->hash, &is_utf8);
    judge(late->key, texts->count != count);
    set_text(reader, late->key, late->attr, id, is_utf8);
}

void tk_otlp_text_find(struct tk_otlp_reader *reader, struct tk_otlp_key *key, tk_str text,
                       struct tk_attr *ret)
{
    struct tk_texts *texts = &reader->batch->texts;
    if (key->varies && text.n > 0) {
        set_text(reader, key, ret, tk_texts_append(texts, text), tk_utf8_ok(text));
    } else {
        find_text(reader, &(struct tk_otlp_late){key, ret, text, tk_texts_hash(texts, text)});
    }
}

void tk_otlp_settle(struct tk_otlp_reader *reader)
{
    for (size_t i = 0; i < reader->late_count; i++)
        find_text(reader, &reader->late[i]);
    reader->late_count = 0;
}

int tk_otlp_add_side_attr(struct tk_otlp_reader *reader, struct tk_attr_range *range,
                          const struct tk_attr *attr)
{
    if (range->n == TK_OTLP_MAX_ATTRS) {
        range->dropped++;
        reader->has_cut = true;
        return 0;
    }
    if (tk_span_batch_add_side_attr(reader->batch, attr) == UINT32_MAX)
        return -ENOBUFS;
    range->n++;
    return 0;
}

/* Heads ------------------------------------------------------------------------------------- */

struct head {
    uint32_t id;
    uint32_t n;
    char bytes[];
};

/* All that a resource or scope depends on: its form, the resource of a scope (UINT32_MAX for a
 * resource), its schema_url, its message. Empty without memory. */
static tk_str identity(struct tk_otlp_reader *reader, enum tk_otlp_form form, uint32_t resource,
                       const struct tk_otlp_waiting *waiting)
{
    const uint64_t around[] = {form, resource, waiting->schema_url.n};
    tk_buf_reset(&reader->head);
    tk_buf_put(&reader->head, (tk_str){(const char *)around, sizeof(around)});
    tk_buf_put(&reader->head, waiting->schema_url);
    tk_buf_put(&reader->head, waiting->head);
    return tk_buf_ok(&reader->head) ? tk_buf_str(&reader->head) : (tk_str){NULL, 0};
}

static bool find_head(const struct tk_otlp_reader *reader, tk_str bytes, uint64_t hash,
                      uint32_t *ret_id)
{
    uint32_t offset;
    if (bytes.n == 0 || !tk_map_find(&reader->head_of, hash, &offset))
        return false;
    const struct head *head = (const struct head *)(void *)(reader->heads.p + offset);
    if (!tk_str_eq((tk_str){head->bytes, head->n}, bytes))
        return false;
    *ret_id = head->id;
    return true;
}

/* One that does not fit is read again next time. */
static void add_head(struct tk_otlp_reader *reader, tk_str bytes, uint64_t hash, uint32_t id)
{
    struct head *head = bytes.n > 0 && bytes.n < HEAD_BYTES
                            ? tk_arena_alloc(&reader->heads, sizeof(*head) + bytes.n)
                            : NULL;
    if (!head)
        return;
    head->id = id;
    head->n = (uint32_t)bytes.n;
    memcpy(head->bytes, bytes.p, bytes.n);
    (void)!tk_map_add(&reader->head_of, hash, (uint32_t)((char *)head - reader->heads.p));
}

void tk_otlp_wait(struct tk_otlp_reader *reader, tk_str head, tk_str schema_url, size_t first_row)
{
    const struct tk_otlp_waiting waiting = {head, schema_url, first_row, reader->batch->rows};
    if (waiting.end_row > first_row)
        tk_buf_put(&reader->waiting, (tk_str){(const char *)&waiting, sizeof(waiting)});
}

int tk_otlp_resolve(struct tk_otlp_reader *reader, enum tk_otlp_form form,
                    const struct tk_otlp_waiting *resource, tk_otlp_head_fn read, void *user)
{
    uint32_t resource_id = UINT32_MAX;
    int rc = reader->waiting.failure;
    for (size_t i = 0; rc == 0 && i < reader->waiting.n + sizeof(*resource);
         i += sizeof(*resource)) {
        /* The resource first, then its scopes. */
        struct tk_otlp_waiting scope = *resource;
        uint32_t id = 0;
        if (i > 0)
            memcpy(&scope, reader->waiting.p + i - sizeof(scope), sizeof(scope));
        tk_str bytes = identity(reader, form, resource_id, &scope);
        uint64_t hash = tk_hash_bytes(bytes, reader->batch->texts.seed);
        if (!find_head(reader, bytes, hash, &id)) {
            rc = read(user, scope.head, scope.schema_url, resource_id, &id);
            if (rc == 0)
                add_head(reader, bytes, hash, id);
        }
        if (i == 0)
            resource_id = id;
        for (size_t row = scope.first_row; i > 0 && row < scope.end_row; row++)
            reader->batch->scope_ids[row] = id;
    }
    tk_buf_reset(&reader->waiting);
    return rc;
}

int tk_otlp_fail_full(struct tk_err *err)
{
    return tk_fail(err, -ENOBUFS, "the batch has no room for all spans of the message");
}

int tk_otlp_end_link(struct tk_otlp_reader *reader, struct tk_otlp_span *span,
                     struct tk_span_link *link, tk_str trace_id, tk_str span_id)
{
    if ((trace_id.n != 0 && trace_id.n != TRACE_ID_BYTES) ||
        (span_id.n != 0 && span_id.n != SPAN_ID_BYTES)) {
        span->bad_links++;
        return 0;
    }
    if (trace_id.n > 0)
        memcpy(link->trace_id, trace_id.p, TRACE_ID_BYTES);
    if (span_id.n > 0)
        memcpy(&link->span_id, span_id.p, SPAN_ID_BYTES);
    return tk_span_batch_add_link(reader->batch, link);
}

bool tk_otlp_is_service_name(const struct tk_otlp_reader *reader, uint32_t key)
{
    return key != TK_TEXTS_NONE &&
           tk_str_eq(tk_texts_get(&reader->batch->texts, key), TK_STR("service.name"));
}

int tk_otlp_end_resource(struct tk_otlp_reader *reader, struct tk_span_resource *resource,
                         tk_str schema_url, uint32_t *ret_id)
{
    resource->schema_url = tk_otlp_text(reader, schema_url);
    resource->entity_refs = tk_texts_add(&reader->batch->texts, tk_buf_str(&reader->entities));
    *ret_id = tk_buf_ok(&reader->entities) ? tk_span_batch_add_resource(reader->batch, resource)
                                           : UINT32_MAX;
    return *ret_id == UINT32_MAX ? -ENOBUFS : 0;
}

int tk_otlp_end_scope(struct tk_otlp_reader *reader, struct tk_span_scope *scope, tk_str schema_url,
                      uint32_t *ret_id)
{
    scope->schema_url = tk_otlp_text(reader, schema_url);
    *ret_id = tk_span_batch_add_scope(reader->batch, scope);
    return *ret_id == UINT32_MAX ? -ENOBUFS : 0;
}

/* The end of a span --------------------------------------------------------------------------- */

static bool is_zero(tk_str id)
{
    for (size_t i = 0; i < id.n; i++) {
        if (id.p[i] != 0)
            return false;
    }
    return true;
}

/* Why a span is refused; TK_SPAN_REASON_COUNT = it is not. */
static enum tk_span_reason refusal(const struct tk_otlp_span *span)
{
    if (span->trace_id.n != TRACE_ID_BYTES || is_zero(span->trace_id))
        return TK_SPAN_BAD_TRACE_ID;
    if (span->span_id.n != SPAN_ID_BYTES || is_zero(span->span_id))
        return TK_SPAN_BAD_SPAN_ID;
    if (span->parent_id.n != SPAN_ID_BYTES && span->parent_id.n != 0)
        return TK_SPAN_BAD_PARENT_ID;
    if (span->start_ns == 0 || span->start_ns > INT64_MAX || span->end_ns > INT64_MAX)
        return TK_SPAN_BAD_TIME;
    return TK_SPAN_REASON_COUNT;
}

/* Kinds and states that this version does not know are the unspecified one. */
static uint8_t known(uint32_t value, uint32_t count)
{
    return (uint8_t)(value < count ? value : 0);
}

int tk_otlp_end_span(struct tk_otlp_reader *reader, const struct tk_otlp_span *span)
{
    struct tk_span_batch *batch = reader->batch;
    struct tk_span_tally *tally = &reader->tally;
    enum tk_span_reason reason = refusal(span);
    if (reason != TK_SPAN_REASON_COUNT) {
        tally->by_reason[reason]++;
        tk_span_batch_remove(batch);
        return 0;
    }
    size_t row = batch->rows - 1;
    bool ends_early = span->end_ns < span->start_ns;
    memcpy(batch->trace_ids[row], span->trace_id.p, TRACE_ID_BYTES);
    memcpy(&batch->span_ids[row], span->span_id.p, SPAN_ID_BYTES);
    if (span->parent_id.n > 0)
        memcpy(&batch->parent_ids[row], span->parent_id.p, SPAN_ID_BYTES);
    batch->start_ns[row] = (int64_t)span->start_ns;
    batch->duration_ns[row] = ends_early ? 0 : (int64_t)(span->end_ns - span->start_ns);
    batch->names[row] = tk_otlp_text(reader, span->name);
    tk_span_set_rare(&batch->messages[row], tk_otlp_text(reader, span->message));
    tk_span_set_rare(&batch->trace_states[row], tk_otlp_text(reader, span->trace_state));
    tk_span_set_rare(&batch->flags[row], span->flags);
    batch->kinds[row] = known(span->kind, TK_SPAN_KIND_COUNT);
    batch->statuses[row] = known(span->status, TK_SPAN_STATUS_COUNT);
    tk_span_set_rare(&batch->dropped_attrs[row], span->dropped_attrs + span->cut_attrs);
    tk_span_set_rare(&batch->dropped_events[row], span->dropped_events);
    tk_span_set_rare(&batch->dropped_links[row], span->dropped_links + span->bad_links);

    tally->spans++;
    tally->by_reason[TK_SPAN_ENDS_EARLY] += ends_early;
    tally->by_reason[TK_SPAN_NO_UTF8] += reader->not_utf8;
    tally->by_reason[TK_SPAN_CUT_ATTRS] += reader->has_cut;
    reader->not_utf8 = false;
    reader->has_cut = false;
    return tk_span_batch_end(batch);
}
