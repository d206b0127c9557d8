"""Pictures in a terminal: two pixels a letter, as the upper half block in one colour on another."""

from __future__ import annotations

from collections.abc import Mapping

from osform.images.decoding import Unfit
from osform.pictures.grids import picture_of

HIGH = 5
"""Lines of a thumbnail; it is twice as wide."""


def can_show(environment: Mapping[str, str]) -> bool:
    """Whether a terminal with this environment has enough colours, as far as it says."""
    if environment.get("NO_COLOR") or environment.get("TERM", "dumb") == "dumb":
        return False
    return environment.get("COLORTERM", "") in ("truecolor", "24bit") or "256" in environment["TERM"]


def lines(content: bytes | None, high: int = HIGH) -> list[str]:
    """``high`` lines of 2 * ``high`` letters; blanks for what is no picture."""
    side = 2 * high
    blank = [" " * side] * high
    if content is None:
        return blank
    try:
        small = picture_of(content, side)
    except Unfit:
        return blank
    pixels = small.load()
    drawn = []
    for y in range(0, side, 2):
        row = []
        for x in range(side):
            above, below = (pixels[x, at] if x < small.width and at < small.height else None for at in (y, y + 1))
            row.append(_letter(above, below))
        drawn.append("".join(row))
    return drawn


def _letter(above: tuple[int, int, int] | None, below: tuple[int, int, int] | None) -> str:
    if above is None:
        return " "
    behind = f";48;2;{below[0]};{below[1]};{below[2]}" if below else ""
    return f"\x1b[38;2;{above[0]};{above[1]};{above[2]}{behind}m▀\x1b[0m"
