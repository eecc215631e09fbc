#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A sampler of the original's shape: regex on each name, stat and statm, one row a process.

Written anew after the description in collect-and-cctf.md: three files opened in text mode per
process and tick, json.dumps, a line-buffered output file, the rest of the interval slept away.

    original_sampler.py OUTPUT REGEX INTERVAL_SECONDS
"""

import json
import os
import re
import sys
import time

PAGE_KB = 4  # the original's constant


def read_text(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return None


def matching_pids(match: re.Pattern[str]) -> list[int]:
    pids = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        comm = read_text(f"/proc/{name}/comm")
        if comm is not None and match.search(comm.strip()):
            pids.append(int(name))
    return pids


def read_row(pid: int, ts_ms: int) -> dict[str, int] | None:
    stat = read_text(f"/proc/{pid}/stat")
    statm = read_text(f"/proc/{pid}/statm")
    if not stat or not statm:
        return None
    fields = stat.rsplit(")", 1)[-1].split()
    rss_kb = int(statm.split()[1]) * PAGE_KB
    return {"ts_ms": ts_ms, "pid": pid, "rss_kb": rss_kb,
            "utime": int(fields[11]), "stime": int(fields[12])}


def main() -> None:
    output, match, interval_s = sys.argv[1], re.compile(sys.argv[2], re.IGNORECASE), sys.argv[3]
    with open(output, "a", buffering=1, encoding="utf-8") as file:
        while True:
            start = time.monotonic()
            ts_ms = int(time.time() * 1000)
            for pid in matching_pids(match):
                row = read_row(pid, ts_ms)
                if row is not None:
                    file.write(json.dumps(row) + "\n")
            time.sleep(max(0.0, float(interval_s) - (time.monotonic() - start)))


main()
