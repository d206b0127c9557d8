"""``osform init``: a small working stack to start from."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import click

from osform.cli.options import format_option


@click.command()
@click.argument("folder", metavar="[DIR]", default=Path(), type=click.Path(path_type=Path, file_okay=False))
@click.option("--name", metavar="NAME", help="The stack's name. [default: that of the folder]")
@format_option()
def init(folder: Path, name: str | None, format: str) -> None:
    """Write a small working stack into DIR, by default the current folder. No file is overwritten."""
    from osform.files.starter import stack_name, write_starter

    name = name or stack_name(folder)
    written = write_starter(folder, name)
    if format == "json":
        click.echo(json.dumps({"stack": name, "folder": str(folder), "files": list(map(str, written))}, indent=2))
        return
    for path in written:
        click.echo(str(path))
    there = "" if folder.resolve() == Path.cwd() else f"cd {shlex.quote(str(folder))}; "
    click.echo(f"next:  {there}osform validate, and provision/README.md", err=True)
