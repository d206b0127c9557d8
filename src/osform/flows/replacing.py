"""An index made anew beside the old one: documents copied while it serves, checked, and the alias moved in one request.

Nothing of the old index changes but a write block that lasts from the last look to the move; until then, whatever
fails leaves it serving. The new index has a ledger entry of its own, ``index/images-v2``, whose journal an apply that
was cut off goes on from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from osform.cluster.blocking import clone_index, drop_clone, move_aliases, serves
from osform.cluster.client import Cluster
from osform.cluster.copying import Copier, Copy
from osform.cluster.gate import own_pipelines, restore
from osform.cluster.retry import Clock, Patience, Sleep, persist
from osform.cluster.vectors import VectorMap
from osform.core.address import Address
from osform.core.diff import missing
from osform.core.document import dotted
from osform.core.events import Note, Report
from osform.core.request import Request
from osform.core.state import Entry
from osform.core.values import concealed, redacted, revealed, secrets_in
from osform.errors import ReadBackMismatch, RequestFailed
from osform.flows.evaluating import accept
from osform.flows.looking import Eyes
from osform.flows.resolving import pipelines_of
from osform.flows.survey import Move, Survey
from osform.kinds import KINDS, mappings, pipelines
from osform.kinds.base import Body, Live, Wanted
from osform.kinds.settings import PIPELINES
from osform.kinds.vectors import made

SAMPLE = 50
"""Documents whose vectors are compared with what the model says now, before the alias moves."""


@dataclass(frozen=True)
class Replacing:
    """One index on its way. ``journal`` stores an entry in the ledger, or takes an address out of it."""

    cluster: Cluster
    survey: Survey
    address: Address
    journal: Callable[[Entry | Address], None]
    stamp: Callable[[Entry], Entry]
    report: Report
    clock: Clock
    sleep: Sleep

    @property
    def move(self) -> Move:
        """From where to where."""
        return self.survey.moves[self.address]

    @property
    def target(self) -> Address:
        """The new index's own address in the ledger."""
        return replace(self.address, name=self.move.target)

    def run(self) -> Live:
        """Fill the new index, check it, move the alias; returns what is live then. May be called again at any time."""
        entry = self._begin()
        moved = dict(entry.journal)
        if not serves(self.cluster, self.address.name, self.move.target, self._patience()):
            self._put_pipelines()
            self._make(self.survey.live[self.address])
            moved = self._fill(entry)
        elif (left := entry.journal["source"]) == entry.journal["kept"]:
            # By the journal: an index that lost its plain name is gone, and what answers to it is the new one.
            restore(self.cluster, left, entry.journal.get("pipelines", {}), self._patience())
        return self._settle(moved)

    def _begin(self) -> Entry:
        asked = concealed(self.survey.asked(self.address))
        before = self.survey.state.entries.get(self.target)
        needs = self.survey.needs.get(self.address, ())
        entry = before or Entry(
            self.target, "applying", asked, ids={"index": self.move.target}, needs=needs, role="next", of=self.address
        )
        if "source" not in entry.journal:
            own = self._own()
            pinned = [str(copy) for copy, _, _ in self._plain(own)]
            begun = {"source": self.move.source, "kept": self.move.kept, "pinned": pinned, "pipelines": own}
            entry = replace(entry, journal=begun)
        entry = self.stamp(entry)
        self.journal(entry)
        return entry

    def _own(self) -> Mapping[str, str | None]:
        """The old index's own pipelines. While writes are refused it names others, and an apply may have ended then."""
        for entry in self.survey.state.entries.values():
            if entry.of == self.address and entry.journal.get("source") == self.move.source:
                return dict(entry.journal.get("pipelines", {}))
        return own_pipelines(self.survey.live[self.address].body["settings"])

    def _put_pipelines(self) -> None:
        """The copies that serve the new index; the old one goes on with its own."""
        for address in pipelines_of(self.survey.spec).get(self.address, ()):
            path = pipelines.path(_BASES[address.kind], f"{address.name}-v{self.move.number}")
            body = dict(revealed(self.survey.asked(address)))
            persist(self.cluster, Request("PUT", path, body), self._patience())

    def _make(self, live: Live) -> None:
        asked = revealed(self.survey.asked(self.address))
        mapping = mappings.with_fields_of(asked["mappings"], live.body["mappings"])
        request = Request("PUT", f"/{quote(self.move.target)}", {"settings": asked["settings"], "mappings": mapping})
        begun = self._look(mapping=mapping)
        if begun is None:
            try:
                persist(self.cluster, request, self._patience())
            except RequestFailed as error:
                if error.type != "resource_already_exists_exception":
                    raise  # else an answer was lost; the look below tells whether it is as it should be
        else:
            self._add_fields(mapping, begun.whole["mappings"])
        found = self._look(mapping=mapping)
        lacking = missing({"mappings": mapping, "settings": asked["settings"]}, found.whole if found else {})
        passing = [each for each in lacking if dotted(each.path) not in _DURING_THE_COPY]
        if passing:
            lines = "; ".join(f"{dotted(each.path)}: asked {each.before!r}" for each in passing)
            message = f"{self.address}: the server acknowledged {self.move.target} and stored something else: {lines}"
            hint = "osform apply --abandon, then osform apply, begins anew; the old index goes on serving"
            raise ReadBackMismatch(message, hint=hint)

    def _add_fields(self, mapping: Body, there: Body) -> None:
        """What documents brought along since an earlier apply made the new index."""
        new = {str(each.path[1]) for each in missing(mapping, there) if each.path[:1] == ("properties",)}
        if new:
            fields = {"properties": {name: mapping["properties"][name] for name in sorted(new)}}
            put = Request("PUT", f"/{quote(self.move.target)}/_mapping", fields)
            try:
                persist(self.cluster, put, self._patience())
            except RequestFailed as error:
                if error.status != 400:
                    raise  # else it took one for something else, which the look below tells

    def _fill(self, entry: Entry) -> dict[str, Any]:
        journal = dict(entry.journal)

        def remember(more: Mapping[str, Any]) -> None:
            journal.update(more)
            self.journal(replace(entry, journal=dict(journal)))

        maps = list(self._maps())
        own: dict[str, str | None] = journal.get("pipelines", {})
        copy = Copy(self.move.source, self.move.target, tuple(each.vector_field for each in maps), own)
        with Copier(self.cluster, copy, journal, remember, self.report, self.clock, self.sleep) as copier:
            copier.fill()
            self.report(Note(f"comparing {self.move.target} with what its model says"))
            copier.verify(maps, SAMPLE)
            self._accept(maps)
            self._pin(own)
            handed = copier.hand_over(lambda: self._move_aliases(own), maps)
        blocked = f"writes waited for {handed.blocked_seconds:.1f} s"
        self.report(Note(f"{self.address} is {self.move.target} now: {handed.documents:,} documents, {blocked}"))
        return journal

    def _accept(self, maps: Sequence[VectorMap]) -> None:
        """Hold the new index to the checks that the stack has for it, beside the old one."""
        models = {each.vector_field: each.model_id for each in maps}
        source, target = self.move.source, self.move.target
        told: dict[str, Any] = {"old_models": {}, "new_models": models, "report": self.report}
        accept(self.cluster, self.survey.spec, self.address.name, old=source, new=target, **told)

    def _maps(self) -> Iterator[VectorMap]:
        mapping = self.survey.asked(self.address)["mappings"]
        for address in pipelines_of(self.survey.spec).get(self.address, ()):
            if address.kind == "ingest_pipeline":
                for each in made(revealed(self.survey.asked(address))):
                    yield VectorMap.of(each, mapping)

    def _move_aliases(self, own: Mapping[str, str | None]) -> None:
        """Every alias of the old index, those of others too, in one request, so that no search finds none."""
        source, target = self.move.source, self.move.target
        stored = persist(self.cluster, Request("GET", f"/{quote(source)}/_alias"), self._patience())
        asked = revealed(self.survey.asked(self.address))
        there = stored[source].get("aliases", {})
        entry = self.survey.state.entries[self.address]
        former = self.survey.moved.get(self.address, self.address).name
        gone = {*entry.asked.get("aliases", {}), former} - {*asked.get("aliases", {}), self.address.name}
        wanted = {**there, self.address.name: there.get(self.address.name, {}), **asked.get("aliases", {})}
        actions = [
            {"add": {"index": target, "alias": alias, **options}}
            for alias, options in wanted.items()
            if alias not in gone
        ]
        if source == self.address.name:
            drop_clone(self.cluster, source, self.move.kept)
            kept = {**own, **{setting: copy.name for copy, _, setting in self._plain(own)}}
            clone_index(self.cluster, source, self.move.kept, {key: value for key, value in kept.items() if value})
            # What it had none of, it would have of the new index by now.
            restore(self.cluster, self.move.kept, {key: kept[key] for key in own}, self._patience())
            actions.append({"remove_index": {"index": source}})
        else:
            actions += [{"remove": {"index": source, "alias": alias}} for alias in there]
        move_aliases(self.cluster, actions)

    def _pin(self, own: Mapping[str, str | None]) -> None:
        """An index under its plain name used pipelines by theirs, which are about to change: it keeps copies."""
        for copy, name, _ in self._plain(own):
            base = _BASES[copy.kind]
            body = persist(self.cluster, Request("GET", pipelines.path(base, name)), self._patience())
            put = Request("PUT", pipelines.path(base, copy.name), body[name])
            persist(self.cluster, put, self._patience())

    def _plain(self, own: Mapping[str, str | None]) -> Iterator[tuple[Address, str, str]]:
        """The pipelines that the old index uses by plain name: what a copy is called, the name, the index's setting.

        ``own`` is what it said itself before it was sent through those of the new one.
        """
        settings = {**self.survey.live[self.address].body["settings"], **own}
        number = self.move.kept.rpartition("-v")[2]
        for setting, kind in PIPELINES:
            address = Address(kind, str(settings.get(setting)))
            if self.move.source == self.address.name and address in self.survey.state.entries and kind in _BASES:
                yield replace(address, name=f"{address.name}-v{number}"), address.name, setting

    def _settle(self, journal: Mapping[str, Any]) -> Live:
        """Write down what is so now: what was comes first, so that nothing is ever forgotten."""
        entries = self.survey.state.entries
        old, asked = entries[self.address], self.survey.asked(self.address)
        kept = str(journal.get("kept", self.move.kept))
        for entry in self._past(old, kept, journal.get("pinned", ())):
            self.journal(self.stamp(entry))
        live = self._look()
        assert live is not None, "the alias is on it"
        body = {**live.body, "alias": self.address.name}
        done = Entry(
            self.address,
            "applied",
            concealed(asked),
            redacted(body, secrets_in(asked)),
            {"index": self.move.target},
            self.survey.needs.get(self.address, ()),
            self.survey.spec.resources[self.address].protect,
            journal={"after": kept} | {key: journal[key] for key in ("handed",) if key in journal},
        )
        self.journal(self.stamp(done))
        for address in pipelines_of(self.survey.spec).get(self.address, ()):
            if pipeline := entries.get(address):
                copies = self.survey.wanted(address).ids.get("copies", "")
                self.journal(replace(pipeline, ids={**pipeline.ids, "copies": copies}))
        self.journal(self.target)
        return Live(body, {"index": self.move.target}, live.documents)

    def _past(self, old: Entry, kept: str, pinned: Sequence[str]) -> Iterator[Entry]:
        """What the old index and its copies of pipelines are called from now on, and until when they stay."""
        until = (datetime.now(UTC) + self.survey.spec.retention).isoformat(timespec="seconds")
        found = self._look(kept)
        recorded = found.body if found else old.recorded
        index = replace(old, address=replace(self.address, name=kept), recorded=recorded, ids={"index": kept})
        yield replace(index, status="applied", role="past", of=self.address, until=until)
        for address in old.needs:
            entry = self.survey.state.entries.get(address)
            copy = replace(address, name=f"{address.name}-v{kept.rpartition('-v')[2]}")
            there = copy.name in pipelines.copies(entry.ids) or str(copy) in pinned if entry else False
            if entry and there and address in self.survey.spec.resources:
                yield replace(entry, address=copy, ids={}, status="applied", role="past", of=address)

    def _look(self, index: str | None = None, mapping: Body | None = None) -> Live | None:
        index = index or self.move.target
        address = replace(self.address, name=index)
        wanted = Wanted({"index": index, "mappings": mapping or {}}, ids={"index": index})
        return Eyes(self.cluster, clock=self.clock, sleep=self.sleep).look({address: wanted}).get(address)

    def _patience(self) -> Patience:
        return Patience.of(120, self.clock, self.sleep)


_BASES = {kind: KINDS[kind].BASE for kind in ("ingest_pipeline", "search_pipeline")}  # type: ignore[attr-defined]
# Set otherwise while documents are copied, and as asked before the alias moves.
_DURING_THE_COPY = ("settings.index.refresh_interval", "settings.index.number_of_replicas")
