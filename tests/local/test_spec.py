"""What a cluster is asked to be."""

from __future__ import annotations

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
