"""One part of a load, in a process of its own, which may be on another machine: what it is given, and what it gives."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Protocol

from osform.cluster.client import Cluster
from osform.core.events import Advanced, Begun, Ended, Event
from osform.core.rows import Rejected
from osform.errors import InputError, OsformError
from osform.files.documents import Mapped, Reader
from osform.files.parts import Part, id_hash
from osform.files.seen import Seen
from osform.flows.load.assembling import Pace, Run, Sources, assembled
from osform.flows.load.running import Ingested, Manner
from osform.flows.load.whereabouts import Whereabouts

_EVERY_SECONDS = 2.0


@dataclass(frozen=True)
class Order:
    """What all parts of a load have in common. ``connect`` makes the connection; ``share`` of them are at work at once.

    ``twice`` are hashes of ids that more than one row has: parts leave those rows out, and one process reads all of
    them at the end, since only there is known which came first.
    """

    connect: Callable[[], Cluster]
    alias: str
    id_field: str | None
    mapped: Mapped
    manner: Manner
    pace: Pace
    share: int
    twice: frozenset[int]


@dataclass(frozen=True)
class Outcome:
    """What became of a part. ``wrong`` is why it ended early, in words and with a hint; errors don't travel well."""

    done: Ingested
    wrong: tuple[str, str | None] | None = None
    is_input: bool = False


class Teller(Protocol):
    """The desk as a worker sees it. What it is told for good is there when the call comes back."""

    def settled(self) -> int: ...

    def reached(self, rows: int, *, now: bool) -> None: ...

    def letter(self, rejected: Rejected) -> None: ...

    def told(self, event: Event) -> None: ...

    def advanced(self, rows: int) -> None: ...


class _Notes:
    """How far a part is, said every two seconds."""

    def __init__(self, teller: Teller) -> None:
        self._teller, self._said = teller, time.monotonic()
        self.rows = teller.settled()

    def reached(self, rows: int, *, now: bool = False) -> None:
        if now or time.monotonic() - self._said >= _EVERY_SECONDS:
            self._said = time.monotonic()
            self._teller.reached(rows, now=now)


@dataclass(frozen=True)
class _Letters:
    teller: Teller

    def add(self, rejected: Rejected) -> None:
        self.teller.letter(rejected)


def load_part(order: Order, part: Part, teller: Teller, *, rest: bool = False) -> Outcome:
    """Settle all rows of a part; with ``rest`` those alone whose ids others have as well."""
    done = Ingested(order.alias)

    def report(event: Event) -> None:
        if isinstance(event, Advanced):
            teller.advanced(event.done)
        elif not isinstance(event, Begun | Ended):
            teller.told(event)

    run = Run(order.pace, report, threading.Event(), time.monotonic, random.random)
    try:
        with ExitStack() as stack:
            cluster = stack.enter_context(closing(order.connect()))
            seen = stack.enter_context(closing(Seen()))
            reader = Reader(
                part.inputs, id_field=order.id_field, mapped=order.mapped, seen=seen, documents_only=rest,
                update=order.manner.update,
                wanted=(lambda id: (id_hash(id) in order.twice) == rest) if order.twice else None,
            )  # fmt: skip
            where = Whereabouts(cluster, order.alias, run.patience)
            sources = Sources(reader, seen, _Letters(teller), _Notes(teller))
            load = stack.enter_context(assembled(cluster, where, sources, order.manner, run, done, share=order.share))
            try:
                load.run()
            finally:
                done.read, done.repeated = reader.read, reader.repeated
    except OsformError as error:
        return Outcome(done, (error.message, error.hint), isinstance(error, InputError))
    return Outcome(done)
