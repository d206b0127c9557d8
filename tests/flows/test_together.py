"""Calls of several threads made as one."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from osform.flows.together import Together


def test_what_comes_while_one_batch_is_under_way_is_the_next_batch() -> None:
    batches: list[list[int]] = []
    first, go = threading.Event(), threading.Event()

    def act(items: Sequence[int]) -> list[int]:
        batches.append(sorted(items))
        first.set()
        go.wait(10)
        return [item * 10 for item in items]

    together = Together(act)
    with ThreadPoolExecutor(4) as pool:
        one = pool.submit(together, 1)
        first.wait(10)
        others = [pool.submit(together, number) for number in (2, 3, 4)]
        while len(together._waiting) < 3:
            threading.Event().wait(0.001)
        go.set()
        assert [one.result(), *(other.result() for other in others)] == [10, 20, 30, 40]
    assert batches == [[1], [2, 3, 4]]


def test_a_batch_that_fails_is_the_failure_of_the_thread_that_ran_it() -> None:
    failures = iter([ValueError("once")])

    def act(items: Sequence[int]) -> Sequence[int]:
        for failure in failures:
            raise failure
        return items

    together = Together(act)
    with pytest.raises(ValueError, match="once"):
        together(1)
    assert together(2) == 2
