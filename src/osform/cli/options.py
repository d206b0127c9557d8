"""Options that several commands have in common, as decorators."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from osform.errors import ClusterError, InputError

if TYPE_CHECKING:
    from osform.cluster.client import Cluster
    from osform.core.address import Address
    from osform.flows.owning import Adoption

Command = TypeVar("Command", bound=Callable[..., Any])
SOME_FAILED = 3
"""The exit status of a command that is done, but for some documents or pictures."""


def cluster_option(command: Command) -> Command:
    """``--cluster URL`` as the argument ``cluster_url``, and beside it what says how that cluster is reached.

    The latter are no arguments of the command: ``connected`` finds them. None of them takes a secret, since every user
    of a machine can read the command lines of the others.
    """
    for name, metavar, text in reversed(CONNECTION_OPTIONS):
        command = click.option(name, metavar=metavar, help=text, expose_value=False, callback=_keep)(command)
    return click.option(
        "--cluster",
        "cluster_url",
        metavar="URL",
        help="The OpenSearch to work with: a URL, or a profile. [default: OSFORM_CLUSTER, else the local cluster]",
    )(command)


CONNECTION_OPTIONS = (
    ("--profile", "NAME", "A profile of the config file."),
    ("--user", "NAME", "The user to log in as; the password comes from OSFORM_PASSWORD, a command or the keyring."),
    ("--ca", "FILE", "The CA to trust, in place of the system's."),
    ("--fingerprint", "SHA256", "The one certificate to trust."),
    ("--certificate", "FILE", "The client's certificate."),
    ("--key", "FILE", "The client's key."),
    ("--proxy", "URL", "The proxy to use, or: direct."),
    ("--aws-service", "es|aoss", "Sign requests for AWS."),
    ("--aws-region", "REGION", "The region to sign for."),
    ("--aws-role", "ARN", "A role to assume first."),
)
_ASKED = "osform.asked"
_META = "osform.connection"


def _keep(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value and parameter.name:
        context.meta.setdefault(_META, {})[parameter.name] = value


def format_option(*more: str) -> Callable[[Command], Command]:
    """``--format text|json``, and what ``more`` names, as the argument ``format``."""
    return click.option(
        "--format", "format", type=click.Choice(["text", "json", *more]), default="text", show_default=True,
        help="How the result is written to standard output.",
    )  # fmt: skip


def adopt_options(command: Command) -> Command:
    """``--adopt`` and ``--adopt-all``, as the arguments of ``adoption``."""
    for option in (
        click.option("--adopt-all", is_flag=True, help="Take over whatever is there exactly as the files say."),
        click.option("--adopt", multiple=True, metavar="ADDRESS", help="Take over what is there already. Repeatable."),
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
    """The cluster that options, environment and config file name. Raises InputError where none does."""
    from osform.cluster.client import Cluster
    from osform.core.connection import Wishes
    from osform.files.profiles import hex_only
    from osform.flows.connecting import connection

    given = dict(click.get_current_context().meta.get(_META, {}))
    profile = given.pop("profile", "")
    if "fingerprint" in given:
        given["fingerprint"] = hex_only(given["fingerprint"])
    cluster = Cluster(connection(os.environ, Wishes(**given), cluster=cluster_url or "", profile=profile))
    click.get_current_context().meta[_ASKED] = cluster
    try:
        yield cluster
    finally:
        cluster.close()


@contextmanager
def answering(cluster_url: str | None) -> Iterator[Cluster]:
    """``connected``, to what answers and is an OpenSearch. Raises Unreachable and NotReady as well."""
    from osform.cluster.retry import ping

    with connected(cluster_url) as cluster:
        ping(cluster)
        yield cluster


def not_understood(error: Exception) -> ClusterError | None:
    """A mistake of osform's, or of whoever answered: one sentence for both, with the place where it showed.

    None where no cluster was asked, or where ``OSFORM_TRACEBACK`` wants to see all of it.
    """
    cluster: Cluster | None = click.get_current_context().meta.get(_ASKED)
    if cluster is None or os.environ.get("OSFORM_TRACEBACK"):
        return None
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code if trace else None
    place = f"{Path(code.co_filename).name}:{trace.tb_lineno}" if trace and code else "somewhere"
    return ClusterError(
        f"{cluster.url}: what it answered to {cluster.last or 'a request'} can't be understood "
        f"({type(error).__name__} in {place})",
        hint="is it an OpenSearch, with nothing in between? OSFORM_TRACEBACK=1 shows where osform gave up",
    )
