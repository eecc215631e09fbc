/* SPDX-License-Identifier: Apache-2.0 */
/* The table of resources: what the command used beside the course of the machine. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/human.h"
#include "cmd/screen_internal.h"

/* One line of the table of resources. */
struct resource_row {
    const char *label;
    enum tk_resource resource;
    enum tk_squeeze squeeze;
    bool is_share; /* full height is 1 and figures are shares */

    /* What was used, into `cell`; false when there is nothing to say about it. */
    bool (*describe)(const struct tk_summary *summary, struct tk_cell *cell);
};

static bool describe_cpu(const struct tk_summary *summary, struct tk_cell *cell)
{
    const struct tk_summary_command *command = &summary->command;
    const struct tk_summary_host *host = &summary->host;
    char cpu[TK_HUMAN_MAX];
    char part[TK_HUMAN_MAX];
    double busy_ns = host->busy * (double)host->cores * (double)host->covered_ns;
    bool by_command = command->measured;
    if (!by_command && isnan(busy_ns))
        return false;
    tk_seconds_format(by_command ? command->cpu_ns : llround(busy_ns), cpu);
    if (by_command && command->user_ns >= 0) {
        (void)snprintf(cell->text, sizeof(cell->text), "%s, of it %s user", cpu,
                       tk_seconds_format(command->user_ns, part));
    } else if (by_command) {
        (void)snprintf(cell->text, sizeof(cell->text), "%s", cpu);
    } else {
        (void)snprintf(cell->text, sizeof(cell->text), "%s, %s of all cores", cpu,
                       tk_share_format(host->busy, part));
    }
    return true;
}

static bool describe_memory(const struct tk_summary *summary, struct tk_cell *cell)
{
    const struct tk_summary_command *command = &summary->command;
    const struct tk_summary_host *host = &summary->host;
    char peak[TK_HUMAN_MAX];
    char whole[TK_HUMAN_MAX];
    /* A group is not charged for pages of files that others had read before; what a process holds
     * of them may then be more than the whole tree was charged for. */
    if (command->measured && command->mem_peak_bytes >= command->max_rss_bytes &&
        command->mem_peak_bytes >= 0) {
        (void)snprintf(cell->text, sizeof(cell->text), "%s peak of tree with cache",
                       tk_bytes_format((double)command->mem_peak_bytes, peak));
        return true;
    }
    if (command->measured && command->max_rss_bytes >= 0) {
        (void)snprintf(cell->text, sizeof(cell->text), "%s peak, largest process",
                       tk_bytes_format((double)command->max_rss_bytes, peak));
        return true;
    }
    if (host->mem_used_peak_bytes < 0)
        return false;
    tk_bytes_format((double)host->mem_used_peak_bytes, peak);
    if (host->mem_used_is_not_free) {
        (void)snprintf(cell->text, sizeof(cell->text), "%s peak with page cache", peak);
    } else {
        (void)snprintf(cell->text, sizeof(cell->text), "%s peak of %s", peak,
                       tk_bytes_format((double)host->mem_total_bytes, whole));
    }
    return true;
}

static bool describe_disk(const struct tk_summary *summary, struct tk_cell *cell)
{
    const struct tk_summary_command *command = &summary->command;
    const struct tk_summary_host *host = &summary->host;
    bool by_command = command->measured && (command->rd_bytes >= 0 || command->wr_bytes >= 0);
    int64_t read = by_command ? command->rd_bytes : host->disk_rd_bytes;
    int64_t written = by_command ? command->wr_bytes : host->disk_wr_bytes;
    char in[TK_HUMAN_MAX];
    char out[TK_HUMAN_MAX];
    if (read < 0 && written < 0)
        return false;
    (void)snprintf(cell->text, sizeof(cell->text), "%s read, %s written%s",
                   tk_bytes_format((double)read, in), tk_bytes_format((double)written, out),
                   command->measured && !by_command ? " (machine)" : "");
    return true;
}

/* Of the device, whoever used it: the kernel counts no network bytes of a process. */
static bool describe_network(const struct tk_summary *summary, struct tk_cell *cell)
{
    const struct tk_summary_host *host = &summary->host;
    char in[TK_HUMAN_MAX];
    char out[TK_HUMAN_MAX];
    if (host->net_rx_bytes < 0)
        return false;
    (void)snprintf(cell->text, sizeof(cell->text), "%.*s%s%s in, %s out", TK_STR_ARG(host->iface),
                   host->iface.n ? ": " : "", tk_bytes_format((double)host->net_rx_bytes, in),
                   tk_bytes_format((double)host->net_tx_bytes, out));
    return true;
}

/* Share of the run in which some task of the machine was stalled, and without a command how long:
 * beside the time of a command, which the recording outlasts, that would be a riddle. */
static bool describe_stall(const struct tk_summary *summary, enum tk_stall stall,
                           struct tk_cell *cell)
{
    const struct tk_summary_host *host = &summary->host;
    char time[TK_HUMAN_MAX];
    char share[TK_HUMAN_MAX];
    /* That nobody waited needs no line of its own, but for the first. */
    int64_t least = stall == TK_STALL_CPU ? 0 : 1;
    if (host->stall_ns[stall] < least || host->stall_covered_ns <= 0)
        return false;
    tk_share_format((double)host->stall_ns[stall] / (double)host->stall_covered_ns, share);
    if (summary->command.measured) {
        (void)snprintf(cell->text, sizeof(cell->text), "machine: %s of the time", share);
    } else {
        (void)snprintf(cell->text, sizeof(cell->text), "%s, %s of the time",
                       tk_seconds_format(host->stall_ns[stall], time), share);
    }
    return true;
}

static bool describe_cpu_stall(const struct tk_summary *summary, struct tk_cell *cell)
{
    return describe_stall(summary, TK_STALL_CPU, cell);
}

static bool describe_io_stall(const struct tk_summary *summary, struct tk_cell *cell)
{
    return describe_stall(summary, TK_STALL_IO, cell);
}

static bool describe_memory_stall(const struct tk_summary *summary, struct tk_cell *cell)
{
    return describe_stall(summary, TK_STALL_MEMORY, cell);
}

static const struct resource_row resource_rows[] = {
    {"CPU", TK_RESOURCE_CPU, TK_SQUEEZE_MEAN, true, describe_cpu},
    {"memory", TK_RESOURCE_MEMORY, TK_SQUEEZE_MAX, false, describe_memory},
    {"disk", TK_RESOURCE_DISK, TK_SQUEEZE_MAX, false, describe_disk},
    {"network", TK_RESOURCE_NETWORK, TK_SQUEEZE_MAX, false, describe_network},
    {"CPU wait", TK_RESOURCE_CPU_STALL, TK_SQUEEZE_MEAN, true, describe_cpu_stall},
    {"I/O wait", TK_RESOURCE_IO_STALL, TK_SQUEEZE_MEAN, true, describe_io_stall},
    {"mem. wait", TK_RESOURCE_MEMORY_STALL, TK_SQUEEZE_MEAN, true, describe_memory_stall},
};

enum { RESOURCE_LABEL, RESOURCE_USED, RESOURCE_COURSE, RESOURCE_MAX, RESOURCE_COLUMNS };

/* Memory is never near zero: show how it moved, but do not blow up what is next to nothing. */
static void set_memory_scale(struct tk_spark *spark, double total)
{
    const double least = 0.02; /* of the machine's memory */
    double min = (double)NAN;
    double max = (double)NAN;
    for (size_t i = 0; i < spark->count; i++) {
        min = fmin(min, spark->values[i]);
        max = fmax(max, spark->values[i]);
    }
    if (isnan(min))
        return;
    spark->base = min;
    spark->full = fmax(max, min + total * least);
}

/* The course of a resource and its highest cell. */
static void set_course(struct tk_grid *grid, const struct tk_summary *summary,
                       const struct tk_look *look, const struct resource_row *row, int width)
{
    double values[TK_TIMELINE_BUCKETS];
    bool by_max = row->squeeze == TK_SQUEEZE_MAX;
    size_t count = tk_timeline_read(&summary->timeline, row->resource, by_max ? NULL : values,
                                    by_max ? values : NULL);
    TK_CLEANUP(tk_buf_release) struct tk_buf line;
    tk_buf_init(&line, TK_SCREEN_MAX);
    struct tk_spark spark = {
        .values = values, .count = count, .full = row->is_share ? 1 : 0, .squeeze = row->squeeze};
    if (row->resource == TK_RESOURCE_MEMORY)
        set_memory_scale(&spark, (double)summary->host.mem_total_bytes);
    double max = tk_spark_put(&line, look, &spark, width);
    if (isnan(max))
        return;
    tk_buf_putc(&line, '\0');
    tk_grid_set(grid, RESOURCE_COURSE, tk_buf_ok(&line) ? line.p : "");
    char text[TK_HUMAN_MAX];
    if (row->is_share) {
        tk_share_format(max, text);
    } else if (row->resource == TK_RESOURCE_MEMORY) {
        tk_bytes_format(max, text);
    } else {
        tk_rate_format(max, text);
    }
    tk_grid_set(grid, RESOURCE_MAX, text);
}

#define MAX_WIDTH 10

static int widest_description(const struct tk_summary *summary, const struct tk_look *look)
{
    int most = (int)strlen("used by the command");
    for (size_t i = 0; i < TK_COUNTOF(resource_rows); i++) {
        struct tk_cell cell = {.text = ""};
        if (!resource_rows[i].describe(summary, &cell))
            continue;
        int width = tk_text_width(look, tk_str_from(cell.text));
        most = width > most ? width : most;
    }
    return most;
}

/* What the other columns leave. */
static int course_width(const struct tk_look *look, int used_width)
{
    enum { INDENT = 1, GAPS = 3 * 2, LEAST = 12, MOST = 64 };
    int width = look->width - INDENT - TK_LABEL_WIDTH - GAPS - MAX_WIDTH - used_width;
    if (width < LEAST)
        return LEAST;
    return width > MOST ? MOST : width;
}

int tk_screen_put_resources(const struct tk_summary *summary, const struct tk_look *look,
                            struct tk_buf *out, struct tk_err *err)
{
    const char *used = summary->command.measured ? "used by the command" : "used by the machine";
    int used_width = widest_description(summary, look);
    int width = course_width(look, used_width);
    const char *course =
        width < (int)strlen("machine over time") ? "over time" : "machine over time";
    const struct tk_grid_column columns[RESOURCE_COLUMNS] = {
        [RESOURCE_LABEL] = {"", .width = TK_LABEL_WIDTH, .style = TK_STYLE_DIM},
        [RESOURCE_USED] = {used, .width = used_width},
        [RESOURCE_COURSE] = {course, .width = width, .style = TK_STYLE_CHART},
        [RESOURCE_MAX] = {"highest", .width = MAX_WIDTH, .right = true},
    };
    const struct tk_grid_options options = {
        .columns = columns, .column_count = RESOURCE_COLUMNS, .indent = 1};
    TK_CLEANUP(tk_grid_freep) struct tk_grid *grid = NULL;
    int rc = tk_grid_new(look, &options, &grid, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < TK_COUNTOF(resource_rows); i++) {
        const struct resource_row *row = &resource_rows[i];
        struct tk_cell cell = {.text = ""};
        if (!row->describe(summary, &cell))
            continue;
        tk_grid_add(grid);
        tk_grid_set(grid, RESOURCE_LABEL, row->label);
        tk_grid_set(grid, RESOURCE_USED, cell.text);
        set_course(grid, summary, look, row, width);
    }
    return tk_grid_write(grid, out, err);
}
