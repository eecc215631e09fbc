#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The expected results of opendc.md section 18, which OpenDC v2.4f computed.

    opendc_cases.py model              do the rules of opendc_model.py come to them?
    opendc_cases.py write DIR          a folder for each case, as OpenDC loads it
    opendc_cases.py run DIR            does the runner of OPENDC_HOME come to them? Writes DIR first
    opendc_cases.py alone EXPORT...    does each task of an export of tracekit, alone on its host, end
                                       under Perfect when its fragments do?
"""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from opendc_model import Host, Run, Task

T0 = 1758000000000
POLICIES = ("NoDelay", "Perfect")
LONG = [(4000, 9600)]


def one(*fragments: tuple[int, float]) -> list[Task]:
    return [Task(1, list(fragments))]


def workflow(parents: bool, children: bool, submissions: tuple[int, int, int]) -> list[Task]:
    edges = {1: ([], [2, 3]), 2: ([1], [3]), 3: ([1, 2], [])}
    lengths = {1: 2000, 2: 3000, 3: 1000}
    return [Task(id, [(lengths[id], 2400)], at, parents=edges[id][0] if parents else [],
                 children=edges[id][1] if children else [])
            for id, at in zip(edges, submissions)]


# Name, tasks, finish times under NoDelay and under Perfect, energy in J of each (None = not told).
CASES = [
    ("A", one((2000, 2400), (2000, 0), (2000, 1200)), [6000], [4000], 675, 475),
    ("B", one((2000, 2400), (5, .1), (2000, .1), (2000, 1200)), [6005], [6000], None, None),
    ("C", [Task(1, LONG), Task(2, LONG, 1000)], [4000, 5000], [7000, 8000], 1000, 1600),
    ("D", [Task(1, [(2000, 2400)], mem_kb=20_000_000), Task(2, [(2000, 2400)], cpu_count=8),
           Task(3, [(2000, 2400)])], [0, 0, 2000], [0, 0, 2000], None, None),
    ("E", one((2000, 20000)), [2000], [4166], 400, 833.2),
    ("F", [Task(1, [(4000, 2400)], mem_kb=10_000_000),
           Task(2, [(4000, 2400)], 1000, mem_kb=10_000_000)], [4000, 5000], [4000, 5000], 700, 700),
    ("G", one((0, 2400), (2000, 2400), (0, 0)), [2000], [2000], None, None),
    ("H", [Task(1, [(2000, 2400), (1000, 1000)]), Task(1, [(2000, 2400), (1000, 1000)], 5000)],
     [3000, 8000], [3000, 8000], None, None),
    *((f"I-{usage}", one((2000, 2400), (1000, usage), (2000, 1200)), [5000], [perfect], None, None)
      for usage, perfect in ((.1, 4000), (2.3, 4000), (2.4, 5000), (2.41, 4999))),
    *((f"J-{ms}-{usage}", one((2000, 2400), (ms, usage), (2000, 1200)), [4000 + ms], [perfect], None,
       None) for ms, usage, perfect in ((20, 119, 4000), (20, 120, 4020), (5, 480.5, 4005),
                                        (1, 2400, 4001))),
    ("K-1000", one((1000, .1), (2000, 2400)), [3000], [3000], None, None),
    ("K-5", one((5, .4), (2000, 2400)), [2005], [2005], None, None),
    *((f"L-{usage}", one((2000, 20000), (1000, usage), (1000, 1200)), [4000], [perfect], None, None)
      for usage, perfect in ((9.5, 5166), (9.7, 6166))),
    ("W1", workflow(True, True, (0, 0, 1000)), [2000, 5000, 6000], [2000, 5000, 6000], None, None),
    ("W2", workflow(True, False, (0, 0, 1000)), [2000, 5000, 6000], [2000, 5000, 6000], None, None),
    ("W3", workflow(False, True, (0, 0, 1000)), [2000, 3000, 2000], [2000, 3000, 2000], None, None),
    ("W4", [Task(1, [(2000, 2400)], children=[2]), Task(2, [(3000, 2400)], 10000, parents=[1])],
     [2000, 13000], [2000, 13000], None, None),
]


class Tally:
    """Counts what was compared, and names what differs."""

    def __init__(self) -> None:
        self.good = self.bad = 0

    def expect(self, what: str, got: object, wanted: object) -> None:
        same = abs(got - wanted) < 1e-6 * abs(wanted) + 1e-9 if isinstance(wanted, float) \
            else got == wanted
        self.good, self.bad = self.good + same, self.bad + (not same)
        if not same:
            print(f"{what}: {got}, expected {wanted}")

    def end(self) -> None:
        print(f"{self.good} results as expected, {self.bad} not")
        sys.exit(1 if self.bad or not self.good else 0)


# By the rules ---------------------------------------------------------------------------------


def check_model(tally: Tally) -> None:
    for name, tasks, *expected in CASES:
        for policy, finish, energy in zip(POLICIES, expected[:2], expected[2:]):
            run = Run(copy.deepcopy(tasks), Host(), policy)
            tally.expect(f"{name} {policy}", [task.finished for task in run.tasks], finish)
            if energy is not None:
                tally.expect(f"{name} {policy} energy", run.energy_j, float(energy))
    waits = Run(copy.deepcopy(CASES[-4][1]), Host(), "Perfect").tasks
    tally.expect("W1 schedule", [task.scheduled for task in waits], [0, 2000, 5000])
    rejected = Run(copy.deepcopy(CASES[3][1]), Host(), "Perfect").tasks
    tally.expect("D states", [(task.state, task.scheduled) for task in rejected],
                 [("TERMINATED", None), ("TERMINATED", None), ("COMPLETED", 0)])


def check_alone(tally: Tally, export: Path) -> None:
    fragments: dict[int, list] = {}
    for row in pq.read_table(export / "fragments.parquet").to_pylist():
        fragments.setdefault(row["id"], []).append((row["duration"], row["cpu_usage"]))
    hosts = json.loads((export / "topology.json").read_text())["clusters"][0]["hosts"]
    cpu = max((host["cpu"] for host in hosts), key=lambda cpu: cpu["coreCount"])
    host = Host(cores=cpu["coreCount"], mhz=float(cpu["coreSpeed"].removesuffix(" MHz")))
    for id, of_task in fragments.items():
        run = Run([Task(id, of_task)], host, "Perfect")
        tally.expect(f"{export} task {id}", run.tasks[0].finished, sum(ms for ms, _ in of_task))


# By OpenDC ------------------------------------------------------------------------------------

INT32_LIST = pa.list_(pa.field("element", pa.int32()))


def field(name: str, kind: pa.DataType, optional: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=optional)


def write_case(folder: Path, tasks: list[Task]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rows = [{"id": task.id, "submission_time": T0 + task.submission,
             "duration": sum(ms for ms, _ in task.fragments), "cpu_count": task.cpu_count,
             "cpu_capacity": 2400.0 * task.cpu_count, "mem_capacity": task.mem_kb,
             "parents": task.parents, "children": task.children} for task in tasks]
    kinds = [("id", pa.int32()), ("submission_time", pa.int64()), ("duration", pa.int64()),
             ("cpu_count", pa.int32()), ("cpu_capacity", pa.float64()), ("mem_capacity", pa.int64())]
    schema = [field(*kind) for kind in kinds]
    if any(task.parents or task.children for task in tasks):
        schema += [field("parents", INT32_LIST, True), field("children", INT32_LIST, True)]
    by_id = {task.id: task.fragments for task in tasks}  # an id that comes twice has them once
    pieces = [{"id": id, "duration": ms, "cpu_usage": float(mhz)}
              for id, of_task in by_id.items() for ms, mhz in of_task]
    pq.write_table(pa.Table.from_pylist(rows, pa.schema(schema)), folder / "tasks.parquet")
    pq.write_table(pa.Table.from_pylist(pieces, pa.schema(
        [field("id", pa.int32()), field("duration", pa.int64()), field("cpu_usage", pa.float64())])),
        folder / "fragments.parquet")
    power = {"modelType": "linear", "power": 400.0, "idlePower": 100.0, "maxPower": 200.0}
    host = {"name": "H01", "count": 1, "cpu": {"coreCount": 4, "coreSpeed": "2400 MHz"},
            "memory": {"memorySize": "16384 MiB"}, "cpuPowerModel": power}
    (folder / "topology.json").write_text(
        json.dumps({"clusters": [{"name": "C01", "hosts": [host]}]}))
    (folder / "experiment.json").write_text(json.dumps({
        "name": "case", "topologies": [{"pathToFile": "topology.json"}],
        "workloads": [{"pathToFile": ".", "type": "ComputeWorkload", "scalingPolicy": policy}
                      for policy in POLICIES],
        "allocationPolicies": [{"type": "prefab", "policyName": "Mem"}],
        "exportModels": [{"exportInterval": 1, "printFrequency": 99999,
                          "filesToExport": ["host", "task", "powerSource", "service"]}]}))


def read_result(folder: Path, scenario: int) -> tuple[list[int], float]:
    """Finish times by order of submission, and energy in J."""
    out = next((folder / "output" / "case" / "raw-output" / str(scenario)).glob("seed=*"))
    last = {}
    for row in pq.read_table(out / "task.parquet").to_pylist():
        if row["finish_time"] is not None:
            last[row["task_id"], row["submission_time"]] = row["finish_time"]
    energy = sum(pq.read_table(out / "powerSource.parquet")["energy_usage"].to_pylist())
    return [finish for _, finish in sorted(last.items())], energy


def check_runner(tally: Tally, folder: Path) -> None:
    runner = Path(os.environ["OPENDC_HOME"]) / "bin" / "OpenDCExperimentRunner"
    for name, tasks, *expected in CASES:
        place = folder / name
        write_case(place, tasks)
        done = subprocess.run([runner, "--experiment-path", "experiment.json"], cwd=place,
                              capture_output=True, text=True)
        if done.returncode != 0:
            tally.expect(f"{name}: {done.stderr[-400:]}", done.returncode, 0)
            continue
        for scenario, policy in enumerate(POLICIES):
            finish, energy = read_result(place, scenario)
            tally.expect(f"{name} {policy}", finish, expected[scenario])
            if expected[2 + scenario] is not None:
                tally.expect(f"{name} {policy} energy", round(energy, 1),
                             float(expected[2 + scenario]))


def main(what: str, *folders: str) -> None:
    tally = Tally()
    if what == "model":
        check_model(tally)
    elif what == "alone":
        for folder in folders:
            check_alone(tally, Path(folder))
    elif what == "write":
        for name, tasks, *_ in CASES:
            write_case(Path(folders[0]) / name, tasks)
        return
    elif what == "run":
        check_runner(tally, Path(folders[0]))
    else:
        sys.exit(__doc__)
    tally.end()


if __name__ == "__main__":
    main(*sys.argv[1:])
