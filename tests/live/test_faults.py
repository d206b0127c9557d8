"""Faults at the requests of an apply of every kind: the next apply ends in the same state, with nothing twice.

``make soak`` visits every request with every fault; ``make test`` visits a few, chosen by a seed that changes each day.
"""

from __future__ import annotations

import logging
import os
import random
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import count

import pytest

from osform.local.releases import DEFAULT_VERSION
from tests import tiny
from tests.live.disturbing import AT_ONCE, FAULTS, NEVER_ARRIVE, Counted, change, hasty, lasting
from tests.live.loopback import Loopback
from tests.live.stacks import Project
from tests.live.sweeps import Changing, Removing, Sweep

log = logging.getLogger(__name__)
SEED = time.strftime("%Y-%m-%d")
SWEEPS: dict[str, type[Sweep]] = {"making": Sweep, "changing": Changing, "removing": Removing}
EVERY_REQUEST = os.environ.get("OSFORM_SWEEP") == "every"
"""Kills also between two requests that only read: three times as long, and nothing has changed in between."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> tiny.Tiny:
    return tiny.build(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Loopback]:
    with Loopback() as server:
        yield server


@pytest.fixture(scope="module")
def small(live_url: str, model: tiny.Tiny, tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    """Applies of the small stack of six kinds."""
    root, numbers = tmp_path_factory.mktemp("small"), count()
    sweep = Sweep(lambda: hasty(root / str(next(numbers)), live_url, model))
    sweep.measure()
    return sweep


@pytest.fixture(scope="module", params=SWEEPS)
def whole(
    request: pytest.FixtureRequest,
    live_url: str,
    model: tiny.Tiny,
    elsewhere: Loopback,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Sweep]:
    """Applies of the stack of all kinds: that make it, change it, take it away."""
    root, numbers = tmp_path_factory.mktemp("whole"), count()

    def lay() -> Project:
        return hasty(root / str(next(numbers)), live_url, model, elsewhere)

    sweep = SWEEPS[request.param](lay)
    sweep.measure()
    counts = sweep.requests, sweep.kinds, sweep.changes, sweep.lasting
    log.info("%s: %d requests of %d kinds, %d changes, %d of them lasting", request.param, *counts)
    yield sweep
    sweep.close()


def visit(numbers: Iterable[int], act: Callable[[int], str]) -> None:
    """Do something at each of the numbers, and tell all that went wrong together.

    Applies are not equally long, since they poll: where three had fewer requests than the number, there is no more.
    """
    wrong: list[str] = []
    beyond = 0
    for number in numbers:
        if beyond == 3:
            break
        started = time.monotonic()
        try:
            ended = act(number)
        except AssertionError as error:
            ended = f"WRONG: {error}"
            wrong.append(f"request {number}: {error}")
        beyond = beyond + 1 if ended == "beyond" else 0
        log.info("request %d: %s, %.1f s", number, ended, time.monotonic() - started)
    assert not wrong, "\n".join(wrong)


def some(number: int, most: int, salt: str) -> list[int]:
    return sorted(random.Random(SEED + salt).sample(range(1, most + 1), number))


def before_request(number: int) -> Counted:
    return Counted([number])


def before_change(number: int) -> Counted:
    return Counted([number], change)


def test_after_a_kill_the_next_apply_ends_in_the_same_state(small: Sweep) -> None:
    visit(some(2, small.requests, "kill"), lambda number: small.killed(before_request(number)))


def test_after_a_kill_everything_can_be_taken_away(small: Sweep) -> None:
    visit(some(1, small.changes, "abandon"), lambda number: small.abandoned(before_change(number)))


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault != "late arrival"])
def test_a_fault_ends_well_or_in_a_clear_error(small: Sweep, fault: str) -> None:
    visit(some(1, small.points(fault), fault), lambda number: small.faulty([number], fault))


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_a_kill_between_every_two_requests(whole: Sweep) -> None:
    if EVERY_REQUEST:
        visit(range(1, whole.requests + 2), lambda number: whole.killed(before_request(number)))
    else:
        visit(range(1, whole.changes + 2), lambda number: whole.killed(before_change(number)))


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_a_kill_while_the_server_goes_on_with_what_it_was_asked(whole: Sweep) -> None:
    visit(range(1, whole.lasting + 1), lambda number: whole.killed(Counted([number], lasting), after=True))


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_a_kill_before_every_change_of_what_is_then_taken_away(whole: Sweep) -> None:
    if isinstance(whole, Removing):
        pytest.skip("after a kill the next apply takes it away, which is the sweep above")
    # What was there before it was changed takes as long to make as the rest: every third place has to do.
    step = 3 if isinstance(whole, Changing) else 1
    visit(range(1, whole.changes + 2, step), lambda number: whole.abandoned(before_change(number)))


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_at_every_request(whole: Sweep, fault: str, live_version: str) -> None:
    if fault in NEVER_ARRIVE and live_version != DEFAULT_VERSION:
        pytest.skip(f"the server sees nothing of it: as on {DEFAULT_VERSION}")
    most = whole.points(fault)
    stride = -(-most // AT_ONCE[fault])
    visit(range(1, stride + 1), lambda first: whole.faulty(range(first, most + 1, stride), fault))
