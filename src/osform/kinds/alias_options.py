"""What an alias may say of one index: a filter, routing, whether it is the one to write to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from osform.core.document import Path
from osform.kinds import checks
from osform.kinds.base import Finding
from osform.kinds.settings import text

KEYS = frozenset({"filter", "routing", "index_routing", "search_routing", "is_write_index", "is_hidden"})
_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "filter": dict, "routing": (str, int), "index_routing": (str, int), "search_routing": (str, int),
    "is_write_index": bool, "is_hidden": bool,
}  # fmt: skip


def check(options: Any, path: Path) -> Iterator[Finding]:
    """Unknown keys and wrong types; no options at all are fine."""
    if options is None:
        return
    if not isinstance(options, dict):
        yield Finding(path, *checks.otherwise(options, dict))
        return
    for key in options:
        if key not in KEYS:
            yield Finding((*path, key), "unknown key of an alias", checks.nearest(key, KEYS))
    yield from checks.typed(options, _TYPES, path)


def normal(options: Any) -> dict[str, Any]:
    """The options as the server gives them back: ``routing`` as that of the index and that of a search."""
    given = dict(options or {})
    routing = given.pop("routing", None)
    both = {} if routing is None else {"index_routing": routing, "search_routing": routing}
    result = {**both, **given}
    return {key: text(value) if key.endswith("routing") else value for key, value in result.items()}
