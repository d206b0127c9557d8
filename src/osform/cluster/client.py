"""The one door to OpenSearch: requests in, JSON out, errors by meaning."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit, urlunsplit

from opensearchpy import OpenSearch, Urllib3HttpConnection
from opensearchpy.exceptions import ConnectionError as NoConnection
from opensearchpy.exceptions import OpenSearchException, TransportError

from osform.cluster import wire
from osform.core.request import Request
from osform.errors import ClusterError, OsformError, RequestFailed, Unreachable


class _Connection(Urllib3HttpConnection):
    """Looks before it writes (``osform.cluster.wire``), and leaves out Python's warnings for deprecation headers.

    These are not the user's doing. Not ``warnings.catch_warnings``: that changes a global, and several threads send at
    the same time.
    """

    def _create_urllib3_pool(self) -> None:
        super()._create_urllib3_pool()
        wire.watch(self.pool)

    def _raise_warnings(self, warning_headers: Any) -> None:
        return


class Cluster:
    """A connection to one cluster.

    ``timeout`` is the most that one request may take, in seconds. Nothing is retried here: whoever sends a request
    knows whether it may be sent twice.
    """

    def __init__(self, url: str, *, timeout: float = 60.0) -> None:
        self.url = url
        self.timeout = timeout
        self._client = OpenSearch(
            hosts=[url],
            timeout=timeout,
            max_retries=0,
            retry_on_status=(),
            pool_maxsize=16,
            connection_class=_Connection,
        )

    def send(self, request: Request, *, timeout: float | None = None) -> Any:
        """Send a request and return the decoded JSON answer.

        Raises Unreachable where no answer came, and RequestFailed where the answer is an error.
        """
        headers = {"content-type": "application/x-ndjson"} if isinstance(request.body, str) else {}
        if isinstance(request.body, bytes):
            headers = {"content-type": "application/json"}  # ML Commons takes a raw chunk under no other type
        try:
            return self._client.transport.perform_request(
                request.method,
                request.path,
                params=dict(request.params),
                body=request.body,
                headers=headers,
                timeout=min(timeout or self.timeout, self.timeout),
            )
        except NoConnection as error:
            if isinstance(error.info, OsformError):
                raise error.info from None  # the last look before it was sent
            raise Unreachable(
                f"{without_password(self.url)} gave no answer to {request}: {error.info}",
                hint="is the cluster up? osform cluster status; another one: --cluster URL",
            ) from error
        except TransportError as error:
            raise _failed(request, error) from error
        except OpenSearchException as error:
            raise ClusterError(f"{request}: {error}") from error

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()


def without_password(url: str) -> str:
    """A URL as it may be shown."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    return urlunsplit(parts._replace(netloc=f"{parts.username}:***@{parts.netloc.rpartition('@')[2]}"))


def _failed(request: Request, error: TransportError) -> RequestFailed:
    status = error.status_code if isinstance(error.status_code, int) else 0
    info = error.info if isinstance(error.info, dict) else {}
    detail = info.get("error", info)
    if isinstance(detail, dict):
        cause = (detail.get("root_cause") or [detail])[0]
        reason = detail.get("reason") or cause.get("reason") or ""
        inner = detail.get("caused_by", {}).get("reason")
        return RequestFailed(
            str(request), status, str(detail.get("type", "error")), f"{reason} ({inner})" if inner else str(reason)
        )
    return RequestFailed(str(request), status, "error", str(detail or error.error))
