"""Plan files: carried out as long as nothing has moved, otherwise refused with what did."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from osform.core.address import Address
from osform.core.request import Request
from osform.errors import InputError, PlanRefused
from osform.flows.plan_files import PlanFile, moved, recall, remember
from osform.flows.stack import Stack
from tests.flows.memory import MemoryCluster


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A stack of two search pipelines."""
    place = tmp_path / "provision"
    (place / "search_pipeline").mkdir(parents=True)
    (place / "stack.yaml").write_text("name: words\nvariables: {text: both}\n")
    for name in "pq":
        (place / "search_pipeline" / f"{name}.yaml").write_text("description: ${var.text}\n")
    return place


@pytest.fixture
def cluster() -> MemoryCluster:
    return MemoryCluster()


@pytest.fixture
def made(folder: Path, cluster: MemoryCluster, tmp_path: Path) -> Path:
    """A plan file of that stack and an empty cluster."""
    stack = Stack.load(folder)
    PlanFile.of(stack.plan(cluster), stack.spec, {"cluster_name": "one", "cluster_uuid": "u1"}).write(tmp_path / "f")
    return tmp_path / "f"


def refused(folder: Path, cluster: MemoryCluster, made: Path, **variables: Any) -> str:
    reviewed = PlanFile.read(made)
    with pytest.raises(PlanRefused) as raised:
        Stack.load(folder, variables=variables).apply(cluster, expect=reviewed.checksum, reviewed=reviewed)
    assert cluster.sent == []
    return raised.value.message


def test_a_plan_file_is_carried_out_where_nothing_has_moved(folder: Path, cluster: MemoryCluster, made: Path) -> None:
    reviewed = PlanFile.read(made)
    Stack.load(folder).apply(cluster, expect=reviewed.checksum, reviewed=reviewed).check()
    assert set(cluster.pipelines["_search"]) == {"p", "q"}


def test_a_file_that_moved_is_named_with_what_was_reviewed_and_what_is_now(
    folder: Path, cluster: MemoryCluster, made: Path
) -> None:
    (folder / "search_pipeline" / "p.yaml").write_text("description: words\n")
    message = refused(folder, cluster, made)
    assert 'search_pipeline/p: description: reviewed null -> "both", now null -> "words"' in message
    assert "search_pipeline/q" not in message


def test_what_came_and_went_since_the_review_is_named(folder: Path, cluster: MemoryCluster, made: Path) -> None:
    (folder / "search_pipeline" / "p.yaml").rename(folder / "search_pipeline" / "r.yaml")
    message = refused(folder, cluster, made)
    assert "search_pipeline/p: create, new was reviewed; nothing is to be done there any more" in message
    assert "search_pipeline/r: create, new; was not in the reviewed plan" in message


def test_a_cluster_that_moved_is_named_as_well(folder: Path, cluster: MemoryCluster, tmp_path: Path) -> None:
    stack = Stack.load(folder)
    stack.apply(cluster).check()
    other = Stack.load(folder, variables={"text": "words"})
    reviewed = PlanFile.of(other.plan(cluster), other.spec)
    cluster.pipelines["_search"]["q"]["version"] = 7
    with pytest.raises(PlanRefused, match=r"search_pipeline/q: version: 7 -> null was not in the reviewed plan"):
        other.apply(cluster, expect=reviewed.checksum, reviewed=reviewed)


def test_a_remembered_plan_says_what_moved_to_a_checksum(
    folder: Path, cluster: MemoryCluster, made: Path, tmp_path: Path
) -> None:
    remember(tmp_path / "cache", PlanFile.read(made))
    checksum = PlanFile.read(made).checksum
    stack = Stack.load(folder, variables={"text": "words"}, environ={"OSFORM_CACHE": str(tmp_path / "cache")})
    with pytest.raises(PlanRefused, match='reviewed null -> "both", now null -> "words"'):
        stack.apply(cluster, expect=checksum)
    assert recall(tmp_path / "cache", "../../f") is None


def test_a_checksum_from_elsewhere_is_answered_with_the_present_plan(folder: Path, cluster: MemoryCluster) -> None:
    plan = Stack.load(folder).plan(cluster)
    assert "search_pipeline/p: create, new" in moved(plan, "0" * 64, None).message


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"before": null', '"before": 5', "damaged or edited"),
        ('"osform": "', '"osform": "9', "made by osform 9"),
        ('"version": 1', '"version": 2', "layout 2"),
        ('"plan_file"', '"plan_fil"', "no plan file"),
        ("{", "", "no plan file, or one that is damaged"),
    ],
)
def test_a_file_that_is_no_good_plan_file_is_refused(made: Path, old: str, new: str, said: str) -> None:
    made.write_text(made.read_text().replace(old, new, 1))
    with pytest.raises(InputError, match=said):
        PlanFile.read(made)


def test_a_plan_file_says_what_was_to_be_copied_although_no_file_asks_for_it(
    folder: Path, cluster: MemoryCluster, tmp_path: Path
) -> None:
    (folder / "index").mkdir()
    (folder / "index" / "images.yaml").write_text("mappings: {properties: {title: {type: text}}}\n")
    Stack.load(folder).apply(cluster).check()
    cluster.counts["images-v1"] = 3
    stack = replace(Stack.load(folder), rebuild=frozenset({Address("index", "images")}))
    made = stack.plan(cluster)
    assert [change.action for change in made.changes] == ["replace"]
    PlanFile.of(made, stack.spec, rebuild=stack.rebuild).write(tmp_path / "f")
    reviewed = PlanFile.read(tmp_path / "f")
    again = replace(Stack.load(folder), rebuild=reviewed.rebuilt)
    assert again.plan(cluster).checksum == reviewed.checksum


def test_no_part_of_a_file_is_taken_for_the_whole(made: Path) -> None:
    text = made.read_text()
    for length in range(0, len(text) - 2, 97):
        made.write_text(text[:length])
        with pytest.raises(InputError):
            PlanFile.read(made)


@pytest.mark.parametrize(
    ("environment", "stack", "uuid", "said"),
    [
        ("other", "words", "u1", "a plan of the environment default, not of other"),
        (None, "letters", "u1", "a plan of the stack words, not of letters"),
        (None, "words", "u2", r"a plan of the cluster one \(u1\), and this one is two \(u2\)"),
    ],
)
def test_a_plan_of_another_stack_environment_or_cluster_is_refused(
    folder: Path, made: Path, environment: str | None, stack: str, uuid: str, said: str
) -> None:
    (folder / "environments").mkdir()
    (folder / "environments" / "other.yaml").write_text("text: other\n")
    (folder / "stack.yaml").write_text(f"name: {stack}\nvariables: {{text: both}}\n")
    with pytest.raises(PlanRefused, match=said):
        PlanFile.read(made).check(Stack.load(folder, environment).spec, _Named(uuid))


class _Named(MemoryCluster):
    """A cluster with a name and an id of its own."""

    def __init__(self, uuid: str) -> None:
        super().__init__()
        self.uuid = uuid

    def answer(self, request: Request, words: list[str], body: Any) -> Any:
        if request.path == "/":
            return {"cluster_name": "two", "cluster_uuid": self.uuid, "version": {"number": "3.6.0"}}
        return super().answer(request, words, body)
