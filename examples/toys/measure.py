"""How well a captioner sees drawn scenes: ``python -m examples.toys.measure [FOLDER]``, on pictures it never saw."""

from __future__ import annotations

import argparse
import io
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
from PIL import Image

from examples.drawn import Picture, draw
from examples.drawn.scene import plural
from examples.drawn.things import THINGS
from examples.toys import TOY_BLIP2
from osform.caption.engines import Loading, load, sight
from osform.caption.prompts import Turn, as_chat, as_question
from osform.images.decoding import Decoding, decode

SEED = 7
BATCH = 64
# Pictures and their prompts in, texts out: whatever runs the model.
Describe = Callable[[Sequence[Image.Image], Sequence[str]], Sequence[str]]
# What is promised of the toy, on pictures that it never saw.
LEAST = {"caption things": 0.9, "thing": 0.95, "colour": 0.95, "place": 0.8, "number": 0.8, "chat": 0.8}


@dataclass(frozen=True)
class Score:
    right: int
    asked: int

    @property
    def share(self) -> float:
        return self.right / self.asked


def measured(describe: Describe, pictures: Sequence[Picture]) -> dict[str, Score]:
    """``caption things`` (all that are there and no other), ``caption`` (every word), each subject, and chats."""
    verdicts: dict[str, list[bool]] = defaultdict(list)
    for subject, right in (*_captions(describe, pictures), *_answers(describe, pictures), *_chats(describe, pictures)):
        verdicts[subject].append(right)
    return {subject: Score(sum(each), len(each)) for subject, each in sorted(verdicts.items())}


def _captions(describe: Describe, pictures: Sequence[Picture]) -> Iterator[tuple[str, bool]]:
    texts = describe([each.image for each in pictures], [""] * len(pictures))
    for picture, text in zip(pictures, texts, strict=True):
        yield "caption things", things_in(text) == picture.truth.things
        yield "caption", text == picture.truth.caption


def _answers(describe: Describe, pictures: Sequence[Picture]) -> Iterator[tuple[str, bool]]:
    asked = [(picture, each) for picture in pictures for each in picture.truth.questions()]
    texts = describe([picture.image for picture, _ in asked], [as_question(each.text) for _, each in asked])
    for (_, question), text in zip(asked, texts, strict=True):
        yield question.about, text == question.answer


def _chats(describe: Describe, pictures: Sequence[Picture]) -> Iterator[tuple[str, bool]]:
    """Both answers must be right, and the second is asked with the model's own first."""
    asked = [(picture, each) for picture in pictures for each in picture.truth.chats()]
    images = [picture.image for picture, _ in asked]
    firsts = describe(images, [as_question(each.first.text) for _, each in asked])
    seconds = describe(
        images,
        [
            as_chat([Turn(each.first.text, said)], each.second.text)
            for (_, each), said in zip(asked, firsts, strict=True)
        ],
    )
    for (_, chat), first, second in zip(asked, firsts, seconds, strict=True):
        yield "chat", (first, second) == (chat.first.answer, chat.second.answer)


def things_in(text: str) -> frozenset[str]:
    """The things that a text names, in the singular or the plural."""
    words = Counter(text.replace(".", " ").replace(",", " ").split())
    return frozenset(thing for thing in THINGS if words[thing] or words[plural(thing)])


def engine_of(folder: Path) -> Describe:
    """The model of a folder, loaded and asked as ``osform caption`` does it."""
    engine, side = load(Loading(folder)), sight(folder).size

    def describe(images: Sequence[Image.Image], prompts: Sequence[str]) -> list[str]:
        texts: list[str] = []
        for start in range(0, len(images), BATCH):
            rows = list(enumerate(prompts[start : start + BATCH]))
            pixels = numpy.stack([_pixels(image, side) for image in images[start : start + BATCH]])
            texts += engine.say(engine.see(pixels), rows)
        return texts

    return describe


def _pixels(image: Image.Image, side: int) -> Any:
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    pixels = decode(file.getvalue(), Decoding(side)).pixels
    assert pixels is not None
    return pixels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=TOY_BLIP2)
    parser.add_argument("--pictures", type=int, default=300)
    asked = parser.parse_args()
    scores = measured(engine_of(asked.folder), draw(asked.pictures, SEED))
    print(json.dumps({subject: [each.right, each.asked, round(each.share, 3)] for subject, each in scores.items()}))


if __name__ == "__main__":
    main()
