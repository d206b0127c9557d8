"""Checks that several kinds share: types, names, required keys."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from osform.core.document import Path
from osform.core.values import Secret, Unknown, leaves
from osform.kinds.base import Body, Finding

_WORDS: Mapping[type, str] = {
    dict: "a mapping", list: "a list", str: "text", bool: "true or false", int: "a whole number", float: "a number",
    type(None): "nothing",
}  # fmt: skip

# What to write instead, for whoever is surprised by how YAML read a value.
_REMEDIES: Mapping[type, str] = {
    dict: "write KEY: VALUE", list: "write [ITEM, ...], or one '- ITEM' a line", str: "put it into quotes",
    bool: "write true or false, without quotes", int: "write digits, without quotes", float: "write digits",
}  # fmt: skip

NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")


def described(value: Any) -> str:
    """A value as a message shows it: its JSON type, and itself where it is short."""
    if isinstance(value, Unknown | Secret):
        return f"{value.text}, which stands for a single value"
    word = _WORDS.get(type(value), type(value).__name__)
    return word if isinstance(value, dict | list) or value is None else f"{word} ({value!r})"


def otherwise(value: Any, *kinds: type) -> tuple[str, str]:
    """That a value is of none of these types, and what to write instead."""
    wanted = " or ".join(_WORDS[kind] for kind in kinds)
    single = isinstance(value, dict | list) and not {dict, list} & set(kinds)
    return f"{described(value)}, expected {wanted}", "write a single value" if single else _REMEDIES[kinds[0]]


def a(word: str) -> str:
    """The word with its article: a model, an index."""
    return f"an {word}" if word[:1] in "aeiou" else f"a {word}"


def nearest(word: str, known: frozenset[str] | set[str] | Mapping[str, Any]) -> str:
    """``did you mean x?``, or the list of what is known where nothing is near."""
    near = get_close_matches(word, list(known), n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]}?"
    return f"known: {', '.join(sorted(known))}" if known else ""


def open_ended(value: Any) -> bool:
    """Whether a value is known only later, or is a secret: no check can say anything about it."""
    return isinstance(value, Unknown | Secret)


def typed(body: Body, types: Mapping[str, type | tuple[type, ...]], path: Path = ()) -> Iterator[Finding]:
    """Keys of a mapping that have another type than expected; what is known later is let through."""
    for key, expected in types.items():
        kinds = expected if isinstance(expected, tuple) else (expected,)
        # Outputs and secrets are single values, whatever they will be: never a mapping or a list.
        if key not in body or (open_ended(body[key]) and not {dict, list}.issuperset(kinds)):
            continue
        value = body[key]
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            yield Finding((*path, key), *otherwise(value, *kinds))


def required(body: Body, keys: tuple[str, ...], path: Path = ()) -> Iterator[Finding]:
    """Keys that must be there and are not."""
    for key in keys:
        if key not in body:
            yield Finding(path, f"{key!r} is missing", f"add {key}: ...")


def settings(body: Any, path: Path) -> Iterator[Finding]:
    """Settings without a value: the server stores nothing under such a key, so that nothing can be found there."""
    for inner, value in leaves(body):
        if value is None:
            hint = "leave the key out: what is not asked has its default"
            yield Finding((*path, *inner), "nothing, expected a value", hint)


def named(name: str, what: str) -> Iterator[Finding]:
    """A name that OpenSearch would refuse, or that would have to be quoted in every URL."""
    if not NAME.fullmatch(name) or len(name.encode()) > 240:
        yield Finding(
            (), f"{name!r} is no name for {what}, expected lower-case letters, digits, - _ .", "rename the file"
        )


def own_roles(body: Body) -> Iterator[Finding]:
    """``add_all_backend_roles`` means those of whoever applies, and the server never says that it was asked for."""
    if "add_all_backend_roles" in body:
        hint = "write backend_roles: [...] with the roles: whoever applies, the files then say who may use it"
        yield Finding(("add_all_backend_roles",), "can't be read back from the server", hint)
