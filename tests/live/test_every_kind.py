"""Every kind on a real cluster: applied, then an empty plan; each field edited, then that difference; removed, gone."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from osform.cluster.client import Cluster
from osform.core.address import Address
from osform.core.document import dotted
from osform.core.plan import Plan
from osform.flows.looking import Eyes
from osform.flows.stack import Stack
from osform.kinds import KINDS
from osform.kinds.base import Wanted
from tests.live.every_kind import CASES, Case, Edit


@dataclass
class Files:
    """A folder of resources, planned and applied in this process."""

    root: Path
    cluster: Cluster
    name: str

    def write(self, address: str, text: str) -> None:
        path = self.path(address)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("NAME", self.name))

    def path(self, address: str) -> Path:
        return self.root / f"{address.replace('NAME', self.name)}.yaml"

    def stack(self) -> Stack:
        return Stack.load(self.root)

    def plan(self) -> Plan:
        return self.stack().plan(self.cluster)

    def apply(self) -> None:
        self.stack().apply(self.cluster, force=True).check()


@pytest.fixture
def files(live_url: str, tmp_path: Path) -> Iterator[Files]:
    """An empty stack; what a test has made of it is taken away at the end."""
    cluster = Cluster(live_url)
    files = Files(tmp_path / "provision", cluster, f"k{uuid.uuid4().hex[:8]}")
    files.write("stack", "name: NAME\n")
    yield files
    for folder in files.root.iterdir():
        if folder.is_dir():
            shutil.rmtree(folder)
    files.apply()
    cluster.close()


def edited(files: Files, case: Case, edit: Edit) -> list[str]:
    """Make one edit, and return the paths that the plan shows; nothing else may change."""
    old, new = (text.replace("NAME", files.name) for text in (edit.old, edit.new))
    text = files.path(case.address).read_text()
    assert old in text
    files.write(case.address, text.replace(old, new))
    (change,) = files.plan().changes
    assert (str(change.address), change.action) == (case.address.replace("NAME", files.name), "update")
    return sorted(dotted(difference.path) for difference in change.differences)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_each_kind_from_its_first_apply_to_its_removal(files: Files, case: Case) -> None:
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
    assert {str(case) for case in CASES} >= set(KINDS) - {"model"}
