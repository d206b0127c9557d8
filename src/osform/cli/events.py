"""The event log: everything that a flow tells, as JSON, a line an event."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import click

from osform.cli.console import reporting
from osform.core.events import Event, Report
from osform.errors import InputError


def line(event: Event, now: datetime) -> str:
    """One event: when, its name (``note``, ``warned``, ``begun``, ``advanced``, ``ended``, ``changed``), its fields."""
    head = {"time": now.isoformat(timespec="milliseconds"), "event": type(event).__name__.lower()}
    return json.dumps({**head, **asdict(event)}, ensure_ascii=False)


@contextmanager
def event_log(format: str, path: Path | None) -> Iterator[Report]:
    """A report for as long as the block runs.

    Drawn on stderr for a person, or written there as lines of JSON where ``format`` is json; and appended to the file
    at ``path`` where one is given. Raises InputError where that can't be written.
    """
    with _appending(path) as file, nullcontext(_stderr) if format == "json" else reporting() as shown:

        def report(event: Event) -> None:
            shown(event)
            if file is not None:
                click.echo(line(event, datetime.now(UTC)), file=file)  # echo flushes: a kill loses no line

        yield report


def _stderr(event: Event) -> None:
    click.echo(line(event, datetime.now(UTC)), err=True)


@contextmanager
def _appending(path: Path | None) -> Iterator[TextIO | None]:
    if path is None:
        yield None
        return
    try:
        file = path.open("a", encoding="utf-8")
    except OSError as error:
        raise InputError(f"--events {path}: can't be written: {error.strerror}") from error
    with file:
        yield file
