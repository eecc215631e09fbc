/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"
#include "run/run.h"

#define ENV_FILE     "run_id.env"
#define ENV_FILE_MAX 65536
#define RUNS_FOLDER  "logs"

static bool is_id_char(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("._()-", c));
}

bool tk_run_id_ok(tk_str id)
{
    if (id.n == 0 || id.n >= TK_RUN_ID_MAX)
        return false;
    for (size_t i = 0; i < id.n; i++) {
        if (!is_id_char(id.p[i]))
            return false;
    }
    return !tk_str_eq(id, TK_STR(".")) && !tk_str_eq(id, TK_STR(".."));
}

bool tk_run_is_events_file(tk_str name)
{
    return tk_str_starts_with(name, TK_STR("events.")) &&
           tk_str_ends_with(name, TK_STR(".jsonl")) && name.n > sizeof("events.jsonl") - 1;
}

/* "RUN(c10)" is run "RUN", node number 10; without a number in parentheses it is the last. */
struct folder_name {
    tk_str run;
    uint64_t number;
};

static struct folder_name folder_name(tk_str id)
{
    struct folder_name name = {id, UINT64_MAX};
    size_t open = tk_str_find(id, '(');
    if (open == id.n || id.p[id.n - 1] != ')')
        return name;
    name.run.n = open;

    size_t end = id.n - 1;
    size_t digits = end;
    while (digits > open + 1 && id.p[digits - 1] >= '0' && id.p[digits - 1] <= '9')
        digits--;
    /* 18 digits cannot overflow; a longer one is no node number. */
    if (digits == end || end - digits > 18)
        return name;
    name.number = 0;
    for (size_t i = digits; i < end; i++)
        name.number = name.number * 10 + (uint64_t)(id.p[i] - '0');
    return name;
}

int tk_run_id_cmp(tk_str a, tk_str b)
{
    struct folder_name left = folder_name(a);
    struct folder_name right = folder_name(b);
    int order = tk_str_cmp(left.run, right.run);
    if (order != 0)
        return order;
    if (left.number != right.number)
        return left.number < right.number ? -1 : 1;
    return tk_str_cmp(a, b);
}

/* The value of an assignment as a shell takes it: quoted, or up to white space. */
static tk_str shell_value(tk_str text)
{
    if (text.n > 0 && (text.p[0] == '"' || text.p[0] == '\'')) {
        char quote = text.p[0];
        tk_str inner = {text.p + 1, text.n - 1};
        inner.n = tk_str_find(inner, quote);
        return inner;
    }
    size_t n = 0;
    while (n < text.n && !strchr(" \t\r;", text.p[n]))
        n++;
    return (tk_str){text.p, n};
}

bool tk_run_env_find(tk_str text, tk_str name, tk_str *ret_value)
{
    bool found = false;
    tk_str line;
    while (tk_str_take_line(&text, &line)) {
        line = tk_str_trim(line);
        if (tk_str_take_prefix(&line, TK_STR("export ")))
            line = tk_str_trim(line);
        if (!tk_str_take_prefix(&line, name) || !tk_str_take_prefix(&line, TK_STR("=")))
            continue;
        *ret_value = shell_value(line);
        found = true;
    }
    return found;
}

/* The variables of collect-and-cctf.md section 3. Others are left alone: the file lies where
 * anybody may have put it, and must not be able to set PATH or LD_PRELOAD. */
static const char *const env_names[] = {
    "RUN_ID",
    "NODE_ID",
    "STAGE",
    "VM_IP",
    "IFACE",
    "CONTAINER",
    "PROC_MATCH",
    "PROC_REFRESH",
    "PROC_SAMPLING",
    "PROC_INTERVAL_MS",
    "PROC_PID_DIR",
    "CPU_FREQ_MHZ",
    "STOP_ALL",
    "CLEAN_ALL",
    "TIME_SYNC",
    "NTP_POOL",
    "TS_ENQUEUE",
    "TRACE_ID",
    "UNIT_NAME",
    "CPU_QUOTA",
    "CPU_WEIGHT",
    "CPUSET",
    "LOG_PATH",
    "MODULE_ID",
    "APP_ID",
    "SERVICE_NAME",
    "MODULE_TYPE",
    "WORKERS",
    "DEFAULT_NEXT_URL",
};

int tk_run_env_load(struct tk_err *err)
{
    char buf[ENV_FILE_MAX];
    tk_str text;
    int rc = tk_file_read(AT_FDCWD, ENV_FILE, buf, sizeof(buf), &text, err);
    if (rc == -ENOENT)
        return 0;
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < TK_COUNTOF(env_names); i++) {
        char value[PATH_MAX];
        tk_str found;
        if (!tk_run_env_find(text, tk_str_from(env_names[i]), &found))
            continue;
        if (!tk_str_to_cstr(found, value, sizeof(value))) {
            return tk_fail(err, -EBADMSG, ENV_FILE ": the value of %s is too long or holds a NUL",
                           env_names[i]);
        }
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): the contract says so */
        if (setenv(env_names[i], value, 0) < 0)
            return tk_fail_errno(err, ENV_FILE ": %s", env_names[i]);
    }
    return 0;
}

static int take_id(tk_str id, const char *from, char ret_id[TK_RUN_ID_MAX], struct tk_err *err)
{
    if (!tk_run_id_ok(id) || !tk_str_to_cstr(id, ret_id, TK_RUN_ID_MAX)) {
        return tk_fail(err, -EINVAL,
                       "%s'%.*s' is no run id, expected letters, digits, '.', '_', '-', "
                       "'(' and ')', at most %d",
                       from, TK_STR_ARG(id), TK_RUN_ID_MAX - 1);
    }
    return 0;
}

static int last_run(char ret_id[TK_RUN_ID_MAX], struct tk_err *err)
{
    DIR *runs = opendir(RUNS_FOLDER);
    if (!runs)
        return tk_fail(err, -errno, "no run given, and no folder " RUNS_FOLDER "/ here");
    char last[TK_RUN_ID_MAX] = "";
    const struct dirent *entry;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is ours alone */
    while ((entry = readdir(runs))) {
        tk_str name = tk_str_from(entry->d_name);
        struct stat st;
        if (name.p[0] == '.' || !tk_run_id_ok(name) || strcmp(entry->d_name, last) <= 0)
            continue;
        if (fstatat(dirfd(runs), entry->d_name, &st, 0) == 0 && S_ISDIR(st.st_mode))
            (void)tk_str_to_cstr(name, last, sizeof(last));
    }
    (void)closedir(runs);
    if (!last[0])
        return tk_fail(err, -ENOENT, "no run given, and none in " RUNS_FOLDER "/");
    memcpy(ret_id, last, sizeof(last));
    return 0;
}

int tk_run_id_resolve(const char *given, bool for_parse, char ret_id[TK_RUN_ID_MAX],
                      struct tk_err *err)
{
    if (given && *given)
        return take_id(tk_str_from(given), "", ret_id, err);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): no thread changes the environment */
    const char *env = getenv("RUN_ID");
    if (env && *env)
        return take_id(tk_str_from(env), "RUN_ID: ", ret_id, err);

    char buf[ENV_FILE_MAX];
    tk_str text;
    tk_str id;
    int rc = tk_file_read(AT_FDCWD, ENV_FILE, buf, sizeof(buf), &text, err);
    if (rc < 0 && rc != -ENOENT)
        return rc;
    if (rc == 0 && tk_run_env_find(text, TK_STR("RUN_ID"), &id) && id.n > 0)
        return take_id(id, ENV_FILE ": ", ret_id, err);

    if (for_parse)
        return last_run(ret_id, err);
    char now[TK_TIME_MAX];
    return take_id(tk_str_from(tk_time_format_compact(tk_clock_real_ns(), now)), "", ret_id, err);
}

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* logs/ID, when it is a folder. */
static int named_run(const char *id, char *ret_path, size_t cap, struct tk_err *err)
{
    int n = snprintf(ret_path, cap, RUNS_FOLDER "/%s", id);
    if (n < 0 || (size_t)n >= cap)
        return tk_fail(err, -ENAMETOOLONG, "%s: path longer than %zu bytes", id, cap - 1);
    if (!is_folder(ret_path)) {
        return tk_fail(err, -ENOENT, "no run '%s': neither a folder here nor " RUNS_FOLDER "/%s",
                       id, id);
    }
    return 0;
}

int tk_run_path_resolve(const char *given, char *ret_path, size_t cap, struct tk_err *err)
{
    char id[TK_RUN_ID_MAX];
    if (!given || !*given) {
        int rc = tk_run_id_resolve(NULL, true, id, err);
        return rc < 0 ? rc : named_run(id, ret_path, cap, err);
    }

    tk_str path = tk_str_from(given);
    while (path.n > 1 && path.p[path.n - 1] == '/')
        path.n--;
    if (is_folder(given)) {
        if (!tk_str_to_cstr(path, ret_path, cap))
            return tk_fail(err, -ENAMETOOLONG, "%s: path longer than %zu bytes", given, cap - 1);
        return 0;
    }
    if (!tk_run_id_ok(path) || !tk_str_to_cstr(path, id, sizeof(id)))
        return tk_fail(err, -ENOENT, "%s: no such folder", given);
    return named_run(id, ret_path, cap, err);
}
