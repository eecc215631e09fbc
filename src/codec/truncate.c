/* SPDX-License-Identifier: Apache-2.0 */
/* Fewer sections of each block: they stand in the order of their worth, so the last ones go. The
 * bytes of those that stay are what an encoder with that ceiling writes; lossless blocks, whose
 * attributes are exact, are coded anew for that once their times are to lose digits. */
#include <errno.h>

#include "codec/block_budget.h"
#include "codec/block_writer.h"
#include "codec/recode.h"

#define ALL_PLANES 8

/* Whether a section is above the ceiling of planes: those of time, and what is exact of all. */
static bool is_above(uint32_t type, uint32_t planes)
{
    bool is_plane = type >= TK_SECTION_TIME_BASE + planes && type <= TK_SECTION_ARRIVAL_REST;
    bool is_of_all = type == TK_SECTION_EXACT_TEXTS ||
                     (type >= TK_SECTION_IDS && type != TK_SECTION_TIME_WINDOWS);
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

/* A block on its way: what stays of it. */
struct cut {
    struct tk_block_head head;
    struct tk_section sections[TK_BLOCK_MAX_SECTIONS];
    size_t count;
    struct tk_section_set set; /* of sections that were coded anew */
};

/* Whether exact attributes are all that would stay of what is exact. */
static bool is_inexact(const struct tk_block *block, const struct cut *cut)
{
    bool has_rest = false;
    for (size_t i = 0; i < cut->count; i++)
        has_rest |= cut->sections[i].type == TK_SECTION_TIME_REST;
    return tk_block_find(block, TK_SECTION_TIME_REST) ? !has_rest : cut->head.planes < ALL_PLANES;
}

/* Sections of an exact block whose times are to lose digits: attributes lose what is theirs alone,
 * too. */
static int recode(const struct tk_block *block, const struct tk_codec_options *options,
                  struct cut *cut, struct tk_err *err)
{
    struct tk_block_head head;
    int rc = tk_block_recode(block, options, &head, &cut->set, err);
    if (rc < 0)
        return rc;
    cut->head = head;
    cut->count = tk_section_set_list(&cut->set, cut->sections);
    return 0;
}

/* What stays of a block where only distributions may: of one with damage nothing is known to be no
 * more than that. */
static int model(const struct tk_block *block, struct cut *cut, struct tk_err *err)
{
    if (block->head.mode == TK_CODEC_GENERATIVE)
        return 0;
    int rc = recode(block, &(struct tk_codec_options){.mode = TK_CODEC_GENERATIVE}, cut, err);
    if (rc == -EBADMSG) {
        struct tk_err why = *err;
        return tk_fail(err, rc, "block %llu is damaged, and cannot become distributions: %.200s",
                       (unsigned long long)block->head.number, why.msg);
    }
    return rc;
}

/* Choose what stays below the ceiling, and then in the budget. */
static int cut_block(const struct tk_codec_ceiling *ceiling, const struct tk_block *block,
                     struct tk_block_budget *budget, struct cut *cut, struct tk_err *err)
{
    bool is_exact = tk_block_is_exact(block);
    cut->head = block->head;
    cut->count = choose(ceiling->planes, block, &cut->head, cut->sections);
    if (ceiling->generative) {
        int rc = model(block, cut, err);
        if (rc < 0)
            return rc;
    }
    uint64_t limit = tk_block_budget_open(budget, &cut->head);
    struct cut tried = *cut;
    uint64_t bytes;
    bool fits = tk_block_budget_fit(limit, &tried.head, tried.sections, &tried.count, &bytes);
    if (is_exact && !ceiling->generative && (!fits || is_inexact(block, &tried))) {
        uint32_t planes = ceiling->planes > 0 ? ceiling->planes : ALL_PLANES;
        int rc = recode(block, &(struct tk_codec_options){.planes = planes}, cut, err);
        if (rc < 0 && rc != -EBADMSG) /* what is damaged stays as it is */
            return rc;
    }
    if (!tk_block_budget_fit(limit, &cut->head, cut->sections, &cut->count, &bytes)) {
        return tk_fail(err, -EMSGSIZE,
                       "block %llu: what cannot go takes %llu bytes for %u traces, and %llu "
                       "are left for it",
                       (unsigned long long)cut->head.number, (unsigned long long)bytes,
                       cut->head.traces, (unsigned long long)limit);
    }
    tk_block_budget_pay(budget, bytes);
    return 0;
}

static int truncate_block(const struct tk_codec_ceiling *ceiling, const struct tk_block *block,
                          struct tk_block_budget *budget, struct tk_block_writer *writer,
                          struct tk_err *err)
{
    struct cut cut = {.head = block->head};
    bool is_old = ceiling->before_ns == 0 || block->head.end_ns < ceiling->before_ns;
    tk_section_set_init(&cut.set);
    int rc = 0;
    if (is_old) {
        rc = cut_block(ceiling, block, budget, &cut, err);
    } else {
        cut.count = choose(0, block, &cut.head, cut.sections);
    }
    rc = rc < 0 ? rc : tk_block_writer_add(writer, &cut.head, cut.sections, cut.count, err);
    tk_section_set_release(&cut.set);
    return rc;
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
