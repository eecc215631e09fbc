/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tkz_view.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/human.h"
#include "cmd/member.h"
#include "codec/shape_counts.h"
#include "codec/topology.h"
#include "report/grid.h"

enum column { SECTION, BYTES, OF_TRACE, OF_SPAN, SHARE, COLUMNS };

static const struct tk_grid_column columns[COLUMNS] = {
    [SECTION] = {.name = "section"},
    [BYTES] = {.name = "bytes", .right = true},
    [OF_TRACE] = {.name = "a trace", .right = true},
    [OF_SPAN] = {.name = "a span", .right = true},
    [SHARE] = {.name = "share", .right = true, .style = TK_STYLE_DIM},
};

/* What spans are like that come out of the file. */
static void put_content(const struct tk_codec_info *info, struct tk_buf *out)
{
    tk_buf_lit(out, "  every trace with its tree, errors and start; times ");
    if (info->lossless == info->blocks) {
        tk_buf_printf(out, "exact; nothing is lost%s\n",
                      info->without_ids > 0 ? " but ids, which are made up" : "");
    } else if (info->generative == info->blocks) {
        tk_buf_lit(out, "drawn from distributions\n");
    } else {
        tk_buf_lit(out, "within ");
        if (info->most_planes != info->least_planes)
            tk_buf_printf(out, "%.3g to ", tk_codec_quality(info->most_planes));
        tk_buf_printf(out, "%.3g %%", tk_codec_quality(info->least_planes));
        if (info->generative + info->lossless > 0) {
            tk_buf_printf(out, "; %llu blocks are lossless, %llu drawn from distributions",
                          (unsigned long long)info->lossless, (unsigned long long)info->generative);
        }
        tk_buf_putc(out, '\n');
    }
}

/* What else comes back of spans that are not lossless, and what does not. */
static void put_rest(const struct tk_codec_info *info, struct tk_buf *out)
{
    bool has_ids = info->section_bytes[TK_SECTION_IDS] > 0;
    bool has_details = info->section_bytes[TK_SECTION_DETAILS] > 0;
    if (info->lossless == info->blocks)
        return;
    tk_buf_lit(out, "  attributes: ");
    if (info->without_attrs == info->blocks) {
        tk_buf_lit(out, "none");
    } else if (info->with_gent_attrs == info->blocks) {
        tk_buf_lit(out, "Gen-T's five of a span");
    } else {
        tk_buf_lit(out, "all keys (how exact: --keys)");
        if (info->with_gent_attrs + info->without_attrs > 0) {
            tk_buf_printf(out, ", but Gen-T's five in %llu blocks, none in %llu",
                          (unsigned long long)info->with_gent_attrs,
                          (unsigned long long)info->without_attrs);
        }
    }
    tk_buf_printf(out, "%s%s\n", has_ids ? "" : "; ids are made up",
                  has_details ? "" : "; no events, links, messages");
}

/* How the encoder was set, but for what the lines before tell. */
static void put_settings(const struct tk_codec_info *info, struct tk_buf *out)
{
    const char *unit = info->tick_ns >= TK_NS_PER_MS ? "ms" : info->tick_ns >= 1000 ? "us" : "ns";
    tk_buf_printf(out, "  seed %llu, clock of 1 %s", (unsigned long long)info->seed, unit);
    if (info->min_count > 0)
        tk_buf_printf(out, ", nothing that fewer than %u spans share", info->min_count);
    tk_buf_putc(out, '\n');
}

static void put_count(struct tk_buf *out, uint64_t count, const char *what)
{
    char text[TK_HUMAN_MAX];
    if (count > 0)
        tk_buf_printf(out, "  %s %s\n", tk_count_format((int64_t)count, text), what);
}

static void put_counts(const struct tk_codec_info *info, struct tk_buf *out)
{
    put_count(out, info->coarse_starts, "blocks tell starts to some seconds only");
    put_count(out, info->kept_traces, "traces are kept whole besides");
    put_count(out, info->duplicates, "spans had come before and were left out");
    put_count(out, info->unequal_duplicates, "of those differed from the first");
    put_count(out, info->orphans, "spans name a parent that is not in their trace");
    put_count(out, info->cycles, "spans were cut off from a parent that is below them");
    put_count(out, info->late, "spans came after their trace was written");
    put_count(out, info->damaged_bytes, "bytes are damaged and belong to no block");
    put_count(out, info->damaged_sections, "sections are damaged or cut off");
    if (!info->closed)
        tk_buf_lit(out, "  no index at the end: cut off, or still being written\n");
}

static void add_row(struct tk_grid *grid, const struct tk_codec_info *info, const char *name,
                    uint64_t bytes)
{
    char text[TK_HUMAN_MAX];
    if (bytes == 0)
        return;
    tk_grid_add(grid);
    tk_grid_set(grid, SECTION, name);
    tk_grid_set(grid, BYTES, tk_count_format((int64_t)bytes, text));
    tk_grid_set(grid, SHARE, tk_share_format((double)bytes / (double)info->bytes, text));
    if (info->spans == 0)
        return;
    (void)snprintf(text, sizeof(text), "%.3f", (double)bytes / (double)info->traces);
    tk_grid_set(grid, OF_TRACE, text);
    (void)snprintf(text, sizeof(text), "%.3f", (double)bytes / (double)info->spans);
    tk_grid_set(grid, OF_SPAN, text);
}

static int put_sections(const struct tk_codec_info *info, const struct tk_look *look,
                        struct tk_buf *out, struct tk_err *err)
{
    TK_CLEANUP(tk_grid_freep) struct tk_grid *grid = NULL;
    int rc = tk_grid_new(
        look, &(struct tk_grid_options){.columns = columns, .column_count = COLUMNS, .indent = 2},
        &grid, err);
    if (rc < 0)
        return rc;
    for (uint32_t type = 1; type < TK_SECTION_COUNT; type++)
        add_row(grid, info, tk_section_name(type), info->section_bytes[type]);
    add_row(grid, info, "not known", info->unknown_bytes);
    add_row(grid, info, "damaged", info->damaged_bytes);
    add_row(grid, info, "heads, index", info->head_bytes);
    add_row(grid, info, "all", info->bytes);
    return tk_grid_write(grid, out, err);
}

int tk_tkz_view(const struct tk_codec_info *info, const char *name, const struct tk_look *look,
                struct tk_buf *out, struct tk_err *err)
{
    char traces[TK_HUMAN_MAX];
    char spans[TK_HUMAN_MAX];
    char bytes[TK_HUMAN_MAX];
    char first[TK_TIME_MAX];
    char last[TK_TIME_MAX];
    tk_style_printf(out, look, TK_STYLE_TITLE, "%s", name);
    tk_buf_printf(
        out, ": %s trace%s, %s span%s in %llu block%s, %s\n",
        tk_count_format((int64_t)info->traces, traces), tk_count_ending((int64_t)info->traces),
        tk_count_format((int64_t)info->spans, spans), tk_count_ending((int64_t)info->spans),
        (unsigned long long)info->blocks, tk_count_ending((int64_t)info->blocks),
        tk_bytes_format((double)info->bytes, bytes));
    if (info->first_ns <= info->last_ns) {
        tk_buf_printf(out, "  %s to %s\n", tk_time_format_iso(info->first_ns, first),
                      tk_time_format_iso(info->last_ns, last));
        put_content(info, out);
        put_rest(info, out);
        put_settings(info, out);
    }
    put_counts(info, out);
    tk_buf_putc(out, '\n');
    return put_sections(info, look, out, err);
}

/* JSON ----------------------------------------------------------------------------------------- */

static void put_sections_json(const struct tk_codec_info *info, struct tk_buf *out)
{
    tk_member_open(out, "section_bytes", '{');
    for (uint32_t type = 1; type < TK_SECTION_COUNT; type++) {
        if (info->section_bytes[type] > 0)
            tk_member_put_i64(out, tk_section_name(type), (int64_t)info->section_bytes[type]);
    }
    tk_buf_putc(out, '}');
}

void tk_tkz_view_json(const struct tk_codec_info *info, const char *name,
                      const struct tk_attrs_report *keys, struct tk_buf *out)
{
    const struct {
        const char *name;
        uint64_t value;
    } members[] = {{"bytes", info->bytes},
                   {"blocks", info->blocks},
                   {"lossless_blocks", info->lossless},
                   {"generative_blocks", info->generative},
                   {"gent_attribute_blocks", info->with_gent_attrs},
                   {"no_attribute_blocks", info->without_attrs},
                   {"coarse_start_blocks", info->coarse_starts},
                   {"no_id_blocks", info->without_ids},
                   {"seed", info->seed},
                   {"tick_ns", (uint64_t)info->tick_ns},
                   {"min_count", info->min_count},
                   {"kept_per_mille", info->kept_per_mille},
                   {"traces", info->traces},
                   {"spans", info->spans},
                   {"spans_in", info->spans_in},
                   {"duplicates", info->duplicates},
                   {"unequal_duplicates", info->unequal_duplicates},
                   {"orphans", info->orphans},
                   {"cycles", info->cycles},
                   {"late", info->late},
                   {"kept_traces", info->kept_traces},
                   {"head_bytes", info->head_bytes},
                   {"unknown_bytes", info->unknown_bytes},
                   {"damaged_bytes", info->damaged_bytes},
                   {"damaged_sections", info->damaged_sections}};
    bool has_spans = info->first_ns <= info->last_ns;
    bool has_numbers = info->most_planes > 0;
    tk_buf_putc(out, '{');
    tk_member_put_text(out, "file", tk_str_from(name));
    for (size_t i = 0; i < TK_COUNTOF(members); i++)
        tk_member_put_i64(out, members[i].name, (int64_t)members[i].value);
    tk_member_put_f64(out, "bytes_per_trace",
                      info->traces ? (double)info->bytes / (double)info->traces : -1, 4);
    tk_member_put_f64(out, "bytes_per_span",
                      info->spans ? (double)info->bytes / (double)info->spans : -1, 4);
    tk_member_put_f64(out, "error_percent", has_numbers ? tk_codec_quality(info->least_planes) : -1,
                      4);
    tk_member_put_i64(out, "first_ns", has_spans ? info->first_ns : -1);
    tk_member_put_i64(out, "last_ns", has_spans ? info->last_ns : -1);
    tk_member_put_bool(out, "closed", info->closed);
    put_sections_json(info, out);
    if (keys)
        tk_tkz_view_keys_json(keys, out);
    tk_buf_lit(out, "}\n");
}

/* Shapes --------------------------------------------------------------------------------------- */

static int add_shapes(tk_str file, struct tk_shape_counts *shapes, struct tk_err *err)
{
    struct tk_block_walk walk = {.file = file};
    struct tk_block block;
    struct tk_forest forest = {0};
    int rc;
    while ((rc = tk_block_walk_next(&walk, &block, err)) == 0) {
        rc = tk_topology_decode(&block, 0, &forest, err);
        rc = rc < 0 ? rc : tk_shape_counts_add(shapes, &forest, err);
        if (rc < 0 && rc != -EBADMSG)
            break;
    }
    tk_forest_release(&forest);
    return rc < 0 ? rc : 0;
}

static void put_shapes(const struct tk_shape_counts_info *info, const char *name,
                       struct tk_buf *out)
{
    char shapes[TK_HUMAN_MAX];
    char once[TK_HUMAN_MAX];
    char subtrees[TK_HUMAN_MAX];
    char traces[TK_HUMAN_MAX];
    tk_buf_printf(out,
                  "%s: %s different trace%s of %s, %s of them seen once; %s different subtree%s; "
                  "%.2f bits tell which a trace is\n",
                  name, tk_count_format((int64_t)info->shapes, shapes),
                  tk_count_ending((int64_t)info->shapes),
                  tk_count_format((int64_t)info->traces, traces),
                  tk_count_format((int64_t)info->once, once),
                  tk_count_format((int64_t)info->subtrees, subtrees),
                  tk_count_ending((int64_t)info->subtrees), info->entropy_bits);
}

static void put_shapes_json(const struct tk_shape_counts_info *info, const char *name,
                            struct tk_buf *out)
{
    tk_buf_putc(out, '{');
    tk_member_put_text(out, "file", tk_str_from(name));
    tk_member_put_i64(out, "traces", (int64_t)info->traces);
    tk_member_put_i64(out, "shapes", (int64_t)info->shapes);
    tk_member_put_i64(out, "shapes_once", (int64_t)info->once);
    tk_member_put_i64(out, "subtrees", (int64_t)info->subtrees);
    tk_member_put_f64(out, "entropy_bits", info->entropy_bits, 4);
    tk_buf_lit(out, "}\n");
}

int tk_tkz_view_shapes(tk_str file, const char *name, bool json, struct tk_buf *out,
                       struct tk_err *err)
{
    struct tk_shape_counts shapes;
    struct tk_shape_counts_info info;
    tk_shape_counts_init(&shapes);
    int rc = add_shapes(file, &shapes, err);
    tk_shape_counts_describe(&shapes, &info);
    tk_shape_counts_release(&shapes);
    if (rc < 0)
        return rc;
    if (json) {
        put_shapes_json(&info, name, out);
    } else {
        put_shapes(&info, name, out);
    }
    return 0;
}
