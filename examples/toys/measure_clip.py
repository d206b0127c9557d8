"""How well CLIP finds drawn scenes: ``python -m examples.toys.measure_clip [FOLDER]``.

Two thousand pictures, half of them never seen in training, are asked by a text ("a red boat"), by a picture, and by
both together ("like this one, but blue"). It counts how often a right picture is among the first five: one of the right
thing in the right colour. Of both together it also counts how often one is found of which all is true that is true of
the picture, but for the one thing that the text changes: colour, thing or setting.
"""

from __future__ import annotations

import argparse
import io
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, Literal, get_args

import numpy

from examples.drawn import Picture, Scene, draw
from examples.drawn.canvas import COLOURS
from examples.drawn.scene import with_article
from examples.drawn.settings import SETTINGS
from examples.drawn.things import THINGS
from examples.toys import TOY_CLIP
from examples.toys.phrases import Fact, facts_of
from examples.toys.train_blip2 import CHUNK, TRAINED_ON
from osform.pictures.blending import BLENDS, Blend, Crowd, centred, mean, scaled

WEIGHTS = (0.3, 0.4, 0.5, 0.6)
WAYS = {"centred": centred, "scores": scaled}
UNSEEN = 7  # the seed of pictures that no training has drawn
FIRST = 5
LEAST = {"text": 0.9, "picture": 0.95, "both": 0.75}
"""What is promised of the toy."""

Pair = tuple[str, str]  # thing and colour
# A text or a picture in, ids of pictures out, best first.
Changed = Literal["colour", "thing", "setting"]
Search = Callable[["Asked"], Sequence[int]]
Kinds = Mapping[str, Sequence["Asked"]]


@dataclass(frozen=True)
class Asked:
    """A question, by a text, by the picture of a number, or by both, and what a right answer shows.

    ``whole``: nothing else may be true of it.
    """

    text: str
    picture: int | None
    right: frozenset[Fact]
    whole: bool = False

    def answered_by(self, picture: Picture) -> bool:
        """Whether a picture is right. The one that is asked with is no answer, which is not seen here."""
        facts = facts_of(picture.truth)
        return facts == self.right if self.whole else facts >= self.right


def pictures_to_search(count: int = 2_000) -> list[Picture]:
    """The first half was learned from, the second was not."""
    seen: list[Picture] = []
    while len(seen) < count // 2:
        seen += draw(min(CHUNK, count // 2 - len(seen)), TRAINED_ON + len(seen) // CHUNK)
    return seen + draw(count - len(seen), UNSEEN)


def _shown(picture: Picture) -> frozenset[Pair]:
    return frozenset((item.thing, item.colour) for item in picture.truth.items)


def _shows(thing: str, colour: str) -> frozenset[Fact]:
    return frozenset({("item", colour, thing)})


def by_text(pictures: Sequence[Picture]) -> list[Asked]:
    """Every thing in every colour that is there to be found."""
    there = {pair for each in pictures for pair in _shown(each)}
    pairs = [(thing, colour) for thing in THINGS for colour in COLOURS]
    return [Asked(with_article(f"{colour} {thing}"), None, _shows(thing, colour)) for thing, colour in pairs
            if (thing, colour) in there]  # fmt: skip


def by_picture(pictures: Sequence[Picture], count: int = 300) -> list[Asked]:
    """Pictures of one thing; the picture itself is no answer."""
    return [Asked("", number, _shows(*_only(pictures[number]))) for number in _single(pictures, count)]


def by_both(pictures: Sequence[Picture], count: int = 300) -> list[Asked]:
    """The same thing in another colour that there is a picture of."""
    there = {pair for each in pictures for pair in _shown(each)}
    random = Random(3)
    asked = []
    for number in _single(pictures, count):
        thing, colour = _only(pictures[number])
        others = [each for each in COLOURS if each != colour and (thing, each) in there]
        wanted = random.choice(others)
        asked.append(Asked(f"but {wanted}", number, _shows(thing, wanted)))
    return asked


def by_both_all_else_kept(pictures: Sequence[Picture], changed: Changed, count: int = 300) -> list[Asked]:
    """The text changes one of colour, thing and setting; what is right is like the picture in all the rest."""
    there = {facts_of(each.truth) for each in pictures}
    random = Random(4)
    asked: list[list[Asked]] = [[], []]
    for number in _single(pictures, len(pictures)):
        ways = [(text, facts_of(other)) for text, other in _others(pictures[number].truth, changed)]
        ways = [each for each in ways if each[1] in there]
        if ways:
            text, facts = random.choice(ways)
            asked[number >= len(pictures) // 2].append(Asked(text, number, facts, whole=True))
    return [each for half in asked for each in half[: count // 2]]


def _others(truth: Scene, changed: Changed) -> list[tuple[str, Scene]]:
    """What else a scene of one item could be, and what is said to have it so."""
    (item,) = truth.items
    match changed:
        case "colour":
            return [(f"but {each}", replace(truth, items=(replace(item, colour=each),)))
                    for each in COLOURS if each != item.colour]  # fmt: skip
        case "thing":
            return [(with_article(each), replace(truth, items=(replace(item, thing=each),)))
                    for each in THINGS if each != item.thing]  # fmt: skip
        case "setting":
            return [(each.phrase, replace(truth, setting=each)) for each in SETTINGS if each != truth.setting]


def _single(pictures: Sequence[Picture], count: int) -> list[int]:
    """Half of them learned from and half not, evenly."""
    middle_of = len(pictures) // 2
    halves = (range(middle_of), range(middle_of, len(pictures)))
    return [each for half in halves for each in [n for n in half if len(_shown(pictures[n])) == 1][: count // 2]]


def _only(picture: Picture) -> Pair:
    (pair,) = _shown(picture)
    return pair


def found(search: Search, asked: Sequence[Asked], pictures: Sequence[Picture]) -> tuple[float, float]:
    """The share of questions with a right picture among the first five, and the share of right ones in those five."""
    hits, rights = 0, 0.0
    for each in asked:
        first = [number for number in search(each) if number != each.picture][:FIRST]
        right = [each.answered_by(pictures[number]) for number in first]
        hits += any(right)
        rights += sum(right) / FIRST
    return hits / len(asked), rights / len(asked)


@dataclass(frozen=True)
class Vectors:
    """Exact search in memory, by the same blending as ``osform search``."""

    of_pictures: numpy.ndarray[Any, Any]
    of_texts: Mapping[str, numpy.ndarray[Any, Any]]
    crowd: Crowd

    def search(self, how: Blend, weight: float = 0.5) -> Search:
        def run(asked: Asked) -> Sequence[int]:
            seen = self.of_pictures[asked.picture] if asked.picture is not None else None
            said = self.of_texts[asked.text] if asked.text else None
            if seen is None or said is None:
                vector = said if seen is None else seen
            else:
                both = (seen.tolist(), said.tolist(), weight)
                vector = numpy.array(mean(*both) if how == "mean" else WAYS[how](*both, self.crowd))
            return _ranked(self.of_pictures @ vector)

        return run


def _ranked(scores: numpy.ndarray[Any, Any]) -> list[int]:
    return [int(each) for each in numpy.argsort(-scores, kind="stable")[: 3 * FIRST]]


def png(picture: Picture) -> bytes:
    file = io.BytesIO()
    picture.image.save(file, "PNG", compress_level=1)
    return file.getvalue()


def vectors_of(folder: Path, pictures: Sequence[Picture], asked: Sequence[Asked]) -> Vectors:
    """Pictures as ``osform pictures ingest`` sees them, texts as transformers embeds them."""
    import torch
    from transformers import AutoTokenizer, CLIPTextModelWithProjection

    from osform.images.decoding import decode
    from osform.pictures import towers

    tower = towers.load(folder, "cpu")
    seen = []
    for start in range(0, len(pictures), 64):
        pixels = [decode(png(each), tower.decoding).pixels for each in pictures[start : start + 64]]
        seen.append(tower.see(numpy.stack([each for each in pixels if each is not None])))
    tokenizer, model = AutoTokenizer.from_pretrained(folder), CLIPTextModelWithProjection.from_pretrained(folder)
    texts = list(dict.fromkeys(each.text for each in asked if each.text))
    with torch.inference_mode():
        said = model(**tokenizer(texts, padding=True, truncation=True, return_tensors="pt")).text_embeds
    said = torch.nn.functional.normalize(said, dim=-1).numpy()
    of_texts = dict(zip(texts, said, strict=True))
    of_pictures = numpy.concatenate(seen)
    some = [of_pictures[number].tolist() for number in Random(5).sample(range(len(pictures)), 64)]
    return Vectors(of_pictures, of_texts, Crowd(of_pictures.mean(0).tolist(), some))


def kinds_of_both(pictures: Sequence[Picture], count: int = 300) -> Kinds:
    """Questions by a picture and a text together, by what a right answer has of either."""
    whole: dict[str, Sequence[Asked]] = {
        f"{each} changed, all else kept": by_both_all_else_kept(pictures, each, count) for each in get_args(Changed)
    }
    return {"thing kept, colour changed": by_both(pictures, count), **whole}


def shares(
    search: Callable[[Blend, float], Search], kinds: Kinds, pictures: Sequence[Picture]
) -> Iterator[tuple[Blend, float, list[float]]]:
    """Of every blend and weight, the share of each kind of questions that has a right answer among the first five."""
    for blend, weight in itertools.product(BLENDS, WEIGHTS):
        yield blend, weight, [found(search(blend, weight), asked, pictures)[0] for asked in kinds.values()]


def row(*cells: object) -> str:
    """A line of a table in Markdown; shares in percent."""
    shown = (f"{100 * each:.1f} %" if isinstance(each, float) else str(each) for each in cells)
    return f"| {' | '.join(shown)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=TOY_CLIP)
    parser.add_argument("--pictures", type=int, default=2_000)
    parser.add_argument("--questions", type=int, default=300, help="Of each kind. [default: 300]")
    asked = parser.parse_args()
    pictures = pictures_to_search(asked.pictures)
    text, picture = by_text(pictures), by_picture(pictures, asked.questions)
    kinds = kinds_of_both(pictures, asked.questions)
    vectors = vectors_of(asked.folder, pictures, [*text, *itertools.chain(*kinds.values())])
    print(row("asked by", "questions", "a right one among the first five", "right ones of the first five"))
    for name, questions in (("text", text), ("picture", picture)):
        print(row(name, len(questions), *found(vectors.search("mean"), questions, pictures)), flush=True)
    print("\n" + row("both", "the text's share", *(f"{name} ({len(each)})" for name, each in kinds.items())))
    for blend, weight, found_of in shares(vectors.search, kinds, pictures):
        print(row(blend, f"{weight:g}", *found_of), flush=True)


if __name__ == "__main__":
    main()
