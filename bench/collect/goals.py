# SPDX-License-Identifier: Apache-2.0
"""The goals of collector.md section 9, each with the figure of a result that answers it.

Ratios are CPU per sample, the other tool's over tracekit's, of the same run. A goal whose figure is
not in the result says why.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from plan import BIG, BIG_ACTIVE, HUGE, MIDDLE, MIDDLE_ACTIVE, NODE, SMALL, Setting
from view import Missing, View, drift_ratio

# The tool that answers for the BPF and procfs tiers. The goals of the former are for a log of what
# changed, as the compact recording is; those for JSON Lines are named.
TIER = {"B": "tracekit B2 compact", "P": "tracekit P"}
JSON_LINES = "tracekit B2"
SETTING = {BIG: "2,000", BIG_ACTIVE: "2,000, all active", MIDDLE: "585",
           MIDDLE_ACTIVE: "585, all active", SMALL: "150", HUGE: "10,000", NODE: "200"}


@dataclass(frozen=True)
class Goal:
    what: str
    tier: str  # as shown
    where: str  # the setting, as shown
    at_least: bool  # else at most
    limit: float
    unit: str
    value: Callable[[View], float]  # may raise Missing

    def judge(self, view: View) -> tuple[str, str]:
        """The measured figure and whether the goal is reached, as shown."""
        try:
            value = self.value(view)
        except Missing as why:
            return str(why), "-"
        reached = value >= self.limit if self.at_least else value <= self.limit
        return show(value, self.unit), "yes" if reached else "**no**"

    def shown(self) -> str:
        return ("≥ " if self.at_least else "≤ ") + show(self.limit, self.unit)


def show(value: float, unit: str) -> str:
    digits = 0 if value == 0 or abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    text = f"{value:,.{digits}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return f"{text}{unit}" if unit in ("", "x") else f"{text} {unit}"


# CPU against others -----------------------------------------------------------------------------


def ratio(against: str, tool: str, setting: Setting) -> Callable[[View], float]:
    return lambda view: view.cpu_ns(against, setting) / view.cpu_ns(tool, setting)


def ratio_goals(tier: str, setting: Setting, table: Iterable[tuple[str, float]],
                tool: str = "") -> list[Goal]:
    tool = tool or TIER[tier]
    return [Goal(against, tool.removeprefix("tracekit "), SETTING[setting], True, limit, "x",
                 ratio(against, tool, setting)) for against, limit in table]


# At 2,000 processes: against, goal of the BPF tier, goal of the procfs tier with 10 % active.
AGAINST = (
    ("original set", 50, 10),
    ("psutil loop", 80, 15),
    ("pidstat -urdw", 50, 10),
    ("top -b", 20, 4),
    ("atop -w", 50, 10),
    ("netdata", 45, 9),
    ("PCP", 40, 8),
    ("collectd", 30, 7),
    ("node + process-exporter", 250, 60),
    ("telegraf procstat (floor)", 70, 10),
    ("otelcol hostmetrics (floor)", 40, 8),
    ("below (floor)", 30, 7),
    ("plain C loop", 15, 3.5),
)
AGAINST_B = [(name, b) for name, b, _ in AGAINST]
AGAINST_P = [(name, p) for name, _, p in AGAINST]
AGAINST_P_ACTIVE = [("pidstat -urdw", 10), ("plain C loop", 3)]
# At 585 two thirds of what the prototype had there.
AGAINST_MIDDLE = [(name, of * 2 / 3) for name, of in (
    ("original set", 48), ("pidstat -urdw", 37), ("atop -w", 63), ("netdata", 45), ("PCP", 31),
    ("node + process-exporter", 246))]

RATIOS = [
    *ratio_goals("B", BIG, AGAINST_B),
    *ratio_goals("B", BIG, [("original set", 40)], tool=JSON_LINES),
    *ratio_goals("B", BIG, [("original set", 40)], tool="tracekit B2 every row"),
    *ratio_goals("B", BIG_ACTIVE, AGAINST_B),
    *ratio_goals("B", MIDDLE, AGAINST_MIDDLE),
    *ratio_goals("B", SMALL, [("original set", 15)]),
    *ratio_goals("P", BIG, AGAINST_P),
    *ratio_goals("P", BIG_ACTIVE, AGAINST_P_ACTIVE),
    *ratio_goals("P", BIG, [("sadc", 4), ("node_exporter", 25), ("mpstat + vmstat + ifstat", 2.4)],
                 tool="tracekit host only"),
]


# The other goals --------------------------------------------------------------------------------


def core_percent(tool: str, setting: Setting, hz: int) -> Callable[[View], float]:
    return lambda view: view.core_ratio(tool, setting, hz) * 100


def core_goal(tier: str, setting: Setting, hz: int, limit: float, tool: str = "") -> Goal:
    tool = tool or TIER[tier]
    return Goal(f"CPU at {hz:,} Hz", tool.removeprefix("tracekit "), SETTING[setting], False, limit,
                "% of a core", core_percent(tool, setting, hz))


def calls(tool: str, setting: Setting, hz: int = 1) -> Callable[[View], float]:
    return lambda view: view.get("syscalls", tool, setting, hz)["syscalls"]


def calls_for_processes(tool: str, setting: Setting) -> Callable[[View], float]:
    """Without those for the machine, its control groups and the output files."""
    host = calls("tracekit host only", setting)
    return lambda view: calls(tool, setting)(view) - host(view)


def calls_growth(tool: str) -> Callable[[View], float]:
    return lambda view: abs(calls(tool, BIG)(view) - calls(tool, MIDDLE)(view))


def calls_per_changed(tool: str, setting: Setting) -> Callable[[View], float]:
    """Calls for processes beyond one each and 16, by process that ran."""
    def value(view: View) -> float:
        one = view.get("syscalls", tool, setting)
        beyond = calls_for_processes(tool, setting)(view) - one["processes"] - 16
        return max(0.0, beyond) / max(1, one["changed"])
    return value


def of_run(tool: str, setting: Setting, hz: int, name: str) -> Callable[[View], float]:
    """A figure of run.json."""
    def value(view: View) -> float:
        run = view.run(tool, setting, hz)
        if name not in run:
            raise Missing(f"run.json has no {name}")
        return run[name]
    return value


def sweep_us(tool: str, setting: Setting) -> Callable[[View], float]:
    """The median of a window's sweeps."""
    def value(view: View) -> float:
        sweeps = view.get("window", tool, setting)["sweeps_us"]
        if not sweeps:
            raise Missing("no self.jsonl with sweep_us")
        return statistics.median(sweeps)
    return value


def worst(values: list[Callable[[View], float]]) -> Callable[[View], float]:
    return lambda view: max(value(view) for value in values)


def drift_percent(tool: str, setting: Setting, hz: int) -> Callable[[View], float]:
    return lambda view: drift_ratio(view.run(tool, setting, hz)) * 100


def timing_goals(tier: str, rates: tuple[int, ...]) -> list[Goal]:
    """Lateness and drift: the worst of the rates at 2,000 processes. Below 100 Hz a run is too
    short for a 99th percentile."""
    tool = TIER[tier]

    def goal(what: str, rates: Iterable[int], limit: float, unit: str,
             figure: Callable[[int], Callable[[View], float]]) -> Goal:
        where = f"2,000, worst of {', '.join(f'{hz:,}' for hz in rates)} Hz"
        return Goal(what, tool.removeprefix("tracekit "), where, False, limit, unit,
                    worst([figure(hz) for hz in rates]))

    return [goal("lateness p50", rates, 60, "us", lambda hz: of_run(tool, BIG, hz, "late_p50_us")),
            goal("lateness p99", [hz for hz in rates if hz >= 100], 2000, "us",
                 lambda hz: of_run(tool, BIG, hz, "late_p99_us")),
            goal("drift", rates, 0.1, "% of the time", lambda hz: drift_percent(tool, BIG, hz))]


def bytes_each(tool: str, setting: Setting) -> Callable[[View], float]:
    def value(view: View) -> float:
        one = view.get("blocks", tool, setting)
        return one["bytes"] / one["processes"]
    return value


def smaller(tool: str, setting: Setting) -> Callable[[View], float]:
    """The original's JSON Lines over the compact recording, bytes."""
    def value(view: View) -> float:
        original = view.get("window", "original set", setting)
        return original["bytes"] / original["processes"] / bytes_each(tool, setting)(view)
    return value


def of_mix(mix: str, column: str) -> Callable[[View], float]:
    """A figure of bench/recording.c, nine fields of each process."""
    def value(view: View) -> float:
        for row in view.get("recording", "recording", SMALL)["mixes"]:
            if (row["mix"], row["rows"]) == (mix, "nine fields"):
                return float(row[column].rstrip("x"))
        raise Missing(f"bench/recording.c has no mix {mix}")
    return value


def faster_than_json_loads(view: View) -> float:
    """Reading a process-sample of mix A against Python's reading of the original's row of it."""
    ours = of_mix("A", "read ns / process-sample")(view)
    return view.get("recording", "recording", SMALL)["json_loads_ns"] / ours


def mix_goals(mix: str, bytes_limit: float, times: float) -> list[Goal]:
    return [Goal("bytes per process and sample", "recording", f"mix {mix}", False, bytes_limit, "",
                 of_mix(mix, "bytes / process-sample")),
            Goal("the original's JSON Lines over it", "recording", f"mix {mix}", True, times, "x",
                 of_mix(mix, "original / tracekit"))]


def live_goals(setting: Setting, bytes_limit: float, times: float) -> list[Goal]:
    """As the mixes, with all columns of a row, of a load that runs."""
    tool, where = "tracekit B2 compact", f"{SETTING[setting]}, 1 Hz"
    return [Goal("bytes per process and sample, recorded", "B2 compact", where, False, bytes_limit,
                 "", bytes_each(tool, setting)),
            Goal("the original's JSON Lines over it, recorded", "B2 compact", where, True, times,
                 "x", smaller(tool, setting))]


def exits_percent(tool: str) -> Callable[[View], float]:
    def value(view: View) -> float:
        one = view.get("exits", tool, SMALL)
        return 100 * one["seen"] / one["born"]
    return value


def rss_beyond(tool: str, name: str) -> Callable[[View], float]:
    """Resident MB without the 0.2 KB that each process may take."""
    def value(view: View) -> float:
        one = view.get("window", tool, BIG)
        return (one[name] - 0.2 * one["processes"]) / 1024
    return value


def start_ms(tool: str) -> Callable[[View], float]:
    return lambda view: view.get("start", tool, SMALL)["cpu_ns"] / 1e6


OTHERS = [
    Goal("system calls per tick", "B2 compact", "2,000, 1 Hz", False, 16, "",
         calls(TIER["B"], BIG)),
    Goal("system calls per tick", "B2", "2,000, 100 Hz", False, 16, "",
         calls(JSON_LINES, BIG, 100)),
    Goal("system calls per tick, 2,000 less 585 processes", "B2 compact", "1 Hz", False, 1, "",
         calls_growth(TIER["B"])),
    Goal("system calls for processes, less one each and 16, by process that ran", "P",
         "2,000, 1 Hz", False, 3, "", calls_per_changed("tracekit P", BIG)),
    core_goal("B", BIG, 100, 2, tool=JSON_LINES),
    core_goal("B", BIG, 1000, 20, tool="tracekit B2 exact"),
    core_goal("B", BIG_ACTIVE, 100, 2, tool=JSON_LINES),
    core_goal("B", BIG_ACTIVE, 1000, 20, tool="tracekit B2 exact"),
    core_goal("B", HUGE, 10, 3, tool=JSON_LINES),
    core_goal("B", HUGE, 100, 25, tool=JSON_LINES),
    core_goal("B", NODE, 10, 1, tool=JSON_LINES),
    core_goal("P", BIG, 100, 12),
    core_goal("P", BIG_ACTIVE, 10, 7),
    core_goal("P", NODE, 10, 1),
    Goal("sweep, first to last process, median", "B2", "2,000, 1 Hz", False, 500, "us",
         sweep_us("tracekit B2", BIG)),
    Goal("sweep, first to last process, median", "P", "2,000, 1 Hz", False, 3000, "us",
         sweep_us("tracekit P", BIG)),
    *timing_goals("B", (1, 10, 100, 1000)),
    *timing_goals("P", (1, 10, 100)),
    *mix_goals("A", 0.3, 200),
    *mix_goals("B", 2, 35),
    *mix_goals("D", 18, 4.5),
    *live_goals(BIG, 0.3, 200),
    *live_goals(MIDDLE_ACTIVE, 2, 35),
    Goal("encoding a row with compression", "recording", "worst of mixes A, B, C", False, 60, "ns",
         worst([of_mix(mix, "encode ns / row") for mix in "ABC"])),
    Goal("reading back, against Python's json.loads", "recording", "mix A", True, 100, "x",
         faster_than_json_loads),
    Goal("reading the original's JSON Lines", "json", "in memory", True, 1.5, "GB/s",
         lambda view: view.get("reading", "json", SMALL)["bytes_per_s"] / 1e9),
    Goal("of 1,000 processes of a millisecond seen", "B2", "1 Hz", True, 100, "%",
         exits_percent("tracekit B2")),
    Goal("of 1,000 processes of a millisecond seen", "P", "1 Hz", True, 100, "%",
         exits_percent("tracekit P")),
    Goal("RSS less 0.2 KB a process", "B2", "2,000", False, 5, "MB",
         rss_beyond("tracekit B2", "rss_now_kb")),
    Goal("peak RSS less 0.2 KB a process", "P", "2,000", False, 3, "MB",
         rss_beyond("tracekit P", "rss_kb")),
    Goal("peak RSS less 0.2 KB a process", "P0", "2,000", False, 3, "MB",
         rss_beyond("tracekit P0", "rss_kb")),
    Goal("CPU of a run that ends at once", "B2", "150", False, 58, "ms",
         start_ms("tracekit B2")),
]

GOALS = [*RATIOS, *OTHERS]
