"""One at a time."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from osform.core.events import Event, Note, silent
from osform.errors import LocalClusterError
from osform.local.lock import held


def test_the_second_waits_for_the_first_and_says_so(tmp_path: Path) -> None:
    order: list[str] = []
    said: list[Event] = []
    inside = threading.Event()

    def first() -> None:
        with held(tmp_path / "lock", "it", silent):
            inside.set()
            order.append("first")
            while not said:
                pass
            order.append("first is done")

    thread = threading.Thread(target=first)
    thread.start()
    inside.wait()
    with held(tmp_path / "lock", "it", said.append, step=0.01):
        order.append("second")
    thread.join()
    assert order == ["first", "first is done", "second"]
    assert said == [Note("waiting for another osform that works on it")]


def test_waiting_has_an_end(tmp_path: Path) -> None:
    with (
        held(tmp_path / "lock", "it", silent),
        pytest.raises(LocalClusterError, match="has been working on it"),
        held(tmp_path / "lock", "it", silent, patience=0.02, step=0.01),
    ):
        pass


def test_a_lock_is_free_again_after_its_block(tmp_path: Path) -> None:
    for _ in range(2):
        with held(tmp_path / "new" / "lock", "it", silent, patience=0):
            pass
