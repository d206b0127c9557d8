"""Events told to a person: bars where stderr is a terminal, plain lines where it is not."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from osform.cli.plan_words import lines
from osform.core.events import Event, Note, Report, Warned


def plain(event: Event) -> None:
    """One line for each note and warning; silent about progress, since nobody watches a log file move."""
    match event:
        case Note(text):
            click.echo(lines(text), err=True)
        case Warned(text):
            click.echo(f"warning: {lines(text)}", err=True)
        case _:
            pass


@contextmanager
def reporting() -> Iterator[Report]:
    """A report that writes to stderr for as long as the block runs."""
    if not sys.stderr.isatty():
        yield plain
        return
    from osform.cli.bars import bars

    with bars() as draw:
        yield draw
