"""Filters as users write them, as a query on the fields that an index has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from osform.cluster.targets import Target
from osform.core.filters import Filter
from osform.errors import InputError
from osform.kinds.checks import nearest

WHOLE = frozenset({"keyword", "constant_keyword", "boolean", "ip", "version", "wildcard"})
ORDERED = frozenset(
    {"byte", "short", "integer", "long", "unsigned_long", "half_float", "float", "double", "scaled_float"}
    | {"date", "date_nanos"}
)
_RANGES = {">=": "gte", "<=": "lte", ">": "gt", "<": "lt"}


def filter_query(target: Target, filters: Iterable[Filter]) -> Mapping[str, Any] | None:
    """The query that lets through what all filters let through; None without any.

    Raises InputError for a field that the target does not have, or that can't be compared so.
    """
    wanted: dict[str, list[str]] = {}
    must: list[Mapping[str, Any]] = []
    unwanted: list[Mapping[str, Any]] = []
    for each in filters:
        field = comparable(target, each)
        if each.sign == "=":
            wanted.setdefault(field, []).append(each.value)
        elif each.sign == "!=":
            unwanted.append(_equal(target, field, [each.value]))
        else:
            must.append({"range": {field: {_RANGES[each.sign]: each.value}}})
    must = [*(_equal(target, field, values) for field, values in wanted.items()), *must]
    if not must and not unwanted:
        return None
    if len(must) == 1 and not unwanted:
        return must[0]
    return {"bool": {name: part for name, part in (("filter", must), ("must_not", unwanted)) if part}}


def comparable(target: Target, filter: Filter) -> str:
    """The field that a filter compares: its own or, for a text, the keyword below it."""
    kind = target.types.get(filter.field)
    if kind is None:
        hint = nearest(
            filter.field, {each for each, kind in target.types.items() if kind in WHOLE | ORDERED | {"text"}}
        )
        raise InputError(f"{filter}: {target.name} has no field {filter.field!r}", hint=hint or None)
    if kind in WHOLE or kind in ORDERED:
        return filter.field
    if kind == "text" and filter.sign in ("=", "!="):
        below = f"{filter.field}.keyword"
        return below if target.types.get(below) == "keyword" else filter.field
    raise InputError(f"{filter}: {filter.field} is of type {kind}, which {filter.sign} can't compare")


def _equal(target: Target, field: str, values: list[str]) -> Mapping[str, Any]:
    if target.types[field] == "text":
        phrases = [{"match_phrase": {field: value}} for value in values]
        return phrases[0] if len(phrases) == 1 else {"bool": {"should": phrases}}
    return {"term": {field: values[0]}} if len(values) == 1 else {"terms": {field: values}}
