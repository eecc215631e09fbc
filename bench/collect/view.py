# SPDX-License-Identifier: Apache-2.0
"""A result of run.py, looked up by kind, tool, setting and rate."""

from __future__ import annotations

from plan import Setting

BASES = ("tracekit B2", "tracekit P", "plain C loop")  # what the table compares with: the first


class Missing(Exception):
    """A figure that is not in the result; the text says why."""


def median_of(rounds: list[dict]) -> dict:
    """The round with the median CPU (system calls, exits seen); with an even number the lower."""
    good = [one for one in rounds if one["status"] == "ok"]
    if not good:
        return rounds[0]
    weigh = next((name for name in ("cpu_ns", "syscalls", "seen") if name in good[0]), "status")
    return sorted(good, key=lambda one: one[weigh])[(len(good) - 1) // 2]


class View:
    def __init__(self, result: dict) -> None:
        self.machine, self.results = result["machine"], result["results"]
        self.tools = {tool["name"]: tool for tool in result["tools"]}
        rounds: dict[tuple, list[dict]] = {}
        for one in self.results:
            key = (one["kind"], one["tool"], (one["processes_asked"], one["active"]), one["hz"])
            rounds.setdefault(key, []).append(one)
        self.found = {key: median_of(group) for key, group in rounds.items()}
        self.base = next((name for name in BASES if self.has(name)), BASES[-1])

    def has(self, tool: str) -> bool:
        """Whether a tool was measured at some setting."""
        return any(key[1] == tool and one["status"] == "ok" for key, one in self.found.items())

    def get(self, kind: str, tool: str, setting: Setting, hz: int = 1) -> dict:
        """What was found, or Missing."""
        one = self.found.get((kind, tool, setting, hz))
        if one is None:
            status = self.tools.get(tool, {}).get("status", "ok")
            raise Missing("not measured" if status == "ok" else status)
        if one["status"] != "ok":
            raise Missing(one["status"])
        return one

    def run(self, tool: str, setting: Setting, hz: int = 1) -> dict:
        """run.json of a recording, or Missing."""
        run = self.get("window", tool, setting, hz)["run"]
        if "ticks" not in run:
            raise Missing("no run.json that counts ticks")
        return run

    def cpu_ns(self, tool: str, setting: Setting, hz: int = 1) -> float:
        """CPU per sample that was taken."""
        return self.core_ratio(tool, setting, hz) * 1e9 / self.achieved_hz(tool, setting, hz)

    def core_ratio(self, tool: str, setting: Setting, hz: int = 1) -> float:
        return self.get("window", tool, setting, hz)["cpu_ratio"]

    def achieved_hz(self, tool: str, setting: Setting, hz: int = 1) -> float:
        """Samples a second; a recording that counts its ticks is believed."""
        one = self.get("window", tool, setting, hz)
        run = one["run"]
        if run.get("ticks"):
            return hz * run["ticks"] / (run["ticks"] + run["missed_ticks"])
        return one["samples"] / one["seconds"]

    def settings(self, hz: int = 1) -> list[Setting]:
        """Where something was measured at this rate, small to large, a part active before all."""
        found = {key[2] for key in self.found if key[0] == "window" and key[3] == hz}
        return sorted(found, key=lambda setting: (setting[1], setting[0]))

    def rates(self) -> list[tuple[str, Setting, int]]:
        """What was measured at several rates, in the order of the tools."""
        keys = {key[1:] for key in self.found if key[0] == "window"}
        several = {(tool, setting) for tool, setting, hz in keys if hz > 1}
        order = list(self.tools)
        return sorted((key for key in keys if key[:2] in several),
                      key=lambda key: (order.index(key[0]), key[1][::-1], key[2]))


def drift_ratio(run: dict) -> float:
    """How far the ticks of a recording went from their deadlines, as a part of its length."""
    due_ms = (run["ticks"] + run["missed_ticks"] - 1) * run["interval_requested_ms"]
    took_ms = (run["ticks"] - 1) * run["interval_achieved_ms"]
    return abs(took_ms / due_ms - 1) if due_ms > 0 else 0.0
