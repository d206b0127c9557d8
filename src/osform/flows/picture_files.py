"""The pictures that documents and questions name: files, or addresses on the web, as bytes."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from osform.cluster.queries import Hit
from osform.errors import InputError
from osform.images.decoding import MOST_BYTES, Unfit
from osform.images.decoding import bytes_of as file_bytes
from osform.images.fetching import Fetcher, Refused, Web
from osform.images.pictures import is_address
from osform.pictures.grids import Cell

FIELDS = ("image", "photo_image_url", "image_url", "picture_url", "picture", "photo", "url", "path", "file")
"""Fields of documents that are taken for the picture's name, in this order."""

_AT_A_TIME = 8
_SECONDS = 15.0


def bytes_of(name: str, *, allow_private: bool = False) -> bytes:
    """The bytes of a picture that is searched with. Raises InputError where there are none."""
    web = Web(connections=1, timeout=_SECONDS, allow_private=allow_private)
    with closing(Fetcher(web)) as fetcher:
        try:
            return _read(name, Path(), fetcher)
        except _Missing as error:
            raise InputError(f"--image {name}: {error}") from error


def cells_of(hits: Sequence[Hit], folder: Path, *, allow_private: bool = False) -> list[Cell]:
    """A cell for each document: its picture, or the reason why there is none to be drawn."""
    web = Web(connections=_AT_A_TIME, tries=2, timeout=_SECONDS, allow_private=allow_private)
    with closing(Fetcher(web)) as fetcher, ThreadPoolExecutor(_AT_A_TIME) as pool:
        return list(pool.map(lambda hit: _cell(hit, folder, fetcher), hits))


def _cell(hit: Hit, folder: Path, fetcher: Fetcher) -> Cell:
    name = next((value for field in FIELDS if isinstance(value := hit.source.get(field), str) and value), "")
    score = f"{hit.score:.4f}"
    if not name:
        return Cell(score, hit.id, reason="the document names no picture")
    try:
        return Cell(score, name, _read(name, folder, fetcher))
    except _Missing as error:
        return Cell(score, name, reason=str(error))


class _Missing(Exception):
    """There are no bytes, and why."""


def _read(name: str, folder: Path, fetcher: Fetcher) -> bytes:
    try:
        if is_address(name):
            return fetcher.fetch(name)
        return file_bytes(str(folder / name), MOST_BYTES)
    except (Refused, Unfit) as error:
        raise _Missing(str(error)) from error
