# SPDX-License-Identifier: Apache-2.0
"""What run.py measures, in which order and for how long: one round fits about 35 minutes.

A part is each of its tools at each of its settings and rates. Steps of one setting follow each
other, so that the load is started once; dear tools are measured everywhere but at one rate only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tools import TOOLS

START_S = 1.6  # to start and to stop a tool, and to wait for the gap between two of its ticks
LOAD_S, CHILDREN_PER_S = 1.0, 2000  # to start and to stop the load
STRACE_S = 5.0

Setting = tuple[int, int]  # processes on the machine, percent of them active

BIG, BIG_ACTIVE = (2000, 10), (2000, 100)
MIDDLE, MIDDLE_ACTIVE = (585, 10), (585, 100)
SMALL, SMALL_ACTIVE = (150, 10), (150, 100)
HUGE, NODE = (10000, 10), (200, 10)

# In the order of their weight: a run that is stopped early has the most telling part.
SETTINGS: tuple[Setting, ...] = (BIG, BIG_ACTIVE, MIDDLE, SMALL, HUGE, MIDDLE_ACTIVE, SMALL_ACTIVE,
                                 NODE)

TIERS = ("tracekit B2", "tracekit B1", "tracekit P", "tracekit P0")
TWO_TIERS = ("tracekit B2", "tracekit P")
EVERY_ROW = ("tracekit B2 every row", "tracekit P every row")
COMPACT = ("tracekit B2 compact", "tracekit P compact")
FLOORS = ("telegraf procstat (floor)", "otelcol hostmetrics (floor)", "below (floor)")
PEERS = ("plain C loop", "original set", "psutil loop", "pidstat -urdw", "top -b", "atop -w",
         "collectd", "PCP", "netdata", "node + process-exporter", *FLOORS)
ONCE = ("tracekit host only", "plain C loop, five files", "pidstat 1",
        "node + process-exporter, lean", "mpstat + vmstat + ifstat", "node_exporter", "sadc")


@dataclass(frozen=True)
class Part:
    kind: str  # of measurement: see run.py
    settings: tuple[Setting, ...]
    tools: tuple[str, ...]
    rates: tuple[int, ...] = (1,)
    window_s: float = 10.0
    warmup_s: float = 2.0
    strace: bool = False  # count system calls afterwards, in the same run


PARTS = (
    Part("window", (BIG, BIG_ACTIVE), TIERS, warmup_s=3),
    Part("window", (BIG, BIG_ACTIVE, MIDDLE, SMALL), COMPACT),
    Part("window", (BIG, BIG_ACTIVE), EVERY_ROW, window_s=8),
    Part("window", (BIG, BIG_ACTIVE), PEERS, window_s=8),
    Part("window", (BIG,), ONCE, window_s=8),
    Part("window", (MIDDLE, MIDDLE_ACTIVE, SMALL, SMALL_ACTIVE), TIERS, window_s=8),
    Part("window", (MIDDLE, SMALL), EVERY_ROW, window_s=6),
    Part("window", (MIDDLE,), PEERS, window_s=6, strace=True),
    Part("window", (SMALL,), PEERS, window_s=6),
    Part("window", (MIDDLE_ACTIVE, SMALL_ACTIVE), PEERS, window_s=5),
    Part("window", (BIG, BIG_ACTIVE), TIERS, rates=(10, 100, 1000), window_s=5, warmup_s=1.5),
    Part("window", (BIG, BIG_ACTIVE), ("tracekit B2 exact",), rates=(1000,), window_s=5),
    Part("window", (BIG,), ("plain C loop",), rates=(10, 100), window_s=5),
    Part("window", (BIG,), ("original sampler",), rates=(1, 10, 100), window_s=5),
    Part("window", (MIDDLE, SMALL), TWO_TIERS, rates=(10, 100, 1000), window_s=4, warmup_s=1.5),
    Part("window", (HUGE,), TWO_TIERS, rates=(1, 10, 100), window_s=6),
    Part("window", (HUGE,), ("tracekit B2",), rates=(1000,), window_s=4),
    Part("window", (HUGE,), ("plain C loop", "original set", "pidstat -urdw"), window_s=8,
         warmup_s=5),
    Part("window", (NODE,), TWO_TIERS, rates=(10,), window_s=8),
    Part("syscalls", (BIG, MIDDLE), (*TIERS, "tracekit host only"),
         window_s=10),  # one turn of the slow class
    Part("syscalls", (BIG, MIDDLE), ("tracekit B2 compact",), window_s=20,
         warmup_s=20),  # one of run.json, which is written more often in a young run
    Part("syscalls", (BIG, MIDDLE), ("tracekit B2",), rates=(100,), window_s=4),
    Part("blocks", (BIG, MIDDLE_ACTIVE), COMPACT, window_s=24),
    Part("start", (BIG, SMALL), (*TIERS, "tracekit host only"), window_s=0, warmup_s=0),
    Part("exits", (SMALL,), TIERS, window_s=4),
    Part("recording", (SMALL,), ("recording",), window_s=15, warmup_s=0),
    Part("reading", (SMALL,), ("json",), window_s=5, warmup_s=0),
)


@dataclass(frozen=True)
class Step:
    """One tool, measured once."""

    kind: str
    processes_asked: int
    active: int
    tool: str
    hz: int
    window_s: float
    warmup_s: float
    strace: bool

    @property
    def seconds(self) -> float:
        """How long it will take, about."""
        settle = self.warmup_s + TOOLS[self.tool].warmup_s
        return START_S + settle + self.window_s + (STRACE_S if self.strace else 0)

    def title(self) -> str:
        what = "" if self.kind == "window" else f", {self.kind}"
        return f"{self.tool}, {self.hz} Hz{what}"


def load_seconds(processes: int) -> float:
    return LOAD_S + processes / CHILDREN_PER_S


def steps_of(setting: Setting, parts: tuple[Part, ...] = PARTS) -> Iterator[Step]:
    for part in parts:
        if setting in part.settings:
            for tool in part.tools:
                for hz in part.rates:
                    yield Step(part.kind, *setting, tool, hz, part.window_s, part.warmup_s,
                               part.strace)


def describe(steps_by_setting: dict[Setting, list[Step]]) -> str:
    """The plan with its estimated times, for a reader."""
    lines, total = [], 0.0
    for (processes, active), steps in steps_by_setting.items():
        seconds = load_seconds(processes) + sum(step.seconds for step in steps)
        lines.append(f"{processes:,} processes, {active} % active: {len(steps)} steps, "
                     f"{seconds:.0f} s")
        lines += [f"  {step.seconds:5.1f} s  {step.title()}" for step in steps]
        total += seconds
    lines.append(f"in all {sum(map(len, steps_by_setting.values()))} steps, {total / 60:.1f} "
                 "minutes a round")
    return "\n".join(lines)
