"""The plan: an ordered list of changes with their reasons. What is printed is the value that is carried out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

from osform.core.address import Address
from osform.core.diff import ABSENT, Difference
from osform.core.document import dotted
from osform.core.values import concealed
from osform.errors import Place

Reason = Literal["changed", "drifted", "new", "removed", "foreign", "dependency"]
OWN = "osform"
"""Differences below this key are of what osform keeps to itself, such as ``protect``: no server hears of them."""


@dataclass(frozen=True)
class Effect:
    """Another resource that a change reaches although its own body stays: it uses what changes, ``through`` one or not.

    ``documents`` and ``vectors`` (names of fields) are those of an index whose vectors the change concerns.
    """

    address: Address
    through: Address
    documents: int | None = None
    vectors: tuple[str, ...] = ()

    def __str__(self) -> str:
        text = f"{self.address} uses {self.through}"
        if self.documents is not None:
            text += f": {self.documents:,} documents"
            text += f" with vectors in {', '.join(self.vectors)}" if self.vectors else ""
        return text

    def to_json(self) -> dict[str, Any]:
        """The effect for programs."""
        entry: dict[str, Any] = {"address": str(self.address), "through": str(self.through)}
        if self.documents is not None:
            entry |= {"documents": self.documents, "vectors": list(self.vectors)}
        return entry


@dataclass(frozen=True)
class Estimate:
    """What it takes to copy an index: how many documents, how long about, and how much disk until the old one goes.

    ``seconds`` is None where nothing is known of the model's pace; ``bytes`` are those of the index as it is.
    """

    documents: int
    bytes: int
    seconds: float | None = None

    def __str__(self) -> str:
        time = "" if self.seconds is None else f", about {_span(self.seconds)}"
        return f"{self.documents:,} documents to copy{time}; about {_size(self.bytes)} more on disk meanwhile"

    def to_json(self) -> dict[str, Any]:
        """The estimate for programs; sizes in bytes."""
        return {"documents": self.documents, "seconds": self.seconds, "bytes": self.bytes}


def _span(seconds: float) -> str:
    for unit, size in (("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(1, round(seconds))} s"


def _size(count: int) -> str:
    for unit, size in (("GB", 10**9), ("MB", 10**6)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{-(-count // 1000)} kB"


@dataclass(frozen=True, kw_only=True)
class Change:
    """One resource that will not stay as it is.

    ``asked`` is the whole body that is wanted, with Unknown leaves for what is known after apply, or None for a
    deletion. ``notes`` are sentences for the reader. ``moved_from`` is the address that the ledger knows it by,
    where it was renamed. ``effects`` are what else is reached, and ``estimate`` what copying will take; no parts of the
    checksum, since documents come and go.
    """

    action: ClassVar[str]

    address: Address
    reason: Reason
    differences: tuple[Difference, ...] = ()
    asked: Mapping[str, Any] | None = None
    place: Place | None = None
    notes: tuple[str, ...] = ()
    moved_from: Address | None = None
    effects: tuple[Effect, ...] = field(default=(), compare=False)
    estimate: Estimate | None = field(default=None, compare=False)

    @property
    def checksum(self) -> str:
        """A SHA-256 over all that the change would do."""
        return _sha256(_without_places(self))


class Create(Change):
    """The resource is not there yet."""

    action = "create"


class Update(Change):
    """The resource is changed in place."""

    action = "update"


class Replace(Change):
    """The resource can only be had by making a new one in its place."""

    action = "replace"


class Delete(Change):
    """The resource is no longer asked for."""

    action = "delete"


class Adopt(Change):
    """What is live already is taken over; what differs from the files is changed in place, where it can be."""

    action = "adopt"


@dataclass(frozen=True)
class Plan:
    """The changes in the order in which they are made, for one stack in one environment."""

    stack: str
    environment: str
    changes: tuple[Change, ...]
    warnings: tuple[str, ...] = field(default=(), compare=False)

    @property
    def empty(self) -> bool:
        """Whether the cluster is as the files say."""
        return not self.changes

    @property
    def checksum(self) -> str:
        """A SHA-256 over all that the plan would do.

        It is the same for the same plan of the same cluster, wherever the files lie and whatever comments they have.
        """
        value = {
            "stack": self.stack,
            "environment": self.environment,
            "changes": [_without_places(change) for change in self.changes],
        }
        return _sha256(value)

    def to_json(self) -> dict[str, Any]:
        """The plan for programs; secrets are fingerprints. The keys are documented and stay."""
        return {
            "stack": self.stack,
            "environment": self.environment,
            "checksum": self.checksum,
            "changes": [_change(change) for change in self.changes],
            "warnings": list(self.warnings),
        }


def _sha256(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _without_places(change: Change) -> dict[str, Any]:
    differences = tuple(replace(difference, place=None) for difference in change.differences)
    shown = _change(replace(change, place=None, differences=differences))
    del shown["effects"]
    shown.pop("estimate", None)
    return shown | {"asked": concealed(change.asked)}


def _change(change: Change) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "address": str(change.address),
        "action": change.action,
        "reason": change.reason,
        "file": change.place.file if change.place else None,
        "differences": [_difference(difference) for difference in change.differences],
        "notes": list(change.notes),
        "effects": [effect.to_json() for effect in change.effects],
    }
    if change.estimate:
        shown["estimate"] = change.estimate.to_json()
    return shown | ({"moved_from": str(change.moved_from)} if change.moved_from else {})


def _difference(difference: Difference) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "path": dotted(difference.path),
        "before": _shown(difference.before),
        "after": _shown(difference.after),
    }
    if difference.place:
        entry |= {"file": difference.place.file, "line": difference.place.line}
    return entry


def _shown(value: Any) -> Any:
    return None if value is ABSENT else concealed(value)
