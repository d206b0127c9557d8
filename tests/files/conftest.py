"""A repository with a commit, and what follows it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from osform.files.repository import Repository
from tests.watched import Origin, opened


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    origin = Origin(tmp_path / "git")
    origin.commit("first", {"a/one.txt": "one"})
    return origin


@pytest.fixture
def mirror(origin: Origin, tmp_path: Path) -> Iterator[Repository]:
    with closing(opened(origin, tmp_path)) as repository:
        yield repository
