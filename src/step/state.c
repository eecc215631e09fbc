/* SPDX-License-Identifier: Apache-2.0 */
#include "step/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"

enum {
    NAME_BYTES = 64, /* of a job in a file name */
    TWINS = 1000,    /* jobs of one name begun in one second */
};

/* Letters, digits, '.', '-' and '_' stay, anything else becomes '_'; never hidden. */
static void clean_name(const char *text, char *ret, size_t cap)
{
    size_t n = 0;
    for (; *text && n + 1 < cap; text++) {
        char c = *text;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '_' || (c == '.' && n > 0);
        if (!plain)
            c = '_';
        ret[n++] = c;
    }
    ret[n] = '\0';
}

/* The folder ------------------------------------------------------------------------- */

/* Make the folder, 0700, and what lies above it. */
static int make_folder(const char *path, struct tk_err *err)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return 0;
    char parent[PATH_MAX];
    const char *slash = strrchr(path, '/');
    if (errno != ENOENT || !slash || slash == path)
        return tk_fail_errno(err, "%s", path);
    (void)tk_str_to_cstr((tk_str){path, (size_t)(slash - path)}, parent, sizeof(parent));
    int rc = tk_dir_make(AT_FDCWD, parent, err);
    if (rc == 0 && mkdir(path, 0700) < 0 && errno != EEXIST)
        rc = tk_fail_errno(err, "%s", path);
    return rc;
}

static int refuse_foreign(const char *path, const struct stat *st, struct tk_err *err)
{
    return tk_fail(err, -EPERM, "%s belongs to user %u, not to us", path, (unsigned)st->st_uid);
}

static int open_folder(const char *path, int *ret_fd, struct tk_err *err)
{
    struct stat st;
    int rc = make_folder(path, err);
    if (rc < 0)
        return rc;
    TK_CLEANUP(tk_fd_close)
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == EACCES && lstat(path, &st) == 0 && st.st_uid != geteuid())
        return refuse_foreign(path, &st, err);
    if (fd < 0 || fstat(fd, &st) < 0)
        return tk_fail_errno(err, "%s", path);
    if (st.st_uid != geteuid())
        return refuse_foreign(path, &st, err);
    if (st.st_mode & S_IWOTH)
        return tk_fail(err, -EPERM, "%s can be written by everybody", path);
    *ret_fd = tk_fd_take(&fd);
    return 0;
}

static int set_folder(struct tk_state *state, const char *path, struct tk_err *err)
{
    char here[PATH_MAX] = "";
    bool absolute = path[0] == '/';
    if (!absolute && !getcwd(here, sizeof(here)))
        return tk_fail_errno(err, "working folder");
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    int len = snprintf(state->folder, sizeof(state->folder), "%s%s%.*s", here, absolute ? "" : "/",
                       (int)n, path);
    if (len < 0 || (size_t)len >= sizeof(state->folder))
        return tk_fail(err, -ENAMETOOLONG, "%s", path);
    return open_folder(state->folder, &state->fd, err);
}

int tk_state_open(struct tk_state *state, const struct tk_state_options *options,
                  struct tk_err *err)
{
    *state = (struct tk_state){.fd = -1, .job_fd = -1};
    bool given = options->folder && *options->folder;
    if (options->run)
        clean_name(options->run, state->run, sizeof(state->run));
    int rc = set_folder(state, given ? options->folder : TK_STATE_FOLDER, err);
    if (rc == -EPERM && !given) {
        char own[64];
        (void)snprintf(own, sizeof(own), TK_STATE_FOLDER "-%u", (unsigned)geteuid());
        rc = set_folder(state, own, err);
    }
    return rc;
}

void tk_state_close(struct tk_state *state)
{
    tk_fd_close(&state->fd);
    tk_fd_close(&state->job_fd);
}

/* Jobs ------------------------------------------------------------------------------- */

static int open_job(struct tk_state *state, const char *name, struct tk_err *err)
{
    int fd = openat(state->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return tk_fail_errno(err, "%s/%s", state->folder, name);
    tk_fd_close(&state->job_fd);
    state->job_fd = fd;
    (void)snprintf(state->job, sizeof(state->job), "%s", name);
    return 0;
}

static int make_job(const struct tk_state *state, const char *base, char *ret, size_t cap)
{
    for (int i = 1; i < TWINS; i++) {
        char twin[16] = "";
        if (i > 1)
            (void)snprintf(twin, sizeof(twin), "_%d", i);
        (void)snprintf(ret, cap, "%s%s", base, twin);
        if (mkdirat(state->fd, ret, 0700) == 0)
            return 0;
        if (errno != EEXIST)
            return -errno;
    }
    return -EEXIST;
}

int tk_state_new_job(struct tk_state *state, const char *job, int64_t now_ns, struct tk_err *err)
{
    char clean[NAME_BYTES];
    char base[NAME_BYTES + 32];
    char name[NAME_BYTES + 48];
    struct tk_civil at = tk_civil_from_s(now_ns / TK_NS_PER_S);
    clean_name(job, clean, sizeof(clean));
    (void)snprintf(base, sizeof(base), "%s_%04d%02d%02d_%02d%02d%02d", *clean ? clean : "job",
                   at.year, at.month, at.day, at.hour, at.minute, at.second);
    int rc = make_job(state, base, name, sizeof(name));
    if (rc < 0)
        return tk_fail_code(err, rc, "%s/%s", state->folder, name);
    return open_job(state, name, err);
}

static void pointer_name(const struct tk_state *state, char ret[160])
{
    (void)snprintf(ret, 160, "current%s%s", state->run[0] ? "-" : "", state->run);
}

int tk_state_point(const struct tk_state *state, struct tk_err *err)
{
    char pointer[160];
    pointer_name(state, pointer);
    int rc = tk_file_refresh(state->fd, "current", tk_str_from(state->job), 0600, err);
    if (rc == 0 && state->run[0])
        rc = tk_file_refresh(state->fd, pointer, tk_str_from(state->job), 0600, err);
    return rc;
}

/* The job that a pointer names; false when there is none. */
static bool read_pointer(const struct tk_state *state, const char *pointer, char ret[NAME_MAX + 1])
{
    char buf[NAME_MAX + 2];
    tk_str text;
    struct tk_err ignored;
    return tk_file_read(state->fd, pointer, buf, sizeof(buf), &text, &ignored) == 0 &&
           tk_str_find(text, '/') == text.n && tk_str_to_cstr(tk_str_trim(text), ret, NAME_MAX + 1);
}

/* options.job: the path of a folder, or a name in ours. */
static int open_given(struct tk_state *state, const char *given, struct tk_err *err)
{
    const char *slash = strrchr(given, '/');
    if (!slash)
        return open_job(state, given, err);
    char folder[PATH_MAX];
    if (slash == given || !slash[1] ||
        !tk_str_to_cstr((tk_str){given, (size_t)(slash - given)}, folder, sizeof(folder)))
        return tk_fail(err, -EINVAL, "'%s' is not the folder of a job", given);
    tk_fd_close(&state->fd);
    int rc = set_folder(state, folder, err);
    return rc < 0 ? rc : open_job(state, slash + 1, err);
}

int tk_state_find_job(struct tk_state *state, const struct tk_state_options *options,
                      struct tk_err *err)
{
    if (options->job && *options->job)
        return open_given(state, options->job, err);
    char pointer[160];
    char name[NAME_MAX + 1];
    pointer_name(state, pointer);
    if (!read_pointer(state, pointer, name))
        return tk_fail(err, -ENOENT, "no job is open in %s", state->folder);
    return open_job(state, name, err);
}

static void mark_path(const struct tk_state *state, char ret[NAME_MAX + 16])
{
    (void)snprintf(ret, NAME_MAX + 16, TK_STATE_OPEN "/%s", state->job);
}

int tk_state_mark(const struct tk_state *state, pid_t pid, int64_t born, struct tk_err *err)
{
    char path[NAME_MAX + 16];
    char owner[48];
    mark_path(state, path);
    /* Where a file system has no such locks, the pid has to do. */
    (void)flock(state->job_fd, LOCK_EX | LOCK_NB);
    (void)snprintf(owner, sizeof(owner), "%d %lld", (int)pid, (long long)born);
    int rc = symlinkat(owner, state->fd, path);
    if (rc < 0 && errno == ENOENT &&
        (mkdirat(state->fd, TK_STATE_OPEN, 0700) == 0 || errno == EEXIST))
        rc = symlinkat(owner, state->fd, path);
    return rc < 0 ? tk_fail_errno(err, "%s/%s", state->folder, path) : 0;
}

void tk_state_unmark(const struct tk_state *state)
{
    char path[NAME_MAX + 16];
    mark_path(state, path);
    (void)unlinkat(state->fd, path, 0);
}

bool tk_state_is_held(const char *folder, const char *job)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof(path), "%s/%s", folder, job);
    if (n < 0 || (size_t)n >= sizeof(path))
        return false;
    TK_CLEANUP(tk_fd_close) int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

void tk_state_file(const struct tk_state *state, char ret_path[PATH_MAX])
{
    int n = snprintf(ret_path, PATH_MAX, "%s/%s.json", state->folder, state->job);
    if (n < 0 || n >= PATH_MAX)
        ret_path[0] = '\0';
}
