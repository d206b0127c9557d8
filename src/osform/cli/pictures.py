"""``osform pictures``: pictures in, vectors out, so that they are found by what they show."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from osform.cli.caption import input_options, inputs_of, web_of
from osform.cli.console import reporting
from osform.cli.options import SOME_FAILED, cluster_option, connected, format_option
from osform.errors import InputError

if TYPE_CHECKING:
    from osform.flows.indexing_pictures import Indexed

DEFAULT_MODEL = "openai/clip-vit-base-patch32"


@click.group()
def pictures() -> None:
    """Index pictures by what they show: `osform pictures ingest PATH... --into ALIAS`."""


@pictures.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option("--into", "alias", metavar="ALIAS", required=True, help="The alias to write through.")
@click.option(
    "--model", metavar="MODEL", default=DEFAULT_MODEL, show_default=True, help="CLIP: a folder, or a name on the Hub."
)
@click.option("--revision", metavar="COMMIT", help="The model's revision on the Hub. [default: the pinned one]")
@click.option(
    "--captions",
    metavar="FILE",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Descriptions by `osform caption`, joined by the picture's hash. Repeatable.",
)
@click.option("--description", metavar="FIELD", help="The field for descriptions. [default: the one that is embedded]")
@click.option("--field", "vector_field", metavar="FIELD", help="The field for vectors, where there are several.")
@click.option(
    "--id", "id_column", metavar="COLUMN", help="The column of a table with ids. [default: a hash of the name]"
)
@click.option("--keep", metavar="COLUMN[=FIELD]", multiple=True, help="A column of a table for documents. Repeatable.")
@click.option(
    "--failures",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Where pictures are recorded that fail. [default: ALIAS-pictures.failed.jsonl]",
)
@click.option("--retry", is_flag=True, help="Try the pictures again that failed before.")
@click.option("--again", is_flag=True, help="See all pictures again.")
@click.option("--device", metavar="NAME", help="cpu, cuda:0 ... [default: a GPU, else the CPU]")
@input_options
@cluster_option
@format_option()
def ingest(
    paths: tuple[str, ...], alias: str, captions: tuple[Path, ...], keep: tuple[str, ...], failures: Path | None,
    cluster_url: str | None, format: str, **options: Any,
) -> int:  # fmt: skip
    """Index pictures with their vectors; what is in the index already is left as it is.

    PATH is what it is for `osform caption`: a picture, a folder, a pattern, a list of addresses (.txt), a table (.csv,
    .tsv, .parquet, Unsplash's photos.tsv000), a tar file or an address. A run that was stopped goes on where it was.
    Exit status 3 says that some pictures could not be indexed; each has a line with the reason.
    """
    from osform.flows.indexing_pictures import Manner, index_pictures

    manner = Manner(
        options["batch"], options["workers"], options["retry"], options["again"], options["id_column"],
        kept_columns(keep), most_pixels=options["most_pixels"],
    )  # fmt: skip
    with connected(cluster_url) as cluster, reporting() as report:
        done = index_pictures(
            cluster, alias, inputs_of(paths, options), model=options["model"], revision=options["revision"],
            failures=failures or Path(f"{alias}-pictures.failed.jsonl"), device=options["device"], captions=captions,
            vector_field=options["vector_field"], description=options["description"], manner=manner,
            web=web_of(options), report=report,
        )  # fmt: skip
    click.echo(json.dumps(indexed_json(done)) if format == "json" else indexed_text(done))
    return SOME_FAILED if done.failed or done.skipped else 0


def kept_columns(options: tuple[str, ...]) -> dict[str, str]:
    """What ``--keep`` says: columns, and the fields that they become. Raises InputError."""
    kept: dict[str, str] = {}
    for option in options:
        column, _, name = option.partition("=")
        if not column or column in kept:
            raise InputError(f"--keep {option}: expected COLUMN or COLUMN=FIELD, each once")
        kept[column] = name or column
    return kept


def indexed_json(done: Indexed) -> dict[str, Any]:
    """The figures of a run, for programs."""
    figures = {**asdict(done), "failures": str(done.failures), "seconds": round(done.seconds, 3)}
    return {**figures, "pictures_per_second": round(done.pictures_per_second, 1)}


def indexed_text(done: Indexed) -> str:
    """The figures of a run, for a person."""
    text = f"{done.indexed} of {done.pictures} pictures were indexed in {done.alias} "
    text += f"({done.seconds:.1f} s, {done.pictures_per_second:.1f} a second)"
    for count, words in (
        (done.unchanged, "were there already"),
        (done.described, "were there and got a description"),
        (done.repeated, "were named twice"),
        (done.skipped, f"failed before and were left out; --retry tries them again ({done.failures})"),
        (done.failed, f"could not be indexed; each has a line with the reason in {done.failures}"),
    ):
        text += f"\n{count} {words}" if count else ""
    return text
