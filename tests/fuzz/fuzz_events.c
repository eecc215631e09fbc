/* SPDX-License-Identifier: Apache-2.0 */
/* Event files: splitting never loses its place, and what is written of an event is one line that
 * reads back as the same event. */
#include <stdlib.h>

#include "run/events.h"
#include "run/split.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_event(const struct tk_event *event)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf once;
    TK_CLEANUP(tk_buf_release) struct tk_buf twice;
    struct tk_events again = {0};
    struct tk_err err;
    tk_buf_init(&once, 1 << 24);
    tk_buf_init(&twice, 1 << 24);
    tk_event_format(event, TK_STR("\"n\""), TK_STR("\"s\""), &once);
    tk_str line = tk_buf_str(&once);
    if (tk_str_find(line, '\n') < line.n || tk_events_add(&again, line, &err) < 0)
        abort();
    tk_event_format(&again.items[0], TK_STR("\"n\""), TK_STR("\"s\""), &twice);
    if (!tk_str_eq(line, tk_buf_str(&twice)) || again.items[0].time_ms != event->time_ms)
        abort();
    tk_events_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tk_split split = {.rest = {(const char *)data, size}};
    struct tk_events events = {0};
    struct tk_err err;
    uint64_t line = 0;
    uint64_t last = 0;
    uint64_t duplicates;
    tk_str text;
    enum tk_split_kind kind;
    while ((kind = tk_split_next(&split, &text, &line, &err)) != TK_SPLIT_END) {
        if (line < last || text.n == 0)
            abort();
        last = line;
        if (kind == TK_SPLIT_OBJECT && tk_events_add(&events, text, &err) == 0)
            check_event(&events.items[events.count - 1]);
    }
    if (tk_events_mark_duplicates(&events, &duplicates, &err) < 0 || duplicates > events.count)
        abort();
    tk_events_sort(&events);
    tk_events_release(&events);
    return 0;
}
