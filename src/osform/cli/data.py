"""``osform ingest``: documents in."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext, redirect_stdout
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from osform.cli.console import reporting
from osform.cli.options import SOME_FAILED, cluster_option, connected, format_option
from osform.core.events import Note
from osform.errors import InputError

if TYPE_CHECKING:
    from osform.cluster.client import Cluster
    from osform.files.inputs import Kind
    from osform.flows.ingesting import Ingested


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--into", "alias", metavar="ALIAS", required=True, help="The alias to write through.")
@click.option(
    "--id", "id_field", metavar="FIELD", help="The field that holds a document's id. [default: _id, id, or a hash]"
)
@click.option(
    "--map", "mapped", metavar="FROM=TO", multiple=True, help="Call a field otherwise; FROM= leaves it out. Repeatable."
)
@click.option(
    "--read",
    "read_as",
    type=click.Choice(["jsonl", "csv", "tsv", "parquet"]),
    help="The format of all files. [default: by their names, else jsonl]",
)
@click.option("--dead-letter", metavar="FILE", type=click.Path(path_type=Path), help="Where documents go that fail.")
@click.option("--update", is_flag=True, help="Rows hold the fields to change of documents that are there.")
@click.option(
    "--batch", metavar="N", type=click.IntRange(1, 10_000), help="Documents a bulk request. [default: found out]"
)
@click.option(
    "--clients", metavar="N", type=click.IntRange(1, 16), help="Bulk requests at a time, at most. [default: found out]"
)
@click.option(
    "--patience",
    metavar="SECONDS",
    type=click.FloatRange(1),
    default=300,
    show_default=True,
    help="How long to go on while the cluster takes nothing.",
)
@click.option("--keep-settings", is_flag=True, help="Leave refresh interval and replicas of the index alone.")
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="Who reads and sends: this process, or the workers of a Ray cluster (Parquet only).",
)
@click.option("--workers", metavar="N", type=click.IntRange(1), help="Ray workers at a time. [default: found out]")
@cluster_option
@format_option()
def ingest(
    files: tuple[str, ...],
    alias: str,
    id_field: str | None,
    mapped: tuple[str, ...],
    read_as: Kind | None,
    dead_letter: Path | None,
    update: bool,
    batch: int | None,
    clients: int | None,
    patience: float,
    keep_settings: bool,
    engine: str,
    workers: int | None,
    cluster_url: str | None,
    format: str,
) -> int:
    """Index the rows of files as documents; the cluster makes their vectors.

    Files are JSON Lines, CSV, TSV or Parquet, packed with gzip or zstd or not; folders and patterns stand for the files
    in them, "-" for standard input.

    Sending the same file again changes nothing. Documents that fail are kept in a dead-letter file, which can be given
    to `osform ingest` as it is once the cause is gone. Exit status 3 says that there are some.
    """
    from osform.flows.ingesting import Pace, Reading

    if workers and engine != "ray":
        raise InputError("--workers is for --engine ray", hint="--clients is how many requests are sent at a time")
    letters = dead_letter or Path(f"{alias}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.dead-letter.jsonl")
    pace = Pace(count=batch, clients=clients, patience=patience)
    reading = Reading(id_field, field_names(mapped), read_as)
    # Ray writes lines of its own to standard output, where the result has to stand alone.
    elsewhere = redirect_stdout(sys.stderr) if engine == "ray" else nullcontext()
    with connected(cluster_url) as cluster, reporting() as report, elsewhere:
        try:
            done = _engine(engine, cluster, workers)(
                cluster, alias, files, dead_letter=letters, reading=reading, update=update, pace=pace,
                keep_settings=keep_settings, report=report,
            )  # fmt: skip
        except KeyboardInterrupt:
            report(Note(f"what was taken is in the index; to go on from there: {again(sys.argv[1:], files)}"))
            raise
    how = [*(["--id", id_field] if id_field else []), *(word for each in mapped for word in ("--map", each))]
    text = ingested_text(done, [*how, "--update"] if update else how)
    click.echo(json.dumps(ingested_json(done)) if format == "json" else text)
    return SOME_FAILED if done.failed or done.without_vector else 0


def _engine(name: str, cluster: Cluster, workers: int | None) -> Callable[..., Ingested]:
    """The function that ingests."""
    if name == "local":
        from osform.flows.ingesting import ingest

        return ingest
    from osform.cluster.client import Cluster
    from osform.flows.ingesting_on_ray import ingest_on_ray

    return partial(
        ingest_on_ray, connect=partial(Cluster, cluster.connection, timeout=cluster.timeout), workers=workers
    )


def again(arguments: Sequence[str], files: Sequence[str]) -> str:
    """The command that goes on where this one was stopped; dead letters go to a file of their own."""
    words = ["osform"]
    skip = False
    for word in arguments:
        if not (skip or word.startswith("--dead-letter")):
            words.append(word)
        skip = word == "--dead-letter"
    return shlex.join(words) + (", with the same standard input" if "-" in files else "")


def field_names(options: Iterable[str]) -> dict[str, str | None]:
    """What ``--map`` says: names of fields and their new names, None for one that is left out. Raises InputError."""
    mapped: dict[str, str | None] = {}
    for option in options:
        name, equals, new = option.partition("=")
        if not name or not equals or name in mapped:
            what = "given twice" if name in mapped else "expected FROM=TO"
            raise InputError(f"--map {option}: {what}", hint="--map description=image_description")
        mapped[name] = new or None
    return mapped


def ingested_json(done: Ingested) -> dict[str, Any]:
    """The figures of an ingest, for programs."""
    return {
        "alias": done.alias,
        "read": done.read,
        "indexed": done.indexed,
        "created": done.created,
        "unchanged": done.unchanged,
        "patched": done.patched,
        "copied": done.copied,
        "resumed": done.resumed,
        "without_vector": done.without_vector,
        "failed": done.failed,
        "repeated": done.repeated,
        "retries": done.retries,
        "seconds": round(done.seconds, 3),
        "docs_per_second": round(done.docs_per_second, 1),
        "ingest_seconds": round(done.ingest_seconds, 3),
        "waited": round(done.waited, 3),
        "without_text": dict(done.without_text),
        "dead_letter": str(done.dead_letter) if done.dead_letter else None,
    }


def ingested_text(done: Ingested, how: Sequence[str] = ()) -> str:
    """The figures of an ingest, for a person. ``how`` are the options that its dead letters are to be read with."""
    pace = f"{done.seconds:.1f} s, {done.docs_per_second:.0f} documents a second"
    text = f"{done.indexed} of {done.read} documents are in {done.alias} ({pace})"
    there = {
        "were there already": done.unchanged,
        "were put there by an earlier run": done.resumed,
        "needed only some fields": done.patched,
        "got the vector of an equal text": done.copied,
    }
    if parts := [f"{count} {words}" for words, count in there.items() if count]:
        text += "\n" + ", ".join(parts)
    if done.ingest_seconds or done.retries:
        text += f"\nthe cluster's pipelines took {done.ingest_seconds:.1f} s, side by side"
        text += f"; {done.retries} tried again after {done.waited:.1f} s of waiting" if done.retries else ""
    if done.repeated:
        text += f"\n{done.repeated} were in the files twice, word for word"
    if done.failed:
        command = shlex.join(["osform", "ingest", str(done.dead_letter), "--into", done.alias, *how])
        text += f"\n{done.failed} failed; once the cause is gone: {command}"
    return text
