"""The plan: what is asked, what the ledger remembers and what is live, compared resource by resource."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from osform.core.address import Address
from osform.core.diff import ABSENT, Difference, differences, missing
from osform.core.plan import Adopt, Change, Create, Delete, Plan, Reason, Replace, Update
from osform.core.resource import Resource, StackSpec, in_order
from osform.core.state import Entry, State
from osform.core.values import concealed, redacted, secrets_in, veiled
from osform.errors import Place, PlanRefused
from osform.flows import owning
from osform.flows.effects import with_effects
from osform.flows.looking import Eyes
from osform.flows.owning import Adoption
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
    adoption: Adoption = field(default_factory=Adoption)
    adopted: set[Address] = field(default_factory=set)
    moved: Mapping[Address, Address] = field(default_factory=dict)

    @classmethod
    def take(
        cls,
        spec: StackSpec,
        state: State,
        environ: Mapping[str, str],
        eyes: Eyes,
        adoption: Adoption | None = None,
    ) -> Survey:
        """Look up everything that the stack asks for or the ledger remembers."""
        state, moved = owning.renamed(spec, state)
        survey = cls(spec, state, environ, needs=needs_of(spec), adoption=adoption or Adoption(), moved=moved)
        survey.context = context_of(spec, *owning.numbers(state))
        eyes = eyes.remembering()
        survey.live = eyes.look(survey._wanted())
        survey._number_indices()
        for address in order_of(spec):
            if survey._may_adopt(address):
                survey._look_closer(address, eyes)
            mine = address in state.entries or address in survey.adopted
            survey.learn(address, survey.live.get(address) if mine else None)
        survey._spare_settings()
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
        adopt = owning.ids_of_others(self.state, address.kind) if self._may_adopt(address) else None
        entry = self.state.entries.get(address)
        asked: Body = self.asked(address) if address in self.spec.resources else entry.asked if entry else {}
        ids = dict(entry.ids if entry else self.adoption.ids.get(address, {}))
        copies = self.context.copies.get(address.name, ()) if address.kind == "ingest_pipeline" else ()
        if copies:
            ids["copies"] = ",".join(copies)
        return Wanted(asked, entry.recorded if entry else {}, ids, adopt)

    def _wanted(self) -> dict[Address, Wanted]:
        return {address: self.wanted(address) for address in {**self.spec.resources, **self.state.entries}}

    def _may_adopt(self, address: Address) -> bool:
        return address not in self.state.entries and self.adoption.covers(address)

    def _number_indices(self) -> None:
        # What is taken over keeps its physical index; one that somebody deleted is made anew under osform's own name.
        versions, named = owning.numbers(self.state)
        for address in [each for each in {**self.spec.resources, **self.state.entries} if each.kind == "index"]:
            live = self.live.get(address)
            if live is None:
                named.pop(address.name, None)
                versions[address.name] = versions.get(address.name, 1) or 1
            elif self._may_adopt(address) and not owning.owner(address, live, self.state):
                named[address.name] = live.ids["index"]
                versions[address.name] = owning.number(address.name, live.ids["index"])
        self.context = context_of(self.spec, versions, named)

    def _look_closer(self, address: Address, eyes: Eyes) -> None:
        # By now it is known what this one refers to: the id of its group, the numbers of indices that it serves.
        self.live = {**self.live, **eyes.look({address: self.wanted(address)})}
        live = self.live.get(address)
        if live is None or owning.owner(address, live, self.state):
            return
        exact = not owning.unlike(address, self.asked(address), live)
        if exact or address in self.adoption.addresses:
            self.adopted.add(address)

    def _spare_settings(self) -> None:
        """Let no key be unset that another stack, or another file of this one, asks for."""
        mine = [each for each in {**self.spec.resources, **self.state.entries} if each.kind == "cluster_settings"]
        theirs = owning.shared_settings(self.state)
        wanted = {each: self.asked(each) for each in mine if each in self.spec.resources}
        entries, live = dict(self.state.entries), dict(self.live)
        for address in mine:
            asked = {(part, key) for part, keys in wanted.get(address, {}).items() for key in keys}
            beside = {
                (p, key) for each in wanted if each != address for p, keys in wanted[each].items() for key in keys
            }
            keep = frozenset((theirs.keys() | beside) - asked)
            if entry := entries.get(address):
                asked_then, found_then = owning.sparing(entry.asked, keep), owning.sparing(entry.recorded, keep)
                entries[address] = replace(entry, asked=asked_then, recorded=found_then)
            if address in live:
                live[address] = replace(live[address], body=owning.sparing(live[address].body, keep))
        self.state, self.live = replace(self.state, entries=entries), live


def make_plan(survey: Survey) -> Plan:
    """Compare, and put the changes in the order in which they are made; deletions come last, last-needed first.

    Raises PlanRefused for what is foreign, and for what can't be done in place, all of it at once.
    """
    changes: list[Change] = []
    foreign: list[str] = []
    for address in order_of(survey.spec):
        if refusal := _foreign(survey, address):
            foreign.append(refusal)
        elif change := _change(survey, address) or _carried_along(survey, address, changes):
            changes.append(change)
    new = {change.address: change.asked or {} for change in changes if isinstance(change, Create)}
    changes += _deletions(survey, new)
    if foreign:
        hint = "take it over: --adopt ADDRESS; --adopt-all takes what is exactly as the files say; or rename the file"
        raise PlanRefused("\n".join(foreign), hint=hint)
    needs = {address: entry.needs for address, entry in survey.state.entries.items()} | dict(survey.needs)
    reached = with_effects(changes, survey.spec, needs, survey.live)
    plan = Plan(survey.spec.name, survey.spec.environment, reached, tuple(_warnings(survey)))
    _refuse_replacements(plan, survey)
    return plan


def _refuse_replacements(plan: Plan, survey: Survey) -> None:
    lines = [
        f"{change.place} {change.address}: {'; '.join([*change.notes, *map(str, change.effects)])}"
        for change in plan.changes
        if isinstance(change, Replace) and not KINDS[change.address.kind].expendable(survey.live[change.address])
    ]
    if lines:
        hint = "give the resource another name: it is made beside the old one, and documents are ingested into it again"
        # A rename that was not said is the likeliest reason for another model under an index.
        renames = [note for change in plan.changes if isinstance(change, Delete) for note in change.notes]
        raise PlanRefused("\n".join(lines), hint="; ".join([*renames, hint]))


def _warnings(survey: Survey) -> Iterator[str]:
    shared = owning.shared_settings(survey.state)
    for address in survey.spec.resources:
        if address.kind != "cluster_settings":
            continue
        for part, settings in concealed(survey.asked(address)).items():
            for key, value in settings.items():
                for owner, theirs in shared.get((part, key), ()):
                    clash = "" if theirs == value else f", to {theirs!r}: whoever applies last has it"
                    yield f"{address}: {part}.{key} is set by the stack {owner} too{clash}"


def _foreign(survey: Survey, address: Address) -> str | None:
    if address in survey.state.entries or address.kind == "cluster_settings":
        return None
    place = survey.spec.resources[address].file
    live = survey.live.get(address)
    if owner := owning.owner(address, live, survey.state):
        return f"{place}: {address} is on the cluster and belongs to the stack {owner}"
    if live is None or address in survey.adopted:
        return None
    said = f"{place}: {address} is on the cluster already, and no apply of this stack made it"
    if not survey.adoption.everything:
        return said
    asked = survey.asked(address)
    found = owning.unlike(address, asked, _without_secrets(live, None, asked))
    return f"{said}; it differs from the files: {'; '.join(map(str, found[:3]))}"


def _change(survey: Survey, address: Address) -> Change | None:
    resource = survey.spec.resources[address]
    entry, live = survey.state.entries.get(address), survey.live.get(address)
    asked = survey.asked(address)
    live = live and _without_secrets(live, entry, asked)
    if live is not None and entry is None and address in survey.adopted:
        return _adoption(resource, live, asked)
    if live is None or entry is None:
        before = live.body if live else {}
        reason: Reason = "new" if entry is None or entry.status == "applying" else "drifted"
        found = _placed(resource, differences(before, concealed(asked)))
        notes = owning.renaming_notes(survey.spec, address)
        return Create(
            address=address, reason=reason, differences=found, asked=asked, place=Place(resource.file), notes=notes
        )
    reason, found, notes = _compared(entry, live, asked)
    moved = survey.moved.get(address)
    if not found and entry.status == "applied" and moved is None:
        return None
    kind = KINDS[address.kind]
    # What somebody changed by hand can be put back, where the same change in the files could not be made.
    mended: frozenset[str] = getattr(kind, "MENDED", frozenset()) if reason == "drifted" else frozenset()
    refusal = kind.refusal([each for each in found if not mended & set(map(str, each.path[:1]))], live)
    made = Adopt if not found and moved else Replace if refusal else Update
    return made(
        address=address,
        reason=reason if found else "changed",
        differences=_placed(resource, found),
        asked=asked,
        place=Place(resource.file),
        notes=(refusal,) if refusal else (*_moved_note(moved), *notes, *kind.remarks(found)),
        moved_from=moved,
    )


def _moved_note(moved: Address | None) -> tuple[str, ...]:
    return (f"renamed from {moved}: the object on the cluster stays",) if moved else ()


def _adoption(resource: Resource, live: Live, asked: Body) -> Change:
    """Taken over as it is, and changed where it isn't as the files say."""
    found = owning.unlike(resource.address, asked, live)
    kind = KINDS[resource.address.kind]
    refusal = kind.refusal(found, live) if found else None
    if refusal:
        message = f"{resource.file}: {resource.address} can't be taken over: {refusal}"
        raise PlanRefused(message, hint="write in the file what is there, or rename the file")
    return Adopt(
        address=resource.address,
        reason="foreign",
        differences=_placed(resource, found),
        asked=asked,
        place=Place(resource.file),
        notes=("taken over, and changed to what the files say",) if found else ("taken over as it is",),
    )


def _carried_along(survey: Survey, address: Address, changes: list[Change]) -> Change | None:
    """An alias over an index that is made anew: it goes with the old one, and is put on the new one."""
    anew = {change.address for change in changes if isinstance(change, Replace)}
    if address.kind != "alias" or not anew & set(survey.needs.get(address, ())):
        return None
    place = Place(survey.spec.resources[address].file)
    notes = ("put once more on the index that is made anew",)
    return Update(address=address, reason="dependency", asked=survey.asked(address), place=place, notes=notes)


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


def shown_live(survey: Survey, address: Address) -> Live:
    """What is live of a resource, less whatever is a secret."""
    entry = survey.state.entries.get(address)
    asked = survey.asked(address) if address in survey.spec.resources else None
    return _without_secrets(survey.live[address], entry, asked)


def _placed(resource: Resource, found: tuple[Difference, ...]) -> tuple[Difference, ...]:
    return tuple(replace(difference, place=resource.place(difference.path)) for difference in found)


def _deletions(survey: Survey, new: Mapping[Address, Body]) -> Iterator[Delete]:
    gone = {address: entry for address, entry in survey.state.entries.items() if address not in survey.spec.resources}
    needs = {address: [need for need in entry.needs if need in gone] for address, entry in gone.items()}
    for address in reversed(in_order(needs)):
        live = survey.live.get(address)
        found = differences(_without_secrets(live, gone[address], None).body if live else {}, {})
        notes = owning.renaming_notes(survey.spec, address) or owning.rename_hint(address, gone[address], new)
        shown = tuple(each for each in found if each.before is not ABSENT)
        yield Delete(address=address, reason="removed", differences=shown, notes=notes)
