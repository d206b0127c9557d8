"""Reindex tasks: started, followed, and tried again for what a busy cluster did not take."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from osform.cluster.answers import Verdict, classify, explain
from osform.cluster.client import Cluster
from osform.cluster.retry import Clock, Each, Patience, Sleep, passes, persist, persist_if_there
from osform.core.events import Report, Warned, silent
from osform.core.request import Request
from osform.errors import DocumentsRefused, RequestFailed, TaskFailed, Unreachable

_FIRST_BATCH, _LEAST_BATCH, _MOST_BATCH = 400, 100, 2000
_TASK_SECONDS = 4.0  # of work in one task, about
_LEAST_SHARE = 25  # documents for which one more task is worth its while
_QUEUED_SECONDS = 0.4  # of work in the bulks under way: whoever searches waits in the same queue
_GROUP = 16  # documents that a thread of the ML node embeds one after the other, in the pipelines that osform writes
_MOST_BULK = 512
_SHOWN = 5
_MOST_REFUSED = 50  # documents after which it is rather the mapping or the model that is wrong
_ANSWER = 15.0  # seconds for the server to say that it has started a task
_QUIET = 30.0  # seconds between warnings
_LEAST_LEFT = 5.0  # seconds without which another try would be cut off before it could tell why it failed
_CONFLICT = 409  # another task wrote the same document in this moment


class Tasks:
    """Tasks that copy documents by id. ``request`` makes the request for some ids, in bulks of some size."""

    def __init__(
        self,
        cluster: Cluster,
        request: Callable[[Sequence[str], int], Request],
        clock: Clock,
        sleep: Sleep,
        report: Report = silent,
    ) -> None:
        self._cluster, self._request, self._clock, self._sleep = cluster, request, clock, sleep
        self._report, self._warned = report, -_QUIET
        self._started: dict[str, float] = {}
        self._rate = 0.0
        self._refused: dict[str, str] = {}
        self.astray = False
        self.batch = _FIRST_BATCH
        self.at_once = 4
        """Tasks under way at a time: while some fetch, store, or wait for the last of a bulk, others have the model at
        work. On four cores, two take 1.8 times as long as an ingest.
        """

    @property
    def _bulk(self) -> int:
        """Documents a bulk, in whole groups: two at least, so that one is embedded while the other waits its turn."""
        groups = round(self._rate * _QUEUED_SECONDS / self.at_once / _GROUP)
        return min(_MOST_BULK, _GROUP * max(2, groups))

    def start(self, ids: Sequence[str], patience: Patience) -> str:
        """Start a task; a lost answer may leave one more, ``astray``, which writes the same, and when it likes."""
        request = self._request(ids, self._bulk)
        try:
            answer = self._cluster.send(request, timeout=patience.timeout(_ANSWER))
        except (Unreachable, RequestFailed) as error:
            if not passes(error):
                raise
            self.astray = True
            answer = persist(self._cluster, request, patience)
        name = str(answer["task"])
        self._started[name] = self._clock()
        return name

    def copy(self, ids: Sequence[str], each: Each) -> None:
        """Copy these documents, several tasks at a time, and wait for it. Raises what ``finish`` and ``check`` do."""
        self.attempt(ids, each)
        self.check()

    def attempt(self, ids: Sequence[str], each: Each) -> None:
        """``copy``, for whoever checks later: what is refused is told with all the others."""
        share = min(self.batch, max(_LEAST_SHARE, -(-len(ids) // self.at_once)))
        under_way: deque[tuple[str, Sequence[str]]] = deque()
        for some in (ids[first : first + share] for first in range(0, len(ids), share)):
            if len(under_way) == self.at_once:
                self.finish(*under_way.popleft(), each)
            under_way.append((self.start(some, each()), some))
        for name, some in under_way:
            self.finish(name, some, each)

    def check(self) -> None:
        """Raises DocumentsRefused where there are any: what could be copied beside them is."""
        if self._refused:
            shown = "\n".join(f"  {id}: {why}" for id, why in list(self._refused.items())[:_SHOWN])
            more = f"\n  and {len(self._refused) - _SHOWN:,} more" if len(self._refused) > _SHOWN else ""
            more += ", and the rest was not tried" if len(self._refused) >= _MOST_REFUSED else ""
            raise DocumentsRefused(
                f"documents that the new index does not take:\n{shown}{more}",
                hint="mend the mapping or the documents, and run osform apply again; the old index goes on serving",
            )

    def finish(self, name: str, ids: Sequence[str], each: Each) -> None:
        """Wait until all of these documents are copied, with as many tasks as that takes.

        What the target does not take, whatever is tried, is left out and told by ``check``; DocumentsRefused is raised
        here where that is too much. Raises TaskFailed where the cluster gives no reason to go on.
        """
        attempt, left, why, patience = 0, list(ids), "nobody knows what became of it", each()
        while True:
            answer = self._follow(name, patience)
            if answer is not None and not answer.get("error"):
                found = answer.get("response") or {}
                if not found.get("failures") and not found.get("canceled"):
                    self._learn(name, len(left))
                    return
                failures = found.get("failures") or []
                if wrong := _wrong(failures):
                    self._apart(left, wrong, each)
                    return
                error = next((one.get("cause") or one.get("reason") for one in failures), "it was cancelled")
                why = explain({"error": error})
            elif answer is not None:
                why = explain({"error": answer["error"]})
                if classify({"status": 500, "error": answer["error"]}) is not Verdict.WAIT:
                    raise TaskFailed(f"task {name}: {why}", hint="run osform apply again")
            if patience.left < _LEAST_LEFT:
                raise TaskFailed(
                    f"task {name} ends again and again without having copied its documents: {why}",
                    hint="once the cause is gone, run osform apply again: it goes on from here",
                )
            self._warn(why, patience)
            # A node went, a model was away, a breaker was open: the same once more.
            patience.pause(attempt, first=0.5, longest=_LEAST_LEFT / 2)
            attempt += 1
            name = self.start(left, patience)

    def running(self, target: str, patience: Patience) -> list[str]:
        """Tasks at work that copy into this index, whoever started them: one that was killed wrote down a few only."""
        params = {"actions": "indices:data/write/reindex", "detailed": "true", "group_by": "none"}
        tasks = persist(self._cluster, Request("GET", "/_tasks", params=params), patience)["tasks"]
        return [f"{each['node']}:{each['id']}" for each in tasks if f"to [{target}]" in each.get("description", "")]

    def settle(self, target: str, patience: Patience) -> None:
        """Let tasks that are astray come to their end, before what they have read is older than what is copied next."""
        if self.astray:
            self.outlast(self.running(target, patience), patience)
            self.astray = False

    def outlast(self, names: Sequence[str], patience: Patience) -> None:
        """Wait until none of these is running any more, however it ended."""
        for name in names:
            self._follow(name, patience)

    def _follow(self, name: str, patience: Patience) -> Mapping[str, Any] | None:
        """The task's end, or None where nobody knows it: its node was restarted."""
        attempt = 0
        while True:
            found = persist_if_there(self._cluster, Request("GET", f"/_tasks/{quote(name, safe=':')}"), patience)
            if found is None or found.get("completed"):
                return dict(found) if found else None
            if patience.over:
                raise TaskFailed(f"task {name} is still at work", hint="run osform apply again: it goes on from here")
            patience.pause(attempt, first=0.02, longest=0.25)
            attempt += 1

    def _learn(self, name: str, count: int) -> None:
        took = self._clock() - self._started.pop(name, self._clock())
        if count >= _LEAST_BATCH and took > 0:
            rate = count * self.at_once / took
            self._rate = rate if not self._rate else 0.7 * self._rate + 0.3 * rate
            self.batch = int(min(_MOST_BATCH, max(_LEAST_BATCH, self._rate * _TASK_SECONDS / self.at_once)))

    def _warn(self, why: str, patience: Patience) -> None:
        if self._clock() - self._warned > _QUIET:
            self._warned = self._clock()
            self._report(Warned(f"copying once more, for up to {patience.left:.0f} seconds: {why}"))

    def _apart(self, ids: Sequence[str], wrong: Mapping[str, Mapping[str, Any]], each: Each) -> None:
        """Copy what a task left out for the sake of a few documents, down to the ones that it is about.

        It ends with the first bulk that has a failure, and a pipeline fails all documents of a group for one of them.
        Half at a time, those as well that it did not come to, so that few are copied again for another's sake.
        """
        own = {id: item for id, item in wrong.items() if len(ids) == 1 or classify(item) is Verdict.LOST}
        self._refuse({id: explain(item) for id, item in own.items()})
        if len(ids) == 1:
            return  # also where a pipeline has given it another id
        suspects, others = [id for id in ids if id in wrong and id not in own], [id for id in ids if id not in wrong]
        for some in (*_halves(suspects), *_halves(others)):
            self.finish(self.start(some, each()), some, each)

    def _refuse(self, refused: Mapping[str, str]) -> None:
        if refused and not self._refused:
            id, why = next(iter(refused.items()))
            self._report(Warned(f"the new index does not take {id}, and the others are copied meanwhile: {why}"))
        self._refused |= refused
        if len(self._refused) >= _MOST_REFUSED:
            self.check()


def _wrong(failures: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The documents, by id, for which it is of no use to copy the same once more.

    A failure without a cause is one of the search: a shard that was away, not a document. Raises TaskFailed where it is
    not about documents at all.
    """
    items = {str(each.get("id")): _item(each) for each in failures if "cause" in each}
    if stop := [item for item in items.values() if classify(item) is Verdict.STOP]:
        raise TaskFailed(f"no document can be copied: {explain(stop[0])}", hint="osform apply makes what is missing")
    return {
        id: item
        for id, item in items.items()
        if item["status"] != _CONFLICT and classify(item) not in (Verdict.WAIT, Verdict.DONE)
    }


def _halves(ids: Sequence[str]) -> list[Sequence[str]]:
    middle = len(ids) // 2
    return [half for half in (ids[:middle], ids[middle:]) if half]


def _item(failure: Mapping[str, Any]) -> dict[str, Any]:
    """A failure of a task as ``_bulk`` would have said it."""
    return {"status": failure.get("status", 500), "error": failure.get("cause")}
