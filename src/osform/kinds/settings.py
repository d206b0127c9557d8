"""Settings as OpenSearch compares them: flat keys, text values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from osform.core.address import Address

PIPELINES = (
    ("index.default_pipeline", "ingest_pipeline"),
    ("index.final_pipeline", "ingest_pipeline"),
    ("index.search.default_pipeline", "search_pipeline"),
)


def flat(settings: Any, prefix: str = "") -> dict[str, Any]:
    """Nested or dotted settings as ``{"a.b": "text"}``; with a ``prefix``, ``index.`` say, each key starts with it.

    An empty mapping asks for nothing. What is no mapping, which a check reports, has no settings.
    """
    result: dict[str, Any] = {}
    for key, value in settings.items() if isinstance(settings, Mapping) else ():
        if isinstance(value, Mapping):
            result |= {f"{key}.{rest}": leaf for rest, leaf in flat(value).items()}
        else:
            result[key] = [text(item) for item in value] if isinstance(value, list) else text(value)
    if prefix:
        return {key if key.startswith(prefix) else prefix + key: value for key, value in result.items()}
    return result


def text(value: Any) -> Any:
    """A setting's value as the server gives it back: text, except null and what is not plain (secrets, unknowns)."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def pipelines(settings: Mapping[str, Any]) -> Iterator[Address]:
    """The pipelines that flat settings of an index name."""
    for key, kind in PIPELINES:
        if isinstance(settings.get(key), str):
            yield Address(kind, settings[key])
