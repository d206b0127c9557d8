"""Which failures pass by themselves, and who is there at all."""

from __future__ import annotations

import pytest

from osform.cluster.client import Cluster
from osform.cluster.retry import passes, reach
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


def test_who_is_not_there_is_asked_a_few_times() -> None:
    pauses: list[float] = []
    with pytest.raises(Unreachable, match="nothing listens there"):
        reach(Cluster("http://127.0.0.1:1"), clock=lambda: sum(pauses), sleep=pauses.append)
    assert 1 < sum(pauses) < 5
