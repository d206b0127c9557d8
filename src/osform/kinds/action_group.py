"""Action groups of the security plugin: a name for several permissions."""

from __future__ import annotations

from collections.abc import Iterator

from osform.kinds import checks
from osform.kinds.base import Body, Context, Finding
from osform.kinds.defaults import drift, expendable, needs, refusal, remarks  # noqa: F401 - parts of the kind
from osform.kinds.security import Document

KIND = "action_group"
KEYS = frozenset({"allowed_actions", "type", "description"})
OUTPUTS = frozenset({"name"})
PASSED: frozenset[str] = frozenset()
EVENTUAL = False

_api = Document("actiongroups")
expand, known, reads, found = _api.expand, _api.known, _api.reads, _api.found
create, update, delete, outputs = _api.create, _api.update, _api.delete, _api.outputs


def check(name: str, body: Body, context: Context) -> Iterator[Finding]:
    """Something is allowed by it."""
    yield from checks.typed(body, {"allowed_actions": list, "type": str, "description": str})
    yield from checks.required(body, ("allowed_actions",))
