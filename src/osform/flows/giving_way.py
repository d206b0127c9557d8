"""Index templates that change places: the server takes no two of one priority that an index could match both of.

What is asked has no such two (``kinds.consistency``), but on the way there one may be put while another still has its
priority. Where an order helps, that is the order. Where none does, as when two swap, or one is stored under another
name, the other is put aside until its own turn comes: it gets a priority that nobody uses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import product

from osform.core.address import Address
from osform.core.globs import overlap
from osform.flows.survey import Survey
from osform.kinds import index_template
from osform.kinds.base import Body, Last, Live, Step

KIND = index_template.KIND
# Above what people write: what wins now goes on winning, or what is to win does so already.
_ASIDE = 1_000_000_000


def take_turns(survey: Survey, changed: Iterable[Address]) -> None:
    """Settle in which order these index templates are put, and which others are put aside before one of them."""
    asked = {address: survey.asked(address) for address in sorted(changed)}
    there = {
        address: survey.live[address].body
        for address in survey.state.entries
        if address.kind == KIND and address in survey.live
    }
    involved = {each for one in asked for rival in _rivals(one, asked[one], there) for each in (one, rival)}
    waiting = [each for each in asked if each in involved]
    order, before = dict(survey.order), tuple[Address, ...]()
    while waiting:
        free = (each for each in waiting if not any(_rivals(each, asked[each], there)))
        turn = next(free, waiting[0])
        for rival in list(_rivals(turn, asked[turn], there)):
            if rival in waiting or rival not in survey.spec.resources:
                there[rival] = {**there[rival], "priority": _ASIDE + sum(map(len, survey.aside.values()))}
                survey.aside[turn] = (*survey.aside.get(turn, ()), (rival, there[rival]))
        order[turn] = (*order.get(turn, ()), *before)
        there[turn] = asked[turn]
        waiting.remove(turn)
        before = (turn,)
    survey.order = order


def steps(survey: Survey, address: Address) -> Iterator[Step]:
    """What is to be done before an index template is put."""
    for other, body in survey.aside.get(address, ()):
        yield from index_template.update(other.name, body, Live(body), Last())


def notes(survey: Survey, address: Address) -> tuple[str, ...]:
    """What a reader of the plan should know of it."""
    aside = survey.aside.get(address, ())
    return tuple(f"{other} has its priority and gets {body['priority']:,} until its own turn" for other, body in aside)


def _rivals(one: Address, body: Body, there: Mapping[Address, Body]) -> Iterator[Address]:
    """Those that the server would name if this one were put now."""
    for other, stored in there.items():
        if other != one and body.get("priority", 0) == stored.get("priority", 0):
            pairs = product(index_template.patterns(body), index_template.patterns(stored))
            if any(overlap(str(here), str(its)) for here, its in pairs):
                yield other
