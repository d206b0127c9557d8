"""A model group is made once, whatever becomes of the answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from osform.cluster import groups
from osform.cluster.client import Cluster
from osform.core.events import silent
from osform.core.request import Request
from osform.errors import RequestFailed, Unreachable
from osform.kinds import ml

REGISTER = ml.register_group({"name": "encoders"})


class GroupServer(Cluster):
    """Stands for a server's model groups. ``fault`` is called before it acts, ``lost`` says to keep back one answer."""

    def __init__(self, fault: Callable[[], None] = lambda: None, *, lost: bool = False) -> None:
        self.groups: list[str] = []
        self.fault, self.lost = fault, lost
        self.now = 0.0
        self.searching: Callable[[], None] = lambda: None

    def send(self, request: Request, *, timeout: float | None = None) -> Any:
        if request.path.endswith("_search"):
            self.searching()
            return {"hits": {"hits": [{"_id": each} for each in self.groups]}}
        self.fault()
        if self.groups:
            raise RequestFailed(str(request), 400, "illegal_argument_exception", "the name is in use")
        self.groups.append("g1")
        if self.lost:
            raise Unreachable("no answer")
        return {"model_group_id": "g1"}

    def create(self, *, again: bool = False) -> str:
        return groups.create(
            self, REGISTER, again=again, report=silent, clock=lambda: self.now, sleep=lambda seconds: self.wait(seconds)
        )

    def wait(self, seconds: float) -> None:
        self.now += max(seconds, 0.01)


def failing(error: Exception, times: int) -> Callable[[], None]:
    left = iter(range(times))

    def fault() -> None:
        if next(left, None) is not None:
            raise error

    return fault


@pytest.mark.parametrize(
    "server",
    [
        GroupServer(),
        GroupServer(lost=True),
        GroupServer(failing(Unreachable("reset"), 2)),
        GroupServer(failing(RequestFailed("POST", 429, "rejected_execution_exception", "full"), 3)),
        GroupServer(failing(RequestFailed("POST", 503, "error", "away"), 1), lost=True),
    ],
)
def test_there_is_one_group_in_the_end(server: GroupServer) -> None:
    assert server.create() == "g1"
    assert server.groups == ["g1"]


def test_a_search_that_is_cut_off_in_the_last_moment_of_looking_is_tried_again() -> None:
    server = GroupServer(failing(Unreachable("reset"), 1))
    cuts = iter([Unreachable("reset")])

    def cut_off_late() -> None:
        if server.now > 4.9 and (error := next(cuts, None)):
            server.now += 1
            raise error

    server.searching = cut_off_late
    assert server.create() == "g1"
    assert next(cuts, None) is None


def test_what_an_earlier_run_made_is_found_before_anything_is_sent() -> None:
    server = GroupServer()
    server.groups.append("g1")
    assert server.create(again=True) == "g1"
    assert server.now == 0.0


def test_a_group_that_the_server_refuses_is_an_error_at_once() -> None:
    server = GroupServer(failing(RequestFailed("POST", 400, "parse_exception", "bad"), 1))
    with pytest.raises(RequestFailed, match="bad"):
        server.create()
    assert (server.groups, server.now) == ([], 0.0)


def test_a_server_that_never_answers_is_given_up() -> None:
    server = GroupServer(failing(Unreachable("refused"), 10_000))
    with pytest.raises(Unreachable):
        server.create()
    assert server.now < 70.0
