"""Tenants of the security plugin: spaces of Dashboards."""

from __future__ import annotations

from collections.abc import Iterator

from osform.kinds import checks
from osform.kinds.base import Body, Context, Finding
from osform.kinds.defaults import drift, expendable, needs, refusal, remarks  # noqa: F401 - parts of the kind
from osform.kinds.security import Document

KIND = "tenant"
KEYS = frozenset({"description"})
OUTPUTS = frozenset({"name"})
PASSED: frozenset[str] = frozenset()
EVENTUAL = False

_api = Document("tenants")
expand, known, reads, found = _api.expand, _api.known, _api.reads, _api.found
create, update, delete, outputs = _api.create, _api.update, _api.delete, _api.outputs


def check(name: str, body: Body, context: Context) -> Iterator[Finding]:
    """A description, which is all that there is to a tenant."""
    yield from checks.typed(body, {"description": str})
    yield from checks.required(body, ("description",))
