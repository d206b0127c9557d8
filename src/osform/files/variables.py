"""The variables of a stack: defaults of ``stack.yaml``, the environment's file, then ``--var``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from osform.core.document import Document
from osform.core.refs import references, resolve
from osform.errors import Place, Problem, SpecError
from osform.files import yaml
from osform.kinds.checks import nearest, otherwise

DEFAULT = "default"
"""The environment where none is named; its file may be missing."""

_ENVIRONMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def read_variables(
    stack: Document, declared: Mapping[str, Any], folder: Path, environment: str, given: Mapping[str, Any]
) -> tuple[dict[str, Any], list[Problem]]:
    """The value of every declared variable, and what is wrong; ``folder`` holds the environments' files."""
    problems = list(_references(stack, declared, ("variables",)))
    values = dict(declared)
    document = None
    if _ENVIRONMENT.fullmatch(environment):
        try:
            document = _document(folder, environment)
        except SpecError as error:
            problems += error.problems
    else:
        message = f"{environment!r} is no name of an environment, expected letters, digits, - and _"
        problems.append(Problem(Place("--env"), message, hint="it names a file environments/<name>.yaml"))
    if document is not None:
        for name in document.value.keys() - declared.keys():
            hint = nearest(name, declared) or "stack.yaml has none; declare it under variables:"
            problems.append(document.problem((name,), f"{name!r} is no variable of stack.yaml", hint))
        problems += _references(document, document.value, ())
        values |= document.value
    for name in sorted(given.keys() - declared.keys()):
        hint = nearest(name, declared) or "it has none; declare it under variables:"
        problems.append(Problem(Place("--var"), f"{name!r} is no variable of stack.yaml", hint=hint))
    values = {name: resolve(value, str) for name, value in values.items()}
    return values | dict(given), problems


def _document(folder: Path, environment: str) -> Document | None:
    path = folder / f"{environment}.yaml"
    if path.with_suffix(".yml").exists():
        hint = f"rename it to {path.name}"
        raise SpecError([Problem(Place(str(path.with_suffix(".yml"))), "ends in .yml, expected .yaml", hint=hint)])
    if not path.exists() and environment == DEFAULT:
        return None
    if not path.exists():
        hint = nearest(environment, {each.stem for each in folder.glob("*.yaml")} | {DEFAULT})
        raise SpecError([Problem(Place(str(path)), f"there is no environment {environment!r}", hint=hint)])
    document = yaml.load(path)
    if not isinstance(document.value, dict):
        raise SpecError([document.problem((), *otherwise(document.value, dict))])
    return document


def _references(document: Document, value: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[Problem]:
    for inner, ref in references(value):
        message = f"{getattr(ref, 'text', ref)} in a variable, expected a plain value"
        hint = "references go into resources; $${ stands for a literal ${"
        yield document.problem((*path, *inner), message, hint)
