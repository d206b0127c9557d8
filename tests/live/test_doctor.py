"""The doctor on a real cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import tiny
from tests.live.stacks import lay_out


@pytest.mark.parametrize("engine", ["engine: lucene, ", "engine: faiss, ", ""])
def test_the_local_cluster_can_do_a_small_stack_unless_it_wants_another_engine_than_lucene(
    live_url: str, tmp_path: Path, engine: str
) -> None:
    project = lay_out(tmp_path, live_url, tiny.build(tmp_path))
    project.edit("index/NAME", "engine: lucene, ", engine)
    ran = project.run("doctor", "--format", "json", "--cluster", live_url)
    wrong = "lucene" not in engine
    assert ran.status == int(wrong), ran.out + ran.err
    problems = [each["topic"] for each in ran.json["findings"] if each["level"] == "problem"]
    assert problems == ["vectors"] * wrong
    assert {"version", "plugins", "settings", "ML nodes", "memory", "disk"} <= {
        each["topic"] for each in ran.json["findings"]
    }
    assert project.run("doctor", "--cluster", live_url).status == ran.status
    if wrong:
        refused = project.apply()
        assert (refused.status, "can only do lucene" in refused.err) == (1, True), refused.err
