#!/usr/bin/env python3
"""The cluster's URL and the stack's secrets from Vault, with the job's own OIDC token; lines of NAME=VALUE.

VAULT_ADDR, VAULT_ROLE (of the jwt auth method) and VAULT_PATH (of a KV 2 secret, secret/data/osform say) name them.
Without VAULT_ADDR nothing is written: the secrets are then those of the CI system.
"""

from __future__ import annotations

import json
import os
import re
import sys
import urllib.request


def fetch(url: str, headers: dict[str, str], body: object = None) -> dict[str, object]:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=30) as answer:
        found = json.load(answer)
    assert isinstance(found, dict)
    return found


def token(environ: dict[str, str]) -> str:
    """The OIDC token of this job: GitLab sets it, GitHub is asked for it."""
    if "VAULT_ID_TOKEN" in environ:
        return environ["VAULT_ID_TOKEN"]
    url = f"{environ['ACTIONS_ID_TOKEN_REQUEST_URL']}&audience={environ['VAULT_ADDR']}"
    answer = fetch(url, {"authorization": f"Bearer {environ['ACTIONS_ID_TOKEN_REQUEST_TOKEN']}"})
    return str(answer["value"])


def main(environ: dict[str, str]) -> None:
    address = environ.get("VAULT_ADDR", "")
    if not address:
        return
    login = fetch(f"{address}/v1/auth/jwt/login", {}, {"role": environ["VAULT_ROLE"], "jwt": token(environ)})
    auth = login["auth"]
    assert isinstance(auth, dict)
    answer = fetch(f"{address}/v1/{environ['VAULT_PATH']}", {"x-vault-token": str(auth["client_token"])})
    data = answer["data"]
    assert isinstance(data, dict)
    for name, value in data["data"].items():
        if not re.fullmatch("[A-Z][A-Z0-9_]*", name) or "\n" in value or "'" in value:
            sys.exit(f"{name}: expected NAME in capitals, and a value on one line without a quote")
        if "GITHUB_ACTIONS" in environ:
            print(f"::add-mask::{value}", file=sys.stderr)
            print(f"{name}={value}")
        else:
            print(f"{name}='{value}'")


if __name__ == "__main__":
    main(dict(os.environ))
