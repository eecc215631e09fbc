/* SPDX-License-Identifier: Apache-2.0 */
/* What the readers of OTLP as protobuf and as JSON share: keys, texts, resources, and how a span
 * ends. */
#ifndef TK_SPAN_OTLP_READER_INTERNAL_H
#define TK_SPAN_OTLP_READER_INTERNAL_H

#include <errno.h>
#include <stdbool.h>

#include "base/map.h"
#include "span/otlp.h"

/* What is remembered of a key of attributes: spans of one kind have the same keys in the same
 * order, and few values. */
struct tk_otlp_key {
    const char *p; /* the key, in the dictionary */
    uint32_t n;
    uint32_t id;
    uint32_t next; /* index of the key that followed last time */
    uint32_t value_n;
    const char *value; /* the last text of it that is UTF-8, in the dictionary */
    uint32_t value_id;
    uint32_t seen; /* texts since the last judgement, and how many were new */
    uint32_t fresh;
    bool varies; /* texts that hardly ever come twice: not looked for any more */
};

/* Indexes of keys that are none: what goes before the first key of a list, by its kind, and the
 * one that stands for all keys that are too many to remember. */
enum tk_otlp_first {
    TK_OTLP_OTHER_KEY = 0,
    TK_OTLP_SPAN_KEYS,
    TK_OTLP_EVENT_KEYS,
    TK_OTLP_LINK_KEYS,
    TK_OTLP_RESOURCE_KEYS,
    TK_OTLP_SCOPE_KEYS,
    TK_OTLP_FIRST_COUNT
};

/* A text of the span at hand that is looked for with others: one by one they would wait for memory
 * several times each. */
struct tk_otlp_late {
    struct tk_otlp_key *key;
    struct tk_attr *attr; /* that it is of, in the batch; all but the text is there */
    tk_str text;
    uint64_t hash;
};

#define TK_OTLP_LATE_MAX 16

struct tk_otlp_reader {
    struct tk_span_batch *batch;
    struct tk_otlp_key *keys; /* [TK_OTLP_MAX_KEYS] owned */
    uint32_t key_count;
    struct tk_map key_of; /* id of a text -> index in `keys` */

    struct tk_arena heads;  /* resources and scopes that were seen, as bytes */
    struct tk_map head_of;  /* hash -> offset there */
    struct tk_buf head;     /* with its surroundings */
    struct tk_buf entities; /* of a resource */
    struct tk_buf waiting;  /* struct tk_otlp_waiting [...] of a resource */

    struct tk_buf scratch;      /* for a value */
    struct tk_arena decoded;    /* texts of JSON with escapes, heads that came in pieces */
    struct tk_wire_fault fault; /* of this call */
    struct tk_span_tally tally; /* of this call */
    bool not_utf8;              /* of this span */
    bool has_cut;
    size_t late_count;
    struct tk_otlp_late late[TK_OTLP_LATE_MAX];
};

/* A span on its way; texts are views. */
struct tk_otlp_span {
    tk_str trace_id; /* bytes */
    tk_str span_id;
    tk_str parent_id;
    tk_str trace_state;
    tk_str name;
    tk_str message;
    uint64_t start_ns;
    uint64_t end_ns;
    uint32_t kind;
    uint32_t status;
    uint32_t flags;
    uint32_t dropped_attrs; /* by the sender */
    uint32_t cut_attrs;     /* here */
    uint32_t dropped_events;
    uint32_t dropped_links;
    uint32_t bad_links; /* left out here */
};

/* Keys and texts ---------------------------------------------------------------------------- */

/* The key that has this text, and remember that it follows `before`. */
struct tk_otlp_key *tk_otlp_key_find(struct tk_otlp_reader *reader, struct tk_otlp_key *before,
                                     tk_str text);

/* The same; the key that followed last time is tried first. */
static inline struct tk_otlp_key *tk_otlp_key_next(struct tk_otlp_reader *reader,
                                                   struct tk_otlp_key *before, tk_str text)
{
    struct tk_otlp_key *key = &reader->keys[before->next];
    if (key->n == text.n && tk_texts_same(key->p, text.p, text.n))
        return key;
    return tk_otlp_key_find(reader, before, text);
}

/* The attribute `key` = text, which may be no UTF-8. */
void tk_otlp_text_find(struct tk_otlp_reader *reader, struct tk_otlp_key *key, tk_str text,
                       struct tk_attr *ret);

/* The same; the value that came last time is tried first. */
static inline void tk_otlp_text_attr(struct tk_otlp_reader *reader, struct tk_otlp_key *key,
                                     tk_str text, struct tk_attr *ret)
{
    if (key->value_n != text.n || !tk_texts_same(key->value, text.p, text.n)) {
        tk_otlp_text_find(reader, key, text, ret);
        return;
    }
    *ret = (struct tk_attr){.key = key->id, .type = TK_ATTR_STRING, .text = key->value_id};
}

/* Look for the texts that are late. */
void tk_otlp_settle(struct tk_otlp_reader *reader);

/* As tk_otlp_text_attr(), for an attribute that stays where it is: its text comes with
 * tk_otlp_settle(), at the latest. */
static inline void tk_otlp_late_attr(struct tk_otlp_reader *reader, struct tk_otlp_key *key,
                                     tk_str text, struct tk_attr *ret)
{
    if ((key->value_n == text.n && tk_texts_same(key->value, text.p, text.n)) || key->varies) {
        tk_otlp_text_attr(reader, key, text, ret);
        return;
    }
    if (reader->late_count == TK_OTLP_LATE_MAX)
        tk_otlp_settle(reader);
    *ret = (struct tk_attr){.key = key->id, .type = TK_ATTR_STRING};
    reader->late[reader->late_count++] =
        (struct tk_otlp_late){key, ret, text, tk_texts_hash(&reader->batch->texts, text)};
}

/* The id of a text that has to be UTF-8. */
uint32_t tk_otlp_text(struct tk_otlp_reader *reader, tk_str text);

/* Append an attribute to the last range of side attributes; what is too many is counted. */
TK_MUST_USE int tk_otlp_add_side_attr(struct tk_otlp_reader *reader, struct tk_attr_range *range,
                                      const struct tk_attr *attr);

/* Where the next attribute of the last span goes: `cut` when it has too many. NULL when the batch
 * is full. */
TK_MUST_USE static inline struct tk_attr *tk_otlp_next_attr(const struct tk_otlp_reader *reader,
                                                            struct tk_attr *cut)
{
    const struct tk_span_batch *batch = reader->batch;
    if (batch->attr_count - batch->row_mark.attrs == TK_OTLP_MAX_ATTRS)
        return cut;
    return batch->attr_count < batch->max_attrs ? &batch->attrs[batch->attr_count] : NULL;
}

/* The attribute is there; one that was too many is counted. */
static inline void tk_otlp_end_attr(struct tk_otlp_reader *reader, bool is_cut, uint32_t *cut_count)
{
    struct tk_span_batch *batch = reader->batch;
    if (is_cut) {
        (*cut_count)++;
        reader->has_cut = true;
        return;
    }
    batch->attr_ends[batch->rows - 1] = ++batch->attr_count;
}

/* Heads ------------------------------------------------------------------------------------- */

/* Rows that wait for their scope: it stands before them as a rule, but its schema_url behind, and
 * so do those of the resource. */
struct tk_otlp_waiting {
    tk_str head; /* of the scope */
    tk_str schema_url;
    size_t first_row, end_row;
};

/* Rows from `first_row` to the last have this scope. */
void tk_otlp_wait(struct tk_otlp_reader *reader, tk_str head, tk_str schema_url, size_t first_row);

enum tk_otlp_form { TK_OTLP_IN_PROTO = 0, TK_OTLP_IN_JSON };

/* Read a scope of a resource, or with UINT32_MAX a resource, into the batch. */
typedef int (*tk_otlp_head_fn)(void *user, tk_str head, tk_str schema_url, uint32_t resource,
                               uint32_t *ret_id);

/* Give the rows that wait their scopes, all of this resource. `read` is asked for heads that did
 * not come before. Fails as `read`, with -ENOMEM, and nothing waits any more. */
TK_MUST_USE int tk_otlp_resolve(struct tk_otlp_reader *reader, enum tk_otlp_form form,
                                const struct tk_otlp_waiting *resource, tk_otlp_head_fn read,
                                void *user);

/* Add a resource, whose references to entities stand in reader->entities, or a scope; all but the
 * schema_url was read. */
TK_MUST_USE int tk_otlp_end_resource(struct tk_otlp_reader *reader,
                                     struct tk_span_resource *resource, tk_str schema_url,
                                     uint32_t *ret_id);
TK_MUST_USE int tk_otlp_end_scope(struct tk_otlp_reader *reader, struct tk_span_scope *scope,
                                  tk_str schema_url, uint32_t *ret_id);

/* The text of this id is "service.name". */
bool tk_otlp_is_service_name(const struct tk_otlp_reader *reader, uint32_t key);

/* A call -------------------------------------------------------------------------------------- */

void tk_otlp_begin(struct tk_otlp_reader *reader);

/* -ENOBUFS with its message. */
int tk_otlp_fail_full(struct tk_err *err);

/* Add a link to the last row; ids are bytes, absent ones zero. One with an id of another length is
 * counted as dropped. -ENOBUFS. */
TK_MUST_USE int tk_otlp_end_link(struct tk_otlp_reader *reader, struct tk_otlp_span *span,
                                 struct tk_span_link *link, tk_str trace_id, tk_str span_id);

/* End the row that was begun: it gets its columns, or is taken back and counted. -ENOBUFS. */
TK_MUST_USE int tk_otlp_end_span(struct tk_otlp_reader *reader, const struct tk_otlp_span *span);

#endif
