"""Drawn pictures of everyday things with the whole truth about each, for the demo, the toy models and the tests.

The same seed gives the same pixels. Pillow is all it needs; nothing here knows osform.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from PIL import Image

from examples.drawn.canvas import COLOURS, DRAWN, Canvas, finished
from examples.drawn.scene import Chat, Item, Question, Scene, scene
from examples.drawn.things import THINGS

__all__ = ["Chat", "Item", "Picture", "Question", "Scene", "draw", "paint", "scene"]

ACROSS = {"on the left": 0.25, "in the middle": 0.5, "on the right": 0.75}
DOWN = {"at the top": 0.26, "at the bottom": 0.74}


@dataclass(frozen=True)
class Picture:
    """A picture, 256 pixels to a side, and what it shows."""

    name: str
    image: Image.Image
    truth: Scene


def draw(count: int, seed: int) -> list[Picture]:
    """So many pictures; the first ones of a seed are the same however many are drawn."""
    pictures = []
    for number in range(count):
        truth = scene(Random(f"scene {seed} {number}"))
        pictures.append(Picture(f"drawn-{number:04}.png", paint(truth), truth))
    return pictures


def paint(truth: Scene) -> Image.Image:
    random = Random(f"paint {truth.seed}")
    image = Image.new("RGB", (DRAWN, DRAWN))
    truth.setting.paint(image, random)
    for item in truth.items:
        _put(image, truth, item, random)
    return finished(image)


def _put(image: Image.Image, truth: Scene, item: Item, random: Random) -> None:
    alone = len(truth.items) == 1 and item.number == 1
    size = random.uniform(0.17, 0.23) if alone else random.uniform(0.135, 0.165 if item.number == 3 else 0.2)
    for x in _across(item):
        x += random.uniform(-0.03, 0.03)
        y = DOWN.get(item.place or "", 0.5) + random.uniform(-0.03, 0.03)
        if item.number > 1:
            y += random.uniform(-0.12, 0.12)
        if truth.setting.ground:
            y = truth.setting.ground - 0.9 * size + random.uniform(-0.02, 0.02)
        THINGS[item.thing](Canvas(image, x * DRAWN, y * DRAWN, size * DRAWN), COLOURS[item.colour])


def _across(item: Item) -> tuple[float, ...]:
    if item.number == 1:
        return (ACROSS.get(item.place or "", 0.5),)
    return (0.3, 0.7) if item.number == 2 else (0.18, 0.5, 0.82)
