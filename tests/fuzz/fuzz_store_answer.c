/* SPDX-License-Identifier: Apache-2.0 */
/* Heads of HTTP answers, endpoints and encoded keys: any bytes are taken or refused; what is
 * encoded decodes to what it was, and names of a directory store to the key. */
#include <stdlib.h>

#include "store/answer.h"
#include "store/dir_path.h"
#include "store/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_encoding(tk_str text)
{
    struct tk_buf encoded, decoded;
    tk_buf_init(&encoded, 1 << 20);
    tk_buf_init(&decoded, 1 << 20);
    tk_url_put_path(&encoded, text);
    if (!tk_url_decode(tk_buf_str(&encoded), &decoded) || !tk_str_eq(tk_buf_str(&decoded), text))
        abort();
    (void)tk_url_decode(text, &decoded);
    (void)tk_dir_name_decode(text, text.n % 2 == 1, &decoded);
    tk_buf_release(&encoded);
    tk_buf_release(&decoded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tk_str text = {(const char *)data, size}, rest = text, line;
    struct tk_answer answer = {0};
    struct tk_endpoint endpoint;
    struct tk_err err;
    while (tk_str_take_line(&rest, &line))
        tk_answer_add(&answer, line);
    (void)tk_endpoint_parse(text, &endpoint, &err);
    check_encoding(text);
    return 0;
}
