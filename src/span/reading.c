/* SPDX-License-Identifier: Apache-2.0 */
#include "span/reading.h"

#include <errno.h>
#include <stdio.h>

#include "base/checked.h"
#include "base/digest.h"
#include "base/hash.h"
#include "span/any_value.h"
#include "span/span_text.h"

#define KNOWN_MAX ((size_t)1 << 20)

enum { KIND_SERVICE = 1 };

int tk_reading_init(struct tk_reading *reading, struct tk_err *err)
{
    tk_buf_init(&reading->decoded, TK_READING_RECORD_MAX);
    int rc = tk_arena_init(&reading->scratch, TK_READING_RECORD_MAX, err);
    if (rc == 0)
        rc = tk_arena_init(&reading->known, KNOWN_MAX * sizeof(struct tk_reading_known), err);
    return rc;
}

void tk_reading_release(struct tk_reading *reading)
{
    tk_buf_release(&reading->decoded);
    tk_arena_release(&reading->scratch);
    tk_arena_release(&reading->known);
    tk_map_release(&reading->indexes);
}

static void forget(struct tk_reading *reading)
{
    tk_map_reset(&reading->indexes);
    tk_arena_reset(&reading->known);
    reading->known_count = 0;
}

void tk_reading_begin(struct tk_reading *reading, struct tk_span_input *input,
                      struct tk_span_batch *batch, struct tk_span_tally *tally)
{
    reading->input = input;
    reading->batch = batch;
    reading->tally = tally;
    forget(reading);
}

/* What is left out ------------------------------------------------------------------------ */

void tk_reading_refuse(struct tk_reading *reading, enum tk_span_reason reason, const char *at,
                       const char *why)
{
    struct tk_span_input *input = reading->input;
    reading->tally->by_reason[reason]++;
    if (input->first_bad[0])
        return;
    uint64_t line = 1;
    for (const char *p = input->text.p; (p = memchr(p, '\n', (size_t)(at - p))); p++)
        line++;
    (void)snprintf(input->first_bad, sizeof(input->first_bad), "line %llu: %s",
                   (unsigned long long)line, why);
}

int tk_reading_take_back(struct tk_reading *reading, const struct tk_span_mark *mark, int code,
                         const char *at, const char *why)
{
    tk_span_batch_rewind(reading->batch, mark);
    forget(reading); /* a resource may have gone with the row */
    *reading->tally = reading->before;
    if (code == -ENOBUFS && mark->rows > 0)
        return -ENOBUFS;
    if (code == -ENOBUFS) {
        tk_reading_refuse(reading, TK_SPAN_TOO_LARGE, at, "does not fit an empty batch");
    } else {
        tk_reading_refuse(reading, TK_SPAN_BAD_RECORD, at, why);
    }
    return 0;
}

/* Resources --------------------------------------------------------------------------------- */

static uint64_t key_of(uint64_t kind, tk_str raw)
{
    return tk_hash_bytes(raw, kind);
}

bool tk_reading_find(const struct tk_reading *reading, uint64_t kind, tk_str raw,
                     uint32_t *ret_index)
{
    const struct tk_reading_known *items = (const void *)reading->known.p;
    uint32_t place;
    if (!tk_map_find(&reading->indexes, key_of(kind, raw), &place) ||
        !tk_str_eq(items[place].raw, raw))
        return false;
    *ret_index = items[place].index;
    return true;
}

void tk_reading_add(struct tk_reading *reading, uint64_t kind, tk_str raw, uint32_t index)
{
    struct tk_reading_known *item = tk_arena_alloc(&reading->known, sizeof(*item));
    if (!item)
        return;
    *item = (struct tk_reading_known){raw, index};
    if (tk_map_add(&reading->indexes, key_of(kind, raw), reading->known_count) == 0) {
        reading->known_count++;
    } else {
        reading->known.n -= sizeof(*item);
    }
}

uint32_t tk_reading_service(struct tk_reading *reading, tk_str service)
{
    struct tk_span_batch *batch = reading->batch;
    uint32_t index;
    if (tk_reading_find(reading, KIND_SERVICE, service, &index))
        return index;
    uint32_t text = tk_reading_add_name(reading, service);
    uint32_t key = tk_texts_add(&batch->texts, TK_STR("service.name"));
    if (text == TK_TEXTS_NONE || key == TK_TEXTS_NONE)
        return UINT32_MAX;
    struct tk_span_resource resource = {.service = text};
    if (service.n > 0) {
        const struct tk_attr attr = {.key = key, .type = TK_ATTR_STRING, .text = text};
        resource.attrs.begin = tk_span_batch_add_side_attr(batch, &attr);
        resource.attrs.n = 1;
    }
    index = resource.attrs.begin == UINT32_MAX ? UINT32_MAX
                                               : tk_span_batch_add_resource(batch, &resource);
    if (index != UINT32_MAX)
        index = tk_span_batch_add_scope(batch, &(struct tk_span_scope){.resource = index});
    if (index != UINT32_MAX)
        tk_reading_add(reading, KIND_SERVICE, tk_texts_get(&batch->texts, text), index);
    return index;
}

uint32_t tk_reading_scope(struct tk_reading *reading, uint32_t resource, tk_str name,
                          tk_str version)
{
    struct tk_span_batch *batch = reading->batch;
    const struct tk_span_scope scope = {
        .resource = resource,
        .name = tk_texts_add(&batch->texts, name),
        .version = tk_texts_add(&batch->texts, version),
    };
    if (scope.name == TK_TEXTS_NONE || scope.version == TK_TEXTS_NONE)
        return UINT32_MAX;
    for (uint32_t i = batch->scope_count; i > 0 && batch->scope_count - i < 64; i--) {
        const struct tk_span_scope *other = &batch->scopes[i - 1];
        if (other->resource == resource && other->name == scope.name &&
            other->version == scope.version && other->attrs.n == 0)
            return i - 1;
    }
    return tk_span_batch_add_scope(batch, &scope);
}

/* A row --------------------------------------------------------------------------------------- */

/* The first bytes of the SHA-256. */
static int make_id(tk_str text, uint8_t *ret, size_t n, struct tk_err *err)
{
    char hex[TK_DIGEST_MAX];
    uint8_t id[16];
    int rc = tk_digest_text(text, hex, err);
    if (rc < 0)
        return rc;
    (void)tk_trace_id_parse((tk_str){hex, TK_TRACE_ID_DIGITS}, id);
    memcpy(ret, id, n);
    return 0;
}

/* `ret_made`: the text is no digits, and the id made from it. */
static int take_trace_id(tk_str text, uint8_t *ret_id, bool *ret_made, struct tk_err *err)
{
    if (text.n == 0)
        return tk_fail(err, -EBADMSG, "a span without a trace id");
    *ret_made = !tk_trace_id_parse(text, ret_id);
    return *ret_made ? make_id(text, ret_id, 16, err) : 0;
}

static int take_span_id(tk_str text, uint64_t *ret_id, bool *ret_made, struct tk_err *err)
{
    if (text.n == 0)
        return tk_fail(err, -EBADMSG, "a span without an id");
    *ret_made = !tk_span_id_parse(text, ret_id);
    if (!*ret_made)
        return 0;
    uint8_t bytes[8] = {0};
    int rc = make_id(text, bytes, sizeof(bytes), err);
    memcpy(ret_id, bytes, sizeof(bytes));
    return rc;
}

int tk_reading_trace_id(tk_str text, uint8_t ret_id[16], struct tk_err *err)
{
    bool is_made;
    return take_trace_id(text, ret_id, &is_made, err);
}

int tk_reading_span_id(tk_str text, uint64_t *ret_id, struct tk_err *err)
{
    bool is_made;
    return take_span_id(text, ret_id, &is_made, err);
}

int tk_reading_begin_row(struct tk_reading *reading, tk_str trace_id, tk_str span_id,
                         tk_str parent_id, struct tk_err *err)
{
    struct tk_span_batch *batch = reading->batch;
    bool trace_made = false;
    bool span_made = false;
    reading->before = *reading->tally;
    int rc = tk_span_batch_begin(batch);
    if (rc < 0)
        return rc;
    size_t row = batch->rows - 1;
    rc = take_trace_id(trace_id, batch->trace_ids[row], &trace_made, err);
    if (rc == 0)
        rc = take_span_id(span_id, &batch->span_ids[row], &span_made, err);
    if (rc == 0 && parent_id.n > 0)
        rc = tk_reading_span_id(parent_id, &batch->parent_ids[row], err);
    if (rc == 0 && tk_trace_id_is_zero(batch->trace_ids[row]))
        rc = tk_fail(err, -EBADMSG, "a trace id of zeros");
    if (rc == 0 && batch->span_ids[row] == 0)
        rc = tk_fail(err, -EBADMSG, "a span id of zeros");
    if (rc == 0 && trace_made)
        rc = tk_reading_add_text(reading, TK_STR("tracekit.trace_id"), trace_id);
    if (rc == 0 && span_made)
        rc = tk_reading_add_text(reading, TK_STR("tracekit.span_id"), span_id);
    return rc;
}

int tk_reading_set_time(struct tk_reading *reading, int64_t start, int64_t duration,
                        int64_t unit_ns, struct tk_err *err)
{
    struct tk_span_batch *batch = reading->batch;
    size_t row = batch->rows - 1;
    int64_t end;
    if (duration < 0) {
        reading->tally->by_reason[TK_SPAN_ENDS_EARLY]++;
        duration = 0;
    }
    if (start < 0 || !tk_mul_i64(start, unit_ns, &batch->start_ns[row]) ||
        !tk_mul_i64(duration, unit_ns, &batch->duration_ns[row]) ||
        !tk_add_i64(batch->start_ns[row], batch->duration_ns[row], &end))
        return tk_fail(err, -EBADMSG, "a time before 1970 or beyond 2262");
    return 0;
}

uint32_t tk_reading_add_name(struct tk_reading *reading, tk_str text)
{
    struct tk_texts *texts = &reading->batch->texts;
    struct tk_buf *out = &reading->decoded;
    bool is_utf8 = true;
    uint32_t id = tk_texts_add_utf8(texts, text, &is_utf8);
    if (is_utf8)
        return id;
    reading->tally->by_reason[TK_SPAN_NO_UTF8]++;
    tk_buf_reset(out);
    tk_any_value_put_utf8(out, text);
    return tk_buf_ok(out) ? tk_texts_add(texts, tk_buf_str(out)) : TK_TEXTS_NONE;
}

int tk_reading_add_text(struct tk_reading *reading, tk_str key, tk_str text)
{
    struct tk_span_batch *batch = reading->batch;
    bool is_utf8 = true;
    struct tk_attr attr = {.key = tk_reading_add_name(reading, key)};
    attr.text = tk_texts_add_utf8(&batch->texts, text, &is_utf8);
    attr.type = is_utf8 ? TK_ATTR_STRING : TK_ATTR_BYTES;
    reading->tally->by_reason[TK_SPAN_NO_UTF8] += !is_utf8;
    if (attr.key == TK_TEXTS_NONE || attr.text == TK_TEXTS_NONE)
        return -ENOBUFS;
    return tk_span_batch_add_attr(batch, &attr);
}

int tk_reading_read_attr(struct tk_reading *reading, tk_str key, struct tk_json *json,
                         struct tk_attr *ret_attr, struct tk_err *err)
{
    struct tk_texts *texts = &reading->batch->texts;
    *ret_attr = (struct tk_attr){0};
    int rc = tk_any_value_read_json(json, texts, &reading->scratch, ret_attr, err);
    if (rc < 0)
        return rc;
    ret_attr->key = tk_texts_add(texts, key);
    return ret_attr->key == TK_TEXTS_NONE ? -ENOBUFS : 0;
}

int tk_reading_read_attrs(struct tk_reading *reading, struct tk_json *json, struct tk_err *err)
{
    tk_str key;
    struct tk_attr attr;
    if (tk_json_peek(json) == TK_JSON_NULL)
        return tk_json_read_null(json, err);
    int rc = tk_json_enter_object(json, err);
    if (rc < 0)
        return rc;
    while ((rc = tk_json_next_key(json, &reading->scratch, &key, err)) == 0) {
        if (tk_json_peek(json) == TK_JSON_NULL) {
            rc = tk_json_read_null(json, err);
        } else {
            /* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): with 0 there is a key */
            rc = tk_reading_read_attr(reading, key, json, &attr, err);
            rc = rc < 0 ? rc : tk_span_batch_add_attr(reading->batch, &attr);
        }
        if (rc < 0)
            return rc;
    }
    return rc < 0 ? rc : 0;
}

int tk_reading_read_side_attrs(struct tk_reading *reading, struct tk_json *json,
                               struct tk_attr_range *ret_range, struct tk_err *err)
{
    tk_str key;
    struct tk_attr attr;
    struct tk_span_batch *batch = reading->batch;
    *ret_range = (struct tk_attr_range){.begin = batch->side_attr_count};
    if (tk_json_peek(json) == TK_JSON_NULL)
        return tk_json_read_null(json, err);
    int rc = tk_json_enter_object(json, err);
    if (rc < 0)
        return rc;
    while ((rc = tk_json_next_key(json, &reading->scratch, &key, err)) == 0) {
        /* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): with 0 there is a key */
        rc = tk_reading_read_attr(reading, key, json, &attr, err);
        if (rc < 0)
            return rc;
        if (tk_span_batch_add_side_attr(batch, &attr) == UINT32_MAX)
            return -ENOBUFS;
        ret_range->n++;
    }
    return rc < 0 ? rc : 0;
}

/* JSON ----------------------------------------------------------------------------------------- */

void tk_reading_scan(const struct tk_reading *reading, tk_str part, struct tk_json *ret_json)
{
    tk_json_init(ret_json, part);
    if (part.n > 0)
        ret_json->start = reading->input->text.p;
}

/* Stand before the next value at the top, or after the end of an array: 0, or 1 at the end. */
static int find_value(struct tk_json_records *records, struct tk_err *err)
{
    struct tk_json *json = &records->json;
    for (;;) {
        while (records->arrays == 0 && tk_json_peek(json) == TK_JSON_BAD && *json->p == ',')
            json->p++;
        if (records->arrays > 0) {
            int rc = tk_json_next_element(json, err);
            if (rc < 0)
                return rc;
            records->arrays -= rc;
            if (rc == 1)
                continue;
        } else if (tk_json_peek(json) == TK_JSON_END) {
            return 1;
        }
        if (tk_json_peek(json) != TK_JSON_ARRAY || records->arrays == 2)
            return 0;
        int rc = tk_json_enter_array(json, err);
        if (rc < 0)
            return rc;
        records->arrays++;
    }
}

/* Where to go on after a fault at `stop` in a value that began at `start`: behind its line, where
 * the fault is on it, or where the line was torn: its value cannot go on as the next line begins,
 * or it ends behind a colon. NULL = nowhere. */
static const char *find_line(const struct tk_json_records *records, const char *start,
                             const char *stop)
{
    const char *end = records->json.end;
    const char *newline = memchr(start, '\n', (size_t)(end - start));
    const char *next = newline ? newline + 1 : end;
    bool is_torn = newline && records->arrays == 0 &&
                   (stop == next || (newline > start && newline[-1] == ':'));
    return !newline || next > stop || is_torn ? next : NULL;
}

/* After a fault: pass over the line on which the value began. */
static int pass_line(struct tk_json_records *records, struct tk_reading *reading, const char *start,
                     const struct tk_err *fault, struct tk_err *err)
{
    struct tk_json *json = &records->json;
    const char *next = find_line(records, start, json->p);
    if (!next) {
        *err = *fault;
        return fault->code == -EMSGSIZE ? tk_fail(err, -EBADMSG, "%s", fault->msg) : fault->code;
    }
    tk_reading_refuse(reading, TK_SPAN_BAD_RECORD, start, fault->msg);
    json->p = next;
    json->depth = records->arrays;
    json->first = true;
    return 0;
}

int tk_json_records_next(struct tk_json_records *records, struct tk_reading *reading,
                         tk_str *ret_raw, struct tk_err *err)
{
    struct tk_json *json = &records->json;
    if (!records->begun) {
        tk_reading_scan(reading, reading->input->text, json);
        (void)tk_json_peek(json);
        if (json->end - json->p >= 3 && memcmp(json->p, "\xEF\xBB\xBF", 3) == 0)
            json->p += 3;
        records->begun = true;
    }
    for (;;) {
        struct tk_err fault;
        const char *start = json->p;
        int rc = find_value(records, &fault);
        if (rc == 0) {
            start = json->p;
            rc = tk_json_skip(json, ret_raw, &fault);
        }
        reading->input->offset = tk_json_offset(json);
        if (rc >= 0)
            return rc;
        if (json->p == json->end && records->arrays > 0 && start == json->p) {
            *err = fault;
            return rc;
        }
        rc = pass_line(records, reading, start, &fault, err);
        if (rc < 0)
            return rc;
    }
}

void tk_json_rewind(struct tk_json *json, tk_str raw)
{
    json->p = raw.p;
    json->first = true;
}

bool tk_head_has_key(tk_str head, const char *key)
{
    size_t n = strlen(key);
    const char *end = head.n > 0 ? head.p + head.n : head.p;
    for (const char *p = head.p; p && (size_t)(end - p) > n + 2; p++) {
        p = memchr(p, '"', (size_t)(end - p) - n - 2);
        if (!p)
            return false;
        if (memcmp(p + 1, key, n) != 0 || p[n + 1] != '"')
            continue;
        const char *next = p + n + 2;
        while (next < end && (*next == ' ' || *next == '\n' || *next == '\t' || *next == '\r'))
            next++;
        if (next < end && *next == ':')
            return true;
    }
    return false;
}
