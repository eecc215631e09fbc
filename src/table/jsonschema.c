/* SPDX-License-Identifier: Apache-2.0 */
/* A table's columns as a JSON Schema, for editors and validators of others. */
#include "base/json.h"
#include "table/schema.h"

static const char *const types[] = {
    [TK_I64] = "integer", [TK_F64] = "number",     [TK_BOOL] = "boolean",
    [TK_TEXT] = "string", [TK_F64_LIST] = "array", [TK_TEXT_LIST] = "array",
};

static void put_line(struct tk_buf *out, int indent, const char *text)
{
    tk_buf_printf(out, "\n%*s%s", indent, "", text);
}

static void put_text_member(struct tk_buf *out, const char *key, const char *text)
{
    tk_buf_printf(out, "\"%s\": ", key);
    tk_json_put_str(out, tk_str_from(text));
}

/* "ts_ms": {"type": "integer", "description": "...", "x-unit": "ms"} */
static void put_column(struct tk_buf *out, const struct tk_column *column)
{
    const char *type = types[column->type];
    tk_json_put_str(out, tk_str_from(column->name));
    tk_buf_lit(out, ": {\"type\": ");
    tk_buf_printf(out, column->flags & TK_NULLABLE ? "[\"%s\", \"null\"]" : "\"%s\"", type);
    if (column->type == TK_F64_LIST)
        tk_buf_lit(out, ", \"items\": {\"type\": \"number\"}");
    if (column->type == TK_TEXT_LIST)
        tk_buf_lit(out, ", \"items\": {\"type\": \"string\"}");
    tk_buf_lit(out, ", ");
    put_text_member(out, "description", column->meaning);
    if (*column->unit) {
        tk_buf_lit(out, ", ");
        put_text_member(out, "x-unit", column->unit);
    }
    tk_buf_putc(out, '}');
}

static void put_required(struct tk_buf *out, const struct tk_schema *schema)
{
    tk_buf_lit(out, "\"required\": [");
    bool any = false;
    for (size_t i = 0; i < schema->column_count; i++) {
        if (!(schema->columns[i].flags & TK_REQUIRED))
            continue;
        if (any)
            tk_buf_lit(out, ", ");
        tk_json_put_str(out, tk_str_from(schema->columns[i].name));
        any = true;
    }
    tk_buf_putc(out, ']');
}

void tk_schema_put_json_schema(const struct tk_schema *schema, int indent, struct tk_buf *out)
{
    tk_buf_putc(out, '{');
    put_line(out, indent + 2, "");
    put_text_member(out, "title", schema->name);
    tk_buf_putc(out, ',');
    put_line(out, indent + 2, "");
    put_text_member(out, "description", schema->help);
    tk_buf_putc(out, ',');
    put_line(out, indent + 2, "\"type\": \"object\",");
    put_line(out, indent + 2, "");
    put_required(out, schema);
    tk_buf_putc(out, ',');
    put_line(out, indent + 2, "\"properties\": {");
    for (size_t i = 0; i < schema->column_count; i++) {
        put_line(out, indent + 4, "");
        put_column(out, &schema->columns[i]);
        if (i + 1 < schema->column_count)
            tk_buf_putc(out, ',');
    }
    put_line(out, indent + 2, "}");
    put_line(out, indent, "}");
}
