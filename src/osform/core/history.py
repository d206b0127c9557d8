"""What was done to a cluster: one record for each apply, rollback or deletion, as the ledger keeps it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

RunStatus = Literal["under way", "done", "failed", "stopped"]

# A record is for people who ask later; the plan itself may be megabytes.
_MOST_DIFFERENCES = 20
_LONGEST_VALUE = 300
_MOST_BYTES = 200_000


@dataclass(frozen=True)
class Run:
    """One run of a command that changed something, or wanted to.

    ``id`` begins with the time, so that ids sort as runs did. ``started_at`` is ISO 8601 in UTC. ``checksum`` is that
    of the plan. ``changes`` are the plan's, as ``Plan.to_json`` writes them, shortened, each with its ``status``
    (waiting, done, failed, skipped), ``seconds`` and ``message``. A run that is ``under way`` and holds no lock was cut
    off.
    """

    id: str
    stack: str
    environment: str
    command: str
    by: str
    started_at: str
    commit: str | None = None
    checksum: str = ""
    status: RunStatus = "under way"
    seconds: float | None = None
    message: str = ""
    changes: tuple[Mapping[str, Any], ...] = field(default=())
    counts: Mapping[str, int] = field(default_factory=dict)

    def with_changes(self, changes: tuple[Mapping[str, Any], ...]) -> Run:
        """The run with these changes, shortened, and how many there are of each action."""
        counts: dict[str, int] = {}
        for change in changes:
            counts[change["action"]] = counts.get(change["action"], 0) + 1
        return replace(self, changes=tuple(_shortened(changes)), counts=counts)

    def to_json(self) -> dict[str, Any]:
        """The run for programs; ``changes`` only where it has been read with them."""
        shown: dict[str, Any] = {
            "run": self.id,
            "stack": self.stack,
            "environment": self.environment,
            "command": self.command,
            "by": self.by,
            "started_at": self.started_at,
            "commit": self.commit,
            "checksum": self.checksum,
            "status": self.status,
            "seconds": self.seconds,
            "message": self.message,
            "counts": dict(self.counts),
        }
        return shown | ({"changes": [dict(change) for change in self.changes]} if self.changes else {})


def _shortened(changes: tuple[Mapping[str, Any], ...]) -> list[Mapping[str, Any]]:
    left = _MOST_BYTES
    kept: list[Mapping[str, Any]] = []
    for change in changes:
        found = change.get("differences", [])
        differences = [_cut(each) for each in found[:_MOST_DIFFERENCES]]
        size = len(json.dumps(differences))
        differences, left = (differences, left - size) if size <= left else ([], left)
        keys = ("address", "action", "reason", "file", "status", "seconds", "message")
        short = {key: change[key] for key in keys if key in change}
        kept.append({**short, "differences": differences, "more": len(found) - len(differences)})
    return kept


def _cut(difference: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _short(difference.get(key)) for key in ("path", "before", "after")}


def _short(value: Any) -> Any:
    text = json.dumps(value)
    return value if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}..."
