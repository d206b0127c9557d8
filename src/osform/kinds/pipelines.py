"""What ingest and search pipelines have in common: they are put whole, by name, and read back verbatim."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from osform.core.diff import ABSENT
from osform.core.request import Request
from osform.kinds.base import Body, Live, Send, Step, Wanted

EMBEDDING = frozenset({"text_embedding", "sparse_encoding", "text_image_embedding"})
"""Ingest processors that make vectors with a model."""


def embeds(body: Body) -> bool:
    """Whether an ingest pipeline makes vectors."""
    listed = body.get("processors", [])
    return isinstance(listed, list) and any(isinstance(item, dict) and EMBEDDING & item.keys() for item in listed)


def processors(body: Body) -> Iterator[str]:
    """The types of all processors of an ingest or a search pipeline, in the order of its lists."""
    for key in ("processors", "request_processors", "phase_results_processors", "response_processors"):
        listed = body.get(key, [])
        for item in listed if isinstance(listed, list) else ():
            yield from item if isinstance(item, dict) else ()


def asks(body: Body) -> bool:
    """Whether a search pipeline names the model that makes a query's vector."""
    listed = body.get("request_processors", [])
    items = [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    options = [item.get("neural_query_enricher") for item in items]
    return any(
        isinstance(each, dict) and each.keys() & {"default_model_id", "neural_field_default_id"} for each in options
    )


def path(base: str, name: str) -> str:
    """The URL of a pipeline."""
    return f"{base}/{quote(name, safe='')}"


def put(base: str, names: Sequence[str], asked: Body) -> list[Step]:
    """Store the same body under each of the names."""
    return [Send(Request("PUT", path(base, name), dict(asked))) for name in names]


def found(answer: Mapping[str, Any] | None, wanted: Mapping[str, Wanted]) -> dict[str, Live]:
    """The pipelines that are there.

    A pipeline's copies are part of it: one that is missing or differs shows under ``copies``, one that is the same
    doesn't show.
    """
    stored = answer or {}
    live: dict[str, Live] = {}
    for name, want in wanted.items():
        if name in stored:
            body = dict(stored[name])
            names = copies(want.ids)
            odd = {copy: stored.get(copy, "missing") for copy in names if stored.get(copy, ABSENT) != body}
            live[name] = Live(body | ({"copies": odd} if odd else {}), {"copies": ",".join(names)} if names else {})
    return live


def copies(ids: Mapping[str, str]) -> list[str]:
    """The names under which a pipeline is stored besides its own."""
    return sorted({copy for copy in ids.get("copies", "").split(",") if copy})


def names(name: str, ids: Mapping[str, str]) -> list[str]:
    """All names under which a pipeline is stored, its own first.

    An index that was adopted under its plain name is served by the pipeline's plain name: its copy is itself.
    """
    return list(dict.fromkeys([name, *copies(ids)]))


def delete(base: str, name: str, live: Live) -> list[Step]:
    """Delete the copies and then the pipeline itself."""
    return [Send(Request("DELETE", path(base, each))) for each in [*names(name, live.ids)[1:], name]]


def pairs(field_map: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """The text field and the vector field of each line of a field map, both as queries name them."""
    for source, target in field_map.items() if isinstance(field_map, dict) else ():
        if isinstance(target, dict):
            yield from pairs(target, f"{prefix}{source}.")
        elif isinstance(target, str):
            yield f"{prefix}{source}", f"{prefix}{target}"
