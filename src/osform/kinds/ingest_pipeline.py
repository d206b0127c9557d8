"""Ingest pipelines. One that embeds is also stored once for each physical index that it serves, as ``<name>-v<N>``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from osform.core.address import Address
from osform.core.request import Request
from osform.kinds import checks, pipelines, processors
from osform.kinds.base import Body, Context, Finding, Last, Live, Step, Wanted
from osform.kinds.defaults import drift, expendable, refusal, remarks  # noqa: F401 - parts of the kind

KIND = "ingest_pipeline"
KEYS = frozenset({"description", "processors", "on_failure", "version"})
OUTPUTS = frozenset({"name"})
PASSED: frozenset[str] = frozenset()
EVENTUAL = False
BASE = "/_ingest/pipeline"


def check(name: str, body: Body, context: Context) -> Iterator[Finding]:
    """Types, and the keys without which the server refuses a processor."""
    yield from checks.named(name, "a pipeline")
    yield from checks.required(body, ("processors",))
    yield from checks.typed(body, {"description": str, "processors": list, "on_failure": list, "version": int})
    yield from processors.check(body, "processors", processors.INGEST)
    yield from processors.check(body, "on_failure", processors.INGEST)


def expand(name: str, body: Body, context: Context) -> Body:
    """The body as it is; the server keeps pipelines verbatim."""
    return body


def known(name: str, body: Body, context: Context) -> Mapping[str, Any]:
    """The name."""
    return {"name": name}


def needs(body: Body) -> Iterator[Address]:
    """A ``pipeline`` processor names another pipeline."""
    listed = body.get("processors", [])
    for processor in listed if isinstance(listed, list) else ():
        if isinstance(processor, dict) and isinstance(processor.get("pipeline"), dict):
            yield Address(KIND, str(processor["pipeline"].get("name")))


def reads(wanted: Mapping[str, Wanted]) -> Sequence[Request]:
    """All pipelines in one request."""
    return [Request("GET", BASE)]


def found(answers: Sequence[Any], wanted: Mapping[str, Wanted]) -> Mapping[str, Live]:
    """By name."""
    return pipelines.found(answers[0], wanted)


def create(name: str, asked: Body, ids: Mapping[str, str]) -> Sequence[Step]:
    """Put it under its own name and those of its copies."""
    return pipelines.put(BASE, pipelines.names(name, ids), asked)


def update(name: str, asked: Body, live: Live, last: Last) -> Sequence[Step]:
    """Put it again, with its copies."""
    return pipelines.put(BASE, pipelines.names(name, live.ids), asked)


def delete(name: str, live: Live) -> Sequence[Step]:
    """Delete the copies and then the pipeline itself."""
    return pipelines.delete(BASE, name, live)


def outputs(name: str, live: Live) -> Mapping[str, Any]:
    """The name."""
    return {"name": name}
