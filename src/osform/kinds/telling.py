"""Credentials that stand written out in a connector: told by their names, in fields, in addresses and in JSON as text.

What nothing names can't be told: a key in an address's path, or a header of an unheard-of name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote

_ANYWHERE = (
    r"authorization|cookie|token$|secret|passw|pwd$|signature|credential|jwt$"
    r"|(api|access|private|subscription|functions?|account|auth|master|admin|signing|shared)[-_]?key"
)
_MEMBER = re.compile(_ANYWHERE, re.IGNORECASE)
_FIELD = re.compile(rf"{_ANYWHERE}|^key$|^x-.*key$", re.IGNORECASE)
# Azure calls them code and sig, Google key.
_QUERY = re.compile(rf"{_ANYWHERE}|key$|^(code|sig|sas|auth|pass|pw)$", re.IGNORECASE)

# Looked ahead for, not taken: an address may stand in another one's parameter, or in a member of JSON.
_PARAMETERS = re.compile(r"""(?<=[?&])(?P<name>[^=&?#\s"]+)=(?=(?P<value>[^&#\s"\\]+))""")
_MEMBERS = re.compile(r""""(?P<name>[^"\\]+)"\s*:\s*"(?=(?P<value>(?:[^"\\]|\\.)+)")""")
_LOGIN = re.compile(r"""(?<=://)(?P<user>[^/?#\s":@]*)(?::(?P<password>[^/?#\s"]*))?@""")


@dataclass(frozen=True)
class Credential:
    """One that was found, and the word that it goes by: a field's name, a parameter's, ``user`` or ``password``."""

    word: str
    value: str = field(repr=False)


def pieces(key: str, text: str) -> list[str | Credential]:
    """The text of the field ``key``, cut where credentials stand in it; all of it is one where its name says so.

    What the server fills in, ``${credential.key}`` say, is none. The pieces together are the text, letter by letter.
    """
    if text and "${" not in text and _FIELD.search(key):
        return [Credential(key, text)]
    found: list[str | Credential] = []
    end = 0
    for start, stop, word in sorted(_spots(text)):
        if start >= end and text[start:stop] and "${" not in text[start:stop]:
            found += [text[end:start], Credential(word, text[start:stop])]
            end = stop
    return [piece for piece in (*found, text[end:]) if piece != ""]


def _spots(text: str) -> Iterator[tuple[int, int, str]]:
    """Where credentials stand: from, to, and the word for it."""
    for match in _LOGIN.finditer(text):
        for word in ("user", "password"):
            yield *match.span(word), word
    for pattern, telling in ((_PARAMETERS, _QUERY), (_MEMBERS, _MEMBER)):
        for match in pattern.finditer(text):
            name = unquote(match["name"])
            if telling.search(name):
                yield *match.span("value"), name
