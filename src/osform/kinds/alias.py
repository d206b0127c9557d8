"""Aliases over one or several indices, each with a filter, routing, or as the one to write to.

The body lists what stands under ``add`` in a request to ``_aliases``: ``indices: [{index: images, filter: ...}]``, or
names alone. An index resource is meant by its name, and the alias is put on the physical index behind it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from osform.core.address import Address
from osform.core.diff import Difference
from osform.core.request import Request
from osform.kinds import alias_options, checks
from osform.kinds.base import Body, Context, Finding, Last, Live, Send, Step, Wanted
from osform.kinds.defaults import drift, expendable, remarks  # noqa: F401 - parts of the kind
from osform.kinds.index import behind

KIND = "alias"
KEYS = frozenset({"indices"})
OUTPUTS = frozenset({"name"})
PASSED: frozenset[str] = frozenset()
EVENTUAL = False

_TAKEN = "an index of this name"


def check(name: str, body: Body, context: Context) -> Iterator[Finding]:
    """At least one index, each once, and at most one of them to write to."""
    yield from checks.named(name, "an alias")
    yield from checks.required(body, ("indices",))
    yield from checks.typed(body, {"indices": list})
    if not isinstance(body.get("indices"), list):
        return
    if not body["indices"]:
        yield Finding(("indices",), "no index in it", "write indices: [${index/NAME.name}], or remove the file")
    seen: set[str] = set()
    hidden: set[bool] = set()
    writers = 0
    for number, item in enumerate(body["indices"]):
        found = list(_check_item(name, item, number))
        yield from found
        if found:
            continue
        index, options = _item(item)
        if index in seen:
            yield Finding(("indices", number), f"{index} is there already", "write each index once")
        seen.add(index)
        writers += options.get("is_write_index") is True
        hidden.add(options.get("is_hidden") is True)
    if len(hidden) > 1:
        yield Finding(
            ("indices",), "hidden on some indices and not on others", "write is_hidden: true for each, or none"
        )
    if writers > 1:
        yield Finding(("indices",), f"{writers} indices to write to", "let one of them have is_write_index: true")


def _check_item(name: str, item: Any, number: int) -> Iterator[Finding]:
    path = ("indices", number)
    if isinstance(item, dict):
        yield from checks.required(item, ("index",), path)
        yield from alias_options.check({key: value for key, value in item.items() if key != "index"}, path)
    elif not isinstance(item, str):
        yield Finding(path, *checks.otherwise(item, str, dict))
        return
    index = item.get("index", "") if isinstance(item, dict) else item
    where = (*path, "index") if isinstance(item, dict) else path
    if not isinstance(index, str):
        yield Finding(where, *checks.otherwise(index, str))
    elif index == name:
        yield Finding(where, f"{name!r} is the alias itself", "write the name of an index")
    elif set(index) & set("*,"):
        hint = "a pattern would be looked up once and never again: write the names out"
        yield Finding(where, f"{index!r} is no name of one index", hint)


def _item(item: Any) -> tuple[str, dict[str, Any]]:
    if isinstance(item, dict):
        return item["index"], {key: value for key, value in item.items() if key != "index"}
    return item, {}


def expand(name: str, body: Body, context: Context) -> Body:
    """The options by physical index."""
    indices: dict[str, Any] = {}
    for index, options in map(_item, body["indices"]):
        indices[behind(index, context) if index in context.indices else index] = alias_options.normal(options)
    return {"indices": indices}


def known(name: str, body: Body, context: Context) -> Mapping[str, Any]:
    """The name."""
    return {"name": name}


def needs(body: Body) -> Iterator[Address]:
    """The indices that it names plainly."""
    listed = body.get("indices")
    for item in listed if isinstance(listed, list) else ():
        index = item.get("index") if isinstance(item, dict) else item
        if isinstance(index, str):
            yield Address("index", index)


def reads(wanted: Mapping[str, Wanted]) -> Sequence[Request]:
    """All aliases of the cluster in one request, hidden ones too."""
    return [Request("GET", "/_alias", params={"expand_wildcards": "all"})]


def found(answers: Sequence[Any], wanted: Mapping[str, Wanted]) -> Mapping[str, Live]:
    """The indices that each alias is on. Where an index itself has the name, that is what is there."""
    stored: Mapping[str, Any] = answers[0] or {}
    live: dict[str, Live] = {}
    for name in wanted:
        if name in stored:
            live[name] = Live({_TAKEN: name})
            continue
        indices = {index: each["aliases"][name] for index, each in stored.items() if name in each.get("aliases", {})}
        if indices:
            live[name] = Live({"indices": indices})
    return live


def refusal(changed: Sequence[Difference], live: Live) -> str | None:
    """An alias moves freely, unless an index has taken its name."""
    return f"{live.body[_TAKEN]!r} is the name of an index on the cluster" if _TAKEN in live.body else None


def create(name: str, asked: Body, ids: Mapping[str, str]) -> Sequence[Step]:
    """One request puts it on all its indices."""
    return [_actions(_added(name, asked))]


def update(name: str, asked: Body, live: Live, last: Last) -> Sequence[Step]:
    """One request takes it off the old indices and puts it on the new ones, so that no search finds it missing."""
    gone = [index for index in live.body.get("indices", {}) if index not in asked["indices"]]
    return [_actions(_added(name, asked) + _removed(name, gone))]


def delete(name: str, live: Live) -> Sequence[Step]:
    """Take it off every index that it is on; an index that has taken its name is somebody else's."""
    indices = live.body.get("indices", {})
    return [_actions(_removed(name, indices))] if indices else []


def outputs(name: str, live: Live) -> Mapping[str, Any]:
    """The name."""
    return {"name": name}


def _added(name: str, asked: Body) -> list[dict[str, Any]]:
    return [{"add": {"index": index, "alias": name, **options}} for index, options in asked["indices"].items()]


def _removed(name: str, indices: Sequence[str] | Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"remove": {"index": index, "alias": name}} for index in indices]


def _actions(actions: list[dict[str, Any]]) -> Send:
    return Send(Request("POST", "/_aliases", {"actions": actions}))
