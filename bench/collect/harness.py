# SPDX-License-Identifier: Apache-2.0
"""Start a collector in a cgroup of its own and measure it from outside.

CPU is the cgroup's own counter (v1 `cpuacct.usage`, v2 `cpu.stat`), so every child and thread of
a tool counts and nothing is sampled. System calls come from strace in a window of their own, since
tracing slows the tool down. Needs the right to make a cgroup.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

QUIET_S = 0.06  # a tool that uses no CPU for so long is between two ticks
STOP_S = 10.0


class Unavailable(Exception):
    """The tool or the machine cannot do this; the text says why."""


class Failed(Exception):
    """The tool started but did not do its work; the text says how."""


def stop_on_signals() -> None:
    """Let SIGTERM and SIGINT end the program by way of its clean-up, in the background too."""

    def stop(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Put off those signals: a clean-up is to come to its end."""
    old = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)


# Processes ------------------------------------------------------------------------------------


def process_ids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def cpu_clock_ns(pid: int) -> int | None:
    """CPU time of a process by its clock id, (~pid << 3) | 2; None when it is gone."""
    try:
        return time.clock_gettime_ns((~pid << 3) | 2)
    except OSError:
        return None


def cpu_clocks() -> dict[int, int]:
    clocks = {pid: cpu_clock_ns(pid) for pid in process_ids()}
    return {pid: ns for pid, ns in clocks.items() if ns is not None}


def changed_count(before: dict[int, int], after: dict[int, int]) -> int:
    """How many processes ran, or were born, between two sweeps."""
    return sum(1 for pid, ns in after.items() if before.get(pid) != ns)


def forks() -> int:
    """Forks since boot, of processes and threads."""
    return int(re.search(r"^processes (\d+)", Path("/proc/stat").read_text(), re.M)[1])


@contextlib.contextmanager
def quiet_machine(forks_per_s: float) -> Iterator[None]:
    """Unavailable when the machine forked more than so often while the body ran."""
    before, start = forks(), time.monotonic()
    yield
    rate = (forks() - before) / (time.monotonic() - start)
    if rate > forks_per_s:
        raise Unavailable(f"the machine is busy with something else: {rate:.0f} forks a second")


# The cgroup -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Hierarchy:
    """Where CPU groups can be made: the folder that holds ours, and how to read the counter."""

    version: int
    folder: Path

    def describe(self) -> str:
        return "cgroup v1 cpuacct.usage" if self.version == 1 else "cgroup v2 cpu.stat"


def _own_path(version: int) -> str:
    for line in Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines():
        _, controllers, path = line.split(":", 2)
        if (version == 1 and "cpuacct" in controllers.split(",")) or \
                (version == 2 and controllers == ""):
            return path.lstrip("/")
    return ""


def find_hierarchies() -> list[Hierarchy]:
    found = []
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        _, mount, kind, options = line.split()[:4]
        if kind == "cgroup" and "cpuacct" in options.split(","):
            found.append(Hierarchy(1, Path(mount)))
        elif kind == "cgroup2":
            found.append(Hierarchy(2, Path(mount)))
    inside = [Hierarchy(h.version, h.folder / _own_path(h.version)) for h in found]
    return sorted((h for h in inside if os.access(h.folder, os.W_OK)), key=lambda h: h.version)


def find_hierarchy(version: int = 0) -> Hierarchy:
    """The CPU hierarchy to use, v1 first since it counts in ns; `version` 0 = any."""
    for hierarchy in find_hierarchies():
        if version in (0, hierarchy.version):
            return hierarchy
    raise Unavailable("no cgroup hierarchy with CPU accounting is writable here")


class CpuGroup:
    """A cgroup made for one tool."""

    def __init__(self, hierarchy: Hierarchy, name: str) -> None:
        self.version = hierarchy.version
        self.folder = hierarchy.folder / f"tk-bench-{os.getpid()}-{name}"
        try:
            self.folder.mkdir()
        except OSError as error:
            raise Unavailable(f"cannot make a cgroup: {error}") from error

    def cpu_ns(self) -> int:
        if self.version == 1:
            return int((self.folder / "cpuacct.usage").read_text(encoding="ascii"))
        first = (self.folder / "cpu.stat").read_text(encoding="ascii").split("\n", 1)[0]
        return int(first.split()[1]) * 1000

    def pids(self) -> list[int]:
        return [int(pid) for pid in (self.folder / "cgroup.procs").read_text().split()]

    def close(self) -> None:
        deadline = time.monotonic() + STOP_S
        while time.monotonic() < deadline:
            for pid in self.pids():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(OSError):
                self.folder.rmdir()
                return
            time.sleep(0.05)


# The load -------------------------------------------------------------------------------------


@dataclass
class Load:
    """A running load generator."""

    children: int
    active: int
    processes: int
    process: subprocess.Popen

    def check(self) -> None:
        """Fail when it has ended: what is measured from here on would be something else."""
        if self.process.poll() is not None:
            raise Failed("the load has ended")


@contextlib.contextmanager
def load(program: Path, processes: int, active_percent: int) -> Iterator[Load]:
    """Run so many children that the machine has about `processes` processes in all."""
    if not program.exists():
        raise Unavailable(f"{program} is missing: meson configure build -Dbench=true && "
                          "ninja -C build")
    children = max(1, processes - len(process_ids()) - 1)
    process = subprocess.Popen([program, "-n", str(children), "-a", str(active_percent)],
                               stdout=subprocess.PIPE, text=True)
    try:
        words = dict(re.findall(r"(\w+)=(\d+)", process.stdout.readline()))
        if "processes" not in words:
            raise Failed(f"loadgen did not start {children} children")
        yield Load(children, int(words["active"]), int(words["processes"]), process)
    finally:
        with undisturbed():
            process.terminate()
            process.wait()


# The tool -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Command:
    """One process of a tool. Its stdout goes to `name`.out in the tool's folder."""

    name: str
    argv: list[str]
    env: dict[str, str] = field(default_factory=dict)
    port: int = 0  # wait until something listens there before the next command
    path: Path | None = None  # or until this file exists


class Scraper(threading.Thread):
    """Fetch URLs once per interval, as a Prometheus server would. Its own cost is not counted."""

    def __init__(self, urls: tuple[tuple[int, str], ...], interval_s: float) -> None:
        super().__init__(daemon=True)
        self.urls, self.interval_s = urls, interval_s
        self.samples, self.bytes, self.error = 0, 0, ""
        self.stopped = threading.Event()

    def run(self) -> None:
        due = time.monotonic()
        while not self.stopped.wait(max(0.0, due - time.monotonic())):
            try:
                self.bytes += sum(self.fetch(port, path) for port, path in self.urls)
                self.samples += 1
            except OSError as error:
                self.error = str(error)
            due += self.interval_s

    @staticmethod
    def fetch(port: int, path: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", path, headers={"Accept-Encoding": "identity"})
        response = connection.getresponse()
        size = len(response.read())
        connection.close()
        if response.status != 200:
            raise OSError(f"GET {path} from port {port}: status {response.status}")
        return size


@dataclass(frozen=True)
class Window:
    """What a tool used in one window."""

    seconds: float
    cpu_ns: int
    samples: float
    bytes: int


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
        return True
    return False


def file_sizes(folder: Path) -> dict[str, int]:
    """Bytes of each file below the folder."""
    sizes = {}
    for parent, _, names in os.walk(folder):
        for path in (os.path.join(parent, name) for name in names):
            with contextlib.suppress(OSError):
                sizes[os.path.relpath(path, folder)] = os.lstat(path).st_size
    return sizes


def folder_bytes(folder: Path) -> int:
    return sum(file_sizes(folder).values())


class Running:
    """A tool that runs in its cgroup and writes into `folder`."""

    def __init__(self, group: CpuGroup, folder: Path, interval_s: float) -> None:
        self.group, self.folder, self.interval_s = group, folder, interval_s
        self.processes: list[tuple[str, subprocess.Popen]] = []
        self.scraper: Scraper | None = None
        self.count_samples: Callable[[Path], int] | None = None

    def spawn(self, command: Command) -> None:
        env = {**os.environ, "LC_ALL": "C", "TZ": "UTC", "HOME": str(self.folder), **command.env}
        into_group = ["/bin/sh", "-c", 'echo $$ >"$0" && exec "$@"',
                      str(self.group.folder / "cgroup.procs")]
        with open(self.folder / f"{command.name}.out", "wb") as out, \
                open(self.folder / f"{command.name}.err", "wb") as err:
            process = subprocess.Popen(into_group + command.argv, env=env, cwd=self.folder,
                                       stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                       start_new_session=True)
        self.processes.append((command.name, process))
        self.await_ready(command)

    def await_ready(self, command: Command) -> None:
        """Unavailable when the command ends before it is ready: it cannot run here."""
        deadline = time.monotonic() + STOP_S
        while (command.port and not listens(command.port)) or \
                (command.path and not command.path.exists()):
            for name, process in self.processes:
                if process.poll() is not None:
                    raise Unavailable(self.last_words(name) or f"{name} ended at once")
            if time.monotonic() > deadline:
                raise Failed(f"{command.name} is not ready after {STOP_S:.0f} s")
            time.sleep(0.05)

    def last_words(self, name: str) -> str:
        """The last line that a process of the tool wrote to stderr."""
        text = (self.folder / f"{name}.err").read_text(errors="replace").strip()
        return text.splitlines()[-1] if text else ""

    def check(self) -> None:
        """Fail when a process of the tool has ended, or a scrape went wrong."""
        for name, process in self.processes:
            if process.poll() is not None:
                last = self.last_words(name) or "it said nothing"
                raise Failed(f"{name} ended with status {process.returncode}: {last}")
        if self.scraper and self.scraper.error:
            raise Failed(self.scraper.error)

    def await_quiet(self) -> None:
        """Wait for the gap between two ticks, at most for three intervals."""
        deadline = time.monotonic() + 3 * self.interval_s
        quiet = min(QUIET_S, self.interval_s / 4)
        used, since = self.group.cpu_ns(), time.monotonic()
        moved = False
        while time.monotonic() < deadline:
            time.sleep(quiet / 6)
            now = self.group.cpu_ns()
            if now != used:
                used, since, moved = now, time.monotonic(), True
            elif moved and time.monotonic() - since > quiet:
                return

    def bytes(self) -> int:
        return self.scraper.bytes if self.scraper else folder_bytes(self.folder)

    def samples(self) -> float | None:
        if self.scraper:
            return self.scraper.samples
        return self.count_samples(self.folder) if self.count_samples else None

    def measure(self, seconds: float, during: Callable[[float], None] = time.sleep) -> Window:
        """Use of the tool over `seconds`; a tool that cannot be counted took a sample an interval.
        """
        self.await_quiet()
        samples, size, start = self.samples(), self.bytes(), time.monotonic()
        used = self.group.cpu_ns()
        during(seconds)
        used = self.group.cpu_ns() - used
        seconds = time.monotonic() - start
        self.check()
        taken = seconds / self.interval_s if samples is None else self.samples() - samples
        if taken <= 0:
            raise Failed(f"no sample in {seconds:.0f} s")
        return Window(seconds, used, taken, self.bytes() - size)

    def memory_kb(self) -> dict[str, int]:
        """Peak RSS, present RSS and present PSS, summed over the tool's processes."""
        total = dict.fromkeys(("rss_kb", "rss_now_kb", "pss_kb"), 0)
        for pid in self.group.pids():
            with contextlib.suppress(OSError):
                status = Path(f"/proc/{pid}/status").read_text()
                rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
                total["rss_kb"] += int(re.search(r"^VmHWM:\s+(\d+)", status, re.M)[1])
                total["rss_now_kb"] += int(re.search(r"^VmRSS:\s+(\d+)", status, re.M)[1])
                total["pss_kb"] += int(re.search(r"^Pss:\s+(\d+)", rollup, re.M)[1])
        return total

    def settle(self, seconds: float) -> None:
        """Let the tool run for so long, and fail when it does not."""
        time.sleep(seconds)
        self.check()

    def count_syscalls(self, seconds: float) -> tuple[dict[str, int], Window]:
        """System calls by name, counted by strace attached to all processes of the tool."""
        counts: dict[str, int] = {}

        def trace(duration: float) -> None:
            counts.update(strace_counts(self.group.pids(), self.folder / "strace.out",
                                        lambda: time.sleep(duration)))

        return counts, self.measure(seconds, during=trace)

    def stop(self) -> None:
        if self.scraper:
            self.scraper.stopped.set()
            self.scraper.join()
        for _, process in reversed(self.processes):
            if process.poll() is None:
                process.terminate()
        for _, process in self.processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_S)


@contextlib.contextmanager
def running(hierarchy: Hierarchy, folder: Path, commands: list[Command],
            interval_s: float = 1.0) -> Iterator[Running]:
    """Start the commands in a new cgroup; all of them are gone afterwards."""
    tool = Running(CpuGroup(hierarchy, folder.name), folder, interval_s)
    try:
        for command in commands:
            tool.spawn(command)
        yield tool
    finally:
        with undisturbed():
            tool.stop()
            tool.group.close()
            for _, process in tool.processes:
                process.wait()


def strace_counts(pids: list[int], summary: Path, during: Callable[[], None]) -> dict[str, int]:
    """Trace `pids`, their threads and children until `during` returns; calls by name."""
    argv = ["strace", "-f", "-c", "-U", "calls,name", "-o", str(summary)]
    for pid in pids:
        argv += ["-p", str(pid)]
    if not pids:
        raise Failed("no process to trace")
    if not shutil.which("strace"):
        raise Unavailable("strace is missing")
    said = summary.with_suffix(".err")
    with open(said, "wb") as stderr:
        strace = subprocess.Popen(argv, stderr=stderr)
    while strace.poll() is None and "attached" not in said.read_text():
        time.sleep(0.005)
    if strace.poll() is not None:
        raise Unavailable(f"strace cannot attach: {' '.join(said.read_text().split())}")
    during()
    strace.send_signal(signal.SIGINT)
    strace.wait()
    rows = re.findall(r"^\s*(\d+)\s+([a-z_]\w*)\s*$", summary.read_text(), re.M)
    return {name: int(calls) for calls, name in rows if name != "total"}


def read_run_json(folder: Path) -> dict:
    """The run.json of a recording below `folder`; empty when there is none."""
    for path in sorted(folder.rglob("run.json")):
        with contextlib.suppress(OSError, ValueError):
            return json.loads(path.read_text(encoding="utf-8"))
    return {}
