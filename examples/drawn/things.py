"""How each thing is drawn, in one colour and as large as its canvas says."""

from __future__ import annotations

from collections.abc import Callable

from examples.drawn.canvas import GLASS, INK, LEAF, WHITE, WOOD, Canvas, Colour, darker, lighter


def boat(on: Canvas, colour: Colour) -> None:
    on.line((0, -0.95), (0, 0.35), fill=WOOD, width=0.1)
    on.polygon((0.08, -0.9), (0.08, 0.22), (0.8, 0.22), fill=WHITE)
    on.polygon((-0.08, -0.6), (-0.08, 0.22), (-0.6, 0.22), fill=WHITE)
    on.polygon((-1, 0.32), (1, 0.32), (0.68, 0.85), (-0.62, 0.85), fill=colour)
    on.line((-0.84, 0.5), (0.88, 0.5), fill=lighter(colour), width=0.08)


def house(on: Canvas, colour: Colour) -> None:
    on.box(0.35, -0.85, 0.6, -0.2, fill=darker(colour))
    on.box(-0.75, -0.2, 0.75, 0.95, fill=colour)
    on.polygon((-1, -0.15), (0, -0.95), (1, -0.15), fill=darker(WOOD))
    on.box(-0.18, 0.35, 0.18, 0.95, fill=WOOD)
    for left in (-0.6, 0.28):
        on.box(left, 0.08, left + 0.32, 0.4, fill=(255, 240, 170))


def car(on: Canvas, colour: Colour) -> None:
    on.polygon((-0.62, 0.05), (-0.4, -0.45), (0.34, -0.45), (0.64, 0.05), fill=colour)
    on.polygon((-0.46, 0.02), (-0.3, -0.32), (-0.05, -0.32), (-0.05, 0.02), fill=GLASS)
    on.polygon((0.07, 0.02), (0.07, -0.32), (0.27, -0.32), (0.46, 0.02), fill=GLASS)
    on.box(-1, 0.02, 1, 0.6, fill=colour, round_by=0.2)
    on.oval(0.8, 0.14, 0.96, 0.3, fill=(255, 240, 170))
    for middle in (-0.54, 0.54):
        on.oval(middle - 0.29, 0.34, middle + 0.29, 0.92, fill=INK)
        on.oval(middle - 0.12, 0.51, middle + 0.12, 0.75, fill=(190, 190, 196))


def tree(on: Canvas, colour: Colour) -> None:
    on.polygon((-0.14, 0.1), (0.14, 0.1), (0.2, 0.95), (-0.2, 0.95), fill=WOOD)
    for left, top, right, bottom in (
        (-0.85, -0.45, 0.05, 0.4),
        (-0.05, -0.45, 0.85, 0.4),
        (-0.55, -1.0, 0.55, 0.05),
    ):
        on.oval(left, top, right, bottom, fill=colour)
    on.oval(-0.5, -0.55, 0.5, 0.3, fill=colour, edge=0)
    on.oval(-0.3, -0.8, 0.05, -0.5, fill=lighter(colour), edge=0)


def umbrella(on: Canvas, colour: Colour) -> None:
    on.line((0, -0.95), (0, 0.75), width=0.1)
    on.arc(((0, 0.55), (0.4, 0.95)), 0, 180, fill=INK, width=0.1)
    on.slice(((-1, -0.85), (1, 1.0)), 180, 360, fill=colour)
    on.slice(((-0.36, -0.85), (0.36, 1.0)), 180, 360, fill=lighter(colour))
    on.line((-1, 0.08), (1, 0.08), width=0.06)


def cup(on: Canvas, colour: Colour) -> None:
    on.arc(((0.3, -0.2), (1.0, 0.5)), -100, 100, fill=INK, width=0.22)
    on.arc(((0.34, -0.16), (0.96, 0.46)), -100, 100, fill=colour, width=0.14)
    on.polygon((-0.72, -0.35), (0.62, -0.35), (0.46, 0.85), (-0.56, 0.85), fill=colour)
    on.oval(-0.72, -0.5, 0.62, -0.2, fill=(90, 56, 36))
    on.line((-0.5, -0.05), (-0.42, 0.6), fill=lighter(colour), width=0.1)
    for left in (-0.3, 0.1):
        on.arc(((left - 0.15, -0.98), (left + 0.15, -0.75)), 90, 270, fill=WHITE, width=0.06)
        on.arc(((left - 0.15, -0.75), (left + 0.15, -0.52)), -90, 90, fill=WHITE, width=0.06)


def fish(on: Canvas, colour: Colour) -> None:
    on.polygon((-0.4, 0), (-1, -0.5), (-0.85, 0), (-1, 0.5), fill=darker(colour))
    on.polygon((-0.1, -0.35), (0.2, -0.75), (0.45, -0.3), fill=darker(colour))
    on.oval(-0.6, -0.5, 1, 0.5, fill=colour)
    on.polygon((0.1, 0.05), (-0.2, 0.3), (0.15, 0.25), fill=lighter(colour))
    on.oval(0.55, -0.26, 0.8, -0.02, fill=WHITE)
    on.oval(0.65, -0.18, 0.75, -0.08, fill=INK)


def balloon(on: Canvas, colour: Colour) -> None:
    on.arc(((-0.2, 0.45), (0.2, 0.75)), -90, 90, fill=INK, width=0.06)
    on.arc(((-0.2, 0.72), (0.2, 1.0)), 90, 270, fill=INK, width=0.06)
    on.polygon((0, 0.35), (-0.16, 0.55), (0.16, 0.55), fill=colour)
    on.oval(-0.62, -1, 0.62, 0.42, fill=colour)
    on.oval(-0.4, -0.8, -0.1, -0.35, fill=lighter(colour), edge=0)


def flower(on: Canvas, colour: Colour) -> None:
    on.line((0, 0), (0, 0.95), fill=LEAF, width=0.12)
    on.polygon((0, 0.75), (-0.5, 0.45), (-0.3, 0.75), fill=LEAF)
    on.polygon((0, 0.75), (0.5, 0.45), (0.3, 0.75), fill=LEAF)
    for x, y in ((0, -0.68), (0.42, -0.48), (0.42, -0.02), (0, 0.18), (-0.42, -0.02), (-0.42, -0.48)):
        on.oval(x - 0.32, y - 0.32, x + 0.32, y + 0.32, fill=colour)
    on.oval(-0.27, -0.52, 0.27, 0.02, fill=(96, 60, 36))


def chair(on: Canvas, colour: Colour) -> None:
    for left in (-0.6, 0.45):
        on.box(left, 0.2, left + 0.16, 0.95, fill=darker(colour))
    on.box(-0.6, -0.95, 0.6, -0.3, fill=colour, round_by=0.12)
    on.box(-0.5, -0.32, -0.36, 0.1, fill=darker(colour))
    on.box(0.36, -0.32, 0.5, 0.1, fill=darker(colour))
    on.box(-0.75, 0.05, 0.75, 0.3, fill=colour, round_by=0.08)


THINGS: dict[str, Callable[[Canvas, Colour], None]] = {
    each.__name__: each for each in (boat, house, car, tree, umbrella, cup, fish, balloon, flower, chair)
}
