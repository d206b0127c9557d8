"""What the toy BLIP-2 is taught to say of a scene: prompts in the real model's formats, and what follows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from examples.drawn import Question, Scene

END = "\n"  # what the real OPT variants end with
BEGINNINGS = ("", "", "", "a photo of ", "a picture of ")
# How often, later on, a subject is asked about beside the others: what is hard to see more often.
OFTEN = {"thing": 4, "colour": 3, "place": 2, "number": 2, "presence": 1, "setting": 0.5}


@dataclass(frozen=True)
class Part:
    """A piece of text; what is not learned is there to be read."""

    text: str
    learned: bool


Lesson = tuple[Part, ...]


def caption(truth: Scene, random: Random) -> Lesson:
    start = random.choice(BEGINNINGS)
    said = truth.caption + END
    return (Part(start.rstrip(), False), Part(f" {said}", True)) if start else (Part(said, True),)


def talk(truth: Scene, random: Random, turns: int, often: Mapping[str, float] | None = None) -> Lesson:
    """So many questions with their answers. Every answer is learned, but an end only after the last."""
    asked: list[Question] = []
    while len(asked) < turns:
        if turns - len(asked) > 1 and random.random() < 0.6:
            chat = random.choice(truth.chats())
            asked += [chat.first, chat.second]
        else:
            asked.append(_question(truth, random, often))
    parts: list[Part] = []
    for number, each in enumerate(asked):
        before = ". " if number else ""
        parts += [
            Part(f"{before}Question: {_spelled(each.text, random)} Answer:", False),
            Part(f" {each.answer}", True),
        ]
    return (*parts, Part(END, True))


def _question(truth: Scene, random: Random, often: Mapping[str, float] | None) -> Question:
    """Each subject as often as the other or as ``often`` has it, however many questions there are about it."""
    questions = truth.questions()
    subjects = sorted({each.about for each in questions})
    weights = [often[each] for each in subjects] if often else None
    about = random.choices(subjects, weights)[0] if weights else random.choice(subjects)
    return random.choice([each for each in questions if each.about == about])


def _spelled(text: str, random: Random) -> str:
    return text.replace("colour", "color") if random.random() < 0.15 else text


def first_lessons(truth: Scene, random: Random) -> tuple[Lesson, ...]:
    """What is read of one picture in a step at first: its caption, and a talk."""
    return caption(truth, random), talk(truth, random, random.choice((1, 1, 2, 2, 3)))


def later_lessons(truth: Scene, random: Random, turns: Sequence[int]) -> tuple[Lesson, ...]:
    """And later on: its caption, and talks of so many turns."""
    return caption(truth, random), *(talk(truth, random, each, OFTEN) for each in turns)
