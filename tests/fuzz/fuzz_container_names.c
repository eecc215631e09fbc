/* SPDX-License-Identifier: Apache-2.0 */
/* Files in which runtimes keep the names of containers, and paths of control groups; the first byte
 * chooses. */
#include <stdlib.h>
#include <string.h>

#include "collect/container_names.h"

#define ID "3f4c1a5b6d7e8f901234567890abcdef3f4c1a5b6d7e8f901234567890abcdef"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool (*const parsers[])(tk_str, const char *, struct tk_container_names *) = {
        tk_container_names_parse_docker, tk_container_names_parse_oci,
        tk_container_names_parse_podman};
    struct tk_container_names names = {.name = ""};
    struct tk_cgroup_identity identity;
    if (size == 0)
        return 0;
    tk_str text = {(const char *)data + 1, size - 1};
    if (data[0] % 4 == 3) {
        tk_cgroup_identify(text, &identity);
        if (strlen(identity.id) != 0 && strlen(identity.id) != 64)
            abort();
    } else if (parsers[data[0] % 4](text, ID, &names) && !names.name[0] && !names.pod[0] &&
               !names.namespace[0]) {
        abort();
    }
    return 0;
}
