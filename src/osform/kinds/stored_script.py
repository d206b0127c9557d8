"""Stored scripts: Painless, and Mustache templates of searches."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from osform.core.request import Request
from osform.core.values import leaves
from osform.kinds import checks
from osform.kinds.base import Body, Context, Finding, Last, Live, Send, Step, Wanted
from osform.kinds.defaults import drift, expendable, needs, refusal, remarks  # noqa: F401 - parts of the kind

KIND = "stored_script"
KEYS = frozenset({"script"})
OUTPUTS = frozenset({"name"})
PASSED: frozenset[str] = frozenset()
EVENTUAL = False


def check(name: str, body: Body, context: Context) -> Iterator[Finding]:
    """A script with its language and its source; a source that is a mapping has nothing in it that comes later."""
    yield from checks.named(name, "a script")
    yield from checks.required(body, ("script",))
    yield from checks.typed(body, {"script": dict})
    script = body.get("script")
    if not isinstance(script, dict):
        return
    yield from checks.required(script, ("lang", "source"), ("script",))
    yield from checks.typed(script, {"lang": str, "source": (str, dict), "options": dict}, ("script",))
    for path, value in leaves(script["source"]) if isinstance(script.get("source"), dict) else ():
        if checks.open_ended(value):
            hint = "write the whole source as text: source: '{...}'"
            yield Finding(("script", "source", *path), f"{checks.described(value)}, inside a mapping", hint)


def expand(name: str, body: Body, context: Context) -> Body:
    """The source as text: the server makes that of a mapping."""
    script = dict(body["script"])
    if isinstance(script["source"], dict):
        script["source"] = json.dumps(script["source"], separators=(",", ":"), ensure_ascii=False)
    return {"script": script}


def known(name: str, body: Body, context: Context) -> Mapping[str, Any]:
    """The name."""
    return {"name": name}


def reads(wanted: Mapping[str, Wanted]) -> Sequence[Request]:
    """All scripts in one request, for which only the cluster's state will do."""
    return [Request("GET", "/_cluster/state/metadata", params={"filter_path": "metadata.stored_scripts"})]


def found(answers: Sequence[Any], wanted: Mapping[str, Wanted]) -> Mapping[str, Live]:
    """By name, without the content type that the server notes for a template."""
    stored = (answers[0] or {}).get("metadata", {}).get("stored_scripts", {})
    return {name: Live({"script": _script(stored[name])}) for name in wanted if name in stored}


def _script(stored: Mapping[str, Any]) -> dict[str, Any]:
    options = {key: value for key, value in stored.get("options", {}).items() if key != "content_type"}
    script = {key: value for key, value in stored.items() if key != "options"}
    return script | ({"options": options} if options else {})


def create(name: str, asked: Body, ids: Mapping[str, str]) -> Sequence[Step]:
    """Put it."""
    return [Send(Request("PUT", f"/_scripts/{quote(name, safe='')}", dict(asked)))]


def update(name: str, asked: Body, live: Live, last: Last) -> Sequence[Step]:
    """Put it again."""
    return create(name, asked, {})


def delete(name: str, live: Live) -> Sequence[Step]:
    """Delete it."""
    return [Send(Request("DELETE", f"/_scripts/{quote(name, safe='')}"))]


def outputs(name: str, live: Live) -> Mapping[str, Any]:
    """The name."""
    return {"name": name}
