#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Export a run to OpenDC with pandas and pyarrow, in the shape of the original exporter: all samples
in one frame, and for each task one filter over it by pid and time. Formulas of generation 1
(opendc.md section 8). pyarrow's reader of JSON, which is its fastest and uses all cores, and only the
columns that count; CPU time between samples is taken once for all, not per task.

Prints a JSON object: seconds of wall and CPU time for reading, for the tasks and for writing.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.json
import pyarrow.parquet as pq

SAMPLE_COLUMNS = ["ts_ms", "pid", "cpu_ns", "rss_kb"]
FLOOR_MHZ = 0.1

TASKS = pa.schema([
    pa.field("id", pa.int32(), nullable=False),
    pa.field("submission_time", pa.int64(), nullable=False),
    pa.field("duration", pa.int64(), nullable=False),
    pa.field("cpu_count", pa.int32(), nullable=False),
    pa.field("cpu_capacity", pa.float64(), nullable=False),
    pa.field("mem_capacity", pa.int64(), nullable=False),
])
FRAGMENTS = pa.schema([
    pa.field("id", pa.int32(), nullable=False),
    pa.field("duration", pa.int64(), nullable=False),
    pa.field("cpu_usage", pa.float64(), nullable=False),
])


class Stopwatch:
    """Wall and CPU seconds of each step, by its name."""

    def __init__(self) -> None:
        self.steps: dict[str, dict[str, float]] = {}
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def lap(self, name: str) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        self.steps[name] = {"wall_s": wall - self._wall, "cpu_s": cpu - self._cpu}
        self._wall, self._cpu = wall, cpu


def read_samples(run: Path) -> pd.DataFrame:
    """One row per sample with the CPU time since the one before of its process."""
    schema = pa.schema([(name, pa.int64()) for name in SAMPLE_COLUMNS])
    table = pyarrow.json.read_json(
        run / "proc_metrics.jsonl",
        read_options=pyarrow.json.ReadOptions(block_size=16 << 20),
        parse_options=pyarrow.json.ParseOptions(explicit_schema=schema,
                                                unexpected_field_behavior="ignore"))
    samples = table.to_pandas()
    by_pid = samples.groupby("pid", sort=False)
    samples["cpu_ms"] = by_pid["cpu_ns"].diff() / 1e6
    samples["dt_ms"] = by_pid["ts_ms"].diff()
    return samples.dropna()


def cut(window: pd.DataFrame, start: int, end: int, cores: int, mhz: float) -> pd.DataFrame:
    """The fragments of a task from the samples in its time."""
    if window.empty:
        return pd.DataFrame({"duration": [max(end - start, 1)], "cpu_usage": [mhz / 2]})
    ts, dt = window["ts_ms"].to_numpy(), window["dt_ms"].to_numpy()
    used = np.minimum(window["cpu_ms"].to_numpy() / np.maximum(dt, 1), cores)
    usage = np.maximum(FLOOR_MHZ, used * mhz)
    duration = (ts - np.maximum(start, ts - dt)).astype(np.int64)
    head = int(ts[0] - dt[0]) - start
    if head > 0:
        duration, usage = np.insert(duration, 0, head), np.insert(usage, 0, usage[0])
    whole = duration > 0
    return pd.DataFrame({"duration": duration[whole], "cpu_usage": usage[whole]})


def export_task(number: int, task: dict, samples: pd.DataFrame, node: dict,
                ) -> tuple[dict, pd.DataFrame]:
    window = samples[(samples["pid"] == task["pid"])
                     & (samples["ts_ms"] >= task["ts_start"])
                     & (samples["ts_ms"] <= task["ts_end"])]
    mhz, cores = float(node["cpu_freq_mhz"]), node["cpu_cores"]
    fragments = cut(window, task["ts_start"], task["ts_end"], cores, mhz)
    fragments.insert(0, "id", number)
    capacity = float(np.percentile(fragments["cpu_usage"], 95))
    memory = int(window["rss_kb"].max()) if len(window) else 65536
    return {"id": number, "submission_time": task["ts_enqueue"],
            "duration": task["ts_end"] - task["ts_start"],
            "cpu_count": min(max(math.ceil(capacity / mhz), 1), cores),
            "cpu_capacity": capacity, "mem_capacity": max(memory, 1024)}, fragments


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--only", type=int, default=0, help="so many of the tasks, evenly (all)")
    args = parser.parse_args()
    args.output.mkdir(exist_ok=True)

    watch = Stopwatch()
    node = json.loads((args.run / "node_meta.json").read_text())
    with (args.run / "invocations.jsonl").open() as lines:
        tasks = [json.loads(line) for line in lines]
    samples = read_samples(args.run)
    watch.lap("read")

    chosen = tasks[::max(len(tasks) // args.only, 1)][:args.only] if args.only else tasks
    rows, parts = zip(*(export_task(number, task, samples, node)
                        for number, task in enumerate(chosen, 1)))
    watch.lap("tasks")

    fragments = pd.concat(parts, ignore_index=True)
    pq.write_table(pa.Table.from_pylist(list(rows), TASKS), args.output / "tasks.parquet")
    pq.write_table(pa.Table.from_pandas(fragments, FRAGMENTS, preserve_index=False),
                   args.output / "fragments.parquet")
    watch.lap("write")
    print(json.dumps({"tasks": len(tasks), "done": len(chosen), "fragments": len(fragments),
                      "steps": watch.steps}))


if __name__ == "__main__":
    main()
