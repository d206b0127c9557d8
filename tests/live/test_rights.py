"""Least privilege, on a secured cluster alone: the printed roles are enough, and no right in them is too much."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from osform.cluster.client import Cluster
from osform.core.request import Request
from tests import tiny
from tests.live import secured
from tests.live.full import edit_all, lay_out_all
from tests.live.loopback import Loopback
from tests.live.stacks import Project, Ran

LEAST = "least"


@pytest.fixture(name="project")
def project_of_one_who_has_little(live_url: str, tmp_path: Path) -> Iterator[Project]:
    """A stack of every kind that a machine by itself can serve, to be applied by a user without any right yet."""
    url = live_url.replace(f"{secured.WORKER}:", f"{LEAST}:")
    with Loopback() as elsewhere:
        project = lay_out_all(tmp_path / "project", url, tiny.build(tmp_path), elsewhere)
        yield project
        project.url = live_url
        project.take_away()


def printed(project: Project, verb: str) -> dict[str, Any]:
    body = yaml.safe_load(project.run("rights", verb).out)
    assert isinstance(body, dict)
    return body


def every(body: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Each right of a role, as the way to it."""
    cluster = [("cluster_permissions", right) for right in body["cluster_permissions"]]
    indices = [
        ("index_permissions", number, right)
        for number, each in enumerate(body["index_permissions"])
        for right in each["allowed_actions"]
    ]
    return [*cluster, *indices]


def without(body: dict[str, Any], way: tuple[Any, ...]) -> dict[str, Any]:
    """The role less one of its rights."""
    *_, right = way
    if way[0] == "cluster_permissions":
        return {**body, "cluster_permissions": [each for each in body["cluster_permissions"] if each != right]}
    less = [dict(each) for each in body["index_permissions"]]
    less[way[1]]["allowed_actions"] = [each for each in less[way[1]]["allowed_actions"] if each != right]
    return {**body, "index_permissions": less}


def not_missed(project: Project, cluster: Cluster, whole: dict[str, Any], ways: list[tuple[Any, ...]]) -> list[Any]:
    """Those without which a plan comes to its end; whichever keeps it from that must be named."""
    spare = []
    for way in ways:
        secured.give(cluster, without(whole, way), LEAST)
        told = project.run("plan")
        assert told.status == 0 or way[-1] in told.err, (way, told.status, told.err[-300:])
        if told.status == 0:
            spare.append(way)
    return spare


def test_plan_apply_edits_and_removal_run_with_the_printed_roles(project: Project, cluster: Cluster) -> None:
    plan, apply = printed(project, "plan"), printed(project, "apply")
    secured.give(cluster, plan, LEAST)
    assert project.plan().status == 2
    refused = project.apply()
    assert (refused.status, "is missing" in refused.err) == (1, True), refused.err
    for edited in (False, True):
        if edited:
            edit_all(project)
        secured.give(cluster, apply, LEAST)
        done = project.apply()
        assert done.status == 0, done.err
        secured.give(cluster, plan, LEAST)
        planned = project.plan()
        assert planned.status == 0, planned.out + planned.err
    secured.give(cluster, apply, LEAST)
    gone = project.take_away()
    assert gone.status == 0, gone.err


@pytest.mark.soak
def test_each_right_that_plan_is_without_is_named(project: Project, cluster: Cluster) -> None:
    """By the plan that copies an index, or where it can do without, by the one that deletes it under a policy."""
    secured.give(cluster, printed(project, "apply"), LEAST)
    assert project.apply().status == 0
    cluster.send(Request("POST", f"/{project.name}/_doc", {"text": "snow"}, {"refresh": "true"}))
    policy = project.path("policies/large")
    policy.parent.mkdir()
    policy.write_text("resources: index/*\nrefuse: {actions: [delete], documents: 1000000}\n")
    whole = printed(project, "plan")
    project.edit("index/NAME", "type: text\n", "type: text\n      analyzer: english\n")
    spare = not_missed(project, cluster, whole, every(whole))
    project.path("index/NAME").unlink()
    project.path("alias/NAME-all").unlink()
    assert not_missed(project, cluster, whole, spare) == []


@pytest.mark.soak
def test_each_right_that_apply_is_without_is_named_at_its_first_need(project: Project, cluster: Cluster) -> None:
    """From no right at all, each that is named is given: in the end those of the printed role, and no other."""
    whole = printed(project, "apply")
    given: set[tuple[Any, ...]] = set()
    for work in (project.apply, lambda: _edited(project), project.take_away):
        _until_done(work, whole, given, cluster)
    left = set(every(whole)) - given
    assert {way[-1] for way in left} <= SPARE


SPARE = {
    # Copies of an index, a lost answer, an alias that moves: what this stack's life has no need of.
    "indices:data/write/reindex", "indices:data/read/scroll", "cluster:monitor/task/get", "indices:admin/resize",
    "cluster:monitor/tasks/lists", "cluster:monitor/health", "indices:admin/block/add", "indices:admin/block/add[s]",
    "indices:admin/open", "indices:admin/close", "indices:admin/close[s]", "indices:monitor/stats",
    "indices:admin/refresh", "indices:admin/refresh[s]", "indices:data/read/scroll/clear", "indices:data/read/mget",
    "indices:admin/mappings/fields/get",
}  # fmt: skip


def _edited(project: Project) -> Ran:
    if not getattr(_edited, project.name, False):
        edit_all(project)
        setattr(_edited, project.name, True)
    return project.apply()


def _until_done(work: Callable[[], Ran], whole: dict[str, Any], given: set[tuple[Any, ...]], cluster: Cluster) -> None:
    for _ in range(100):
        body = whole
        for way in set(every(whole)) - given:
            body = without(body, way)
        secured.give(cluster, body, LEAST)
        told = work()
        named = set(re.findall(r"(?:cluster|indices):[\w/*]+(?:\[s\])?", told.err))
        new = {way for way in every(whole) if way[-1] in named} - given
        if not new:
            assert told.status == 0, told.err
            return
        given |= new
    raise AssertionError("no end to it")
