#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measure tracekit and its peers side by side: CPU, memory, bytes and system calls per sample.

One tool runs at a time, one sample a second, on the same load. The result goes to a JSON file and
to stdout as Markdown; `--render FILE` prints the tables of an earlier result. A tool that cannot
run here has a row that says why. Method: collector.md section 10, summed up below the tables.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import harness
import report
from harness import Failed, Hierarchy, Unavailable
from tools import TOOLS, Place, Tool

ROOT = Path(__file__).resolve().parents[2]

INITIAL_PID_NAMESPACE = "pid:[4026531836]"  # a constant of the kernel, linux/proc_ns.h


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
    parser.add_argument("--build", type=Path, default=ROOT / "build", help="meson's build folder")
    parser.add_argument("--output", type=Path, default=Path("collect.json"),
                        help="JSON result (collect.json)")
    parser.add_argument("--render", type=Path, help="print the tables of this result and stop")
    parser.add_argument("--settings", default="150:10,200:10,585:10,2000:10,2000:100",
                        help="processes:active percent, ... (%(default)s)")
    parser.add_argument("--tools", default="", help="only tools whose name matches this regex")
    parser.add_argument("--window", type=float, default=15.0, help="seconds measured (15)")
    parser.add_argument("--warmup", type=float, default=5.0, help="seconds before (5)")
    parser.add_argument("--rounds", type=int, default=1,
                        help="measure everything so many times and take the medians (1)")
    parser.add_argument("--syscalls-at", type=int, default=585,
                        help="count system calls at this many processes (585); 0 = never")
    parser.add_argument("--cgroup", type=int, choices=(0, 1, 2), default=0,
                        help="cgroup version to count CPU with (0 = what is there)")
    return parser.parse_args()


def parse_settings(text: str) -> list[tuple[int, int]]:
    return [(int(count), int(active)) for count, active in
            (setting.split(":") for setting in text.split(","))]


def applies(tool: Tool, processes: int, common: set[int]) -> bool:
    """Whether a tool is measured at this size: its own sizes, else those that all tools share."""
    return processes in (tool.sizes or common)


# The machine ------------------------------------------------------------------------------------


def output_of(*argv: str) -> str:
    try:
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def describe_machine(hierarchy: Hierarchy, args: argparse.Namespace) -> dict:
    cpuinfo = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*:\s*(.*)$", cpuinfo, re.M)
    memory_kb = int(re.search(r"^MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text(), re.M)[1])
    return {"date": time.strftime("%Y-%m-%d", time.gmtime()), "kernel": platform.release(),
            "cpu": model[1] if model else platform.machine(), "cpus": os.cpu_count(),
            "memory_mb": memory_kb // 1024, "cpu_counter": hierarchy.describe(),
            "window_s": args.window, "warmup_s": args.warmup, "rounds": args.rounds,
            "syscalls_at": args.syscalls_at,
            "pid_namespace": os.readlink("/proc/self/ns/pid") != INITIAL_PID_NAMESPACE,
            "commit": output_of("git", "-C", str(ROOT), "describe", "--always", "--dirty")}


# One tool at one setting --------------------------------------------------------------------------


def pids_seen(path: Path) -> int:
    return len(set(re.findall(rb'"pid": ?(\d+)', path.read_bytes())))


def check_processes(target: int) -> int:
    """The number of processes, or Failed when something else on the machine changed it much."""
    processes = len(harness.process_ids())
    if abs(processes - target) > max(30, target // 10):
        raise Failed(f"{processes} processes instead of {target}: the machine is not ours alone")
    return processes


def measure(tool: Tool, place: Place, hierarchy: Hierarchy, args: argparse.Namespace,
            target: int) -> dict:
    with harness.running(hierarchy, place.folder, tool.commands(place), tool.interval_s) as run:
        run.count_samples = tool.samples
        if tool.scrape:
            run.scraper = harness.Scraper(tool.scrape, tool.interval_s)
            run.scraper.start()
        run.settle(args.warmup + tool.warmup_s)
        window = run.measure(args.window)
        rss_kb, pss_kb = run.memory_kb()
        result = {"status": "ok", "cpu_ns": window.cpu_ns / window.samples,
                  "cpu_ratio": window.cpu_ns / 1e9 / window.seconds, "samples": window.samples,
                  "bytes": window.bytes / window.samples, "rss_kb": rss_kb, "pss_kb": pss_kb,
                  "processes": check_processes(target)}
        if target == args.syscalls_at:
            result["syscalls"] = measure_syscalls(run)
    if tool.pids_file:
        result["pids_seen"] = pids_seen(place.folder / tool.pids_file)
    result["run"] = harness.read_run_json(place.folder)
    return result


def measure_syscalls(run: harness.Running) -> float | str:
    """System calls per sample, or why they could not be counted."""
    try:
        counts, window = run.count_syscalls(max(5.0, 5 * run.interval_s))
    except (Unavailable, Failed) as error:
        return str(error)
    return sum(counts.values()) / window.samples


def measure_or_say_why(tool: Tool, hierarchy: Hierarchy, args: argparse.Namespace,
                       target: int) -> dict:
    folder = Path(tempfile.mkdtemp(prefix="tk-bench-"))
    place = Place(folder, args.build.resolve())
    try:
        result = measure(tool, place, hierarchy, args, target)
    except Unavailable as error:
        result = {"status": f"not available: {error}"}
    except Failed as error:
        result = {"status": f"failed: {error}"}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return result


# All of them --------------------------------------------------------------------------------------


def tool_rows(args: argparse.Namespace) -> list[dict]:
    """What the result says of each tool, with the reason of one that cannot run."""
    rows = []
    place = Place(Path(), args.build.resolve())
    for tool in TOOLS:
        if not re.search(args.tools, tool.name):
            continue
        row = {"name": tool.name, "captures": tool.captures, "options": tool.options or tool.name,
               "interval_s": tool.interval_s, "goal": tool.goal, "version": "", "status": "ok"}
        try:
            row["version"] = tool.version_text(place)
        except Unavailable as error:
            row["status"] = f"not available: {error}"
            print(f"{tool.name}: {row['status']}", file=sys.stderr)
        rows.append(row)
    return rows


def measure_setting(tools: list[Tool], processes: int, active: int, hierarchy: Hierarchy,
                    args: argparse.Namespace) -> list[dict]:
    results = []
    with harness.load(args.build.resolve() / "loadgen", processes, active) as load:
        print(f"# {load.processes} processes, {load.active} active", file=sys.stderr)
        for tool in tools:
            result = measure_or_say_why(tool, hierarchy, args, processes)
            result |= {"tool": tool.name, "target": processes, "active_percent": active,
                       "load_average": os.getloadavg()[0]}
            results.append(result)
            cost = f"{result['cpu_ns'] / 1e6:.3f} ms" if "cpu_ns" in result else result["status"]
            print(f"{tool.name}: {cost}", file=sys.stderr, flush=True)
    return results


def measure_all(args: argparse.Namespace) -> dict:
    hierarchy = harness.find_hierarchy(args.cgroup)
    settings = parse_settings(args.settings)
    common = {count for count, _ in settings} - {200}
    rows = tool_rows(args)
    able = {row["name"] for row in rows if row["status"] == "ok"}
    result = {"machine": describe_machine(hierarchy, args), "tools": rows, "results": []}
    for _ in range(args.rounds):
        for processes, active in settings:
            tools = [tool for tool in TOOLS
                     if tool.name in able and applies(tool, processes, common)]
            if tools:
                result["results"] += measure_setting(tools, processes, active, hierarchy, args)
                args.output.write_text(json.dumps(result, indent=1) + "\n")
    return result


def main() -> int:
    harness.stop_on_signals()
    args = parse_args()
    try:
        if args.render:
            result = json.loads(args.render.read_text())
        else:
            result = measure_all(args)
    except (Unavailable, Failed, OSError, ValueError) as error:
        print(f"run.py: {error}", file=sys.stderr)
        return 1
    print(report.markdown(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
