"""What names on the command line stand for: files, folders, patterns, tar shards, lists, and addresses on the web."""

from __future__ import annotations

import lzma
import os
import tarfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from glob import glob, has_magic
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from osform.errors import InputError
from osform.images.shards import Member, unpacked

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".jp2", ".ppm"}
    | {".pgm", ".pnm", ".ico", ".tga"}
)
LISTS = frozenset({".txt", ".urls", ".lst"})
TABLES = frozenset({".csv", ".tsv", ".parquet", ".pq", ".jsonl", ".ndjson"})
"""Files whose rows name pictures; Unsplash's ``photos.tsv000`` is one as well."""

_BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"II*\0", b"MM\0*", b"\0\0\0\x0cjP")


@dataclass(frozen=True)
class Picture:
    """A picture that is to be described.

    ``name`` is what its line says. It is at ``url``, or in the file ``path``, or is what ``content`` holds; with a
    ``reason`` it is known already that there is none. A ``prompt`` of its own takes the place of those of the run.
    ``row`` is that of the table that names it.
    """

    name: str
    path: str = ""
    url: str = ""
    content: bytes | None = None
    reason: str = ""
    prompt: str | None = None
    row: Mapping[str, Any] = field(default_factory=dict, compare=False)


def is_table(name: str) -> bool:
    """Whether a file's name is that of a table."""
    suffix = Path(name).suffix.lower()
    return suffix in TABLES or suffix.rstrip("0123456789") == ".tsv"


def resolve(names: Sequence[str]) -> tuple[str, ...]:
    """The files and addresses that names stand for; those of a folder or pattern sorted by path.

    Of a folder, at any depth, the files that are called pictures or begin like one, hidden ones apart. Raises
    InputError, which says everything that is wrong.
    """
    found: list[str] = []
    wrong: list[str] = []
    for name in names:
        here = list(_paths(name))
        found += here
        if not here:
            folder = Path(name).is_dir()
            wrong.append(f"{name}: " + ("a folder without a picture" if folder else "there is no such file"))
    if wrong:
        raise InputError("\n".join(wrong), hint="nothing was described")
    return tuple(dict.fromkeys(found))


def _paths(name: str) -> Iterator[str]:
    if is_address(name):
        yield name
    elif Path(name).is_dir():
        yield from _pictures_in(name)
    elif os.path.lexists(name):
        yield name
    elif has_magic(name):
        for path in sorted(glob(name, recursive=True)):  # noqa: PTH207 - an absolute pattern, and ** that is optional
            yield from _pictures_in(path) if Path(path).is_dir() else [path]


def _pictures_in(folder: str) -> Iterator[str]:
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        for file in sorted(files):
            path = Path(place) / file
            if not file.startswith(".") and (path.suffix.lower() in SUFFIXES or begins_like_a_picture(path)):
                yield str(path)


def begins_like_a_picture(path: Path) -> bool:
    """Whether a file without a picture's name is one; what is no ordinary file is not opened, since it may block."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as stream:
            first = stream.read(16)
    except OSError:
        return False
    bitmap = first.startswith(b"BM") and first[6:10] == bytes(4)
    return (
        bitmap or first.startswith(_BEGINNINGS) or first[8:12] == b"WEBP" or first[4:12] in (b"ftypavif", b"ftypavis")
    )


def is_address(name: str) -> bool:
    """Whether a name is that of something on the web."""
    return name.lower().startswith(("http://", "https://"))


def of_value(value: str, folder: Path, params: Mapping[str, str]) -> Picture:
    """The picture that a list or a table names: an address, or a path, which is relative to the list's folder."""
    if is_address(value):
        return Picture(value, url=with_params(value, params))
    return Picture(value, path=str(folder / value))


def with_params(url: str, params: Mapping[str, str]) -> str:
    """An address with more parameters, which take the place of those of the same name."""
    if not params:
        return url
    try:
        parts = urlsplit(url)
        old = [(key, value) for key, value in parse_qsl(parts.query, keep_blank_values=True) if key not in params]
        return urlunsplit(parts._replace(query=urlencode([*old, *params.items()])))
    except ValueError:  # no address, or no text, which whoever asks for it will say
        return url


def of_list(path: str, params: Mapping[str, str]) -> Iterator[Picture]:
    """The pictures that a text file names, one a line; empty lines and those with # in front are skipped."""
    with Path(path).open(encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            value = line.strip().removeprefix("\ufeff")
            if value and not value.startswith("#"):
                yield of_value(value, Path(path).parent, params)


def of_shard(path: str, most_bytes: int) -> Iterator[Picture]:
    """The pictures in a tar file, as ``shard.tar/member``; in place of what can't be read, one without a picture.

    Of ten thousand shards, one was cut off on its way here: the others have nothing to do with it.
    """
    last = ""
    try:
        with unpacked(path) as content, tarfile.open(fileobj=content, mode="r|", tarinfo=Member) as shard:
            for member in shard:
                last = f" after {member.name}"
                if Path(member.name).suffix.lower() not in SUFFIXES or member.isdir():
                    continue
                name = f"{path}/{member.name}"
                if not member.isfile():
                    yield Picture(name, reason="not a file in its shard")
                elif member.size > most_bytes:
                    yield Picture(name, reason=f"{member.size:,} bytes, at most {most_bytes:,} are read")
                else:
                    stream = shard.extractfile(member)
                    yield Picture(name, content=stream.read() if stream else b"")
    except (tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError, ValueError) as error:
        yield Picture(path, reason=f"can't be read as a tar file{last}: {error}")


def is_shard(name: str) -> bool:
    """Whether a file's name is that of a tar file, packed or not."""
    return name.lower().endswith((".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"))
