"""Fields that the files don't ask for, on a server that takes none away: what is written there instead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from osform.kinds.base import Body, Last


def put_back(asked: Body, live: Body, last: Last, keys: Iterable[str], blank: Mapping[str, Any]) -> dict[str, Any]:
    """What to write into those of ``keys`` that are live and not asked.

    One that was asked once is ``blank`` again, as if it had never been set. One that somebody changed by hand is as it
    was at the last look. Where neither is known, the field stays, and is left out here.
    """
    result: dict[str, Any] = {}
    for key in sorted((set(keys) & live.keys()) - asked.keys()) if last.recorded else ():
        before = None if key in last.asked else last.recorded.get(key)
        wanted = blank.get(key) if before is None else before
        if wanted is not None and live[key] != wanted:
            result[key] = wanted
    return result
