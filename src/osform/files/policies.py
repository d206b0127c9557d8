"""``provision/policies/<name>.yaml``: rules over what is asked, and over what a plan may do."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import time
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from osform.core.document import Document
from osform.core.policies import Policy, Refusal, Rule, Window
from osform.errors import Problem, SpecError
from osform.files import yaml
from osform.files.schema import problems_of
from osform.kinds import KINDS

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Action = Literal["create", "update", "replace", "delete", "adopt"]


def _otherwise(words: str) -> PydanticCustomError:
    return PydanticCustomError("expected", "expected {words}", {"words": words})


def _clock(text: str) -> str:
    words = "a time of day in quotes, e.g. '22:00'; zone: says whose"
    try:
        offset = time.fromisoformat(text).tzinfo
    except ValueError as error:
        raise _otherwise(words) from error
    if offset is not None:  # it could not be compared with the time there
        raise _otherwise(words)
    return text


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise _otherwise("a time zone that this machine knows, e.g. UTC or Europe/Berlin") from error
    return text


def _globs(value: str | list[str]) -> str | list[str]:
    for each in [value] if isinstance(value, str) else value:
        kind = each.partition("/")[0]
        if "/" not in each or not ({"*", "?", "["} & set(kind) or kind in KINDS):
            raise _otherwise("addresses with * in them, e.g. index/*")
    return value


_Clock = Annotated[str, AfterValidator(_clock)]
_Zone = Annotated[str, AfterValidator(_zone)]
_Globs = Annotated[str | list[str], AfterValidator(_globs)]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class RuleEntry(_Strict):
    """What one value must be: exactly one of the tests."""

    at_least: int | float | None = None
    at_most: int | float | None = None
    equals: str | bool | int | float | None = None
    one_of: list[str | bool | int | float] | None = None
    like: str | list[str] | None = None
    or_missing: bool = False

    @model_validator(mode="after")
    def _one(self) -> RuleEntry:
        if len(self.model_fields_set - {"or_missing"}) != 1:
            raise _otherwise("exactly one of at_least, at_most, equals, one_of, like")
        return self


class WindowEntry(_Strict):
    """``allowed``: when it may be done all the same."""

    days: list[Day] = list(get_args(Day))
    from_: _Clock = Field("00:00", alias="from")
    to: _Clock = "23:59:59"
    zone: _Zone = "UTC"


class RefusalEntry(_Strict):
    """``refuse``: which changes."""

    actions: list[Action]
    documents: int = Field(0, ge=0)
    allowed: WindowEntry | None = None


class PolicyFile(_Strict):
    """A file of ``provision/policies/``."""

    description: str = ""
    environments: str | list[str] = "*"
    resources: _Globs = "*/*"
    require: dict[str, RuleEntry] = {}
    refuse: RefusalEntry | None = None

    @model_validator(mode="after")
    def _something(self) -> PolicyFile:
        if not self.require and self.refuse is None:
            raise _otherwise("require or refuse in it")
        return self


def read_policies(files: Iterable[Path]) -> tuple[tuple[Policy, ...], list[Problem]]:
    """The policies, and every mistake in them; files with mistakes are left out."""
    found: list[Policy] = []
    problems: list[Problem] = []
    for path in files:
        try:
            document = yaml.load(path)
            found.append(_policy(path.stem, document, PolicyFile.model_validate(document.value)))
        except ValidationError as error:
            problems += problems_of(document, error, PolicyFile)
        except SpecError as error:
            problems += error.problems
    return tuple(found), problems


def _policy(name: str, document: Document, file: PolicyFile) -> Policy:
    rules = tuple(_rule(path, entry) for path, entry in file.require.items())
    refusal = file.refuse and Refusal(
        frozenset(file.refuse.actions), file.refuse.documents, _window(file.refuse.allowed)
    )
    return Policy(
        name, document, file.description, _listed(file.environments), _listed(file.resources), rules, refusal or None
    )


def _rule(path: str, entry: RuleEntry) -> Rule:
    (test,) = entry.model_fields_set - {"or_missing"}
    wanted: Any = getattr(entry, test)
    return Rule(path, test, list(_listed(wanted)) if test == "like" else wanted, entry.or_missing)


def _listed(value: str | list[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _window(entry: WindowEntry | None) -> Window | None:
    if entry is None:
        return None
    days = frozenset(_DAYS.index(day) for day in entry.days)
    return Window(days, time.fromisoformat(entry.from_), time.fromisoformat(entry.to), ZoneInfo(entry.zone))
