"""Why no answer came, or one that says no: told apart, and said in one sentence with what to do.

OpenSSL's verdicts are known by number: https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/
"""

from __future__ import annotations

import errno
import re
import socket
import ssl
from collections.abc import Iterator

from urllib3 import exceptions as urllib3

from osform.core.request import Request
from osform.errors import RequestFailed, Unreachable

_MOST = 2000
"""Letters of an error that may repeat a server's first line."""
_EXPIRED, _NOT_YET, _NAME, _ADDRESS = 10, 9, 62, 64
_UNTRUSTED = {2, 18, 19, 20, 21, 27}
_PLAIN = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG")
_SILENT = {"Failed to get ML node level profile": "cluster:admin/opensearch/ml/profile/nodes"}
"""Where ML Commons passes on the failure and keeps the reason, and the right that it is about."""
_CA_HINT = "name the file of its CA: --ca FILE, OSFORM_CA, or ca in the profile"
_SKEW = re.compile(
    r"signature (expired|not yet current)|request signature we calculated .*(expired|skew)", re.IGNORECASE
)


def unreachable(error: BaseException, url: str, request: Request) -> Unreachable:
    """What kept the answer to a request to ``url`` from coming."""
    chain = list(_causes(error))
    for cause in chain:
        found = _tls(cause, url) or _network(cause, url)
        if found is not None:
            return found
    if any(isinstance(each, urllib3.ConnectTimeoutError) for each in chain):
        return _never(f"{url}: no connection came about in time", "no connection", "is there a firewall on the way?")
    if any(isinstance(each, urllib3.TimeoutError | TimeoutError) for each in chain):
        return Unreachable(
            f"{url} gave no answer to {request} in time",
            hint="OSFORM_TIMEOUT=120 waits longer; osform doctor shows how the cluster is",
            why="timed out",
        )
    return Unreachable(
        f"{url} gave no answer to {request}: {_last(chain)}",
        hint="is the cluster up? osform cluster status; another one: --cluster URL; one with TLS: https://",
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error with everything behind it, innermost first."""
    if error is None:
        return
    inner = [error.__cause__, error.__context__, getattr(error, "reason", None)]
    for each in inner:
        if isinstance(each, BaseException) and each is not error:
            yield from _causes(each)
            break
    for argument in error.args:
        if isinstance(argument, BaseException) and argument is not error and argument not in inner:
            yield from _causes(argument)
    yield error


def _never(message: str, why: str, hint: str) -> Unreachable:
    """No connection came about, so that nothing was sent; it may be there in a moment."""
    return Unreachable(message, hint=hint, why=why, sent=False)


def _stop(message: str, why: str, hint: str) -> Unreachable:
    """No connection came about, and none will."""
    return Unreachable(message, hint=hint, why=why, sent=False, passing=False)


def _network(error: BaseException, url: str) -> Unreachable | None:
    hint = "is the cluster up? osform cluster status; another one: --cluster URL"
    match error:
        case socket.gaierror(errno=number) if number != socket.EAI_AGAIN:
            return _stop(f"{url}: there is no host of this name", "unknown host", "is it spelled right? --cluster URL")
        case socket.gaierror():
            return _never(f"{url}: the name can't be looked up just now", "no name service", "is there a network?")
        case ConnectionRefusedError():
            return _never(f"{url}: connection refused, nothing listens there", "refused", hint)
        case OSError(errno=errno.ENETUNREACH | errno.EHOSTUNREACH):
            return _never(f"{url}: there is no way to this host", "no route", "is there a network, or a VPN to join?")
        case urllib3.ProxyError():
            return _never(
                f"{url}: the proxy does not let it through: {_last([error])}", "proxy", "--proxy URL, or direct"
            )
    return None


def _tls(error: BaseException, url: str) -> Unreachable | None:
    match error:
        case ssl.SSLCertVerificationError():
            return _not_believed(error, url)
        case ssl.SSLError() if any(word in str(error.reason or error).upper().replace(" ", "_") for word in _PLAIN):
            return _stop(f"{url} does not speak TLS", "not TLS", f"http://{url.partition('://')[2]}, if that is meant")
        case ssl.SSLError() if "alert" in str(error).lower():
            return _stop(
                f"{url} refuses the client's certificate: {error.reason}".lower().replace("_", " "),
                "client certificate",
                "--certificate FILE and --key FILE, signed by a CA that the cluster believes",
            )
        case urllib3.SSLError() if "ingerprint" in str(error):
            return _stop(
                f"{url} has another certificate than the pinned one ({_got(error)}), so nothing was sent",
                "certificate changed",
                "if it was renewed, pin the new one; if nobody knows of that, somebody may be listening",
            )
        case ssl.SSLError():
            return _stop(f"{url}: TLS failed: {error.reason or error}", "TLS", "openssl s_client -connect shows more")
    return None


def _got(error: BaseException) -> str:
    found = re.search(r'got "([0-9a-fA-F:]+)"', str(error))
    return found[1].replace(":", "").lower() if found else "unknown"


def _not_believed(error: ssl.SSLCertVerificationError, url: str) -> Unreachable:
    match error.verify_code:
        case code if code == _EXPIRED:
            return _stop(f"{url}: its certificate has expired", "expired", "whoever runs the cluster has to renew it")
        case code if code == _NOT_YET:
            return _stop(f"{url}: its certificate is not valid yet", "not yet valid", "is this machine's clock right?")
        case code if code in (_NAME, _ADDRESS):
            return _stop(
                f"{url}: its certificate is for another name ({_plain(error)})",
                "wrong name",
                "use the name that it is for, or say it: server_name in the profile",
            )
        case code if code in _UNTRUSTED:
            return _stop(f"{url}: its certificate is signed by no CA that is believed here", "wrong CA", _CA_HINT)
    return _stop(f"{url}: its certificate is not believed ({_plain(error)})", "certificate", _CA_HINT)


def _plain(error: ssl.SSLCertVerificationError) -> str:
    return str(error.verify_message or error.reason).rstrip(".")


def _last(chain: list[BaseException]) -> str:
    """The last words of the outermost error, without the objects that urllib3 puts in front of them."""
    return re.sub(r"<[^>]*>(\(.*?\))?:?\s*", "", str(chain[-1])[:_MOST]).strip() or type(chain[-1]).__name__


def refused(request: Request, status: int, type: str, reason: str, url: str, user: str) -> RequestFailed:
    """An answer that says no, with a sentence for what every cluster may say."""
    plain = RequestFailed(str(request), status, type, reason)
    if plain.elsewhere:
        return plain
    who = f"as {user}" if user else "without credentials"
    lower = reason.lower()
    if status == 401:
        who = f"does not let {user}" if user else "lets nobody without credentials"
        return _said(
            request, status, type, reason, f"{url} {who} in: 401",
            "osform status shows who one is; credentials: OSFORM_USER and OSFORM_PASSWORD, or a profile",
        )  # fmt: skip
    if _SKEW.search(reason):
        return _said(
            request, status, type, reason, f"{url} takes the signature for one of another time: {reason}",
            "set this machine's clock: signatures hold for five minutes",
        )  # fmt: skip
    if status == 403 and type == "cluster_block_exception" and "cluster read-only" in lower:
        return _said(
            request, status, type, reason, f"{url} is read-only: cluster.blocks.read_only is set",
            "whoever set it has to take it back; it does not pass by itself",
        )  # fmt: skip
    if status == 403 and type != "cluster_block_exception":
        return _said(
            request,
            status,
            type,
            reason,
            _forbidden(request, reason, who),
            "osform rights prints the role that it takes",
        )
    if status == 500 and (silent := next((right for words, right in _SILENT.items() if words in reason), None)):
        return _said(
            request, status, type, reason,
            f"{request} failed {who}, and the server does not say why: so it is where the right {silent} is missing",
            "osform rights prints the role that it takes", passing=True,
        )  # fmt: skip
    if status == 400 and "_plugins/_security" in request.path and "no handler found" in lower:
        return _said(
            request, status, type, reason, f"{url} has no security plugin, and so neither users nor roles",
            "take their files out of this stack, or use a cluster that has it",
        )  # fmt: skip
    if "no cluster-manager" in lower or "no cluster manager" in lower or "not_discovered" in type:
        return _said(
            request, status, type, reason, f"{url} has no cluster manager at the moment",
            "more than half of the nodes that may be one must be up", passing=True,
        )  # fmt: skip
    if status == 429 and type != "cluster_block_exception":
        return _said(
            request, status, type, reason, f"{url} has too much to do (429): {request}: {reason}",
            "try again later, or send less at a time", passing=True,
        )  # fmt: skip
    return plain


def _said(
    request: Request, status: int, type: str, reason: str, sentence: str, hint: str, *, passing: bool = False
) -> RequestFailed:
    return RequestFailed(str(request), status, type, reason, sentence=sentence, hint=hint, passing=passing)


def _forbidden(request: Request, reason: str, who: str) -> str:
    """The security plugin names what is missing: no permissions for [indices:admin/create] and User [name=...]."""
    found = re.search(r"no permissions for \[(.*?)\](?: and |$)", reason)
    if found is None:
        return f"{request} is not allowed {who}: 403 {reason}"
    right = found[1] or "(the server does not say which)"
    return f"{request} is not allowed {who}: the right {right} is missing"
