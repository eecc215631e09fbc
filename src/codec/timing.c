/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/timing.h"

#include <errno.h>

#include "codec/nesting.h"
#include "codec/time_tables.h"
#include "codec/time_windows.h"
#include "codec/timing_internal.h"

/* What has a coder: the base level, planes, the rest. */
enum { BASE = 0, REST = 1 + TK_TIME_PLANES, CODERS };

static uint32_t section_of(unsigned coder)
{
    return coder == BASE   ? TK_SECTION_TIME_BASE
           : coder == REST ? TK_SECTION_TIME_REST
                           : TK_SECTION_TIME_PLANE + coder - 1;
}

/* The absolute start of a trace in ticks. */
static int64_t start_of(const struct tk_forest *forest, uint32_t t)
{
    int64_t origin = forest->origin_ns / forest->tick_ns;
    return (int64_t)((uint64_t)origin + (uint64_t)forest->trace_starts[t]);
}

/* Code one trace with the first `count` coders. */
static void code_trace(struct tk_coder *coders, unsigned count, struct tk_time_models *models,
                       struct tk_time_trace *trace, int64_t start)
{
    tk_time_code_base(&coders[BASE], models, trace);
    for (unsigned plane = 0; plane < TK_TIME_PLANES && plane + 1 < count; plane++)
        tk_time_code_plane(&coders[1 + plane], models, trace, plane);
    if (count > REST)
        tk_time_code_rest(&coders[REST], models, trace, start);
}

/* Of the options how many coders write. */
static unsigned count_coders(const struct tk_codec_options *options)
{
    if (options->mode == TK_CODEC_LOSSLESS)
        return CODERS;
    uint32_t planes = options->planes == 0 ? TK_CODEC_PLANES : options->planes;
    return planes < REST ? planes : REST;
}

static void encode_numbers(const struct tk_forest *forest, struct tk_time_models *models,
                           struct tk_time_trace *trace, unsigned count,
                           struct tk_section_set *sections)
{
    struct tk_coder coders[CODERS];
    for (unsigned i = 0; i < count; i++)
        tk_coder_begin_encode(&coders[i], &sections->bytes[section_of(i)]);
    for (uint32_t t = 0; t < forest->trace_count; t++) {
        tk_time_trace_load(trace, forest, t);
        tk_time_trace_measure(trace, forest, t, &models->levels);
        code_trace(coders, count, models, trace, start_of(forest, t));
    }
    for (unsigned i = 0; i < count; i++)
        tk_coder_end(&coders[i]);
}

int tk_timing_encode(const struct tk_forest *forest, const struct tk_codec_options *options,
                     struct tk_section_set *sections, struct tk_err *err)
{
    TK_CLEANUP(tk_time_trace_release) struct tk_time_trace trace = {0};
    TK_CLEANUP(tk_time_models_freep) struct tk_time_models *models = NULL;
    if (options->mode == TK_CODEC_GENERATIVE) {
        struct tk_buf *out = &sections->bytes[TK_SECTION_TIME_TABLES];
        uint32_t least = tk_codec_min_count(options);
        least = options->table_least > least ? options->table_least : least;
        int made = tk_time_tables_encode(forest, least, out, err);
        return made < 0 ? made : tk_buf_check(out, "timing", err);
    }
    unsigned count = count_coders(options);
    int rc = tk_time_trace_init(&trace, forest, err);
    rc = rc < 0 ? rc : tk_time_models_new(forest->node_count, count - 1, &models, err);
    if (rc < 0)
        return rc;
    encode_numbers(forest, models, &trace, count, sections);
    for (unsigned i = 0; i < count && rc == 0; i++)
        rc = tk_buf_check(&sections->bytes[section_of(i)], "timing", err);
    return rc;
}

/* Decoding ------------------------------------------------------------------------------------- */

/* Begin the coders of the sections that are there without a gap; returns how many. */
static unsigned open_sections(const struct tk_block *block, struct tk_coder *coders)
{
    unsigned count = 0;
    for (; count < CODERS; count++) {
        const struct tk_section *section = tk_block_find(block, section_of(count));
        if (!section)
            break;
        tk_coder_begin_decode(&coders[count], section->bytes);
    }
    return count;
}

static int check_over(const struct tk_coder *coders, unsigned count, uint32_t t, struct tk_err *err)
{
    for (unsigned i = 0; i < count; i++) {
        if (tk_coder_is_over(&coders[i])) {
            return tk_fail(err, -EBADMSG, "timing, %s %u: ends before trace %u",
                           i == BASE   ? "base level"
                           : i == REST ? "last ticks"
                                       : "plane",
                           i, t);
        }
    }
    return 0;
}

/* Into cells, for tk_time_windows_draw(). */
struct cell_drawing {
    struct tk_nesting nesting;
    uint32_t trace;
};

static void draw_cells(void *user, uint64_t draw_key, struct tk_time_trace *trace)
{
    struct cell_drawing *drawing = user;
    drawing->nesting.draw_key = draw_key;
    tk_nesting_draw(&drawing->nesting, trace, drawing->trace);
}

static int decode_numbers(struct tk_forest *forest, struct tk_coder *coders, unsigned count,
                          const struct tk_nesting *nesting, struct tk_time_windows *windows,
                          struct tk_err *err)
{
    TK_CLEANUP(tk_time_trace_release) struct tk_time_trace trace = {0};
    TK_CLEANUP(tk_time_models_freep) struct tk_time_models *models = NULL;
    int rc = tk_time_trace_init(&trace, forest, err);
    rc = rc < 0 ? rc : tk_time_models_new(forest->node_count, count - 1, &models, err);
    if (rc < 0)
        return rc;
    struct cell_drawing drawing = {.nesting = *nesting};
    const struct tk_time_drawer drawer = {draw_cells, &drawing, nesting->draw_key};
    drawing.nesting.levels = &models->levels;
    drawing.nesting.depth = count > TK_TIME_PLANES ? TK_TIME_PLANES : count - 1;
    for (uint32_t t = 0; t < forest->trace_count && rc == 0; t++) {
        tk_time_trace_load(&trace, forest, t);
        code_trace(coders, count, models, &trace, start_of(forest, t));
        drawing.trace = t;
        if (count <= REST)
            rc = tk_time_windows_draw(windows, &drawer, &trace, err);
        tk_time_trace_store(&trace, forest, t);
        rc = rc < 0 ? rc : check_over(coders, count, t, err);
    }
    return rc;
}

int tk_timing_decode(const struct tk_block *block, uint64_t draw_key, bool centre,
                     struct tk_forest *forest, struct tk_timing_report *ret_report,
                     struct tk_err *err)
{
    struct tk_coder coders[CODERS];
    unsigned count = open_sections(block, coders);
    const struct tk_nesting nesting = {.draw_key = draw_key, .centre = centre};
    TK_CLEANUP(tk_time_windows_freep) struct tk_time_windows *windows = NULL;
    *ret_report = (struct tk_timing_report){.planes = count < REST ? count : REST,
                                            .is_exact = count == CODERS};
    int rc = centre ? 0 : tk_time_windows_new(block, forest, &windows, err);
    if (rc < 0 || count > 0)
        return rc < 0 ? rc : decode_numbers(forest, coders, count, &nesting, windows, err);
    const struct tk_section *tables = tk_block_find(block, TK_SECTION_TIME_TABLES);
    ret_report->is_modelled = tables != NULL;
    if (tables)
        return tk_time_tables_draw(tables->bytes, draw_key, windows, forest, err);
    for (uint32_t i = 0; i < forest->node_count; i++) {
        forest->starts[i] = 0;
        forest->durations[i] = 0;
    }
    return 0;
}
