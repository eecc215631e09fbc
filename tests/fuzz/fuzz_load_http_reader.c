/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of HTTP: any bytes are taken or refused, and what comes out does not depend on how they
 * were cut into pieces. */
#include <stdlib.h>

#include "load/http_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Read the first answer in pieces of `step` bytes; returns what the reader said last. */
static int read_answer(struct tk_http_reader *reader, tk_str text, size_t step)
{
    struct tk_err err;
    int rc = 0;
    tk_http_reader_init(reader);
    while (text.n > 0 && rc == 0) {
        tk_str piece = {text.p, text.n < step ? text.n : step};
        size_t before = piece.n;
        rc = tk_http_reader_put(reader, &piece, &err);
        text = (tk_str){text.p + (before - piece.n), text.n - (before - piece.n)};
    }
    return rc != 0 ? rc : tk_http_reader_end(reader, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tk_str text = {(const char *)data, size};
    struct tk_http_reader whole, pieces;
    int rc = read_answer(&whole, text, size + 1);
    if (read_answer(&pieces, text, 3) != rc)
        abort();
    if (rc > 0 && (whole.status != pieces.status ||
                   !tk_str_eq(tk_buf_str(&whole.body), tk_buf_str(&pieces.body))))
        abort();
    tk_http_reader_release(&whole);
    tk_http_reader_release(&pieces);
    return 0;
}
