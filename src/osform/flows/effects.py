"""What a change reaches besides its own resource: a model's pipelines, and the vectors that were made with them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from osform.core.address import Address
from osform.core.plan import OWN, Change, Create, Effect
from osform.core.resource import StackSpec
from osform.flows.resolving import Resolver
from osform.kinds import consistency, pipelines
from osform.kinds.base import Live

# Keys at the top of a body that nobody who uses the resource takes notice of.
_UNNOTICED = frozenset({"description", "version", "_meta", "rate_limiter", "access_mode", "backend_roles", OWN})


def with_effects(
    changes: Iterable[Change],
    spec: StackSpec,
    needs: Mapping[Address, Iterable[Address]],
    live: Mapping[Address, Live],
) -> tuple[Change, ...]:
    """The same changes, each with its effects. ``needs`` are what each resource uses, those included that will go.

    What nobody has used yet (a creation) has none, nor has what users don't notice (a description). Settings allow
    and don't carry, so that what needs them is not counted as using them.
    """
    users: dict[Address, list[Address]] = {}
    for address, used in needs.items():
        for each in used:
            if each.kind != "cluster_settings":
                users.setdefault(each, []).append(address)
    return tuple(
        replace(change, effects=tuple(_effects(change.address, users, spec, live))) if _noticed(change) else change
        for change in changes
    )


def _noticed(change: Change) -> bool:
    if isinstance(change, Create):
        return change.reason == "drifted"  # somebody took away what others use
    return any(not difference.path or difference.path[0] not in _UNNOTICED for difference in change.differences)


def _effects(
    changed: Address, users: Mapping[Address, list[Address]], spec: StackSpec, live: Mapping[Address, Live]
) -> Iterator[Effect]:
    seen, waiting = {changed}, deque([changed])
    while waiting:
        through = waiting.popleft()
        for address in sorted(users.get(through, ())):
            if address not in seen and address in live:
                seen.add(address)
                waiting.append(address)
                index = address.kind == "index"
                documents = live[address].documents if index else None
                yield Effect(address, through, documents, _vectors(through, spec) if index else ())


def _vectors(pipeline: Address, spec: StackSpec) -> tuple[str, ...]:
    if pipeline.kind != "ingest_pipeline" or pipeline not in spec.resources:
        return ()
    body = Resolver(spec, {}, {}).body(spec.resources[pipeline])
    maps = [options.get("field_map") for options in consistency.embeddings(body)]
    return tuple(sorted({target for each in maps for _, target in pipelines.pairs(each)}))
