# SPDX-License-Identifier: Apache-2.0
"""What bench/ingest measures: the loads, which of them are sent to whom, and the goals G1 to G14
(trace-storage-and-ui.md section 12) with the figure that answers each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

# Spans of 541 bytes with 10 attributes, two of them numbers, ten spans a trace.
SPANS = ("--attributes", "10", "--integers", "2", "--keys", "10", "--values", "1000",
         "--span-bytes", "541")
OURS = "tracekit, ack write"
COLLECTOR = "Collector, nop exporter"


@dataclass(frozen=True)
class Load:
    name: str
    options: tuple[str, ...]
    grpc: bool = False
    spans: int = 51200  # that are encoded beforehand; repeated with other ids


# Bodies that are compressed cannot get other ids for nothing: they are the same bytes each time.
LOADS = (
    Load("HTTP, 512", ("--batch", "512", "--repeat", "0")),
    Load("HTTP, 10", ("--batch", "10", "--repeat", "0")),
    Load("HTTP, 8192", ("--batch", "8192", "--repeat", "0"), spans=81920),
    Load("HTTP gzip, 512", ("--batch", "512", "--repeat", "0", "--gzip", "--same-ids")),
    Load("HTTP gzip, 10", ("--batch", "10", "--repeat", "0", "--gzip", "--same-ids")),
    Load("HTTP gzip, 8192", ("--batch", "8192", "--repeat", "0", "--gzip", "--same-ids"),
         spans=81920),
    Load("gRPC, 512", ("--batch", "512", "--repeat", "0"), grpc=True),
    Load("gRPC, 10", ("--batch", "10", "--repeat", "0"), grpc=True),
    Load("gRPC, 8192", ("--batch", "8192", "--repeat", "0"), grpc=True, spans=81920),
    Load("JSON, 512", ("--batch", "512", "--repeat", "0", "--json")),
    Load("JSON, 10", ("--batch", "10", "--repeat", "0", "--json")),
)


# What answers a goal, or stands beside it: some ten minutes at --window 10. All others are --all.
GOAL_LOADS = ("HTTP, 512", "HTTP, 10", "HTTP, 8192", "HTTP gzip, 512", "gRPC, 512", "JSON, 512")
CELLS = {
    OURS: (*GOAL_LOADS, "gRPC, 8192"),
    "tracekit, ack memory": ("HTTP, 512",),
    "tracekit, ack fsync": ("HTTP, 512",),
    COLLECTOR: GOAL_LOADS,
    "Collector, nop, memory_limiter": ("HTTP, 512",),
    "Jaeger, memory": ("HTTP, 512", "gRPC, 512"),
}
# And what stands behind most goals, for --brief.
BRIEF = {
    OURS: ("HTTP, 512", "HTTP, 10", "HTTP gzip, 512", "gRPC, 512", "JSON, 512"),
    COLLECTOR: ("HTTP, 512",),
}


@dataclass(frozen=True)
class Goal:
    number: str
    text: str
    measure: Callable[[dict], float | None]
    floor: float  # reached from here on (or up to here)
    wanted: float
    unit: str = ""
    at_most: bool = False

    def ratio(self, value: float) -> str:
        """Of the goal, more is better; none where the goal is nothing."""
        if self.wanted == 0 or value == 0:
            return "–"
        return f"{self.wanted / value if self.at_most else value / self.wanted:.2f}"

    def reached(self, value: float) -> str:
        def better(limit: float) -> bool:
            return value <= limit if self.at_most else value >= limit

        return "yes" if better(self.wanted) else "floor" if better(self.floor) else "**no**"


def rate(result: dict, receiver: str, load: str) -> float | None:
    """Accepted spans a second, median."""
    cell = result["cells"].get(f"{receiver} / {load}")
    return cell["spans_per_s"]["median"] if cell else None


def over_collector(result: dict, figure: str) -> float | None:
    ours = result["cells"].get(f"{OURS} / HTTP, 512")
    theirs = result["cells"].get(f"{COLLECTOR} / HTTP, 512")
    if not ours or not theirs:
        return None
    if figure == "spans_per_s":
        return ours[figure]["median"] / theirs[figure]["median"]
    return theirs[figure]["median"] / ours[figure]["median"]


def over_one_core(result: dict) -> float | None:
    """Two workers on both cores: twice the core's worth, less what a span costs more there."""
    one = result["cells"].get(f"{OURS} / HTTP, 512")
    if not one or "two_workers" not in result:
        return None
    return 2 * one["cpu_s_per_million"]["median"] / result["two_workers"]["cpu_s_per_million"]


def lost(result: dict) -> float | None:
    """Of nothing that was acknowledged nothing can be lost: that is no measurement."""
    crash = result.get("crash")
    return crash["lost"] if crash and crash["acknowledged"] else None


def figure(*path: str) -> Callable[[dict], float | None]:
    def find(result: dict) -> float | None:
        for key in path:
            if not isinstance(result, dict) or key not in result:
                return None
            result = result[key]
        return result

    return find


GOALS = (
    Goal("G1", "OTLP/HTTP, 512 spans a request, spans/s", lambda r: rate(r, OURS, "HTTP, 512"),
         400e3, 600e3),
    Goal("G1", "the same over the Collector's (nop exporter)",
         lambda r: over_collector(r, "spans_per_s"), 3, 3, "x"),
    Goal("G1", "CPU time a span, the Collector's over ours",
         lambda r: over_collector(r, "cpu_s_per_million"), 3, 3, "x"),
    Goal("G1", "peak memory, the Collector's over ours",
         lambda r: over_collector(r, "peak_mib"), 8, 8, "x"),
    Goal("G2", "the same with gzip, spans/s", lambda r: rate(r, OURS, "HTTP gzip, 512"),
         300e3, 450e3),
    Goal("G3", "OTLP/gRPC, spans/s", lambda r: rate(r, OURS, "gRPC, 512"), 250e3, 400e3),
    Goal("G4", "OTLP/JSON, spans/s", lambda r: rate(r, OURS, "JSON, 512"), 150e3, 250e3),
    Goal("G5", "requests of 10 spans, spans/s", lambda r: rate(r, OURS, "HTTP, 10"),
         200e3, 300e3),
    Goal("G6", "two workers over one, by CPU time a span (the sender has no machine of its own)",
         over_one_core, 1.8, 1.8, "x"),
    Goal("G7", "peak memory at the rate of G1", lambda r: figure(
        "cells", f"{OURS} / HTTP, 512", "peak_mib", "median")(r), 192, 192, " MiB", True),
    Goal("G7", "peak memory at twice what it takes", figure("overload", "peak_mib"),
         192, 192, " MiB", True),
    Goal("G7", "memory without load", figure("idle_mib"), 8, 8, " MiB", True),
    Goal("G8", "acknowledged, then lost: twice what it takes, kill -9, ack fsync",
         lost, 0, 0, " spans", True),
    Goal("G9", "bytes/span as tracegen's (11 of 97 keys), segments with all ids",
         figure("storage", "tracegen", "segments"), 32, 32, " B", True),
    Goal("G9", "the same, .tkz with all ids", figure("storage", "tracegen", "lossless"),
         28, 28, " B", True),
    Goal("G9", "the same, .tkz, generative", figure("storage", "tracegen", "generative"),
         20, 20, " B", True),
    Goal("G10", "bytes/span of the astronomy shop, .tkz with all ids",
         figure("storage", "demo_shop", "lossless"), 18, 18, " B", True),
    Goal("G10", "the same, generative", figure("storage", "demo_shop", "generative"),
         8, 8, " B", True),
    Goal("G11", "trace by id, cold", figure("storage", "find", "trace_cold_ms"), 20, 20, " ms", True),
    Goal("G11", "trace by id, warm", figure("storage", "find", "trace_warm_ms"), 3, 3, " ms", True),
    Goal("G12", "20 traces by a promoted attribute, cold",
         figure("storage", "find", "promoted_cold_ms"), 50, 50, " ms", True),
    Goal("G12", "20 traces by a tail attribute, cold", figure("storage", "find", "tail_cold_ms"),
         400, 400, " ms", True),
    Goal("G13", "a service in a second, 20 traces, p99",
         figure("storage", "find", "service_p99_ms"), 20, 20, " ms", True),
    Goal("G14", "export parquet, spans/s of CPU time",
         figure("storage", "export", "spans_per_cpu_s"), 600e3, 600e3),
    Goal("G14", "its size over DuckDB's of the same rows",
         figure("storage", "export", "over_duckdb"), 1.05, 1.05, "x", True),
)
