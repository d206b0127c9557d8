"""The plan carried out, in its order: what fails stops what depends on it, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from osform.cluster import nodes
from osform.cluster.client import Cluster
from osform.cluster.ledger import Ledger
from osform.cluster.retry import Clock, Sleep
from osform.core.address import Address
from osform.core.events import Advanced, Begun, Ended, Event, Note, Report, Warned
from osform.core.plan import Change, Create, Delete, Plan
from osform.core.state import Entry
from osform.core.values import Secret, scrubbed, secrets_in
from osform.errors import ApplyFailed, OsformError, PlanRefused, RequestFailed
from osform.flows.carrying_out import Hands
from osform.flows.looking import Eyes
from osform.flows.planning import Survey
from osform.kinds import mappings

# Where fewer resources than this are known, one deletion is a large part of them and says nothing.
_BRAKED_FROM = 10
_MOST_DELETED = 0.3


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
    """What an apply did: changes made, errors by address, and what was not tried because of them."""

    stack: str
    applied: list[Applied] = field(default_factory=list)
    failed: dict[Address, OsformError] = field(default_factory=dict)
    skipped: list[Address] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The outcome for programs."""
        return {"stack": self.stack, "applied": [applied.to_json() for applied in self.applied]}

    def check(self) -> None:
        """Raise ApplyFailed where anything was not done."""
        if not self.failed:
            return
        lines = [f"{address}: {error.message}" for address, error in self.failed.items()]
        lines += [f"{address}: not tried, since it needs what failed" for address in self.skipped]
        done = ", ".join(str(applied.change.address) for applied in self.applied) or "nothing"
        lines.append(f"done: {done}")
        hints = [error.hint for error in self.failed.values() if error.hint] or ["mend that"]
        raise ApplyFailed("\n".join(lines), hint="; ".join(dict.fromkeys([*hints, "then osform apply again"])))


@dataclass(frozen=True)
class Applier:
    """Carries out plans on one cluster. ``bundle`` finds a model's zip by model name and hash."""

    cluster: Cluster
    ledger: Ledger
    bundle: Callable[[str, str], Path]
    stamp: Callable[[Entry], Entry]
    report: Report
    clock: Clock = time.monotonic
    sleep: Sleep = time.sleep

    def apply(self, plan: Plan, survey: Survey, *, force: bool = False) -> Outcome:
        """Carry out a plan that was made from this survey.

        Raises PlanRefused and NotReady before anything is written; what fails later is in the outcome.
        """
        outcome = Outcome(plan.stack)
        if plan.empty:
            return outcome
        self._refuse_dangers(plan, survey, force)
        survey.state = replace(survey.state, key=self.ledger.open())
        secrets = tuple(secret for change in plan.changes for secret in secrets_in(change.asked))
        hands = Hands(
            self.cluster,
            self.ledger.write,
            self.ledger.forget,
            self.bundle,
            self.stamp,
            lambda event: self.report(_without(event, secrets)),
            self.clock,
            self.sleep,
        )
        self.report(Begun("applying", len(plan.changes), "changes"))
        for number, change in enumerate(plan.changes):
            self._one(change, survey, hands, outcome, secrets)
            self.report(Advanced("applying", number + 1))
        self.report(Ended("applying"))
        return outcome

    def _one(self, change: Change, survey: Survey, hands: Hands, outcome: Outcome, secrets: tuple[Secret, ...]) -> None:
        blocked = {*outcome.failed, *outcome.skipped}
        if self._needed(change, survey) & blocked:
            outcome.skipped.append(change.address)
            return
        started = self.clock()
        self.report(Note(f"{change.action} {change.address}"))
        try:
            live = hands.carry_out(change, survey)
        except OsformError as error:
            _scrub(error, secrets)
            self.report(Warned(f"{change.address} failed: {error.message}"))
            outcome.failed[change.address] = error
            return
        if live is not None:
            survey.learn(change.address, live)
        outcome.applied.append(Applied(change, self.clock() - started))

    def _needed(self, change: Change, survey: Survey) -> set[Address]:
        if not isinstance(change, Delete):
            return set(survey.needs.get(change.address, ()))
        # What a deletion waits for is the other way round: everything that still needs the resource goes first.
        users = {address for address, entry in survey.state.entries.items() if change.address in entry.needs}
        return users | {address for address, needs in survey.needs.items() if change.address in needs}

    def _refuse_dangers(self, plan: Plan, survey: Survey, force: bool) -> None:
        deletions = [change.address for change in plan.changes if isinstance(change, Delete)]
        protected = [address for address in deletions if survey.state.entries[address].protect]
        if protected:
            raise PlanRefused(
                f"protected, and no longer in the files: {', '.join(map(str, protected))}",
                hint="apply them once with osform.protect: false, then remove the files",
            )
        known = len(survey.state.entries)
        if not force and known >= _BRAKED_FROM and len(deletions) > _MOST_DELETED * known:
            raise PlanRefused(
                f"{len(deletions)} of {known} resources would be deleted", hint="if that is meant: --force"
            )
        if not force:
            self._refuse_losing_documents(deletions, survey)
        if any(change.address.kind == "model" for change in plan.changes if not isinstance(change, Delete)):
            nodes.require_ml_node(self.cluster)
        self._refuse_engines(plan)

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
            f"{change.place} {change.address}: mappings.{'.'.join(map(str, path))}: engine {engine}"
            for change in plan.changes
            if change.address.kind == "index" and isinstance(change, Create) and change.asked
            for path, field in mappings.vectors(change.asked["mappings"])
            if (engine := mappings.engine(field)) != "lucene"
        ]
        if wrong and any(node.attributes.get("osform_local") for node in nodes.nodes(self.cluster)):
            raise PlanRefused(
                "\n".join(wrong) + "\nthe local cluster's k-NN plugin can only do lucene: anything else ends its node",
                hint="write method: {name: hnsw, engine: lucene}",
            )


def _without(event: Event, secrets: tuple[Secret, ...]) -> Event:
    return replace(event, text=scrubbed(event.text, secrets)) if isinstance(event, Note | Warned) else event


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
