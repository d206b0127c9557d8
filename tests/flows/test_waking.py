"""Models that are away while documents wait: deployed again, and not at the cost of all the time that there is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from osform.cluster.client import Cluster
from osform.core.events import Event, Note, Warned
from osform.flows.load.waking import Waker
from tests.cluster.ml_commons import MLCommons

SHA = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # of b"abc"
PATIENCE = 90.0


@dataclass
class Time:
    """A clock that goes by what is slept."""

    now: float = 1000.0
    events: list[Event] = field(default_factory=list)

    def sleep(self, seconds: float) -> bool:
        self.now += seconds
        return False


@pytest.fixture
def server() -> Iterator[MLCommons]:
    with MLCommons() as server:
        server.models["m"] = {"model_state": "REGISTERED", "total_chunks": 1, "model_content_hash_value": SHA}
        server.chunks["m"] = {0: b"abc"}
        yield server


def waker(server: MLCommons, time: Time) -> Waker:
    return Waker(
        Cluster(server.url), ["m"], patience=PATIENCE, clock=lambda: time.now, sleep=time.sleep,
        report=time.events.append,
    )  # fmt: skip


def test_a_model_that_is_away_is_deployed(server: MLCommons) -> None:
    waker(server, Time())("not ready")
    assert server.loaded == {"m": {"m1"}}


def test_a_deployment_that_never_ends_leaves_time_for_another(server: MLCommons) -> None:
    time, server.stuck = Time(), True
    wake, begun = waker(server, time), time.now
    wake("not ready")
    assert isinstance(time.events[-1], Warned)
    server.stuck = False
    time.now += 31
    wake("not ready")
    assert server.loaded == {"m": {"m1"}}
    assert time.now - begun < PATIENCE


def test_a_model_that_is_listed_and_does_not_answer_is_loaded_anew_soon(server: MLCommons) -> None:
    time = Time()
    wake = waker(server, time)
    for _ in range(12):  # all threads that wait for it call, and none of them puts the next try off
        wake("not ready")
        time.now += 1
    assert len(server.tasks) == 2
    assert any(isinstance(event, Note) and "loaded anew" in event.text for event in time.events)


def test_after_a_failure_the_next_try_has_to_wait(server: MLCommons) -> None:
    time, server.troubles = Time(), [{"m1": "model content changed"}] * 2
    wake = waker(server, time)
    wake("not ready")
    tried = len(server.tasks)
    time.now += 20
    wake("not ready")
    assert len(server.tasks) == tried
    time.now += 11
    wake("not ready")
    assert server.loaded == {"m": {"m1"}}
