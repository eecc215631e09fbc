#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measure `tracekit export opendc` from 10,000 to 10,000,000 process samples, beside an exporter with
pandas of the original's shape, and what its ends cost: JSON Lines in, Parquet out, size beside
DuckDB's. Builds what it needs, makes its input, and writes its section of bench/RESULTS.md.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from results import ROOT, build, describe_machine, put_into_results, say  # noqa: E402

HERE = Path(__file__).resolve().parent
BEGIN = "<!-- bench/export/run.py writes from here -->"
END = "<!-- to here, bench/export/run.py -->"

SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
PANDAS_TASKS = 200  # of a run that would take it too long: the rest is extrapolated
PANDAS_WHOLE = 1_000_000  # samples of the largest run that it does whole
CODECS = ("none", "snappy", "gzip", "zstd")
CPUS = 2
COLUMNS = 12


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
    parser.add_argument("--build", type=Path, default=ROOT / "build-bench",
                        help="meson's build folder, made if need be (build-bench)")
    parser.add_argument("--rounds", type=int, default=3, help="the best of so many counts (3)")
    parser.add_argument("--largest", type=int, default=SIZES[-1], help="samples, for a trial")
    parser.add_argument("--scratch", type=Path, default=None,
                        help="where 7 GB fit (a temporary folder)")
    parser.add_argument("--print", action="store_true",
                        help="the section to stdout, RESULTS.md stays as it is")
    return parser.parse_args()


# What is needed -----------------------------------------------------------------------------


def python_with_pandas() -> Path | None:
    """A Python of its own, made with the first call; None where pip has no way out."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    venv = cache / "tracekit" / "bench-export"
    python = venv / "bin" / "python"
    works = [python, "-c", "import pandas, pyarrow"]
    if python.exists() and subprocess.run(works, capture_output=True).returncode == 0:
        return python
    made = subprocess.run([sys.executable, "-m", "venv", venv], capture_output=True).returncode == 0
    pip = [python, "-m", "pip", "install", "-q", "pandas", "pyarrow"]
    if made and subprocess.run(pip, capture_output=True).returncode == 0:
        return python
    say("pandas cannot be had: no comparison with it")
    return None


def make_run(args: argparse.Namespace, scratch: Path, samples: int) -> Path:
    run = scratch / f"run-{samples}"
    alive = min(max(samples // 100_000, 10), 100)
    subprocess.run([args.build / "make_run", "--samples", str(samples), "--alive", str(alive),
                    "--output", run], check=True)
    return run


# Measuring ----------------------------------------------------------------------------------


def timed(argv: list) -> dict:
    """Wall and CPU seconds and peak of resident memory of a command and its children."""
    # time(1) tells the peak, but CPU by 10 ms only: that is of all that was waited for.
    figures = tempfile.NamedTemporaryFile("r", prefix="tk-bench-")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(["time", "-o", figures.name, "-f", "%e %M", *argv],
                          capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, argv))}: {done.stderr.strip()}")
    wall, peak_kb = figures.read().split()
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall_s": float(wall), "cpu_s": cpu_s, "peak_mib": int(peak_kb) / 1024,
            "stdout": done.stdout}


def best_of(rounds: int, argv: list) -> dict:
    """The round with the least wall time."""
    return min((timed(argv) for _ in range(rounds)), key=lambda figures: figures["wall_s"])


def measure_export(args: argparse.Namespace, scratch: Path, run: Path) -> dict:
    out = scratch / "out"
    figures = best_of(args.rounds, [args.build / "tracekit", "export", "opendc", run, "-o", out])
    counts = json.loads((out / "manifest.json").read_text())["counts"]
    shutil.rmtree(out)
    return figures | {"tasks": counts["tasks"], "fragments": counts["fragments"],
                      "samples": counts["samples"], "bytes": (run / "proc_metrics.jsonl")
                      .stat().st_size}


def measure_pandas(python: Path, scratch: Path, run: Path, samples: int) -> dict:
    """Once: it takes minutes. The tasks' part follows their number, so that it can be continued."""
    only = 0 if samples <= PANDAS_WHOLE else PANDAS_TASKS
    figures = timed([python, HERE / "pandas_exporter.py", run, scratch / "pandas",
                     "--only", str(only)])
    told = json.loads(figures["stdout"])
    steps, share = told["steps"], told["tasks"] / told["done"]
    wall_s = figures["wall_s"] + (share - 1) * steps["tasks"]["wall_s"]
    cpu_s = figures["cpu_s"] + (share - 1) * steps["tasks"]["cpu_s"]
    return {"wall_s": wall_s, "cpu_s": cpu_s, "peak_mib": figures["peak_mib"],
            "extrapolated": share > 1}


def measure_sizes(args: argparse.Namespace, scratch: Path, run: Path) -> list[str]:
    """Our files and DuckDB's of the same rows, a line for each codec."""
    files = scratch / "files"
    files.mkdir()
    for codec in CODECS:
        out = scratch / "out"
        subprocess.run([args.build / "tracekit", "export", "opendc", run, "-o", out,
                        "--compression", codec], check=True, stdout=subprocess.DEVNULL)
        (out / "fragments.parquet").rename(files / f"fragments-{codec}.parquet")
        shutil.rmtree(out)
    done = subprocess.run(["node", ROOT / "bench" / "parquet_duckdb.mjs", files],
                          capture_output=True, text=True)
    if done.returncode != 0:
        say(f"DuckDB cannot be had: {done.stderr.strip().splitlines()[-1:]}")
    return done.stdout.strip().splitlines() if done.returncode == 0 else []


def measure_json(args: argparse.Namespace) -> list[tuple[str, str, str]]:
    """Table, ns per row and MB/s of decoding, by bench/json."""
    text = subprocess.run([args.build / "json", "--rounds", "20"], check=True,
                          capture_output=True, text=True).stdout
    tables, table = [], ""
    for line in text.splitlines():
        heading = re.match(r"(\S.*): \d+ rows of (\d+) bytes", line)
        if heading:
            table = f"{heading[1]}, {heading[2]} B"
        found = re.match(r"\s+decode all fields, tracekit\s+(\d+) ns/row\s+(\d+) MB/s", line)
        if found:
            tables.append((table, found[1], found[2]))
    return tables


def measure_parquet(args: argparse.Namespace) -> list[tuple[str, str]]:
    """Codec and millions of rows a second of writing fragments, by bench/parquet."""
    text = subprocess.run([args.build / "parquet", "--rounds", str(args.rounds)], check=True,
                          capture_output=True, text=True).stdout
    return re.findall(r"^\| fragments \| (\w+) \| ([\d.]+) \|", text, re.M)


# The section --------------------------------------------------------------------------------


def seconds(value: float) -> str:
    return f"{value:.3f}" if value < 10 else f"{value:,.0f}"


def row_of(samples: int, ours: dict, theirs: dict | None) -> str:
    per_sample = ours["cpu_s"] / samples * 1e9
    cells = [f"{samples:,}", f"{ours['tasks']:,}", f"{ours['fragments']:,}",
             f"**{seconds(ours['wall_s'])}**", seconds(ours["cpu_s"]), f"{per_sample:,.0f}",
             f"{ours['peak_mib']:.0f}"]
    if theirs:
        mark = " (e)" if theirs["extrapolated"] else ""
        cells += [seconds(theirs["wall_s"]) + mark, seconds(theirs["cpu_s"]) + mark,
                  f"{theirs['peak_mib']:,.0f}", f"**{theirs['wall_s'] / ours['wall_s']:,.0f}**",
                  f"{theirs['cpu_s'] / ours['cpu_s']:,.0f}"]
    return "| " + " | ".join(cells + ["–"] * (COLUMNS - len(cells))) + " |"


def section(args: argparse.Namespace, rows: list[str], figures: dict, load: tuple) -> str:
    lines = [
        f"`bench/export/run.py` of {describe_machine()}, release build; load average of the machine "
        f"{load[0]:.1f} before, {os.getloadavg()[0]:.1f} after. Best of {args.rounds} rounds, "
        "files in the page cache, output on disk. The pandas exporter ran once at each size; (e) = "
        f"it read the whole run and did {PANDAS_TASKS} of the tasks, the others by their number.",
        "",
        "| samples | tasks | fragments | wall, s | CPU, s | CPU, ns per sample | peak, MiB "
        "| pandas: wall, s | CPU, s | peak, MiB | pandas / tracekit: wall | CPU |",
        "|" + "---|" * COLUMNS, *rows, "",
        "Goals: 10,000 tasks and 10 M samples in 10 s and 512 MiB; 100 times the throughput of "
        "pandas there; cost linear in the samples. Start and manifest are what small runs pay for.",
        "", "| JSON Lines in, every field | ns per row | MB/s per core |", "|---|---|---|",
        *(f"| {table} | {ns} | {mbs} |" for table, ns, mbs in figures["json"]), "",
        "| Parquet out, fragments | M rows/s per core |", "|---|---|",
        *(f"| {codec} | {rate} |" for codec, rate in figures["parquet"]), ""]
    if figures["sizes"]:
        lines += ["Size of the fragments of the run with 1,000,000 samples, and of the same rows by "
                  "DuckDB (in brackets ours as a part of its):", "", *figures["sizes"], ""]
    lines += ["Goals: 1,000 MB/s and 5 M rows/s; size at most 1.05 of DuckDB's."]
    return "\n".join(lines)


def main() -> None:
    args = parse_args()
    if shutil.which("time") is None:
        sys.exit("GNU time is needed: apt-get install time")
    build(args.build)
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CPUS])
    python = python_with_pandas()
    load = os.getloadavg()
    rows, figures = [], {"sizes": []}
    with tempfile.TemporaryDirectory(prefix="tk-bench-", dir=args.scratch) as folder:
        scratch = Path(folder)
        for samples in (size for size in SIZES if size <= args.largest):
            run = make_run(args, scratch, samples)
            ours = measure_export(args, scratch, run)
            theirs = measure_pandas(python, scratch, run, samples) if python else None
            rows.append(row_of(samples, ours, theirs))
            say(rows[-1])
            if samples == PANDAS_WHOLE:
                figures["sizes"] = measure_sizes(args, scratch, run)
            shutil.rmtree(run)
    figures |= {"json": measure_json(args), "parquet": measure_parquet(args)}
    text = section(args, rows, figures, load)
    if args.print:
        print(text)
    else:
        put_into_results(text, BEGIN, END)


if __name__ == "__main__":
    main()
