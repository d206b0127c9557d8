"""The local cluster, on the one that the suite started."""

from __future__ import annotations

import os
import signal

import pytest
import requests

from osform.flows import local_cluster
from osform.local import running_url
from osform.local.settings import MACHINE


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


def test_the_nodes_say_that_they_are_local(live_url: str) -> None:
    attributes = requests.get(f"{live_url}/_cat/nodeattrs?format=json&h=node,attr,value", timeout=30).json()
    marked = {each["node"]: each["value"] for each in attributes if each["attr"] == "osform_local"}
    assert marked == {"data": "true", "ml": "true"}


def test_settings_of_the_machine_are_in_force(live_url: str) -> None:
    asked = "include_defaults=true&flat_settings=true&filter_path=defaults"
    defaults = requests.get(f"{live_url}/_cluster/settings?{asked}", timeout=30).json()["defaults"]
    assert {key: defaults[key] for key in MACHINE} == {key: str(value) for key, value in MACHINE.items()}


@pytest.mark.soak
def test_a_node_that_was_killed_is_brought_back_with_its_data(live_url: str, live_name: str) -> None:
    requests.put(f"{live_url}/kept/_doc/1?refresh=true", json={"text": "still here"}, timeout=30).raise_for_status()
    pid = next(node.pid for node in local_cluster.status(live_name).nodes if node.node.name == "data")
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    local_cluster.up(live_name)
    document = requests.get(f"{live_url}/kept/_doc/1", timeout=30).json()
    requests.delete(f"{live_url}/kept", timeout=30).raise_for_status()
    assert document["_source"] == {"text": "still here"}


@pytest.mark.soak
def test_a_single_node_does_all_and_a_purge_leaves_nothing(live_name: str, live_port: int) -> None:
    name, asked = f"{live_name}-single", local_cluster.Asked(port=live_port + 2, single=True, heap="512m")
    status = local_cluster.up(name, asked)
    local_cluster.down(name, purge=True)
    assert status.health is not None
    assert status.health.status == "green"
    assert [node.roles for node in status.health.nodes] == [("cluster_manager", "data", "ingest", "ml")]
    assert local_cluster.status(name) == local_cluster.Status(name)
