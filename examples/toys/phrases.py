"""What may be said of a drawn scene, from a whole caption to a single colour, and when it is true of another scene."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from examples.drawn import Scene
from examples.drawn.scene import NUMBERS, Item, plural, with_article

Fact = tuple[str, ...]


@dataclass(frozen=True)
class Phrase:
    """A text, and the facts that it states."""

    text: str
    facts: frozenset[Fact]

    def holds(self, facts: frozenset[Fact]) -> bool:
        """Whether it is true of the scene that has these facts."""
        return self.facts <= facts


def facts_of(truth: Scene) -> frozenset[Fact]:
    """All that a phrase may state of a scene."""
    facts: set[Fact] = {("in", truth.setting.phrase)}
    for item in truth.items:
        facts |= {("thing", item.thing), ("colour", item.colour), ("item", item.colour, item.thing)}
        facts |= {_counted(item), ("number", NUMBERS[item.number])}
    return frozenset(facts)


def _counted(item: Item) -> Fact:
    return ("item", NUMBERS[item.number], item.colour, item.thing)


def phrases(truth: Scene, random: Random) -> tuple[Phrase, Phrase]:
    """Two of a scene: one that says much, and one that says little."""
    return _much(truth, random), _little(truth, random)


def _much(truth: Scene, random: Random) -> Phrase:
    setting: frozenset[Fact] = frozenset({("in", truth.setting.phrase)})
    if random.random() < 0.5:
        return Phrase(_shown(truth.caption, random), frozenset(map(_counted, truth.items)) | setting)
    item = random.choice(truth.items)
    named = _named(item, random)
    return Phrase(_shown(f"{named.text} {truth.setting.phrase}", random), named.facts | setting)


def _little(truth: Scene, random: Random) -> Phrase:
    item = random.choice(truth.items)
    what = random.random()
    if what < 0.45:
        named = _named(item, random)
        return Phrase(_shown(named.text, random), named.facts)
    if what < 0.75:
        said = random.choice(("{}", "but {}", "in {}", "something {}", "a {} one", "the same in {}", "{} ones"))
        return Phrase(said.format(item.colour), frozenset({("colour", item.colour)}))
    if what < 0.9:
        return Phrase(random.choice((with_article(item.thing), item.thing, plural(item.thing))), _only(item))
    return Phrase(random.choice((truth.setting.phrase, truth.setting.noun)), frozenset({("in", truth.setting.phrase)}))


def _named(item: Item, random: Random) -> Phrase:
    if random.random() < 0.3:
        return Phrase(item.described, frozenset({_counted(item)}))
    coloured = f"{item.colour} {item.thing}"
    text = random.choice((coloured, with_article(coloured), with_article(coloured)))
    return Phrase(text, frozenset({("item", item.colour, item.thing)}))


def _only(item: Item) -> frozenset[Fact]:
    return frozenset({("thing", item.thing)})


def _shown(text: str, random: Random) -> str:
    return random.choice(("", "", "", "a photo of ", "a picture of ")) + text
