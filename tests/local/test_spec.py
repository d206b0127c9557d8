"""What a cluster is asked to be."""

from __future__ import annotations

from typing import Any

import pytest

from osform.errors import LocalClusterError
from osform.local.spec import Spec


def test_two_nodes_take_neighbouring_ports() -> None:
    nodes = Spec(port=9270).nodes
    assert [(node.name, node.http_port, node.transport_port) for node in nodes] == [
        ("data", 9270, 9370),
        ("ml", 9271, 9371),
    ]


def test_a_single_node_has_every_role() -> None:
    (node,) = Spec(single=True).nodes
    assert set(node.roles) == {"cluster_manager", "data", "ingest", "ml"}


def test_more_ml_nodes_have_numbers_and_the_next_ports() -> None:
    nodes = Spec(port=9270, ml_nodes=3).nodes
    assert [(node.name, node.http_port) for node in nodes] == [
        ("data", 9270), ("ml", 9271), ("ml-2", 9272), ("ml-3", 9273),
    ]  # fmt: skip
    assert {node.roles for node in nodes[1:]} == {("ml",)}


@pytest.mark.parametrize("asked", [{"ml_nodes": 0}, {"ml_nodes": 10}, {"ml_nodes": 2, "single": True}])
def test_another_number_of_ml_nodes_is_refused(asked: Any) -> None:
    with pytest.raises(LocalClusterError, match="ML nodes"):
        Spec(**asked)


def test_the_url_is_the_data_nodes() -> None:
    assert Spec(port=9300).url == "http://127.0.0.1:9300"


@pytest.mark.parametrize(("heap", "size"), [("1g", 1 << 30), ("768m", 768 << 20)])
def test_a_heap_is_given_in_mega_or_gigabytes(heap: str, size: int) -> None:
    assert Spec(heap=heap).heap_bytes == size


@pytest.mark.parametrize("heap", ["", "1", "1 g", "-1g", "1t", "1G", "100m"])
def test_another_heap_is_refused(heap: str) -> None:
    with pytest.raises(LocalClusterError):
        Spec(heap=heap)


@pytest.mark.parametrize("port", [0, 80, 65535, 70000])
def test_a_port_that_leaves_no_room_is_refused(port: int) -> None:
    with pytest.raises(LocalClusterError, match=str(port)):
        Spec(port=port)
