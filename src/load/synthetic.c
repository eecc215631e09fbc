/* SPDX-License-Identifier: Apache-2.0 */
#include "load/synthetic.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "base/hash.h"

#define TEXT_MAX    65536
#define DURATION_NS 123000

/* Bytes of OTLP of a span without attributes, of an attribute without its value, and of a value
 * without padding: what `span_bytes` is reckoned with. */
#define SPAN_BYTES      80
#define ATTRIBUTE_BYTES 15
#define VALUE_BYTES     7
#define INTEGER_BYTES   2

void tk_synthetic_init(struct tk_synthetic *synthetic, const struct tk_synthetic_opts *opts)
{
    struct tk_synthetic_opts full = *opts;
    full.trace_spans = opts->trace_spans > 0 ? opts->trace_spans : 10;
    full.services = opts->services > 0 ? opts->services : 1;
    full.attributes = opts->attributes > 0 ? opts->attributes : 11;
    full.keys = opts->keys > 0 ? opts->keys : 97;
    full.values = opts->values > 0 ? opts->values : 1000;
    if (full.integers > full.attributes)
        full.integers = full.attributes;
    size_t texts = full.attributes - full.integers;
    size_t fixed = SPAN_BYTES + full.attributes * ATTRIBUTE_BYTES + texts * VALUE_BYTES +
                   full.integers * INTEGER_BYTES;
    *synthetic = (struct tk_synthetic){.opts = full};
    if (texts > 0 && full.span_bytes > fixed)
        synthetic->padding = (full.span_bytes - fixed) / texts;
    tk_buf_init(&synthetic->text, TEXT_MAX);
}

void tk_synthetic_release(struct tk_synthetic *synthetic)
{
    tk_buf_release(&synthetic->text);
}

/* Texts ------------------------------------------------------------------------------------ */

static uint32_t add_text(struct tk_span_batch *batch, const char *text)
{
    return tk_texts_add(&batch->texts, tk_str_from(text));
}

/* The text "PREFIXnn", at least two digits. */
static uint32_t add_numbered(struct tk_synthetic *synthetic, struct tk_span_batch *batch,
                             const char *prefix, uint64_t number)
{
    tk_buf_reset(&synthetic->text);
    tk_buf_printf(&synthetic->text, "%s%02llu", prefix, (unsigned long long)number);
    return tk_texts_add(&batch->texts, tk_buf_str(&synthetic->text));
}

/* "val_nn" and its padding, which is another one for each value. */
static uint32_t add_value(struct tk_synthetic *synthetic, struct tk_span_batch *batch,
                          uint64_t number)
{
    struct tk_buf *text = &synthetic->text;
    tk_buf_reset(text);
    tk_buf_printf(text, "val_%02llu", (unsigned long long)number);
    uint64_t letters = 0;
    for (size_t i = 0; i < synthetic->padding; i++) {
        if (i % 16 == 0)
            letters = tk_hash_mix(number, i);
        tk_buf_putc(text, (char)('a' + (letters & 15)));
        letters >>= 4;
    }
    return tk_texts_add(&batch->texts, tk_buf_str(text));
}

/* Spans ------------------------------------------------------------------------------------ */

/* The resource and scope of every service: the scopes are 0 .. services - 1. */
static int add_services(struct tk_synthetic *synthetic, struct tk_span_batch *batch)
{
    for (size_t i = 0; i < synthetic->opts.services; i++) {
        uint32_t name = synthetic->opts.services > 1
                            ? add_numbered(synthetic, batch, "tracegen-", i)
                            : add_text(batch, "tracegen");
        const struct tk_attr attr = {add_text(batch, "service.name"), TK_ATTR_STRING, {name}};
        struct tk_span_resource resource = {.service = name};
        resource.attrs.begin = tk_span_batch_add_side_attr(batch, &attr);
        resource.attrs.n = 1;
        struct tk_span_scope scope = {.name = add_text(batch, "tracegen")};
        scope.resource = tk_span_batch_add_resource(batch, &resource);
        if (resource.attrs.begin == UINT32_MAX || scope.resource == UINT32_MAX ||
            tk_span_batch_add_scope(batch, &scope) == UINT32_MAX)
            return -ENOBUFS;
    }
    return 0;
}

static int add_attributes(struct tk_synthetic *synthetic, struct tk_span_batch *batch)
{
    const struct tk_synthetic_opts *opts = &synthetic->opts;
    int rc = 0;
    for (size_t i = 0; i < opts->attributes && rc == 0; i++) {
        bool is_number = i < opts->integers;
        struct tk_attr attr = {.key = add_numbered(synthetic, batch, "attr_", synthetic->key)};
        attr.type = is_number ? TK_ATTR_INT : TK_ATTR_STRING;
        if (is_number) {
            attr.i64 = (int64_t)synthetic->value;
        } else {
            attr.text = add_value(synthetic, batch, synthetic->value);
        }
        synthetic->key = (synthetic->key + 1) % opts->keys;
        synthetic->value = (synthetic->value + 1) % opts->values;
        rc = tk_span_batch_add_attr(batch, &attr);
    }
    return rc;
}

/* What tracegen gives the root. */
static int add_root_attributes(struct tk_span_batch *batch)
{
    const struct tk_attr attrs[] = {
        {add_text(batch, "peer.service"), TK_ATTR_STRING, {add_text(batch, "tracegen-server")}},
        {add_text(batch, "peer.host.ipv4"), TK_ATTR_STRING, {add_text(batch, "1.1.1.1")}},
    };
    int rc = tk_span_batch_add_attr(batch, &attrs[0]);
    return rc < 0 ? rc : tk_span_batch_add_attr(batch, &attrs[1]);
}

static uint64_t span_id(const struct tk_synthetic *synthetic, uint64_t trace, uint64_t at)
{
    return htobe64(tk_hash_mix(tk_hash_mix(synthetic->opts.seed, trace), at + 3) | 1);
}

/* Set the columns of span `at` of a trace. */
static void set_columns(const struct tk_synthetic *synthetic, struct tk_span_batch *batch,
                        uint64_t trace, uint64_t at)
{
    size_t row = batch->rows - 1;
    uint64_t children = synthetic->opts.trace_spans - 1;
    uint64_t length = children > 0 ? children : 1;
    for (uint64_t half = 0; half < 2; half++) {
        uint64_t id = htobe64(tk_hash_mix(tk_hash_mix(synthetic->opts.seed, trace), half + 1));
        memcpy(batch->trace_ids[row] + half * 8, &id, sizeof(id));
    }
    batch->span_ids[row] = span_id(synthetic, trace, at);
    batch->parent_ids[row] = at > 0 ? span_id(synthetic, trace, 0) : 0;
    batch->start_ns[row] = synthetic->opts.start_ns + (int64_t)(trace * length) * DURATION_NS +
                           (at > 0 ? (int64_t)(at - 1) * DURATION_NS : 0);
    batch->duration_ns[row] = (at > 0 ? 1 : (int64_t)length) * DURATION_NS;
    batch->scope_ids[row] = (uint32_t)(trace % synthetic->opts.services);
    batch->kinds[row] = at > 0 ? TK_SPAN_CLIENT : TK_SPAN_SERVER;
    batch->flags[row] = at > 0 ? 0x101 : 0x1;
}

static int add_span(struct tk_synthetic *synthetic, struct tk_span_batch *batch)
{
    uint64_t trace = synthetic->made / synthetic->opts.trace_spans;
    uint64_t at = synthetic->made % synthetic->opts.trace_spans;
    int rc = tk_span_batch_begin(batch);
    if (rc < 0)
        return rc;
    set_columns(synthetic, batch, trace, at);
    batch->names[batch->rows - 1] =
        at > 0 ? add_numbered(synthetic, batch, "child-span-", at - 1) : add_text(batch, "lets-go");
    if (at == 0 && synthetic->opts.span_bytes == 0) {
        rc = add_root_attributes(batch);
    } else {
        rc = add_attributes(synthetic, batch);
    }
    return rc < 0 ? rc : tk_span_batch_end(batch);
}

int tk_synthetic_next(struct tk_synthetic *synthetic, struct tk_span_batch *batch,
                      struct tk_err *err)
{
    int rc = add_services(synthetic, batch);
    while (rc == 0 && synthetic->made < synthetic->opts.spans) {
        struct tk_synthetic before = *synthetic;
        struct tk_span_mark mark = tk_span_batch_mark(batch);
        rc = add_span(synthetic, batch);
        if (rc == 0) {
            synthetic->made++;
            continue;
        }
        synthetic->key = before.key;
        synthetic->value = before.value;
        tk_span_batch_rewind(batch, &mark);
    }
    if (rc == -ENOBUFS && batch->rows > 0)
        return 0;
    if (rc < 0)
        return tk_fail(err, -EMSGSIZE, "a made-up span does not fit a batch");
    return 1;
}
