# SPDX-License-Identifier: Apache-2.0
"""The tables of bench/RESULTS.md from a result of run.py."""

from __future__ import annotations

BASE = "tracekit P"
YARDSTICK = "plain C loop"


def setting_title(target: int, active: int) -> str:
    return f"{target:,} proc." if active < 100 else f"{target:,}, all active"


def settings_of(results: list[dict]) -> list[tuple[int, int]]:
    return sorted({(r["target"], r["active_percent"]) for r in results},
                  key=lambda setting: (setting[1], setting[0]))


def table(header: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in [header, ["---"] * len(header), *rows]]
    return "\n".join(lines)


def kilo(size: float) -> str:
    if size == 0:
        return "buffered"
    if size >= 1e6:
        return f"{size / 1e6:.2f} M"
    return f"{size / 1e3:.1f} K" if size >= 1000 else f"{size:.0f}"


def milliseconds(cpu_ns: float) -> str:
    ms = cpu_ns / 1e6
    return f"{ms:.2f}" if ms < 10 else f"{ms:.1f}"


def median_rounds(results: list[dict]) -> dict[tuple, dict]:
    """Of each tool and setting the round with the median CPU; with an even number the cheaper."""
    rounds: dict[tuple, list[dict]] = {}
    for result in results:
        key = (result["tool"], result["target"], result["active_percent"])
        rounds.setdefault(key, []).append(result)
    found = {}
    for key, group in rounds.items():
        good = sorted((r for r in group if r["status"] == "ok"), key=lambda r: r["cpu_ns"])
        found[key] = good[(len(good) - 1) // 2] if good else group[0]
    return found


class Result:
    """The measured figures, by tool and setting."""

    def __init__(self, result: dict) -> None:
        self.machine, self.tools = result["machine"], result["tools"]
        self.found = median_rounds(result["results"])
        once = [t["name"] for t in self.tools if t["interval_s"] == 1.0]
        self.settings = settings_of([r for r in result["results"] if r["tool"] in once])
        self.once = [t for t in self.tools if t["interval_s"] == 1.0]
        self.faster = [t for t in self.tools if t["interval_s"] < 1.0]
        measured = {key[0] for key, r in self.found.items() if r["status"] == "ok"}
        self.base = BASE if BASE in measured else YARDSTICK

    def get(self, tool: str, setting: tuple[int, int]) -> dict:
        return self.found.get((tool, *setting), {"status": "not measured"})

    def why_not(self, tool: dict) -> str:
        """Empty when at least one setting was measured."""
        results = [self.get(tool["name"], setting) for setting in self.settings]
        if any(r["status"] == "ok" for r in results):
            return ""
        return next((r["status"] for r in results if r["status"] != "not measured"),
                    tool["status"])

    def cpu_cell(self, tool: str, setting: tuple[int, int]) -> str:
        here, base = self.get(tool, setting), self.get(self.base, setting)
        if here["status"] != "ok":
            return here["status"] if here["status"] != "not measured" else "-"
        cell = milliseconds(here["cpu_ns"])
        if tool == self.base or base["status"] != "ok":
            return cell
        return f"{cell} ({here['cpu_ns'] / base['cpu_ns']:.1f}x)"

    def cpu_table(self) -> str:
        rows = []
        for tool in self.once:
            why = self.why_not(tool)
            cells = [self.cpu_cell(tool["name"], setting) for setting in self.settings]
            goal = f"{tool['goal']:g}x" if tool.get("goal") else ""
            rows.append([tool["name"], *([why] + ["-"] * (len(cells) - 1) if why else cells), goal])
        return table(["tool", *(setting_title(*s) for s in self.settings), "goal at 2,000"], rows)

    def per_setting(self, tool: str, one: str) -> str:
        """A figure at each setting that is not "all active"; at least one was measured."""
        values = [self.get(tool, s).get(one) for s in self.settings if s[1] < 100]
        return " / ".join("-" if value is None else
                          kilo(value) if one == "bytes" else f"{value / 1024:.1f}"
                          for value in values)

    def syscalls_cell(self, tool: str) -> str:
        found = [self.get(tool, s).get("syscalls") for s in self.settings]
        calls = next((c for c in found if c is not None), "-")
        return f"{calls:,.0f}" if isinstance(calls, float) else calls

    def use_table(self) -> str:
        sizes = " / ".join(f"{count:,}" for count, active in self.settings if active < 100)
        rows = [[tool["name"], self.per_setting(tool["name"], "rss_kb"),
                 self.per_setting(tool["name"], "pss_kb"),
                 self.per_setting(tool["name"], "bytes"), self.syscalls_cell(tool["name"])]
                for tool in self.once if not self.why_not(tool)]
        return table(["tool", f"RSS MB at {sizes}", "PSS MB", "bytes out per sample",
                      f"system calls per sample at {self.machine['syscalls_at']}"], rows)

    def rate_table(self) -> str:
        rows = []
        for tool in self.faster:
            rows += [self.rate_row(tool, r) for (name, _, _), r in self.found.items()
                     if name == tool["name"]] or [[tool["name"], tool["status"], *["-"] * 6]]
        return table(["tool", "processes", "ms per tick", "% of a core", "ticks", "missed",
                      "late p50 / p99 / max, us", "interval achieved, ms"], rows)

    @staticmethod
    def rate_row(tool: dict, result: dict) -> list[str]:
        if result["status"] != "ok":
            return [tool["name"], result["status"], *["-"] * 6]
        size = setting_title(result["processes"], result["active_percent"])
        run = {key: str(value) for key, value in result["run"].items()}
        late = " / ".join(run.get(f"late_{which}_us", "-") for which in ("p50", "p99", "max"))
        return [tool["name"], size, f"{result['cpu_ns'] / 1e6:.3f}",
                f"{result['cpu_ratio'] * 100:.1f}", run.get("ticks", "-"),
                run.get("missed_ticks", "-"), late, run.get("interval_achieved_ms", "-")]

    def tools_table(self) -> str:
        return table(["tool", "version", "options", "captures"],
                     [[t["name"], t["version"] or "-", t["options"] or t["name"], t["captures"]]
                      for t in self.tools])

    def real_counts(self) -> str:
        """How many processes there really were, over all tools of a setting."""
        texts = []
        for setting in self.settings:
            counts = [r["processes"] for key, r in self.found.items()
                      if key[1:] == setting and r["status"] == "ok"]
            if counts:
                texts.append(f"{min(counts):,} to {max(counts):,} at \"{setting_title(*setting)}\"")
        return "; ".join(texts)


def markdown(result: dict) -> str:
    view, machine = Result(result), result["machine"]
    loads = [r["load_average"] for r in result["results"]]
    parts = [
        f"Measured {machine['date']} at {machine['commit']} on {machine['cpus']} CPUs "
        f"({machine['cpu']}), {machine['memory_mb']:,} MB, Linux {machine['kernel']}; "
        f"load average while measuring {min(loads, default=0):.2f} to {max(loads, default=0):.2f}."
        + (" In a PID namespace of its own, where the kernel sends no fork and exit records: "
           "tracekit looks for new processes every 50 ms instead." if machine["pid_namespace"]
           else ""),
        f"**CPU ms per sample** (and times {view.base}, same run):", view.cpu_table(),
        "**Memory, output, system calls:**", view.use_table()]
    if view.faster:
        parts += ["**Faster than once a second:**", view.rate_table()]
    parts += ["**What each is:**", view.tools_table(), method(view, machine)]
    return "\n\n".join(parts)


def method(view: Result, machine: dict) -> str:
    count = machine["rounds"]
    rounds = "one round" if count == 1 else f"the median of {count} rounds"
    return (
        f"Method: one tool at a time, one sample a second, {machine['window_s']:.0f} s windows "
        f"after {machine['warmup_s']:.0f} s of warm-up, {rounds}. "
        f"CPU is {machine['cpu_counter']} of a "
        "cgroup made for the tool: user and system time of all its processes and threads. The "
        "load: children with 20 names, 64 to 192 KB touched, 10 % of them light (0.1 ms of CPU "
        f"every 0.2 to 1.2 s), or all of them. Processes on the machine: {view.real_counts()}. "
        "Not counted: starting up, the client that scrapes the exporters, what the kernel does "
        "outside the tool's own processes. RSS is the sum of the peaks of a tool's processes, so "
        "shared pages count in each; PSS does not. Samples are counted in the output where it "
        "shows each at once, else one per second is taken, which favours a tool that drifts. "
        "System calls are counted by strace -f -c in a window of their own.")
