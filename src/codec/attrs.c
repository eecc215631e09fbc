/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/attrs.h"

#include <errno.h>
#include <stdlib.h>

#include "codec/attrs_internal.h"

uint32_t tk_attr_largest_trace(const struct tk_forest *forest)
{
    uint32_t most = 1;
    for (uint32_t t = 0; t < forest->trace_count; t++) {
        uint32_t n = forest->trace_ends[t] - tk_forest_begin(forest, t);
        most = n > most ? n : most;
    }
    return most;
}

int tk_attr_report_fill(struct tk_attrs_report *report, const struct tk_attr_model *model,
                        const struct tk_texts *dictionary, struct tk_err *err)
{
    *report = (struct tk_attrs_report){.template_bits = model->template_bits};
    report->keys = calloc((size_t)model->column_count + 1, sizeof(*report->keys));
    if (!report->keys)
        return tk_fail(err, -ENOMEM, "report on attributes: out of memory");
    for (uint32_t i = 0; i < model->column_count; i++) {
        const struct tk_attr_column *column = &model->columns[i];
        report->keys[report->key_count++] = (struct tk_attr_key_report){
            .key = tk_texts_get(dictionary, column->word),
            .type = column->type,
            .attr_class = column->attr_class,
            .is_exact = column->attr_class != TK_ATTR_CLASS_DRAWN && !column->is_inexact,
            .distinct = column->count,
            .uses = column->uses,
            .value_bits = column->value_bits,
            .use_bits = column->use_bits,
        };
    }
    return 0;
}

void tk_attrs_report_release(struct tk_attrs_report *report)
{
    free(report->keys);
    tk_arena_release(&report->names);
    *report = (struct tk_attrs_report){0};
}
