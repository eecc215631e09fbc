/* SPDX-License-Identifier: Apache-2.0 */
/* What programs that follow events cost whom they follow: a switch of tasks with exact mode, a call
 * on a socket with --net. Each operation is done with the programs and without, in turn, by this
 * process and one child on one CPU.
 *
 *     build/followers --rounds 20
 *
 * Of each part: CPU time of both processes per operation without and with it (least of the rounds),
 * then the mean time in each of its programs by the kernel's own statistics. */
#include <bpf/bpf.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench.h"
#include "collect/bpf.h"

#define OPERATIONS 20000

struct followers_opts {
    int64_t rounds;
};

static const struct tk_opt options[] = {
    {"rounds", TK_OPT_INT, offsetof(struct followers_opts, rounds), "N", "each way (20)",
     .letter = 'n', .min = 1, .max = 100000},
    {0},
};

/* Both ends of two pipes, and two sockets. */
struct world {
    int to_child[2], to_parent[2];
    int sender, receiver;
    pid_t child;
    clockid_t child_clock;
};

static int64_t cpu_ns(const struct world *world)
{
    struct timespec t = {0};
    (void)clock_gettime(world->child_clock, &t);
    return tk_bench_cpu_ns() + t.tv_sec * TK_NS_PER_S + t.tv_nsec;
}

/* Two switches each. */
static void switch_tasks(const struct world *world)
{
    char byte = 0;
    for (int i = 0; i < OPERATIONS / 2; i++) {
        if (write(world->to_child[1], &byte, 1) != 1 || read(world->to_parent[0], &byte, 1) != 1)
            return;
    }
}

/* Two calls each. */
static void pass_bytes(const struct world *world)
{
    char bytes[64] = {0};
    for (int i = 0; i < OPERATIONS / 2; i++) {
        if (send(world->sender, bytes, sizeof(bytes), 0) < 0 ||
            recv(world->receiver, bytes, sizeof(bytes), 0) < 0)
            return;
    }
}

static const struct part {
    const char *name;
    uint32_t part;
    void (*operate)(const struct world *world);
    const char *programs[2];
} parts[] = {
    {"exact", TK_BPF_EXACT, switch_tasks, {"follow_switch"}},
    {"net", TK_BPF_NET, pass_bytes, {"count_sent", "count_received"}},
};

static bool open_world(struct world *world)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(at);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    world->sender = socket(AF_INET, SOCK_DGRAM, 0);
    world->receiver = socket(AF_INET, SOCK_DGRAM, 0);
    if (sched_setaffinity(0, sizeof(one), &one) < 0 || pipe(world->to_child) < 0 ||
        pipe(world->to_parent) < 0 || bind(world->receiver, (struct sockaddr *)&at, n) < 0 ||
        getsockname(world->receiver, (struct sockaddr *)&at, &n) < 0 ||
        connect(world->sender, (struct sockaddr *)&at, n) < 0)
        return false;
    world->child = fork();
    if (world->child == 0) {
        char byte;
        (void)close(world->to_child[1]);
        while (read(world->to_child[0], &byte, 1) == 1 && write(world->to_parent[1], &byte, 1) == 1)
            continue;
        _exit(0);
    }
    return world->child > 0 && clock_getcpuclockid(world->child, &world->child_clock) == 0;
}

/* The least of some rounds, ns per operation; negative when the part cannot be loaded. */
static double measure(const struct world *world, const struct part *part, uint32_t loaded,
                      struct tk_err *err)
{
    struct tk_bpf *bpf = NULL;
    if (tk_bpf_new(TK_TIER_AUTO, TK_BPF_TASKS | loaded, &bpf, err) < 0)
        return -1;
    if ((tk_bpf_parts(bpf) & loaded) != loaded) {
        tk_bpf_free(bpf);
        (void)tk_fail(err, -1, "%s: this kernel does not have it", part->name);
        return -1;
    }
    int64_t before_ns = cpu_ns(world);
    part->operate(world);
    double ns = (double)(cpu_ns(world) - before_ns) / OPERATIONS;
    tk_bpf_free(bpf);
    return ns;
}

/* Mean time in a program that is loaded now. */
static void print_program(const char *name)
{
    uint32_t id = 0;
    while (bpf_prog_get_next_id(id, &id) == 0) {
        struct bpf_prog_info info = {0};
        uint32_t n = sizeof(info);
        int fd = bpf_prog_get_fd_by_id(id);
        if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &n) == 0 && info.run_cnt > 0 &&
            strncmp(info.name, name, sizeof(info.name) - 1) == 0)
            printf("  %s %.0f ns in the program\n", name,
                   (double)info.run_time_ns / (double)info.run_cnt);
        if (fd >= 0)
            (void)close(fd);
    }
}

static int print_programs(const struct world *world, const struct part *part, struct tk_err *err)
{
    struct tk_bpf *bpf = NULL;
    int stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
    int rc = tk_bpf_new(TK_TIER_AUTO, TK_BPF_TASKS | part->part, &bpf, err);
    if (rc < 0)
        return rc;
    part->operate(world);
    for (size_t i = 0; i < TK_COUNTOF(part->programs) && part->programs[i]; i++)
        print_program(part->programs[i]);
    tk_bpf_free(bpf);
    (void)close(stats);
    return 0;
}

static int compare(const struct world *world, const struct part *part, int64_t rounds,
                   struct tk_err *err)
{
    double without_ns = 1e9;
    double with_ns = 1e9;
    for (int64_t i = 0; i < rounds; i++) {
        double without = measure(world, part, 0, err);
        double with = without < 0 ? -1 : measure(world, part, part->part, err);
        if (with < 0)
            return -1;
        without_ns = without < without_ns ? without : without_ns;
        with_ns = with < with_ns ? with : with_ns;
    }
    printf("%s: %.0f ns per operation without, %.0f with: %+.0f ns\n", part->name, without_ns,
           with_ns, with_ns - without_ns);
    return print_programs(world, part, err);
}

int main(int argc, char **argv)
{
    struct followers_opts opts = {.rounds = 20};
    struct world world = {0};
    struct tk_err err = {.msg = "cannot make a child and its pipes"};
    int status;
    if (!tk_bench_parse("followers", options, &opts, argc, argv, &status))
        return status;
    int rc = open_world(&world) ? 0 : -1;
    for (size_t i = 0; i < TK_COUNTOF(parts) && rc == 0; i++)
        rc = compare(&world, &parts[i], opts.rounds, &err);
    if (world.child > 0) {
        (void)kill(world.child, SIGKILL);
        (void)waitpid(world.child, NULL, 0);
    }
    return rc == 0 ? 0 : tk_bench_fail("followers", &err);
}
