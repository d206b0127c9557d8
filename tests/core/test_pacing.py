"""Pacing against a server that is simulated: it keeps the cores busy, does not queue without end, and yields."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osform.core.pacing import Bounds, Pacing


@dataclass
class Simulated:
    """Stands for an ML node: ``cores`` threads that take groups of documents in turn, ``seconds`` a document.

    More than ``limit`` documents at a time are refused; ``overhead`` is what a request takes besides.
    """

    cores: int = 2
    seconds: float = 0.002
    group: int = 16
    limit: int = 100_000
    overhead: float = 0.01
    now: float = 0.0
    busy: float = 0.0
    windows: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    def run(self, pacing: Pacing, documents: int, change: Callable[[float], None] = lambda _now: None) -> float:
        """Send so many documents at this pace; returns the documents a second."""
        free = [self.now] * self.cores
        under_way: list[tuple[float, int, bool]] = []
        held, left, began = 0, documents, self.now
        while left or under_way:
            while left and pacing.admits(held, len(under_way)):
                count = min(left, pacing.count)
                refused = held + count > self.limit
                heapq.heappush(under_way, (self.now + 0.01 if refused else self.end(free, count), count, refused))
                held, left = held + count, left - count
            self.now, count, refused = heapq.heappop(under_way)
            held -= count
            change(self.now)
            if refused:
                left += count
                pacing.pushed_back()
            else:
                pacing.answered(count, float(count))
            self.windows.append(pacing.window)
        return documents / (self.now - began)

    def end(self, free: list[float], count: int) -> float:
        last = self.now
        for start in range(0, count, self.group):
            seconds = self.seconds * min(self.group, count - start)
            begins = max(self.now, heapq.heappop(free))
            heapq.heappush(free, begins + seconds)
            last = max(last, begins + seconds)
        return last + self.overhead


@pytest.mark.parametrize("cores", [1, 2, 8, 32])
@pytest.mark.parametrize("group", [1, 16, 64])
@pytest.mark.parametrize("seconds", [0.0005, 0.01])
def test_it_keeps_the_cores_of_every_node_busy(cores: int, group: int, seconds: float) -> None:
    node = Simulated(cores, seconds, group)
    pacing = Pacing(Bounds(group=group, cores=cores), 120, node.clock)
    rate = node.run(pacing, round(60 * cores / seconds))
    assert rate > 0.93 * cores / seconds


@pytest.mark.parametrize("seconds", [0.0005, 0.01])
def test_what_it_has_under_way_is_no_more_than_a_few_seconds_of_work(seconds: float) -> None:
    node = Simulated(2, seconds)
    node.run(Pacing(Bounds(group=16, cores=2), 120, node.clock), round(120 / seconds))
    assert max(node.windows) <= max(64, 4.5 * 2 / seconds)
    assert sum(node.windows) / len(node.windows) < max(200, 1.5 * 2 / seconds)


def test_a_node_of_which_more_cores_are_told_than_it_has_is_served_as_it_is() -> None:
    node = Simulated(2)
    assert node.run(Pacing(Bounds(group=16, cores=16), 120, node.clock), 60_000) > 0.95 * 1000


def test_what_is_refused_halves_what_is_under_way_and_it_settles_below_the_limit() -> None:
    node = Simulated(8, limit=150)
    pacing = Pacing(Bounds(group=16, cores=8), 120, node.clock)
    assert node.run(pacing, 200_000) > 0.5 * 4000
    assert min(node.windows) >= 16


def test_it_finds_its_pace_again_when_a_busy_cluster_has_room() -> None:
    node = Simulated(4, 0.001)

    def change(now: float) -> None:
        node.limit = 40 if 5 < now < 10 else 100_000

    pacing = Pacing(Bounds(group=16, cores=4), 120, node.clock)
    node.run(pacing, 40_000, change)
    assert min(node.windows) < 64
    assert node.run(pacing, 60_000, change) > 0.93 * 4000
    assert node.windows[-1] >= 128


def test_a_request_holds_about_a_second_of_work() -> None:
    node = Simulated(2, 0.02)
    pacing = Pacing(Bounds(group=1, cores=2, model_seconds=1.0), 120, node.clock)
    node.run(pacing, 3_000)
    assert pacing.cost == pytest.approx(100, rel=0.3)
    assert pacing.seconds_for(100) == 30.0
    assert pacing.seconds_for(1e6) == 120


def test_a_number_that_was_asked_for_is_kept_to() -> None:
    pacing = Pacing(Bounds(count=50, clients=3, exact=True), 120, lambda: 0.0)
    assert pacing.count == 50
    assert pacing.admits(50, 1)
    assert not pacing.admits(50, 3)


@given(st.lists(st.tuples(st.floats(0.0, 5.0), st.integers(0, 3_000))), st.integers(1, 64), st.integers(1, 64))
def test_whatever_it_hears_something_is_always_sent(heard: list[tuple[float, int]], group: int, cores: int) -> None:
    now = [0.0]
    bounds = Bounds(group=group, cores=cores)
    pacing = Pacing(bounds, 120, lambda: now[0])
    for seconds, documents in heard:
        now[0] += seconds
        pacing.answered(documents, documents * 2.0) if documents else pacing.pushed_back()
        assert 1 <= pacing.count <= bounds.count
        assert 1 <= pacing.window <= max(bounds.under_way, bounds.least)
        assert pacing.admits(0, 0)
