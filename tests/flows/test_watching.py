"""A watch of several stacks on a cluster in memory: one stack's fault is its own, and a leader of something else."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from osform.cluster import standings
from osform.core.events import Event
from osform.core.request import Request
from osform.core.watching import Happened, Standing, Target, WatchSpec
from osform.errors import Unreachable
from osform.files.repository import Repository
from osform.flows.watching import Watch
from tests.flows.memory import MemoryCluster
from tests.watched import QUIET, Origin

PIPELINE = "description: WORDS\nprocessors: [{set: {field: a, value: b}}]\n"
ANN = {"user": "ann", "host": "desk", "pid": 1, "run": "theirs"}


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    origin = Origin(tmp_path / "git")
    files = {f"{name}/stack.yaml": f"name: {name}\n" for name in ("one", "two")}
    files |= {f"{name}/ingest_pipeline/{name}.yaml": PIPELINE.replace("WORDS", name) for name in ("one", "two")}
    origin.commit("first", {**files})
    return origin


class Looks:
    """A watch of both stacks, and what it told."""

    def __init__(self, origin: Origin, folder: Path, cluster: MemoryCluster) -> None:
        targets = (Target("one", None), Target("two", None))
        spec = WatchSpec("w", str(origin.bare), "main", 0.2, 20.0, targets)
        self.told: list[Happened] = []
        repository = Repository(spec.repository, folder, os.environ | QUIET)
        self.watch = Watch(spec, cluster, repository, {}, self.told.append)

    def once(self) -> dict[str, str]:
        """One look; the states by target."""
        self.watch.run(once=True)
        self.watch.repository = replace(self.watch.repository, folder=self.watch.repository.folder.parent)
        return {each.standing.target: each.standing.state for each in self.told if each.standing}

    def until_it_stands_by(self, event: Happened) -> None:
        self.told.append(event)
        if event.what == "standby":
            self.watch.stop.set()


@pytest.fixture
def cluster() -> MemoryCluster:
    return MemoryCluster()


@pytest.fixture
def looks(origin: Origin, cluster: MemoryCluster, tmp_path: Path) -> Looks:
    return Looks(origin, tmp_path / "mirror", cluster)


def test_a_fault_in_one_stack_is_told_and_the_other_one_is_kept(looks: Looks, cluster: MemoryCluster) -> None:
    cluster.pipelines["_ingest"]["one"] = None  # type: ignore[assignment]  # no server answers so
    assert looks.once() == {"one@default": "failing", "two@default": "in sync"}
    (fault,) = [each for each in looks.told if each.what == "failing"]
    assert "a fault of osform's own" in fault.message
    assert any("Traceback" in each.message for each in looks.told if each.what == "note")


def test_a_folder_that_can_not_be_written_to_is_a_failure_that_says_so(looks: Looks, tmp_path: Path) -> None:
    looks.watch.repository.open()
    (looks.watch.repository.folder / "trees").write_text("a file where a folder must be")
    looks.watch.repository.close()
    looks.watch.repository = replace(looks.watch.repository, folder=tmp_path / "mirror")
    assert looks.once() == {"one@default": "failing", "two@default": "failing"}
    assert "Not a directory" in next(each.message for each in looks.told if each.what == "failing")


def test_who_stands_by_for_a_leader_that_follows_something_else_says_so(
    looks: Looks, cluster: MemoryCluster, origin: Origin, tmp_path: Path
) -> None:
    assert looks.once() == {"one@default": "in sync", "two@default": "in sync"}
    cluster.held["watch-leader-w"] = ANN
    same, other = Looks(origin, tmp_path / "a", cluster), Looks(origin, tmp_path / "b", cluster)
    other.watch.spec = replace(other.watch.spec, ref="prod")
    for each in (same, other):
        each.watch.spec = replace(each.watch.spec, lease=0.4)
        each.watch.tell = each.until_it_stands_by
        each.watch.run()
    words = [next(e.message for e in each.told if e.what == "standby") for each in (same, other)]
    assert words[0].startswith("ann@desk (pid 1) since ")
    assert "follows" not in words[0]
    assert words[1].endswith(f"and follows {origin.bare} at main: one of the two needs another name")


class Shaky(MemoryCluster):
    """A cluster that can't be asked for the lease of its leader the second and the fourth time."""

    asked = 0

    def take(self, request: Request) -> Any:
        if request.method == "HEAD":
            self.asked += 1
            assert self.asked < 20, "nothing ends it"
            if self.asked in (2, 4):
                raise Unreachable("no such host", passing=False)
        return super().take(request)


def test_who_stands_by_is_alive_and_is_ready_again_once_the_cluster_answers(origin: Origin, tmp_path: Path) -> None:
    cluster = Shaky()
    cluster.held["watch-leader-w"] = ANN
    looks = Looks(origin, tmp_path / "mirror", cluster)
    looks.watch.spec = replace(looks.watch.spec, lease=0.1, every=0.01)

    def tell(event: Happened) -> None:
        looks.told.append(event)
        if len(looks.told) == 5:
            looks.watch.stop.set()

    heard: list[Event] = []
    looks.watch.tell, looks.watch.report = tell, heard.append
    looks.watch.run()
    told = [each.what for each in looks.told]
    assert told == ["standby", "cluster away", "standby", "cluster away", "standby"]
    assert heard, "a page that hears nothing takes the watch for dead"


def test_watches_whose_names_with_those_of_their_stacks_read_alike_have_standings_of_their_own() -> None:
    cluster = MemoryCluster()
    standings.write(cluster, "team", Standing("a-b", good="1"))
    standings.write(cluster, "team-a", Standing("b", good="2"))
    assert standings.read(cluster, "team")["a-b"].good == "1"
    assert standings.read(cluster, "team-a")["b"].good == "2"
