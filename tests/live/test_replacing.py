"""Indices made anew beside the old one: another model, another mapping, and what is left when something fails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from osform.cluster.client import Cluster
from osform.core.request import Request
from tests import tiny
from tests.live.stacks import Project, add_model, lay_out

TEXTS = ("a cat on a sofa", "the old harbour", "coffee and bread in the morning", "a dog in the snow", "")


@pytest.fixture
def project(live_url: str, tmp_path: Path) -> Iterator[Project]:
    """A small stack with two models to choose from, applied, and 300 documents in its index."""
    project = lay_out(tmp_path, live_url, tiny.build(tmp_path))
    add_model(project, "tiny2", tiny.build(tmp_path, seed=1))
    assert project.apply().status == 0
    rows = [{"_id": str(n), "text": f"{TEXTS[n % 5]} {n % 7}" if TEXTS[n % 5] else "", "n": n} for n in range(300)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = project.run("ingest", "rows.jsonl", "--into", project.name, "--cluster", live_url)
    assert done.status == 0, done.err
    yield project
    project.take_away()


@pytest.fixture
def cluster(live_url: str) -> Iterator[Cluster]:
    cluster = Cluster(live_url)
    yield cluster
    cluster.close()


def ask(cluster: Cluster, method: str, path: str, body: Any = None) -> Any:
    return cluster.send(Request(method, path, body))


def behind(cluster: Cluster, name: str) -> list[str]:
    return sorted(ask(cluster, "GET", f"/_alias/{name}"))


def test_another_model_means_a_new_index_with_all_documents_and_an_empty_plan(
    project: Project, cluster: Cluster
) -> None:
    project.edit("model/NAME", "model: tiny", "model: tiny2")
    plan = project.plan()
    assert plan.status == 2, plan.err
    changes = {change["address"]: change for change in plan.json["changes"]}
    assert changes[f"index/{project.name}"]["action"] == "replace"
    assert changes[f"model/{project.name}"]["action"] == "replace"
    done = project.apply()
    assert done.status == 0, done.err
    assert behind(cluster, project.name) == [f"{project.name}-v2"]
    assert ask(cluster, "GET", f"/{project.name}/_count")["count"] == 300
    again = project.plan()
    assert (again.status, again.json["changes"]) == (0, []), again.out


def test_another_mapping_is_copied_too(project: Project, cluster: Cluster) -> None:
    project.edit("index/NAME", "m: 8,", "m: 12,")
    done = project.apply()
    assert done.status == 0, done.err
    assert behind(cluster, project.name) == [f"{project.name}-v2"]
    assert project.plan().status == 0
