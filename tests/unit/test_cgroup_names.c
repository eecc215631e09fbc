/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/cgroups.h"

#include <errno.h>
#include <string.h>

#include "tk_test.h"

#define ID "3f4c1a5b6d7e8f901234567890abcdef3f4c1a5b6d7e8f901234567890abcdef"

static void each_runtime_and_driver_is_recognised(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        const char *container;
    } cases[] = {
        {"/docker/" ID, "3f4c1a5b6d7e"},
        {"/system.slice/docker-" ID ".scope", "3f4c1a5b6d7e"},
        {"/docker/" ID "/init.scope", "3f4c1a5b6d7e"},
        {"/kubepods/burstable/pod0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0/" ID, "3f4c1a5b6d7e"},
        {"/kubepods/pod0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0",
         "pod0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"},
        {"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod0f1e.slice/"
         "cri-containerd-" ID ".scope",
         "3f4c1a5b6d7e"},
        {"/kubepods.slice/kubepods-pod0f1e.slice/crio-" ID ".scope", "3f4c1a5b6d7e"},
        {"/kubepods.slice/kubepods-pod0f1e.slice/crio-conmon-" ID ".scope", "pod0f1e"},
        {"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod0f1e.slice", "pod0f1e"},
        {"/kubepods.slice/kubepods-besteffort.slice", ""},
        {"/kubepods.slice/kubepods-pod0f1e2d3c_4b5a_6978_8796_a5b4c3d2e1f0.slice",
         "pod0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"},
        {"/user.slice/user-1000.slice/user@1000.service/app.slice/term.scope", ""},
        {"/system.slice/containerd.service/kubepods-burstable-pod0f1e.slice:cri-containerd:" ID,
         "3f4c1a5b6d7e"},
        {"/k8s.io/" ID, "3f4c1a5b6d7e"},
        {"/default/" ID, "3f4c1a5b6d7e"},
        {"/system.slice/nerdctl-" ID ".scope", "3f4c1a5b6d7e"},
        {"/machine.slice/libpod-" ID ".scope/container", "3f4c1a5b6d7e"},
        {"/machine.slice/libpod-conmon-" ID ".scope", ""},
        {"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID ".scope",
         "3f4c1a5b6d7e"},
        {"/libpod_parent/libpod-" ID, "3f4c1a5b6d7e"},
        {"/lxc.payload.web/system.slice/nginx.service", "web"},
        {"/lxc/web", "web"},
        {"/lxc", ""},
        {"/machine.slice/machine-build.scope/payload", "build"},
        {"/system.slice/nginx.service", "nginx.service"},
        {"/user.slice/user-1000.slice/user@1000.service/app.slice/db.service", "db.service"},
        {"/user.slice/user-1000.slice/session-3.scope", ""},
        {"/docker/" ID "0", ""},
        {"/x" ID, ""},
        {"/work", ""},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        char text[512];
        char path[512];
        char container[128];
        struct tk_err err;
        (void)snprintf(text, sizeof(text), "0::%s\n", cases[i].path);
        assert_int_equal(tk_cgroup_parse(tk_str_from(text), path, sizeof(path), container,
                                         sizeof(container), &err),
                         0);
        assert_string_equal(path, cases[i].path);
        assert_string_equal(container, cases[i].container);
    }
}

static void the_path_that_names_the_process_best_is_taken(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *path;
    } cases[] = {
        {"0::/\n", "/"},
        {"0::/a b\n", "/a b"},
        {"4:memory:/m\n2:cpu,cpuacct:/c\n0::/\n", "/c"},
        {"4:memory:/m\n2:cpuacct,cpu:/\n1:name=systemd:/s\n0::/\n", "/m"},
        {"4:memory:/m\n2:cpuacct,cpu:/c\n0::/v2\n", "/v2"},
        {"9:name=systemd:/s\n8:pids:/p\n7:blkio:/b\n", "/p"},
        {"9:name=systemd:/s\n7:blkio:/b\n", "/s"},
        {"7:blkio:/b\n", "/b"},
        {"0::/../other\n", "/../other"},
        {"0::/with:colons\n", "/with:colons"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        char path[64];
        char container[64];
        struct tk_err err;
        assert_int_equal(tk_cgroup_parse(tk_str_from(cases[i].text), path, sizeof(path), container,
                                         sizeof(container), &err),
                         0);
        assert_string_equal(path, cases[i].path);
    }
}

static void broken_text_is_refused_and_nothing_is_returned(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int code;
        const char *message;
    } cases[] = {
        {"", -EBADMSG, "no line \"NUMBER:CONTROLLERS:/PATH\""},
        {"0::/a\n1:memory\n", -EBADMSG, "line 2: expected \"NUMBER:CONTROLLERS:/PATH\""},
        {"0::a\n", -EBADMSG, "line 1: expected \"NUMBER:CONTROLLERS:/PATH\""},
        {"0::/a-path-longer-than-fits\n", -EMSGSIZE, "a path of 24 bytes"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        char path[16] = "before";
        char container[16] = "before";
        struct tk_err err;
        assert_int_equal(tk_cgroup_parse(tk_str_from(cases[i].text), path, sizeof(path), container,
                                         sizeof(container), &err),
                         cases[i].code);
        assert_string_equal(err.msg, cases[i].message);
        assert_string_equal(path, "before");
        assert_string_equal(container, "before");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_runtime_and_driver_is_recognised),
        cmocka_unit_test(the_path_that_names_the_process_best_is_taken),
        cmocka_unit_test(broken_text_is_refused_and_nothing_is_returned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
