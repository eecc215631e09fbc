# SPDX-License-Identifier: Apache-2.0
"""The kinds of measurement that a step of the plan may ask for, each a function of KINDS.

Each starts the tool in a cgroup of its own and returns what it found as a dictionary for the
result. Unavailable means that the tool cannot run here, Failed that it did not do its work.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import struct
import subprocess
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import harness
from harness import Failed, Hierarchy, Running, Unavailable
from plan import STRACE_S, Step
from tools import TOOLS, Place

STARTS = 3
SHORT_PROCESSES = 1000
SHORT_PROGRAM = "/bin/true"


@contextmanager
def started(step: Step, place: Place, hierarchy: Hierarchy) -> Iterator[Running]:
    tool = TOOLS[step.tool]
    with harness.running(hierarchy, place.folder, tool.commands(place), place.interval_s) as run:
        run.count_samples = tool.samples
        if tool.scrape:
            run.scraper = harness.Scraper(tool.scrape, place.interval_s)
            run.scraper.start()
        run.settle(step.warmup_s + tool.warmup_s)
        yield run


def check_processes(step: Step) -> int:
    """The number of processes, or Failed when something else on the machine changed it much."""
    processes = len(harness.process_ids())
    if abs(processes - step.processes_asked) > max(30, step.processes_asked // 10):
        raise Failed(f"{processes} processes instead of {step.processes_asked}: the machine is not "
                     "ours alone")
    return processes


def check_rows(step: Step, place: Place, processes: int) -> None:
    """Failed when the output names less than nine in ten of the processes."""
    name = TOOLS[step.tool].pids_file
    if name:
        pids = set(re.findall(rb'"pid": ?(\d+)', (place.folder / name).read_bytes()))
        if len(pids) < 0.9 * processes:
            raise Failed(f"it saw {len(pids)} of {processes} processes")


def read_run(step: Step, place: Place) -> dict:
    """run.json of a recording that has ended; Failed when it was killed or of another tier."""
    run = harness.read_run_json(place.folder)
    tier = TOOLS[step.tool].tier
    if run and run["stop_ms"] is None:
        raise Failed("it did not end when it was told to")
    if tier and run.get("tier") != tier:
        raise Failed(f"tier {run.get('tier')} recorded instead of {tier}")
    return run


def read_sweeps_us(place: Place) -> list[int]:
    """Length of a sweep in each second of a recording, as its own accounts have it."""
    path = place.folder / "run" / "self.jsonl"
    rows = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [row["sweep_us"] for row in map(json.loads, rows) if "sweep_us" in row]


def count_syscalls(run: Running, seconds: float) -> dict:
    """System calls per sample, in all and by name, or why they could not be counted."""
    try:
        counts, window = run.count_syscalls(seconds)
    except (Unavailable, Failed) as error:
        return {"syscalls": str(error)}
    return {"syscalls": sum(counts.values()) / window.samples,
            "syscalls_by_name": {name: n / window.samples for name, n in counts.items()}}


def measure_window(step: Step, place: Place, hierarchy: Hierarchy) -> dict:
    """CPU, output and memory while it runs, and what its run.json says in the end."""
    with started(step, place, hierarchy) as run:
        window = run.measure(step.window_s)
        processes = check_processes(step)
        result = {"cpu_ns": window.cpu_ns / window.samples, "samples": window.samples,
                  "cpu_ratio": window.cpu_ns / 1e9 / window.seconds, "seconds": window.seconds,
                  "bytes": window.bytes / window.samples, "processes": processes,
                  **run.memory_kb()}
        if step.strace:
            result |= count_syscalls(run, STRACE_S)
    check_rows(step, place, processes)
    return result | {"run": read_run(step, place), "sweeps_us": read_sweeps_us(place)}


def measure_syscalls(step: Step, place: Place, hierarchy: Hierarchy) -> dict:
    """System calls per sample, and how many processes ran between two samples."""
    with started(step, place, hierarchy) as run:
        before = harness.cpu_clocks()
        time.sleep(place.interval_s)
        changed = harness.changed_count(before, harness.cpu_clocks())
        result = count_syscalls(run, step.window_s) | {"processes": check_processes(step)}
    read_run(step, place)
    if isinstance(result["syscalls"], str):
        raise Unavailable(result["syscalls"])
    return result | {"changed": changed}


def measure_start(step: Step, place: Place, hierarchy: Hierarchy) -> dict:
    """CPU of a run that ends as soon as it stands: the median of some, the shell's part included.
    """
    used = []
    for number in range(STARTS):
        folder = place.folder / str(number)
        folder.mkdir()
        with started(step, Place(folder, place.build, place.interval_s), hierarchy) as run:
            run.stop()
            used.append(run.group.cpu_ns())
    read_run(step, place)
    return {"cpu_ns": statistics.median(used)}


def spawn_short(count: int) -> list[int]:
    """Run so many programs that end at once, one after the other; their PIDs."""
    pids = []
    for _ in range(count):
        pid = os.posix_spawn(SHORT_PROGRAM, [SHORT_PROGRAM], {})
        os.waitpid(pid, 0)
        pids.append(pid)
    return pids


def measure_exits(step: Step, place: Place, hierarchy: Hierarchy) -> dict:
    """How many of many short-lived processes are in the run."""
    with started(step, place, hierarchy) as run:
        start = time.monotonic()
        born = spawn_short(SHORT_PROCESSES)
        spawned_s = time.monotonic() - start
        run.settle(2 * place.interval_s)
    counted = read_run(step, place)
    path = place.folder / "run" / "proc_exit.jsonl"
    rows = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    seen = {json.loads(row)["pid"] for row in rows}
    return {"born": len(born), "seen": len(seen & set(born)), "spawned_s": spawned_s,
            "lost": counted.get("lost_exits", 0), "dropped": counted.get("dropped_events", 0),
            "source": counted.get("exit_source", "")}


FRAME = struct.Struct("<4sIIIIIqqII")  # a header of docs/format-recording.md
FRAMES_BEGIN = 16


def recording_bytes_per_s(data: bytes) -> dict[str, float]:
    """What each table of a recording took a second, by its number; the first block of a table,
    where every row is new, is left out."""
    blocks: dict[int, list[tuple[int, int]]] = {}  # last stamp in us, bytes
    at = FRAMES_BEGIN
    while at + FRAME.size <= len(data):
        sync, table, stored, _, _, _, _, last_us, _, _ = FRAME.unpack_from(data, at)
        if sync == b"TKB1":
            blocks.setdefault(table, []).append((last_us, FRAME.size + stored))
        at += FRAME.size + stored
    rates = {}
    for table, found in blocks.items():
        span_s = (found[-1][0] - found[0][0]) / 1e6
        if span_s > 0:
            rates[f"{table:08x}"] = sum(size for _, size in found[1:]) / span_s
    return rates


def measure_blocks(step: Step, place: Place, hierarchy: Hierarchy) -> dict:
    """Bytes per sample of a compact recording: rows of processes, and all tables together."""
    with started(step, place, hierarchy) as run:
        window = run.measure(step.window_s)
        processes = check_processes(step)
        memory = run.memory_kb()
    counted = read_run(step, place)
    rates = recording_bytes_per_s((place.folder / "run" / "recording.tkr").read_bytes())
    rows = f"{zlib.crc32(b'proc_metrics'):08x}"
    if rows not in rates:
        raise Failed("the recording has fewer than two blocks of process rows")
    return {"bytes": rates[rows] * place.interval_s, "processes": processes,
            "bytes_all": sum(rates.values()) * place.interval_s,
            "cpu_ns": window.cpu_ns / window.samples, **memory, "run": counted}


def run_program(step: Step, place: Place, *more: str) -> str:
    """What a program that measures itself prints; for those there is no cgroup."""
    argv = [*TOOLS[step.tool].commands(place)[0].argv, *more]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"{step.tool} ended with status {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def read_markdown(text: str) -> list[dict[str, str]]:
    """The rows of a Markdown table by the words of its header."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")]
            for line in text.splitlines() if line.startswith("|")]
    return [dict(zip(rows[0], row)) for row in rows[2:]]


def json_loads_ns(path: Path) -> float:
    """CPU time that Python's json.loads takes for one line of a file."""
    lines = path.read_bytes().splitlines()
    start = time.process_time_ns()
    for line in lines:
        json.loads(line)
    return (time.process_time_ns() - start) / len(lines)


def measure_recording(step: Step, place: Place, _hierarchy: Hierarchy) -> dict:
    """The mixes of collector.md E in memory, and what Python takes to read the original's rows."""
    mixes = read_markdown(run_program(step, place))
    original = place.folder / "original.jsonl"
    run_program(step, place, "--jsonl", str(original))
    return {"mixes": mixes, "json_loads_ns": json_loads_ns(original)}


def measure_reading(step: Step, place: Place, _hierarchy: Hierarchy) -> dict:
    """Bytes a second of the original's rows that our decoder reads, by bench/json.c."""
    text = run_program(step, place, "--rounds", "8")
    section = text[text.index("original's rows:"):]
    found = re.search(r"decode all fields, tracekit\s+\d+ ns/row\s+(\d+) MB/s", section)
    if not found:
        raise Failed("bench/json.c does not tell how fast it reads")
    return {"bytes_per_s": int(found[1]) * 1e6}


KINDS: dict[str, Callable[[Step, Place, Hierarchy], dict]] = {
    "window": measure_window,
    "syscalls": measure_syscalls,
    "start": measure_start,
    "exits": measure_exits,
    "recording": measure_recording,
    "reading": measure_reading,
    "blocks": measure_blocks,
}
