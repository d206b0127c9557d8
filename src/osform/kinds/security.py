"""What the kinds of the security plugin have in common: a document each, by name, behind one API.

https://docs.opensearch.org/latest/security/access-control/api/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from osform.core.request import Request
from osform.kinds.base import Body, Context, Last, Live, Send, Step, Wanted

API = "/_plugins/_security/api"
_OURS = ("reserved", "hidden", "static")


@dataclass(frozen=True)
class Document:
    """The answers of a kind whose resources are documents of the plugin's API; ``hidden`` are keys never shown."""

    api: str
    hidden: frozenset[str] = frozenset()

    def expand(self, name: str, body: Body, context: Context) -> Body:
        """What is empty asks for nothing: the server does not tell an empty list from none."""
        return {key: value for key, value in filled(dict(body)).items() if value not in EMPTY}

    def known(self, name: str, body: Body, context: Context) -> Mapping[str, Any]:
        """The name."""
        return {"name": name}

    def reads(self, wanted: Mapping[str, Wanted]) -> Sequence[Request]:
        """All of them, built-in ones included."""
        return [Request("GET", f"{API}/{self.api}")]

    def found(self, answers: Sequence[Any], wanted: Mapping[str, Wanted]) -> Mapping[str, Live]:
        """By name. What the server never shows is taken to be as it was sent."""
        there = answers[0] if isinstance(answers[0], dict) else {}
        live: dict[str, Live] = {}
        for name, want in wanted.items():
            if isinstance(there.get(name), dict):
                body = {key: value for key, value in there[name].items() if key not in {*_OURS, *self.hidden}}
                sent = {key: want.asked[key] for key in sorted(self.hidden) if key in want.asked}
                live[name] = Live({**filled(body), **sent})
        return live

    def create(self, name: str, asked: Body, ids: Mapping[str, str]) -> Sequence[Step]:
        """Put it."""
        return [Send(Request("PUT", self._path(name), dict(asked)))]

    def update(self, name: str, asked: Body, live: Live, last: Last) -> Sequence[Step]:
        """Put it again, which replaces it whole."""
        return self.create(name, asked, {})

    def delete(self, name: str, live: Live) -> Sequence[Step]:
        """Delete it."""
        return [Send(Request("DELETE", self._path(name)))]

    def outputs(self, name: str, live: Live) -> Mapping[str, Any]:
        """The name."""
        return {"name": name}

    def _path(self, name: str) -> str:
        return f"{API}/{self.api}/{quote(name, safe='')}"


EMPTY: tuple[Any, ...] = (None, "", [], {})


def filled(value: Any) -> Any:
    """A tree without what is empty."""
    if isinstance(value, dict):
        kept = {key: filled(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item not in EMPTY}
    return [filled(item) for item in value] if isinstance(value, list) else value
