# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks of several tools share: a release build, a line about the machine, and the
section of bench/RESULTS.md that a benchmark writes, between marks of its own."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def build(folder: Path, *targets: str) -> None:
    """A release build with the programs of bench/, all of it or some targets."""
    if not (folder / "build.ninja").exists():
        subprocess.run(["meson", "setup", folder, ROOT, "-Dbench=true", "-Dbuildtype=release"],
                       check=True, stdout=sys.stderr)
    subprocess.run(["ninja", "-C", folder, *targets], check=True, stdout=sys.stderr)


def describe_machine() -> str:
    cpuinfo = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*:\s*(.*)$", cpuinfo, re.M)
    commit = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"],
                            capture_output=True, text=True).stdout.strip()
    return (f"{time.strftime('%Y-%m-%d', time.gmtime())} at {commit}, {os.cpu_count()} CPUs "
            f"({model[1] if model else platform.machine()}), Linux {platform.release()}")


def put_into_results(text: str, begin: str, end: str) -> None:
    page = ROOT / "bench" / "RESULTS.md"
    before, rest = page.read_text().split(begin)
    page.write_text(f"{before}{begin}\n\n{text}\n\n{end}{rest.split(end)[1]}")
