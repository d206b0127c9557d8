"""How well CLIP finds drawn scenes: ``python -m examples.toys.measure_clip [FOLDER]``.

Two thousand pictures, half of them never seen in training, are asked by a text ("a red boat"), by a picture, and by a
picture and a text together ("like this one, but blue"). It counts how often a picture of the right thing in the right
colour is among the first five.
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy

from examples.drawn import Picture, draw
from examples.drawn.canvas import COLOURS
from examples.drawn.scene import with_article
from examples.drawn.things import THINGS
from examples.toys import TOY_CLIP
from examples.toys.train_blip2 import CHUNK, TRAINED_ON
from osform.pictures.blending import Crowd, centred, mean

UNSEEN = 7  # the seed of pictures that no training has drawn
FIRST = 5
LEAST = {"text": 0.9, "picture": 0.95, "both": 0.75}
"""What is promised of the toy."""

Pair = tuple[str, str]
# A text or a picture in, ids of pictures out, best first.
Search = Callable[["Asked"], Sequence[int]]


@dataclass(frozen=True)
class Asked:
    """A question, by a text, by the picture of a number, or by both, and what a right answer shows."""

    text: str
    picture: int | None
    right: Pair


def pictures_to_search(count: int = 2_000) -> list[Picture]:
    """The first half was learned from, the second was not."""
    seen: list[Picture] = []
    while len(seen) < count // 2:
        seen += draw(min(CHUNK, count // 2 - len(seen)), TRAINED_ON + len(seen) // CHUNK)
    return seen + draw(count - len(seen), UNSEEN)


def shown(picture: Picture) -> frozenset[Pair]:
    """Thing and colour of all that a picture shows."""
    return frozenset((item.thing, item.colour) for item in picture.truth.items)


def by_text(pictures: Sequence[Picture]) -> list[Asked]:
    """Every thing in every colour that is there to be found."""
    there = {pair for each in pictures for pair in shown(each)}
    pairs = [(thing, colour) for thing in THINGS for colour in COLOURS]
    return [Asked(with_article(f"{colour} {thing}"), None, (thing, colour)) for thing, colour in pairs
            if (thing, colour) in there]  # fmt: skip


def by_picture(pictures: Sequence[Picture], count: int = 300) -> list[Asked]:
    """Pictures of one thing; the picture itself is no answer."""
    return [Asked("", number, _only(pictures[number])) for number in _single(pictures, count)]


def by_both(pictures: Sequence[Picture], count: int = 300) -> list[Asked]:
    """The same thing in another colour that there is a picture of."""
    there = {pair for each in pictures for pair in shown(each)}
    random = Random(3)
    asked = []
    for number in _single(pictures, count):
        thing, colour = _only(pictures[number])
        others = [each for each in COLOURS if each != colour and (thing, each) in there]
        wanted = random.choice(others)
        asked.append(Asked(f"but {wanted}", number, (thing, wanted)))
    return asked


def _single(pictures: Sequence[Picture], count: int) -> list[int]:
    """Half of them learned from and half not, evenly."""
    middle_of = len(pictures) // 2
    halves = (range(middle_of), range(middle_of, len(pictures)))
    return [each for half in halves for each in [n for n in half if len(shown(pictures[n])) == 1][: count // 2]]


def _only(picture: Picture) -> Pair:
    (pair,) = shown(picture)
    return pair


def found(search: Search, asked: Sequence[Asked], pictures: Sequence[Picture]) -> tuple[float, float]:
    """The share of questions with a right picture among the first five, and the share of right ones in those five."""
    hits, rights = 0, 0.0
    for each in asked:
        first = [number for number in search(each) if number != each.picture][:FIRST]
        right = [each.right in shown(pictures[number]) for number in first]
        hits += any(right)
        rights += sum(right) / FIRST
    return hits / len(asked), rights / len(asked)


@dataclass(frozen=True)
class Vectors:
    """Exact search in memory, by the same blending as ``osform search``."""

    of_pictures: numpy.ndarray[Any, Any]
    of_texts: Mapping[str, numpy.ndarray[Any, Any]]
    crowd: Crowd

    def search(self, how: str, weight: float = 0.5) -> Search:
        def run(asked: Asked) -> Sequence[int]:
            seen = self.of_pictures[asked.picture] if asked.picture is not None else None
            said = self.of_texts[asked.text] if asked.text else None
            if seen is None or said is None:
                vector = said if seen is None else seen
            elif how == "scores":
                return _ranked((1 - weight) * _scaled(self.of_pictures @ seen)
                               + weight * _scaled(self.of_pictures @ said))  # fmt: skip
            else:
                both = (seen.tolist(), said.tolist(), weight)
                vector = numpy.array(centred(*both, self.crowd) if how == "centred" else mean(*both))
            return _ranked(self.of_pictures @ vector)

        return run


def _scaled(scores: numpy.ndarray[Any, Any]) -> numpy.ndarray[Any, Any]:
    found: numpy.ndarray[Any, Any] = (scores - scores.min()) / (scores.max() - scores.min())
    return found


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


def rows(vectors: Vectors, pictures: Sequence[Picture]) -> Iterator[tuple[str, float, float]]:
    """What is asked and how, the share found, and how many of five are right."""
    yield ("text", *found(vectors.search(""), by_text(pictures), pictures))
    yield ("picture", *found(vectors.search(""), by_picture(pictures), pictures))
    for how in ("mean", "scores", "centred"):
        for weight in (0.4, 0.5, 0.6):
            name = f"both, {how}, text {weight}"
            yield (name, *found(vectors.search(how, weight), by_both(pictures), pictures))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=TOY_CLIP)
    parser.add_argument("--pictures", type=int, default=2_000)
    asked = parser.parse_args()
    pictures = pictures_to_search(asked.pictures)
    questions = [*by_text(pictures), *by_both(pictures)]
    for name, share, right in rows(vectors_of(asked.folder, pictures, questions), pictures):
        print(json.dumps({"asked by": name, "found": round(share, 3), "right of five": round(right, 3)}), flush=True)


if __name__ == "__main__":
    main()
