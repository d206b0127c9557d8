"""Faults at the requests of an apply of every kind: the next apply ends in the same state, with nothing twice.

``make soak`` visits every request with every fault; ``make test`` visits a few, chosen by a seed that changes each day.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from tests.live.stacks import Project
from tests.live.sweeps import FAULTS, faulty, hasty, killed, undisturbed

Sweep = Callable[[Iterable[int], Callable[[Project, int], object]], None]
log = logging.getLogger(__name__)
SEED = time.strftime("%Y-%m-%d")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> tiny.Tiny:
    return tiny.build(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def usual(live_url: str, model: tiny.Tiny, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, int]:
    """What an apply leaves that nothing happens to, and how many requests it is."""
    project = hasty(tmp_path_factory.mktemp("usual") / "project", live_url, model)
    found = undisturbed(project)
    assert project.take_away("--lock-timeout", "30").status == 0
    return found


@pytest.fixture
def sweep(live_url: str, model: tiny.Tiny, tmp_path: Path) -> Sweep:
    """Does something at each of the numbers, each time to a new project, and tells all that went wrong together."""

    def run(numbers: Iterable[int], act: Callable[[Project, int], object]) -> None:
        wrong: list[str] = []
        for number in numbers:
            project = hasty(tmp_path / str(number), live_url, model)
            started = time.monotonic()
            try:
                ended = act(project, number)
                log.info("request %d: %s, %.1f s", number, ended, time.monotonic() - started)
            except AssertionError as error:
                wrong.append(f"request {number}: {error}")
                log.info(wrong[-1])
            assert project.take_away("--lock-timeout", "30").status == 0
        assert not wrong, "\n".join(wrong)

    return run


def some(count: int, usual: tuple[Any, int], salt: str) -> list[int]:
    return sorted(random.Random(SEED + salt).sample(range(11, usual[1] + 1), count))


def test_after_a_kill_the_next_apply_ends_in_the_same_state(sweep: Sweep, usual: tuple[Any, int]) -> None:
    sweep(some(3, usual, "kill"), lambda project, number: killed(project, number, usual[0]))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_ends_well_or_in_a_clear_error(sweep: Sweep, usual: tuple[Any, int], fault: str) -> None:
    sweep(some(1, usual, fault), lambda project, number: faulty(project, number, fault, usual[0]))


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_a_kill_between_every_two_requests(sweep: Sweep, usual: tuple[Any, int]) -> None:
    sweep(range(1, usual[1] + 2), lambda project, number: killed(project, number, usual[0]))


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_at_every_request(sweep: Sweep, usual: tuple[Any, int], fault: str) -> None:
    sweep(range(1, usual[1] + 1), lambda project, number: faulty(project, number, fault, usual[0]))
