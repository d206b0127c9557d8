"""The plan carried out, in its order: what fails stops what depends on it, and nothing else."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from osform.cluster import blocking, nodes
from osform.cluster.client import Cluster
from osform.cluster.ledger import Ledger
from osform.cluster.retry import Clock, Sleep
from osform.core.address import Address
from osform.core.document import dotted
from osform.core.events import Advanced, Begun, Changed, ChangeStatus, Ended, Event, Note, Report, Warned
from osform.core.plan import Change, Delete, Plan, Replace
from osform.core.state import Entry
from osform.core.values import Secret, scrubbed, secrets_in
from osform.errors import ApplyFailed, LockLost, OsformError, PlanRefused, RequestFailed
from osform.flows.carrying_out import Hands
from osform.flows.looking import Eyes
from osform.flows.recording import Recorder
from osform.flows.survey import Survey
from osform.flows.together import Together
from osform.kinds import mappings
from osform.kinds.base import Live

# Where fewer resources than this are known, one deletion is a large part of them and says nothing.
_BRAKED_FROM = 10
_MOST_DELETED = 0.3
_WITH_MAPPINGS = ("index", "component_template", "index_template")


@dataclass(frozen=True)
class Applied:
    """One change that was made, and how long it took."""

    change: Change
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """The change for programs."""
        return {"address": str(self.change.address), "action": self.change.action, "seconds": round(self.seconds, 3)}


@dataclass
class Outcome:
    """What an apply did: changes made, errors by address, and what was not tried because of them.

    ``planned`` is how many changes there were to make, ``seconds`` how long all of it took; ``stopped`` says why
    nothing more could be tried, where that was so.
    """

    stack: str
    applied: list[Applied] = field(default_factory=list)
    failed: dict[Address, OsformError] = field(default_factory=dict)
    skipped: list[Address] = field(default_factory=list)
    planned: int = 0
    seconds: float = 0.0
    stopped: str = ""

    def to_json(self) -> dict[str, Any]:
        """The outcome for programs."""
        return {"stack": self.stack, "applied": [applied.to_json() for applied in self.applied]}

    def check(self) -> None:
        """Raise ApplyFailed where anything was not done."""
        if not self.failed:
            return
        lines = [f"{address}: {error.message}" for address, error in self.failed.items()]
        lines += [f"{address}: {self.reason_to_skip}" for address in self.skipped]
        done = ", ".join(str(applied.change.address) for applied in self.applied) or "nothing"
        lines.append(f"done: {done}")
        hints = [error.hint for error in self.failed.values() if error.hint] or ["fix the cause"]
        raise ApplyFailed("\n".join(lines), hint="; ".join(dict.fromkeys([*hints, "then osform apply again"])))

    @property
    def reason_to_skip(self) -> str:
        """Why changes were not tried."""
        return "not tried, since the lock is lost" if self.stopped else "not tried, since it needs what failed"


@dataclass(frozen=True)
class Applier:
    """Carries out plans on one cluster. ``bundle`` finds a model's zip by model name and hash.

    ``workers`` is how many changes are made at a time. ``recorder`` keeps the history.
    """

    cluster: Cluster
    ledger: Ledger
    bundle: Callable[[str, str], Path]
    stamp: Callable[[Entry], Entry]
    report: Report
    clock: Clock = time.monotonic
    sleep: Sleep = time.sleep
    workers: int = 8
    recorder: Recorder | None = None

    def apply(self, plan: Plan, survey: Survey, *, force: bool = False, whole: bool = False) -> Outcome:
        """Carry out a plan that was made from this survey; with ``whole``, deleting most of it is what was asked.

        Raises PlanRefused and NotReady before anything is written; what fails later is in the outcome.
        """
        outcome = Outcome(plan.stack, planned=len(plan.changes))
        if plan.empty:
            return outcome
        self._refuse_dangers(plan, survey, force, whole)
        survey.state = replace(survey.state, key=self.ledger.salt())
        secrets = tuple(secret for change in plan.changes for secret in secrets_in(change.asked))
        report = _one_at_a_time(lambda event: self.report(_without(event, secrets)))
        hands = Hands(
            self.cluster,
            Together(self._write),
            self.bundle,
            self.stamp,
            report,
            self.clock,
            self.sleep,
        )
        started = self.clock()
        if self.recorder:
            self.recorder.begin(plan)
        try:
            report(Begun("applying", len(plan.changes), "changes"))
            _Run(plan, survey, hands, outcome, secrets, self.workers).run()
            report(Ended("applying"))
        except BaseException:
            if self.recorder:
                self.recorder.end(None)
            raise
        outcome.seconds = self.clock() - started
        if self.recorder:
            self.recorder.end(outcome)
        return outcome

    def _write(self, items: Sequence[Entry | Address]) -> Sequence[None]:
        self.ledger.change(items)
        return [None] * len(items)

    def _refuse_dangers(self, plan: Plan, survey: Survey, force: bool, whole: bool) -> None:
        entries = survey.state.entries
        # What a replacement left behind goes when its time is over; the plan says so, and nobody asked for it.
        deletions = [
            change.address
            for change in plan.changes
            if isinstance(change, Delete) and entries[change.address].role == "current"
        ]
        _refuse_protected(plan, survey, deletions)
        known = sum(entry.role == "current" for entry in entries.values())
        if not (force or whole) and known >= _BRAKED_FROM and len(deletions) > _MOST_DELETED * known:
            raise PlanRefused(
                f"{len(deletions)} of {known} resources would be deleted", hint="if that is meant: --force"
            )
        if not whole:
            self._refuse_losing_what_serves(plan, survey)
        if not force:
            self._refuse_losing_documents(deletions, survey)
        bodies = [change.asked or {} for change in plan.changes if change.address.kind == "model" and change.asked]
        for remote in {body.get("function_name") == "REMOTE" for body in bodies}:
            nodes.require_ml_node(self.cluster, remote=remote)
        self._refuse_engines(plan)

    def _refuse_losing_what_serves(self, plan: Plan, survey: Survey) -> None:
        # An apply was cut off between the move of the alias and the ledger, and the files say something else by now.
        for change in plan.changes:
            entry = survey.state.entries.get(change.address)
            if isinstance(change, Delete) and entry and entry.role == "next" and entry.of:
                of, index = entry.of, change.address.name
                if blocking.serves(self.cluster, of.name, index):
                    cut = "an apply that was cut off had just moved it there"
                    raise PlanRefused(
                        f"{index} is behind the alias {of.name} already: {cut}",
                        hint=f"apply {of} once as its file was then, which writes that down; then what it is to be now",
                    )

    def _refuse_losing_documents(self, deletions: list[Address], survey: Survey) -> None:
        eyes = Eyes(self.cluster, clock=self.clock, sleep=self.sleep)
        for address in deletions:
            live = survey.live.get(address)
            count = eyes.documents(live) if live else 0
            if count:
                raise PlanRefused(
                    f"{address} has {count:,} documents, which its deletion would take away",
                    hint="if that is meant: --force",
                )

    def _refuse_engines(self, plan: Plan) -> None:
        # The k-NN plugin of the local cluster has no native libraries: such an index is acknowledged, and the first
        # write to it ends the node.
        wrong = [
            f"{change.place} {change.address}: {dotted(path)}: engine {engine}"
            for change in plan.changes
            if change.address.kind in _WITH_MAPPINGS and not isinstance(change, Delete)
            for path, field in mappings.vectors_of(change.asked or {})
            if (engine := mappings.engine(field)) != "lucene"
        ]
        if wrong and any(node.attributes.get("osform_local") for node in nodes.nodes(self.cluster)):
            raise PlanRefused(
                "\n".join(wrong) + "\nthe local cluster's k-NN plugin can only do lucene: anything else ends its node",
                hint="write method: {name: hnsw, engine: lucene}",
            )


@dataclass
class _Run:
    """One plan on its way: which changes wait, which are being made, and what became of the others."""

    plan: Plan
    survey: Survey
    hands: Hands
    outcome: Outcome
    secrets: tuple[Secret, ...]
    workers: int

    def __post_init__(self) -> None:
        self.waiting = {change.address: change for change in self.plan.changes}
        self.running: dict[Future[tuple[Live | None, float]], Change] = {}

    def run(self) -> None:
        """Make every change as soon as what it needs is there, as many at a time as there are workers."""
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="osform-apply")
        try:
            while self.waiting or self.running:
                self._start(pool)
                done, _ = wait(self.running, return_when=FIRST_COMPLETED)
                for future in done:
                    self._settle(self.running.pop(future), future)
                settled = len(self.plan.changes) - len(self.waiting) - len(self.running)
                self.hands.report(Advanced("applying", settled))
        except BaseException:
            # Somebody wants to stop. What is under way ends with its next request, once the lock is given back.
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        pool.shutdown()

    def _start(self, pool: ThreadPoolExecutor) -> None:
        for address, change in list(self.waiting.items()):
            if self.outcome.stopped or self._needed(change) & {*self.outcome.failed, *self.outcome.skipped}:
                del self.waiting[address]
                self.outcome.skipped.append(address)
                self._tell(change, "skipped", message=self.outcome.reason_to_skip)
            elif len(self.running) < self.workers and not self._waits(change):
                del self.waiting[address]
                self.running[pool.submit(self._make, change)] = change

    def _waits(self, change: Change) -> bool:
        unsettled = [each for each in (*self.waiting.values(), *self.running.values()) if each is not change]
        if isinstance(change, Delete) and not all(isinstance(each, Delete) for each in unsettled):
            return True  # deletions come last, whatever was not written down as a need
        return bool(self._needed(change) & {each.address for each in unsettled})

    def _needed(self, change: Change) -> set[Address]:
        if not isinstance(change, Delete):
            return set(self.survey.waits_for(change.address))
        # What a deletion waits for is the other way round: everything that still needs the resource goes first.
        entries, needs = self.survey.state.entries, self.survey.needs
        users = {address for address, entry in entries.items() if change.address in entry.needs}
        return users | {address for address, needed in needs.items() if change.address in needed}

    def _make(self, change: Change) -> tuple[Live | None, float]:
        started = self.hands.clock()
        self._tell(change, "begun")
        self.hands.report(Note(f"{change.action} {change.address}"))
        return self.hands.carry_out(change, self.survey), self.hands.clock() - started

    def _settle(self, change: Change, future: Future[tuple[Live | None, float]]) -> None:
        try:
            live, seconds = future.result()
        except OsformError as error:
            _scrub(error, self.secrets)
            self.hands.report(Warned(f"{change.address} failed: {error.message}"))
            self._tell(change, "failed", message=error.message)
            self.outcome.failed[change.address] = error
            if isinstance(error, LockLost):
                self.outcome.stopped = error.message
            return
        if live is not None:
            self.survey.learn(change.address, live)
        self.outcome.applied.append(Applied(change, seconds))
        self._tell(change, "done", seconds)

    def _tell(self, change: Change, status: ChangeStatus, seconds: float = 0.0, message: str = "") -> None:
        self.hands.report(Changed(str(change.address), change.action, status, round(seconds, 3), message))


def _refuse_protected(plan: Plan, survey: Survey, deletions: list[Address]) -> None:
    protected = [address for address in deletions if survey.state.entries[address].protect]
    if protected:
        raise PlanRefused(
            f"protected, and no longer in the files: {', '.join(map(str, protected))}",
            hint="apply them once with osform.protect: false, then remove the files",
        )
    anew = [c.address for c in plan.changes if isinstance(c, Replace) and survey.spec.resources[c.address].protect]
    if anew:
        raise PlanRefused(
            f"protected, and made anew by this plan: {', '.join(map(str, anew))}",
            hint="if that is meant: osform.protect: false",
        )


def _one_at_a_time(report: Report) -> Report:
    """A report that several threads may call, for one that expects a single caller."""
    lock = threading.Lock()

    def locked(event: Event) -> None:
        with lock:
            report(event)

    return locked


def _without(event: Event, secrets: tuple[Secret, ...]) -> Event:
    match event:
        case Note(text) | Warned(text):
            return replace(event, text=scrubbed(text, secrets))
        case Changed(message=message):
            return replace(event, message=scrubbed(message, secrets))
    return event


def _scrub(error: OsformError, secrets: tuple[Secret, ...]) -> None:
    """Blot secrets out of an error: servers like to repeat what they refuse."""
    if not secrets:
        return
    error.message = scrubbed(error.message, secrets)
    error.hint = error.hint and scrubbed(error.hint, secrets)
    error.args = (error.message,)
    if isinstance(error, RequestFailed):
        error.reason = scrubbed(error.reason, secrets)
    # What it was raised from repeats the server's words, and a log with tracebacks would show them.
    error.__cause__, error.__context__ = None, None
