/* SPDX-License-Identifier: Apache-2.0 */
#include "opendc/check.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "opendc/check_internal.h"

const struct tk_check_rule_about tk_check_rules[TK_CHECK_RULES] = {
    [TK_CHECK_E01] = {"E01", true, "both files are there, and Parquet from end to end"},
    [TK_CHECK_E02] = {"E02", true, "no column is missing, also none that would be read as 0"},
    [TK_CHECK_E03] = {"E03", true, "each column has the type of the profile"},
    [TK_CHECK_E04] = {"E04", true, "what is required is, and is never null"},
    [TK_CHECK_E05] = {"E05", true, "ids are of one type in both files"},
    [TK_CHECK_E06] = {"E06", true, "no two tasks have one id"},
    [TK_CHECK_E07] = {"E07", true, "each task has a fragment, each fragment a task"},
    [TK_CHECK_E08] = {"E08", true, "durations are 1 ms or more"},
    [TK_CHECK_E09] = {"E09", true, "figures are finite and not negative, cpu_count is 1 or more"},
    [TK_CHECK_E10] = {"E10", true, "submission times are milliseconds, from 1990 to 2100"},
    [TK_CHECK_E11] = {"E11", true, "parents and children are known, symmetric, without circle"},
    [TK_CHECK_E12] = {"E12", true, "no deadline is before its submission"},
    [TK_CHECK_E13] = {"E13", true, "there is a task"},
    [TK_CHECK_E14] = {"E14", true, "the topology is JSON, with figures of known units"},
    [TK_CHECK_W01] = {"W01", false, "fragments add up to the duration of their task"},
    [TK_CHECK_W02] = {"W02", false, "no fragment vanishes or shrinks under policy Perfect"},
    [TK_CHECK_W03] = {"W03", false, "usage stays below capacity, and that below the hosts'"},
    [TK_CHECK_W04] = {"W04", false, "each task fits on some host"},
    [TK_CHECK_W05] = {"W05", false, "figures of the topology have units"},
    [TK_CHECK_W06] = {"W06", false, "most tasks have a course, not one constant usage"},
    [TK_CHECK_W07] = {"W07", false, "no more fragments than OpenDC holds in memory"},
    [TK_CHECK_W08] = {"W08", false, "tasks are sorted by submission, fragments of one id together"},
    [TK_CHECK_W09] = {"W09", false, "no column, key or codec that OpenDC does not know"},
};

void tk_check_found(struct tk_check *check, enum tk_check_rule rule,
                    const struct tk_check_place *place, const char *fmt, ...)
{
    struct tk_check_result *result = check->result;
    uint64_t before = result->counts[rule]++;
    result->errors += tk_check_rules[rule].is_error;
    result->warnings += !tk_check_rules[rule].is_error;
    uint64_t most = check->options->max_examples;
    if (!check->options->found || (most > 0 && before >= most))
        return;
    char text[400];
    va_list args;
    va_start(args, fmt);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start() is above */
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    const struct tk_check_finding finding = {rule, place->file, place->column, place->row, text};
    check->options->found(check->options->context, &finding);
}

/* The profile of files that nobody has named: by their names, and the type of their ids. */
static enum tk_opendc_profile guess_profile(int dirfd)
{
    static const struct tk_frame_want id = {"id", TK_FRAME_TEXT};
    if (faccessat(dirfd, "tasks.parquet", F_OK, 0) < 0 &&
        faccessat(dirfd, "meta.parquet", F_OK, 0) == 0)
        return TK_PROFILE_21;
    TK_CLEANUP(tk_frame_freep) struct tk_frame *frame = NULL;
    struct tk_err err;
    if (tk_frame_new(dirfd, "tasks.parquet", &id, 1, &frame, &err) < 0)
        return TK_PROFILE_OPENDC;
    size_t leaf_count;
    size_t node_count;
    const struct tk_parquet_file *file = tk_frame_part(frame, 0);
    const struct tk_parquet_leaf *leaves = tk_parquet_file_leaves(file, &leaf_count);
    const struct tk_parquet_node *nodes = tk_parquet_file_nodes(file, &node_count);
    size_t leaf = tk_parquet_file_find(file, TK_STR("id"));
    bool is_text = leaf < leaf_count && nodes[leaves[leaf].node].type == TK_PARQUET_BYTES;
    return is_text ? TK_PROFILE_24E : TK_PROFILE_OPENDC;
}

static int run(struct tk_check *check, struct tk_err *err)
{
    int rc = tk_check_topology(check, err);
    rc = rc < 0 ? rc : tk_check_tasks(check, err);
    if (rc < 0)
        return rc;
    tk_check_fragments(check);
    tk_check_sums(check);
    return tk_check_edges(check, err);
}

int tk_opendc_check(const struct tk_check_options *options, struct tk_check_result *ret_result,
                    struct tk_err *err)
{
    struct tk_check_result result = {.cpu_hours = (double)NAN, .utilisation = (double)NAN};
    struct tk_check check = {.options = options, .result = &result, .dirfd = -1};
    int rc = tk_dir_open(AT_FDCWD, options->folder, &check.dirfd, err);
    if (rc < 0)
        return rc;
    result.profile = options->profile >= 0 ? (enum tk_opendc_profile)options->profile
                                           : guess_profile(check.dirfd);
    check.profile = &tk_profiles[result.profile];
    rc = run(&check, err);
    free(check.tasks);
    free(check.edges);
    tk_map_release(&check.by_id);
    tk_fd_close(&check.dirfd);
    if (rc == 0)
        *ret_result = result;
    return rc;
}
