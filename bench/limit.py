"""The model in process, as fast as it goes one text a call: what no ingest through a server can get past."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from osform.core.models import Format

_answer: Any = None
_CHUNK = 50


def _begin(bundle: str, format: Format, config: Mapping[str, Any]) -> None:
    global _answer
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    from osform.export.server import serve

    _answer = serve(Path(bundle), format, config)
    _answer("a text to be warm")


def _embed(texts: Sequence[str]) -> int:
    return sum(_answer(text) is not None for text in texts)


class Limit:
    """``workers`` processes with a thread each, the model loaded once."""

    def __init__(self, bundle: Path, format: Format, config: Mapping[str, Any], workers: int) -> None:
        start = (str(bundle), format, dict(config))
        self._pool = ProcessPoolExecutor(workers, get_context("spawn"), _begin, start)
        self.embed(["a text"] * _CHUNK * workers)

    def embed(self, texts: Sequence[str]) -> int:
        """Embed these texts; returns how many."""
        parts = [texts[start : start + _CHUNK] for start in range(0, len(texts), _CHUNK)]
        return sum(self._pool.map(_embed, parts))

    def close(self) -> None:
        """Let the processes go."""
        self._pool.shutdown()
