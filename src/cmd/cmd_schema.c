/* SPDX-License-Identifier: Apache-2.0 */
/* The reference of every table of a run, written from the const tables that also drive writers,
 * readers and `verify`. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "cmd/cmd.h"
#include "report/look.h"
#include "report/text.h"
#include "run/schemas.h"

enum format { FORMAT_TEXT, FORMAT_MARKDOWN, FORMAT_JSON_SCHEMA };

static const char *const formats[] = {"text", "markdown", "json-schema", NULL};

struct schema_opts {
    int format;
};

static const struct tk_opt options[] = {
    {"format", TK_OPT_CHOICE, offsetof(struct schema_opts, format), "FORMAT",
     "text, markdown or json-schema", .letter = 'f', .choices = formats},
    {0},
};

/* The two tables of generation 2 that differ from ours and are no members of tk_tables. */
static const struct tk_table_files cts_tables[] = {
    {&tk_schema_cts_invocations, NULL, "../CTS/invocations.jsonl", TK_LAYOUT_LINES},
    {&tk_schema_cts_proc_metrics, NULL, "../CTS/proc_metrics.jsonl", TK_LAYOUT_LINES},
};

#define TABLES (TK_TABLE_COUNT + TK_COUNTOF(cts_tables))

static const struct tk_table_files *table_at(size_t i)
{
    return i < TK_TABLE_COUNT ? &tk_tables[i] : &cts_tables[i - TK_TABLE_COUNT];
}

static const char *const type_names[] = {
    [TK_I64] = "int",   [TK_F64] = "float",        [TK_BOOL] = "bool",
    [TK_TEXT] = "text", [TK_F64_LIST] = "[float]", [TK_TEXT_LIST] = "[text]",
};

static const char *const layout_names[] = {
    [TK_LAYOUT_LINES] = "one object a line",
    [TK_LAYOUT_OBJECT] = "one object",
    [TK_LAYOUT_ARRAY] = "an array of objects",
};

/* "int" or "text, null", in a buffer of the caller. */
static const char *type_text(const struct tk_column *column, char buf[32])
{
    (void)snprintf(buf, 32, "%s%s", type_names[column->type],
                   column->flags & TK_NULLABLE ? ", null" : "");
    return buf;
}

/* Where the table lies: "resources.jsonl, cctf/host_metrics.jsonl: one object a line". `quote` goes
 * around each name. */
static void put_files(struct tk_buf *out, const struct tk_table_files *table, const char *quote)
{
    const char *cctf = table->cctf;
    bool outside = cctf && strncmp(cctf, "../", 3) == 0;
    if (table->raw)
        tk_buf_printf(out, "%s%s%s%s", quote, table->raw, quote, cctf ? ", " : "");
    if (cctf) {
        tk_buf_printf(out, "%s%s%s%s", quote, outside ? "" : "cctf/", outside ? cctf + 3 : cctf,
                      quote);
    }
    tk_buf_printf(out, ": %s", layout_names[table->layout]);
}

/* Text ---------------------------------------------------------------------------- */

struct widths {
    int name, type, unit;
};

static int wider(int width, const char *text)
{
    int n = (int)strlen(text);
    return n > width ? n : width;
}

static struct widths find_widths(const struct tk_schema *schema)
{
    struct widths widths = {0};
    for (size_t i = 0; i < schema->column_count; i++) {
        const struct tk_column *column = &schema->columns[i];
        char type[32];
        widths.name = wider(widths.name, column->name);
        widths.type = wider(widths.type, type_text(column, type));
        widths.unit = wider(widths.unit, column->unit);
    }
    return widths;
}

static void put_text_column(struct tk_buf *out, const struct tk_look *look,
                            const struct tk_column *column, const struct widths *widths)
{
    char type[32];
    size_t start = out->n;
    tk_buf_printf(out, "  %-*s  %-*s  %-*s %c  ", widths->name, column->name, widths->type,
                  type_text(column, type), widths->unit, column->unit,
                  column->flags & TK_REQUIRED ? 'R' : ' ');
    int used = (int)(out->n - start);
    tk_text_put_wrapped(out, look, tk_str_from(column->meaning), used, used);
}

static void put_text_table(struct tk_buf *out, const struct tk_look *look,
                           const struct tk_table_files *table)
{
    const struct tk_schema *schema = table->schema;
    struct widths widths = find_widths(schema);
    TK_CLEANUP(tk_buf_release) struct tk_buf files;
    tk_buf_init(&files, 1024);
    put_files(&files, table, "");
    tk_style_printf(out, look, TK_STYLE_TITLE, "%s", schema->name);
    tk_buf_lit(out, "  ");
    tk_text_put_wrapped(out, look, tk_str_from(schema->help), (int)strlen(schema->name) + 2, 2);
    tk_buf_lit(out, "  ");
    tk_text_put_wrapped(out, look, tk_buf_str(&files), 2, 2);
    tk_buf_putc(out, '\n');
    for (size_t i = 0; i < schema->column_count; i++)
        put_text_column(out, look, &schema->columns[i], &widths);
}

/* Markdown -------------------------------------------------------------------------- */

static const char markdown_head[] =
    "# CCTF 2: the tables of a run\n"
    "\n"
    "Made by `tracekit schema --format markdown > docs/cctf.md` from the tables in `src/run/`; do "
    "not\n"
    "edit it. `tracekit schema TABLE` shows one on the terminal, `--format json-schema` gives a "
    "JSON\n"
    "Schema.\n"
    "\n"
    "A run is a folder. The recorder writes the tables of the run folder while it runs, `tracekit\n"
    "parse` derives `cctf/` from them. Files of lines are only ever appended to: a torn last line "
    "is\n"
    "skipped and counted. Times are UTC, counted from the epoch in the unit that the name ends "
    "in.\n"
    "\n"
    "- **R**: some reader needs the field; `tracekit verify cctf` reports a row without it.\n"
    "- **gen**: 1 for fields of the first generation, which we always write; 2 for later ones.\n"
    "- A value that is not known is left out; where the type says *null*, it is written as null.\n"
    "- Readers take numbers in strings, whole numbers in float form and unknown fields.\n";

static void put_markdown_cell(struct tk_buf *out, const char *text)
{
    for (const char *c = text; *c; c++) {
        if (*c == '|')
            tk_buf_putc(out, '\\');
        tk_buf_putc(out, *c);
    }
    tk_buf_lit(out, " | ");
}

static void put_markdown_table(struct tk_buf *out, const struct tk_table_files *table)
{
    const struct tk_schema *schema = table->schema;
    tk_buf_printf(out, "\n## %s\n\nA row is %s. ", schema->name, schema->help);
    put_files(out, table, "`");
    tk_buf_lit(out,
               ".\n\n| field | type | unit | R | gen | meaning |\n|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < schema->column_count; i++) {
        const struct tk_column *column = &schema->columns[i];
        char type[32];
        tk_buf_printf(out, "| %s | %s | ", column->name, type_text(column, type));
        put_markdown_cell(out, column->unit);
        tk_buf_printf(out, "%s | %c | ", column->flags & TK_REQUIRED ? "R" : "",
                      column->flags & TK_CCTF1 ? '1' : '2');
        put_markdown_cell(out, column->meaning);
        out->n--; /* the blank behind the last bar */
        tk_buf_putc(out, '\n');
    }
}

/* JSON Schema ------------------------------------------------------------------------ */

#define DIALECT "\"$schema\": \"https://json-schema.org/draft/2020-12/schema\""

/* A whole file is an array or an object; a table of lines is described by its row. */
static void put_json_table(struct tk_buf *out, const struct tk_table_files *table)
{
    bool array = table->layout == TK_LAYOUT_ARRAY;
    tk_json_put_str(out, tk_str_from(table->schema->name));
    tk_buf_puts(out, array ? ": {\"type\": \"array\", \"items\": " : ": ");
    tk_schema_put_json_schema(table->schema, 4, out);
    tk_buf_puts(out, array ? "}" : "");
}

/* One document: the tables under "$defs"; when there is only one, it is what the document means. */
static void put_json_schema(struct tk_buf *out, const bool *wanted, size_t count)
{
    const char *comma = "";
    tk_buf_lit(out, "{\n  " DIALECT ",\n");
    for (size_t i = 0; i < TABLES && count == 1; i++) {
        if (wanted[i])
            tk_buf_printf(out, "  \"$ref\": \"#/$defs/%s\",\n", table_at(i)->schema->name);
    }
    tk_buf_lit(out, "  \"$defs\": {");
    for (size_t i = 0; i < TABLES; i++) {
        if (!wanted[i])
            continue;
        tk_buf_printf(out, "%s\n    ", comma);
        put_json_table(out, table_at(i));
        comma = ",";
    }
    tk_buf_lit(out, "\n  }\n}\n");
}

/* The command ------------------------------------------------------------------------- */

/* Name those that there are; returns 0. */
static size_t refuse_table(const struct tk_cmd *cmd, const char *name)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf list;
    tk_buf_init(&list, 4096);
    for (size_t i = 0; i < TABLES; i++)
        tk_buf_printf(&list, "%s%s", i > 0 ? ", " : "", table_at(i)->schema->name);
    (void)tk_cmd_usage(cmd, "'%s' is none of %.*s", name, TK_STR_ARG(tk_buf_str(&list)));
    return 0;
}

/* Mark the tables that were named, all when none was; returns how many, 0 after a usage error. */
static size_t choose_tables(const struct tk_cmd *cmd, int count, char **names, bool *wanted)
{
    size_t chosen = count > 0 ? 0 : TABLES;
    memset(wanted, count == 0, TABLES * sizeof(*wanted));
    for (int n = 0; n < count; n++) {
        size_t i = 0;
        while (i < TABLES && strcmp(table_at(i)->schema->name, names[n]) != 0)
            i++;
        if (i == TABLES)
            return refuse_table(cmd, names[n]);
        chosen += !wanted[i];
        wanted[i] = true;
    }
    return chosen;
}

static void put_tables(struct tk_buf *out, enum format format, const bool *wanted)
{
    struct tk_look look;
    const char *gap = "";
    tk_look_init(&look, STDOUT_FILENO);
    if (format == FORMAT_MARKDOWN)
        tk_buf_puts(out, markdown_head);
    for (size_t i = 0; i < TABLES; i++) {
        if (!wanted[i])
            continue;
        if (format == FORMAT_MARKDOWN) {
            put_markdown_table(out, table_at(i));
        } else {
            tk_buf_puts(out, gap);
            put_text_table(out, &look, table_at(i));
        }
        gap = "\n";
    }
    tk_look_release(&look);
}

static int run(const struct tk_cmd *cmd, int argc, char **argv)
{
    struct schema_opts opts = {0};
    struct tk_err err;
    bool wanted[TABLES];
    int first = tk_cmd_begin(cmd, &opts, argc, argv);
    if (first <= 0)
        return -first;
    size_t count = choose_tables(cmd, argc - first, argv + first, wanted);
    if (count == 0)
        return TK_EXIT_USAGE;

    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, 1 << 20);
    if (opts.format == FORMAT_JSON_SCHEMA) {
        put_json_schema(&out, wanted, count);
    } else {
        put_tables(&out, (enum format)opts.format, wanted);
    }
    if (tk_buf_check(&out, "the reference", &err) < 0)
        return tk_cmd_fail(cmd, &err);
    (void)fwrite(out.p, 1, out.n, stdout);
    return TK_EXIT_OK;
}

const struct tk_cmd tk_cmd_schema = {
    .name = "schema",
    .args = "[TABLE...]",
    .help = "show what the tables of a run hold: fields, types, units",
    .about = "Without TABLE all of them. R marks a field that some reader needs.\n"
             "\n"
             "  tracekit schema host_metrics\n"
             "  tracekit schema --format json-schema proc_metrics > proc_metrics.schema.json",
    .options = options,
    .mixed = true,
    .run = run,
};
