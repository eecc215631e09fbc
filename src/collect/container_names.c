/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/container_names.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/number.h"
#include "collect/host_sources.h"

#define FILE_MAX ((size_t)4 << 20)
#define TEXT_MAX ((size_t)64 << 10) /* of strings with escapes */

#define SANDBOX_NAME "POD" /* as the kubelet calls it */

/* Labels and annotations ------------------------------------------------------------- */

#define FIELD(name)                                                                                \
    offsetof(struct tk_container_names, name), sizeof(((struct tk_container_names *)0)->name)

static const struct {
    const char *key;
    size_t offset, cap;
} annotations[] = {
    {"io.kubernetes.cri.container-name", FIELD(name)},
    {"io.kubernetes.cri.sandbox-name", FIELD(pod)},
    {"io.kubernetes.cri.sandbox-namespace", FIELD(namespace)},
    {"io.kubernetes.container.name", FIELD(name)},
    {"io.kubernetes.pod.name", FIELD(pod)},
    {"io.kubernetes.pod.namespace", FIELD(namespace)},
    {"nerdctl/name", FIELD(name)},
};

/* Those that say that it holds a pod together. */
static const struct {
    const char *key, *value;
} sandbox_marks[] = {
    {"io.kubernetes.cri.container-type", "sandbox"},
    {"io.kubernetes.cri-o.ContainerType", "sandbox"},
    {"io.kubernetes.docker.type", "podsandbox"},
};

static void set_name(char *to, size_t cap, tk_str text)
{
    if (text.n > 0)
        (void)tk_str_to_cstr(text, to, cap);
}

static bool is_sandbox_mark(tk_str key, tk_str value)
{
    for (size_t i = 0; i < TK_COUNTOF(sandbox_marks); i++) {
        if (tk_str_eq(key, tk_str_from(sandbox_marks[i].key)) &&
            tk_str_eq(value, tk_str_from(sandbox_marks[i].value)))
            return true;
    }
    return false;
}

static void take_annotation(struct tk_container_names *names, tk_str key, tk_str value)
{
    for (size_t i = 0; i < TK_COUNTOF(annotations); i++) {
        if (tk_str_eq(key, tk_str_from(annotations[i].key)))
            set_name((char *)names + annotations[i].offset, annotations[i].cap, value);
    }
    if (is_sandbox_mark(key, value))
        set_name(names->name, sizeof(names->name), TK_STR(SANDBOX_NAME));
}

/* A member of the object of annotations or labels. */
static int read_annotation(struct tk_json *json, tk_str key, struct tk_arena *scratch, void *into,
                           struct tk_err *err)
{
    tk_str value;
    if (tk_json_peek(json) != TK_JSON_STRING)
        return 1;
    int rc = tk_json_read_str(json, scratch, &value, err);
    if (rc == 0)
        take_annotation(into, key, value);
    return rc;
}

/* Files --------------------------------------------------------------------------------- */

static int read_oci(struct tk_json *json, tk_str key, struct tk_arena *scratch, void *into,
                    struct tk_err *err)
{
    if (!tk_str_eq(key, TK_STR("annotations")) || tk_json_peek(json) != TK_JSON_OBJECT)
        return 1;
    return tk_json_read_members(json, scratch, read_annotation, into, err);
}

static int read_docker_config(struct tk_json *json, tk_str key, struct tk_arena *scratch,
                              void *into, struct tk_err *err)
{
    if (!tk_str_eq(key, TK_STR("Labels")) || tk_json_peek(json) != TK_JSON_OBJECT)
        return 1;
    return tk_json_read_members(json, scratch, read_annotation, into, err);
}

struct docker {
    struct tk_container_names names; /* by its labels */
    tk_str name;                     /* "/web" */
};

static int read_docker(struct tk_json *json, tk_str key, struct tk_arena *scratch, void *into,
                       struct tk_err *err)
{
    struct docker *docker = into;
    if (tk_str_eq(key, TK_STR("Config")) && tk_json_peek(json) == TK_JSON_OBJECT)
        return tk_json_read_members(json, scratch, read_docker_config, &docker->names, err);
    if (tk_str_eq(key, TK_STR("Name")) && tk_json_peek(json) == TK_JSON_STRING)
        return tk_json_read_str(json, scratch, &docker->name, err);
    return 1;
}

struct podman {
    tk_str id, name;
};

static int read_podman(struct tk_json *json, tk_str key, struct tk_arena *scratch, void *into,
                       struct tk_err *err)
{
    struct podman *podman = into;
    if (tk_str_eq(key, TK_STR("id")) && tk_json_peek(json) == TK_JSON_STRING)
        return tk_json_read_str(json, scratch, &podman->id, err);
    if (!tk_str_eq(key, TK_STR("names")) || tk_json_peek(json) != TK_JSON_ARRAY)
        return 1;
    int rc = tk_json_enter_array(json, err);
    while (rc == 0 && (rc = tk_json_next_element(json, err)) == 0) {
        if (podman->name.n == 0 && tk_json_peek(json) == TK_JSON_STRING) {
            rc = tk_json_read_str(json, scratch, &podman->name, err);
        } else {
            rc = tk_json_skip(json, NULL, err);
        }
    }
    return rc < 0 ? rc : 0;
}

/* An element of the array; 1 = it is that of the container. */
static int read_podman_container(struct tk_json *json, const char *id, struct tk_arena *scratch,
                                 struct tk_container_names *ret, struct tk_err *err)
{
    struct podman podman = {{NULL, 0}, {NULL, 0}};
    if (tk_json_peek(json) != TK_JSON_OBJECT)
        return tk_json_skip(json, NULL, err);
    int rc = tk_json_read_members(json, scratch, read_podman, &podman, err);
    if (rc < 0 || !tk_str_eq(podman.id, tk_str_from(id)))
        return rc;
    set_name(ret->name, sizeof(ret->name), podman.name);
    return 1;
}

static bool is_known(const struct tk_container_names *names)
{
    return names->name[0] || names->pod[0] || names->namespace[0];
}

bool tk_container_names_parse_docker(tk_str text, const char *id, struct tk_container_names *ret)
{
    (void)id;
    struct tk_arena scratch = {0};
    struct tk_json json;
    struct tk_err ignored;
    struct docker docker = {.names = {.name = ""}};
    if (tk_arena_init(&scratch, TEXT_MAX, &ignored) < 0)
        return false;
    tk_json_init(&json, text);
    bool parsed = tk_json_read_members(&json, &scratch, read_docker, &docker, &ignored) == 0;
    if (parsed && !docker.names.name[0]) {
        (void)tk_str_take_prefix(&docker.name, TK_STR("/"));
        set_name(docker.names.name, sizeof(docker.names.name), docker.name);
    }
    tk_arena_release(&scratch);
    if (parsed && is_known(&docker.names))
        *ret = docker.names;
    return parsed && is_known(&docker.names);
}

bool tk_container_names_parse_oci(tk_str text, const char *id, struct tk_container_names *ret)
{
    (void)id;
    struct tk_arena scratch = {0};
    struct tk_json json;
    struct tk_err ignored;
    struct tk_container_names names = {.name = ""};
    if (tk_arena_init(&scratch, TEXT_MAX, &ignored) < 0)
        return false;
    tk_json_init(&json, text);
    bool known =
        tk_json_read_members(&json, &scratch, read_oci, &names, &ignored) == 0 && is_known(&names);
    tk_arena_release(&scratch);
    if (known)
        *ret = names;
    return known;
}

bool tk_container_names_parse_podman(tk_str text, const char *id, struct tk_container_names *ret)
{
    struct tk_arena scratch = {0};
    struct tk_json json;
    struct tk_err ignored;
    if (tk_arena_init(&scratch, TEXT_MAX, &ignored) < 0)
        return false;
    tk_json_init(&json, text);
    int found = 0;
    int rc = tk_json_enter_array(&json, &ignored);
    while (rc == 0 && found == 0 && (rc = tk_json_next_element(&json, &ignored)) == 0) {
        tk_arena_reset(&scratch);
        found = read_podman_container(&json, id, &scratch, ret, &ignored);
    }
    tk_arena_release(&scratch);
    return found > 0 && ret->name[0];
}

/* Where to look -------------------------------------------------------------------------- */

struct source {
    const char *before, *after; /* path around the id; NULL = it is not part of the path */
    bool (*parse)(tk_str text, const char *id, struct tk_container_names *ret);
};

static const struct source sources[] = {
    {"var/lib/docker/containers/", "/config.v2.json", tk_container_names_parse_docker},
    {"run/containerd/io.containerd.runtime.v2.task/k8s.io/", "/config.json",
     tk_container_names_parse_oci},
    {"run/containerd/io.containerd.runtime.v2.task/default/", "/config.json",
     tk_container_names_parse_oci},
    {"run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io/", "/config.json",
     tk_container_names_parse_oci},
    {"var/snap/microk8s/common/run/containerd/io.containerd.runtime.v2.task/k8s.io/",
     "/config.json", tk_container_names_parse_oci},
    {"run/containers/storage/overlay-containers/", "/userdata/config.json",
     tk_container_names_parse_oci},
    {"var/lib/containers/storage/overlay-containers/", "/userdata/config.json",
     tk_container_names_parse_oci},
    {"var/lib/containers/storage/overlay-containers/containers.json", NULL,
     tk_container_names_parse_podman},
};

/* Below the home of the user in whose session the container runs. */
static const struct source home_sources[] = {
    {".local/share/docker/containers/", "/config.v2.json", tk_container_names_parse_docker},
    {".local/share/containers/storage/overlay-containers/containers.json", NULL,
     tk_container_names_parse_podman},
};

/* A plain file, whole: a user may have put anything there. */
static bool load(int dirfd, const char *path, struct tk_buf *text)
{
    struct stat st;
    struct tk_err ignored;
    TK_CLEANUP(tk_fd_close)
    int fd = openat(dirfd, path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size <= 0 ||
        st.st_size > (off_t)FILE_MAX)
        return false;
    char *to = tk_buf_reserve(text, (size_t)st.st_size);
    ssize_t n = to ? pread(fd, to, (size_t)st.st_size, 0) : -1;
    text->n = n > 0 ? (size_t)n : 0;
    return n > 0 && tk_buf_check(text, path, &ignored) == 0;
}

static bool try_source(int dirfd, const struct source *source, const char *id,
                       struct tk_container_names *ret)
{
    char path[PATH_MAX];
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, FILE_MAX);
    int n = snprintf(path, sizeof(path), "%s%s%s", source->before, source->after ? id : "",
                     source->after ? source->after : "");
    return n > 0 && (size_t)n < sizeof(path) && load(dirfd, path, &text) &&
           source->parse(tk_buf_str(&text), id, ret);
}

/* Without root ----------------------------------------------------------------------------- */

/* "name:x:1000:1000:Name:/home/name:/bin/sh", the home without its first slash. */
static bool find_home(int rootfd, int64_t uid, char ret_home[PATH_MAX])
{
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, FILE_MAX);
    if (!load(rootfd, "etc/passwd", &text))
        return false;
    tk_str rest = tk_buf_str(&text);
    tk_str line;
    while (tk_str_take_line(&rest, &line)) {
        tk_str fields[6];
        int64_t number;
        size_t n = 0;
        while (n < TK_COUNTOF(fields) && tk_str_take_until(&line, ':', &fields[n]))
            n++;
        if (n < TK_COUNTOF(fields) || !tk_parse_i64(fields[2], &number) || number != uid)
            continue;
        return tk_str_take_prefix(&fields[5], TK_STR("/")) && fields[5].n > 0 &&
               tk_str_to_cstr(fields[5], ret_home, PATH_MAX);
    }
    return false;
}

static bool lies_below(const char *path, const char *parent)
{
    size_t n = strlen(parent);
    return strncmp(path, parent, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

/* A home on a file system of another machine is not asked: that might never return. */
static bool is_remote(int rootfd, const char *home)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    struct tk_err ignored;
    struct tk_host_reading *reading = calloc(1, sizeof(*reading));
    tk_buf_init(&text, FILE_MAX);
    bool known = reading && tk_file_load(rootfd, "proc/self/mountinfo", &text, &ignored) == 0 &&
                 tk_host_mountinfo_parse(tk_buf_str(&text), 0, reading, &ignored) == 0 &&
                 reading->mounts.remote_count <= TK_HOST_REMOTES_MAX;
    bool remote = !known;
    for (size_t i = 0; known && i < reading->mounts.remote_count; i++)
        remote |= lies_below(home, reading->mounts.remotes[i] + 1);
    free(reading);
    return remote;
}

static bool try_home(int rootfd, const struct tk_cgroup_identity *identity,
                     struct tk_container_names *ret)
{
    char home[PATH_MAX];
    if (identity->uid < 0 || !find_home(rootfd, identity->uid, home) || is_remote(rootfd, home))
        return false;
    TK_CLEANUP(tk_fd_close)
    int fd = openat(rootfd, home, O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; fd >= 0 && i < TK_COUNTOF(home_sources); i++) {
        if (try_source(fd, &home_sources[i], identity->id, ret))
            return true;
    }
    return false;
}

/* Logs of the kubelet ------------------------------------------------------------------------ */

/* "POD_NAMESPACE_CONTAINER-ID.log" */
static bool take_container_log(tk_str name, const char *wanted, struct tk_container_names *ret)
{
    tk_str pod;
    tk_str namespace;
    if (!tk_str_ends_with(name, TK_STR(".log")) || name.n < strlen(wanted) + 6)
        return false;
    tk_str id = {name.p + name.n - 4 - strlen(wanted), strlen(wanted)};
    name.n -= 4 + strlen(wanted);
    if (!tk_str_eq(id, tk_str_from(wanted)) || !tk_str_ends_with(name, TK_STR("-")))
        return false;
    name.n--;
    if (!tk_str_take_until(&name, '_', &pod) || !tk_str_take_until(&name, '_', &namespace))
        return false;
    set_name(ret->pod, sizeof(ret->pod), pod);
    set_name(ret->namespace, sizeof(ret->namespace), namespace);
    set_name(ret->name, sizeof(ret->name), name);
    return true;
}

/* "NAMESPACE_POD_UID" */
static bool take_pod_log(tk_str name, const char *wanted, struct tk_container_names *ret)
{
    tk_str pod;
    tk_str namespace;
    if (!tk_str_take_until(&name, '_', &namespace) || !tk_str_take_until(&name, '_', &pod) ||
        !tk_str_eq(name, tk_str_from(wanted)))
        return false;
    set_name(ret->pod, sizeof(ret->pod), pod);
    set_name(ret->namespace, sizeof(ret->namespace), namespace);
    return true;
}

static bool search(int rootfd, const char *path, const char *wanted,
                   bool (*take)(tk_str name, const char *wanted, struct tk_container_names *ret),
                   struct tk_container_names *ret)
{
    int fd = openat(rootfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        tk_fd_close(&fd);
        return false;
    }
    bool found = false;
    const struct dirent *entry;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is our own */
    while (!found && (entry = readdir(dir)))
        found = take(tk_str_from(entry->d_name), wanted, ret);
    closedir(dir);
    return found;
}

/* All together ------------------------------------------------------------------------------- */

static bool find_container(int rootfd, const struct tk_cgroup_identity *identity,
                           struct tk_container_names *ret)
{
    for (size_t i = 0; i < TK_COUNTOF(sources); i++) {
        if (try_source(rootfd, &sources[i], identity->id, ret))
            return true;
    }
    return try_home(rootfd, identity, ret) ||
           search(rootfd, "var/log/containers", identity->id, take_container_log, ret);
}

int tk_container_names_find(int rootfd, const struct tk_cgroup_identity *identity,
                            struct tk_container_names *ret)
{
    struct tk_container_names names = {.name = ""};
    bool found = identity->id[0] && find_container(rootfd, identity, &names);
    if (identity->pod_uid[0] && !names.pod[0])
        found |= search(rootfd, "var/log/pods", identity->pod_uid, take_pod_log, &names);
    if (!found)
        return -ENOENT;
    *ret = names;
    return 0;
}
