"""The one door to OpenSearch: requests in, JSON out, errors by meaning."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from opensearchpy import OpenSearch
from opensearchpy.connection_pool import DummyConnectionPool
from opensearchpy.exceptions import ConnectionError as NoConnection
from opensearchpy.exceptions import OpenSearchException, TransportError

from osform.cluster.answer import MOST_WORDS, Careful
from osform.cluster.failures import refused, unreachable
from osform.cluster.signing import whom
from osform.cluster.transport import TooBig, Wire
from osform.core.connection import Connection, endpoint, parse, without_password
from osform.core.request import Request
from osform.errors import ClusterError, Unreachable

__all__ = ["Cluster", "without_password"]


class Cluster:
    """A connection to one cluster.

    ``target`` is a URL, or a Connection with everything that it takes. ``timeout`` is the most that one request may
    take, in seconds. Nothing is retried here: whoever sends a request knows whether it may be sent twice. With several
    hosts, the next one is asked where the one before can't be reached at all. ``url`` holds no credentials.
    """

    def __init__(self, target: str | Connection, *, timeout: float | None = None) -> None:
        if isinstance(target, str):
            url, auth = parse(target)
            target = Connection((url,), auth)
        self.connection = target.check()
        self.timeout = timeout or target.timeout
        self._clients = [_client(target, host, self.timeout) for host in target.hosts]
        self.url, self._current = target.url, 0
        self.last = ""

    def send(self, request: Request, *, timeout: float | None = None) -> Any:
        """Send a request and return the decoded JSON answer.

        Raises Unreachable where no answer came, and RequestFailed where the answer is an error.
        """
        failures: list[Unreachable] = []
        self.last = str(request)
        for number in [*range(self._current, len(self._clients)), *range(self._current)]:
            try:
                answer = self._send(number, request, min(timeout or self.timeout, self.timeout))
            except Unreachable as error:
                if error.sent or not (error.passing or error.why == "unknown host"):
                    raise
                failures.append(error)
            else:
                self.url, self._current = self.connection.hosts[number], number
                return answer
        raise failures[0]

    def _send(self, number: int, request: Request, timeout: float) -> Any:
        url = self.connection.hosts[number]
        headers = {"content-type": "application/x-ndjson"} if isinstance(request.body, str) else {}
        if isinstance(request.body, bytes):
            headers = {"content-type": "application/json"}  # ML Commons takes a raw chunk under no other type
        try:
            return self._clients[number].transport.perform_request(
                request.method,
                request.path,
                params=dict(request.params),
                body=request.body,
                headers=headers,
                timeout=timeout,
            )
        except NoConnection as error:
            cause = error.info if isinstance(error.info, BaseException) else error
            if isinstance(cause, TooBig):
                raise ClusterError(f"{request}: the answer of {url} has {cause}, and was not read") from None
            raise unreachable(cause, url, request) from cause
        except TransportError as error:
            raise self._failed(request, error, url) from None
        except OpenSearchException as error:
            raise ClusterError(f"{request}: the answer of {url} {error}", hint="is it an OpenSearch?") from None

    def close(self) -> None:
        """Let go of the connections."""
        for client in self._clients:
            client.close()

    def _failed(self, request: Request, error: TransportError, url: str) -> ClusterError:
        status = error.status_code if isinstance(error.status_code, int) else 0
        if 300 <= status < 400:
            return _redirected(request, str(error.error), url)
        info = error.info if isinstance(error.info, dict) else {}
        detail = info.get("error") or _of_a_shard(info) or info
        if not isinstance(detail, dict):
            words = str(detail or error.error)[:MOST_WORDS]
            return refused(request, status, "error", words, url, whom(self.connection.auth))
        causes = detail.get("root_cause")
        cause = causes[0] if isinstance(causes, list) and causes and isinstance(causes[0], dict) else detail
        inner = detail.get("caused_by")
        because = inner.get("reason") if isinstance(inner, dict) else None
        reason = str(detail.get("reason") or cause.get("reason") or detail.get("message") or "")[:MOST_WORDS]
        reason = f"{reason} ({str(because)[:MOST_WORDS]})" if because else reason
        kind = str(detail.get("type", "error"))[:MOST_WORDS]
        return refused(request, status, kind, reason, url, whom(self.connection.auth))


def _of_a_shard(info: dict[str, Any]) -> Any:
    """Why the first of the shards failed, where that is all that the answer has."""
    shards = info.get("_shards")
    failures = shards.get("failures") if isinstance(shards, dict) else None
    first = failures[0] if isinstance(failures, list) and failures else None
    return first.get("reason") if isinstance(first, dict) else None


def _client(connection: Connection, host: str, timeout: float) -> OpenSearch:
    return OpenSearch(
        hosts=[dict(endpoint(host))], timeout=timeout, max_retries=0, retry_on_status=(), connection_class=Wire,
        connection_pool_class=DummyConnectionPool, serializer=Careful(), connection=connection,
    )  # fmt: skip


def _redirected(request: Request, text: str, url: str) -> ClusterError:
    """Where it points may be anywhere: neither the request nor the credentials are sent there."""
    target = urlsplit(text.removeprefix("redirects to "))
    where = f"{target.scheme}://{target.hostname}" if target.hostname else "another path"
    return ClusterError(
        f"{url} redirects {request} to {where}: not followed, and no credentials were sent there",
        hint="--cluster with the URL of the cluster itself; a login page in front needs a token: OSFORM_TOKEN",
    )
