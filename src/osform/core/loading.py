"""The note of a load: which settings of an index a load changed for its time, what they were before, and who did it.

It stands in the index's mapping (``_meta.osform.load``), where nobody can lose it: a load that is killed leaves it
behind, and whoever finds it knows what to put back. Whoever loads next takes the note over as it is, so that the last
one puts back what was there before the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

KEY = "load"
PATH = ("_meta", "osform", KEY)
SILENT_SECONDS = 300.0
"""A load that has not been heard of for so long is taken for dead; it says that it is alive once a minute."""


@dataclass(frozen=True)
class LoadNote:
    """``before`` and ``during`` are flat settings, None for one that is the server's default.

    ``owner`` names one run, ``at`` is when it was last heard of, in seconds since 1970.
    """

    owner: str
    at: float
    before: Mapping[str, str | None] = field(default_factory=dict)
    during: Mapping[str, str | None] = field(default_factory=dict)

    def dead(self, now: float) -> bool:
        """Whether nobody is there any more to put the settings back."""
        return now - self.at > SILENT_SECONDS

    def to_back(self, settings: Mapping[str, Any]) -> dict[str, str | None]:
        """The settings to put back: those that are still as the load left them, and not what somebody chose since."""
        return {key: value for key, value in self.before.items() if settings.get(key) == self.during.get(key)}

    def taken_over(self, owner: str, at: float, wanted: Mapping[str, str | None]) -> LoadNote:
        """The same with another owner, who wants these settings too; what was there before stays what it was."""
        return replace(self, owner=owner, at=at, during={**self.during, **wanted})

    def to_json(self) -> dict[str, Any]:
        """As it stands in the mapping."""
        return {"owner": self.owner, "at": round(self.at), "before": dict(self.before), "during": dict(self.during)}


def note_of(mapping: Mapping[str, Any]) -> LoadNote | None:
    """The note in a mapping; None where no load is under way, nor was cut off."""
    found: Any = mapping
    for key in PATH:
        found = found.get(key) if isinstance(found, dict) else None
    if not isinstance(found, dict):
        return None
    parts = [found.get(each) for each in ("before", "during")]
    before, during = (dict(each) if isinstance(each, dict) else {} for each in parts)
    at = found.get("at")
    return LoadNote(str(found.get("owner")), float(at) if isinstance(at, int | float) else 0.0, before, during)


def meta_with(mapping: Mapping[str, Any], note: LoadNote | None) -> dict[str, Any]:
    """The ``_meta`` of a mapping with this note, or with None without any; everything else in it stays."""
    meta = _object(mapping.get("_meta"))
    ours = {key: value for key, value in _object(meta.get("osform")).items() if key != KEY}
    rest = {key: value for key, value in meta.items() if key != "osform"}
    if note is not None:
        ours[KEY] = note.to_json()
    return rest | ({"osform": ours} if ours else {})


def settled(settings: Mapping[str, Any], note: LoadNote) -> dict[str, Any]:
    """The settings as they will be once the load is over."""
    back = note.to_back(settings)
    kept = {key: value for key, value in settings.items() if key not in back}
    return kept | {key: value for key, value in back.items() if value is not None}


def _object(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, dict) else {}
