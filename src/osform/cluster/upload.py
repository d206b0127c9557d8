"""Bringing a model's zip to the cluster in chunks, so that an upload can stop anywhere and go on later.

The server calls a model registered when the chunk with the last number arrives, without looking at the others, and
compares the hash at deployment only. So the last chunk is sent when all others have been seen there.
"""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path

from osform.cluster.client import Cluster
from osform.cluster.retry import Patience, passes, persist, persist_if_there
from osform.core.events import Advanced, Begun, Ended, Report
from osform.core.request import Request
from osform.errors import InputError, NotReady, RequestFailed, TaskFailed, Unreachable
from osform.kinds import ml

CHUNK_BYTES = 10_000_000  # the server's limit, in decimal: 10 MiB is refused

# How long a write that was acknowledged may stay unseen before it is sent again.
_VISIBLE_SECONDS = 5.0

# How much later than the state it brings about a last chunk that was sent twice may still rewrite the document.
_LATE_SECONDS = 2.0


@dataclass(frozen=True)
class Bundle:
    """A model's zip on disk: its size in bytes and its SHA-256 in hexadecimal."""

    path: Path
    size: int
    sha256: str

    @classmethod
    def read(cls, path: Path) -> Bundle:
        """Measure a file. Raises InputError where it is missing, unreadable or empty."""
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                size = file.tell()
        except OSError as error:
            raise InputError(
                f"{path}: the model's bundle can't be read: {error.strerror}", hint="osform model export"
            ) from error
        if not size:
            raise InputError(f"{path}: the model's bundle is empty", hint="osform model export")
        return cls(path, size, digest)

    def chunks(self, limit: int = CHUNK_BYTES) -> int:
        """How many chunks of at most ``limit`` bytes it takes."""
        return -(-self.size // limit)

    def bounds(self, number: int, total: int) -> tuple[int, int]:
        """First byte of a chunk, and the first after it.

        The cut follows from the size and the number of chunks alone, both of which the server's document holds: so
        whoever takes an upload up later cuts in the same places.
        """
        return self.size * number // total, self.size * (number + 1) // total

    def chunk(self, number: int, total: int) -> bytes:
        """The bytes of one chunk. Raises InputError where the file became shorter meanwhile."""
        start, end = self.bounds(number, total)
        with self.path.open("rb") as file:
            file.seek(start)
            content = file.read(end - start)
        if len(content) != end - start:
            raise InputError(f"{self.path}: the file changed while it was being uploaded", hint="run the command again")
        return content


def stored_chunks(cluster: Cluster, model_id: str, total: int, patience: Patience) -> set[int]:
    """The numbers of a model's chunks that a search finds on the cluster."""
    answer = persist_if_there(cluster, ml.chunks(model_id, total), patience)
    hits = answer["hits"]["hits"] if answer else ()
    return {int(hit["_source"]["chunk_number"]) for hit in hits}


def upload(
    cluster: Cluster, model_id: str, bundle: Bundle, total: int, *, report: Report, patience: Patience, parallel: int
) -> None:
    """Send what is missing of a model's ``total`` chunks, the last-numbered one last, until the model is registered.

    Raises Unreachable and RequestFailed, and TaskFailed where the server does not register the model in time.
    """
    task = f"uploading {bundle.path.name}"
    report(Begun(task, bundle.size, "bytes"))
    there = stored_chunks(cluster, model_id, total, patience)
    send = _Sender(cluster, model_id, bundle, total, patience)

    def advance(arrived: Iterable[int]) -> None:
        there.update(arrived)
        report(Advanced(task, sum(send.size(number) for number in there), bundle.size))

    advance(())
    while missing := sorted(set(range(total - 1)) - there):
        if patience.over:
            raise TaskFailed(
                f"model {model_id}: {len(missing)} of {total} chunks are not on the cluster, and the time is up",
                hint="run the command again: it sends only what is missing",
            )
        for number in _in_parallel(send, missing, parallel):
            advance([number])
        there.intersection_update(_seen(cluster, model_id, total, set(range(total - 1)), patience))
    _finish(send, already=total - 1 in there)
    advance(range(total))
    report(Ended(task))


@dataclass(frozen=True)
class _Sender:
    cluster: Cluster
    model_id: str
    bundle: Bundle
    total: int
    patience: Patience

    def size(self, number: int) -> int:
        start, end = self.bundle.bounds(number, self.total)
        return end - start

    def __call__(self, number: int) -> int:
        persist(self.cluster, self.request(number), self.patience, longest=60)
        return number

    def request(self, number: int) -> Request:
        return ml.chunk(self.model_id, number, self.bundle.chunk(number, self.total))


def _in_parallel(send: _Sender, numbers: Iterable[int], parallel: int) -> Iterator[int]:
    """Send some chunks at a time and yield the numbers that were acknowledged; the first failure stops the rest."""
    stopped = threading.Event()
    patience = send.patience
    # To a worker that is waiting for its next try, being stopped looks like its deadline.
    hurried = replace(patience, clock=lambda: math.inf if stopped.is_set() else patience.clock())
    pool = ThreadPoolExecutor(parallel, thread_name_prefix="osform-upload")
    try:
        for future in as_completed([pool.submit(replace(send, patience=hurried), number) for number in numbers]):
            yield future.result()
    finally:
        stopped.set()
        pool.shutdown(cancel_futures=True)


def _seen(cluster: Cluster, model_id: str, total: int, wanted: set[int], patience: Patience) -> set[int]:
    """The chunks that a search finds, once it finds all that are wanted or has been asked for long enough."""
    soon, attempt = patience.within(_VISIBLE_SECONDS), 0
    while not wanted <= (found := stored_chunks(cluster, model_id, total, patience)) and not soon.over:
        soon.pause(attempt, longest=1)
        attempt += 1
    return found


def _finish(send: _Sender, *, already: bool) -> None:
    """Send the last chunk and wait for the state that it brings about.

    The server answers before it has rewritten the model's document, so an answer alone promises nothing; and each time
    that the chunk comes it rewrites the document once more, which would undo what is set afterwards. So the chunk is
    sent again only when the state has not changed for a while.
    """
    last, patience, sent = send.total - 1, send.patience, 0
    wait = _VISIBLE_SECONDS if already else 0.0
    while not _registered(send, seconds=wait):
        if patience.over:
            raise TaskFailed(
                f"model {send.model_id}: all {send.total} chunks are there, and it is not called registered",
                hint="run the command again; the server's log says more",
            )
        try:
            send.cluster.send(send.request(last), timeout=patience.timeout(60))
        except (Unreachable, RequestFailed) as error:
            if not passes(error) or patience.over:
                raise
            wait = 1.0 if isinstance(error, RequestFailed) else _VISIBLE_SECONDS  # no answer: perhaps it was taken
        else:
            wait = _VISIBLE_SECONDS
        sent += 1
    if sent > 1:
        patience.sleep(min(_LATE_SECONDS, patience.left))


def _registered(send: _Sender, *, seconds: float) -> bool:
    soon, attempt = send.patience.within(seconds), 0
    while True:
        model = persist_if_there(send.cluster, ml.get_model(send.model_id), send.patience)
        if model is None:
            raise NotReady(
                f"model {send.model_id} was deleted while it was being uploaded",
                hint="run the command again: it starts anew",
            )
        if model.get("model_state") != "REGISTERING":
            return True
        if soon.over:
            return False
        soon.pause(attempt, longest=1)
        attempt += 1
