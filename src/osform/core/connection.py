"""How a cluster is reached, and as whom. Values only: nothing here is read, resolved or sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, urlsplit, urlunsplit

from osform.errors import InputError

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Hidden:
    """A password, a token, a key. Whatever prints it, by accident or in a traceback, prints three stars."""

    value: str = field(repr=False)

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__


@dataclass(frozen=True)
class Basic:
    """A name and a password."""

    user: str
    password: Hidden


@dataclass(frozen=True)
class Bearer:
    """A token, such as a JSON Web Token."""

    token: Hidden


@dataclass(frozen=True)
class SigV4:
    """Requests signed for Amazon OpenSearch Service (``es``) or OpenSearch Serverless (``aoss``).

    The keys come from botocore's chain: environment, ``profile`` of the AWS files, web identity, instance. ``role`` is
    the ARN of a role that is assumed with them.
    """

    service: Literal["es", "aoss"]
    region: str = ""
    profile: str = ""
    role: str = ""


@dataclass(frozen=True)
class Tls:
    """Whom to believe, and how to show who one is.

    ``ca`` is a file of certificates; without one those of the system are taken. ``fingerprint`` is the SHA-256 of the
    one certificate that is accepted, which then needs no CA. ``server_name`` is the name that the certificate has to be
    for, where that is not the host's.
    """

    ca: Path | None = None
    fingerprint: str = ""
    certificate: Path | None = None
    key: Path | None = None
    key_password: Hidden | None = None
    server_name: str = ""


@dataclass(frozen=True)
class Connection:
    """Everything that it takes to send a request.

    ``hosts`` are URLs without credentials: the first that answers is spoken to. ``proxy`` is a URL, ``direct`` where
    there is to be none, or empty where the environment decides. ``plaintext`` allows credentials over http.
    """

    hosts: tuple[str, ...]
    auth: Basic | Bearer | SigV4 | None = None
    tls: Tls = Tls()
    proxy: str = field(default="", repr=False)  # there may be a password in it
    plaintext: bool = False
    timeout: float = 60.0
    name: str = ""

    @property
    def url(self) -> str:
        """The cluster as it is called in messages."""
        return self.hosts[0]

    def check(self) -> Connection:
        """Itself. Raises InputError where credentials would go over the wire for everybody to read."""
        shown = self.auth is not None or self.tls.certificate is not None
        open_ = [each for each in self.hosts if _open(each)]
        if shown and open_ and not self.plaintext:
            raise InputError(
                f"{open_[0]} is not https: everybody on the way could read the credentials, so nothing was sent",
                hint="https://, or plaintext = true in the profile where something else protects the way",
            )
        return self


_URL_HINT = "https://HOST:9200; in a password / is written as %2F, ? as %3F, # as %23, and @ as %40"


def _open(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "http" and (parts.hostname or "") not in LOOPBACK


def parse(url: str) -> tuple[str, Basic | None]:
    """A URL without its credentials, and these. Raises InputError for what is no URL of a cluster."""
    text = url if "://" in url else f"http://{url}"
    wrong = InputError(f"{without_password(text)} is no URL of a cluster", hint=_URL_HINT)
    try:
        parts = urlsplit(text)
        port, host = parts.port, parts.hostname
    except ValueError:
        raise wrong from None  # it would repeat a piece of a password that has a slash in it
    # An @ in the path is that of credentials with a slash in them, and the host before it a piece of these.
    odd = parts.query or parts.fragment or "@" in parts.path or any(map(str.isspace, text))
    if parts.scheme not in PORTS or not host or odd:
        raise wrong
    return urlunsplit((parts.scheme, _host(host, port), parts.path.rstrip("/"), "", "")), _credentials(parts)


def _host(host: str, port: int | None) -> str:
    name = f"[{host}]" if ":" in host else host
    return name if port is None else f"{name}:{port}"


def _credentials(parts: SplitResult) -> Basic | None:
    from urllib.parse import unquote

    if parts.username is None and parts.password is None:
        return None
    return Basic(unquote(parts.username or ""), Hidden(unquote(parts.password or "")))


def without_password(url: str) -> str:
    """A URL as it may be shown. A password may hold what should not be in it as it is: a slash, an at sign."""
    scheme = url[: url.find("://") + 3] if "://" in url else ""
    rest = url.removeprefix(scheme)
    before, at, host = rest.rpartition("@")
    user, colon, _ = before.partition(":")
    return f"{scheme}{user}:***{at}{host}" if colon else url


def endpoint(url: str) -> Mapping[str, str | int | bool]:
    """A host as opensearch-py takes it: name, port, whether with TLS, and the path in front."""
    parts = urlsplit(url)
    return {
        "host": parts.hostname or "",
        "port": parts.port or PORTS[parts.scheme],
        "use_ssl": parts.scheme == "https",
        "url_prefix": parts.path,
    }


@dataclass(frozen=True)
class Wishes:
    """What a profile, the environment or the options say of a connection; what is empty is said elsewhere."""

    hosts: tuple[str, ...] = ()
    user: str = ""
    password: Hidden | None = None
    password_command: tuple[str, ...] = ()
    keyring: str = ""
    token: Hidden | None = None
    token_command: tuple[str, ...] = ()
    ca: str = ""
    fingerprint: str = ""
    certificate: str = ""
    key: str = ""
    key_password_command: tuple[str, ...] = ()
    server_name: str = ""
    aws_service: str = ""
    aws_region: str = ""
    aws_profile: str = ""
    aws_role: str = ""
    proxy: str = field(default="", repr=False)
    timeout: float | None = None
    plaintext: bool | None = None

    def over(self, weaker: Wishes) -> Wishes:
        """Both together: a credential of the stronger one leaves none of the weaker one's."""
        mine = {key: value for key, value in vars(self).items() if value not in ((), "", None)}
        below = {key: value for key, value in vars(weaker).items() if not (mine.keys() & PROOFS and key in PROOFS)}
        return Wishes(**{**below, **mine})


PROOFS = frozenset({"password", "password_command", "keyring", "token", "token_command", "aws_service"})
"""Ways of saying who one is, of which one counts."""
