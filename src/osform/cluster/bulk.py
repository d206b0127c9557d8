"""Bulk requests: what goes into one, and trying again until every document of it is settled.

Every document has a stable id, so sending one twice changes nothing: after a timeout or a reset connection, where
nobody knows whether the server acted, the batch is simply sent again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol
from urllib.parse import quote

from osform.cluster.answers import Verdict, blank_field, classify, explain, model_is_away
from osform.cluster.client import Cluster
from osform.core.events import Report, Warned
from osform.core.request import Request
from osform.core.rows import Rejected
from osform.core.writes import Version, Write
from osform.errors import ClusterError, NotReady, RequestFailed, Unreachable

ALONE_TRIES = 5
"""How often a document is sent by itself that the server fails on (5xx) without saying that it is busy."""
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
QUIET_BETWEEN_WARNINGS = 15.0


class Pace(Protocol):
    """What a writer tells of its requests, and asks about the next one. Several threads may do so at a time."""

    def seconds_for(self, cost: float) -> float:
        """How long to wait for an answer, in seconds."""

    def answered(self, documents: int, cost: float) -> None:
        """So much was taken."""

    def pushed_back(self) -> None:
        """The cluster has too much, or gave no answer in time."""


@dataclass(frozen=True)
class Means:
    """What a writer works with besides the cluster.

    ``sleep`` returns True where the run was stopped meanwhile; ``chance`` gives numbers between 0 and 1. ``wake`` is
    called where a model is not there to embed, from any thread; it may take its time.
    """

    pace: Pace
    clock: Callable[[], float]
    sleep: Callable[[float], bool]
    chance: Callable[[], float]
    report: Report
    wake: Callable[[str], None] = lambda _reason: None


def bulk_request(alias: str, writes: Sequence[Write]) -> Request:
    """One bulk request. ``require_alias``: a write to an alias that is gone must not create an index of its name."""
    body = "".join(write.lines for write in writes)
    return Request("POST", f"/{quote(alias, safe='')}/_bulk", body, {"require_alias": "true"})


@dataclass
class Written:
    """What became of a batch. ``gave_up`` is set where the whole run makes no sense any more, and ``given_up`` is what
    was not settled then: the server may have it or not.

    ``done`` are the writes that the server has; ``created`` of them made a document. ``stale`` are those that named a
    version of a document that is not there any more. ``again`` counts waits for a cluster that took nothing, ``waited``
    the seconds of them; ``ingest_seconds`` is what the server says that its ingest pipelines took, request by request.
    ``moved``: the alias writes to another index than the one that vectors were taken from.
    """

    done: list[Write] = field(default_factory=list)
    created: int = 0
    failed: list[Rejected] = field(default_factory=list)
    stale: list[Write] = field(default_factory=list)
    again: int = 0
    waited: float = 0.0
    ingest_seconds: float = 0.0
    gave_up: ClusterError | None = None
    given_up: list[Rejected] = field(default_factory=list)
    moved: bool = False

    @property
    def settled(self) -> int:
        """Writes that need nothing more."""
        return len(self.done) + len(self.failed) + len(self.stale)


@dataclass(frozen=True)
class _Pending:
    write: Write
    since: float
    alone: int = 0


class BulkWriter:
    """Writes batches into one alias; several threads may share it.

    ``patience`` is how long, in seconds, the cluster may refuse everything before the run is given up, and how long one
    document is tried while others get through.
    """

    def __init__(self, cluster: Cluster, alias: str, means: Means, *, patience: float) -> None:
        self._cluster, self._alias, self._patience = cluster, alias, patience
        self._means, self._clock = means, means.clock
        self._progress = self._clock()  # when any document of any batch was last settled
        self._warned = self._clock() - QUIET_BETWEEN_WARNINGS

    def write(self, writes: Sequence[Write]) -> Written:
        """Send writes until each is settled. Never raises for what the cluster says: see Written."""
        done = Written()
        now = self._clock()
        queue = deque([[_Pending(write, now) for write in writes]])
        refusals = 0
        try:
            while queue:
                before = done.settled
                reason = self._settle(queue, done)
                refusals = 0 if done.settled > before else refusals + 1
                if reason:
                    if model_is_away(reason):
                        self._means.wake(reason)
                    done.again += 1
                    done.waited += self._wait(refusals, reason)
        except ClusterError as error:
            done.gave_up = error
            open = (one.write.read for chunk in queue for one in chunk)
            done.given_up = [row.rejected(f"given up: {error.message}") for row in open]
        return done

    def _settle(self, queue: deque[list[_Pending]], done: Written) -> str:
        """Send the first chunk of the queue and put back what is not settled. Returns why to wait, or nothing."""
        chunk = queue[0]
        writes = [one.write for one in chunk]
        timeout = self._means.pace.seconds_for(sum(write.cost for write in writes))
        try:
            answer = self._cluster.send(bulk_request(self._alias, writes), timeout=timeout)
        except Unreachable as error:
            queue.popleft()
            if error.why != "timed out":
                queue.appendleft(chunk)
                return error.message
            self._means.pace.pushed_back()
            queue.extendleft(reversed(_halves(chunk)))  # less at a time may be answered in time
            return error.message
        except RequestFailed as error:
            return self._refused(queue, done, error)
        done.ingest_seconds += answer.get("ingest_took", 0) / 1000
        items = [next(iter(item.values())) for item in answer["items"]]
        queue.popleft()
        return self._sort(queue, done, list(zip(chunk, items, strict=True)))

    def _sort(
        self, queue: deque[list[_Pending]], done: Written, answers: list[tuple[_Pending, Mapping[str, Any]]]
    ) -> str:
        waiting: list[_Pending] = []
        suspects: list[_Pending] = []
        taken: list[Write] = []
        reason = stop = ""
        single = len(answers) == 1
        for one, item in answers:
            if instead := _null_for_blank(one.write, item) or _made_there(one.write, item):
                suspects.append(replace(one, write=instead))
                done.moved = done.moved or instead.ready is not one.write.ready
                done.created += item.get("result") == "created"
                continue
            match classify(item):
                case Verdict.DONE:
                    taken.append(one.write)
                    done.created += item.get("result") == "created"
                case Verdict.LOST if one.write.version and int(item["status"]) in {404, 409}:
                    done.stale.append(one.write)
                case Verdict.WAIT if self._clock() - one.since <= self._patience or self._stuck():
                    waiting.append(one)
                    reason = explain(item)
                case Verdict.STOP:
                    waiting.append(one)
                    stop = explain(item)
                case Verdict.ALONE if not single:
                    suspects.append(one)
                case Verdict.ALONE if int(item.get("status", 500)) >= 500 and one.alone + 1 < ALONE_TRIES:
                    suspects.append(replace(one, alone=one.alone + 1))
                    reason = explain(item)
                case _:
                    done.failed.append(one.write.read.rejected(explain(item)))
        self._took(done, taken, len(answers) - len(waiting) - len(suspects))
        # A pipeline fails documents by groups: half of them at a time, down to the one that it is about.
        queue.extend(_halves(suspects))
        if waiting:
            queue.appendleft(waiting)
            if not model_is_away(reason):
                self._means.pace.pushed_back()
        if stop:
            raise NotReady(f"{self._alias} takes no documents: {stop}", hint="osform apply makes what is missing")
        return reason

    def _took(self, done: Written, taken: list[Write], settled: int) -> None:
        done.done += taken
        if taken:
            self._means.pace.answered(len(taken), sum(write.cost for write in taken))
        if settled:
            self._progress = self._clock()

    def _refused(self, queue: deque[list[_Pending]], done: Written, error: RequestFailed) -> str:
        """The request as a whole was answered with an error."""
        verdict = classify({"status": error.status, "error": {"type": error.type, "reason": error.reason}})
        if verdict is Verdict.STOP:
            raise NotReady(f"{self._alias}: {error.reason}", hint="osform apply makes what is missing") from error
        if verdict is Verdict.WAIT or error.status >= 500:
            self._means.pace.pushed_back()
            return error.message
        if error.status not in {400, 413}:
            raise error
        chunk = queue.popleft()
        if len(chunk) == 1:
            done.failed.append(chunk[0].write.read.rejected(f"{error.type}: {error.reason}"))
            self._progress = self._clock()
        else:
            queue.extendleft(reversed(_halves(chunk)))
        return ""

    def _stuck(self) -> bool:
        """Whether nothing at all gets through: then it is not this document's fault, and the run decides."""
        return self._clock() - self._progress > self._patience / 2

    def _wait(self, refusals: int, reason: str) -> float:
        began = self._clock()
        silent = began - self._progress
        if silent > self._patience:
            raise NotReady(
                f"for {silent:.0f} seconds {self._alias} took no document: {reason}",
                hint="once the cause is gone, run the same command again: ids are stable, so nothing is there twice",
            )
        if began - self._warned > QUIET_BETWEEN_WARNINGS:
            self._warned = began
            self._means.report(Warned(f"trying again, for up to {self._patience - silent:.0f} seconds: {reason}"))
        wait = min(LONGEST_WAIT, self._patience / 8, FIRST_WAIT * 2 ** min(refusals, 10))
        if self._means.sleep(min(wait * (0.5 + self._means.chance() / 2), self._patience - silent + 0.01)):
            raise NotReady("the run was stopped")
        return self._clock() - began


def _null_for_blank(write: Write, item: Mapping[str, Any]) -> Write | None:
    """The write with null in place of the blank text that an older OpenSearch refused; None where that wasn't it.

    Null is what every version stores without a vector. A field inside an object is left alone: the server names its
    last key only.
    """
    field = blank_field(item)
    blank = write.row.source.get(field) if field and write.patch is None else None
    if field is None or not isinstance(blank, str) or blank.strip():
        return None
    return replace(write, row=replace(write.row, source={**write.row.source, field: None}))


def _made_there(write: Write, item: Mapping[str, Any]) -> Write | None:
    """The write as one for the pipeline, where it brought to another index what the pipeline of its own had made.

    The alias moved meanwhile, and the vectors that are there now may be another model's.
    """
    there = item.get("_index", write.index)
    if write.ready is None or classify(item) is not Verdict.DONE or there == write.index:
        return None
    version = Version(item["_seq_no"], item["_primary_term"]) if write.version else None
    return replace(write, ready=None, index=None, version=version)


def _halves(chunk: list[_Pending]) -> list[list[_Pending]]:
    middle = len(chunk) // 2
    return [half for half in (chunk[:middle], chunk[middle:]) if half]
