/* SPDX-License-Identifier: Apache-2.0 */
#include "fidelity/whole_spans.h"

#include <errno.h>
#include <string.h>

#include "fidelity/pack.h"
#include "table/varint.h"

int tk_whole_spans_put(const struct tk_span_table *table, const char *name, struct tk_buf *out,
                       struct tk_err *err)
{
    double weight = table->traces > 0 ? table->weights[0] : 1;
    for (uint32_t t = 1; t < table->traces; t++) {
        if (table->weights[t] < weight || table->weights[t] > weight)
            return tk_fail(err, -EOPNOTSUPP, "%s: traces of different weights", name);
    }
    tk_varint_put(out, (uint64_t)table->unit_ns);
    tk_buf_put(out, (tk_str){(const char *)&weight, sizeof(weight)});
    return 0;
}

int tk_whole_spans_take(tk_str *file, const char *name, struct tk_whole_spans *ret_head,
                        struct tk_err *err)
{
    bool ok = true;
    uint64_t unit_ns = tk_pack_take(file, &ok);
    tk_str bits = tk_pack_take_bytes(file, sizeof(ret_head->weight), &ok);
    if (!ok || unit_ns == 0 || unit_ns > INT64_MAX)
        return tk_fail(err, -EBADMSG, "head of %s is damaged", name);
    ret_head->unit_ns = (int64_t)unit_ns;
    memcpy(&ret_head->weight, bits.p, sizeof(ret_head->weight));
    return 0;
}

int tk_whole_spans_table(const struct tk_whole_spans *head, struct tk_span_source source,
                         struct tk_span_table **ret_table, struct tk_err *err)
{
    const struct tk_span_table_options options = {.unit_ns = head->unit_ns};
    int rc = tk_span_table_new(source, &options, ret_table, err);
    for (uint32_t t = 0; rc == 0 && t < (*ret_table)->traces; t++)
        (*ret_table)->weights[t] = head->weight;
    return rc;
}
