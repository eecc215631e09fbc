/* SPDX-License-Identifier: Apache-2.0 */
/* Fewer sections of each block: they stand in the order of their worth, so the last ones go. The
 * bytes of those that stay are what an encoder with that ceiling writes. */
#include <errno.h>

#include "codec/block_budget.h"
#include "codec/block_writer.h"

/* Whether a section is above the ceiling of planes: those of time, and what is exact of all. */
static bool is_above(uint32_t type, uint32_t planes)
{
    bool is_plane = type >= TK_SECTION_TIME_BASE + planes && type <= TK_SECTION_ARRIVAL_REST;
    bool is_of_all =
        type == TK_SECTION_EXACT_TEXTS || type == TK_SECTION_IDS || type == TK_SECTION_DETAILS;
    return planes > 0 && (is_plane || is_of_all);
}

/* The sections of a block that are whole and below the ceiling. */
static size_t choose(uint32_t planes, const struct tk_block *block, struct tk_block_head *head,
                     struct tk_section ret_sections[TK_BLOCK_MAX_SECTIONS])
{
    size_t count = 0;
    for (size_t i = 0; i < block->section_count; i++) {
        const struct tk_section *section = &block->sections[i];
        if (is_above(section->type, planes)) {
            tk_block_budget_drop(head, section->type);
        } else if (!section->damaged) {
            ret_sections[count++] = *section;
        }
    }
    if (planes > 0 && head->planes > planes)
        head->planes = planes;
    return count;
}

static int truncate_block(const struct tk_codec_ceiling *ceiling, const struct tk_block *block,
                          struct tk_block_budget *budget, struct tk_block_writer *writer,
                          struct tk_err *err)
{
    struct tk_section sections[TK_BLOCK_MAX_SECTIONS];
    struct tk_block_head head = block->head;
    bool is_old = ceiling->before_ns == 0 || head.end_ns < ceiling->before_ns;
    size_t count = choose(is_old ? ceiling->planes : 0, block, &head, sections);
    if (is_old) {
        uint64_t limit = tk_block_budget_open(budget, &head);
        uint64_t bytes;
        if (!tk_block_budget_fit(limit, &head, sections, &count, &bytes)) {
            return tk_fail(err, -EMSGSIZE,
                           "block %llu: what cannot go takes %llu bytes for %u traces, and %llu "
                           "are left for it",
                           (unsigned long long)head.number, (unsigned long long)bytes, head.traces,
                           (unsigned long long)limit);
        }
        tk_block_budget_pay(budget, bytes);
    }
    return tk_block_writer_add(writer, &head, sections, count, err);
}

static int truncate_all(const struct tk_codec_ceiling *ceiling, tk_str file,
                        struct tk_block_budget *budget, struct tk_block_writer *writer,
                        struct tk_err *err)
{
    struct tk_block_walk walk = {.file = file};
    struct tk_block block;
    int rc;
    while ((rc = tk_block_walk_next(&walk, &block, err)) == 0) {
        rc = truncate_block(ceiling, &block, budget, writer, err);
        if (rc < 0)
            return rc;
    }
    return rc < 0 ? rc : 0;
}

int tk_codec_truncate(const struct tk_codec_ceiling *ceiling, tk_str file,
                      const struct tk_codec_output *output, struct tk_codec_info *ret_info,
                      struct tk_err *err)
{
    struct tk_block_writer writer;
    struct tk_codec_info before;
    struct tk_block_budget budget;
    double of_trace = ceiling->trace_budget_bytes;
    int rc = tk_codec_info_read(file, &before, err);
    if (rc < 0)
        return rc;
    if (ceiling->budget_bytes > 0 && before.traces > 0) {
        double of_all = (double)ceiling->budget_bytes / (double)before.traces;
        of_trace = of_trace > 0 && of_trace < of_all ? of_trace : of_all;
    }
    tk_block_budget_init(&budget, of_trace, ceiling->span_budget_bytes);
    tk_block_writer_init(&writer, output);
    rc = truncate_all(ceiling, file, &budget, &writer, err);
    rc = rc < 0 ? rc : tk_block_writer_close(&writer, ret_info, err);
    tk_block_writer_release(&writer);
    return rc;
}
