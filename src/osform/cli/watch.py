"""``osform watch``: the controller that keeps stacks to a Git repository."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from osform.cli.options import cluster_option, connected
from osform.errors import MissingExtra

if TYPE_CHECKING:
    from osform.core.watching import Happened

_COLOURS = {"applied": "green", "repaired": "green", "in sync": "green", "refused": "red", "failing": "red"}


@click.command()
@click.argument("file", default="osform-watch.yaml", type=click.Path(path_type=Path, dir_okay=False), metavar="[FILE]")
@cluster_option
@click.option(
    "--listen", default="127.0.0.1:9380", show_default=True, metavar="HOST:PORT",
    envvar="OSFORM_LISTEN", show_envvar=True, help="Where the page, the metrics and the probes are.",
)  # fmt: skip
@click.option(
    "--folder", type=click.Path(path_type=Path, file_okay=False), help="Where the mirror of the repository is kept."
)
@click.option("--once", is_flag=True, help="Look once; exit with 2 where not everything is in sync then.")
@click.option(
    "--format", "format", type=click.Choice(["text", "json"]), default="text", show_default=True,
    help="How what happens is written to standard error.",
)  # fmt: skip
def watch(file: Path, cluster_url: str | None, listen: str, folder: Path | None, once: bool, format: str) -> int:
    """Follow the repository that FILE names, and keep the cluster in sync with it. Several may run; one leads."""
    from osform.cluster.counting import Counted
    from osform.files.bundles import cache_folder
    from osform.files.repository import Repository
    from osform.files.watch_file import read_watch_file
    from osform.flows.watching import Watch

    try:
        from osform.cli.watch_board import Board, as_json
        from osform.cli.watch_server import serving
        from osform.cli.watch_telling import telling
    except ImportError as error:
        raise MissingExtra("watch", "osform watch", error) from error

    spec = read_watch_file(file, os.environ)
    repository = Repository(spec.repository, folder or cache_folder(os.environ) / "watch", dict(os.environ))
    writing = threading.Lock()

    def write(event: Happened) -> None:
        # A log that is full, or that nobody reads any more, is no reason to leave the cluster alone.
        with writing, suppress(OSError):
            click.echo(as_json(event, spec.name) if format == "json" else _line(event), err=True)

    def complain(text: str) -> None:
        from osform.core.watching import Happened

        write(Happened("note", text))

    with connected(cluster_url) as cluster:
        counted = Counted(cluster)
        board = Board(spec, counted, repository)
        repository.beat = board.beat
        with telling(spec.tellers, complain) as tell_others, serving(board, listen) as address:

            def tell(event: Happened) -> None:
                board.take(event)
                if event.what != "note" or event.message:
                    write(event)
                    tell_others(event.what, as_json(event, spec.name))

            complain(f"page, metrics and probes at {address}")
            going = Watch(spec, counted, repository, os.environ, tell, lambda _: board.beat())
            try:
                well = going.run(once=once)
            except KeyboardInterrupt:
                if once:
                    raise  # a look that was not finished has found nothing
                complain("stopped, and what was held is given back")
                return 0
    return 0 if well or not once else 2


def _line(event: Happened) -> str:
    from datetime import UTC, datetime

    from osform.cli.plan_words import line

    standing = event.standing
    name = f" {standing.stack} ({standing.environment})" if standing and standing.stack else ""
    commit = f" {event.commit[:10]}" if event.commit else ""
    colour = _COLOURS.get(event.what) if sys.stderr.isatty() else None
    seconds = f" in {event.seconds:.1f} s" if event.seconds else ""
    message = f": {event.message}" if event.message else ""
    head = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {click.style(event.what, fg=colour)}"
    return head + line(f"{name}{commit}{seconds}{message}")
