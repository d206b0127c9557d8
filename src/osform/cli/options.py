"""Options that several commands have in common, as decorators."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from osform.errors import InputError

if TYPE_CHECKING:
    from osform.cluster.client import Cluster
    from osform.core.address import Address
    from osform.flows.owning import Adoption

Command = TypeVar("Command", bound=Callable[..., Any])


def cluster_option(command: Command) -> Command:
    """``--cluster URL``, as the argument ``cluster_url``: a URL or None; ``connected`` takes it from there."""
    return click.option(
        "--cluster",
        "cluster_url",
        metavar="URL",
        help="The OpenSearch to work with. [default: OSFORM_CLUSTER, else the local cluster]",
    )(command)


def format_option(*more: str) -> Callable[[Command], Command]:
    """``--format text|json``, and what ``more`` names, as the argument ``format``."""
    return click.option(
        "--format", "format", type=click.Choice(["text", "json", *more]), default="text", show_default=True,
        help="How the result is written to standard output.",
    )  # fmt: skip


def adopt_options(command: Command) -> Command:
    """``--adopt`` and ``--adopt-all``, as the arguments of ``adoption``."""
    for option in (
        click.option("--adopt-all", is_flag=True, help="Take over whatever is live exactly as the files say."),
        click.option("--adopt", multiple=True, metavar="ADDRESS", help="Take over what is live there already."),
    ):
        command = option(command)
    return command


def adoption(addresses: Sequence[str], everything: bool, known: Collection[Address]) -> Adoption:
    """What ``--adopt`` and ``--adopt-all`` say; InputError for an address that no file is of."""
    from osform.core.address import Address
    from osform.flows.owning import Adoption
    from osform.kinds.checks import nearest

    for text in addresses:
        if text not in set(map(str, known)):
            raise InputError(f"--adopt {text}: there is no file of it", hint=nearest(text, set(map(str, known))))
    return Adoption(frozenset(map(Address.parse, addresses)), everything)


@contextmanager
def connected(cluster_url: str | None) -> Iterator[Cluster]:
    """The cluster that the options and the environment name. Raises InputError where none does.

    ``OSFORM_TIMEOUT`` is the most that one request may take, in seconds.
    """
    from osform.cluster.client import Cluster

    cluster = Cluster(_resolved(cluster_url), timeout=_timeout(os.environ.get("OSFORM_TIMEOUT", "60")))
    try:
        yield cluster
    finally:
        cluster.close()


def _timeout(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise InputError(f"OSFORM_TIMEOUT={text}: expected a number of seconds", hint="OSFORM_TIMEOUT=60")
    return seconds


def _resolved(cluster_url: str | None) -> str:
    from osform.local import running_url

    url = cluster_url or os.environ.get("OSFORM_CLUSTER") or running_url()
    if not url:
        raise InputError(
            "no cluster is named, and none runs on this machine", hint="osform cluster up, or --cluster URL"
        )
    return url if "://" in url else f"http://{url}"
