"""Questions and conversations for pictures, read from YAML files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from osform.caption.prompts import RESERVED, Turn
from osform.core.document import Document
from osform.errors import Problem, SpecError
from osform.files import yaml

_QUESTIONS = "write FIELD: QUESTION, such as `colour: What colour is it?`"
_CHAT = "write a list: `- question: What is this?`, with `answer: ...` beneath it where it is known"


def read_questions(path: Path) -> Mapping[str, str]:
    """The questions of a file by the field that each answer fills. Raises SpecError."""
    document = yaml.load(path)
    value = document.value
    problems: list[Problem] = []
    if not isinstance(value, dict):
        raise SpecError([document.problem((), "expected questions by field", _QUESTIONS)])
    for name, question in value.items():
        if not isinstance(question, str) or not question.strip():
            problems.append(document.problem((name,), "expected a question", _QUESTIONS))
        elif name in RESERVED:
            problems.append(
                document.problem((name,), "each line has a field of that name already", "call it otherwise")
            )
    if problems:
        raise SpecError(problems)
    return value


def read_chat(path: Path) -> tuple[Turn, ...]:
    """The turns of a file. Raises SpecError."""
    document = yaml.load(path)
    if not isinstance(document.value, list):
        raise SpecError([document.problem((), "expected a list of turns", _CHAT)])
    problems = [problem for n, turn in enumerate(document.value) for problem in _wrong(document, n, turn)]
    if problems:
        raise SpecError(problems)
    return tuple(Turn(turn["question"], turn.get("answer")) for turn in document.value)


def _wrong(document: Document, number: int, turn: Any) -> list[Problem]:
    if not isinstance(turn, dict) or not isinstance(turn.get("question"), str):
        return [document.problem((number,), "expected a turn with a question", _CHAT)]
    unknown = [key for key in turn if key not in ("question", "answer")]
    if unknown:
        return [document.problem((number, unknown[0]), "unknown, expected question and answer", _CHAT)]
    if not isinstance(turn.get("answer", ""), str):
        return [document.problem((number, "answer"), "expected a text", _CHAT)]
    return []
