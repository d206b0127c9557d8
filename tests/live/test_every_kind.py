"""Every kind on a real cluster: applied, then an empty plan; each field edited, then that difference; removed, gone."""

from __future__ import annotations

import pytest

from osform.core.address import Address
from osform.core.document import dotted
from osform.core.request import Request
from osform.flows.looking import Eyes
from osform.kinds import KINDS
from osform.kinds.base import Wanted
from tests.live.every_kind import CASES, Case, Edit
from tests.live.stacks import Files

SECURED = frozenset({"action_group", "tenant", "role", "internal_user", "role_mapping"})
"""Kinds of the security plugin, which the open cluster has not: tests/live/test_secured.py."""


def edited(files: Files, case: Case, edit: Edit) -> list[str]:
    """Make one edit, and return the paths that the plan shows; nothing else may change."""
    files.edit(case.address, edit.old, edit.new)
    (change,) = files.plan().changes
    assert (str(change.address), change.action) == (case.address.replace("NAME", files.name), "update")
    return sorted(dotted(difference.path) for difference in change.differences)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_each_kind_from_its_first_apply_to_its_removal(files: Files, case: Case) -> None:
    live_through(files, case, "sesame")


def live_through(files: Files, case: Case, key: str) -> None:
    """Apply a resource, make each of its edits, remove it; ``key`` is the secret in it."""
    files.environ["KEY"] = key
    for address, text in {**case.beside, case.address: case.text}.items():
        files.write(address, text)
    files.apply()
    assert files.plan().empty
    for edit in case.edits:
        assert edited(files, case, edit) == sorted(path.replace("NAME", files.name) for path in edit.paths)
        files.apply()
        assert files.plan().empty
    files.path(case.address).unlink()
    (change,) = files.plan().changes
    assert change.action == "delete"
    files.apply()
    assert files.plan().empty
    removed = Address.parse(case.address.replace("NAME", files.name))
    if removed.kind != "cluster_settings":  # whose keys nobody asks for any more
        assert Eyes(files.cluster).look({removed: Wanted({})}) == {}


def test_every_kind_is_taken_through_its_life() -> None:
    assert {str(case) for case in CASES} >= set(KINDS) - SECURED


def test_an_alias_stays_on_an_index_that_is_made_anew(files: Files) -> None:
    files.write("index/NAME-one", "mappings: {properties: {a: {type: keyword}}}\n")
    files.write("alias/NAME", "indices: ['${index/NAME-one.name}']\n")
    files.apply()
    files.edit("index/NAME-one", "keyword", "long")
    assert [change.action for change in files.plan().changes] == ["replace", "update"]
    files.apply()
    assert files.plan().empty
    (name,) = files.cluster.send(Request("GET", f"/_alias/{files.name}"))
    assert name == f"{files.name}-one-v1"


@pytest.mark.parametrize("documents", [0, 1])
def test_an_alias_that_leaves_an_index_or_goes_is_not_taken_along_to_the_new_one(files: Files, documents: int) -> None:
    for name in ("one", "two"):
        files.write(f"index/NAME-{name}", "mappings: {properties: {a: {type: keyword}}}\n")
    for alias in ("leaves", "goes"):
        files.write(f"alias/NAME-{alias}", "indices: ['${index/NAME-one.name}']\n")
    files.apply()
    for number in range(documents):
        files.cluster.send(Request("PUT", f"/{files.name}-one/_doc/{number}", {"a": "7"}, {"refresh": "true"}))
    for name in ("one", "two")[: 2 - documents]:
        files.edit(f"index/NAME-{name}", "keyword", "long")
    files.edit("alias/NAME-leaves", "NAME-one", "NAME-two")
    files.path("alias/NAME-goes").unlink()
    files.apply()
    assert files.plan().empty
    found = files.cluster.send(Request("GET", f"/{files.name}*/_alias"))
    on = {
        alias: index for index, each in found.items() for alias in each["aliases"] if alias[9:] in ("-leaves", "-goes")
    }
    assert on == {f"{files.name}-leaves": f"{files.name}-two-v1"}


def test_an_index_is_made_after_the_templates_that_its_name_matches(files: Files) -> None:
    files.write("index_template/NAME-zz", "index_patterns: [NAME-*]\ntemplate: {settings: {refresh_interval: 7s}}\n")
    files.write("index/NAME-a", "mappings: {properties: {a: {type: keyword}}}\n")
    files.apply()
    (found,) = files.cluster.send(Request("GET", f"/{files.name}-a/_settings")).values()
    assert found["settings"]["index"]["refresh_interval"] == "7s"
    assert files.plan().empty
