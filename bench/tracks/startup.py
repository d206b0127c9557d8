"""How long a command takes to answer at all: ``osform --help`` against the least that such a program can do."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench.harness import Arm, DidNotFinish, Sample, Table
from bench.texts import ROOT
from bench.tracks.base import Context

ABOUT = "osform --help against importing click, and against Python alone"
NEEDS_CLUSTER = False
ROUNDS = 10
PEER = "python -c 'import click'"


def run(context: Context) -> list[Table]:
    """One table: milliseconds from the start of the process to its end."""
    python = sys.executable
    arms = [
        command("osform --help", [str(Path(python).parent / "osform"), "--help"]),
        command(PEER, [python, "-c", "import click"]),
        command("python -c pass", [python, "-c", "pass"]),
    ]
    for arm in arms:
        arm.run()  # what is on disk only, and not yet compiled, is a matter of the first time
    rounds = 3 if context.settings.quick else max(ROUNDS, context.settings.rounds_or(ROUNDS))
    return [context.measure(arms, rounds, title="start-up", unit="ms", better="less", reference=PEER)]


def command(name: str, words: Sequence[str]) -> Arm:
    """An arm that runs a command to its end; its figure is in milliseconds."""

    def once() -> Sample:
        cpu, begun = _children(), time.perf_counter()
        done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=ROOT)
        seconds = time.perf_counter() - begun
        if done.returncode:
            raise DidNotFinish(f"status {done.returncode}: {done.stderr.strip().splitlines()[-1:]}")
        return Sample(seconds * 1000, {"CPU ms": (_children() - cpu) * 1000})

    return Arm(name, once)


def _children() -> float:
    """Seconds of processor time of all commands that have ended so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
