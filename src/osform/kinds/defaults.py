"""What most kinds answer to the questions of ``base.Kind``; a kind imports what holds for it, and says the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from osform.core.address import Address
from osform.core.diff import Difference, differences
from osform.kinds.base import Body, Live


def needs(body: Body) -> Iterator[Address]:
    """The kind names other resources by reference only."""
    return iter(())


def drift(recorded: Body, live: Body) -> tuple[Difference, ...]:
    """Anything that is otherwise now."""
    return differences(recorded, live)


def refusal(changed: Sequence[Difference], live: Live) -> str | None:
    """Everything can be changed in place."""
    return None


def expendable(live: Live) -> bool:
    """Others may hold on to what is there."""
    return False


def remarks(changed: Sequence[Difference]) -> Sequence[str]:
    """Nothing that the differences don't say."""
    return ()
