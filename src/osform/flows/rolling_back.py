"""Back to the physical index that was before, with the pipelines and models that it was made with."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from urllib.parse import quote

from osform.cluster import blocking, deploy
from osform.cluster.client import Cluster
from osform.cluster.copying import Copier, Copy
from osform.cluster.gate import Gate, own_pipelines, restore
from osform.cluster.ledger import Ledger
from osform.cluster.retry import Clock, Patience, Sleep, persist, persist_if_there
from osform.cluster.shards import Index
from osform.core.address import Address
from osform.core.events import Note, Report
from osform.core.request import Request
from osform.core.state import Entry, State
from osform.errors import InputError, NotReady, PlanRefused
from osform.flows import owning
from osform.kinds import KINDS, mappings, ml, pipelines
from osform.kinds.settings import PIPELINES
from osform.kinds.vectors import Made, made

Writes = Literal["refuse", "carry", "leave"]
_SECONDS = 60.0


@dataclass(frozen=True)
class RolledBack:
    """What a rollback did: from and to which physical index, and how many documents were carried over."""

    address: Address
    before: str
    now: str
    carried: int
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """The rollback for programs."""
        return {
            "address": str(self.address),
            "before": self.before,
            "now": self.now,
            "carried": self.carried,
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True)
class Rollback:
    """One index taken back, under the cluster's lock."""

    cluster: Cluster
    ledger: Ledger
    state: State
    address: Address
    retention: timedelta
    report: Report
    clock: Clock = time.monotonic
    sleep: Sleep = time.sleep

    def run(self, writes: Writes) -> RolledBack:
        """Move the aliases back. Raises InputError where there is nothing to go back to, PlanRefused where documents
        were written since and ``writes`` is ``refuse``, and what asking the cluster raises.
        """
        began = self.clock()
        now, past = self._entries()
        index, before = str(past.ids["index"]), str(now.ids["index"])
        if persist_if_there(self.cluster, Request("HEAD", f"/{quote(index)}"), self._patience()) is None:
            raise NotReady(f"{index} is not on the cluster any more", hint="osform plan says what the files ask for")
        settings = self._settings(index)
        self._wake(settings)
        since = self._since(now, before)
        if since and writes == "refuse":
            raise _written(since, before, index)
        if since and writes == "carry":
            self._hold_whole(before, settings)
        handed = {
            str(shard): number for shard, number in Index(self.cluster, index).checkpoints(self._patience()).items()
        }
        blocking.unblock(self.cluster, index, self._patience())
        if since and writes == "carry":
            handed = self._carry(now, before, index, settings)
        else:
            self._hand_over(now, before, index, writes)
        # Whatever has a number beyond these was written after the move, and would be left behind by another one.
        self._settle(now, replace(past, journal={"handed": handed, "after": before}))
        return RolledBack(self.address, before, index, since if writes == "carry" else 0, self.clock() - began)

    def _entries(self) -> tuple[Entry, Entry]:
        entry = self.state.entries.get(self.address)
        if entry is None or self.address.kind != "index":
            known = ", ".join(sorted({str(each.of) for each in self._pasts()})) or "none"
            raise InputError(f"{self.address} is no index of this stack", hint=f"with something to go back to: {known}")
        past = owning.before(entry, self.state)
        if past is None:
            hint = "an index that is made anew is kept for as long as retention in stack.yaml says"
            raise InputError(f"{self.address} has nothing to go back to", hint=hint)
        if entry.journal.get("after", past.ids["index"]) != past.ids["index"]:
            # How far its shards were when another index handed over says nothing of what this one has.
            entry = replace(entry, journal={})
        return entry, past

    def _pasts(self) -> Iterator[Entry]:
        return (e for e in self.state.entries.values() if e.role == "past" and e.address.kind == "index")

    def _settings(self, index: str) -> Mapping[str, Any]:
        request = Request("GET", f"/{quote(index)}/_settings", params={"flat_settings": "true"})
        settings: Mapping[str, Any] = persist(self.cluster, request, self._patience())[index]["settings"]
        return settings

    def _pipeline(self, kind: str, name: str) -> Mapping[str, Any] | None:
        path = pipelines.path(KINDS[kind].BASE, name)  # type: ignore[attr-defined]
        found = persist_if_there(self.cluster, Request("GET", path), self._patience())
        return dict(found[name]) if found and name in found else None

    def _wake(self, settings: Mapping[str, Any]) -> None:
        """The models of the old index's pipeline have to serve before anybody is sent there."""
        name = settings.get("index.default_pipeline", "_none")
        body = self._pipeline("ingest_pipeline", str(name)) if name != "_none" else {}
        if body is None:
            raise NotReady(f"the pipeline {name} of the old index is gone", hint="osform plan says what the files ask")
        ids = {str(each.model_id) for each in made(body)}
        profile = persist(self.cluster, ml.profile(sorted(ids)), self._patience()) if ids else {}
        nodes = (profile or {}).get("nodes", {}).values()
        serving = {
            model_id
            for node in nodes
            for model_id, model in (node.get("models") or {}).items()
            if model.get("model_state") == "DEPLOYED"
        }
        for model_id in sorted(ids - serving):
            self.report(Note(f"deploying the model {model_id} of the old index"))
            deploy.deploy(self.cluster, model_id, task_id=None, remember=lambda _: None, report=self.report)

    def _since(self, now: Entry, index: str) -> int:
        """How many documents were written since the switch; at least 1 where some were deleted."""
        handed = {int(key): int(value) for key, value in now.journal.get("handed", {}).items()}
        source = Index(self.cluster, index)
        reached = source.checkpoints(self._patience())
        if all(handed.get(shard, -1) >= number for shard, number in reached.items()):
            return 0
        source.refresh(self._patience())
        pages = (
            page
            for shard, number in reached.items()
            for page in source.written(shard, handed.get(shard, -1), number, self._patience)
        )
        return max(1, sum(map(len, pages)))

    def _made(self, settings: Mapping[str, Any]) -> tuple[Made, ...]:
        """What the old index's pipeline fills."""
        return tuple(made(self._pipeline("ingest_pipeline", str(settings.get("index.default_pipeline"))) or {}))

    def _hold_whole(self, before: str, settings: Mapping[str, Any]) -> None:
        """Refuse to carry documents of which the index that is left keeps only a part."""
        request = Request("GET", f"/{quote(before)}/_mapping")
        mapping = persist(self.cluster, request, self._patience())[before]["mappings"]
        if lost := mappings.lost(mapping, {each.target: each.source for each in self._made(settings)}):
            few = f"{', '.join(lost[:3])}{' and others' if len(lost) > 3 else ''}"
            raise PlanRefused(
                f"{before} keeps {few} out of _source, and no document that is carried over would have it",
                hint="--writes leave goes back without what was written since; ingest it again afterwards",
            )

    def _carry(self, now: Entry, before: str, index: str, settings: Mapping[str, Any]) -> dict[str, int]:
        copy = Copy(before, index, tuple(each.target for each in self._made(settings)), self._own(now))
        journal: dict[str, Any] = {}
        with Copier(self.cluster, copy, journal, lambda _: None, self.report, self.clock, self.sleep) as copier:
            copier.bring_up_to_date(now.journal.get("handed", {}))
            return dict(copier.hand_over(lambda: self._move(before, index)).numbers)

    def _hand_over(self, now: Entry, before: str, index: str, writes: Writes) -> None:
        """Move without carrying anything over: what comes in the last moment is refused, and not lost."""
        gate = Gate(self.cluster, before, index, self._own(now))
        try:
            gate.shut(self._patience())
            if writes == "refuse" and (since := self._since(now, before)):
                raise _written(since, before, index)
            gate.drain(self._patience())
            self._move(before, index)
        except BaseException:
            gate.reopen(self._patience())
            raise
        restore(self.cluster, before, gate.own, self._patience())

    def _own(self, now: Entry) -> dict[str, str | None]:
        """The pipelines of the index that is left, as they were read back: an earlier rollback may have been killed."""
        return own_pipelines(now.recorded.get("settings", {}))

    def _move(self, before: str, index: str) -> None:
        stored = persist(self.cluster, Request("GET", f"/{quote(before)}/_alias"), self._patience())
        aliases = stored[before].get("aliases", {})
        actions = [{"add": {"index": index, "alias": alias, **options}} for alias, options in aliases.items()]
        actions += [{"remove": {"index": before, "alias": alias}} for alias in aliases]
        blocking.move_aliases(self.cluster, actions)

    def _settle(self, now: Entry, past: Entry) -> None:
        until = (datetime.now(UTC) + self.retention).isoformat(timespec="seconds")
        gone = replace(now, address=replace(self.address, name=str(now.ids["index"])), role="past", of=self.address)
        changes: list[Entry | Address] = [replace(gone, until=until)]
        current = replace(past, address=self.address, role="current", of=None, until="")
        changes += self._pipelines_back(past, current)
        self.ledger.change([*changes, replace(current, recorded=_as_current(current))])
        self.ledger.change([past.address])

    def _pipelines_back(self, past: Entry, current: Entry) -> Iterator[Entry | Address]:
        """The plain names of pipelines, for as long as no other index goes on with the newer ones."""
        number = str(past.ids["index"]).rpartition("-v")[2]
        for setting, kind in PIPELINES:
            used = str(current.recorded.get("settings", {}).get(setting, ""))
            copy = self.state.entries.get(Address(kind, used))
            plain = Address(kind, used.removesuffix(f"-v{number}"))
            entry = self.state.entries.get(plain)
            body = self._pipeline(kind, used) if copy and entry else None
            if copy is None or entry is None or body is None or used == plain.name:
                continue  # one that embeds nothing has no copies: old index and new have the very same
            copies = pipelines.copies(entry.ids)
            path = pipelines.path(KINDS[kind].BASE, plain.name)  # type: ignore[attr-defined]
            if len(copies) <= 1:
                persist(self.cluster, Request("PUT", path, dict(body)), self._patience())
                back = replace(copy, address=plain, role="current", of=None, ids={**entry.ids, "copies": used})
                yield back
                for name in copies:
                    yield replace(entry, address=Address(kind, name), ids={}, role="past", of=self.address)
                yield copy.address
            else:
                self.report(Note(f"{plain} stays as it is: another index goes on with it"))

    def _patience(self) -> Patience:
        return Patience.of(_SECONDS, self.clock, self.sleep)


def _written(since: int, before: str, index: str) -> PlanRefused:
    return PlanRefused(
        f"{since:,} documents were written to {before} since it took the place of {index}",
        hint="--writes carry copies them back first, --writes leave goes back without them",
    )


def _as_current(entry: Entry) -> Mapping[str, Any]:
    """What was read back of an index of the past, as it is once its alias is on it and writes are let in."""
    settings = {key: value for key, value in entry.recorded.get("settings", {}).items() if key != "index.blocks.write"}
    return {**entry.recorded, "settings": settings, "alias": entry.address.name}
