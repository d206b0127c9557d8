"""Stacks as programs use them: ``Stack.load(...)``, ``.plan(cluster)``, ``.apply(cluster)``."""

from __future__ import annotations

from pathlib import Path

import pytest

import osform
from osform.errors import PlanRefused, SpecError
from osform.flows.owning import Adoption
from tests.flows.memory import MemoryCluster


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A stack of one pipeline."""
    (tmp_path / "provision" / "search_pipeline").mkdir(parents=True)
    (tmp_path / "provision" / "stack.yaml").write_text("name: words\nvariables: {text: both}\n")
    (tmp_path / "provision" / "search_pipeline" / "p.yaml").write_text("description: ${var.text}\n")
    return tmp_path / "provision"


def test_a_program_plans_applies_and_plans_again(folder: Path) -> None:
    cluster, stack = MemoryCluster(), osform.Stack.load(folder)
    plan = stack.plan(cluster)
    assert [change.action for change in plan.changes] == ["create"]
    stack.apply(cluster, expect=plan.checksum).check()
    assert stack.plan(cluster).empty
    assert cluster.pipelines["_search"] == {"p": {"description": "both"}}


def test_another_plan_than_the_one_that_was_reviewed_is_refused(folder: Path) -> None:
    cluster = MemoryCluster()
    reviewed = osform.Stack.load(folder).plan(cluster).checksum
    with pytest.raises(PlanRefused, match="the files or the cluster have changed"):
        osform.Stack.load(folder, variables={"text": "words"}).apply(cluster, expect=reviewed)
    assert cluster.sent == []


def test_the_ledger_remembers_who_applied_what(folder: Path) -> None:
    cluster = MemoryCluster()
    osform.Stack.load(folder).apply(cluster).check()
    entry = cluster.documents["words/default/search_pipeline/p"]
    assert (entry["status"], entry["asked"], entry["recorded"]) == ("applied", {"description": "both"}, entry["asked"])
    assert "@" in entry["applied_by"]
    assert entry["applied_at"].endswith("+00:00")


def test_two_environments_on_one_cluster_do_not_take_each_other_s_resources(folder: Path) -> None:
    cluster = MemoryCluster()
    (folder / "environments").mkdir()
    (folder / "environments" / "other.yaml").write_text("text: words\n")
    osform.Stack.load(folder).apply(cluster).check()
    with pytest.raises(PlanRefused, match=r"belongs to the stack words \(default\)"):
        osform.Stack.load(folder, "other").plan(cluster, adoption=Adoption(everything=True))
    osform.Stack.load(folder, "other").emptied().apply(cluster).check()
    assert cluster.pipelines["_search"] == {"p": {"description": "both"}}
    assert osform.Stack.load(folder).plan(cluster).empty


def test_mistakes_of_reading_and_of_checking_are_raised_together(folder: Path) -> None:
    (folder / "search_pipeline" / "p.yaml").write_text("description: [a]\n")
    (folder / "search_pipeline" / "q.yaml").write_text("descripton: a\n")
    with pytest.raises(SpecError) as raised:
        osform.Stack.load(folder)
    assert len(raised.value.problems) == 2
