"""What is to be read: files, folders and patterns become a list of files, each with the format that its rows are in."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path
from typing import Literal, get_args

from osform.errors import InputError

Kind = Literal["jsonl", "csv", "tsv", "parquet"]
KINDS: tuple[Kind, ...] = get_args(Kind)
STDIN = "-"
DEAD_LETTERS = ".dead-letter.jsonl"
"""How the names of dead-letter files end. A folder's are left out: they are read where they are named."""

_SUFFIXES: dict[str, Kind] = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".csv": "csv", ".tsv": "tsv", ".parquet": "parquet",
    ".pq": "parquet",
}  # fmt: skip
_PACKED = {".gz", ".zst", ".zstd"}


@dataclass(frozen=True)
class Input:
    """One file with rows, or standard input (``-``).

    ``groups`` are the row groups to read of a Parquet file, from the first to before the second; None is all.
    """

    path: str
    kind: Kind
    groups: tuple[int, int] | None = None


def resolve(names: Sequence[str], read_as: Kind | None = None) -> tuple[Input, ...]:
    """The files that some names stand for, in the order of the names; those of a folder or pattern sorted by path.

    Of a folder, files with a known suffix are taken, at any depth, hidden ones and dead letters apart. A file that is
    named itself may have any suffix and is JSON Lines unless that says otherwise; ``read_as`` overrides all suffixes.
    Raises InputError, which says everything that is wrong.
    """
    found: list[Input] = []
    wrong: list[str] = []
    for name in names:
        paths = list(_paths(name))
        if not paths:
            wrong.append(f"{name}: {_nothing(name)}")
        for path in paths:
            reason = _unreadable(path)
            if reason:
                wrong.append(f"{path}: {reason}")
            else:
                found.append(Input(path, read_as or kind_of(path) or "jsonl"))
    if wrong:
        raise InputError("\n".join(wrong), hint="nothing was sent")
    if sum(each.path == STDIN for each in found) > 1:
        raise InputError("- stands for standard input, which can be read once only")
    if any(each == Input(STDIN, "parquet") for each in found):
        raise InputError("Parquet can't be read from standard input: its index is at the end", hint="name the file")
    return tuple(found)


def kind_of(path: str) -> Kind | None:
    """The format that a file's name tells, None where it tells none."""
    suffixes = Path(path).suffixes
    while suffixes and suffixes[-1].lower() in _PACKED:
        suffixes.pop()
    return _SUFFIXES.get(suffixes[-1].lower()) if suffixes else None


def size_of(inputs: Sequence[Input]) -> int | None:
    """Bytes on disk, or None where one of them is no file with a size."""
    paths = [Path(each.path) for each in inputs]
    return sum(path.stat().st_size for path in paths) if all(path.is_file() for path in paths) else None


def _paths(name: str) -> Iterator[str]:
    if name == STDIN or os.path.lexists(name):
        yield from _files_in(name) if name != STDIN and Path(name).is_dir() else [name]
    elif has_magic(name):
        for path in sorted(glob(name, recursive=True)):  # noqa: PTH207 - an absolute pattern, and ** that is optional
            yield from _files_in(path) if Path(path).is_dir() else [path]
    else:
        yield name


def _files_in(folder: str) -> Iterator[str]:
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        for file in sorted(files):
            if kind_of(file) and not file.startswith(".") and not file.endswith(DEAD_LETTERS):
                yield str(Path(place) / file)


def _nothing(name: str) -> str:
    if has_magic(name) and not Path(name).is_dir():
        return "no file is like that"
    return f"a folder without a file to read: names end in {', '.join(_SUFFIXES)}, with .gz or .zst behind or without"


def _unreadable(file: str) -> str:
    if file == STDIN:
        return ""
    try:
        if not Path(file).exists():
            return "there is no such file"
        return "" if os.access(file, os.R_OK) else "can't be read: permission denied"
    except (OSError, ValueError) as error:
        return str(error)
