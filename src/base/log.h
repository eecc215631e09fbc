/* SPDX-License-Identifier: Apache-2.0 */
/* Logging for programs: one call, one logfmt line on stderr. Only src/cmd and src/serve log;
 * libraries return errors. Thread-safe: one write per line. */
#ifndef TK_BASE_LOG_H
#define TK_BASE_LOG_H

#include "base/compiler.h"

enum tk_log_level {
    TK_LOG_ERROR,
    TK_LOG_WARN,
    TK_LOG_INFO,
    TK_LOG_DEBUG, /* shown only for modules named in TK_DEBUG ("collect,run" or "all") */
};

/* Write `level=warn mod=MODULE msg="..."`, with "<4>" before it when stderr is the journal
 * ($JOURNAL_STREAM is set). The message is one line; longer than 1 KiB is cut. */
void tk_log(enum tk_log_level level, const char *module, const char *fmt, ...) TK_PRINTF(3, 4);

#endif
