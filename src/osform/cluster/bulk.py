"""Bulk requests: what goes into one, what each part of the answer means, and trying again until it is settled.

Every document has a stable id, so sending one twice changes nothing: after a timeout or a reset connection, where
nobody knows whether the server acted, the batch is simply sent again.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any
from urllib.parse import quote

from opensearchpy.exceptions import ConnectionTimeout

from osform.cluster.client import Cluster
from osform.core.events import Report, Warned
from osform.core.request import Request
from osform.core.rows import Rejected, Row
from osform.errors import ClusterError, NotReady, RequestFailed, Unreachable

ALONE_TRIES = 5
"""How often a document is sent by itself that the server fails on (5xx) without saying that it is busy."""
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
QUIET_BETWEEN_WARNINGS = 15.0


class Verdict(Enum):
    """What is to be done with a document after the server answered."""

    DONE = "it is indexed"
    WAIT = "the cluster is busy or not ready: the same again, later"
    ALONE = "it may have suffered from its neighbours: by itself, once more"
    LOST = "it will never be taken as it is"
    STOP = "no document can be taken"


_PASSING = {
    "circuit_breaking_exception",
    "cluster_block_exception",  # a write block while an index is swapped, a disk that filled up
    "connect_transport_exception",
    "no_shard_available_action_exception",
    "node_closed_exception",
    "node_disconnected_exception",
    "node_not_connected_exception",
    "opensearch_rejected_execution_exception",
    "process_cluster_event_timeout_exception",
    "receive_timeout_transport_exception",
    "rejected_execution_exception",
    "unavailable_shards_exception",
}
_FINAL = {
    "document_parsing_exception",
    "json_parse_exception",
    "mapper_exception",
    "mapper_parsing_exception",
    "parsing_exception",
    "strict_dynamic_mapping_exception",
    "version_conflict_engine_exception",
    "x_content_parse_exception",
}
# ML Commons says these with HTTP 400, as if the document were wrong (ml-commons issue 2249, PR 1903).
_AWAY = re.compile(
    r"model (is )?not ready|not ready yet|not (been )?deployed|is deploying|no eligible node|no ml node|"
    r"no worker node|model is not in cache",
    re.IGNORECASE,
)
_BUSY = re.compile(
    r"circuit breaker is open|rejected execution|too many requests|throttl|error from remote service|"
    r"timed? ?out|connection reset|node (dis|not )connected",
    re.IGNORECASE,
)


# An older text_embedding processor on a document that a newer one stores without a vector (neural-search PR 1668).
_BLANK = re.compile(r"map type field \[(.+?)\] has empty string value")


def model_is_away(reason: str) -> bool:
    """Whether an error's reason says that a model is not deployed, or not at work yet."""
    return bool(_AWAY.search(reason))


def classify(item: Mapping[str, Any]) -> Verdict:
    """What one item of a bulk answer means for its document.

    The status alone says too little: a model that isn't ready yet is a 400, like a document that can't be parsed.
    """
    status, error = int(item.get("status", 500)), item.get("error")
    if status < 300 and not error:
        return Verdict.DONE
    type, reason = _type(error), explain(item)
    if type == "index_not_found_exception" or re.search(r"pipeline with id \[.*?\] does not exist", reason):
        return Verdict.STOP
    if type in _PASSING or status in {408, 429, 502, 503, 504}:
        return Verdict.WAIT
    if type in _FINAL or status in {404, 409}:
        return Verdict.LOST
    if _AWAY.search(reason) or _BUSY.search(reason):
        return Verdict.WAIT
    return Verdict.ALONE


def explain(item: Mapping[str, Any]) -> str:
    """The server's own words for why an item failed: type and reason, and those of the causes below."""
    words: list[str] = []
    error = item.get("error")
    while isinstance(error, dict):
        words.append(f"{_type(error)}: {error.get('reason')}")
        error = error.get("caused_by")
    return "; ".join(words) or str(error or f"HTTP {item.get('status')}")


def null_for_blank(row: Row, item: Mapping[str, Any]) -> Row | None:
    """The row with null in place of the blank text that an older OpenSearch refused; None where that wasn't the reason.

    Null is what every version stores without a vector. A field inside an object is left alone: the server names its
    last key only.
    """
    found = _BLANK.search(explain(item))
    blank = row.source.get(found[1]) if found else None
    if found is None or not isinstance(blank, str) or blank.strip():  # else a neighbour's: the whole request is refused
        return None
    source = {**row.source, found[1]: None}
    return replace(row, source=source)


def _type(error: Any) -> str:
    return str(error.get("type", "error")) if isinstance(error, dict) else "error"


def batches(rows: Iterable[Row], *, count: int, size: int) -> Iterator[list[Row]]:
    """Cut rows into batches of at most ``count`` rows and ``size`` bytes; a bigger row is a batch by itself."""
    batch: list[Row] = []
    held = 0
    for row in rows:
        if batch and (len(batch) >= count or held + row.size > size):
            yield batch
            batch, held = [], 0
        batch.append(row)
        held += row.size
    if batch:
        yield batch


def bulk_request(alias: str, rows: Sequence[Row]) -> Request:
    """One bulk request. ``require_alias``: a write to an alias that is gone must not create an index of its name."""
    body = "".join(f"{row.action}\n{row.text}\n" for row in rows)
    return Request("POST", f"/{quote(alias, safe='')}/_bulk", body, {"require_alias": "true"})


@dataclass
class Written:
    """What became of a batch. ``gave_up`` is set where the whole run makes no sense any more."""

    indexed: int = 0
    created: int = 0
    again: int = 0
    failed: list[Rejected] = field(default_factory=list)
    gave_up: ClusterError | None = None


@dataclass(frozen=True)
class _Pending:
    row: Row
    since: float
    alone: int = 0


class BulkWriter:
    """Writes batches into one alias; several threads may share it.

    ``patience`` is how long, in seconds, the cluster may refuse everything before the run is given up, and how long one
    document is tried while others get through. ``timeout`` is for one request, in seconds. ``sleep`` returns True
    where the run was stopped meanwhile. ``chance`` gives numbers between 0 and 1.
    """

    def __init__(
        self,
        cluster: Cluster,
        alias: str,
        *,
        patience: float,
        timeout: float,
        clock: Callable[[], float],
        sleep: Callable[[float], bool],
        chance: Callable[[], float],
        report: Report,
    ) -> None:
        self._cluster, self._alias, self._report = cluster, alias, report
        self._patience, self._timeout = patience, timeout
        self._clock, self._sleep, self._chance = clock, sleep, chance
        self._progress = clock()  # when any document of any batch was last settled
        self._warned = clock() - QUIET_BETWEEN_WARNINGS

    def write(self, rows: Sequence[Row]) -> Written:
        """Send rows until each is indexed or known to fail. Never raises for what the cluster says: see Written."""
        done = Written()
        now = self._clock()
        queue = deque([[_Pending(row, now) for row in rows]])
        refusals = 0
        try:
            while queue:
                before = done.indexed + len(done.failed)
                reason = self._settle(queue, done)
                refusals = 0 if done.indexed + len(done.failed) > before else refusals + 1
                if reason:
                    done.again += 1
                    self._wait(refusals, reason)
        except ClusterError as error:
            done.gave_up = error
            done.failed += [one.row.rejected(f"given up: {error.message}") for chunk in queue for one in chunk]
        return done

    def _settle(self, queue: deque[list[_Pending]], done: Written) -> str:
        """Send the first chunk of the queue and put back what is not settled. Returns why to wait, or nothing."""
        chunk = queue[0]
        rows = [one.row for one in chunk]
        try:
            answer = self._cluster.send(bulk_request(self._alias, rows), timeout=self._timeout)
        except Unreachable as error:
            queue.popleft()
            slow = isinstance(error.__cause__, ConnectionTimeout)  # less at a time may be answered in time
            queue.extendleft(reversed(_halves(chunk) if slow else [chunk]))
            return error.message
        except RequestFailed as error:
            return self._refused(queue, done, error)
        items = [next(iter(item.values())) for item in answer["items"]]
        queue.popleft()
        return self._sort(queue, done, list(zip(chunk, items, strict=True)))

    def _sort(
        self, queue: deque[list[_Pending]], done: Written, answers: list[tuple[_Pending, Mapping[str, Any]]]
    ) -> str:
        waiting: list[_Pending] = []
        reason = stop = ""
        single = len(answers) == 1
        for one, item in answers:
            if without := null_for_blank(one.row, item):
                queue.append([replace(one, row=without)])
                continue
            match classify(item):
                case Verdict.DONE:
                    done.indexed += 1
                    done.created += item.get("result") == "created"
                    self._progress = self._clock()
                case Verdict.WAIT if self._clock() - one.since <= self._patience or self._stuck():
                    waiting.append(one)
                    reason = explain(item)
                case Verdict.STOP:
                    waiting.append(one)
                    stop = explain(item)
                case Verdict.ALONE if not single:
                    queue.append([one])
                case Verdict.ALONE if int(item.get("status", 500)) >= 500 and one.alone + 1 < ALONE_TRIES:
                    queue.append([_Pending(one.row, one.since, one.alone + 1)])
                    reason = explain(item)
                case _:
                    done.failed.append(one.row.rejected(explain(item)))
                    self._progress = self._clock()
        if waiting:
            queue.appendleft(waiting)
        if stop:
            raise NotReady(f"{self._alias} takes no documents: {stop}", hint="osform apply makes what is missing")
        return reason

    def _refused(self, queue: deque[list[_Pending]], done: Written, error: RequestFailed) -> str:
        """The request as a whole was answered with an error."""
        verdict = classify({"status": error.status, "error": {"type": error.type, "reason": error.reason}})
        if verdict is Verdict.STOP:
            raise NotReady(f"{self._alias}: {error.reason}", hint="osform apply makes what is missing") from error
        if verdict is Verdict.WAIT or error.status >= 500:
            return error.message
        if error.status not in {400, 413}:
            raise error
        chunk = queue.popleft()
        if len(chunk) == 1:
            done.failed.append(chunk[0].row.rejected(f"{error.type}: {error.reason}"))
            self._progress = self._clock()
        else:
            queue.extendleft(reversed(_halves(chunk)))
        return ""

    def _stuck(self) -> bool:
        """Whether nothing at all gets through: then it is not this document's fault, and the run decides."""
        return self._clock() - self._progress > self._patience / 2

    def _wait(self, refusals: int, reason: str) -> None:
        silent = self._clock() - self._progress
        if silent > self._patience:
            raise NotReady(
                f"for {silent:.0f} seconds {self._alias} took no document: {reason}",
                hint="once the cause is gone, run the same command again: ids are stable, so nothing is there twice",
            )
        if self._clock() - self._warned > QUIET_BETWEEN_WARNINGS:
            self._warned = self._clock()
            self._report(Warned(f"trying again, for up to {self._patience - silent:.0f} seconds: {reason}"))
        wait = min(LONGEST_WAIT, self._patience / 8, FIRST_WAIT * 2 ** min(refusals, 10))
        if self._sleep(min(wait * (0.5 + self._chance() / 2), self._patience - silent + 0.01)):
            raise NotReady("the run was stopped")


def _halves(chunk: list[_Pending]) -> list[list[_Pending]]:
    middle = len(chunk) // 2
    return [half for half in (chunk[:middle], chunk[middle:]) if half]
