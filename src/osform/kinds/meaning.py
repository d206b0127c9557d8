"""What a mapping holds beyond what the server shows of it: defaults that a file writes out, values in other words.

``store: false`` is acknowledged, and given back only by the API that reads fields, with their defaults; ``data_type:
byte`` comes back as ``BYTE``, ``null_value: "3"`` as 3, and ``copy_to: all`` as a list. None of that is another mapping
than was asked. There is no table of the fields' defaults here: the server says them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from osform.core.diff import ABSENT, Difference, missing, same, value_at
from osform.core.document import Path
from osform.core.request import Request
from osform.kinds import mappings
from osform.kinds.base import Live, Wanted

# What is not given back where it is so, and of which no API tells: parameters at a mapping's top, and those of objects.
_UNSAID: Mapping[Path, Any] = {
    ("_source", "enabled"): True, ("_source", "includes"): [], ("_source", "excludes"): [],
    ("_routing", "required"): False,
}  # fmt: skip
_UNSAID_OF_OBJECTS: Mapping[Path, Any] = {
    ("type",): "object", ("enabled",): True, ("include_in_parent",): False, ("include_in_root",): False,
}  # fmt: skip
_IN_ANY_CASE = ("data_type", "orientation")
# A request line may have 4,096 bytes by default.
_LONGEST_INDICES, _LONGEST_FIELDS = 2000, 1500


def reads(wanted: Mapping[str, Wanted], live: Mapping[str, Live]) -> Sequence[Request]:
    """The requests that tell the defaults of fields of which something is asked and not shown; none where all is."""
    asked = {name: {mappings.field(each.path) for each in _of_fields(wanted[name], live[name])} for name in live}
    indices = sorted(live[name].ids["index"] for name in asked if asked[name])
    every = ",".join(quote(field, safe=".") for field in sorted(set().union(*asked.values())))
    fields = every if len(every) <= _LONGEST_FIELDS else "*"
    params = {"include_defaults": "true", "ignore_unavailable": "true"}
    return [Request("GET", f"/{some}/_mapping/field/{fields}", params=params) for some in _batches(indices)]


def _batches(names: Sequence[str]) -> Iterator[str]:
    batch = ""
    for name in map(quote, names):
        if batch and len(batch) + len(name) >= _LONGEST_INDICES:
            yield batch
            batch = ""
        batch = f"{batch},{name}" if batch else name
    if batch:
        yield batch


def understood(answers: Sequence[Any], wanted: Mapping[str, Wanted], live: Mapping[str, Live]) -> dict[str, Live]:
    """What is live, each with what it means beyond what it shows."""
    told = {index: each["mappings"] for answer in answers for index, each in (answer or {}).items()}
    found: dict[str, Live] = {}
    for name, each in live.items():
        fields = told.get(each.ids.get("index", ""), {})
        meant: dict[str, Any] = {}
        for difference in _lacking(wanted[name], each):
            stored = _stored(difference, each.body["mappings"], fields)
            if _alike(difference.path, difference.before, stored):
                _put(meant, ("mappings", *difference.path), difference.before)
        found[name] = replace(each, meant=meant) if meant else each
    return found


def _lacking(wanted: Wanted, live: Live) -> list[Difference]:
    lacking = missing(wanted.asked.get("mappings", {}), live.body.get("mappings", {}))
    return [each for each in lacking if all(isinstance(part, str) for part in each.path)]


def _of_fields(wanted: Wanted, live: Live) -> Iterator[Difference]:
    """What is asked and not shown of fields that are there and have defaults; objects have none that could be asked."""
    for each in _lacking(wanted, live):
        here = mappings.field_at(each.path)
        if here and each.after is ABSENT and not _object(value_at(live.body["mappings"], here)):
            yield each


def _object(field: Any) -> bool:
    return not isinstance(field, Mapping) or field.get("type", "object") in ("object", "nested")


def _stored(lacking: Difference, mapping: Mapping[str, Any], fields: Mapping[str, Any]) -> Any:
    if lacking.after is not ABSENT:
        return lacking.after
    here = mappings.field_at(lacking.path)
    rest, field = lacking.path[len(here) :], value_at(mapping, here)
    if not here:
        return _UNSAID.get(lacking.path, ABSENT)
    if field is ABSENT:
        return ABSENT
    if _object(field):
        return _UNSAID_OF_OBJECTS.get(rest, ABSENT)
    told = fields.get(mappings.field(lacking.path), {}).get("mapping", {})
    return value_at(told.get(here[-1], {}), rest)


def _alike(path: Path, asked: Any, stored: Any) -> bool:
    """Whether the server means the same: it writes numbers and booleans as such, and one thing as a list of one."""
    if stored is ABSENT:
        return bool(asked == [] and path[-1] == "copy_to")
    if isinstance(stored, list) and not isinstance(asked, list):
        return len(stored) == 1 and same(asked, stored[0])
    if path[-1] in _IN_ANY_CASE and isinstance(asked, str):
        return asked.casefold() == str(stored).casefold()
    if isinstance(asked, str) and isinstance(stored, bool):
        return asked == str(stored).lower()
    if isinstance(asked, str) and isinstance(stored, int | float):
        return _number(asked) == stored
    return same(asked, stored)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _put(tree: dict[str, Any], path: Path, value: Any) -> None:
    for part in path[:-1]:
        tree = tree.setdefault(str(part), {})
    tree[str(path[-1])] = value
