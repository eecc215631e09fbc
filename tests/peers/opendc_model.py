# SPDX-License-Identifier: Apache-2.0
"""The rules by which OpenDC v2.4f runs a workload on hosts of one kind, without its code: opendc.md
section 6. Small and slow: it exists to say what a run must come to where there is no OpenDC, and is
itself held to the results of section 18, which OpenDC computed (opendc_cases.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field

RAM_RATIO = 1.5  # of prefab "Mem" in v2.4f: so much of a host's memory is given away


@dataclass
class Host:
    cores: int = 4
    mhz: float = 2400
    mem_mib: int = 16384
    idle_w: float = 100
    max_w: float = 200

    @property
    def capacity(self) -> float:
        return self.cores * self.mhz


@dataclass
class Task:
    id: int
    fragments: list[tuple[int, float]]  # ms, MHz
    submission: int = 0
    cpu_count: int = 1
    mem_kb: int = 1000
    parents: list[int] = field(default_factory=list)
    children: list[int] = field(default_factory=list)

    scheduled: int | None = None
    finished: int | None = None
    state: str = "CREATED"

    # of the fragment that runs
    at: int = -1
    left: float = 0  # MHz ms under Perfect, ms under NoDelay
    supply: float = 0  # of the fragment before

    @property
    def mem_mb(self) -> int:
        return round(self.mem_kb / 1000)

    @property
    def demand(self) -> float:
        return self.fragments[self.at][1]

    def advance(self, policy: str, capacity: float) -> bool:
        """Go to the next fragment that takes time; False after the last."""
        for self.at in range(self.at + 1, len(self.fragments)):
            duration, usage = self.fragments[self.at]
            before, self.supply = self.supply, min(usage, capacity)
            if duration == 0 or (policy == "Perfect" and (usage == 0 or usage * duration < before)):
                continue
            self.left = float(usage * duration if policy == "Perfect" else duration)
            return True
        return False


def shares(tasks: list[Task], capacity: float) -> dict[int, float]:
    """Max-min fairness: who asks for less than an equal part gets it, the others share the rest."""
    given, rest = {}, sorted(enumerate(tasks), key=lambda pair: pair[1].demand)
    while rest:
        place, task = rest.pop(0)
        given[place] = min(task.demand, capacity / (len(rest) + 1))
        capacity -= given[place]
    return given


def fits(task: Task, running: list[Task], host: Host) -> bool:
    return (sum(t.cpu_count for t in running) + task.cpu_count <= host.cores
            and sum(t.mem_mb for t in running) + task.mem_mb <= host.mem_mib * RAM_RATIO)


class Run:
    """One host, one policy. `energy_j` is that of the host until the last task has finished."""

    def __init__(self, tasks: list[Task], host: Host, policy: str) -> None:
        self.tasks, self.host, self.policy = tasks, host, policy
        self.now, self.energy_j, self.running = 0, 0.0, []
        self.waiting = sorted(tasks, key=lambda task: task.submission)
        first = self.waiting[0].submission
        for task in tasks:
            task.submission -= first
        while self.waiting or self.running:
            self.place()
            self.step()

    def is_free(self, task: Task) -> bool:
        done = {t.id for t in self.tasks if t.state == "COMPLETED"}
        return task.submission <= self.now and done.issuperset(task.parents)

    def place(self) -> None:
        for task in [task for task in self.waiting if self.is_free(task)]:
            if task.cpu_count > self.host.cores or task.mem_mb > self.host.mem_mib:
                task.state, task.finished = "TERMINATED", self.now
            elif fits(task, self.running, self.host):
                task.state, task.scheduled = "RUNNING", self.now
                self.running.append(task)
                if not task.advance(self.policy, self.host.capacity):
                    self.end(task)
            else:
                return  # the head of the queue blocks all behind it
            self.waiting.remove(task)

    def end(self, task: Task) -> None:
        task.state, task.finished = "COMPLETED", self.now
        self.running.remove(task)

    def step(self) -> None:
        """To the next moment at which anything changes."""
        given = shares(self.running, self.host.capacity)
        speed = [given[place] if self.policy == "Perfect" else 1.0
                 for place in range(len(self.running))]
        ends = [self.now + int(task.left / rate) for task, rate in zip(self.running, speed)]
        later = [task.submission for task in self.waiting if task.submission > self.now]
        if not ends + later:
            return
        then = min(ends + later)
        used = sum(given.values()) / self.host.capacity
        watt = self.host.idle_w + (self.host.max_w - self.host.idle_w) * used
        self.energy_j += watt * (then - self.now) / 1000
        for task, rate in zip(self.running, speed):
            task.left -= rate * (then - self.now)
        passed, self.now = list(zip(self.running, ends)), then
        for task, end in passed:
            if end == then and not task.advance(self.policy, self.host.capacity):
                self.end(task)
