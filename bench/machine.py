"""The machine that is measured on, and what else it does: a figure without that is worth nothing."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

QUIET = 0.5
"""Load a core above which the figures are not worth quoting."""
OTHERS = 0.1
"""The same, of the share of all cores that other programs take while a table is measured."""
PACKAGES = ("osform", "opensearch-py", "onnxruntime", "torch", "sentence-transformers")
PROC = Path("/proc")


@dataclass(frozen=True)
class Machine:
    """What a reader needs to know of the machine; ``load`` is the average over the last minute, None if unknown."""

    system: str
    processor: str
    cores: int
    load: float | None
    versions: dict[str, str]

    @classmethod
    def now(cls) -> Machine:
        versions = {"python": platform.python_version()}
        for package in PACKAGES:
            try:
                versions[package] = version(package)
            except PackageNotFoundError:  # the extras are not installed
                continue
        return cls(f"{platform.system()} {platform.machine()}", _processor(), os.cpu_count() or 1, load(), versions)


def load() -> float | None:
    """The load average of the last minute; None where the system has no such thing."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return None


def _processor() -> str:
    try:
        lines = (PROC / "cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def doubts(cores: int, before: float | None) -> list[str]:
    """Why the figures of a whole run are not worth quoting, a sentence each; none where they may be."""
    if before is None or before <= QUIET * cores:
        return []
    return [f"the load was {before:.1f} on {cores} cores before anything was measured, more than {QUIET} a core"]


def company(cores: int, elsewhere: float | None) -> str:
    """What other programs did while one table was measured, and how far its figures can be trusted for that."""
    if elsewhere is None:
        return "how many cores other programs kept busy meanwhile is unknown"
    words = f"other programs kept {elsewhere:.1f} of {cores} cores busy meanwhile"
    return words if elsewhere <= OTHERS * cores else f"{words}: ratios may be quoted, the figures not"


def watch(pids: Iterable[int], proc: Path = PROC, clock: Callable[[], float] = time.monotonic) -> Watch:
    """Watch what programs other than this one, its children and ``pids`` do with the processors."""
    mine = tuple(pids)

    def start() -> Callable[[], float | None]:
        begun, before = clock(), _elsewhere(mine, proc)

        def end() -> float | None:
            after, seconds = _elsewhere(mine, proc), clock() - begun
            if before is None or after is None or seconds <= 0:
                return None
            return max(0.0, after - before) / seconds

        return end

    return start


Watch = Callable[[], Callable[[], float | None]]


def cpu_seconds(pids: Iterable[int], proc: Path = PROC) -> float | None:
    """Seconds of processor time that some processes have had so far; None without Linux's /proc.

    It says what work costs even where other programs take their share of the processors, and time says little.
    """
    try:
        return sum(_ticks(proc / str(pid) / "stat") for pid in pids) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ValueError):
        return None


def _elsewhere(pids: Iterable[int], proc: Path) -> float | None:
    """Seconds of processor time that others have had since the start of the machine; None without Linux's /proc."""
    try:
        fields = (proc / "stat").read_text().splitlines()[0].split()[1:]
        # user, nice, system, then irq, softirq, steal; idle and iowait are not work, and guests are in user already.
        busy = sum(int(fields[place]) for place in (0, 1, 2, 5, 6, 7))
    except (OSError, IndexError, ValueError):
        return None
    named = cpu_seconds(pids, proc)
    times = os.times()
    mine = times.user + times.system + times.children_user + times.children_system
    return None if named is None else busy / os.sysconf("SC_CLK_TCK") - named - mine


def _ticks(stat: Path) -> int:
    """Processor time of a process; its name, in parentheses, may hold anything."""
    fields = stat.read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
