"""Shapes in a thing's own coordinates, -1 to 1 with y downwards, and the colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

SIDE = 256
# Drawn at twice the size and halved, for smooth edges.
DRAWN = 2 * SIDE

Colour = tuple[int, int, int]
Point = tuple[float, float]

COLOURS: dict[str, Colour] = {
    "red": (214, 40, 40),
    "orange": (245, 130, 30),
    "yellow": (250, 210, 44),
    "green": (44, 160, 66),
    "blue": (40, 92, 210),
    "purple": (134, 52, 176),
}
INK: Colour = (38, 34, 44)
WHITE: Colour = (250, 250, 248)
WOOD: Colour = (122, 82, 52)
GLASS: Colour = (206, 230, 240)
LEAF: Colour = (70, 130, 70)


def mixed(one: Colour, other: Colour, share: float) -> Colour:
    """``one`` with a ``share`` of ``other``."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def darker(colour: Colour) -> Colour:
    return mixed(colour, INK, 0.3)


def lighter(colour: Colour) -> Colour:
    return mixed(colour, WHITE, 0.4)


@dataclass(frozen=True)
class Canvas:
    """A picture, seen from a thing at ``x``, ``y`` that reaches ``size`` to each side; all three in pixels as drawn."""

    image: Image.Image
    x: float
    y: float
    size: float

    @property
    def _draw(self) -> ImageDraw.ImageDraw:
        return ImageDraw.Draw(self.image)

    def _at(self, points: Sequence[Point]) -> list[Point]:
        return [(round(self.x + x * self.size), round(self.y + y * self.size)) for x, y in points]

    def _width(self, width: float) -> int:
        return max(2, round(width * self.size))

    def polygon(self, *points: Point, fill: Colour, edge: float = 0.05) -> None:
        at = self._at(points)
        self._draw.polygon(at, fill=fill)
        if edge:
            self._draw.line([*at, at[0], at[1]], fill=INK, width=self._width(edge), joint="curve")

    def box(self, left: float, top: float, right: float, bottom: float, *, fill: Colour, round_by: float = 0.0) -> None:
        self._draw.rounded_rectangle(
            self._at([(left, top), (right, bottom)]),
            radius=round(round_by * self.size),
            fill=fill,
            outline=INK,
            width=self._width(0.05),
        )

    def oval(
        self, left: float, top: float, right: float, bottom: float, *, fill: Colour | None, edge: float = 0.05
    ) -> None:
        outline, width = (INK, self._width(edge)) if edge else (None, 0)
        self._draw.ellipse(self._at([(left, top), (right, bottom)]), fill=fill, outline=outline, width=width)

    def slice(self, box: tuple[Point, Point], start: float, end: float, *, fill: Colour) -> None:
        """A slice of a pie: degrees, clockwise from three o'clock."""
        self._draw.pieslice(self._at(box), start, end, fill=fill, outline=INK, width=self._width(0.05))

    def arc(self, box: tuple[Point, Point], start: float, end: float, *, fill: Colour, width: float) -> None:
        self._draw.arc(self._at(box), start, end, fill=fill, width=self._width(width))

    def line(self, *points: Point, fill: Colour = INK, width: float = 0.06) -> None:
        self._draw.line(self._at(points), fill=fill, width=self._width(width), joint="curve")


def finished(image: Image.Image) -> Image.Image:
    """The picture at its final size."""
    return image.reduce(DRAWN // SIDE)
