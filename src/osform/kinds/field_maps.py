"""The field map of an embedding processor: which text field becomes which vector field."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any


def pairs(field_map: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Each text field with its target, ``outer.inner`` for one inside an object."""
    for text, target in field_map.items():
        if isinstance(target, dict):
            yield from pairs(target, f"{prefix}{text}.")
        elif isinstance(target, str):
            yield prefix + text, prefix + target


def as_mapped(text: str, vector: str, vectors: Collection[str]) -> str:
    """The vector field as the mapping has it: in ``{"a.b": "c"}`` the processor puts ``c`` beside ``b``."""
    beside = ".".join([*text.split(".")[:-1], vector])
    return beside if vector not in vectors and beside in vectors else vector
