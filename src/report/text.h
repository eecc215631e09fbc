/* SPDX-License-Identifier: Apache-2.0 */
/* Text on a terminal. What comes from outside (names of processes, arguments) may hold anything:
 * pass it through tk_text_put_clean() once, everything else here expects clean text, in which every
 * character is printable but for the sequences of tk_style_begin(), which take no column. Safe from
 * any thread. */
#ifndef TK_REPORT_TEXT_H
#define TK_REPORT_TEXT_H

#include "base/buf.h"
#include "base/str.h"
#include "report/look.h"

/* Columns that clean text takes. */
int tk_text_width(const struct tk_look *look, tk_str text);

/* Append `text` with control characters, bytes that are no UTF-8 and, where the look has no UTF-8,
 * everything beyond ASCII as '?', tabs and newlines as a space. */
void tk_text_put_clean(struct tk_buf *out, const struct tk_look *look, tk_str text);

/* Append clean text, cut to `width` columns; what is cut ends in an ellipsis. */
void tk_text_put_cut(struct tk_buf *out, const struct tk_look *look, tk_str text, int width);

/* Append clean text as whole lines of at most look->width columns, broken at spaces. The first
 * line continues at column `column`, later ones are indented by `indent`. A word longer than a
 * line is not broken. Ends with a newline. */
void tk_text_put_wrapped(struct tk_buf *out, const struct tk_look *look, tk_str text, int column,
                         int indent);

#endif
