"""What is around the things: how it is drawn, how it is said, what stands in it and where its ground is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from PIL import Image, ImageDraw

from examples.drawn.canvas import DRAWN, Colour, mixed

SKY: tuple[Colour, Colour] = ((176, 216, 242), (232, 243, 248))
NIGHT: tuple[Colour, Colour] = ((18, 22, 52), (62, 66, 108))
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Setting:
    """``ground`` is where things stand, as a share of the height; None where they float."""

    phrase: str
    noun: str
    things: tuple[str, ...]
    ground: float | None
    paint: Callable[[Image.Image, Random], None]


def _fade(image: Image.Image, top: float, bottom: float, colours: tuple[Colour, Colour]) -> None:
    draw = ImageDraw.Draw(image)
    first, last = round(top * DRAWN), round(bottom * DRAWN)
    for y in range(first, last):
        draw.line([(0, y), (DRAWN, y)], fill=mixed(*colours, (y - first) / (last - first)))


def _oval(image: Image.Image, x: float, y: float, wide: float, high: float, colour: Colour) -> None:
    box = [round(each * DRAWN) for each in (x - wide, y - high, x + wide, y + high)]
    ImageDraw.Draw(image).ellipse(box, fill=colour)


def _line(image: Image.Image, box: Box, colour: Colour, width: int) -> None:
    ImageDraw.Draw(image).line([round(each * DRAWN) for each in box], fill=colour, width=width)


def _cloud(image: Image.Image, x: float, y: float, colour: Colour) -> None:
    for dx, size in ((-0.07, 0.035), (0.0, 0.05), (0.07, 0.035)):
        _oval(image, x + dx, y, size * 1.3, size, colour)


def _clouds(image: Image.Image, random: Random, colour: Colour, number: int = 2) -> None:
    for _ in range(number):
        _cloud(image, random.uniform(0.1, 0.9), random.uniform(0.06, 0.2), colour)


def _stars(image: Image.Image, random: Random) -> None:
    for _ in range(24):
        _oval(image, random.random(), random.uniform(0, 0.5), 0.004, 0.004, (240, 240, 220))


def _moon(image: Image.Image, random: Random) -> None:
    x, y = random.uniform(0.1, 0.9), random.uniform(0.1, 0.15)
    _oval(image, x, y, 0.07, 0.07, (248, 244, 214))
    _oval(image, x + 0.03, y - 0.015, 0.055, 0.055, NIGHT[0])


def _waves(image: Image.Image, random: Random, top: float, colour: Colour) -> None:
    for _ in range(22):
        x, y = random.random(), random.uniform(top + 0.03, 0.98)
        _line(image, (x - 0.04, y, x + 0.04, y), colour, 3)


def sea(image: Image.Image, random: Random) -> None:
    _fade(image, 0, 0.62, SKY)
    _clouds(image, random, (250, 250, 250))
    _fade(image, 0.62, 1, ((110, 186, 204), (52, 132, 166)))
    _waves(image, random, 0.62, (196, 230, 236))


def sea_by_night(image: Image.Image, random: Random) -> None:
    _fade(image, 0, 0.62, NIGHT)
    _stars(image, random)
    _moon(image, random)
    _fade(image, 0.62, 1, ((44, 70, 104), (22, 36, 66)))
    _waves(image, random, 0.62, (120, 146, 176))


def _hill(image: Image.Image, random: Random, colour: Colour) -> None:
    _oval(image, random.uniform(0.2, 0.8), 1.15, 1.2, 0.45, colour)


def moonlight(image: Image.Image, random: Random) -> None:
    _fade(image, 0, 1, NIGHT)
    _stars(image, random)
    _moon(image, random)
    _hill(image, random, (40, 62, 60))


def sunshine(image: Image.Image, random: Random) -> None:
    _fade(image, 0, 1, SKY)
    x, y = random.uniform(0.1, 0.9), random.uniform(0.1, 0.14)
    _oval(image, x, y, 0.11, 0.11, (255, 240, 180))
    _oval(image, x, y, 0.075, 0.075, (255, 214, 64))
    _hill(image, random, (176, 204, 120))


def snow(image: Image.Image, random: Random) -> None:
    _fade(image, 0, 1, ((150, 166, 190), (206, 216, 228)))
    _hill(image, random, (246, 249, 252))
    for _ in range(70):
        _oval(image, random.random(), random.random(), 0.008, 0.008, (255, 255, 255))


def road(image: Image.Image, random: Random) -> None:
    _fade(image, 0, 0.6, SKY)
    _clouds(image, random, (250, 250, 250))
    _fade(image, 0.6, 0.7, ((150, 186, 110), (150, 186, 110)))
    _fade(image, 0.7, 1, ((104, 104, 110), (84, 84, 90)))
    start = random.random() * 0.2
    for step in range(-1, 6):
        _line(image, (start + step * 0.2, 0.92, start + step * 0.2 + 0.1, 0.92), (240, 240, 230), 8)


def meadow(image: Image.Image, random: Random) -> None:
    _fade(image, 0, 0.6, SKY)
    _clouds(image, random, (250, 250, 250), 3)
    _fade(image, 0.6, 1, ((168, 206, 118), (112, 168, 84)))
    for _ in range(60):
        x, y = random.random(), random.uniform(0.63, 1)
        _line(image, (x, y, x + 0.008, y - 0.03), (86, 142, 66), 3)


def storm(image: Image.Image, random: Random) -> None:
    _fade(image, 0, 1, ((96, 102, 116), (150, 158, 168)))
    for _ in range(5):
        _cloud(image, random.random(), random.uniform(0.0, 0.1), (70, 74, 88))
    _fade(image, 0.82, 1, ((92, 98, 108), (70, 76, 88)))
    for _ in range(80):
        x, y = random.random(), random.random()
        _line(image, (x, y, x - 0.02, y + 0.07), (196, 214, 230), 3)


def beach(image: Image.Image, random: Random) -> None:
    _fade(image, 0, 0.42, SKY)
    _clouds(image, random, (250, 250, 250), 1)
    _fade(image, 0.42, 0.62, ((84, 166, 194), (132, 202, 212)))
    _fade(image, 0.62, 1, ((242, 224, 176), (228, 204, 150)))
    for _ in range(40):
        _oval(image, random.random(), random.uniform(0.65, 1), 0.005, 0.004, (206, 180, 126))


def table(image: Image.Image, random: Random) -> None:
    _fade(image, 0, 0.68, ((232, 222, 206), (222, 210, 192)))
    _fade(image, 0.68, 1, ((176, 128, 84), (146, 100, 62)))
    for _ in range(7):
        y = random.uniform(0.7, 1)
        _line(image, (0, y, 1, y), (138, 94, 58), 2)


def underwater(image: Image.Image, random: Random) -> None:
    _fade(image, 0, 1, ((120, 200, 212), (38, 104, 140)))
    _fade(image, 0.92, 1, ((214, 196, 146), (196, 176, 126)))
    for _ in range(5):
        x, high = random.random(), random.uniform(0.1, 0.22)
        _line(image, (x, 0.95, x + 0.02, 0.95 - high), (52, 122, 86), 8)
    for _ in range(12):
        x, y = random.random(), random.random() * 0.9
        _oval(image, x, y, 0.01, 0.01, (190, 228, 234))


def sky(image: Image.Image, random: Random) -> None:
    _fade(image, 0, 1, SKY)
    for _ in range(5):
        _cloud(image, random.random(), random.uniform(0.05, 0.95), (252, 252, 252))


def room(image: Image.Image, random: Random) -> None:
    _fade(image, 0, 0.72, ((236, 228, 236), (228, 218, 226)))
    for step in range(9):
        _line(image, (step / 8, 0, step / 8, 0.72), (220, 208, 220), 4)
    _fade(image, 0.72, 1, ((196, 164, 128), (176, 142, 106)))
    x = random.uniform(0.2, 0.8)
    ImageDraw.Draw(image).rectangle([round(each * DRAWN) for each in (x - 0.1, 0.06, x + 0.1, 0.24)], (190, 222, 240))
    _line(image, (x, 0.06, x, 0.24), (250, 250, 250), 6)


SETTINGS: tuple[Setting, ...] = (
    Setting("on the sea", "the sea", ("boat",), 0.74, sea),
    Setting("on the sea at night", "the sea at night", ("boat",), 0.74, sea_by_night),
    Setting("under the moon", "the night sky", ("house", "tree", "car"), 0.86, moonlight),
    Setting("under the sun", "the sun", ("house", "tree", "flower", "car"), 0.86, sunshine),
    Setting("in the snow", "snow", ("house", "tree", "chair"), 0.88, snow),
    Setting("on the road", "a road", ("car",), 0.88, road),
    Setting("in a meadow", "a meadow", ("tree", "flower", "house"), 0.88, meadow),
    Setting("in a storm", "a storm", ("umbrella", "house", "tree"), 0.88, storm),
    Setting("on the beach", "a beach", ("umbrella", "chair"), 0.88, beach),
    Setting("on a table", "a table", ("cup", "flower"), 0.86, table),
    Setting("under the waves", "the deep sea", ("fish",), None, underwater),
    Setting("in the sky", "the sky", ("balloon",), None, sky),
    Setting("in a room", "a room", ("chair", "umbrella", "balloon"), 0.9, room),
)
