"""Connectors that are live, as their files have them: what is or looks like a credential comes from the environment."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from osform.core.document import Path
from osform.core.refs import EnvRef
from osform.core.values import leaves
from osform.kinds import KINDS
from osform.kinds.telling import Credential, pieces

_EMPTY: tuple[Any, ...] = (None, {}, [], "")
_CREDENTIAL = re.compile(r"\$\{credential\.([^}]+)\}")


@dataclass(frozen=True)
class Mixed:
    """Text with references to the environment where credentials stood."""

    pieces: tuple[str | EnvRef, ...]


def connector(source: Mapping[str, Any], taken: dict[str, str | None]) -> dict[str, Any]:
    """A connector as its file has it, with an EnvRef or Mixed for each text that is or holds a credential.

    ``taken`` are the values of variables that were named before, None for those that nobody can see.
    """
    prefix = _variable(str(source.get("name", "")))

    def named(word: str, value: str | None) -> EnvRef:
        name = f"{prefix}_{_variable(word)}"
        name = name if name[0].isalpha() else f"KEY_{name}"
        free, number = name, 1
        while taken.setdefault(free, value) != value:  # another one of the same name
            number += 1
            free = f"{name}_{number}"
        return EnvRef(free)

    def hidden(key: str, value: Any) -> Any:
        if isinstance(value, dict):
            return {inner: hidden(inner, item) for inner, item in value.items()}
        if isinstance(value, list):
            return [hidden("", item) for item in value]
        if not isinstance(value, str):
            return value
        found = [named(each.word, each.value) if isinstance(each, Credential) else each for each in pieces(key, value)]
        if not any(isinstance(each, EnvRef) for each in found):
            return value
        return found[0] if len(found) == 1 else Mixed(tuple(found))

    known = KINDS["connector"].KEYS - {"credential"}
    shown = {key: value for key, value in source.items() if key in known and value not in _EMPTY}
    asked = {match for _, leaf in leaves(shown) if isinstance(leaf, str) for match in _CREDENTIAL.findall(leaf)}
    credential = {"credential": {key: named(key, None) for key in sorted(asked)}} if asked else {}
    return {key: hidden("", value) for key, value in shown.items()} | credential


def variables(body: Mapping[str, Any]) -> Iterator[tuple[str, Path]]:
    """The variables of the environment that a body asks for, and where."""
    for path, leaf in leaves(dict(body)):
        for piece in leaf.pieces if isinstance(leaf, Mixed) else (leaf,):
            if isinstance(piece, EnvRef):
                yield piece.name, path


def _variable(text: str) -> str:
    return re.sub(r"[^A-Z0-9]+", "_", text.upper()).strip("_")
