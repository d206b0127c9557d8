"""Policies held against a stack, which needs no cluster, and against the plan of one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from osform.core.address import Address
from osform.core.models import HubSource, PackageSource, PathSource
from osform.core.plan import Change, Delete, Plan
from osform.core.policies import Policy, Violation
from osform.core.resource import StackSpec
from osform.errors import PolicyRefused
from osform.kinds import model_sources
from osform.kinds.base import Body


@dataclass(frozen=True)
class Judgement:
    """What policies say of a plan: what is refused now, and what only has to wait for a window."""

    refused: tuple[Violation, ...]
    later: tuple[Violation, ...]

    def noted(self, plan: Plan) -> Plan:
        """The plan with a warning for all that has to wait. Raises PolicyRefused for the rest."""
        if self.refused:
            raise _refusal(self.refused)
        return replace(plan, warnings=(*plan.warnings, *(f"not now: {each}" for each in self.later)))

    def check(self) -> None:
        """Raise PolicyRefused for what may not be done now."""
        if self.later:
            raise _refusal(self.later, later=True)


def _refusal(broken: tuple[Violation, ...], *, later: bool = False) -> PolicyRefused:
    hint = "apply it then" if later else "change the files, or the policy where that is meant"
    return PolicyRefused("\n".join(map(str, broken)), hint=hint, policies=[each.policy.name for each in broken])


def broken(spec: StackSpec, bodies: Mapping[Address, Body]) -> Iterator[Violation]:
    """What a stack's own resources break; ``bodies`` are as they are sent, as far as they are known."""
    for policy in spec.policies:
        for address, body in bodies.items():
            if policy.rules and policy.concerns(spec.environment, address):
                for path, message in policy.broken(_with_source(spec, address, body)):
                    place = spec.resources[address].place(_words(path[-1]))
                    yield Violation(policy, path, f"{address}: {message}", str(place))


def judge(
    plan: Plan,
    spec: StackSpec,
    asked: Callable[[Address], Body],
    documents: Callable[[Address], int],
    now: datetime | None = None,
) -> Judgement:
    """Hold the stack's policies against its plan; ``documents`` counts those of an index that is live."""
    if not spec.policies:
        return Judgement((), ())
    found = list(broken(spec, {address: asked(address) for address in spec.resources}))
    moment = now or datetime.now(UTC)
    for policy in spec.policies:
        if policy.refusal is not None:
            concerned = (each for each in plan.changes if policy.concerns(spec.environment, each.address))
            found += _forbidden(policy, concerned, documents, moment)
    return Judgement(tuple(v for v in found if not v.later), tuple(v for v in found if v.later))


def _forbidden(
    policy: Policy, changes: Iterable[Change], documents: Callable[[Address], int], now: datetime
) -> Iterator[Violation]:
    refusal = policy.refusal
    assert refusal is not None, "asked of a policy that refuses something"
    if refusal.window and refusal.window.open(now):
        return
    for change in changes:
        if change.action not in refusal.actions:
            continue
        many = documents(change.address) if refusal.documents else 0
        if refusal.documents and (change.address.kind != "index" or many < refusal.documents):
            continue
        what = f"{change.address}: its plan is to {change.action} it"
        what += f", with {many:,} documents" if refusal.documents else ""
        what += f"; that is for {refusal.window}" if refusal.window else ""
        place = "" if isinstance(change, Delete) or not change.place else str(change.place)
        yield Violation(policy, ("refuse",), what, place, later=refusal.window is not None)


def _words(path: Any) -> tuple[str, ...]:
    return tuple(str(path).split("."))


def _with_source(spec: StackSpec, address: Address, body: Body) -> Body:
    """A model's body says under ``source`` where its weights are from."""
    return {**body, "source": _source(spec, spec.resources[address].body)} if address.kind == "model" else body


def _source(spec: StackSpec, body: Body) -> str:
    way = model_sources.source_of(body)
    if way != "model":
        return f"{way}:{body.get(way, '')}"
    packaged = spec.models.get(str(body.get("model")))
    match packaged.spec.source if packaged else None:
        case HubSource(repository):
            return f"huggingface:{repository}"
        case PackageSource(package, folder):
            return f"package:{package}/{folder}"
        case PathSource(path):
            return f"path:{path}"
    return "unknown"
