#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What one writes with psutil: CPU, memory, I/O, threads and name of every process, as JSON Lines.

    psutil_sampler.py OUTPUT INTERVAL_SECONDS
"""

import json
import sys
import time

import psutil

FIELDS = ["name", "cpu_times", "memory_info", "io_counters", "num_threads"]


def row(info: dict, ts_ms: int) -> dict:
    cpu, memory, io = info["cpu_times"], info["memory_info"], info["io_counters"]
    return {"ts_ms": ts_ms, "pid": info["pid"], "name": info["name"],
            "user_s": cpu.user, "system_s": cpu.system, "rss": memory.rss,
            "read_bytes": io.read_bytes if io else None,
            "write_bytes": io.write_bytes if io else None, "threads": info["num_threads"]}


def main() -> None:
    output, interval_s = sys.argv[1], float(sys.argv[2])
    with open(output, "a", encoding="utf-8") as file:
        while True:
            start = time.monotonic()
            ts_ms = int(time.time() * 1000)
            for process in psutil.process_iter(["pid", *FIELDS]):
                if process.info["cpu_times"] is not None:
                    file.write(json.dumps(row(process.info, ts_ms)) + "\n")
            file.flush()
            time.sleep(max(0.0, interval_s - (time.monotonic() - start)))


main()
