"""Where a model comes from: packaged by osform, behind a connector, or fetched by the server itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from osform.core.models import FORMATS
from osform.kinds import checks
from osform.kinds.base import Body, Finding


@dataclass(frozen=True)
class Source:
    """One way to have a model: its keys beside those that every model may have, and which of them it must have."""

    keys: frozenset[str]
    required: tuple[str, ...]


SOURCES: Mapping[str, Source] = {
    "model": Source(frozenset({"model", "format", "precision"}), ("format",)),
    "connector": Source(frozenset({"connector", "model_config", "probe"}), ()),
    "pretrained": Source(frozenset({"pretrained", "version", "format", "probe"}), ("version", "format")),
    "url": Source(
        frozenset({"url", "model_content_hash_value", "format", "function_name", "model_config", "probe"}),
        ("model_content_hash_value", "format", "model_config"),
    ),
}
KEYS = frozenset[str]().union(*(source.keys for source in SOURCES.values()))
ECHOED = ("model", "pretrained", "version", "url", "probe")
"""Keys that the server doesn't keep: they are as they were asked."""
FREE = frozenset({"url", "probe"})
"""Keys that may change without making it another model: the bytes are held to their hash."""


def source_of(body: Body) -> str:
    """The key that says where the model comes from; ``model`` where none does."""
    return next((key for key in SOURCES if key in body), "model")


def check(body: Body) -> Iterator[Finding]:
    """One source, its keys and no other's, of the right types."""
    named = [key for key in SOURCES if key in body]
    if not named:
        yield Finding((), "no model in it", "add one of model: FOLDER, connector: ID, pretrained: NAME, url: URL")
        return
    source = SOURCES[named[0]]
    for key in body:
        if key in KEYS - source.keys:
            yield Finding((key,), f"a model with {named[0]} has no {key}", f"remove {key} or {named[0]}")
    yield from checks.required(body, source.required)
    yield from checks.typed(body, dict.fromkeys((*SOURCES, "format", "model_content_hash_value", "function_name"), str))
    yield from checks.typed(body, {"version": str, "model_config": dict, "probe": (str, dict)})
    if isinstance(body.get("format"), str) and body["format"] not in FORMATS:
        yield Finding(("format",), f"{body['format']!r}, expected {' or '.join(FORMATS)}", "write one of these")
    if named[0] == "pretrained" and "name" in body:
        yield Finding(("name",), "a pretrained model is called as the server knows it", "remove name")
    if isinstance(body.get("model_config"), dict):
        yield from _check_config(body["model_config"])


def _check_config(config: Mapping[str, Any]) -> Iterator[Finding]:
    types = {"model_type": str, "embedding_dimension": int, "framework_type": str, "pooling_mode": str}
    more = {"normalize_result": bool, "model_max_length": int, "all_config": str, "additional_config": dict}
    yield from checks.required(config, ("model_type",), ("model_config",))
    yield from checks.typed(config, {**types, **more}, ("model_config",))


def asked(name: str, body: Body, config: Mapping[str, Any]) -> dict[str, Any]:
    """What the register API is asked for a model that the server brings itself."""
    match source_of(body):
        case "connector":
            fields = {"name": name, "function_name": "REMOTE", "connector_id": body["connector"]}
        case "pretrained":
            fields = {"name": body["pretrained"], "model_format": body["format"].upper()}
        case _:
            fields = {
                "name": name,
                "function_name": body.get("function_name", "TEXT_EMBEDDING").upper(),
                "model_format": body["format"].upper(),
                "model_content_hash_value": body["model_content_hash_value"],
            }
    echoed = {key: body[key] for key in ECHOED if key in body}
    return {**fields, **echoed, **({"model_config": dict(config)} if config else {})}


def promised(body: Body) -> dict[str, Any]:
    """What a body itself says of the vectors."""
    config = body.get("model_config")
    config = config if isinstance(config, dict) else {}
    more = config.get("additional_config")
    found = {
        "dimension": config.get("embedding_dimension"),
        "max_length": config.get("model_max_length"),
        "space_type": more.get("space_type") if isinstance(more, dict) else None,
        "sha256": body.get("model_content_hash_value"),
    }
    return {key: value for key, value in found.items() if value is not None and not checks.open_ended(value)}
