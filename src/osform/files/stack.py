"""The folder ``provision/``, with ``models/`` and ``templates/`` beside it, as one StackSpec."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError
from pydantic_core import PydanticCustomError

from osform.core.address import Address
from osform.core.checks import Checks
from osform.core.document import Document
from osform.core.policies import Policy
from osform.core.refs import VarRef, escaped, parse
from osform.core.resource import Resource, StackSpec
from osform.errors import Place, Problem, SpecError
from osform.files import yaml
from osform.files.checks import read_checks
from osform.files.git import head
from osform.files.models import load_models
from osform.files.policies import read_policies
from osform.files.referring import Known, mistakes
from osform.files.schema import problems_of
from osform.files.templates import Templates
from osform.files.variables import DEFAULT, read_variables
from osform.kinds import KINDS
from osform.kinds.checks import a, nearest, otherwise

_OURS = frozenset({"template", "values", "protect", "may_close"})
_OTHER_FOLDERS = frozenset({"environments", "checks", "policies"})
# What a reference can name: a file's name that is none could never be referred to.
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def _matching(pattern: str, words: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise PydanticCustomError("expected", "expected {words}", {"words": words})
        return text

    return check


_StackName = Annotated[
    str, AfterValidator(_matching(r"[a-z0-9][a-z0-9-]{0,62}", "lower-case letters, digits and -, at most 63"))
]
_Name = Annotated[
    str, AfterValidator(_matching(r"[A-Za-z_][A-Za-z0-9_]*", "a name of letters, digits and _, no digit first"))
]
_Span = Annotated[str, AfterValidator(_matching(r"[0-9]{1,6}[smhd]", "a number and s, m, h or d, as in 12h or 7d"))]
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class StackFile(_Strict):
    """``stack.yaml``."""

    name: _StackName
    description: str = ""
    variables: dict[_Name, Any] = {}
    moved: dict[str, str] = {}
    bundles: str | None = None
    retention: _Span = "7d"
    history: _Span = "90d"


class Options(_Strict):
    """What stands under ``osform:`` in a resource's file."""

    template: str | None = None
    values: dict[_Name, Any] = {}
    protect: bool = False
    may_close: bool = False


class _ResourceFile(BaseModel):
    """A resource's file as far as it is osform's own; the rest is the API's."""

    model_config = ConfigDict(strict=True, extra="ignore")

    osform: Options = Options()


@dataclass
class _Reader:
    """Reads a stack, gathering problems on the way: one run shows them all.

    ``there`` are the addresses of all files, those with mistakes included, so that no reference to one of them is
    called wrong as well. ``variables`` is None where stack.yaml can't be read.
    """

    provision: Path
    templates: Templates
    problems: list[Problem] = field(default_factory=list)
    there: set[Address] = field(default_factory=set)
    variables: Mapping[str, Any] | None = None

    def document(self, path: Path) -> Document | None:
        """A YAML mapping, or None and a problem."""
        try:
            document = yaml.load(path)
        except SpecError as error:
            self.problems += error.problems
            return None
        if not isinstance(document.value, dict):
            self.problems.append(document.problem((), *otherwise(document.value, dict)))
            return None
        return document

    def stack_file(self, environment: str, given: Mapping[str, Any]) -> StackFile:
        """``stack.yaml`` and the environment's values; what can be read of it where it has mistakes."""
        unknown = StackFile(name="unnamed")
        path = self.provision / "stack.yaml"
        if not path.is_file():
            message = "there is no such file, expected the stack's name in it"
            hint = "write name: my-stack, or --provision DIR for another folder"
            if self.provision.is_dir():
                self.problems.append(Problem(Place(str(path)), message, hint=hint))
            return unknown
        document = self.document(path)
        if document is None:
            return unknown
        stack, declared = unknown, document.value.get("variables")
        try:
            stack = StackFile.model_validate(document.value)
            declared = stack.variables
        except ValidationError as error:
            self.problems += problems_of(document, error, StackFile)
        if isinstance(declared, dict):
            folder = self.provision / "environments"
            self.variables, problems = read_variables(document, declared, folder, environment, given)
            self.problems += problems
        self.problems += self._moved(document, stack.moved)
        return stack

    def _moved(self, document: Document, moved: Mapping[str, str]) -> Iterator[Problem]:
        for old, new in moved.items():
            path = ("moved", old)
            try:
                before, after = Address.parse(old), Address.parse(new)
            except ValueError as error:
                yield document.problem(path, str(error), "write moved: {index/old: index/new}")
                continue
            if before.kind not in KINDS or before.kind != after.kind:
                near = nearest(before.kind, KINDS) if before.kind not in KINDS else "a renamed resource keeps its kind"
                yield document.problem(path, f"{old} to {new}, expected two names of one kind", near)
            elif before in self.there:
                yield document.problem(path, f"{old} is still in the files", "remove its file, or this line")
            elif after not in self.there:
                near = nearest(new, {str(each) for each in self.there if each.kind == after.kind})
                yield document.problem(path, f"there is no {new}", near)

    def resource_files(self) -> dict[Address, Path]:
        """The files of all resources; whatever else lies around is a problem."""
        files: dict[Address, Path] = {}
        if not self.provision.is_dir():
            hint = "osform init writes one to start from; --provision DIR names another"
            self.problems.append(Problem(Place(str(self.provision)), "there is no such folder", hint=hint))
            return files
        listed = self._listed(self.provision)
        if not {"stack.yaml", *KINDS} & {each.name for each in listed}:
            return files  # some other folder: that it has no stack.yaml says enough
        for folder in listed:
            if folder.name in {"stack.yaml", *_OTHER_FOLDERS}:
                continue
            if folder.name == "stack.yml":
                self._stray(folder, "ends in .yml, expected .yaml", "rename it to stack.yaml")
            elif not folder.is_dir():
                hint = "a resource goes into the folder of its kind, e.g. index/images.yaml"
                self._stray(folder, "expected a folder of a kind, stack.yaml or environments/", hint)
            elif folder.name not in KINDS:
                hint = nearest(folder.name, {*KINDS, *_OTHER_FOLDERS})
                self._stray(folder, "no kind of resource has this name", hint)
            else:
                files |= self._files_of(folder)
        return files

    def checks(self) -> dict[str, Checks]:
        """What the indices must find, by index; the other files have been listed by then."""
        folder = self.provision / "checks"
        files = [path for _, path in self._files_of(folder)] if folder.is_dir() else []
        found, problems = read_checks(files, self._known)
        self.problems += problems
        return found

    def policies(self) -> tuple[Policy, ...]:
        """The rules that every plan of the stack is held to."""
        folder = self.provision / "policies"
        found, problems = read_policies([path for _, path in self._files_of(folder)] if folder.is_dir() else [])
        self.problems += problems
        return found

    def _listed(self, folder: Path) -> list[Path]:
        try:
            return sorted(each for each in folder.iterdir() if each.name[0] != "." and each.name != "README.md")
        except OSError as error:
            self._stray(folder, f"can't be read: {error.strerror}")
            return []

    def _stray(self, path: Path, message: str, hint: str = "") -> None:
        self.problems.append(Problem(Place(str(path)), message, hint=hint))

    def _files_of(self, folder: Path) -> Iterator[tuple[Address, Path]]:
        for path in self._listed(folder):
            address = Address(folder.name, path.stem)
            if path.suffix in (".yaml", ".yml") and folder.name in KINDS:
                self.there.add(address)
            if path.suffix == ".yml":
                twin = path.with_suffix(".yaml").name
                hint = f"remove one of the two, {twin} is there already" if path.with_name(twin).exists() else ""
                self._stray(path, "ends in .yml, expected .yaml", hint or f"rename it to {twin}")
            elif path.suffix != ".yaml":
                self._stray(path, "expected one resource in a file <name>.yaml")
            elif not path.is_file():
                self._stray(path, "no file, or a link to nothing; expected one resource in it")
            elif not path.resolve().is_relative_to(self.provision.resolve().parent):
                self._stray(path, "a link that leads out of the project", "put the file itself there")
            elif not _FILE_NAME.fullmatch(path.stem):
                message = f"{path.stem!r} is no name for a resource, expected letters, digits, - _ ."
                self._stray(path, message, "rename the file")
            else:
                yield address, path

    def resource(self, address: Address, path: Path) -> Resource | None:
        """One file as a resource, its template rendered, its references still in it; None where it has mistakes."""
        document = self.document(path)
        if document is None:
            return None
        before = len(self.problems)
        body = {key: value for key, value in document.value.items() if key != "osform"}
        try:
            options = _ResourceFile.model_validate(document.value).osform
        except ValidationError as error:
            self.problems += problems_of(document, error, _ResourceFile)
            self._check_keys(address, document, body)
            return None
        if options.template is not None:
            hint = "move it into the template, or into osform.values"
            for key in body:
                self.problems.append(document.problem((key,), "a key beside osform.template, which is the body", hint))
            rendered = self._rendered(address, options, document)
            if rendered is None:
                return None
            document, body = rendered, rendered.value
        elif options.values:
            path_ = ("osform", "values")
            self.problems.append(document.problem(path_, "values without a template", "add osform.template"))
        self._check_keys(address, document, body)
        if len(self.problems) > before:
            return None
        self.problems += mistakes(document, body, (), self._known, KINDS[address.kind].PASSED)
        return Resource(address, body, document, str(path), options.protect, options.may_close)

    @property
    def _known(self) -> Known:
        return Known(self.variables, frozenset(self.there))

    def _rendered(self, address: Address, options: Options, use: Document) -> Document | None:
        assert options.template is not None
        passed = KINDS[address.kind].PASSED
        found = list(mistakes(use, options.values, ("osform", "values"), self._known, passed))
        self.problems += found
        if found or self.variables is None:  # without variables, half of what a template says would be echoes of that
            return None
        given = {"name": address.name, "kind": address.kind, "var": escaped(_with_values(self.variables))}
        try:
            values = {key: _filled(value, self.variables, passed) for key, value in options.values.items()}
            rendered = self.templates.render(options.template, values, given, use)
        except SpecError as error:
            self.problems += error.problems
            return None
        if not isinstance(rendered.value, dict):
            self.problems.append(rendered.problem((), *otherwise(rendered.value, dict)))
            return None
        return rendered

    def _check_keys(self, address: Address, document: Document, body: Mapping[str, Any]) -> None:
        known = KINDS[address.kind].KEYS
        for key in body:
            if key in known:
                continue
            if key in _OURS:
                hint = f"it is osform's own: write osform: {{{key}: ...}}"
                self.problems.append(document.problem((key,), "a key that belongs under osform:", hint))
            else:
                message = f"unknown key {key!r} of {a(address.kind)}"
                self.problems.append(document.problem((key,), message, nearest(key, known | {"osform"})))


def _with_values(variables: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in variables.items() if value is not None}


def _filled(value: Any, variables: Mapping[str, Any], passed: frozenset[str]) -> Any:
    """A value for a template, its variables in place; other references and ``$${`` stay for the rendered text."""
    if isinstance(value, dict):
        return {key: _filled(item, variables, passed) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, variables, passed) for item in value]
    if not isinstance(value, str) or "${" not in value:
        return value
    pieces = [
        escaped(variables[piece.name] if isinstance(piece, VarRef) else piece)
        if isinstance(piece, str | VarRef)
        else str(piece)
        for piece in parse(value, passed)
    ]
    return pieces[0] if len(pieces) == 1 else "".join(map(str, pieces))


def read_stack(
    provision: Path, environment: str | None = None, given: Mapping[str, Any] | None = None
) -> tuple[StackSpec, tuple[Problem, ...]]:
    """What can be read of the folders for one environment, and every mistake that reading can find.

    ``given`` are the values of ``--var``. References are checked and left unresolved, but for variables inside
    ``osform.values``, which templates may need as numbers. Resources with mistakes are left out of the stack.
    """
    root = provision.parent if provision.name not in ("", "..") else provision / ".."
    reader = _Reader(provision, Templates(root / "templates"))
    files = reader.resource_files()
    stack = reader.stack_file(DEFAULT if environment is None else environment, given or {})
    models = load_models(root / "models")
    reader.problems += models.problems
    read = {address: reader.resource(address, path) for address, path in files.items()}
    checks = reader.checks()
    spec = StackSpec(
        stack.name,
        DEFAULT if environment is None else environment,
        _with_values(reader.variables or {}),
        {address: resource for address, resource in read.items() if resource is not None},
        models.by_name,
        {Address.parse(old): Address.parse(new) for old, new in stack.moved.items()} if not reader.problems else {},
        _place(root, stack.bundles),
        head(root, provision.name or ".", "templates", "models"),
        frozenset({each.name for each in _folders(root / "models")} - models.by_name.keys()),
        _span(stack.retention),
        checks,
        _span(stack.history),
        reader.policies(),
    )
    return spec, tuple(reader.problems)


def _place(root: Path, bundles: str | None) -> str | None:
    """A folder from the project's own on, wherever osform is run; a URL as it is."""
    return bundles if bundles is None or "://" in bundles else str(root / bundles)


def _span(text: str) -> timedelta:
    return timedelta(**{_UNITS[text[-1]]: int(text[:-1])})


def _folders(folder: Path) -> list[Path]:
    return [each for each in folder.iterdir() if each.is_dir()] if folder.is_dir() else []


def load_stack(provision: Path, environment: str | None = None, given: Mapping[str, Any] | None = None) -> StackSpec:
    """``read_stack``, with a SpecError for mistakes."""
    spec, problems = read_stack(provision, environment, given)
    if problems:
        raise SpecError(problems)
    return spec
