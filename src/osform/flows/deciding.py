"""One decision for every index and model that can't stay as it is: which new physical index, which new version.

A model whose bytes change is registered beside the old one. An index with documents whose change can't be made in
place gets a new physical index, with copies of its pipelines of its own, and its documents are copied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from osform.core.address import Address
from osform.core.globs import overlap
from osform.core.plan import Change, Replace
from osform.core.state import Entry
from osform.core.values import concealed
from osform.flows import giving_way, owning
from osform.flows.resolving import context_of, pipelines_of
from osform.flows.survey import Move, Survey
from osform.kinds import KINDS, index_template
from osform.kinds.base import Body
from osform.kinds.index import physical

Compare = Callable[[Survey, Address], Change | None]


def decide(survey: Survey, compare: Compare) -> None:
    """Settle which models are registered anew, which indices move, and the order; the survey knows from then on."""
    for address in [each for each in survey.spec.resources if each.kind == "model"]:
        entry = survey.state.entries.get(address)
        if entry is not None and isinstance(compare(survey, address), Replace):
            _renew(survey, entry)
    anew = [
        address
        for address in survey.spec.resources
        if address.kind == "index" and address in survey.live and address in survey.state.entries
        if address in survey.rebuild or isinstance(compare(survey, address), Replace)
    ]
    moving = [address for address in anew if not KINDS["index"].expendable(survey.live[address])]
    new = [each for each in survey.spec.resources if each.kind == "index" and each not in survey.live]
    beside = [each for each in (*anew, *new) if each not in moving]
    if moving or beside:
        _number(survey, moving, beside)
    survey.order = _order(survey)
    templates = [address for address in survey.spec.resources if address.kind == giving_way.KIND]
    giving_way.take_turns(survey, [each for each in templates if compare(survey, each)])
    _let_aliases_follow(survey, anew)


def _renew(survey: Survey, entry: Entry) -> None:
    """The model gets another id, which an earlier version with the same bytes may have already."""
    address, past = entry.address, owning.renewal(entry)
    survey.renewed[address] = past
    outputs = dict(survey.outputs.get(address, {}))
    outputs.pop("model_id", None)
    if back := revived(survey, address):
        outputs["model_id"] = survey.state.entries[back].ids["model_id"]
    survey.outputs[address] = outputs
    # What it was is an entry of its own from now on: kept while something uses it, else deleted like anything else.
    gone = replace(entry, address=past, status="applied", role="past", of=address, until="")
    survey.state = replace(survey.state, entries={**survey.state.entries, past: gone})
    if address in survey.live:
        survey.live = {**survey.live, past: survey.live[address]}


def revived(survey: Survey, address: Address) -> Address | None:
    """The past version of a model that has the bytes which are asked for now, where it is still there."""
    hash_ = survey.asked(address).get("model_content_hash_value")
    for each, entry in survey.state.entries.items():
        there = entry.of == address and each in survey.live and each != survey.renewed.get(address)
        if there and hash_ and entry.recorded.get("model_content_hash_value") == hash_:
            return each
    return None


def _number(survey: Survey, moving: list[Address], beside: list[Address]) -> None:
    """Give each a number that none of its pipelines has a copy with, or that of what is being filled already.

    What is made from nothing ``beside`` them gets one as well where it shares a pipeline, now or since an earlier
    apply: the copies that are there stay with the old indices, as they are.
    """
    versions, named = dict(survey.context.versions), dict(survey.context.physical)
    for address in moving:
        source = survey.live[address].ids["index"]
        number = _going_on(survey, address) or _next(survey, address, source)
        target = physical(address.name, number)
        kept = physical(address.name, number - 1) if source == address.name else source
        survey.moves[address] = Move(source, target, number, kept)
        versions[address.name], named[address.name] = number, target
    shared = {each for address in moving for each in pipelines_of(survey.spec).get(address, ())}
    fresh: dict[Address, set[str]] = {}
    for address in beside:
        used = pipelines_of(survey.spec).get(address, ())
        if shared & set(used) or _copied(survey, used, versions.get(address.name, 1)):
            versions[address.name] = _next(survey, address)
            named[address.name] = physical(address.name, versions[address.name])
            for each in used:
                fresh.setdefault(each, set()).add(physical(each.name, versions[address.name]))
    # Indices that share a pipeline and move together share its copies: one number for all of them.
    survey.context = context_of(survey.spec, versions, named)
    # From now on these are the copies; what the old indices use is left alone.
    for pipeline in {*shared, *fresh}:
        if live := survey.live.get(pipeline):
            copies = survey.wanted(pipeline).ids.get("copies", "")
            found = replace(live, ids={**live.ids, "copies": copies})
            if pipeline in fresh:
                found = replace(found, body=_with_copies(live.body, copies.split(","), fresh[pipeline]))
            survey.live = {**survey.live, pipeline: found}


def _with_copies(body: Body, wanted: Iterable[str], fresh: Iterable[str]) -> Body:
    """A pipeline as it is live, with what differs of the copies that are wanted now; ``fresh`` ones are not there."""
    odd = {copy: stored for copy, stored in body.get("copies", {}).items() if copy in wanted}
    odd |= dict.fromkeys(sorted(fresh), "missing")
    return {key: value for key, value in body.items() if key != "copies"} | {"copies": odd}


def _next(survey: Survey, address: Address, source: str = "") -> int:
    number = 1 + max(_taken(survey, address), default=1)
    # An index that loses its plain name is to have the number before, which a copy that was begun may have.
    begun = {entry.ids.get("index") for entry in survey.state.entries.values() if entry.of == address}
    number += source == address.name and physical(address.name, number - 1) in begun
    while any(_strange(survey, address, n) for n in {number, number - (source == address.name)}):
        number += 1
    return number


def _strange(survey: Survey, address: Address, number: int) -> bool:
    """Whether somebody else has the name that an index would get with this number, or a copy of its pipelines."""
    held = {entry.ids.get("index") for entry in survey.state.entries.values()}
    if physical(address.name, number) in survey.names("index") - held:
        return True
    return _copied(survey, pipelines_of(survey.spec).get(address, ()), number)


def _copied(survey: Survey, used: Iterable[Address], number: int) -> bool:
    """Whether something else has the name of a copy with this number, if only what is kept for a rollback."""
    mine = owning.copies(survey.state)
    copies = [replace(each, name=physical(each.name, number)) for each in used]
    return any(each.name in survey.names(each.kind) and each not in mine for each in copies)


def _going_on(survey: Survey, address: Address) -> int | None:
    """The number of a physical index that an earlier apply began to fill with just what is asked now."""
    for each, entry in survey.state.entries.items():
        # Numbers that the journal has are those of the index that it was filled from.
        live = survey.live[address].ids["index"]
        if entry.role == "next" and entry.of == address and live in (entry.journal.get("source"), each.name):
            number = owning.number(address.name, str(entry.ids.get("index")))
            before = survey.context
            versions = {**before.versions, address.name: number}
            named = {**before.physical, address.name: each.name}
            survey.context = context_of(survey.spec, versions, named)
            same = concealed(survey.asked(address)) == entry.asked
            survey.context = before
            if same:
                return number
    return None


def _taken(survey: Survey, address: Address) -> Iterator[int]:
    """The numbers that are in use: of this index, and of every copy of its pipelines."""
    mine = set(pipelines_of(survey.spec).get(address, ()))
    sharing = {each for each, used in pipelines_of(survey.spec).items() if mine & set(used)} | {address}
    for entry in survey.state.entries.values():
        if entry.address in sharing or entry.of in sharing:
            yield max(1, owning.number((entry.of or entry.address).name, entry.ids.get("index")))
        if entry.of in mine or entry.address in mine:
            for name in (entry.address.name, *filter(None, entry.ids.get("copies", "").split(","))):
                yield owning.number("", name)


def _matching(survey: Survey, index: Address) -> Iterator[Address]:
    templates = {each: resource for each, resource in survey.spec.resources.items() if each.kind == "index_template"}
    for address, template in templates.items():
        if any(overlap(physical(index.name, 1), str(each)) for each in index_template.patterns(template.body)):
            yield address


def _order(survey: Survey) -> Mapping[Address, tuple[Address, ...]]:
    """What each change waits for: pipelines take their plain names' new bodies once the index has moved.

    An index waits for the templates that its name matches, without using them: they say how it is made, and no more.
    """
    used = pipelines_of(survey.spec)
    order = {address: set(needed) for address, needed in survey.needs.items()}
    for address in survey.spec.resources:
        if address.kind == "index" and address not in survey.moves:
            order[address] |= set(_matching(survey, address))
    for address in survey.moves:
        for pipeline in used.get(address, ()):
            order[address].discard(pipeline)
            order[address] |= set(survey.needs.get(pipeline, ()))
    for address in survey.moves:
        for pipeline in used.get(address, ()):
            order[pipeline].add(address)
    return {address: tuple(sorted(needed)) for address, needed in order.items()}


def _let_aliases_follow(survey: Survey, anew: list[Address]) -> None:
    """What an alias is on changes with an index that is made anew, so it comes after it, also where it leaves it.

    An index that waits for the alias itself, by way of something that names it, stays the later of the two.
    """
    order = {address: set(needed) for address, needed in survey.order.items()}
    for alias in sorted(each for each in survey.live if each.kind == "alias"):
        on = survey.live[alias].body.get("indices", {})
        for index in [each for each in anew if survey.live[each].ids["index"] in on]:
            survey.carried.add(alias)
            if alias in order and not _waits(order, index, alias):
                order[alias].add(index)
    survey.order = {address: tuple(sorted(needed)) for address, needed in order.items()}


def _waits(order: Mapping[Address, set[Address]], one: Address, other: Address) -> bool:
    """Whether one change waits for another, or for something that does."""
    ahead, seen = [one], {one}
    while ahead:
        new = order.get(ahead.pop(), set()) - seen
        seen |= new
        ahead += new
    return other in seen
