"""One stack kept to its repository: which commit it should be at, and one look at how far it is from there.

A commit that can't be read, or that is refused, changes nothing: the cluster is kept to the last one that was good. One
that the server refuses midway is taken back, and not tried again.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from osform.cluster.client import Cluster
from osform.cluster.retry import passes
from osform.core.events import Report, silent
from osform.core.plan import Plan
from osform.core.watching import Happened, Standing, State, Target, Tell, WatchSpec
from osform.errors import (
    ApplyFailed,
    CommitRefused,
    DocumentsRefused,
    LockHeld,
    LockLost,
    NotAccepted,
    OsformError,
    PlanRefused,
    PredictionMismatch,
    ReadBackMismatch,
    RequestFailed,
    SpecError,
)
from osform.files.repository import Repository
from osform.flows.applying import Outcome
from osform.flows.locking import LockOptions
from osform.flows.recording import history
from osform.flows.stack import Stack

_LASTING = (DocumentsRefused, NotAccepted, PlanRefused, PredictionMismatch, ReadBackMismatch)
_MOST = 4000  # letters of a message that is kept


class Rejected(Exception):
    """The server took a part of a commit and refused the rest, for good."""


class _Other(Exception):
    """Under the lock, the plan was not of the sort that may be carried out."""


@dataclass
class Follower:
    """Keeps one target. ``save`` stores a standing for whoever comes after; ``stacks`` are those read already.

    ``stored`` and ``told`` are the standings that others know of: where one could not be stored, a later look does it.
    """

    spec: WatchSpec
    target: Target
    repository: Repository
    cluster: Cluster
    environ: Mapping[str, str]
    standing: Standing
    save: Callable[[Standing], None]
    tell: Tell
    report: Report = silent
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    stacks: dict[str, Stack] = field(default_factory=dict)
    done: list[Happened] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stored = self.told = self.standing

    def step(self, head: str) -> bool:
        """One look, and what has to be done; whether all is well. Raises LockLost where somebody else leads now."""
        if head != self.standing.head:
            self.tell(Happened("commit", f"{self.target.key}: {head[:10]}", head))
        try:
            wanted = self._wanted(head)
            self.standing = replace(self.standing, head=head)
            if wanted == "" or wanted == self.standing.rejected != self.standing.good:
                self._stay(self.standing.reason if wanted else "no commit is approved yet", refused=bool(wanted))
            else:
                self._follow(wanted)
        except LockLost:
            raise
        except LockHeld as error:
            self._stands("waiting", error.message.partition(", its lease ends ")[0])
        except OsformError as error:
            self.standing = replace(self.standing, head=head)
            self._stands("failing", self._shown(error))
        self._store()
        for event in self.done:
            self.tell(replace(event, standing=self.standing))
        self.done = []
        self._tell_if_new()
        return self.standing.state in ("in sync", "drifted", "waiting", "refused")

    def in_use(self) -> set[str]:
        """The commits whose files may still be read."""
        return {*self.stacks, self.standing.good, self.standing.head} - {""}

    def stumbled(self, error: Exception) -> None:
        """Note a mistake that is osform's own: it is told, tried again later, and is no matter of the other stacks."""
        self._stands("failing", f"a fault of osform's own, {type(error).__name__}: {self._shown(error)}")
        self._tell_if_new()

    def _store(self) -> None:
        if self.standing != self.stored:
            self.save(self.standing)
            self.stored = self.standing

    def _tell_if_new(self) -> None:
        before, self.told = self.told, self.standing
        if (self.standing.state, _gist(self.standing.message)) != (before.state, _gist(before.message)):
            self._announce()

    def _announce(self) -> None:
        state = self.standing.state
        if state != "unknown":
            self.tell(Happened(state, self.standing.message, self.standing.head, self.standing))

    def _wanted(self, head: str) -> str:
        """The commit that the cluster should be at; empty where there is none yet."""
        approval = self.target.approval
        if approval is None:
            return head
        return self.repository.approved(head, approval, self.spec.signers) or ""

    def _follow(self, wanted: str) -> None:
        try:
            self._stands(*self._hold(wanted))
        except Rejected as error:
            if wanted != self.standing.good:
                self.standing = replace(self.standing, rejected=wanted, reason=self._shown(error))
                self._store()
            self._stay(self._shown(error), refused=True, tried=wanted)
        except (SpecError, PlanRefused, CommitRefused) as error:
            self._stay(self._shown(error), refused=True, tried=wanted)

    def _stay(self, message: str, *, refused: bool, tried: str = "") -> None:
        """Keep the cluster to the last good commit, and say why it is not at the one that is wanted.

        ``tried`` is a commit that was refused just now, and is not tried a second time where it was the good one.
        """
        message += self._keep_to_good(tried)
        self._stands("refused" if refused else "waiting", message)

    def _keep_to_good(self, tried: str) -> str:
        """Keep the cluster to the last good commit, unless that is ``tried``; what there is to be said of it."""
        good = self.standing.good
        if not good or good == tried:
            return ""
        if not self.repository.has(good):
            return f"; the last good commit {good[:10]} is no longer in the repository"
        try:
            self._hold(good)
        except (Rejected, SpecError, PlanRefused, CommitRefused) as error:
            return f"; and {good[:10]}, the last good one: {self._shown(error)}"
        return ""

    def _hold(self, commit: str) -> tuple[State, str]:
        """Bring the cluster to a commit, as far as may be done unasked; how it stands then, and a message.

        Raises SpecError, PlanRefused, Rejected, and what an apply raises.
        """
        stack = self._stack(commit)
        plan = stack.plan(self.cluster)
        drift = tuple(str(change.address) for change in plan.changes if change.reason == "drifted")
        self.standing = replace(
            self.standing,
            stack=stack.spec.name,
            environment=stack.spec.environment,
            pending=_summary(plan),
            drift=drift,
        )
        if plan.empty:
            return self._reached(commit)
        only_drift = _is_drift(plan)
        if only_drift and self.target.on_drift == "report":
            self._reached(commit)
            return "drifted", f"{len(drift)} drifted, and left so: {', '.join(drift)}"
        if not (only_drift or self._may_apply(stack)):
            return self._wait(_summary(plan), commit)
        return self._apply(stack, plan, commit, repair=only_drift)

    def _may_apply(self, stack: Stack) -> bool:
        """Whether more than drift may be put right.

        With ``drift-only`` what was begun here: a repair of the good commit that was cut off. What differs besides is
        what somebody else has applied since, a commit say that the last fetch had not brought yet.
        """
        if self.target.mode != "drift-only":
            return True
        last = history(self.cluster, stack.spec.name, stack.spec.environment, 1)
        return bool(last) and last[0].commit == stack.spec.commit == self.standing.good

    def _wait(self, summary: str, commit: str) -> tuple[State, str]:
        """A commit that somebody else is to apply: until then, the last good one is held."""
        said = self._keep_to_good(commit)
        self.standing = replace(self.standing, pending=summary)
        return "waiting", f"{summary}; only drift is repaired here: osform apply brings it{said}"

    def _apply(self, stack: Stack, plan: Plan, commit: str, *, repair: bool) -> tuple[State, str]:
        def review(found: Plan) -> None:
            if repair and not _is_drift(found):
                raise _Other
            if not (repair or self._may_apply(stack)):
                raise _Other

        began = time.monotonic()
        lock = LockOptions(self.spec.lease, self.spec.lease)
        try:
            outcome = stack.apply(self.cluster, review=review, lock=lock, command="watch", report=self.report)
        except _Other:
            return self.standing.state, self.standing.message  # the next look sees what it is
        if outcome.failed:
            _raise(outcome)
        seconds = round(time.monotonic() - began, 3)
        self.standing = replace(self.standing, applied_at=self._moment(), applied_seconds=seconds, pending="", drift=())
        self.done.append(Happened("repaired" if repair else "applied", _summary(plan), commit, seconds=seconds))
        return self._reached(commit)

    def _reached(self, commit: str) -> tuple[State, str]:
        if commit != self.standing.good:
            self.repository.keep(self.target.key, commit)
            self.standing = replace(self.standing, good=commit)
        return "in sync", ""

    def _stands(self, state: State, message: str) -> None:
        self.standing = self.standing.now(state, self._moment(), message=message[:_MOST])

    def _stack(self, commit: str) -> Stack:
        if commit not in self.stacks:
            if self.spec.signed:
                self.repository.verify(commit, self.spec.signers)
            folder = self.repository.files(commit)
            stack = Stack.load(
                folder / self.target.provision, self.target.environment, self.target.variables, self.environ
            )
            kept = {each: read for each, read in self.stacks.items() if each == self.standing.good}
            self.stacks = {**kept, commit: replace(stack, spec=replace(stack.spec, commit=commit))}
        return self.stacks[commit]

    def _shown(self, error: BaseException) -> str:
        """A message with the places in it as they are called in the repository."""
        text = error.message if isinstance(error, OsformError) else str(error)
        text = text.replace(f"{self.repository.folder / 'trees'}/", "")
        return text.encode(errors="backslashreplace").decode()  # names of files may be no text at all

    def _moment(self) -> str:
        return self.now().isoformat(timespec="seconds")


def _raise(outcome: Outcome) -> None:
    """Raise Rejected where the server will not take it whatever one does, else what went wrong."""
    if outcome.stopped:
        raise ApplyFailed(outcome.stopped)
    for address, error in outcome.failed.items():
        if isinstance(error, _LASTING) or (isinstance(error, RequestFailed) and _is_for_good(error)):
            raise Rejected(f"{address}: {error.message}")
    outcome.check()


def _is_for_good(error: RequestFailed) -> bool:
    """Whether the commit is to blame: not for a password that was changed, nor for somebody who changes the same."""
    return 400 <= error.status < 500 and error.status not in (401, 409) and not passes(error)


def _is_drift(plan: Plan) -> bool:
    """Whether a plan puts back what was changed by hand, and what follows from that: another id of a model, say."""
    reasons = {change.reason for change in plan.changes}
    return "drifted" in reasons and reasons <= {"drifted", "dependency"}


def _gist(message: str) -> str:
    """A message without its figures: the same failure, told again and again, may differ in them."""
    return re.sub(r"\d+", "#", message)


def _summary(plan: Plan) -> str:
    counts: dict[str, int] = {}
    for change in plan.changes:
        counts[change.action] = counts.get(change.action, 0) + 1
    return ", ".join(f"{count} to {action}" for action, count in counts.items())
