"""The plan: what is asked, what the ledger remembers and what is live, compared resource by resource."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from osform.core.address import Address
from osform.core.diff import ABSENT, Difference, differences, missing, same, value_at
from osform.core.plan import OWN, Adopt, Change, Create, Delete, Plan, Reason, Replace, Update
from osform.core.resource import Resource, in_order
from osform.core.state import Entry
from osform.core.values import concealed, redacted, secrets_in, veiled
from osform.errors import Place, PlanRefused
from osform.flows import giving_way, owning
from osform.flows.deciding import decide, revived
from osform.flows.effects import with_effects
from osform.flows.resolving import pipelines_of, unanswered
from osform.flows.survey import Survey
from osform.kinds import KINDS, index, mappings
from osform.kinds.base import Body, Live
from osform.kinds.settings import PIPELINES

_REST = {
    "past": "what {} was before, and nothing needs any more",
    "next": "the beginning of another {}, which is no longer what the files ask for",
}


def make_plan(survey: Survey) -> Plan:
    """Compare, and put the changes in the order in which they are made; deletions come last, last-needed first.

    Raises PlanRefused for what is foreign, and for what can't be done in place, all of it at once.
    """
    changes: list[Change] = []
    foreign: list[str] = []
    if missing_elsewhere := list(unanswered(survey.spec, survey.others)):
        raise PlanRefused("\n".join(missing_elsewhere), hint="apply that stack first, in the same environment")
    decide(survey, _change)
    for address in in_order({each: survey.waits_for(each) for each in survey.spec.resources}):
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
    warnings = (*_warnings(survey), *_switched(reached, survey), *_staying(survey))
    plan = Plan(survey.spec.name, survey.spec.environment, reached, warnings)
    _refuse_replacements(plan, survey)
    return plan


def _refuse_replacements(plan: Plan, survey: Survey) -> None:
    lines = [
        f"{change.place} {change.address}: {'; '.join([*change.notes, *map(str, change.effects)])}"
        for change in plan.changes
        if isinstance(change, Replace) and change.address not in {**survey.moves, **survey.renewed}
        if not KINDS[change.address.kind].expendable(survey.live[change.address])
    ]
    lines += [f"{each}" for address in survey.moves if (each := _not_copied(survey, address))]
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
    live, ours = survey.live.get(address), address in survey.state.entries
    copy = owning.strange_copy(survey.state, survey.context, address, survey.names, _moving(survey, address))
    if copy and (ours or live is None):
        what = f"and {copy} is on the cluster: kept for a rollback, or nothing that an apply of this stack made"
        way = "--rebuild of the index that is to use it gives it another number"
        return f"{survey.spec.resources[address].file}: {address} is to be stored as {copy} as well, {what}; {way}"
    if ours or address.kind == "cluster_settings":
        return None
    place = survey.spec.resources[address].file
    if owner := owning.owner(address, live, survey.state):
        return f"{place}: {address} is on the cluster and belongs to the stack {owner}"
    if live is None:
        return None
    if former := owning.former(address, live, survey.state):
        line = f"moved: {{{former}: {address}}}"
        return f"{place}: {address} is on the cluster as {former}; if only its name is new, say {line} in stack.yaml"
    if address in survey.adopted:
        return None
    said = f"{place}: {address} is on the cluster already, and no apply of this stack made it"
    if not survey.adoption.everything:
        return said
    asked = survey.asked(address)
    found = owning.unlike(address, asked, _without_secrets(live, None, asked))
    return f"{said}; it differs from the files: {'; '.join(map(str, found[:3]))}"


def _moving(survey: Survey, address: Address) -> frozenset[str]:
    """The copies of a pipeline that belong to indices being made anew, perhaps since an earlier apply."""
    return frozenset(index.physical(address.name, move.number) for move in survey.moves.values())


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
        notes = (*owning.renaming_notes(survey.spec, address), *giving_way.notes(survey, address))
        return Create(
            address=address, reason=reason, differences=found, asked=asked, place=Place(resource.file), notes=notes
        )
    reason, found, notes = _compared(entry, live, asked)
    moved = survey.moved.get(address)
    own = _own_differences(resource, entry)
    unchanged = not (found or own) and entry.status == "applied" and moved is None and not live.strays
    if unchanged and address not in survey.moves:
        return None
    kind = KINDS[address.kind]
    # What somebody changed by hand can be put back, where the same change in the files could not be made.
    mended: frozenset[str] = getattr(kind, "MENDED", frozenset()) if reason == "drifted" else frozenset()
    open_ = [each for each in found if not mended & set(map(str, each.path[:1])) and not _so_already(each, live)]
    refusal = kind.refusal(open_, live)
    if address in survey.moves or address in survey.renewed:
        return _anew(survey, address, found, refusal or "")
    if refusal and kind is index and resource.may_close and index.closable(found, live):
        return _closed(resource, reason, found, own, asked, moved)
    notes = (*notes, *giving_way.notes(survey, address))
    made = Adopt if not found and moved else Replace if refusal else Update
    return made(
        address=address,
        reason=reason if found or live.strays else "changed",
        differences=_placed(resource, found + own),
        asked=asked,
        place=Place(resource.file),
        notes=(refusal,) if refusal else (*_moved_note(moved), *notes, *_stray_notes(live), *kind.remarks(found)),
        moved_from=moved,
    )


def _own_differences(resource: Resource, entry: Entry) -> tuple[Difference, ...]:
    """What differs in osform's own keys: what is protected from now on has to be so in the ledger, and the reverse."""
    if resource.protect == entry.protect:
        return ()
    return (Difference((OWN, "protect"), entry.protect, resource.protect),)


def _so_already(difference: Difference, live: Live) -> bool:
    """Whether nothing has to be done for it: what is written down now is so, or what is left out was a default."""
    if difference.after is ABSENT:
        return value_at(live.body, difference.path) is ABSENT
    return same(value_at(live.whole, difference.path), difference.after)


def _anew(survey: Survey, address: Address, found: tuple[Difference, ...], why: str) -> Change:
    """Made beside the old one, which stays for as long as something needs it."""
    resource, moved = survey.spec.resources[address], survey.moved.get(address)
    notes = ["registered beside the old one, which stays while something uses it"]
    if move := survey.moves.get(address):
        days = survey.spec.retention
        kept = f"{move.kept} is kept for {_words(days)}, and osform rollback {address} goes back to it"
        if not found or (all(_derived(each) for each in found) and address in survey.rebuild):
            why = "asked for: every document is copied, and its vectors are made anew"
        notes = [f"the documents are copied into {move.target} while searches and writes go on; {kept}"]
    return Replace(
        address=address,
        reason="dependency" if all(_derived(each) for each in found) else "changed",
        differences=_placed(resource, found),
        asked=survey.asked(address),
        place=Place(resource.file),
        notes=(*filter(None, [f"renamed from {moved}" if moved else "", _without_number(why)]), *notes),
        moved_from=moved,
    )


def _closed(
    resource: Resource,
    reason: Reason,
    found: tuple[Difference, ...],
    own: tuple[Difference, ...],
    asked: Body,
    moved: Address | None,
) -> Change:
    """Changed in place while the index is closed, as its file allows."""
    closing = "the index is closed for a moment, and searches and writes fail until it is open again"
    return Update(
        address=resource.address,
        reason=reason,
        differences=_placed(resource, found + own),
        asked=asked,
        place=Place(resource.file),
        notes=(*_moved_note(moved), closing, *index.remarks(found)),
        moved_from=moved,
    )


def _without_number(why: str) -> str:
    return "; ".join(each for each in why.split("; ") if each != index.ANOTHER)


def _derived(difference: Difference) -> bool:
    """Whether something is otherwise because something else is: the physical index's number, who made its vectors."""
    path = difference.path
    return path[:1] == ("index",) or path[1:4] == mappings.MARK or path[1:2] in [(setting,) for setting, _ in PIPELINES]


def _words(span: timedelta) -> str:
    for unit, seconds in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if span.total_seconds() >= seconds and span.total_seconds() % seconds == 0:
            count = int(span.total_seconds() // seconds)
            return f"{count} {unit if count > 1 else unit[:-1]}"
    return f"{span.total_seconds():.0f} seconds"


def _not_copied(survey: Survey, address: Address) -> str | None:
    """Why the documents of an index can't be copied into a new one, or None where they can."""
    resource, live = survey.spec.resources[address], survey.live[address].body["mappings"]
    marks = survey.context.vectors.get(address.name, {})
    if lost := mappings.lost(live, {name: mark["from"] for name, mark in marks.items()}):
        few = ", ".join(lost[:3]) + (f" and {len(lost) - 3} more fields" if len(lost) > 3 else "")
        why = f"its mapping keeps {few} out of _source, and no pipeline makes that anew, so that a copy would lack it"
        return f"{resource.file} {address}: {why}"
    filled = set(marks)
    there = dict(mappings.vectors(live))
    for path, field in mappings.vectors(survey.asked(address)["mappings"]):
        name, before = mappings.field(path), there.get(path)
        made = {name, name.rpartition(".")[0]} & filled  # of chunks, each vector is in an object of the field filled
        if not made and before and before.get("dimension") != field.get("dimension"):
            words = f"{before.get('dimension')} to {field.get('dimension')} dimensions"
            return f"{resource.file} {address}: {name}: from {words}, and no pipeline makes these vectors anew"
    return None


def _switched(changes: Iterable[Change], survey: Survey) -> Iterator[str]:
    """Indices whose pipeline was changed behind the files' back: since then their documents may have other vectors."""
    used = pipelines_of(survey.spec)
    for change in changes:
        if change.reason != "drifted" or change.address.kind not in ("ingest_pipeline", "index"):
            continue
        paths = [difference.path for difference in change.differences]
        switched = [each for each in paths if each[:1] == ("copies",) or each[-1:] in (("model_id",), ("field_map",))]
        switched += [each for each in paths if each == ("settings", "index.default_pipeline")]
        if not switched:
            continue
        for each in [each for each in used if change.address in (each, *used[each])]:
            yield (
                f"{each}: what makes its vectors was changed on the cluster, and documents that were written since may "
                "have vectors of another model: osform drift --vectors finds them, and "
                f"osform apply --rebuild {each} mends them"
            )


def _staying(survey: Survey) -> Iterator[str]:
    for address in sorted(_retained(survey)):
        entry = survey.state.entries[address]
        if entry.role == "current":
            yield f"{address} is no longer in the files, and stays while an index that is kept for a rollback uses it"


def _retained(survey: Survey) -> frozenset[Address]:
    """What is neither asked for nor deleted by this plan."""
    seeds: list[Body] = []
    state = survey.state
    for address in survey.moves:
        seeds.append(survey.live[address].body)
        entry = state.entries[address]
        used = [each for each in entry.needs if each.kind.endswith("_pipeline")]
        seeds += [state.entries[each].recorded for each in used if each in state.entries]
    kept = owning.retained(state, seeds, survey.spec.resources, datetime.now(UTC).isoformat(timespec="seconds"))
    filling = {replace(each, name=move.target) for each, move in survey.moves.items()} & state.entries.keys()
    back = {each for address in survey.renewed if (each := revived(survey, address))}
    shared = owning.current_copies(survey.context) & state.entries.keys()
    return kept | filling | back | shared if survey.spec.resources else frozenset()


def _moved_note(moved: Address | None) -> tuple[str, ...]:
    return (f"renamed from {moved}: the object on the cluster stays",) if moved else ()


def _stray_notes(live: Live) -> tuple[str, ...]:
    return tuple(f"{stray} is deleted: a request that came late made it beside this one" for stray in live.strays)


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
    if entry.status == "applying":
        lacking = missing(concealed(asked), live.whole)
        found = tuple(Difference(d.path, d.after, d.before) for d in lacking)
        return "changed", found, ("an earlier apply was cut off here and is taken up again",)
    changed = differences(veiled(entry.asked, concealed(asked)), concealed(asked))
    drifted = tuple(Difference(d.path, d.after, d.before) for d in _drift(entry, live, asked))
    paths = {difference.path for difference in changed}
    # What the files change and somebody changed by hand as well: what is there now is what a review has to see.
    by_hand = {d.path: d.before for d in drifted}
    changed = tuple(
        replace(d, before=by_hand[d.path]) if by_hand.get(d.path, d.after) != d.after else d for d in changed
    )
    both = changed + tuple(d for d in drifted if d.path not in paths)
    if changed and all(isinstance(d.after, str) and "(known after apply)" in d.after for d in changed):
        return "dependency", both, ()
    return ("changed" if changed else "drifted"), both, ()


def _drift(entry: Entry, live: Live, asked: Body | None) -> tuple[Difference, ...]:
    # Less the same secrets: a key that only the files have moved to the environment is no drift, and is not shown.
    return KINDS[entry.address.kind].drift(_less_secrets(entry.recorded, entry, asked), live.body)


def _without_secrets(live: Live, entry: Entry | None, asked: Body | None) -> Live:
    # A server that gives back what it was sent gives back secrets, and what is live is about to be shown.
    return replace(live, body=_less_secrets(live.body, entry, asked))


def _less_secrets(body: Body, entry: Entry | None, asked: Body | None) -> Body:
    body = redacted(body, secrets_in(asked))
    # Where the files have a secret, another value that is live is somebody's secret as well.
    body = veiled(concealed(body), concealed(asked)) if asked else body
    return veiled(veiled(body, entry.recorded), entry.asked) if entry else body


def drifted(survey: Survey, address: Address) -> tuple[Difference, ...]:
    """How what is live of a resource differs from what was read back, less whatever is a secret."""
    entry = survey.state.entries[address]
    asked = survey.asked(address) if address in survey.spec.resources else None
    return _drift(entry, _without_secrets(survey.live[address], entry, asked), asked)


def _placed(resource: Resource, found: tuple[Difference, ...]) -> tuple[Difference, ...]:
    return tuple(replace(difference, place=resource.place(difference.path)) for difference in found)


def _deletions(survey: Survey, new: Mapping[Address, Body]) -> Iterator[Delete]:
    kept = {*survey.spec.resources, *_retained(survey)}
    gone = {address: entry for address, entry in survey.state.entries.items() if address not in kept}
    needs = {address: [need for need in entry.needs if need in gone] for address, entry in gone.items()}
    for address in reversed(in_order(needs)):
        live = survey.live.get(address)
        found = differences(_without_secrets(live, gone[address], None).body if live else {}, {})
        notes = owning.renaming_notes(survey.spec, address) or owning.rename_hint(address, gone[address], new)
        if gone[address].role != "current":
            notes = (_REST[gone[address].role].format(gone[address].of),)
        shown = tuple(each for each in found if each.before is not ABSENT)
        yield Delete(address=address, reason="removed", differences=shown, notes=notes)
