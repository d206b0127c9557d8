"""References followed: in which order resources are made, and what their bodies are once values are known."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from osform.core.address import Address
from osform.core.refs import EnvRef, OutputRef, Ref, StackRef, VarRef, references, resolve
from osform.core.resource import Resource, StackSpec, in_order
from osform.core.values import Secret, Unknown
from osform.kinds import KINDS, ingest_pipeline, pipelines, search_pipeline, vectors
from osform.kinds.base import Body, Context
from osform.kinds.index import physical
from osform.kinds.settings import flat


def needs_of(spec: StackSpec) -> dict[Address, tuple[Address, ...]]:
    """For each resource, those of the stack that must be there first."""
    settings = [address for address in spec.resources if address.kind == "cluster_settings"]
    needs: dict[Address, tuple[Address, ...]] = {}
    for address, resource in spec.resources.items():
        kind = KINDS[address.kind]
        found = {ref.address for _, ref in references(resource.body, kind.PASSED) if isinstance(ref, OutputRef)}
        plain = resolve(
            resource.body,
            lambda ref: spec.variables.get(ref.name) if isinstance(ref, VarRef) else str(ref),
            kind.PASSED,
        )
        found |= set(kind.needs(plain))
        if address.kind == "role_mapping":  # it is one by its name, which is no part of its body
            found.add(Address("role", address.name))
        found |= set(settings) if address.kind != "cluster_settings" else set()
        needs[address] = tuple(sorted(found & spec.resources.keys()))
    return needs


def order_of(spec: StackSpec) -> tuple[Address, ...]:
    """The resources in the order in which they are made; raises ``graphlib.CycleError`` on a cycle."""
    return in_order(needs_of(spec))


@dataclass(frozen=True)
class Resolver:
    """Resolves bodies as far as things are known.

    ``outputs`` are those of other resources. ``environ`` is the environment's variables, ``key`` the ledger's salt
    for fingerprints of secrets. ``others`` are outputs of other stacks, by the stack's name and address.
    """

    spec: StackSpec
    outputs: Mapping[Address, Mapping[str, Any]]
    environ: Mapping[str, str]
    key: str | None = None
    others: Mapping[tuple[str, Address], Mapping[str, Any]] = field(default_factory=dict)

    def body(self, resource: Resource) -> dict[str, Any]:
        """The body with variables, secrets and known outputs in place; the rest is Unknown."""
        found = resolve(resource.body, self._look_up, KINDS[resource.address.kind].PASSED)
        assert isinstance(found, dict)
        return found

    def _look_up(self, ref: Ref) -> Any:
        match ref:
            case VarRef(name):
                # An unknown variable has been reported by then; what else is wrong with the body is still of interest.
                return self.spec.variables.get(name, Unknown(str(ref)))
            case EnvRef(name):
                value = self.environ.get(name)
                return Unknown(str(ref)) if value is None else Secret(str(ref), fingerprint(value, self.key), value)
            case OutputRef(address, output) | StackRef(_, address, output):
                mine = self.outputs.get(address, {})
                known = self.others.get((ref.stack, address), {}) if isinstance(ref, StackRef) else mine
                return known[output] if output in known else Unknown(str(ref))


def unanswered(spec: StackSpec, others: Mapping[tuple[str, Address], Mapping[str, Any]]) -> Iterator[str]:
    """References to other stacks that nothing in the ledger answers."""
    for resource in spec.resources.values():
        for path, ref in references(resource.body, KINDS[resource.address.kind].PASSED):
            if isinstance(ref, StackRef) and ref.output not in others.get((ref.stack, ref.address), {}):
                there = (ref.stack, ref.address) in others
                why = f"has no {ref.output} in the ledger" if there else "is not in the ledger"
                yield (
                    f"{resource.place(path)} {resource.address}: {ref}: {ref.address} of the stack {ref.stack} "
                    f"({spec.environment}) {why}"
                )


@cache  # slow on purpose, so once a secret however many there are
def fingerprint(value: str, key: str | None) -> str:
    """A short keyed hash by which two secrets are told apart; slow on purpose, since secrets can be guessed.

    Without a key there is no ledger to compare with, and the fingerprint says only that.
    """
    if key is None:
        return "new"
    return hashlib.scrypt(value.encode(), salt=key.encode(), n=2**14, r=8, p=1, dklen=8).hex()


def context_of(spec: StackSpec, versions: Mapping[str, int], named: Mapping[str, str] | None = None) -> Context:
    """The models, the numbers of physical indices, and the copies of pipelines that embed which these indices need.

    ``named`` gives physical indices whose names are not ``<name>-v<N>``.
    """
    found = Context(spec.models, unreadable=spec.unreadable)
    copies: dict[str, tuple[str, ...]] = {}
    searches: dict[str, tuple[str, ...]] = {}
    made: dict[str, Mapping[str, Mapping[str, str]]] = {}
    bodies, known = _sources(spec, found)
    for address, used in pipelines_of(spec).items():
        for pipeline in used:
            version = versions.get(address.name, 1)
            mine = copies if pipeline.kind == ingest_pipeline.KIND else searches
            mine[pipeline.name] = tuple(sorted({*mine.get(pipeline.name, ()), physical(pipeline.name, version)}))
            if pipeline.kind == ingest_pipeline.KIND:
                made[address.name] = vectors.marks(spec.resources[pipeline].body, bodies, known)
    indices = frozenset(address.name for address in spec.resources if address.kind == "index")
    return Context(spec.models, copies, versions, spec.unreadable, indices, named or {}, searches, made)


def pipelines_of(spec: StackSpec) -> dict[Address, tuple[Address, ...]]:
    """For each index, its pipelines of this stack that name a model, and of which it therefore has copies."""
    names = {each: {"name": each.name} for each in spec.resources if each.kind.endswith("_pipeline")}
    resolver = Resolver(spec, names, {})
    found: dict[Address, tuple[Address, ...]] = {}
    for address, resource in sorted(spec.resources.items()):
        settings = resolver.body(resource).get("settings") if address.kind == "index" else None
        flattened = flat(settings, "index.") if isinstance(settings, dict) else {}
        ingest = Address(ingest_pipeline.KIND, str(flattened.get("index.default_pipeline")))
        search = Address(search_pipeline.KIND, str(flattened.get("index.search.default_pipeline")))
        used = [ingest] if ingest in spec.resources and pipelines.embeds(spec.resources[ingest].body) else []
        used += [search] if search in spec.resources and pipelines.asks(spec.resources[search].body) else []
        if used:
            found[address] = tuple(used)
    return found


def _sources(spec: StackSpec, context: Context) -> tuple[dict[Address, Body], dict[Address, Mapping[str, Any]]]:
    """The bodies of models and connectors, and what is known of the models without a cluster."""
    resolver = Resolver(spec, {}, {})
    resources = spec.resources.items()
    bodies: dict[Address, Body] = {a: resolver.body(each) for a, each in resources if a.kind in ("model", "connector")}
    model = KINDS["model"]
    # What has mistakes is reported elsewhere, and promises nothing.
    sound = [a for a, body in bodies.items() if a.kind == "model" and not any(model.check(a.name, body, context))]
    return bodies, {a: model.known(a.name, bodies[a], context) for a in sound}
