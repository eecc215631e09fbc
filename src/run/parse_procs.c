/* SPDX-License-Identifier: Apache-2.0 */
/* Steps 5 and 6 of parse: proc_metrics sorted, and from it and the exit records proc_cpu and
 * proc_rss. A row of proc_cpu is the difference of two cumulative readings of one process; its
 * integers are differences of truncated cumulative values, so that sums telescope. */
#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/map.h"
#include "run/parse_internal.h"

#define NS_PER_MS  1000000
#define RESTART_NS 100000000 /* no process loses so much CPU time */

/* A process as far as its CPU time was put out. */
struct process {
    int64_t pid;
    int64_t start_ticks; /* -1 = unknown */
    uint64_t node;       /* hash of its name */
    int64_t last_us;     /* time of the last reading */
    int64_t base_ns;     /* its cumulative CPU time */
    int64_t rss_ms;      /* time of its last row of proc_rss; INT64_MIN = none */
};

/* A reading of a process. */
struct sample {
    int64_t pid;
    int64_t start_ticks; /* -1 = unknown */
    int64_t us;
    int64_t cpu_ns;   /* cumulative; -1 = unknown */
    int64_t birth_us; /* INT64_MIN = unknown */
    bool is_exit;     /* the total of an exit record */
    bool has_us;      /* the stamp is finer than a millisecond */
    bool has_cpu_ns;
    tk_str node;
};

struct procs {
    struct tk_parse *parse;
    struct tk_out cpu;
    struct tk_out rss;
    struct tk_out cts; /* only when asked for */
    struct process *items;
    size_t count;
    size_t cap;
    struct tk_map by_identity;
    struct tk_map last_by_pid; /* for exit records that do not tell the start */
    size_t next_exit;          /* in parse->exits.by_end */
    uint64_t no_pid;           /* rows that name no process or time */
    uint64_t backward;         /* readings older than the one before of the same process */
};

/* Samples and exit records of one run name the same node, or none. */
static uint64_t hash_node(const struct procs *procs, tk_str node)
{
    return tk_hash_text(node.n > 0 ? node : tk_str_from(procs->parse->node));
}

/* The process of a sample; NULL when it is new, `*ret_key` is then its free key. */
static struct process *find_process(const struct procs *procs, const struct sample *sample,
                                    uint64_t node, uint64_t *ret_key)
{
    uint64_t key =
        tk_hash_mix(tk_hash_mix((uint64_t)sample->pid, node), (uint64_t)sample->start_ticks);
    uint32_t index;
    for (; tk_map_find(&procs->by_identity, key, &index); key++) {
        struct process *process = &procs->items[index];
        if (process->pid == sample->pid && process->start_ticks == sample->start_ticks &&
            process->node == node)
            return process;
    }
    *ret_key = key;
    return NULL;
}

static int add_process(struct procs *procs, uint64_t key, const struct process *process,
                       struct tk_err *err)
{
    if (procs->count == procs->cap) {
        size_t cap = procs->cap ? procs->cap * 2 : 1024;
        struct process *items = realloc(procs->items, cap * sizeof(*items));
        if (!items)
            return tk_fail(err, -ENOMEM, "out of memory for %zu processes", cap);
        procs->items = items;
        procs->cap = cap;
    }
    uint64_t pid_key = tk_hash_mix((uint64_t)process->pid, process->node);
    if (tk_map_add(&procs->by_identity, key, (uint32_t)procs->count) < 0 ||
        tk_map_add(&procs->last_by_pid, pid_key, (uint32_t)procs->count) < 0)
        return tk_fail(err, -ENOMEM, "out of memory for %zu processes", procs->count);
    procs->items[procs->count++] = *process;
    return 0;
}

/* Rows out ---------------------------------------------------------------------------- */

static void put_cpu(struct procs *procs, const struct sample *sample, int64_t from_us,
                    int64_t from_ns)
{
    struct tk_batch *batch = tk_out_begin(&procs->cpu);
    tk_batch_set_i64(batch, TK_PROC_CPU_TS_MS, sample->us / 1000);
    tk_batch_set_i64(batch, TK_PROC_CPU_PID, sample->pid);
    tk_batch_set_i64(batch, TK_PROC_CPU_CPU_MS, sample->cpu_ns / NS_PER_MS - from_ns / NS_PER_MS);
    tk_batch_set_i64(batch, TK_PROC_CPU_DT_MS, sample->us / 1000 - from_us / 1000);
    if (sample->node.n > 0)
        tk_batch_set_text(batch, TK_PROC_CPU_NODE, sample->node);
    if (sample->start_ticks >= 0)
        tk_batch_set_i64(batch, TK_PROC_CPU_START_TICKS, sample->start_ticks);
    if (sample->has_us) {
        tk_batch_set_i64(batch, TK_PROC_CPU_TS_US, sample->us);
        tk_batch_set_i64(batch, TK_PROC_CPU_DT_US, sample->us - from_us);
    }
    if (sample->has_cpu_ns)
        tk_batch_set_i64(batch, TK_PROC_CPU_CPU_NS, sample->cpu_ns - from_ns);
}

static void put_rss(struct procs *procs, const struct sample *sample, int64_t rss_kb)
{
    struct tk_batch *batch = tk_out_begin(&procs->rss);
    tk_batch_set_i64(batch, TK_PROC_RSS_TS_MS, sample->us / 1000);
    tk_batch_set_i64(batch, TK_PROC_RSS_PID, sample->pid);
    tk_batch_set_i64(batch, TK_PROC_RSS_RSS_KB, rss_kb);
    if (sample->node.n > 0)
        tk_batch_set_text(batch, TK_PROC_RSS_NODE, sample->node);
    if (sample->start_ticks >= 0)
        tk_batch_set_i64(batch, TK_PROC_RSS_START_TICKS, sample->start_ticks);
}

/* A row of generation 2; rss_kb -1 = unknown. */
static void put_cts(struct procs *procs, const struct sample *sample, int64_t dt_ms, int64_t cpu_ms,
                    int64_t rss_kb)
{
    if (procs->parse->cts < 0)
        return;
    struct tk_batch *batch = tk_out_begin(&procs->cts);
    tk_batch_set_i64(batch, TK_CTS_PROC_METRICS_TS_MS, sample->us / 1000);
    tk_batch_set_i64(batch, TK_CTS_PROC_METRICS_PID, sample->pid);
    tk_batch_set_i64(batch, TK_CTS_PROC_METRICS_DT_MS, dt_ms);
    tk_batch_set_i64(batch, TK_CTS_PROC_METRICS_CPU_MS, cpu_ms);
    if (rss_kb >= 0)
        tk_batch_set_i64(batch, TK_CTS_PROC_METRICS_RSS_KB, rss_kb);
}

/* Readings ------------------------------------------------------------------------------ */

/* The first reading of a process. When its birth lies in the run, it begins at birth with no CPU
 * time; else with what it has now. */
static struct process begin_process(const struct procs *procs, const struct sample *sample,
                                    uint64_t node)
{
    struct process process = {.pid = sample->pid,
                              .start_ticks = sample->start_ticks,
                              .node = node,
                              .last_us = sample->us,
                              .base_ns = sample->cpu_ns,
                              .rss_ms = INT64_MIN};
    bool born_in_run = sample->birth_us != INT64_MIN && procs->parse->start_us != INT64_MIN &&
                       sample->birth_us >= procs->parse->start_us;
    if (born_in_run && sample->birth_us <= sample->us) {
        process.last_us = sample->birth_us;
        process.base_ns = 0;
    }
    return process;
}

/* The counters fell: another process has this pid. Its start may be unknown, or the same ticks
 * after a reboot within the run; readings of one process differ by a tick at most. */
static bool is_another(const struct process *process, const struct sample *sample)
{
    int64_t tolerance_ns = process->start_ticks < 0 ? 0 : RESTART_NS;
    return !sample->is_exit && sample->cpu_ns < process->base_ns - tolerance_ns;
}

/* True when the sample goes on from the process' last reading and makes a row. */
static bool advances(struct procs *procs, struct process *process, const struct sample *sample)
{
    int64_t cpu_ns = sample->cpu_ns;
    if (sample->us < process->last_us) {
        procs->backward++;
        return false;
    }
    if (sample->us == process->last_us) {
        process->base_ns = cpu_ns > process->base_ns ? cpu_ns : process->base_ns;
        return false;
    }
    if (is_another(process, sample)) {
        process->last_us = sample->us;
        process->base_ns = cpu_ns;
        return false;
    }
    /* Within one millisecond: the next reading covers it. */
    return sample->us / 1000 > process->last_us / 1000;
}

/* Take one reading with known CPU time; its row, if it makes one, covers the time since the reading
 * before. */
static int take_reading(struct procs *procs, struct sample *sample, int64_t rss_kb,
                        struct tk_err *err)
{
    uint64_t node = hash_node(procs, sample->node);
    uint64_t key;
    struct process *process = find_process(procs, sample, node, &key);
    if (!process) {
        struct process first = begin_process(procs, sample, node);
        int rc = add_process(procs, key, &first, err);
        if (rc < 0)
            return rc;
        process = &procs->items[procs->count - 1];
        if (first.last_us == sample->us)
            put_cts(procs, sample, 0, 0, rss_kb);
    }
    if (rss_kb >= 0 && sample->us / 1000 > process->rss_ms) {
        put_rss(procs, sample, rss_kb);
        process->rss_ms = sample->us / 1000;
    }
    if (!advances(procs, process, sample))
        return 0;
    /* Two clocks of one process may differ by a tick; what was told stays told. */
    if (sample->cpu_ns < process->base_ns)
        sample->cpu_ns = process->base_ns;
    put_cpu(procs, sample, process->last_us, process->base_ns);
    put_cts(procs, sample, sample->us / 1000 - process->last_us / 1000,
            sample->cpu_ns / NS_PER_MS - process->base_ns / NS_PER_MS, rss_kb);
    process->last_us = sample->us;
    process->base_ns = sample->cpu_ns;
    return 0;
}

/* Start of the process that an exit record is of: its own word, else that of the process with this
 * pid, if it was read since the record's process was born. */
static int64_t start_of(const struct procs *procs, const struct tk_exit *item)
{
    uint32_t index;
    uint64_t key = tk_hash_mix((uint64_t)item->pid, hash_node(procs, item->node));
    if (item->start_ticks >= 0 || !tk_map_find(&procs->last_by_pid, key, &index))
        return item->start_ticks;
    const struct process *process = &procs->items[index];
    return process->pid == item->pid && process->last_us >= item->start_us ? process->start_ticks
                                                                           : -1;
}

/* The last row of each process that ended up to `us`: from its last reading to its exit. */
static int take_exits_until(struct procs *procs, int64_t us, struct tk_err *err)
{
    const struct tk_exits *exits = &procs->parse->exits;
    const struct tk_range *range = &procs->parse->range;
    while (procs->next_exit < exits->count) {
        const struct tk_exit *item = &exits->items[exits->by_end[procs->next_exit]];
        if (item->end_us > us || item->end_us >= range->to_us)
            return 0;
        procs->next_exit++;
        if (item->cpu_ns < 0 || item->end_us < range->from_us)
            continue;
        struct sample sample = {.pid = item->pid,
                                .start_ticks = start_of(procs, item),
                                .us = item->end_us,
                                .cpu_ns = item->cpu_ns,
                                .birth_us = item->start_us,
                                .is_exit = true,
                                .has_us = true,
                                .has_cpu_ns = true,
                                .node = item->node};
        int rc = take_reading(procs, &sample, -1, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int64_t ticks_to_ns(const struct procs *procs, int64_t ticks)
{
    int64_t ns;
    if (__builtin_mul_overflow(ticks, TK_NS_PER_S, &ns))
        return -1;
    return ns / procs->parse->birth.clk_tck;
}

/* CPU time of a row: its clock, else its ticks; -1 when it has neither. */
static int64_t cpu_of(const struct procs *procs, const struct tk_batch *batch, size_t row)
{
    int64_t utime = tk_batch_i64(batch, row, TK_PROC_METRICS_UTIME, -1);
    int64_t stime = tk_batch_i64(batch, row, TK_PROC_METRICS_STIME, -1);
    int64_t ticks;
    int64_t otherwise = -1;
    if (utime >= 0 && stime >= 0 && !__builtin_add_overflow(utime, stime, &ticks))
        otherwise = ticks_to_ns(procs, ticks);
    return tk_batch_i64(batch, row, TK_PROC_METRICS_CPU_NS, otherwise);
}

/* Rows of generation 2 hold the differences already; those of no length say nothing. */
static void take_difference(struct procs *procs, const struct sample *sample, int64_t dt_ms,
                            int64_t cpu_ms, int64_t rss_kb)
{
    put_cts(procs, sample, dt_ms, cpu_ms, rss_kb);
    if (dt_ms <= 0)
        return;
    struct tk_batch *batch = tk_out_begin(&procs->cpu);
    tk_batch_set_i64(batch, TK_PROC_CPU_TS_MS, sample->us / 1000);
    tk_batch_set_i64(batch, TK_PROC_CPU_PID, sample->pid);
    tk_batch_set_i64(batch, TK_PROC_CPU_CPU_MS, cpu_ms);
    tk_batch_set_i64(batch, TK_PROC_CPU_DT_MS, dt_ms);
    if (sample->node.n > 0)
        tk_batch_set_text(batch, TK_PROC_CPU_NODE, sample->node);
}

static bool read_sample(const struct procs *procs, const struct tk_batch *batch, size_t row,
                        struct sample *ret)
{
    int64_t ms = tk_batch_i64(batch, row, TK_PROC_METRICS_TS_MS, INT64_MIN);
    *ret = (struct sample){
        .pid = tk_batch_i64(batch, row, TK_PROC_METRICS_PID, -1),
        .start_ticks = tk_batch_i64(batch, row, TK_PROC_METRICS_START_TICKS, -1),
        .cpu_ns = cpu_of(procs, batch, row),
        .has_us = tk_batch_has(batch, row, TK_PROC_METRICS_TS_US),
        .has_cpu_ns = tk_batch_has(batch, row, TK_PROC_METRICS_CPU_NS),
        .node = tk_batch_text(batch, row, TK_PROC_METRICS_NODE),
    };
    ret->birth_us = tk_birth_us(&procs->parse->birth, ret->start_ticks);
    if (ret->has_us) {
        ret->us = tk_batch_i64(batch, row, TK_PROC_METRICS_TS_US, 0);
    } else if (ms > INT64_MIN / 1000 && ms < INT64_MAX / 1000) {
        ret->us = ms * 1000;
    } else {
        return false;
    }
    return ret->pid >= 0;
}

static int take_row(struct procs *procs, const struct tk_batch *batch, size_t row,
                    struct tk_err *err)
{
    struct sample sample;
    if (!read_sample(procs, batch, row, &sample)) {
        procs->no_pid++;
        return 0;
    }
    /* A sample at the stamp of an exit was taken before it. */
    int rc = take_exits_until(procs, sample.us - 1, err);
    if (rc < 0)
        return rc;
    int64_t rss_kb = tk_batch_i64(batch, row, TK_PROC_METRICS_RSS_KB, -1);
    if (sample.cpu_ns >= 0)
        return take_reading(procs, &sample, rss_kb, err);
    if (rss_kb >= 0)
        put_rss(procs, &sample, rss_kb);
    if (tk_batch_has(batch, row, TK_PROC_METRICS_DT_MS) &&
        tk_batch_has(batch, row, TK_PROC_METRICS_CPU_MS)) {
        take_difference(procs, &sample, tk_batch_i64(batch, row, TK_PROC_METRICS_DT_MS, 0),
                        tk_batch_i64(batch, row, TK_PROC_METRICS_CPU_MS, 0), rss_kb);
    }
    return 0;
}

/* The whole ------------------------------------------------------------------------------ */

static int read_rows(struct procs *procs, struct tk_run_reader *reader, struct tk_err *err)
{
    const struct tk_batch *batch;
    int rc;
    while ((rc = tk_run_reader_next(reader, &batch, err)) == 0) {
        for (size_t row = 0; row < batch->rows; row++) {
            if (procs->parse->start_us == INT64_MIN)
                procs->parse->start_us = tk_batch_i64(batch, row, TK_PROC_METRICS_TS_MS, 0) * 1000;
            rc = take_row(procs, batch, row, err);
            if (rc < 0)
                return rc;
        }
    }
    return rc < 0 ? rc : take_exits_until(procs, INT64_MAX, err);
}

/* Derive from cctf/proc_metrics.jsonl, which is in order. */
static int derive(struct procs *procs, struct tk_err *err)
{
    const struct tk_parse *parse = procs->parse;
    struct tk_run_reader *reader = NULL;
    int rc = tk_out_open(&procs->cpu, parse->cctf, tk_tables[TK_TABLE_PROC_CPU].cctf,
                         &tk_schema_proc_cpu, err);
    if (rc == 0) {
        rc = tk_out_open(&procs->rss, parse->cctf, tk_tables[TK_TABLE_PROC_RSS].cctf,
                         &tk_schema_proc_rss, err);
    }
    if (rc == 0 && parse->cts >= 0) {
        rc = tk_out_open(&procs->cts, parse->cts, tk_tables[TK_TABLE_PROC_METRICS].cctf,
                         &tk_schema_cts_proc_metrics, err);
    }
    if (rc == 0) {
        rc = tk_run_reader_new(parse->cctf, tk_tables[TK_TABLE_PROC_METRICS].cctf,
                               &tk_schema_proc_metrics, &reader, err);
    }
    if (rc < 0)
        return rc;
    rc = read_rows(procs, reader, err);
    if (rc == 0) {
        tk_parse_note_stats(procs->parse, tk_tables[TK_TABLE_PROC_METRICS].cctf,
                            tk_run_reader_stats(reader));
    }
    tk_run_reader_free(reader);
    if (rc == 0)
        rc = tk_out_close(&procs->cpu, err);
    if (rc == 0)
        rc = tk_out_close(&procs->rss, err);
    if (rc == 0 && parse->cts >= 0)
        rc = tk_out_close(&procs->cts, err);
    return rc;
}

static void release(struct procs *procs)
{
    tk_out_release(&procs->cpu);
    tk_out_release(&procs->rss);
    tk_out_release(&procs->cts);
    tk_map_release(&procs->by_identity);
    tk_map_release(&procs->last_by_pid);
    free(procs->items);
}

int tk_parse_procs(struct tk_parse *parse, struct tk_err *err)
{
    char source[TK_SOURCE_MAX];
    bool found = tk_parse_find_source(parse, TK_TABLE_PROC_METRICS, source);
    int rc = tk_parse_copy_lines(parse, TK_TABLE_PROC_METRICS, err);
    if (rc < 0)
        return rc;
    TK_CLEANUP(release)
    struct procs procs = {
        .parse = parse, .cpu = TK_OUT_NONE, .rss = TK_OUT_NONE, .cts = TK_OUT_NONE};
    rc = derive(&procs, err);
    if (rc < 0)
        return rc;
    if (procs.no_pid > 0) {
        tk_parse_say(parse, TK_PARSE_WARNING, "%s: %llu rows without pid or time say nothing",
                     source, (unsigned long long)procs.no_pid);
    }
    if (procs.backward > 0) {
        tk_parse_say(parse, TK_PARSE_WARNING,
                     "%s: %llu readings are older than the one before of their process", source,
                     (unsigned long long)procs.backward);
    }
    if (found || parse->exits.count > 0) {
        tk_parse_say(parse, TK_PARSE_PROGRESS,
                     "[parse] copied proc_metrics and derived proc_cpu/proc_rss → %s/cctf",
                     parse->target);
    }
    return 0;
}
