"""What `osform init` writes, applied as its own README says: real model, real cluster."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.stacks import Project


@pytest.fixture
def project(live_url: str, tmp_path: Path) -> Iterator[Project]:
    """An empty folder of a name of its own. The model's bundle is the one that every other stack uses."""
    project = Project(tmp_path / f"init{uuid.uuid4().hex[:8]}", live_url, "", own_cache=False)
    project.root.mkdir()
    project.environ["OSFORM_CLUSTER"] = live_url
    yield project
    assert project.take_away().status == 0


def test_a_new_stack_is_applied_filled_searched_and_passes_its_checks(project: Project) -> None:
    assert project.run("init").status == 0
    readme = (project.root / "provision" / "README.md").read_text()
    for line in re.findall(r"^    osform (\S.*?)(?:  +#.*)?$", readme, flags=re.MULTILINE):
        if line.startswith("cluster up"):
            continue
        words = [quoted or plain for quoted, plain in re.findall(r'"([^"]*)"|(\S+)', line)]
        done = project.run(*words, *(["--yes"] if words[0] == "apply" else []))
        assert done.status == 0, f"{line}\n{done.out}{done.err}"
    assert project.plan().status == 0
