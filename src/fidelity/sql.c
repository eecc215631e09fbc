/* SPDX-License-Identifier: Apache-2.0 */
#include "fidelity/sql.h"

#include "base/number.h"
#include "base/scan.h"
#include "span/span_text.h"

/* "NAMESpans" or "NAMETraces", quoted. */
static void put_name(struct tk_buf *out, tk_str name, const char *ending)
{
    tk_buf_putc(out, '"');
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == '"')
            tk_buf_putc(out, '"');
        tk_buf_putc(out, name.p[i]);
    }
    tk_buf_printf(out, "%s\"", ending);
}

static void put_traces(struct tk_buf *out, tk_str name)
{
    tk_buf_lit(out, "CREATE VIEW ");
    put_name(out, name, "Traces");
    tk_buf_lit(out, " AS SELECT DISTINCT traceId FROM ");
    put_name(out, name, "Spans");
    tk_buf_lit(out, ";\n");
}

void tk_sql_put_head(tk_str name, struct tk_buf *out)
{
    tk_buf_lit(out, "CREATE TABLE ");
    put_name(out, name, "Spans");
    tk_buf_lit(out, " (\n"
                    "    traceId VARCHAR(50),\n"
                    "    spanId VARCHAR(50),\n"
                    "    parentId VARCHAR(50),\n"
                    "    startTime INTEGER,\n"
                    "    endTime INTEGER,\n"
                    "    serviceName VARCHAR(100),\n"
                    "    status BOOLEAN,\n"
                    "    str_feature_1 VARCHAR(255),\n"
                    "    str_feature_2 VARCHAR(255),\n"
                    "    int_feature_1 INTEGER,\n"
                    "    int_feature_2 INTEGER,\n"
                    "    int_feature_3 INTEGER\n"
                    ");\n");
    put_traces(out, name);
    tk_buf_lit(out, "BEGIN;\n");
}

void tk_sql_put_views(tk_str name, struct tk_buf *out)
{
    tk_buf_lit(out, "CREATE VIEW ");
    put_name(out, name, "Spans");
    tk_buf_lit(out, " AS SELECT\n"
                    "    trace_id AS traceId,\n"
                    "    span_id || trace_id AS spanId,\n"
                    "    CASE WHEN EXISTS (SELECT 1 FROM spans AS parent\n"
                    "        WHERE parent.trace_id = own.trace_id\n"
                    "            AND parent.span_id = own.parent_span_id)\n"
                    "        THEN parent_span_id ELSE 'top' END || trace_id AS parentId,\n"
                    "    start_ns / 1000 AS startTime,\n"
                    "    start_ns / 1000 + duration_ns / 1000 AS endTime,\n"
                    "    service AS serviceName,\n"
                    "    has_issues AS status,\n"
                    "    str_feature_1,\n"
                    "    str_feature_2,\n"
                    "    int_feature_1,\n"
                    "    int_feature_2,\n"
                    "    int_feature_3\n"
                    "FROM spans AS own;\n");
    put_traces(out, name);
}

void tk_sql_put_tail(struct tk_buf *out)
{
    tk_buf_lit(out, "COMMIT;\n");
}

static bool is_plain(tk_str text)
{
    return tk_utf8_ok(text) && tk_str_find(text, '\0') == text.n;
}

/* A text in quotes; one that SQL cannot have so as its bytes. */
static void put_text(struct tk_buf *out, tk_str text)
{
    if (!is_plain(text)) {
        tk_buf_lit(out, "CAST(X'");
        for (size_t i = 0; i < text.n; i++)
            tk_buf_printf(out, "%02X", (unsigned)(unsigned char)text.p[i]);
        tk_buf_lit(out, "' AS TEXT)");
        return;
    }
    tk_buf_putc(out, '\'');
    while (text.n > 0) {
        size_t n = tk_str_find(text, '\'');
        tk_buf_put(out, (tk_str){text.p, n});
        if (n < text.n)
            tk_buf_lit(out, "''");
        n += n < text.n;
        text = (tk_str){text.p + n, text.n - n};
    }
    tk_buf_putc(out, '\'');
}

/* Ids of the table: of the node, or the word `top`, and then that of the trace. */
static void put_ids(struct tk_buf *out, const struct tk_span_table *table, uint32_t trace,
                    uint32_t row)
{
    char own[TK_TRACE_ID_DIGITS];
    char id[TK_SPAN_ID_DIGITS];
    int digits = TK_TRACE_ID_DIGITS;
    tk_trace_id_format(table->trace_ids[trace], own);
    tk_span_id_format(table->span_ids[row], id);
    tk_buf_printf(out, "('%.*s','%.*s%.*s','", digits, own, TK_SPAN_ID_DIGITS, id, digits, own);
    if (table->parents[row] == TK_ROW_TOP) {
        tk_buf_lit(out, "top");
    } else {
        tk_span_id_format(table->span_ids[table->parents[row]], id);
        tk_buf_put(out, (tk_str){id, TK_SPAN_ID_DIGITS});
    }
    tk_buf_printf(out, "%.*s',", digits, own);
}

static void put_row(struct tk_buf *out, const struct tk_span_table *table, uint32_t trace,
                    uint32_t row)
{
    int64_t start = table->start_ns[row] / table->unit_ns;
    put_ids(out, table, trace, row);
    tk_buf_put_i64(out, start);
    tk_buf_putc(out, ',');
    tk_buf_put_i64(out, start + table->duration_ns[row] / table->unit_ns);
    tk_buf_putc(out, ',');
    put_text(out, tk_texts_get(&table->texts, table->services[row]));
    tk_buf_printf(out, ",%d", table->issues[row]);
    for (size_t i = 0; i < TK_STR_FEATURES; i++) {
        tk_buf_putc(out, ',');
        put_text(out, tk_texts_get(&table->texts, table->str_features[i][row]));
    }
    for (size_t i = 0; i < TK_INT_FEATURES; i++) {
        tk_buf_putc(out, ',');
        tk_buf_put_i64(out, table->int_features[i][row]);
    }
    tk_buf_putc(out, ')');
}

void tk_sql_put_trace(const struct tk_span_table *table, uint32_t trace, tk_str name,
                      struct tk_buf *out)
{
    enum { ROWS = 100 }; /* of a statement */
    uint32_t begin = tk_span_table_begin(table, trace);
    uint32_t end = table->trace_ends[trace];
    for (uint32_t row = begin; row < end; row++) {
        if ((row - begin) % ROWS == 0) {
            tk_buf_lit(out, "INSERT INTO ");
            put_name(out, name, "Spans");
            tk_buf_lit(out, " VALUES\n");
        }
        put_row(out, table, trace, row);
        bool is_last = row + 1 == end || (row + 1 - begin) % ROWS == 0;
        tk_buf_put(out, is_last ? TK_STR(";\n") : TK_STR(",\n"));
    }
}
