"""Index templates: what an index gets that is made under a name that matches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from osform.core.address import Address
from osform.core.request import Request
from osform.kinds import checks, templates
from osform.kinds.base import Body, Context, Finding, Last, Live, Step, Wanted
from osform.kinds.defaults import drift, expendable, refusal, remarks  # noqa: F401 - parts of the kind

KIND = "index_template"
KEYS = frozenset({"index_patterns", "template", "composed_of", "priority", "version", "_meta", "data_stream"})
OUTPUTS = frozenset({"name"})
PASSED: frozenset[str] = frozenset()
EVENTUAL = False
BASE = "/_index_template"


def check(name: str, body: Body, context: Context) -> Iterator[Finding]:
    """The name, the patterns, and a ``template`` that the server would take."""
    yield from checks.named(name, "a template")
    yield from checks.required(body, ("index_patterns",))
    yield from checks.typed(body, {"index_patterns": (list, str), "composed_of": list, "priority": int})
    if "data_stream" in body:
        hint = "let programs write to an alias: an index/NAME.yaml is always behind one"
        yield Finding(("data_stream",), "data streams are not managed by osform yet", hint)
    for key in ("index_patterns", "composed_of"):
        listed = body.get(key)
        for number, each in enumerate(listed if isinstance(listed, list) else ()):
            if not isinstance(each, str) and not checks.open_ended(each):
                yield Finding((key, number), *checks.otherwise(each, str))
    if body.get("index_patterns") in ([], ""):
        yield Finding(("index_patterns",), "no pattern in it", "write index_patterns: [logs-*]")
    yield from templates.check(body)


def expand(name: str, body: Body, context: Context) -> Body:
    """A list of patterns, flat settings, and the mapping as the server gives it back."""
    return templates.normal({**body, "index_patterns": list(patterns(body))})


def patterns(body: Body) -> tuple[Any, ...]:
    """Its patterns, of which the body may have one or a list."""
    given = body.get("index_patterns", [])
    return tuple(given) if isinstance(given, list) else (given,)


def known(name: str, body: Body, context: Context) -> Mapping[str, Any]:
    """The name."""
    return {"name": name}


def needs(body: Body) -> Iterator[Address]:
    """Component templates, and pipelines that its settings name."""
    parts = body.get("composed_of")
    yield from (Address("component_template", str(part)) for part in (parts if isinstance(parts, list) else ()))
    yield from templates.needs(body)


def reads(wanted: Mapping[str, Wanted]) -> Sequence[Request]:
    """All of them in one request."""
    return [Request("GET", BASE)]


def found(answers: Sequence[Any], wanted: Mapping[str, Wanted]) -> Mapping[str, Live]:
    """By name."""
    return templates.found(answers[0], KIND, wanted)


def create(name: str, asked: Body, ids: Mapping[str, str]) -> Sequence[Step]:
    """Put it."""
    return templates.put(BASE, name, asked)


def update(name: str, asked: Body, live: Live, last: Last) -> Sequence[Step]:
    """Put it again."""
    return templates.put(BASE, name, asked)


def delete(name: str, live: Live) -> Sequence[Step]:
    """Delete it; the indices that it made stay as they are."""
    return templates.delete(BASE, name)


def outputs(name: str, live: Live) -> Mapping[str, Any]:
    """The name."""
    return {"name": name}
