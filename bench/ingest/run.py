#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measure how many spans `tracekit serve` takes on one core, beside the OpenTelemetry Collector and
Jaeger: `tracekit replay` on another core sends the same spans to all (protocol of
trace-storage-and-ui.md section 13). Then twice of what it takes, and kill -9 in the middle: nothing
that was acknowledged may be missing. And what spans take on the disk, and how soon they are found.
Writes its section of bench/RESULTS.md.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import plan
import receivers

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import storage  # noqa: E402
from results import ROOT, build, describe_machine, put_into_results, say  # noqa: E402

BEGIN = "<!-- bench/ingest/run.py writes from here -->"
END = "<!-- to here, bench/ingest/run.py -->"
SERVER_CPU, SENDER_CPU = "0", "1"


EVEN_SHARE = 0.5  # of the window, for latencies


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
    parser.add_argument("--build", type=Path, default=ROOT / "build-bench",
                        help="meson's build folder, made if need be (build-bench)")
    parser.add_argument("--window", type=float, default=60, help="seconds that count (60)")
    parser.add_argument("--warmup", type=float, default=10, help="seconds before (10)")
    parser.add_argument("--rounds", type=int, default=5, help="of each cell (5)")
    parser.add_argument("--crashes", type=int, default=5, help="kills under overload (5)")
    parser.add_argument("--stored", type=int, default=10_000_000,
                        help="spans on disk that are asked for; 0 = do not (10,000,000)")
    parser.add_argument("--all", action="store_true", help="every load to every receiver")
    parser.add_argument("--brief", action="store_true",
                        help="what answers most goals, within ten minutes: windows of 10 s after 2 s, "
                        "3 rounds, 2 kills, 2,000,000 spans on disk")
    parser.add_argument("--only", default="", help="cells 'RECEIVER / LOAD' that match")
    parser.add_argument("--scratch", type=Path, help="where spans are stored (a temporary folder)")
    parser.add_argument("--output", type=Path, help="the result, as JSON")
    parser.add_argument("--render", type=Path, help="a result: measure nothing, write the section")
    parser.add_argument("--plan", action="store_true", help="what would be measured, how long")
    parser.add_argument("--print", action="store_true",
                        help="the section to stdout, RESULTS.md stays as it is")
    args = parser.parse_args()
    if args.brief:
        args.window, args.warmup, args.rounds, args.crashes, args.stored = 10, 2, 3, 2, 2_000_000
    return args


# Measuring ------------------------------------------------------------------------------------


def sender(args: argparse.Namespace, server: receivers.Server, load: plan.Load,
           options: list[str]) -> list[str]:
    port = server.grpc if load.grpc else server.http
    connections = ["-c", "4", "--streams", "8", "--grpc"] if load.grpc else ["-c", "8"]
    if "--rate" in options:  # an open loop waits for no answer
        connections[1] = "64"
    return ["taskset", "-c", SENDER_CPU, str(args.build / "tracekit"), "replay",
            "--synthetic", "--spans", str(load.spans), *plan.SPANS, *load.options, *connections,
            "--print-json", "--to", f"http://127.0.0.1:{port}", *options]


def send(args: argparse.Namespace, server: receivers.Server, load: plan.Load,
         options: list[str]) -> dict:
    done = subprocess.run(sender(args, server, load, options), capture_output=True, text=True)
    if not done.stdout:
        raise receivers.Unavailable(done.stderr.strip())
    return json.loads(done.stdout)


def seconds_for(args: argparse.Namespace, share: float = 1) -> list[str]:
    window = args.window * share
    return ["--warmup", f"{args.warmup}s", "--for", f"{args.warmup + window}s"]


def measure_once(args: argparse.Namespace, receiver: receivers.Receiver, load: plan.Load,
                 scratch: Path) -> dict:
    """As fast as it goes, and then, for latency, half of that at an even pace. The CPU time is the
    receiver's, of all threads, from /proc."""
    server = receivers.Server(receiver, args.build / "tracekit", scratch, SERVER_CPU)
    try:
        idle_mib = server.memory_mib("VmRSS")
        before = server.cpu_s()
        fast = send(args, server, load, ["--as-fast", *seconds_for(args)])
        cpu_s = server.cpu_s() - before
        peak_mib = server.memory_mib("VmHWM")
        if fast["window_spans"] == 0:
            raise receivers.Unavailable(f"nothing was accepted: {fast['answers']}")
        even = send(args, server, load,
                    ["--rate", f"{fast['spans_per_s'] / 2:.0f}", "--retries", "0",
                     *seconds_for(args, EVEN_SHARE)])
    finally:
        server.stop()
    stored = sum(file.stat().st_size for file in (server.run / "spans").glob("*.parquet"))
    spans = fast["accepted_spans"] + even["accepted_spans"]
    return {
        "spans_per_s": fast["spans_per_s"], "cpu_s_per_million": cpu_s / fast["accepted_spans"] * 1e6,
        "idle_mib": idle_mib, "peak_mib": peak_mib, "sender_busy": fast["sender_cpu_s"] / fast["elapsed_s"],
        "p50_ms": even["latency"]["p50_s"] * 1e3, "p99_ms": even["latency"]["p99_s"] * 1e3,
        "lost": fast["lost_spans"] + even["lost_spans"], "rejected": fast["rejected_spans"],
        "bytes_per_span": stored / spans if stored else 0.0,
    }


def summary(rounds: list[dict]) -> dict:
    return {key: {"median": statistics.median(each[key] for each in rounds),
                  "least": min(each[key] for each in rounds),
                  "most": max(each[key] for each in rounds)} for key in rounds[0]}


def measure_cells(args: argparse.Namespace, result: dict, scratch: Path) -> None:
    """All cells in turns, so that what the machine does meanwhile meets each of them."""
    rounds: dict[str, list[dict]] = {}
    for number in range(args.rounds):
        for receiver, load in cells_of(args):
            name = f"{receiver.name} / {load.name}"
            if name in result["missing"]:
                continue
            try:
                rounds.setdefault(name, []).append(measure_once(args, receiver, load, scratch))
                say(f"{number + 1}. {name}: {rounds[name][-1]['spans_per_s']:,.0f} spans/s")
            except receivers.Unavailable as why:
                result["missing"][name] = str(why)
                say(f"{name}: {why}")
    result["cells"] = {name: summary(each) for name, each in rounds.items() if each}


def measure_overload(args: argparse.Namespace, rate: float, scratch: Path) -> dict:
    """Twice what it takes: memory stays flat, and what is not taken is refused, not lost."""
    server = receivers.Server(receivers.RECEIVERS[0], args.build / "tracekit", scratch, SERVER_CPU)
    try:
        result = send(args, server, plan.LOADS[0],
                      ["--rate", f"{2 * rate:.0f}", "--retries", "0", *seconds_for(args)])
        peak_mib = server.memory_mib("VmHWM")
    finally:
        server.stop()
    return {"peak_mib": peak_mib, "accepted": result["accepted_spans"],
            "refused": result["lost"]["refused"], "unsent": result["unsent_spans"],
            "rate": 2 * rate}


def measure_two_workers(args: argparse.Namespace, scratch: Path) -> dict:
    server = receivers.Server(receivers.TWO_WORKERS, args.build / "tracekit", scratch,
                              f"{SERVER_CPU},{SENDER_CPU}")
    try:
        before = server.cpu_s()
        fast = send(args, server, plan.LOADS[0], ["--as-fast", *seconds_for(args)])
        cpu_s = server.cpu_s() - before
    finally:
        server.stop()
    return {"spans_per_s": fast["spans_per_s"],
            "cpu_s_per_million": cpu_s / fast["accepted_spans"] * 1e6}


def crash_once(args: argparse.Namespace, rate: float, scratch: Path, wait_s: float) -> dict:
    """Twice what it takes and kill -9 after a while. What was acknowledged is looked for."""
    fsync = next(each for each in receivers.RECEIVERS if "fsync" in each.options)
    server = receivers.Server(fsync, args.build / "tracekit", scratch, SERVER_CPU)
    ids = scratch / "ids"
    options = ["--rate", f"{2 * rate:.0f}", "--new-ids", "--retries", "0", "--patience", "2s",
               "--acknowledged", str(ids), "--for", f"{wait_s + 5}s"]
    with subprocess.Popen(sender(args, server, plan.LOADS[0], options), stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as process:
        time.sleep(wait_s)
        server.kill()
        process.communicate()
    found = subprocess.run([str(args.build / "lost"), str(ids), str(server.run / "spans")],
                           capture_output=True, text=True)
    if not found.stdout:
        raise receivers.Unavailable(found.stderr.strip())
    return json.loads(found.stdout)


def measure_crashes(args: argparse.Namespace, rate: float, scratch: Path) -> dict:
    """Killed at other moments each time, some of them while a segment is being written."""
    counts = [crash_once(args, rate, scratch, min(args.window, 4 + 1.37 * i))
              for i in range(args.crashes)]
    return {key: sum(each[key] for each in counts) for key in counts[0]}


def telemetrygen_rate(args: argparse.Namespace, scratch: Path) -> float | None:
    """Spans a second of the Collector's own generator, against our server."""
    program = receivers.PEERS / "telemetrygen"
    if not program.exists():
        return None
    server = receivers.Server(receivers.RECEIVERS[0], args.build / "tracekit", scratch, SERVER_CPU)
    window = max(args.window / 4, 3)
    try:
        done = subprocess.run(
            ["taskset", "-c", SENDER_CPU, program, "traces", "--otlp-insecure",
             "--otlp-endpoint", f"127.0.0.1:{server.grpc}", "--duration", f"{window:.0f}s",
             "--workers", "4", "--rate", "0"], capture_output=True, text=True)
    finally:
        server.stop()
    counts = [int(n) for n in re.findall(r'"traces"\s*:\s*(\d+)', done.stderr + done.stdout)]
    return 2 * sum(counts) / window if counts else None  # a trace is two spans


def cells_of(args: argparse.Namespace) -> list[tuple[receivers.Receiver, plan.Load]]:
    wanted = plan.BRIEF if args.brief else plan.CELLS
    every = [(receiver, load) for load in plan.LOADS for receiver in receivers.RECEIVERS
             if args.all or load.name in wanted.get(receiver.name, ())]
    return [(receiver, load) for receiver, load in every
            if re.search(args.only, f"{receiver.name} / {load.name}")]


def measure(args: argparse.Namespace, scratch: Path) -> dict:
    result = {"machine": describe_machine(), "window": args.window, "warmup": args.warmup,
              "rounds": args.rounds, "load_before": os.getloadavg()[0], "cells": {},
              "missing": {}}
    measure_cells(args, result, scratch)
    main_cell = result["cells"].get(f"{plan.OURS} / {plan.LOADS[0].name}")
    if main_cell:
        rate = main_cell["spans_per_s"]["median"]
        result["idle_mib"] = main_cell["idle_mib"]["median"]
        result["two_workers"] = measure_two_workers(args, scratch)
        result["overload"] = measure_overload(args, rate, scratch)
        result["crash"] = {"kills": args.crashes, **measure_crashes(args, rate, scratch)}
        result["telemetrygen"] = telemetrygen_rate(args, scratch)
    if args.stored:
        try:
            result["storage"] = storage.measure(args.build, scratch, args.stored, SERVER_CPU)
        except receivers.Unavailable as why:
            result["missing"]["storage"] = str(why)
            say(f"storage: {why}")
    result["load_after"] = os.getloadavg()[0]
    return result


# The section ----------------------------------------------------------------------------------


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


def goal_rows(result: dict) -> list[str]:
    rows = ["| goal | what | floor | goal | measured | of the goal | reached |",
            "|---|---|---|---|---|---|---|"]
    for goal in plan.GOALS:
        value = goal.measure(result)
        sign = "≤" if goal.at_most else "≥"
        limits = f"{sign} {number(goal.floor)}{goal.unit} | {sign} {number(goal.wanted)}{goal.unit}"
        shown = "–" if value is None else number(value) + goal.unit
        reached = "not measured" if value is None else goal.reached(value)
        ratio = "–" if value is None else goal.ratio(value)
        rows.append(f"| {goal.number} | {goal.text} | {limits} | {shown} | {ratio} | {reached} |")
    return rows


def cell_rows(result: dict) -> list[str]:
    rows = ["| load | receiver | spans/s (range) | over Collector | CPU s per M spans | peak MiB | p50 ms | p99 ms "
            "| bytes/span | lost | sender |", "|---|---|---|---|---|---|---|---|---|---|---|"]
    for name, cell in result["cells"].items():
        receiver, load = name.split(" / ")
        median = {key: value["median"] for key, value in cell.items()}
        rate = cell["spans_per_s"]
        stored = f"{median['bytes_per_span']:.1f}" if median["bytes_per_span"] else "–"
        theirs = plan.rate(result, plan.COLLECTOR, load)
        over = f"{rate['median'] / theirs:.1f}x" if theirs else "–"
        rows.append(
            f"| {load} | {receiver} | **{rate['median']:,.0f}** ({rate['least']:,.0f} to "
            f"{rate['most']:,.0f}) | {over} | {median['cpu_s_per_million']:.2f} | {median['peak_mib']:.0f} "
            f"| {median['p50_ms']:.2f} | {median['p99_ms']:.2f} | {stored} "
            f"| {median['lost']:,.0f} | {median['sender_busy']:.0%} |")
    return rows


def overload_lines(result: dict) -> list[str]:
    lines = []
    if "overload" in result:
        over = result["overload"]
        lines += [f"At twice what it takes ({over['rate']:,.0f} spans/s asked for): "
                  f"{over['accepted']:,} accepted, {over['refused']:,} told to come again, "
                  f"{over['unsent']:,} for which the sender had no connection; peak "
                  f"{over['peak_mib']:.0f} MiB.", ""]
    if "crash" in result:
        crash = result["crash"]
        lines += [f"Killed {crash['kills']} times with kill -9 under that load with --ack fsync: "
                  f"{crash['acknowledged']:,} spans acknowledged, **{crash['lost']:,} of them "
                  f"lost**, {crash['duplicates']:,} stored twice, {crash['unacknowledged']:,} "
                  "stored that were not acknowledged yet.", ""]
    if result.get("telemetrygen"):
        lines += [f"telemetrygen, on the sender's core, makes {result['telemetrygen']:,.0f} spans/s: "
                  "too slow to load any of these.", ""]
    return lines


def storage_lines(result: dict) -> list[str]:
    if "storage" not in result:
        return []
    find = result["storage"]["find"]
    by_rows = result["storage"]["export"].get("by_rows_per_cpu_s")
    short = "" if by_rows is None else (
        f" Segments so long are copied; short ones, of {storage.SHORT_ROWS:,} spans, go row by row: "
        f"{by_rows:,.0f} spans/s of CPU time.")
    return [
        f"Queries are of {find['spans']:,} spans of 10 attributes in segments, cold with the files "
        "out of the page cache; all traces instead of 20: promoted "
        f"{find['promoted_all_cold_ms']:,.0f} ms, tail {find['tail_all_cold_ms']:,.0f} ms. Sizes and "
        f"export are of {find['spans'] // 10:,} spans that `serve` wrote.{short}"]


def section(result: dict) -> str:
    missing = [f"Not measured: {name}: {why}" for name, why in result["missing"].items()]
    export = result.get("storage", {}).get("export", {})
    missing += [f"Not measured: size over DuckDB's: {export['missing']}"] if "missing" in export else []
    lines = [
        f"`bench/ingest/run.py` of {result['machine']}, release build; receiver on CPU "
        f"{SERVER_CPU}, sender on CPU {SENDER_CPU}; {result['window']:.0f} s after "
        f"{result['warmup']:.0f} s of warm-up, median of {result['rounds']}; load average "
        f"{result['load_before']:.1f} before, {result['load_after']:.1f} after. Spans of 541 bytes "
        "with 10 attributes, ten to a trace. Spans/s is a closed loop of 8 connections (gRPC 4 with "
        "8 streams each); latencies are an open loop at half of that rate, from the time when a "
        "request was due. Where the sender takes nearly all of its core the receiver may be faster.",
        *storage_lines(result), "", *goal_rows(result), "", *overload_lines(result), *cell_rows(result)]
    return "\n".join(lines + ([""] + missing if missing else []))


def show_plan(args: argparse.Namespace) -> None:
    each = 2 * args.warmup + (1 + EVEN_SHARE) * args.window + 3
    cells = cells_of(args)
    for receiver, load in cells:
        print(f"{receiver.name} / {load.name}")
    rest = 2 * (args.warmup + args.window) + 15 * args.crashes + args.stored * 10e-6
    total = each * args.rounds * len(cells) + rest
    print(f"{len(cells)} cells of {each:.0f} s, {args.rounds} rounds, and {rest:.0f} s of overload, "
          f"crashes and storage: {total / 60:.0f} min")


def main() -> None:
    args = parse_args()
    args.build = args.build.resolve()
    if args.plan:
        show_plan(args)
        return
    if args.render:
        result = json.loads(args.render.read_text())
    else:
        build(args.build, "tracekit", "lost", "segments")
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        scratch = Path(tempfile.mkdtemp(prefix="tracekit-ingest-", dir=args.scratch))
        try:
            result = measure(args, scratch)
        finally:
            shutil.rmtree(scratch)
        if args.output:
            args.output.write_text(json.dumps(result, indent=1))
    if args.print:
        print(section(result))
    else:
        put_into_results(section(result), BEGIN, END)


if __name__ == "__main__":
    main()
