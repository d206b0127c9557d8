"""The documents of one index brought into another while writes go on, and the handover between the two.

The server copies (``_reindex``), through the target's own pipeline and without the vectors that this pipeline makes.
This side decides what: the documents of each shard in the order of their numbers, so that a copy that was cut off
goes on where it was, and so that whatever is written meanwhile is found again (see ``shards`` and ``manifest``).
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from osform.cluster import blocking, vectors
from osform.cluster.answers import Verdict, classify, explain
from osform.cluster.client import Cluster
from osform.cluster.gate import Gate, restore
from osform.cluster.manifest import Manifest
from osform.cluster.retry import Clock, Each, Patience, Sleep, persist
from osform.cluster.shards import PAGE, Index, Written
from osform.cluster.tasks import Tasks
from osform.cluster.vectors import Astray, VectorMap
from osform.core.events import Advanced, Begun, Ended, Note, Report, Warned
from osform.core.request import Request
from osform.errors import ClusterError, NotReady, VectorsAstray

_SECONDS = 600.0  # that a cluster is given for one thing, a restart of its nodes included
_SMALL = 50  # documents left that the last look, under the write block, copies in no time
_MOST_ROUNDS = 100
_ALIKE = 5  # rounds no shorter than one before, after which the next won't be either
_BLOCKED = 30.0  # seconds after which a write block is given up rather than held
_LONGEST_LAST = 10.0  # seconds of a round that may be the last one, under the block

Remember = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True)
class Copy:
    """From where to where; ``vectors`` are the fields that the target's pipeline fills, left out of what is copied, and
    ``pipelines`` those of the source (see ``gate``).
    """

    source: str
    target: str
    vectors: tuple[str, ...]
    pipelines: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Handed:
    """How a handover went: documents in the target, for how long writes were refused, and how far each shard of the
    target was: whatever has a number beyond was written since.
    """

    documents: int
    blocked_seconds: float
    numbers: Mapping[str, int]


@dataclass
class Copier:
    """One copy on its way. The journal's keys: ``settings`` of the target to put back, ``upto`` the number for each
    shard at the beginning, ``done`` how far each shard is, ``tasks`` under way, ``handed`` how far each shard of the
    target was when the aliases moved.
    """

    cluster: Cluster
    copy: Copy
    journal: dict[str, Any]
    remember: Remember
    report: Report
    clock: Clock = time.monotonic
    sleep: Sleep = time.sleep
    manifest: Manifest = field(default_factory=Manifest)
    verified: Mapping[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.source, self.target = Index(self.cluster, self.copy.source), Index(self.cluster, self.copy.target)
        self.tasks = Tasks(self.cluster, self._request, self.clock, self.sleep, self.report)
        self.gate = Gate(self.cluster, self.copy.source, self.copy.target, self.copy.pipelines)

    def __enter__(self) -> Copier:
        return self

    def __exit__(self, *_: object) -> None:
        self.manifest.close()

    @property
    def patience(self) -> Patience:
        """A fresh deadline for one step."""
        return Patience.of(_SECONDS, self.clock, self.sleep)

    @property
    def each(self) -> Each:
        """A fresh deadline for each of many steps: all of them together take as long as the index is large."""
        return lambda: self.patience

    def fill(self) -> None:
        """Copy everything, and then what was written meanwhile, until little is left."""
        if blocking.is_blocked(self.cluster, self.copy.source, self.patience):
            self.gate.reopen(self.patience)  # an apply ended under the block
        self._loosen()
        self._bring()
        self._tighten()

    def bring_up_to_date(self, since: Mapping[str, int]) -> None:
        """For a target that held everything when the source's shards were at ``since``: only what came later."""
        self.journal.update(upto=dict(since), done=dict(since), tasks={})
        self._bring()

    def _bring(self) -> None:
        self._go_on()
        self._copy_all()
        self._catch_up()
        self._compare()
        self._catch_up()

    def verify(self, maps: Sequence[VectorMap], sample: int) -> None:
        """See that every document with text has its vector, and that those of a sample are the model's.

        A retry on the server may have lost the pipeline on its way (OpenSearch issue 14337): such documents are copied
        once more. Raises VectorsAstray where that does not help.
        """
        self.verified = self.target.checkpoints(self.patience)
        if wrong := vectors.astray(self.cluster, self.copy.target, maps, sample=sample):
            self.report(Warned(f"{len(wrong):,} documents of {self.copy.target} lack their vectors: copied again"))
            self._again(wrong, self.each)
            vectors.verify(self.cluster, self.copy.target, maps, sample=sample)

    def _again(self, wrong: Sequence[Astray], each: Each) -> None:
        self.tasks.copy([one.id for one in wrong], each)
        self.target.refresh(each())

    def _check_last(self, maps: Sequence[VectorMap], patience: Patience) -> None:
        """What came after the verification has its vectors too."""
        self.target.refresh(patience)
        for which in maps:
            told = self.cluster, self.copy.target, which, self.verified, lambda: patience
            if wrong := vectors.without(*told):
                self._again(wrong, lambda: patience)
                if wrong := vectors.without(*told):
                    raise VectorsAstray(f"{self.copy.target}: {wrong[0]}", hint="osform apply goes on from here")

    def hand_over(self, move: Callable[[], None], maps: Sequence[VectorMap] = ()) -> Handed:
        """Refuse writes, copy what is left, compare the counts, and move; whatever fails lets writes in again."""
        self._catch_up(deletions=True)
        began = self.clock()
        patience = Patience.of(_BLOCKED, self.clock, self.sleep)
        try:
            self.gate.shut(patience)
            self._round(deletions=True, last=patience)
            self._check_last(maps, patience)
            self.tasks.settle(self.copy.target, patience)
            documents = self._same(patience)
            numbers = _keys(self.target.checkpoints(patience))
            self.gate.drain(patience)
            self._note(handed=numbers)
            move()
        except BaseException:
            self.gate.reopen(self.patience)
            raise
        blocked = self.clock() - began
        restore(self.cluster, self.copy.source, self.copy.pipelines, self.patience)
        return Handed(documents, blocked, numbers)

    def _request(self, ids: Sequence[str], size: int) -> Request:
        source: dict[str, Any] = {"index": self.copy.source, "size": size, "query": {"ids": {"values": list(ids)}}}
        if self.copy.vectors:
            source["_source"] = {"excludes": list(self.copy.vectors)}
        body = {"source": source, "dest": {"index": self.copy.target}}
        return Request("POST", "/_reindex", body, {"wait_for_completion": "false"})

    def _note(self, **more: Any) -> None:
        self.journal.update(more)
        self.remember(more)

    def _loosen(self) -> None:
        """No refresh and no replica while documents come in; what was asked stands in the journal."""
        path = f"{self.target.path}/_settings"
        if "settings" not in self.journal:
            found = persist(self.cluster, Request("GET", path, params={"flat_settings": "true"}), self.patience)
            settings = found[self.copy.target]["settings"]
            keys = ("index.refresh_interval", "index.number_of_replicas")
            self._note(settings={key: settings.get(key) for key in keys})
        loose = {"index.refresh_interval": "-1", "index.number_of_replicas": "0"}
        persist(self.cluster, Request("PUT", path, loose), self.patience)

    def _tighten(self) -> None:
        path = f"{self.target.path}/_settings"
        persist(self.cluster, Request("PUT", path, dict(self.journal["settings"])), self.patience)
        params = {"wait_for_status": "yellow", "wait_for_no_relocating_shards": "true", "timeout": "30s"}
        persist(
            self.cluster,
            Request("GET", f"/_cluster/health/{quote(self.copy.target)}", params=params),
            self.patience,
            longest=40,
        )
        self.target.refresh(self.patience)

    def _go_on(self) -> None:
        """Wait for what an earlier run left under way, and copy what it did not get to."""
        if "upto" not in self.journal:
            self._note(upto=_keys(self.source.checkpoints(self.patience)), done={}, tasks={})
        under_way: Mapping[str, Any] = self.journal.get("tasks") or {}
        # Those of a round as well, else one would write what it read before over what is copied from here on.
        at_work = self.tasks.running(self.copy.target, self.patience)
        self.tasks.outlast(list(dict.fromkeys([*under_way, *at_work])), self.patience)
        self.target.refresh(self.patience)
        for shard, first, last in under_way.values():
            for page in self.source.written(shard, first, last, self.each):
                ids = [each.id for each in page]
                there = self.target.there(ids, self.patience)
                self.tasks.attempt([id for id in ids if id not in there], self.each)
        ends = dict(self.journal["done"])
        for shard, _, last in under_way.values():
            ends[str(shard)] = max(last, ends.get(str(shard), -1))
        self._note(done=ends, tasks={})

    def _copy_all(self) -> None:
        upto, done = _numbers(self.journal["upto"]), _numbers(self.journal["done"])
        self.source.refresh(self.patience)
        total = self.source.count(self.patience)
        task = f"copying {self.copy.source}"
        self.report(Begun(task, total, "documents"))
        copied = self.target.count(self.patience)
        flight = _Flight(self, done, lambda more: self.report(Advanced(task, min(copied + more, total), total)))
        for shard, last in upto.items():
            for page in self.source.written(shard, done.get(shard, -1), last, self.each):
                for batch in _cut(page, self.tasks.batch):
                    flight.send(shard, batch)
        flight.land()
        self.report(Ended(task))

    def _catch_up(self, *, deletions: bool = False) -> None:
        """Rounds until there is next to nothing to copy, or as little as there will ever be.

        With many shards far away a round takes its time though nobody writes, and more is written meanwhile.
        """
        shortest, alike = math.inf, 0
        for _ in range(_MOST_ROUNDS):
            began = self.clock()
            count = self._round(deletions=deletions)
            took = self.clock() - began
            alike = 0 if took < 0.9 * shortest else alike + 1
            shortest = min(shortest, took)
            if (count <= _SMALL and took < 1.0) or (alike >= _ALIKE and took < _LONGEST_LAST):
                return
        raise NotReady(
            f"{self.copy.source} is written to faster than {self.copy.target} is filled",
            hint="let the writers rest for a moment, and run osform apply again: it goes on from here",
        )

    def _round(self, *, deletions: bool, last: Patience | None = None) -> int:
        """Copy what was written since the last round, and delete what was deleted; returns how many documents.

        The ``last`` round, while nobody writes, has one deadline for all of it. Any other may be long, after a long
        copy: one that was cut off goes on from the page that it was at.
        """
        each: Each = self.each if last is None else lambda: last
        self.tasks.settle(self.copy.target, each())  # what they have read was in a round before
        reached = self.source.checkpoints(each(), settled=last is not None)
        self.source.refresh(each())
        held, count = _numbers(self.journal["upto"]), 0
        for shard, upto in reached.items():
            for page in self.source.written(shard, held.get(shard, -1), upto, each):
                self.tasks.copy([one.id for one in page], each)
                self.manifest.note(shard, page)
                count += len(page)
                held[shard] = page[-1].number
                self._bring_to(held, told=last is None and len(page) > _SMALL)
        if deletions:
            for shard, upto in reached.items():
                count += self._drop(list(self.manifest.gone(self.source, shard, upto, each)), each)
        self._bring_to(reached, told=last is None)  # the last round is written down with what follows it
        return count

    def _bring_to(self, numbers: Mapping[int, int], *, told: bool) -> None:
        self.journal.update(upto=_keys(numbers), done=_keys(numbers))
        if told:
            self.remember({})

    def _drop(self, candidates: list[Written], each: Each) -> int:
        """Delete from the target what the source no longer has; what it has under another number comes with a round."""
        count = 0
        for some in _cut(candidates, PAGE):
            there = self.source.there([one.id for one in some], each())
            gone = [one for one in some if one.id not in there]
            self._delete(gone, each())
            self.manifest.forget(gone)
            count += len(gone)
        return count

    def _delete(self, documents: Sequence[Written], patience: Patience) -> None:
        for some in _cut(documents, 1000):
            left, attempt = list(some), 0
            while left:
                lines = "".join(_deletion(each) for each in left)
                answer = persist(self.cluster, Request("POST", f"{self.target.path}/_bulk", lines), patience)
                items = [item["delete"] for item in answer["items"]]
                wrong = [each for each in items if each["status"] not in (200, 404)]
                if final := [each for each in wrong if patience.over or classify(each) is not Verdict.WAIT]:
                    raise ClusterError(f"{self.copy.target}: {final[0]['_id']} can't be deleted: {explain(final[0])}")
                # A node whose queue is full refuses some lines of a request that it takes otherwise.
                left = [each for each, item in zip(left, items, strict=True) if item in wrong]
                if left:
                    patience.pause(attempt)
                    attempt += 1

    def _compare(self) -> None:
        """List both indices, and make the target hold just what the source holds."""
        self.report(Note(f"comparing the ids of {self.copy.source} and {self.copy.target}"))
        reached = _numbers(self.journal["upto"])
        self.source.refresh(self.patience)
        self.target.refresh(self.patience)
        for shard, last in reached.items():
            for page in self.source.written(shard, -1, last, self.each):
                self.manifest.note(shard, page)
        for shard, last in self.target.checkpoints(self.patience).items():
            for page in self.target.written(shard, -1, last, self.each):
                self.manifest.copied(page)
        # What changed while it was listed has a number beyond, and comes with the next round.
        self._drop(self.manifest.extra(), self.each)
        self.tasks.copy(self.manifest.missing(), self.each)

    def _same(self, patience: Patience) -> int:
        there, here = self.source.count(patience), self.target.count(patience)
        if there != here:
            raise NotReady(
                f"{self.copy.target} has {here:,} documents, and {self.copy.source} has {there:,}",
                hint="run osform apply again: it goes on from here, and the old index serves until then",
            )
        return here


class _Flight:
    """Batches under way, a few at a time, and how far each shard is without a gap."""

    def __init__(self, copier: Copier, done: dict[int, int], advanced: Callable[[int], None]) -> None:
        self._copier, self._done, self._advanced = copier, done, advanced
        self._under_way: dict[str, tuple[int, list[Written]]] = {}
        self._copied = 0

    def send(self, shard: int, batch: Sequence[Written]) -> None:
        """Start a batch, once there is room for one more.

        What has ended is written down with what is started next: an apply that goes on looks at it once more at most.
        """
        tasks = self._copier.tasks
        while len(self._under_way) >= tasks.at_once:
            self._wait()
        name = tasks.start([each.id for each in batch], self._copier.patience)
        self._under_way[name] = shard, list(batch)
        self._write()

    def land(self) -> None:
        """Wait for all of them. Raises DocumentsRefused where some are not taken, once all others are there."""
        while self._under_way:
            self._wait()
        self._write()
        self._copier.tasks.check()

    def _wait(self) -> None:
        # In the order in which they were started: what is done is done without a gap.
        name = next(iter(self._under_way))
        shard, batch = self._under_way[name]
        self._copier.tasks.finish(name, [each.id for each in batch], self._copier.each)
        del self._under_way[name]
        self._done[shard] = batch[-1].number
        self._copied += len(batch)
        self._advanced(self._copied)

    def _write(self) -> None:
        tasks = {
            name: [shard, batch[0].number - 1, batch[-1].number] for name, (shard, batch) in self._under_way.items()
        }
        self._copier._note(done=_keys(self._done), tasks=tasks)


def _deletion(document: Written) -> str:
    header = {"_id": document.id} | ({"routing": document.routing} if document.routing else {})
    return json.dumps({"delete": header}) + "\n"


def _cut(items: Sequence[Any], size: int) -> Iterable[Sequence[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _keys(numbers: Mapping[int, int]) -> dict[str, int]:
    return {str(shard): number for shard, number in numbers.items()}


def _numbers(keys: Mapping[str, int]) -> dict[int, int]:
    return {int(shard): number for shard, number in keys.items()}
