#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What OpenDC would write of an export that runs without contention: task.parquet as of v2.4f, or,
with a third argument "new", as of later versions (times since 1970, scheduling_delay).

    simulate_opendc.py EXPORT OUT [new [DELAY_MS]]

Each task begins DELAY_MS after its measured wait and lasts the sum of its fragments.
"""

import json
import os
import sys

import pyarrow as pa
import pyarrow.parquet as pq


def main(export, out, version="old", delay="0"):
    tasks = pq.read_table(f"{export}/tasks.parquet").to_pylist()
    lengths = {}
    for fragment in pq.read_table(f"{export}/fragments.parquet").to_pylist():
        lengths[fragment["id"]] = lengths.get(fragment["id"], 0) + fragment["duration"]
    with open(f"{export}/task_map.jsonl") as file:
        mapped = {task["id"]: task for task in map(json.loads, file)}
    submitted = {t["id"]: mapped[t["id"]]["ts_enqueue"] for t in tasks}
    first = min(submitted.values())
    rows = []
    for task in tasks:
        was = mapped[task["id"]]
        at = submitted[task["id"]] - first
        wait = was["ts_start"] - was["ts_enqueue"] + int(delay)
        row = {"task_id": task["id"], "submission_time": at + (first if version == "new" else 0),
               "schedule_time": at + wait, "finish_time": at + wait + lengths[task["id"]],
               "task_state": "COMPLETED"}
        if version == "new":
            row["scheduling_delay"] = wait
        # A row of an earlier interval, which does not count.
        rows.append({**row, "finish_time": None, "task_state": "RUNNING"})
        rows.append(row)
    os.makedirs(out, exist_ok=True)
    ids = pa.field("task_id", pa.int32(), nullable=False)
    schema = pa.schema([ids, ("submission_time", pa.int64()), ("schedule_time", pa.int64()),
                        ("finish_time", pa.int64()), ("task_state", pa.string())]
                       + ([("scheduling_delay", pa.int64())] if version == "new" else []))
    # As OpenDC writes them: zstd, pages of version 2, DELTA_BINARY_PACKED.
    pq.write_table(pa.Table.from_pylist(rows, schema), f"{out}/task.parquet", compression="zstd",
                   data_page_version="2.0", use_dictionary=False,
                   column_encoding={"finish_time": "DELTA_BINARY_PACKED"})


if __name__ == "__main__":
    main(*sys.argv[1:])
