/* SPDX-License-Identifier: Apache-2.0 */
/* What people call a container: its name, and its pod and the namespace of that, from what runtimes
 * leave on disk. No daemon is asked, nothing is executed.
 *
 *   docker      /var/lib/docker/containers/ID/config.v2.json
 *   containerd  config.json of the bundle: annotations of CRI and nerdctl (also k3s, microk8s)
 *   cri-o       config.json of the bundle: annotations
 *   podman      containers.json of its storage; without root that of the user's home
 *   kubelet     names of the links in /var/log/containers and of the folders in /var/log/pods
 */
#ifndef TK_COLLECT_CONTAINER_NAMES_H
#define TK_COLLECT_CONTAINER_NAMES_H

#include <stdint.h>

#include "base/compiler.h"
#include "base/str.h"

/* What the path of a control group says about its container. */
struct tk_cgroup_identity {
    char id[65];      /* 64 hexadecimal digits; "" = no container, or one that is known by name */
    char pod_uid[64]; /* with dashes; "" = no pod */
    int64_t uid;      /* whose session it lies in; -1 = none */
};

/* Parse a path such as "/kubepods.slice/kubepods-podUID.slice/cri-containerd-ID.scope". Always
 * fills `ret`. */
void tk_cgroup_identify(tk_str path, struct tk_cgroup_identity *ret);

/* "" = not known. */
struct tk_container_names {
    char name[128]; /* of the container; that which holds a pod together is "POD" */
    char pod[256];
    char namespace[64];
};

/* Look the names up below `rootfd`. Reads at most a dozen files, each up to 4 MiB: not for each
 * tick. Files on file systems of other machines are not touched. -ENOENT when nothing is known. */
TK_MUST_USE int tk_container_names_find(int rootfd, const struct tk_cgroup_identity *identity,
                                        struct tk_container_names *ret);

/* The parsers of what is found: names that the text tells of the container `id` are set, others
 * stay. False when it tells none, or does not parse. */
bool tk_container_names_parse_docker(tk_str text, const char *id, struct tk_container_names *ret);
bool tk_container_names_parse_oci(tk_str text, const char *id, struct tk_container_names *ret);
bool tk_container_names_parse_podman(tk_str text, const char *id, struct tk_container_names *ret);

#endif
