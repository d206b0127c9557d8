"""What a model is asked about a picture: nothing, a beginning to go on from, questions, or a conversation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from osform.errors import InputError

QUESTION = "Question: {} Answer:"
"""The words that BLIP-2 was trained on (LAVIS, ``predict_answers``): a translated template is only more text to it."""

IMAGE = "<image>"
"""The token that stands for a part of the picture in a row of input."""

RESERVED = frozenset({"image", "sha256", "prompt", "description", "model", "revision", "chat", "error"})
"""Keys of a line that no question may fill."""


@dataclass(frozen=True)
class Turn:
    """A question of a conversation, with its answer, or with None where the model is to give it."""

    question: str
    answer: str | None = None


@dataclass(frozen=True)
class Uses:
    """What is wanted of each picture.

    A line for each of ``prompts`` ("" for a caption without one), the answers to ``questions`` (field -> question) on
    each of these lines; or with ``chat`` one line, whose description is the last answer.
    """

    prompts: tuple[str, ...] = ("",)
    questions: Mapping[str, str] = field(default_factory=dict)
    chat: tuple[Turn, ...] = ()

    def __post_init__(self) -> None:
        taken = sorted(RESERVED & set(self.questions))
        if taken:
            raise InputError(f"the field {taken[0]!r} is one that each line has already", hint="call it otherwise")
        if self.chat and (self.questions or self.prompts != ("",)):
            raise InputError("a conversation goes with neither prompts nor questions", hint="run osform caption twice")
        if self.chat and all(turn.answer is not None for turn in self.chat):
            raise InputError("the conversation has an answer to every question, so there is nothing to ask")
        for text in (*self.questions.values(), *(turn.question for turn in self.chat)):
            check_question(text)

    def labels(self, own: str | None = None) -> tuple[str, ...]:
        """The value of ``prompt`` on each line of a picture, which may have a prompt of its ``own``."""
        if self.chat:
            return (self.chat[-1].question,)
        return self.prompts if own is None else (own,)


def check_question(text: str) -> None:
    """Raises InputError for a question that is empty, or that brings a template of its own."""
    if not text.strip():
        raise InputError("a question is empty")
    if ":" in text and text.rstrip().endswith(":"):
        raise InputError(
            f"the question {text!r} brings a template of its own",
            hint=f"write the question alone: it is put into the model's own words, {QUESTION.format('...')!r}",
        )


def as_question(text: str) -> str:
    """A question in the model's own words."""
    return QUESTION.format(text.strip())


def as_chat(turns: Sequence[Turn], question: str) -> str:
    """Earlier turns in front of a question; an answer that ends a sentence gets no second full stop."""
    return " ".join([*(f"{as_question(turn.question)} {_ended(turn.answer or '')}" for turn in turns),
                     as_question(question)])  # fmt: skip


def _ended(answer: str) -> str:
    answer = answer.strip()
    return answer if answer.endswith((".", "!", "?")) else f"{answer}."


def fitting(turns: Sequence[Turn], question: str, count: Callable[[str], int], limit: int) -> str:
    """The conversation with as many of the last ``turns`` as find room in ``limit`` tokens.

    Raises InputError where the question alone does not fit.
    """
    for first in range(len(turns) + 1):
        text = as_chat(turns[first:], question)
        if count(text) <= limit:
            return text
    raise InputError(f"the question {question[:60]!r} has {count(as_question(question))} tokens, at most {limit} fit")
