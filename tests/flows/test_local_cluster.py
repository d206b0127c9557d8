"""Up, down and status, as far as they need no OpenSearch."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from osform.core.events import Event, Note
from osform.errors import LocalClusterError
from osform.flows.local_cluster import Asked, Host, Status, down, log_files, status, up
from osform.local.places import Places
from osform.local.process import Process, began
from osform.local.spec import Spec
from osform.local.state import State, load, save

SELF = Process(os.getpid(), began(os.getpid()) or "")


@pytest.fixture(name="host")
def an_empty_host(tmp_path: Path) -> Host:
    """A machine on which nothing was ever started, and no Java is found."""
    return Host(Places(tmp_path / "cache", tmp_path / "data"), env={}, account=None)


def known(host: Host, state: State) -> None:
    place = host.places.cluster(state.spec.name)
    place.root.mkdir(parents=True)
    save(place.state, state)


def test_there_is_no_status_of_a_cluster_that_never_was(host: Host) -> None:
    assert status("mine", host=host) == Status("mine")


def test_the_status_of_a_stopped_cluster_names_its_nodes(host: Host) -> None:
    known(host, State(Spec("mine")))
    stopped = status("mine", host=host)
    assert not stopped.running
    assert [(node.node.name, node.pid) for node in stopped.nodes] == [("data", None), ("ml", None)]


def test_a_running_cluster_is_not_turned_into_another(host: Host) -> None:
    known(host, State(Spec("mine", port=9333), {"data": SELF}))
    with pytest.raises(LocalClusterError, match="is running with port 9333, not 9444") as caught:
        up("mine", Asked(port=9444), host=host)
    assert "osform cluster down --name mine" in str(caught.value.hint)


def test_data_of_one_version_are_not_opened_by_another(host: Host) -> None:
    known(host, State(replace(Spec(), version="2.0.0")))
    with pytest.raises(LocalClusterError, match=r"holds data of OpenSearch 2\.0\.0, not 3\.6\.0") as caught:
        up(asked=Asked(version="3.6.0"), host=host)
    assert "osform cluster down --purge" in str(caught.value.hint)


def test_down_where_nothing_is_says_so_and_leaves_no_trace(host: Host) -> None:
    said: list[Event] = []
    down("mine", host=host, report=said.append)
    assert said == [Note("there is no cluster mine")]
    assert not host.places.data.exists()


def test_down_leaves_a_process_alone_that_only_has_the_number_of_its_own(host: Host) -> None:
    known(host, State(Spec(), {"data": replace(SELF, began="before-the-reboot:1")}))
    down(host=host)
    assert load(host.places.cluster("default").state) == State(
        Spec(), {"data": replace(SELF, began="before-the-reboot:1")}
    )


def test_purge_removes_the_cluster_and_nothing_beside_it(host: Host) -> None:
    known(host, State(Spec("mine")))
    known(host, State(Spec("other")))
    down("mine", purge=True, host=host)
    assert status("mine", host=host).spec is None
    assert status("other", host=host).spec == Spec("other")


def test_an_unknown_node_is_answered_with_those_there_are(host: Host) -> None:
    known(host, State(Spec(single=True)))
    with pytest.raises(LocalClusterError, match="has no node ml") as caught:
        down(node="ml", host=host)
    assert caught.value.hint == "its nodes: data"
    with pytest.raises(LocalClusterError, match="has no node ml"):
        log_files(node="ml", host=host)


def test_logs_are_one_file_a_node(host: Host) -> None:
    known(host, State(Spec()))
    root = host.places.cluster("default").root
    assert log_files(host=host) == {
        "data": root / "data/logs/opensearch.log",
        "ml": root / "ml/logs/opensearch.log",
    }


def test_a_cluster_that_was_made_without_security_says_so_before_anything_else(host: Host) -> None:
    known(host, State(Spec("mine")))
    with pytest.raises(LocalClusterError, match="the cluster mine was made without security, and stays so") as caught:
        up("mine", Asked(secure=True), host=host)
    assert "osform cluster down --purge --name mine" in str(caught.value.hint)


def test_a_folder_that_can_not_be_made_is_a_sentence(host: Host, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(LocalClusterError, match=f"{tmp_path}/data") as caught:
        up(host=host)
    assert "OSFORM_DATA_DIR" in str(caught.value.hint)
