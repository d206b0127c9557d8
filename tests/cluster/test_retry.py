"""Which failures pass by themselves, and who is there at all."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osform.cluster.client import Cluster
from osform.cluster.retry import Patience, passes, persist, reach
from osform.core.request import Request
from osform.errors import RequestFailed, Unreachable
from tests.certificates import Said, serving


@pytest.mark.parametrize(
    ("status", "type", "reason", "may"),
    [
        (500, "illegal_state_exception", "Model is not all cleaned up, please try again. Model ID: m", True),
        (500, "status_exception", "Fail to search model version", True),
        (409, "status_exception", "version conflict, document version conflict", True),
        (429, "circuit_breaking_exception", "Memory Circuit Breaker is open", True),
        (400, "parse_exception", "can't parse it", False),
        (500, "illegal_state_exception", "something else", False),
    ],
)
def test_only_what_passes_by_itself_is_tried_again(status: int, type: str, reason: str, may: bool) -> None:
    assert passes(RequestFailed("DELETE /m", status, type, reason)) is may


@pytest.mark.parametrize(
    "said",
    [Said(), Said(403, {"error": "no"}), Said(404, b"<html>"), Said(301, headers={"location": "/_dashboards"})],
)
def test_whoever_answers_is_reached_whatever_the_answer(said: Said) -> None:
    with serving(said) as server:
        reach(Cluster(server.url))


class Slow(Cluster):
    """Stands for a cluster that is busy, and says so to whoever has a second for it."""

    def __init__(self) -> None:
        self.url, self.timeout = "memory", 60.0

    def send(self, request: Request, *, timeout: float | None = None) -> Any:
        if timeout is not None and timeout < 1:
            raise Unreachable(f"no answer within {timeout} s", why="timed out")
        raise RequestFailed(str(request), 429, "rejected_execution_exception", "the queue is full")


@given(st.randoms())
def test_what_a_busy_cluster_said_is_told_where_the_deadline_cuts_off_the_last_tries(chance: Random) -> None:
    pauses: list[float] = []
    patience = Patience(30, lambda: sum(pauses), pauses.append, chance.random)
    with pytest.raises(RequestFailed, match="the queue is full"):
        persist(Slow(), Request("GET", "/"), patience)
    assert sum(pauses) == pytest.approx(30)


class Leaving(Slow):
    """Stands for a cluster that was busy, and is gone since."""

    answers = 1

    def send(self, request: Request, *, timeout: float | None = None) -> Any:
        if self.answers == 0:
            raise Unreachable("nothing listens there", why="refused")
        self.answers -= 1
        return super().send(request, timeout=timeout)


def test_what_a_cluster_said_that_is_gone_since_is_not_told() -> None:
    pauses: list[float] = []
    patience = Patience.of(30, clock=lambda: sum(pauses), sleep=pauses.append)
    with pytest.raises(Unreachable, match="nothing listens there"):
        persist(Leaving(), Request("GET", "/"), patience)
    assert sum(pauses) == pytest.approx(30)


def test_who_is_not_there_is_asked_a_few_times() -> None:
    pauses: list[float] = []
    with pytest.raises(Unreachable, match="nothing listens there"):
        reach(Cluster("http://127.0.0.1:1"), clock=lambda: sum(pauses), sleep=pauses.append)
    assert 1 < sum(pauses) < 5
