/* SPDX-License-Identifier: Apache-2.0 */
#include "opendc/warnings.h"

#include <stdarg.h>
#include <stdio.h>

static void TK_PRINTF(2, 3) tell(const struct tk_listener *listener, const char *fmt, ...)
{
    char line[512];
    va_list args;
    va_start(args, fmt);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start() is above */
    (void)vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    listener->say(listener->context, line);
}

void tk_workload_warn(const struct tk_workload *workload, bool hides_names,
                      const struct tk_listener *listener)
{
    const struct tk_workload_counts *counts = &workload->counts;
    static const char *const modes[] = {"", "", "process", "", "node, with all its load"};
    if (!listener->say)
        return;
    if (workload->mode_was_chosen)
        tell(listener, "no invocations in the run: one task per %s", modes[workload->mode]);
    if (counts->damaged > 0) {
        tell(listener, "%lld recordings are damaged, the first: %s", (long long)counts->damaged,
             hides_names ? "not told" : counts->first_damaged);
    }
    if (counts->bad_rows > 0) {
        tell(listener, "%lld rows did not parse and were left out", (long long)counts->bad_rows);
    }
    if (counts->no_times + counts->negative > 0) {
        tell(listener, "%lld invocations were left out, the first: %s",
             (long long)counts->no_times + (long long)counts->negative,
             hides_names ? "not told" : counts->first_skipped);
    }
    if (counts->duplicates > 0) {
        tell(listener, "%lld invocations were told twice and count once",
             (long long)counts->duplicates);
    }
    if (counts->late_enqueue > 0) {
        tell(listener,
             "%lld invocations began before they were enqueued: taken as enqueued at their start",
             (long long)counts->late_enqueue);
    }
    if (counts->unknown_node > 0) {
        tell(listener, "%lld rows are of nodes that the run does not know, left out",
             (long long)counts->unknown_node);
    }
}
