#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The tables of the section `codec` of bench/RESULTS.md, out of what bench/codec/frontier wrote.

    bench/codec/frontier.py OUTPUT        reads OUTPUT/SET.json and OUTPUT/sizes.jsonl; writes
                                          OUTPUT/frontier-SET.svg, tables on stdout
"""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path

from frontier_chart import draw

# A file that is larger by less than this factor is as large (TK_SUITE_WITHIN of the suite).
WITHIN = 1.03

# What a table shows of an item: heading, figure, digits.
COLUMNS = [
    ("strict", ("queries", "mean", "strict"), 5),
    ("compat", ("queries", "mean", "compat"), 5),
    ("trigger F1", ("joint", "trigger", "strict"), 3),
    ("duration %", ("time", "durations", "strict"), 1),
    ("rate %", ("time", "rate", "strict"), 1),
    ("errors %", ("time", "errors", "strict"), 1),
    ("correlation error", ("joint", "correlation", "strict"), 3),
]

# Of trace-compression.md section 2: bytes a trace at 5 %, generative, columns bare and with ids.
SIZES = {
    "hip": (13, 4.0, 43.0, 135.5),
    "ast": (6.5, 2.7, 19.3, 74.1),
    "ob10k": (42, 5, 174.6, 534.9),
    "tt": (65, 12, 290.5, 879.4),
}
# Of trace-fidelity.md: the compat mean at 5 % (section 16), strict mean and correlation error of the
# reference generative method (section 15).
COMPAT = {"hip": 0.0001, "ast": 0.0002, "ob10k": 0.00002, "tt": 0.0009}
GENERATIVE = {"hip": (0.129, 0.35), "ast": (0.047, 0.54), "ob10k": (0.022, 0.53), "tt": (0.020, 0.68)}
# Bytes a span of OTAP + zstd as published (trace-compression.md section 19).
OTAP = {"hip": 21.0, "ast": 36.9}


class Item:
    """A method at a size, or a control."""

    def __init__(self, fields: dict) -> None:
        self.method = fields["method"]
        self.setting = fields["setting"]
        self.is_beside = "as_large_as" in fields
        self.trace_bytes = fields.get("trace_bytes")
        self.span_bytes = fields.get("span_bytes")
        self.figures = {(f["group"], f["name"], f["rule"]): f["mean"]
                        for f in fields.get("figures", [])}

    def label(self) -> str:
        return f"{self.method} {self.setting}"

    def queries(self, rule: str) -> dict[str, float]:
        return {name: mean for (group, name, of), mean in self.figures.items()
                if group == "queries" and of == rule and name != "mean" and mean is not None}


class Set:
    def __init__(self, fields: dict) -> None:
        self.name = fields["data"]
        self.traces = fields["traces"]
        self.spans = fields["spans"]
        self.items = [Item(item) for item in fields["items"]]

    def find(self, method: str, setting: str) -> Item | None:
        return next((item for item in self.items
                     if (item.method, item.setting) == (method, setting)), None)

    def ours(self) -> tuple[Item | None, Item | None]:
        return self.find("tkz", "±5 %"), self.find("tkz", "generative")


def show(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def table(headings: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(headings) + " |", "|" + "---|" * len(headings)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def rank(name: str) -> int:
    order = list(SIZES)
    return order.index(name) if name in order else len(order)


def sets_of(folder: Path) -> list[Set]:
    found = [Set(fields) for path in sorted(folder.glob("*.json"))
             for fields in json.loads(path.read_text()).get("sets", [])]
    return sorted(found, key=lambda one: rank(one.name))


def frontier_of(one: Set) -> str:
    """A row for each method and size; what does not fit its budget has none."""
    rows = [[item.method, item.setting, show(item.trace_bytes, 2), show(item.span_bytes, 3)]
            + [show(item.figures.get(key), digits) for _, key, digits in COLUMNS]
            for item in one.items
            if item.method == "control" or (item.trace_bytes is not None and not item.is_beside)]
    headings = ["method", "setting", "B/trace", "B/span"] + [heading for heading, _, _ in COLUMNS]
    return table(headings, rows)


def better_at_equal_bytes(one: Set) -> list[str]:
    """Baselines that are no larger than a file of ours, and nearer to the real set."""
    found = []
    measured = [item for item in one.items if item.trace_bytes and item.figures]
    ours = [item for item in measured if item.method == "tkz"]
    others = [item for item in measured if item.method != "tkz" and not item.is_beside]
    for rule in ("strict", "compat"):
        key = ("queries", "mean", rule)
        for own, other in itertools.product(ours, others):
            if other.trace_bytes <= own.trace_bytes * WITHIN \
                    and other.figures[key] < own.figures[key]:
                found.append(f"{other.label()} ({other.trace_bytes:.2f} B, {rule} "
                             f"{other.figures[key]:.5f}) over tkz {own.setting} "
                             f"({own.trace_bytes:.2f} B, {own.figures[key]:.5f})")
    return found


def goal_rows(one: Set) -> list[list[str]]:
    exact, made = one.ours()
    if one.name not in SIZES or not exact or not made:
        return []
    strict = ("queries", "mean", "strict")
    goals = [
        ("B/trace at ±5 %", exact.trace_bytes, "<=", SIZES[one.name][0], 2),
        ("B/trace, generative", made.trace_bytes, "<=", SIZES[one.name][1], 2),
        ("strict mean at ±5 %", exact.figures[strict], "<=", 0.01, 5),
        ("compat mean at ±5 %", exact.figures["queries", "mean", "compat"], "<=", COMPAT[one.name], 5),
        ("duration over time at ±5 %", exact.figures["time", "durations", "strict"], ">=", 98, 2),
        ("rate over time at ±5 %", exact.figures["time", "rate", "strict"], ">=", 99, 2),
        ("errors over time at ±5 %", exact.figures.get(("time", "errors", "strict")), ">=", 99, 2),
        ("trigger F1 at ±5 %", exact.figures["joint", "trigger", "strict"], ">=", 1, 4),
        ("trigger F1, generative", made.figures["joint", "trigger", "strict"], ">=", 0.985, 4),
        ("correlation error at ±5 %", exact.figures["joint", "correlation", "strict"], "<=", 0.01, 4),
        ("correlation error, generative", made.figures["joint", "correlation", "strict"], "<=",
         GENERATIVE[one.name][1], 4),
        ("strict mean, generative", made.figures[strict], "<=", GENERATIVE[one.name][0], 5),
    ]
    return [[one.name, name, f"{sign} {goal:.6f}".rstrip("0").rstrip("."), show(value, digits), verdict(value, sign, goal)]
            for name, value, sign, goal, digits in goals]


def verdict(value: float | None, sign: str, goal: float) -> str:
    if value is None:
        return "does not occur"
    return "yes" if (value <= goal if sign == "<=" else value >= goal) else "**no**"


def duel_row(one: Set, own: Item | None, other: Item | None) -> list[list[str]]:
    """Ours against a sample: bytes, and by which of the ten queries it is better."""
    if not own or not other:
        return []
    cells = []
    for rule in ("strict", "compat"):
        mine, theirs = own.queries(rule), other.queries(rule)
        worse = [name for name in mine if mine[name] > theirs.get(name, 1)]
        better = sum(mine[name] < theirs.get(name, 1) for name in mine)
        cells += [f"{better} / {len(mine) - better - len(worse)} / {len(worse)}", ", ".join(worse)]
    fits = "yes" if own.trace_bytes <= other.trace_bytes else "**no**"
    return [[one.name, own.setting, show(own.trace_bytes, 2),
             f"{other.label()}: {show(other.trace_bytes, 2)}", fits, *cells]]


def duels_of(sets: list[Set]) -> str:
    rows = []
    for one in sets:
        exact, made = one.ours()
        rows += duel_row(one, exact, one.find("head", "1:10"))
        rows += duel_row(one, made, one.find("head", "1:20"))
        rows += duel_row(one, made, one.find("head", "1:50"))
    return table(["set", "tkz", "B/trace", "head, B/trace", "no more bytes",
                  "strict: better / equal / worse", "worse in", "compat: better / equal / worse",
                  "worse in"], rows)


def columns_of(sets: list[Set]) -> str:
    rows = []
    for one in sets:
        bare, full = one.find("columns-bare", "all"), one.find("columns", "all")
        if one.name in SIZES and bare and full:
            rows.append([one.name, show(bare.trace_bytes, 1), show(SIZES[one.name][2], 1),
                         show(full.trace_bytes, 1), show(SIZES[one.name][3], 1)])
    return table(["set", "columns without ids, B/trace", "of the page", "with ids", "of the page"], rows)


def sizes_of(folder: Path) -> str:
    """What `tracekit compress` makes with all attributes, and lossless."""
    rows = []
    sizes = map(json.loads, (folder / "sizes.jsonl").read_text().splitlines())
    for size in sorted(sizes, key=lambda one: rank(one["set"])):
        published = OTAP.get(size["set"]) if size["options"] == "--lossless" else None
        rows.append([size["set"], f"`{size['options']}`", show(size["bytes"], 0),
                     show(size["bytes_per_trace"], 2), show(size["bytes_per_span"], 3),
                     show(published, 1)])
    return table(["set", "options", "bytes", "B/trace", "B/span", "OTAP + zstd, B/span"], rows)


def chart_of(one: Set) -> str:
    methods: dict[str, list[tuple[float, float]]] = {}
    for item in one.items:
        if item.trace_bytes and item.figures and not item.is_beside:
            distance = item.figures["queries", "mean", "strict"]
            methods.setdefault(item.method, []).append((item.trace_bytes, distance))
    return draw(f"{one.name}: ten queries, strict distance", methods)


def main() -> None:
    folder = Path(sys.argv[1])
    sets = sets_of(folder)
    print("### Done when: against head sampling\n\n" + duels_of(sets))
    print("### Goals\n")
    print(table(["set", "goal", "asked", "measured", "reached"],
                [row for one in sets for row in goal_rows(one)]))
    print("### Baselines that are better at equal bytes\n")
    for one in sets:
        found = better_at_equal_bytes(one)
        print(f"- {one.name}: " + ("; ".join(found) if found else "none"))
    print("\n### Sizes with all attributes, and lossless\n\n" + sizes_of(folder))
    print("### Columns against the page\n\n" + columns_of(sets))
    for one in sets:
        print(f"### {one.name}: {one.traces:,} traces, {one.spans:,} spans\n")
        (folder / f"frontier-{one.name}.svg").write_text(chart_of(one))
        print(f"![distance against bytes](codec/frontier-{one.name}.svg)\n\n" + frontier_of(one))


if __name__ == "__main__":
    main()
