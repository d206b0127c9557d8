"""``osform schema``: what editors need to complete and check files while they are written."""

from __future__ import annotations

import json
from pathlib import Path

import click

from osform.errors import InputError


@click.command()
@click.argument("kind", required=False)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Write each schema to DIR/KIND.schema.json instead.")  # fmt: skip
def schema(kind: str | None, out: Path | None) -> None:
    """Write the JSON Schema of KIND's files, or of all kinds, for editors.

    KIND is a kind of resource, stack, environment, checks, policy, or packaged_model for models/NAME/model.yaml.
    """
    from osform.files.schemas import names
    from osform.files.schemas import schema as made
    from osform.kinds.checks import nearest

    if kind is not None and kind not in names():
        raise InputError(f"there is no kind {kind!r}", hint=nearest(kind, set(names())))
    schemas = {name: made(name) for name in ([kind] if kind else names())}
    if out is None:
        click.echo(json.dumps(schemas[kind] if kind else schemas, indent=2, ensure_ascii=False))
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, each in schemas.items():
            path = out / f"{name}.schema.json"
            path.write_text(json.dumps(each, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
            click.echo(str(path))
    except OSError as error:
        raise InputError(f"--out {out}: can't be written: {error.strerror}") from error
