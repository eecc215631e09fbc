/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that reads text about control groups: the first byte chooses a file of a group, or
 * one of /proc. */
#include <stdlib.h>
#include <string.h>

#include "collect/cgroup_files.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct tk_cgroup_devices stacked = {.items = {{253, 0}}, .count = 1};
    static struct tk_cgroup_mounts mounts;
    struct tk_cgroup_reading reading = tk_cgroup_reading_none();
    char path[256];
    char container[128];
    struct tk_err err;
    if (size < 1)
        return 0;
    tk_str text = {(const char *)data + 1, size - 1};
    size_t choice = data[0] % (TK_CGROUP_FILE_COUNT + 3);
    if (choice < TK_CGROUP_FILE_COUNT)
        (void)tk_cgroup_file_parse(&tk_cgroup_files[choice], text, &stacked, &reading);
    else if (choice == TK_CGROUP_FILE_COUNT)
        tk_cgroup_mounts_parse(text, &mounts);
    else if (choice == TK_CGROUP_FILE_COUNT + 1)
        tk_cgroup_own_parse(text, &mounts);
    else if (tk_cgroup_parse(text, path, sizeof(path), container, sizeof(container), &err) == 0 &&
             (strlen(path) == 0 || strlen(container) >= sizeof(container)))
        abort();
    return 0;
}
