# SPDX-License-Identifier: Apache-2.0
"""The collectors that bench/collect/run.py compares, one table entry each.

To add one: an entry in TOOLS, and its package in install-peers. `commands` may write
configuration files into the tool's folder; what the tool writes must land there too.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness import Command, Unavailable

HERE = Path(__file__).resolve().parent
PYTHON = "/usr/bin/python3"  # Debian's, which has python3-psutil
SADC = "/usr/lib/sysstat/sadc"
PMCD = "/usr/lib/pcp/bin/pmcd"
PORTS = {"node": 19100, "process": 19256, "netdata": 19998, "pmcd": 19321}

LOAD_NAMES = ("nginx postgres redis-server java node python3 gunicorn celery haproxy memcached "
              "etcd kubelet envoy mongod ffmpeg clickhouse rabbitmq sshd bash fluent-bit").split()


@dataclass(frozen=True)
class Place:
    """What an entry may need to know to build its commands."""

    folder: Path  # the tool's own, empty; its working folder
    build: Path  # meson's build folder
    interval_s: float = 1.0  # between samples

    def words(self) -> dict[str, str]:
        """What stands for these words in a command line."""
        return {"FOLDER": str(self.folder), "BUILD": str(self.build), "HERE": str(HERE),
                "INTERVAL": f"{self.interval_s * 1000:g}ms", "SECONDS": f"{self.interval_s:g}"}


@dataclass(frozen=True)
class Tool:
    name: str
    captures: str  # one line: what it records of each process, and beside
    commands: Callable[[Place], list[Command]]
    version: list[str]  # prints the version; the first number with a dot is taken
    probe: list[str] = field(default_factory=list)  # must exit 0, or the tool is not available
    package: str = ""  # the Debian package, for the message when it is missing
    options: str = ""  # as shown in the table, where the command line is not telling enough
    samples: Callable[[Path], int] | None = None  # taken so far, where the output shows each
    pids_file: str = ""  # JSON Lines with a "pid" in each row: shows how many were seen
    scrape: tuple[tuple[int, str], ...] = ()  # (port, path) fetched at each interval
    warmup_s: float = 0.0  # beyond the common one
    tier: str = ""  # of tracekit: what run.json must say
    floor: bool = False  # the reads of a tool that is not here, replayed: less than it would cost

    def version_text(self, place: Place) -> str:
        """The version, or Unavailable with the reason why the tool cannot run here."""
        hint = f"install-peers installs {self.package}" if self.package else "not built"
        for argv in filter(None, (self.probe, self.version)):
            words = [word.replace("BUILD", str(place.build)) for word in argv]
            if not shutil.which(words[0]):
                raise Unavailable(f"{words[0]} is missing ({hint})")
            done = subprocess.run(words, capture_output=True, text=True, check=False,
                                  env={**os.environ, "LC_ALL": "C"})
            text = done.stdout + done.stderr
            if done.returncode != 0:
                raise Unavailable(f"'{' '.join(argv)}' says: {first_line(text)}")
        found = re.search(r"\d+(\.\d+)+", text)
        return found[0] if found else ""


def first_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[0] if lines else "no output"


def count_stamps(name: str) -> Callable[[Path], int]:
    """Count the samples in JSON Lines by their different stamps."""
    regex = re.compile(rb'"ts_ms": (\d+)')
    return lambda folder: len(set(regex.findall((folder / name).read_bytes())))


def single(*argv: str, env: dict[str, str] | None = None) -> Callable[[Place], list[Command]]:
    """A tool of one process; words such as FOLDER in its arguments are replaced (Place.words)."""

    def commands(place: Place) -> list[Command]:
        words = place.words()
        full = [re.sub("|".join(words), lambda m: words[m[0]], word) for word in argv]
        return [Command(Path(argv[0]).name, full, env or {})]

    return commands


# tracekit --------------------------------------------------------------------------------------

PROC_FIELDS = ("per process: CPU in ns, user and system, RSS, I/O, faults, switches, threads, "
               "cgroup; host: CPU per core, memory, disks, links, pressure, load; exits")


def tracekit(tier: str, *more: str) -> Callable[[Place], list[Command]]:
    """Ready when run.json is there: a tier or option that is refused ends the program before."""
    start = single("BUILD/tracekit", "collect", "run", "--tier", tier, "--interval", "INTERVAL",
                   *more, "-o", "FOLDER/run", env={"PROC_MATCH": ".*"})
    return lambda place: [replace(start(place)[0], path=place.folder / "run" / "run.json")]


def tracekit_tool(name: str, tier: str, *options: str, rows: bool = True) -> Tool:
    shown = " ".join(["collect run --tier", tier, *options])
    without_processes = options[-2:] == ("--processes", "0")
    return Tool(f"tracekit {name}", PROC_FIELDS, tracekit(tier, *options),
                tier="" if without_processes else tier,
                pids_file="run/proc_metrics.jsonl" if rows else "",
                version=["BUILD/tracekit", "version"], options=f"{shown}, PROC_MATCH='.*'")


# The original set -------------------------------------------------------------------------------


def link_name() -> str:
    """The first link that is not the loopback, else the loopback."""
    names = [name for name in sorted(os.listdir("/sys/class/net")) if name != "lo"]
    return names[0] if names else "lo"


def original_host(_place: Place) -> list[Command]:
    return [Command("mpstat", ["mpstat", "1"]),
            Command("vmstat", ["vmstat", "-Sm", "-t", "1"]),
            Command("ifstat", ["ifstat", "-i", link_name(), "-t", "1"])]


def original_set(place: Place) -> list[Command]:
    return [*original_host(place),
            Command("sampler", [PYTHON, str(HERE / "original_sampler.py"),
                                str(place.folder / "proc.jsonl"), ".*", "1"])]


# Floors -----------------------------------------------------------------------------------------


def floor_tool(agent: str, name: str, captures: str) -> Tool:
    return Tool(f"{name} (floor)", captures, floor=True, version=["BUILD/floor", "--help"],
                commands=single("BUILD/floor", "--agent", agent, "--interval", "INTERVAL"),
                options="its reads of /proc replayed in C, nothing parsed, kept or written")


# Tools with a configuration file ------------------------------------------------------------------

COLLECTD_CONF = """\
Interval 1
BaseDir "{folder}"
PIDFile "{folder}/collectd.pid"
PluginDir "/usr/lib/collectd"
TypesDB "/usr/share/collectd/types.db"
LoadPlugin cpu
LoadPlugin memory
LoadPlugin interface
LoadPlugin disk
LoadPlugin vmem
LoadPlugin load
LoadPlugin processes
LoadPlugin csv
<Plugin processes>
{processes}
</Plugin>
<Plugin csv>
  DataDir "{folder}/csv"
  StoreRates false
</Plugin>
"""


def collectd(place: Place) -> list[Command]:
    processes = "\n".join(f'  Process "{name}"' for name in LOAD_NAMES)
    conf = place.folder / "collectd.conf"
    conf.write_text(COLLECTD_CONF.format(folder=place.folder, processes=processes))
    return [Command("collectd", ["collectd", "-f", "-C", str(conf)])]


PMCD_CONF = """\
root 1 pipe binary /var/lib/pcp/pmdas/root/pmdaroot
pmcd 2 dso pmcd_init /var/lib/pcp/pmdas/pmcd/pmda_pmcd.so
proc 3 pipe binary /var/lib/pcp/pmdas/proc/pmdaproc -d 3
linux 60 pipe binary /var/lib/pcp/pmdas/linux/pmdalinux
[access]
allow "local:*" : all;
"""

PMLOGGER_CONF = """\
log mandatory on 1 sec {
  kernel.all.cpu kernel.percpu.cpu kernel.all.load kernel.all.pswitch kernel.all.pressure
  mem.util.free mem.util.available mem.util.cached
  network.interface.in.bytes network.interface.out.bytes
  disk.dev.read_bytes disk.dev.write_bytes
  proc.psinfo.utime proc.psinfo.stime proc.psinfo.rss proc.psinfo.minflt proc.psinfo.maj_flt
  proc.psinfo.threads proc.psinfo.vctxsw proc.psinfo.nvctxsw
  proc.io.read_bytes proc.io.write_bytes proc.schedstat.run_delay
}
"""


def pcp(place: Place) -> list[Command]:
    folder = place.folder
    names = folder / "names"
    roots = [f"/var/lib/pcp/pmns/root_{part}" for part in ("root", "pmcd", "linux", "proc")]
    done = subprocess.run(["/usr/lib/pcp/bin/pmnsmerge", *roots, str(names)],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Unavailable(f"pmnsmerge: {first_line(done.stderr)}")
    (folder / "pmcd.conf").write_text(PMCD_CONF)
    (folder / "pmlogger.conf").write_text(PMLOGGER_CONF)
    socket = folder / "pmcd.socket"
    env = {"PCP_RUN_DIR": str(folder), "PMCD_PORT": str(PORTS["pmcd"])}
    return [Command("pmcd", [PMCD, "-f", "-A", "-U", "root", "-n", str(names), "-c", "pmcd.conf",
                             "-i", "127.0.0.1", "-p", str(PORTS["pmcd"]), "-s", str(socket),
                             "-l", "pmcd.log"], env, path=socket),
            Command("pmlogger", ["pmlogger", "-h", f"unix://{socket}", "-U", "root",
                                 "-c", "pmlogger.conf", "-t", "1sec", "-l", "pmlogger.log",
                                 "archive"], env)]


NETDATA_CONF = """\
[global]
  run as user = root
  hostname = bench
[directories]
  config = {folder}
  cache = {folder}/cache
  lib = {folder}/lib
  lock = {folder}/lib
  log = {folder}
[db]
  update every = 1
[web]
  bind to = 127.0.0.1
  default port = {port}
[health]
  enabled = no
[ml]
  enabled = no
[statsd]
  enabled = no
[plugins]
  proc = yes
  apps = yes
  cgroups = yes
  diskspace = yes
  timex = no
  idlejitter = no
  tc = no
  perf = no
  slabinfo = no
  nfacct = no
"""


def netdata(place: Place) -> list[Command]:
    for name in ("cache", "lib"):
        (place.folder / name).mkdir()
    conf = place.folder / "netdata.conf"
    conf.write_text(NETDATA_CONF.format(folder=place.folder, port=PORTS["netdata"]))
    return [Command("netdata", ["netdata", "-D", "-c", str(conf), "-P",
                                str(place.folder / "netdata.pid")], port=PORTS["netdata"])]


PROCESS_EXPORTER_CONF = """\
process_names:
  - name: "{{.Comm}}"
    cmdline: ['.+']
"""


def node_exporter() -> Command:
    address = f"127.0.0.1:{PORTS['node']}"
    return Command("node_exporter", ["prometheus-node-exporter", "--web.listen-address", address],
                   port=PORTS["node"])


def exporters(*options: str) -> Callable[[Place], list[Command]]:
    def commands(place: Place) -> list[Command]:
        conf = place.folder / "process-exporter.yml"
        conf.write_text(PROCESS_EXPORTER_CONF)
        address = f"127.0.0.1:{PORTS['process']}"
        return [node_exporter(),
                Command("process_exporter",
                        ["prometheus-process-exporter", f"-web.listen-address={address}",
                         f"-config.path={conf}", *options], port=PORTS["process"])]

    return commands


NODE_URL = (PORTS["node"], "/metrics")
PROCESS_URL = (PORTS["process"], "/metrics")

# The table ----------------------------------------------------------------------------------------

ALL_TOOLS = (
    tracekit_tool("B2", "B2"),
    tracekit_tool("B1", "B1"),
    tracekit_tool("P", "P"),
    tracekit_tool("P0", "P0"),
    tracekit_tool("B2 compact", "B2", "--compact", rows=False),
    tracekit_tool("P compact", "P", "--compact", rows=False),
    tracekit_tool("B2 every row", "B2", "--rows", "every-tick"),
    tracekit_tool("P every row", "P", "--rows", "every-tick"),
    tracekit_tool("B2 exact", "B2", "--exact"),
    tracekit_tool("host only", "P", "--processes", "0", rows=False),
    Tool("plain C loop", "per process: utime and stime (10 ms), RSS; no host files",
         single("BUILD/plainc", "--interval", "INTERVAL", "-o", "FOLDER/proc.jsonl"),
         version=["BUILD/plainc", "--help"], samples=count_stamps("proc.jsonl"),
         pids_file="proc.jsonl", options="stat + statm, open/read/close, JSON Lines"),
    Tool("plain C loop, five files", "the same, and reads io, schedstat, cgroup",
         single("BUILD/plainc", "--five", "-o", "FOLDER/proc.jsonl"),
         version=["BUILD/plainc", "--help"], pids_file="proc.jsonl",
         options="stat + statm + io + schedstat + cgroup"),
    Tool("original set", "per process: utime and stime (10 ms), RSS; host: CPU, memory, one link",
         original_set, version=["mpstat", "-V"], package="sysstat ifstat",
         samples=count_stamps("proc.jsonl"), pids_file="proc.jsonl",
         options="mpstat 1, vmstat -Sm -t 1, ifstat -t 1, Python sampler with PROC_MATCH='.*'"),
    Tool("original sampler", "per process: utime and stime (10 ms), RSS",
         single(PYTHON, "HERE/original_sampler.py", "FOLDER/proc.jsonl", ".*", "SECONDS"),
         version=[PYTHON, "--version"], samples=count_stamps("proc.jsonl"),
         pids_file="proc.jsonl", options="the Python sampler alone, for the rates"),
    Tool("mpstat + vmstat + ifstat", "host only: CPU, memory, one link", original_host,
         version=["mpstat", "-V"], package="sysstat ifstat",
         options="mpstat 1, vmstat -Sm -t 1, ifstat -t 1"),
    Tool("psutil loop", "per process: CPU (10 ms), RSS, I/O, threads, name",
         single(PYTHON, "HERE/psutil_sampler.py", "FOLDER/proc.jsonl", "1"),
         version=[PYTHON, "-c", "import psutil; print(psutil.__version__)"],
         package="python3-psutil", samples=count_stamps("proc.jsonl"), pids_file="proc.jsonl",
         options="process_iter, JSON Lines"),
    Tool("pidstat 1", "active processes: CPU, wait", single("pidstat", "1"),
         version=["pidstat", "-V"], package="sysstat"),
    Tool("pidstat -urdw", "per process: CPU, wait, RSS, faults, I/O, switches",
         single("pidstat", "-urdw", "-h", "-p", "ALL", "1"), version=["pidstat", "-V"],
         package="sysstat", options="pidstat -urdw -h -p ALL 1 (writes unbuffered)"),
    Tool("top -b", "per process: CPU, RSS, VIRT, SHR, state, nice",
         single("top", "-b", "-d", "1"), version=["top", "-V"], package="procps",
         options="top -b -d 1"),
    Tool("atop -w", "per process: 60 fields; host: CPU, memory, disks, links, pressure",
         single("atop", "-w", "FOLDER/atop.raw", "1", env={"ATOPACCT": ""}),
         version=["atop", "-V"], package="atop", options="atop -w FILE 1, no process accounting"),
    Tool("collectd", "sums per name: CPU, RSS, VM, faults, I/O, switches; host: CPU, memory, "
         "disks, links, vmem", collectd, version=["collectd", "-h"], package="collectd-core",
         options="cpu memory interface disk vmem load processes (20 names), csv, Interval 1"),
    Tool("PCP", "per process: CPU, RSS, faults, threads, switches, I/O, run delay; host: CPU, "
         "memory, disks, links, pressure", pcp, version=["pminfo", "--version"], package="pcp",
         options="pmcd + pmdaproc + pmdalinux + pmlogger, 11 proc metrics"),
    Tool("netdata", "per application group: CPU, memory, I/O, files; host: all of proc",
         netdata, version=["netdata", "-V"], package="netdata-core", warmup_s=6.0,
         options="plugins proc, apps, cgroups, diskspace; dbengine (buffered)"),
    Tool("node_exporter", "host only", lambda _place: [node_exporter()],
         version=["prometheus-node-exporter", "--version"], package="prometheus-node-exporter",
         scrape=(NODE_URL,), options="defaults, one scrape a second"),
    Tool("node + process-exporter", "sums per name: CPU, RSS, VM, swap, PSS, I/O, faults, "
         "switches, files, threads, states; host", exporters(),
         version=["prometheus-process-exporter", "-version"],
         package="prometheus-node-exporter prometheus-process-exporter",
         scrape=(NODE_URL, PROCESS_URL), options="defaults (smaps, threads), grouped by name"),
    Tool("node + process-exporter, lean", "the same without PSS and thread groups",
         exporters("-gather-smaps=false", "-threads=false"),
         version=["prometheus-process-exporter", "-version"],
         package="prometheus-node-exporter prometheus-process-exporter",
         scrape=(NODE_URL, PROCESS_URL), options="no smaps, no threads, grouped by name"),
    Tool("sadc", "host only: all of sar", single(SADC, "-S", "ALL", "1", "FOLDER/sa.dat"),
         version=["sar", "-V"], package="sysstat", options="sadc -S ALL 1"),
    floor_tool("telegraf", "telegraf procstat",
               "per process: status x4, stat x5, io x2, statm x2, comm, cmdline, fd/, meminfo"),
    floor_tool("otelcol", "otelcol hostmetrics",
               "per process: exe, comm, cmdline, status, stat x3, statm, io"),
    floor_tool("below", "below", "per process: stat, status, io, cgroup, cmdline, exe, ns"),
    Tool("recording", "compact rows of four mixes of load, encoded and read back in memory",
         single("BUILD/recording"), version=["BUILD/recording", "--help"],
         options="bench/recording.c"),
    Tool("json", "JSON Lines of three tables, encoded and read back in memory",
         single("BUILD/json"), version=["BUILD/json", "--help"], options="bench/json.c"),
)

TOOLS = {tool.name: tool for tool in ALL_TOOLS}
