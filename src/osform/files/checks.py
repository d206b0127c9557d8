"""``provision/checks/<index>.yaml``: what an index must find, checked and with variables in place."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, WithJsonSchema
from pydantic_core import PydanticCustomError

from osform.core.address import Address
from osform.core.checks import METRICS, Checks, Metric, Mode, Query
from osform.core.document import Document, dotted
from osform.core.document import Path as Inside
from osform.core.refs import EnvRef, OutputRef, Ref, VarRef, references, resolve
from osform.core.values import leaves
from osform.errors import Problem, SpecError
from osform.files import yaml
from osform.files.referring import Known, mistakes
from osform.files.schema import problems_of
from osform.kinds.checks import nearest, otherwise

DEFAULT_WITHIN = 10


def _between(low: float, high: float, words: str) -> Any:
    """The check of a number, with a sentence of our own where it is out of range."""

    def check(value: float) -> float:
        if not low <= value <= high:
            raise PydanticCustomError("expected", "expected {words}", {"words": words})
        return value

    return AfterValidator(check)


def _text(value: str) -> str:
    if not value.strip():
        raise PydanticCustomError("expected", "expected {words}", {"words": "text that is not blank"})
    return value


_MOST_MS = 600_000
_Text = Annotated[str, AfterValidator(_text), WithJsonSchema({"type": "string", "minLength": 1})]
_Share = Annotated[
    float, _between(0, 1, "a number from 0 to 1"), WithJsonSchema({"type": "number", "minimum": 0, "maximum": 1})
]
_Milliseconds = Annotated[
    float,
    _between(0, _MOST_MS, "milliseconds, 0 to 600,000"),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": _MOST_MS}),
]
_Grade = Annotated[
    int,
    _between(0, 10, "a grade from 0, no answer, to 10"),
    WithJsonSchema({"type": "integer", "minimum": 0, "maximum": 10}),
]
_Within = Annotated[
    int,
    _between(1, 1000, "a number of hits from 1 to 1,000"),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 1000}),
]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class Limits(_Strict):
    """``thresholds`` and ``worse_by``: a number for each metric that matters."""

    ndcg_at_10: _Share | None = None
    recall_at_10: _Share | None = None
    success: _Share | None = None
    median_ms: _Milliseconds | None = None
    p95_ms: _Milliseconds | None = None


class QueryEntry(_Strict):
    """One entry of ``queries``."""

    query: _Text | None = None
    image: _Text | None = None
    expect: list[_Text] | None = None
    within: _Within | None = None
    judged: dict[_Text, _Grade] | None = None
    mode: Literal["lexical", "semantic", "hybrid", "picture"] | None = None
    field: _Text | None = None
    filter: dict[str, Any] | None = None


class ChecksFile(_Strict):
    """A file of ``provision/checks/``."""

    mode: Literal["lexical", "semantic", "hybrid", "picture"] | None = None
    field: _Text | None = None
    thresholds: Limits = Limits()
    worse_by: Limits = Limits()
    queries: list[QueryEntry]


def read_checks(files: Iterable[Path], known: Known) -> tuple[dict[str, Checks], list[Problem]]:
    """The checks by index, and every mistake in them; files with mistakes are left out."""
    found: dict[str, Checks] = {}
    problems: list[Problem] = []
    for path in files:
        try:
            checks, wrong = _read(yaml.load(path), path.stem, known)
        except SpecError as error:
            problems += error.problems
            continue
        problems += wrong
        if checks is not None:
            found[path.stem] = checks
    return found, problems


def _read(document: Document, index: str, known: Known) -> tuple[Checks | None, list[Problem]]:
    problems = [] if Address("index", index) in known.addresses else [_no_index(document, index, known)]
    if not isinstance(document.value, dict):
        return None, [*problems, document.problem((), *otherwise(document.value, dict))]
    leading_nowhere = list(_leading_nowhere(document, known))
    without_value = {each.path for each in leading_nowhere}
    if known.variables is None:
        without_value |= {dotted(path) for path, _ in references(document.value)}
    value = resolve(document.value, lambda ref: _value(ref, known))
    wrong = [*_types(document, value), *_disagreements(document, value)]
    # What a reference that leads nowhere would have stood for can't be wrong as well.
    problems += leading_nowhere + [each for each in wrong if each.path not in without_value]
    if problems or without_value:
        return None, problems
    return _made(ChecksFile.model_validate(value), index, document), []


def _types(document: Document, value: Any) -> Iterator[Problem]:
    told: set[str] = set()
    try:
        ChecksFile.model_validate(value)
    except ValidationError as error:
        found = problems_of(document, error, ChecksFile, value)
        told = {each.path for each in found}
        yield from found
    for path, leaf in leaves(value):
        if leaf is None and dotted(path) not in told:
            yield document.problem(path, "nothing, expected a value", "leave the key out, or write one")


def _no_index(document: Document, index: str, known: Known) -> Problem:
    indices = {each.name for each in known.addresses if each.kind == "index"}
    hint = nearest(index, indices) or "a file of checks has the name of the index"
    return document.problem((), f"checks of index/{index}, which is not in the files", hint)


def _leading_nowhere(document: Document, known: Known) -> Iterator[Problem]:
    """References to variables that there are none of, and to what is known only later or is nobody's business here."""
    found = [(path, ref) for path, ref in references(document.value) if isinstance(ref, OutputRef | EnvRef)]
    for path, ref in found:
        yield document.problem(path, f"{ref} in a check, expected a plain value", "only ${var.NAME} goes here")
    told = {dotted(path) for path, _ in found}
    yield from (each for each in mistakes(document, document.value, (), known) if each.path not in told)


def _value(ref: Ref, known: Known) -> Any:
    return known.variables.get(ref.name) if isinstance(ref, VarRef) and known.variables is not None else str(ref)


def _entry(raw: Any) -> QueryEntry | None:
    try:
        return QueryEntry.model_validate(raw)
    except ValidationError:
        return None  # told already


def _disagreements(document: Document, value: Mapping[str, Any]) -> Iterator[Problem]:
    """What no type forbids: entries that say too much or too little, questions asked twice, checks that can't fail."""
    queries = value.get("queries")
    numbered = enumerate(queries if isinstance(queries, list) else ())
    entries = [(("queries", number), entry) for number, raw in numbered if (entry := _entry(raw)) is not None]
    if value.get("queries") == []:
        yield document.problem(("queries",), "an empty list, expected questions", "write - query: ...")
    for number, raw in enumerate(queries if isinstance(queries, list) else ()):
        if isinstance(raw, dict) and not {"query", "image"} & raw.keys():
            yield document.problem(("queries", number, "query"), "missing", "add query: ...")
    for path, entry in entries:
        yield from (document.problem((*path, *inner), *words) for inner, *words in _entry_mistakes(entry))
    yield from _repeated(document, value, entries)
    expecting = any(entry.expect for _, entry in entries)
    limits = [value.get(each) for each in ("thresholds", "worse_by")]
    if entries and not expecting and not any(limits):
        hint = "add thresholds, e.g. thresholds: {ndcg_at_10: 0.8}"
        yield document.problem((), "nothing here could fail: no expect, no thresholds, no worse_by", hint)
    for key, limit in zip(("thresholds", "worse_by"), limits, strict=True):
        if entries and not expecting and isinstance(limit, dict) and limit.get("success") is not None:
            message = "success, which is the share of queries with expect, and there are none"
            yield document.problem((key, "success"), message, "take it out, or add a query with expect: [ID]")


def _entry_mistakes(entry: QueryEntry) -> Iterator[tuple[Inside, str, str]]:
    if entry.image is not None and entry.mode not in (None, "picture"):
        yield ("mode",), f"{entry.mode}, but an image is searched with", "write mode: picture, or leave it out"
    if (entry.expect is None) == (entry.judged is None):
        found = "neither expect nor judged" if entry.expect is None else "expect and judged"
        yield (), f"{found}, expected one of the two", "write expect: [ID], or judged: {ID: GRADE}"
    if entry.within is not None and entry.expect is None:
        yield ("within",), "within without expect", "it says among how many first hits expect must be; grades have none"
    if entry.expect == []:
        yield ("expect",), "an empty list, expected ids", "write [ID, ...]"
    for number, each in enumerate(entry.expect or ()):
        if each in (entry.expect or ())[:number]:
            yield ("expect", number), f"{each!r} is there twice, expected it once", "remove one"
    expected = len(set(entry.expect or ()))
    if entry.within is not None and expected > entry.within:
        yield ("within",), f"{entry.within}, expected at least {expected}", f"expect has {expected} documents"
    if entry.judged is not None and not any(entry.judged.values()):
        yield ("judged",), "no document with a grade above 0", "grade what answers the question: {ID: 3}"
    if entry.filter is not None and len(entry.filter) != 1:
        message = f"{len(entry.filter)} keys, expected one, the query's type"
        yield ("filter",), message, "several filters: {bool: {filter: [...]}}"


def _repeated(
    document: Document, value: Mapping[str, Any], entries: Sequence[tuple[Inside, QueryEntry]]
) -> Iterator[Problem]:
    seen: dict[str, int | None] = {}
    for path, entry in entries:
        asked = [
            (entry.query or "").split(), entry.image, entry.mode or value.get("mode"),
            entry.field or value.get("field"), entry.filter,
        ]  # fmt: skip
        key = json.dumps(asked, sort_keys=True)
        if key in seen:
            message = f"{entry.query or entry.image!r} is asked twice, first on line {seen[key]}"
            key_of = "query" if entry.query else "image"
            yield document.problem((*path, key_of), message, "remove one, or say another mode, field or filter")
        seen.setdefault(key, document.place(path).line)


def _made(file: ChecksFile, index: str, document: Document) -> Checks:
    home = Path(document.file).parent
    queries = tuple(_query(file, entry, ("queries", number), home) for number, entry in enumerate(file.queries))
    return Checks(index, queries, _limits(file.thresholds), _limits(file.worse_by), document)


def _limits(limits: Limits) -> dict[Metric, float]:
    given = limits.model_dump(exclude_none=True)
    return {metric: float(given[metric]) for metric in METRICS if metric in given}


def _query(file: ChecksFile, entry: QueryEntry, path: Inside, home: Path) -> Query:
    mode: Mode | None = entry.mode or ("picture" if entry.image else file.mode)
    text, picture = entry.query or "", entry.image or ""
    if picture and "://" not in picture:
        picture = str(home / picture)
    field = entry.field or file.field
    if entry.expect is None:
        return Query(text, entry.judged or {}, None, mode, field, entry.filter, path, picture)
    within = entry.within or max(DEFAULT_WITHIN, len(entry.expect))
    return Query(text, dict.fromkeys(entry.expect, 1), within, mode, field, entry.filter, path, picture)
