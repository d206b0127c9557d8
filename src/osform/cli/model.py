"""``osform model``: export models, compare them with their source, list them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from osform.cli.console import reporting
from osform.cli.options import Command, format_option
from osform.core.models import Format, PackagedModel, Precision
from osform.errors import InputError

if TYPE_CHECKING:
    from osform.flows.agreeing import Agreement
    from osform.flows.exporting import Exported, Verified


def _models_option(command: Command) -> Command:
    return click.option(
        "--models",
        "models_folder",
        metavar="DIR",
        type=click.Path(path_type=Path),
        default="models",
        show_default=True,
        help="The folder of models.",
    )(command)


def _cache_option(command: Command) -> Command:
    return click.option(
        "--cache",
        metavar="DIR",
        type=click.Path(path_type=Path),
        help="Where bundles are kept. [default: OSFORM_CACHE, else the user's cache folder]",
    )(command)


def _which(command: Command) -> Command:
    """``--as`` and ``--precision``: some of the exports that model.yaml lists, by default all."""
    formats = click.Choice(get_args(Format))
    precisions = click.Choice(get_args(Precision))
    command = click.option("--precision", type=precisions, help="Only that precision. [default: all of model.yaml]")(
        command
    )
    return click.option("--as", "as_", type=formats, help="Only that model format. [default: all of model.yaml]")(
        command
    )


@click.group()
def model() -> None:
    """Package models: export them, verify them against their source, list them."""


@model.command()
@click.argument("name")
@_which
@click.option("--update-lock", is_flag=True, help="Promise the new bytes in lock.yaml, where they differ from it.")
@_models_option
@_cache_option
@format_option()
def export(
    name: str,
    as_: Format | None,
    precision: Precision | None,
    update_lock: bool,
    models_folder: Path,
    cache: Path | None,
    format: str,
) -> None:
    """Make bundles of models/NAME, compare them with their source, and write lock.yaml.

    With `--format json`, one JSON object a bundle, each on its own line.
    """
    from osform.files.models import load_model
    from osform.flows.exporting import export_model

    packaged = _named(models_folder, name)
    with reporting() as report:
        for form, fineness in _exports(packaged, as_, precision):
            done = export_model(
                packaged,
                form,
                fineness,
                cache=_cache(cache),
                update_lock=update_lock,
                report=report,
                environment=os.environ,
            )
            packaged = load_model(models_folder / name)  # with the lock as this export left it
            click.echo(json.dumps(exported_json(done)) if format == "json" else exported_text(done))


@model.command()
@click.argument("name", required=False)
@_which
@_models_option
@_cache_option
@format_option()
def verify(
    name: str | None,
    as_: Format | None,
    precision: Precision | None,
    models_folder: Path,
    cache: Path | None,
    format: str,
) -> None:
    """Run the bundles of NAME, or of all models with a lock, as the server would, and compare with their source."""
    from osform.flows.exporting import verify_model

    chosen = [_named(models_folder, name)] if name else [m for m in _all(models_folder).values() if m.lock]
    if not chosen:
        raise InputError(f"no model in {models_folder} was exported yet", hint="osform model export NAME")
    with reporting() as report:
        for packaged in chosen:
            for form, fineness in _exports(packaged, as_, precision):
                done = verify_model(
                    packaged, form, fineness, cache=_cache(cache), report=report, environment=os.environ
                )
                click.echo(json.dumps(verified_json(done)) if format == "json" else verified_text(done))


@model.command("list")
@_models_option
@_cache_option
@format_option()
def list_(models_folder: Path, cache: Path | None, format: str) -> None:
    """List the models, what was exported of them, and whether it is in the cache."""
    rows = list(_rows(_all(models_folder), _cache(cache)))
    if format == "json":
        click.echo(json.dumps(rows))
    elif rows:
        click.echo(_table(rows))


def exported_json(done: Exported) -> dict[str, Any]:
    """An export as other programs read it."""
    return {
        "model": done.model,
        "format": done.bundle.format,
        "precision": done.bundle.precision,
        "file": str(done.path),
        "sha256": done.bundle.sha256,
        "bytes": done.bundle.bytes,
        "dimension": done.lock.dimension,
        **_agreement_json(done.agreement),
        "lock_written": done.lock_written,
    }


def exported_text(done: Exported) -> str:
    """An export as a person reads it: four lines."""
    bundle = done.bundle
    return (
        f"{done.model} {bundle.format} {bundle.precision}: {bundle.bytes / 1e6:.1f} MB, "
        f"{done.lock.dimension} dimensions\n"
        f"  cosine to its source {_agreement_text(done.agreement)}\n"
        f"  {done.path}\n  lock.yaml {'written' if done.lock_written else 'agrees'}"
    )


def verified_json(done: Verified) -> dict[str, Any]:
    """A comparison as other programs read it."""
    return {
        "model": done.model,
        "format": done.bundle.format,
        "precision": done.bundle.precision,
        "file": str(done.path),
        "sha256": done.bundle.sha256,
        **_agreement_json(done.agreement),
    }


def _agreement_json(found: Agreement) -> dict[str, Any]:
    recall = {} if found.recall is None else {"recall_at_10": found.recall}
    return {"cosine_min": found.least, "cosine_mean": found.mean, **recall}


def _agreement_text(found: Agreement) -> str:
    recall = "" if found.recall is None else f"; {found.recall:.1%} of its source's ten nearest texts"
    return f"{found.least:.6f} at least, {found.mean:.6f} on average{recall}"


def verified_text(done: Verified) -> str:
    """A comparison as a person reads it: one line."""
    return (
        f"{done.model} {done.bundle.format} {done.bundle.precision}: agrees with its lock and its source, "
        f"cosine {_agreement_text(done.agreement)}"
    )


def _cache(given: Path | None) -> Path:
    from osform.files.bundles import cache_folder

    return given or cache_folder(os.environ)


def _all(folder: Path) -> Mapping[str, PackagedModel]:
    from osform.files.models import load_models

    if not folder.is_dir():
        raise InputError(f"no folder {folder}", hint="run it where models/ is, or name the folder: --models DIR")
    return load_models(folder).checked()


def _named(folder: Path, name: str) -> PackagedModel:
    """One model by its name. Mistakes in the others don't matter here."""
    from osform.files.models import load_model

    if not (folder / name / "model.yaml").is_file():
        from difflib import get_close_matches

        known = sorted(path.parent.name for path in folder.glob("*/model.yaml"))
        near = get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"models there: {', '.join(known) or 'none'}"
        raise InputError(f"no model {name!r} in {folder}", hint=hint)
    return load_model(folder / name)


def _exports(
    packaged: PackagedModel, format: Format | None, precision: Precision | None
) -> list[tuple[Format, Precision]]:
    listed = packaged.spec.exports
    chosen = [(f, p) for f, p in listed if format in (None, f) and precision in (None, p)]
    if not chosen:
        there = ", ".join(f"{f} {p}" for f, p in listed)
        raise InputError(f"{packaged.spec.folder}/model.yaml lists no such export", hint=f"it lists {there}")
    return chosen


def _rows(models: Mapping[str, PackagedModel], cache: Path) -> Iterator[dict[str, Any]]:
    """A row for each export that model.yaml lists; what is not known before the export is None."""
    from osform.files.bundles import path_of

    for packaged in models.values():
        lock = packaged.lock
        for form, precision in packaged.spec.exports:
            bundle = lock.bundle(form, precision) if lock else None
            yield {
                "model": packaged.name,
                "source": str(packaged.spec.source),
                "format": form,
                "precision": precision,
                "exported": bundle is not None,
                "cached": bundle is not None and path_of(cache, bundle.sha256).is_file(),
                "dimension": lock.dimension if lock else None,
                "max_length": lock.max_length if lock else None,
                "bytes": bundle.bytes if bundle else None,
                "sha256": bundle.sha256 if bundle else None,
                "cosine_min": bundle.cosine_min if bundle else None,
                "recall_at_10": bundle.recall if bundle else None,
            }


def _table(rows: list[dict[str, Any]]) -> str:
    head = ("MODEL", "FORMAT", "PRECISION", "DIMENSION", "TOKENS", "MB", "COSINE", "EXPORTED", "CACHED")
    lines = [
        head,
        *(
            (
                row["model"],
                row["format"],
                row["precision"],
                row["dimension"] or "-",
                row["max_length"] or "-",
                f"{row['bytes'] / 1e6:.1f}" if row["bytes"] else "-",
                row["cosine_min"] or "-",
                "yes" if row["exported"] else "no",
                "yes" if row["cached"] else "no",
            )
            for row in rows
        ),
    ]
    widths = [max(len(str(line[column])) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(str(cell).ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
