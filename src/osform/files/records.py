"""What stands in one line or row of a file: a document, or why it is none."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from osform.files.streams import Line, Source

LINE_LIMIT = 10_000_000
KEPT_OF_A_LONG_LINE = 1_000
WRAPPER = "_dead_letter"

At = Callable[[], float]
"""How far a file has been read, from 0 to 1; 0 where that can't be known."""


class Unusable(ValueError):
    """A line that is no document; the message is the reason."""


@dataclass(frozen=True)
class Found:
    """A document as it stands in a file, or a ``reason`` why there is none and the ``text`` that was there.

    ``given`` is the id that a dead-letter file says it has. ``sent`` documents are as they were sent once: field names
    are not mapped a second time. ``cut``: the text is only the beginning of what was there. ``update``: only the fields
    to change of a document are there.
    """

    line: int
    document: Mapping[str, Any] | None = None
    reason: str = ""
    text: str = ""
    cut: bool = False
    given: Any = None
    sent: bool = False
    update: bool = False


def jsonl(source: Source, limit: int) -> Iterator[Found]:
    """The lines of a JSON Lines file; those of a dead-letter file as the documents that they hold."""
    for line in source.lines(limit):
        if line.content.strip():
            yield too_long(line, limit) if line.cut else _found(line)


def too_long(line: Line, limit: int) -> Found:
    """A line of more than ``limit`` bytes."""
    text = line.content[:KEPT_OF_A_LONG_LINE].decode("utf-8", "backslashreplace")
    return Found(line.number, reason=f"the line is longer than {limit:,} bytes", text=text, cut=True)


def _found(line: Line) -> Found:
    try:
        document = parse(line.content)
    except Unusable as error:
        text = line.content.decode("utf-8", "backslashreplace")
        return Found(line.number, reason=str(error), text=text)
    if isinstance(document.get(WRAPPER), dict):
        return _unwrapped(document, line.number)
    if document.keys() - {"prompt"} == {"image", "error"}:  # as osform caption records what it could not describe
        reason = f"{document['image']} was not described: {document['error']}"
        return Found(line.number, reason=reason, text=line.content.decode("utf-8"))
    return Found(line.number, document)


def _unwrapped(wrapper: Mapping[str, Any], number: int) -> Found:
    """What a line of a dead-letter file holds: the id where one was known, and the document."""
    text, given, update = str(wrapper.get("text", "")), wrapper.get("_id"), wrapper[WRAPPER].get("update") is True
    if wrapper.get("cut") is True:
        origin = wrapper[WRAPPER]
        whole = f"{origin.get('file')}:{origin.get('line')}"
        reason = f"only the beginning was kept; the whole line is at {whole}"
        return Found(number, reason=reason, text=text, cut=True, update=update)
    document = wrapper.get("document")
    if isinstance(document, dict):
        return Found(number, document, given=given, sent=True, update=update)
    try:
        return Found(number, parse(text.encode("utf-8", "surrogatepass")), given=given, update=update)
    except Unusable as error:
        return Found(number, reason=str(error), text=text, update=update)


def parse(line: bytes) -> dict[str, Any]:
    """The JSON object in a line. Raises Unusable, with the reason, where OpenSearch would refuse or misread it."""
    if b"\0" in line:
        raise Unusable("a NUL byte: this is not a line of text")
    try:
        value = _DECODER.decode(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise Unusable(f"not UTF-8: byte 0x{line[error.start]:02x} at position {error.start + 1}") from error
    except json.JSONDecodeError as error:
        raise Unusable(f"not JSON: {error.msg} at column {error.colno}") from error
    except RecursionError as error:
        raise Unusable("not JSON that can be read: nested too deep") from error
    except ValueError as error:
        raise Unusable(f"not JSON that can be indexed: {error}") from error
    if not isinstance(value, dict):
        raise Unusable(f"{_KINDS[type(value)]}, where an object with the document's fields was expected")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} is there twice in one object")
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


_DECODER = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_constant)
_KINDS = {
    list: "an array",
    str: "a text",
    int: "a number",
    float: "a number",
    bool: "true or false",
    type(None): "null",
}
