/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/rights.h"

#include <linux/capability.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* To make files in a folder of another user and give them to him; all in the first half. */
#define FOREIGN_FOLDER (1U << CAP_DAC_OVERRIDE | 1U << CAP_CHOWN | 1U << CAP_FOWNER)

int tk_rights_drop(int dirfd, struct tk_err *err)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct halves[2];
    struct stat folder;
    if (fstat(dirfd, &folder) < 0 || syscall(SYS_capget, &header, halves) < 0)
        return tk_fail_errno(err, "capabilities");
    uint32_t keep = folder.st_uid != geteuid() ? halves[0].effective & FOREIGN_FOLDER : 0;
    halves[0] = (struct __user_cap_data_struct){keep, keep, 0};
    halves[1] = (struct __user_cap_data_struct){0, 0, 0};
    if (syscall(SYS_capset, &header, halves) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return tk_fail_errno(err, "giving up capabilities");
    return 0;
}
