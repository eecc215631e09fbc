# SPDX-License-Identifier: Apache-2.0
"""Distance against bytes of a set as SVG, both scales logarithmic. On a ground of its own, so that it
is readable on any page and in programs that know no variables of CSS."""

from __future__ import annotations

import math
from html import escape

WIDTH, HEIGHT = 800, 420
LEFT, RIGHT, TOP, BOTTOM = 60, 640, 40, 370
COLOURS = {"tkz": "#c4314b", "head": "#1f5fa8", "tail": "#2c7a4b", "stratified": "#a86500",
           "markov": "#b0448a", "columns": "#6b6f2a", "columns-bare": "#5b6570", "otlp": "#7a4fb0",
           "otap": "#2a8a8f"}
# Distances below are drawn at the edge: a logarithm has no 0.
LEAST = 1e-5


def place(value: float, low: float, high: float, begin: float, end: float) -> float:
    part = (math.log10(value) - math.log10(low)) / (math.log10(high) - math.log10(low))
    return begin + part * (end - begin)


def grid(high: float) -> list[str]:
    lines = []
    for power in range(-1, round(math.log10(high)) + 1):
        x = place(10.0 ** power, 0.1, high, LEFT, RIGHT)
        lines.append(f'<path class="grid" d="M{x:.1f} {TOP}V{BOTTOM}"/>'
                     f'<text x="{x:.1f}" y="{BOTTOM + 18}" text-anchor="middle">{10.0 ** power:g}</text>')
    for power in range(-5, 1):
        y = place(10.0 ** power, LEAST, 1, BOTTOM, TOP)
        lines.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{RIGHT}"/>'
                     f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{10.0 ** power:g}</text>')
    return lines


def series(points: list[tuple[float, float]], colour: str, high: float) -> str:
    """A line through the points, by bytes; each is a dot."""
    places = [(place(x, 0.1, high, LEFT, RIGHT), place(max(y, LEAST), LEAST, 1, BOTTOM, TOP))
              for x, y in sorted(points)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in places)
    return f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.5"/>{dots}'


def draw(title: str, methods: dict[str, list[tuple[float, float]]]) -> str:
    """`methods`: bytes a trace and strict distance of each point."""
    high = 10.0 ** math.ceil(math.log10(max(x for points in methods.values() for x, _ in points)))
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">',
             "<style>text{font:12px system-ui,'DejaVu Sans',sans-serif;fill:#1c2024}"
             ".grid{stroke:#d9dee3}</style>",
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
             f'<text x="{LEFT}" y="24" style="font-weight:600">{escape(title)}</text>', *grid(high),
             f'<text x="{RIGHT}" y="{HEIGHT - 12}" text-anchor="end">bytes a trace</text>']
    for i, (method, points) in enumerate(methods.items()):
        colour = COLOURS.get(method, "#8c5a3c")
        parts += [series(points, colour, high),
                  f'<circle cx="{RIGHT + 22}" cy="{TOP + 20 * i}" r="5" fill="{colour}"/>'
                  f'<text x="{RIGHT + 34}" y="{TOP + 20 * i + 4}">{escape(method)}</text>']
    return "\n".join([*parts, "</svg>"]) + "\n"
