"""The text of an answer as JSON: not deeper, not denser and of no bigger numbers than a cluster has reason to send."""

from __future__ import annotations

import json
from typing import Any

from opensearchpy.exceptions import SerializationError
from opensearchpy.serializer import JSONSerializer

MOST_VALUES = 3_000_000
"""Values in one answer: ten thousand documents with vectors have fewer than that."""
DEEPEST = 200
MOST_WORDS = 10_000
"""Letters of a reason: what it says is looked for by patterns, which take minutes on one of megabytes."""


class Careful(JSONSerializer):
    """opensearch-py's JSON, but for what it does with a hostile answer."""

    def loads(self, s: str) -> Any:
        """The value. Raises SerializationError, which never repeats the answer."""
        if s.count(",") + 4 * (s.count("[") + s.count("{")) > 4 * MOST_VALUES:
            raise SerializationError("has more values than any answer that was asked for")
        try:
            return json.loads(s, parse_constant=float)
        except RecursionError:
            raise SerializationError("is nested deeper than any answer that was asked for") from None
        except ValueError as error:
            raise SerializationError(f"is no JSON ({getattr(error, 'msg', 'a number too long')})") from None
