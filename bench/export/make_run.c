/* SPDX-License-Identifier: Apache-2.0 */
/* A run to export: process samples and tasks as `record` writes them, made up from a seed. A tenth
 * of the processes alive are services, which serve one request per 1,000 ticks each, several at
 * once; the others are commands of 1,000 ticks on average, one after the other, and each is a task.
 *
 *     make_run --samples 10000000 --alive 100 --output RUN
 */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/clock.h"
#include "run/schemas.h"
#include "table/table.h"

#define T0_MS       1758000000000
#define TICK_MS     1000
#define TASK_TICKS  1000           /* on average */
#define JITTER      ((int64_t)300) /* ticks that a command begins earlier or later */
#define BATCH_ROWS  256
#define FLUSH_BYTES ((size_t)1 << 20)
#define BUF_MAX     ((size_t)16 << 20)

struct opts {
    int64_t samples;
    int64_t alive;
    int64_t seed;
    const char *output;
};

static const struct tk_opt options[] = {
    {"samples", TK_OPT_INT, offsetof(struct opts, samples), "N", "rows of proc_metrics (10000)",
     .min = 10000, .max = 1000000000},
    {"alive", TK_OPT_INT, offsetof(struct opts, alive), "N", "processes at each tick (10)",
     .min = 10, .max = 100000},
    {"seed", TK_OPT_INT, offsetof(struct opts, seed), "N", "of all that is made up (1)", .min = 0,
     .max = INT64_MAX},
    {"output", TK_OPT_STRING, offsetof(struct opts, output), "DIR", "the run folder, made here"},
    {0},
};

/* What is written, and how far it is. */
struct maker {
    struct opts opts;
    int64_t ticks;
    struct tk_batch *samples;
    struct tk_batch *tasks;
    struct tk_buf text;
};

/* What a process has used since its birth; one for each that is alive. */
struct process {
    int64_t number; /* of those that had this place */
    int64_t first_tick;
    int64_t last_tick;
    int64_t cpu_ns;
    int64_t rss_kb;
};

/* A number that follows from the seed, `a` and `b`. */
static uint64_t noise(const struct maker *maker, uint64_t a, uint64_t b)
{
    return tk_bench_noise((uint64_t)maker->opts.seed + a * 0x10001 + b + 1);
}

static bool is_service(const struct maker *maker, int64_t place)
{
    return place < maker->opts.alive / 10;
}

static int64_t pid_of(const struct maker *maker, int64_t place, int64_t number)
{
    return 1000 + number * maker->opts.alive + place;
}

static int64_t start_ticks_of(int64_t first_tick)
{
    return 500000 + first_tick * TICK_MS / 10;
}

/* The tick at which the command of this number begins in its place. */
static int64_t first_tick_of(const struct maker *maker, int64_t place, int64_t number)
{
    int64_t tick = number * TASK_TICKS;
    if (number == 0 || tick >= maker->ticks)
        return number == 0 ? 0 : maker->ticks;
    uint64_t jitter = noise(maker, (uint64_t)place, (uint64_t)number) % (uint64_t)(2 * JITTER);
    return tick + (int64_t)jitter - JITTER;
}

/* Files ------------------------------------------------------------------------------------ */

static int open_file(const struct maker *maker, const char *name, FILE **ret_file,
                     struct tk_err *err)
{
    char path[4096];
    (void)snprintf(path, sizeof(path), "%s/%s", maker->opts.output, name);
    *ret_file = fopen(path, "we");
    return *ret_file ? 0 : tk_fail_errno(err, "%s", path);
}

/* Append the rows of the batch and forget them. */
static int write_rows(struct maker *maker, struct tk_batch *batch, FILE *file, struct tk_err *err)
{
    tk_encoder_jsonl.batch(batch, &maker->text);
    tk_batch_reset(batch);
    int rc = tk_buf_check(&maker->text, maker->opts.output, err);
    if (rc == 0 && fwrite(maker->text.p, 1, maker->text.n, file) != maker->text.n)
        rc = tk_fail_errno(err, "%s", maker->opts.output);
    tk_buf_reset(&maker->text);
    return rc;
}

static int close_file(FILE *file, int rc, struct tk_err *err)
{
    return fclose(file) == 0 || rc < 0 ? rc : tk_fail_errno(err, "close");
}

static int write_meta(const struct maker *maker, struct tk_err *err)
{
    FILE *file;
    int rc = open_file(maker, "node_meta.json", &file, err);
    if (rc < 0)
        return rc;
    (void)fprintf(file,
                  "{\"run_id\":\"bench\",\"node\":\"node-07\",\"stage\":\"cloud\",\"host\":"
                  "\"worker-07\",\"cpu_cores\":%lld,\"mem_mb\":262144,\"cpu_freq_mhz\":2400}\n",
                  (long long)maker->opts.alive * 2);
    return close_file(file, 0, err);
}

/* Tasks ------------------------------------------------------------------------------------ */

static void add_task(struct maker *maker, int64_t place, int64_t number, int64_t from, int64_t to)
{
    char id[64];
    struct tk_batch *batch = maker->tasks;
    bool service = is_service(maker, place);
    int64_t process = service ? 0 : number;
    int64_t start_ms = T0_MS + from * TICK_MS + (int64_t)(noise(maker, 7, (uint64_t)from) % 900);
    tk_batch_begin(batch);
    (void)snprintf(id, sizeof(id), "t%lld-%lld", (long long)place, (long long)number);
    tk_batch_set_text(batch, TK_INVOCATIONS_TRACE_ID, tk_str_from(id));
    tk_batch_set_text(batch, TK_INVOCATIONS_SPAN_ID, tk_str_from(id));
    tk_batch_set_text(batch, TK_INVOCATIONS_MODULE_ID, service ? TK_STR("api") : TK_STR("encode"));
    tk_batch_set_text(batch, TK_INVOCATIONS_METHOD, service ? TK_STR("GET") : TK_STR("CLI"));
    tk_batch_set_text(batch, TK_INVOCATIONS_PATH, service ? TK_STR("/item") : TK_STR("encode"));
    tk_batch_set_text(batch, TK_INVOCATIONS_NODE, TK_STR("node-07"));
    tk_batch_set_text(batch, TK_INVOCATIONS_HOST, TK_STR("worker-07"));
    tk_batch_set_i64(batch, TK_INVOCATIONS_TS_ENQUEUE, start_ms - 40);
    tk_batch_set_i64(batch, TK_INVOCATIONS_TS_START, start_ms);
    tk_batch_set_i64(batch, TK_INVOCATIONS_TS_END, T0_MS + to * TICK_MS - 3);
    tk_batch_set_i64(batch, TK_INVOCATIONS_PID, pid_of(maker, place, process));
    tk_batch_set_i64(batch, TK_INVOCATIONS_STATUS, service ? 200 : 0);
    tk_batch_set_i64(batch, TK_INVOCATIONS_BYTES_IN, 20000);
    tk_batch_set_i64(batch, TK_INVOCATIONS_BYTES_OUT, 4000);
}

/* Requests last 200 to 3,000 ticks, so that some overlap; commands until the next one begins. */
static void add_task_of(struct maker *maker, int64_t place, int64_t number)
{
    int64_t from = first_tick_of(maker, place, number);
    int64_t to = first_tick_of(maker, place, number + 1);
    if (is_service(maker, place)) {
        to = from + 200 + (int64_t)(noise(maker, (uint64_t)place, (uint64_t)from) % 2800);
        to = to < maker->ticks ? to : maker->ticks;
    }
    add_task(maker, place, number, from, to);
}

static int write_tasks(struct maker *maker, struct tk_err *err)
{
    FILE *file;
    int rc = open_file(maker, "invocations.jsonl", &file, err);
    if (rc < 0)
        return rc;
    for (int64_t number = 0; rc == 0 && number * TASK_TICKS < maker->ticks; number++) {
        for (int64_t place = 0; rc == 0 && place < maker->opts.alive; place++) {
            add_task_of(maker, place, number);
            if (maker->tasks->rows == BATCH_ROWS)
                rc = write_rows(maker, maker->tasks, file, err);
        }
    }
    rc = rc < 0 ? rc : write_rows(maker, maker->tasks, file, err);
    return close_file(file, rc, err);
}

/* Samples ---------------------------------------------------------------------------------- */

/* The process of a place ends, and the next one takes it. */
static void begin_process(const struct maker *maker, struct process *process, int64_t place)
{
    int64_t number = process->last_tick == 0 ? 0 : process->number + 1;
    *process = (struct process){
        .number = number,
        .first_tick = first_tick_of(maker, place, number),
        .last_tick =
            is_service(maker, place) ? maker->ticks : first_tick_of(maker, place, number + 1),
        .rss_kb = 4096 + (int64_t)(noise(maker, (uint64_t)place, (uint64_t)number + 5) % 900000),
    };
}

/* Phases of 16 ticks at a share of two cores, every fifth of them idle, to the tick of 10 ms. */
static void live(const struct maker *maker, struct process *process, int64_t place, int64_t tick)
{
    uint64_t phase = noise(maker, (uint64_t)place + 1000, (uint64_t)(tick / 16));
    if (phase % 5 == 0)
        return;
    uint64_t centis = phase / 5 % 195 + noise(maker, (uint64_t)place, (uint64_t)tick) % 6;
    process->cpu_ns += (int64_t)centis * 10 * TK_NS_PER_MS;
    process->rss_kb += (int64_t)(phase % 9) * 4;
}

static void add_sample(struct maker *maker, const struct process *process, int64_t place,
                       int64_t tick)
{
    struct tk_batch *batch = maker->samples;
    int64_t ms = T0_MS + (tick + 1) * TICK_MS;
    int64_t ticks = process->cpu_ns / TK_NS_PER_MS / 10;
    bool service = is_service(maker, place);
    tk_batch_begin(batch);
    tk_batch_set_i64(batch, TK_PROC_METRICS_TS_MS, ms);
    tk_batch_set_i64(batch, TK_PROC_METRICS_PID, pid_of(maker, place, process->number));
    tk_batch_set_i64(batch, TK_PROC_METRICS_UTIME, ticks - ticks / 8);
    tk_batch_set_i64(batch, TK_PROC_METRICS_STIME, ticks / 8);
    tk_batch_set_i64(batch, TK_PROC_METRICS_RSS_KB, process->rss_kb);
    tk_batch_set_i64(batch, TK_PROC_METRICS_THREADS, 1 + place % 12);
    tk_batch_set_i64(batch, TK_PROC_METRICS_TS_US, ms * 1000 + 417);
    tk_batch_set_text(batch, TK_PROC_METRICS_NODE, TK_STR("node-07"));
    tk_batch_set_text(batch, TK_PROC_METRICS_HOST, TK_STR("worker-07"));
    tk_batch_set_i64(batch, TK_PROC_METRICS_START_TICKS, start_ticks_of(process->first_tick));
    tk_batch_set_i64(batch, TK_PROC_METRICS_PPID, 1);
    tk_batch_set_text(batch, TK_PROC_METRICS_COMM, service ? TK_STR("api") : TK_STR("encode"));
    tk_batch_set_text(batch, TK_PROC_METRICS_STATE, ticks % 3 ? TK_STR("R") : TK_STR("S"));
    tk_batch_set_i64(batch, TK_PROC_METRICS_UID, 1000);
    tk_batch_set_text(batch, TK_PROC_METRICS_CGROUP, TK_STR("/system.slice/work.service"));
    tk_batch_set_i64(batch, TK_PROC_METRICS_CPU_NS, process->cpu_ns);
    tk_batch_set_i64(batch, TK_PROC_METRICS_RD_BYTES, ticks * 4096);
    tk_batch_set_i64(batch, TK_PROC_METRICS_WR_BYTES, ticks * 1024);
    tk_batch_set_i64(batch, TK_PROC_METRICS_MINFLT, ticks * 11);
    tk_batch_set_i64(batch, TK_PROC_METRICS_NVCSW, ticks * 5);
}

static int write_tick(struct maker *maker, struct process *alive, int64_t tick, FILE *file,
                      struct tk_err *err)
{
    int rc = 0;
    for (int64_t place = 0; rc == 0 && place < maker->opts.alive; place++) {
        if (tick == alive[place].last_tick)
            begin_process(maker, &alive[place], place);
        live(maker, &alive[place], place, tick);
        add_sample(maker, &alive[place], place, tick);
        if (maker->samples->rows == BATCH_ROWS)
            rc = write_rows(maker, maker->samples, file, err);
    }
    return rc;
}

static int write_samples(struct maker *maker, struct tk_err *err)
{
    FILE *file;
    struct process *alive = calloc((size_t)maker->opts.alive, sizeof(*alive));
    if (!alive)
        return tk_fail(err, -ENOMEM, "out of memory");
    int rc = open_file(maker, "proc_metrics.jsonl", &file, err);
    if (rc == 0) {
        for (int64_t tick = 0; rc == 0 && tick < maker->ticks; tick++)
            rc = write_tick(maker, alive, tick, file, err);
        rc = rc < 0 ? rc : write_rows(maker, maker->samples, file, err);
        rc = close_file(file, rc, err);
    }
    free(alive);
    return rc;
}

static int make(struct maker *maker, struct tk_err *err)
{
    int rc = tk_batch_new(&tk_schema_proc_metrics, BATCH_ROWS, FLUSH_BYTES, &maker->samples, err);
    if (rc == 0)
        rc = tk_batch_new(&tk_schema_invocations, BATCH_ROWS, FLUSH_BYTES, &maker->tasks, err);
    if (rc == 0 && mkdir(maker->opts.output, 0777) < 0)
        rc = tk_fail_errno(err, "%s", maker->opts.output);
    rc = rc < 0 ? rc : write_meta(maker, err);
    rc = rc < 0 ? rc : write_tasks(maker, err);
    return rc < 0 ? rc : write_samples(maker, err);
}

int main(int argc, char **argv)
{
    struct maker maker = {.opts = {.samples = 10000, .alive = 10, .seed = 1}};
    struct tk_err err;
    int status;
    if (!tk_bench_parse("make_run", options, &maker.opts, argc, argv, &status))
        return status;
    if (!maker.opts.output) {
        (void)tk_fail(&err, -EINVAL, "expected --output DIR");
        return tk_bench_fail("make_run", &err);
    }
    maker.ticks = maker.opts.samples / maker.opts.alive;
    tk_buf_init(&maker.text, BUF_MAX);
    int rc = make(&maker, &err);
    tk_batch_free(maker.samples);
    tk_batch_free(maker.tasks);
    tk_buf_release(&maker.text);
    return rc < 0 ? tk_bench_fail("make_run", &err) : 0;
}
