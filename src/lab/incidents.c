/* SPDX-License-Identifier: Apache-2.0 */
#include "lab/incidents.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "base/nearest.h"
#include "base/number.h"

#define MINUTE_NS (60LL * 1000000000)

const struct tk_lab_incident tk_lab_incidents[] = {
    {"packet_loss", "half of all packets are lost", "tc qdisc add dev eth0 root netem loss 50%",
     "iproute2", 0},
    {"latency", "packets are late by 100 ms, more or less",
     "tc qdisc add dev eth0 root netem delay 100ms 20ms distribution normal", "iproute2", 0},
    {"crush", "the container is killed", NULL, NULL, 0},
    {"cpu_load", "one CPU is busy", "stress --cpu 1 --timeout 60s", "stress", MINUTE_NS},
    {"memory_stress", "1 GiB of memory is used over and over",
     "stress --vm 4 --vm-bytes 256M --timeout 60s", "stress", MINUTE_NS},
    {"disk_io_stress", "disks are flushed all the time", "stress --io 4 --timeout 60s", "stress",
     MINUTE_NS},
    {NULL},
};

static int find_name(tk_str name, const struct tk_lab_incident **ret_incident, struct tk_err *err)
{
    const char *names[TK_COUNTOF(tk_lab_incidents)];
    size_t count = 0;
    char text[64];
    for (const struct tk_lab_incident *at = tk_lab_incidents; at->name; at++) {
        names[count++] = at->name;
        if (tk_str_eq(name, tk_str_from(at->name))) {
            *ret_incident = at;
            return 0;
        }
    }
    const char *meant =
        tk_str_to_cstr(name, text, sizeof(text)) ? tk_nearest_find(text, names, count) : NULL;
    return tk_fail(err, -EINVAL, "'%.*s' is no incident%s%s%s", TK_STR_ARG(name),
                   meant ? ": did you mean '" : "", meant ? meant : "", meant ? "'?" : "");
}

int tk_lab_incident_find(const char *name, const struct tk_lab_incident **ret_incident,
                         double *ret_ratio, struct tk_err *err)
{
    tk_str text = {name, strlen(name)};
    size_t dash = tk_str_find_last(text, '-');
    double ratio;
    int rc = find_name((tk_str){text.p, dash}, ret_incident, err);
    if (rc < 0)
        return rc;
    bool is_ratio = dash < text.n &&
                    tk_parse_f64((tk_str){text.p + dash + 1, text.n - dash - 1}, &ratio) &&
                    ratio > 0 && ratio <= 1;
    if (!is_ratio) {
        return tk_fail(err, -EINVAL, "'%s': expected a ratio of containers behind it, as in %s-0.2",
                       name, (*ret_incident)->name);
    }
    *ret_ratio = ratio;
    return 0;
}

size_t tk_lab_incident_choose(size_t count, double ratio, uint64_t seed, size_t *ret_chosen)
{
    /* 10 x 0.3 is a little above 3 in binary. */
    size_t needed = (size_t)ceil((double)count * ratio - 1e-9);
    size_t chosen = 0;
    for (size_t i = 0; i < count && chosen < needed; i++) {
        /* As likely as those that are still needed are among those that are left. */
        double unit = (double)(tk_hash_mix(seed, i) >> 11) * 0x1p-53;
        if (unit * (double)(count - i) < (double)(needed - chosen))
            ret_chosen[chosen++] = i;
    }
    return chosen;
}
