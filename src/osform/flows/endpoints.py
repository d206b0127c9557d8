"""Whether ML Commons will let connectors ask what they are to ask: trusted endpoints, and private addresses."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

from osform.core.address import Address
from osform.kinds.base import Body

TRUSTED = "plugins.ml_commons.trusted_connector_endpoints_regex"
PRIVATE = "plugins.ml_commons.connector.private_ip_enabled"


# The patterns are the cluster's, and there are some that a URL can be matched against for years.
_HARD = re.compile(r"\)[*+{?]|\\[1-9]|\(\?P=")  # a group that repeats, and what refers to one
_REPEATED = re.compile(r"[*+}]")
_MOST_REPEATED = 3
_LONGEST = 500


def look(
    connectors: Mapping[Address, Body], setting: Callable[[str], Any]
) -> Iterator[tuple[Literal["ok", "problem"], str, str]]:
    """For each URL of a connector: whether it is well, what was found, and what helps."""
    for address, body in connectors.items():
        for url in sorted(set(_urls(body))):
            shown = f"{urlsplit(url).scheme}://{urlsplit(url).hostname}{urlsplit(url).path}"
            trusted = setting(TRUSTED)
            patterns = [trusted] if isinstance(trusted, str) else list(trusted or ())
            if patterns and not any(_matches(pattern, url) for pattern in patterns):
                regex = f"^{urlsplit(url).scheme}://{re.escape(urlsplit(url).hostname or '')}/.*$"
                remedy = f"in a file of provision/cluster_settings/: persistent: {{{TRUSTED}: ['{regex}']}}"
                yield "problem", f"{address}: {shown} is no trusted endpoint", remedy
            elif _private(url) and str(setting(PRIVATE)).lower() == "false":
                remedy = f"in a file of provision/cluster_settings/: persistent: {{{PRIVATE}: true}}"
                yield "problem", f"{address}: {shown} is a private address", remedy
            else:
                yield "ok", f"{address}: {shown} is trusted", ""


def _urls(body: Body) -> Iterator[str]:
    """The URLs of the actions, with the connector's own parameters in place."""
    parameters = body.get("parameters") or {}
    for action in body.get("actions") or ():
        url = action.get("url")
        if isinstance(url, str):
            yield re.sub(r"\$\{parameters\.([^}]+)\}", lambda match: str(parameters.get(match[1], match[0])), url)


def _matches(pattern: Any, url: str) -> bool:
    """Whether a pattern takes a URL; True where only the server can tell: it will say so when the connector is made."""
    if len(url) > _LONGEST or _HARD.search(str(pattern)) or len(_REPEATED.findall(str(pattern))) > _MOST_REPEATED:
        return True
    try:
        return re.fullmatch(str(pattern), url) is not None
    except re.error:  # a regular expression that only Java understands
        return True


def _private(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return host == "localhost"
