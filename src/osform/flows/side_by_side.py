"""One question asked in every mode that an index knows, at the same time, so that the answers can be compared."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from osform.cluster.client import Cluster
from osform.cluster.filtering import filter_query
from osform.cluster.guard import refuse_mixing
from osform.cluster.queries import Filter as Only
from osform.cluster.queries import Found, embedding_of, of_another_dimension, run, search_request
from osform.cluster.targets import Target, describe
from osform.core.checks import MODES, Mode
from osform.core.filters import Filter
from osform.core.request import Request
from osform.errors import InputError, OsformError, RequestFailed

Clock = Callable[[], float]


@dataclass(frozen=True)
class Column:
    """The answer in one mode: what was found, or why nothing could be. ``seconds`` are those of request and answer."""

    mode: str
    request: Request | None = None
    found: Found | None = None
    seconds: float = 0.0
    error: OsformError | None = None


@dataclass(frozen=True)
class SideBySide:
    """The answers to one question. ``note`` says why a mode is missing."""

    target: Target
    columns: tuple[Column, ...]
    note: str = ""


@dataclass(frozen=True)
class Question:
    """What is asked. ``field`` is the text or vector field where there are several; the first of them without it."""

    text: str
    field: str | None = None
    size: int = 10
    filters: tuple[Filter, ...] = ()


def side_by_side(cluster: Cluster, alias: str, question: Question, *, clock: Clock = time.monotonic) -> SideBySide:
    """Ask in every mode; what goes wrong in one mode stands in its column, and takes no other with it.

    Raises InputError for a question that can't be asked of this alias in any mode, NotReady where the alias is missing,
    Unreachable and RequestFailed.
    """
    if not question.text.strip():
        raise InputError("there is nothing to search for: the text is empty")
    answer = _once(cluster, alias, question, clock)
    moved = (isinstance(each.error, RequestFailed) and of_another_dimension(each.error) for each in answer.columns)
    return _once(cluster, alias, question, clock) if any(moved) else answer


def _once(cluster: Cluster, alias: str, question: Question, clock: Clock) -> SideBySide:
    target = describe(cluster, alias)
    only = filter_query(target, question.filters)
    field = question.field or _first(target)
    modes, note = _modes(target, field)

    def ask(mode: Mode) -> Column:
        return _asked(cluster, target, mode, question, field, only, clock)

    with ThreadPoolExecutor(len(modes)) as pool:
        return SideBySide(target, tuple(pool.map(ask, modes)), note)


def _first(target: Target) -> str | None:
    return target.embeddings[0].vector if target.embeddings else None


def _modes(target: Target, field: str | None) -> tuple[Sequence[Mode], str]:
    """The modes that an index can be asked in, and a sentence where these are not all."""
    if field in target.text_fields and all(field != one.text for one in target.embeddings):
        return ("lexical",), f"{field} has no vectors, so it is searched by its words alone"
    try:
        embedding_of(target, field)
    except InputError as error:
        return ("lexical",), f"{error.message}: it is searched by its words alone"
    return MODES, ""


def _asked(
    cluster: Cluster, target: Target, mode: Mode, question: Question, field: str | None, only: Only | None, clock: Clock
) -> Column:
    request: Request | None = None
    begun = clock()
    try:
        if mode != "lexical":
            refuse_mixing(cluster, target.name, target.embeddings)
        named = _text_of(target, field) if mode == "lexical" else field
        request = search_request(target, question.text, mode, field=named, size=question.size, pipeline=None, only=only)
        begun = clock()
        found = run(cluster, request)
    except OsformError as error:
        return Column(mode, request, None, clock() - begun, error)
    return Column(mode, request, found, clock() - begun)


def _text_of(target: Target, field: str | None) -> str | None:
    """The text to search by words beside a vector field: the one that the vectors are of, if the mapping has it."""
    texts = [one.text for one in target.embeddings if field in (one.text, one.vector)]
    return texts[0] if texts and texts[0] in target.text_fields else None if texts else field


def hits_elsewhere(columns: Iterable[Column]) -> dict[str, dict[str, int]]:
    """For each document found, its place (from 1) in each mode that found it."""
    places: dict[str, dict[str, int]] = {}
    for column in columns:
        for place, hit in enumerate(column.found.hits if column.found else (), start=1):
            places.setdefault(hit.id, {})[column.mode] = place
    return places
