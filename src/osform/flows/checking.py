"""Everything that can be known about a stack without a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError
from typing import Any

from osform.core.address import Address
from osform.core.refs import EnvRef, OutputRef, references
from osform.core.resource import Resource, StackSpec, in_order
from osform.errors import Problem, SpecError
from osform.flows.resolving import Resolver, context_of, needs_of
from osform.kinds import KINDS, asking, consistency
from osform.kinds.base import Context, Finding


def check(
    spec: StackSpec, environ: Mapping[str, str], problems: Iterable[Problem] = ()
) -> dict[Address, dict[str, Any]]:
    """Check a stack and return its bodies as far as they are known, in the order in which they would be made.

    Raises SpecError with every mistake: the ``problems`` that reading has found, cycles, secrets that are not set,
    bodies that the server would refuse, and resources that disagree with each other.
    """
    order, cycles = _order(spec)
    problems = [*problems, *cycles, *_unset_secrets(spec, environ)]
    known: dict[Address, Mapping[str, Any]] = {}
    bodies: dict[Address, dict[str, Any]] = {}
    resolver = Resolver(spec, known, environ)
    context = context_of(spec, {})
    for address in order:
        resource = spec.resources[address]
        body = resolver.body(resource)
        found = list(KINDS[address.kind].check(address.name, body, context))
        problems += [_problem(resource, finding) for finding in found]
        if not found:
            known[address] = KINDS[address.kind].known(address.name, body, context)
            bodies[address] = body
    problems += [_problem(spec.resources[address], finding) for address, finding in consistency.check(bodies, known)]
    for checks in spec.checks.values():
        problems += [
            checks.document.problem(each.path, each.message, each.hint) for each in asking.check(checks, bodies)
        ]
    if problems:
        raise SpecError(problems)
    return bodies


def render(spec: StackSpec, environ: Mapping[str, str]) -> dict[Address, Mapping[str, Any]]:
    """The bodies as they would be sent for a cluster that has none of them; raises SpecError."""
    bodies = check(spec, environ)
    context = context_of(spec, {})
    return {address: _expanded(address, body, context) for address, body in bodies.items()}


def _expanded(address: Address, body: Mapping[str, Any], context: Context) -> Mapping[str, Any]:
    return KINDS[address.kind].expand(address.name, body, context)


def _problem(resource: Resource, finding: Finding) -> Problem:
    return resource.problem(finding.path, finding.message, finding.hint)


def _order(spec: StackSpec) -> tuple[tuple[Address, ...], list[Problem]]:
    """The order, and every cycle; where there are cycles, their resources come last, so that they are checked too."""
    needs = needs_of(spec)
    problems: list[Problem] = []
    cut: set[Address] = set()
    while True:
        try:
            order = in_order({each: set(needs[each]) - cut for each in needs.keys() - cut})
            return (*order, *sorted(cut)), problems
        except CycleError as error:
            # graphlib names each address before the one that needs it.
            cycle: list[Address] = list(reversed(error.args[1]))
            problems.append(_cycle(spec.resources[cycle[0]], cycle))
            cut.update(cycle)


def _cycle(resource: Resource, cycle: list[Address]) -> Problem:
    way = " -> ".join(str(address) for address in cycle)
    to_next = (
        path
        for path, ref in references(resource.body, KINDS[resource.address.kind].PASSED)
        if isinstance(ref, OutputRef) and ref.address == cycle[1]
    )
    return resource.problem(next(to_next, ()), f"a cycle of references: {way}", "one of them must do without the next")


def _unset_secrets(spec: StackSpec, environ: Mapping[str, str]) -> Iterator[Problem]:
    for resource in spec.resources.values():
        for path, ref in references(resource.body, KINDS[resource.address.kind].PASSED):
            if not isinstance(ref, EnvRef):
                continue
            value = environ.get(ref.name, "")
            if not value:
                message = f"{ref}: the environment has no {ref.name}, or an empty one"
                yield resource.problem(path, message, f"export {ref.name}=...")
            elif not value.isascii() and not _is_text(value):
                yield resource.problem(
                    path, f"{ref}: not UTF-8 text, which no request can carry", f"set {ref.name} anew"
                )


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:  # bytes that Python could not decode stand in it as halves of characters
        return False
    return True
