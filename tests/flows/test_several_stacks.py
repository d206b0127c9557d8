"""Several stacks on one cluster: what one reads of another, and what none may do to another."""

from __future__ import annotations

from pathlib import Path

import pytest

from osform.errors import InputError, PlanRefused, SpecError
from osform.files import stacks
from osform.flows.stack import Stack
from tests.flows.memory import MemoryCluster

INDEX = "settings: {default_pipeline: 'CLEAN'}\nmappings: {properties: {title: {type: text}}}\n"
PIPELINE = "processors: [{set: {field: a, value: b}}]\n"
READS = "${stack.search.ingest_pipeline/clean.name}"


def write(root: Path, name: str, **files: str) -> Path:
    folder = root / name / "provision"
    folder.mkdir(parents=True)
    (folder / "stack.yaml").write_text(f"name: {name}\n")
    for address, text in files.items():
        path = folder / f"{address.replace('__', '/')}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return folder


@pytest.fixture
def search(tmp_path: Path) -> Stack:
    return Stack.load(write(tmp_path, "search", ingest_pipeline__clean=PIPELINE), environ={})


@pytest.fixture
def shop(tmp_path: Path) -> Stack:
    return Stack.load(write(tmp_path, "shop", index__goods=INDEX.replace("CLEAN", READS)), environ={})


def test_an_output_of_another_stack_is_read_from_the_ledger(search: Stack, shop: Stack) -> None:
    cluster = MemoryCluster()
    search.apply(cluster)
    shop.apply(cluster).check()
    assert cluster.indices["goods-v1"]["settings"]["index.default_pipeline"] == "clean"
    assert shop.plan(cluster).empty


def test_a_stack_that_was_not_applied_yet_has_no_outputs(shop: Stack) -> None:
    words = (
        r"provision/index/goods.yaml:1 index/goods: .*ingest_pipeline/clean of the stack search \(default\) is not in"
    )
    with pytest.raises(PlanRefused, match=words):
        shop.plan(MemoryCluster())


def test_an_output_that_no_kind_has_is_found_without_a_cluster(tmp_path: Path) -> None:
    wrong = INDEX.replace("CLEAN", "${stack.search.ingest_pipeline/clean.nam}")
    with pytest.raises(SpecError, match="has no output 'nam'"):
        Stack.load(write(tmp_path, "shop", index__goods=wrong), environ={})


def test_what_another_stack_owns_is_neither_changed_nor_taken_over(tmp_path: Path, search: Stack) -> None:
    cluster = MemoryCluster()
    search.apply(cluster)
    other = "description: mine\n" + PIPELINE
    thief = Stack.load(write(tmp_path, "thief", ingest_pipeline__clean=other), environ={})
    with pytest.raises(PlanRefused, match=r"belongs to the stack search \(default\)"):
        thief.apply(cluster)
    thief.emptied().apply(cluster)
    assert cluster.pipelines["_ingest"]["clean"] == {"processors": [{"set": {"field": "a", "value": "b"}}]}


def test_stacks_come_after_those_that_they_read(tmp_path: Path, search: Stack, shop: Stack) -> None:
    write(tmp_path, "another")
    names = [folder.parent.name for folder in stacks.find(tmp_path)]
    assert names.index("search") < names.index("shop")
    assert set(names) == {"another", "search", "shop"}


def test_stacks_that_read_each_other_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "a", index__goods=INDEX.replace("CLEAN", "${stack.b.ingest_pipeline/clean.name}"))
    write(tmp_path, "b", index__more=INDEX.replace("CLEAN", "${stack.a.ingest_pipeline/clean.name}"))
    with pytest.raises(InputError, match="stacks that read each other"):
        stacks.find(tmp_path)
