"""Role mappings of the security plugin: who has the role of the same name."""

from __future__ import annotations

from collections.abc import Iterator

from osform.kinds import checks
from osform.kinds.base import Body, Context, Finding
from osform.kinds.defaults import drift, expendable, needs, refusal, remarks  # noqa: F401 - parts of the kind
from osform.kinds.security import Document

KIND = "role_mapping"
KEYS = frozenset({"users", "backend_roles", "and_backend_roles", "hosts", "description"})
OUTPUTS = frozenset({"name"})
PASSED: frozenset[str] = frozenset()
EVENTUAL = False

_api = Document("rolesmapping")
expand, known, reads, found = _api.expand, _api.known, _api.reads, _api.found
create, update, delete, outputs = _api.create, _api.update, _api.delete, _api.outputs


def check(name: str, body: Body, context: Context) -> Iterator[Finding]:
    """Lists of names, of which one at least has something in it."""
    yield from checks.typed(body, dict.fromkeys(sorted(KEYS - {"description"}), list) | {"description": str})
    if not any(body.get(key) for key in KEYS - {"description"}):
        yield Finding((), "nobody is named, so that nobody gets the role", "add users: [...] or backend_roles: [...]")
