"""References in files that lead nowhere: to variables, resources and outputs that there are none of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from osform.core.address import Address
from osform.core.document import Document, Path
from osform.core.refs import BadRef, EnvRef, OutputRef, Ref, StackRef, VarRef, references
from osform.errors import Problem
from osform.kinds import KINDS
from osform.kinds.checks import a, described, nearest


@dataclass(frozen=True)
class Known:
    """What a reference may name; ``variables`` is None where stack.yaml can't be read and nobody knows."""

    variables: Mapping[str, Any] | None
    addresses: frozenset[Address]


def mistakes(
    document: Document, value: Any, path: Path, known: Known, passed: frozenset[str] = frozenset()
) -> Iterator[Problem]:
    """Every reference in ``value``, which stands at ``path`` of the document, that leads nowhere.

    ``passed`` are first words of what is the server's own.
    """
    for inner, ref in references(value, passed):
        found = _mistake(ref, _at(value, inner), known)
        if found is not None:
            yield document.problem((*path, *inner), *found)


def _mistake(ref: Ref | BadRef, text: Any, known: Known) -> tuple[str, str] | None:
    match ref:
        case BadRef(_, message):
            return message, ""
        case VarRef(name):
            return None if known.variables is None else _variable(name, ref, text, known.variables)
        case OutputRef(address, output):
            return _output(ref, address, output, known.addresses)
        case StackRef(_, address, output):
            return _elsewhere(ref, address, output)
        case EnvRef():
            return None


def _variable(name: str, ref: VarRef, text: Any, variables: Mapping[str, Any]) -> tuple[str, str] | None:
    if name not in variables:
        hint = nearest(name, variables) or f"add it to variables: of stack.yaml: {name}: ..."
        return f"{ref}: stack.yaml has no such variable", hint
    if variables[name] is None:
        hint = f"give it a default in stack.yaml, a value in the environment's file, or --var {name}=..."
        return f"{ref}: the variable has no value", hint
    if isinstance(variables[name], dict | list) and text != str(ref):
        return f"{ref} is {described(variables[name])}, which can't stand inside text", "let it be the whole value"
    return None


def _output(ref: OutputRef, address: Address, output: str, addresses: frozenset[Address]) -> tuple[str, str] | None:
    if address not in addresses:
        near = nearest(str(address), {str(each) for each in addresses})
        return f"{ref}: there is no {address}", near
    known = KINDS[address.kind].OUTPUTS
    if output not in known:
        return f"{ref}: {a(address.kind)} has no output {output!r}", nearest(output, known)
    return None


def _elsewhere(ref: StackRef, address: Address, output: str) -> tuple[str, str] | None:
    if address.kind not in KINDS:
        return f"{ref}: there is no kind {address.kind!r}", nearest(address.kind, KINDS)
    known = KINDS[address.kind].OUTPUTS
    if output not in known:
        return f"{ref}: {a(address.kind)} has no output {output!r}", nearest(output, known)
    return None


def _at(value: Any, path: Path) -> Any:
    """What stands at a path; None for a key, where a reference has no value to stand in."""
    for part in path:
        if isinstance(value, dict) and part not in value:
            return None
        value = value[part]
    return value
