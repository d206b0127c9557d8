"""What is done to applies: faults at their requests, by a proxy, and ``kill -9``; and the projects they are of."""

from __future__ import annotations

import io
import logging
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from osform.cli.main import main
from osform.cluster.lock import changes_something
from osform.core.request import Request
from tests import tiny
from tests.live.full import lay_out_all
from tests.live.loopback import Loopback
from tests.live.stacks import Project, Ran, lay_out
from tests.proxy import Action, Answer, Call, Cut, PassOn, Proxy, Seen, Stall

LEASE = "2"
"""Short, since the lock of what was killed has to be waited for."""
LEASE_WITH_FAULTS = "8"
"""Long enough for a renewal that nobody answers, and another one."""
REQUEST_SECONDS = 2.0
LATE_SECONDS = 10.0
"""Longer than a request is waited for, and looked for, before it is sent a second time."""
MOST_SECONDS = 90.0
"""A deadline for an apply with faults in it."""
LASTING = re.compile(r"/_deploy$|/_undeploy$|/models/_register|/upload_chunk/")
"""Requests that are answered before the server has done what they ask."""
REFUSED = {"error": {"type": "rejected_execution_exception", "reason": "the queue is full"}}
AWAY = {"error": {"type": "unavailable_shards_exception", "reason": "the primary shard is not active"}}


def _held(content: bytes) -> bytes:
    time.sleep(2 * REQUEST_SECONDS)
    return content


FAULTS: dict[str, Action] = {
    "429": Answer(429, REFUSED),
    "503": Answer(503, AWAY),
    "reset before": Cut(),
    "reset after": Cut(after=True),
    "stalled answer": PassOn(answer=_held),
    "late arrival": Stall(LATE_SECONDS),
}
AT_ONCE = dict.fromkeys(FAULTS, 12) | {"stalled answer": 8, "late arrival": 4}
"""At how many requests of one apply a sweep has the fault, far from each other: so few applies have been everywhere."""
NEVER_ARRIVE = frozenset({"429", "503", "reset before"})
"""Faults at which the server sees nothing, so that its version makes no difference."""


class Quick(Project):
    """A project whose commands are run in this process, since a sweep would spend half its time on starting Python."""

    def run(self, *words: str, url: str | None = None) -> Ran:
        command, environ = self.command(*words, url=url)
        usual, handler = dict(os.environ), signal.getsignal(signal.SIGTERM)
        out, err = io.StringIO(), io.StringIO()
        os.environ.update(environ)
        logging.disable()  # pytest's live log, which make soak shows, takes stderr away at each record
        try:
            with chdir(self.root), redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
                main(command[3:])
        finally:
            logging.disable(logging.NOTSET)
            os.environ.clear()
            os.environ.update(usual)
            signal.signal(signal.SIGTERM, handler)
        return Ran(int(ended.value.code or 0), out.getvalue(), err.getvalue())


def hasty(root: Path, url: str, model: tiny.Tiny, elsewhere: Loopback | None = None) -> Project:
    """The small stack, or with ``elsewhere`` that of every kind; a short lease, and requests soon given up."""
    laid = lay_out(root, url, model) if elsewhere is None else lay_out_all(root, url, model, elsewhere)
    project = Quick(**vars(laid))
    project.environ |= {"OSFORM_LEASE": LEASE, "OSFORM_TIMEOUT": str(REQUEST_SECONDS)}
    return project


def again(project: Project, *words: str) -> Ran:
    """The next apply: it waits for the lock of the one that died, and has time."""
    return project.apply("--lock-timeout", "30", "--lease", "60", *words)


def well(ran: Ran) -> Ran:
    """A command that must have ended well."""
    if ran.status:
        raise AssertionError(f"status {ran.status}: {ran.err[-1500:]}")
    return ran


def gone(project: Project) -> Ran:
    """Everything taken away, at the end of a test."""
    return project.take_away("--lock-timeout", "30", "--lease", "60")


def any_request(call: Call) -> bool:
    """Every request counts."""
    return True


def change(call: Call | Seen) -> bool:
    """What may change the cluster counts: whatever happens before anything else finds the cluster as it was."""
    return changes_something(Request(call.method, call.path))


def lasting(call: Call | Seen) -> bool:
    """What the server goes on with after its answer counts."""
    return change(call) and LASTING.search(call.path) is not None


def shape(call: Call | Seen) -> str:
    """A request's kind: its method and path, without ids and names of a run's own."""
    return f"{call.method} {re.sub(r'/[^/]*[0-9A-Z][^/]*', '/*', call.path)}"


class FirstOfItsKind:
    """The first request of each kind in an apply counts."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.lock = threading.Lock()

    def __call__(self, call: Call) -> bool:
        with self.lock:
            new = shape(call) not in self.seen
            self.seen.add(shape(call))
        return new


class Counted:
    """The requests of these numbers, among those that count; ``struck`` are the numbers that came."""

    def __init__(self, numbers: Iterable[int], counts: Callable[[Call], bool] = any_request) -> None:
        self.numbers, self.counts = frozenset(numbers), counts
        self.struck: set[int] = set()
        self.counted, self.lock = 0, threading.Lock()

    def __call__(self, call: Call) -> bool:
        if not self.counts(call):
            return False
        with self.lock:
            self.counted += 1
            if self.counted not in self.numbers:
                return False
            self.struck.add(self.counted)
            return True


def kill(project: Project, moment: Counted, *words: str, after: bool = False) -> bool:
    """Run an apply that is killed before a request arrives, or ``after`` the server answered it; whether that came."""
    victim: list[subprocess.Popen[bytes]] = []
    started, dead = threading.Event(), threading.Event()

    def end(content: bytes = b"") -> bytes:
        started.wait()
        victim[0].kill()
        return content

    def script(call: Call) -> Action | None:
        if dead.is_set():
            return Cut()  # what it sent at the same time, from another thread
        if not moment(call):
            return None
        if after:
            return PassOn(answer=end)
        dead.set()
        end()
        return Cut()

    with Proxy(project.url, script) as proxy:
        command, environ = project.command("apply", "--yes", *words, url=proxy.url)
        log = (project.root / "killed.log").open("wb")
        victim.append(subprocess.Popen(command, cwd=project.root, env=environ, stdout=log, stderr=log))
        log.close()
        started.set()
        return victim[0].wait(300) == -signal.SIGKILL
