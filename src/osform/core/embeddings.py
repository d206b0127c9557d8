"""What an ingest pipeline makes of a text: its vector, and a digest that says which text the vector is of."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from osform.core.rows import value_at

DIGEST_SCRIPT = (
    "def text = ctx[params.text]; "
    "if (text instanceof String) { ctx[params.digest] = (params.model + '|' + text).sha256() } "
    "else { ctx.remove(params.digest) }"
)
"""The script processor that makes a digest. (The fingerprint processor gives wrong hashes where two requests use it at
the same time: its MessageDigest is shared by all threads, in 3.6.0.)"""

# Roughly: a token is four letters, two mark the ends, and a model reads no more than its first few hundred.
_LETTERS_A_TOKEN, _MOST_TOKENS = 4, 256


@dataclass(frozen=True)
class Embedding:
    """A text field, the vector field that the ingest pipeline makes from it, and the model that does it.

    ``digest`` is the field that holds the SHA-256 of model and text that the vector is of, where there is one.
    """

    text: str
    vector: str
    model_id: str
    digest: str | None = None

    def text_of(self, source: Mapping[str, Any]) -> Any:
        """What is there to embed, None where there is nothing: no value, a blank one, or an empty list."""
        value = value_at(source, self.text)
        return None if value == [] or (isinstance(value, str) and not value.strip()) else value

    def digest_of(self, source: Mapping[str, Any]) -> str | None:
        """The digest that a document has, if its vector is that of the text that is there now."""
        text = value_at(source, self.text)
        return hashlib.sha256(f"{self.model_id}|{text}".encode()).hexdigest() if isinstance(text, str) else None


def embedded(source: Mapping[str, Any], embeddings: tuple[Embedding, ...]) -> Iterator[tuple[int, Embedding]]:
    """The embeddings that a document gets, each with its position."""
    return ((n, each) for n, each in enumerate(embeddings) if each.text_of(source) is not None)


def tokens(text: Any) -> int:
    """About how many tokens a model reads of a text."""
    return min(_MOST_TOKENS, 2 + len(text) // _LETTERS_A_TOKEN) if isinstance(text, str) else _MOST_TOKENS
