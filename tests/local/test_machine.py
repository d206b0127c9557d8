"""What the machine can bear."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from osform.errors import LocalClusterError
from osform.local.machine import (
    Account,
    account,
    available_memory,
    check_disk,
    check_folder,
    check_memory,
    check_ports,
    make_folder,
    reachable,
)

NOBODY = Account("nobody", 65534, 65534)


def test_folders_are_open_to_the_account_of_the_nodes_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        make_folder(tmp_path / "shared" / "inner", NOBODY)
        make_folder(tmp_path / "own", None)
    finally:
        os.umask(before)
    modes = [(tmp_path / name).stat().st_mode & 0o777 for name in ("shared", "shared/inner", "own")]
    assert modes == [0o755, 0o755, 0o700]


def test_a_taken_port_is_named_with_how_to_find_its_owner_and_one_that_is_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(LocalClusterError, match=f"port {port} ") as caught:
            check_ports([port], "osform cluster up --name mine")
    assert f"sport = :{port}" in str(caught.value.hint)
    assert "osform cluster up --name mine --port " in str(caught.value.hint)


def test_a_free_port_is_fine() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    check_ports([port])


def test_too_little_memory_is_one_sentence_with_what_would_fit() -> None:
    with pytest.raises(LocalClusterError) as caught:
        check_memory(2, 1 << 30, 2 << 30)
    assert caught.value.message == ("2 nodes with 1 GB of heap need 3.0 GB of memory, and 2.0 GB are available")
    assert "--single" in str(caught.value.hint)


def test_memory_that_nobody_states_is_not_held_against_the_machine() -> None:
    check_memory(2, 1 << 30, None)


def test_a_containers_limit_counts_when_it_is_lower(tmp_path: Path) -> None:
    def put(path: str, text: str) -> None:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)

    put("proc/meminfo", "MemTotal: 9 kB\nMemAvailable:  8388608 kB\n")
    assert available_memory(tmp_path) == 8 << 30
    put("sys/fs/cgroup/memory.current", "1073741824\n")
    put("sys/fs/cgroup/memory.max", "max\n")
    assert available_memory(tmp_path) == 8 << 30
    put("sys/fs/cgroup/memory.max", f"{4 << 30}\n")
    assert available_memory(tmp_path) == 3 << 30


def test_files_that_a_container_s_kernel_keeps_are_no_memory_in_use(tmp_path: Path) -> None:
    group = tmp_path / "sys/fs/cgroup"
    group.mkdir(parents=True)
    (group / "memory.max").write_text(f"{4 << 30}\n")
    (group / "memory.current").write_text(f"{4 << 30}\n")
    (group / "memory.stat").write_text(f"anon 9\nfile 8\ninactive_file {1 << 30}\nactive_file {2 << 30}\nshmem 7\n")
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemAvailable:  8388608 kB\n")
    assert available_memory(tmp_path) == 3 << 30


def test_no_machine_says_nothing_about_memory(tmp_path: Path) -> None:
    assert available_memory(tmp_path) is None


def test_too_little_disk_is_one_sentence_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(LocalClusterError, match=r"the download needs .* GB of disk") as caught:
        check_disk(tmp_path, 1 << 60, "the download")
    assert "OSFORM_CACHE_DIR" in str(caught.value.hint)


def test_root_runs_the_nodes_as_somebody_else() -> None:
    assert account(uid=0, name="nobody") != account(uid=1000)
    assert account(uid=1000) is None


def test_root_without_such_a_user_is_told_what_to_do() -> None:
    with pytest.raises(LocalClusterError, match="does not run as root") as caught:
        account(uid=0, name="no-such-user-here")
    assert caught.value.hint == "run osform as an ordinary user"


def test_a_closed_folder_above_keeps_another_account_out(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    (closed / "inside").mkdir(parents=True)
    closed.chmod(0o700)
    assert not reachable(closed / "inside", NOBODY)
    with pytest.raises(LocalClusterError, match="who can't enter"):
        check_folder(closed / "inside", NOBODY)


def test_a_folder_with_spaces_is_refused(tmp_path: Path) -> None:
    (tmp_path / "my data").mkdir()
    with pytest.raises(LocalClusterError, match="spaces"):
        check_folder(tmp_path / "my data", None)
