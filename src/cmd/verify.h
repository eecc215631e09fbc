/* SPDX-License-Identifier: Apache-2.0 */
/* What `tracekit verify` checks besides runs. */
#ifndef TK_CMD_VERIFY_H
#define TK_CMD_VERIFY_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

struct tk_verify_opts {
    bool all;
    bool strict;
    bool no_report;
    bool json;
    int profile; /* index in tk_opendc_profiles; -1 = by the files */
    const char *topology;
};

/* Where the findings of one folder go. */
struct tk_verify_telling {
    const char *folder;
    struct tk_buf *json; /* NULL = lines on stdout */
};

/* "error" or "warning". */
const char *tk_verify_level(bool is_error);

/* Check one folder that OpenDC is to load and tell on stdout; *ret_ok says whether it passed. */
TK_MUST_USE int tk_verify_opendc(const char *folder, const struct tk_verify_opts *opts,
                                 bool *ret_ok, struct tk_err *err);

#endif
