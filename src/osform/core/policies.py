"""Policies: rules of an organisation over what stacks ask for and over what a plan would do. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, time
from fnmatch import fnmatchcase
from typing import Any
from zoneinfo import ZoneInfo

from osform.core.address import Address
from osform.core.document import Document, Path
from osform.core.values import Secret, Unknown

_NOTHING = object()


@dataclass(frozen=True)
class Rule:
    """What one value must be. A value that is known only after apply, or is a secret, passes."""

    path: str
    test: str
    wanted: Any
    missing: bool

    def broken(self, body: Mapping[str, Any]) -> str | None:
        """What is wrong, or None."""
        found = _at(body, self.path.split("."))
        if found is _NOTHING:
            return None if self.missing else f"{self.path} is missing, expected {self.words}"
        if isinstance(found, Unknown | Secret) or self._holds(found):
            return None
        return f"{self.path} is {str(found)[:100]}, expected {self.words}"

    @property
    def words(self) -> str:
        """What is expected."""
        if self.test in ("like", "one_of"):
            return "one of " + ", ".join(map(str, self.wanted))
        return f"{self.test.replace('_', ' ')} {self.wanted}" if self.test != "equals" else str(self.wanted)

    def _holds(self, found: Any) -> bool:
        match self.test:
            case "at_least" | "at_most":
                number = _number(found)
                if number is None:
                    return False
                return bool(number >= self.wanted if self.test == "at_least" else number <= self.wanted)
            case "like":
                return any(fnmatchcase(_text(found), pattern) for pattern in self.wanted)
            case "one_of":
                return _text(found) in [_text(each) for each in self.wanted]
            case _:
                return _text(found) == _text(self.wanted)


@dataclass(frozen=True)
class Window:
    """When something may be done: on ``days`` (0 is Monday) from ``start`` to ``end``, past midnight if less."""

    days: frozenset[int]
    start: time
    end: time
    zone: ZoneInfo

    def open(self, now: datetime) -> bool:
        """Whether ``now`` is within it."""
        here = now.astimezone(self.zone)
        clock, day = here.time(), here.weekday()
        if self.start <= self.end:
            return day in self.days and self.start <= clock < self.end
        # What began yesterday evening belongs to yesterday.
        return (day in self.days and clock >= self.start) or ((day - 1) % 7 in self.days and clock < self.end)

    def __str__(self) -> str:
        days = " ".join(("mon", "tue", "wed", "thu", "fri", "sat", "sun")[day] for day in sorted(self.days))
        return f"{days} {self.start:%H:%M}-{self.end:%H:%M} {self.zone.key}"


@dataclass(frozen=True)
class Refusal:
    """Which changes a plan may not have: of these actions, of an index with at least so many ``documents``."""

    actions: frozenset[str]
    documents: int = 0
    window: Window | None = None


@dataclass(frozen=True)
class Policy:
    """One file of ``provision/policies/``: its name, whom it concerns, and what it demands or refuses."""

    name: str
    document: Document
    description: str
    environments: tuple[str, ...]
    resources: tuple[str, ...]
    rules: tuple[Rule, ...] = ()
    refusal: Refusal | None = None

    def concerns(self, environment: str, address: Address) -> bool:
        """Whether the policy says anything of a resource there."""
        named = any(fnmatchcase(str(address), pattern) for pattern in self.resources)
        return named and any(fnmatchcase(environment, pattern) for pattern in self.environments)

    def broken(self, body: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
        """What is wrong with a body, each with the rule's place in the policy."""
        for rule in self.rules:
            if said := rule.broken(body):
                yield ("require", rule.path), said


@dataclass(frozen=True)
class Violation:
    """One policy that a stack or its plan breaks. ``later`` is what a window will allow, once it is open."""

    policy: Policy
    path: Path
    message: str
    place: str
    later: bool = False

    def __str__(self) -> str:
        head = f"{self.policy.document.place(self.path)} policy {self.policy.name}: {self.message}"
        place = f" ({self.place})" if self.place else ""
        return f"{head}{place}" + (f"; {self.policy.description}" if self.policy.description else "")


def _at(value: Any, words: list[str]) -> Any:
    """What stands at a path; keys may be joined by dots on either side, and ``index.`` may be left out."""
    if not words:
        return value
    if not isinstance(value, Mapping):
        return _NOTHING
    for count in range(len(words), 0, -1):
        for key in (".".join(words[:count]), "index." + ".".join(words[:count])):
            if key in value:
                found = _at(value[key], words[count:])
                if found is not _NOTHING:
                    return found
    return _at(value["index"], words) if words[0] != "index" and "index" in value else _NOTHING


def _number(found: Any) -> float | None:
    if isinstance(found, bool):
        return None
    try:
        return float(found)
    except (TypeError, ValueError):
        return None


def _text(found: Any) -> str:
    return str(found).lower() if isinstance(found, bool) else str(found)
