"""``osform search``: answers to a text, to a picture, or to both."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from osform.cli.options import cluster_option, connected, format_option
from osform.cli.plan_words import tame
from osform.core.filters import Filter
from osform.core.rows import value_at
from osform.errors import InputError

if TYPE_CHECKING:
    from osform.cluster.queries import Found, Hit
    from osform.cluster.targets import Target
    from osform.core.checks import Mode
    from osform.pictures.blending import Blend


@dataclass(frozen=True)
class Answer:
    """What was found, how, and where the pictures of documents are: relative paths start at ``folder``."""

    found: Found
    mode: str
    target: Target
    folder: Path
    allow_private: bool = False


@click.command()
@click.argument("alias")
@click.argument("text", required=False)
@click.option(
    "--mode",
    type=click.Choice(["lexical", "semantic", "hybrid", "picture"]),
    help="By words, by meaning, by both, or by what pictures show. [default: semantic where texts have vectors]",
)
@click.option("--image", metavar="FILE|URL", help="A picture to find others like, with TEXT or without.")
@click.option(
    "--weight",
    metavar="SHARE",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="How much TEXT counts beside --image, from 0 to 1.",
)
@click.option(
    "--blend",
    type=click.Choice(["centred", "mean", "scores"]),
    default="centred",
    show_default=True,
    help="How TEXT and --image become one question.",
)
@click.option("--descriptions", is_flag=True, help="Look for TEXT in the pictures' descriptions as well.")
@click.option(
    "--filter", "filters", metavar="FILTER", multiple=True, help="Such as place=home or width>=1000. Repeatable."
)
@click.option("--field", metavar="FIELD", help="The text or vector field to search, where there are several.")
@click.option(
    "--size",
    "--k",
    "-k",
    "size",
    metavar="N",
    type=click.IntRange(1, 1_000),
    default=10,
    show_default=True,
    help="Documents to find.",
)
@click.option("--pipeline", metavar="NAME", help="The search pipeline. [default: the index's own]")
@click.option("--grid", metavar="FILE", type=click.Path(path_type=Path), help="Draw what is found into a PNG.")
@click.option(
    "--pictures",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Where relative paths of pictures start. [default: here]",
)
@click.option("--model", metavar="MODEL", help="The picture model, if it is not where it was.")
@click.option("--device", metavar="NAME", help="Where --image is looked at. [default: a GPU, else the CPU]")
@click.option("--allow-private", is_flag=True, help="Fetch pictures from private addresses as well.")
@cluster_option
@format_option()
def search(
    alias: str,
    text: str | None,
    mode: Mode | None,
    image: str | None,
    filters: tuple[str, ...],
    size: int,
    grid: Path | None,
    folder: Path,
    allow_private: bool,
    cluster_url: str | None,
    format: str,
    **how: Any,
) -> None:
    """Search ALIAS for TEXT, or for pictures like --image, or both. Fields and models are read from the cluster."""
    chosen = tuple(map(Filter.parse, filters))
    with connected(cluster_url) as cluster:
        if image is not None or mode == "picture":
            answer = _pictures(cluster, alias, text, mode, image, size, chosen, folder, allow_private, how)
        else:
            answer = _texts(cluster, alias, text, mode, size, chosen, folder, allow_private, how)
    if grid is not None:
        _save(grid, answer, text or "", image or "")
    _print(answer, format)


def _texts(
    cluster: Any, alias: str, text: str | None, mode: Mode | None, size: int, filters: tuple[Filter, ...],
    folder: Path, allow_private: bool, how: dict[str, Any],
) -> Answer:  # fmt: skip
    from osform.flows.searching import search as run

    if text is None:
        raise InputError("there is nothing to search for", hint="osform search ALIAS TEXT, or --image FILE")
    done = run(
        cluster, alias, text, mode=mode, field=how["field"], size=size, pipeline=how["pipeline"], filters=filters
    )
    return Answer(done.found, done.mode, done.target, folder, allow_private)


def _pictures(
    cluster: Any, alias: str, text: str | None, mode: Mode | None, image: str | None, size: int,
    filters: tuple[Filter, ...], folder: Path, allow_private: bool, how: dict[str, Any],
) -> Answer:  # fmt: skip
    from osform.flows.picture_files import bytes_of
    from osform.flows.searching_pictures import Seer
    from osform.flows.searching_pictures import search as run

    if mode not in (None, "picture"):
        raise InputError(f"--mode {mode} has no use for a picture", hint="leave --mode out; --descriptions adds words")
    blend: Blend = how["blend"]
    done = run(
        cluster, alias, text=text, picture=bytes_of(image, allow_private=allow_private) if image else None, size=size,
        filters=filters, field=how["field"], weight=how["weight"], blend=blend, descriptions=how["descriptions"],
        seer=Seer(how["device"], how["model"]),
    )  # fmt: skip
    return Answer(done.found, f"picture by {done.mode}", done.target, folder, allow_private)


def _save(grid: Path, answer: Answer, text: str, image: str) -> None:
    """The grid, with a cell for each document that was found."""
    from osform.flows.picture_files import cells_of
    from osform.pictures.grids import draw

    asked = " + ".join(each for each in (text, Path(image).name if image else "") if each)
    cells = cells_of(answer.found.hits, answer.folder, allow_private=answer.allow_private)
    try:
        grid.write_bytes(draw(cells, f"{asked}  ({answer.mode}, {answer.found.took_ms} ms)"))
    except OSError as error:
        raise InputError(f"--grid {grid}: can't be written: {error.strerror}") from error
    click.echo(f"{len(cells)} pictures drawn in {grid}", err=True)


def _print(answer: Answer, format: str) -> None:
    if format == "json":
        click.echo(json.dumps(searched_json(answer), ensure_ascii=False))
    elif not answer.found.hits:
        click.echo("nothing was found", err=True)
    elif sys.stdout.isatty():
        _draw(answer)
    else:
        for line in plain_lines(answer):
            click.echo(line)


def searched_json(answer: Answer) -> dict[str, Any]:
    """What was found, for programs."""
    hits = [{"id": hit.id, "score": hit.score, "source": hit.source} for hit in answer.found.hits]
    return {"took_ms": answer.found.took_ms, "mode": answer.mode, "hits": hits}


def plain_lines(answer: Answer) -> Iterable[str]:
    """What was found, a line each: score, id and text, with a tab between them."""
    for hit in answer.found.hits:
        yield f"{hit.score:.4f}\t{tame(hit.id)}\t{text_of(hit, answer)}"


def text_of(hit: Hit, answer: Answer) -> str:
    """The text to show of a document, on one line: what is embedded, else its text fields, else all of it."""
    fields = [one.text for one in answer.target.embeddings] or list(answer.target.text_fields)
    texts = [str(value) for field in fields if (value := value_at(hit.source, field))]
    return tame(" ".join(" | ".join(texts or [json.dumps(hit.source, ensure_ascii=False)]).split()))


def _draw(answer: Answer) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    hits = answer.found.hits
    if answer.mode.startswith("picture") and _thumbnails(answer):
        console.print(f"{len(hits)} found, {answer.mode}, {answer.found.took_ms} ms", style="dim")
        return
    ids = min(40, max(len(hit.id) for hit in hits))
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("score", justify="right", min_width=5)
    table.add_column("id", style="cyan", min_width=ids, max_width=ids, no_wrap=True)
    table.add_column("text", max_width=max(20, console.width - ids - 8), no_wrap=True)
    for hit in hits:
        table.add_row(f"{hit.score:.3f}", Text(tame(hit.id)), Text(text_of(hit, answer)))
    console.print(table)
    console.print(f"{len(hits)} found, {answer.mode}, {answer.found.took_ms} ms", style="dim")


def _thumbnails(answer: Answer) -> bool:
    """Show the pictures beside what is said of them, where the terminal and an installed Pillow can."""
    from importlib.util import find_spec

    from osform.flows.picture_files import cells_of
    from osform.pictures.thumbnails import HIGH, can_show, lines

    if not can_show(os.environ) or find_spec("PIL") is None:
        return False
    for hit, cell in zip(
        answer.found.hits, cells_of(answer.found.hits, answer.folder, allow_private=answer.allow_private), strict=True
    ):
        beside = [f"{hit.score:.4f}  {tame(hit.id)}", tame(cell.name), text_of(hit, answer)[:100], tame(cell.reason)]
        beside += [""] * (HIGH - len(beside))
        click.echo("\n".join(f"{left}  {right}" for left, right in zip(lines(cell.content), beside, strict=True)))
    return True
