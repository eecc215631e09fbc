/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a control group, as pure parsers into parts of a reading. Each sets what its file
 * gives and leaves the rest. Format: Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/. */
#ifndef TK_COLLECT_CGROUP_FILES_H
#define TK_COLLECT_CGROUP_FILES_H

#include "base/compiler.h"
#include "base/str.h"
#include "collect/bpf/shared.h"
#include "collect/cgroup_mounts.h"
#include "collect/cgroups.h"

/* Block devices whose I/O is counted on the devices below them as well (dm, md, loop), or that
 * are memory: they are not added up. */
struct tk_cgroup_devices {
    struct {
        int64_t major, minor;
    } items[512];
    size_t count;
    uint64_t names; /* hash of the names of all devices when they were looked up; 0 = never */
};

/* How often a file is read. */
enum tk_cgroup_class {
    TK_CGROUP_FAST,   /* each tick */
    TK_CGROUP_DETAIL, /* 1 s, of groups whose CPU time moved, and 10 s of others */
    TK_CGROUP_SLOW,   /* 10 s */
};

struct tk_cgroup_file {
    const char *name;
    int hierarchy; /* enum tk_cgroup_controller or TK_CGROUP_V2 */
    enum tk_cgroup_class class;
    uint32_t record; /* TK_BPF_HAS_... whose figures are those of this file; 0 = none */

    /* A file of several values, or of one that is more than a number; NULL = `scan` it. */
    bool (*parse)(tk_str text, const struct tk_cgroup_devices *stacked,
                  struct tk_cgroup_reading *reading);

    /* A file of one number, which is this int64_t field of a reading. */
    bool (*scan)(tk_str text, int64_t *ret);
    uint32_t field;

    bool by_device; /* it tells of each device, of which some lie on others */
};

enum {
    TK_CGROUP_FILE_COUNT = 21,
};

/* Both versions; the files of version 2 last, so that they win where a host gives both. */
extern const struct tk_cgroup_file tk_cgroup_files[TK_CGROUP_FILE_COUNT];

/* Take what `file` gives into `reading`. False when the text is not what it should be; `reading`
 * may then hold a part. */
bool tk_cgroup_file_parse(const struct tk_cgroup_file *file, tk_str text,
                          const struct tk_cgroup_devices *stacked,
                          struct tk_cgroup_reading *reading);

/* A reading in which nothing is known. */
struct tk_cgroup_reading tk_cgroup_reading_none(void);

/* "254:0" and blanks. */
bool tk_cgroup_device_scan(tk_str *text, int64_t *ret_major, int64_t *ret_minor);

/* Name of the container, pod or unit that a path tells, "" = none. False when it does not fit. */
bool tk_cgroup_container(tk_str path, char *ret_name, size_t cap);

#endif
