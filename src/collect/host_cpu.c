/* SPDX-License-Identifier: Apache-2.0 */
/* CPU time of an interval from two readings of /proc/stat. */
#include "collect/host_internal.h"

/* Ticks between two values; a counter that went back makes *ok false. */
static int64_t ticks(int64_t now, int64_t before, bool *ok)
{
    if (now < before)
        *ok = false;
    return now - before;
}

/* idle and iowait are estimates on a tickless kernel, and known to step back a little: that is no
 * reset, the time merely did not pass. */
static int64_t idle_ticks(int64_t now, int64_t before)
{
    return now > before ? now - before : 0;
}

/* Time of guests stands in two columns, of which the outer one may be read a tick behind. */
static int64_t without(int64_t outer, int64_t inner)
{
    return outer > inner ? outer - inner : 0;
}

static double clamp_share(double percent)
{
    return percent < 0 ? 0 : percent > 100 ? 100 : percent;
}

bool tk_cpu_shares_of(const struct tk_host_cpu *now, const struct tk_host_cpu *before,
                      struct tk_cpu_shares *ret)
{
    bool ok = true;
    int64_t user = ticks(now->user, before->user, &ok);
    int64_t nice = ticks(now->nice, before->nice, &ok);
    int64_t system = ticks(now->system, before->system, &ok);
    int64_t irq = ticks(now->irq, before->irq, &ok);
    int64_t softirq = ticks(now->softirq, before->softirq, &ok);
    int64_t steal = ticks(now->steal, before->steal, &ok);
    int64_t guest = ticks(now->guest, before->guest, &ok);
    int64_t guest_nice = ticks(now->guest_nice, before->guest_nice, &ok);
    int64_t idle = idle_ticks(now->idle, before->idle);
    int64_t iowait = idle_ticks(now->iowait, before->iowait);

    int64_t total = user + nice + system + idle + iowait + irq + softirq + steal;
    if (!ok || total <= 0)
        return false;
    double percent = 100.0 / (double)total;
    *ret = (struct tk_cpu_shares){
        .usr = clamp_share((double)without(user, guest) * percent),
        .nice = clamp_share((double)without(nice, guest_nice) * percent),
        .sys = clamp_share((double)system * percent),
        .idle = clamp_share((double)idle * percent),
        .iowait = clamp_share((double)iowait * percent),
        .irq = clamp_share((double)irq * percent),
        .soft = clamp_share((double)softirq * percent),
        .steal = clamp_share((double)steal * percent),
        .guest = clamp_share((double)guest * percent),
        .gnice = clamp_share((double)guest_nice * percent),
    };
    return true;
}

bool tk_core_utils_of(const struct tk_host_stat *now, const struct tk_host_stat *before,
                      double *ret_utils)
{
    if (now->core_count != before->core_count)
        return false;
    for (size_t i = 0; i < now->core_count; i++) {
        const struct tk_host_core *a = &now->cores[i];
        const struct tk_host_core *b = &before->cores[i];
        if (a->id != b->id)
            return false;
        int64_t idle = idle_ticks(a->idle, b->idle);
        int64_t total = a->total - b->total;
        if (total < idle)
            total = idle;
        ret_utils[i] = total > 0 ? clamp_share(100.0 - 100.0 * (double)idle / (double)total) : 0;
    }
    return true;
}
