"""The history kept: what each apply set out to do, and what became of it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from osform.cluster import lock, runs
from osform.cluster.client import Cluster
from osform.cluster.retry import Patience
from osform.core.address import Address
from osform.core.events import Report, Warned
from osform.core.history import Run, RunStatus
from osform.core.plan import Plan
from osform.errors import InputError, OsformError

if TYPE_CHECKING:
    from osform.flows.applying import Outcome

_SECONDS = 20.0  # that one record may take, retries included
_STOPPING_SECONDS = 2.0


@dataclass
class Recorder:
    """Writes one run into the history, under the lock; ``keep`` is how long the stack wants runs to be kept."""

    cluster: Cluster
    run: Run
    keep: timedelta
    report: Report
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    clock: Callable[[], float] = time.monotonic
    began: float = field(init=False, default=0.0)
    changes: list[dict[str, Any]] = field(init=False, default_factory=list)

    def begin(self, plan: Plan) -> None:
        """Say what is about to be done, so that a run that is cut off is known as well."""
        self.began = self.clock()
        shown = plan.to_json()
        self.changes = [{**change, "status": "waiting"} for change in shown["changes"]]
        self.run = replace(self.run, checksum=shown["checksum"]).with_changes(tuple(self.changes))
        runs.write(self.cluster, self.run, Patience.of(_SECONDS))

    def tell(self, address: Address, before: str, now: str, seconds: float) -> None:
        """Write down a rollback that is done."""
        change = {
            "address": str(address), "action": "rollback", "reason": "asked", "status": "done", "seconds": seconds,
            "differences": [{"path": "index", "before": before, "after": now}],
        }  # fmt: skip
        self.run = replace(self.run, status="done", seconds=round(seconds, 3)).with_changes((change,))
        self._write(_SECONDS)

    def end(self, outcome: Outcome | None) -> None:
        """Say what became of it; None where it was stopped. What can't be written is a warning: the work is done."""
        status: RunStatus = "stopped" if outcome is None else "failed" if outcome.failed else "done"
        for change in self.changes:
            change.update(_became(outcome, change["address"]))
        message = "" if outcome is None else "; ".join(error.message for error in outcome.failed.values())
        seconds = round(self.clock() - self.began, 3)
        self.run = replace(self.run, status=status, seconds=seconds, message=message[:2000])
        self.run = self.run.with_changes(tuple(self.changes))
        # Somebody who presses Ctrl-C waits for this.
        self._write(_SECONDS if outcome else _STOPPING_SECONDS)

    def _write(self, seconds: float) -> None:
        try:
            runs.write(self.cluster, self.run, Patience.of(seconds))
            before = (self.now() - self.keep).isoformat(timespec="milliseconds")
            runs.forget(self.cluster, self.run.stack, self.run.environment, before, Patience.of(seconds))
        except OsformError as error:
            self.report(Warned(f"osform history does not know how this ended: {error.message}"))


def _became(outcome: Outcome | None, address: str) -> dict[str, Any]:
    if outcome is None:
        return {}
    for applied in outcome.applied:
        if str(applied.change.address) == address:
            return {"status": "done", "seconds": round(applied.seconds, 3)}
    for failed, error in outcome.failed.items():
        if str(failed) == address:
            return {"status": "failed", "message": error.message}
    return {"status": "skipped"}


def new_id(now: datetime) -> str:
    """An id for a run that begins now."""
    return f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def history(cluster: Cluster, stack: str | None, environment: str | None, most: int) -> tuple[Run, ...]:
    """The newest runs, of all stacks where none is named. Raises Unreachable and RequestFailed."""
    found = runs.read(cluster, Patience.of(30), stack=stack, environment=environment, most=most)
    return _cut_off(cluster, found)


def find(cluster: Cluster, name: str, stack: str, environment: str) -> Run:
    """One run by its id, or by the beginning of one; ``last`` is the newest of the stack. InputError for no such."""
    patience = Patience.of(30)
    if name == "last":
        found = runs.read(cluster, patience, stack=stack, environment=environment, most=1, whole=True)
    else:
        found = runs.read(cluster, patience, prefix=name, most=2, whole=True)
    if len(found) > 1 and found[0].id != name:
        raise InputError(f"{name}: several runs begin so", hint="give more of the id; osform history lists them")
    if not found:
        raise InputError(f"{name}: there is no such run", hint="osform history lists the runs that are kept")
    return _cut_off(cluster, found)[0]


def _cut_off(cluster: Cluster, found: tuple[Run, ...]) -> tuple[Run, ...]:
    """The runs, those called stopped that are under way and hold no lock."""
    if not any(run.status == "under way" for run in found):
        return found
    holding = lock.holder(cluster, Patience.of(30))
    free = holding is None or holding.free
    newest = max(run.id for run in found)
    return tuple(
        replace(run, status="stopped", message="it was cut off")
        if run.status == "under way" and (free or run.id != newest)
        else run
        for run in found
    )
