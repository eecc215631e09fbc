/* SPDX-License-Identifier: Apache-2.0 */
/* What Parquet costs: rows as OpenDC's fragments are, and process rows of a recording, written with
 * each codec and read back. CPU time of one core, best of several rounds; with --output the files
 * are kept, so that another writer can be given the same rows (bench/parquet.sh).
 *
 *     meson setup build-bench -Dbench=true -Dbuildtype=release && ninja -C build-bench
 *     build-bench/parquet
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/schemas.h"
#include "table/parquet_batch.h"
#include "table/parquet_reader.h"

#define BATCH_ROWS   4096
#define PROCESS_ROWS 256

struct opts {
    int64_t rounds;
    int64_t rows;
    const char *output;
};

static const struct tk_opt options[] = {
    {"rounds", TK_OPT_INT, offsetof(struct opts, rounds), "N", "rounds per figure, the best counts",
     .min = 1, .max = 1000},
    {"rows", TK_OPT_INT, offsetof(struct opts, rows), "N", "rows of each file", .min = 1,
     .max = 1000000000},
    {"output", TK_OPT_STRING, offsetof(struct opts, output), "DIR", "keep the files there"},
    {0},
};

/* The file in memory: disks are not what is measured. */
struct memory {
    struct tk_buf bytes;
};

static int memory_write(void *user, tk_str bytes, struct tk_err *err)
{
    struct memory *memory = user;
    tk_buf_put(&memory->bytes, bytes);
    return tk_buf_check(&memory->bytes, "the file", err);
}

static int memory_read(void *user, uint64_t offset, char *to, size_t n, struct tk_err *err)
{
    (void)err;
    memcpy(to, ((const struct memory *)user)->bytes.p + offset, n);
    return 0;
}

/* Fragments: tasks of 50 to 250 fragments, nine in ten of a second, usage of a share of 2400 MHz to
 * the tick of 1/100 s, a fifth of them idle. */
struct fragments {
    int32_t ids[BATCH_ROWS];
    int64_t durations[BATCH_ROWS];
    double usages[BATCH_ROWS];
};

static void fill_fragments(struct fragments *to, int64_t first, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t x = tk_bench_noise((uint64_t)first + i);
        to->ids[i] = (int32_t)((first + (int64_t)i) / 150);
        to->durations[i] = x % 10 ? 1000 : (int64_t)(x >> 8) % 1000 + 1;
        uint64_t ticks = (x >> 20) % 5 ? (x >> 30) % 101 : 0;
        to->usages[i] = (double)ticks * 2400 * 10 / (double)to->durations[i];
    }
}

static int write_fragments(struct tk_parquet_opts *opts, int64_t rows, struct memory *memory,
                           struct tk_err *err)
{
    static const struct tk_parquet_node nodes[] = {
        {"id", TK_PARQUET_I32},
        {"duration", TK_PARQUET_I64},
        {"cpu_usage", TK_PARQUET_F64},
    };
    static struct fragments batch;
    TK_CLEANUP(tk_parquet_writer_freep) struct tk_parquet_writer *writer = NULL;
    struct tk_parquet_sink sink = {memory_write, memory};
    int rc = tk_parquet_writer_new(nodes, TK_COUNTOF(nodes), opts, &sink, &writer, err);
    for (int64_t i = 0; rc == 0 && i < rows; i += BATCH_ROWS) {
        size_t n = rows - i < BATCH_ROWS ? (size_t)(rows - i) : BATCH_ROWS;
        fill_fragments(&batch, i, n);
        tk_parquet_add_i32(writer, 0, batch.ids, n);
        tk_parquet_add_i64(writer, 1, batch.durations, n);
        tk_parquet_add_f64(writer, 2, batch.usages, n);
        rc = tk_parquet_writer_write(writer, err);
    }
    return rc < 0 ? rc : tk_parquet_writer_close(writer, err);
}

/* Rows of 200 processes a tick, with the columns that a recorder fills on a common machine. */
static void fill_process(struct tk_batch *batch, int64_t i)
{
    static const char *const comms[] = {"cc1", "make", "kworker/0:1", "postgres", "node"};
    int64_t tick = i / 200;
    int64_t process = i % 200;
    int64_t used = tick * (process % 7) + (int64_t)(tk_bench_noise((uint64_t)i) % 3);
    tk_batch_begin(batch);
    tk_batch_set_i64(batch, TK_PROC_METRICS_TS_MS, 1763716800000 + tick * 100);
    tk_batch_set_i64(batch, TK_PROC_METRICS_PID, 1000 + process * 31 % 32000);
    tk_batch_set_i64(batch, TK_PROC_METRICS_UTIME, used);
    tk_batch_set_i64(batch, TK_PROC_METRICS_STIME, used / 3);
    tk_batch_set_i64(batch, TK_PROC_METRICS_RSS_KB, 4096 + process * 3700 + tick % 50 * 4);
    tk_batch_set_i64(batch, TK_PROC_METRICS_THREADS, 1 + process % 12);
    tk_batch_set_i64(batch, TK_PROC_METRICS_TS_US, 1763716800000123 + tick * 100000);
    tk_batch_set_text(batch, TK_PROC_METRICS_NODE, TK_STR("node-07"));
    tk_batch_set_text(batch, TK_PROC_METRICS_HOST, TK_STR("worker-07.example"));
    tk_batch_set_i64(batch, TK_PROC_METRICS_START_TICKS, 88123456 + process * 977);
    tk_batch_set_i64(batch, TK_PROC_METRICS_PPID, 1 + process % 20);
    tk_batch_set_text(batch, TK_PROC_METRICS_COMM, tk_str_from(comms[process % 5]));
    tk_batch_set_text(batch, TK_PROC_METRICS_STATE, process % 9 ? TK_STR("S") : TK_STR("R"));
    tk_batch_set_i64(batch, TK_PROC_METRICS_CPU_NS, used * 10000000 + 123456);
    tk_batch_set_i64(batch, TK_PROC_METRICS_MINFLT, tick * (process % 11));
    tk_batch_set_i64(batch, TK_PROC_METRICS_NVCSW, tick * (process % 5));
}

static int write_processes(struct tk_parquet_opts *opts, int64_t rows, struct memory *memory,
                           struct tk_err *err)
{
    TK_CLEANUP(tk_parquet_table_freep) struct tk_parquet_table *table = NULL;
    TK_CLEANUP(tk_batch_freep) struct tk_batch *batch = NULL;
    struct tk_parquet_sink sink = {memory_write, memory};
    int rc = tk_batch_new(&tk_schema_proc_metrics, PROCESS_ROWS, 1 << 20, &batch, err);
    if (rc == 0)
        rc = tk_parquet_table_new(&tk_schema_proc_metrics, opts, &sink, &table, err);
    for (int64_t i = 0; rc == 0 && i < rows;) {
        tk_batch_reset(batch);
        for (int k = 0; k < PROCESS_ROWS && i < rows; k++)
            fill_process(batch, i++);
        rc = tk_parquet_table_write(table, batch, err);
    }
    return rc < 0 ? rc : tk_parquet_table_close(table, err);
}

static const struct {
    const char *name;
    int64_t share; /* of the rows that are asked for */
    int (*write)(struct tk_parquet_opts *, int64_t, struct memory *, struct tk_err *);
} tables[] = {
    {"fragments", 1, write_fragments},
    {"proc_metrics", 10, write_processes},
};

/* Decode every value; how many there are. */
static int read_file(struct memory *memory, int64_t *ret_values, struct tk_err *err)
{
    struct tk_parquet_source source = {memory->bytes.n, memory_read, memory};
    TK_CLEANUP(tk_parquet_file_freep) struct tk_parquet_file *file = NULL;
    int rc = tk_parquet_file_new(&source, &file, err);
    size_t columns = 0;
    *ret_values = 0;
    if (rc == 0)
        (void)tk_parquet_file_leaves(file, &columns);
    for (size_t g = 0; rc == 0 && g < tk_parquet_file_meta(file)->row_group_count; g++) {
        for (size_t c = 0; rc == 0 && c < columns; c++) {
            TK_CLEANUP(tk_parquet_cursor_freep) struct tk_parquet_cursor *cursor = NULL;
            struct tk_parquet_entries entries;
            rc = tk_parquet_cursor_new(file, g, c, &cursor, err);
            while (rc == 0 && (rc = tk_parquet_cursor_next(cursor, &entries, err)) == 0)
                *ret_values += (int64_t)entries.n;
            rc = rc < 0 ? rc : 0;
        }
    }
    return rc;
}

static int keep_file(const struct memory *memory, const char *folder, const char *table,
                     const char *codec, struct tk_err *err)
{
    char path[4096];
    (void)snprintf(path, sizeof(path), "%s/%s-%s.parquet", folder, table, codec);
    FILE *file = fopen(path, "w");
    if (!file)
        return tk_fail_errno(err, "%s", path);
    bool whole = fwrite(memory->bytes.p, 1, memory->bytes.n, file) == memory->bytes.n;
    return fclose(file) == 0 && whole ? 0 : tk_fail_errno(err, "%s", path);
}

static int measure(size_t which, const char *codec, const struct opts *opts, struct tk_err *err)
{
    struct memory memory;
    struct tk_parquet_opts parquet = {0};
    int64_t rows = opts->rows / tables[which].share;
    int64_t values = 0;
    double written = 1e18;
    double read = 1e18;
    int rc = tk_parquet_codec_parse(tk_str_from(codec), &parquet.codec, err);
    tk_buf_init(&memory.bytes, (size_t)4 << 30);
    for (int64_t i = 0; rc == 0 && i < opts->rounds; i++) {
        tk_buf_reset(&memory.bytes);
        int64_t start = tk_bench_cpu_ns();
        rc = tables[which].write(&parquet, rows, &memory, err);
        double ns = (double)(tk_bench_cpu_ns() - start);
        written = ns < written ? ns : written;
        start = tk_bench_cpu_ns();
        rc = rc < 0 ? rc : read_file(&memory, &values, err);
        ns = (double)(tk_bench_cpu_ns() - start);
        read = ns < read ? ns : read;
    }
    if (rc == 0)
        printf("| %s | %s | %.2f | %.2f | %.2f |\n", tables[which].name, codec,
               (double)rows * 1e3 / written, (double)values * 1e3 / read,
               (double)memory.bytes.n / (double)rows);
    if (rc == 0 && opts->output)
        rc = keep_file(&memory, opts->output, tables[which].name, codec, err);
    tk_buf_release(&memory.bytes);
    return rc;
}

int main(int argc, char **argv)
{
    static const char *const codecs[] = {"none", "snappy", "lz4_raw", "zstd", "gzip"};
    struct opts opts = {.rounds = 3, .rows = 5000000};
    struct tk_err err;
    int status;
    if (!tk_bench_parse("parquet", options, &opts, argc, argv, &status))
        return status;
    printf("| table | codec | written, M rows/s | read, M values/s | bytes a row |\n"
           "| --- | --- | --- | --- | --- |\n");
    for (size_t t = 0; t < TK_COUNTOF(tables); t++) {
        for (size_t c = 0; c < TK_COUNTOF(codecs); c++) {
            if (measure(t, codecs[c], &opts, &err) < 0)
                return tk_bench_fail("parquet", &err);
        }
    }
    return 0;
}
