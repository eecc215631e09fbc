/* SPDX-License-Identifier: Apache-2.0 */
/* Names and arguments from outside on their way to a terminal: what is cleaned holds nothing that a
 * terminal obeys, and what is cut fits. */
#include <stdlib.h>

#include "report/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct tk_look *look, tk_str text, int width)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf clean;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&clean, 1 << 20);
    tk_buf_init(&out, 1 << 22);
    tk_text_put_clean(&clean, look, text);
    for (size_t i = 0; i < clean.n; i++)
        if ((unsigned char)clean.p[i] < ' ' || clean.p[i] == 0x7f)
            abort();
    tk_text_put_cut(&out, look, tk_buf_str(&clean), width);
    if (width > 3 && tk_text_width(look, tk_buf_str(&out)) > width)
        abort();
    tk_text_put_wrapped(&out, look, tk_buf_str(&clean), width, width / 2);
    tk_text_put_wrapped(&out, look, text, 0, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tk_look look;
    if (size == 0 || size > 4096)
        return 0;
    tk_look_init_plain(&look, data[0] & 1, 80);
    check(&look, (tk_str){(const char *)data + 1, size - 1}, data[0] >> 1);
    tk_look_release(&look);
    return 0;
}
