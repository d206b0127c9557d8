"""Search pipelines: request and response processors, and the normalisation of hybrid queries.

One that names the model of a query's vector is also stored once for each physical index that it serves, as
``<name>-v<N>``, so that questions change their model in the moment in which the index does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from osform.core.request import Request
from osform.kinds import checks, pipelines, processors
from osform.kinds.base import Body, Context, Finding, Last, Live, Step, Wanted
from osform.kinds.defaults import drift, expendable, needs, refusal, remarks  # noqa: F401 - parts of the kind

KIND = "search_pipeline"
_LISTS = ("request_processors", "response_processors", "phase_results_processors")
KEYS = frozenset({"description", "version", *_LISTS})
OUTPUTS = frozenset({"name"})
PASSED: frozenset[str] = frozenset()
EVENTUAL = False
BASE = "/_search/pipeline"


def check(name: str, body: Body, context: Context) -> Iterator[Finding]:
    """Types, and lists of processors."""
    yield from checks.named(name, "a pipeline")
    yield from checks.typed(body, {"description": str, "version": int} | dict.fromkeys(_LISTS, list))
    for key in _LISTS:
        yield from processors.check(body, key, processors.SEARCH)


def expand(name: str, body: Body, context: Context) -> Body:
    """The body as it is; the server keeps pipelines verbatim."""
    return body


def known(name: str, body: Body, context: Context) -> Mapping[str, Any]:
    """The name."""
    return {"name": name}


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
