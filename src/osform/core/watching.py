"""What ``osform watch`` is asked to do, and how each stack that it keeps stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

Mode = Literal["automatic", "drift-only", "approve"]
OnDrift = Literal["repair", "report"]
State = Literal["unknown", "in sync", "drifted", "waiting", "refused", "failing"]
WhatHappened = Literal[
    "leading", "standby", "commit", "applied", "repaired", "refused", "waiting", "failing", "drifted", "in sync",
    "source away", "source back", "cluster away", "note", "stopped",
]  # fmt: skip


@dataclass(frozen=True)
class Approval:
    """Who may say that a commit is to be applied: a tag of this pattern on it, or a note of this ref. Either will do.

    ``signed`` demands a good signature on the tag, or on the commit that the note stands in.
    """

    tags: str = ""
    notes: str = ""
    signed: bool = True


@dataclass(frozen=True)
class Target:
    """One stack in one environment: the folder in the repository, and what may be done with it without being asked."""

    provision: str
    environment: str | None
    mode: Mode = "automatic"
    on_drift: OnDrift = "repair"
    approval: Approval | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """What distinguishes it from the others of one file."""
        return f"{self.provision}@{self.environment or 'default'}"


@dataclass(frozen=True)
class Teller:
    """Whom to tell of what happens: a URL that is sent JSON, or a command that is given it on its standard input."""

    on: tuple[str, ...]
    webhook: str = ""
    command: tuple[str, ...] = ()


@dataclass(frozen=True)
class WatchSpec:
    """All that a watch file says; times are seconds. ``name`` is that of the leadership that replicas share."""

    name: str
    repository: str
    ref: str
    every: float
    lease: float
    targets: tuple[Target, ...]
    signed: bool = False
    signers: str = ""
    tellers: tuple[Teller, ...] = ()


@dataclass(frozen=True)
class Standing:
    """How a target stands: which commit was looked at, which one the cluster is kept to, and what is wrong.

    ``good`` is the last commit that the cluster was brought to. ``rejected`` is one that the server refused midway, for
    ``reason``: it is not tried again. ``source`` is the repository that is followed. ``since`` is when ``state`` became
    what it is; times are ISO 8601 in UTC.
    """

    target: str
    stack: str = ""
    environment: str = ""
    state: State = "unknown"
    since: str = ""
    head: str = ""
    good: str = ""
    rejected: str = ""
    reason: str = ""
    message: str = ""
    pending: str = ""
    drift: tuple[str, ...] = ()
    applied_at: str = ""
    applied_seconds: float = 0.0
    source: str = ""

    def now(self, state: State, moment: str, **more: Any) -> Standing:
        """The standing with another state; ``since`` stays where the state does."""
        since = self.since if state == self.state and self.since else moment
        return replace(self, state=state, since=since, **more)

    def to_json(self) -> dict[str, Any]:
        """For programs, and for the ledger."""
        return {**asdict(self), "drift": list(self.drift)}

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Standing:
        """What ``to_json`` wrote, keys of other versions left out."""
        known = {key: value for key, value in stored.items() if key in cls.__dataclass_fields__}
        return cls(**{**known, "drift": tuple(stored.get("drift") or ())})


@dataclass(frozen=True)
class Happened:
    """Something that whoever runs the watch may want to know; ``standing`` is that of the target, where it has one."""

    what: WhatHappened
    message: str = ""
    commit: str = ""
    standing: Standing | None = None
    seconds: float = 0.0


Tell = Callable[[Happened], None]
