# SPDX-License-Identifier: Apache-2.0
"""The receivers of bench/ingest, each started on one CPU and measured from outside."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
PEERS = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"), "tracekit/bench-ingest/bin")
TICKS = os.sysconf("SC_CLK_TCK")
START_S = 30


class Unavailable(Exception):
    """The receiver is not here; the text says why."""


@dataclass(frozen=True)
class Receiver:
    name: str
    program: str  # in PEERS; "" = tracekit
    config: str = ""  # in HERE
    options: tuple[str, ...] = ()  # of tracekit serve
    workers: int = 1  # likewise


RECEIVERS = (
    Receiver("tracekit, ack write", "", options=("--ack", "write")),
    Receiver("tracekit, ack memory", "", options=("--ack", "memory")),
    Receiver("tracekit, ack fsync", "", options=("--ack", "fsync")),
    Receiver("Collector, nop exporter", "otelcol-bench", "collector-nop.yaml"),
    Receiver("Collector, nop, memory_limiter", "otelcol-bench", "collector-limited.yaml"),
    Receiver("Jaeger, memory", "jaeger", "jaeger-memory.yaml"),
)


# Not in the table: two workers on both CPUs, beside the sender.
TWO_WORKERS = Receiver("tracekit, two workers", "", options=("--ack", "write"), workers=2)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A receiver that runs, on these CPUs ("0", "0,1"), until it is stopped."""

    def __init__(self, receiver: Receiver, tracekit: Path, scratch: Path, cpus: str):
        self.receiver = receiver
        self.run = scratch / "run"
        self.http = free_port()
        self.grpc = free_port()
        shutil.rmtree(self.run, ignore_errors=True)
        self.log = (scratch / "server.log").open("wb")
        self.process = subprocess.Popen(
            ["taskset", "-c", cpus, *self.command(tracekit)], stdout=self.log,
            stderr=self.log, cwd=scratch,
            env={**os.environ, "HTTP_PORT": str(self.http), "GRPC_PORT": str(self.grpc)})
        self.wait(scratch)

    def command(self, tracekit: Path) -> list[str]:
        if not self.receiver.program:
            return [str(tracekit), "serve", "--http", f"127.0.0.1:{self.http}",
                    "--grpc", f"127.0.0.1:{self.grpc}", "--zipkin", "off", "--query", "off",
                    "--workers", str(self.receiver.workers), *self.receiver.options, str(self.run)]
        program = PEERS / self.receiver.program
        if not program.exists():
            raise Unavailable(f"{program} is not there: bench/ingest/install-peers builds it")
        return [str(program), "--config", str(HERE / self.receiver.config)]

    def wait(self, scratch: Path) -> None:
        deadline = time.monotonic() + START_S
        for port in (self.http, self.grpc):
            while True:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.kill()
                    text = (scratch / "server.log").read_text(errors="replace").strip()
                    raise Unavailable(f"{self.receiver.name} does not start: {text[-300:]}")
                time.sleep(0.05)

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory_mib(self, what: str) -> float:
        """VmRSS, or VmHWM for the peak."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(what + ":"):
                return int(line.split()[1]) / 1024
        return 0.0

    def stop(self) -> None:
        """In order, so that what was accepted is stored."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.kill()
        self.log.close()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.log.close()
