"""Who one is to a cluster, and what one may do there.

https://docs.opensearch.org/latest/security/access-control/api/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from osform.cluster.client import Cluster
from osform.cluster.retry import Patience, persist
from osform.core.request import Request
from osform.errors import RequestFailed

_OFF = {400, 404, 405}


@dataclass(frozen=True)
class Identity:
    """A user, with the rights of each role where the cluster lets it see them (else None)."""

    user: str
    roles: tuple[str, ...]
    backend_roles: tuple[str, ...] = ()
    rights: Mapping[str, Mapping[str, Any]] | None = None

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "user": self.user,
            "roles": list(self.roles),
            "backend_roles": list(self.backend_roles),
            "rights": None if self.rights is None else {name: dict(body) for name, body in self.rights.items()},
        }


def identity(cluster: Cluster) -> Identity | None:
    """Who one is; None where the cluster has no security, so that everybody may do everything."""
    patience = Patience.of(15)
    try:
        said = persist(cluster, Request("GET", "/_plugins/_security/authinfo"), patience)
    except RequestFailed as error:
        if error.status in _OFF:
            return None
        raise
    if not isinstance(said, dict):
        return None
    roles = tuple(sorted(map(str, said.get("roles") or ())))
    return Identity(
        str(said.get("user_name")),
        roles,
        tuple(sorted(map(str, said.get("backend_roles") or ()))),
        _rights(cluster, roles, patience),
    )


def _rights(cluster: Cluster, roles: tuple[str, ...], patience: Patience) -> dict[str, dict[str, Any]] | None:
    try:
        bodies = persist(cluster, Request("GET", "/_plugins/_security/api/roles"), patience)
    except RequestFailed as error:
        if error.status in {401, 403, *_OFF}:  # to see roles is a right of its own
            return None
        raise
    keys = ("cluster_permissions", "index_permissions")
    return {role: {key: bodies[role].get(key, []) for key in keys} for role in roles if role in bodies}
