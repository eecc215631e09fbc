#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What OpenDC would write of an export that runs without contention: task.parquet and host.parquet
as of v2.4f, or, with a third argument "new", as of later versions (times since 1970,
scheduling_delay).

    simulate_opendc.py EXPORT OUT [old|new [DELAY_MS [SCALE [OVERHEAD_MS [IDLE_W MAX_W]]]]]

Each task begins DELAY_MS after its measured wait and lasts the sum of its fragments, by the factor
SCALE and OVERHEAD_MS longer. Hosts are those of topology.json; their power is linear.
"""

import json
import os
import sys

import pyarrow as pa
import pyarrow.parquet as pq

INTERVAL = 1000


def write(path, rows, schema):
    # As OpenDC writes them: zstd, pages of version 2, DELTA_BINARY_PACKED.
    packed = {"finish_time": "DELTA_BINARY_PACKED"} if "finish_time" in schema.names else None
    pq.write_table(pa.Table.from_pylist(rows, schema), path, compression="zstd",
                   data_page_version="2.0", use_dictionary=False, column_encoding=packed)


def usage_at(fragments, ms):
    for duration, usage in fragments:
        if ms < duration:
            return usage
        ms -= duration
    return 0.0


def work_of(fragments, begin, end):
    """MHz ms between two moments after the start."""
    at = work = 0
    for duration, usage in fragments:
        work += usage * max(0, min(end, at + duration) - max(begin, at))
        at += duration
    return work


class Task:
    def __init__(self, row, was, fragments, first, options):
        self.id, self.host = row["id"], was["host"]
        self.at = was["ts_enqueue"] - first
        self.wait = was["ts_start"] - was["ts_enqueue"] + options["delay"]
        self.begin = self.at + self.wait
        self.fragments = [(d * options["scale"], u) for d, u in fragments]
        self.fragments[0] = (self.fragments[0][0] + options["overhead"], self.fragments[0][1])
        self.end = self.begin + round(sum(d for d, _ in self.fragments))

    def rows(self, first, new):
        row = {"task_id": self.id, "submission_time": self.at + (first if new else 0),
               "schedule_time": self.begin, "finish_time": None, "task_state": "RUNNING"}
        if new:
            row["scheduling_delay"] = self.wait
        tick = self.begin // INTERVAL * INTERVAL + INTERVAL
        while tick < self.end:
            yield {**row, "timestamp": tick,
                   "cpu_usage": usage_at(self.fragments, tick - self.begin)}
            tick += INTERVAL
        yield {**row, "timestamp": tick, "cpu_usage": 0.0, "finish_time": self.end,
               "task_state": "COMPLETED"}


def host_rows(hosts, tasks, power):
    end = max(task.end for task in tasks)
    for host in hosts:
        mine = [t for t in tasks if t.host == host["name"]]
        speed = float(host["cpu"]["coreSpeed"].split()[0])
        capacity = speed * host["cpu"]["coreCount"]
        for tick in range(INTERVAL, end + INTERVAL, INTERVAL):
            work = sum(work_of(t.fragments, tick - INTERVAL - t.begin, tick - t.begin)
                       for t in mine)
            share = min(1, work / capacity / INTERVAL)
            active = round(share * INTERVAL)
            yield {"timestamp": tick, "host_name": host["name"], "cpu_time_active": active,
                   "cpu_time_idle": INTERVAL - active,
                   "cpu_usage": share * capacity, "cpu_capacity": capacity,
                   "energy_usage": (power[0] + (power[1] - power[0]) * share) * INTERVAL / 1000}
        # The end is told twice.
        yield {"timestamp": tick, "host_name": host["name"], "cpu_time_active": 0,
               "cpu_time_idle": 0, "cpu_usage": 0.0, "cpu_capacity": capacity,
               "energy_usage": 0.0}


def main(export, out, version="old", delay="0", scale="1", overhead="0", idle="100", most="200"):
    fragments = {}
    for row in pq.read_table(f"{export}/fragments.parquet").to_pylist():
        fragments.setdefault(row["id"], []).append((row["duration"], row["cpu_usage"]))
    with open(f"{export}/task_map.jsonl") as file:
        mapped = {task["id"]: task for task in map(json.loads, file)}
    with open(f"{export}/topology.json") as file:
        hosts = [h for c in json.load(file)["clusters"] for h in c["hosts"]]
    options = {"delay": int(delay), "scale": float(scale), "overhead": int(overhead)}
    first = min(task["ts_enqueue"] for task in mapped.values())
    tasks = [Task(row, mapped[row["id"]], fragments[row["id"]], first, options)
             for row in pq.read_table(f"{export}/tasks.parquet").to_pylist()]
    new = version == "new"
    rows = sorted((row for task in tasks for row in task.rows(first, new)),
                  key=lambda row: row["timestamp"])
    os.makedirs(out, exist_ok=True)
    schema = pa.schema([pa.field("task_id", pa.int32(), nullable=False),
                        ("timestamp", pa.int64()), ("submission_time", pa.int64()),
                        ("schedule_time", pa.int64()), ("finish_time", pa.int64()),
                        ("task_state", pa.string()), ("cpu_usage", pa.float32())]
                       + ([("scheduling_delay", pa.int64())] if new else []))
    write(f"{out}/task.parquet", rows, schema)
    write(f"{out}/host.parquet", list(host_rows(hosts, tasks, (float(idle), float(most)))),
          pa.schema([("timestamp", pa.int64()), ("host_name", pa.string()),
                     ("cpu_time_active", pa.int64()), ("cpu_time_idle", pa.int64()),
                     ("cpu_usage", pa.float32()), ("cpu_capacity", pa.float32()),
                     ("energy_usage", pa.float32())]))


if __name__ == "__main__":
    main(*sys.argv[1:])
