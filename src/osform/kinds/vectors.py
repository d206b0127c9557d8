"""Which model makes which vectors: the mark in an index's mapping that tells one model's vectors from another's."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from osform.core.address import Address
from osform.core.values import concealed
from osform.kinds import consistency
from osform.kinds.base import Body
from osform.kinds.model_sources import source_of

META = "osform"
"""osform's own key of a mapping's ``_meta``: ``{"vectors": {field: {"from": text field, "model": ...}}}``."""
_TELLING = ("parameters", "protocol", "actions", "url")


@dataclass(frozen=True)
class Made:
    """A vector field that a processor fills: from which field, and with the model that ``model_id`` says."""

    source: str
    target: str
    model_id: Any


def made(pipeline: Body) -> Iterator[Made]:
    """The fields that an ingest pipeline fills with vectors."""
    for options in consistency.embeddings(pipeline):
        for source, target in consistency.embedded(options):
            yield Made(source, target, options.get("model_id"))


def as_mapped(text: str, vector: str, vectors: Collection[str]) -> str:
    """The vector field as the mapping has it: in ``{"a.b": "c"}`` the processor puts ``c`` beside ``b``."""
    beside = ".".join([*text.split(".")[:-1], vector])
    return beside if vector not in vectors and beside in vectors else vector


def marks(pipeline: Body, bodies: Mapping[Address, Body], known: Mapping[Address, Mapping[str, Any]]) -> dict[str, Any]:
    """The mark of an index that this pipeline fills; ``bodies`` are those of models and connectors."""
    return {
        each.target: {"from": each.source, "model": identity(each.model_id, bodies, known)} for each in made(pipeline)
    }


def identity(model_id: Any, bodies: Mapping[Address, Body], known: Mapping[Address, Mapping[str, Any]]) -> str:
    """What tells a model's vectors from another's: the hash of its bytes, or of how a remote one is asked."""
    address = consistency.model_of({"model_id": model_id})
    body = bodies.get(address) if address else None
    if address is None or body is None:
        return f"id {model_id}"
    if "sha256" in known.get(address, {}):
        return str(known[address]["sha256"])
    if source_of(body) != "connector":
        return " ".join(str(body.get(key, "")) for key in ("pretrained", "url", "version", "format")).strip()
    connector = consistency.reference(body.get("connector"))
    asked = bodies.get(connector) if connector else None
    if asked is None:
        return f"connector {body.get('connector')}"
    told = {key: concealed(asked[key]) for key in _TELLING if key in asked}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def mark_of(mapping: Any) -> Mapping[str, Any]:
    """The mark of a mapping, by vector field; empty where it has none."""
    meta = mapping.get("_meta") if isinstance(mapping, dict) else None
    ours = meta.get(META) if isinstance(meta, dict) else None
    found = ours.get("vectors") if isinstance(ours, dict) else None
    return found if isinstance(found, dict) else {}


def marked(mapping: Mapping[str, Any], vectors: Mapping[str, Any]) -> dict[str, Any]:
    """A mapping with the mark in its ``_meta``."""
    if not vectors:
        return dict(mapping)
    meta = mapping.get("_meta")
    return {**mapping, "_meta": {**(meta if isinstance(meta, dict) else {}), META: {"vectors": dict(vectors)}}}


def unmarked(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """A mapping without the mark, as a file would have it."""
    meta = mapping.get("_meta")
    if not isinstance(meta, dict) or META not in meta:
        return dict(mapping)
    rest = {key: value for key, value in meta.items() if key != META}
    without = {key: value for key, value in mapping.items() if key != "_meta"}
    return without | ({"_meta": rest} if rest else {})
