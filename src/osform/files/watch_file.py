"""The file that ``osform watch`` is given: which repository it follows, which stacks it keeps, and whom it tells."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from osform.core.refs import EnvRef, resolve
from osform.core.watching import Approval, Mode, OnDrift, Target, Teller, WatchSpec
from osform.errors import SpecError
from osform.files import yaml
from osform.files.schema import problems_of

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
Event = Literal[
    "applied", "repaired", "refused", "waiting", "failing", "drifted", "in sync", "leading", "source away",
    "cluster away",
]  # fmt: skip
_DEFAULT_EVENTS: list[Event] = [
    "applied", "repaired", "refused", "waiting", "failing", "drifted", "source away", "cluster away"
]  # fmt: skip


def _matching(pattern: str, words: str) -> Any:
    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise PydanticCustomError("expected", "expected {words}", {"words": words})
        return text

    return AfterValidator(check)


_Span = Annotated[str, _matching(r"[1-9][0-9]{0,5}[smhd]", "a number and s, m, h or d, as in 30s or 5m")]
_Name = Annotated[str, _matching(r"[a-z0-9][a-z0-9-]{0,62}", "lower-case letters, digits and -, at most 63")]
_Ref = Annotated[str, _matching(r"[A-Za-z0-9_][A-Za-z0-9_./*-]*", "a branch, or tags by tags/v*")]
_Inside = Annotated[str, _matching(r"(?!.*\.\.)[^/].*", "a folder inside the repository")]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class ApproveEntry(_Strict):
    """``approve``: by what a commit is approved."""

    tags: _Ref | None = None
    notes: _Name | None = None
    signed: bool = True

    @model_validator(mode="after")
    def _something(self) -> ApproveEntry:
        if not self.tags and not self.notes:
            raise PydanticCustomError("expected", "expected {words}", {"words": "tags or notes in it"})
        return self


class StackEntry(_Strict):
    """One entry of ``stacks``."""

    provision: _Inside = "provision"
    environment: str | None = None
    apply: Mode = "automatic"
    drift: OnDrift = "repair"
    approve: ApproveEntry | None = None
    variables: dict[str, Any] = {}

    @model_validator(mode="after")
    def _approved(self) -> StackEntry:
        if (self.apply == "approve") != (self.approve is not None):
            words = "approve: with tags or notes where apply is approve, and only there"
            raise PydanticCustomError("expected", "expected {words}", {"words": words})
        return self


class TellEntry(_Strict):
    """One entry of ``tell``."""

    on: list[Event] = _DEFAULT_EVENTS
    webhook: str | None = None
    command: list[str] | None = None

    @model_validator(mode="after")
    def _one(self) -> TellEntry:
        if bool(self.webhook) == bool(self.command):
            raise PydanticCustomError("expected", "expected {words}", {"words": "either webhook or command"})
        return self


class WatchFile(_Strict):
    """A watch file."""

    name: _Name = "watch"
    repository: str
    ref: _Ref = "main"
    every: _Span = "1m"
    lease: _Span = "30s"
    signed: bool = False
    signers: str | None = None
    stacks: list[StackEntry] = Field(min_length=1)
    tell: list[TellEntry] = []


def read_watch_file(path: Path, environ: Mapping[str, str]) -> WatchSpec:
    """The file, ``${env.X}`` in it filled in. Raises SpecError with every mistake."""
    document = yaml.load(path)
    missing: list[str] = []

    def look_up(ref: Any) -> str:
        if isinstance(ref, EnvRef) and ref.name in environ:
            return environ[ref.name]
        missing.append(str(ref))
        return str(ref)

    value = resolve(document.value, look_up)
    if missing:
        hint = "only ${env.NAME} can stand here, and NAME must be set"
        raise SpecError([document.problem((), f"{each} is not known", hint) for each in missing])
    try:
        file = WatchFile.model_validate(value)
    except ValidationError as error:
        raise SpecError(problems_of(document, error, WatchFile, secrets=True)) from error
    targets = tuple(map(_target, file.stacks))
    twice = [target.key for target in targets if [each.key for each in targets].count(target.key) > 1]
    if twice:
        raise SpecError([document.problem(("stacks",), f"{twice[0]} is there twice", "keep one of them")])
    return WatchSpec(
        file.name,
        _from_here(file.repository, path.parent),
        file.ref,
        _seconds(file.every),
        _seconds(file.lease),
        targets,
        file.signed,
        str((path.parent / file.signers).resolve()) if file.signers else "",
        tuple(Teller(tuple(each.on), each.webhook or "", tuple(each.command or ())) for each in file.tell),
    )


def _target(entry: StackEntry) -> Target:
    approve = entry.approve
    approval = Approval(approve.tags or "", approve.notes or "", approve.signed) if approve else None
    provision = entry.provision.rstrip("/")
    return Target(provision, entry.environment, entry.apply, entry.drift, approval, entry.variables)


def _from_here(repository: str, here: Path) -> str:
    """A URL as it is; a path from the file's own folder on."""
    if "://" in repository or re.match(r"[\w.-]+@?[\w.-]*:", repository):
        return repository
    return str((here / repository).resolve())


def _seconds(text: str) -> float:
    return float(int(text[:-1]) * _UNITS[text[-1]])
