"""The folder ``provision/``, with ``models/`` and ``templates/`` beside it, as one StackSpec."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from osform.core.address import Address
from osform.core.document import Document
from osform.core.refs import BadRef, EnvRef, OutputRef, Ref, VarRef, references, resolve
from osform.core.resource import Resource, StackSpec
from osform.errors import Place, Problem, SpecError
from osform.files import yaml
from osform.files.git import head
from osform.files.models import load_models
from osform.files.schema import problems_of
from osform.files.templates import Templates
from osform.kinds import KINDS
from osform.kinds.checks import described, nearest

DEFAULT = "default"
"""The environment where none is named; its file may be missing."""

_OURS = frozenset({"template", "values", "protect"})
_OTHER_FOLDERS = frozenset({"environments", "checks"})


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class _StackFile(_Strict):
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
    description: str = ""
    variables: dict[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")], Any] = {}
    moved: dict[str, str] = {}
    bundles: str | None = None


class _Options(_Strict):
    template: str | None = None
    values: dict[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")], Any] = {}
    protect: bool = False


@dataclass
class _Reader:
    """Reads a stack, gathering problems on the way: one run shows them all."""

    provision: Path
    templates: Templates
    problems: list[Problem] = field(default_factory=list)

    def document(self, path: Path) -> Document | None:
        """A YAML mapping, or None and a problem."""
        try:
            document = yaml.load(path)
        except SpecError as error:
            self.problems += error.problems
            return None
        if not isinstance(document.value, dict):
            self.problems.append(document.problem((), f"{described(document.value)}, expected a mapping"))
            return None
        return document

    def stack_file(self) -> _StackFile | None:
        """``stack.yaml``."""
        path = self.provision / "stack.yaml"
        if not path.is_file():
            self.problems.append(
                Problem(
                    Place(str(path)), "there is no such file, expected the stack's name in it", hint="name: my-stack"
                )
            )
            return None
        document = self.document(path)
        if document is None:
            return None
        try:
            return _StackFile.model_validate(document.value)
        except ValidationError as error:
            self.problems += problems_of(document, error, _StackFile)
            return None

    def variables(self, stack: _StackFile, environment: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Defaults, then the environment's file, then ``--var``; unknown names are problems."""
        values = dict(stack.variables)
        known = set(stack.variables)
        folder = self.provision / "environments"
        path = folder / f"{environment}.yaml"
        if path.is_file():
            document = self.document(path)
            for name, value in (document.value if document else {}).items():
                if document and name not in known:
                    self.problems.append(
                        document.problem((name,), f"{name!r} is no variable of stack.yaml", nearest(name, known))
                    )
                values[name] = value
        elif environment != DEFAULT:
            there = {each.stem for each in folder.glob("*.yaml")}
            self.problems.append(
                Problem(Place(str(path)), f"there is no environment {environment!r}", hint=nearest(environment, there))
            )
        for name in sorted(given.keys() - known):
            self.problems.append(
                Problem(Place("--var"), f"{name!r} is no variable of stack.yaml", hint=nearest(name, known))
            )
        return values | dict(given)

    def resource_files(self) -> Iterator[tuple[Address, Path]]:
        """The files of all resources; whatever else lies around is a problem."""
        if not self.provision.is_dir():
            self.problems.append(
                Problem(Place(str(self.provision)), "there is no such folder", hint="--provision DIR names another one")
            )
            return
        for folder in sorted(self.provision.iterdir()):
            if folder.name.startswith(".") or folder.name in {"stack.yaml", "README.md", *_OTHER_FOLDERS}:
                continue
            if not folder.is_dir():
                self._stray(folder, "expected a folder of a kind, stack.yaml or environments/", folder.stem)
            elif folder.name not in KINDS:
                self._stray(folder, "no kind of resource has this name", folder.name)
            else:
                yield from self._files_of(folder)

    def _stray(self, path: Path, message: str, name: str) -> None:
        self.problems.append(Problem(Place(str(path)), message, hint=nearest(name, set(KINDS) | {"environments"})))

    def _files_of(self, folder: Path) -> Iterator[tuple[Address, Path]]:
        for path in sorted(folder.iterdir()):
            if path.name.startswith(".") or path.name == "README.md":
                continue
            if path.suffix == ".yaml" and path.is_file():
                yield Address(folder.name, path.stem), path
            elif path.suffix == ".yml":
                self.problems.append(
                    Problem(Place(str(path)), "ends in .yml, expected .yaml", hint=f"rename it to {path.stem}.yaml")
                )
            else:
                self.problems.append(Problem(Place(str(path)), "expected one resource in a file <name>.yaml"))

    def resource(self, address: Address, path: Path, variables: Mapping[str, Any]) -> Resource | None:
        """One file as a resource, its template rendered, its references still in it."""
        document = self.document(path)
        if document is None:
            return None
        before = len(self.problems)
        options = self._options(document)
        body = {key: value for key, value in document.value.items() if key != "osform"}
        if options is not None and options.template is not None:
            for key in body:
                hint = "move it into the template, or into osform.values"
                self.problems.append(document.problem((key,), "a key beside osform.template, which is the body", hint))
            rendered = self._rendered(address, options, document, variables)
            if rendered is None:
                return None
            document, body = rendered, rendered.value
        self._check_keys(address, document, body)
        if len(self.problems) > before or options is None:
            return None
        return Resource(address, body, document, str(path), options.protect)

    def _options(self, document: Document) -> _Options | None:
        ours = document.value.get("osform", {})
        try:
            return _Options.model_validate(ours)
        except ValidationError as error:
            inside = Document(
                document.file, ours, {k[1:]: n for k, n in document.lines.items() if k[:1] == ("osform",)}
            )
            self.problems += problems_of(inside, error, _Options)
            return None

    def _rendered(
        self, address: Address, options: _Options, use: Document, variables: Mapping[str, Any]
    ) -> Document | None:
        def variable(ref: Ref) -> Any:
            return variables.get(ref.name, str(ref)) if isinstance(ref, VarRef) else str(ref)

        assert options.template is not None
        given = {"name": address.name, "kind": address.kind, "var": dict(variables)}
        try:
            values = {key: resolve(value, variable) for key, value in options.values.items()}
            rendered = self.templates.render(options.template, values, given, use)
        except SpecError as error:
            self.problems += error.problems
            return None
        if not isinstance(rendered.value, dict):
            self.problems.append(rendered.problem((), f"{described(rendered.value)}, expected a mapping"))
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
                message = f"unknown key {key!r} of a {address.kind}"
                self.problems.append(document.problem((key,), message, nearest(key, known | {"osform"})))

    def check_references(self, resource: Resource, variables: Mapping[str, Any], all_: Mapping[Address, Path]) -> None:
        """References to nothing: unknown variables and resources, unknown outputs, ``${`` that is no reference."""
        for path, ref in references(resource.body):
            match ref:
                case BadRef(_, message):
                    self.problems.append(resource.problem(path, message))
                case VarRef(name) if name not in variables:
                    hint = nearest(name, set(variables))
                    self.problems.append(resource.problem(path, f"{ref}: stack.yaml has no such variable", hint))
                case VarRef(name) if variables[name] is None:
                    hint = "give it a default in stack.yaml, a value in the environment's file, or --var"
                    self.problems.append(resource.problem(path, f"{ref}: the variable has no value", hint))
                case OutputRef(address, output):
                    self._check_output(resource, path, address, output, all_)
                case EnvRef() | VarRef():
                    pass

    def _check_output(self, resource: Resource, path: Any, address: Address, output: str, all_: Any) -> None:
        if address not in all_:
            near = nearest(str(address), {str(each) for each in all_})
            self.problems.append(resource.problem(path, f"${{{address}.{output}}}: there is no {address}", near))
        elif output not in KINDS[address.kind].OUTPUTS:
            known = KINDS[address.kind].OUTPUTS
            message = f"${{{address}.{output}}}: a {address.kind} has no output {output!r}"
            self.problems.append(resource.problem(path, message, nearest(output, known)))


def load_stack(provision: Path, environment: str | None = None, given: Mapping[str, Any] | None = None) -> StackSpec:
    """Read everything that the folders say for one environment.

    ``given`` are the values of ``--var``. References are checked and left unresolved, but for variables inside
    ``osform.values``, which templates may need as numbers. Raises SpecError with all mistakes that reading can find.
    """
    root = provision.parent
    reader = _Reader(provision, Templates(root / "templates"))
    environment = environment or DEFAULT
    files = dict(reader.resource_files())
    stack = reader.stack_file()
    models = load_models(root / "models")
    reader.problems += models.problems
    if stack is None:
        stack = _StackFile(name="unnamed")
        variables: dict[str, Any] = {}
    else:
        variables = reader.variables(stack, environment, given or {})
    resources: dict[Address, Resource] = {}
    for address, path in files.items():
        resource = reader.resource(address, path, variables)
        if resource is not None:
            resources[address] = resource
            reader.check_references(resource, variables, files)
    moved = _moved(stack, reader)
    if reader.problems:
        raise SpecError(reader.problems)
    return StackSpec(
        stack.name, environment, variables, resources, models.by_name, moved, stack.bundles, head(provision)
    )


def _moved(stack: _StackFile, reader: _Reader) -> dict[Address, Address]:
    moved: dict[Address, Address] = {}
    for old, new in stack.moved.items():
        try:
            moved[Address.parse(old)] = Address.parse(new)
        except ValueError as error:
            reader.problems.append(Problem(Place(str(reader.provision / "stack.yaml")), str(error), "moved"))
    return moved
