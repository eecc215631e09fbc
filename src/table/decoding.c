/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "table/format_internal.h"

struct tk_decoding tk_decoding_begin(tk_str text, bool last, struct tk_batch *out,
                                     struct tk_decode_stats *stats)
{
    const char *p = text.p ? text.p : "";
    return (struct tk_decoding){
        .out = out,
        .stats = stats,
        .p = p,
        .end = p + text.n,
        .line_start = p,
        .last = last,
    };
}

void tk_decoding_take(struct tk_decoding *in, const char *to)
{
    while (in->p < to) {
        const char *newline = memchr(in->p, '\n', (size_t)(to - in->p));
        if (!newline) {
            in->p = to;
            return;
        }
        in->p = newline + 1;
        in->line_start = in->p;
        in->stats->line++;
    }
}

static void note_bad(struct tk_decode_stats *stats, const struct tk_err *why)
{
    stats->bad_rows++;
    if (!stats->first_bad[0]) {
        (void)snprintf(stats->first_bad, sizeof(stats->first_bad), "line %llu: %.100s",
                       (unsigned long long)stats->line + 1, why->msg);
    }
}

int tk_decoding_recover(struct tk_decoding *in, const char *record_end, bool cut_off,
                        const struct tk_err *why, struct tk_err *err)
{
    if (record_end && why->code == -EMSGSIZE) {
        if (in->out->rows > 0)
            return 1;
        return tk_fail(err, -EMSGSIZE, "line %llu: a row of %zu bytes is too large: %s",
                       (unsigned long long)in->stats->line + 1, (size_t)(record_end - in->p),
                       why->msg);
    }
    const char *newline = memchr(in->p, '\n', (size_t)(in->end - in->p));
    bool incomplete = !record_end && (cut_off || !newline);
    if (incomplete && !in->last)
        return 1;
    if (incomplete && !newline) {
        in->stats->torn_rows = 1;
    } else {
        note_bad(in->stats, why);
    }
    if (!record_end)
        record_end = newline ? newline + 1 : in->end;
    tk_decoding_take(in, record_end);
    return 0;
}

void tk_decoding_finish(struct tk_decoding *in, tk_str *ret_text)
{
    if (ret_text->n > 0 && in->last && in->p == in->end && in->p[-1] != '\n')
        in->stats->line++;
    *ret_text = (tk_str){in->p, (size_t)(in->end - in->p)};
}
