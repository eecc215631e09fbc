/* SPDX-License-Identifier: Apache-2.0 */
/* What a terminal can show, found once and passed to everything that draws. */
#ifndef TK_REPORT_LOOK_H
#define TK_REPORT_LOOK_H

#include <locale.h>
#include <stdbool.h>

#include "base/buf.h"

struct tk_look {
    bool colour;
    bool utf8;
    int width;                   /* columns, 40..400 */
    struct tk_look_types *types; /* of UTF-8 characters; owned; NULL when utf8 is false */
};

/* Find out for the descriptor: colours on a terminal that is no TERM=dumb, unless NO_COLOR is set
 * (no-color.org); UTF-8 when LC_ALL, LC_CTYPE or LANG says so and TERM is not dumb; the width of
 * the terminal, else $COLUMNS, else 80. Release it. */
void tk_look_init(struct tk_look *look, int fd);

/* A look by hand, as tests and files want it. */
void tk_look_init_plain(struct tk_look *look, bool utf8, int width);

/* Accepts a zeroed struct. */
void tk_look_release(struct tk_look *look);

/* Make UTF-8 the character set of this thread until tk_look_leave(); both do nothing without
 * utf8. For calls into libraries that measure text. */
locale_t tk_look_enter(const struct tk_look *look);
void tk_look_leave(locale_t before);

enum tk_style {
    TK_STYLE_PLAIN,
    TK_STYLE_TITLE, /* what a section or a run is called */
    TK_STYLE_DIM,   /* labels, what is as expected */
    TK_STYLE_CHART,
    TK_STYLE_GOOD,
    TK_STYLE_WARN,
    TK_STYLE_BAD,
    TK_STYLE_COUNT
};

/* The escape sequence that begins the style; "" without colours and for TK_STYLE_PLAIN. */
const char *tk_style_begin(const struct tk_look *look, enum tk_style style);

/* Append formatted text in a style. */
void tk_style_printf(struct tk_buf *out, const struct tk_look *look, enum tk_style style,
                     const char *fmt, ...) TK_PRINTF(4, 5);

#endif
