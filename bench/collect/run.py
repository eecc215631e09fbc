#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measure tracekit and its peers side by side: CPU, memory, bytes and system calls per sample.

One tool runs at a time, on the same load, as the plan says (plan.py). The result goes to a JSON
file after each setting; `--render FILE` makes bench/RESULTS.md's section and the charts of it. A
tool that cannot run here has a row that says why. Method: collector.md section 10, summed up below
the tables.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import harness
import plan
import report
from harness import Failed, Hierarchy, Unavailable
from measure import KINDS
from plan import Setting, Step
from tools import TOOLS, Place

ROOT = Path(__file__).resolve().parents[2]

LOAD_STARTS = 3  # of one setting, before the rest of it is left out
INITIAL_PID_NAMESPACE = "pid:[4026531836]"  # a constant of the kernel, linux/proc_ns.h


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
    parser.add_argument("--build", type=Path, default=ROOT / "build", help="meson's build folder")
    parser.add_argument("--output", type=Path, default=Path("collect.json"),
                        help="JSON result (collect.json)")
    parser.add_argument("--plan", action="store_true",
                        help="print what would be measured, with the estimated time, and stop")
    parser.add_argument("--render", type=Path,
                        help="write this result into bench/RESULTS.md and draw the charts")
    parser.add_argument("--settings", default="",
                        help="only these: processes:active percent, ...")
    parser.add_argument("--tools", default="", help="only tools whose name matches this regex")
    parser.add_argument("--kinds", default="", help=f"only these: {', '.join(KINDS)}")
    parser.add_argument("--window", type=float, default=60.0,
                        help="seconds of a window at most, for a trial")
    parser.add_argument("--warmup", type=float, default=60.0,
                        help="seconds before it at most, for a trial")
    parser.add_argument("--rounds", type=int, default=1,
                        help="measure everything so many times and take the medians (1)")
    parser.add_argument("--cgroup", type=int, choices=(0, 1, 2), default=0,
                        help="cgroup version to count CPU with (0 = what is there)")
    return parser.parse_args()


def parse_settings(text: str) -> list[Setting]:
    return [(int(count), int(active)) for count, active in
            (setting.split(":") for setting in filter(None, text.split(",")))]


def choose_steps(args: argparse.Namespace) -> dict[Setting, list[Step]]:
    """The steps of the plan that the options leave, by setting."""
    kinds = set(args.kinds.split(",")) if args.kinds else set(KINDS)
    chosen = {}
    for setting in plan.SETTINGS:
        if args.settings and setting not in parse_settings(args.settings):
            continue
        steps = [dataclasses.replace(step, window_s=min(step.window_s, args.window),
                                     warmup_s=min(step.warmup_s, args.warmup))
                 for step in plan.steps_of(setting)
                 if re.search(args.tools, step.tool) and step.kind in kinds]
        if steps:
            chosen[setting] = steps
    return chosen


# The machine ------------------------------------------------------------------------------------


def output_of(*argv: str) -> str:
    try:
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def build_type(build: Path) -> str:
    """Meson's word for how the programs were compiled, "release"."""
    path = build / "meson-info" / "intro-buildoptions.json"
    options = json.loads(path.read_text()) if path.exists() else []
    return next((option["value"] for option in options if option["name"] == "buildtype"), "")


def describe_machine(hierarchy: Hierarchy, args: argparse.Namespace) -> dict:
    cpuinfo = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*:\s*(.*)$", cpuinfo, re.M)
    memory_kb = int(re.search(r"^MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text(), re.M)[1])
    return {"date": time.strftime("%Y-%m-%d", time.gmtime()), "kernel": platform.release(),
            "cpu": model[1] if model else platform.machine(), "cpus": os.cpu_count(),
            "memory_mb": memory_kb // 1024, "cpu_counter": hierarchy.describe(),
            "rounds": args.rounds, "build_type": build_type(args.build),
            "pid_namespace": os.readlink("/proc/self/ns/pid") != INITIAL_PID_NAMESPACE,
            "commit": output_of("git", "-C", str(ROOT), "describe", "--always", "--dirty")}


# One step ---------------------------------------------------------------------------------------


def measure_or_say_why(step: Step, hierarchy: Hierarchy, build: Path) -> dict:
    folder = Path(tempfile.mkdtemp(prefix="tk-bench-"))
    try:
        return {"status": "ok"} | KINDS[step.kind](step, Place(folder, build, 1 / step.hz),
                                                    hierarchy)
    except Unavailable as error:
        return {"status": f"unavailable: {error}"}
    except Failed as error:
        return {"status": f"failed: {error}"}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def show_progress(step: Step, result: dict) -> None:
    text = result["status"]
    if text == "ok":
        figures = {"cpu_ratio": (100, "% of a core"), "cpu_ns": (1e-6, "ms"),
                   "syscalls": (1, "calls"), "bytes": (1, "bytes"), "seen": (1, "seen")}
        text = ", ".join(f"{result[name] * factor:.3g} {unit}"
                         for name, (factor, unit) in figures.items()
                         if isinstance(result.get(name), (int, float)))
    print(f"{step.title()}: {text}", file=sys.stderr, flush=True)


# All of them ------------------------------------------------------------------------------------


def tool_rows(steps: dict[Setting, list[Step]], build: Path) -> list[dict]:
    """What the result says of each tool, with the reason of one that cannot run."""
    wanted = {step.tool for group in steps.values() for step in group}
    rows = []
    for tool in TOOLS.values():
        if tool.name not in wanted:
            continue
        row = {"name": tool.name, "captures": tool.captures, "options": tool.options or tool.name,
               "floor": tool.floor, "version": "", "status": "ok"}
        try:
            row["version"] = tool.version_text(Place(Path(), build))
        except Unavailable as error:
            row["status"] = f"unavailable: {error}"
            print(f"{tool.name}: {row['status']}", file=sys.stderr)
        rows.append(row)
    return rows


def measure_setting(setting: Setting, steps: list[Step], hierarchy: Hierarchy,
                    build: Path) -> Iterator[dict]:
    with harness.load(build / "loadgen", *setting) as load:
        print(f"# {load.processes} processes, {load.active} active", file=sys.stderr)
        for step in steps:
            load.check()
            result = measure_or_say_why(step, hierarchy, build)
            show_progress(step, result)
            yield dataclasses.asdict(step) | result | {"load_average": os.getloadavg()[0]}


def measure_whole_setting(setting: Setting, steps: list[Step], hierarchy: Hierarchy,
                          build: Path) -> Iterator[dict]:
    """As measure_setting; a load that ends is started again for the steps that are left."""
    done = 0
    for _ in range(LOAD_STARTS):
        try:
            for one in measure_setting(setting, steps[done:], hierarchy, build):
                done += 1
                yield one
            return
        except Failed as error:
            print(f"run.py: {setting[0]} processes: {error}", file=sys.stderr)


def measure_all(args: argparse.Namespace, steps: dict[Setting, list[Step]]) -> dict:
    """Measure the steps; the file has what is there after each of them."""
    hierarchy = harness.find_hierarchy(args.cgroup)
    build = args.build.resolve()
    rows = tool_rows(steps, build)
    able = {row["name"] for row in rows if row["status"] == "ok"}
    result = {"machine": describe_machine(hierarchy, args), "tools": rows, "results": []}
    for _ in range(args.rounds):
        for setting, group in steps.items():
            here = [step for step in group if step.tool in able]
            for one in measure_whole_setting(setting, here, hierarchy, build):
                result["results"].append(one)
                args.output.write_text(json.dumps(result, indent=1) + "\n")
    return result


def main() -> int:
    harness.stop_on_signals()
    args = parse_args()
    steps = choose_steps(args)
    try:
        if args.plan:
            print(plan.describe(steps))
        elif args.render:
            report.write(json.loads(args.render.read_text()), ROOT / "bench")
        else:
            print(report.markdown(measure_all(args, steps)))
    except (Unavailable, Failed, OSError, ValueError) as error:
        print(f"run.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
