"""Bodies of forms that have a file in them: multipart/form-data, as RFC 7578 has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import Message

from osform.errors import InputError

_MOST_PARTS = 200


@dataclass(frozen=True)
class Form:
    """The fields of a form in order, and its files by field."""

    fields: tuple[tuple[str, str], ...]
    files: Mapping[str, bytes]


def parse(content_type: str, body: bytes) -> Form:
    """Read a form. Raises InputError for what is none."""
    header = _header(content_type)
    boundary = header.get_param("boundary")
    if header.get_content_type() != "multipart/form-data" or not isinstance(boundary, str) or not boundary:
        raise InputError("expected a form with a file, as multipart/form-data")
    fields: list[tuple[str, str]] = []
    files: dict[str, bytes] = {}
    for head, content in _parts(body, boundary.encode("latin-1", "replace")):
        name, is_file = _name(head)
        if is_file:
            files.setdefault(name, content)
        else:
            fields.append((name, content.decode("utf-8", "replace")))
    return Form(tuple(fields), files)


def _parts(body: bytes, boundary: bytes) -> Iterator[tuple[bytes, bytes]]:
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary)
    if len(pieces) < 2 or not pieces[-1].startswith(b"--") or len(pieces) > _MOST_PARTS:
        raise InputError("the form was cut off, or has too many parts")
    for piece in pieces[1:-1]:
        head, blank, content = piece.partition(b"\r\n\r\n")
        if not blank:
            raise InputError("a part of the form has no header")
        yield head, content


def _name(head: bytes) -> tuple[str, bool]:
    for line in head.decode("utf-8", "replace").split("\r\n"):
        key, _, value = line.partition(":")
        if key.strip().lower() == "content-disposition":
            header = _header(value, "content-disposition")
            name = header.get_param("name", header="content-disposition")
            file = header.get_param("filename", header="content-disposition")
            return str(name or ""), file is not None
    raise InputError("a part of the form has no name")


def _header(value: str, name: str = "content-type") -> Message:
    message = Message()
    message[name] = value.replace("\r", " ").replace("\n", " ").strip()
    return message
