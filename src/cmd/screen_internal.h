/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of the screen. */
#ifndef TK_CMD_SCREEN_INTERNAL_H
#define TK_CMD_SCREEN_INTERNAL_H

#include "cmd/screen.h"
#include "report/report.h"

#define TK_CELL_MAX    160
#define TK_SCREEN_MAX  ((size_t)256 * 1024)
#define TK_LABEL_WIDTH 10 /* of the words at the left; text begins two columns after it */

/* Text for one cell of a table. */
struct tk_cell {
    char text[TK_CELL_MAX];
};

/* Text from outside, safe to print; returns cell->text. */
const char *tk_cell_clean(const struct tk_look *look, tk_str text, struct tk_cell *cell);

/* What stands between the parts of a line, with its blanks. */
const char *tk_screen_separator(const struct tk_look *look);

/* Append the table of resources. */
TK_MUST_USE int tk_screen_put_resources(const struct tk_summary *summary,
                                        const struct tk_look *look, struct tk_buf *out,
                                        struct tk_err *err);

/* Append a blank line and the table of containers, nothing where the run has none or is that of a
 * command. */
TK_MUST_USE int tk_screen_put_containers(const struct tk_summary *summary,
                                         const struct tk_look *look, struct tk_buf *out,
                                         struct tk_err *err);

/* Append a blank line and the table of processes in about `lines` lines, nothing where the run has
 * none. */
TK_MUST_USE int tk_screen_put_processes(const struct tk_summary *summary,
                                        const struct tk_look *look, int lines, struct tk_buf *out,
                                        struct tk_err *err);

#endif
