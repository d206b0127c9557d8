"""The file that says what was started, and the folders that it lies in."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from osform.errors import LocalClusterError
from osform.local import running_url
from osform.local.places import Places, places
from osform.local.process import Process, began
from osform.local.spec import Spec
from osform.local.state import State, load, save, write

SELF = Process(os.getpid(), began(os.getpid()) or "")
GONE = Process(os.getpid(), "another-boot:1")


@pytest.fixture(name="at")
def places_in_a_new_folder(tmp_path: Path) -> Places:
    return Places(tmp_path / "cache", tmp_path / "data")


def saved(at: Places, state: State) -> None:
    file = at.cluster(state.spec.name).state
    file.parent.mkdir(parents=True)
    save(file, state)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    state = State(Spec("mine", port=9300, single=True), {"data": SELF})
    save(tmp_path / "cluster.json", state)
    assert load(tmp_path / "cluster.json") == state


def test_a_running_data_node_gives_the_url(at: Places) -> None:
    saved(at, State(Spec(port=9333), {"data": SELF}))
    assert running_url(at=at) == "http://127.0.0.1:9333"


def test_after_a_reboot_the_number_of_a_process_is_not_believed(at: Places) -> None:
    saved(at, State(Spec(), {"data": GONE}))
    assert running_url(at=at) is None


def test_an_ml_node_alone_is_no_cluster_to_talk_to(at: Places) -> None:
    saved(at, State(Spec(), {"ml": SELF}))
    assert running_url(at=at) is None


def test_a_cluster_that_never_was_has_no_url(at: Places) -> None:
    assert running_url("other", at=at) is None


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"spec": {"colour": 1}, "processes": {}}'])
def test_a_damaged_file_is_named_with_the_remedy(tmp_path: Path, text: str) -> None:
    (tmp_path / "cluster.json").write_text(text)
    with pytest.raises(LocalClusterError, match=r"cluster\.json") as caught:
        load(tmp_path / "cluster.json")
    assert caught.value.hint


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    write(tmp_path / "file", "old")
    with pytest.raises(UnicodeEncodeError):
        write(tmp_path / "file", "\ud800")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_a_write_replaces_a_link_and_does_not_follow_it(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "file").symlink_to("precious")
    write(tmp_path / "file", "new")
    assert (tmp_path / "precious").read_text() == "precious"


@pytest.mark.parametrize("name", ["", "..", "a/b", "UPPER", "-x", "x" * 41])
def test_a_name_that_is_no_folders_is_refused(at: Places, name: str) -> None:
    with pytest.raises(LocalClusterError, match="can't name a cluster"):
        at.cluster(name)


def test_roots_folders_are_outside_its_home() -> None:
    assert places({}, uid=0) == Places(Path("/var/cache/osform"), Path("/var/lib/osform"))


def test_a_users_folders_are_its_own() -> None:
    assert Path.home() in places({}, uid=1000).data.parents or "XDG_DATA_HOME" in os.environ


def test_the_environment_says_other_folders() -> None:
    env = {"OSFORM_CACHE_DIR": "/big/cache", "OSFORM_DATA_DIR": "/big/data"}
    assert places(env, uid=0) == Places(Path("/big/cache"), Path("/big/data"))


def test_a_purge_does_not_take_the_lock_away(at: Places) -> None:
    assert at.cluster("mine").root not in at.lock("mine").parents
