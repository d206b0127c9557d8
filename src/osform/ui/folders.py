"""Pictures of documents: files below the folders that were named, and nothing else of the disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from osform.core.rows import value_at

FIELDS = ("photo_image_url", "image_url", "picture_url", "image", "picture", "photo", "url", "path", "file")
"""Fields that are taken for the picture's name where none is named: those that ``osform caption`` reads of a table."""

_LONGEST = 4096  # letters of a path; what is longer may be the picture itself in letters, with a slash in every 64

# Formats that browsers draw. SVG is a document that may have scripts, and is left out.
_BEGINNINGS = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"BM", "image/bmp"),
)


@dataclass(frozen=True)
class Folders:
    """The folders with pictures, resolved. ``field`` names the picture's field in documents; ``web`` lets addresses be
    shown, which the browser then asks for.
    """

    roots: tuple[Path, ...] = ()
    field: str | None = None
    web: bool = False

    def address(self, source: Mapping[str, Any]) -> str:
        """Where the page finds the picture of a document; empty where there is none to be shown."""
        for name in (self.field,) if self.field else FIELDS:
            value = value_at(source, name)
            if isinstance(value, str) and value and (found := self._address(value)):
                return found
        return ""

    def _address(self, value: str) -> str:
        if value.startswith(("http://", "https://")):
            return value if self.web else ""
        if len(value) > _LONGEST:
            return ""
        for number, root in enumerate(self.roots):
            for part in _tails(value):
                if (path := inside(root, part)) is not None:
                    return f"/picture/{number}/{quote(str(path.relative_to(root)))}"
        return ""

    def file(self, number: str, name: str) -> Path | None:
        """The picture of an address that ``address`` gave; None for anything else."""
        if not (number.isascii() and number.isdigit() and int(number) < len(self.roots)):
            return None
        return inside(self.roots[int(number)], name)


def inside(root: Path, name: str) -> Path | None:
    """A file below a folder by its name, links followed; None where it is none, or leads out of the folder."""
    try:
        path = (root / name).resolve()
        return path if path.is_relative_to(root) and path.is_file() else None
    except (OSError, ValueError, RuntimeError):  # too long a name, a zero byte in it, links in a ring
        return None


def _tails(value: str) -> Iterator[str]:
    """A path, then without its first folder, and so on: captions were made from where the pictures were then."""
    parts = [part for part in Path(value).parts if part not in ("/", "..", ".")]
    return ("/".join(parts[start:]) for start in range(len(parts)))


def kind_of(beginning: bytes) -> str | None:
    """The media type of a picture by its first bytes; None for what browsers don't draw, or may run."""
    for start, kind in _BEGINNINGS:
        if beginning.startswith(start):
            return kind
    if beginning[:4] == b"RIFF" and beginning[8:12] == b"WEBP":
        return "image/webp"
    return "image/avif" if beginning[4:12] in (b"ftypavif", b"ftypavis") else None
