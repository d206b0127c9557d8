"""Everything that can be known about a stack without a cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from graphlib import CycleError
from typing import Any

from osform.core.address import Address
from osform.core.refs import EnvRef, references
from osform.core.resource import Resource, StackSpec
from osform.errors import Problem, SpecError
from osform.flows.resolving import Resolver, context_of, order_of
from osform.kinds import KINDS, consistency
from osform.kinds.base import Context, Finding


def check(spec: StackSpec, environ: Mapping[str, str]) -> dict[Address, dict[str, Any]]:
    """Check a stack and return its bodies as far as they are known, in the order in which they would be made.

    Raises SpecError with every mistake: cycles, secrets that are not set, bodies that the server would refuse, and
    resources that disagree with each other.
    """
    try:
        order = order_of(spec)
    except CycleError as error:
        raise SpecError([_cycle(spec, error.args[1])]) from error
    problems = list(_unset_secrets(spec, environ))
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


def _cycle(spec: StackSpec, cycle: list[Address]) -> Problem:
    resource = spec.resources[cycle[0]]
    way = " -> ".join(str(address) for address in reversed(cycle))
    return resource.problem((), f"a cycle of references: {way}", "one of them must do without the other")


def _unset_secrets(spec: StackSpec, environ: Mapping[str, str]) -> Iterator[Problem]:
    for resource in spec.resources.values():
        for path, ref in references(resource.body):
            if isinstance(ref, EnvRef) and not environ.get(ref.name):
                message = f"{ref}: the environment has no {ref.name}, or an empty one"
                yield resource.problem(path, message, f"export {ref.name}=...")
