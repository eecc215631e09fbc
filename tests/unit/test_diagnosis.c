/* SPDX-License-Identifier: Apache-2.0 */
/* Each rule of build-telemetry.md section 15 on figures that fire it and on figures that just do
 * not, written as members of a step. */
#include "step/diagnosis.h"

#include <errno.h>
#include <stdlib.h>

#include "tk_test.h"

struct fixture {
    struct tk_arena arena;
    struct tk_buf text;
    struct tk_job job;
    struct tk_job past[5];
};

static int setup(void **state)
{
    struct tk_err err;
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    *state = fixture;
    if (!fixture)
        return -ENOMEM;
    tk_buf_init(&fixture->text, TK_JOB_TEXT_MAX);
    return tk_arena_init(&fixture->arena, TK_JOB_ARENA_MAX, &err);
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    tk_buf_release(&fixture->text);
    tk_arena_release(&fixture->arena);
    free(fixture);
    return 0;
}

static void parse(struct fixture *fixture, const char *members, const char *steps,
                  struct tk_job *ret_job)
{
    struct tk_err err = {0};
    tk_buf_reset(&fixture->text);
    tk_buf_printf(&fixture->text,
                  "{\"schema\":\"build-telemetry/2\",\"job\":\"build\",\"system\":{\"cpus\":4,"
                  "\"memory_total_mb\":16384}%s,\"steps\":[%s]}",
                  members, steps);
    tk_str kept = tk_arena_copy(&fixture->arena, tk_buf_str(&fixture->text));
    if (tk_job_parse(kept, &fixture->arena, ret_job, &err) < 0) {
        print_error("%.*s\n%s\n", TK_STR_ARG(kept), err.msg);
        fail();
    }
}

static void diagnose(struct fixture *fixture, const struct tk_diagnosis_options *options)
{
    struct tk_err err = {0};
    assert_int_equal(tk_diagnosis_add(options, &fixture->job, &fixture->arena, &err), 0);
}

static const struct tk_job_finding *finding_of(const struct tk_job_findings *findings,
                                               const char *rule)
{
    for (size_t i = 0; i < findings->count; i++) {
        if (tk_str_eq(findings->items[i].rule, tk_str_from(rule)))
            return &findings->items[i];
    }
    return NULL;
}

/* The finding of a rule that has to fire. */
static const struct tk_job_finding *fired(const struct tk_job_findings *findings, const char *rule)
{
    const struct tk_job_finding *finding = finding_of(findings, rule);
    if (!finding) {
        print_error("%s does not fire\n", rule);
        fail();
        abort(); /* compilers do not know that fail() does not return */
    }
    return finding;
}

/* Judge one step with these members. */
static const struct tk_job_step *judge_step(struct fixture *fixture, const char *members)
{
    char step[1024];
    (void)snprintf(step, sizeof(step), "{\"name\":\"s\",%s}", members);
    parse(fixture, "", step, &fixture->job);
    diagnose(fixture, &(struct tk_diagnosis_options){0});
    return &fixture->job.steps.items[0];
}

/* Three of five samples with traffic: 60 %. */
#define NET_SLOW_SAMPLES "\"samples\":{\"cols\":[\"rx_mbs\"],\"rows\":[[1],[1],[1],[0],[0]]},"

/* The disk did something. */
#define OPS "\"disk_read_ops\":1000,\"disk_write_ops\":1000,"

static const struct {
    const char *rule, *level, *fires, *silent;
} cases[] = {
    {"OOM", "critical", "\"duration_s\":0.5,\"memory\":{\"oom_kills\":1}",
     "\"duration_s\":0.5,\"memory\":{\"oom_kills\":0}"},
    {"OOM", "critical",
     "\"duration_s\":9,\"signal\":9,\"memory\":{\"peak_mb\":96,\"limit_mb\":100}",
     "\"duration_s\":9,\"signal\":9,\"memory\":{\"peak_mb\":94,\"limit_mb\":100}"},
    {"DISK_FULL", "warn",
     "\"duration_s\":9,\"io\":{\"filesystems\":[{\"path\":\"/\",\"total_mb\":120000,"
     "\"free_min_mb\":5000}]}",
     "\"duration_s\":9,\"io\":{\"filesystems\":[{\"path\":\"/\",\"total_mb\":120000,"
     "\"free_min_mb\":13000}]}"},
    {"DISK_FULL", "critical",
     "\"duration_s\":9,\"io\":{\"filesystems\":[{\"path\":\"/\",\"total_mb\":120000,"
     "\"free_min_mb\":3500}]}",
     "\"duration_s\":9"},
    {"DISK_FULL", "warn",
     "\"duration_s\":9,\"io\":{\"filesystems\":[{\"path\":\"/\",\"total_mb\":20000,"
     "\"free_min_mb\":5119}]}",
     "\"duration_s\":9,\"io\":{\"filesystems\":[{\"path\":\"/\",\"total_mb\":20000,"
     "\"free_min_mb\":5120}]}"},
    {"DISK_FULL", "critical",
     "\"duration_s\":9,\"io\":{\"filesystems\":[{\"path\":\"/\",\"total_mb\":4000,"
     "\"free_min_mb\":1023}]}",
     "\"duration_s\":9,\"io\":{\"filesystems\":[{\"path\":\"/\",\"total_mb\":60000,"
     "\"free_min_mb\":6000}]}"},
    {"DISK_FULL", "warn",
     "\"duration_s\":9,\"io\":{\"filesystems\":[{\"path\":\"/\",\"total_mb\":4000,"
     "\"free_min_mb\":1024}]}",
     "\"duration_s\":9,\"io\":{\"filesystems\":[]}"},
    {"MEM_PRESSURE", "warn", "\"duration_s\":100,\"pressure\":{\"memory_full_s\":6}",
     "\"duration_s\":100,\"pressure\":{\"memory_full_s\":4}"},
    {"MEM_PRESSURE", "critical", "\"duration_s\":100,\"pressure\":{\"memory_full_s\":21}",
     "\"duration_s\":100,\"memory\":{\"swap_out_mb\":0}"},
    {"MEM_PRESSURE", "warn", "\"duration_s\":100,\"memory\":{\"swap_out_mb\":1}",
     "\"duration_s\":0.9,\"memory\":{\"swap_out_mb\":1}"},
    {"MEM_HIGH", "warn", "\"duration_s\":9,\"memory\":{\"anon_peak_mb\":8200,\"peak_mb\":8200}",
     "\"duration_s\":9,\"memory\":{\"anon_peak_mb\":100,\"peak_mb\":16000}"},
    {"MEM_HIGH", "warn",
     "\"duration_s\":9,\"memory\":{\"anon_peak_mb\":200,\"shmem_peak_mb\":8200,\"peak_mb\":9000}",
     "\"duration_s\":9,\"memory\":{\"anon_peak_mb\":200,\"file_peak_mb\":8200,\"peak_mb\":9000}"},
    {"MEM_HIGH", "critical", "\"duration_s\":9,\"memory\":{\"peak_mb\":900,\"limit_mb\":1000}",
     "\"duration_s\":9,\"memory\":{\"peak_mb\":840,\"limit_mb\":1000}"},
    {"MEM_HIGH", "warn", "\"duration_s\":9,\"memory_used_mb\":5000,\"memory_delta_mb\":4200",
     "\"duration_s\":9,\"memory_used_mb\":5000,\"memory_delta_mb\":4000"},
    {"CPU_QUOTA", "warn", "\"duration_s\":100,\"cpu\":{\"throttled_s\":6}",
     "\"duration_s\":100,\"cpu\":{\"throttled_s\":4}"},
    {"CPU_QUOTA", "critical", "\"duration_s\":100,\"cpu\":{\"throttled_s\":21}",
     "\"duration_s\":100"},
    {"CPU_STARVED", "warn",
     "\"duration_s\":100,\"cpu\":{\"cores_avg\":1},\"pressure\":{\"cpu_some_s\":50},"
     "\"host\":{\"other_cpu_percent\":60}",
     "\"duration_s\":100,\"cpu\":{\"cores_avg\":1},\"pressure\":{\"cpu_some_s\":50},"
     "\"host\":{\"other_cpu_percent\":20,\"steal_percent\":1}"},
    {"CPU_STARVED", "warn",
     "\"duration_s\":100,\"cpu\":{\"cores_avg\":2.7},\"pressure\":{\"cpu_some_s\":20},"
     "\"host\":{\"other_cpu_percent\":25}",
     "\"duration_s\":100,\"cpu\":{\"cores_avg\":2.8},\"pressure\":{\"cpu_some_s\":20},"
     "\"host\":{\"other_cpu_percent\":25}"},
    {"CPU_STARVED", "warn",
     "\"duration_s\":100,\"cpu\":{\"cores_avg\":1},\"pressure\":{\"cpu_some_s\":20},"
     "\"host\":{\"other_cpu_percent\":1,\"steal_percent\":5}",
     "\"duration_s\":100,\"cpu\":{\"cores_avg\":1},\"pressure\":{\"cpu_some_s\":19},"
     "\"host\":{\"other_cpu_percent\":60,\"steal_percent\":5}"},
    {"CPU_BOUND", "warn", "\"duration_s\":20,\"cpu\":{\"cores_avg\":3.3}",
     "\"duration_s\":20,\"cpu\":{\"cores_avg\":3.1}"},
    {"CPU_BOUND", "critical", "\"duration_s\":61,\"cpu\":{\"cores_avg\":3.95}",
     "\"duration_s\":61,\"cpu\":{\"cores_avg\":3.95},\"host\":{\"other_cpu_percent\":25}"},
    {"CPU_BOUND", "warn",
     "\"duration_s\":60,\"cpu\":{\"cores_avg\":4},\"host\":{\"other_cpu_percent\":19}",
     "\"duration_s\":60,\"cpu\":{\"cores_avg\":4},\"host\":{\"other_cpu_percent\":20}"},
    {"SINGLE_THREAD", "warn", "\"duration_s\":30,\"cpu\":{\"cores_avg\":1}",
     "\"duration_s\":29,\"cpu\":{\"cores_avg\":1}"},
    {"SINGLE_THREAD", "warn", "\"duration_s\":30,\"cpu\":{\"cores_avg\":0.8}",
     "\"duration_s\":30,\"cpu\":{\"cores_avg\":0.79}"},
    {"SINGLE_THREAD", "warn", "\"duration_s\":30,\"cpu\":{\"cores_avg\":1.2}",
     "\"duration_s\":30,\"cpu\":{\"cores_avg\":1.21}"},
    {"SINGLE_THREAD", "warn",
     "\"duration_s\":100,\"cpu\":{\"cores_avg\":1},\"pressure\":{\"io_full_s\":9}",
     "\"duration_s\":100,\"cpu\":{\"cores_avg\":1},\"pressure\":{\"io_full_s\":10}"},
    {"IO_STALL", "warn", OPS "\"duration_s\":100,\"pressure\":{\"io_full_s\":25}",
     OPS "\"duration_s\":100,\"pressure\":{\"io_full_s\":24}"},
    {"IO_STALL", "critical", OPS "\"duration_s\":100,\"pressure\":{\"io_full_s\":50}",
     "\"disk_read_ops\":9,\"disk_write_ops\":9,\"duration_s\":100,\"pressure\":{\"io_full_s\":50}"},
    {"DISK_SATURATED", "warn",
     OPS "\"duration_s\":100,\"disk_util_percent\":81,\"pressure\":{\"io_some_s\":10}",
     OPS "\"duration_s\":100,\"disk_util_percent\":80,\"pressure\":{\"io_some_s\":10}"},
    {"DISK_SATURATED", "critical",
     OPS "\"duration_s\":100,\"disk_util_percent\":99,\"io\":{\"devices\":[{\"rotational\":true}]}",
     OPS "\"duration_s\":100"},
    {"DISK_SATURATED", "info", OPS "\"duration_s\":100,\"disk_util_percent\":99",
     OPS "\"duration_s\":100,\"disk_util_percent\":20"},
    {"DISK_SLOW", "warn", OPS "\"duration_s\":100,\"await_ms\":11",
     OPS "\"duration_s\":100,\"await_ms\":10"},
    {"DISK_SLOW", "critical", OPS "\"duration_s\":100,\"await_ms\":21", "\"duration_s\":100"},
    {"DISK_SLOW", "warn",
     OPS "\"duration_s\":100,\"await_ms\":11,\"pressure\":{\"source\":\"cgroup\",\"io_some_s\":3}",
     OPS "\"duration_s\":100,\"await_ms\":11,\"pressure\":{\"source\":\"cgroup\",\"io_some_s\":1}"},
    {"QUEUE", "critical",
     OPS "\"duration_s\":100,\"await_ms\":6,\"queue_depth\":9,\"pressure\":{\"io_some_s\":1}",
     OPS "\"duration_s\":100,\"await_ms\":6,\"queue_depth\":9,"
         "\"pressure\":{\"source\":\"cgroup\",\"io_some_s\":1}"},
    {"QUEUE", "warn", OPS "\"duration_s\":100,\"await_ms\":6,\"queue_depth\":5",
     OPS "\"duration_s\":100,\"await_ms\":5,\"queue_depth\":5"},
    {"QUEUE", "critical", OPS "\"duration_s\":100,\"await_ms\":6,\"queue_depth\":9",
     OPS "\"duration_s\":100,\"await_ms\":6,\"queue_depth\":4"},
    {"SYNC_BOUND", "warn",
     OPS "\"duration_s\":10,\"pressure\":{\"io_some_s\":2},\"io\":{\"devices\":[{\"flushes\":300,"
         "\"flush_ms\":4000,\"write_mb\":10,\"write_ops\":1000}]}",
     OPS "\"duration_s\":10,\"pressure\":{\"io_some_s\":2},\"io\":{\"devices\":[{\"flushes\":100,"
         "\"flush_ms\":4000,\"write_mb\":10,\"write_ops\":1000}]}"},
    {"SYNC_BOUND", "warn",
     OPS "\"duration_s\":10,\"pressure\":{\"io_some_s\":1},\"io\":{\"devices\":[{\"flushes\":201,"
         "\"write_mb\":62,\"write_ops\":1024}]}",
     OPS "\"duration_s\":10,\"pressure\":{\"io_some_s\":1},\"io\":{\"devices\":[{\"flushes\":200,"
         "\"write_mb\":62,\"write_ops\":1024}]}"},
    {"SYNC_BOUND", "critical",
     OPS "\"duration_s\":10,\"pressure\":{\"io_some_s\":6,\"io_full_s\":5},\"io\":{\"devices\":[{"
         "\"flushes\":201,\"write_mb\":62,\"write_ops\":1024}]}",
     OPS "\"duration_s\":10,\"pressure\":{\"io_some_s\":6,\"io_full_s\":5},\"io\":{\"devices\":[{"
         "\"flushes\":201,\"write_mb\":64,\"write_ops\":1024}]}"},
    {"SYNC_BOUND", "warn",
     OPS "\"duration_s\":100,\"pressure\":{\"io_some_s\":10},\"io\":{\"devices\":[{"
         "\"flushes\":2001,\"write_mb\":62,\"write_ops\":1024}]}",
     OPS "\"duration_s\":100,\"pressure\":{\"io_some_s\":9},\"io\":{\"devices\":[{"
         "\"flushes\":2001,\"write_mb\":62,\"write_ops\":1024}]}"},
    {"WRITE_HEAVY", "info", OPS "\"duration_s\":100,\"disk_write_mb\":1025",
     OPS "\"duration_s\":100,\"disk_write_mb\":1024"},
    {"WRITE_HEAVY", "info", OPS "\"duration_s\":5,\"disk_write_mb\":501",
     OPS "\"duration_s\":5,\"disk_write_mb\":500"},
    {"DOWNLOAD_HEAVY", "warn", "\"duration_s\":100,\"net_rx_mb\":501",
     "\"duration_s\":100,\"net_rx_mb\":500"},
    {"NET_BOUND", "warn", "\"duration_s\":10,\"net_rx_mb\":510,\"cpu\":{\"cores_avg\":0.2}",
     "\"duration_s\":10,\"net_rx_mb\":510,\"cpu\":{\"cores_avg\":0.6}"},
    {"NET_BOUND", "warn",
     "\"duration_s\":10,\"net_rx_mb\":90,\"net\":{\"link_mbps\":100},\"cpu\":{\"cores_avg\":0.2}",
     "\"duration_s\":10,\"net_rx_mb\":80,\"net\":{\"link_mbps\":100},\"cpu\":{\"cores_avg\":0.2}"},
    {"NET_BOUND", "warn", "\"duration_s\":10,\"net_rx_mb\":500,\"cpu\":{\"cores_avg\":0.4}",
     "\"duration_s\":10,\"net_rx_mb\":499,\"cpu\":{\"cores_avg\":0.4}"},
    {"NET_SLOW", "warn",
     NET_SLOW_SAMPLES "\"duration_s\":10,\"net_rx_mb\":249,\"cpu\":{\"cores_avg\":0.1}",
     NET_SLOW_SAMPLES "\"duration_s\":10,\"net_rx_mb\":250,\"cpu\":{\"cores_avg\":0.1}"},
    {"NET_SLOW", "warn",
     NET_SLOW_SAMPLES "\"duration_s\":10,\"net_rx_mb\":24,\"cpu\":{\"cores_avg\":0.29}",
     NET_SLOW_SAMPLES "\"duration_s\":10,\"net_rx_mb\":24,\"cpu\":{\"cores_avg\":0.3}"},
    {"NET_SLOW", "warn",
     NET_SLOW_SAMPLES "\"duration_s\":100,\"cpu\":{\"cores_avg\":0.1},\"net_rx_mb\":240,"
                      "\"pressure\":{\"io_full_s\":9}",
     NET_SLOW_SAMPLES "\"duration_s\":100,\"cpu\":{\"cores_avg\":0.1},\"net_rx_mb\":240,"
                      "\"pressure\":{\"io_full_s\":10}"},
    {"NET_SLOW", "warn",
     "\"duration_s\":10,\"net_rx_mb\":5,\"cpu\":{\"cores_avg\":0.1},\"samples\":{\"cols\":"
     "[\"cores\",\"rx_mbs\"],\"rows\":[[0,0.5],[0,0.5],[0,0]]}",
     "\"duration_s\":10,\"net_rx_mb\":5,\"cpu\":{\"cores_avg\":0.1},\"samples\":{\"cols\":"
     "[\"cores\",\"rx_mbs\"],\"rows\":[[0,0.5],[0,0],[0,0]]}"},
    {"RETRANS", "warn", "\"duration_s\":10,\"net\":{\"tcp_retrans\":21,\"tcp_segments\":1000}",
     "\"duration_s\":10,\"net\":{\"tcp_retrans\":20,\"tcp_segments\":1000}"},
    {"IDLE_WAIT", "warn", "\"duration_s\":10,\"cpu\":{\"cores_avg\":0.05}",
     "\"duration_s\":10,\"cpu\":{\"cores_avg\":0.05},\"net_rx_mb\":2"},
    {"IDLE_WAIT", "warn", "\"duration_s\":60,\"wall\":{\"active_s\":1,\"idle_s\":59}",
     "\"duration_s\":9,\"wall\":{\"active_s\":0.1,\"idle_s\":9}"},
    {"IDLE_WAIT", "warn",
     "\"duration_s\":100,\"wall\":{\"active_s\":9.9},\"pressure\":{\"io_some_s\":4.9}",
     "\"duration_s\":100,\"wall\":{\"active_s\":10},\"pressure\":{\"io_some_s\":4.9}"},
    {"IDLE_WAIT", "warn", "\"duration_s\":100,\"wall\":{\"active_s\":1},\"net_rx_mb\":9.9",
     "\"duration_s\":100,\"wall\":{\"active_s\":1},\"pressure\":{\"io_some_s\":5}"},
    {"IDLE_WAIT", "warn", "\"duration_s\":100,\"wall\":{\"active_s\":1},\"net_rx_mb\":9.9",
     "\"duration_s\":100,\"wall\":{\"active_s\":1},\"net_rx_mb\":10"},
    {"DAEMON_WORK", "warn",
     "\"duration_s\":10,\"cpu\":{\"cores_avg\":0.1},\"host\":{\"cpu_busy_percent\":30}",
     "\"duration_s\":10,\"cpu\":{\"cores_avg\":0.1},\"host\":{\"cpu_busy_percent\":29}"},
    {"DAEMON_WORK", "warn",
     "\"duration_s\":10,\"cpu\":{\"cores_avg\":0.1},\"host\":{\"cpu_busy_percent\":50}",
     "\"duration_s\":10,\"cpu\":{\"cores_avg\":0.7},\"host\":{\"cpu_busy_percent\":50}"},
    {"DAEMON_WORK", "warn",
     "\"duration_s\":10,\"cpu\":{\"cores_avg\":0.1},\"host\":{\"cpu_busy_percent\":100},"
     "\"pressure\":{\"cpu_some_s\":9},\"via\":[{\"unit\":\"docker.service\",\"cpu_s\":4}]",
     "\"duration_s\":10,\"cpu\":{\"cores_avg\":0.1},\"host\":{\"cpu_busy_percent\":100},"
     "\"pressure\":{\"cpu_some_s\":9},\"via\":[{\"unit\":\"docker.service\",\"cpu_s\":1}]"},
    {"DAEMON_WORK", "warn",
     "\"duration_s\":10,\"cpu\":{\"cores_avg\":0.04},\"via\":[{\"unit\":\"docker.service\",\"cpu_"
     "s\":1}]",
     "\"duration_s\":10,\"cpu\":{\"cores_avg\":0.04},\"via\":[{\"unit\":\"docker.service\",\"cpu_"
     "s\":0.9}]"},
    {"CACHE_THRASH", "warn", "\"duration_s\":10,\"memory\":{\"refault_mb\":1025}",
     "\"duration_s\":10,\"memory\":{\"refault_mb\":1024,\"major_faults\":9999}"},
    {"CACHE_THRASH", "warn", "\"duration_s\":10,\"memory\":{\"major_faults\":10001}",
     "\"duration_s\":10"},
    {"FORK_STORM", "warn",
     "\"duration_s\":10,\"cpu\":{\"processes\":2001,\"system_s\":5,\"total_s\":9}",
     "\"duration_s\":10,\"cpu\":{\"processes\":2001,\"system_s\":3,\"total_s\":9}"},
    {"FORK_STORM", "warn",
     "\"duration_s\":10,\"cpu\":{\"processes\":2001,\"system_s\":4.1,\"total_s\":10}",
     "\"duration_s\":10,\"cpu\":{\"processes\":2000,\"system_s\":5,\"total_s\":10}"},
    {"FORK_STORM", "warn",
     "\"duration_s\":10,\"cpu\":{\"processes\":2001,\"system_s\":5,\"total_s\":10}",
     "\"duration_s\":10,\"cpu\":{\"processes\":2001,\"system_s\":4,\"total_s\":10}"},
    {"LONG", "warn", "\"duration_s\":61", "\"duration_s\":60"},
    {"LONG", "warn", "\"duration_s\":300", "\"duration_s\":60"},
    {"LONG", "critical", "\"duration_s\":301", "\"duration_s\":301,\"parent\":\"s1\""},
};

static void each_rule_fires_on_its_figures_and_only_on_them(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        const struct tk_job_step *step = judge_step(fixture, cases[i].fires);
        const struct tk_job_finding *finding = fired(&step->diagnosis, cases[i].rule);
        assert_str_equal(finding->level, cases[i].level);
        assert_true(finding->text.n > 0);
        assert_true(finding->evidence.count > 0);
        assert_true(isnan(finding->saves_s) || finding->saves_s <= step->duration_s);
        step = judge_step(fixture, cases[i].silent);
        if (finding_of(&step->diagnosis, cases[i].rule)) {
            print_error("%s fires on %s\n", cases[i].rule, cases[i].silent);
            fail();
        }
    }
}

static void a_step_of_which_nothing_is_known_has_no_findings(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(judge_step(fixture, "\"duration_s\":59")->diagnosis.count, 0);
}

/* Figures as tracekit exec takes them on 2 cores, build-telemetry.md section 19. */
static const struct {
    const char *workload, *verdict, *members;
} workloads[] = {
    {"busy 1 core", "SINGLE_THREAD",
     "\"duration_s\":40,\"cpu\":{\"cores_avg\":1,\"total_s\":40,\"system_s\":0.1,\"processes\":1},"
     "\"pressure\":{\"cpu_some_s\":0.4,\"io_full_s\":0},\"host\":{\"cpu_busy_percent\":26,"
     "\"other_cpu_percent\":1},\"net_rx_mb\":0"},
    {"busy N", "CPU_BOUND",
     "\"duration_s\":40,\"cpu\":{\"cores_avg\":3.96,\"total_s\":158,\"system_s\":1,\"processes\":5}"
     ","
     "\"pressure\":{\"cpu_some_s\":2,\"io_full_s\":0},\"host\":{\"cpu_busy_percent\":99.8,"
     "\"other_cpu_percent\":0.8},\"net_rx_mb\":0"},
    {"sleep", "IDLE_WAIT",
     "\"duration_s\":30,\"cpu\":{\"cores_avg\":0.0001,\"total_s\":0.002,\"processes\":1},"
     "\"pressure\":{\"cpu_some_s\":0,\"io_some_s\":0,\"io_full_s\":0},"
     "\"host\":{\"cpu_busy_percent\":2,\"other_cpu_percent\":2},\"net_rx_mb\":0.01"},
    {"dd sync", "IO_STALL",
     "\"duration_s\":30,\"disk_write_ops\":4000,\"disk_read_ops\":0,\"disk_write_mb\":2000,"
     "\"await_ms\":7,\"queue_depth\":1,\"disk_util_percent\":97,"
     "\"cpu\":{\"cores_avg\":0.12,\"total_s\":3.6,\"system_s\":3,\"processes\":1},"
     "\"pressure\":{\"cpu_some_s\":0.1,\"io_some_s\":27,\"io_full_s\":26},\"io\":{\"write_mb\":"
     "2000,"
     "\"devices\":[{\"flushes\":200,\"flush_ms\":900,\"write_mb\":2000,\"write_ops\":4000}]},"
     "\"host\":{\"cpu_busy_percent\":6}"},
    {"build of an image", "IO_STALL",
     "\"duration_s\":1361,\"disk_write_ops\":610000,\"disk_read_ops\":120000,\"await_ms\":14.2,"
     "\"queue_depth\":6.1,\"cpu\":{\"cores_avg\":1,\"total_s\":1361},"
     "\"pressure\":{\"cpu_some_s\":31,\"io_some_s\":700,\"io_full_s\":560}"},
    {"dd buffered", "WRITE_HEAVY",
     "\"duration_s\":12,\"disk_write_ops\":1800,\"disk_read_ops\":9,\"disk_write_mb\":1900,"
     "\"await_ms\":4,\"queue_depth\":3,\"disk_util_percent\":60,"
     "\"cpu\":{\"cores_avg\":0.4,\"total_s\":4.8,\"system_s\":4.7,\"processes\":1},"
     "\"pressure\":{\"cpu_some_s\":0.1,\"io_some_s\":2.4,\"io_full_s\":2.2},"
     "\"io\":{\"write_mb\":2048},\"host\":{\"cpu_busy_percent\":20}"},
    {"fsync loop", "SYNC_BOUND",
     "\"duration_s\":30,\"disk_write_ops\":24000,\"disk_read_ops\":0,\"disk_write_mb\":120,"
     "\"await_ms\":0.9,\"queue_depth\":0.8,\"disk_util_percent\":88,"
     "\"cpu\":{\"cores_avg\":0.2,\"total_s\":6,\"system_s\":5,\"processes\":1},"
     "\"pressure\":{\"cpu_some_s\":0.1,\"io_some_s\":22,\"io_full_s\":21.5},\"io\":{\"devices\":"
     "[{\"flushes\":9000,\"flush_ms\":14000,\"write_mb\":120,\"write_ops\":24000}]},"
     "\"host\":{\"cpu_busy_percent\":11}"},
    {"slow download", "NET_SLOW",
     "\"duration_s\":30,\"net_rx_mb\":30,\"cpu\":{\"cores_avg\":0.02,\"total_s\":0.6},"
     "\"pressure\":{\"io_some_s\":0.1,\"io_full_s\":0},\"host\":{\"cpu_busy_percent\":3},"
     "\"samples\":{\"cols\":[\"rx_mbs\"],\"rows\":[[1],[1],[1],[1]]}"},
    {"fast download", "NET_BOUND",
     "\"duration_s\":4,\"net_rx_mb\":440,\"cpu\":{\"cores_avg\":0.4,\"total_s\":1.6},"
     "\"net\":{\"link_mbps\":1000},\"host\":{\"cpu_busy_percent\":22},"
     "\"samples\":{\"cols\":[\"rx_mbs\"],\"rows\":[[110],[110],[112],[110]]}"},
    {"memory balloon", "MEM_HIGH",
     "\"duration_s\":12,\"memory\":{\"anon_peak_mb\":14500,\"peak_mb\":14510},"
     "\"cpu\":{\"cores_avg\":0.9,\"total_s\":11,\"system_s\":6,\"processes\":1},"
     "\"pressure\":{\"memory_full_s\":0.1,\"io_full_s\":0},\"host\":{\"cpu_busy_percent\":24}"},
    {"fork storm", "FORK_STORM",
     "\"duration_s\":20,\"cpu\":{\"cores_avg\":1.1,\"total_s\":22,\"system_s\":15,"
     "\"processes\":16000},\"pressure\":{\"cpu_some_s\":3,\"io_full_s\":0},"
     "\"host\":{\"cpu_busy_percent\":31,\"other_cpu_percent\":3}"},
    {"neighbour load", "CPU_STARVED",
     "\"duration_s\":40,\"cpu\":{\"cores_avg\":1,\"total_s\":40,\"system_s\":0.1,\"processes\":1},"
     "\"pressure\":{\"cpu_some_s\":30,\"io_full_s\":0},\"host\":{\"cpu_busy_percent\":100,"
     "\"other_cpu_percent\":75}"},
    {"daemon work", "DAEMON_WORK",
     "\"duration_s\":20,\"cpu\":{\"cores_avg\":0.01,\"total_s\":0.2,\"processes\":2},"
     "\"pressure\":{\"cpu_some_s\":0,\"io_some_s\":0.1,\"io_full_s\":0},\"net_rx_mb\":0.1,"
     "\"host\":{\"cpu_busy_percent\":50,\"other_cpu_percent\":49}"},
};

static void workloads_are_told_apart(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < TK_COUNTOF(workloads); i++) {
        const struct tk_job_step *step = judge_step(fixture, workloads[i].members);
        const struct tk_job_finding *verdict = tk_diagnosis_verdict(&step->diagnosis);
        tk_str rule = verdict ? verdict->rule : TK_STR("nothing");
        if (!tk_str_eq(rule, tk_str_from(workloads[i].verdict))) {
            print_error("%s is %.*s\n", workloads[i].workload, TK_STR_ARG(rule));
            fail();
        }
    }
}

static void who_was_busy_before_the_job_does_not_work_for_it(void **state)
{
    struct fixture *fixture = *state;
    const char *sleeps = "{\"name\":\"wait\",\"duration_s\":20,\"cpu\":{\"cores_avg\":0.01},"
                         "\"host\":{\"cpu_busy_percent\":100}}";
    parse(fixture, ",\"system\":{\"cpus\":4,\"load1_start\":9}", sleeps, &fixture->job);
    diagnose(fixture, &(struct tk_diagnosis_options){0});
    assert_null(finding_of(&fixture->job.steps.items[0].diagnosis, "DAEMON_WORK"));
    (void)fired(&fixture->job.steps.items[0].diagnosis, "IDLE_WAIT");
    parse(fixture, ",\"system\":{\"cpus\":4,\"load1_start\":1}", sleeps, &fixture->job);
    diagnose(fixture, &(struct tk_diagnosis_options){0});
    (void)fired(&fixture->job.steps.items[0].diagnosis, "DAEMON_WORK");
}

static void a_healthy_build_has_no_critical_finding(void **state)
{
    struct fixture *fixture = *state;
    const struct tk_job_step *step = judge_step(
        fixture,
        OPS "\"duration_s\":200,\"cpu\":{\"cores_avg\":2.9,\"total_s\":580,\"system_s\":60,"
            "\"processes\":9000},\"memory\":{\"anon_peak_mb\":3000,\"peak_mb\":7000},"
            "\"pressure\":{\"cpu_some_s\":30,\"io_some_s\":4,\"io_full_s\":2,\"memory_full_s\":0},"
            "\"await_ms\":1.2,\"queue_depth\":0.4,\"disk_util_percent\":18,\"net_rx_mb\":40,"
            "\"host\":{\"cpu_busy_percent\":74,\"other_cpu_percent\":1}");
    for (size_t i = 0; i < step->diagnosis.count; i++)
        assert_int_not_equal(tk_level_find(step->diagnosis.items[i].level), TK_LEVEL_CRITICAL);
}

static void the_machines_figures_are_called_so(void **state)
{
    struct fixture *fixture = *state;
    const struct tk_job_step *step =
        judge_step(fixture, "\"duration_s\":20,\"cpu_percent\":90,\"scope\":\"host\"");
    assert_str_equal(step->diagnosis.items[0].text,
                     "CPU-bound: 3.6 of 4 cores busy throughout (machine's figures)");
}

static void advice_names_what_to_do_about_the_busiest_process(void **state)
{
    struct fixture *fixture = *state;
    const struct tk_job_step *step = judge_step(
        fixture,
        "\"duration_s\":60,\"cpu\":{\"cores_avg\":1},\"top\":[{\"comm\":\"sh\",\"cpu_s\":1},"
        "{\"comm\":\"xz\",\"cpu_s\":59}]");
    assert_str_equal(step->diagnosis.items[0].text, "one core of 4 works, mostly in xz");
    assert_str_equal(step->diagnosis.items[0].advice,
                     "xz: xz -T0, or zstd; or run it in parallel, or beside another step");
}

static void a_full_disk_tells_what_is_missing(void **state)
{
    struct fixture *fixture = *state;
    const struct tk_job_step *step = judge_step(
        fixture,
        "\"duration_s\":9,\"cpu\":{\"cores_avg\":0.1},\"io\":{\"filesystems\":[{\"path\":\"/"
        "\",\"total_mb\":102400,"
        "\"free_start_mb\":4096,\"free_min_mb\":0}]},\"top\":[{\"comm\":\"dd\",\"cpu_s\":1,"
        "\"write_mb\":4000}]");
    assert_str_equal(fired(&step->diagnosis, "DISK_FULL")->text,
                     "0.0 GB left on /, the step took 4.0 GB, most written by dd; it needs 10.0 GB "
                     "more");
}

static void one_core_of_one_is_the_whole_machine(void **state)
{
    struct fixture *fixture = *state;
    parse(fixture, "", "{\"name\":\"s\",\"duration_s\":60,\"cpu\":{\"cores_avg\":1}}",
          &fixture->job);
    fixture->job.system.cpus = 1;
    diagnose(fixture, &(struct tk_diagnosis_options){0});
    const struct tk_job_findings *findings = &fixture->job.steps.items[0].diagnosis;
    assert_null(finding_of(findings, "SINGLE_THREAD"));
    assert_non_null(finding_of(findings, "CPU_BOUND"));
}

static void the_job_is_judged_as_a_whole(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *rule, *members, *steps;
        bool fires;
    } jobs[] = {
        {"UNTRACKED", ",\"job_duration_s\":100,\"totals\":{\"untracked_s\":16}", "{\"name\":\"a\"}",
         true},
        {"UNTRACKED", ",\"job_duration_s\":100,\"totals\":{\"untracked_s\":15}", "{\"name\":\"a\"}",
         false},
        {"OVERLAP", ",\"job_duration_s\":200",
         "{\"name\":\"get\",\"start_time\":0,\"end_time\":100,\"duration_s\":100,\"net_rx_mb\":"
         "5000,"
         "\"cpu\":{\"cores_avg\":0.1}},{\"name\":\"build\",\"start_time\":101,\"end_time\":200,"
         "\"duration_s\":99,\"cpu\":{\"cores_avg\":3}}",
         true},
        {"OVERLAP", ",\"job_duration_s\":200",
         "{\"name\":\"get\",\"start_time\":0,\"end_time\":100,\"duration_s\":100,\"net_rx_mb\":50,"
         "\"cpu\":{\"cores_avg\":0.1}},{\"name\":\"build\",\"start_time\":101,\"end_time\":200,"
         "\"duration_s\":99,\"cpu\":{\"cores_avg\":3}}",
         false},
    };
    for (size_t i = 0; i < TK_COUNTOF(jobs); i++) {
        parse(fixture, jobs[i].members, jobs[i].steps, &fixture->job);
        diagnose(fixture, &(struct tk_diagnosis_options){0});
        assert_int_equal(!!finding_of(&fixture->job.diagnosis, jobs[i].rule), jobs[i].fires);
    }
}

static void time_of_no_step_is_told_by_its_neighbours(void **state)
{
    struct fixture *fixture = *state;
    static const char job[] =
        ",\"job_start\":1000,\"job_duration_s\":100,\"totals\":{\"untracked_s\":40}";
#define STEP(name, start, end)                                                                     \
    "{\"name\":\"" name "\",\"start_time\":" #start ",\"end_time\":" #end "}"
    static const struct {
        const char *steps, *text;
    } cases_of_gaps[] = {
        {STEP("a", 1000, 1040) "," STEP("b", 1070, 1090),
         "40 s of the job (40 %) belong to no step, 30 s of them between 'a' and 'b'"},
        /* What runs beside and within others; begun side by side, written the other way round. */
        {STEP("a", 1000, 1060) "," STEP("b", 1010, 1020) "," STEP("c", 1009.9, 1030),
         "40 s of the job (40 %) belong to no step, 40 s of them after 'a'"},
        {STEP("a", 1035, 1095),
         "40 s of the job (40 %) belong to no step, 35 s of them before 'a'"},
        /* Some tool timed the second one. */
        {STEP("b", 1070, 1090) "," STEP("a", 1000, 1040),
         "40 s of the job (40 %) belong to no step"},
        {"{\"name\":\"a\"}", "40 s of the job (40 %) belong to no step"},
    };
#undef STEP
    for (size_t i = 0; i < TK_COUNTOF(cases_of_gaps); i++) {
        parse(fixture, job, cases_of_gaps[i].steps, &fixture->job);
        diagnose(fixture, &(struct tk_diagnosis_options){0});
        assert_str_equal(fired(&fixture->job.diagnosis, "UNTRACKED")->text, cases_of_gaps[i].text);
    }
}

static void a_long_name_is_cut_between_characters(void **state)
{
    struct fixture *fixture = *state;
    /* 79 bytes, and a character of two that would end behind the 80th. */
    parse(fixture, ",\"job_start\":1000,\"job_duration_s\":100,\"totals\":{\"untracked_s\":40}",
          "{\"name\":\"0123456789012345678901234567890123456789012345678901234567890123456789"
          "012345678\u00e9t\u00e9\",\"start_time\":1040,\"end_time\":1100}",
          &fixture->job);
    diagnose(fixture, &(struct tk_diagnosis_options){0});
    assert_str_equal(fired(&fixture->job.diagnosis, "UNTRACKED")->text,
                     "40 s of the job (40 %) belong to no step, 40 s of them before "
                     "'0123456789012345678901234567890123456789012345678901234567890123456789"
                     "012345678'");
}

static void history_gives_sizes_caches_and_regressions(void **state)
{
    struct fixture *fixture = *state;
    static const char past[] = ",\"job_duration_s\":100,\"totals\":{\"cpu_s\":60,\"cores_avg\":0.6,"
                               "\"memory_peak_mb\":900}";
    for (size_t i = 0; i < TK_COUNTOF(fixture->past); i++)
        parse(fixture, past, "{\"name\":\"get\",\"duration_s\":50,\"net_rx_mb\":1000}",
              &fixture->past[i]);
    const struct tk_diagnosis_options options = {.past = fixture->past, .past_count = 5};
    parse(fixture,
          ",\"job_duration_s\":130,\"totals\":{\"cpu_s\":90,\"cores_avg\":0.7,"
          "\"memory_peak_mb\":950}",
          "{\"name\":\"get\",\"duration_s\":80,\"net_rx_mb\":1010}", &fixture->job);
    diagnose(fixture, &options);
    const struct tk_job_findings *findings = &fixture->job.diagnosis;
    assert_non_null(finding_of(findings, "RIGHT_SIZE"));
    assert_str_equal(fired(findings, "REGRESSION")->level, "critical");
    assert_str_equal(fired(findings, "REGRESSION")->text,
                     "30 % slower than the median of 5 runs, confirmed by its CPU time; 30 s more "
                     "in 'get'");
    const struct tk_job_finding *download =
        fired(&fixture->job.steps.items[0].diagnosis, "DOWNLOAD_HEAVY");
    assert_str_equal(download->level, "critical");
    parse(fixture,
          ",\"job_duration_s\":101,\"totals\":{\"cpu_s\":60,\"cores_avg\":2,"
          "\"memory_peak_mb\":950}",
          "{\"name\":\"get\",\"duration_s\":80,\"net_rx_mb\":1500}", &fixture->job);
    diagnose(fixture, &options);
    assert_null(finding_of(findings, "RIGHT_SIZE"));
    assert_null(finding_of(findings, "REGRESSION"));
    download = fired(&fixture->job.steps.items[0].diagnosis, "DOWNLOAD_HEAVY");
    assert_str_equal(download->level, "warn");
}

static void writing_far_more_than_is_kept_is_a_warning(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *artifacts, *level;
    } jobs[] = {
        {",\"artifacts\":[{\"path\":\"image\",\"step\":\"pack\",\"mb\":400}]", "warn"},
        {",\"artifacts\":[{\"path\":\"image\",\"step\":\"pack\",\"mb\":500}]", "info"},
        {",\"artifacts\":[{\"path\":\"image\",\"step\":\"other\",\"mb\":400}]", "info"},
    };
    for (size_t i = 0; i < TK_COUNTOF(jobs); i++) {
        parse(fixture, jobs[i].artifacts,
              "{\"name\":\"pack\"," OPS "\"duration_s\":100,\"disk_write_mb\":1500}",
              &fixture->job);
        diagnose(fixture, &(struct tk_diagnosis_options){0});
        const struct tk_job_step *step = &fixture->job.steps.items[0];
        assert_str_equal(fired(&step->diagnosis, "WRITE_HEAVY")->level, jobs[i].level);
    }
}

static void a_runner_full_to_its_limit_is_too_small(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *totals;
        bool fires;
    } jobs[] = {
        {",\"totals\":{\"cores_avg\":2,\"memory_peak_mb\":14000}", true},  /* 85.4 % */
        {",\"totals\":{\"cores_avg\":2,\"memory_peak_mb\":13900}", false}, /* 84.8 % */
        {",\"totals\":{\"cores_avg\":0.99,\"memory_peak_mb\":6500}", true},
        {",\"totals\":{\"cores_avg\":1,\"memory_peak_mb\":6500}", false},    /* 25 % */
        {",\"totals\":{\"cores_avg\":0.99,\"memory_peak_mb\":6600}", false}, /* 40.3 % */
    };
    for (size_t i = 0; i < TK_COUNTOF(fixture->past); i++) {
        parse(fixture, ",\"totals\":{\"cores_avg\":0.5,\"memory_peak_mb\":900}", "{\"name\":\"a\"}",
              &fixture->past[i]);
    }
    const struct tk_diagnosis_options options = {.past = fixture->past, .past_count = 4};
    for (size_t i = 0; i < TK_COUNTOF(jobs); i++) {
        parse(fixture, jobs[i].totals, "{\"name\":\"a\"}", &fixture->job);
        diagnose(fixture, &options);
        assert_int_equal(!!finding_of(&fixture->job.diagnosis, "RIGHT_SIZE"), jobs[i].fires);
    }
    parse(fixture, ",\"totals\":{\"cores_avg\":0.5,\"memory_peak_mb\":900}", "{\"name\":\"a\"}",
          &fixture->job);
    diagnose(fixture, &options);
    assert_str_equal(fired(&fixture->job.diagnosis, "RIGHT_SIZE")->advice,
                     "a smaller one: 1 core and 2 GB keep it at 65 %");
}

static void a_step_far_below_its_best_rate_is_marked(void **state)
{
    struct fixture *fixture = *state;
    parse(fixture, "", "{\"name\":\"get\",\"duration_s\":4,\"net_rx_mb\":400}", &fixture->past[0]);
    const struct tk_diagnosis_options options = {.past = fixture->past, .past_count = 1};
    static const struct {
        const char *step;
        bool fires;
    } steps[] = {
        {"{\"name\":\"get\",\"duration_s\":21,\"net_rx_mb\":400}", true},
        {"{\"name\":\"get\",\"duration_s\":20,\"net_rx_mb\":400}", false},
        /* What else is found tells why. */
        {"{\"name\":\"get\",\"duration_s\":40,\"net_rx_mb\":400,\"cpu\":{\"cores_avg\":1}}", false},
    };
    for (size_t i = 0; i < TK_COUNTOF(steps); i++) {
        parse(fixture, "", steps[i].step, &fixture->job);
        diagnose(fixture, &options);
        const struct tk_job_findings *findings = &fixture->job.steps.items[0].diagnosis;
        assert_int_equal(!!finding_of(findings, "LOW_THROUGHPUT"), steps[i].fires);
    }
}

static void the_reasons_are_three_the_gravest_first(void **state)
{
    struct fixture *fixture = *state;
    parse(fixture, "",
          "{\"name\":\"a\",\"duration_s\":40,\"cpu\":{\"cores_avg\":1}},"
          "{\"name\":\"b\",\"duration_s\":20,\"cpu\":{\"cores_avg\":0}},"
          "{\"name\":\"c\",\"duration_s\":50,\"cpu\":{\"cores_avg\":3.4}},"
          "{\"name\":\"d\",\"duration_s\":5,\"memory\":{\"oom_kills\":2}},"
          "{\"name\":\"e\",\"duration_s\":500}",
          &fixture->job);
    diagnose(fixture, &(struct tk_diagnosis_options){0});
    struct tk_reason reasons[TK_REASONS_MAX];
    assert_int_equal(tk_diagnosis_reasons(&fixture->job, reasons), 3);
    assert_str_equal(reasons[0].step->name, "d");
    assert_str_equal(reasons[1].step->name, "a"); /* saves 30 s, b 16 s, c 15 s */
    assert_str_equal(reasons[2].step->name, "b");
    assert_str_equal(tk_diagnosis_label(reasons[0].finding), "out of memory");
}

static void rules_of_the_user_work_on_any_number(void **state)
{
    struct fixture *fixture = *state;
    static struct tk_user_rules rules;
    struct tk_err err;
    tk_str text = TK_STR("# ours\n"
                         "\n"
                         "big: measures.image_bytes > 3e10 : critical : the image: too large\n"
                         "kernel: cpu.system_s / cpu.total_s >= 0.5 : warn : much in the kernel\n"
                         "free: totals.disk_free_min_mb < 100 : info : nearly full\n"
                         "process terser: --parallel\n");
    assert_int_equal(tk_user_rules_parse(text, &rules, &err), 0);
    parse(fixture, ",\"totals\":{\"disk_free_min_mb\":99}",
          "{\"name\":\"a\",\"duration_s\":2,\"measures\":{\"image_bytes\":31000000000},"
          "\"cpu\":{\"system_s\":1,\"total_s\":2}},{\"name\":\"b\",\"duration_s\":2}",
          &fixture->job);
    diagnose(fixture, &(struct tk_diagnosis_options){.user = &rules});
    const struct tk_job_step *steps = fixture->job.steps.items;
    assert_str_equal(fired(&steps[0].diagnosis, "big")->text, "the image: too large");
    assert_non_null(finding_of(&steps[0].diagnosis, "kernel"));
    assert_int_equal(steps[1].diagnosis.count, 0);
    assert_non_null(finding_of(&fixture->job.diagnosis, "free"));
    assert_str_equal(tk_advice_find(&rules, TK_STR("terser")), "--parallel");
}

static void a_bad_rule_is_refused_with_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"\nx: y", "line 2: expected NAME: EXPR > NUMBER : LEVEL : TEXT"},
        {"x: duration_s > 3 : loud : t", "line 1: \"loud\" is no level: info, warn, critical"},
        {"x: duration_s > y : warn : t", "line 1: \"y\" is no number"},
        {"x: duration_s : warn : t", "line 1: a condition has > or <: \" duration_s \""},
        {"x: nothing > 3 : warn : t",
         "line 1: neither a step nor a job has the numbers of \" nothing > 3 \""},
        {"process gcc", "line 1: expected process NAME: ADVICE"},
    };
    static struct tk_user_rules rules;
    for (size_t i = 0; i < TK_COUNTOF(bad); i++) {
        struct tk_err err = {0};
        assert_int_equal(tk_user_rules_parse(tk_str_from(bad[i].text), &rules, &err), -EBADMSG);
        assert_string_equal(err.msg, bad[i].message);
    }
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(each_rule_fires_on_its_figures_and_only_on_them),
        TEST(a_step_of_which_nothing_is_known_has_no_findings),
        TEST(workloads_are_told_apart),
        TEST(who_was_busy_before_the_job_does_not_work_for_it),
        TEST(a_healthy_build_has_no_critical_finding),
        TEST(the_machines_figures_are_called_so),
        TEST(advice_names_what_to_do_about_the_busiest_process),
        TEST(a_full_disk_tells_what_is_missing),
        TEST(one_core_of_one_is_the_whole_machine),
        TEST(the_job_is_judged_as_a_whole),
        TEST(time_of_no_step_is_told_by_its_neighbours),
        TEST(a_long_name_is_cut_between_characters),
        TEST(history_gives_sizes_caches_and_regressions),
        TEST(writing_far_more_than_is_kept_is_a_warning),
        TEST(a_runner_full_to_its_limit_is_too_small),
        TEST(a_step_far_below_its_best_rate_is_marked),
        TEST(the_reasons_are_three_the_gravest_first),
        TEST(rules_of_the_user_work_on_any_number),
        cmocka_unit_test(a_bad_rule_is_refused_with_its_line),
    };
    return cmocka_run_group_tests_name("diagnosis", tests, NULL, NULL);
}
