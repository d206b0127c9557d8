"""A plan that is written to a file, reviewed, and carried out later: as it was, or not at all."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from osform.cluster.client import Cluster
from osform.core.request import Request
from tests.live.stacks import Project

SECRET = "kaF7-9wq"


@pytest.fixture
def project(live_url: str, tmp_path: Path) -> Iterator[Project]:
    """Two pipelines in files, a secret in one of them."""
    project = Project(tmp_path, live_url, f"t{uuid.uuid4().hex[:8]}", {"KEY": SECRET})
    for name in ("ingest_pipeline", "search_pipeline"):
        (tmp_path / "provision" / name).mkdir(parents=True)
    project.path("stack").write_text(f"name: {project.name}\n")
    project.path("ingest_pipeline/NAME").write_text("processors:\n- set: {field: k, value: '${env.KEY}'}\n")
    project.path("search_pipeline/NAME").write_text("description: one\n")
    yield project
    assert project.take_away().status == 0


def test_a_plan_file_is_carried_out_and_only_once(project: Project, live_url: str) -> None:
    assert project.run("plan", "--out", "plan.json").status == 0
    assert SECRET not in (project.root / "plan.json").read_text()
    applied = project.run("apply", "plan.json")
    assert applied.status == 0, applied.err
    assert project.plan().status == 0
    again = project.run("apply", "plan.json")
    assert again.status == 1
    assert "create, new was reviewed; nothing is to be done there any more" in again.err


def test_an_edit_after_the_review_is_named_and_nothing_is_written(project: Project, live_url: str) -> None:
    assert project.run("plan", "--out", "plan.json").status == 0
    project.edit("search_pipeline/NAME", "one", "two")
    refused = project.run("apply", "plan.json")
    assert refused.status == 1
    assert f'search_pipeline/{project.name}: description: reviewed null -> "one", now null -> "two"' in refused.err
    assert len(project.plan().json["changes"]) == 2


def test_a_checksum_says_what_somebody_did_to_the_cluster(project: Project, live_url: str) -> None:
    assert project.apply().status == 0
    project.edit("search_pipeline/NAME", "one", "two")
    checksum = project.plan().json["checksum"]
    path = f"/_search/pipeline/{project.name}"
    Cluster(live_url).send(Request("PUT", path, {"description": "one", "version": 9}))
    refused = project.run("apply", "--expect", checksum)
    assert refused.status == 1
    assert f"search_pipeline/{project.name}: version: 9 -> null was not in the reviewed plan" in refused.err


def test_another_secret_is_another_plan(project: Project, live_url: str) -> None:
    assert project.apply().status == 0
    project.edit("search_pipeline/NAME", "one", "two")
    assert project.run("plan", "--out", "plan.json").status == 0
    project.environ["KEY"] = "b3-other"
    refused = project.run("apply", "plan.json")
    assert refused.status == 1
    assert "processors[0].set.value" in refused.err
    assert "b3-other" not in refused.err + refused.out
    project.environ["KEY"] = SECRET
    assert project.run("apply", "plan.json").status == 0
