"""References between files: ``${var.x}``, ``${env.X}``, ``${kind/name.output}``, ``${stack.s.kind/name.output}``.

``$${`` stands for a literal ``${``. A value that is nothing but one reference keeps the type of what it refers to.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from osform.core.address import Address
from osform.core.document import Path
from osform.core.values import Secret, Unknown, replaced


@dataclass(frozen=True)
class VarRef:
    """``${var.replicas}``: a variable of the stack."""

    name: str

    def __str__(self) -> str:
        return f"${{var.{self.name}}}"


@dataclass(frozen=True)
class EnvRef:
    """``${env.SUPPLIER_KEY}``: a secret from the environment."""

    name: str

    def __str__(self) -> str:
        return f"${{env.{self.name}}}"


@dataclass(frozen=True)
class OutputRef:
    """``${model/minilm.model_id}``: an output of another resource."""

    address: Address
    output: str

    def __str__(self) -> str:
        return f"${{{self.address}.{self.output}}}"


@dataclass(frozen=True)
class StackRef:
    """``${stack.search.model/minilm.model_id}``: an output of a resource of another stack, in the same environment."""

    stack: str
    address: Address
    output: str

    def __str__(self) -> str:
        return f"${{stack.{self.stack}.{self.address}.{self.output}}}"


@dataclass(frozen=True)
class BadRef:
    """A ``${`` that is no reference: what stands there and what could."""

    text: str
    message: str


Ref = VarRef | EnvRef | OutputRef | StackRef

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_VAR = re.compile(rf"var\.({_NAME})")
_ENV = re.compile(rf"env\.({_NAME})")
_OUTPUT = re.compile(rf"([a-z_]+)/([A-Za-z0-9][A-Za-z0-9._-]*)\.({_NAME})")
_STACK = re.compile(rf"stack\.([a-z0-9][a-z0-9-]*)\.{_OUTPUT.pattern}")
_TOKEN = re.compile(r"\$\$\{|\$\{([^}]*)(\}?)")
_FORMS = (
    "expected ${var.NAME}, ${env.NAME}, ${kind/name.output} or ${stack.NAME.kind/name.output}; "
    "$${ stands for a literal ${"
)


def parse(text: str, passed: frozenset[str] = frozenset()) -> list[str | Ref | BadRef]:
    """Cut text into plain pieces and references.

    ``passed`` are first words that belong to the server (``parameters`` and ``credential`` of a connector): such a
    ``${parameters.x}`` stays text.
    """
    pieces: list[str | Ref | BadRef] = []
    end = 0
    for token in _TOKEN.finditer(text):
        pieces.append(text[end : token.start()])
        end = token.end()
        pieces.append("${" if token.group() == "$${" else _reference(token, passed))
    pieces.append(text[end:])
    return [piece for piece in pieces if piece != ""]


def _reference(token: re.Match[str], passed: frozenset[str]) -> str | Ref | BadRef:
    inner = token.group(1)
    if not token.group(2):
        return BadRef(token.group(), f"a ${{ that is never closed, {_FORMS}")
    if inner.partition(".")[0] in passed:
        return token.group()
    if match := _VAR.fullmatch(inner):
        return VarRef(match[1])
    if match := _ENV.fullmatch(inner):
        return EnvRef(match[1])
    if match := _STACK.fullmatch(inner):
        return StackRef(match[1], Address(match[2], match[3]), match[4])
    if match := _OUTPUT.fullmatch(inner):
        return OutputRef(Address(match[1], match[2]), match[3])
    return BadRef(token.group(), f"{token.group()} is no reference, {_FORMS}")


def escaped(value: Any) -> Any:
    """The tree with each ``${`` of its texts written as ``$${``, which ``resolve`` turns back."""
    return replaced(value, lambda leaf: leaf.replace("${", "$${") if isinstance(leaf, str) else leaf)


def references(
    value: Any, passed: frozenset[str] = frozenset(), path: Path = ()
) -> Iterator[tuple[Path, Ref | BadRef]]:
    """Every reference in a JSON tree with its path; one in a key is a BadRef, since keys are fixed."""
    if isinstance(value, dict):
        for key, item in value.items():
            if "${" in key:
                yield (
                    (*path, key),
                    BadRef(
                        key,
                        "a reference in a key, expected one in a value; write the key out, or let a template make it",
                    ),
                )
            yield from references(item, passed, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from references(item, passed, (*path, index))
    elif isinstance(value, str) and "${" in value:
        for piece in parse(value, passed):
            if not isinstance(piece, str):
                yield path, piece


def resolve(value: Any, lookup: Callable[[Ref], Any], passed: frozenset[str] = frozenset()) -> Any:
    """The tree with each reference replaced by what ``lookup`` gives for it.

    ``lookup`` may give an Unknown or a Secret; text around one of them becomes Unknown or Secret as a whole.
    Text whose references are bad stays as it is: ``references`` reports them.
    """
    if isinstance(value, dict):
        return {key: resolve(item, lookup, passed) for key, item in value.items()}
    if isinstance(value, list):
        return [resolve(item, lookup, passed) for item in value]
    if not isinstance(value, str) or "${" not in value:
        return value
    pieces = parse(value, passed)
    if any(isinstance(piece, BadRef) for piece in pieces):
        return value
    found = [lookup(piece) if isinstance(piece, VarRef | EnvRef | OutputRef | StackRef) else piece for piece in pieces]
    return found[0] if len(found) == 1 else _joined(value, found)


def _joined(text: str, pieces: list[Any]) -> str | Unknown | Secret:
    if any(isinstance(piece, Unknown) for piece in pieces):
        return Unknown(text)
    secrets = [piece for piece in pieces if isinstance(piece, Secret)]
    if not secrets:
        return "".join(_text(piece) for piece in pieces)
    value = "".join(piece.value if isinstance(piece, Secret) else _text(piece) for piece in pieces)
    parts = tuple(part for secret in secrets for part in (secret.parts or (secret.value,)))
    return Secret(text, "".join(secret.fingerprint for secret in secrets), value, parts)


def _text(piece: Any) -> str:
    return str(piece).lower() if isinstance(piece, bool) else str(piece)
