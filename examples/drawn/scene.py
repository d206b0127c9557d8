"""A scene and all that is true of it: its caption, questions with their answers, and conversations."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal

from examples.drawn.canvas import COLOURS
from examples.drawn.settings import SETTINGS, Setting
from examples.drawn.things import THINGS

Asked = Literal["thing", "colour", "place", "number", "setting", "presence"]
NUMBERS = ("none", "one", "two", "three")
FLOATING = ("at the top", "at the bottom")
LEVEL = ("on the left", "in the middle", "on the right")


@dataclass(frozen=True)
class Item:
    """So many things of one kind and colour. ``place`` is None where there are several."""

    thing: str
    colour: str
    number: int
    place: str | None

    @property
    def noun(self) -> str:
        return self.thing if self.number == 1 else plural(self.thing)

    @property
    def named(self) -> str:
        """``a boat``, ``two boats``."""
        return with_article(self.thing) if self.number == 1 else f"{NUMBERS[self.number]} {self.noun}"

    @property
    def described(self) -> str:
        """``a red boat``, ``two red boats``."""
        coloured = f"{self.colour} {self.noun}"
        return with_article(coloured) if self.number == 1 else f"{NUMBERS[self.number]} {coloured}"

    @property
    def verb(self) -> str:
        return "is" if self.number == 1 else "are"


@dataclass(frozen=True)
class Question:
    """A question, its answer, and what it is about."""

    about: Asked
    text: str
    answer: str


@dataclass(frozen=True)
class Chat:
    """A question, and one that can't be understood without it."""

    first: Question
    second: Question


@dataclass(frozen=True)
class Scene:
    """One item, or two that are one thing each, left and right. ``seed`` settles what no word says."""

    setting: Setting
    items: tuple[Item, ...]
    seed: int

    @property
    def things(self) -> frozenset[str]:
        return frozenset(item.thing for item in self.items)

    @property
    def caption(self) -> str:
        return f"{' and '.join(item.described for item in self.items)} {self.setting.phrase}"

    def questions(self) -> tuple[Question, ...]:
        """Every question that has an answer; which thing is not there is drawn from the seed."""
        absent = Random(f"absent {self.seed}").choice([thing for thing in THINGS if thing not in self.things])
        asked = [
            self.what(),
            Question("setting", "What is in the background?", self.setting.noun),
            Question("presence", f"Is there {with_article(absent)} in the picture?", "no"),
            Question("number", f"How many {plural(absent)} are there?", "none"),
        ]
        for item in self.items:
            asked += _of(item)
            if len(self.items) > 1:
                asked.append(Question("thing", f"What is {item.place}?", item.named))
        return tuple(asked)

    def what(self) -> Question:
        return Question("thing", "What is in the picture?", " and ".join(item.named for item in self.items))

    def chats(self) -> tuple[Chat, ...]:
        if len(self.items) > 1:
            firsts = [(item, Question("thing", f"What is {item.place}?", item.named)) for item in self.items]
        else:
            firsts = [(self.items[0], self.what())]
        return tuple(Chat(first, second) for item, first in firsts for second in _then(item))


def _of(item: Item) -> list[Question]:
    asked = [
        Question("colour", f"What colour {item.verb} the {item.noun}?", item.colour),
        Question("number", f"How many {plural(item.thing)} are there?", NUMBERS[item.number]),
        Question("presence", f"Is there {with_article(item.thing)} in the picture?", "yes"),
    ]
    if item.place:
        asked.append(Question("place", f"Where is the {item.thing}?", item.place))
    return asked


def _then(item: Item) -> list[Question]:
    it = "it" if item.number == 1 else "they"
    asked = [
        Question("colour", f"What colour {item.verb} {it}?", item.colour),
        Question("number", "How many are there?", NUMBERS[item.number]),
    ]
    if item.place:
        asked.append(Question("place", "Where is it?", item.place))
    return asked


def plural(thing: str) -> str:
    return thing if thing == "fish" else f"{thing}s"


def with_article(words: str) -> str:
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def scene(random: Random) -> Scene:
    """A scene drawn at random: things as often one as the other, then where they are found."""
    thing = random.choice(list(THINGS))
    setting = random.choice([each for each in SETTINGS if thing in each.things])
    colour, other_colour = random.sample(list(COLOURS), 2)
    others = [each for each in setting.things if each != thing]
    seed = random.getrandbits(32)
    if others and random.random() < 0.4:
        pair = [(thing, colour), (random.choice(others), other_colour)]
        random.shuffle(pair)
        left, right = (Item(*each, 1, place) for each, place in zip(pair, (LEVEL[0], LEVEL[2]), strict=True))
        return Scene(setting, (left, right), seed)
    number = random.choice((1, 1, 2, 3))
    places = LEVEL if setting.ground else (*LEVEL, *FLOATING)
    return Scene(setting, (Item(thing, colour, number, random.choice(places) if number == 1 else None),), seed)
