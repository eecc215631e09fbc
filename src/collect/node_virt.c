/* SPDX-License-Identifier: Apache-2.0 */
/* Inside what do we run? By files alone, since CPUID and DMI tables need rights or assembler; the
 * innermost answer wins, as `systemd-detect-virt` has it. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "collect/cgroup_files.h"
#include "collect/node_internal.h"

/* A small file with a word that tells. Clues of one file stand together, so that it is read once.
 */
struct clue {
    const char *path;
    const char *word; /* the file holds it; "" = the file exists */
    const char *name;
};

static const struct clue containers[] = {
    {"run/.containerenv", "", "podman"},
    {"run/systemd/container", "docker", "docker"},
    {"run/systemd/container", "podman", "podman"},
    {"run/systemd/container", "lxc", "lxc"},
    {"run/systemd/container", "systemd-nspawn", "systemd-nspawn"},
    {"run/systemd/container", "", "container"},
    {"proc/1/environ", "container=lxc", "lxc"},
    {"proc/1/environ", "container=podman", "podman"},
    {"proc/1/environ", "container=systemd-nspawn", "systemd-nspawn"},
    {"proc/1/environ", "KUBERNETES_SERVICE_HOST=", "kubernetes"},
    {"proc/sys/kernel/osrelease", "WSL", "wsl"},
    {"proc/sys/kernel/osrelease", "Microsoft", "wsl"},
    {"proc/version", "gVisor", "gvisor"},
};

static const struct clue hypervisors[] = {
    {"sys/hypervisor/type", "xen", "xen"},
    {"sys/class/dmi/id/product_name", "KVM", "kvm"},
    {"sys/class/dmi/id/sys_vendor", "Amazon EC2", "amazon"},
    {"sys/class/dmi/id/sys_vendor", "Google", "google"},
    {"sys/class/dmi/id/sys_vendor", "QEMU", "qemu"},
    {"sys/class/dmi/id/sys_vendor", "VMware", "vmware"},
    {"sys/class/dmi/id/sys_vendor", "innotek", "oracle"},
    {"sys/class/dmi/id/sys_vendor", "Oracle Corporation", "oracle"},
    {"sys/class/dmi/id/sys_vendor", "Xen", "xen"},
    {"sys/class/dmi/id/sys_vendor", "Parallels", "parallels"},
    {"sys/class/dmi/id/product_name", "Virtual Machine", "microsoft"},
    {"sys/devices/system/clocksource/clocksource0/available_clocksource", "kvm-clock", "kvm"},
    {"sys/devices/system/clocksource/clocksource0/available_clocksource", "hyperv", "microsoft"},
    {"sys/devices/system/clocksource/clocksource0/available_clocksource", "xen", "xen"},
};

/* The file of the clue before. */
struct clue_file {
    const char *path;
    tk_str text; /* empty when it cannot be read */
    char buf[16384];
};

static bool holds(const struct tk_kernel *kernel, const struct clue *clue, struct clue_file *file)
{
    struct tk_err ignored;
    if (!clue->word[0])
        return faccessat(kernel->rootfd, clue->path, F_OK, 0) == 0;
    if (!file->path || strcmp(file->path, clue->path) != 0) {
        file->path = clue->path;
        if (tk_file_read(kernel->rootfd, clue->path, file->buf, sizeof(file->buf), &file->text,
                         &ignored) < 0)
            file->text = (tk_str){0};
    }
    return file->text.n > 0 && memmem(file->text.p, file->text.n, clue->word, strlen(clue->word));
}

static const char *first_clue(const struct tk_kernel *kernel, const struct clue *clues, size_t n)
{
    struct clue_file file;
    file.path = NULL;
    for (size_t i = 0; i < n; i++) {
        if (holds(kernel, &clues[i], &file))
            return clues[i].name;
    }
    return NULL;
}

/* The initial namespaces have fixed numbers (include/linux/proc_ns.h). An image of a container that
 * was turned into a machine still has its /.dockerenv, but lives in these. */
static bool is_initial(const struct tk_kernel *kernel)
{
    static const struct {
        const char *path;
        const char *link;
    } namespaces[] = {
        {"self/ns/pid", "pid:[4026531836]"},
        {"self/ns/ipc", "ipc:[4026531839]"},
        {"self/ns/uts", "uts:[4026531838]"},
    };
    for (size_t i = 0; i < TK_COUNTOF(namespaces); i++) {
        char link[64] = "";
        if (readlinkat(kernel->procfd, namespaces[i].path, link, sizeof(link) - 1) < 0 ||
            strcmp(link, namespaces[i].link) != 0)
            return false;
    }
    return true;
}

/* The container that the group of our pid 1 tells; it names the runtime only in part. */
static const char *by_group(const struct tk_kernel *kernel)
{
    char buf[8192];
    char path[TK_CGROUP_PATH_MAX];
    char container[128];
    tk_str text;
    struct tk_err ignored;
    if (tk_file_read(kernel->procfd, "1/cgroup", buf, sizeof(buf), &text, &ignored) < 0 ||
        tk_cgroup_parse(text, path, sizeof(path), container, sizeof(container), &ignored) < 0 ||
        !container[0] || tk_str_ends_with(tk_str_from(container), TK_STR(".service")))
        return NULL;
    static const struct {
        const char *part;
        const char *name;
    } names[] = {{"kubepods", "kubernetes"},
                 {"docker", "docker"},
                 {"libpod", "podman"},
                 {"crio", "crio"},
                 {"lxc", "lxc"}};
    for (size_t i = 0; i < TK_COUNTOF(names); i++) {
        if (strstr(path, names[i].part))
            return names[i].name;
    }
    return "container";
}

const char *tk_virt_find(const struct tk_kernel *kernel, bool hypervisor)
{
    const char *found = first_clue(kernel, containers, TK_COUNTOF(containers));
    if (!found)
        found = by_group(kernel);
    if (!found && faccessat(kernel->rootfd, ".dockerenv", F_OK, 0) == 0 && !is_initial(kernel))
        found = "docker";
    if (!found)
        found = first_clue(kernel, hypervisors, TK_COUNTOF(hypervisors));
    if (!found)
        found = hypervisor ? "vm" : "none";
    return found;
}
