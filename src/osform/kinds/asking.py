"""What can be asked of an index, as far as files say: its checks beside its mapping and its pipeline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from osform.core.address import Address
from osform.core.checks import Checks, Query
from osform.kinds import checks
from osform.kinds.base import Body, Finding
from osform.kinds.pipelines import pairs
from osform.kinds.settings import flat
from osform.kinds.vectors import as_mapped


@dataclass(frozen=True)
class _Fields:
    """What of an index is known from files. ``closed`` says that documents bring no fields along.

    ``embedded`` are pairs of a text field and the vector field made from it, or None where files don't say.
    """

    texts: frozenset[str]
    closed: bool
    embedded: tuple[tuple[str, str], ...] | None


def check(asked: Checks, bodies: Mapping[Address, Body]) -> Iterator[Finding]:
    """Questions that this stack's index could not be asked; paths are those of the checks' file."""
    index = bodies.get(Address("index", asked.index))
    if index is None or not isinstance(index.get("mappings", {}), dict):
        return  # it has mistakes, which are reported elsewhere
    fields = _fields(index, bodies)
    for query in asked.queries:
        if query.mode == "picture":
            continue  # which field has vectors of pictures, the cluster says
        finding = _by_meaning(query, fields) if _is_semantic(query, fields) else _by_words(query, fields)
        if finding is not None:
            yield Finding((*query.path, *finding.path), finding.message, finding.hint)


def _is_semantic(query: Query, fields: _Fields) -> bool:
    return query.mode in ("semantic", "hybrid") or (query.mode is None and bool(fields.embedded))


def _by_meaning(query: Query, fields: _Fields) -> Finding | None:
    if fields.embedded is None:
        return None
    if not fields.embedded:
        message = f"{query.mode}, but no pipeline of the index makes vectors from a text"
        return Finding(("mode",), message, "write mode: lexical, or give the index such a default_pipeline")
    names = {name for pair in fields.embedded for name in pair}
    chosen = [pair for pair in fields.embedded if query.field is None or query.field in pair]
    if not chosen:
        near = checks.nearest(query.field or "", names)
        return Finding(("field",), f"the index has no vectors for {query.field!r}", near)
    if len({vector for _, vector in chosen}) > 1:
        vectors = ", ".join(f"{vector} (from {text})" for text, vector in chosen)
        return Finding((), f"the index has several vector fields: {vectors}", "say which: field: ...")
    return None


def _by_words(query: Query, fields: _Fields) -> Finding | None:
    known = fields.texts | {name for pair in fields.embedded or () for name in pair}
    if query.field is None or query.field in known or not fields.closed or fields.embedded is None:
        return None
    return Finding(("field",), f"the index has no text field {query.field!r}", checks.nearest(query.field, known))


def _fields(index: Body, bodies: Mapping[Address, Body]) -> _Fields:
    mapping = index.get("mappings", {})
    closed = str(mapping.get("dynamic", "true")).lower() in ("false", "strict") and not _has_templates(bodies)
    texts = frozenset(_named(mapping, "text"))
    vectors = frozenset(_named(mapping, "knn_vector"))
    settings = index.get("settings")
    flattened = flat(settings, "index.") if isinstance(settings, dict) else {}
    return _Fields(texts, closed, _embedded(flattened.get("index.default_pipeline"), vectors, bodies))


def _has_templates(bodies: Mapping[Address, Body]) -> bool:
    """Whether a template may add to what the index's own file says."""
    return any(address.kind == "index_template" for address in bodies)


def _named(mapping: Any, kind: str, prefix: str = "") -> Iterator[str]:
    """The fields of one type, ``outer.inner`` for one inside an object."""
    fields = mapping.get("properties") if isinstance(mapping, dict) else None
    for name, field in fields.items() if isinstance(fields, dict) else ():
        if isinstance(field, dict) and field.get("type") == kind:
            yield prefix + name
        yield from _named(field, kind, f"{prefix}{name}.")


def _embedded(
    pipeline: Any, vectors: frozenset[str], bodies: Mapping[Address, Body]
) -> tuple[tuple[str, str], ...] | None:
    if pipeline in (None, "_none"):
        return None if _has_templates(bodies) else ()
    body = bodies.get(Address("ingest_pipeline", str(pipeline)))
    processors = body.get("processors", []) if body is not None else None
    if not isinstance(processors, list):
        return None
    found = {pair for each in processors if _embeds(each) for pair in pairs(each["text_embedding"].get("field_map"))}
    return tuple(sorted((text, as_mapped(text, vector, vectors)) for text, vector in found))


def _embeds(processor: Any) -> bool:
    return isinstance(processor, dict) and isinstance(processor.get("text_embedding"), dict)
