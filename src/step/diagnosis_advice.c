/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "step/diagnosis.h"

/* What to do about a process that takes most of the CPU time, by its name. */
static const struct {
    const char *process;
    const char *advice;
} shipped[] = {
    {"xz", "xz -T0, or zstd"},
    {"gzip", "pigz, or zstd -T0"},
    {"zstd", "zstd -T0"},
    {"bzip2", "lbzip2, or zstd -T0"},
    {"tar", "pipe tar into a compressor with -T0"},
    {"sha256sum", "sum the files in parallel"},
    {"split", "reflink the file, or upload ranges of it"},
    {"qemu-img", "qemu-img convert -m 16 -W, compression_type=zstd"},
    {"mksquashfs", "mksquashfs -processors"},
    {"dpkg", "eatmydata, cached lists, a mirror nearby"},
    {"apt", "eatmydata, cached lists, a mirror nearby"},
    {"apt-get", "eatmydata, cached lists, a mirror nearby"},
    {"cc1", "ccache, make -j"},
    {"cc1plus", "ccache, make -j"},
    {"ld", "link with lld or mold"},
    {"git", "git clone --depth or --filter"},
    {"pip", "keep pip's cache directory"},
    {"pip3", "keep pip's cache directory"},
    {"npm", "keep npm's cache directory"},
    {"cargo", "keep cargo's cache directory"},
    {"wget", "a cache in the LAN, or parallel ranges"},
    {"curl", "a cache in the LAN, or parallel ranges"},
    {"ollama", "cache the models on the runner"},
    {"dockerd", "a registry mirror, max-concurrent-downloads"},
};

tk_str tk_advice_find(const struct tk_user_rules *user, tk_str comm)
{
    for (size_t i = 0; user && i < user->advice_count; i++) {
        if (tk_str_eq(user->advice[i].process, comm))
            return user->advice[i].advice;
    }
    for (size_t i = 0; i < TK_COUNTOF(shipped); i++) {
        if (tk_str_eq(tk_str_from(shipped[i].process), comm))
            return tk_str_from(shipped[i].advice);
    }
    return (tk_str){0};
}
