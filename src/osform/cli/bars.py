"""Events drawn as bars, for a terminal on standard error. Imports Rich, so it is imported where bars are drawn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from osform.cli.plan_words import line, lines
from osform.core.events import Advanced, Begun, Ended, Event, Note, Report, Warned


class _Amount(ProgressColumn):
    """Bytes as megabytes, everything else as 3/10."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes, self.count = DownloadColumn(), MofNCompleteColumn()

    def render(self, task: Task) -> Text:
        return self.bytes.render(task) if task.fields["unit"] == "bytes" else self.count.render(task)


class _Rate(ProgressColumn):
    """How many a second, of what is counted one by one."""

    def render(self, task: Task) -> Text:
        counted = task.speed is not None and task.fields["unit"] not in ("", "bytes")
        return Text(f"{task.speed:,.0f}/s" if counted else "")


@contextmanager
def bars() -> Iterator[Report]:
    """A report that draws a bar for each task under way, for as long as the block runs."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), _Amount(), _Rate(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        running: dict[str, TaskID] = {}

        def draw(event: Event) -> None:
            match event:
                case Note(text):
                    progress.console.print(lines(text), markup=False, highlight=False)
                case Warned(text):
                    progress.console.print(f"warning: {lines(text)}", style="yellow", markup=False, highlight=False)
                case Begun(task, total, unit):
                    running[task] = progress.add_task(line(task), total=total, unit=unit)
                case Advanced(task, done, total) if task in running:
                    progress.update(running[task], completed=done, total=total)
                case Ended(task) if task in running:
                    progress.remove_task(running.pop(task))

        yield draw
