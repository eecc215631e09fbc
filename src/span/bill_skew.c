/* SPDX-License-Identifier: Apache-2.0 */
#include "span/bill_skew.h"

#include <errno.h>
#include <stdlib.h>

struct call {
    uint64_t hosts; /* from, to */
    int64_t middle_ns;
    bool is_outside;
};

static int compare(const void *a, const void *b)
{
    const struct call *first = a;
    const struct call *second = b;
    if (first->hosts != second->hosts)
        return first->hosts < second->hosts ? -1 : 1;
    return (first->middle_ns > second->middle_ns) - (first->middle_ns < second->middle_ns);
}

static int compare_pairs(const void *a, const void *b)
{
    const struct tk_host_skew *first = a;
    const struct tk_host_skew *second = b;
    return (first->calls < second->calls) - (first->calls > second->calls);
}

/* Calls between hosts that both have a name. */
static size_t list_calls(const struct tk_bill_spans *spans, struct call *calls)
{
    size_t count = 0;
    for (uint32_t i = 0; i < spans->count; i++) {
        const struct tk_bill_span *span = &spans->items[i];
        if (span->parent == TK_BILL_NONE)
            continue;
        const struct tk_bill_span *caller = &spans->items[span->parent];
        uint32_t from = spans->senders[caller->resource].host;
        uint32_t to = spans->senders[span->resource].host;
        if (from == to || from == 0 || to == 0)
            continue;
        int64_t begin_ns = span->start_ns - caller->start_ns;
        int64_t end_ns = span->end_ns - caller->end_ns;
        calls[count++] = (struct call){(uint64_t)from << 32 | to, begin_ns / 2 + end_ns / 2,
                                       begin_ns < 0 || end_ns > 0};
    }
    return count;
}

static struct tk_host_skew sum_up(const struct call *calls, size_t n)
{
    struct tk_host_skew skew = {.from = (uint32_t)(calls->hosts >> 32),
                                .to = (uint32_t)calls->hosts,
                                .calls = n,
                                .ahead_ns = calls[n / 2].middle_ns,
                                .spread_ns = calls[n * 3 / 4].middle_ns - calls[n / 4].middle_ns};
    for (size_t i = 0; i < n; i++)
        skew.outside += calls[i].is_outside;
    return skew;
}

int tk_host_skew_read(const struct tk_bill_spans *spans, struct tk_host_skew *ret, size_t cap,
                      size_t *ret_count, struct tk_err *err)
{
    struct call *calls = malloc((spans->count + 1U) * sizeof(*calls));
    if (!calls)
        return tk_fail(err, -ENOMEM, "clocks: out of memory");
    size_t count = list_calls(spans, calls);
    size_t pairs = 0;
    if (count > 0)
        qsort(calls, count, sizeof(*calls), compare);
    for (size_t i = 0, n; i < count && pairs < cap; i += n) {
        for (n = 1; i + n < count && calls[i + n].hosts == calls[i].hosts;)
            n++;
        ret[pairs++] = sum_up(calls + i, n);
    }
    free(calls);
    if (pairs > 0)
        qsort(ret, pairs, sizeof(*ret), compare_pairs);
    *ret_count = pairs;
    return 0;
}
