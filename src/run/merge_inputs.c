/* SPDX-License-Identifier: Apache-2.0 */
/* The runs to merge: found in the folders that were given, parsed where their cctf/ is missing or
 * older than what it was made of. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "run/merge_internal.h"
#include "run/parse.h"
#include "run/recording.h"

#define DEPTH_MAX 3

/* What is a run ------------------------------------------------------------------------------ */

static bool has_file(int dirfd, const char *name)
{
    return faccessat(dirfd, name, F_OK, 0) == 0;
}

/* A cctf/ itself, as an earlier merge made it. */
static bool is_cctf(int dirfd)
{
    return has_file(dirfd, "nodes.json") && !has_file(dirfd, "node_meta.json");
}

static bool is_run(int dirfd)
{
    static const char *const marks[] = {"nodes.json",      "node_meta.json", "cctf/nodes.json",
                                        "CTS/nodes.json",  "run.json",       "resources.jsonl",
                                        TK_RECORDING_FILE, "cpu.log"};
    for (size_t i = 0; i < TK_COUNTOF(marks); i++) {
        if (has_file(dirfd, marks[i]))
            return true;
    }
    return false;
}

/* Fresh --------------------------------------------------------------------------------------- */

/* Files written within one tick of the kernel's clock have one time. */
static bool is_older(const struct stat *a, const struct stat *b)
{
    return a->st_mtim.tv_sec != b->st_mtim.tv_sec ? a->st_mtim.tv_sec < b->st_mtim.tv_sec
                                                  : a->st_mtim.tv_nsec < b->st_mtim.tv_nsec;
}

/* A file of a run folder that parse reads. */
static int is_source(const struct dirent *entry)
{
    tk_str name = tk_str_from(entry->d_name);
    if (tk_str_eq(name, TK_STR("events.jsonl")))
        return 0;
    return tk_str_ends_with(name, TK_STR(".jsonl")) || tk_str_ends_with(name, TK_STR(".json")) ||
           tk_str_ends_with(name, TK_STR(".log")) || tk_str_ends_with(name, TK_STR(".tkr"));
}

/* parse writes the invocations first of all, after it has read what they are made of. */
static bool is_fresh(int dirfd)
{
    struct stat made;
    struct dirent **entries;
    if (!has_file(dirfd, "cctf/run.json") || !has_file(dirfd, "cctf/nodes.json") ||
        fstatat(dirfd, "cctf/invocations.jsonl", &made, 0) < 0)
        return false;
    int count = scandirat(dirfd, ".", &entries, is_source, NULL);
    bool fresh = count >= 0;
    for (int i = 0; i < count; i++) {
        struct stat source;
        if (fstatat(dirfd, entries[i]->d_name, &source, 0) == 0 && !is_older(&source, &made) &&
            strcmp(entries[i]->d_name, "module_inventory.json") != 0)
            fresh = false;
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    return fresh;
}

/* Opening -------------------------------------------------------------------------------------- */

struct telling {
    const struct tk_merge *merge;
    const char *path;
};

static void say_warning(void *context, enum tk_parse_note note, const char *line)
{
    const struct telling *telling = context;
    if (note == TK_PARSE_WARNING)
        tk_merge_say(telling->merge, "%s: %s", telling->path, line);
}

static int parse_input(const struct tk_merge *merge, const struct tk_merge_input *input,
                       int *ret_cctf, struct tk_err *err)
{
    char output[PATH_MAX];
    struct telling telling = {merge, input->path};
    struct tk_parse_result ignored;
    int n = snprintf(output, sizeof(output), "%s/" TK_MERGE_SCRATCH "/%zu", merge->options->to,
                     merge->input_count);
    if (n >= (int)sizeof(output))
        return tk_fail(err, -ENAMETOOLONG, "%s: path too long", merge->options->to);
    const struct tk_parse_options options = {
        .folder = input->path, .output = output, .say = say_warning, .context = &telling};
    int rc = tk_parse(&options, &ignored, err);
    if (rc < 0)
        return rc;
    (void)snprintf(output + n, sizeof(output) - (size_t)n, "/cctf");
    return tk_dir_open(AT_FDCWD, output, ret_cctf, err);
}

static int open_cctf(const struct tk_merge *merge, const struct tk_merge_input *input, int dirfd,
                     int *ret_cctf, struct tk_err *err)
{
    if (is_cctf(dirfd))
        return tk_dir_open(dirfd, ".", ret_cctf, err);
    if (is_fresh(dirfd))
        return tk_dir_open(dirfd, "cctf", ret_cctf, err);
    return parse_input(merge, input, ret_cctf, err);
}

/* The same folder by two names is one input. */
static bool is_known(const struct tk_merge *merge, const char *real)
{
    for (size_t i = 0; i < merge->input_count; i++) {
        if (strcmp(merge->inputs[i].path, real) == 0)
            return true;
    }
    return false;
}

static int add_input(struct tk_merge *merge, const char *path, int dirfd, struct tk_err *err)
{
    char real[PATH_MAX];
    if (!realpath(path, real))
        return tk_fail_errno(err, "%s", path);
    merge->found++;
    if (is_known(merge, real)) {
        tk_merge_say(merge, "%s is given twice", path);
        return 0;
    }
    if (merge->input_count == TK_MERGE_INPUTS_MAX)
        return tk_fail(err, -EMSGSIZE, "more than %d runs", TK_MERGE_INPUTS_MAX);
    struct tk_merge_input *input = &merge->inputs[merge->input_count];
    tk_str name = tk_run_path_name(tk_str_from(real));
    *input = (struct tk_merge_input){.cctf = -1};
    (void)snprintf(input->path, sizeof(input->path), "%s", real);
    (void)snprintf(input->name, sizeof(input->name), "%.*s", TK_STR_ARG(name));
    int rc = open_cctf(merge, input, dirfd, &input->cctf, err);
    if (rc < 0)
        return tk_err_prefix(err, "%s", path);
    merge->input_count++;
    return 0;
}

/* Finding -------------------------------------------------------------------------------------- */

static int by_run(const struct dirent **a, const struct dirent **b)
{
    return tk_run_id_cmp(tk_str_from((*a)->d_name), tk_str_from((*b)->d_name));
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* The result of an earlier merge may lie among its sources. */
static bool is_result(const struct tk_merge *merge, int dirfd)
{
    struct stat a;
    struct stat b;
    return fstat(dirfd, &a) == 0 && fstat(merge->out, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

static int search(struct tk_merge *merge, const char *folder, int depth, struct tk_err *err);

static int search_below(struct tk_merge *merge, const char *folder, int depth, struct tk_err *err)
{
    struct dirent **entries;
    int rc = 0;
    int count = scandir(folder, &entries, is_visible, by_run);
    if (count < 0)
        return tk_fail_errno(err, "%s", folder);
    for (int i = 0; i < count; i++) {
        char path[PATH_MAX];
        struct stat st;
        int n = snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
        if (rc == 0 && n < (int)sizeof(path) && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
            rc = search(merge, path, depth + 1, err);
        free(entries[i]);
    }
    free(entries);
    return rc;
}

/* Recurses at most DEPTH_MAX deep. */
static int search(struct tk_merge *merge, const char *folder, int depth, struct tk_err *err)
{
    TK_CLEANUP(tk_fd_close) int dirfd = -1;
    int rc = tk_dir_open(AT_FDCWD, folder, &dirfd, err);
    if (rc < 0)
        return rc;
    if (is_result(merge, dirfd))
        return depth == 0 ? tk_fail(err, -EINVAL, "%s is the result itself", folder) : 0;
    if (is_run(dirfd))
        return add_input(merge, folder, dirfd, err);
    return depth < DEPTH_MAX ? search_below(merge, folder, depth, err) : 0;
}

int tk_merge_find_inputs(struct tk_merge *merge, struct tk_err *err)
{
    for (size_t i = 0; i < merge->options->folder_count; i++) {
        const char *folder = merge->options->folders[i];
        size_t before = merge->found;
        int rc = search(merge, folder, 0, err);
        if (rc < 0)
            return rc;
        if (merge->found == before)
            return tk_fail(err, -ENOENT, "%s: is no run and holds none", folder);
    }
    merge->report->input_count = merge->input_count;
    return 0;
}
