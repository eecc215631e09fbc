/* SPDX-License-Identifier: Apache-2.0 */
/* The table of containers: the most CPU first. */
#include <math.h>
#include <stdio.h>

#include "base/human.h"
#include "cmd/screen_internal.h"

#define MOST      5
#define LABEL_MAX 512

enum {
    CONTAINER_NAME,
    CONTAINER_CPU,
    CONTAINER_MEMORY,
    CONTAINER_READ,
    CONTAINER_WRITTEN,
    CONTAINER_THROTTLED,
    CONTAINER_COLUMNS
};

/* By the best names that are known: NAMESPACE/POD/CONTAINER, CONTAINER, or the id. */
static tk_str label_of(const struct tk_summary_container *container, char label[LABEL_MAX])
{
    if (container->pod.n == 0 && container->called.n == 0)
        return container->name;
    bool has_space = container->namespace.n > 0;
    bool has_pod = container->pod.n > 0;
    int n = snprintf(label, LABEL_MAX, "%.*s%s%.*s%s%.*s", TK_STR_ARG(container->namespace),
                     has_space ? "/" : "", TK_STR_ARG(container->pod),
                     has_pod && container->called.n > 0 ? "/" : "", TK_STR_ARG(container->called));
    return (tk_str){label, n < LABEL_MAX ? (size_t)n : LABEL_MAX - 1};
}

static void add_container(struct tk_grid *grid, const struct tk_look *look,
                          const struct tk_summary_container *container)
{
    struct tk_cell cell;
    char text[TK_HUMAN_MAX];
    tk_grid_add(grid);
    char label[LABEL_MAX];
    tk_grid_set(grid, CONTAINER_NAME, tk_cell_clean(look, label_of(container, label), &cell));
    tk_grid_set(grid, CONTAINER_CPU, tk_seconds_format(container->cpu_ns, text));
    tk_grid_set(grid, CONTAINER_MEMORY, tk_bytes_format((double)container->mem_peak_bytes, text));
    tk_grid_set(grid, CONTAINER_READ, tk_bytes_format((double)container->rd_bytes, text));
    tk_grid_set(grid, CONTAINER_WRITTEN, tk_bytes_format((double)container->wr_bytes, text));
    tk_grid_set(grid, CONTAINER_THROTTLED, tk_seconds_format(container->throttled_ns, text));
    if (container->throttled_ns > 0)
        tk_grid_set_style(grid, CONTAINER_THROTTLED, TK_STYLE_WARN);
}

int tk_screen_put_containers(const struct tk_summary *summary, const struct tk_look *look,
                             struct tk_buf *out, struct tk_err *err)
{
    static const struct tk_grid_column columns[CONTAINER_COLUMNS] = {
        [CONTAINER_NAME] = {"containers", .cut = true},
        [CONTAINER_CPU] = {"CPU", .right = true},
        [CONTAINER_MEMORY] = {"memory", .right = true},
        [CONTAINER_READ] = {"read", .right = true},
        [CONTAINER_WRITTEN] = {"written", .right = true},
        [CONTAINER_THROTTLED] = {"held back", .right = true},
    };
    if (summary->container_count == 0 || summary->command.measured)
        return 0;
    const struct tk_grid_options options = {
        .columns = columns, .column_count = CONTAINER_COLUMNS, .indent = 1};
    TK_CLEANUP(tk_grid_freep) struct tk_grid *grid = NULL;
    int rc = tk_grid_new(look, &options, &grid, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < summary->container_count && i < MOST; i++)
        add_container(grid, look, &summary->containers[i]);
    size_t left = summary->container_count > MOST ? summary->container_count - MOST : 0;
    if (left > 0) {
        struct tk_cell cell;
        (void)snprintf(cell.text, sizeof(cell.text), "(%zu more: --json)", left);
        tk_grid_add(grid);
        tk_grid_set(grid, CONTAINER_NAME, cell.text);
    }
    if (summary->containers_left_out > 0) {
        tk_grid_add(grid);
        tk_grid_set(grid, CONTAINER_NAME, "(others left out: too many)");
    }
    tk_buf_putc(out, '\n');
    return tk_grid_write(grid, out, err);
}
