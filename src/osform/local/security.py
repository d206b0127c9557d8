"""A secured cluster's own: its secrets, and the configuration of the security plugin that it starts with."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from osform.errors import LocalClusterError
from osform.local import certificates
from osform.local.certificates import NODE, OWNER
from osform.local.state import USER

SYSTEM_INDICES = (
    ".plugins-ml-agent", ".plugins-ml-config", ".plugins-ml-connector", ".plugins-ml-controller",
    ".plugins-ml-model-group", ".plugins-ml-model", ".plugins-ml-task", ".plugins-ml-conversation-meta",
    ".plugins-ml-conversation-interactions", ".plugins-ml-memory-meta", ".plugins-ml-memory-message",
    ".plugins-ml-stop-words",
)  # fmt: skip
"""What only ML Commons itself may touch, as in the plugin's own recommended configuration."""


def make_secrets(folder: Path) -> None:
    """The folder of secrets, which its owner alone may enter: certificates, keys, and a password nobody else has."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    certificates.make(folder)
    password = folder / "password"
    if not password.exists():
        password.touch(mode=0o600)
        password.write_text(secrets.token_urlsafe(24) + "\n", encoding="ascii")


def settings() -> dict[str, Any]:
    """What ``opensearch.yml`` says of it: TLS on both layers, and who the nodes and the owner are."""
    made: dict[str, Any] = {}
    for layer in ("transport", "http"):
        made |= {
            f"plugins.security.ssl.{layer}.pemcert_filepath": "secrets/node.pem",
            f"plugins.security.ssl.{layer}.pemkey_filepath": "secrets/node.key",
            f"plugins.security.ssl.{layer}.pemtrustedcas_filepath": "secrets/ca.pem",
        }
    return {
        **made,
        "plugins.security.ssl.transport.enforce_hostname_verification": False,
        "plugins.security.ssl.http.enabled": True,
        "plugins.security.ssl.http.clientauth_mode": "OPTIONAL",
        "plugins.security.nodes_dn": [f"CN={NODE}"],
        "plugins.security.authcz.admin_dn": [f"CN={OWNER}"],
        "plugins.security.allow_default_init_securityindex": True,
        "plugins.security.allow_unsafe_democertificates": False,
        "plugins.security.restapi.roles_enabled": ["all_access", "security_rest_api_access"],
        "plugins.security.system_indices.enabled": True,
        "plugins.security.system_indices.indices": list(SYSTEM_INDICES),
    }


def write_into(config: Path, secrets_folder: Path) -> None:
    """A node's certificate and key, and the files that the plugin fills its own index from at the first start.

    There is no user in them: the one there will be is made with the owner's certificate.
    """
    folder = config / "secrets"
    folder.mkdir(exist_ok=True, mode=0o700)
    for name in ("ca.pem", "node.pem", "node.key"):
        copy = folder / name
        copy.unlink(missing_ok=True)
        copy.touch(mode=0o600)
        copy.write_bytes((secrets_folder / name).read_bytes())
    security = config / "opensearch-security"
    for kind, content in _FILES.items():
        meta = {"_meta": {"type": kind.replace("_", ""), "config_version": 2}}
        text = yaml.safe_dump({**meta, **content}, sort_keys=False)
        (security / f"{kind}.yml").write_text(text, encoding="utf-8")


_BASIC = {
    "http_enabled": True,
    "transport_enabled": True,
    "order": 0,
    "http_authenticator": {"type": "basic", "challenge": True},
    "authentication_backend": {"type": "intern"},
}
_FILES: dict[str, dict[str, Any]] = {
    "config": {"config": {"dynamic": {"http": {"anonymous_auth_enabled": False}, "authc": {"basic": _BASIC}}}},
    "internal_users": {},
    "roles": {"security_rest_api_access": {"reserved": True}},
    "roles_mapping": {"all_access": {"users": [USER]}},
    "action_groups": {},
    "tenants": {},
}


def let_in(url: str, folder: Path, *, sleep: Callable[[float], None] = time.sleep, tries: int = 60) -> None:
    """Make the cluster's user with the password of the folder, unless there is one.

    For some seconds after everything else is there, the plugin still reads its own index: it is asked again, once a
    second. Raises LocalClusterError.
    """
    import requests

    password = (folder / "password").read_text(encoding="ascii").strip()
    with requests.Session() as session:
        session.trust_env = False  # neither a proxy nor a CA of the environment has any business here
        session.verify = str(folder / "ca.pem")
        for left in reversed(range(tries)):
            try:
                if session.get(f"{url}/_plugins/_security/authinfo", auth=(USER, password), timeout=30).ok:
                    return
                path, owner = f"{url}/_plugins/_security/api/internalusers/{USER}", ("owner.pem", "owner.key")
                cert = (os.fspath(folder / owner[0]), os.fspath(folder / owner[1]))
                session.put(path, json={"password": password}, cert=cert, timeout=30).raise_for_status()
            except requests.RequestException as error:
                if not left:
                    raise LocalClusterError(f"the user {USER} can't be made on {url}: {error}") from error
            sleep(1)
