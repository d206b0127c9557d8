"""Texts of random words from a model's own vocabulary: about everything a little, and the same ones every time."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from osform.errors import ExportError

SEED = 7


def texts(tokenizer: Any, count: int, *, words: Sequence[int], needed_for: str) -> list[str]:
    """``count`` texts; the numbers of their words are those of ``words`` in turn.

    Raises ExportError, saying what the texts are ``needed_for``, where the vocabulary has no words.
    """
    tokens = {token.lstrip("Ġ▁") for token in tokenizer.get_vocab() if not token.startswith("##")}
    known = sorted(token for token in tokens if len(token) > 2 and token.isalpha())
    if not known:
        raise ExportError(f"the source's vocabulary has no words, which {needed_for} takes")
    chance = random.Random(SEED)
    return [" ".join(chance.choices(known, k=words[number % len(words)])) for number in range(count)]
