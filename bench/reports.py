#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What reports on a series of comparable builds cost, from a folder of documents and from a store in a folder, where
history is one small object a build. Each build has the steps of tests/data/jobs/full.json with 240 samples a step, as
long runs have them, and a level that rises by 10 % at six tenths of the series.

usage: bench/reports.py build-bench/tracekit [BUILDS]
"""
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS = 21
GOALS_MS = {"latest": 50, "history 5": 100, "list": None, "gate": None}
SAMPLE = pathlib.Path(__file__).parent.parent / "tests/data/jobs/full.json"


def build(sample, i, count):
    job = json.loads(sample)
    scale = random.lognormvariate(0, 0.03) * (1.1 if i >= 0.6 * count else 1)
    shift = 3600 * i
    job.update(id=f"bench-{i:06}", run_id=str(900000 + i), run_number=str(i + 1), version=f"0.{i // 20}.{i % 20}")
    job["job_start"] += shift
    job["job_duration_s"] *= scale
    job["job_end"] = job["job_start"] + job["job_duration_s"]
    job["totals"]["cpu_s"] *= scale
    for step in job["steps"]:
        step["start_time"] += shift
        step["duration_s"] *= scale
        step["end_time"] = step["start_time"] + step["duration_s"]
        if rows := step.get("samples", {}).get("rows"):
            step["samples"]["rows"] = [[round(x * random.uniform(0.8, 1.2), 3) for x in rows[k % len(rows)]]
                                       for k in range(240)]
    return json.dumps(job, separators=(",", ":"))


def milliseconds(command, environment):
    times = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        status = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL).returncode
        times.append(1000 * (time.perf_counter() - begin))
        if status not in (0, 3):
            sys.exit(f"{' '.join(command)}: exit status {status}")
    return statistics.median(times), max(times)


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    tracekit = os.path.abspath(sys.argv[1])
    count = int(sys.argv[2]) if len(sys.argv) == 3 else 1000
    random.seed(1)
    with tempfile.TemporaryDirectory() as folder:
        documents = pathlib.Path(folder, "documents")
        documents.mkdir()
        sample = SAMPLE.read_text()
        for i in range(count):
            documents.joinpath(f"build_{i:06}.json").write_text(build(sample, i, count))
        size_kb = sum(file.stat().st_size for file in documents.iterdir()) / count / 1024
        print(f"{count} builds of {size_kb:.0f} KiB; median and worst of {ROUNDS} rounds, ms")
        store = f"dir:{folder}/store"
        bare = {name: value for name, value in os.environ.items()
                if not name.startswith(("TRACEKIT_", "MINIO_", "AWS_", "GITHUB_", "TELEMETRY_"))}
        in_folder = bare | {"TELEMETRY_DIR": str(documents)}
        in_store = bare | {"TELEMETRY_DIR": f"{folder}/none", "TRACEKIT_STORE": store}
        subprocess.run([tracekit, "report", "push", "--store", store], env=in_folder, check=True,
                       stdout=subprocess.DEVNULL)
        for verb, goal in GOALS_MS.items():
            for place, environment in (("folder", in_folder), ("store", in_store)):
                median, worst = milliseconds([tracekit, "report", *verb.split()], environment)
                note = "" if goal is None else f"  goal {goal}: {'met' if median <= goal else 'MISSED'}"
                print(f"{verb:10} {place:7} {median:7.1f} {worst:7.1f}{note}")


main()
