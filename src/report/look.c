/* SPDX-License-Identifier: Apache-2.0 */
#include "report/look.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/env.h"

#define MIN_WIDTH     40
#define MAX_WIDTH     400
#define DEFAULT_WIDTH 80

/* Loaded when a text needs them: they take longer than the start of many a step. */
struct tk_look_types {
    locale_t locale; /* 0 = not yet */
};

static bool locale_is_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < TK_COUNTOF(names); i++) {
        const char *text = tk_env_find(names[i]);
        if (text)
            return strcasestr(text, "utf-8") || strcasestr(text, "utf8");
    }
    return false;
}

static int bounded(long width)
{
    if (width < MIN_WIDTH)
        return MIN_WIDTH;
    return width > MAX_WIDTH ? MAX_WIDTH : (int)width;
}

static int find_width(int fd)
{
    struct winsize size;
    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return bounded(size.ws_col);
    const char *given = tk_env_find("COLUMNS");
    long columns = given ? strtol(given, NULL, 10) : 0;
    return columns > 0 ? bounded(columns) : DEFAULT_WIDTH;
}

void tk_look_init_plain(struct tk_look *look, bool utf8, int width)
{
    *look = (struct tk_look){.width = bounded(width)};
    if (utf8)
        look->types = calloc(1, sizeof(*look->types));
    look->utf8 = look->types != NULL;
}

void tk_look_init(struct tk_look *look, int fd)
{
    const char *term = tk_env_find("TERM");
    bool dumb = term && strcmp(term, "dumb") == 0;
    tk_look_init_plain(look, !dumb && locale_is_utf8(), find_width(fd));
    look->colour = isatty(fd) == 1 && term && !dumb && !tk_env_find("NO_COLOR");
}

void tk_look_release(struct tk_look *look)
{
    if (look->types && look->types->locale)
        freelocale(look->types->locale);
    free(look->types);
    *look = (struct tk_look){0};
}

locale_t tk_look_enter(const struct tk_look *look)
{
    if (!look->types)
        return (locale_t)0;
    if (!look->types->locale)
        look->types->locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    return look->types->locale ? uselocale(look->types->locale) : (locale_t)0;
}

void tk_look_leave(locale_t before)
{
    if (before)
        uselocale(before);
}

const char *tk_style_begin(const struct tk_look *look, enum tk_style style)
{
    static const char *const sequences[TK_STYLE_COUNT] = {
        [TK_STYLE_PLAIN] = "",         [TK_STYLE_TITLE] = "\033[1m", [TK_STYLE_DIM] = "\033[2m",
        [TK_STYLE_CHART] = "\033[36m", [TK_STYLE_GOOD] = "\033[32m", [TK_STYLE_WARN] = "\033[33m",
        [TK_STYLE_BAD] = "\033[31m",
    };
    return look->colour ? sequences[style] : "";
}

void tk_style_printf(struct tk_buf *out, const struct tk_look *look, enum tk_style style,
                     const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    const char *begin = tk_style_begin(look, style);
    tk_buf_puts(out, begin);
    tk_buf_puts(out, text);
    if (*begin)
        tk_buf_lit(out, "\033[0m");
}
