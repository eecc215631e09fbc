/* SPDX-License-Identifier: Apache-2.0 */
/* The table of processes: by name, the most CPU first. */
#include <math.h>
#include <stdio.h>

#include "base/human.h"
#include "cmd/screen_internal.h"

#define LEAST_NAMES 4
#define MOST_NAMES  10

/* A control group also counts how its first process was made, before it ran the command. */
#define LEAST_UNSEEN_NS 10e6

enum {
    PROCESS_NAME,
    PROCESS_COUNT,
    PROCESS_CPU,
    PROCESS_SHARE,
    PROCESS_RSS,
    PROCESS_READ,
    PROCESS_WRITTEN,
    PROCESS_COLUMNS
};

static void set_bytes(struct tk_grid *grid, size_t column, int64_t bytes)
{
    char text[TK_HUMAN_MAX];
    tk_grid_set(grid, column, tk_bytes_format((double)bytes, text));
}

static void add_group(struct tk_grid *grid, const char *name, const struct tk_tally_group *group,
                      double whole_ns)
{
    char text[TK_HUMAN_MAX];
    tk_grid_add(grid);
    tk_grid_set(grid, PROCESS_NAME, name);
    tk_grid_set(grid, PROCESS_COUNT, tk_count_format(group->processes, text));
    tk_grid_set(grid, PROCESS_CPU, tk_seconds_format(group->cpu_ns, text));
    tk_grid_set(grid, PROCESS_SHARE, tk_share_format((double)group->cpu_ns / whole_ns, text));
    set_bytes(grid, PROCESS_RSS, group->max_rss_bytes);
    set_bytes(grid, PROCESS_READ, group->rd_bytes);
    set_bytes(grid, PROCESS_WRITTEN, group->wr_bytes);
}

static void add_known(int64_t *sum, int64_t more)
{
    if (more >= 0)
        *sum = (*sum < 0 ? 0 : *sum) + more;
}

static void group_join(struct tk_tally_group *into, const struct tk_tally_group *from)
{
    into->processes += from->processes;
    add_known(&into->cpu_ns, from->cpu_ns);
    add_known(&into->rd_bytes, from->rd_bytes);
    add_known(&into->wr_bytes, from->wr_bytes);
    if (from->max_rss_bytes > into->max_rss_bytes)
        into->max_rss_bytes = from->max_rss_bytes;
}

/* What stands in the table. */
struct plan {
    size_t names;     /* groups that count: of the command where there is one, else all */
    size_t shown;     /* of them, with a line of their own */
    bool has_outside; /* there are others */
    double whole_ns;  /* CPU that shares are of */
    double unseen_ns; /* of it what no process accounts for; 0 when it may be rounding */
};

static bool counts(const struct tk_summary *summary, const struct tk_tally_group *group)
{
    return group->in_tree || !summary->command.measured;
}

static void plan_init(struct plan *plan, const struct tk_summary *summary, int lines)
{
    bool of_command = summary->command.measured;
    int64_t seen_ns = summary->tree.cpu_ns;
    if (!of_command) /* a merged run has processes of commands, too */
        add_known(&seen_ns, summary->others.cpu_ns);
    *plan = (struct plan){.whole_ns = fmax((double)summary->command.cpu_ns, (double)seen_ns)};
    double unseen_ns = plan->whole_ns - (double)seen_ns;
    if (of_command && summary->tree.processes > 0 && unseen_ns > plan->whole_ns * 0.01 &&
        unseen_ns > LEAST_UNSEEN_NS)
        plan->unseen_ns = unseen_ns;
    for (size_t i = 0; i < summary->group_count; i++)
        plan->names += counts(summary, &summary->groups[i]);
    plan->has_outside = plan->names < summary->group_count;

    enum { AROUND = 2 }; /* a blank line and the heading */
    int room = lines - AROUND - plan->has_outside - (plan->unseen_ns > 0);
    if ((int)plan->names > room)
        room--; /* for the line that says how many more */
    if (room < LEAST_NAMES)
        room = LEAST_NAMES;
    if (room > MOST_NAMES)
        room = MOST_NAMES;
    plan->shown = plan->names < (size_t)room ? plan->names : (size_t)room;
}

static void add_unseen(struct tk_grid *grid, const struct plan *plan)
{
    char text[TK_HUMAN_MAX];
    tk_grid_add(grid);
    tk_grid_set(grid, PROCESS_NAME, "(not attributed)");
    tk_grid_set(grid, PROCESS_CPU, tk_seconds_format(llround(plan->unseen_ns), text));
    tk_grid_set(grid, PROCESS_SHARE, tk_share_format(plan->unseen_ns / plan->whole_ns, text));
}

static void add_rows(struct tk_grid *grid, const struct tk_summary *summary,
                     const struct tk_look *look, const struct plan *plan)
{
    const struct tk_tally_group none = {.max_rss_bytes = -1, .rd_bytes = -1, .wr_bytes = -1};
    struct tk_tally_group more = none;
    struct tk_tally_group outside = none;
    struct tk_cell cell;
    size_t shown = 0;
    for (size_t i = 0; i < summary->group_count; i++) {
        const struct tk_tally_group *group = &summary->groups[i];
        if (!counts(summary, group)) {
            group_join(&outside, group);
        } else if (shown == plan->shown) {
            group_join(&more, group);
        } else {
            const char *name = tk_cell_clean(look, tk_str_from(group->comm), &cell);
            add_group(grid, name, group, plan->whole_ns);
            shown++;
        }
    }
    size_t left = plan->names - shown;
    (void)snprintf(cell.text, sizeof(cell.text), "(%zu more name%s)", left, left == 1 ? "" : "s");
    if (left > 0)
        add_group(grid, cell.text, &more, plan->whole_ns);
    if (plan->unseen_ns > 0)
        add_unseen(grid, plan);
    if (plan->has_outside)
        add_group(grid, "(not of the command)", &outside, (double)NAN);
}

int tk_screen_put_processes(const struct tk_summary *summary, const struct tk_look *look, int lines,
                            struct tk_buf *out, struct tk_err *err)
{
    static const struct tk_grid_column columns[PROCESS_COLUMNS] = {
        [PROCESS_NAME] = {"processes", .cut = true},    [PROCESS_COUNT] = {"count", .right = true},
        [PROCESS_CPU] = {"CPU", .right = true},         [PROCESS_SHARE] = {"share", .right = true},
        [PROCESS_RSS] = {"memory", .right = true},      [PROCESS_READ] = {"read", .right = true},
        [PROCESS_WRITTEN] = {"written", .right = true},
    };
    if (summary->group_count == 0)
        return 0;
    const struct tk_grid_options options = {
        .columns = columns, .column_count = PROCESS_COLUMNS, .indent = 1};
    TK_CLEANUP(tk_grid_freep) struct tk_grid *grid = NULL;
    int rc = tk_grid_new(look, &options, &grid, err);
    if (rc < 0)
        return rc;
    struct plan plan;
    plan_init(&plan, summary, lines);
    add_rows(grid, summary, look, &plan);
    tk_buf_putc(out, '\n');
    return tk_grid_write(grid, out, err);
}
