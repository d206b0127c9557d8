"""What a track is given, and what it gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bench.harness import Arm, Better, Say, Settings, Table, measure
from bench.machine import watch
from bench.stage import Stage


@dataclass(frozen=True)
class Context:
    """What a track works with; ``say`` takes a line about how far it is."""

    settings: Settings
    say: Say
    running: Stage | None = None

    @property
    def stage(self) -> Stage:
        """The cluster, for a track with ``NEEDS_CLUSTER``."""
        assert self.running is not None, "the track does not say that it needs a cluster"
        return self.running

    def measure(
        self, arms: Sequence[Arm], rounds: int, *, title: str, unit: str, better: Better, reference: str
    ) -> Table:
        """Measure, while the machine is watched; the cluster's own processes count as ours."""
        return measure(
            arms,
            rounds,
            title=title,
            unit=unit,
            better=better,
            reference=reference,
            say=self.say,
            elsewhere=watch(self.running.pids if self.running else ()),
        )


class Track(Protocol):
    """A module that answers one question with tables."""

    ABOUT: str
    NEEDS_CLUSTER: bool

    def run(self, context: Context) -> list[Table]:
        """Measure. Raises what osform raises where it can't."""
        ...
