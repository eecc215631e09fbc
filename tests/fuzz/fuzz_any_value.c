/* SPDX-License-Identifier: Apache-2.0 */
/* Attribute values: the first byte says from what they are read; each is printed, read again and
 * printed as the same. */
#include <assert.h>

#include "span/any_value.h"

enum { WIRE, OTLP, PLAIN, FORMS };

static int read_value(tk_str text, int form, struct tk_texts *texts, struct tk_attr *ret)
{
    struct tk_err err;
    struct tk_wire_fault fault;
    struct tk_wire in = {text.p, text.p + text.n, &fault};
    struct tk_json json;
    struct tk_arena scratch;
    TK_CLEANUP(tk_buf_release) struct tk_buf wire;
    tk_str key;
    bool not_utf8;
    tk_buf_init(&wire, 1 << 24);
    assert(tk_arena_init(&scratch, 1 << 24, &err) == 0);
    tk_json_init(&json, text);
    int rc = form == WIRE   ? tk_any_value_read_pair(&in, texts, &wire, &key, ret, &not_utf8)
             : form == OTLP ? tk_any_value_read_otlp(&json, texts, &scratch, ret, &err)
                            : tk_any_value_read_json(&json, texts, &scratch, ret, &err);
    tk_arena_release(&scratch);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tk_err err;
    struct tk_texts texts;
    struct tk_buf out[2];
    struct tk_attr attr = {0};
    assert(tk_texts_init(&texts, 1 << 24, &err) == 0);
    int form = size > 0 ? data[0] % FORMS : FORMS;
    bool ok = size > 0 &&
              read_value((tk_str){(const char *)data + 1, size - 1}, form, &texts, &attr) == 0;
    for (int i = 0; i < 2; i++) {
        tk_buf_init(&out[i], 1 << 26);
        if (ok && i == 1)
            assert(read_value(tk_buf_str(&out[0]), form == PLAIN ? PLAIN : OTLP, &texts, &attr) ==
                   0);
        if (ok)
            (form == PLAIN ? tk_any_value_put_json : tk_any_value_put_otlp)(&texts, &attr, &out[i]);
    }
    assert(tk_str_eq(tk_buf_str(&out[0]), tk_buf_str(&out[1])));
    tk_buf_release(&out[0]);
    tk_buf_release(&out[1]);
    tk_texts_release(&texts);
    return 0;
}
