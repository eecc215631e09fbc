/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/privileges.h"

#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

const struct tk_privilege tk_privileges[] = {
    {"CAP_NET_ADMIN", "exit records and fork events of all processes", CAP_NET_ADMIN, true},
    {"CAP_BPF", "all processes read at once, in the kernel", CAP_BPF, true},
    {"CAP_PERFMON", "the same", CAP_PERFMON, true},
    {"CAP_SYS_PTRACE", "I/O counters and trace context of other users' processes", CAP_SYS_PTRACE,
     false},
    {"CAP_DAC_READ_SEARCH", "energy counters, names of containers", CAP_DAC_READ_SEARCH, false},
    {0},
};

/* To make files in a folder of another user and give them to him. */
#define FOREIGN_FOLDER (1ULL << CAP_DAC_OVERRIDE | 1ULL << CAP_CHOWN | 1ULL << CAP_FOWNER)

/* The kernel's two 32-bit halves, version 3 of the interface. */
struct caps {
    struct __user_cap_data_struct half[2];
};

static int caps_read(struct caps *ret_caps)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    return (int)syscall(SYS_capget, &header, ret_caps->half);
}

static int caps_write(const struct caps *caps)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    return (int)syscall(SYS_capset, &header, caps->half);
}

static uint64_t effective(const struct caps *caps)
{
    return (uint64_t)caps->half[1].effective << 32 | caps->half[0].effective;
}

size_t tk_privileges_read(tk_str *ret_names, size_t max)
{
    struct caps caps;
    if (caps_read(&caps) < 0)
        return 0;
    size_t n = 0;
    for (const struct tk_privilege *privilege = tk_privileges; privilege->name; privilege++) {
        if ((effective(&caps) >> privilege->number & 1) && n < max)
            ret_names[n++] = tk_str_from(privilege->name);
    }
    return n;
}

int tk_privileges_drop(bool foreign_folder, struct tk_err *err)
{
    struct caps caps;
    if (caps_read(&caps) < 0)
        return tk_fail_errno(err, "capabilities");
    uint64_t keep = foreign_folder ? FOREIGN_FOLDER : 0;
    for (const struct tk_privilege *privilege = tk_privileges; privilege->name; privilege++) {
        if (!privilege->at_start)
            keep |= 1ULL << privilege->number;
    }
    keep &= effective(&caps);
    for (int i = 0; i < 2; i++) {
        uint32_t half = (uint32_t)(keep >> (32 * i));
        caps.half[i] = (struct __user_cap_data_struct){half, half, 0};
    }
    if (caps_write(&caps) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return tk_fail_errno(err, "giving up capabilities");
    return 0;
}
