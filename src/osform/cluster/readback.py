"""Reading back what was written: the server acknowledges more than it stores."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def lacking(asked: Any, stored: Any, path: str = "") -> list[str]:
    """The paths of the leaves of ``asked`` that ``stored`` does not hold; more in ``stored`` is fine.

    Numbers and booleans may come back as text, names of enumerations in other case, and an object as its JSON text:
    ML Commons does all three.
    """
    if isinstance(asked, Mapping):
        inner = _object(stored)
        if inner is None:
            return [path]
        return [
            missing
            for key, value in asked.items()
            for missing in lacking(value, inner.get(key), f"{path}.{key}" if path else str(key))
        ]
    return [] if _equal(asked, stored) else [path]


def _object(stored: Any) -> Mapping[str, Any] | None:
    if isinstance(stored, str):
        try:
            stored = json.loads(stored)
        except json.JSONDecodeError:
            return None
    return stored if isinstance(stored, Mapping) else None


def _equal(asked: Any, stored: Any) -> bool:
    if asked == stored:
        return True
    if stored is None or isinstance(asked, (list, tuple)) or isinstance(stored, (list, dict)):
        return False
    try:
        return float(asked) == float(stored)
    except (TypeError, ValueError):
        return str(asked).casefold() == str(stored).casefold()
