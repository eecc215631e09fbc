#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Root causes by TraceRCA and MicroRank, written from their description (trace-fidelity.md section 9)
with dense matrices and dictionaries: for tests to compare with.

usage: rca_oracle.py FAULTS.json SPANS.csv     spans as Nezha writes them
Prints a line per fault: its time, then the services that each algorithm blames, or a reason."""
import calendar
import csv
import json
import re
import struct
import sys
import time
from collections import defaultdict


def single(x):
    return struct.unpack("f", struct.pack("f", x))[0]


def ranked(scores):
    """Operations by score, then services by first appearance."""
    names = [op for op, _ in sorted(scores.items(), key=lambda kv: -kv[1])]
    return list(dict.fromkeys(op.split("#")[0] for op in names))


def usual(rows):
    values = defaultdict(list)
    for row in rows:
        values[row["op"]].append(row["us"])
    found = {}
    for op, xs in values.items():
        mean = sum(xs) / len(xs)
        sd = (sum((x - mean) ** 2 for x in xs) / (len(xs) - 1)) ** 0.5 if len(xs) > 1 else None
        found[op] = round(mean, 2), None if sd is None else round(sd, 2)
    return found


def judge(rows, normal):
    for row in rows:
        mean, sd = normal.get(row["op"], (1e9, 1e9))
        row["abnormal"] = None if sd is None else row["us"] >= mean + 3 * sd


def trace_rca(rows):
    total = sum(1 for r in rows if r["abnormal"])
    scores = {}
    for op in dict.fromkeys(r["op"] for r in rows):
        mine = [r for r in rows if r["op"] == op]
        abnormal = sum(1 for r in mine if r["abnormal"])
        s, c = abnormal / total if total else 0, abnormal / len(mine)
        scores[op] = 2 * s * c / (s + c) if s + c else 0
    return ranked(scores)


def page_rank(rows, anomalous):
    by_span = {(r["trace"], r["span"]): r for r in rows}
    ops = list(dict.fromkeys(r["op"] for r in rows))
    traces = list(dict.fromkeys(r["trace"] for r in rows))
    of_trace, of_op, called, spans = (defaultdict(set), defaultdict(set), defaultdict(set), defaultdict(int))
    for r in rows:
        of_trace[r["trace"]].add(r["op"])
        of_op[r["op"]].add(r["trace"])
        spans[r["trace"]] += 1
        parent = by_span.get((r["trace"], r["parent"]))
        if parent:
            called[parent["op"]].add(r["op"])
    kinds = defaultdict(int)
    for t in traces:
        kinds[frozenset(of_trace[t])] += 1
    kind = {t: kinds[frozenset(of_trace[t])] for t in traces}
    kind_sum = sum(1 / kind[t] for t in traces)
    if anomalous:
        span_sum = sum(1 / spans[t] for t in traces)
        v = {t: single(1 / (kind[t] / kind_sum * 0.5 + 1 / spans[t]) / span_sum * 0.5) for t in traces}
    else:
        v = {t: single(1 / kind[t] / kind_sum) for t in traces}
    s = dict.fromkeys(ops, 1 / (len(ops) + len(traces)))
    r = dict.fromkeys(traces, 1 / (len(ops) + len(traces)))
    for _ in range(25):
        new_s = {op: 0.85 * sum(single(1 / len(of_trace[t])) * r[t] for t in of_op[op]) for op in ops}
        for parent, children in called.items():
            for child in children:
                new_s[child] += 0.85 * 0.01 * single(1 / len(children)) * s[parent]
        new_r = {t: 0.85 * sum(single(1 / len(of_op[op])) * s[op] for op in of_trace[t]) + 0.15 * v[t] for t in traces}
        top_s, top_r = max(new_s.values()), max(new_r.values())
        s = {op: x / top_s if top_s else x for op, x in new_s.items()}
        r = {t: x / top_r if top_r else x for t, x in new_r.items()}
    total = sum(s.values())
    return {op: s[op] * total / len(ops) for op in ops}, {op: len(of_op[op]) for op in ops}


def micro_rank(before, after):
    w_n, n_n = page_rank(before, False)
    w_a, n_a = page_rank(after, True)
    abnormal = len({r["trace"] for r in after if r["abnormal"]})
    scores = {}
    for op in list(w_a) + [op for op in w_n if op not in w_a]:
        ef = nf = ep = 1e-7
        if op in w_a:
            ef, nf = w_a[op] * n_a[op], w_a[op] * (abnormal - n_a[op])
        if op in w_n:
            ep = (w_n[op] if op in w_a else 1 + w_n[op]) * n_n[op]
        scores[op] = ef * ef / (ep + nf) if ep + nf else 0
    return ranked(scores)


def read(path):
    traces = defaultdict(list)
    seen = set()
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            key = row["TraceID"], row["SpanID"]
            if key in seen:
                continue
            seen.add(key)
            start, end = int(row["StartTimeUnixNano"]), int(row["EndTimeUnixNano"])
            service = re.sub(r"-[0-9a-f]{8,10}-[a-z0-9]{5}$", "", row["PodName"])
            traces[row["TraceID"]].append(
                {"trace": row["TraceID"], "span": row["SpanID"], "parent": row["ParentID"], "start": start,
                 "us": (end - start) // 1000, "end_us": start // 1000 + (end - start) // 1000,
                 "op": service + "##" + row["OperationName"]})
    for rows in traces.values():
        rows.sort(key=lambda r: (r["start"], r["span"]))
    return sorted(traces.values(), key=lambda rows: (rows[0]["start"], rows[0]["trace"]))


def main():
    traces = read(sys.argv[2])
    with open(sys.argv[1]) as file:
        faults = [fault for hour in json.load(file).values() for fault in hour]
    for fault in faults:
        inject = calendar.timegm(time.strptime(fault["inject_time"], "%Y-%m-%d %H:%M:%S"))
        begin, end = (inject // 60 - 1) * 60 * 10**9, (inject // 60 + 2) * 60 * 10**9
        rows = [row for trace in traces if begin <= trace[0]["start"] < end for row in trace]
        before = [r for r in rows if r["end_us"] < inject * 10**6]
        after = [r for r in rows if r["end_us"] >= inject * 10**6]
        if not before or not after:
            print(fault["inject_time"], "not scorable", sep=",")
            continue
        judge(after, usual(before))
        print(fault["inject_time"], " ".join(trace_rca(after)), " ".join(micro_rank(before, after)), sep=",")


main()
