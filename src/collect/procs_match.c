/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/procs_match.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static const struct {
    tk_str prefix;
    enum tk_match_subject subject;
} prefixes[] = {
    {{"cmdline:", 8}, TK_MATCH_CMDLINE},
    {{"exe:", 4}, TK_MATCH_EXE},
    {{"cgroup:", 7}, TK_MATCH_CGROUP},
};

size_t tk_match_repair(const char *text, char *out)
{
    size_t repairs = 0;
    for (const char *p = text; *p; p++) {
        if (*p == '^' && p > text && !strchr("|([\\", p[-1])) {
            *out++ = '$';
            *out++ = '|';
            repairs++;
        }
        *out++ = *p;
    }
    *out = '\0';
    return repairs;
}

int tk_match_init(struct tk_match *match, const char *text, struct tk_err *err)
{
    *match = (struct tk_match){.subject = TK_MATCH_COMM};
    tk_str rest = tk_str_from(text);
    for (size_t i = 0; i < TK_COUNTOF(prefixes); i++) {
        if (tk_str_take_prefix(&rest, prefixes[i].prefix)) {
            match->subject = prefixes[i].subject;
            break;
        }
    }
    char *repaired = malloc(rest.n * 3 + 1);
    if (!repaired)
        return tk_fail(err, -ENOMEM, "PROC_MATCH: out of memory");
    match->repaired = tk_match_repair(rest.p, repaired) > 0;
    int rc = regcomp(&match->regex, repaired, REG_EXTENDED | REG_ICASE | REG_NOSUB);
    free(repaired);
    if (rc != 0) {
        char why[128];
        (void)regerror(rc, &match->regex, why, sizeof(why));
        return tk_fail(err, -EBADMSG, "PROC_MATCH '%s': %s", text, why);
    }
    match->ready = true;
    return 0;
}

void tk_match_release(struct tk_match *match)
{
    if (match->ready)
        regfree(&match->regex);
    match->ready = false;
}

bool tk_match_test(const struct tk_match *match, const char *subject)
{
    return regexec(&match->regex, subject, 0, NULL, 0) == 0;
}
