"""What component and index templates have in common: a ``template`` of settings, mappings and aliases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from osform.core.address import Address
from osform.core.request import Request
from osform.kinds import alias_options, checks, mappings
from osform.kinds.base import Body, Finding, Live, Send, Step, Wanted
from osform.kinds.settings import flat, pipelines

_PARTS = frozenset({"settings", "mappings", "aliases"})


def check(body: Body) -> Iterator[Finding]:
    """Types, and what OpenSearch would refuse inside ``template``."""
    yield from checks.typed(body, {"template": dict, "version": int, "_meta": dict})
    template = body.get("template")
    if not isinstance(template, dict):
        return
    for key in template:
        if key not in _PARTS:
            yield Finding(("template", key), "unknown key in a template", checks.nearest(key, _PARTS))
    yield from checks.typed(template, dict.fromkeys(sorted(_PARTS), dict), ("template",))
    yield from checks.settings(template.get("settings", {}), ("template", "settings"))
    aliases = template.get("aliases")
    for alias, options in aliases.items() if isinstance(aliases, dict) else ():
        yield from alias_options.check(options, ("template", "aliases", alias))
    if isinstance(template.get("mappings"), dict):
        for finding in mappings.check(template["mappings"]):
            yield replace(finding, path=("template", *finding.path))


def normal(body: Body) -> dict[str, Any]:
    """A template as the server gives it back, but for settings, which are flat on both sides; empty parts are none."""
    result = dict(body)
    template = body.get("template")
    if isinstance(template, Mapping):
        parts = {
            "settings": flat(template.get("settings", {}), "index."),
            "mappings": mappings.normal(template.get("mappings", {})),
            "aliases": {alias: alias_options.normal(o) for alias, o in template.get("aliases", {}).items()},
        }
        result["template"] = {key: part for key, part in parts.items() if part}
    return result


def needs(body: Body) -> Iterator[Address]:
    """Pipelines that the settings name plainly."""
    template = body.get("template")
    if isinstance(template, dict):
        yield from pipelines(flat(template.get("settings", {}), "index."))


def found(answer: Any, key: str, wanted: Mapping[str, Wanted]) -> dict[str, Live]:
    """By name, of a list of ``{"name": ..., key: body}``."""
    stored = {each["name"]: each[key] for each in (answer or {}).get(f"{key}s", [])}
    return {name: Live(normal(stored[name])) for name in wanted if name in stored}


def put(base: str, name: str, asked: Body) -> Sequence[Step]:
    """Store it whole; what was there before is gone."""
    return [Send(Request("PUT", f"{base}/{quote(name, safe='')}", dict(asked)))]


def delete(base: str, name: str) -> Sequence[Step]:
    """Delete it; indices that were made with it stay as they are."""
    return [Send(Request("DELETE", f"{base}/{quote(name, safe='')}"))]
