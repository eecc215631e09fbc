# SPDX-License-Identifier: Apache-2.0
"""Read a trace of the Workflow Trace Archive with pyarrow, check it, and print one of its tables.

usage: wta_peer.py FOLDER TABLE

The columns are those of the archive's tools, schema 1.0; the checks are those of its validator: no
nulls, parents and children that are tasks of the same workflow, counts that agree.
"""
import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

I32, I64, F64, TEXT, IDS = pa.int32(), pa.int64(), pa.float64(), pa.string(), pa.list_(pa.int64())

COLUMNS = {
    "tasks": {
        "id": I64, "type": TEXT, "ts_submit": I64, "submission_site": I32, "runtime": I64,
        "resource_type": TEXT, "resource_amount_requested": F64, "parents": IDS, "children": IDS,
        "user_id": I32, "group_id": I32, "nfrs": TEXT, "workflow_id": I64, "wait_time": I64,
        "params": TEXT, "memory_requested": F64, "network_io_time": I64, "disk_io_time": I64,
        "disk_space_requested": F64, "energy_consumption": I64, "resource_used": I64,
    },
    "workflows": {
        "id": I64, "ts_submit": I64, "task_count": I32, "critical_path_length": I64,
        "critical_path_task_count": I32, "approx_max_concurrent_tasks": I32, "nfrs": TEXT,
        "scheduler": TEXT, "total_resources": F64, "total_memory_usage": F64,
        "total_network_usage": I64, "total_disk_space_usage": I64, "total_energy_consumption": I64,
    },
    "resources": {
        "id": I64, "type": TEXT, "num_resources": F64, "proc_model": TEXT, "memory": I64,
        "disk_space": I64, "network": I64, "os": TEXT, "details": TEXT,
    },
    "task_state": {
        "ts_start": I64, "ts_end": I64, "workflow_id": I64, "task_id": I64, "resource_id": I64,
        "cpu_rate": F64, "canonical_memory_usage": F64, "assigned_memory": F64,
        "minimum_memory_usage": F64, "maximum_memory_usage": F64, "disk_io_time": I64,
        "maximum_disk_bandwidth": F64, "local_disk_space_usage": F64, "maximum_cpu_rate": F64,
        "maximum_disk_io_time": I64, "sample_rate": F64, "sample_portion": F64,
        "sampled_cpu_usage": F64, "network_io_time": F64, "maximum_network_bandwidth": F64,
        "network_in": I64, "network_out": I64, "version": TEXT,
    },
}  # fmt: skip


def read(folder, table):
    path = folder / table / "schema-1.0" / "part.0.parquet"
    rows = pq.read_table(path)
    found = {field.name: field.type for field in rows.schema}
    found = {name: pa.list_(t.value_type) if pa.types.is_list(t) else t for name, t in found.items()}
    assert found == COLUMNS[table], found
    assert all(field.nullable for field in rows.schema), "a column is REQUIRED"
    leaves = [pq.ParquetFile(path).schema.column(i).path for i in range(len(found))]
    assert all(path == name or path == f"{name}.list.item" for path, name in zip(leaves, found))
    rows = rows.to_pylist()
    assert all(value is not None for row in rows for value in row.values()), "a null"
    return rows


def check(tables, workload):
    tasks = {task["id"]: task for task in tables["tasks"]}
    assert len(tasks) == len(tables["tasks"]), "an id comes twice"
    for task in tasks.values():
        assert task["runtime"] >= 0 and task["wait_time"] >= 0 and task["ts_submit"] > 0
        for ends, back in (("parents", "children"), ("children", "parents")):
            for other in task[ends]:
                assert tasks[other]["workflow_id"] == task["workflow_id"]
                assert task["id"] in tasks[other][back]
    counts = {workflow["id"]: workflow["task_count"] for workflow in tables["workflows"]}
    for workflow, count in counts.items():
        assert count == sum(task["workflow_id"] == workflow for task in tasks.values())
    resources = {resource["id"] for resource in tables["resources"]}
    assert all(task["resource_used"] in resources for task in tasks.values())
    for state in tables["task_state"]:
        assert state["ts_start"] < state["ts_end"] and state["task_id"] in tasks
    assert workload["total_tasks"] == len(tasks) and workload["total_workflows"] == len(counts)


def main():
    folder = Path(sys.argv[1])
    tables = {table: read(folder, table) for table in COLUMNS}
    workload = json.loads((folder / "workload/schema-1.0/generic_information.json").read_text())
    check(tables, workload)
    rows = [workload] if sys.argv[2] == "workload" else tables[sys.argv[2]]
    for row in rows:
        print(json.dumps(row))


main()
