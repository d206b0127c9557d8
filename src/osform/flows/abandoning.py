"""Replacements that did not finish, taken away: the half-filled index, its copies of pipelines, a write block."""

from __future__ import annotations

from urllib.parse import quote

from osform.cluster import blocking
from osform.cluster.client import Cluster
from osform.cluster.gate import Gate
from osform.cluster.ledger import Ledger
from osform.cluster.retry import Patience, persist_if_there
from osform.core.address import Address
from osform.core.events import Note, Report, Warned
from osform.core.request import Request
from osform.core.state import State
from osform.flows import owning
from osform.kinds import KINDS, pipelines

_SECONDS = 120.0


def abandon(cluster: Cluster, ledger: Ledger, state: State, report: Report) -> tuple[Address, ...]:
    """Take away every new index that no alias has moved to, and say which; what serves goes on serving.

    Raises Unreachable and RequestFailed.
    """
    gone: list[Address] = []
    left = [entry for entry in state.entries.values() if entry.role == "next"]
    serving = [each for each in left if each.of and blocking.serves(cluster, each.of.name, str(each.ids["index"]))]
    for entry in left:
        index, source = str(entry.ids["index"]), str(entry.journal.get("source", ""))
        if entry in serving:
            report(Warned(f"{index} serves already, and stays: osform apply writes down the rest"))
            continue
        if source and blocking.is_blocked(cluster, source, Patience.of(_SECONDS)):
            Gate(cluster, source, index, entry.journal.get("pipelines", {})).reopen(Patience.of(_SECONDS))
        persist_if_there(cluster, Request("DELETE", f"/{quote(index)}"), Patience.of(_SECONDS))
        if source:
            blocking.drop_clone(cluster, source, str(entry.journal.get("kept", "")), Patience.of(_SECONDS))
        for copy in owning.copies_of(entry, state, [each.asked for each in serving]):
            path = pipelines.path(KINDS[copy.kind].BASE, copy.name)  # type: ignore[attr-defined]
            persist_if_there(cluster, Request("DELETE", path), Patience.of(_SECONDS))
        ledger.forget(entry.address)
        report(Note(f"{index} is gone; {entry.of} goes on with {source or 'what it had'}"))
        gone.append(entry.address)
    return tuple(gone)
