"""One question asked in every mode that an index knows, at the same time, so that the answers can be compared."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from osform.cluster.client import Cluster
from osform.cluster.filtering import filter_query
from osform.cluster.guard import refuse_mixing
from osform.cluster.picture_fields import PictureField, picture_field
from osform.cluster.queries import Filter as Only
from osform.cluster.queries import Found, embedding_of, of_another_dimension, run, search_request
from osform.cluster.targets import Target, describe
from osform.core.checks import MODES, Mode
from osform.core.filters import Filter
from osform.core.request import Request
from osform.errors import InputError, OsformError, RequestFailed
from osform.flows.searching_pictures import Seer, Wish, request_for

Clock = Callable[[], float]


@dataclass(frozen=True)
class Column:
    """The answer in one mode: what was found, or why nothing could be. ``seconds`` are those of request and answer.

    ``detail`` says what pictures were searched by.
    """

    mode: str
    request: Request | None = None
    found: Found | None = None
    seconds: float = 0.0
    error: OsformError | None = None
    detail: str = ""


@dataclass(frozen=True)
class SideBySide:
    """The answers to one question. ``note`` says why a mode is missing."""

    target: Target
    columns: tuple[Column, ...]
    note: str = ""


@dataclass(frozen=True)
class Question:
    """What is asked: a text, a picture, or both; ``weight`` is the text's share then.

    ``field`` is the text or vector field where there are several; the first of them without it.
    """

    text: str = ""
    picture: bytes | None = None
    weight: float = 0.5
    field: str | None = None
    size: int = 10
    filters: tuple[Filter, ...] = ()


def side_by_side(
    cluster: Cluster, alias: str, question: Question, seer: Seer, *, clock: Clock = time.monotonic
) -> SideBySide:
    """Ask in every mode; what goes wrong in one mode stands in its column, and takes no other with it.

    Raises InputError for a question that can't be asked of this alias in any mode, NotReady where the alias is missing,
    Unreachable and RequestFailed.
    """
    if not question.text.strip() and question.picture is None:
        raise InputError("there is nothing to search for: the text is empty")
    answer = _once(cluster, alias, question, seer, clock)
    moved = (isinstance(each.error, RequestFailed) and of_another_dimension(each.error) for each in answer.columns)
    return _once(cluster, alias, question, seer, clock) if any(moved) else answer


def _once(cluster: Cluster, alias: str, question: Question, seer: Seer, clock: Clock) -> SideBySide:
    target = describe(cluster, alias)
    only = filter_query(target, question.filters)
    field = question.field or _first(target)
    modes, note = _modes(target, field) if question.text.strip() else ((), "")
    pictures = picture_field(cluster, target)
    if question.picture is not None and pictures is None:
        note = f"{target.name} has no picture vectors, so the picture finds nothing: osform pictures ingest makes them"
    elif pictures is not None and not target.embeddings:
        note = ""  # what it could say of vectors would be said of those of pictures
    asks: list[Callable[[], Column]] = [
        partial(_asked, cluster, target, mode, question, field, only, clock) for mode in modes
    ]
    if pictures is not None:
        asks.append(partial(_seen, cluster, target, pictures, question, only, seer, clock))
    if not asks:
        return SideBySide(target, (), note)
    with ThreadPoolExecutor(len(asks)) as pool:
        return SideBySide(target, tuple(pool.map(lambda ask: ask(), asks)), note)


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


def _seen(
    cluster: Cluster,
    target: Target,
    field: PictureField,
    question: Question,
    only: Only | None,
    seer: Seer,
    clock: Clock,
) -> Column:
    wish = Wish(question.text.strip(), question.picture, question.weight)
    request, detail, begun = None, "", clock()
    try:
        request, detail = request_for(cluster, target, field, wish, size=question.size, only=only, seer=seer)
        found = run(cluster, request)
    except OsformError as error:
        return Column("picture", request, None, clock() - begun, error, detail)
    return Column("picture", request, found, clock() - begun, detail=detail)


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
