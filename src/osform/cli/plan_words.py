"""What the plan's formats have in common: its words, and values as one line that no terminal obeys."""

from __future__ import annotations

import json
import re
from typing import Any

from osform.core.diff import ABSENT, Difference
from osform.core.document import dotted
from osform.core.plan import Change, Create, Delete, Plan
from osform.core.values import concealed

SIGNS = {"create": "+", "update": "~", "replace": "!", "delete": "-", "adopt": "="}
MOST_DELETED = 6  # lines: what a resource was says enough, and nobody compares it with anything
LONGEST = 100
# What terminals obey, what turns a line around, and what no encoding has: halves of letters.
_OBEYED = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_AROUND = 24  # letters before the first that differs, where a long text is cut
NOTHING = "(nothing)"


def summary(plan: Plan) -> str:
    """How many changes of each sort: ``2 to create, 1 to update``."""
    counts = {action: sum(change.action == action for change in plan.changes) for action in SIGNS}
    return ", ".join(f"{count} to {action}" for action, count in counts.items() if count) or "no changes"


def line(text: str) -> str:
    """Text as one line: what is not printable, or turns the line around, is written as an escape."""
    return "".join(letter if letter.isprintable() else json.dumps(letter)[1:-1] for letter in text)


def tame(text: str) -> str:
    """A document's text as a terminal may have it: as it is, but for what it would obey."""
    return _OBEYED.sub(lambda found: json.dumps(found[0])[1:-1], text)


def lines(text: str) -> str:
    """Text as a terminal may have it, its lines kept: a server's words may be in it, and whatever they hold."""
    return "\n".join(map(line, text.split("\n")))


def path(difference: Difference) -> str:
    """The path of a difference, on one line."""
    return line(dotted(difference.path))


def pair(difference: Difference, longest: int = LONGEST) -> tuple[str, str]:
    """Before and after, each on one line of at most ``longest`` letters; cut so that what differs can be seen."""
    before, after = _text(difference.before), _text(difference.after)
    same = next((n for n, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), 0)
    start = max(0, same - _AROUND) if max(len(before), len(after)) > longest else 0
    return _cut(before, start, longest), _cut(after, start, longest)


def _cut(text: str, start: int, longest: int) -> str:
    if len(text) <= longest:
        return text
    start = min(start, len(text) - longest)
    begun = f"...{text[start + 3 :]}" if start > 0 else text
    return begun if len(begun) <= longest else f"{begun[: longest - 3]}..."


def _text(value: Any) -> str:
    if value is ABSENT:
        return NOTHING
    shown = concealed(value)
    if isinstance(shown, str) and _plain(shown):
        return shown
    return line(json.dumps(shown, ensure_ascii=False))


def _plain(text: str) -> bool:
    """Whether a text can stand without quotes: nothing a terminal would obey, and not to be taken for 1, true or {}."""
    if not text.isprintable() or not text.strip() or text == NOTHING:
        return False
    try:
        json.loads(text)
    except ValueError:
        return True
    return False


def shown(change: Change) -> tuple[tuple[Difference, ...], int]:
    """The differences that are shown, and how many are left out."""
    few = change.differences[:MOST_DELETED] if isinstance(change, Delete) else change.differences
    return few, len(change.differences) - len(few)


def sides(change: Change, difference: Difference) -> tuple[bool, bool]:
    """Whether before and after say anything: a deletion has no after, and what is new had no before."""
    if isinstance(change, Delete):
        return True, False
    return not (isinstance(change, Create) and difference.before is ABSENT), True


def remarks(change: Change) -> list[str]:
    """Sentences about a change: its notes, and what else it reaches."""
    notes = [*change.notes, *([str(change.estimate)] if change.estimate else [])]
    return [line(note) for note in notes] + [f"also reached: {line(str(effect))}" for effect in change.effects]
