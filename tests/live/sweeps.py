"""An apply with a fault at one of its requests, and what must be true after the next one: nothing twice, nothing left.

The requests of an apply are counted by the proxy. Which one is the seventh differs a little from run to run, since
changes are made in parallel and deployments are polled; a sweep visits every number, so it visits every place.
"""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from osform.cli.main import main
from osform.cluster.client import Cluster
from osform.cluster.lock import changes_something
from osform.cluster.models import find_models, hits
from osform.cluster.retry import Patience, persist_if_there
from osform.core.request import Request
from osform.kinds import ml
from tests import tiny
from tests.live.full import edit_all, lay_out_all
from tests.live.loopback import Loopback
from tests.live.stacks import Project, Ran, lay_out
from tests.proxy import Action, Answer, Call, Cut, PassOn, Proxy, Script, Stall

LEASE = "2"
REQUEST_SECONDS = 2.0
LATE_SECONDS = 10.0
"""Longer than a request is waited for, and looked for, before it is sent a second time."""
MOST_SECONDS = 90.0
"""A deadline for an apply with one fault in it."""
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


class Quick(Project):
    """A project whose commands are run in this process, since a sweep would spend half its time on starting Python."""

    def run(self, *words: str, url: str | None = None) -> Ran:
        command, environ = self.command(*words, url=url)
        usual, handler = dict(os.environ), signal.getsignal(signal.SIGTERM)
        out, err = io.StringIO(), io.StringIO()
        os.environ.update(environ)
        try:
            with chdir(self.root), redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
                main(command[3:])
        finally:
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


class Counted:
    """The requests of these numbers; of those that change something where ``changes`` says so, others being harmless.

    ``struck`` are the numbers that came.
    """

    def __init__(self, numbers: Iterable[int], *, changes: bool = False) -> None:
        self.numbers, self.changes = frozenset(numbers), changes
        self.struck: set[int] = set()
        self.counted, self.lock = 0, threading.Lock()

    def __call__(self, call: Call) -> bool:
        if self.changes and not changes_something(Request(call.method, call.path)):
            return False
        with self.lock:
            self.counted += 1
            if self.counted not in self.numbers:
                return False
            self.struck.add(self.counted)
            return True


def kill_before(project: Project, number: int, *words: str, changes: bool = False) -> bool:
    """Run an apply that is killed before its ``number``-th request, or change, arrives; whether it had that many."""
    victim: list[subprocess.Popen[bytes]] = []
    started = threading.Event()
    reached, dead = Counted([number], changes=changes), threading.Event()

    def script(call: Call) -> Stall | None:
        if not reached(call) and not dead.is_set():
            return None
        dead.set()
        started.wait()
        victim[0].kill()
        return Stall(60, Cut())

    with Proxy(project.url, script) as proxy:
        command, environ = project.command("apply", "--yes", *words, url=proxy.url)
        log = (project.root / "killed.log").open("wb")
        victim.append(subprocess.Popen(command, cwd=project.root, env=environ, stdout=log, stderr=log))
        log.close()
        started.set()
        return victim[0].wait(300) == -signal.SIGKILL


def leftovers(project: Project) -> dict[str, Any]:
    """Everything on the cluster that carries the project's name, by what it is, as far as two runs have it alike."""
    name, cluster = project.name, Cluster(project.url)

    def get(path: str) -> Any:
        return persist_if_there(cluster, Request("GET", path), Patience.of(30)) or {}

    def search(path: str, query: Any) -> list[Any]:
        return hits(cluster, Request("POST", path, {"query": query, "size": 1000}), Patience.of(30))

    cluster.send(Request("POST", "/osform-ledger/_refresh"))
    models = {key: model for key, model in find_models(cluster).items() if name in str(model.get("name"))}
    chunks = search("/_plugins/_ml/models/_search", {"terms": {"model_id": list(models)}}) if models else []
    ledger = [hit["_source"] for hit in search("/osform-ledger/_search", {"term": {"stack": name}})]
    every: dict[str, Any] = {"match_all": {}}
    settings = get("/_cluster/settings?flat_settings=true")["persistent"]
    found = {
        "models": sorted(
            (model["name"], model["model_state"], model.get("description", "")) for model in models.values()
        ),
        "chunks": len(chunks),
        "ledger": sorted((source["kind"], source["status"], tuple(sorted(source["ids"]))) for source in ledger),
        "settings": sorted(key for key in settings if key.startswith("plugins.ml_commons.trusted")),
        "templates": sorted(each["name"] for each in get("/_index_template")["index_templates"] if name in str(each)),
        "parts": sorted(
            each["name"] for each in get("/_component_template")["component_templates"] if name in str(each)
        ),
        "aliases": sorted((index, sorted(body["aliases"])) for index, body in get(f"/{name}*/_alias").items()),
        "script": bool(get(f"/_scripts/{name}-script")),
    }
    for what in ("model_groups", "connectors"):
        listed = [hit["_source"] for hit in search(f"{ml.BASE}/{what}/_search", every)]
        found[what] = sorted(
            (each["name"], each.get("description", "")) for each in listed if name in str(each.get("name"))
        )
    for path in ("_ingest/pipeline", "_search/pipeline"):
        found[path] = sorted(each for each in get(f"/{path}") if name in each)
    cluster.close()
    return {key: json.loads(json.dumps(value).replace(name, "NAME")) for key, value in found.items()}


@dataclass
class Sweep:
    """What is disturbed: an apply that makes a stack. ``lay`` writes the files of the next one.

    ``expected`` is what an apply leaves that nothing happens to, ``requests`` how many requests it is, and ``changes``
    how many of them change something.
    """

    lay: Callable[[], Project]
    expected: dict[str, Any] = field(default_factory=dict)
    requests: int = 0
    changes: int = 0
    words: tuple[str, ...] = ()

    def ready(self) -> Project:
        """A project whose next apply is the one to be disturbed."""
        return self.lay()

    def finish(self, project: Project) -> None:
        """Take away what a point of the sweep left; that must go."""
        well(gone(project))

    def close(self) -> None:
        """Take away what the sweep itself holds on to."""

    def measure(self) -> None:
        """Let one apply run undisturbed."""
        with self._point() as project:
            with Proxy(project.url) as proxy:
                well(project.apply(*self.words, url=proxy.url))
            self.expected, self.requests = leftovers(project), len(proxy.requests)
            self.changes = sum(changes_something(Request(seen.method, seen.path)) for seen in proxy.requests)

    def check_the_end(self, project: Project) -> None:
        """The same state as after an apply that nothing happened to, and nothing left to do."""
        found = leftovers(project)
        wrong = {key: f"{found[key]} instead of {was}" for key, was in self.expected.items() if found[key] != was}
        assert not wrong, wrong
        plan = project.plan()
        assert plan.status == 0, plan.out + plan.err

    def killed(self, number: int) -> str:
        """Kill before one request, apply again, and compare."""
        with self._point() as project:
            died = kill_before(project, number, *self.words)
            well(again(project, *self.words))
            self.check_the_end(project)
        return "killed" if died else "beyond"

    def abandoned(self, number: int) -> str:
        """Kill before one change, and take all of it away without an apply in between: nothing may be left."""
        with self._point() as project:
            died = kill_before(project, number, *self.words, changes=True)
            well(gone(project))
            left = {key: value for key, value in leftovers(project).items() if value}
            assert not left, left
        return "killed" if died else "beyond"

    def faulty(self, numbers: Iterable[int], fault: str) -> str:
        """A fault at some requests: the apply ends well or says what happened, and the next one completes it.

        What arrives late are changes, by their numbers. Returns "well", or how it ended and was mended.
        """
        reached, arrived = Counted(numbers, changes=fault == "late arrival"), threading.Event()
        with self._point() as project:
            started = time.monotonic()
            with Proxy(project.url, _at(reached, FAULTS[fault], arrived)) as proxy:
                done = project.apply(*self.words, url=proxy.url)
                assert time.monotonic() - started < MOST_SECONDS, "a deadline was missed"
                if reached.struck and fault == "late arrival":
                    assert arrived.wait(2 * LATE_SECONDS)
            assert "Traceback" not in done.err
            ended = self._mended(project, done)
            self.check_the_end(project)
        return ended if reached.struck else "beyond"

    def _mended(self, project: Project, done: Ran) -> str:
        assert done.status in (0, 1)
        if done.status == 0 and project.plan().status == 0:
            return "well"
        assert done.status == 0 or "error: " in done.err
        well(again(project, *self.words))
        return f"ended with: {done.err[-200:]}" if done.status else "drifted, and the next apply mended it"

    @contextmanager
    def _point(self) -> Iterator[Project]:
        project = self.ready()
        try:
            yield project
        finally:
            self.finish(project)


def _at(reached: Counted, action: Action, arrived: threading.Event) -> Script:
    """A script that acts on some requests and, of what is to come late, tells when it arrived."""

    def note(content: bytes) -> bytes:
        arrived.set()
        return content

    def script(call: Call) -> Action | None:
        if not reached(call):
            return None
        return Stall(action.seconds, PassOn(answer=note)) if isinstance(action, Stall) else action

    return script


@dataclass
class Changing(Sweep):
    """An apply that changes what can be changed in place, a credential too; the next one changes it back."""

    project: Project | None = None
    states: dict[str, dict[str, Any]] = field(default_factory=dict)

    def ready(self) -> Project:
        """The same project each time, edited."""
        if self.project is None:
            self.project = self.lay()
            well(self.project.apply())
        edit_all(self.project)
        return self.project

    def measure(self) -> None:
        """There and back: each state is that of every second point."""
        for _ in range(2):
            super().measure()
            assert self.project is not None, "ready() has made it"
            self.states[self.project.environ["KEY"]] = self.expected

    def check_the_end(self, project: Project) -> None:
        """As the sweep's, for the state that these edits lead to."""
        self.expected = self.states[project.environ["KEY"]]
        super().check_the_end(project)

    def finish(self, project: Project) -> None:
        """Nothing: it is edited back. What can't be mended is taken away."""
        if project.plan().status:
            self.close()

    def abandoned(self, number: int) -> str:
        """As the sweep's; the next point needs a new project."""
        try:
            return super().abandoned(number)
        finally:
            self.project = None

    def close(self) -> None:
        """Take the one project away."""
        if self.project is not None:
            super().finish(self.project)
        self.project = None


@dataclass
class Removing(Sweep):
    """An apply that takes everything away."""

    words: tuple[str, ...] = ("--force",)

    def ready(self) -> Project:
        """A project that is applied and whose files are gone."""
        project = self.lay()
        well(project.apply())
        project.empty()
        return project
