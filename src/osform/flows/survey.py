"""One look at a stack, its ledger and the cluster, from which plans are made."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from osform.core.address import Address
from osform.core.resource import StackSpec
from osform.core.state import State
from osform.flows import owning
from osform.flows.looking import Eyes
from osform.flows.owning import Adoption
from osform.flows.resolving import Resolver, context_of, needs_of, order_of, pipelines_of
from osform.kinds import KINDS, index
from osform.kinds.base import Body, Context, Live, Wanted


@dataclass(frozen=True)
class Move:
    """The way of an index to a new physical index, ``number``; ``kept`` is what the old one is called afterwards."""

    source: str
    target: str
    number: int
    kept: str


def _no_names(_kind: str) -> frozenset[str]:
    return frozenset()


@dataclass
class Survey:
    """One look at stack, ledger and cluster; a plan is made from it, and an apply goes on with it.

    ``moves`` are the indices that get a new physical index, ``renewed`` the models that are registered anew, each with
    the address that the old one has from then on. ``rebuild`` are indices that are to move although nothing in the
    files asks for it. ``order`` is what each change waits for, where that is not simply
    what it needs. ``aside`` are the index templates that are put aside before another one, with their bodies meanwhile,
    and ``carried`` the aliases on indices that are made anew, which take them along or lose them. ``names`` gives those
    that are taken on the cluster, by kind.
    """

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
    moves: dict[Address, Move] = field(default_factory=dict)
    renewed: dict[Address, Address] = field(default_factory=dict)
    rebuild: frozenset[Address] = frozenset()
    others: Mapping[tuple[str, Address], Mapping[str, Any]] = field(default_factory=dict)
    order: Mapping[Address, tuple[Address, ...]] = field(default_factory=dict)
    aside: dict[Address, tuple[tuple[Address, Body], ...]] = field(default_factory=dict)
    carried: set[Address] = field(default_factory=set)
    names: Callable[[str], frozenset[str]] = _no_names

    @classmethod
    def take(
        cls,
        spec: StackSpec,
        state: State,
        environ: Mapping[str, str],
        eyes: Eyes,
        adoption: Adoption | None = None,
        now: Callable[[], float] = time.time,
    ) -> Survey:
        """Look up everything that the stack asks for or the ledger remembers. ``now`` is in seconds since 1970."""
        state, moved = owning.renamed(spec, owning.less_finished(state))
        survey = cls(
            spec,
            state,
            environ,
            needs=needs_of(spec),
            others=owning.outputs_of_others(state, spec.environment),
            adoption=adoption or Adoption(),
            moved=moved,
        )
        eyes = eyes.remembering()
        survey.names = eyes.names
        survey.context = context_of(spec, *survey._numbers())
        live = owning.less_others(eyes.look(survey._wanted()), spec, state)
        survey.live = {address: index.as_left(each, now()) for address, each in live.items()}
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
        return Resolver(self.spec, self.outputs, self.environ, self.state.key, self.others)

    def learn(self, address: Address, live: Live | None) -> None:
        """Remember the outputs of a resource: those known anyway, and where it is live those of the server."""
        kind = KINDS[address.kind]
        known = dict(kind.known(address.name, self.resolver.body(self.spec.resources[address]), self.context))
        self.outputs[address] = known | dict(kind.outputs(address.name, live) if live else {})

    def asked(self, address: Address) -> Body:
        """The whole body that is wanted of a resource, as far as it is known."""
        body = self.resolver.body(self.spec.resources[address])
        return KINDS[address.kind].expand(address.name, body, self.context)

    def indices(self) -> list[Body]:
        """The bodies that are wanted of all indices."""
        return [self.asked(address) for address in self.spec.resources if address.kind == "index"]

    def wanted(self, address: Address) -> Wanted:
        """How to find a resource on the cluster."""
        adopt = owning.ids_of_others(self.state, address.kind) if self._may_adopt(address) else None
        entry = self.state.entries.get(address)
        asked: Body = self.asked(address) if address in self.spec.resources else entry.asked if entry else {}
        ids = dict(entry.ids if entry else self.adoption.ids.get(address, {}))
        kinds = {"ingest_pipeline": self.context.copies, "search_pipeline": self.context.searches}
        copies = kinds.get(address.kind, {}).get(address.name, ())
        if copies:
            ids["copies"] = ",".join(copies)
        return Wanted(asked, entry.recorded if entry else {}, ids, adopt)

    def _wanted(self) -> dict[Address, Wanted]:
        return {address: self.wanted(address) for address in {**self.spec.resources, **self.state.entries}}

    def waits_for(self, address: Address) -> tuple[Address, ...]:
        """What must be done before a resource's change."""
        return self.order.get(address, self.needs.get(address, ()))

    def _may_adopt(self, address: Address) -> bool:
        return address not in self.state.entries and self.adoption.covers(address)

    def _numbers(self) -> tuple[dict[str, int], dict[str, str]]:
        used = pipelines_of(self.spec)
        kinds = {pipeline.kind for each in used.values() for pipeline in each}
        taken = {Address(kind, name) for kind in kinds for name in self.names(kind)}
        return owning.numbers(self.state, self.spec.resources, used, taken - owning.copies(self.state))

    def _number_indices(self) -> None:
        # What is taken over keeps its physical index; one that somebody deleted is made anew under osform's own name.
        versions, named = self._numbers()
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
