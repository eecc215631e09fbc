#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write the files of this folder anew, by hand: a release whose files are to be read for ever gets
its own. No check does that, as a later release may write other bytes; tkz.bats reads the files, and
holds the lossless one against the traces.

usage: make.py TRACEKIT   the expected texts are of that build, so look at what changed, and why
       make.py --traces   print the traces that went into the files
"""
import hashlib
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TextIO

HERE = Path(__file__).parent
MODES = {"lossless": ["--lossless"], "quality": ["--quality", "5%"], "generative": ["--generative"]}
CALLS = {"shop": ["cart", "stock", "pay"], "cart": ["redis"], "stock": ["db", "db"], "pay": ["bank"]}


def attribute(key: str, value: str | int) -> dict:
    kind = {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}
    return {"key": key, "value": kind}


def spans(draw: random.Random, trace: str, service: str, parent: str, start: int) -> tuple[list, int]:
    """A span and all below it, and when it ends."""
    span_id = f"{draw.getrandbits(64) | 1:016x}"
    at = start + int(draw.lognormvariate(10, 1))
    below = []
    failed = draw.random() < 0.02
    for callee in CALLS.get(service, []):
        if draw.random() < 0.9:
            children, at = spans(draw, trace, callee, span_id, at + draw.randrange(1000, 90000))
            below += children
    end = at + int(draw.lognormvariate(12, 1.5))
    span = {"traceId": trace, "spanId": span_id, "parentSpanId": parent, "name": f"/{service}/get",
            "kind": 3 if service in ("redis", "db") else 2, "startTimeUnixNano": str(start),
            "endTimeUnixNano": str(end),
            "attributes": [attribute("http.status_code", 500 if failed else 200),
                           attribute("user.id", f"user-{draw.randrange(50)}")],
            "status": {"code": 2, "message": "it broke"} if failed else {}}
    resource = {"attributes": [attribute("service.name", service)]}
    return [{"resource": resource, "scopeSpans": [{"spans": [span]}]}, *below], end


def write_traces(out: TextIO) -> None:
    draw = random.Random(1)
    start = 1_700_000_000_000_000_000
    for _ in range(150):
        start += int(draw.expovariate(1 / 80e6))
        trace = f"{draw.getrandbits(128) | 1:032x}"
        out.write(json.dumps({"resourceSpans": spans(draw, trace, "shop", "", start)[0]}) + "\n")


def write_files(tracekit: str) -> None:
    sums = []
    with tempfile.TemporaryDirectory() as scratch:
        traces = Path(scratch) / "traces.jsonl"
        with traces.open("w") as out:
            write_traces(out)
        for mode, options in MODES.items():
            file = HERE / f"{mode}.tkz"
            subprocess.run([tracekit, "compress", traces, *options, "-o", file], check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            text = subprocess.run([tracekit, "expand", file, "-o", "-"], check=True,
                                  capture_output=True).stdout
            sums.append(f"{hashlib.sha256(text).hexdigest()}  {mode}\n")
    (HERE / "expanded.sha256").write_text("".join(sums))


if sys.argv[1:] == ["--traces"]:
    write_traces(sys.stdout)
else:
    write_files(sys.argv[1])
