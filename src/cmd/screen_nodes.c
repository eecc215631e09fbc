/* SPDX-License-Identifier: Apache-2.0 */
/* Several runs in one table: the nodes of a run, or runs to compare. */
#include <math.h>
#include <string.h>

#include "base/human.h"
#include "cmd/screen_internal.h"
#include "run/causes.h"

enum {
    NODE_RUN,
    NODE_HOST,
    NODE_TIME,
    NODE_CPU,
    NODE_COURSE,
    NODE_MEMORY,
    NODE_DISK,
    NODE_NETWORK,
    NODE_CAUSE,
    NODE_COLUMNS
};

enum { GAP = 2, LEAST_COURSE = 13, MOST_COURSE = 40 };

/* `most` is the width of the widest text of a column; 0 = found from the texts at hand. */
static const struct {
    struct tk_grid_column column;
    int most;
} table[NODE_COLUMNS] = {
    [NODE_RUN] = {{"run", .cut = true}, 0},
    [NODE_HOST] = {{"host", .cut = true}, 0},
    [NODE_TIME] = {{"time", .right = true}, 11},
    [NODE_CPU] = {{"CPU", .right = true}, 5},
    [NODE_COURSE] = {{"CPU over time", .style = TK_STYLE_CHART}, LEAST_COURSE},
    [NODE_MEMORY] = {{"memory", .right = true}, 8},
    [NODE_DISK] = {{"disk", .right = true}, 8},
    [NODE_NETWORK] = {{"network", .right = true}, 8},
    [NODE_CAUSE] = {{"waited for"}, 11},
};

/* Columns that go first when the terminal is narrow. */
static const int dispensable[] = {NODE_HOST, NODE_NETWORK, NODE_DISK, NODE_TIME};

/* Where each column stands in the grid; -1 = it is left out. */
struct layout {
    int place[NODE_COLUMNS];
    int count;
    int course_width;
};

/* The table being drawn. */
struct drawing {
    struct tk_grid *grid;
    const struct tk_look *look;
    struct layout layout;
};

static int widest(const struct tk_summary *const *summaries, size_t count,
                  const struct tk_look *look, bool of_host)
{
    int most = 0;
    for (size_t i = 0; i < count; i++) {
        int width = tk_text_width(look, of_host ? summaries[i]->host_name : summaries[i]->name);
        most = width > most ? width : most;
    }
    return most;
}

static bool has_disk(const struct tk_summary *const *summaries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (summaries[i]->host.disk_rd_bytes >= 0)
            return true;
    }
    return false;
}

static void layout_init(struct layout *layout, const struct tk_summary *const *summaries,
                        size_t count, const struct tk_look *look)
{
    bool shown[NODE_COLUMNS];
    int widths[NODE_COLUMNS];
    int left = look->width + GAP;
    for (int i = 0; i < NODE_COLUMNS; i++) {
        shown[i] = i != NODE_DISK || has_disk(summaries, count);
        widths[i] = table[i].most;
        if (i == NODE_RUN || i == NODE_HOST)
            widths[i] = widest(summaries, count, look, i == NODE_HOST);
        left -= shown[i] ? widths[i] + GAP : 0;
    }
    for (size_t i = 0; left < 0 && i < TK_COUNTOF(dispensable); i++) {
        left += shown[dispensable[i]] ? widths[dispensable[i]] + GAP : 0;
        shown[dispensable[i]] = false;
    }
    layout->count = 0;
    for (int i = 0; i < NODE_COLUMNS; i++)
        layout->place[i] = shown[i] ? layout->count++ : -1;
    int course = LEAST_COURSE + (left > 0 ? left : 0);
    layout->course_width = course > MOST_COURSE ? MOST_COURSE : course;
}

static void set(const struct drawing *drawing, int column, const char *text)
{
    if (drawing->layout.place[column] >= 0)
        tk_grid_set(drawing->grid, (size_t)drawing->layout.place[column], text);
}

static void set_course(const struct drawing *drawing, const struct tk_summary *summary)
{
    double values[TK_TIMELINE_BUCKETS];
    size_t count = tk_timeline_read(&summary->timeline, TK_RESOURCE_CPU, values, NULL);
    const struct tk_spark spark = {.values = values, .count = count, .full = 1};
    TK_CLEANUP(tk_buf_release) struct tk_buf line;
    tk_buf_init(&line, TK_SCREEN_MAX);
    (void)tk_spark_put(&line, drawing->look, &spark, drawing->layout.course_width);
    tk_buf_putc(&line, '\0');
    set(drawing, NODE_COURSE, tk_buf_ok(&line) ? line.p : "");
}

/* -1 when neither is known. */
static double sum_known(int64_t a, int64_t b)
{
    return a < 0 && b < 0 ? -1 : fmax((double)a, 0) + fmax((double)b, 0);
}

static void set_bytes(const struct drawing *drawing, int column, double bytes)
{
    char text[TK_HUMAN_MAX];
    set(drawing, column, tk_bytes_format(bytes, text));
}

static void add_node(const struct drawing *drawing, const struct tk_summary *summary)
{
    const struct tk_summary_host *host = &summary->host;
    struct tk_cell cell;
    char text[TK_HUMAN_MAX];
    tk_grid_add(drawing->grid);
    set(drawing, NODE_RUN, tk_cell_clean(drawing->look, summary->name, &cell));
    tk_str name = summary->host_name.n ? summary->host_name : summary->node;
    set(drawing, NODE_HOST, tk_cell_clean(drawing->look, name, &cell));
    set(drawing, NODE_TIME, tk_duration_format(summary->end_ns - summary->start_ns, text));
    set(drawing, NODE_CPU, tk_share_format(host->busy, text));
    set_course(drawing, summary);
    set_bytes(drawing, NODE_MEMORY, (double)host->mem_used_peak_bytes);
    set_bytes(drawing, NODE_DISK, sum_known(host->disk_rd_bytes, host->disk_wr_bytes));
    set_bytes(drawing, NODE_NETWORK, sum_known(host->net_rx_bytes, host->net_tx_bytes));
    struct tk_cause causes[TK_CAUSES_MAX];
    (void)tk_causes_find(summary, causes);
    set(drawing, NODE_CAUSE, causes[0].name);
}

int tk_screen_format_nodes(const struct tk_summary *const *summaries, size_t count,
                           const struct tk_look *look, struct tk_buf *out, struct tk_err *err)
{
    struct drawing drawing = {.look = look};
    layout_init(&drawing.layout, summaries, count, look);
    struct tk_grid_column columns[NODE_COLUMNS];
    for (int i = 0; i < NODE_COLUMNS; i++) {
        if (drawing.layout.place[i] >= 0)
            columns[drawing.layout.place[i]] = table[i].column;
    }
    const struct tk_grid_options options = {.columns = columns,
                                            .column_count = (size_t)drawing.layout.count};
    TK_CLEANUP(tk_grid_freep) struct tk_grid *grid = NULL;
    int rc = tk_grid_new(look, &options, &grid, err);
    if (rc < 0)
        return rc;
    drawing.grid = grid;
    for (size_t i = 0; i < count; i++)
        add_node(&drawing, summaries[i]);
    rc = tk_grid_write(grid, out, err);
    return rc < 0 ? rc : tk_buf_check(out, "report", err);
}
