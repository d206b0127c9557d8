"""One change carried out: its steps sent, its result read back, the ledger kept true on the way."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from osform.cluster import blocking, connectors, deploy, groups, models, predict, register, register_there
from osform.cluster.client import Cluster
from osform.cluster.retry import Clock, Patience, Sleep, persist, persist_if_there
from osform.core.address import Address
from osform.core.diff import ABSENT, missing
from osform.core.document import dotted
from osform.core.events import Note, Report
from osform.core.models import ModelLock
from osform.core.plan import OWN, Adopt, Change, Delete, Replace, Update
from osform.core.request import Request
from osform.core.resource import StackSpec
from osform.core.state import Entry
from osform.core.values import concealed, redacted, revealed, secrets_in
from osform.errors import NotReady, PlanRefused, ReadBackMismatch, RequestFailed
from osform.flows import giving_way, owning
from osform.flows.deciding import revived
from osform.flows.looking import Eyes
from osform.flows.replacing import Replacing
from osform.flows.survey import Survey
from osform.flows.together import Together
from osform.kinds import KINDS, ml
from osform.kinds.base import (
    AskModel,
    Body,
    CreateConnector,
    CreateGroup,
    DeployModel,
    Last,
    Live,
    ProbeModel,
    RegisterModel,
    RegisterThere,
    RemoveConnector,
    RemoveGroup,
    RemoveModel,
    Send,
    SendClosed,
    Step,
    UndeployModel,
    UpdateConnector,
    Wanted,
)

# A search sees a write after the next refresh, a second later by default.
_VISIBLE_SECONDS = 10.0
# The journal's keys of what is under way, beside the ids that stay.
_DEPLOY_TASK = "deploy_task"
_CLOSED = "closed"
_UNDER_WAY = {_DEPLOY_TASK, _CLOSED, register_there.TASK, connectors.WAITING}


@dataclass(frozen=True)
class Hands:
    """Carries out changes on a cluster.

    ``journal`` stores an entry in the ledger, or takes an address out of it. ``bundle`` finds the zip of a hash for a
    model of ``models/``, and ``stamp`` gives who, when and from which commit, for the ledger. Several threads may use
    one pair of hands.
    """

    cluster: Cluster
    journal: Callable[[Entry | Address], None]
    bundle: Callable[[str, str], Path]
    stamp: Callable[[Entry], Entry]
    report: Report
    clock: Clock = time.monotonic
    sleep: Sleep = time.sleep
    looking: Together[tuple[Address, Wanted], Live | None] = field(init=False)
    moving: threading.Lock = field(init=False, default_factory=threading.Lock)
    deploying: threading.Lock = field(init=False, default_factory=threading.Lock)
    """Held during a deployment: nodes load one model at a time, or run out of memory where each alone would fit."""
    registering: threading.Lock = field(init=False, default_factory=threading.Lock)
    """Held while the server numbers a model of a group."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "looking", Together(self._look))

    def carry_out(self, change: Change, survey: Survey) -> Live | None:
        """Make one change and return what is live now, None after a deletion.

        Raises ClusterError where the server refuses, does not answer, or stores something else than was asked.
        """
        if isinstance(change, Delete):
            self._delete(change, survey)
            return None
        live = self._move(change.address, survey) if change.address in survey.moves else self._make(change, survey)
        self._rename(change, survey)
        return live

    def _make(self, change: Change, survey: Survey) -> Live:
        """Make or change a resource under its own address, and read it back."""
        address = change.address
        asked = survey.asked(address)
        before = survey.live.get(address)
        old = survey.state.entries.get(address)
        wanted = survey.wanted(address)
        if address in survey.carried:  # what was made anew by now took it along, or lost it
            before = self.looking((address, wanted))
        back = None
        if address in survey.renewed:
            # What it was has an address of its own from now on; what it becomes may have been there before.
            self.journal(survey.state.entries[survey.renewed[address]])
            back = revived(survey, address)
            before, old = survey.live.get(back) if back else None, None
            wanted = replace(wanted, ids=before.ids if before else {})
        body = revealed(asked)
        steps = [*giving_way.steps(survey, address), *self._steps(change, body, before, old, wanted.ids)]
        ids = {**_tag(steps), **wanted.ids, **(before.ids if before else {}), **_called(address, asked)}
        entry = self.stamp(_begun(change, asked, old, ids, survey))
        self.journal(entry)
        if before is not None:
            self._remove_strays(address, before)
        if isinstance(change, Replace) and address not in survey.renewed:
            assert before is not None, "a replacement is of what is live"
            self._refuse_losing(before, address)
            self._remove_all(address, before)
        others = owning.ids_beside(survey.state, address)
        ids = self._do(entry, steps, survey.spec, others, again=old is not None)
        live = self._read_back(address, replace(wanted, asked=body, ids=ids), survey)
        self._remove_strays(address, live)
        done = replace(entry, status="applied", asked=concealed(asked), recorded=redacted(live.body, secrets_in(asked)))
        ids = {key: value for key, value in {**ids, **live.ids}.items() if key not in _UNDER_WAY}
        self.journal(self.stamp(replace(done, ids=ids)))
        if back:
            self.journal(back)
        return live

    def _rename(self, change: Change, survey: Survey) -> None:
        """What is kept for a rollback gets the new name as well, and the old one is forgotten last."""
        if change.moved_from is None:
            return
        for entry in [each for each in survey.state.entries.values() if each.of == change.address]:
            if entry.role == "past":
                self.journal(entry)
        self.journal(change.moved_from)

    def _move(self, address: Address, survey: Survey) -> Live:
        """An index made anew beside the old one; one at a time, since the nodes have enough to do with one."""
        with self.moving:
            return Replacing(
                self.cluster, survey, address, self.journal, self.stamp, self.report, self.clock, self.sleep
            ).run()

    def _steps(
        self, change: Change, body: Body, before: Live | None, old: Entry | None, ids: Mapping[str, str]
    ) -> Sequence[Step]:
        kind, name = KINDS[change.address.kind], change.address.name
        match change:
            case Update() | Adopt() if change.differences and all(d.path[0] == OWN for d in change.differences):
                return ()  # for the ledger alone
            case Update() if before is not None:
                if old is not None and old.status == "applied" and before.strays and not change.differences:
                    return ()  # the resource itself is well
                return kind.update(name, body, before, Last(old.asked, old.recorded) if old else Last())
            case Adopt() if before is not None:
                other = change.differences or missing(body, before.whole)
                return kind.update(name, body, before, Last()) if other else ()
            case Replace() if old is None and before is not None:
                return kind.update(name, body, before, Last())  # a version that was there before
            case _:  # an alias, too, that has gone with the index it was on
                return kind.create(name, body, ids)

    def _refuse_losing(self, live: Live, address: Address) -> None:
        count = Eyes(self.cluster, clock=self.clock, sleep=self.sleep).documents(live)
        if count:
            raise PlanRefused(f"{address} was empty when it was planned, and has {count:,} documents now")

    def _delete(self, change: Delete, survey: Survey) -> None:
        live, entry = survey.live.get(change.address), survey.state.entries.get(change.address)
        if change.address in survey.carried:
            live = self.looking((change.address, survey.wanted(change.address)))
        if live is not None:
            self._remove_strays(change.address, live)
            self._remove_all(change.address, live)
        if entry and entry.role == "next":
            source, kept = str(entry.journal.get("source", "")), str(entry.journal.get("kept", ""))
            if kept not in ("", source):
                blocking.drop_clone(self.cluster, source, kept, self._patience(60))
            for copy in owning.copies_of(entry, survey.state, survey.indices()):
                self._remove_all(copy, Live({}))
        self.journal(change.address)

    def _remove_strays(self, address: Address, live: Live) -> None:
        for stray in live.strays:
            self.report(Note(f"deleting {stray}, which was made beside {address} by a request that came late"))
            self._remove_all(address, Live({}, {f"{address.kind}_id": stray}))

    def _remove_all(self, address: Address, live: Live) -> None:
        for step in KINDS[address.kind].delete(address.name, live):
            self._remove(step)

    def _remove(self, step: Step) -> None:
        match step:
            case RemoveModel(model_id):
                models.delete(self.cluster, model_id)
            case RemoveGroup(group_id):
                models.delete_group(self.cluster, group_id)
            case RemoveConnector(connector_id):
                connectors.delete(self.cluster, connector_id)
            case Send(request):
                persist_if_there(self.cluster, request, self._patience(60))
            case _:
                raise AssertionError(f"{step} takes nothing away")

    def _do(
        self, entry: Entry, steps: Sequence[Step], spec: StackSpec, others: frozenset[str], *, again: bool
    ) -> dict[str, str]:
        ids = dict(entry.ids)

        def remember(key: str, value: str) -> None:
            # The journal: an apply that is killed from here on finds the id again.
            ids[key] = value
            self.journal(replace(entry, ids=dict(ids)))

        if _CLOSED in ids:
            blocking.open_index(self.cluster, ids[_CLOSED], self._patience(120))  # an apply ended while it was closed
        for step in steps:
            match step:
                case Send(request):
                    self._send(request)
                case SendClosed(index, request):
                    remember(_CLOSED, index)
                    blocking.send_closed(self.cluster, index, request, self._patience(120))
                case CreateGroup(request):
                    remember("model_group_id", groups.create(self.cluster, request, again=again, report=self.report))
                case RegisterModel(meta, sha256, model):
                    register.register(
                        self.cluster,
                        meta,
                        self.bundle(model, sha256),
                        model_id=ids.get("model_id"),
                        tag=ids[ml.TAG],
                        turn=self.registering,
                        others=others,
                        remember=lambda model_id: remember("model_id", model_id),
                        report=self.report,
                    )
                case RegisterThere(body):
                    register_there.register_there(
                        self.cluster,
                        body,
                        tag=ids[ml.TAG],
                        ids=ids,
                        turn=self.registering,
                        others=others,
                        remember=remember,
                        report=self.report,
                    )
                case CreateConnector(request):
                    connectors.create(self.cluster, request, tag=ids[ml.TAG], remember=remember)
                case UpdateConnector(request):
                    with self.deploying:
                        connectors.update(
                            self.cluster,
                            request,
                            ids["connector_id"],
                            ids=ids,
                            remember=remember,
                            report=self.report,
                        )
                case AskModel(question):
                    predict.ask(self.cluster, ids["model_id"], question)
                case DeployModel():
                    with self.deploying:
                        self.report(Note(f"deploying {entry.address}"))
                        deploy.deploy(
                            self.cluster,
                            ids["model_id"],
                            task_id=ids.get(_DEPLOY_TASK),
                            remember=lambda task_id: remember(_DEPLOY_TASK, task_id),
                            report=self.report,
                        )
                case UndeployModel():
                    models.undeploy(self.cluster, ids["model_id"])
                case ProbeModel(model, sha256):
                    self._probe(ids["model_id"], spec.models[model].lock, sha256)
        return ids

    def _send(self, request: Request) -> None:
        try:
            persist(self.cluster, request, self._patience(120))
        except RequestFailed as error:
            # Nothing was there when the plan was made: an answer was lost, and the second try met the first one's
            # index. The read-back tells whether it is as it should be.
            if error.type != "resource_already_exists_exception":
                raise

    def _patience(self, seconds: float) -> Patience:
        return Patience.of(seconds, self.clock, self.sleep)

    def _probe(self, model_id: str, lock: ModelLock | None, sha256: str) -> None:
        bundle = lock.made(sha256) if lock else None
        if lock is not None and bundle is not None:
            probes = [(probe.text, probe.vector) for probe in lock.probes]
            predict.probe(
                self.cluster,
                model_id,
                probes,
                least_cosine=bundle.least_live,
                function_name=bundle.function_name,
            )

    def _look(self, asked: Sequence[tuple[Address, Wanted]]) -> list[Live | None]:
        found = Eyes(self.cluster, clock=self.clock, sleep=self.sleep).look(dict(asked))
        return [found.get(address) for address, _ in asked]

    def _read_back(self, address: Address, wanted: Wanted, survey: Survey) -> Live:
        """What is stored now, once it holds every leaf that was asked."""
        patience = self._patience(_VISIBLE_SECONDS if KINDS[address.kind].EVENTUAL else 0.0)
        attempt = 0
        while True:
            live = self.looking((address, wanted))
            lacking = missing(wanted.asked, live.whole) if live else ()
            well = live is not None and not lacking and "copies" not in live.body
            if live is not None and well and (patience.over or not self._stale(address, wanted, live)):
                return live
            if patience.over:
                break
            patience.pause(attempt, longest=1.0)
            attempt += 1
        if live is None:
            raise NotReady(f"{address}: acknowledged by the server, and not there", hint="run osform apply again")
        raise ReadBackMismatch(_lacking(address, lacking, survey), hint="run osform plan; the ledger has it unfinished")

    def _stale(self, address: Address, wanted: Wanted, live: Live) -> bool:
        """Whether a search still shows how it was before, which tells in what is no longer there."""
        kind = KINDS[address.kind]
        request = ml.get_now(address.kind, live.ids) if kind.EVENTUAL else None
        source = persist_if_there(self.cluster, request, self._patience(30)) if request else None
        if source is None:
            return False
        hit = {"_id": live.ids[f"{address.kind}_id"], "_source": source}
        asked = {address.name: wanted}
        answers = [{"hits": {"hits": [hit]}}, *[None] * (len(kind.reads(asked)) - 1)]
        now = kind.found(answers, asked)[address.name].body
        return any(now.get(key) != live.body.get(key) for key in (now.keys() | live.body.keys()) - {"deployed"})


def _begun(change: Change, asked: Body, old: Entry | None, ids: Mapping[str, str], survey: Survey) -> Entry:
    """What the ledger says while a change is made: enough for whoever takes up an apply that was cut off."""
    address = change.address
    return Entry(
        address,
        "applying",
        # Until the work is done, what was asked before stands beside what is asked now: what is to go has to be known.
        _beside(old.asked, concealed(asked)) if old else concealed(asked),
        old.recorded if old else {},
        ids,
        survey.needs.get(address, ()),
        survey.spec.resources[address].protect,
        journal=old.journal if old and isinstance(change, Update | Adopt) else {},  # else it is another object
    )


def _called(address: Address, asked: Body) -> dict[str, str]:
    """The index that is to be there: where another one is made in its place, whoever takes this up makes that one."""
    return {"index": asked["index"]} if address.kind == "index" else {}


def _tag(steps: Sequence[Step]) -> dict[str, str]:
    """A new tag for what is made under no name of its own; it is written down before anything is made."""
    if not any(isinstance(step, RegisterModel | RegisterThere | CreateConnector) for step in steps):
        return {}
    return {ml.TAG: ml.tag(secrets.token_hex(8))}


def _beside(before: Any, now: Any) -> Any:
    if not isinstance(before, Mapping) or not isinstance(now, Mapping):
        return now
    return {**before, **{key: _beside(before.get(key), value) for key, value in now.items()}}


def _lacking(address: Address, lacking: Any, survey: Survey) -> str:
    resource = survey.spec.resources[address]
    asked = concealed(survey.asked(address))
    lines = [f"{address}: the server acknowledged the write and stored something else"]
    for difference in lacking:
        shown = asked
        for part in difference.path:
            shown = shown[part]
        found = "nothing" if difference.after is ABSENT else repr(difference.after)
        if secrets_in(survey.asked(address)) and isinstance(shown, str) and shown.startswith("secret "):
            found = "something else"  # a piece of the secret, perhaps
        lines.append(f"  {resource.place(difference.path)} {dotted(difference.path)}: asked {shown!r}, stored {found}")
    return "\n".join(lines)
