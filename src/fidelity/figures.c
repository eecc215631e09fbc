/* SPDX-License-Identifier: Apache-2.0 */
#include "fidelity/figures.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_BYTES ((size_t)256 << 20) /* of address space */
#define FIRST_ROOM 64

int tk_figures_init(struct tk_figures *figures, struct tk_err *err)
{
    *figures = (struct tk_figures){0};
    return tk_arena_init(&figures->texts, TEXT_BYTES, err);
}

void tk_figures_release(struct tk_figures *figures)
{
    free(figures->items);
    tk_arena_release(&figures->texts);
    *figures = (struct tk_figures){0};
}

static bool grow(struct tk_figures *figures)
{
    size_t max = figures->max > 0 ? 2 * figures->max : FIRST_ROOM;
    struct tk_figure *items = realloc(figures->items, max * sizeof(*items));
    if (!items)
        return false;
    figures->items = items;
    figures->max = max;
    return true;
}

void tk_figures_add(struct tk_figures *figures, const struct tk_figure *figure)
{
    struct tk_figure copy = *figure;
    if (figures->failure < 0)
        return;
    if (figure->detail.n > 0) {
        copy.detail = tk_arena_copy(&figures->texts, figure->detail);
    } else {
        copy.detail = (tk_str){NULL, 0};
    }
    bool has_room = figures->count < figures->max || grow(figures);
    if (!has_room || (figure->detail.n > 0 && !copy.detail.p)) {
        figures->failure = -ENOMEM;
        return;
    }
    figures->items[figures->count++] = copy;
}

int tk_figures_check(const struct tk_figures *figures, struct tk_err *err)
{
    return figures->failure < 0 ? tk_fail(err, figures->failure, "figures: out of memory") : 0;
}

const struct tk_figure *tk_figures_find(const struct tk_figures *figures, const char *group,
                                        const char *name, enum tk_figure_rule rule)
{
    for (size_t i = 0; i < figures->count; i++) {
        const struct tk_figure *figure = &figures->items[i];
        if (figure->rule == rule && !figure->detail.p && strcmp(figure->name, name) == 0 &&
            strcmp(figure->group, group) == 0)
            return figure;
    }
    return NULL;
}

bool tk_figure_is_same(const struct tk_figure *a, const struct tk_figure *b)
{
    return strcmp(a->name, b->name) == 0 && strcmp(a->group, b->group) == 0 &&
           tk_str_eq(a->detail, b->detail);
}

double tk_figure_loss(enum tk_figure_sense sense, double value)
{
    switch (sense) {
    case TK_FIGURE_SCORE:
        return 1 - value;
    case TK_FIGURE_PERCENT:
        return 100 - value;
    case TK_FIGURE_DISTANCE:
    case TK_FIGURE_COUNT:
        break;
    }
    return value;
}

bool tk_figure_is_better(enum tk_figure_sense sense, double value, double than)
{
    return tk_figure_loss(sense, value) < tk_figure_loss(sense, than);
}
