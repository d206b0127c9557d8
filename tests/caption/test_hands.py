"""When a model is said to have waited for pictures."""

from __future__ import annotations

from concurrent.futures import Future

from osform.caption.hands import Idle
from osform.caption.replicas import Answer


class Time:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def batch(idle: Idle) -> Future[Answer]:
    future: Future[Answer] = Future()
    idle.begun(future)
    return future


def test_the_first_batch_is_waited_for_while_processes_start() -> None:
    clock = Time()
    idle = Idle(1, clock)
    clock.now = 2.0
    idle.came(asked=0.5)
    assert (idle.starting, idle.waited) == (1.5, 0.0)


def test_a_batch_that_comes_while_the_model_computes_was_not_waited_for() -> None:
    clock = Time()
    idle = Idle(1, clock)
    idle.came(asked=0.0)
    batch(idle)
    clock.now = 5.0
    idle.came(asked=1.0)
    assert idle.waited == 0.0


def test_what_comes_after_the_model_was_done_was_waited_for_since_then() -> None:
    clock = Time()
    idle = Idle(1, clock)
    idle.came(asked=0.0)
    under_way = batch(idle)
    clock.now = 3.0
    under_way.set_result(Answer((), 0.0, 1))
    clock.now = 5.0
    idle.came(asked=1.0)
    assert idle.waited == 2.0


def test_one_of_two_copies_without_work_waits_too() -> None:
    clock = Time()
    idle = Idle(2, clock)
    idle.came(asked=0.0)
    batch(idle)
    clock.now = 1.0
    idle.came(asked=0.0)
    batch(idle)
    clock.now = 4.0
    idle.came(asked=1.0)
    assert (idle.starting, idle.waited) == (0.0, 1.0)
