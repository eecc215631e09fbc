/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"

static const struct {
    const char *name;
    int syslog_priority;
} levels[] = {
    [TK_LOG_ERROR] = {"error", 3},
    [TK_LOG_WARN] = {"warn", 4},
    [TK_LOG_INFO] = {"info", 6},
    [TK_LOG_DEBUG] = {"debug", 7},
};

static bool debug_wanted(const char *module)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): nothing in tracekit changes the environment */
    tk_str list = tk_str_from(getenv("TK_DEBUG"));
    tk_str name;
    while (tk_str_take_until(&list, ',', &name)) {
        if (tk_str_eq(name, tk_str_from(module)) || tk_str_eq(name, TK_STR("all")))
            return true;
    }
    return false;
}

static void put_quoted(struct tk_buf *line, const char *text)
{
    tk_buf_putc(line, '"');
    for (const char *c = text; *c; c++) {
        if (*c == '"' || *c == '\\')
            tk_buf_putc(line, '\\');
        if ((unsigned char)*c < ' ') {
            tk_buf_putc(line, ' ');
        } else {
            tk_buf_putc(line, *c);
        }
    }
    tk_buf_putc(line, '"');
}

void tk_log(enum tk_log_level level, const char *module, const char *fmt, ...)
{
    if (level == TK_LOG_DEBUG && !debug_wanted(module))
        return;

    char message[1024];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);

    TK_CLEANUP(tk_buf_release) struct tk_buf line;
    tk_buf_init(&line, 4096);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): nothing in tracekit changes the environment */
    if (getenv("JOURNAL_STREAM"))
        tk_buf_printf(&line, "<%d>", levels[level].syslog_priority);
    tk_buf_printf(&line, "level=%s mod=%s msg=", levels[level].name, module);
    put_quoted(&line, message);
    tk_buf_putc(&line, '\n');
    struct tk_err err;
    if (!tk_buf_ok(&line) || tk_fd_write(2, tk_buf_str(&line), "stderr", &err) < 0)
        return; /* there is no second place to complain */
}
