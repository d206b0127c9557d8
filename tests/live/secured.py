"""The suite's users on a secured cluster: its owner, and one who has just the rights that ``osform rights`` prints."""

from __future__ import annotations

import os
from typing import Any

from osform.cluster.client import Cluster
from osform.core.address import Address
from osform.core.request import Request
from osform.kinds import KINDS
from osform.kinds.rights import role
from osform.local import running

WORKER, PASSWORD = "worker", "Quiet-harbour-7654-doors"
API = "/_plugins/_security/api"
EVERYTHING = frozenset(Address(kind, "x") for kind in KINDS)


def owner(name: str) -> str:
    """The URL of the local cluster's own user; its CA becomes that of the system for all that runs here."""
    found = running(name)
    assert found is not None
    assert found.password is not None
    os.environ["SSL_CERT_FILE"] = found.ca
    return found.hosts[0].replace("://", f"://{found.user}:{found.password.value}@")


def admit(name: str) -> str:
    """The URL of the worker, who may apply and look at stacks of every kind with indices of any name, and no more."""
    url = owner(name)
    cluster = Cluster(url)
    give(cluster, _both(role(EVERYTHING, "apply", ["*"]), role(EVERYTHING, "status", ["*"])))
    # Users and roles are the business of whom the plugin's own setting names: no right stands for that.
    for each in ("security_rest_api_access", WORKER):
        cluster.send(Request("PUT", f"{API}/rolesmapping/{each}", {"users": [WORKER]}))
    cluster.close()
    return url.replace(url.partition("://")[2].rpartition("@")[0], f"{WORKER}:{PASSWORD}")


def _both(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    return {key: [*first[key], *second[key]] for key in first}


def give(cluster: Cluster, body: dict[str, object], name: str = WORKER) -> None:
    """Make a user who has one role, of the same name, or change that role."""
    cluster.send(Request("PUT", f"{API}/roles/{name}", body))
    user = {"password": PASSWORD, "backend_roles": ["painters", "sculptors"]}
    cluster.send(Request("PUT", f"{API}/internalusers/{name}", user))
    cluster.send(Request("PUT", f"{API}/rolesmapping/{name}", {"users": [name]}))
