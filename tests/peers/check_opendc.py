#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Check an export for OpenDC with pyarrow, independently of tracekit's own reader: the schema of each
file, and the invariants of the specification (opendc.md section 7), value by value.

    check_opendc.py DIR [PROFILE]
"""

import json
import math
import sys

import pyarrow as pa
import pyarrow.parquet as pq

ms = pa.timestamp("ms", tz="UTC")
ids = pa.list_(pa.field("element", pa.int32()))

# (name, type, may be null), as OpenDC's strict reader wants them.
numbers = [("duration", pa.int64(), False), ("cpu_count", pa.int32(), False),
           ("cpu_capacity", pa.float64(), False), ("mem_capacity", pa.int64(), False)]
new = [("id", pa.int32(), False), ("name", pa.string(), True), ("submission_time", ms, False),
       *numbers]
lists = [("parents", ids, True), ("children", ids, True)]
PROFILES = {
    "opendc": ("tasks", new, "fragments",
               [("id", pa.int32(), False), ("duration", pa.int64(), False),
                ("cpu_usage", pa.float64(), False)]),
    "opendc-2.4e": ("tasks", [("id", pa.string(), False), ("submission_time", ms, False), *numbers],
                    "fragments",
                    [("id", pa.string(), False), ("duration", pa.int64(), False),
                     ("cpu_count", pa.int32(), False), ("cpu_usage", pa.float64(), False)]),
    "opendc-2.1": ("meta", [("id", pa.string(), False), ("start_time", ms, False),
                            ("stop_time", ms, False), *numbers[1:]],
                   "trace",
                   [("id", pa.string(), False), ("timestamp", ms, False),
                    ("duration", pa.int64(), False), ("cpu_count", pa.int32(), False),
                    ("cpu_usage", pa.float64(), False)]),
}
PROFILES["opendc-2.4f"] = PROFILES["opendc"]


def check_schema(path, expected):
    schema = pq.read_schema(path)
    got = [(field.name, field.type, field.nullable) for field in schema]
    optional = lists if any(name == "parents" for name, _, _ in got) else []
    wanted = expected + optional if "name" in [e[0] for e in expected] else expected
    assert got == wanted, f"{path}: {got}"


def near(a, b, what):
    assert math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-3), f"{what}: {a} is not {b}"


def check_edges(tasks):
    by_id = {task["id"]: task for task in tasks}
    for task in tasks:
        for parent in task.get("parents") or []:
            assert task["id"] in by_id[parent]["children"], task
            assert task["submission_time"] <= by_id[parent]["submission_time"] + \
                pa.scalar(by_id[parent]["duration"], pa.duration("ms")).as_py(), task
        for child in task.get("children") or []:
            assert task["id"] in by_id[child]["parents"], task


def main(folder, profile="opendc"):
    tasks_name, task_schema, fragments_name, fragment_schema = PROFILES[profile]
    check_schema(f"{folder}/{tasks_name}.parquet", task_schema)
    check_schema(f"{folder}/{fragments_name}.parquet", fragment_schema)
    tasks = pq.read_table(f"{folder}/{tasks_name}.parquet").to_pylist()
    fragments = pq.read_table(f"{folder}/{fragments_name}.parquet").to_pylist()
    with open(f"{folder}/manifest.json") as file:
        manifest = json.load(file)
    with open(f"{folder}/task_map.jsonl") as file:
        mapped = {str(task["id"]): task for task in map(json.loads, file)}
    speeds = {node["name"]: node for node in manifest["nodes"]}
    is_ours = manifest["parameters"]["compat"] == "off"

    order = list(dict.fromkeys(f["id"] for f in fragments))
    runs = 1 + sum(a["id"] != b["id"] for a, b in zip(fragments, fragments[1:]))
    assert runs == len(order), "fragments of one id are apart"
    assert sorted(map(int, order)) == sorted(int(task["id"]) for task in tasks)
    assert len({task["id"] for task in tasks}) == len(tasks) == manifest["counts"]["tasks"]
    assert len(fragments) == manifest["counts"]["fragments"]

    submitted = "start_time" if profile == "opendc-2.1" else "submission_time"
    if is_ours:
        times = [task[submitted] for task in tasks]
        assert times == sorted(times), "tasks are not sorted"
    check_edges(tasks)

    by_id = {}
    for fragment in fragments:
        by_id.setdefault(fragment["id"], []).append(fragment)
    work = 0.0
    for task in tasks:
        was = mapped[str(task["id"])]
        node = speeds[was["host"]]
        for fragment in by_id[task["id"]]:
            usage = fragment["cpu_usage"]
            assert fragment["duration"] >= 1, fragment
            assert 0.1 <= usage <= node["cores"] * node["mhz"] * (1 + 1e-9), fragment
            work += usage * fragment["duration"] / node["mhz"]
        length = sum(fragment["duration"] for fragment in by_id[task["id"]])
        if is_ours:
            assert length == max(1, was["ts_end"] - was["ts_start"]), (task, length)
        near(task["cpu_capacity"] / node["mhz"],
             task["cpu_count"] if is_ours else task["cpu_capacity"] / node["mhz"], "capacity")
    sums = manifest["sums"]
    if is_ours and len({node["mhz"] for node in speeds.values()}) == 1:
        mhz = next(iter(speeds.values()))["mhz"]
        raised = (sums["floor_mhz_ms"] + sums["nudge_mhz_ms"]) / mhz
        near(work - raised, (sums["cpu_ns"] - sums["clamped_cpu_ns"]) / 1e6, "work")
    print(f"{len(tasks)} tasks, {len(fragments)} fragments")


if __name__ == "__main__":
    main(*sys.argv[1:])
