"""The local cluster, on the one that the suite started."""

from __future__ import annotations

import requests

from osform.flows import local_cluster
from osform.local import running_url


def test_the_cluster_has_a_data_node_and_a_dedicated_ml_node(live_url: str, live_name: str) -> None:
    health = local_cluster.status(live_name).health
    assert health is not None
    assert {node.name: node.roles for node in health.nodes} == {
        "data": ("cluster_manager", "data", "ingest"),
        "ml": ("ml",),
    }


def test_its_url_is_known_to_whoever_asks(live_url: str, live_name: str) -> None:
    assert running_url(live_name) == live_url


def test_up_a_second_time_starts_nothing(live_url: str, live_name: str) -> None:
    before = [node.pid for node in local_cluster.status(live_name).nodes]
    assert [node.pid for node in local_cluster.up(live_name).nodes] == before


def test_the_plugins_are_those_of_the_release(live_url: str) -> None:
    plugins = requests.get(f"{live_url}/_cat/plugins?format=json&h=name,component", timeout=30).json()
    assert {plugin["component"] for plugin in plugins if plugin["name"] == "ml"} == {
        "opensearch-job-scheduler",
        "opensearch-knn",
        "opensearch-ml",
        "opensearch-neural-search",
    }


def test_the_ml_node_stops_alone_and_comes_back(live_url: str, live_name: str) -> None:
    local_cluster.down(live_name, node="ml")
    stopped = {node.node.name: node.pid is not None for node in local_cluster.status(live_name).nodes}
    back = {node.node.name: node.pid is not None for node in local_cluster.up(live_name).nodes}
    assert stopped == {"data": True, "ml": False}
    assert back == {"data": True, "ml": True}
