"""Arms, rounds and what is made of them: medians, the spread of the middle half, ratios.

Arms are interleaved, and every other round runs them backwards (ABC CBA ABC), so that a machine that gets slower or
warmer meanwhile does so to all of them. A ratio is taken round by round, between neighbours in time, and the median of
those is shown: on a shared machine it holds stiller than the ratio of two medians.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Better = Literal["more", "less"]
Say = Callable[[str], None]


class DidNotFinish(Exception):
    """A round in which an arm did not do its work; the message is the reason, and the round has no figure."""


@dataclass(frozen=True)
class Sample:
    """What one round of one arm gave: its figure in the table's unit, and other figures by name."""

    value: float
    extra: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Arm:
    """One way of doing the work. ``run`` does it once; it raises DidNotFinish where the work was not done."""

    name: str
    run: Callable[[], Sample]


@dataclass
class Series:
    """All rounds of one arm, in order; None where it did not finish, and ``failures`` says why."""

    arm: str
    samples: list[Sample | None] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def values(self) -> list[float]:
        return [sample.value for sample in self.samples if sample]

    @property
    def median(self) -> float | None:
        return statistics.median(self.values) if self.values else None

    @property
    def quartiles(self) -> tuple[float, float] | None:
        """The first and the third quartile; the spread between them is the IQR."""
        return quartiles(self.values)

    @property
    def extra(self) -> dict[str, float]:
        """The median of each other figure."""
        names = {name for sample in self.samples if sample for name in sample.extra}
        return {
            name: statistics.median(sample.extra[name] for sample in self.samples if sample and name in sample.extra)
            for name in sorted(names)
        }


def quartiles(values: Sequence[float]) -> tuple[float, float] | None:
    """The first and third quartile of some figures, themselves included; None of none."""
    if len(values) < 2:
        return (values[0], values[0]) if values else None
    first, _, third = statistics.quantiles(values, n=4, method="inclusive")
    return first, third


def percentile(values: Sequence[float], percent: float) -> float:
    """The least of some figures that so many percent of them don't exceed; there has to be one."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


@dataclass
class Table:
    """What was measured of some arms; ``better`` says which figures are the good ones, ``reference`` is the peer.

    ``elsewhere`` is how many cores other programs kept busy meanwhile, on average; None where that can't be known.
    """

    title: str
    unit: str
    better: Better
    reference: str
    series: list[Series]
    notes: list[str] = field(default_factory=list)
    elsewhere: float | None = None

    def speeds(self, arm: str) -> list[float]:
        """How many times as fast as the reference the arm was, in each round that both finished."""
        mine, theirs = self._of(arm), self._of(self.reference)
        pairs = [(a.value, b.value) for a, b in zip(mine.samples, theirs.samples, strict=True) if a and b]
        return [a / b if self.better == "more" else b / a for a, b in pairs]

    def speed(self, arm: str) -> float | None:
        """The median of ``speeds``."""
        speeds = self.speeds(arm)
        return statistics.median(speeds) if speeds else None

    def _of(self, arm: str) -> Series:
        return next(series for series in self.series if series.arm == arm)


def order(arms: Sequence[Arm], round: int) -> Iterable[Arm]:
    """The order of a round, which is counted from 0: forwards, then backwards, and so on."""
    return arms if round % 2 == 0 else tuple(reversed(arms))


def measure(
    arms: Sequence[Arm],
    rounds: int,
    *,
    title: str,
    unit: str,
    better: Better,
    reference: str,
    say: Say,
    elsewhere: Callable[[], Callable[[], float | None]] = lambda: lambda: None,
) -> Table:
    """Run all arms ``rounds`` times. ``elsewhere`` starts watching the machine and returns what ends it."""
    series = {arm.name: Series(arm.name) for arm in arms}
    watched = elsewhere()
    for round in range(rounds):
        for arm in order(arms, round):
            try:
                sample: Sample | None = arm.run()
            except DidNotFinish as error:
                sample = None
                series[arm.name].failures.append(str(error))
            series[arm.name].samples.append(sample)
            shown = f"{sample.value:,.1f} {unit}" if sample else f"did not finish: {series[arm.name].failures[-1]}"
            say(f"{title}, round {round + 1} of {rounds}, {arm.name}: {shown}")
    return Table(title, unit, better, reference, list(series.values()), elsewhere=watched())


@dataclass(frozen=True)
class Settings:
    """How much is measured. ``rounds`` is None where each track takes its own number; ``seed`` picks the texts."""

    rounds: int | None = None
    quick: bool = False
    documents: int | None = None
    seed: int = 1

    def rounds_or(self, usual: int) -> int:
        """The number of rounds of a track that usually takes ``usual``; one of a quick run."""
        return self.rounds or (1 if self.quick else usual)

    def documents_or(self, usual: int, quick: int) -> int:
        """The number of documents of a track."""
        return self.documents or (quick if self.quick else usual)
