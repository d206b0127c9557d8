"""Pictures in a terminal: by its own protocol where it has one, else as coloured half blocks, else not at all."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum

from PIL import Image

COLUMNS = 26
"""Of one picture. A character cell is about twice as high as it is wide."""
BETWEEN = 2
_CELL = (10, 20)  # pixels of a cell, where the terminal scales what it gets
_PIECE = 4096  # what kitty takes at a time


class Can(Enum):
    """What a terminal can show."""

    KITTY = "kitty's graphics protocol"
    ITERM = "iTerm2's inline images"
    COLOURS = "24 bits of colour"
    PALETTE = "256 colours"
    NOTHING = "no pictures"


def can(environ: Mapping[str, str], is_terminal: bool) -> Can:
    """What the terminal says of itself in the environment. Nobody is asked: an answer might never come."""
    term, program = environ.get("TERM", ""), environ.get("TERM_PROGRAM", "")
    if not is_terminal or "NO_COLOR" in environ or term in ("", "dumb"):
        return Can.NOTHING
    through = "TMUX" in environ or term.startswith(("screen", "tmux"))  # which keep neither protocol
    if not through and ("KITTY_WINDOW_ID" in environ or term in ("xterm-kitty", "xterm-ghostty")):
        return Can.KITTY
    if not through and program in ("iTerm.app", "WezTerm"):
        return Can.ITERM
    if environ.get("COLORTERM") in ("truecolor", "24bit"):
        return Can.COLOURS
    return Can.PALETTE if "256color" in term else Can.NOTHING


def shown(pictures: Sequence[Image.Image], how: Can) -> str:
    """Pictures side by side, ``COLUMNS`` each; empty where the terminal can't."""
    match how:
        case Can.KITTY:
            return _kitty(_beside(pictures, _CELL), _columns(len(pictures)))
        case Can.ITERM:
            return _iterm(_beside(pictures, _CELL), _columns(len(pictures)))
        case Can.COLOURS | Can.PALETTE:
            return "\n".join(_blocks(_beside(pictures, (1, 2)), how)) + "\n"
        case Can.NOTHING:
            return ""


def _columns(count: int) -> int:
    return count * COLUMNS + (count - 1) * BETWEEN


def _beside(pictures: Sequence[Image.Image], cell: tuple[int, int]) -> Image.Image:
    """One picture of all, in a row on black; squares of ``COLUMNS`` columns and half as many rows."""
    wide, side = cell[0], COLUMNS * cell[0]
    strip = Image.new("RGB", (_columns(len(pictures)) * wide, side))
    for number, picture in enumerate(pictures):
        small = picture.convert("RGB").resize((side, side), Image.Resampling.LANCZOS)
        strip.paste(small, (number * (COLUMNS + BETWEEN) * wide, 0))
    return strip


def _blocks(picture: Image.Image, how: Can) -> Iterator[str]:
    """A line of text for two rows of pixels: the upper half block, and what is below it as the background."""
    rows = list(_rows(picture))
    for upper, lower in zip(rows[::2], rows[1::2], strict=True):
        cells = [f"\x1b[38;{_colour(one, how)};48;{_colour(two, how)}m▀" for one, two in zip(upper, lower, strict=True)]
        yield "".join(cells) + "\x1b[0m"


def _rows(picture: Image.Image) -> Iterator[list[tuple[int, ...]]]:
    data = picture.tobytes()
    for start in range(0, len(data), 3 * picture.width):
        row = data[start : start + 3 * picture.width]
        yield [tuple(row[place : place + 3]) for place in range(0, len(row), 3)]


def _colour(pixel: tuple[int, ...], how: Can) -> str:
    if how is Can.COLOURS:
        return "2;" + ";".join(map(str, pixel))
    red, green, blue = (round(value / 51) for value in pixel)  # the palette's cube of 6 x 6 x 6
    return f"5;{16 + 36 * red + 6 * green + blue}"


def _kitty(picture: Image.Image, columns: int) -> str:
    content = _encoded(picture)
    pieces = [content[start : start + _PIECE] for start in range(0, len(content), _PIECE)]
    said = []
    for number, piece in enumerate(pieces):
        first = f"a=T,f=100,c={columns}," if number == 0 else ""
        said.append(f"\x1b_G{first}m={int(number < len(pieces) - 1)};{piece}\x1b\\")
    return "".join(said) + "\n"


def _iterm(picture: Image.Image, columns: int) -> str:
    return f"\x1b]1337;File=inline=1;width={columns};preserveAspectRatio=1:{_encoded(picture)}\x07\n"


def _encoded(picture: Image.Image) -> str:
    content = io.BytesIO()
    picture.save(content, "PNG")
    return base64.b64encode(content.getvalue()).decode()
