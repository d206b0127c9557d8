"""A stack as Python programs use it: loaded, checked, planned, applied. The command line does no more than this."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from osform.cluster.client import Cluster
from osform.cluster.ledger import Ledger
from osform.cluster.retry import ping
from osform.core.address import Address
from osform.core.events import Report, silent
from osform.core.history import Run
from osform.core.plan import Adopt, Plan
from osform.core.resource import StackSpec
from osform.core.state import Entry
from osform.files import bundles
from osform.files.stack import read_stack
from osform.flows import removing
from osform.flows.abandoning import abandon
from osform.flows.applying import Applier, Outcome
from osform.flows.checking import check, render
from osform.flows.drifting import Drift, drifts, stale
from osform.flows.estimating import estimated
from osform.flows.exporting import obtain_bundle
from osform.flows.locking import DEFAULT, LockOptions, locked, who
from osform.flows.looking import Eyes
from osform.flows.owning import Adoption
from osform.flows.plan_files import PlanFile, moved, recall
from osform.flows.planning import make_plan
from osform.flows.policing import Judgement, broken, judge
from osform.flows.probing import ask_models
from osform.flows.recording import Recorder, new_id
from osform.flows.rolling_back import Rollback, RolledBack, Writes
from osform.flows.status import Row, rows
from osform.flows.survey import Survey


@dataclass(frozen=True)
class Planned:
    """A plan, what it was made from, what still uses what it deletes, and what policies say of it."""

    survey: Survey
    plan: Plan
    used: tuple[removing.Use, ...]
    judgement: Judgement


@dataclass(frozen=True)
class Stack:
    """A stack for one environment, read from its folders and checked.

    ``environ`` are the environment's variables: secrets come from there. ``rebuild`` are indices whose
    documents are to be copied into a new physical index even where nothing in the files asks for it. ``destroying``
    says that deleting all of it is what was asked, and no folder that happens to be empty.
    """

    spec: StackSpec
    environ: Mapping[str, str]
    rebuild: frozenset[Address] = frozenset()
    destroying: bool = False

    @classmethod
    def load(
        cls,
        provision: str | Path = "provision",
        environment: str | None = None,
        variables: Mapping[str, Any] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> Stack:
        """Read and check the folders; no cluster is asked. Raises SpecError with all mistakes."""
        environ = os.environ if environ is None else environ
        spec, problems = read_stack(Path(provision), environment, variables)
        check(spec, environ, problems)
        return cls(spec, environ)

    def render(self) -> dict[Address, Mapping[str, Any]]:
        """The bodies as they would be sent to a cluster that has none of them; Unknown and Secret leaves stay."""
        return render(self.spec, self.environ)

    def check_policies(self) -> None:
        """Raise PolicyRefused for what policies find in the files; what a plan does is judged by ``plan``."""
        found = tuple(broken(self.spec, self.render())) if self.spec.policies else ()
        Judgement(found, ()).noted(Plan(self.spec.name, self.spec.environment, ()))

    def plan(self, cluster: Cluster, *, adoption: Adoption | None = None) -> Plan:
        """What apply would do. Reads the cluster, and changes nothing.

        ``adoption`` says which foreign resources may be taken over. Raises PlanRefused for other foreign ones and what
        can't be done in place, Unreachable and RequestFailed.
        """
        return self._planned(cluster, adoption).plan

    def apply(
        self,
        cluster: Cluster,
        *,
        expect: str | None = None,
        reviewed: PlanFile | None = None,
        review: Callable[[Plan], None] | None = None,
        force: bool = False,
        lock: LockOptions = DEFAULT,
        adoption: Adoption | None = None,
        command: str = "apply",
        report: Report = silent,
    ) -> Outcome:
        """Plan, then carry out that very plan, under the cluster's lock.

        ``expect`` is the checksum of the plan that was reviewed: another one is refused, and where ``reviewed`` is that
        plan, or this machine remembers it, the refusal says what moved. ``review`` is given the plan once the lock is
        held and before anything is changed. ``force`` releases the brake on deletions. ``command`` is for the history.

        Raises what ``plan`` raises, LockHeld where somebody else is at work, NotReady without a node for models; what
        fails on the way is in the outcome, whose ``check`` raises it.
        """
        if expect is None and review is None and self.plan(cluster, adoption=adoption).empty:
            return Outcome(self.spec.name)  # nothing to do: neither a lock nor a ledger is needed
        with locked(self._ledger(cluster), lock, report) as ledger:
            planned = self._planned(ledger.cluster, adoption)
            plan = planned.plan
            if expect is not None and plan.checksum != expect:
                reviewed = reviewed or recall(bundles.cache_folder(self.environ), expect)
                command = "osform destroy" if self.destroying else "osform plan"
                raise moved(plan, expect, reviewed, command=command)
            if review is not None:
                review(plan)
            removing.refuse(planned.used)
            planned.judgement.check()
            applier = self._applier(ledger, report, "destroy" if self.destroying else command)
            return applier.apply(plan, planned.survey, force=force, whole=self.destroying)

    def take_over(
        self, cluster: Cluster, adoption: Adoption, *, lock: LockOptions = DEFAULT, report: Report = silent
    ) -> tuple[Outcome, Plan]:
        """Take over what of these resources is live exactly as the files say, and do nothing else.

        Returns what was done, and the plan of all adoptions, those with differences too. Raises what ``apply`` raises.
        """
        with locked(self._ledger(cluster), lock, report) as ledger:
            planned = self._planned(ledger.cluster, adoption)
            survey, plan = planned.survey, planned.plan
            taken = tuple(c for c in plan.changes if isinstance(c, Adopt) and c.address in adoption.addresses)
            exact = replace(plan, changes=tuple(change for change in taken if not change.differences))
            return self._applier(ledger, report, "import").apply(exact, survey), replace(plan, changes=taken)

    def _applier(self, ledger: Ledger, report: Report, command: str) -> Applier:
        return Applier(
            ledger.cluster,
            ledger,
            lambda model, sha256: self._bundle(model, sha256, report),
            self._stamp,
            report,
            recorder=self._recorder(ledger, report, command),
        )

    def _recorder(self, ledger: Ledger, report: Report, command: str) -> Recorder:
        now, spec = datetime.now(UTC), self.spec
        started = now.isoformat(timespec="milliseconds")
        run = Run(new_id(now), spec.name, spec.environment, command, who(), started, spec.commit)
        return Recorder(ledger.cluster, run, spec.history, report)

    def abandon(self, cluster: Cluster, *, lock: LockOptions = DEFAULT, report: Report = silent) -> tuple[Address, ...]:
        """Take away what replacements of indices that did not finish have left; returns the half-filled indices.

        Raises LockHeld, Unreachable and RequestFailed.
        """
        ping(cluster)
        with locked(self._ledger(cluster), lock, report) as ledger:
            return abandon(ledger.cluster, ledger, ledger.read(), report)

    def rollback(
        self,
        cluster: Cluster,
        address: Address,
        *,
        writes: Writes = "refuse",
        lock: LockOptions = DEFAULT,
        report: Report = silent,
    ) -> RolledBack:
        """Take an index back to the physical index that was before, in one move of its aliases.

        ``writes`` says what becomes of documents written since: ``refuse`` to go back, ``carry`` them over first, or
        ``leave`` them behind. Raises InputError, PlanRefused, LockHeld, NotReady, Unreachable and RequestFailed.
        """
        ping(cluster)
        with locked(self._ledger(cluster), lock, report) as ledger:
            state = ledger.read()
            done = Rollback(ledger.cluster, ledger, state, address, self.spec.retention, report).run(writes)
            self._recorder(ledger, report, "rollback").tell(address, done.before, done.now, done.seconds)
            return done

    def emptied(self) -> Stack:
        """The stack without any resource: applying it takes away everything that this stack and environment made."""
        return replace(self, spec=replace(self.spec, resources={}, moved={}), destroying=True)

    def drift(self, cluster: Cluster, *, vectors: int | None = 0) -> tuple[Drift, ...]:
        """What changed on the cluster since the last apply; reads only. Raises Unreachable and RequestFailed.

        Models that run elsewhere are asked their ``probe`` here, and nowhere else but after an apply made them.
        ``vectors`` of so many documents of each index are compared with what the model says, None for all of them.
        """
        survey, wrong = self._survey(cluster, remote=True)
        found = drifts(survey, wrong)
        return found if vectors == 0 else (*found, *stale(survey, cluster, vectors))

    def status(self, cluster: Cluster) -> tuple[Row, ...]:
        """What is there and how it is; reads only. Raises Unreachable and RequestFailed."""
        return self.overview(cluster)[0]

    def overview(self, cluster: Cluster) -> tuple[tuple[Row, ...], tuple[Drift, ...]]:
        """What ``status`` and ``drift`` say, from one look."""
        survey, wrong = self._survey(cluster)
        found = drifts(survey, wrong)
        return rows(survey, found, Eyes(cluster)), found

    def _planned(self, cluster: Cluster, adoption: Adoption | None) -> Planned:
        survey, _ = self._survey(cluster, adoption)
        survey.rebuild = self.rebuild
        eyes = Eyes(cluster)
        plan = estimated(make_plan(survey), survey, cluster)
        used = removing.uses(plan, survey, eyes)
        judgement = judge(plan, self.spec, survey.asked, lambda each: _documents(survey, each, eyes))
        return Planned(survey, judgement.noted(removing.noted(plan, used)), used, judgement)

    def _survey(
        self, cluster: Cluster, adoption: Adoption | None = None, *, remote: bool = False
    ) -> tuple[Survey, dict[Address, str]]:
        """One look at everything, and what was wrong with the answers of models."""
        ping(cluster)
        survey = Survey.take(self.spec, self._ledger(cluster).read(), self.environ, Eyes(cluster), adoption)
        return survey, ask_models(survey, cluster, remote=remote)

    def _ledger(self, cluster: Cluster) -> Ledger:
        return Ledger(cluster, self.spec.name, self.spec.environment)

    def _bundle(self, model: str, sha256: str, report: Report) -> Path:
        packaged = self.spec.models[model]
        assert packaged.lock is not None, "a model without a lock does not pass the check"
        bundle = next(bundle for bundle in packaged.lock.bundles if bundle.sha256 == sha256)
        return obtain_bundle(
            packaged,
            bundle.format,
            bundle.precision,
            cache=bundles.cache_folder(self.environ),
            place=self.spec.bundles,
            report=report,
            environment=self.environ,
        )

    def _stamp(self, entry: Entry) -> Entry:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return replace(entry, applied_by=who(), applied_at=now, commit=self.spec.commit)


def _documents(survey: Survey, address: Address, eyes: Eyes) -> int:
    live = survey.live.get(address)
    return eyes.documents(live) if live else 0
