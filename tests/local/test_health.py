"""When a cluster serves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from osform.local.health import Health, NodeHealth, probe, read

BOTH = {"data", "ml"}
DATA = NodeHealth("data", ("cluster_manager", "data", "ingest"), 1, 2)
ML = NodeHealth("ml", ("ml",), 1, 2)
WELL = Health("osform-default", "green", (DATA, ML), initializing=0, delayed=0, ml_ready=True)


def test_a_green_cluster_with_both_nodes_serves() -> None:
    assert WELL.serves(BOTH)


def test_a_yellow_one_serves_since_one_data_node_holds_no_replicas() -> None:
    assert replace(WELL, status="yellow").serves(BOTH)


@pytest.mark.parametrize(
    "health",
    [
        replace(WELL, status="red"),
        replace(WELL, nodes=(DATA,)),
        replace(WELL, initializing=1),
        replace(WELL, delayed=1),
        replace(WELL, ml_ready=False),
    ],
    ids=["a primary is missing", "the ML node is missing", "a shard starts", "a shard waits", "ML has no index yet"],
)
def test_anything_missing_is_waited_for(health: Health) -> None:
    assert not health.serves(BOTH)


def test_the_answers_of_the_server_become_one_value() -> None:
    health = {"cluster_name": "c", "status": "green", "initializing_shards": 0, "delayed_unassigned_shards": 0}
    memory = {"heap_used_in_bytes": 1, "heap_max_in_bytes": 2}
    stats = {"nodes": {"id": {"name": "ml", "roles": ["ml"], "jvm": {"mem": memory}}}}
    assert read(health, stats, ml_ready=True).nodes == (ML,)


def test_silence_is_no_health() -> None:
    assert probe("http://127.0.0.1:1") is None
