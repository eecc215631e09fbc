/* SPDX-License-Identifier: Apache-2.0 */
#include "run/merge.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "run/merge_internal.h"
#include "run/verify.h"

#define DOCUMENT_MAX ((size_t)1 << 20)
#define REPORT       "audit_report.md" /* that verify leaves in the result */
#define FINDINGS_MAX 5                 /* told per rule and file */

void tk_merge_say(const struct tk_merge *merge, const char *fmt, ...)
{
    char line[2 * PATH_MAX];
    va_list args;
    if (!merge->options->say)
        return;
    va_start(args, fmt);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): clang 14 overlooks va_start() here */
    (void)vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    merge->options->say(merge->options->context, line);
}

void tk_merge_run_name(const char *folder, char ret_name[TK_MERGE_NAME_MAX])
{
    tk_str path = tk_str_from(folder);
    while (path.n > 1 && path.p[path.n - 1] == '/')
        path.n--;
    tk_str name = tk_run_path_name(path);
    if (tk_str_eq(name, TK_STR("cctf")) && path.n > name.n)
        name = tk_run_path_name((tk_str){path.p, path.n - name.n - 1});
    size_t bracket = tk_str_find(name, '(');
    if (bracket > 0)
        name.n = bracket;
    (void)snprintf(ret_name, TK_MERGE_NAME_MAX, "%.*s", TK_STR_ARG(name));
}

/* The result ----------------------------------------------------------------------------------- */

static int is_entry(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static bool is_empty(int dirfd)
{
    struct dirent **entries;
    int count = scandirat(dirfd, ".", &entries, is_entry, NULL);
    for (int i = 0; i < count; i++)
        free(entries[i]);
    if (count >= 0)
        free(entries);
    return count == 0;
}

static int open_result(struct tk_merge *merge, struct tk_err *err)
{
    const char *to = merge->options->to;
    merge->missing = tk_dir_missing(to);
    int rc = tk_run_folder_make(to, err);
    if (rc == 0)
        rc = tk_dir_open(AT_FDCWD, to, &merge->out, err);
    if (rc < 0)
        return rc;
    rc = tk_run_folder_claim(merge->out, to, err);
    if (rc < 0) {
        merge->missing = 0; /* the other one takes it back */
        return rc;
    }
    merge->is_new = is_empty(merge->out);
    if (!merge->is_new && faccessat(merge->out, TK_MERGE_MANIFEST, F_OK, 0) < 0)
        return tk_fail(err, -EEXIST, "%s is not empty, and no result of a merge", to);
    merge->is_ours = true;
    return 0;
}

/* The files that a merge, or verify after it, leaves. */
static void remove_result(const struct tk_merge *merge)
{
    for (size_t i = 0; i < TK_TABLE_COUNT; i++) {
        if (tk_tables[i].cctf)
            (void)unlinkat(merge->out, tk_tables[i].cctf, 0);
    }
    (void)unlinkat(merge->out, TK_MERGE_MANIFEST, 0);
    (void)unlinkat(merge->out, REPORT, 0);
}

static int remove_old(struct tk_merge *merge, struct tk_err *err)
{
    (void)err;
    merge->began = true;
    remove_result(merge);
    return 0;
}

static void remove_scratch(const struct tk_merge *merge)
{
    tk_run_folder_clear(merge->out, TK_MERGE_SCRATCH);
    (void)unlinkat(merge->out, TK_MERGE_SCRATCH, AT_REMOVEDIR);
}

/* Documents that are of one node as a rule: the first that there is. */
static int copy_document(const struct tk_merge *merge, enum tk_table table, struct tk_err *err)
{
    const char *name = tk_tables[table].cctf;
    for (size_t i = 0; i < merge->input_count; i++) {
        TK_CLEANUP(tk_buf_release) struct tk_buf text;
        tk_buf_init(&text, DOCUMENT_MAX);
        int rc = tk_file_load(merge->inputs[i].cctf, name, &text, err);
        if (rc == -ENOENT)
            continue;
        if (rc == 0)
            rc = tk_file_write(merge->out, name, tk_buf_str(&text), 0644, err);
        if (rc == 0)
            tk_run_adopt_name(merge->out, name);
        return rc;
    }
    return 0;
}

static int copy_documents(struct tk_merge *merge, struct tk_err *err)
{
    int rc = copy_document(merge, TK_TABLE_RUN_META, err);
    return rc < 0 ? rc : copy_document(merge, TK_TABLE_MODULE_INVENTORY, err);
}

/* The merge ------------------------------------------------------------------------------------ */

static void say_violations(const struct tk_merge *merge)
{
    const struct tk_merge_report *report = merge->report;
    for (size_t i = 0; i < report->pair_count; i++) {
        const struct tk_merge_pair *pair = &report->pairs[i];
        if (pair->violations == 0)
            continue;
        tk_merge_say(merge,
                     "%llu of %llu calls from %s to %s start before their cause, by up to "
                     "%.3f ms: the clocks are further apart than they claim",
                     (unsigned long long)pair->violations, (unsigned long long)pair->calls,
                     report->nodes[pair->parent].id, report->nodes[pair->child].id,
                     (double)pair->worst_us / 1000);
    }
}

static void say_finding(void *context, const struct tk_verify_finding *finding)
{
    const struct tk_verify_rule_about *rule = &tk_verify_rules[finding->rule];
    tk_merge_say(context, "%s line %llu: %s: %s", finding->file, (unsigned long long)finding->line,
                 rule->is_error ? "error" : "warning", finding->text);
}

static int validate(struct tk_merge *merge, struct tk_err *err)
{
    const struct tk_verify_options options = {.folder = merge->options->to,
                                              .max_findings = FINDINGS_MAX,
                                              .found = say_finding,
                                              .context = merge};
    struct tk_verify_result result;
    if (!merge->options->validate)
        return 0;
    int rc = tk_verify(&options, &result, err);
    if (rc < 0)
        return rc;
    merge->report->errors = result.errors;
    merge->report->warnings = result.warnings;
    return 0;
}

static int run_steps(struct tk_merge *merge, struct tk_err *err)
{
    static int (*const steps[])(struct tk_merge * merge, struct tk_err * err) = {
        open_result,
        tk_merge_find_inputs,
        tk_merge_find_nodes,
        tk_merge_find_shifts,
        remove_old,
        tk_merge_write_nodes,
        tk_merge_write_tables,
        tk_merge_write_run,
        copy_documents,
        tk_merge_write_manifest,
        validate,
    };
    for (size_t i = 0; i < TK_COUNTOF(steps); i++) {
        int rc = steps[i](merge, err);
        if (rc < 0)
            return rc;
    }
    say_violations(merge);
    return 0;
}

static void release(struct tk_merge *merge)
{
    for (size_t i = 0; i < merge->input_count; i++)
        tk_fd_close(&merge->inputs[i].cctf);
    for (size_t i = 0; merge->shifts && i < TK_MERGE_NODES_MAX; i++)
        free(merge->shifts[i]);
    tk_merge_calls_free(merge->calls);
    tk_batch_free(merge->nodes);
    free(merge->shifts);
    free(merge->inputs);
    tk_fd_close(&merge->out);
}

int tk_merge(const struct tk_merge_options *options, struct tk_merge_report *ret_report,
             struct tk_err *err)
{
    struct tk_merge merge = {.options = options, .report = ret_report, .out = -1};
    merge.inputs = calloc(TK_MERGE_INPUTS_MAX, sizeof(*merge.inputs));
    int rc = merge.inputs ? run_steps(&merge, err) : tk_fail(err, -ENOMEM, "out of memory");
    if (merge.is_ours)
        remove_scratch(&merge);
    if (rc < 0 && (merge.is_new || merge.began))
        remove_result(&merge);
    if (rc < 0 && merge.missing > 0)
        tk_dir_unmake(options->to, merge.missing);
    release(&merge);
    return rc;
}

void tk_merge_report_release(struct tk_merge_report *report)
{
    free(report->nodes);
    *report = (struct tk_merge_report){0};
}
