/* SPDX-License-Identifier: Apache-2.0 */
#include "opendc/cutter.h"

#include <errno.h>
#include <math.h>

#define LEAST_MEM_KB   1024
#define ASSUMED_MEM_KB 65536
#define QUANTILE       0.95

void tk_cutter_init(struct tk_cutter *cutter, struct tk_workload *workload,
                    const struct tk_opendc_options *options, struct tk_fragment_sums *sums)
{
    *cutter = (struct tk_cutter){.workload = workload, .options = options, .sums = sums};
    tk_courses_init(&cutter->courses, workload);
}

void tk_cutter_release(struct tk_cutter *cutter)
{
    tk_courses_release(&cutter->courses);
    tk_compat_rows_release(&cutter->rows);
    tk_fragments_release(&cutter->made);
}

static struct tk_fragment_rules rules_of(const struct tk_cutter *cutter, const struct tk_task *task)
{
    const struct tk_node *node = &cutter->workload->nodes[task->node];
    return (struct tk_fragment_rules){.cores = node->cores,
                                      .mhz = node->mhz,
                                      .floor_mhz = cutter->options->floor_mhz,
                                      .epsilon = TK_EPSILON,
                                      .longest_ms = TK_LONGEST_MS};
}

static double highest_cores(const struct tk_fragments *made, double mhz)
{
    double most = 0;
    for (size_t i = 0; i < made->count; i++)
        most = fmax(most, made->items[i].mhz / mhz);
    return most;
}

static int set_cores(struct tk_cutter *cutter, struct tk_task *task,
                     const struct tk_fragment_rules *rules, struct tk_err *err)
{
    enum tk_count_method method = cutter->options->count_method;
    bool is_request = method == TK_COUNT_AUTO || method == TK_COUNT_REQUEST;
    double cores = 0;
    int rc = 0;
    if (is_request && task->req_cpu_units > 0) {
        cores = (double)task->req_cpu_units;
    } else if (method == TK_COUNT_REQUEST) {
        return tk_fail(err, -ENODATA,
                       "task %.*s (span %.*s) does not say how many CPUs it asked for "
                       "(req_cpu_units): choose another method for the CPU count",
                       TK_STR_ARG(task->name), TK_STR_ARG(task->span));
    } else if (method == TK_COUNT_MAX) {
        cores = ceil(highest_cores(&cutter->made, rules->mhz) - 1e-9);
    } else if (method == TK_COUNT_GEN1) {
        cores = floor(highest_cores(&cutter->made, rules->mhz) + 0.5);
    } else {
        rc = tk_fragments_quantile(&cutter->made, QUANTILE, &cores, err);
        cores = ceil(cores);
    }
    task->cpu_count = (int32_t)fmax(1, fmin(cores, (double)rules->cores));
    task->cpu_capacity_mhz = task->cpu_count * rules->mhz;
    return rc;
}

static void set_memory(const struct tk_opendc_options *options, struct tk_task *task)
{
    int64_t rss_kb = task->rss_kb > 0 ? task->rss_kb : task->req_mem_kb;
    task->mem_is_estimate = rss_kb <= 0;
    if (rss_kb > 0) {
        double headroom = options->compat == TK_COMPAT_OFF ? options->headroom : 1;
        double kb = ceil((double)rss_kb * headroom - 1e-6);
        task->mem_kb = kb > LEAST_MEM_KB ? (int64_t)kb : LEAST_MEM_KB;
        return;
    }
    double bytes = fmax((double)task->bytes_in, 0) + fmax((double)task->bytes_out, 0);
    task->mem_kb = (int64_t)fmax(floor(2 * bytes / 1024), ASSUMED_MEM_KB);
}

/* Calibration: usage by a factor, durations by a factor (rounded so that they add up), and the time
 * that OpenDC does not know of before a task starts. */
static void scale(struct tk_fragments *made, const struct tk_opendc_options *options,
                  const struct tk_fragment_rules *rules, struct tk_fragment_sums *sums)
{
    double most = (double)rules->cores * rules->mhz;
    int64_t before_ms = 0;
    int64_t after_ms = 0;
    for (size_t i = 0; i < made->count; i++) {
        struct tk_fragment *at = &made->items[i];
        before_ms += at->duration_ms;
        int64_t end_ms = (int64_t)llround((double)before_ms * options->scale_duration);
        at->duration_ms = end_ms > after_ms ? end_ms - after_ms : 1;
        after_ms += at->duration_ms;
        at->mhz = fmin(at->mhz * options->scale_cpu, most);
    }
    if (made->count > 0)
        made->items[0].duration_ms += options->startup_ms;
    tk_fragments_raise(made, rules, sums);
}

static bool is_scaled(const struct tk_opendc_options *options)
{
    return options->scale_cpu != 1 || options->scale_duration != 1 || options->startup_ms != 0;
}

static int cut_compat(struct tk_cutter *cutter, struct tk_task *task,
                      const struct tk_fragment_rules *rules, struct tk_err *err)
{
    const struct tk_opendc_options *options = cutter->options;
    int rc = tk_compat_rows_read(&cutter->rows, cutter->workload, task, options->exact_compat, err);
    if (rc < 0)
        return rc;
    task->cpu_ns = 0;
    const struct tk_compat_rules old = {options->compat, options->exact_compat, rules->cores,
                                        rules->mhz};
    return tk_compat_cut(&cutter->made, task, &cutter->rows, &old, err);
}

int tk_cutter_cut(struct tk_cutter *cutter, struct tk_task *task, struct tk_err *err)
{
    const struct tk_opendc_options *options = cutter->options;
    const struct tk_fragment_rules rules = rules_of(cutter, task);
    /* The course tells the largest resident set, too. */
    int rc = tk_courses_find(&cutter->courses, task, err);
    if (rc == 0 && options->compat != TK_COMPAT_OFF) {
        rc = cut_compat(cutter, task, &rules, err);
    } else if (rc == 0) {
        rc = tk_fragments_cut(&cutter->made, &cutter->courses.course, &rules, cutter->sums, err);
        rc = rc < 0 ? rc : set_cores(cutter, task, &rules, err);
    }
    if (rc < 0)
        return rc;
    cutter->most_cores = highest_cores(&cutter->made, rules.mhz);
    task->duration_ms = task->end_ms - task->start_ms;
    set_memory(options, task);
    if (!is_scaled(options))
        return 0;
    scale(&cutter->made, options, &rules, cutter->sums);
    task->duration_ms = 0;
    for (size_t i = 0; i < cutter->made.count; i++)
        task->duration_ms += cutter->made.items[i].duration_ms;
    return 0;
}
