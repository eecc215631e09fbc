# SPDX-License-Identifier: Apache-2.0
"""The section of bench/RESULTS.md, and its charts, from a result of run.py."""

from __future__ import annotations

import re
import statistics
from pathlib import Path

import chart
from goals import GOALS, OTHERS, RATIOS, SETTING, Goal
from plan import BIG, MIDDLE, PARTS, Setting
from view import Missing, View, drift_ratio

BEGIN = "<!-- bench/collect/run.py --render writes from here -->"
END = "<!-- to here -->"

WINDOW_TOOLS = {tool for part in PARTS if part.kind == "window" for tool in part.tools}


def setting_title(setting: Setting) -> str:
    processes, active = setting
    return f"{processes:,}, all active" if active == 100 else f"{processes:,}"


def table(header: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in [header, ["---"] * len(header), *rows]]
    return "\n".join(lines)


def kilo(size: float) -> str:
    if size >= 1e6:
        return f"{size / 1e6:.2f} M"
    return f"{size / 1e3:.1f} K" if size >= 1000 else f"{size:.0f}"


def milliseconds(cpu_ns: float) -> str:
    ms = cpu_ns / 1e6
    return f"{ms:.2f}" if ms < 10 else f"{ms:.1f}"


# Goals ------------------------------------------------------------------------------------------


def summary(view: View) -> str:
    verdicts = [(goal, *goal.judge(view)) for goal in GOALS]
    missed = [f"{goal.what} ({goal.tier}, {goal.where}: {measured}, goal {goal.shown()})"
              for goal, measured, reached in verdicts if reached not in ("yes", "-")]
    unknown = sum(reached == "-" for _, _, reached in verdicts)
    parts = [f"Of {len(GOALS)} goals {len(GOALS) - len(missed) - unknown} are reached, "
             f"{len(missed)} are not, {unknown} have no figure in this result."]
    if missed:
        parts.append(f"Not reached: {'; '.join(missed)}.")
    return " ".join(parts)


def goals_table(view: View, goals: list[Goal], first: str) -> str:
    rows = []
    for goal in goals:
        measured, reached = goal.judge(view)
        rows.append([goal.what, goal.tier, goal.where, goal.shown(), measured, reached])
    return table([first, "tracekit", "processes", "goal", "measured", "reached"], rows)


# CPU, memory, output ----------------------------------------------------------------------------


def cpu_cell(view: View, tool: str, setting: Setting) -> str:
    try:
        cpu_ns = view.cpu_ns(tool, setting)
    except Missing as why:
        return "-" if str(why) == "not measured" else str(why)
    cell = milliseconds(cpu_ns)
    try:
        base_ns = view.cpu_ns(view.base, setting)
    except Missing:
        return cell
    return cell if tool == view.base else f"{cell} ({cpu_ns / base_ns:.1f}x)"


def cpu_table(view: View) -> str:
    settings = [setting for setting in view.settings() if setting in SETTING]
    rows = []
    for tool in filter(WINDOW_TOOLS.__contains__, view.tools):
        cells = [cpu_cell(view, tool, setting) for setting in settings]
        if set(cells) != {"-"}:
            rows.append([tool, *shorten(cells)])
    return table(["tool", *(setting_title(setting) for setting in settings)], rows)


def shorten(cells: list[str]) -> list[str]:
    """One reason that stands in every cell stands in the first only."""
    reasons = {cell for cell in cells if cell != "-"}
    if len(reasons) == 1 and ":" in next(iter(reasons)):
        return [reasons.pop()] + ["-"] * (len(cells) - 1)
    return cells


def per_setting(view: View, tool: str, settings: list[Setting], name: str) -> str:
    values = []
    for setting in settings:
        try:
            value = view.get("window", tool, setting)[name]
            values.append(kilo(value) if name == "bytes" else f"{value / 1024:.1f}")
        except Missing:
            values.append("-")
    return " / ".join(values)


def syscalls_at(view: View, tool: str, setting: Setting) -> str:
    for kind in ("syscalls", "window"):
        try:
            found = view.get(kind, tool, setting).get("syscalls")
        except Missing:
            continue
        if found is not None:
            return f"{found:,.0f}" if isinstance(found, float) else found
    return "-"


def use_table(view: View) -> str:
    settings = [setting for setting in view.settings() if setting[1] < 100]
    sizes = " / ".join(setting_title(setting) for setting in settings)
    columns = ("rss_kb", "rss_now_kb", "pss_kb", "bytes")
    rows = []
    for tool in view.tools:
        cells = [per_setting(view, tool, settings, name) for name in columns]
        if set("".join(cells)) - set("-/ "):
            rows.append([tool, *cells, syscalls_at(view, tool, MIDDLE),
                         syscalls_at(view, tool, BIG)])
    return table(["tool", f"peak RSS MB at {sizes}", "RSS MB now", "PSS MB", "bytes out per sample",
                  "system calls per sample at 585", "at 2,000"], rows)


# Rates ------------------------------------------------------------------------------------------


def rate_row(view: View, tool: str, setting: Setting, hz: int) -> list[str]:
    one = view.get("window", tool, setting, hz)
    cells = [tool, setting_title(setting), f"{hz:,}", f"{view.achieved_hz(tool, setting, hz):,.1f}",
             f"{view.cpu_ns(tool, setting, hz) / 1e6:.3f}", f"{one['cpu_ratio'] * 100:.1f}"]
    run = one["run"]
    if "ticks" not in run:
        return [*cells, *["-"] * 4]
    late = " / ".join(str(run[f"late_{which}_us"]) for which in ("p50", "p99", "max"))
    sweeps = one["sweeps_us"] or [run["sweep_us"]]
    return [*cells, str(run["missed_ticks"]), late, f"{drift_ratio(run) * 100:.3f}",
            f"{statistics.median(sweeps):.0f} / {max(sweeps)}"]


def rate_table(view: View) -> str:
    rows, reasons = [], set()
    for tool, setting, hz in view.rates():
        try:
            rows.append(rate_row(view, tool, setting, hz))
        except Missing as why:
            if (tool, str(why)) not in reasons:
                rows.append([tool, setting_title(setting), f"{hz:,}", str(why), *["-"] * 6])
            reasons.add((tool, str(why)))
    return table(["tool", "processes", "Hz asked", "Hz achieved", "ms per tick", "% of a core",
                  "missed", "late p50 / p99 / max, us", "drift, %", "sweep p50 / max, us"], rows)


def ceilings(view: View) -> str:
    """The rate at which one core is full, from the fastest rate that was measured."""
    texts = []
    for tool in ("plain C loop", "original set", "original sampler", "pidstat -urdw"):
        rates = [hz for name, setting, hz in view.rates() if (name, setting) == (tool, BIG)]
        try:
            texts.append(f"{tool} at {1e9 / view.cpu_ns(tool, BIG, max(rates, default=1)):.0f} Hz")
        except Missing:
            continue
    return ", ".join(texts)


# Starts, exits, bytes ---------------------------------------------------------------------------


def kind_rows(view: View, kind: str) -> list[tuple[str, Setting, dict]]:
    return [(key[1], key[2], one) for key, one in view.found.items()
            if key[0] == kind and one["status"] == "ok"]


def start_lines(view: View) -> str:
    return "; ".join(f"{tool} at {setting_title(setting)} {one['cpu_ns'] / 1e6:.1f} ms"
                     for tool, setting, one in kind_rows(view, "start"))


def exit_lines(view: View) -> str:
    return "; ".join(f"{tool} {one['seen']:,} of {one['born']:,} by {one['source']}, "
                     f"{one['lost']} counted as lost, {one['dropped']} events dropped"
                     for tool, _, one in kind_rows(view, "exits"))


def block_lines(view: View) -> str:
    return "; ".join(f"{tool} at {setting_title(setting)}: "
                     f"{one['bytes'] / one['processes']:.2f} bytes a process and sample (rows of "
                     f"processes; {kilo(one['bytes_all'])} a second with all other tables), "
                     f"{milliseconds(one['cpu_ns'])} ms"
                     for tool, setting, one in kind_rows(view, "blocks"))


# The page ---------------------------------------------------------------------------------------


def tools_table(view: View) -> str:
    return table(["tool", "version", "options", "captures"],
                 [[t["name"], t["version"] or "-", t["options"], t["captures"]]
                  for t in view.tools.values()])


def where_measured(view: View) -> str:
    machine = view.machine
    loads = [one["load_average"] for one in view.results] or [0.0]
    return (f"Measured {machine['date']} at {machine['commit']} (build type "
            f"{machine['build_type']}) on {machine['cpus']} CPUs "
            f"({machine['cpu']}), {machine['memory_mb']:,} MB, Linux {machine['kernel']}; load "
            f"average while measuring {min(loads):.2f} to {max(loads):.2f}."
            + (" In a PID namespace of its own, where the kernel sends no fork and exit records."
               if machine["pid_namespace"] else ""))


def real_counts(view: View) -> str:
    """How many processes there really were, over all tools of a setting."""
    texts = []
    for setting in view.settings():
        counts = [one["processes"] for key, one in view.found.items()
                  if key[2] == setting and "processes" in one]
        if counts:
            texts.append(f"{min(counts):,} to {max(counts):,} at \"{setting_title(setting)}\"")
    return "; ".join(texts)


def method(view: View) -> str:
    windows = sorted(one["window_s"] for one in view.results if one["kind"] == "window") or [0, 0]
    count = view.machine["rounds"]
    rounds = "one round" if count == 1 else f"the median of {count} rounds"
    return (
        f"Method: one tool at a time, in windows of {windows[0]:.0f} to {windows[-1]:.0f} s after "
        f"warm-up, {rounds}. CPU is {view.machine['cpu_counter']} of a cgroup made for the tool: "
        "user and system time of all its processes and threads. The load: children with 20 names, "
        "64 to 192 KB touched, 10 % of them light (0.1 ms of CPU every 0.2 to 1.2 s), or all of "
        f"them. Processes on the machine: {real_counts(view)}. Not counted: starting up, the "
        "client that scrapes the exporters, what the kernel does outside the tool's own processes. "
        "A floor is the file pattern of a tool that Debian 12 does not have, replayed in C without "
        "parsing, keeping or writing: the tool costs more. RSS is the sum over a tool's processes, "
        "so shared pages count in each; PSS does not. Samples are counted in the output, or in "
        "run.json, where it shows each at once, else one per interval is taken, which favours a "
        "tool that drifts. System calls are counted by strace -f -c. That figures are right is "
        "proved by tests, not here. Not measured: large machines, arm64, bare metal.")


def markdown(result: dict) -> str:
    view = View(result)
    parts = [
        summary(view),
        "![CPU per sample by tool at 2,000 processes](collect/cost.svg)",
        "![CPU by sampling rate at 2,000 processes](collect/rates.svg)",
        where_measured(view),
        "### Goals against other tools", "CPU per sample, theirs over tracekit's, of the same run:",
        goals_table(view, RATIOS, "against"),
        "### Other goals", goals_table(view, OTHERS, "what"),
        f"### CPU ms per sample at 1 Hz (times {view.base})", cpu_table(view),
        "### Memory, output, system calls at 1 Hz", use_table(view),
        "### Rates", rate_table(view),
        f"A whole core is used, at 2,000 processes, by: {ceilings(view) or 'not measured'}.",
        "### Starts, exits, compact recording",
        f"A run that ends at once costs: {start_lines(view) or 'not measured'}. "
        f"Short-lived processes at 1 Hz: {exit_lines(view) or 'not measured'}. "
        f"Compact: {block_lines(view) or 'not measured'}.",
        "### What each is", tools_table(view), method(view)]
    return "\n\n".join(parts)


def write(result: dict, folder: Path) -> None:
    """Put the tables between the marks of RESULTS.md, and the charts beside this file."""
    page = folder / "RESULTS.md"
    text = page.read_text(encoding="utf-8")
    pattern = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.S)
    if not pattern.search(text):
        raise ValueError(f"{page} lacks the line '{BEGIN}' or '{END}'")
    section = f"{BEGIN}\n\n{markdown(result)}\n\n{END}"
    page.write_text(pattern.sub(lambda _: section, text), encoding="utf-8")
    view = View(result)
    (folder / "collect" / "cost.svg").write_text(chart.cost(view), encoding="utf-8")
    (folder / "collect" / "rates.svg").write_text(chart.rates(view), encoding="utf-8")
