"""What ``osform cluster`` prints."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from osform.cli.cluster import cluster
from osform.local.places import Places
from osform.local.spec import Spec
from osform.local.state import State, save


@pytest.fixture(name="data")
def a_stopped_cluster(tmp_path: Path) -> Path:
    place = Places(tmp_path, tmp_path).cluster("mine")
    place.node("data").logs.mkdir(parents=True)
    save(place.state, State(Spec("mine", port=9333)))
    place.node("data").log.write_text("one\ntwo\nthree\n")
    return tmp_path


def osform_cluster(data: Path, *arguments: str) -> Result:
    return CliRunner(env={"OSFORM_DATA_DIR": str(data)}).invoke(cluster, arguments, catch_exceptions=False)


def test_status_is_readable(data: Path) -> None:
    assert osform_cluster(data, "status", "--name", "mine").stdout.splitlines() == [
        "mine: OpenSearch 3.6.0 at http://127.0.0.1:9333, stopped",
        "  data  http://127.0.0.1:9333  stopped",
        "  ml    http://127.0.0.1:9334  stopped",
    ]


def test_status_is_json_for_programs(data: Path) -> None:
    answer = json.loads(osform_cluster(data, "status", "--name", "mine", "--format", "json").stdout)
    assert answer["url"] == "http://127.0.0.1:9333"
    assert answer["running"] is False
    assert answer["health"] is None
    assert [node["name"] for node in answer["nodes"]] == ["data", "ml"]


def test_status_of_nothing_says_how_to_start(data: Path) -> None:
    assert "osform cluster up" in osform_cluster(data, "status").stdout


def test_logs_are_the_last_lines(data: Path) -> None:
    assert osform_cluster(data, "logs", "--name", "mine", "--lines", "2").stdout == "two\nthree\n"


def test_one_node_is_not_purged(data: Path) -> None:
    result = osform_cluster(data, "down", "--name", "mine", "--node", "ml", "--purge")
    assert result.exit_code != 0
    assert "does not go with --node" in result.stderr


def test_every_command_and_option_is_in_the_docs() -> None:
    page = (Path(__file__).parents[2] / "docs/local-cluster.md").read_text(encoding="utf-8")
    options = {
        (name, option.opts[0])
        for name, command in cluster.commands.items()
        for option in command.params
        if option.opts[0].startswith("--")
    }
    synopses = [line for line in page.splitlines() if line.startswith("    osform cluster ")]
    documented = {(line.split()[2], f"--{word}") for line in synopses for word in re.findall(r"\[--([\w-]+)", line)}
    assert options - documented == set()
