"""Leaves that are not plain JSON: what is known only after apply, and what nobody may see."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

from osform.core.document import Path

# What a Secret looks like where it is shown or stored, and what a text that only holds one looks like.
_FINGERPRINT = re.compile(r"secret .*\$\{env\.[^}]+\}.* #[0-9a-z]+", re.DOTALL)
_HOLDING = re.compile(rf"with {_FINGERPRINT.pattern}: .*", re.DOTALL)


@dataclass(frozen=True)
class Unknown:
    """A value that is known after apply; ``text`` is what the file says, e.g. ``${model/minilm.model_id}``."""

    text: str

    def __str__(self) -> str:
        return f"{self.text} (known after apply)"


@dataclass(frozen=True)
class Secret:
    """A value made with a secret from the environment.

    ``text`` is what the file says and ``fingerprint`` a keyed hash: both may be shown. ``value`` is only ever revealed
    into the request that carries it. ``parts`` are the values from the environment that it is made of, where it is not
    one of them itself: a server may repeat the key without the word Bearer in front.
    """

    text: str
    fingerprint: str
    value: str = field(repr=False)
    parts: tuple[str, ...] = field(default=(), repr=False, compare=False)

    def __str__(self) -> str:
        return f"secret {self.text} #{self.fingerprint}"


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every leaf of a JSON tree with its path; an empty list or mapping is a leaf of its own."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from leaves(item, (*path, index))
    else:
        yield path, value


def replaced(value: Any, leaf: Callable[[Any], Any]) -> Any:
    """The same tree with ``leaf`` applied to everything in it that is neither list nor mapping."""
    if isinstance(value, dict):
        return {key: replaced(item, leaf) for key, item in value.items()}
    if isinstance(value, list):
        return [replaced(item, leaf) for item in value]
    return leaf(value)


def concealed(value: Any) -> Any:
    """The tree as it may be shown and stored: secrets as fingerprints, unknowns as what the file says."""
    return replaced(value, lambda leaf: str(leaf) if isinstance(leaf, Secret | Unknown) else leaf)


def revealed(value: Any) -> Any:
    """The tree as it is sent, secrets included. Raises ValueError where something is still unknown."""

    def reveal(leaf: Any) -> Any:
        if isinstance(leaf, Unknown):
            raise ValueError(f"{leaf.text} is not known yet")  # noqa: TRY004 - the type is right, the moment is not
        return leaf.value if isinstance(leaf, Secret) else leaf

    return replaced(value, reveal)


def secrets_in(value: Any) -> tuple[Secret, ...]:
    """All secrets of the tree."""
    return tuple(leaf for _, leaf in leaves(value) if isinstance(leaf, Secret))


def redacted(value: Any, secrets: tuple[Secret, ...]) -> Any:
    """The tree with every text that is a secret's value replaced by that secret's fingerprint.

    A text that holds one, or a part of one, keeps what is around it: somebody may have changed just that. What has been
    redacted stays as it is: a fingerprint has the words secret and env, and some passwords are no longer than that.
    """

    def redact(leaf: Any) -> Any:
        if not isinstance(leaf, str) or _told(leaf):
            return leaf
        for secret in secrets:
            if secret.value == leaf:
                return str(secret)
        held = [secret for secret in secrets if any(form in leaf for form in _forms(secret))]
        if not held:
            return leaf
        for form in sorted({form for secret in held for form in _forms(secret)}, key=len, reverse=True):
            leaf = leaf.replace(form, "***")
        return f"with {held[0]}: {leaf}"

    return replaced(value, redact) if secrets else value


def veiled(value: Any, remembered: Any) -> Any:
    """The tree less what stands where ``remembered`` has a secret's fingerprint: an old secret, or somebody's own."""
    if isinstance(value, dict) and isinstance(remembered, dict):
        return {key: veiled(item, remembered.get(key)) for key, item in value.items()}
    if isinstance(value, list) and isinstance(remembered, list):
        return [veiled(item, old) for item, old in zip(value, [*remembered, *[None] * len(value)], strict=False)]
    if isinstance(remembered, str) and _told(remembered):
        # What is around a part of a secret may be the rest of another one.
        seen = value == remembered or (isinstance(value, str) and _FINGERPRINT.fullmatch(value))
        return value if seen else "(not shown: another value than the secret)"
    return value


def _told(text: str) -> bool:
    return bool(_FINGERPRINT.fullmatch(text) or _HOLDING.fullmatch(text))


def scrubbed(text: str, secrets: tuple[Secret, ...]) -> str:
    """A message with whatever it repeats of secrets blotted out, so that the rest of it can be read."""
    forms = {form: secret for secret in secrets for form in _forms(secret)}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, f"(secret {forms[form].text})")
    return text


def _forms(secret: Secret) -> set[str]:
    """The texts that would give a secret away: itself, its parts, and how these look inside JSON and in addresses."""
    plain = {secret.value, *secret.parts} - {""}
    plain |= {
        form for text in plain for form in (unquote(text), quote(text, safe="", errors="replace"), _lower_escapes(text))
    }
    return plain | {json.dumps(text)[1:-1] for text in plain} | {json.dumps(t, ensure_ascii=False)[1:-1] for t in plain}


def _lower_escapes(text: str) -> str:
    return re.sub("%[0-9A-F]{2}", lambda escape: escape[0].lower(), text)
