"""The plan: what is asked, what the ledger remembers and what is live, compared resource by resource."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from osform.core.address import Address
from osform.core.diff import ABSENT, Difference, differences, missing
from osform.core.plan import Change, Create, Delete, Plan, Reason, Replace, Update
from osform.core.resource import Resource, StackSpec, in_order
from osform.core.state import Entry, State
from osform.core.values import concealed, redacted, secrets_in, veiled
from osform.errors import Place, PlanRefused
from osform.flows.looking import Eyes
from osform.flows.resolving import Resolver, context_of, needs_of, order_of
from osform.kinds import KINDS
from osform.kinds.base import Body, Context, Live, Wanted


@dataclass
class Survey:
    """One look at stack, ledger and cluster; a plan is made from it, and an apply goes on with it."""

    spec: StackSpec
    state: State
    environ: Mapping[str, str]
    live: Mapping[Address, Live] = field(default_factory=dict)
    context: Context = field(default_factory=Context)
    outputs: dict[Address, Mapping[str, Any]] = field(default_factory=dict)
    needs: Mapping[Address, tuple[Address, ...]] = field(default_factory=dict)

    @classmethod
    def take(cls, spec: StackSpec, state: State, environ: Mapping[str, str], eyes: Eyes) -> Survey:
        """Look up everything that the stack asks for or the ledger remembers."""
        survey = cls(spec, state, environ, needs=needs_of(spec))
        versions = {
            address.name: _version(entry) for address, entry in state.entries.items() if address.kind == "index"
        }
        survey.context = context_of(spec, versions)
        survey.live = eyes.look(survey._wanted())
        for address in order_of(spec):
            survey.learn(address, survey.live.get(address) if address in state.entries else None)
        return survey

    @property
    def resolver(self) -> Resolver:
        """Resolves bodies with the outputs that are known by now."""
        return Resolver(self.spec, self.outputs, self.environ, self.state.key)

    def learn(self, address: Address, live: Live | None) -> None:
        """Remember the outputs of a resource: those known anyway, and where it is live those of the server."""
        kind = KINDS[address.kind]
        known = dict(kind.known(address.name, self.resolver.body(self.spec.resources[address]), self.context))
        self.outputs[address] = known | dict(kind.outputs(address.name, live) if live else {})

    def asked(self, address: Address) -> Body:
        """The whole body that is wanted of a resource, as far as it is known."""
        body = self.resolver.body(self.spec.resources[address])
        return KINDS[address.kind].expand(address.name, body, self.context)

    def wanted(self, address: Address) -> Wanted:
        """How to find a resource on the cluster."""
        entry = self.state.entries.get(address)
        asked: Body = self.asked(address) if address in self.spec.resources else entry.asked if entry else {}
        ids = dict(entry.ids) if entry else {}
        copies = self.context.copies.get(address.name, ()) if address.kind == "ingest_pipeline" else ()
        if copies:
            ids["copies"] = ",".join(copies)
        return Wanted(asked, entry.recorded if entry else {}, ids)

    def _wanted(self) -> dict[Address, Wanted]:
        return {address: self.wanted(address) for address in {**self.spec.resources, **self.state.entries}}


def _version(entry: Entry) -> int:
    tail = str(entry.ids.get("index", "")).rpartition("-v")[2]
    return int(tail) if tail.isdigit() else 1


def make_plan(survey: Survey) -> Plan:
    """Compare, and put the changes in the order in which they are made; deletions come last, last-needed first.

    Raises PlanRefused for what is foreign, and for what can't be done in place, all of it at once.
    """
    changes: list[Change] = []
    foreign: list[str] = []
    for address in order_of(survey.spec):
        if refusal := _foreign(survey, address):
            foreign.append(refusal)
        elif change := _change(survey, address):
            changes.append(change)
    changes += _deletions(survey)
    if foreign:
        hint = "rename the resource, or remove what is in its way"
        raise PlanRefused("\n".join(foreign), hint=hint)
    plan = Plan(survey.spec.name, survey.spec.environment, tuple(changes))
    _refuse_replacements(plan, survey)
    return plan


def _refuse_replacements(plan: Plan, survey: Survey) -> None:
    lines = [
        f"{change.place} {change.address}: {'; '.join(change.notes)}"
        for change in plan.changes
        if isinstance(change, Replace) and not KINDS[change.address.kind].expendable(survey.live[change.address])
    ]
    if lines:
        hint = "give the resource another name: it is made beside the old one, and documents are ingested into it again"
        raise PlanRefused("\n".join(lines), hint=hint)


def _foreign(survey: Survey, address: Address) -> str | None:
    if address in survey.state.entries or address.kind == "cluster_settings":
        return None
    place = survey.spec.resources[address].file
    if owner := survey.state.owners.get(address):
        return f"{place}: {address} is on the cluster and belongs to the stack {owner}"
    if address in survey.live:
        return f"{place}: {address} is on the cluster already, and no apply of this stack made it"
    return None


def _change(survey: Survey, address: Address) -> Change | None:
    resource = survey.spec.resources[address]
    entry, live = survey.state.entries.get(address), survey.live.get(address)
    asked = survey.asked(address)
    live = live and _without_secrets(live, entry, asked)
    if live is None or entry is None:
        before = live.body if live else {}
        reason: Reason = "new" if entry is None or entry.status == "applying" else "drifted"
        found = _placed(resource, differences(before, concealed(asked)))
        return Create(address=address, reason=reason, differences=found, asked=asked, place=Place(resource.file))
    reason, found, notes = _compared(entry, live, asked)
    if not found and entry.status == "applied":
        return None
    kind = KINDS[address.kind]
    refusal = kind.refusal(found, live)
    made = Replace if refusal else Update
    return made(
        address=address,
        reason=reason,
        differences=_placed(resource, found),
        asked=asked,
        place=Place(resource.file),
        notes=(refusal,) if refusal else (*notes, *kind.remarks(found)),
    )


def _compared(entry: Entry, live: Live, asked: Body) -> tuple[Reason, tuple[Difference, ...], tuple[str, ...]]:
    kind = KINDS[entry.address.kind]
    if entry.status == "applying":
        lacking = missing(concealed(asked), live.body)
        found = tuple(Difference(d.path, d.after, d.before) for d in lacking)
        return "changed", found, ("an earlier apply was cut off here and is taken up again",)
    changed = differences(entry.asked, concealed(asked))
    drifted = tuple(Difference(d.path, d.after, d.before) for d in kind.drift(entry.recorded, live.body))
    paths = {difference.path for difference in changed}
    both = changed + tuple(d for d in drifted if d.path not in paths)
    if changed and all(isinstance(d.after, str) and "(known after apply)" in d.after for d in changed):
        return "dependency", both, ()
    return ("changed" if changed else "drifted"), both, ()


def _without_secrets(live: Live, entry: Entry | None, asked: Body | None) -> Live:
    # A server that gives back what it was sent gives back secrets, and what is live is about to be shown.
    body = redacted(live.body, secrets_in(asked))
    return replace(live, body=veiled(veiled(body, entry.recorded), entry.asked) if entry else body)


def _placed(resource: Resource, found: tuple[Difference, ...]) -> tuple[Difference, ...]:
    return tuple(replace(difference, place=resource.place(difference.path)) for difference in found)


def _deletions(survey: Survey) -> Iterator[Delete]:
    gone = {address: entry for address, entry in survey.state.entries.items() if address not in survey.spec.resources}
    needs = {address: [need for need in entry.needs if need in gone] for address, entry in gone.items()}
    for address in reversed(in_order(needs)):
        live = survey.live.get(address)
        found = differences(_without_secrets(live, gone[address], None).body if live else {}, {})
        yield Delete(address=address, reason="removed", differences=tuple(d for d in found if d.before is not ABSENT))
