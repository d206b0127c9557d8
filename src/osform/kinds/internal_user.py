"""Users of the security plugin's own database. Hash and password come from the environment, and never back."""

from __future__ import annotations

from collections.abc import Iterator

from osform.core.address import Address
from osform.core.diff import Difference, differences
from osform.core.values import Secret, Unknown
from osform.kinds import checks
from osform.kinds.base import Body, Context, Finding
from osform.kinds.defaults import expendable, refusal, remarks  # noqa: F401 - parts of the kind
from osform.kinds.security import Document

KIND = "internal_user"
SECRETS = frozenset({"hash", "password"})
KEYS = frozenset({"description", "backend_roles", "attributes", "opendistro_security_roles"}) | SECRETS
OUTPUTS = frozenset({"name"})
PASSED: frozenset[str] = frozenset()
EVENTUAL = False
_TYPES = {"description": str, "backend_roles": list, "attributes": dict, "opendistro_security_roles": list}

_api = Document("internalusers", hidden=SECRETS)
expand, known, reads, found = _api.expand, _api.known, _api.reads, _api.found
create, update, delete, outputs = _api.create, _api.update, _api.delete, _api.outputs


def check(name: str, body: Body, context: Context) -> Iterator[Finding]:
    """One of hash and password, and neither of them in the file."""
    yield from checks.typed(body, _TYPES)
    if len(given := sorted(SECRETS & body.keys())) != 1:
        hint = "hash: ${env.NAME}, as the plugin's hash.sh makes it"
        yield Finding((), f"expected either hash or password, found {' and '.join(given) or 'none'}", hint)
    for key in given:
        if not isinstance(body[key], Secret | Unknown):
            yield Finding((key,), f"a {key} in a file", f"write {key}: ${{env.NAME}}, and set NAME where osform runs")


def needs(body: Body) -> Iterator[Address]:
    """The roles that it is given here, where they are of this stack."""
    roles = body.get("opendistro_security_roles")
    yield from (Address("role", each) for each in (roles if isinstance(roles, list) else ()) if isinstance(each, str))


def drift(recorded: Body, live: Body) -> tuple[Difference, ...]:
    """Any field that is otherwise now, of those that the server shows."""
    return differences(
        *({key: value for key, value in body.items() if key not in SECRETS} for body in (recorded, live))
    )
