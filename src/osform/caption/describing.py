"""A batch of pictures to everything that is wanted of them, in parts that fit into memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from osform.caption.engines import Engine
from osform.caption.prompts import IMAGE, Turn, Uses, as_question, fitting
from osform.errors import CaptionError, InputError

if TYPE_CHECKING:
    import numpy


@dataclass(frozen=True)
class Described:
    """What a model says of one picture: a text for each of ``Uses.labels``, the answers by field, the conversation.

    Or the ``reason`` why a prompt of its own can't be put to the model.
    """

    texts: tuple[str, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    chat: tuple[Turn, ...] = ()
    reason: str = ""


class Describer:
    """Describes pictures by an engine, ``batch`` rows at a time, fewer from when the device's memory was too small."""

    def __init__(self, engine: Engine, uses: Uses, batch: int) -> None:
        """Raises InputError for uses that the engine can't serve, so that it is known before the first picture."""
        if not engine.answers and (uses.questions or uses.chat):
            raise InputError("BLIP was not trained to answer questions", hint="take a BLIP-2")
        self.batch = batch
        self._engine, self._uses = engine, uses
        for prompt in (*uses.prompts, *map(as_question, uses.questions.values())):
            if wrong := self._wrong(prompt):
                raise InputError(wrong)

    def _wrong(self, prompt: str) -> str:
        """Why a prompt can't be put to the model; empty where it can."""
        count, limit = self._engine.count(prompt), self._engine.limit
        if count > limit:
            return f"the prompt {prompt[:60]!r} has {count} tokens, at most {limit} fit"
        return f"the prompt {prompt[:60]!r} has {IMAGE} in it, which stands for the picture" if IMAGE in prompt else ""

    def describe(self, pixels: numpy.ndarray[Any, Any], own: Sequence[str | None] = ()) -> list[Described]:
        """What is wanted of each picture; uint8 of shape (pictures, 3, size, size), and the prompts of their own.

        Raises CaptionError where memory does not even suffice for one picture.
        """
        import torch

        done: list[Described] = []
        own = own or [None] * len(pixels)
        while len(done) < len(pixels):
            part = pixels[len(done) : len(done) + self.batch]
            try:
                done += self._part(part, own[len(done) : len(done) + self.batch])
            except torch.OutOfMemoryError as error:
                if self.batch == 1:
                    raise CaptionError("the device's memory does not suffice for one picture") from error
                self.batch = max(1, min(self.batch, len(part)) // 2)
                if torch.cuda.is_available():
                    torch.cuda.empty_cache()
        return done

    def _part(self, pixels: numpy.ndarray[Any, Any], own: Sequence[str | None]) -> list[Described]:
        count = len(pixels)
        seen = self._engine.see(pixels)
        if self._uses.chat:
            return [Described((turns[-1].answer or "",), chat=turns) for turns in self._talk(seen, count)]
        questions = list(self._uses.questions)
        asked = [as_question(self._uses.questions[name]) for name in questions]
        wrong = {each: self._wrong(each) for each in set(own) if each is not None}
        wanted = [() if wrong.get(each or "") else (*self._uses.labels(each), *asked) for each in own]
        said = iter(self._say(seen, [(number, prompt) for number, prompts in enumerate(wanted) for prompt in prompts]))
        described = []
        for each, prompts in zip(own, wanted, strict=True):
            texts = [next(said) for _ in prompts]
            first = len(texts) - len(asked) if texts else 0
            answers = dict(zip(questions, texts[first:], strict=bool(texts)))
            described.append(Described(tuple(texts[:first]), answers, reason=wrong.get(each or "", "")))
        return described

    def _talk(self, seen: Any, count: int) -> list[tuple[Turn, ...]]:
        """A conversation with each picture: questions without an answer are asked in turn, all pictures at a time."""
        talks = [list(self._uses.chat) for _ in range(count)]
        for place, turn in enumerate(self._uses.chat):
            if turn.answer is not None:
                continue
            rows = [(number, self._fitting(talk[:place], turn.question)) for number, talk in enumerate(talks)]
            said = self._say(seen, rows)
            for talk, answer in zip(talks, said, strict=True):
                talk[place] = replace(turn, answer=answer)
        return [tuple(talk) for talk in talks]

    def _fitting(self, before: Sequence[Turn], question: str) -> str:
        return fitting(before, question, self._engine.count, self._engine.limit)

    def _say(self, seen: Any, rows: Sequence[tuple[int, str]]) -> list[str]:
        """The texts in the order of the rows, which go to the model by length, so that little of a batch is padding."""
        lengths = {prompt: self._engine.count(prompt) for prompt in {prompt for _, prompt in rows}}
        order = sorted(range(len(rows)), key=lambda place: (lengths[rows[place][1]], place))
        said = [""] * len(rows)
        for first in range(0, len(order), self.batch):
            places = order[first : first + self.batch]
            for place, text in zip(places, self._engine.say(seen, [rows[place] for place in places]), strict=True):
                said[place] = text
        return said
