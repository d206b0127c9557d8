"""The history: what each run set out to do, what became of it, and how it is found again."""

from __future__ import annotations

from pathlib import Path

import pytest

from osform.core.history import Run
from osform.errors import InputError
from osform.flows.recording import find, history
from osform.flows.stack import Stack
from tests.flows.memory import MemoryCluster

PIPELINE = "description: d\nprocessors: [{set: {field: a, value: b}}]\n"


@pytest.fixture
def provision(tmp_path: Path) -> Path:
    folder = tmp_path / "provision"
    (folder / "ingest_pipeline").mkdir(parents=True)
    (folder / "stack.yaml").write_text("name: words\nhistory: 30d\n")
    (folder / "ingest_pipeline" / "p.yaml").write_text(PIPELINE)
    return folder


def apply(provision: Path, cluster: MemoryCluster) -> None:
    Stack.load(provision, environ={}).apply(cluster)


def test_an_apply_is_remembered_with_its_changes(provision: Path) -> None:
    cluster = MemoryCluster()
    apply(provision, cluster)
    (run,) = history(cluster, "words", "default", 20)
    assert (run.command, run.status, run.counts) == ("apply", "done", {"create": 1})
    whole = find(cluster, "last", "words", "default")
    assert [(each["address"], each["status"]) for each in whole.changes] == [("ingest_pipeline/p", "done")]


def test_an_apply_of_nothing_is_no_run(provision: Path) -> None:
    cluster = MemoryCluster()
    apply(provision, cluster)
    apply(provision, cluster)
    assert len(history(cluster, "words", "default", 20)) == 1


def test_what_failed_is_remembered_with_the_servers_words(provision: Path) -> None:
    cluster = MemoryCluster()
    cluster.refuses = "_ingest"
    apply(provision, cluster)
    (run,) = history(cluster, None, None, 20)
    assert run.status == "failed"
    assert "parse_exception" in run.message


def test_a_run_that_was_killed_is_said_to_be_cut_off(provision: Path) -> None:
    cluster = MemoryCluster()
    apply(provision, cluster)
    ((name, document),) = [(k, v) for k, v in cluster.documents.items() if v["type"] == "run"]
    cluster.documents[name] = {**document, "journal": {**document["journal"], "status": "under way"}}
    (run,) = history(cluster, "words", "default", 20)
    assert (run.status, run.message) == ("stopped", "it was cut off")


def test_a_run_is_found_by_the_beginning_of_its_id(provision: Path) -> None:
    cluster = MemoryCluster()
    apply(provision, cluster)
    (run,) = history(cluster, "words", "default", 20)
    assert find(cluster, run.id[:10], "", "").id == run.id
    with pytest.raises(InputError, match="no such run"):
        find(cluster, "1999", "", "")


def test_long_values_and_long_lists_of_differences_are_cut() -> None:
    many = [{"path": str(n), "before": None, "after": "x" * 1000} for n in range(50)]
    change = {"address": "index/a", "action": "create", "reason": "new", "differences": many}
    (short,) = Run("r", "s", "e", "apply", "me", "now").with_changes((change,)).changes
    assert (len(short["differences"]), short["more"]) == (20, 30)
    assert len(short["differences"][0]["after"]) == 300
