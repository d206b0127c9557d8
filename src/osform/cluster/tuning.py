"""Settings of an index that are changed for a load, with a note in its mapping that says what to put back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from osform.cluster.client import Cluster
from osform.cluster.retry import Patience, persist, persist_if_there
from osform.core.loading import LoadNote, meta_with, note_of
from osform.core.request import Request
from osform.errors import RequestFailed

REFRESH, REPLICAS, EXPAND = "index.refresh_interval", "index.number_of_replicas", "index.auto_expand_replicas"
NEVER, SELDOM = "-1", "30s"
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True)
class Tuned:
    """One physical index as a load sees it: its settings, flat, and its mapping."""

    settings: Mapping[str, Any]
    mapping: Mapping[str, Any]


def for_load(settings: Mapping[str, Any], *, empty: bool) -> dict[str, str | None]:
    """The settings that a load is quicker with.

    An index that nobody can be searching gets neither refreshes nor copies until it is full. One that holds documents
    keeps its copies, since it would be without them for the whole of the load, and shows what is new twice a minute.
    """
    wanted: dict[str, str | None] = {}
    refresh = settings.get(REFRESH)
    if empty and refresh != NEVER:
        wanted[REFRESH] = NEVER
    elif not empty and _seconds(refresh) < _seconds(SELDOM):
        wanted[REFRESH] = SELDOM
    if empty and settings.get(EXPAND, "false") == "false" and settings.get(REPLICAS) not in (None, "0"):
        wanted[REPLICAS] = "0"
    return wanted


def _seconds(interval: Any) -> float:
    text = str(interval or "1s")
    if text == NEVER:
        return float("inf")
    unit = text.lstrip("0123456789.")
    number = text[: len(text) - len(unit)]
    return float(number) * _UNITS.get(unit, float("inf")) if number else float("inf")


def look(cluster: Cluster, index: str, patience: Patience) -> Tuned | None:
    """An index' settings and mapping, None where there is none."""
    found = persist_if_there(cluster, Request("GET", f"/{quote(index)}", params={"flat_settings": "true"}), patience)
    if not found or index not in found:
        return None
    return Tuned(found[index].get("settings", {}), found[index].get("mappings", {}))


def begin(cluster: Cluster, index: str, owner: str, now: float, *, empty: bool, patience: Patience) -> bool:
    """Set what a load is quicker with, the note before that; whether anything had to be set.

    A note that is there already, of a load that is under way or was cut off, is taken over: what it says of before
    stays, and its owner will find that it is not the owner any more.
    """
    there = look(cluster, index, patience)
    if there is None:
        return False
    found = note_of(there.mapping)
    wanted = for_load(there.settings, empty=empty)
    if found is None and not wanted:
        return False
    before = {key: there.settings.get(key) for key in wanted}
    if found is not None:
        # What somebody chose while the other load was at it is what is put back later.
        known = found.to_back(there.settings)
        note = LoadNote(owner, now, {**before, **known}, {**found.during, **wanted})
    else:
        note = LoadNote(owner, now, before, wanted)
    _write(cluster, index, there, note, patience)
    if wanted:
        persist(cluster, Request("PUT", f"/{quote(index)}/_settings", wanted), patience)
    return True


def alive(cluster: Cluster, index: str, owner: str, now: float, patience: Patience) -> bool:
    """Say in the note that the load goes on; False where it is no longer this one's."""
    there = look(cluster, index, patience)
    note = note_of(there.mapping) if there else None
    if there is None or note is None or note.owner != owner:
        return False
    _write(cluster, index, there, LoadNote(owner, now, note.before, note.during), patience)
    return True


def end(cluster: Cluster, index: str, patience: Patience, *, mine: Callable[[LoadNote], bool]) -> dict[str, Any]:
    """Put the settings back where a note is there that is ``mine``, and take it away; what was put back."""
    there = look(cluster, index, patience)
    note = note_of(there.mapping) if there else None
    if there is None or note is None or not mine(note):
        return {}
    back = note.to_back(there.settings)
    if back:
        persist(cluster, Request("PUT", f"/{quote(index)}/_settings", back), patience)
    _write(cluster, index, there, None, patience)
    return back


def _write(cluster: Cluster, index: str, there: Tuned, note: LoadNote | None, patience: Patience) -> None:
    body = {"_meta": meta_with(there.mapping, note)}
    try:
        persist(cluster, Request("PUT", f"/{quote(index)}/_mapping", body), patience)
    except RequestFailed as error:
        if error.status != 404:
            raise
