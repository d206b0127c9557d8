"""Model groups: who may see and use a set of models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from osform.core.diff import ABSENT, Difference
from osform.core.request import Request
from osform.kinds import checks, ml
from osform.kinds.base import Body, Context, CreateGroup, Finding, Last, Live, RemoveGroup, Send, Step, Wanted
from osform.kinds.defaults import drift, expendable, needs, refusal  # noqa: F401 - parts of the kind
from osform.kinds.unasked import put_back

KIND = "model_group"
KEYS = frozenset({"name", "description", "access_mode", "backend_roles", "add_all_backend_roles"})
OUTPUTS = frozenset({"model_group_id"})
PASSED: frozenset[str] = frozenset()
EVENTUAL = True


def check(name: str, body: Body, context: Context) -> Iterator[Finding]:
    """Types of the fields, and nothing that can't be read back."""
    yield from checks.typed(body, {"name": str, "description": str, "access_mode": str, "backend_roles": list})
    yield from checks.own_roles(body)


def expand(name: str, body: Body, context: Context) -> Body:
    """The group is called like its file where it has no ``name``; a blank description is none."""
    return {"name": name, **{key: value for key, value in body.items() if (key, value) != ("description", "")}}


def known(name: str, body: Body, context: Context) -> Mapping[str, Any]:
    """The id is the server's to give."""
    return {}


def reads(wanted: Mapping[str, Wanted]) -> Sequence[Request]:
    """All groups; there are few."""
    return [ml.all_groups(size=1000)]


def found(answers: Sequence[Any], wanted: Mapping[str, Wanted]) -> Mapping[str, Live]:
    """By the id that the ledger remembers, else by name, which is unique on a cluster."""
    groups = {hit["_id"]: hit["_source"] for hit in (answers[0] or {}).get("hits", {}).get("hits", [])}
    by_name = {source.get("name"): group_id for group_id, source in groups.items()}
    live: dict[str, Live] = {}
    for name, want in wanted.items():
        group_id = want.ids.get("model_group_id")
        if group_id not in groups:
            group_id = by_name.get(want.asked.get("name", name))
        if group_id is not None:
            live[name] = Live(_body(groups[group_id]), {"model_group_id": group_id})
    return live


def _body(source: Mapping[str, Any]) -> Body:
    kept = {key: source[key] for key in ("name", "description", "backend_roles") if source.get(key) not in (None, "")}
    return kept | ({"access_mode": source["access"]} if source.get("access") else {})


def remarks(changed: Sequence[Difference]) -> Sequence[str]:
    """What stays although the files no longer ask for it."""
    gone = sorted({str(each.path[0]) for each in changed if each.after is ABSENT})
    return [f"{key} stays: OpenSearch can't take it away from a model group" for key in gone]


def create(name: str, asked: Body, ids: Mapping[str, str]) -> Sequence[Step]:
    """Register it."""
    return [CreateGroup(ml.register_group(asked))]


def update(name: str, asked: Body, live: Live, last: Last) -> Sequence[Step]:
    """Send all fields again, and put back what somebody changed by hand. The server ignores a field that is empty."""
    fields = {**put_back(asked, live.body, last, KEYS, {}), **asked}
    return [Send(ml.put_group(live.ids["model_group_id"], fields))]


def delete(name: str, live: Live) -> Sequence[Step]:
    """Delete the group, which the server refuses while it has models."""
    return [RemoveGroup(live.ids["model_group_id"])]


def outputs(name: str, live: Live) -> Mapping[str, Any]:
    """The id."""
    return dict(live.ids)
