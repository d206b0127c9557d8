"""An HTTP request as a value: made by kinds, read by tests, sent by ``osform.cluster`` alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Request:
    """One request to OpenSearch.

    ``path`` starts with a slash and is already quoted. ``body`` is JSON (``dict`` or ``list``), text that is sent
    as it is (newline-delimited JSON of ``_bulk``), raw bytes (a model chunk), or None.
    """

    method: str
    path: str
    body: Any = None
    params: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"
