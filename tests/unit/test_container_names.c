/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/container_names.h"

#include <errno.h>

#include "tk_root.h"

#define ID    "3f4c1a5b6d7e8f901234567890abcdef3f4c1a5b6d7e8f901234567890abcdef"
#define OTHER "0000000000000000000000000000000000000000000000000000000000000000"
#define UID   "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
#define UID_  "0f1e2d3c_4b5a_6978_8796_a5b4c3d2e1f0"
#define HASH  "9a8b7c6d5e4f30211203f4e5d6c7b8a9" /* uid of a static pod */

static void paths_of_each_runtime_and_driver_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *path, *id, *pod_uid;
        int64_t uid;
    } cases[] = {
        /* docker: cgroupfs and systemd driver, in docker, rootless */
        {"/docker/" ID, ID, "", -1},
        {"/system.slice/docker-" ID ".scope", ID, "", -1},
        {"/docker/" OTHER "/docker/" ID, ID, "", -1},
        {"/user.slice/user-1000.slice/user@1000.service/user.slice/docker-" ID ".scope", ID, "",
         1000},
        /* containerd: ctr, nerdctl with both drivers, rootless */
        {"/default/" ID, ID, "", -1},
        {"/system.slice/nerdctl-" ID ".scope", ID, "", -1},
        {"/user.slice/user-1001.slice/user@1001.service/user.slice/nerdctl-" ID ".scope", ID, "",
         1001},
        /* kubepods: cgroupfs driver, all classes, and with containerd in between */
        {"/kubepods/pod" UID "/" ID, ID, UID, -1},
        {"/kubepods/burstable/pod" UID "/" ID, ID, UID, -1},
        {"/kubepods/besteffort/pod" UID "/" ID, ID, UID, -1},
        {"/kubepods/besteffort/pod" HASH "/" ID, ID, HASH, -1},
        {"/kubepods/burstable/pod" UID, "", UID, -1},
        {"/k8s.io/" ID, ID, "", -1},
        /* kubepods: systemd driver with docker, containerd, cri-o */
        {"/kubepods.slice/kubepods-pod" UID_ ".slice/cri-containerd-" ID ".scope", ID, UID, -1},
        {"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_ ".slice/docker-" ID
         ".scope",
         ID, UID, -1},
        {"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" UID_ ".slice/crio-" ID
         ".scope",
         ID, UID, -1},
        {"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" UID_ ".slice/crio-" ID
         ".scope/container",
         ID, UID, -1},
        {"/kubepods.slice/kubepods-pod" UID_ ".slice/crio-conmon-" ID ".scope", "", UID, -1},
        {"/kubepods.slice/kubepods-pod" UID_ ".slice", "", UID, -1},
        {"/system.slice/containerd.service/kubepods-burstable-pod" UID_ ".slice:cri-containerd:" ID,
         ID, UID, -1},
        /* minikube and kind: a node in a container */
        {"/docker/" OTHER "/kubelet/kubepods/burstable/pod" UID "/" ID, ID, UID, -1},
        {"/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/"
         "kubelet-kubepods-burstable-pod" UID_ ".slice/cri-containerd-" ID ".scope",
         ID, UID, -1},
        /* podman: rootful and rootless, both drivers, a pod of podman */
        {"/machine.slice/libpod-" ID ".scope/container", ID, "", -1},
        {"/machine.slice/machine-libpod_pod_" OTHER ".slice/libpod-" ID ".scope", ID, "", -1},
        {"/libpod_parent/libpod-" ID, ID, "", -1},
        {"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID ".scope/container",
         ID, "", 1000},
        {"/user.slice/user-1000.slice/user@1000.service/app.slice/web.service/libpod-payload-" ID,
         ID, "", 1000},
        /* neither */
        {"/system.slice/nginx.service", "", "", -1},
        {"/user.slice/user-1000.slice/session-3.scope", "", "", 1000},
        {"/system.slice/docker-3f4c1a5b6d7e.scope", "", "", -1},
        {"/", "", "", -1},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_cgroup_identity identity;
        tk_cgroup_identify(tk_str_from(cases[i].path), &identity);
        if (strcmp(identity.id, cases[i].id) != 0 ||
            strcmp(identity.pod_uid, cases[i].pod_uid) != 0 || identity.uid != cases[i].uid) {
            print_error("%s: id '%s', pod '%s', user %lld\n", cases[i].path, identity.id,
                        identity.pod_uid, (long long)identity.uid);
            fail();
        }
    }
}

#define OCI(annotations) "{\"ociVersion\":\"1.1.0\",\"annotations\":{" annotations "},\"linux\":{}}"
#define CONTAINERD       "run/containerd/io.containerd.runtime.v2.task/"
#define STORAGE          "storage/overlay-containers/"

static void names_are_found_wherever_a_runtime_leaves_them(void **state)
{
    (void)state;
    static const struct {
        const char *file, *text;
        const char *name, *pod, *namespace;
    } cases[] = {
        {"var/lib/docker/containers/" ID "/config.v2.json",
         "{\"StreamConfig\":{},\"State\":{\"Running\":true},\"ID\":\"" ID
         "\",\"Config\":{\"Env\":[\"A=b\"],\"Labels\":{\"x\":\"y\",\"n\":3}},\"Name\":\"/web\"}",
         "web", "", ""},
        {"var/lib/docker/containers/" ID "/config.v2.json",
         "{\"Config\":{\"Labels\":{\"io.kubernetes.container.name\":\"app\","
         "\"io.kubernetes.pod.name\":\"shop-7d9\",\"io.kubernetes.pod.namespace\":\"prod\"}},"
         "\"Name\":\"/k8s_app_shop-7d9_prod_uid_0\"}",
         "app", "shop-7d9", "prod"},
        {CONTAINERD "k8s.io/" ID "/config.json",
         OCI("\"io.kubernetes.cri.container-name\":\"coredns\","
             "\"io.kubernetes.cri.container-type\":\"container\","
             "\"io.kubernetes.cri.sandbox-name\":\"coredns-5d78c9869d-abcde\","
             "\"io.kubernetes.cri.sandbox-namespace\":\"kube-system\""),
         "coredns", "coredns-5d78c9869d-abcde", "kube-system"},
        {CONTAINERD "k8s.io/" ID "/config.json",
         OCI("\"io.kubernetes.cri.container-type\":\"sandbox\","
             "\"io.kubernetes.cri.sandbox-name\":\"shop-7d9\","
             "\"io.kubernetes.cri.sandbox-namespace\":\"prod\""),
         "POD", "shop-7d9", "prod"},
        {CONTAINERD "default/" ID "/config.json",
         OCI("\"nerdctl/name\":\"cache\",\"nerdctl/namespace\":\"default\""), "cache", "", ""},
        {"run/containers/" STORAGE ID "/userdata/config.json",
         OCI("\"io.kubernetes.container.name\":\"etcd\",\"io.kubernetes.pod.name\":\"etcd-0\","
             "\"io.kubernetes.pod.namespace\":\"kube-system\","
             "\"io.kubernetes.cri-o.ContainerType\":\"container\""),
         "etcd", "etcd-0", "kube-system"},
        {"var/lib/containers/" STORAGE "containers.json",
         "[{\"id\":\"" OTHER "\",\"names\":[\"db\"]},{\"id\":\"" ID
         "\",\"names\":[\"web\",\"alias\"],\"metadata\":\"{}\",\"flags\":{\"a\":[1]}}]",
         "web", "", ""},
        {"home/ann/.local/share/containers/" STORAGE "containers.json",
         "[{\"id\":\"" ID "\",\"names\":[\"mine\"]}]", "mine", "", ""},
        {"var/log/containers/shop-7d9_prod_app-" ID ".log", "", "app", "shop-7d9", "prod"},
        {"var/log/pods/prod_shop-7d9_" UID "/app/0.log", "", "", "shop-7d9", "prod"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_root root;
        struct tk_container_names names = {.name = "untouched"};
        struct tk_cgroup_identity identity = {.id = ID, .pod_uid = UID, .uid = 1000};
        tk_root_init(&root, NULL);
        tk_root_write(&root, "etc/passwd",
                      "root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000:Ann,,,:/home/ann:/bin/sh\n");
        tk_root_write(&root, "proc/self/mountinfo", "27 1 254:0 / / rw - ext4 /dev/vda rw\n");
        assert_int_equal(tk_container_names_find(root.kernel.rootfd, &identity, &names), -ENOENT);
        assert_string_equal(names.name, "untouched");
        tk_root_write(&root, cases[i].file, cases[i].text);
        assert_int_equal(tk_container_names_find(root.kernel.rootfd, &identity, &names), 0);
        assert_string_equal(names.name, cases[i].name);
        assert_string_equal(names.pod, cases[i].pod);
        assert_string_equal(names.namespace, cases[i].namespace);
        tk_root_release(&root);
    }
}

static void broken_and_foreign_files_tell_nothing(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "{",
        "[]",
        "{\"annotations\":[]}",
        "{\"annotations\":{\"io.kubernetes.pod.name\":5}}",
        "{\"annotations\":{\"io.kubernetes.pod.name\":\"\"}}",
        "{\"annotations\":{\"a\":\"b\"}}",
        "[{\"id\":\"" OTHER "\",\"names\":[\"db\"]}]",
        "[{\"id\":\"" ID "\",\"names\":[]}]",
        "[{\"id\":\"" ID "\"",
        "{\"Name\":\"\"}",
        "{\"Name\":{}}",
    };
    for (size_t i = 0; i < TK_COUNTOF(texts); i++) {
        struct tk_container_names names = {.name = ""};
        tk_str text = tk_str_from(texts[i]);
        assert_false(tk_container_names_parse_docker(text, ID, &names));
        assert_false(tk_container_names_parse_oci(text, ID, &names));
        assert_false(tk_container_names_parse_podman(text, ID, &names));
    }
}

static void homes_on_other_machines_are_left_alone(void **state)
{
    (void)state;
    struct tk_root root;
    struct tk_container_names names;
    struct tk_cgroup_identity identity = {.id = ID, .uid = 1000};
    tk_root_init(&root, NULL);
    tk_root_write(&root, "etc/passwd", "ann:x:1000:1000:Ann:/home/ann:/bin/sh\n");
    tk_root_write(&root, "proc/self/mountinfo", "51 27 0:51 / /home rw - nfs4 server:/home rw\n");
    tk_root_write(&root, "home/ann/.local/share/containers/" STORAGE "containers.json",
                  "[{\"id\":\"" ID "\",\"names\":[\"mine\"]}]");
    assert_int_equal(tk_container_names_find(root.kernel.rootfd, &identity, &names), -ENOENT);
    tk_root_release(&root);
}

static void what_is_no_plain_file_is_not_waited_for(void **state)
{
    (void)state;
    struct tk_root root;
    struct tk_container_names names;
    struct tk_cgroup_identity identity = {.id = ID, .uid = -1};
    tk_root_init(&root, NULL);
    tk_root_write(&root, "var/lib/docker/containers/" ID "/x", "");
    assert_int_equal(
        mkfifoat(root.kernel.rootfd, "var/lib/docker/containers/" ID "/config.v2.json", 0600), 0);
    assert_int_equal(tk_container_names_find(root.kernel.rootfd, &identity, &names), -ENOENT);
    tk_root_release(&root);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_of_each_runtime_and_driver_are_told_apart),
        cmocka_unit_test(names_are_found_wherever_a_runtime_leaves_them),
        cmocka_unit_test(broken_and_foreign_files_tell_nothing),
        cmocka_unit_test(homes_on_other_machines_are_left_alone),
        cmocka_unit_test(what_is_no_plain_file_is_not_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
