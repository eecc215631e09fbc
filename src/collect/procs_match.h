/* SPDX-License-Identifier: Apache-2.0 */
/* PROC_MATCH: a POSIX extended regular expression, searched without regard to case and unanchored
 * in the name of a process, or, with a prefix, in its command line ("cmdline:RE"), the path of its
 * program ("exe:RE") or its control group ("cgroup:RE") (collect-and-cctf.md sections 3 and 4). */
#ifndef TK_COLLECT_PROCS_MATCH_H
#define TK_COLLECT_PROCS_MATCH_H

#include <regex.h>
#include <stdbool.h>

#include "base/err.h"

enum tk_match_subject {
    TK_MATCH_COMM,
    TK_MATCH_CMDLINE,
    TK_MATCH_EXE,
    TK_MATCH_CGROUP,
};

struct tk_match {
    enum tk_match_subject subject;
    regex_t regex;
    bool ready;    /* `regex` holds a compiled expression */
    bool repaired; /* the text had lost "$|" before a '^', as make does to it, and got it back */
};

/* Compile an expression. -EBADMSG names it and what is wrong. */
TK_MUST_USE int tk_match_init(struct tk_match *match, const char *text, struct tk_err *err);

/* Accepts a zeroed struct. */
void tk_match_release(struct tk_match *match);

/* True when the subject matches; it must be terminated. */
bool tk_match_test(const struct tk_match *match, const char *subject);

/* Put back the "$|" that make ate: before each '^' that is not first and not preceded by one of
 * "|([\". `out` has room for 3 times the text and a NUL. Returns how many. Pure function. */
size_t tk_match_repair(const char *text, char *out);

#endif
