"""What a flow tells whoever runs it, while it works.

Flows and the layers below them never print: they are given a ``Report`` and call it. The command line draws bars and
lines from these values, a test collects them in a list, and a program may ignore them (``silent``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Note:
    """One line for the reader: what is being done now, or what was found."""

    text: str


@dataclass(frozen=True)
class Warned:
    """One line for the reader that wants attention, while the work goes on."""

    text: str


@dataclass(frozen=True)
class Begun:
    """A piece of work started; ``total`` is None where its size isn't known yet, ``unit`` e.g. bytes."""

    task: str
    total: int | None = None
    unit: str = ""


@dataclass(frozen=True)
class Advanced:
    """``done`` of the task's units are finished (a running total, not a step)."""

    task: str
    done: int
    total: int | None = None


@dataclass(frozen=True)
class Ended:
    """A piece of work is finished."""

    task: str


ChangeStatus = Literal["begun", "done", "failed", "skipped"]


@dataclass(frozen=True)
class Changed:
    """How a change of a plan goes: ``begun``, then ``done`` or ``failed``; or ``skipped``, never having begun.

    ``seconds`` is how long it took, ``message`` why it failed or was skipped.
    """

    address: str
    action: str
    status: ChangeStatus
    seconds: float = 0.0
    message: str = ""


Event = Note | Warned | Begun | Advanced | Ended | Changed
Report = Callable[[Event], None]


def silent(_event: Event) -> None:
    """The report that nobody reads."""
