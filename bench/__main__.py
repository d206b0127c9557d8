"""``python -m bench``: run tracks, print tables."""

from __future__ import annotations

import json
from contextlib import ExitStack
from itertools import groupby

import click

from bench.harness import Settings, Table
from bench.machine import Machine, company, doubts, load
from bench.report import as_json, as_text
from bench.stage import staged
from bench.tracks import TRACKS
from bench.tracks.base import Context
from osform.errors import OsformError

ABOUT = "\n".join(f"{name:<10} {track.ABOUT}" for name, track in TRACKS.items())


@click.command(epilog=f"\b\nTracks:\n{ABOUT}")
@click.argument("tracks", metavar="[TRACK]...", nargs=-1, type=click.Choice(list(TRACKS)))
@click.option("--rounds", type=click.IntRange(1), metavar="N", help="Rounds a table. [default: the track's own]")
@click.option("--documents", type=click.IntRange(1), metavar="N", help="Documents. [default: the track's own]")
@click.option("--seed", type=int, default=1, show_default=True, help="Which documents are picked.")
@click.option("--quick", is_flag=True, help="One round with few documents: whether it works, not how fast.")
@click.option(
    "--port", default=9720, show_default=True, help="Of the local cluster; the next one, and both + 100, too."
)
@click.option("--keep", is_flag=True, help="Leave the local cluster running.")
@click.option("--format", type=click.Choice(["text", "json"]), default="text", show_default=True)
def main(
    tracks: tuple[str, ...],
    rounds: int | None,
    documents: int | None,
    seed: int,
    quick: bool,
    port: int,
    keep: bool,
    format: str,
) -> None:
    """Measure osform and its peers side by side; all tracks where none is named."""
    chosen = [name for name in TRACKS if name in tracks] or list(TRACKS)
    settings = Settings(rounds, quick, documents, seed)
    before = load()
    try:
        results, opensearch = measured(chosen, settings, port=port, keep=keep)
    except OsformError as error:
        raise click.ClickException(str(error)) from error
    machine, after = Machine.now(), load()
    tables = [table for track in results.values() for table in track]
    found = doubts(machine.cores, before)
    facts = {"opensearch": opensearch, "load": {"before": before, "after": after}, "quick": quick, "doubts": found}
    if format == "json":
        click.echo(json.dumps(as_json(machine, results, facts), indent=2))
        return
    versions = machine.versions | ({"OpenSearch": opensearch} if opensearch else {})
    click.echo(f"{machine.system}, {machine.processor}, {machine.cores} cores")
    click.echo(", ".join(f"{name} {version}" for name, version in versions.items()))
    click.echo(f"load average: {_load(before)} before, {_load(after)} after")
    for table in tables:
        click.echo(f"\n{as_text(table)}\n  {company(machine.cores, table.elsewhere)}")
    for doubt in [*found, *(["this was a quick run"] if quick else [])]:
        click.echo(f"\nnot worth quoting: {doubt}")


def measured(
    chosen: list[str], settings: Settings, *, port: int, keep: bool
) -> tuple[dict[str, list[Table]], str | None]:
    """The tables of each track, and the version of OpenSearch where one was needed."""
    results: dict[str, list[Table]] = {}
    version = None
    # The cluster is there for those alone that need it: two JVMs are company that a measurement doesn't want.
    for needed, names in groupby(chosen, key=lambda name: TRACKS[name].NEEDS_CLUSTER):
        with ExitStack() as stack:
            stage = stack.enter_context(staged(port, keep=keep, say=_say)) if needed else None
            version = stage.version if stage else version
            results |= {name: TRACKS[name].run(Context(settings, _say, stage)) for name in names}
    return results, version


def _say(line: str) -> None:
    click.echo(line, err=True)


def _load(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}"


if __name__ == "__main__":
    main()
