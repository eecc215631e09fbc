#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What telling of build steps costs: a start+end pair, a wrapped command, the watcher.

    bench/step/run.py [TRACEKIT...]   default build-release/tracekit; of several each has its lines

Medians of alternating runs, so that a busy moment hits all alike; beside the wall time the CPU time of
the process and all that it waited for, which a busy machine does not stretch. Tools that are not
installed are left out. Prints the section of bench/RESULTS.md."""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROUNDS = 100
PAIRS = 20
PAIR_ROUNDS = 5


def spawn_us(argv, env):
    """Wall and CPU time of one process, by posix_spawn and wait."""
    null = os.open(os.devnull, os.O_RDWR)
    actions = [(os.POSIX_SPAWN_DUP2, null, 1), (os.POSIX_SPAWN_DUP2, null, 2)]
    start = time.perf_counter_ns()
    pid = os.posix_spawnp(argv[0], argv, env, file_actions=actions)
    _, _, usage = os.wait4(pid, 0)
    took = (time.perf_counter_ns() - start) / 1000
    os.close(null)
    return took, 1e6 * (usage.ru_utime + usage.ru_stime)


def remove(folder):
    """Remove a folder in which a watcher may just be writing."""
    while os.path.exists(folder):
        shutil.rmtree(folder, ignore_errors=True)


def medians(commands, env):
    """Median wall and CPU us of each command, measured in turn."""
    times = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, argv in commands.items():
            times[name].append(spawn_us(argv, env))
    return {name: tuple(statistics.median(column) for column in zip(*values)) for name, values in times.items()}


def pairs_ms(shells, env, folder):
    """Wall and CPU ms of one start+end pair of shell functions in a running shell, less the empty loop,
    by name of (shell, functions, program)."""
    script = f"""
. $0
telemetry_init bench 1 >/dev/null
one() {{ telemetry_step_start step; telemetry_step_end step; }}
i=0; while [ $i -lt {PAIRS} ]; do one; i=$((i + 1)); done
"""
    empty = script.replace("telemetry_step_start step; telemetry_step_end step", ":")
    runs = {(name, text): [] for name in shells for text in (empty, script)}
    for _ in range(PAIR_ROUNDS):
        for (name, text), values in runs.items():
            shell, functions, program = shells[name]
            os.makedirs(folder, mode=0o700, exist_ok=True)
            values.append(spawn_us([shell, "-c", text, functions],
                                   {**env, "TELEMETRY_DIR": folder, "TRACEKIT": program}))
            remove(folder)
    middles = {key: [statistics.median(column) for column in zip(*values)] for key, values in runs.items()}
    return {name: tuple((b - a) / 1000 / PAIRS for a, b in zip(middles[name, empty], middles[name, script]))
            for name in shells}


def cpu_and_rss(pid):
    """CPU seconds by the scheduler's clock, and resident KiB, of a process."""
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
        cpu_s = int(file.read().split()[0]) / 1e9
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        lines = dict(line.split(":", 1) for line in file)
    return cpu_s, int(lines["VmRSS"].split()[0]), int(lines["RssAnon"].split()[0])


def watcher_cost(tracekit, env):
    """CPU share of a core and memory of the watcher at 1 Hz, over 30 s."""
    state = subprocess.run([tracekit, "step", "init", "bench"], env=env, check=True,
                           capture_output=True, text=True).stdout.strip()
    time.sleep(1)
    pids = [pid for pid in os.listdir("/proc") if pid.isdigit() and is_watcher(pid, env)]
    before, _, _ = cpu_and_rss(pids[0])
    time.sleep(30)
    after, rss, anon = cpu_and_rss(pids[0])
    remove(os.path.dirname(state))
    return (after - before) / 30, rss, anon


def is_watcher(pid, env):
    try:
        with open(f"/proc/{pid}/comm", encoding="ascii") as file:
            if file.read().strip() != "tracekit-watch":
                return False
        with open(f"/proc/{pid}/environ", "rb") as file:
            return b"TELEMETRY_DIR=" + env["TELEMETRY_DIR"].encode() in file.read().split(b"\0")
    except OSError:
        return False


def main():
    programs = [os.path.abspath(path) for path in sys.argv[1:] or ["build-release/tracekit"]]
    tracekit = programs[-1]
    label = {path: f"tracekit of {os.path.relpath(path)}" if len(programs) > 1 else "tracekit" for path in programs}
    folder = tempfile.mkdtemp(prefix="bench-step-")
    env = {"PATH": os.environ["PATH"], "TELEMETRY_DIR": folder, "TRACEKIT_JOB": ""}
    commands = {"plain spawn": ["/bin/true"]}
    for path in programs:
        commands[f"{label[path]}: version"] = [path, "version"]
        commands[f"{label[path]}: exec"] = [path, "exec", "--", "/bin/true"]
    commands["GNU time -v"] = ["/usr/bin/time", "-v", "/bin/true"]
    commands["perf stat"] = ["perf", "stat", "/bin/true"]
    commands["bash -c"] = ["bash", "-c", "/bin/true; :"]
    commands = {name: argv for name, argv in commands.items() if shutil.which(argv[0])}
    subprocess.run([tracekit, "step", "init", "bench"], env=env, check=True,
                   stdout=subprocess.DEVNULL)
    results = medians(commands, env)
    remove(folder)
    functions = os.path.join(HERE, "../../shell/telemetry.sh")
    print(f"`bench/step/run.py` of {time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, load "
          f"{os.getloadavg()[0]:.1f}; medians of {ROUNDS} and {PAIR_ROUNDS} alternating runs.\n")
    print("| one command | wall us | over a plain spawn | CPU us | over a plain spawn |\n|---|---|---|---|---|")
    wall, cpu = results["plain spawn"]
    for name, (wall_us, cpu_us) in results.items():
        print(f"| {name} | {wall_us:.0f} | {wall_us - wall:.0f} | {cpu_us:.0f} | {cpu_us - cpu:.0f} |")
    print("\n| one start+end pair of shell functions | wall ms | CPU ms |\n|---|---|---|")
    shells = {f"{label[path]}, {shell}": (shell, functions, path) for path in programs for shell in ("dash", "bash")}
    if shutil.which("jq") and shutil.which("bc"):
        shells["shape of the original (bash, jq, bc, awk)"] = ("bash", os.path.join(HERE, "original.sh"), tracekit)
    for name, (wall, cpu) in pairs_ms(shells, env, folder).items():
        print(f"| {name} | {wall:.2f} | {cpu:.2f} |")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    share, rss, anon = watcher_cost(tracekit, {**env, "TELEMETRY_DIR": folder})
    print(f"\nWatcher at 1 Hz: {share * 100:.3f} % of a core, {rss} KiB resident, {anon} KiB of it its own.")
    remove(folder)


if __name__ == "__main__":
    main()
