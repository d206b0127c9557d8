"""The doctor on a real cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import tiny
from tests.live.stacks import lay_out


@pytest.mark.parametrize("engine", ["lucene", "faiss"])
def test_the_local_cluster_can_do_a_small_stack_unless_it_wants_faiss(
    live_url: str, tmp_path: Path, engine: str
) -> None:
    project = lay_out(tmp_path, live_url, tiny.build(tmp_path))
    project.edit("index/NAME", "engine: lucene", f"engine: {engine}")
    ran = project.run("doctor", "--format", "json", "--cluster", live_url)
    assert ran.status == (1 if engine == "faiss" else 0), ran.out + ran.err
    problems = [each["topic"] for each in ran.json["findings"] if each["level"] == "problem"]
    assert problems == (["vectors"] if engine == "faiss" else [])
    assert {"version", "plugins", "settings", "ML nodes", "memory", "disk"} <= {
        each["topic"] for each in ran.json["findings"]
    }
    assert project.run("doctor", "--cluster", live_url).status == ran.status
