"""Connectors of ML Commons: how models that run elsewhere are asked.

ML Commons' own ``${parameters.x}`` and ``${credential.x}`` pass through. Credentials never come back from the server:
they are compared by the fingerprint of what was sent.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from osform.core.diff import ABSENT, Difference, differences, missing
from osform.core.document import dotted
from osform.core.request import Request
from osform.core.values import Secret, concealed, leaves, replaced
from osform.kinds import checks, ml, settings
from osform.kinds.base import (
    Body,
    Context,
    CreateConnector,
    Finding,
    Last,
    Live,
    RemoveConnector,
    Step,
    UpdateConnector,
    Wanted,
)
from osform.kinds.defaults import needs  # noqa: F401 - parts of the kind
from osform.kinds.unasked import put_back

KIND = "connector"
KEYS = frozenset({
    "name", "description", "version", "protocol", "url", "headers", "parameters", "credential", "actions",
    "client_config", "access_mode", "backend_roles", "add_all_backend_roles",
})  # fmt: skip
OUTPUTS = frozenset({"connector_id"})
PASSED = frozenset({"parameters", "credential"})
EVENTUAL = True

_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "name": str, "description": str, "version": (int, str), "protocol": str, "url": str, "headers": dict,
    "parameters": dict, "credential": dict, "actions": list, "client_config": dict, "access_mode": str,
    "backend_roles": list, "add_all_backend_roles": bool,
}  # fmt: skip
_ACTION: Mapping[str, type | tuple[type, ...]] = {
    "action_type": str, "name": str, "method": str, "url": str, "headers": dict, "request_body": str,
    "pre_process_function": str, "post_process_function": str,
}  # fmt: skip


def check(name: str, body: Body, context: Context) -> Iterator[Finding]:
    """Types, what an action must say, and that no credential stands in the file."""
    yield from checks.required(body, ("version", "protocol"))
    yield from checks.typed(body, _TYPES)
    yield from checks.own_roles(body)
    yield from _check_actions(body.get("actions"))
    yield from _check_parameters(body.get("parameters"))
    for path, value in leaves(body.get("credential", {}), ("credential",)):
        # A role or the name of a secret is no secret: AWS has both in a connector's credential.
        if len(path) > 1 and not checks.open_ended(value) and not str(path[-1]).lower().endswith("arn"):
            hint = f"write {path[-1]}: ${{env.NAME}}, and give it in the environment"
            yield Finding(path, "a credential in a file", hint)


def _check_actions(actions: Any) -> Iterator[Finding]:
    for number, action in enumerate(actions if isinstance(actions, list) else ()):
        path = ("actions", number)
        if not isinstance(action, dict):
            yield Finding(path, *checks.otherwise(action, dict))
            continue
        yield from checks.required(action, ("action_type", "method", "url"), path)
        yield from checks.typed(action, _ACTION, path)


def _check_parameters(parameters: Any) -> Iterator[Finding]:
    for key, value in parameters.items() if isinstance(parameters, dict) else ():
        if value is None:
            yield Finding(("parameters", key), "nothing, expected a value", "leave the key out")
        if isinstance(value, dict | list) and any(checks.open_ended(leaf) for _, leaf in leaves(value)):
            hint = "write the whole parameter as text"
            yield Finding(
                ("parameters", key), "a reference inside a list or mapping, which the server keeps as text", hint
            )


def expand(name: str, body: Body, context: Context) -> Body:
    """As the server gives it back: version and parameters as text, types of actions in capitals."""
    return {"name": name, **_normal(body)}


def _normal(body: Body) -> dict[str, Any]:
    result = {key: value for key, value in body.items() if value is not None}
    if "version" in result:
        result["version"] = settings.text(result["version"])
    if "parameters" in result:
        result["parameters"] = {key: _parameter(value) for key, value in result["parameters"].items()}
    if "actions" in result:
        result["actions"] = [_action(action) for action in result["actions"]]
    return result


def _parameter(value: Any) -> Any:
    if isinstance(value, dict | list):
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return settings.text(value)


def _action(action: Mapping[str, Any]) -> dict[str, Any]:
    kind = action.get("action_type")
    kept = {key: value for key, value in action.items() if value is not None}
    return {**kept, "action_type": kind.upper() if isinstance(kind, str) else kind}


def known(name: str, body: Body, context: Context) -> Mapping[str, Any]:
    """The id is the server's to give."""
    return {}


def reads(wanted: Mapping[str, Wanted]) -> Sequence[Request]:
    """All connectors; there are few."""
    return [ml.all_connectors(size=10_000)]


def found(answers: Sequence[Any], wanted: Mapping[str, Wanted]) -> Mapping[str, Live]:
    """By the id that the ledger remembers, or the tag. Credentials are taken to be as they were sent."""
    stored = {hit["_id"]: _body(hit["_source"]) for hit in (answers[0] or {}).get("hits", {}).get("hits", [])}
    live: dict[str, Live] = {}
    for name, want in wanted.items():
        made = sorted(ml.made_by(want.ids, stored))
        connector_id = want.ids.get("connector_id")
        if connector_id not in stored:
            connector_id = next(iter(made), None)
        if connector_id is None and "connector_id" not in want.ids and want.adopt is not None:
            connector_id = _alike(want.asked, {key: stored[key] for key in sorted(stored) if key not in want.adopt})
        if connector_id is not None:
            credential = {"credential": want.asked["credential"]} if want.asked.get("credential") else {}
            strays = tuple(key for key in made if key != connector_id)
            live[name] = Live({**stored[connector_id], **credential}, {"connector_id": connector_id}, strays=strays)
    return live


def _body(source: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: source[key] for key in sorted(KEYS - {"credential"}) if key in source}
    return _normal(kept | ({"access_mode": source["access"]} if source.get("access") else {}))


def _alike(asked: Body, stored: Mapping[str, Body]) -> str | None:
    """The id of the connector of this name that has all that is asked, but for credentials, which nobody can see.

    A secret that stands elsewhere, in an address say, the server does show.
    """
    shown = replaced(
        {key: value for key, value in asked.items() if key != "credential"},
        lambda leaf: leaf.value if isinstance(leaf, Secret) else leaf,
    )
    return next((key for key, body in stored.items() if not missing(concealed(shown), body)), None)


def drift(recorded: Body, live: Body) -> tuple[Difference, ...]:
    """Any field that is otherwise now, of those that the server shows."""
    return differences(
        *({key: value for key, value in body.items() if key != "credential"} for body in (recorded, live))
    )


def refusal(changed: Sequence[Difference], live: Live) -> str | None:
    """The protocol decides what the rest means, and the server keeps it."""
    if any(difference.path[:1] == ("protocol",) for difference in changed):
        return "another protocol makes it another connector, and models hold on to this one"
    return None


def expendable(live: Live) -> bool:
    """One that was never finished: nothing uses it."""
    return ml.tagged(live.body.get("description"))


def remarks(changed: Sequence[Difference]) -> Sequence[str]:
    """What stays, since the server takes no field away; and who is interrupted."""
    left = [d.path for d in changed if d.after is ABSENT and d.path[0] not in ("actions", *ml.BLANK)]
    gone = sorted(map(dotted, left))
    kept = [f"{path} stays: OpenSearch can't delete fields from a connector" for path in gone]
    return [*kept, "models that use it are undeployed meanwhile, and deployed again"]


def create(name: str, asked: Body, ids: Mapping[str, str]) -> Sequence[Step]:
    """Make it, once."""
    return [CreateConnector(ml.create_connector(asked))]


def update(name: str, asked: Body, live: Live, last: Last) -> Sequence[Step]:
    """Send it whole while no model uses it."""
    bare = {"description": ""} if ml.tagged(live.body.get("description")) else {}
    fields = {**bare, **put_back(asked, live.body, last, KEYS, ml.BLANK), **asked}
    return [UpdateConnector(ml.put_connector(live.ids["connector_id"], fields))]


def delete(name: str, live: Live) -> Sequence[Step]:
    """Delete it, which the server refuses while a model uses it."""
    return [RemoveConnector(live.ids["connector_id"])]


def outputs(name: str, live: Live) -> Mapping[str, Any]:
    """The id."""
    return {"connector_id": live.ids["connector_id"]} if "connector_id" in live.ids else {}
