"""``osform caption``: pictures in, text out, for ``osform ingest``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from osform.cli.console import reporting
from osform.cli.options import SOME_FAILED, Command, format_option
from osform.errors import InputError

if TYPE_CHECKING:
    from osform.caption.prompts import Uses
    from osform.flows.captioning import Captioned, Model
    from osform.flows.comparing_captions import Compared
    from osform.flows.picture_inputs import Inputs
    from osform.images.fetching import Web

DEFAULT_MODEL = "Salesforce/blip2-opt-2.7b"
COMPARED = ("Salesforce/blip-image-captioning-large", DEFAULT_MODEL)
PRECISIONS = ("fp32", "bf16", "fp16")


class _Describing(click.Group):
    """A group in which ``describe`` may be left out: ``osform caption PATH...``."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands:
            args = ["describe", *args]
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, "-h", "--help"):
            args = ["describe", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Describing)
def caption() -> None:
    """Describe pictures in words: `osform caption PATH... --out FILE`, or two models side by side."""


def _working_options(command: Command) -> Command:
    """Where a model works and how, as the arguments of ``_model``."""
    for option in (
        click.option("--device", metavar="NAMES", help="cpu, cuda:0,cuda:1 ... [default: every GPU, else the CPU]"),
        click.option("--precision", type=click.Choice(PRECISIONS), help="[default: bf16 on a GPU, else fp32]"),
        click.option("--max-new-tokens", metavar="N", type=click.IntRange(1, 400), default=30, show_default=True,
                     help="The longest text, in tokens."),
        click.option("--quick-decode", "quick", is_flag=True,
                     help="Scale JPEGs down while decoding: faster, slightly other pixels."),
        click.option("--compile", "static", is_flag=True,
                     help="Compile the decoding: a minute at first, faster afterwards, on a GPU."),
    ):  # fmt: skip
        command = option(command)
    return command


def input_options(command: Command) -> Command:
    for option in (
        click.option("--column", metavar="NAME", help="The column of a table that names pictures."),
        click.option("--url-params", metavar="QUERY", default="",
                     help="Parameters put to every address, such as w=640&fm=jpg."),
        click.option("--limit", metavar="N", type=click.IntRange(1), help="Only the first N pictures."),
        click.option("--connections", metavar="N", type=click.IntRange(1, 256), default=16, show_default=True,
                     help="Downloads at a time, at most."),
        click.option("--timeout", metavar="SECONDS", type=click.FloatRange(0.1), default=30.0, show_default=True,
                     help="The longest that a download may take."),
        click.option("--most-bytes", metavar="N", type=click.IntRange(1), default=100_000_000, show_default=True,
                     help="Larger pictures are refused."),
        click.option("--most-pixels", metavar="N", type=click.IntRange(1), default=150_000_000, show_default=True,
                     help="Pictures with more are refused."),
        click.option("--allow-private", is_flag=True, help="Download from private addresses as well."),
        click.option("--allow-network", "networks", metavar="CIDR", multiple=True,
                     help="Download from these private addresses, such as 10.1.0.0/16. Repeatable."),
        click.option("--batch", metavar="N", type=click.IntRange(1, 4096),
                     help="Pictures at a time. [default: what memory allows]"),
        click.option("--workers", metavar="N", type=click.IntRange(0, 1024),
                     help="Processes that decode. [default: one less than processors, at most 8]"),
    ):  # fmt: skip
        command = option(command)
    return command


@caption.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option("--out", metavar="FILE", type=click.Path(path_type=Path), required=True, help="The JSON Lines to write.")
@click.option("--model", metavar="MODEL", default=DEFAULT_MODEL, show_default=True,
              help="A folder, or a name on the Hub.")  # fmt: skip
@click.option("--revision", metavar="COMMIT", help="The model's revision on the Hub. [default: the pinned one]")
@click.option("--prompt", "prompts", metavar="TEXT", multiple=True, help="A beginning to go on from. Repeatable.")
@click.option("--prompt-column", metavar="NAME", help="The column of a table with a prompt for each picture.")
@click.option("--questions", metavar="FILE", type=click.Path(path_type=Path), help="YAML: field: question.")
@click.option("--chat", metavar="FILE", type=click.Path(path_type=Path), help="YAML: a list of questions and answers.")
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="Who works: this machine, or those of a Ray cluster.",
)
@click.option(
    "--replicas",
    metavar="N",
    type=click.IntRange(1, 4096),
    help="Copies of the model, with --engine ray. [default: one a GPU, else half of the processors]",
)
@click.option("--retry", is_flag=True, help="Try the pictures again that failed before.")
@click.option("--restart", is_flag=True, help="Write the file anew.")
@_working_options
@input_options
@format_option()
def describe(paths: tuple[str, ...], out: Path, format: str, **options: Any) -> int:
    """Describe pictures, a line of JSON for each picture and prompt.

    PATH is a picture, a folder, a pattern, a list of addresses (.txt), a table (.csv, .tsv, .parquet), a tar file or
    an address. A run that was stopped goes on where it was. Exit status 3 says that some pictures are recorded as
    errors.
    """
    from osform.flows.captioning import Manner
    from osform.flows.captioning import describe as run

    names = ("batch", "workers", "quick", "most_pixels", "retry", "restart", "engine", "replicas")
    manner = Manner(**{name: options[name] for name in names})
    uses = _uses(options["prompts"], options["questions"], options["chat"])
    with reporting() as report:
        done = run(inputs_of(paths, options), out, _model(options["model"], options), uses=uses, manner=manner,
                   web=web_of(options), report=report)  # fmt: skip
    click.echo(json.dumps(captioned_json(done)) if format == "json" else captioned_text(done))
    return SOME_FAILED if done.failed else 0


@caption.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option("--html", "page", metavar="FILE", type=click.Path(path_type=Path), required=True,
              help="The page to write, with the pictures.")  # fmt: skip
@click.option("--model", "models", metavar="MODEL", multiple=True,
              help="A folder, or NAME[@COMMIT] on the Hub; twice or more. [default: BLIP, BLIP-2]")  # fmt: skip
@click.option("--prompt", "prompts", metavar="TEXT", multiple=True, help="A beginning to go on from. Repeatable.")
@click.option("--restart", is_flag=True, help="Describe all pictures anew.")
@_working_options
@input_options
@format_option()
def compare(paths: tuple[str, ...], page: Path, models: tuple[str, ...], format: str, **options: Any) -> int:
    """Have several models describe the same pictures, and show what they say side by side.

    Prints it, and draws a page with the pictures. The lines of each model are kept beside the page.
    """
    from osform.cli.caption_page import html
    from osform.cli.plan_words import line
    from osform.flows.captioning import Manner
    from osform.flows.comparing_captions import compare as run
    from osform.flows.comparing_captions import shown

    manner = Manner(**{name: options[name] for name in ("batch", "workers", "quick", "most_pixels", "restart")})
    inputs = inputs_of(paths, options)
    chosen = []
    for name in models or COMPARED:
        model, _, revision = name.partition("@")
        chosen.append(_model(model, {**options, "revision": revision or None}))
    with reporting() as report:
        done = run(inputs, chosen, page, uses=_uses(options["prompts"], None, None), manner=manner,
                   web=web_of(options), report=report)  # fmt: skip
    try:
        page.write_text(html(done, dict(shown(inputs))), encoding="utf-8")
    except OSError as error:
        raise InputError(f"--html {page}: can't be written: {error.strerror}") from error
    if format == "json":
        rows = [asdict(row) for row in done.rows]
        click.echo(json.dumps({"models": done.models, "page": str(page), "pictures": rows}, ensure_ascii=False))
    else:
        click.echo("\n".join(map(line, _side_by_side(done))))
        click.echo(f"drawn in {page}", err=True)
    return SOME_FAILED if any(each.failed for each in done.runs) else 0


def _side_by_side(done: Compared) -> Iterable[str]:
    width = max(map(len, done.models))
    for row in done.rows:
        yield f"{row.image}  {row.prompt}".rstrip()
        for model, said in zip(done.models, row.texts, strict=True):
            yield f"  {model:<{width}}  {said if said is not None else row.reason}"


def _uses(prompts: Sequence[str], questions: Path | None, chat: Path | None) -> Uses:
    from osform.caption.prompts import Uses
    from osform.flows.asking import read_chat, read_questions

    return Uses(
        tuple(dict.fromkeys(prompts)) or ("",),
        read_questions(questions) if questions else {},
        read_chat(chat) if chat else (),
    )


def inputs_of(paths: Sequence[str], options: dict[str, Any]) -> Inputs:
    from urllib.parse import parse_qsl

    from osform.flows.picture_inputs import Inputs

    query = options["url_params"].removeprefix("?")
    try:
        params = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)))
    except ValueError as error:
        raise InputError(f"--url-params {query}: expected NAME=VALUE&NAME=VALUE") from error
    return Inputs(tuple(paths), options["column"], params, options["limit"], options["most_bytes"],
                  options.get("prompt_column"))  # fmt: skip


def _model(name: str, options: dict[str, Any]) -> Model:
    from osform.flows.captioning import Model

    return Model(
        name,
        options["revision"],
        options["device"],
        options["precision"],
        options["max_new_tokens"],
        options["static"],
    )


def web_of(options: dict[str, Any]) -> Web:
    from osform.images.fetching import Web

    return Web(
        options["connections"],
        timeout=options["timeout"],
        allow_private=options["allow_private"],
        networks=options["networks"],
    )


def captioned_json(done: Captioned) -> dict[str, Any]:
    """The figures of a run, for programs."""
    return {"out": str(done.out), "manifest": str(done.manifest), **asdict(done.run), "failed": done.failed}


def captioned_text(done: Captioned) -> str:
    """The figures of a run, for a person."""
    run = done.run
    text = f"{run.described + run.repeated} pictures described in {done.out} "
    text += f"({run.seconds:.1f} s, {run.pictures_per_second:.1f} a second)"
    if run.skipped:
        text += f"\n{run.skipped} had been described before"
    if run.repeated:
        text += f"\n{run.repeated} have the bytes of another one, and its text"
    if done.failed:
        text += f"\n{done.failed} could not be described; each has a line with the reason, and --retry tries them again"
    return text
