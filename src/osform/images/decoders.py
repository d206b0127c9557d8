"""Processes that decode pictures, and what becomes of a picture that crashes one."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from queue import SimpleQueue
from typing import Any

from osform.images.children import Answer, Child, Died
from osform.images.decoding import Decoded, Decoding, decode, prepare, read
from osform.images.pictures import Picture


class Decoders:
    """``count`` processes that decode. They start at once, and one that crashes is replaced."""

    def __init__(self, count: int) -> None:
        self._free: SimpleQueue[Child] = SimpleQueue()
        self._count = count
        for _ in range(count):
            self._free.put(Child())

    def prepare(self) -> None:
        """Have one of them import what decoding needs."""
        try:
            self._asked(prepare)
        except Died:
            return  # the first picture will tell

    def decode(self, group: Sequence[Picture], how: Decoding) -> list[Decoded]:
        """Decode pictures. After a crash each is tried by itself, which tells the one that crashes the decoder."""
        try:
            return self._asked(decoded, group, how)
        except Died:
            return [self._alone(picture, how) for picture in group]

    def close(self) -> None:
        """End them; each has to be free again."""
        for _ in range(self._count):
            self._free.get().close()

    def _alone(self, picture: Picture, how: Decoding) -> Decoded:
        try:
            return self._asked(decoded, [picture], how)[0]
        except Died:
            return Decoded(reason="the decoder crashed on it")

    def _asked(self, function: Callable[..., Answer], *args: Any) -> Answer:
        child = self._free.get()
        try:
            return child.ask(function, *args)
        except Died:
            child.close()
            child = Child()
            raise
        finally:
            self._free.put(child)


def decoded(group: Sequence[Picture], how: Decoding) -> list[Decoded]:
    """Decode pictures in this process, one after another."""
    found = []
    for picture in group:
        started = time.monotonic()
        made = read(picture.path, how) if picture.content is None else decode(picture.content, how)
        found.append(replace(made, seconds=time.monotonic() - started))
    return found
