/* SPDX-License-Identifier: Apache-2.0 */
/* What the requests of spans and of metrics have in common: resources and attributes. */
#include "span/otlp_write.h"

#include <errno.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/number.h"
#include "span/otlp_internal.h"

static const char *const place_names[TK_OTLP_PLACE_COUNT] = {
    [TK_OTLP_HOST] = "host",
    [TK_OTLP_NODE] = "node",
    [TK_OTLP_STAGE] = "stage",
    [TK_OTLP_SERVICE] = "module_id",
    [TK_OTLP_INSTANCE] = "instance_id",
    [TK_OTLP_PID] = "pid",
    [TK_OTLP_START_TICKS] = "start_ticks",
    [TK_OTLP_COMM] = "comm",
};

int tk_otlp_writing_init(struct tk_otlp_writing *writing, struct tk_otlp *otlp,
                         const struct tk_batch *batch, struct tk_buf *out, struct tk_err *err)
{
    *writing = (struct tk_otlp_writing){.otlp = otlp, .batch = batch, .out = out};
    for (size_t i = 0; i < TK_OTLP_PLACE_COUNT; i++)
        writing->places[i] = tk_schema_find(batch->schema, tk_str_from(place_names[i]), 0);
    writing->done = calloc(batch->rows + 1, sizeof(bool));
    return writing->done ? 0 : tk_fail(err, -ENOMEM, "out of memory");
}

void tk_otlp_writing_release(struct tk_otlp_writing *writing)
{
    free(writing->done);
}

static bool has(const struct tk_otlp_writing *writing, size_t row, enum tk_otlp_place place)
{
    size_t column = writing->places[place];
    return column < writing->batch->schema->column_count &&
           tk_batch_has(writing->batch, row, column);
}

bool tk_otlp_is_same(const struct tk_otlp_writing *writing, size_t a, size_t b)
{
    const struct tk_batch *batch = writing->batch;
    for (enum tk_otlp_place place = 0; place < TK_OTLP_PLACE_COUNT; place++) {
        bool here = has(writing, a, place);
        if (here != has(writing, b, place))
            return false;
        if (!here)
            continue;
        size_t column = writing->places[place];
        const union tk_value *x = tk_batch_at(batch, a, column);
        const union tk_value *y = tk_batch_at(batch, b, column);
        bool same = batch->schema->columns[column].type == TK_TEXT ? tk_str_eq(x->text, y->text)
                                                                   : x->i64 == y->i64;
        if (!same)
            return false;
    }
    return true;
}

/* Attributes -------------------------------------------------------------------------------- */

static void begin_attribute(struct tk_buf *out, const char *key)
{
    tk_json_put_comma(out);
    tk_buf_lit(out, "{\"key\":");
    tk_json_put_str(out, tk_str_from(key));
    tk_buf_lit(out, ",\"value\":{");
}

void tk_otlp_put_text(struct tk_buf *out, const char *key, tk_str text)
{
    if (text.n == 0)
        return;
    begin_attribute(out, key);
    tk_buf_lit(out, "\"stringValue\":");
    tk_json_put_str(out, text);
    tk_buf_lit(out, "}}");
}

static void put_i64(struct tk_buf *out, const char *key, int64_t value)
{
    begin_attribute(out, key);
    tk_buf_lit(out, "\"intValue\":\"");
    tk_buf_put_i64(out, value);
    tk_buf_lit(out, "\"}}");
}

/* A value of a row, by the type of its column; nothing where it is absent. */
static void put_cell(struct tk_buf *out, const char *key, const struct tk_batch *batch, size_t row,
                     size_t column)
{
    if (!tk_batch_has(batch, row, column))
        return;
    const union tk_value *value = tk_batch_at(batch, row, column);
    switch (batch->schema->columns[column].type) {
    case TK_I64:
        put_i64(out, key, value->i64);
        break;
    case TK_F64:
        begin_attribute(out, key);
        tk_buf_lit(out, "\"doubleValue\":");
        tk_buf_put_f64(out, value->f64, TK_SHORTEST);
        tk_buf_lit(out, "}}");
        break;
    case TK_BOOL:
        begin_attribute(out, key);
        tk_buf_puts(out, value->i64 ? "\"boolValue\":true}}" : "\"boolValue\":false}}");
        break;
    case TK_TEXT:
        tk_otlp_put_text(out, key, value->text);
        break;
    case TK_F64_LIST:
    case TK_TEXT_LIST:
        break; /* no table of spans has one */
    }
}

void tk_otlp_put_time(struct tk_buf *out, const char *key, int64_t ns)
{
    tk_json_put_key(out, key);
    tk_buf_putc(out, '"');
    tk_buf_put_i64(out, ns);
    tk_buf_putc(out, '"');
}

/* Resources --------------------------------------------------------------------------------- */

static tk_str text_at(const struct tk_otlp_writing *writing, size_t row, enum tk_otlp_place place)
{
    return has(writing, row, place) ? tk_batch_text(writing->batch, row, writing->places[place])
                                    : (tk_str){NULL, 0};
}

static void put_place(const struct tk_otlp_writing *writing, const char *key, size_t row,
                      enum tk_otlp_place place)
{
    if (has(writing, row, place))
        put_cell(writing->out, key, writing->batch, row, writing->places[place]);
}

void tk_otlp_begin_resource(const struct tk_otlp_writing *writing, size_t row, const char *group,
                            const char *items)
{
    struct tk_buf *out = writing->out;
    tk_str host = text_at(writing, row, TK_OTLP_HOST);
    tk_str service = text_at(writing, row, TK_OTLP_SERVICE);
    tk_json_put_comma(out);
    tk_buf_lit(out, "{\"resource\":{\"attributes\":[");
    /* A resource without a service name gets this one by the conventions. */
    tk_otlp_put_text(out, "service.name", service.n > 0 ? service : TK_STR("unknown_service"));
    put_place(writing, "service.instance.id", row, TK_OTLP_INSTANCE);
    tk_otlp_put_text(out, "host.name", host.n > 0 ? host : text_at(writing, row, TK_OTLP_NODE));
    put_place(writing, "process.pid", row, TK_OTLP_PID);
    put_place(writing, "process.executable.name", row, TK_OTLP_COMM);
    tk_otlp_put_text(out, "tracekit.run_id", writing->otlp->run_id);
    put_place(writing, "tracekit.node", row, TK_OTLP_NODE);
    put_place(writing, "tracekit.stage", row, TK_OTLP_STAGE);
    put_place(writing, "tracekit.start_ticks", row, TK_OTLP_START_TICKS);
    tk_buf_printf(out,
                  "]},\"%s\":[{\"scope\":{\"name\":\"tracekit\",\"version\":\"" TK_VERSION
                  "\"},\"%s\":[",
                  group, items);
}
