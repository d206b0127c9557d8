"""A POST that must be carried out once, whatever becomes of its answers."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from osform.cluster.once import SETTLE_SECONDS, once
from osform.cluster.retry import Patience
from osform.errors import RequestFailed, Unreachable

LOST, BUSY = Unreachable("reset"), RequestFailed("POST", 429, "rejected_execution_exception", "full")
BAD = RequestFailed("POST", 400, "parse_exception", "bad")


@dataclass
class Server:
    """Stands for a server and the wire to it: each POST meets the next of ``faults``, None being none.

    ``arrives`` is when a POST that met a fault is carried out after all, counted from its fault.
    """

    faults: list[Exception | None]
    arrives: float | None = None
    made: list[float] = field(default_factory=list)
    posts: int = 0
    now: float = 0.0

    def post(self) -> str:
        self.posts += 1
        fault = self.faults.pop(0) if self.faults else None
        if fault is None:
            self.made.append(self.now)
            return f"m{len(self.made)}"
        if self.arrives is not None:
            self.made.append(self.now + self.arrives)
        raise fault

    def find(self) -> str | None:
        return "m1" if any(moment <= self.now for moment in self.made) else None

    def sleep(self, seconds: float) -> None:
        self.now += max(seconds, 0.01)

    def run(self, seconds: float = 60.0) -> str:
        return once(self.post, self.find, Patience.of(seconds, lambda: self.now, self.sleep))


def test_what_was_made_without_an_answer_is_found_and_not_made_again() -> None:
    server = Server([LOST], arrives=0.0)
    assert (server.run(), server.posts) == ("m1", 1)


def test_it_is_looked_for_some_seconds_before_it_is_sent_again() -> None:
    server = Server([LOST], arrives=SETTLE_SECONDS - 1)
    assert (server.run(), server.posts) == ("m1", 1)


def test_what_never_arrived_is_sent_again() -> None:
    server = Server([LOST, LOST])
    assert (server.run(), server.posts) == ("m1", 3)
    assert server.now >= 2 * SETTLE_SECONDS


def test_what_the_server_had_no_room_for_was_not_made_and_is_sent_again_soon() -> None:
    server = Server([BUSY, BUSY])
    assert (server.run(), server.posts) == ("m1", 3)
    assert server.now < 1


def test_what_is_refused_is_an_error_at_once() -> None:
    server = Server([BAD])
    with pytest.raises(RequestFailed, match="bad"):
        server.run()
    assert server.now == 0


def test_a_server_that_never_answers_is_given_up_at_the_deadline() -> None:
    server = Server([LOST] * 1000)
    with pytest.raises(Unreachable):
        server.run(20.0)
    assert 20 <= server.now < 20 + SETTLE_SECONDS + 1
