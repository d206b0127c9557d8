"""Roles of the security plugin: what one may do on the cluster, to indices, and in tenants of Dashboards."""

from __future__ import annotations

from collections.abc import Iterator

from osform.core.address import Address
from osform.kinds import checks
from osform.kinds.base import Body, Context, Finding
from osform.kinds.defaults import drift, expendable, refusal, remarks  # noqa: F401 - parts of the kind
from osform.kinds.security import Document

KIND = "role"
KEYS = frozenset({"description", "cluster_permissions", "index_permissions", "tenant_permissions"})
OUTPUTS = frozenset({"name"})
PASSED = frozenset({"user", "attr"})  # ${user.name} and the like in document-level security are the plugin's own
EVENTUAL = False
_INDEX = {"index_patterns": list, "allowed_actions": list, "dls": str, "fls": list, "masked_fields": list}
_TENANT = {"tenant_patterns": list, "allowed_actions": list}

_api = Document("roles")
expand, known, reads, found = _api.expand, _api.known, _api.reads, _api.found
create, update, delete, outputs = _api.create, _api.update, _api.delete, _api.outputs


def check(name: str, body: Body, context: Context) -> Iterator[Finding]:
    """Lists of permissions, each with what it is for and what it allows."""
    yield from checks.typed(body, dict.fromkeys(sorted(KEYS - {"description"}), list) | {"description": str})
    for key, known_keys in (("index_permissions", _INDEX), ("tenant_permissions", _TENANT)):
        for number, each in enumerate(body[key] if isinstance(body.get(key), list) else ()):
            path = (key, number)
            if not isinstance(each, dict):
                yield Finding(path, *checks.otherwise(each, dict))
                continue
            for odd in sorted(each.keys() - known_keys.keys()):
                yield Finding(path, f"unknown key {odd!r}", checks.nearest(odd, set(known_keys)))
            yield from checks.typed(each, known_keys, path)
            yield from checks.required(each, (key.replace("permissions", "patterns"), "allowed_actions"), path)


def needs(body: Body) -> Iterator[Address]:
    """Action groups and tenants that it names, where they are of this stack."""
    allowed = [body.get("cluster_permissions")]
    for key in ("index_permissions", "tenant_permissions"):
        each = [one for one in body[key] if isinstance(one, dict)] if isinstance(body.get(key), list) else []
        allowed += [one.get("allowed_actions") for one in each]
        for tenants in (one.get("tenant_patterns") for one in each):
            yield from (Address("tenant", name) for name in _texts(tenants))
    for names in allowed:
        yield from (Address("action_group", name) for name in _texts(names))


def _texts(value: object) -> list[str]:
    """Of a list, what may be a name of a resource."""
    found = [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
    return [each for each in found if each and not set("*:/?") & set(each)]
