"""What the ledger remembers of a resource."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from osform.core.address import Address

Role = Literal["current", "past", "next"]


@dataclass(frozen=True)
class Entry:
    """One resource of one stack and environment, as it was last asked and last read back.

    ``status`` is ``applying`` from before the first write until the read-back has held. ``asked`` and ``recorded``
    hold fingerprints where secrets were. ``ids`` are what the server calls it: a model's id, a physical index.

    What a replacement leaves behind has an entry of its own with the role ``past``, and what it is filling one with
    the role ``next``; ``of`` is the resource that it was, or will be. A physical index of the past is kept ``until``
    then (ISO 8601, UTC), and whatever it uses as long. ``journal`` says how far the filling has come; of an index that
    serves, which one it took over from (``after``), and how far each of its shards was then (``handed``).
    """

    address: Address
    status: Literal["applying", "applied"]
    asked: Mapping[str, Any]
    recorded: Mapping[str, Any] = field(default_factory=dict)
    ids: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[Address, ...] = ()
    protect: bool = False
    applied_by: str = ""
    applied_at: str = ""
    commit: str | None = None
    role: Role = "current"
    of: Address | None = None
    until: str = ""
    journal: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class State:
    """What the ledger says: the entries of this stack and environment, and who owns the rest.

    ``key`` salts the fingerprints of secrets; it is None while there is no ledger. ``owners`` names for each address
    of another stack or environment ``stack (environment)``, and ``others`` are those entries, each with its owner.
    """

    entries: Mapping[Address, Entry] = field(default_factory=dict)
    owners: Mapping[Address, str] = field(default_factory=dict)
    key: str | None = None
    others: tuple[tuple[str, Entry], ...] = ()
