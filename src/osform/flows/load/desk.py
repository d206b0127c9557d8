"""Where the workers of one load tell what they have done: how far each is, what failed, what a reader should know.

One process has the desk, and it alone writes files, on the machine that the load was started on: whatever happens to a
worker, or to the machine that it runs on, nothing of this is lost with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from osform.core.events import Event
from osform.core.rows import Rejected
from osform.files.checkpoints import Checkpoint
from osform.files.dead_letters import DeadLetters


@dataclass(frozen=True)
class News:
    """What was told since the last look. ``done`` are the rows that are done with, of each part; ``failed`` is all."""

    done: dict[int, int]
    events: tuple[Event, ...]
    failed: int


@dataclass
class Desk:
    """``names`` are those of the notes of each part, in ``folder``; None is for files that can't be told again."""

    folder: Path
    names: Sequence[str | None]
    dead_letter: Path
    _done: dict[int, int] = field(default_factory=dict)
    _events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._letters = DeadLetters(self.dead_letter)
        self._notes = [Checkpoint(self.folder, name) for name in self.names]

    def settled(self, part: int) -> int:
        """The rows of a part, from its first on, that an earlier run or try has settled."""
        return self._notes[part].rows

    def reached(self, part: int, rows: int) -> None:
        """So many rows of a part are settled. It is on disk when this comes back."""
        note = self._notes[part]
        note.reached(rows, now=True)
        note.rows = max(note.rows, rows)

    def letter(self, rejected: Rejected) -> None:
        """A row that can't be indexed. It is on disk when this comes back."""
        self._letters.add(rejected)

    def told(self, event: Event) -> None:
        """Something for the reader."""
        self._events.append(event)

    def advanced(self, part: int, rows: int) -> None:
        """So many rows of a part are done with."""
        self._done[part] = rows

    def news(self) -> News:
        """What is new."""
        events, self._events = tuple(self._events), []
        return News(dict(self._done), events, self._letters.count)

    def close(self) -> None:
        """Nothing more is told."""
        self._letters.close()

    def finished(self) -> None:
        """All parts are through: the next run looks at all of them again."""
        for note in self._notes:
            note.finished()
