/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "cmd/cmd.h"
#include "cmd/screen.h"
#include "run/run.h"

#define OUT_MAX  ((size_t)256 * 1024 * 1024)
#define MAX_RUNS 1000

struct show_opts {
    bool json;
};

static const struct tk_opt options[] = {
    {"json", TK_OPT_FLAG, offsetof(struct show_opts, json), NULL,
     "one JSON object per run, with the unit in each key", .letter = 'j'},
    {0},
};

/* The folders of one call. */
struct runs {
    const char *paths[MAX_RUNS]; /* in `text` */
    size_t count;
    struct tk_arena text; /* owned */
};

static void runs_release(struct runs *runs)
{
    tk_arena_release(&runs->text);
}

static int runs_add(struct runs *runs, const char *path, struct tk_err *err)
{
    if (runs->count == MAX_RUNS)
        return tk_fail(err, -EMSGSIZE, "more than %d runs", MAX_RUNS);
    size_t size = strlen(path) + 1;
    char *copy = tk_arena_alloc(&runs->text, size);
    if (!copy)
        return tk_fail(err, -ENOMEM, "out of memory");
    memcpy(copy, path, size);
    runs->paths[runs->count++] = copy;
    return 0;
}

static tk_str base_name(const char *path)
{
    tk_str text = tk_str_from(path);
    size_t slash = tk_str_find_last(text, '/');
    return slash < text.n ? (tk_str){text.p + slash + 1, text.n - slash - 1} : text;
}

static int compare_paths(const void *a, const void *b)
{
    return tk_run_id_cmp(base_name(*(const char *const *)a), base_name(*(const char *const *)b));
}

static void close_dir(DIR **dir)
{
    if (*dir)
        (void)closedir(*dir);
}

/* Add every RUN(cN) that lies in `folder`. */
static int add_nodes_in(struct runs *runs, const char *folder, tk_str run, struct tk_err *err)
{
    TK_CLEANUP(close_dir) DIR *dir = opendir(folder);
    while (dir) {
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is our own */
        const struct dirent *entry = readdir(dir);
        if (!entry)
            break;
        tk_str name = tk_str_from(entry->d_name);
        if (!tk_str_take_prefix(&name, run) || !tk_str_starts_with(name, TK_STR("(")))
            continue;
        char path[PATH_MAX];
        (void)snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        int rc = runs_add(runs, path, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* A run of several nodes is named without their numbers. */
static int add_nodes(struct runs *runs, const char *given, struct tk_err *err)
{
    size_t before = runs->count;
    tk_str path = tk_str_from(given);
    size_t slash = tk_str_find_last(path, '/');
    char folder[PATH_MAX] = ".";
    if (slash < path.n)
        (void)snprintf(folder, sizeof(folder), "%.*s", (int)slash, given);
    int rc = add_nodes_in(runs, folder, base_name(given), err);
    if (rc == 0 && runs->count == before && slash == path.n)
        rc = add_nodes_in(runs, "logs", base_name(given), err);
    if (rc == 0 && runs->count > before)
        qsort(runs->paths + before, runs->count - before, sizeof(*runs->paths), compare_paths);
    if (rc == 0 && runs->count == before)
        return -ENOENT;
    return rc;
}

static int add_given(struct runs *runs, const char *given, struct tk_err *err)
{
    char path[PATH_MAX];
    int rc = tk_run_path_resolve(given, path, sizeof(path), err);
    if (rc == 0)
        return runs_add(runs, path, err);
    if (rc != -ENOENT || !given)
        return rc;
    struct tk_err missing = *err;
    rc = add_nodes(runs, given, err);
    if (rc == -ENOENT)
        *err = missing;
    return rc;
}

/* Several runs as a table needs them all at once. */
static int show_table(const struct runs *runs, const struct tk_look *look, struct tk_buf *out,
                      struct tk_err *err)
{
    struct tk_summary *summaries[MAX_RUNS] = {0};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < runs->count; i++)
        rc = tk_summary_new(runs->paths[i], &summaries[i], err);
    if (rc == 0) {
        rc = tk_screen_format_nodes((const struct tk_summary *const *)summaries, runs->count, look,
                                    out, err);
    }
    for (size_t i = 0; i < runs->count; i++)
        tk_summary_free(summaries[i]);
    return rc;
}

static int show_json(const struct runs *runs, struct tk_buf *out, struct tk_err *err)
{
    for (size_t i = 0; i < runs->count; i++) {
        TK_CLEANUP(tk_summary_freep) struct tk_summary *summary = NULL;
        int rc = tk_summary_new(runs->paths[i], &summary, err);
        if (rc < 0)
            return rc;
        tk_screen_format_json(summary, runs->paths[i], out);
    }
    return tk_buf_check(out, "summary", err);
}

static int show(const struct runs *runs, bool json, struct tk_err *err)
{
    TK_CLEANUP(tk_look_release) struct tk_look look;
    tk_look_init(&look, STDOUT_FILENO);
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, OUT_MAX);
    if (!json && runs->count == 1)
        return tk_screen_write(runs->paths[0], STDOUT_FILENO, err);
    int rc = json ? show_json(runs, &out, err) : show_table(runs, &look, &out, err);
    return rc < 0 ? rc : tk_fd_write(STDOUT_FILENO, tk_buf_str(&out), "stdout", err);
}

static int run(const struct tk_cmd *cmd, int argc, char **argv)
{
    struct show_opts opts = {0};
    int first;
    int status;
    if (!tk_cmd_parse(cmd, &opts, argc, argv, &first, &status))
        return status;
    TK_CLEANUP(runs_release) struct runs runs = {0};
    struct tk_err err;
    int rc = tk_arena_init(&runs.text, (size_t)MAX_RUNS * PATH_MAX, &err);
    if (rc == 0 && first == argc)
        rc = add_given(&runs, NULL, &err);
    for (int i = first; rc == 0 && i < argc; i++)
        rc = add_given(&runs, argv[i], &err);
    if (rc == 0)
        rc = show(&runs, opts.json, &err);
    return rc < 0 ? tk_cmd_fail(cmd, &err) : TK_EXIT_OK;
}

const struct tk_cmd tk_cmd_show = {
    .name = "show",
    .args = "[RUN...]",
    .help = "explain a run: what it used, what it waited for",
    .about = "RUN is a run folder, or the name of one in logs/; without it, the last one there.\n"
             "Several runs, or the name of a run of several nodes, give a table.",
    .options = options,
    .mixed = true,
    .run = run,
};
