# SPDX-License-Identifier: Apache-2.0
"""The two charts of bench/RESULTS.md as SVG, written by hand: text is text, and both are readable
on a light and on a dark page. Scales are logarithmic.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape

from plan import BIG, COMPACT, EVERY_ROW, PEERS, TIERS
from view import Missing, View

WIDTH = 800
LINE = 17  # the least distance of two labels, one above the other

STYLE = """\
text { font: 13px system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: #24292f; }
.title { font-weight: 600; font-size: 15px; }
.small { font-size: 12px; fill: #57606a; }
.grid { stroke: #d0d7de; }
.ours { fill: #d9480f; }
.peer { fill: #8b949e; }
.floor { fill: none; stroke: #8b949e; stroke-dasharray: 4 3; }
.line { fill: none; stroke-width: 2; }
.beyond { fill: none; stroke-width: 1.5; stroke-dasharray: 3 4; }
.lead { fill: none; stroke: #8b949e; stroke-width: 0.8; }
.dot { stroke: none; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .small { fill: #9da7b3; }
  .grid { stroke: #3d444d; }
  .ours { fill: #f76707; }
}
"""


class Drawing:
    def __init__(self, height: float, title: str, about: str) -> None:
        self.height = height
        self.parts = [f"<title>{escape(title)}</title>", f"<desc>{escape(about)}</desc>",
                      f"<style>\n{STYLE}</style>"]
        self.text(16, 26, title, "title")

    def text(self, x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> None:
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
                          f'{named(kind)}>{escape(text)}</text>')

    def line(self, points: list[tuple[float, float]], kind: str, colour: str = "") -> None:
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        stroke = f' stroke="{colour}"' if colour else ""
        self.parts.append(f'<polyline points="{path}"{named(kind)}{stroke}/>')

    def bar(self, x: float, y: float, width: float, height: float, kind: str) -> None:
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
                          f'height="{height:.1f}" rx="2"{named(kind)}/>')

    def dot(self, x: float, y: float, colour: str) -> None:
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.2" fill="{colour}"'
                          f'{named("dot")}/>')

    def svg(self) -> str:
        return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self.height:.0f}" '
                f'width="{WIDTH}" height="{self.height:.0f}" role="img">\n'
                + "\n".join(self.parts) + "\n</svg>\n")


def named(kind: str) -> str:
    return f' class="{kind}"' if kind else ""


@dataclass(frozen=True)
class Scale:
    """A logarithmic axis from `low` at `start` to `high` at `end`."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        share = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.end - self.start)

    def decades(self) -> list[float]:
        first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
        return [10.0 ** power for power in range(first, last + 1)]


def spread(places: list[float], least: float) -> list[float]:
    """The places, ascending, pushed apart to at least so much, and back as far as there is room."""
    moved: list[float] = []
    for place in places:
        moved.append(max(place, moved[-1] + least) if moved else place)
    shift = (sum(moved) - sum(places)) / max(1, len(places))
    return [place - shift for place in moved] if shift and len(places) > 1 else moved


def number(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


# CPU per sample by tool -------------------------------------------------------------------------


def cost(view: View) -> str:
    rows = []
    for tool in (*TIERS, *COMPACT, *EVERY_ROW, *PEERS):
        try:
            rows.append((view.cpu_ns(tool, BIG) / 1e6, tool))
        except Missing:
            continue
    rows.sort()
    top, step = 62, 24
    title = "CPU per sample, 2,000 processes, 10 % of them active, once a second"
    drawing = Drawing(top + step * len(rows) + 40, title, "; ".join(
        f"{tool} {number(ms)} ms" for ms, tool in rows))
    drawing.text(16, 46, "ms of CPU, logarithmic; orange: tracekit; dashed: the least a tool could "
                 "cost, its file reads replayed", "small")
    if rows:
        scale = Scale(10 ** math.floor(math.log10(rows[0][0] * 0.7)),
                      10 ** math.ceil(math.log10(rows[-1][0])), 228, WIDTH - 118)
        draw_bars(drawing, view, rows, scale, top, step)
    return drawing.svg()


def draw_bars(drawing: Drawing, view: View, rows: list[tuple[float, str]], scale: Scale,
              top: float, step: float) -> None:
    bottom = top + step * len(rows)
    for value in scale.decades():
        drawing.line([(scale.at(value), top - 4), (scale.at(value), bottom + 4)], "grid")
        drawing.text(scale.at(value), bottom + 22, f"{value:,g} ms", "small", "middle")
    base_ms = next((ms for ms, tool in rows if tool == view.base), None)
    for index, (ms, tool) in enumerate(rows):
        y = top + step * index
        kind = "ours" if tool.startswith("tracekit") else \
            "floor" if view.tools[tool]["floor"] else "peer"
        drawing.text(scale.start - 8, y + 16, tool, anchor="end")
        drawing.bar(scale.start, y + 4, scale.at(ms) - scale.start, step - 8, kind)
        times = f" ({number(ms / base_ms)}x)" if base_ms and tool != view.base else ""
        drawing.text(scale.at(ms) + 6, y + 16, number(ms) + times)


# Part of a core by rate -------------------------------------------------------------------------

SERIES = (  # tool, colour: told apart on white and on black, and by those who see few colours
    ("tracekit B2", "#e8590c"),
    ("tracekit B1", "#f0a202"),
    ("tracekit P", "#1c7ed6"),
    ("tracekit P0", "#4dabf7"),
    ("plain C loop", "#2b9348"),
    ("original set", "#ae3ec9"),
    ("top -b", "#868e96"),
    ("pidstat -urdw", "#c2255c"),
)
RATES = (1, 10, 100, 1000)


def points_of(view: View, tool: str) -> list[tuple[float, float]]:
    """Achieved rate and percent of a core, by the rate asked for."""
    points = []
    for hz in RATES:
        try:
            points.append((view.achieved_hz(tool, BIG, hz), 100 * view.core_ratio(tool, BIG, hz)))
        except Missing:
            continue
    return points


def rates(view: View) -> str:
    series = [(tool, colour, points_of(view, tool)) for tool, colour in SERIES]
    series = [one for one in series if one[2]]
    title = "CPU by sampling rate, 2,000 processes, 10 % of them active"
    drawing = Drawing(480, title, "; ".join(
        f"{tool}: " + ", ".join(f"{number(percent)} % at {number(hz)} Hz" for hz, percent in points)
        for tool, _, points in series))
    drawing.text(16, 46, "% of one core, both scales logarithmic; dotted: at the cost of its "
                 "fastest measured rate, up to a whole core", "small")
    lowest = min((point[1] for one in series for point in one[2]), default=0.1)
    x = Scale(1, 1000, 170, WIDTH - 80)
    y = Scale(lowest * 0.6, 100, 430, 96)
    draw_axes(drawing, x, y)
    for tool, colour, points in series:
        draw_series(drawing, x, y, colour, points, extend=not tool.startswith("tracekit"))
    label_series(drawing, x, y, series)
    label_ceilings(drawing, x, y, series)
    return drawing.svg()


def draw_axes(drawing: Drawing, x: Scale, y: Scale) -> None:
    for value in x.decades():
        drawing.line([(x.at(value), y.start), (x.at(value), y.end)], "grid")
        drawing.text(x.at(value), y.start + 22, f"{value:,.0f} Hz", "small", "middle")
    for value in y.decades():
        drawing.line([(x.start, y.at(value)), (x.end, y.at(value))], "grid")
        drawing.text(x.end + 10, y.at(value) + 4, f"{value:g} %", "small")


def ceiling_hz(points: list[tuple[float, float]]) -> float:
    hz, percent = points[-1]
    return hz * 100 / percent


def draw_series(drawing: Drawing, x: Scale, y: Scale, colour: str,
                points: list[tuple[float, float]], extend: bool) -> None:
    at = [(x.at(hz), y.at(percent)) for hz, percent in points]
    drawing.line(at, "line", colour)
    for place in at:
        drawing.dot(*place, colour)
    if extend and points[-1][1] < 100:
        drawing.line([at[-1], (x.at(ceiling_hz(points)), y.end)], "beyond", colour)


def label_series(drawing: Drawing, x: Scale, y: Scale, series: list[tuple]) -> None:
    """Names left of the first points, each led to its own."""
    ordered = sorted(series, key=lambda one: y.at(one[2][0][1]))
    places = spread([y.at(one[2][0][1]) for one in ordered], LINE)
    for (tool, colour, points), place in zip(ordered, places):
        drawing.text(x.start - 46, place + 4, tool, anchor="end")
        drawing.line([(x.start - 42, place), (x.start - 30, place),
                      (x.start - 8, y.at(points[0][1])), (x.at(points[0][0]), y.at(points[0][1]))],
                     "lead", colour)


def label_ceilings(drawing: Drawing, x: Scale, y: Scale, series: list[tuple]) -> None:
    """Rates above the plot at which a tool takes a whole core."""
    full = sorted((ceiling_hz(points), colour) for tool, colour, points in series
                  if not tool.startswith("tracekit"))
    places = spread([x.at(hz) for hz, _ in full], 48)
    for (hz, colour), place in zip(full, places):
        drawing.text(place, y.end - 18, f"{number(round(hz))} Hz", "small", "middle")
        drawing.line([(place, y.end - 14), (x.at(hz), y.end - 1)], "lead", colour)
