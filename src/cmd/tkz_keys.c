/* SPDX-License-Identifier: Apache-2.0 */
/* `tracekit tkz info --keys`: so that a user knows what of a file's attributes is truth. */
#include <stdio.h>
#include <stdlib.h>

#include "base/human.h"
#include "cmd/member.h"
#include "cmd/tkz_view.h"
#include "report/grid.h"
#include "report/text.h"

#define BITS_PER_BYTE (4096.0 * 8) /* of a report's unit */

enum column { KEY, CLASS, EXACT, VALUES, SPANS, BYTES, OF_SPAN, COLUMNS };

static const struct tk_grid_column columns[COLUMNS] = {
    [KEY] = {.name = "key", .cut = true},
    [CLASS] = {.name = "class"},
    [EXACT] = {.name = "exact"},
    [VALUES] = {.name = "values", .right = true},
    [SPANS] = {.name = "spans", .right = true},
    [BYTES] = {.name = "bytes", .right = true},
    [OF_SPAN] = {.name = "a span", .right = true, .style = TK_STYLE_DIM},
};

static double bytes_of(const struct tk_attr_key_report *key)
{
    return (double)(key->value_bits + key->use_bits) / BITS_PER_BYTE;
}

static int order_keys(const void *a, const void *b)
{
    const struct tk_attr_key_report *x = a;
    const struct tk_attr_key_report *y = b;
    uint64_t more = y->value_bits + y->use_bits;
    uint64_t less = x->value_bits + x->use_bits;
    if (more != less)
        return more > less ? 1 : -1;
    int order = tk_str_cmp(x->key, y->key);
    return order != 0 ? order : (int)x->type - (int)y->type;
}

static void add_row(struct tk_grid *grid, const struct tk_look *look,
                    const struct tk_attr_key_report *key, struct tk_buf *clean)
{
    char text[TK_HUMAN_MAX];
    tk_grid_add(grid);
    tk_buf_reset(clean);
    tk_text_put_clean(clean, look, key->key);
    tk_buf_putc(clean, '\0');
    tk_grid_set(grid, KEY, tk_buf_ok(clean) ? clean->p : "");
    tk_grid_set(grid, CLASS, tk_attr_class_names[key->attr_class]);
    tk_grid_set(grid, EXACT, key->is_exact ? "yes" : "no");
    tk_grid_set(grid, VALUES, tk_count_format(key->distinct, text));
    tk_grid_set(grid, SPANS, tk_count_format((int64_t)key->uses, text));
    tk_grid_set(grid, BYTES, tk_count_format((int64_t)bytes_of(key), text));
    (void)snprintf(text, sizeof(text), "%.3f", key->uses ? bytes_of(key) / (double)key->uses : 0);
    tk_grid_set(grid, OF_SPAN, text);
}

int tk_tkz_view_keys(struct tk_attrs_report *report, const struct tk_look *look, struct tk_buf *out,
                     struct tk_err *err)
{
    TK_CLEANUP(tk_grid_freep) struct tk_grid *grid = NULL;
    TK_CLEANUP(tk_buf_release) struct tk_buf clean;
    tk_buf_init(&clean, (size_t)1 << 20);
    int rc = tk_grid_new(
        look, &(struct tk_grid_options){.columns = columns, .column_count = COLUMNS, .indent = 2},
        &grid, err);
    if (rc < 0)
        return rc;
    if (report->key_count > 0)
        qsort(report->keys, report->key_count, sizeof(*report->keys), order_keys);
    for (size_t i = 0; i < report->key_count; i++)
        add_row(grid, look, &report->keys[i], &clean);
    tk_buf_putc(out, '\n');
    return tk_grid_write(grid, out, err);
}

void tk_tkz_view_keys_json(const struct tk_attrs_report *report, struct tk_buf *out)
{
    tk_member_open(out, "keys", '[');
    for (size_t i = 0; i < report->key_count; i++) {
        const struct tk_attr_key_report *key = &report->keys[i];
        if (i > 0)
            tk_buf_putc(out, ',');
        tk_buf_putc(out, '{');
        tk_member_put_text(out, "key", key->key);
        tk_member_put_text(out, "class", tk_str_from(tk_attr_class_names[key->attr_class]));
        tk_member_put_bool(out, "exact", key->is_exact);
        tk_member_put_i64(out, "values", key->distinct);
        tk_member_put_i64(out, "spans", (int64_t)key->uses);
        tk_member_put_i64(out, "bytes", (int64_t)bytes_of(key));
        tk_buf_putc(out, '}');
    }
    tk_buf_putc(out, ']');
}
