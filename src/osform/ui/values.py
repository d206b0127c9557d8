"""A request and its answer as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

HTML = "text/html; charset=utf-8"
TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True)
class Asked:
    """A request. ``path`` is unquoted, names of ``headers`` are in lower case, ``query`` has all values of a name."""

    method: str
    path: str
    query: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def one(self, name: str) -> str:
        """The first value of a name in the query, stripped; empty where there is none."""
        return next(iter(self.query.get(name, ())), "").strip()


@dataclass(frozen=True)
class Reply:
    """An answer. A ``body`` that is a path is sent from that file."""

    status: int
    body: bytes | Path = b""
    type: str = HTML
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def plain(cls, status: int, text: str) -> Reply:
        """A sentence, for who asked in a way that gets no page."""
        return cls(status, f"{text}\n".encode(), TEXT)
