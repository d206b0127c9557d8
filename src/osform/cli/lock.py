"""``osform unlock``, and the options of commands that take the cluster's lock."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from osform.cli.options import answering, cluster_option, format_option

if TYPE_CHECKING:
    from osform.flows.locking import LockOptions

Command = TypeVar("Command", bound=Callable[..., Any])


def lock_options(command: Command) -> Command:
    """``--lock-timeout`` and ``--lease``, as the arguments of ``asked``."""
    for option in (
        click.option(
            "--lease", type=click.FloatRange(min=2), default=60.0, show_default=True, metavar="SECONDS",
            envvar="OSFORM_LEASE", show_envvar=True,
            help="How long the lock outlives this process if it dies; it is renewed while it works.",
        ),
        click.option(
            "--lock-timeout", type=click.FloatRange(min=0), default=0.0, show_default=True, metavar="SECONDS",
            help="How long to wait while somebody else holds the cluster's lock.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def asked(lock_timeout: float, lease: float) -> LockOptions:
    """The lock as the options ask for it."""
    from osform.flows.locking import LockOptions

    return LockOptions(lock_timeout, lease)


@click.command()
@cluster_option
@format_option()
@click.option("--force", is_flag=True, help="Also take the lock from a process that is at work.")
def unlock(cluster_url: str | None, format: str, force: bool) -> None:
    """Show who holds the cluster's lock, and release it if that process is dead and its lease has run out."""
    from osform.cli.plan_words import line
    from osform.flows.locking import unlock as release

    with answering(cluster_url) as cluster:
        holding = release(cluster, force=force)
    if format == "json":
        click.echo(json.dumps({"released": holding.to_json() if holding else None}, indent=2))
    elif holding is None:
        click.echo("nobody holds the lock")
    else:
        click.echo(line(f"released the lock of {holding}"))
