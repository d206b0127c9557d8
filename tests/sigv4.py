"""AWS's Signature Version 4 seen from the service: whether a request is signed by whom it says, for now, as it came.

Written from the specification, without botocore; ``tests/cluster/test_signing.py`` holds it to AWS's own test suite.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, unquote

MOST_SECONDS = 300
_HEADER = re.compile(r"AWS4-HMAC-SHA256 Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})")


@dataclass(frozen=True)
class Service:
    """A service of a region that knows one key, and has a clock of its own (seconds since 1970)."""

    name: str
    region: str
    key: str
    secret: str
    token: str = ""

    def refusal(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes, now: float, *, signed_body: bool = True
    ) -> str:
        """Why a request is refused, empty where it is signed as it should be. ``headers`` have lower-case names."""
        found = _HEADER.fullmatch(headers.get("authorization", ""))
        if found is None:
            return "Missing Authentication Token"
        credential, names, signature = found.groups()
        moment = headers.get("x-amz-date", "")
        if credential != f"{self.key}/{moment[:8]}/{self.region}/{self.name}/aws4_request":
            return f"Credential should be scoped to {self.region}/{self.name}: {credential}"
        if headers.get("x-amz-security-token", "") != self.token:
            return "The security token included in the request is invalid."
        signed = names.split(";")
        musts = {"host", *(name for name in headers if name.startswith("x-amz-"))}
        if not musts <= set(signed):
            return f"not signed: {', '.join(sorted(musts - set(signed)))}"
        digest = hashlib.sha256(body).hexdigest()
        if signed_body and headers.get("x-amz-content-sha256") != digest:
            return "The provided x-amz-content-sha256 header does not match what was computed."
        if signature != self.signature(method, target, {name: headers[name] for name in signed}, digest):
            return "The request signature we calculated does not match the signature you provided."
        off = now - datetime.strptime(moment, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
        if off > MOST_SECONDS:
            return f"Signature expired: {moment} is now earlier than what is taken"
        return f"Signature not yet current: {moment} is still later than what is taken" if off < -MOST_SECONDS else ""

    def signature(self, method: str, target: str, signed: Mapping[str, str], digest: str) -> str:
        """What the signature has to be."""
        path, _, query = target.partition("?")
        lines = [f"{name}:{' '.join(signed[name].split())}" for name in sorted(signed)]
        canonical = "\n".join([method, _path(path), _query(query), *lines, "", ";".join(sorted(signed)), digest])
        moment = signed["x-amz-date"]
        scope = f"{moment[:8]}/{self.region}/{self.name}/aws4_request"
        text = "\n".join(["AWS4-HMAC-SHA256", moment, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        made = f"AWS4{self.secret}".encode()
        for word in scope.split("/"):
            made = hmac.digest(made, word.encode(), "sha256")
        return hmac.digest(made, text.encode(), "sha256").hex()


def _path(path: str) -> str:
    """Each part encoded once more, as it is for every service but S3."""
    return quote(path or "/", safe="/~")


def _query(query: str) -> str:
    pairs = (pair.partition("=") for pair in query.split("&") if pair)
    return "&".join(sorted(f"{_again(name)}={_again(value)}" for name, _, value in pairs))


def _again(text: str) -> str:
    return quote(unquote(text.replace("+", " ")), safe="~")
