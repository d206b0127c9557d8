"""How a request goes over the wire: one host, its TLS, its credentials, and an answer of bounded size.

opensearch-py calls this in place of its own connection classes, which follow the environment's mood in matters of TLS,
read an answer whatever its size, and write bodies into debug logs, secrets and all.
"""

from __future__ import annotations

import logging
import ssl
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from opensearchpy.connection.base import Connection as Base
from opensearchpy.exceptions import ConnectionError as NoConnection
from opensearchpy.exceptions import SerializationError, TransportError
from urllib3.util.retry import Retry

from osform.cluster import wire
from osform.cluster.answer import Careful
from osform.cluster.signing import signer
from osform.core.connection import LOOPBACK, Basic, Bearer, Connection, Hidden, SigV4, Tls, parse, without_password
from osform.errors import InputError
from osform.waiting import waiting

MOST = 64 << 20
"""Bytes of an answer; osform asks for nothing that comes near."""
MOST_WORDS = 2000
"""Characters of an error that is no JSON: a proxy's page, say."""
BLOCK = 1 << 16
Sign = Callable[[str, str, bytes | None], Mapping[str, str]]

# At debug level botocore would write the session token of what it signs, urllib3 the whole of what is asked.
for _name in ("botocore", "urllib3", "opensearch", "opensearchpy.trace"):
    logging.getLogger(_name).setLevel(logging.ERROR)


class TooBig(Exception):
    """An answer of more bytes, or of more values, than any that was asked for."""


class Wire(Base):
    """A host. ``connection`` is how it is reached; a redirect is an answer like any other, and never followed."""

    def __init__(self, *, connection: Connection, **more: Any) -> None:
        super().__init__(**more)
        self._sign = _signing(connection)
        self._manager = manager(connection, self.host)
        for key, value in _headers(connection).items():
            self.headers[key] = value

    def perform_request(
        self,
        method: str,
        url: str,
        params: Mapping[str, Any] | None = None,
        body: bytes | None = None,
        timeout: float | None = None,
        ignore: Any = (),
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Status, headers and text. Raises opensearch-py's errors, for its transport to see."""
        full = self.host + self.url_prefix + url
        if params:
            full = f"{full}?{urlencode(params, quote_via=quote)}"
        full = urllib3.util.parse_url(full).url  # as it goes over the wire, which is what has to be signed
        sent = {**self.headers, **(headers or {})}
        if self._sign is not None:
            sent |= self._sign(method, full, body)
        longest = timeout or self.timeout
        # As long as a socket waits for its first byte, and as long again for the rest.
        with waiting(2 * longest) as answering:
            try:
                answer = self._manager.urlopen(
                    method, full, body=body, headers=sent, timeout=longest,
                    retries=Retry(False), redirect=False, preload_content=False,
                )  # fmt: skip
                text = _text(answer)
                if answering.over:  # what ended then may look like an answer without a length
                    raise TimeoutError("the answer was not whole in time")
            except (urllib3.exceptions.HTTPError, OSError, TooBig) as error:
                cause = TimeoutError("the answer was not whole in time") if answering.over else error
                raise NoConnection("N/A", type(cause).__name__, cause) from error
        if not 200 <= answer.status < 300 and answer.status not in ignore:
            if location := answer.headers.get("location"):
                text = f"redirects to {location}"
            raise TransportError(answer.status, text[:MOST_WORDS], _parsed(text))
        return answer.status, answer.headers, text

    def close(self) -> None:
        """Let go of the sockets."""
        self._manager.clear()


def _parsed(text: str) -> Any:
    try:
        return Careful().loads(text)
    except SerializationError:
        return None


def manager(connection: Connection, host: str) -> Any:
    """urllib3's pools for a host, by way of a proxy where there is one. Raises InputError for files that are no use."""
    more: dict[str, Any] = {"maxsize": 16, "block": False}
    if host.startswith("https:"):
        tls = connection.tls
        more |= {"ssl_context": context(tls), "assert_fingerprint": tls.fingerprint or None}
        if tls.server_name:
            more["server_hostname"] = tls.server_name  # no assert_hostname, whose failure is not OpenSSL's own
    proxy = _proxy(connection.proxy, host)
    if not proxy:
        return wire.watched(urllib3.PoolManager(**more))
    plain, auth = _proxys(proxy)
    headers = {"proxy-authorization": _basic(f"{auth.user}:{auth.password.value}")} if auth else None
    return wire.watched(urllib3.ProxyManager(plain, proxy_headers=headers, **more))


def context(tls: Tls) -> ssl.SSLContext:
    """Whom to believe: the CA of a file, those of the system, or nobody but the one certificate that is pinned."""
    try:
        made = ssl.create_default_context(cafile=str(tls.ca) if tls.ca else None)
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        if tls.certificate:
            secret = tls.key_password.value if tls.key_password else ""  # "": never ask on the terminal
            made.load_cert_chain(str(tls.certificate), str(tls.key) if tls.key else None, lambda: secret)
    except (OSError, ValueError) as error:
        named = ", ".join(str(each) for each in (tls.ca, tls.certificate, tls.key) if each)
        raise InputError(f"{named} can't be used for TLS: {error}", hint="PEM files are expected") from error
    if tls.fingerprint and not tls.ca:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made


def _proxys(url: str) -> tuple[str, Basic | None]:
    """A proxy's URL, which may lack its scheme, without its credentials; and these. Raises InputError."""
    try:
        return parse(url)
    except InputError:
        raise InputError(
            f"{without_password(url)} is no URL of a proxy that can be gone through",
            hint="http://PROXY:3128 in OSFORM_PROXY, HTTPS_PROXY or HTTP_PROXY, and none of SOCKS; or: --proxy direct",
        ) from None


def _proxy(wanted: str, host: str) -> str:
    """The proxy for a host: what was asked, else what the environment says. Never one for this machine."""
    parts = urlsplit(host)
    if wanted == "direct" or (parts.hostname or "") in LOOPBACK:
        return ""
    if wanted:
        return wanted
    if proxy_bypass(parts.netloc):
        return ""
    return getproxies().get(parts.scheme, "")


def _headers(connection: Connection) -> Mapping[str, str]:
    match connection.auth:
        case Basic(user, password):
            return {"authorization": _basic(f"{user}:{password.value}")}
        case Bearer(token):
            return {"authorization": f"Bearer {_one_line(token)}"}
    return {}


def _basic(credentials: str) -> str:
    """As the security plugin reads them: https://www.rfc-editor.org/rfc/rfc7617 with UTF-8."""
    return f"Basic {b64encode(credentials.encode('utf-8', 'surrogateescape')).decode('ascii')}"


def _one_line(token: Hidden) -> str:
    """A token as a header may have it. What http.client says of another one has the token in it."""
    text = token.value.strip()
    if not text.isascii() or not text.isprintable():
        raise InputError(
            "the token has letters that no token has, a line break for one",
            hint="OSFORM_TOKEN, or the profile's token_command",
        )
    return text


def _signing(connection: Connection) -> Sign | None:
    return signer(connection.auth) if isinstance(connection.auth, SigV4) else None


def _text(answer: Any) -> str:
    """The whole answer, unpacked. Raises TooBig as soon as there is too much of it."""
    parts, size = [], 0
    try:
        for part in answer.stream(BLOCK, decode_content=True):
            size += len(part)
            if size > MOST:
                raise TooBig(f"more than {MOST >> 20} MB")
            parts.append(part)
    except TooBig:
        answer.close()
        raise
    answer.release_conn()
    return b"".join(parts).decode("utf-8", "replace")
