/* SPDX-License-Identifier: Apache-2.0 */
/* What is read of a process once in a while and costs more than a glance (collector.md section 8):
 *
 *   open files   size of the folder /proc/PID/fd, which the kernel counts (Linux 6.2): 0.4 us,
 *                however many there are. Where it does not, they are not known: listing the folder
 *                takes a second for a million.
 *   their limit  /proc/PID/limits, 3.4 us
 *   PSS, swap    /proc/PID/smaps_rollup, on request. It walks all pages and holds up the process
 *                when it maps memory: 7 ms with 2 GB. So there is a budget of time per tick, and
 *                who is likely to take all of it alone is left out. */
#include <sys/stat.h>
#include <sys/vfs.h>

#include <linux/magic.h>

#include "base/clock.h"
#include "base/number.h"
#include "collect/procs_internal.h"

#define PSS_TURN_NS (10 * TK_NS_PER_S) /* each process once in so long */

/* Before anything was measured: 4 KiB pages, warm. */
#define PSS_NS_PER_KB 5.0
/* Smaller processes say little about the cost of a page. */
#define PSS_TELLING_KB 4096

static int64_t now_ns(const struct tk_procs *procs)
{
    return procs->kernel->mono_ns(procs->kernel->world);
}

/* Open files --------------------------------------------------------------------------- */

static size_t format_path(pid_t pid, const char *name, char *path)
{
    size_t n = tk_i64_format(pid, path);
    memcpy(path + n, name, strlen(name) + 1);
    return n;
}

/* We have files open ourselves, so a size of 0 means that nobody counts. */
void tk_procs_probe_fds(struct tk_procs *procs)
{
    struct statfs fs;
    struct stat st;
    int procfd = procs->kernel->procfd;
    procs->counts_fds = fstatfs(procfd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC &&
                        fstatat(procfd, "self/fd", &st, 0) == 0 && st.st_size > 0;
}

void tk_procs_read_fds(struct tk_procs *procs, uint32_t i)
{
    char path[TK_I64_MAX + 4];
    struct stat st;
    if (!procs->counts_fds)
        return;
    (void)format_path(procs->set.clocks[i].pid, "/fd", path);
    procs->syscalls++;
    if (fstatat(procs->kernel->procfd, path, &st, 0) == 0 && st.st_size <= INT32_MAX)
        procs->set.facts[i].fds = (int32_t)st.st_size;
}

void tk_procs_read_limits(struct tk_procs *procs, uint32_t i)
{
    tk_str text;
    int64_t files;
    struct tk_proc_facts *facts = &procs->set.facts[i];
    if (tk_proc_files_read(&procs->files, procs->set.clocks[i].pid, &facts->files, TK_FILE_LIMITS,
                           TK_KEEP_NOT, &text) == 0 &&
        tk_pid_limits_parse(text, &files) == 0)
        tk_procs_set_fd_limit(procs, i, files);
}

void tk_procs_set_fd_limit(struct tk_procs *procs, uint32_t i, int64_t limit)
{
    int32_t value = limit < INT32_MAX ? (int32_t)limit : INT32_MAX;
    uint8_t *at = &procs->set.facts[i].fd_limit;
    if (*at != 0 && procs->fd_limits[*at] == value)
        return;
    *at = 0; /* also where the table is full */
    for (size_t n = 1; value > 0 && n < TK_COUNTOF(procs->fd_limits); n++) {
        if (procs->fd_limits[n] != 0 && procs->fd_limits[n] != value)
            continue;
        procs->fd_limits[n] = value;
        *at = (uint8_t)n;
        return;
    }
}

int64_t tk_procs_fd_limit(const struct tk_procs *procs, uint32_t i)
{
    uint8_t at = procs->set.facts[i].fd_limit;
    return at != 0 ? procs->fd_limits[at] : -1;
}

/* PSS ---------------------------------------------------------------------------------- */

static uint32_t to_kb(int64_t kb)
{
    return kb >= 0 && kb < TK_PROC_KB_NONE ? (uint32_t)kb : TK_PROC_KB_NONE;
}

static double rss_kb(const struct tk_procs *procs, const struct tk_proc_facts *facts)
{
    return (double)facts->rss_pages * (double)procs->kernel->page_bytes / 1024;
}

/* What a page costs, by the last readings of large processes. */
static void learn(struct tk_procs_pss *pss, double kb, int64_t took_ns)
{
    if (kb >= PSS_TELLING_KB)
        pss->ns_per_kb += ((double)took_ns / kb - pss->ns_per_kb) / 4;
}

/* One process, unless it is likely to take more than the whole budget. Returns what it took. */
static int64_t read_pss(struct tk_procs *procs, uint32_t i)
{
    tk_str text;
    struct tk_pid_rollup rollup;
    struct tk_procs_pss *pss = &procs->pss;
    struct tk_proc_facts *facts = &procs->set.facts[i];
    double kb = rss_kb(procs, facts);
    if (kb * pss->ns_per_kb > (double)procs->options.pss_budget_ns) {
        procs->set.memory[i] = (struct tk_proc_memory){TK_PROC_KB_NONE, TK_PROC_KB_NONE};
        pss->left_out++;
        return 0;
    }
    int64_t start_ns = now_ns(procs);
    int rc = tk_proc_files_read(&procs->files, procs->set.clocks[i].pid, &facts->files,
                                TK_FILE_SMAPS_ROLLUP, TK_KEEP_NOT, &text);
    int64_t took_ns = now_ns(procs) - start_ns;
    if (rc == 0 && tk_pid_rollup_parse(text, &rollup) == 0) {
        procs->set.memory[i] = (struct tk_proc_memory){to_kb(rollup.pss_kb), to_kb(rollup.swap_kb)};
        learn(pss, kb, took_ns);
    }
    return took_ns;
}

/* Who has RSS: kernel threads have no memory of their own. */
static bool has_memory(const struct tk_procs *procs, uint32_t i)
{
    return (procs->set.clocks[i].flags & (TK_PROC_MEMBER | TK_PROC_GONE)) == TK_PROC_MEMBER &&
           procs->set.facts[i].rss_pages > 0;
}

/* How many are to be read at this tick, so that all have their turn in PSS_TURN_NS. */
static uint32_t scheduled(struct tk_procs *procs, int64_t dt_ns)
{
    struct tk_procs_pss *pss = &procs->pss;
    int64_t turn_ns = tk_pace_slow_ns(procs->options.pace, PSS_TURN_NS);
    double count = procs->set.count;
    pss->owed += count * (double)dt_ns / (double)turn_ns;
    if (pss->owed > count)
        pss->owed = count;
    return (uint32_t)pss->owed;
}

void tk_procs_read_pss(struct tk_procs *procs)
{
    struct tk_procs_pss *pss = &procs->pss;
    int64_t budget_ns = procs->options.pss_budget_ns;
    int64_t start_ns = now_ns(procs);
    if (budget_ns == 0)
        return;
    if (pss->last_ns == 0) { /* everybody, as far as the budget goes */
        pss->ns_per_kb = PSS_NS_PER_KB;
        pss->owed = procs->set.count;
        pss->last_ns = start_ns;
    }
    uint32_t wanted = scheduled(procs, start_ns - pss->last_ns);
    pss->last_ns = start_ns;
    int64_t spent_ns = 0;
    for (uint32_t n = 0; n < wanted; n++) {
        if (spent_ns >= budget_ns) {
            pss->left_out += wanted - n;
            break;
        }
        pss->next = pss->next + 1 < procs->set.count ? pss->next + 1 : 0;
        if (has_memory(procs, pss->next))
            spent_ns += read_pss(procs, pss->next);
        pss->owed--;
    }
}
