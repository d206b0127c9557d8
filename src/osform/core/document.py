"""A YAML document as a value that remembers on which line each of its parts stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from osform.errors import Place, Problem

# Where a value stands inside a document: ("mappings", "properties", "vector", "dimension").
Path = tuple[str | int, ...]


def dotted(path: Path) -> str:
    """The path as messages show it: ``processors[0].text_embedding.model_id``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


@dataclass(frozen=True)
class Document:
    """One YAML document: its value as plain JSON types, and the line of every part of it."""

    file: str
    value: Any
    lines: Mapping[Path, int]

    def place(self, path: Path = ()) -> Place:
        """Where ``path`` stands; where it is missing, the nearest thing around it."""
        while path not in self.lines and path:
            path = path[:-1]
        return Place(self.file, self.lines.get(path))

    def problem(self, path: Path, message: str, hint: str = "") -> Problem:
        """A mistake at ``path`` of this document."""
        return Problem(self.place(path), message, dotted(path), hint)
