"""What has to be written of a row, given what the index holds under its id: nothing, some fields, or all of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from osform.core.embeddings import Embedding
from osform.core.writes import Version


@dataclass(frozen=True)
class Stored:
    """A document as the index has it, without what the pipeline made; ``vectors`` are the vector fields that it has."""

    source: Mapping[str, Any]
    version: Version
    vectors: frozenset[str] = frozenset()
    digests: Mapping[str, str] = field(default_factory=dict)


class Need(Enum):
    """What a document lacks."""

    NOTHING = "it is as it should be"
    FIELDS = "some fields differ, and every vector is true"
    ALL = "it has to go through the pipeline"


@dataclass(frozen=True)
class Decision:
    """What is to be written; ``fields`` where that is only a part of the document."""

    need: Need
    fields: Mapping[str, Any] = field(default_factory=dict)


def decide(
    wanted: Mapping[str, Any], stored: Stored | None, embeddings: tuple[Embedding, ...], *, plain: bool
) -> Decision:
    """Compare what a document should be with what is stored.

    A part of a document is written only past a ``plain`` pipeline, one that would do no more than embed: then nothing
    is missed by it. Every embedded text has to be the stored one, and its vector there and true. What a row brings in a
    field that the pipeline makes is not compared, nor written past the pipeline, which would have made it anew.
    """
    if stored is None or not all(_true(one, wanted, stored) for one in embeddings):
        return Decision(Need.ALL)
    for made in {name for one in embeddings for name in (one.vector, one.digest) if name}:
        wanted = _without(wanted, made.split("."))
    if canonical(wanted) == canonical(stored.source):
        return Decision(Need.NOTHING)
    fields = _differing(wanted, stored.source)
    return Decision(Need.FIELDS, fields) if plain and fields is not None else Decision(Need.ALL)


def _without(source: Mapping[str, Any], path: Sequence[str]) -> Mapping[str, Any]:
    """A document less the field at ``path``, a key for each object on the way there."""
    key, *inner = path
    if key not in source or (inner and not isinstance(source[key], Mapping)):
        return source
    rest = {name: value for name, value in source.items() if name != key}
    return {**rest, key: _without(source[key], inner)} if inner else rest


def merged(stored: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """A document with some fields changed, as OpenSearch's partial update does it: objects are merged, key by key."""
    result = dict(stored)
    for key, value in fields.items():
        before = result.get(key)
        both = isinstance(before, Mapping) and isinstance(value, Mapping)
        result[key] = merged(before, value) if both else value  # type: ignore[arg-type]
    return result


def _true(one: Embedding, wanted: Mapping[str, Any], stored: Stored) -> bool:
    """Whether the stored vector is that of the wanted text, or both are missing."""
    text = one.text_of(wanted)
    if text is None:
        return one.vector not in stored.vectors
    if one.vector not in stored.vectors or text != one.text_of(stored.source):
        return False
    return one.digest is None or stored.digests.get(one.digest) == one.digest_of(wanted)


def _differing(wanted: Mapping[str, Any], stored: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The fields to send for a partial update to give ``wanted``; None where no partial update can."""
    if stored.keys() - wanted.keys():
        return None
    fields = {key: value for key, value in wanted.items() if key not in stored or not same(value, stored[key])}
    return fields if fields and same(merged(stored, fields), wanted) else None


def same(one: Any, other: Any) -> bool:
    """Equal as JSON, in which true is not 1."""
    return one == other and canonical(one) == canonical(other)


def canonical(value: Any) -> str:
    """JSON in which neither spaces nor the order of keys count."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
