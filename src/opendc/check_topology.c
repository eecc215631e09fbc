/* SPDX-License-Identifier: Apache-2.0 */
/* The topology of old runners and of the SDK (opendc.md section 9): which keys there are, and
 * figures with their units. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/number.h"
#include "opendc/check_internal.h"

#define TOPOLOGY_MAX ((size_t)256 << 20)
#define SCRATCH_MAX  ((size_t)1 << 20)
#define MOST_HOSTS   1e9
#define BYTES_AS_MIB 67108864.0 /* 64 TiB: a bare figure of more is one of bytes */

/* What a figure is of. The unit of a bare number is the one with factor 1. */
enum quantity { FREQUENCY, SIZE, POWER, TIME, ENERGY, PLAIN };

static const struct {
    enum quantity quantity;
    const char *unit;
    double factor;
} units[] = {
    {FREQUENCY, "Hz", 1e-6},
    {FREQUENCY, "kHz", 1e-3},
    {FREQUENCY, "MHz", 1},
    {FREQUENCY, "GHz", 1e3},
    {SIZE, "B", 1.0 / 1048576},
    {SIZE, "KB", 1e3 / 1048576},
    {SIZE, "KiB", 1.0 / 1024},
    {SIZE, "MB", 1e6 / 1048576},
    {SIZE, "MiB", 1},
    {SIZE, "GB", 1e9 / 1048576},
    {SIZE, "GiB", 1024},
    {SIZE, "TB", 1e12 / 1048576},
    {SIZE, "TiB", 1048576},
    {SIZE, "b", 1.0 / 8388608},
    {SIZE, "Kb", 1e3 / 8388608},
    {SIZE, "Kib", 1.0 / 8192},
    {SIZE, "Mb", 1e6 / 8388608},
    {SIZE, "Mib", 1.0 / 8},
    {SIZE, "Gb", 1e9 / 8388608},
    {SIZE, "Gib", 128},
    {SIZE, "Tb", 1e12 / 8388608},
    {SIZE, "Tib", 131072},
    {POWER, "Watts", 1},
    {POWER, "kWatts", 1000},
    {ENERGY, "J", 1},
    {TIME, "seconds", 1000},
    {TIME, "minutes", 60000},
    {TIME, "hours", 3600000},
};

enum object {
    TOP,
    CLUSTER,
    HOST,
    CPU,
    MEMORY,
    OTHER, /* not looked into: power models, GPUs, batteries, ... */
    OBJECTS
};

/* Keys of objects, in both formats, and what their values are. */
/* NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): in the order that a reader wants */
static const struct key {
    enum object object;
    const char *name;
    enum { ANY, FIGURE, CHILD, CHILDREN } kind;
    enum object child;
    enum quantity quantity;
} keys[] = {
    {TOP, "clusters", CHILDREN, CLUSTER, PLAIN},
    {CLUSTER, "name", ANY, OTHER, PLAIN},
    {CLUSTER, "count", FIGURE, OTHER, PLAIN},
    {CLUSTER, "hosts", CHILDREN, HOST, PLAIN},
    {CLUSTER, "powerSource", ANY, OTHER, PLAIN},
    {CLUSTER, "battery", ANY, OTHER, PLAIN},
    {HOST, "name", ANY, OTHER, PLAIN},
    {HOST, "count", FIGURE, OTHER, PLAIN},
    {HOST, "cpu", CHILD, CPU, PLAIN},
    {HOST, "memory", CHILD, MEMORY, PLAIN},
    {HOST, "gpu", ANY, OTHER, PLAIN},
    {HOST, "cpuPowerModel", ANY, OTHER, PLAIN},
    {HOST, "gpuPowerModel", ANY, OTHER, PLAIN},
    {HOST, "cpuDistributionPolicy", ANY, OTHER, PLAIN},
    {HOST, "gpuDistributionPolicy", ANY, OTHER, PLAIN},
    {HOST, "cpuDistribution", ANY, OTHER, PLAIN},
    {HOST, "gpuDistribution", ANY, OTHER, PLAIN},
    {CPU, "coreCount", FIGURE, OTHER, PLAIN},
    {CPU, "coreSpeed", FIGURE, OTHER, FREQUENCY},
    {CPU, "count", FIGURE, OTHER, PLAIN},
    {CPU, "vendor", ANY, OTHER, PLAIN},
    {CPU, "modelName", ANY, OTHER, PLAIN},
    {CPU, "arch", ANY, OTHER, PLAIN},
    {CPU, "architecture", ANY, OTHER, PLAIN},
    {MEMORY, "memorySize", FIGURE, OTHER, SIZE},
    {MEMORY, "size", FIGURE, OTHER, SIZE},
    {MEMORY, "memorySpeed", FIGURE, OTHER, FREQUENCY},
    {MEMORY, "speed", FIGURE, OTHER, FREQUENCY},
    {MEMORY, "vendor", ANY, OTHER, PLAIN},
    {MEMORY, "modelName", ANY, OTHER, PLAIN},
    {MEMORY, "arch", ANY, OTHER, PLAIN},
    {MEMORY, "architecture", ANY, OTHER, PLAIN},
};

/* The host at hand. */
struct host {
    double count, cores, cpus, mhz, mem_mib;
};

struct reading {
    struct tk_check *check;
    const char *file;
    struct tk_json json;
    struct tk_arena scratch;
    struct host host;
    double clusters; /* count of the cluster at hand */
    struct tk_err *err;
};

static const struct key *find_key(enum object object, tk_str name)
{
    for (size_t i = 0; i < TK_COUNTOF(keys); i++) {
        if (keys[i].object == object && tk_str_eq(name, tk_str_from(keys[i].name)))
            return &keys[i];
    }
    return NULL;
}

static struct tk_check_place place_of(const struct reading *reading, const struct key *key)
{
    return (struct tk_check_place){reading->file, key ? key->name : NULL, -1};
}

/* A text such as "2400 MHz". */
static double parse_figure(struct reading *reading, const struct key *key, tk_str text)
{
    tk_str rest = text;
    double value;
    const struct tk_check_place place = place_of(reading, key);
    if (!tk_scan_f64(&rest, &value)) {
        tk_check_found(reading->check, TK_CHECK_E14, &place, "'%.*s' is no figure",
                       TK_STR_ARG(text));
        return (double)NAN;
    }
    rest = tk_str_trim(rest);
    for (size_t i = 0; i < TK_COUNTOF(units); i++) {
        if (units[i].quantity == key->quantity && tk_str_eq(rest, tk_str_from(units[i].unit)))
            return value * units[i].factor;
    }
    tk_check_found(reading->check, TK_CHECK_E14, &place, "'%.*s' has no unit that OpenDC knows",
                   TK_STR_ARG(text));
    return (double)NAN;
}

static int read_figure(struct reading *reading, const struct key *key, double *ret)
{
    const struct tk_check_place place = place_of(reading, key);
    if (tk_json_peek(&reading->json) == TK_JSON_STRING && key->quantity != PLAIN) {
        tk_str text;
        int rc = tk_json_read_str(&reading->json, &reading->scratch, &text, reading->err);
        *ret = rc == 0 ? parse_figure(reading, key, text) : (double)NAN;
        return rc;
    }
    int rc = tk_json_read_f64(&reading->json, ret, reading->err);
    if (rc < 0 || key->quantity == PLAIN)
        return rc;
    if (key->quantity == SIZE && *ret > BYTES_AS_MIB) {
        tk_check_found(reading->check, TK_CHECK_W05, &place,
                       "%.0f is read as MiB: a figure of bytes?", *ret);
    } else {
        tk_check_found(reading->check, TK_CHECK_W05, &place,
                       "%g without a unit: write one beside it", *ret);
    }
    return 0;
}

static void take_figure(struct reading *reading, const struct key *key, double value)
{
    struct host *host = &reading->host;
    const struct {
        enum object object;
        const char *name;
        double *to;
    } fields[] = {
        {CLUSTER, "count", &reading->clusters},
        {HOST, "count", &host->count},
        {CPU, "coreCount", &host->cores},
        {CPU, "coreSpeed", &host->mhz},
        {CPU, "count", &host->cpus},
        {MEMORY, "memorySize", &host->mem_mib},
        {MEMORY, "size", &host->mem_mib},
    };
    for (size_t i = 0; i < TK_COUNTOF(fields); i++) {
        if (fields[i].object == key->object && strcmp(fields[i].name, key->name) == 0)
            *fields[i].to = value;
    }
}

static void end_host(struct reading *reading)
{
    struct tk_check_hosts *hosts = &reading->check->hosts;
    const struct host *host = &reading->host;
    const struct tk_check_place place = place_of(reading, NULL);
    double cores = host->cores * host->cpus;
    double count = host->count * reading->clusters;
    if (!(cores >= 1) || !(host->mhz > 0) || !(host->mem_mib > 0)) {
        tk_check_found(reading->check, TK_CHECK_E14, &place,
                       "a host lacks its coreCount, coreSpeed or memory size");
        return;
    }
    if (!(count >= 1) || count > MOST_HOSTS || cores > MOST_HOSTS) {
        tk_check_found(reading->check, TK_CHECK_E14, &place, "%g hosts of %g cores", count, cores);
        return;
    }
    hosts->hosts += (int64_t)count;
    hosts->core_mhz = fmax(hosts->core_mhz, host->mhz);
    hosts->most_mhz = fmax(hosts->most_mhz, cores * host->mhz);
    hosts->total_mhz += cores * host->mhz * count;
    hosts->most_cores = (int64_t)cores > hosts->most_cores ? (int64_t)cores : hosts->most_cores;
    hosts->most_mem_mib = fmax(hosts->most_mem_mib, host->mem_mib);
}

static int read_object(struct reading *reading, enum object object);

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the table of keys */
static int read_children(struct reading *reading, enum object child)
{
    int rc = tk_json_enter_array(&reading->json, reading->err);
    while (rc == 0 && (rc = tk_json_next_element(&reading->json, reading->err)) == 0)
        rc = read_object(reading, child);
    return rc < 0 ? rc : 0;
}

/* NOLINTNEXTLINE(misc-no-recursion): as above */
static int read_value(struct reading *reading, const struct key *key)
{
    double value;
    int rc;
    switch (key->kind) {
    case FIGURE:
        rc = read_figure(reading, key, &value);
        if (rc == 0)
            take_figure(reading, key, value);
        return rc;
    case CHILD:
        return read_object(reading, key->child);
    case CHILDREN:
        return read_children(reading, key->child);
    case ANY:
        break;
    }
    return tk_json_skip(&reading->json, NULL, reading->err);
}

/* NOLINTNEXTLINE(misc-no-recursion): as above */
static int read_object(struct reading *reading, enum object object)
{
    if (object == CLUSTER)
        reading->clusters = 1;
    if (object == HOST)
        reading->host = (struct host){.count = 1, .cpus = 1};
    tk_str name;
    int rc = tk_json_enter_object(&reading->json, reading->err);
    while (rc == 0 &&
           (rc = tk_json_next_key(&reading->json, &reading->scratch, &name, reading->err)) == 0) {
        const struct key *key = find_key(object, name);
        if (key) {
            rc = read_value(reading, key);
            continue;
        }
        const struct tk_check_place place = place_of(reading, NULL);
        tk_check_found(reading->check, TK_CHECK_W09, &place,
                       "key '%.*s' is unknown: runners before July 2026 refuse it",
                       TK_STR_ARG(name));
        rc = tk_json_skip(&reading->json, NULL, reading->err);
    }
    if (rc >= 0 && object == HOST)
        end_host(reading);
    return rc < 0 ? rc : 0;
}

int tk_check_topology_text(struct tk_check *check, const char *name, tk_str text,
                           struct tk_err *err)
{
    struct tk_err why;
    struct reading reading = {.check = check, .file = name, .err = &why};
    int rc = tk_arena_init(&reading.scratch, SCRATCH_MAX, err);
    if (rc < 0)
        return rc;
    tk_json_init(&reading.json, text);
    rc = read_object(&reading, TOP);
    rc = rc < 0 ? rc : tk_json_expect_end(&reading.json, &why);
    tk_arena_release(&reading.scratch);
    if (rc < 0) {
        const struct tk_check_place place = {name, NULL, -1};
        tk_check_found(check, TK_CHECK_E14, &place, "%s", why.msg);
    }
    check->hosts.is_there = check->hosts.hosts > 0;
    return 0;
}

int tk_check_topology(struct tk_check *check, struct tk_err *err)
{
    const char *given = check->options->topology;
    const char *name = given ? given : "topology.json";
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, TOPOLOGY_MAX);
    int rc = tk_file_load(given ? AT_FDCWD : check->dirfd, name, &text, err);
    if (rc < 0)
        return rc == -ENOENT && !given ? 0 : rc;
    return tk_check_topology_text(check, name, tk_buf_str(&text), err);
}
