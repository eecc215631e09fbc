/* SPDX-License-Identifier: Apache-2.0 */
/* Floors: what the kernel alone costs a collector that Debian 12 does not have, collector.md A.
 *
 * At each tick it walks /proc and does for every process what the agent's source does: each file is
 * opened, asked for its size, read to its end (a read that finds nothing, as Go's and Rust's
 * read-a-file functions do) and closed; links are read, folders listed. Nothing is parsed, kept or
 * written, so the agent itself costs more. --once prints what one tick did:
 *
 *     {"agent": "below", "processes": 585, "calls": 15795} */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench.h"

enum access { READ_FILE, READ_LINK, LIST };

struct visit {
    const char *name; /* below /proc/PID */
    enum access access;
    int times;
};

enum agent { TELEGRAF, OTELCOL, BELOW, AGENTS };

static const char *const agents[] = {
    [TELEGRAF] = "telegraf", [OTELCOL] = "otelcol", [BELOW] = "below", [AGENTS] = NULL};

/* Read from their sources in 2026: which files, and how often for one process; ends with a name of
 * NULL. telegraf is inputs.procstat, which by way of gopsutil reads a file anew for each figure;
 * otelcol is the process scraper of the hostmetrics receiver with its default metrics. */
static const struct visit visits[AGENTS][9] = {
    [TELEGRAF] = {{"status", READ_FILE, 4},
                  {"stat", READ_FILE, 5},
                  {"io", READ_FILE, 2},
                  {"statm", READ_FILE, 2},
                  {"comm", READ_FILE, 1},
                  {"cmdline", READ_FILE, 1},
                  {"fd", LIST, 1},
                  {"../meminfo", READ_FILE, 1}},
    [OTELCOL] = {{"exe", READ_LINK, 1},
                 {"comm", READ_FILE, 1},
                 {"cmdline", READ_FILE, 1},
                 {"status", READ_FILE, 1},
                 {"stat", READ_FILE, 3},
                 {"statm", READ_FILE, 1},
                 {"io", READ_FILE, 1}},
    [BELOW] = {{"stat", READ_FILE, 1},
               {"status", READ_FILE, 1},
               {"io", READ_FILE, 1},
               {"cgroup", READ_FILE, 1},
               {"cmdline", READ_FILE, 1},
               {"exe", READ_LINK, 1},
               {"ns/pid", READ_LINK, 1}},
};

struct floor_opts {
    int64_t interval_ns;
    int agent;
    bool once;
};

static const struct tk_opt options[] = {
    {"agent", TK_OPT_CHOICE, offsetof(struct floor_opts, agent), "NAME",
     "telegraf (default), otelcol or below", .letter = 'a', .choices = agents},
    {"interval", TK_OPT_DURATION, offsetof(struct floor_opts, interval_ns), "TIME",
     "between ticks (1s); 0ms = back to back", .letter = 'i', .max = 3600 * TK_NS_PER_S},
    {"once", TK_OPT_FLAG, offsetof(struct floor_opts, once), NULL,
     "do one tick and print what it did"},
    {0},
};

/* What was done. */
struct done {
    int64_t processes;
    int64_t calls; /* system calls for processes, without the walk of /proc */
};

static void read_file(const char *path, struct done *done)
{
    char text[8192];
    struct stat meta;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    done->calls++;
    if (fd < 0)
        return;
    (void)fstat(fd, &meta);
    done->calls += 2; /* and close */
    ssize_t got;
    do {
        got = read(fd, text, sizeof(text));
        done->calls++;
    } while (got > 0);
    (void)close(fd);
}

static void read_link(const char *path, struct done *done)
{
    char target[PATH_MAX];
    if (readlink(path, target, sizeof(target)) < 0)
        target[0] = '\0'; /* a kernel thread has no executable */
    done->calls++;
}

/* opendir asks for the kind of file; the folders are short, so that one more listing ends them. */
static void list_folder(const char *path, struct done *done)
{
    DIR *folder = opendir(path);
    if (!folder)
        return;
    while (readdir(folder)) /* NOLINT(concurrency-mt-unsafe): one thread */
        continue;
    (void)closedir(folder);
    done->calls += 5;
}

static void visit_process(enum agent agent, const char *pid, struct done *done)
{
    static void (*const ways[])(const char *path, struct done *done) = {
        [READ_FILE] = read_file, [READ_LINK] = read_link, [LIST] = list_folder};
    for (const struct visit *visit = visits[agent]; visit->name; visit++) {
        char path[sizeof("/proc//") + NAME_MAX + 32];
        (void)snprintf(path, sizeof(path), "/proc/%s/%s", pid, visit->name);
        for (int i = 0; i < visit->times; i++)
            ways[visit->access](path, done);
    }
    done->processes++;
}

/* One tick, added to what is done. */
static int tick(enum agent agent, struct done *done, struct tk_err *err)
{
    DIR *proc = opendir("/proc");
    if (!proc)
        return tk_fail_errno(err, "open /proc");
    const struct dirent *entry;
    while ((entry = readdir(proc))) { /* NOLINT(concurrency-mt-unsafe): one thread */
        if (isdigit((unsigned char)entry->d_name[0]))
            visit_process(agent, entry->d_name, done);
    }
    (void)closedir(proc);
    return 0;
}

static int run(const struct floor_opts *opts, struct tk_err *err)
{
    enum agent agent = (enum agent)opts->agent;
    struct done done = {0};
    if (opts->once) {
        int rc = tick(agent, &done, err);
        if (rc < 0)
            return rc;
        printf("{\"agent\": \"%s\", \"processes\": %" PRId64 ", \"calls\": %" PRId64 "}\n",
               agents[agent], done.processes, done.calls);
        return 0;
    }
    struct tk_bench_ticker ticker;
    tk_bench_ticker_init(&ticker, opts->interval_ns);
    int rc = 0;
    while (rc == 0 && tk_bench_ticker_next(&ticker))
        rc = tick(agent, &done, err);
    return rc;
}

int main(int argc, char **argv)
{
    struct floor_opts opts = {.interval_ns = TK_NS_PER_S};
    int status;
    if (!tk_bench_parse("floor", options, &opts, argc, argv, &status))
        return status;
    struct tk_err err = {0};
    return run(&opts, &err) < 0 ? tk_bench_fail("floor", &err) : 0;
}
