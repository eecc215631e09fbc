# SPDX-License-Identifier: Apache-2.0
"""What spans take on the disk, how long they take to find there and to export: goals G9 to G14
(trace-storage-and-ui.md section 12). What cannot be measured here is named in "missing"."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import receivers
from results import ROOT

DATA = Path(os.environ.get("TK_SHARED_DATA", ROOT.parent / "shared/data"))
DEMO_SHOP = DATA / "traces/astronomy-oteltraces.zst"
# As Jaeger's tracegen makes them: 11 attributes of 97 keys with 1,000 values each.
TRACEGEN = ("--attributes", "11", "--keys", "97", "--values", "1000")
COMPRESS = {"lossless": ("--lossless",), "no_ids": ("--lossless", "--no-ids"),
            "generative": ("--generative",)}


def output_of(*command: str | Path) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise receivers.Unavailable(f"{Path(command[0]).name}: {done.stderr.strip()[-300:]}")
    return done.stdout


def find_times(build: Path, scratch: Path, spans: int) -> dict:
    """Cold is a set that was just opened, its files out of the page cache."""
    folder = scratch / "stored"
    text = output_of(build / "segments", "--spans", str(spans), "--output", folder)
    shutil.rmtree(folder)
    times = {}
    for name, label in (("trace", "trace by id"), ("promoted", "promoted attribute, 20 traces"),
                        ("tail", "tail attribute, 20 traces"),
                        ("tail_all", "tail attribute, all"),
                        ("promoted_all", "promoted attribute, all")):
        found = re.search(rf"^  {label} +([\d.]+) ms cold .*?([\d.]+) ms warm", text, re.M)
        times |= {f"{name}_cold_ms": float(found[1]), f"{name}_warm_ms": float(found[2])}
    found = re.search(r"^  service and a second +[\d.]+ ms median, +([\d.]+) ms p99", text, re.M)
    return {"spans": spans, "service_p99_ms": float(found[1]), **times}


def compressed(build: Path, source: Path, scratch: Path) -> dict:
    """Bytes a span of a .tkz file, by how much it keeps."""
    sizes = {}
    for name, options in COMPRESS.items():
        receipt = json.loads(output_of(build / "tracekit", "compress", source, *options, "-j", "-o",
                                       scratch / "sized.tkz"))
        sizes[name] = receipt["bytes"] / receipt["spans"]
        (scratch / "sized.tkz").unlink()
    return sizes


# What serve writes under little load, but for the time that it would take.
SHORT_ROWS = 16384
SHORT = receivers.Receiver("tracekit, short segments", "",
                           options=("--ack", "write", "--segment-rows", str(SHORT_ROWS)))


def tracegen_run(build: Path, scratch: Path, spans: int, cpu: str,
                 receiver: receivers.Receiver = receivers.RECEIVERS[0]) -> Path:
    """A run that serve wrote of spans as tracegen makes them."""
    server = receivers.Server(receiver, build / "tracekit", scratch, cpu)
    try:
        output_of(build / "tracekit", "replay", "--synthetic", "--spans", str(spans), *TRACEGEN,
                  "--batch", "512", "--as-fast", "-c", "4", "--print-json", "--to",
                  f"http://127.0.0.1:{server.http}")
    finally:
        server.stop()
    return server.run


def export_cpu_s(build: Path, run: Path, out: Path) -> float:
    """CPU time of an export, of five in a row: whole segments take less than a tick of the clock."""
    before = os.times()
    for _ in range(5):
        shutil.rmtree(out, ignore_errors=True)
        output_of(build / "tracekit", "export", "parquet", run, "-o", out)
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return used / 5


def export(build: Path, run: Path, scratch: Path, spans: int) -> dict:
    """Parquet of the run: spans a second of CPU time, and the size beside DuckDB's of the rows."""
    out = scratch / "exported"
    cpu_s = export_cpu_s(build, run, out)
    largest = max((out / "spans").rglob("*.parquet"), key=lambda file: file.stat().st_size)
    again = scratch / "again"
    again.mkdir()
    largest.rename(again / "spans-zstd.parquet")
    result = {"spans_per_cpu_s": spans / cpu_s}
    try:
        table = output_of("node", ROOT / "bench/parquet_duckdb.mjs", again)
        result["over_duckdb"] = float(re.search(r"\(([\d.]+)x\)", table)[1])
    except receivers.Unavailable as why:
        result["missing"] = f"DuckDB: {str(why).splitlines()[-1]}"
    finally:
        shutil.rmtree(out)
        shutil.rmtree(again)
    return result


def measure(build: Path, scratch: Path, spans: int, cpu: str) -> dict:
    run = tracegen_run(build, scratch, spans // 10, cpu)
    stored = sum(file.stat().st_size for file in (run / "spans").glob("*.parquet"))
    result = {
        "tracegen": {"segments": stored / (spans // 10), **compressed(build, run, scratch)},
        "export": export(build, run, scratch, spans // 10),
        "find": find_times(build, scratch, spans),
    }
    run = tracegen_run(build, scratch, spans // 10, cpu, SHORT)
    cpu_s = export_cpu_s(build, run, scratch / "exported")
    result["export"]["by_rows_per_cpu_s"] = spans // 10 / cpu_s
    shutil.rmtree(scratch / "exported")
    shutil.rmtree(run)
    if DEMO_SHOP.exists():
        result["demo_shop"] = compressed(build, DEMO_SHOP, scratch)
    return result
