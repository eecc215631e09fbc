/* SPDX-License-Identifier: Apache-2.0 */
/* Values on the wire: read in place, and lists copied into their canonical form. */
#include <errno.h>

#include "base/scan.h"
#include "span/any_value_internal.h"

int tk_any_scan(struct tk_wire *in, struct tk_any *any)
{
    static const uint8_t types[] = {
        [TK_ANY_STRING] = TK_ATTR_STRING, [TK_ANY_BOOL] = TK_ATTR_BOOL,
        [TK_ANY_INT] = TK_ATTR_INT,       [TK_ANY_DOUBLE] = TK_ATTR_DOUBLE,
        [TK_ANY_ARRAY] = TK_ATTR_ARRAY,   [TK_ANY_MAP] = TK_ATTR_MAP,
        [TK_ANY_BYTES] = TK_ATTR_BYTES,
    };
    uint32_t tag;
    int rc;
    while ((rc = tk_wire_tag(in, &tag)) == 0) {
        uint64_t bits = 0;
        uint8_t type = tag < sizeof(types) ? types[tag] : TK_ATTR_EMPTY;
        const char *p = in->p;
        tk_str text = {NULL, 0};
        if (type == TK_ATTR_EMPTY) {
            rc = tk_wire_skip(in, tag);
        } else if (tk_attr_is_text(type)) {
            rc = tk_wire_bytes(in, &text);
        } else {
            rc = type == TK_ATTR_DOUBLE ? tk_wire_fixed64(in, &bits) : tk_wire_varint(in, &bits);
        }
        if (rc < 0)
            return rc;
        if (type == TK_ATTR_EMPTY)
            continue;
        if (any->type != type)
            any->from = p;
        any->type = type;
        if (tk_attr_is_text(type)) {
            any->text = text;
        } else if (type == TK_ATTR_DOUBLE) {
            memcpy(&any->f64, &bits, sizeof(bits));
        } else {
            any->i64 = type == TK_ATTR_BOOL ? bits != 0 : (int64_t)bits;
        }
    }
    return rc < 0 ? rc : 0;
}

int tk_any_scan_pair(struct tk_wire *in, tk_str *ret_key, struct tk_any *any)
{
    uint32_t tag;
    int rc;
    *ret_key = (tk_str){NULL, 0};
    *any = (struct tk_any){0};
    while ((rc = tk_wire_tag(in, &tag)) == 0) {
        tk_str text = {NULL, 0};
        if (tag == TK_PAIR_KEY) {
            rc = tk_wire_bytes(in, ret_key);
        } else if (tag == TK_PAIR_VALUE) {
            rc = tk_wire_bytes(in, &text);
            struct tk_wire value = tk_wire_inner(in, text);
            if (rc == 0)
                rc = tk_any_scan(&value, any);
        } else {
            rc = tk_wire_skip(in, tag);
        }
        if (rc < 0)
            return rc;
    }
    return rc < 0 ? rc : 0;
}

/* Canonical lists --------------------------------------------------------------------------- */

struct copy {
    struct tk_buf *out;
    int depth; /* lists that are open */
    bool not_utf8;
};

static int copy_value(struct copy *copy, struct tk_wire in, const struct tk_any *any, bool is_pair);

void tk_any_value_put_utf8(struct tk_buf *out, tk_str text)
{
    const char *end = text.n > 0 ? text.p + text.n : text.p;
    for (const char *p = text.p; p < end;) {
        int n = tk_utf8_length(p, end);
        if (n > 0) {
            tk_buf_put(out, (tk_str){p, (size_t)n});
        } else {
            tk_buf_lit(out, "\xEF\xBF\xBD");
        }
        p += n > 0 ? n : 1;
    }
}

static void put_key(struct copy *copy, tk_str key)
{
    if (key.n == 0)
        return;
    if (tk_utf8_ok(key)) {
        tk_wire_put_bytes(copy->out, TK_PAIR_KEY, key);
        return;
    }
    copy->not_utf8 = true;
    size_t at = tk_wire_begin(copy->out, TK_PAIR_KEY, key.n);
    tk_any_value_put_utf8(copy->out, key);
    tk_wire_end(copy->out, at, key.n);
}

/* Copy an AnyValue of an array, or a KeyValue of a map. */
static int copy_element(struct copy *copy, struct tk_wire element, bool is_pair)
{
    struct tk_wire all = element;
    size_t expected = (size_t)(element.end - element.p);
    struct tk_any any = {0};
    tk_str key = {NULL, 0};
    int rc = is_pair ? tk_any_scan_pair(&element, &key, &any) : tk_any_scan(&element, &any);
    if (rc < 0)
        return rc;
    size_t at = tk_wire_begin(copy->out, TK_ANY_VALUES, expected);
    put_key(copy, key);
    if (is_pair) {
        size_t value = tk_wire_begin(copy->out, TK_PAIR_VALUE, expected);
        rc = copy_value(copy, all, &any, true);
        tk_wire_end(copy->out, value, expected);
    } else {
        rc = copy_value(copy, all, &any, false);
    }
    tk_wire_end(copy->out, at, expected);
    return rc;
}

/* Copy what a piece of a list holds. */
static int copy_elements(struct copy *copy, struct tk_wire list, bool is_map)
{
    uint32_t tag;
    int rc;
    while ((rc = tk_wire_tag(&list, &tag)) == 0) {
        tk_str element = {NULL, 0};
        if (tag == TK_ANY_VALUES) {
            rc = tk_wire_bytes(&list, &element);
            if (rc == 0)
                rc = copy_element(copy, tk_wire_inner(&list, element), is_map);
        } else {
            rc = tk_wire_skip(&list, tag);
        }
        if (rc < 0)
            return rc;
    }
    return rc < 0 ? rc : 0;
}

/* Copy all pieces of a list that stand in an AnyValue, from the first that counts. */
static int copy_pieces(struct copy *copy, struct tk_wire value, const struct tk_any *any)
{
    bool is_map = any->type == TK_ATTR_MAP;
    uint32_t tag;
    int rc;
    while ((rc = tk_wire_tag(&value, &tag)) == 0) {
        tk_str piece = {NULL, 0};
        bool is_wanted = tag == (is_map ? TK_ANY_MAP : TK_ANY_ARRAY) && value.p >= any->from;
        rc = is_wanted ? tk_wire_bytes(&value, &piece) : tk_wire_skip(&value, tag);
        if (rc == 0 && is_wanted)
            rc = copy_elements(copy, tk_wire_inner(&value, piece), is_map);
        if (rc < 0)
            return rc;
    }
    return rc < 0 ? rc : 0;
}

/* The same in the values of a KeyValue, which are one value. */
static int copy_pair_pieces(struct copy *copy, struct tk_wire pair, const struct tk_any *any)
{
    uint32_t tag;
    int rc;
    while ((rc = tk_wire_tag(&pair, &tag)) == 0) {
        tk_str value = {NULL, 0};
        rc = tag == TK_PAIR_VALUE ? tk_wire_bytes(&pair, &value) : tk_wire_skip(&pair, tag);
        if (rc == 0 && tag == TK_PAIR_VALUE)
            rc = copy_pieces(copy, tk_wire_inner(&pair, value), any);
        if (rc < 0)
            return rc;
    }
    return rc < 0 ? rc : 0;
}

/* Append the content of a list that `any` found in `in`. */
static int copy_list(struct copy *copy, struct tk_wire in, const struct tk_any *any, bool is_pair)
{
    if (copy->depth == TK_ANY_VALUE_MAX_DEPTH)
        return tk_wire_fail(&in, -EMSGSIZE, in.p, "lists that nest at most 100 deep");
    copy->depth++;
    int rc = is_pair ? copy_pair_pieces(copy, in, any) : copy_pieces(copy, in, any);
    copy->depth--;
    return rc;
}

static int copy_value(struct copy *copy, struct tk_wire in, const struct tk_any *any, bool is_pair)
{
    struct tk_any own = *any;
    if (any->type == TK_ATTR_STRING && !tk_utf8_ok(any->text)) {
        copy->not_utf8 = true;
        own.type = TK_ATTR_BYTES;
    }
    if (any->type != TK_ATTR_ARRAY && any->type != TK_ATTR_MAP) {
        tk_any_put_wire(&own, copy->out);
        return 0;
    }
    size_t expected = (size_t)(in.end - in.p);
    size_t at =
        tk_wire_begin(copy->out, any->type == TK_ATTR_ARRAY ? TK_ANY_ARRAY : TK_ANY_MAP, expected);
    int rc = copy_list(copy, in, any, is_pair);
    tk_wire_end(copy->out, at, expected);
    return rc;
}

int tk_any_value_read_pair(struct tk_wire *pair, struct tk_texts *texts, struct tk_buf *scratch,
                           tk_str *ret_key, struct tk_attr *ret, bool *ret_not_utf8)
{
    struct tk_wire all = *pair;
    struct tk_any any;
    int rc = tk_any_scan_pair(pair, ret_key, &any);
    if (rc < 0)
        return rc;
    struct copy copy = {.out = scratch};
    bool is_utf8 = true;
    ret->type = any.type;
    ret->i64 = 0;
    if (any.type == TK_ATTR_ARRAY || any.type == TK_ATTR_MAP) {
        tk_buf_reset(scratch);
        rc = copy_list(&copy, all, &any, true);
        if (rc == 0 && !tk_buf_ok(scratch))
            rc = tk_wire_fail(&all, scratch->failure, all.p, "memory for a nested value");
        if (rc == 0)
            ret->text = tk_texts_add(texts, tk_buf_str(scratch));
    } else if (any.type == TK_ATTR_BYTES) {
        ret->text = tk_texts_add(texts, any.text);
    } else if (any.type == TK_ATTR_STRING) {
        ret->text = tk_texts_add_utf8(texts, any.text, &is_utf8);
        if (!is_utf8)
            ret->type = TK_ATTR_BYTES;
    } else {
        ret->i64 = any.i64;
    }
    if (copy.not_utf8 || !is_utf8)
        *ret_not_utf8 = true;
    return rc;
}

/* Writing ----------------------------------------------------------------------------------- */

void tk_any_put_wire(const struct tk_any *any, struct tk_buf *out)
{
    static const uint32_t tags[] = {
        [TK_ATTR_STRING] = TK_ANY_STRING, [TK_ATTR_BOOL] = TK_ANY_BOOL,
        [TK_ATTR_INT] = TK_ANY_INT,       [TK_ATTR_DOUBLE] = TK_ANY_DOUBLE,
        [TK_ATTR_ARRAY] = TK_ANY_ARRAY,   [TK_ATTR_MAP] = TK_ANY_MAP,
        [TK_ATTR_BYTES] = TK_ANY_BYTES,
    };
    uint64_t bits;
    if (any->type == TK_ATTR_EMPTY)
        return;
    if (tk_attr_is_text(any->type)) {
        tk_wire_put_bytes(out, tags[any->type], any->text);
    } else if (any->type == TK_ATTR_DOUBLE) {
        memcpy(&bits, &any->f64, sizeof(bits));
        tk_wire_put_fixed64(out, tags[any->type], bits);
    } else {
        tk_wire_put_number(out, tags[any->type], (uint64_t)any->i64);
    }
}

void tk_any_value_put_wire(const struct tk_texts *texts, const struct tk_attr *attr,
                           struct tk_buf *out)
{
    struct tk_any any = tk_any_of(texts, attr);
    tk_any_put_wire(&any, out);
}
