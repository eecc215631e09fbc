/* SPDX-License-Identifier: Apache-2.0 */
/* Spans of a source into the columns of a table, in the order in which they come; texts get numbers
 * of the table's, each text of a batch once. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "fidelity/span_table_internal.h"

#define BATCH_ROWS      ((size_t)1 << 16)
#define FIRST_ROOM      ((uint32_t)1 << 16)
#define DEFAULT_UNIT_NS 1000

struct reading {
    struct tk_span_table *table;
    struct tk_span_arrivals arrivals;
    uint32_t room; /* rows */
    struct tk_projector projector;

    /* Texts of the batch: their number in the table, TK_TEXTS_NONE = not asked yet. */
    uint32_t *texts;
    size_t text_room;

    /* Trace ids: hash to index + 1 in table->trace_ids; at most half full. */
    uint32_t *slots;
    uint32_t mask;
    uint32_t trace_room;
    uint32_t last; /* trace of the last row */
};

static int no_memory(struct tk_err *err)
{
    return tk_fail(err, -ENOMEM, "table of spans: out of memory");
}

/* Room ----------------------------------------------------------------------------------------- */

static bool resize(void *array, size_t count, size_t size)
{
    void *old;
    memcpy(&old, array, sizeof(old));
    void *more = realloc(old, (count + 1) * size);
    if (more)
        memcpy(array, &more, sizeof(more));
    return more;
}

static int grow_rows(struct reading *reading, size_t more, struct tk_err *err)
{
    uint64_t needed = (uint64_t)reading->table->rows + more;
    uint64_t room = reading->room > 0 ? reading->room : FIRST_ROOM;
    if (needed >= TK_ROW_TOP)
        return tk_fail(err, -EMSGSIZE, "more than %u spans", TK_ROW_TOP - 1);
    while (room < needed)
        room *= 2;
    room = room < TK_ROW_TOP ? room : TK_ROW_TOP - 1;
    if (room == reading->room)
        return 0;
    int rc = tk_span_table_reserve(reading->table, (uint32_t)room, err);
    if (rc < 0)
        return rc;
    if (!resize(&reading->arrivals.traces, room, sizeof(*reading->arrivals.traces)) ||
        !resize(&reading->arrivals.parent_ids, room, sizeof(*reading->arrivals.parent_ids)))
        return no_memory(err);
    reading->room = (uint32_t)room;
    return 0;
}

/* Traces --------------------------------------------------------------------------------------- */

static uint32_t slot_of(const struct reading *reading, const uint8_t id[16])
{
    const struct tk_span_table *table = reading->table;
    uint32_t at = (uint32_t)tk_hash_bytes((tk_str){(const char *)id, 16}, table->texts.seed);
    for (at &= reading->mask; reading->slots[at] != 0; at = (at + 1) & reading->mask) {
        if (memcmp(table->trace_ids[reading->slots[at] - 1], id, 16) == 0)
            break;
    }
    return at;
}

static bool grow_traces(struct reading *reading)
{
    struct tk_span_table *table = reading->table;
    uint32_t room = reading->trace_room > 0 ? 2 * reading->trace_room : 1024;
    uint32_t *slots = calloc(2 * (size_t)room, sizeof(*slots));
    if (!slots || !resize(&table->trace_ids, room, sizeof(*table->trace_ids))) {
        free(slots);
        return false;
    }
    free(reading->slots);
    reading->slots = slots;
    reading->mask = 2 * room - 1;
    reading->trace_room = room;
    for (uint32_t trace = 0; trace < table->traces; trace++)
        slots[slot_of(reading, table->trace_ids[trace])] = trace + 1;
    return true;
}

/* The trace of an id, which is a new one perhaps. */
static int find_trace(struct reading *reading, const uint8_t id[16], uint32_t *ret_trace)
{
    struct tk_span_table *table = reading->table;
    bool is_last = table->traces > 0 && memcmp(table->trace_ids[reading->last], id, 16) == 0;
    if (!is_last) {
        if (table->traces == reading->trace_room && !grow_traces(reading))
            return -ENOMEM;
        uint32_t at = slot_of(reading, id);
        if (reading->slots[at] == 0) {
            memcpy(table->trace_ids[table->traces++], id, 16);
            reading->slots[at] = table->traces;
        }
        reading->last = reading->slots[at] - 1;
    }
    *ret_trace = reading->last;
    return 0;
}

/* Rows ----------------------------------------------------------------------------------------- */

static uint32_t text_of(struct reading *reading, const struct tk_span_batch *batch, uint32_t id)
{
    if (reading->texts[id] == TK_TEXTS_NONE)
        reading->texts[id] = tk_texts_add(&reading->table->texts, tk_texts_get(&batch->texts, id));
    return reading->texts[id];
}

static void set_features(struct reading *reading, const struct tk_span_batch *batch, size_t row,
                         uint32_t to)
{
    struct tk_span_table *table = reading->table;
    struct tk_projection projection;
    tk_projector_read(&reading->projector, row, &projection);
    for (size_t i = 0; i < TK_STR_FEATURES; i++) {
        const struct tk_projected_text *text = &projection.strings[i];
        table->str_features[i][to] = text->id == TK_TEXTS_NONE
                                         ? tk_texts_add(&table->texts, text->text)
                                         : text_of(reading, batch, text->id);
    }
    for (size_t i = 0; i < TK_INT_FEATURES; i++)
        table->int_features[i][to] = projection.integers[i];
    table->methods[to] = text_of(reading, batch, projection.method);
    table->http_codes[to] = projection.code;
    table->issues[to] = projection.has_issues;
}

static int add_row(struct reading *reading, const struct tk_span_batch *batch, size_t row)
{
    struct tk_span_table *table = reading->table;
    uint32_t to = table->rows;
    int rc = find_trace(reading, batch->trace_ids[row], &reading->arrivals.traces[to]);
    if (rc < 0)
        return rc;
    reading->arrivals.parent_ids[to] = batch->parent_ids[row];
    table->span_ids[to] = batch->span_ids[row];
    table->services[to] = text_of(reading, batch, tk_span_resource_of(batch, row)->service);
    table->operations[to] = text_of(reading, batch, batch->names[row]);
    table->kinds[to] = batch->kinds[row];
    table->statuses[to] = batch->statuses[row];
    table->start_ns[to] = batch->start_ns[row];
    table->duration_ns[to] = batch->duration_ns[row];
    set_features(reading, batch, row, to);
    table->rows++;
    return 0;
}

static int add_batch(struct reading *reading, const struct tk_span_batch *batch, struct tk_err *err)
{
    int rc = grow_rows(reading, batch->rows, err);
    if (rc < 0)
        return rc;
    if (reading->text_room < batch->texts.count) {
        if (!resize(&reading->texts, batch->texts.count, sizeof(*reading->texts)))
            return no_memory(err);
        reading->text_room = batch->texts.count;
    }
    memset(reading->texts, 0xFF, batch->texts.count * sizeof(*reading->texts));
    tk_projector_begin(&reading->projector, batch);
    for (size_t row = 0; row < batch->rows; row++) {
        if (add_row(reading, batch, row) < 0)
            return no_memory(err);
    }
    if (reading->table->texts.full)
        return tk_fail(err, -EMSGSIZE, "more text than a table of spans holds");
    return 0;
}

static int read_all(struct reading *reading, struct tk_span_source source, struct tk_err *err)
{
    struct tk_span_batch *batch = NULL;
    int rc = tk_span_batch_new(BATCH_ROWS, &batch, err);
    while (rc == 0) {
        tk_span_batch_reset(batch);
        rc = source.read(source.context, batch, err);
        if (rc >= 0) {
            int failure = add_batch(reading, batch, err);
            rc = failure < 0 ? failure : rc;
        }
    }
    tk_span_batch_free(batch);
    return rc < 0 ? rc : 0;
}

/* Tables --------------------------------------------------------------------------------------- */

int tk_span_table_new(struct tk_span_source source, const struct tk_span_table_options *options,
                      struct tk_span_table **ret_table, struct tk_err *err)
{
    TK_CLEANUP(tk_span_table_freep) struct tk_span_table *table = NULL;
    int rc = tk_span_table_init(&table, err);
    if (rc < 0)
        return rc;
    struct reading reading = {
        .table = table, .arrivals = {.table = table, .drop_edgeless = options->drop_edgeless}};
    table->unit_ns = options->unit_ns > 0 ? options->unit_ns : DEFAULT_UNIT_NS;
    tk_projector_init(&reading.projector);
    if (!grow_traces(&reading))
        rc = no_memory(err);
    rc = rc < 0 ? rc : grow_rows(&reading, 0, err);
    rc = rc < 0 ? rc : read_all(&reading, source, err);
    free(reading.slots);
    free(reading.texts);
    tk_projector_release(&reading.projector);
    rc = rc < 0 ? rc : tk_span_table_group(&reading.arrivals, err);
    free(reading.arrivals.traces);
    free(reading.arrivals.parent_ids);
    rc = rc < 0 ? rc : tk_span_table_sort(table, err);
    if (rc == 0) {
        *ret_table = table;
        table = NULL;
    }
    return rc;
}
