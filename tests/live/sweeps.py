"""An apply with a fault at one of its requests, and what must be true after the next one: nothing twice, nothing left.

The requests of an apply are counted by the proxy. Which one is the seventh differs a little from run to run, since
changes are made in parallel and deployments are polled; a sweep visits every number, so it visits every place.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from osform.cluster.client import Cluster
from osform.cluster.models import find_models, hits
from osform.cluster.retry import Patience, persist_if_there
from osform.core.request import Request
from osform.kinds import ml
from tests.live.disturbing import (
    FAULTS,
    LATE_SECONDS,
    LEASE_WITH_FAULTS,
    MOST_SECONDS,
    Counted,
    FirstOfItsKind,
    again,
    any_request,
    change,
    gone,
    kill,
    lasting,
    shape,
    well,
)
from tests.live.full import edit_all
from tests.live.stacks import Project, Ran
from tests.proxy import Action, Call, PassOn, Proxy, Script, Stall


def leftovers(project: Project) -> dict[str, Any]:
    """Everything on the cluster that carries the project's name, by what it is, as far as two runs have it alike."""
    name, cluster = project.name, Cluster(project.url)

    def get(path: str) -> Any:
        return persist_if_there(cluster, Request("GET", path), Patience.of(30)) or {}

    def search(path: str, query: Any) -> list[Any]:
        return hits(cluster, Request("POST", path, {"query": query, "size": 1000}), Patience.of(30))

    cluster.send(Request("POST", "/osform-ledger/_refresh"))
    # What a search finds of a model is up to a second old.
    models = {
        key: get(f"{ml.BASE}/models/{key}")
        for key, model in find_models(cluster).items()
        if name in str(model.get("name"))
    }
    chunks = search("/_plugins/_ml/models/_search", {"terms": {"model_id": list(models)}}) if models else []
    mine = {"bool": {"filter": [{"term": {"stack": name}}, {"term": {"type": "entry"}}]}}
    ledger = [hit["_source"] for hit in search("/osform-ledger/_search", mine)]
    every: dict[str, Any] = {"match_all": {}}
    settings = get("/_cluster/settings?flat_settings=true")["persistent"]
    found = {
        "models": sorted(
            (model["name"], model["model_state"], model.get("description", "")) for model in models.values() if model
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

    ``expected`` is what an apply leaves that nothing happens to; ``requests`` how many requests it is, ``changes`` how
    many of them change something, ``lasting`` how many of those the server goes on with after its answer, and ``kinds``
    how many differ in more than ids and names.
    """

    lay: Callable[[], Project]
    expected: dict[str, Any] = field(default_factory=dict)
    requests: int = 0
    changes: int = 0
    lasting: int = 0
    kinds: int = 0
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
            self.changes = sum(map(change, proxy.requests))
            self.lasting = sum(map(lasting, proxy.requests))
            self.kinds = len(set(map(shape, proxy.requests)))

    def check_the_end(self, project: Project) -> None:
        """The same state as after an apply that nothing happened to, and nothing left to do."""
        found = leftovers(project)
        wrong = {key: f"{found[key]} instead of {was}" for key, was in self.expected.items() if found[key] != was}
        assert not wrong, wrong
        plan = project.plan()
        assert plan.status == 0, plan.out + plan.err

    def killed(self, moment: Counted, *, after: bool = False) -> str:
        """Kill at some moment, apply again, and compare."""
        with self._point() as project:
            died = kill(project, moment, *self.words, after=after)
            well(again(project, *self.words))
            self.check_the_end(project)
        return "killed" if died else "beyond"

    def abandoned(self, moment: Counted) -> str:
        """Kill at some moment, and take all of it away without an apply in between: nothing may be left."""
        with self._point() as project:
            died = kill(project, moment, *self.words)
            well(gone(project))
            left = {key: value for key, value in leftovers(project).items() if value}
            assert not left, left
        return "killed" if died else "beyond"

    def points(self, fault: str) -> int:
        """At how many requests to have a fault: all of them, but for two that take seconds each.

        Late are those that change something, since it is all the same when others come. Stalled is the first of each
        kind: the same words are said again by the same code.
        """
        return {"late arrival": self.changes, "stalled answer": self.kinds}.get(fault, self.requests)

    def faulty(self, numbers: Sequence[int], fault: str) -> str:
        """A fault at some requests: the apply ends well or says what happened, and the next one completes it.

        What the numbers count, ``points`` says. Returns "well", or how it ended and was mended. Where it ended before
        the last of the faults came, each half of them is tried alone.
        """
        late = fault == "late arrival"
        counts: dict[str, Callable[[Call], bool]] = {"late arrival": change, "stalled answer": FirstOfItsKind()}
        reached, arrivals = Counted(numbers, counts.get(fault, any_request)), Arrivals()
        with self._point() as project:
            started = time.monotonic()
            with Proxy(project.url, _at(reached, FAULTS[fault], arrivals)) as proxy:
                done = project.apply("--lease", LEASE_WITH_FAULTS, *self.words, url=proxy.url)
                assert time.monotonic() - started < MOST_SECONDS, "a deadline was missed"
                if late:
                    arrivals.wait(len(reached.struck), 2 * LATE_SECONDS)
            assert "Traceback" not in done.err
            ended = self._mended(project, done)
            self.check_the_end(project)
        if done.status and len(numbers) > 1:
            halves = numbers[: len(numbers) // 2], numbers[len(numbers) // 2 :]
            return "; ".join([ended, *(self.faulty(half, fault) for half in halves)])
        return ended if reached.struck else "beyond"

    def _mended(self, project: Project, done: Ran) -> str:
        assert done.status in (0, 1)
        if done.status == 0 and project.plan().status == 0:
            return "well"
        assert done.status == 0 or "error: " in done.err
        well(again(project, *self.words))
        return f"ended with: {done.err[-2000:]}" if done.status else "drifted, and the next apply mended it"

    @contextmanager
    def _point(self) -> Iterator[Project]:
        project = self.ready()
        try:
            yield project
        finally:
            self.finish(project)


class Arrivals:
    """How many of the requests that were held back have been carried out."""

    def __init__(self) -> None:
        self.came = threading.Semaphore(0)

    def note(self, content: bytes) -> bytes:
        """One more."""
        self.came.release()
        return content

    def wait(self, many: int, seconds: float) -> None:
        """Wait for so many of them."""
        for _ in range(many):
            assert self.came.acquire(timeout=seconds), "the proxy never let it go on"


def _at(reached: Counted, action: Action, arrivals: Arrivals) -> Script:
    """A script that acts on some requests and, of what is to come late, tells when it arrived."""

    def script(call: Call) -> Action | None:
        if not reached(call):
            return None
        return Stall(action.seconds, PassOn(answer=arrivals.note)) if isinstance(action, Stall) else action

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

    def abandoned(self, moment: Counted) -> str:
        """As the sweep's; the next point needs a new project."""
        try:
            return super().abandoned(moment)
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
