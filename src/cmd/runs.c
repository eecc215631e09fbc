/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/runs.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/tkz_file.h"
#include "run/run.h"

void tk_runs_release(struct tk_runs *runs)
{
    tk_arena_release(&runs->text);
    runs->count = 0;
}

static int add(struct tk_runs *runs, const char *path, struct tk_err *err)
{
    if (runs->count == TK_RUNS_MAX)
        return tk_fail(err, -EMSGSIZE, "more than %d runs", TK_RUNS_MAX);
    tk_str copy = tk_arena_copy(&runs->text, (tk_str){path, strlen(path) + 1});
    if (!copy.p)
        return tk_fail(err, -ENOMEM, "out of memory");
    runs->paths[runs->count++] = copy.p;
    return 0;
}

static tk_str base_name(const char *path)
{
    return tk_str_base_name(tk_str_from(path));
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

/* Add every RUN(cN) that lies in `folder`; a folder that cannot be read has none. */
static int add_nodes_in(struct tk_runs *runs, const char *folder, tk_str run, struct tk_err *err)
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
        int rc = add(runs, path, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* The nodes of a run that is named without their numbers, beside it or in logs/. */
static int add_nodes(struct tk_runs *runs, const char *given, struct tk_err *err)
{
    size_t before = runs->count;
    size_t slash = tk_str_find_last(tk_str_from(given), '/');
    bool is_name = !given[slash];
    char folder[PATH_MAX] = ".";
    if (!is_name)
        (void)snprintf(folder, sizeof(folder), "%.*s", (int)slash, given);
    int rc = add_nodes_in(runs, folder, base_name(given), err);
    if (rc == 0 && runs->count == before && is_name)
        rc = add_nodes_in(runs, "logs", base_name(given), err);
    if (rc < 0)
        return rc;
    qsort(runs->paths + before, runs->count - before, sizeof(*runs->paths), compare_paths);
    return runs->count == before ? -ENOENT : 0;
}

static int add_given(struct tk_runs *runs, const char *given, struct tk_err *err)
{
    char path[PATH_MAX];
    int rc = tk_tkz_refuse_as_run(given, err);
    if (rc < 0)
        return rc;
    rc = tk_run_path_resolve(given, path, sizeof(path), err);
    if (rc == 0)
        return add(runs, path, err);
    if (rc != -ENOENT || !given)
        return rc;
    struct tk_err missing = *err;
    rc = add_nodes(runs, given, err);
    if (rc == -ENOENT)
        *err = missing;
    return rc;
}

int tk_runs_find(struct tk_runs *ret_runs, int argc, char **argv, struct tk_err *err)
{
    ret_runs->count = 0;
    int rc = tk_arena_init(&ret_runs->text, (size_t)TK_RUNS_MAX * PATH_MAX, err);
    if (rc == 0 && argc == 0)
        rc = add_given(ret_runs, NULL, err);
    for (int i = 0; i < argc && rc == 0; i++)
        rc = add_given(ret_runs, argv[i], err);
    return rc;
}
