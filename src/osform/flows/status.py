"""Status: which resources there are, since when, by whom, from which commit, and whether each is well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from osform.core.address import Address
from osform.core.request import Request
from osform.core.resource import in_order
from osform.flows.drifting import Drift
from osform.flows.looking import Eyes
from osform.flows.survey import Survey


@dataclass(frozen=True)
class Row:
    """One resource: the ledger's record of it, and how it is now. ``documents`` is None for what is no index."""

    address: Address
    applied_at: str
    applied_by: str
    commit: str | None
    healthy: bool
    health: str
    documents: int | None = None

    def to_json(self) -> dict[str, Any]:
        """The row for programs; times are ISO 8601, in UTC."""
        return {
            "address": str(self.address),
            "applied_at": self.applied_at or None,
            "applied_by": self.applied_by or None,
            "commit": self.commit,
            "healthy": self.healthy,
            "health": self.health,
            "documents": self.documents,
        }


def rows(survey: Survey, drifted: tuple[Drift, ...], eyes: Eyes) -> tuple[Row, ...]:
    """Everything that the files ask for or the ledger remembers, first-needed first."""
    entries = survey.state.entries
    known = {**survey.spec.resources, **entries}
    needs = {each: [n for n in (*survey.needs.get(each, ()),) if n in known] for each in known}
    trouble: dict[Address, list[str]] = {}
    for each in drifted:
        trouble.setdefault(each.address, []).append(each.what)
    indices = _indices(survey, eyes)
    return tuple(_row(survey, address, trouble.get(address, []), indices) for address in in_order(needs))


def _row(survey: Survey, address: Address, trouble: list[str], indices: Mapping[str, Mapping[str, Any]]) -> Row:
    entry, live = survey.state.entries.get(address), survey.live.get(address)
    if entry is None:
        return Row(address, "", "", None, False, "not applied")
    health, well, documents = "ok", True, None
    if live and address.kind == "model":
        health = f"served by {len(live.nodes)} node{'' if len(live.nodes) == 1 else 's'}"
    if live and "index" in live.ids:
        found = indices.get(live.ids["index"], {})
        documents = int(found.get("docs.count") or live.documents)
        health, well = str(found.get("health", "unknown")), found.get("health") != "red"
    if entry.role == "past":
        health = f"kept until {entry.until}" if entry.until else "kept with what uses it"
    elif address not in survey.spec.resources and entry.role == "current":
        trouble = [*trouble, "no longer in the files"]
    words = ", ".join(trouble) or health
    return Row(address, entry.applied_at, entry.applied_by, entry.commit, well and not trouble, words, documents)


def _indices(survey: Survey, eyes: Eyes) -> dict[str, Mapping[str, Any]]:
    if not any("index" in live.ids for live in survey.live.values()):
        return {}
    params = {"format": "json", "h": "index,health,docs.count", "expand_wildcards": "all"}
    return {each["index"]: each for each in eyes.get(Request("GET", "/_cat/indices", params=params)) or []}
