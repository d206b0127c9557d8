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
    """One YAML document: its value as plain JSON types, and the line of every part of it.

    ``used_by`` is the resource's file where this one is a template rendered for it.
    """

    file: str
    value: Any
    lines: Mapping[Path, int]
    used_by: str = ""

    def place(self, path: Path = ()) -> Place:
        """Where ``path`` stands; where it is missing, the nearest thing around it.

        The path may join nested keys by dots or part dotted ones, and may say ``index.`` where the file leaves it out:
        settings are written in all these ways.
        """
        return Place(self.file, self.lines.get(self._walked(path)), self.used_by)

    def _walked(self, path: Path) -> Path:
        words = [word for part in path for word in (part.split(".") if isinstance(part, str) else [part])]
        here: Path = ()
        value = self.value
        while words:
            taken = next((n for n in range(len(words), 0, -1) if _has(value, words[:n])), 0)
            if not taken and words[0] != "index":
                break
            if taken:
                key = words[0] if isinstance(value, list) else ".".join(map(str, words[:taken]))
                here, value = (*here, key), value[key]
            words = words[taken or 1 :]
        return here

    def problem(self, path: Path, message: str, hint: str = "") -> Problem:
        """A mistake at ``path`` of this document."""
        return Problem(self.place(path), message, dotted(path), hint)


def _has(value: Any, words: list[str | int]) -> bool:
    if isinstance(value, list):
        return len(words) == 1 and isinstance(words[0], int) and words[0] < len(value)
    return isinstance(value, dict) and ".".join(map(str, words)) in value
