/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/interrupts: a line of CPU names, then a line per interrupt with a count per CPU, as
 *
 *                 CPU0       CPU1
 *      36:          0    2976866 PCI-MSIX-0000:00:02.0   1-edge      virtio1-req.0
 *     LOC:    7517708    6976636   Local timer interrupts
 *     ERR:          0
 *
 * What serves a numbered one stands after the last gap of two blanks. */
#include <errno.h>
#include <string.h>

#include "base/checked.h"
#include "collect/host_sources.h"
#include "collect/kernel_text.h"

static tk_str last_part(tk_str text)
{
    text = tk_str_trim(text);
    for (size_t i = text.n; i >= 2; i--) {
        if (text.p[i - 1] == ' ' && text.p[i - 2] == ' ')
            return (tk_str){text.p + i, text.n - i};
    }
    return text;
}

/* As much of `text` as there is room for. */
static void take_text(tk_str text, char *to, size_t cap)
{
    size_t n = text.n < cap ? text.n : cap - 1;
    memcpy(to, text.p, n);
    to[n] = '\0';
}

/* Counts of all CPUs in one. */
static bool take_counts(tk_str *line, int64_t *ret_sum)
{
    int64_t count;
    int64_t sum = 0;
    size_t n = 0;
    for (; tk_scan_counter(line, &count); n++) {
        if (!tk_add_i64(sum, count, &sum))
            sum = INT64_MAX;
    }
    *ret_sum = sum;
    return n > 0;
}

int tk_host_interrupts_parse(tk_str text, size_t index, struct tk_host_reading *reading,
                             struct tk_err *err)
{
    (void)index;
    struct tk_host_interrupts *interrupts = &reading->interrupts;
    interrupts->count = interrupts->skipped = 0;
    tk_str line;
    if (!tk_str_take_line(&text, &line) || !tk_str_starts_with(tk_str_trim(line), TK_STR("CPU")))
        return tk_fail(err, -EBADMSG, "line 1: expected the names of the CPUs");
    for (size_t i = 2; tk_str_take_line(&text, &line); i++) {
        tk_str id;
        int64_t count;
        line = tk_str_trim(line);
        if (!tk_str_take_until(&line, ':', &id) || id.n == 0 || id.n >= TK_HOST_IRQ_ID ||
            !take_counts(&line, &count))
            return tk_fail(err, -EBADMSG, "line %zu: expected an interrupt and its counts", i);
        if (interrupts->count == TK_HOST_IRQS_MAX) {
            interrupts->skipped++;
            continue;
        }
        struct tk_host_interrupt *interrupt = &interrupts->items[interrupts->count++];
        take_text(id, interrupt->id, sizeof(interrupt->id));
        take_text(last_part(line), interrupt->device, sizeof(interrupt->device));
        interrupt->count = count;
    }
    return 0;
}
