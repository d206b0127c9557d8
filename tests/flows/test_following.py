"""One stack kept to its repository, on a cluster in memory: what is applied, what waits, what is taken back."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from osform.cluster.client import Cluster
from osform.core.request import Request
from osform.core.watching import Approval, Happened, Standing, Target, WatchSpec
from osform.errors import RequestFailed, Unreachable
from osform.files.repository import Repository
from osform.flows.following import Follower
from osform.flows.stack import Stack
from tests.flows.memory import MemoryCluster
from tests.watched import QUIET, Origin

PIPELINE = "description: WORDS\nprocessors: [{set: {field: a, value: b}}]\n"
FILE = "provision/ingest_pipeline/p.yaml"


class Desk:
    """An origin with one stack, and who follows it."""

    def __init__(self, tmp_path: Path, **target: Any) -> None:
        self.origin, self.cluster = Origin(tmp_path / "git"), MemoryCluster()
        self.first = self.commit("first", {"provision/stack.yaml": "name: words\n"})
        self.repository = Repository(str(self.origin.bare), tmp_path / "mirror", os.environ | QUIET)
        self.repository.open()
        self.events: list[Happened] = []
        self.saved: list[Standing] = []
        spec = WatchSpec("w", str(self.origin.bare), "main", 1.0, 5.0, (Target("provision", None, **target),))
        self.follower = Follower(
            spec, spec.targets[0], self.repository, self.cluster, {}, Standing(spec.targets[0].key), self.saved.append,
            self.events.append,
        )  # fmt: skip

    def commit(self, words: str, files: dict[str, str | None] | None = None) -> str:
        return self.origin.commit(words, {FILE: PIPELINE.replace("WORDS", words), **(files or {})})

    def look(self) -> tuple[str, str]:
        """One look; the state, and what the pipeline says on the cluster."""
        self.repository.fetch()
        self.follower.step(self.repository.resolve("main"))
        return self.follower.standing.state, str(self.cluster.pipelines["_ingest"].get("p", {}).get("description"))

    def as_ci(self, cluster: Cluster | None = None) -> None:
        """What a job would do after a merge: apply what is checked out."""
        Stack.load(self.origin.clone / "provision", environ={}).apply(cluster or self.cluster)

    def drift(self) -> None:
        self.cluster.pipelines["_ingest"]["p"]["description"] = "by hand"


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    """Makes the desk, with what is said of its target."""
    desks: list[Desk] = []

    def make(**target: Any) -> Desk:
        desks.append(Desk(tmp_path, **target))
        return desks[-1]

    yield make
    for desk in desks:
        desk.repository.close()


def test_a_commit_is_applied_and_drift_repaired(at: Callable[..., Desk]) -> None:
    desk = at()
    assert desk.look() == ("in sync", "first")
    desk.drift()
    assert desk.look() == ("in sync", "first")
    desk.commit("second")
    assert desk.look() == ("in sync", "second")
    assert [event.what for event in desk.events if event.what in ("applied", "repaired")] == [
        "applied", "repaired", "applied"
    ]  # fmt: skip


def test_a_bad_commit_leaves_the_last_good_state_and_drift_is_repaired_meanwhile(at: Callable[..., Desk]) -> None:
    desk = at()
    desk.look()
    desk.origin.commit("bad", {FILE: "description: [\n"})
    assert desk.look() == ("refused", "first")
    assert "provision/ingest_pipeline/p.yaml:" in desk.follower.standing.message
    desk.drift()
    assert desk.look() == ("refused", "first")
    since = desk.follower.standing.since
    desk.look()
    assert desk.follower.standing.since == since
    desk.origin.git("revert", "--no-edit", "HEAD")
    desk.origin.push()
    assert desk.look() == ("in sync", "first")


def test_with_drift_only_a_new_commit_waits_and_drift_is_put_back(at: Callable[..., Desk]) -> None:
    desk = at()
    desk.look()
    desk.follower.target = replace(desk.follower.target, mode="drift-only")
    desk.commit("second")
    assert desk.look() == ("waiting", "first")
    desk.drift()
    assert desk.look() == ("waiting", "first")
    assert desk.follower.standing.good == desk.first


def test_with_drift_only_what_ci_has_applied_since_the_last_fetch_is_not_taken_back(at: Callable[..., Desk]) -> None:
    desk = at()
    desk.look()
    desk.follower.target = replace(desk.follower.target, mode="drift-only")
    desk.commit("second")
    desk.as_ci()
    desk.follower.step(desk.first)
    assert desk.look() == ("in sync", "second")


def test_with_drift_only_an_apply_that_is_half_way_is_not_taken_back(at: Callable[..., Desk]) -> None:
    desk = at()
    desk.commit("first", {"provision/ingest_pipeline/q.yaml": PIPELINE})
    desk.look()
    desk.follower.target = replace(desk.follower.target, mode="drift-only")
    desk.commit("second", {"provision/ingest_pipeline/q.yaml": PIPELINE.replace("WORDS", "other")})
    desk.as_ci(Refusing(desk.cluster, "other"))
    assert desk.look() == ("waiting", "second")
    desk.as_ci()
    assert desk.look() == ("in sync", "second")


def test_with_drift_only_a_repair_that_was_cut_off_is_taken_up_again(at: Callable[..., Desk]) -> None:
    desk = at()
    desk.look()
    desk.follower.target = replace(desk.follower.target, mode="drift-only")
    desk.drift()
    desk.follower.cluster = Refusing(desk.cluster, "first", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        desk.look()
    desk.follower.cluster = desk.cluster
    assert desk.look() == ("in sync", "first")


def test_with_drift_only_a_commit_that_waits_is_not_blamed_for_a_repair_that_is_refused(
    at: Callable[..., Desk],
) -> None:
    desk = at()
    desk.look()
    desk.follower.target = replace(desk.follower.target, mode="drift-only")
    desk.commit("second")
    desk.drift()
    desk.follower.cluster = Refusing(desk.cluster, "first")
    assert desk.look() == ("waiting", "by hand")
    assert "the last good one: ingest_pipeline/p: " in desk.follower.standing.message
    desk.as_ci()
    assert desk.look() == ("in sync", "second")


def test_drift_that_is_to_be_reported_is_left(at: Callable[..., Desk]) -> None:
    desk = at(on_drift="report")
    desk.look()
    desk.drift()
    assert desk.look() == ("drifted", "by hand")
    assert desk.follower.standing.drift == ("ingest_pipeline/p",)
    desk.commit("second")
    assert desk.look() == ("in sync", "second")


@pytest.mark.parametrize(("on_drift", "state"), [("report", "drifted"), ("repair", "in sync")])
def test_what_follows_from_drift_is_drift_as_well(at: Callable[..., Desk], on_drift: str, state: str) -> None:
    desk = at(on_drift=on_drift, mode="drift-only")
    group = "provision/model_group/g.yaml"
    value = "${model_group/g.model_group_id}"
    desk.origin.commit("both", {group: "description: d\n", FILE: PIPELINE.replace("value: b", f'value: "{value}"')})
    desk.as_ci()
    assert desk.look()[0] == "in sync"
    desk.cluster.groups.clear()
    assert desk.look()[0] == state
    assert bool(desk.cluster.groups) == (on_drift == "repair")


def test_a_commit_waits_for_its_approval(at: Callable[..., Desk]) -> None:
    desk = at(mode="approve", approval=Approval(tags="go/*", signed=False))
    assert desk.look() == ("waiting", "None")
    desk.origin.git("tag", "go/1")
    desk.origin.git("push", "--tags", "origin")
    assert desk.look() == ("in sync", "first")
    desk.commit("second")
    assert desk.look() == ("in sync", "first")
    desk.origin.git("tag", "go/2")
    desk.origin.git("push", "--tags", "origin")
    assert desk.look() == ("in sync", "second")


def test_who_comes_after_a_kill_knows_the_last_good_commit(at: Callable[..., Desk]) -> None:
    desk = at()
    desk.look()
    desk.origin.commit("bad", {FILE: "description: [\n"})
    again = replace(desk.follower, standing=Standing.of(desk.saved[-1].to_json()), stacks={})
    desk.follower = again
    desk.drift()
    assert desk.look() == ("refused", "first")


def test_what_could_not_be_stored_is_stored_and_told_by_the_next_look(at: Callable[..., Desk]) -> None:
    desk = at()
    desk.look()
    second = desk.commit("second")

    def away(standing: Standing) -> None:
        raise Unreachable("no answer")

    desk.follower.save, store = away, desk.follower.save
    for _ in range(2):  # the second one has nothing to do, and still knows of what the cluster has not heard
        with pytest.raises(Unreachable):
            desk.look()
    desk.follower.save = store
    desk.look()
    assert desk.saved[-1].good == second
    assert [event.what for event in desk.events if event.what == "applied"] == ["applied"] * 2
    desk.look()
    assert len(desk.saved) == 2


@pytest.mark.parametrize("missing", ["provision/stack.yaml"])
def test_a_commit_without_the_stack_takes_nothing_away(at: Callable[..., Desk], missing: str) -> None:
    desk = at()
    desk.look()
    desk.origin.commit("gone", {missing: None})
    assert desk.look() == ("refused", "first")


def test_a_good_commit_that_is_refused_by_now_says_so_once(at: Callable[..., Desk]) -> None:
    desk = at()
    desk.look()
    desk.commit("second", {"provision/policies/no.yaml": "resources: ingest_pipeline/*\nrefuse: {actions: [update]}\n"})
    assert desk.look() == ("refused", "first")
    assert desk.follower.standing.message.count("policy no") == 1


class Refusing(Cluster):
    """A cluster that takes no pipeline with one word in it, or at which somebody presses Ctrl-C just then."""

    def __init__(self, cluster: MemoryCluster, word: str, instead: BaseException | None = None) -> None:
        self.url, self.timeout, self.cluster, self.word = cluster.url, cluster.timeout, cluster, word
        self.instead = instead

    def send(self, request: Request, *, timeout: float | None = None) -> Any:
        if request.method == "PUT" and "pipeline" in request.path and self.word in str(request.body):
            raise self.instead or RequestFailed(str(request), 400, "illegal_argument_exception", "no such processor")
        return self.cluster.send(request, timeout=timeout)


def test_a_good_commit_whose_repair_was_refused_is_in_sync_again_once_the_cluster_is(at: Callable[..., Desk]) -> None:
    desk = at()
    desk.look()
    desk.drift()
    desk.follower.cluster = Refusing(desk.cluster, "first")
    assert desk.look() == ("refused", "by hand")
    assert desk.follower.standing.message.count("no such processor") == 1
    desk.follower.cluster = desk.cluster
    assert desk.look() == ("in sync", "first")


def test_what_the_server_refused_is_told_once_although_the_last_good_commit_is_gone(at: Callable[..., Desk]) -> None:
    desk = at()
    desk.look()
    desk.follower.cluster = Refusing(desk.cluster, "second")
    desk.commit("second")
    assert desk.look()[0] == "refused"
    desk.follower.standing = replace(desk.follower.standing, good="0" * 40)
    desk.look()
    told, message = len(desk.events), desk.follower.standing.message
    assert "is no longer in the repository" in message
    desk.look()
    assert (len(desk.events), desk.follower.standing.message) == (told, message)


def test_a_password_that_is_not_taken_midway_is_no_fault_of_the_commit(at: Callable[..., Desk]) -> None:
    desk = at()
    desk.look()
    expired = RequestFailed("PUT /_ingest/pipeline/p", 401, "security_exception", "Unauthorized")
    desk.follower.cluster = Refusing(desk.cluster, "second", instead=expired)
    desk.commit("second")
    assert desk.look() == ("failing", "first")
    assert "Unauthorized" in desk.follower.standing.message
    desk.follower.cluster = desk.cluster
    assert desk.look() == ("in sync", "second")


def test_a_failure_that_differs_in_figures_only_is_told_once(at: Callable[..., Desk]) -> None:
    desk = at()
    desk.look()
    for seconds in (3, 14, 15):
        desk.follower.stumbled(ValueError(f"no answer after {seconds} s"))
    assert [event.what for event in desk.events].count("failing") == 1


def test_the_files_of_an_approved_commit_that_is_refused_are_in_use(at: Callable[..., Desk]) -> None:
    desk = at(mode="approve", approval=Approval(tags="go/*", signed=False))
    policy: dict[str, str | None] = {
        "provision/policies/no.yaml": "resources: ingest_pipeline/*\nrefuse: {actions: [create]}\n"
    }
    approved = desk.commit("second", policy)
    desk.origin.git("tag", "go/1")
    desk.origin.git("push", "--tags", "origin")
    head = desk.commit("third")
    assert desk.look() == ("refused", "None")
    assert desk.follower.in_use() == {approved, head}


def test_a_name_that_is_no_text_can_be_told_and_stored(at: Callable[..., Desk]) -> None:
    desk = at()
    desk.look()
    (desk.origin.clone / "provision" / os.fsdecode(b"\xff.yaml")).write_text("a: [\n")
    (desk.origin.clone / "provision" / "ingest_pipeline" / os.fsdecode(b"\xff.yaml")).write_text("a: [\n")
    desk.origin.commit("no text")
    assert desk.look() == ("refused", "first")
    desk.follower.standing.message.encode()
