"""Safe removal: whoever on the cluster still uses what is about to go, found and named before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from osform.core.address import Address
from osform.core.document import Path, dotted
from osform.core.plan import Delete, Plan
from osform.core.request import Request
from osform.core.state import Entry
from osform.core.values import leaves
from osform.errors import PlanRefused, RequestFailed
from osform.flows import owning
from osform.flows.looking import Eyes
from osform.flows.survey import Survey
from osform.kinds import ml

_EVERY = {"expand_wildcards": "all", "flat_settings": "true", "ignore_unavailable": "true"}
_PIPELINES = "index.default_pipeline,index.final_pipeline,index.search.default_pipeline"
_MOST = 10_000


@dataclass(frozen=True, order=True)
class Use:
    """One place on the cluster that names a resource: the user, where in it, and whose it is."""

    address: Address
    user: Address
    where: str
    owner: str = ""

    def __str__(self) -> str:
        whose = f"belongs to the stack {self.owner}" if self.owner else "belongs to no stack"
        return f"{self.address} is still used by {self.user} ({self.where}), which {whose}"


@dataclass(frozen=True)
class _Thing:
    """What may use something: its kind with the name that the server has for it, and its body."""

    user: Address
    body: Any


def uses(plan: Plan, survey: Survey, eyes: Eyes) -> tuple[Use, ...]:
    """Everything that would be left pointing at nothing, that of others too. No request where nothing is deleted."""
    going = [change.address for change in plan.changes if isinstance(change, Delete)]
    searched = {address: find for address in going if (find := _search(survey, address))}
    if not searched:
        return ()
    owners = {user: name for name, entry in survey.state.others for user in _users(entry)}
    mine = {user: address for address in survey.state.entries for user in _mine(survey, address)}
    for entry in [each for each in survey.state.entries.values() if each.role == "next"]:
        mine |= dict.fromkeys(owning.copies_of(entry, survey.state, survey.indices()), entry.address)
    asked = {change.address: change.asked for change in plan.changes}
    found: set[Use] = set()
    for thing in _things(eyes):
        own = mine.get(thing.user)
        if own in going:
            continue
        # What this plan changes counts as it will be.
        body = asked.get(own, thing.body) if own else thing.body
        for address, names in searched.items():
            where = [path for path, leaf in leaves(body) if names(thing.user.kind, path, leaf)]
            if where:
                found.add(Use(address, own or thing.user, dotted(where[0]), _owner(thing.user, own, plan, owners)))
    return tuple(sorted(found))


def _owner(user: Address, own: Address | None, plan: Plan, owners: Mapping[Address, str]) -> str:
    return f"{plan.stack} ({plan.environment})" if own else owners.get(user, "")


def noted(plan: Plan, found: tuple[Use, ...]) -> Plan:
    """The plan with a note at each deletion that can't be made, so that who reads it knows before applying it."""
    changes = tuple(
        replace(change, notes=(*change.notes, *(f"can't go: {use}" for use in found if use.address == change.address)))
        for change in plan.changes
    )
    return replace(plan, changes=changes) if found else plan


def refuse(found: tuple[Use, ...]) -> None:
    """Raise PlanRefused that names every user."""
    if found:
        hint = "let these use something else, or delete them, and run the command again; nothing was deleted"
        raise PlanRefused("\n".join(map(str, found)), hint=hint)


Finder = Callable[[str, Path, Any], bool]


def _search(survey: Survey, address: Address) -> Finder | None:
    """What tells, of a kind of user, a path and a leaf, whether the leaf names the resource; None where nobody can."""
    ids = _found(survey, address).ids
    match address.kind:
        case "model":
            return _anywhere(ids.get("model_id"))
        case "connector":
            return _anywhere(ids.get("connector_id"))
        case "model_group":
            return _anywhere(ids.get("model_group_id"))
        case "ingest_pipeline":
            return _pipeline({address.name, *filter(None, ids.get("copies", "").split(","))})
        case "search_pipeline":
            return lambda _, path, leaf: leaf == address.name and _setting(path) == "index.search.default_pipeline"
        case "component_template":
            return lambda kind, path, leaf: kind == "index_template" and "composed_of" in path and leaf == address.name
        case "stored_script":
            return lambda kind, path, leaf: kind.endswith("_pipeline") and path[-1] == "id" and leaf == address.name
        case _:
            return None


def _anywhere(name: str | None) -> Finder | None:
    return (lambda _kind, _path, leaf: leaf == name) if name else None


def _pipeline(names: set[str]) -> Finder:
    def names_it(kind: str, path: Path, leaf: Any) -> bool:
        if not isinstance(leaf, str) or leaf not in names:
            return False
        calls = kind == "ingest_pipeline" and path[-2:] == ("pipeline", "name")
        return calls or _setting(path) in ("index.default_pipeline", "index.final_pipeline")

    return names_it


def _setting(path: Path) -> str:
    """The setting that a path leads to, in whatever way it is nested: ``index.default_pipeline``."""
    found = re.search(r"(?:^|\.)settings\.(?:index\.)?(.+)$", ".".join(map(str, path)))
    return f"index.{found[1]}" if found else ""


def _users(entry: Entry) -> Iterator[Address]:
    """The names by which the server knows a resource of a ledger."""
    kind, ids = entry.address.kind, entry.ids
    yield Address(kind, ids.get("index") or ids.get("model_id") or ids.get("connector_id") or entry.address.name)
    for copy in filter(None, ids.get("copies", "").split(",")):
        yield Address(kind, copy)


def _found(survey: Survey, address: Address) -> Entry:
    """An entry with the ids by which it was found: of what was never finished the ledger may have no id."""
    entry, live = survey.state.entries[address], survey.live.get(address)
    return replace(entry, ids={**entry.ids, **live.ids}) if live else entry


def _mine(survey: Survey, address: Address) -> Iterator[Address]:
    yield from _users(_found(survey, address))
    live = survey.live.get(address)
    yield from (Address(address.kind, stray) for stray in (live.strays if live else ()))


def _things(eyes: Eyes) -> Iterator[_Thing]:
    """Whatever on the cluster can name a model, a pipeline, a group, a connector or a template."""
    for kind, path in (("ingest_pipeline", "/_ingest/pipeline"), ("search_pipeline", "/_search/pipeline")):
        yield from (_Thing(Address(kind, name), body) for name, body in (eyes.get(Request("GET", path)) or {}).items())
    indices = eyes.get(Request("GET", f"/_all/_settings/{_PIPELINES}", params=_EVERY)) or {}
    only_models = {"expand_wildcards": "all", "filter_path": "*.mappings.**.model_id"}
    mapped = eyes.get(Request("GET", "/_all/_mapping", params=only_models)) or {}
    for found in (indices, mapped):
        yield from (_Thing(Address("index", name), body) for name, body in found.items())
    for kind in ("index_template", "component_template"):
        listed = (eyes.get(Request("GET", f"/_{kind}")) or {}).get(f"{kind}s", [])
        yield from (_Thing(Address(kind, each["name"]), each[kind]) for each in listed)
    legacy = eyes.get(Request("GET", "/_template", params={"flat_settings": "true"})) or {}
    yield from (_Thing(Address("template", name), body) for name, body in legacy.items())
    hits = (eyes.get(ml.all_models(size=_MOST)) or {}).get("hits", {}).get("hits", [])
    yield from (_Thing(Address("model", hit["_id"]), hit["_source"]) for hit in hits)
    yield from (_Thing(Address("agent", hit["_id"]), hit["_source"]) for hit in _agents(eyes))


def _agents(eyes: Eyes) -> list[Any]:
    body = {"query": {"match_all": {}}, "size": 1000}
    try:
        answer = eyes.get(Request("POST", f"{ml.BASE}/agents/_search", body))
    except RequestFailed as error:
        if error.status not in (400, 403, 405):
            raise
        return []  # a cluster whose agent framework is off has no agent that could use anything
    return list(answer["hits"]["hits"]) if answer else []
