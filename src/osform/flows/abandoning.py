"""Replacements that did not finish, taken away: the half-filled index, its copies of pipelines, a write block."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from osform.cluster import blocking
from osform.cluster.client import Cluster
from osform.cluster.ledger import Ledger
from osform.cluster.retry import Patience, persist_if_there
from osform.core.address import Address
from osform.core.events import Note, Report, Warned
from osform.core.request import Request
from osform.core.state import Entry, State
from osform.core.values import leaves
from osform.kinds import KINDS, pipelines
from osform.kinds.settings import PIPELINES

_SECONDS = 120.0


def abandon(cluster: Cluster, ledger: Ledger, state: State, report: Report) -> tuple[Address, ...]:
    """Take away every new index that no alias has moved to, and say which; what serves goes on serving.

    Raises Unreachable and RequestFailed.
    """
    gone: list[Address] = []
    left = [entry for entry in state.entries.values() if entry.role == "next"]
    for entry in left:
        index, source = str(entry.ids["index"]), str(entry.journal.get("source", ""))
        if entry.of is not None and blocking.serves(cluster, entry.of.name, index):
            report(Warned(f"{index} serves already, and stays: osform apply writes down the rest"))
            continue
        if source and blocking.is_blocked(cluster, source, Patience.of(_SECONDS)):
            blocking.unblock(cluster, source, Patience.of(_SECONDS))
        persist_if_there(cluster, Request("DELETE", f"/{quote(index)}"), Patience.of(_SECONDS))
        for kind, copy in _copies(entry, state):
            path = pipelines.path(KINDS[kind].BASE, copy)  # type: ignore[attr-defined]
            persist_if_there(cluster, Request("DELETE", path), Patience.of(_SECONDS))
        ledger.forget(entry.address)
        report(Note(f"{index} is gone; {entry.of} goes on with {source or 'what it had'}"))
        gone.append(entry.address)
    return tuple(gone)


def _copies(entry: Entry, state: State) -> Iterator[tuple[str, str]]:
    """The pipelines that the new index alone would have used."""
    used = {
        leaf
        for other in state.entries.values()
        if other.role != "next" and other.address.kind == "index"
        for _, leaf in leaves(dict(other.recorded.get("settings", {})))
    }
    for setting, kind in PIPELINES:
        name = entry.asked.get("settings", {}).get(setting)
        plain = Address(kind, str(name).rpartition("-v")[0])
        if name and name not in used and plain in state.entries:
            yield kind, str(name)
