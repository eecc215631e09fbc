/* SPDX-License-Identifier: Apache-2.0 */
/* What the path of a control group says about who runs in it:
 *
 *     /docker/ID                                                          docker, cgroupfs
 *     /system.slice/docker-ID.scope                                       docker, systemd
 *     /kubepods/burstable/podUID/ID                                       kubepods, cgroupfs
 *     /kubepods.slice/kubepods-podUID.slice/cri-containerd-ID.scope       kubepods, systemd
 *     /kubepods-burstable-podUID.slice:cri-containerd:ID                  containerd in between
 *     /kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-podUID.slice/...   kind
 *     /machine.slice/libpod-ID.scope/container                            podman
 *     /k8s.io/ID, /default/ID, /system.slice/nerdctl-ID.scope             containerd
 *     /lxc.payload.NAME, /lxc/NAME, /machine.slice/machine-NAME.scope     lxc, nspawn
 *     /system.slice/nginx.service                                         a unit of systemd
 */
#include <errno.h>
#include <string.h>

#include "base/number.h"
#include "collect/cgroup_files.h"
#include "collect/container_names.h"

enum {
    ID_DIGITS = 64,
    SHORT_ID_DIGITS = 12, /* as the runtimes show it */
    COMPONENTS_MAX = 64,
};

static bool is_hex(tk_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
    }
    return text.n > 0;
}

static bool take_suffix(tk_str *text, tk_str suffix)
{
    if (!tk_str_ends_with(*text, suffix))
        return false;
    text->n -= suffix.n;
    return true;
}

/* "docker-ID.scope", "cri-containerd-ID.scope", "X:cri-containerd:ID", "ID": the id. The groups of
 * conmon belong to the monitor of a container, not to the container. */
static bool find_whole_id(tk_str name, tk_str *ret_id)
{
    (void)(take_suffix(&name, TK_STR(".scope")) || take_suffix(&name, TK_STR(".service")));
    if (name.n < ID_DIGITS)
        return false;
    tk_str id = {name.p + (name.n - ID_DIGITS), ID_DIGITS};
    tk_str head = {name.p, name.n - ID_DIGITS};
    if (!is_hex(id) || tk_str_ends_with(head, TK_STR("conmon-")))
        return false;
    if (head.n > 0 && !strchr("-:_", head.p[head.n - 1]))
        return false;
    *ret_id = id;
    return true;
}

static bool find_id(tk_str name, tk_str *ret_id)
{
    if (!find_whole_id(name, ret_id))
        return false;
    ret_id->n = SHORT_ID_DIGITS;
    return true;
}

/* Names that are no 64-digit id. `next` is the component below. */
static bool find_name(tk_str name, tk_str next, tk_str *ret)
{
    *ret = name;
    if (tk_str_take_prefix(ret, TK_STR("lxc.payload.")))
        return ret->n > 0;
    if (tk_str_eq(name, TK_STR("lxc")) || tk_str_eq(name, TK_STR("lxc.payload"))) {
        *ret = next;
        return next.n > 0;
    }
    return tk_str_take_prefix(ret, TK_STR("machine-")) && take_suffix(ret, TK_STR(".scope"));
}

/* A pod whose container is not told: "podUID" or "kubepods-burstable-podUID.slice". */
static bool find_pod(tk_str name, tk_str above, tk_str *ret)
{
    *ret = name;
    if (memmem(name.p, name.n, "kubepods", 8) && take_suffix(ret, TK_STR(".slice"))) {
        size_t dash = tk_str_find_last(*ret, '-');
        if (dash == ret->n)
            return false;
        *ret = (tk_str){ret->p + dash + 1, ret->n - dash - 1};
        return tk_str_starts_with(*ret, TK_STR("pod"));
    }
    return tk_str_starts_with(name, TK_STR("pod")) && name.n > 30 &&
           (tk_str_eq(above, TK_STR("burstable")) || tk_str_eq(above, TK_STR("besteffort")) ||
            tk_str_eq(above, TK_STR("kubepods")));
}

static size_t split(tk_str path, tk_str *ret, size_t cap)
{
    size_t n = 0;
    tk_str part;
    while (n < cap && tk_str_take_until(&path, '/', &part)) {
        if (part.n > 0)
            ret[n++] = part;
    }
    return n;
}

/* A service; not the one that holds all of a user's session. */
static bool find_unit(tk_str name, tk_str *ret)
{
    *ret = name;
    return tk_str_ends_with(name, TK_STR(".service")) && !tk_str_starts_with(name, TK_STR("user@"));
}

/* The innermost container; else the innermost pod; else the innermost unit. */
static bool find_container(tk_str path, tk_str *ret)
{
    const tk_str none = {NULL, 0};
    tk_str parts[COMPONENTS_MAX];
    size_t n = split(path, parts, COMPONENTS_MAX);
    for (size_t i = n; i-- > 0;) {
        if (find_id(parts[i], ret) || find_name(parts[i], i + 1 < n ? parts[i + 1] : none, ret))
            return true;
    }
    for (size_t i = n; i-- > 0;) {
        if (find_pod(parts[i], i > 0 ? parts[i - 1] : none, ret))
            return true;
    }
    for (size_t i = n; i-- > 0;) {
        if (find_unit(parts[i], ret))
            return true;
    }
    return false;
}

bool tk_cgroup_container(tk_str path, char *ret_name, size_t cap)
{
    tk_str found = {NULL, 0};
    if (!find_container(path, &found))
        found.n = 0;
    if (!tk_str_to_cstr(found, ret_name, cap))
        return false;
    /* The systemd driver writes the dashes of a pod's id as '_'. */
    for (char *c = ret_name; tk_str_starts_with(found, TK_STR("pod")) && *c; c++) {
        if (*c == '_')
            *c = '-';
    }
    return true;
}

/* "pod0f1e_2d3c" of the systemd driver as the kubelet writes it: "0f1e-2d3c". */
static void set_pod_uid(tk_str pod, char *to, size_t cap)
{
    if (!tk_str_take_prefix(&pod, TK_STR("pod")) || !tk_str_to_cstr(pod, to, cap))
        return;
    for (char *c = to; *c; c++) {
        if (*c == '_')
            *c = '-';
    }
}

/* "user-1000.slice"; -1 = another name. */
static int64_t uid_of(tk_str name)
{
    int64_t uid;
    bool is_user = tk_str_take_prefix(&name, TK_STR("user-")) &&
                   take_suffix(&name, TK_STR(".slice")) && tk_parse_i64(name, &uid) && uid >= 0;
    return is_user ? uid : -1;
}

void tk_cgroup_identify(tk_str path, struct tk_cgroup_identity *ret)
{
    const tk_str none = {NULL, 0};
    tk_str parts[COMPONENTS_MAX];
    size_t n = split(path, parts, COMPONENTS_MAX);
    *ret = (struct tk_cgroup_identity){.uid = -1};
    for (size_t i = n; i-- > 0;) {
        tk_str found;
        tk_str head = parts[i];
        head.n = tk_str_find(head, ':'); /* "SLICE:cri-containerd:ID" */
        if (!ret->id[0] && find_whole_id(parts[i], &found))
            (void)tk_str_to_cstr(found, ret->id, sizeof(ret->id));
        if (!ret->pod_uid[0] && find_pod(head, i > 0 ? parts[i - 1] : none, &found))
            set_pod_uid(found, ret->pod_uid, sizeof(ret->pod_uid));
        if (ret->uid < 0)
            ret->uid = uid_of(parts[i]);
    }
}

/* How good a hierarchy is at naming a process; 0 = not at all. */
static int rank_of(tk_str number, tk_str controllers)
{
    static const struct {
        tk_str name;
        int rank;
    } ranks[] = {
        {{"cpuacct", 7}, 4}, {{"memory", 6}, 3}, {{"pids", 4}, 2}, {{"name=systemd", 12}, 1}};
    if (controllers.n == 0 && tk_str_eq(number, TK_STR("0")))
        return 5;
    int best = 0;
    tk_str word;
    while (tk_str_take_until(&controllers, ',', &word)) {
        for (size_t i = 0; i < TK_COUNTOF(ranks); i++) {
            if (tk_str_eq(word, ranks[i].name) && ranks[i].rank > best)
                best = ranks[i].rank;
        }
    }
    return best;
}

int tk_cgroup_parse(tk_str text, char *ret_path, size_t path_cap, char *ret_container,
                    size_t container_cap, struct tk_err *err)
{
    tk_str path = {NULL, 0};
    int best = -1;
    tk_str line;
    for (size_t i = 1; tk_str_take_line(&text, &line); i++) {
        tk_str number;
        tk_str controllers;
        if (!tk_str_take_until(&line, ':', &number) ||
            !tk_str_take_until(&line, ':', &controllers) || line.n == 0 || line.p[0] != '/')
            return tk_fail(err, -EBADMSG, "line %zu: expected \"NUMBER:CONTROLLERS:/PATH\"", i);
        int rank = line.n == 1 ? 0 : rank_of(number, controllers);
        if (rank > best) {
            best = rank;
            path = line;
        }
    }
    if (best < 0)
        return tk_fail(err, -EBADMSG, "no line \"NUMBER:CONTROLLERS:/PATH\"");
    char container[256];
    if (!tk_cgroup_container(path, container, sizeof(container)) ||
        strlen(container) >= container_cap || path.n >= path_cap)
        return tk_fail(err, -EMSGSIZE, "a path of %zu bytes", path.n);
    if (!tk_str_to_cstr(path, ret_path, path_cap))
        return tk_fail(err, -EBADMSG, "a path with a NUL byte");
    memcpy(ret_container, container, strlen(container) + 1);
    return 0;
}
