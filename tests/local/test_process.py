"""Processes, and those that only have the same number."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from osform.local.process import Process, alive, began, end, find

SLEEP = "import time; print('ready', flush=True); time.sleep(60)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEP


def started(code: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=env, start_new_session=True
    )
    assert child.stdout is not None
    child.stdout.readline()
    return child


@pytest.fixture(name="child")
def sleeping_child() -> Iterator[Process]:
    with started(SLEEP) as child:
        yield Process(child.pid, began(child.pid) or "")
        child.kill()


def test_a_process_is_known_by_its_number_and_its_beginning(child: Process) -> None:
    assert alive(child)
    assert not alive(Process(child.pid, "another-boot:1"))


def test_none_is_not_alive() -> None:
    assert not alive(None)


def test_a_process_ends_when_it_is_asked_to(child: Process) -> None:
    assert end(child, patience=10)
    assert not alive(child)


def test_a_process_that_does_not_listen_is_killed() -> None:
    with started(STUBBORN) as stubborn:
        process = Process(stubborn.pid, began(stubborn.pid) or "")
        assert end(process, patience=0.3)
        assert not alive(process)


def test_a_process_that_took_over_the_number_is_left_alone(child: Process) -> None:
    assert not end(Process(child.pid, "before-the-reboot:7"), patience=1)
    assert alive(child)


def test_a_zombie_is_not_alive() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        while began(child.pid):
            pass
        assert Path("/proc", str(child.pid)).exists()


def test_a_node_that_was_never_written_down_is_found_by_its_environment() -> None:
    with started(SLEEP, {"OPENSEARCH_PATH_CONF": "/some/where"}) as child:
        assert find("OPENSEARCH_PATH_CONF=/some/where") == Process(child.pid, began(child.pid) or "")
        child.kill()
    assert find("OPENSEARCH_PATH_CONF=/some/where") is None
