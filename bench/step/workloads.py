#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Twelve live workloads, each run as a step by `tracekit exec`, and what `tracekit report` says held it up. Takes three
minutes, as root. On a machine that others use, CPU_STARVED is right for what wants cores: it does not get them. The same
figures without the machine are judged by tests/unit/test_diagnosis.c.

usage: bench/step/workloads.py TRACEKIT [WORKLOAD...]
"""
import json
import mmap
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

CORES = os.cpu_count()
LEVELS = {"info": 0, "warn": 1, "critical": 2}
NAMESPACE = "tracekit-bench"
SERVER, PORT = "10.213.7.1", 7123


# What runs within the step ------------------------------------------------------------------------------------------


def spin(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def spin_all(seconds, count=CORES):
    children = [os.fork() for _ in range(count)] if count > 1 else [0]
    if 0 in children:
        spin(seconds)
        if count > 1:
            os._exit(0)
    for child in filter(None, children):
        os.waitpid(child, 0)


def write(seconds, chunk, sync=False, most=1 << 62):
    fd = os.open("file", os.O_CREAT | os.O_WRONLY, 0o600)
    data = bytes(chunk)
    end, done = time.monotonic() + seconds, 0
    while time.monotonic() < end and done < most:
        done += os.write(fd, data)
        if sync:
            os.fsync(fd)


def write_through(seconds):
    """As dd bs=16M oflag=direct,dsync: past the page cache, so that next to no CPU time is wanted beside the disk's."""
    size = 16 << 20
    fd = os.open("file", os.O_CREAT | os.O_WRONLY | os.O_DSYNC | os.O_DIRECT, 0o600)
    data = mmap.mmap(-1, size)  # aligned to a page
    end, i = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        os.pwrite(fd, data, i % 32 * size)
        i += 1


def download():
    with socket.create_connection((SERVER, PORT)) as server:
        while server.recv(1 << 20):
            pass


def balloon():
    memory = bytearray(470 << 20)
    for offset in range(0, len(memory), 4096):
        memory[offset] = 1
    time.sleep(2)


def forks(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        subprocess.run(["/bin/sh", "-c", "i=0; while [ $i -lt 200 ]; do (:); i=$((i + 1)); done"])


# What runs beside it ------------------------------------------------------------------------------------------------


class Server:
    """Sends so many bytes, at most so many a second, to one client in a network namespace of its own."""

    def __init__(self, size, rate=None):
        run = lambda *args: subprocess.run(args, check=True)
        run("ip", "netns", "add", NAMESPACE)
        run("ip", "link", "add", "tkbench0", "type", "veth", "peer", "name", "eth0", "netns", NAMESPACE)
        run("ip", "addr", "add", f"{SERVER}/30", "dev", "tkbench0")
        run("ip", "link", "set", "tkbench0", "up")
        run("ip", "-n", NAMESPACE, "addr", "add", "10.213.7.2/30", "dev", "eth0")
        run("ip", "-n", NAMESPACE, "link", "set", "eth0", "up")
        listener = socket.create_server((SERVER, PORT))
        self.pid = os.fork()
        if self.pid == 0:
            client, _ = listener.accept()
            chunk = bytes(rate // 20 if rate else 1 << 20)
            while size > 0:
                client.sendall(chunk)
                size -= len(chunk)
                if rate:
                    time.sleep(1 / 20)
            os._exit(0)
        listener.close()
        self.prefix = ["nsenter", f"--net=/run/netns/{NAMESPACE}"]

    def stop(self):
        os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)
        subprocess.run(["ip", "netns", "del", NAMESPACE], check=True)


class Busy:
    """Others that use the machine."""

    prefix = []

    def __init__(self, count):
        self.children = []
        for _ in range(count):
            child = os.fork()
            if child == 0:
                spin(60)
                os._exit(0)
            self.children.append(child)

    def stop(self):
        for child in self.children:
            os.kill(child, 9)
            os.waitpid(child, 0)


class Daemon(Busy):
    """Somebody who works for the step, in a control group of version 2."""

    def __init__(self, count):
        mount = "/sys/fs/cgroup/unified"
        with open("/proc/self/cgroup", encoding="ascii") as file:
            own = [line[3:].strip() for line in file if line.startswith("0::")][0].rstrip("/")
        group = f"{own}/tracekit-bench-daemon"
        self.folder = (mount if os.path.isdir(mount) else "/sys/fs/cgroup") + group
        os.makedirs(self.folder, exist_ok=True)
        self.options = ["--also", group]
        super().__init__(count)
        for child in self.children:
            with open(f"{self.folder}/cgroup.procs", "w", encoding="ascii") as file:
                file.write(str(child))

    def stop(self):
        super().stop()
        os.rmdir(self.folder)


class Limit:
    """A control group with so much memory, version 1 or 2."""

    def __init__(self, size):
        v1 = "/sys/fs/cgroup/memory"
        self.folder = (v1 if os.path.isdir(v1) else "/sys/fs/cgroup") + "/tracekit-bench"
        os.makedirs(self.folder, exist_ok=True)
        name = "memory.limit_in_bytes" if os.path.isdir(v1) else "memory.max"
        with open(f"{self.folder}/{name}", "w", encoding="ascii") as file:
            file.write(str(size))
        self.prefix = ["sh", "-c", f"echo $$ >{self.folder}/cgroup.procs; exec \"$@\"", "sh"]

    def stop(self):
        for _ in range(20):
            try:
                return os.rmdir(self.folder)
            except OSError:
                time.sleep(0.1)


class Alone:
    prefix = []

    def stop(self):
        pass


# name: what runs, what runs beside it, rules of which one has to be found, and none of a higher level
WORKLOADS = {
    "busy one core": (lambda: spin(32), Alone, {"SINGLE_THREAD"}),
    "busy all cores": (lambda: spin_all(8), Alone, {"CPU_BOUND"}),
    "sleep": (lambda: time.sleep(12), Alone, {"IDLE_WAIT"}),
    "dd sync": (lambda: write_through(10), Alone,
                {"IO_STALL", "DISK_SLOW", "DISK_SATURATED", "SYNC_BOUND"}),
    "dd buffered": (lambda: write(20, 1 << 20, most=2 << 30), Alone, {"WRITE_HEAVY"}),
    "fsync loop": (lambda: write(10, 4096, sync=True), Alone, {"SYNC_BOUND"}),
    "slow download": (download, lambda: Server(24 << 20, 2 << 20), {"NET_SLOW"}),
    "fast download": (download, lambda: Server(6 << 30), {"NET_BOUND", "DOWNLOAD_HEAVY"}),
    "memory balloon": (balloon, lambda: Limit(512 << 20), {"MEM_HIGH"}),
    "fork storm": (lambda: forks(10), Alone, {"FORK_STORM"}),
    "neighbour load": (lambda: spin(15), lambda: Busy(3 * CORES), {"CPU_STARVED"}),
    "daemon work": (lambda: time.sleep(12), lambda: Daemon(CORES), {"DAEMON_WORK"}),
}


def judge(tracekit, name):
    """Run one workload; its findings as rule -> level."""
    _, beside, _ = WORKLOADS[name]
    folder = tempfile.mkdtemp(prefix="bench-workload-", dir=os.environ.get("BENCH_DIR"))
    env = {"PATH": os.environ["PATH"], "TELEMETRY_DIR": f"{folder}/t"}
    company = beside()
    try:
        subprocess.run(company.prefix + [tracekit, "exec", "-n", name, *getattr(company, "options", []), "--",
                                         sys.executable, os.path.abspath(__file__), "--within", name], cwd=folder, env=env, check=True, stderr=subprocess.DEVNULL)
    finally:
        company.stop()
    text = subprocess.run([tracekit, "report", "latest", "--json"], env=env, check=True, capture_output=True).stdout
    shutil.rmtree(folder)
    return {finding["rule"]: finding["level"] for finding in json.loads(text)["steps"][0].get("diagnosis", [])}


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--within":
        return WORKLOADS[sys.argv[2]][0]()
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    tracekit, names = os.path.abspath(sys.argv[1]), sys.argv[2:] or list(WORKLOADS)
    print(f"load {os.getloadavg()[0]:.1f} on {CORES} cores\n")
    right = 0
    # Of a machine that others use this is said of each step, and rightly.
    others = {"CPU_STARVED"} if os.getloadavg()[0] > CORES else set()
    if others:
        print("the machine is busy with other work: CPU_STARVED is right for what wants cores, and disregarded elsewhere\n")
    print("| workload | has to be | found | |\n|---|---|---|---|")
    for name in names:
        expected, found = WORKLOADS[name][2], judge(tracekit, name)
        if name in ("busy one core", "busy all cores", "fork storm"):
            expected = expected | others
        marked = {rule: level for rule, level in found.items()
                  if rule not in ("LONG", "DISK_FULL") and (rule in expected or rule not in others)}
        highest = max((LEVELS[level] for level in marked.values()), default=-1)
        good = any(LEVELS[marked[rule]] == highest for rule in expected & marked.keys())
        right += good
        print(f"| {name} | {' or '.join(sorted(expected))} | {', '.join(f'{r} ({l})' for r, l in found.items()) or '-'} "
              f"| {'right' if good else 'WRONG'} |", flush=True)
    print(f"\n{right} of {len(names)} right")
    return 0 if right == len(names) else 1


sys.exit(main())
