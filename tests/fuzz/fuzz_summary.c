/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a run on their way into its summary; the first byte of a line selects its table. */
#include <stdlib.h>

#include "base/json.h"
#include "run/causes.h"
#include "run/run_internal.h"
#include "run/summary_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take(struct tk_summary_maker *maker, tk_str line)
{
    enum tk_table table = (enum tk_table)((unsigned char)line.p[0] % (TK_TABLE_PROC_EXIT + 1));
    struct tk_err err;
    TK_CLEANUP(tk_batch_freep) struct tk_batch *batch = NULL;
    if (tk_batch_new(tk_tables[table].schema, 1, 65536, &batch, &err) < 0 ||
        tk_object_decode((tk_str){line.p + 1, line.n - 1}, batch, &err) < 0)
        return;
    if (table == TK_TABLE_HOST_METRICS)
        tk_summary_add_host(maker, batch, 0);
    if (table == TK_TABLE_LINK_METRICS)
        tk_summary_add_link(maker, batch, 0);
    if (table == TK_TABLE_DISK_METRICS)
        tk_summary_add_disk(maker, batch, 0);
    if ((table == TK_TABLE_PROC_METRICS && tk_tally_add_sample(maker->summary->tally, batch, 0)) ||
        (table == TK_TABLE_PROC_EXIT && tk_tally_add_exit(maker->summary->tally, batch, 0)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tk_summary summary;
    struct tk_err err;
    tk_summary_init(&summary);
    summary.host.mem_total_bytes = 1LL << 34;
    struct tk_summary_maker maker = {.summary = &summary};
    const struct tk_tally_options options = {.start_ns = 1795252000000000000, .root_pid = 7};
    if (tk_arena_init(&summary.text, 1 << 20, &err) < 0 ||
        tk_tally_new(&options, &summary.tally, &err) < 0)
        return 0;
    tk_str text = {(const char *)data, size};
    tk_str line;
    while (tk_str_take_line(&text, &line))
        if (line.n > 1)
            take(&maker, line);
    tk_summary_finish_host(&maker);
    struct tk_cause causes[TK_CAUSES_MAX];
    if (tk_tally_finish(summary.tally) < 0 || tk_causes_find(&summary, causes) == 0)
        abort();
    tk_tally_free(summary.tally);
    tk_arena_release(&summary.text);
    return 0;
}
