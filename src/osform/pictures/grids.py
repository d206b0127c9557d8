"""Found pictures side by side in one picture, each with its score and name; as many as were found, no more or fewer."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from osform.errors import MissingExtra
from osform.images.decoding import MOST_PIXELS, Unfit, in_rgb, opened

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE, GAP, WORDS = 200, 12, 40
COLUMNS = 5
_LETTERS = 1_000  # more than that never fit
_PAPER, _INK, _PALE, _NONE = (255, 255, 255), (32, 32, 36), (110, 110, 118), (226, 226, 230)


@dataclass(frozen=True)
class Cell:
    """What is drawn of one document: a picture's bytes, or a ``reason`` why there are none, and two lines below."""

    score: str
    name: str
    content: bytes | None = None
    reason: str = ""


def draw(cells: Sequence[Cell], title: str, *, columns: int = COLUMNS) -> bytes:
    """A PNG with every cell, row by row under the title."""
    try:
        from PIL import Image, ImageDraw
    except ImportError as error:
        raise MissingExtra("pictures", "drawing pictures", error) from error
    wide = max(1, min(columns, len(cells)))
    rows = math.ceil(len(cells) / wide)
    top = 2 * GAP + 16
    size = (GAP + wide * (SIDE + GAP), top + rows * (SIDE + WORDS + GAP) + GAP)
    paper = Image.new("RGB", size, _PAPER)
    pen = ImageDraw.Draw(paper)
    font = _font(14)
    pen.text((GAP, GAP), _fitting(pen, title, font, size[0] - 2 * GAP), _INK, font)
    for number, cell in enumerate(cells):
        x, y = GAP + number % wide * (SIDE + GAP), top + number // wide * (SIDE + WORDS + GAP)
        _put(paper, pen, cell, x, y)
    out = io.BytesIO()
    paper.save(out, "PNG")
    return out.getvalue()


def picture_of(content: bytes, side: int) -> Image:
    """A picture, upright and in RGB, no larger than ``side``. Raises Unfit for what is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            small = in_rgb(opened(content, MOST_PIXELS, side))
        small.thumbnail((side, side))
    except Unfit:
        raise
    except Exception as error:  # Pillow's plugins raise whatever their formats make them stumble over
        raise Unfit(f"damaged: {type(error).__name__}") from error
    return small


def _put(paper: Any, pen: Any, cell: Cell, x: int, y: int) -> None:
    reason = cell.reason
    try:
        small = picture_of(cell.content, SIDE) if cell.content is not None else None
    except Unfit as error:
        small, reason = None, str(error)
    if small is None:
        pen.rectangle((x, y, x + SIDE, y + SIDE), _NONE)
        pen.text((x + 8, y + 8), _fitting(pen, reason or "no picture", _font(12), SIDE - 16), _PALE, _font(12))
    else:
        paper.paste(small, (x + (SIDE - small.width) // 2, y + (SIDE - small.height) // 2))
    pen.text((x, y + SIDE + 4), cell.score, _INK, _font(13))
    pen.text((x, y + SIDE + 21), _fitting(pen, cell.name, _font(12), SIDE), _PALE, _font(12))


def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)


def _fitting(pen: Any, text: str, font: Any, width: int) -> str:
    """The text on one line, its middle left out where it is too long."""
    text = " ".join(text.split())
    if len(text) <= _LETTERS and pen.textlength(text, font) <= width:
        return text
    low, high = 3, min(len(text) - 1, _LETTERS)  # halved: a name may be a signed address, or the picture itself
    while low < high:
        kept = (low + high + 1) // 2
        low, high = (kept, high) if pen.textlength(_short(text, kept), font) <= width else (low, kept - 1)
    return _short(text, low)


def _short(text: str, kept: int) -> str:
    return f"{text[: kept // 2]}...{text[-(kept - kept // 2) :]}"
