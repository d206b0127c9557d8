"""Component templates: pieces of settings, mappings and aliases that index templates are composed of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from osform.core.address import Address
from osform.core.request import Request
from osform.kinds import checks, templates
from osform.kinds.base import Body, Context, Finding, Last, Live, Step, Wanted
from osform.kinds.defaults import drift, expendable, refusal, remarks  # noqa: F401 - parts of the kind

KIND = "component_template"
KEYS = frozenset({"template", "version", "_meta"})
OUTPUTS = frozenset({"name"})
PASSED: frozenset[str] = frozenset()
EVENTUAL = False
BASE = "/_component_template"


def check(name: str, body: Body, context: Context) -> Iterator[Finding]:
    """The name, and a ``template`` that the server would take."""
    yield from checks.named(name, "a template")
    yield from checks.required(body, ("template",))
    yield from templates.check(body)


def expand(name: str, body: Body, context: Context) -> Body:
    """Flat settings, and the mapping as the server gives it back."""
    return templates.normal(body)


def known(name: str, body: Body, context: Context) -> Mapping[str, Any]:
    """The name."""
    return {"name": name}


def needs(body: Body) -> Iterator[Address]:
    """Pipelines that its settings name."""
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
    """Delete it, which the server refuses while an index template is composed of it."""
    return templates.delete(BASE, name)


def outputs(name: str, live: Live) -> Mapping[str, Any]:
    """The name."""
    return {"name": name}
