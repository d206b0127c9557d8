"""Cluster settings: any key, dotted or nested. Only keys that this stack set are ever unset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from osform.core.request import Request
from osform.kinds import checks
from osform.kinds.base import Body, Context, Finding, Last, Live, Send, Step, Wanted
from osform.kinds.defaults import drift, expendable, needs, refusal, remarks  # noqa: F401 - parts of the kind
from osform.kinds.settings import flat

KIND = "cluster_settings"
KEYS = frozenset({"persistent", "transient"})
OUTPUTS: frozenset[str] = frozenset()
PASSED: frozenset[str] = frozenset()
EVENTUAL = False


def check(name: str, body: Body, context: Context) -> Iterator[Finding]:
    """Both parts are mappings, and every key has a value."""
    yield from checks.typed(body, {"persistent": dict, "transient": dict})
    for part in sorted(KEYS):
        yield from checks.settings(body.get(part, {}), (part,))
    if not any(expand(name, body, context).values()):
        yield Finding((), "no setting in it", "add persistent: {KEY: VALUE}, or remove the file")


def expand(name: str, body: Body, context: Context) -> Body:
    """Flat keys and text values; a part without a setting asks for nothing."""
    parts = {part: flat(settings) for part, settings in body.items() if isinstance(settings, dict)}
    return {part: settings for part, settings in parts.items() if settings}


def known(name: str, body: Body, context: Context) -> Mapping[str, Any]:
    """Settings have no outputs."""
    return {}


def reads(wanted: Mapping[str, Wanted]) -> Sequence[Request]:
    """All settings that anybody set."""
    return [Request("GET", "/_cluster/settings", params={"flat_settings": "true"})]


def found(answers: Sequence[Any], wanted: Mapping[str, Wanted]) -> Mapping[str, Live]:
    """Of what is set, the keys that each resource asks for or asked for."""
    live: dict[str, Live] = {}
    for name, want in wanted.items():
        body: dict[str, dict[str, Any]] = {}
        for part in sorted(KEYS):
            keys = {*want.asked.get(part, {}), *want.recorded.get(part, {})}
            values = {key: value for key, value in (answers[0] or {}).get(part, {}).items() if key in keys}
            if values:
                body[part] = values
        if body or want.recorded:
            live[name] = Live(body)
    return live


def create(name: str, asked: Body, ids: Mapping[str, str]) -> Sequence[Step]:
    """One request for all keys."""
    return [Send(Request("PUT", "/_cluster/settings", dict(asked)))]


def update(name: str, asked: Body, live: Live, last: Last) -> Sequence[Step]:
    """Set what is asked, and unset what was ours and is no longer asked."""
    body = {
        part: {**dict.fromkeys(last.asked.get(part, {})), **asked.get(part, {})}
        for part in sorted(KEYS)
        if last.asked.get(part) or asked.get(part)
    }
    return [Send(Request("PUT", "/_cluster/settings", body))]


def delete(name: str, live: Live) -> Sequence[Step]:
    """Unset the keys that are ours."""
    body = {part: dict.fromkeys(settings) for part, settings in live.body.items()}
    return [Send(Request("PUT", "/_cluster/settings", body))] if body else []


def outputs(name: str, live: Live) -> Mapping[str, Any]:
    """Settings have no outputs."""
    return {}
