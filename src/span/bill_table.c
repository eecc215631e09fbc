/* SPDX-License-Identifier: Apache-2.0 */
#include "span/bill_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/number.h"
#include "run/out.h"
#include "table/parquet_batch.h"

#define ROWS_PER_BATCH 4096
#define TEXT_PER_BATCH ((size_t)1 << 20)
#define PIECE_BYTES    ((size_t)1 << 20)

static const struct tk_column columns[TK_BILLS_COUNT] = {
    [TK_BILLS_TRACE_ID] = {"trace_id", TK_TEXT, "", "32 hexadecimal digits", TK_REQUIRED},
    [TK_BILLS_SPAN_ID] = {"span_id", TK_TEXT, "", "16 hexadecimal digits", TK_REQUIRED},
    [TK_BILLS_RULE] = {"rule", TK_TEXT, "",
                       "how its processes were found: context, environment, container or pid",
                       TK_REQUIRED},
    [TK_BILLS_PROCESSES] = {"processes", TK_I64, "", "that served it, alive in its interval",
                            TK_REQUIRED},
    [TK_BILLS_CPU_NS] = {"cpu_ns", TK_I64, "ns",
                         "CPU time, with the spans below it that its processes served"},
    [TK_BILLS_MAX_RSS_BYTES] = {"max_rss_bytes", TK_I64, "bytes",
                                "largest resident set of one process meanwhile; not divided"},
    [TK_BILLS_RD_BYTES] = {"rd_bytes", TK_I64, "bytes", "read from block devices, as cpu_ns"},
    [TK_BILLS_WR_BYTES] = {"wr_bytes", TK_I64, "bytes", "written to block devices, as cpu_ns"},
    [TK_BILLS_MINFLT] = {"minflt", TK_I64, "", "minor page faults, as cpu_ns"},
    [TK_BILLS_MAJFLT] = {"majflt", TK_I64, "", "major page faults, as cpu_ns"},
    [TK_BILLS_SELF_NS] = {"self_ns", TK_I64, "ns",
                          "time in which no span below it within its processes was open, of all "
                          "its processes"},
    [TK_BILLS_SELF_CPU_NS] = {"self_cpu_ns", TK_I64, "ns",
                              "CPU time in that; over all spans never more than was used"},
    [TK_BILLS_SELF_RUNNABLE_NS] = {"self_runnable_ns", TK_I64, "ns",
                                   "waiting for a CPU in that; absent where the readings are too "
                                   "old to tell"},
    [TK_BILLS_SELF_IO_WAIT_NS] = {"self_io_wait_ns", TK_I64, "ns",
                                  "waiting for block I/O in that; absent where it is not recorded"},
    [TK_BILLS_SELF_REST_NS] = {"self_rest_ns", TK_I64, "ns",
                               "what is left of self_ns: waiting for the network, locks, timers, "
                               "other processes; 0 with threads that ran beside each other"},
    [TK_BILLS_PSI_CPU_NS] = {"psi_cpu_ns", TK_I64, "ns",
                             "some task of the machine waited for a CPU meanwhile; not divided"},
    [TK_BILLS_PSI_IO_NS] = {"psi_io_ns", TK_I64, "ns", "likewise for I/O"},
    [TK_BILLS_PSI_MEM_NS] = {"psi_mem_ns", TK_I64, "ns", "likewise for memory"},
    [TK_BILLS_PERIOD_NS] = {"period_ns", TK_I64, "ns",
                            "between the two readings in which it began or ended, the longer"},
    [TK_BILLS_ERROR_RATIO] = {"error_ratio", TK_F64, "",
                              "period over length: how far off the bill may be",
                              .decimals = TK_SHORTEST},
    [TK_BILLS_IS_BOUND] = {"is_bound", TK_BOOL, "",
                           "shorter than the period: the bill is an order of magnitude"},
};

const struct tk_schema tk_schema_bills = {"bills", "what the processes of one span used meanwhile",
                                          columns, TK_BILLS_COUNT};

/* Rows ----------------------------------------------------------------------------------- */

static void set_ids(const struct tk_bill_span *span, struct tk_batch *row)
{
    const struct tk_traceparent ids = {.span_id = span->span_id};
    struct tk_traceparent parent = ids;
    char text[TK_TRACEPARENT_BYTES + 1];
    memcpy(parent.trace_id, span->trace_id, sizeof(parent.trace_id));
    tk_traceparent_format(&parent, text);
    tk_batch_set_text(row, TK_BILLS_TRACE_ID, (tk_str){text + 3, 32});
    tk_batch_set_text(row, TK_BILLS_SPAN_ID, (tk_str){text + 36, 16});
}

static void set_used(const struct tk_bill *bill, struct tk_batch *row)
{
    static const size_t by_counter[TK_BILL_COUNTERS] = {
        [TK_BILL_CPU] = TK_BILLS_CPU_NS,
        [TK_BILL_RUNNABLE] = TK_BILLS_COUNT, /* of the span itself only: the same for waiting */
        [TK_BILL_IO_WAIT] = TK_BILLS_COUNT,
        [TK_BILL_READ] = TK_BILLS_RD_BYTES,
        [TK_BILL_WRITTEN] = TK_BILLS_WR_BYTES,
        [TK_BILL_MINOR_FAULTS] = TK_BILLS_MINFLT,
        [TK_BILL_MAJOR_FAULTS] = TK_BILLS_MAJFLT,
    };
    for (size_t c = 0; c < TK_BILL_COUNTERS; c++) {
        if (by_counter[c] != TK_BILLS_COUNT && bill->known >> c & 1)
            tk_batch_set_i64(row, by_counter[c], (int64_t)(bill->used[c] + 0.5));
    }
    if (bill->max_rss_bytes >= 0)
        tk_batch_set_i64(row, TK_BILLS_MAX_RSS_BYTES, bill->max_rss_bytes);
}

static void set_self(const struct tk_join *join, uint32_t i, struct tk_batch *row)
{
    const struct tk_bill *bill = &join->bills[i];
    const struct tk_bill_self *self = &join->selfs[i];
    const struct tk_bill_span *span = &join->spans.items[i];
    double rest_ns = (double)bill->innermost_ns - self->cpu_ns;
    bool has_runnable =
        bill->known >> TK_BILL_RUNNABLE & 1 && span->end_ns - span->start_ns >= join->wait_lag_ns;
    tk_batch_set_i64(row, TK_BILLS_SELF_NS, bill->innermost_ns);
    if (bill->known >> TK_BILL_CPU & 1)
        tk_batch_set_i64(row, TK_BILLS_SELF_CPU_NS, (int64_t)(self->cpu_ns + 0.5));
    if (has_runnable) {
        tk_batch_set_i64(row, TK_BILLS_SELF_RUNNABLE_NS, (int64_t)(self->runnable_ns + 0.5));
        rest_ns -= self->runnable_ns;
    }
    if (bill->known >> TK_BILL_IO_WAIT & 1) {
        tk_batch_set_i64(row, TK_BILLS_SELF_IO_WAIT_NS, (int64_t)(self->io_wait_ns + 0.5));
        rest_ns -= self->io_wait_ns;
    }
    if (bill->known >> TK_BILL_CPU & 1)
        tk_batch_set_i64(row, TK_BILLS_SELF_REST_NS, rest_ns > 0 ? (int64_t)rest_ns : 0);
}

static void set_pressure(const struct tk_join *join, uint32_t i,
                         const struct tk_bill_pressure *pressure, struct tk_batch *row)
{
    static const size_t by_stall[TK_BILL_STALLS] = {TK_BILLS_PSI_CPU_NS, TK_BILLS_PSI_IO_NS,
                                                    TK_BILLS_PSI_MEM_NS};
    const struct tk_bill_span *span = &join->spans.items[i];
    int64_t stall_ns[TK_BILL_STALLS];
    uint32_t count;
    uint32_t process = *tk_bill_matcher_target(join->matcher, span->answer.target, &count);
    tk_str host = tk_texts_get(&join->processes.texts, join->processes.items[process].host);
    if (!pressure || !tk_bill_pressure_find(pressure, host, span->start_ns, span->end_ns, stall_ns))
        return;
    for (size_t s = 0; s < TK_BILL_STALLS; s++)
        tk_batch_set_i64(row, by_stall[s], stall_ns[s]);
}

static void set_error(const struct tk_join *join, uint32_t i, struct tk_batch *row)
{
    double error = tk_join_error(join, i);
    int64_t period_ns = join->bills[i].period_ns;
    tk_batch_set_i64(row, TK_BILLS_PERIOD_NS, period_ns > 0 ? period_ns : join->period_ns);
    tk_batch_set_f64(row, TK_BILLS_ERROR_RATIO, error); /* of no length: absent */
    tk_batch_set_bool(row, TK_BILLS_IS_BOUND, !(error <= 1));
}

static void put_row(const struct tk_join *join, uint32_t i, const struct tk_bill_pressure *pressure,
                    struct tk_batch *row)
{
    const struct tk_bill_span *span = &join->spans.items[i];
    tk_batch_begin(row);
    set_ids(span, row);
    tk_batch_set_text(row, TK_BILLS_RULE, tk_str_from(tk_bill_rules[span->answer.rule].name));
    tk_batch_set_i64(row, TK_BILLS_PROCESSES, span->answer.processes);
    if (join->bills[i].is_metered) {
        set_used(&join->bills[i], row);
        set_self(join, i, row);
    }
    set_pressure(join, i, pressure, row);
    set_error(join, i, row);
}

/* File ------------------------------------------------------------------------------------ */

static int take_bytes(void *user, tk_str bytes, struct tk_err *err)
{
    struct tk_out *out = user;
    while (bytes.n > 0) { /* a row group is larger than what the file keeps back */
        size_t n = bytes.n < PIECE_BYTES ? bytes.n : PIECE_BYTES;
        tk_out_put(out, (tk_str){bytes.p, n});
        bytes = (tk_str){bytes.p + n, bytes.n - n};
    }
    if (out->failure.code == 0)
        return 0;
    *err = out->failure;
    return err->code;
}

static int write_rows(const struct tk_join *join, const struct tk_bill_pressure *pressure,
                      struct tk_parquet_table *table, struct tk_batch *batch, struct tk_err *err)
{
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < join->spans.count; i++) {
        if (join->spans.items[i].answer.rule == TK_BILL_NO_RULE)
            continue;
        put_row(join, i, pressure, batch);
        if (tk_batch_has_room(batch))
            continue;
        rc = tk_parquet_table_write(table, batch, err);
        tk_batch_reset(batch);
    }
    if (rc == 0 && batch->rows > 0)
        rc = tk_parquet_table_write(table, batch, err);
    return rc < 0 ? rc : tk_parquet_table_close(table, err);
}

int tk_bills_write(const struct tk_join *join, const struct tk_bill_pressure *pressure, int dirfd,
                   struct tk_err *err)
{
    TK_CLEANUP(tk_out_release) struct tk_out out = TK_OUT_NONE;
    TK_CLEANUP(tk_batch_freep) struct tk_batch *batch = NULL;
    TK_CLEANUP(tk_parquet_table_freep) struct tk_parquet_table *table = NULL;
    const struct tk_parquet_sink sink = {take_bytes, &out};
    const struct tk_parquet_opts opts = {.codec = TK_PARQUET_ZSTD};
    int rc = tk_out_open(&out, dirfd, TK_BILLS_FILE, NULL, err);
    rc = rc < 0 ? rc : tk_batch_new(&tk_schema_bills, ROWS_PER_BATCH, TEXT_PER_BATCH, &batch, err);
    rc = rc < 0 ? rc : tk_parquet_table_new(&tk_schema_bills, &opts, &sink, &table, err);
    rc = rc < 0 ? rc : write_rows(join, pressure, table, batch, err);
    return rc < 0 ? rc : tk_out_close(&out, err);
}
