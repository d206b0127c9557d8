"""Indices that somebody made under a plain name, taken over and then made anew: the name becomes an alias."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from osform.cluster.client import Cluster
from tests import tiny
from tests.live.stacks import Project, add_model, lay_out
from tests.live.test_replacing import TEXTS, ask, behind, kill_at, vectors_of


@pytest.fixture
def adopted(live_url: str, tmp_path: Path, cluster: Cluster) -> Iterator[Project]:
    """An index made by hand under a plain name, taken over, and asked to change its model."""
    project = lay_out(tmp_path, live_url, tiny.build(tmp_path))
    add_model(project, "tiny2", tiny.build(tmp_path, seed=1))
    name, index = project.name, project.path("index/NAME")
    text = index.read_text()
    index.unlink()
    assert project.apply().status == 0
    by_hand: dict[str, Any] = yaml.safe_load(text.replace("${var.replicas}", "0"))
    by_hand["settings"]["index"]["default_pipeline"] = f"{name}-pipeline"
    by_hand["mappings"]["properties"]["vector"]["dimension"] = tiny.DIMENSION
    ask(cluster, "PUT", f"/{name}", by_hand)
    for number in range(20):
        ask(cluster, "PUT", f"/{name}/_doc/{number}?refresh=true", {"text": TEXTS[number % 4]})
    index.write_text(text)
    adopted = project.apply("--adopt", f"index/{name}")
    assert adopted.status == 0, adopted.err
    project.edit("model/NAME", "model: tiny", "model: tiny2")
    yield project
    project.take_away()


@pytest.mark.soak
@pytest.mark.parametrize("killed_at", ["", "_clone", "_aliases"])
def test_an_index_adopted_under_its_plain_name_is_cloned_in_the_moment_of_the_move(
    adopted: Project, cluster: Cluster, killed_at: str
) -> None:
    name = adopted.name
    before = vectors_of(cluster, name)
    if killed_at:
        kill_at(adopted, killed_at, 1)
    done = adopted.apply("--lock-timeout", "60")
    assert done.status == 0, done.err
    assert behind(cluster, name) == [f"{name}-v2"]
    settings = ask(cluster, "GET", f"/{name}-v2/_settings")[f"{name}-v2"]["settings"]["index"]
    assert settings["default_pipeline"] == f"{name}-pipeline-v2"  # not its own of old, by way of the alias
    assert adopted.plan().status == 0, adopted.run("plan").out
    back = adopted.run("rollback", f"index/{name}")
    assert back.status == 0, back.err
    assert (behind(cluster, name), vectors_of(cluster, name)) == ([f"{name}-v1"], before)
    ask(cluster, "PUT", f"/{name}/_doc/late?refresh=true", {"text": TEXTS[0]})
    assert vectors_of(cluster, name)["late"]["vector"] == pytest.approx(before["0"]["vector"])


@pytest.mark.soak
def test_a_clone_that_was_made_before_the_last_writes_is_made_again(adopted: Project, cluster: Cluster) -> None:
    name = adopted.name
    kill_at(adopted, "_clone", 1)
    ask(cluster, "PUT", f"/{name}/_settings", {"index.blocks.write": None})
    ask(cluster, "PUT", f"/{name}/_doc/late?refresh=true", {"text": TEXTS[0]})
    assert adopted.apply("--lock-timeout", "60").status == 0
    assert adopted.run("rollback", f"index/{name}").status == 0
    assert "late" in vectors_of(cluster, name)


@pytest.mark.soak
def test_what_is_abandoned_after_its_clone_was_made_leaves_the_plain_index_alone(
    adopted: Project, cluster: Cluster
) -> None:
    name = adopted.name
    kill_at(adopted, "_clone", 1)
    done = adopted.apply("--abandon", "--lock-timeout", "60")
    assert done.status == 0, done.err
    indices = ask(cluster, "GET", f"/_cat/indices/{name}*?format=json")
    assert [each["index"] for each in indices] == [name]
    ask(cluster, "PUT", f"/{name}/_doc/late?refresh=true", {"text": TEXTS[0]})
    assert [each for each in ask(cluster, "GET", "/_ingest/pipeline") if each.startswith(f"{name}-pipeline-v")] == []


@pytest.mark.soak
def test_what_was_begun_for_other_files_never_takes_the_old_indexs_new_name(adopted: Project, cluster: Cluster) -> None:
    name = adopted.name
    before = vectors_of(cluster, name)
    kill_at(adopted, "_clone", 1)
    adopted.edit("index/NAME", "m: 8,", "m: 12,")
    done = adopted.apply("--lock-timeout", "60")
    assert done.status == 0, done.err
    assert sorted(ask(cluster, "GET", f"/{name}*")) == [f"{name}-v3", f"{name}-v4"]
    assert (behind(cluster, name), adopted.plan().json["changes"]) == ([f"{name}-v4"], [])
    assert adopted.run("rollback", f"index/{name}").status == 0
    assert (behind(cluster, name), vectors_of(cluster, name)) == ([f"{name}-v3"], before)
