"""A plan as Markdown for a pull request: a table, and below it what differs, folded away.

What users wrote stands in fenced blocks, or in code elements with every sign as a character reference, so that no name,
value or note can end a block, open an element, or call somebody.
"""

from __future__ import annotations

import re

from osform.cli import plan_words as words
from osform.core.plan import Change, Plan

MOST_BYTES = 65_536
"""What GitHub takes as a comment, in characters; counted in bytes here, which are never fewer."""
_ROOM_FOR_NOTES = 400
_SHARE_OF_TABLE = 0.4


def markdown(plan: Plan, most: int = MOST_BYTES) -> str:
    """The plan, shortened from its end on to ``most`` bytes, with a note of what was left out."""
    head = [
        f"### osform plan: {code(plan.stack)} ({code(plan.environment)})",
        "",
        f"**{words.summary(plan)}** · checksum {code(plan.checksum)}",
    ]
    if plan.empty:
        return "\n".join([*head[:2], "**No changes**: the cluster is as the files say."])
    budget = _Budget(most - _ROOM_FOR_NOTES)
    budget.add(*head, "", *(f"> warning: {code(warning)}\n" for warning in plan.warnings[:20]))
    budget.add("| | resource | action | reason | values |", "|---|---|---|---|---|")
    listed = budget.add_while(map(_row, plan.changes), _SHARE_OF_TABLE)
    if listed < len(plan.changes):
        budget.add("", f"and {len(plan.changes) - listed} more resources, which are not listed for want of room.")
    budget.add("")
    detailed = budget.add_while(map(_details, plan.changes), 1.0)
    if detailed < len(plan.changes):
        kept = _shortened(plan.changes[detailed], budget.left)
        budget.lines += [kept] if kept else []
        budget.lines.append("\nThe rest is left out for want of room: `osform plan` shows all of it.")
    return "\n".join(budget.lines)


class _Budget:
    """Lines with a limit on their bytes."""

    def __init__(self, most: int) -> None:
        self.most, self.left = most, most
        self.lines: list[str] = []

    def add(self, *lines: str) -> None:
        """Add lines, come what may."""
        self.lines += lines
        self.left -= sum(_size(line) for line in lines)

    def add_while(self, lines: map[str], share: float) -> int:
        """Add as many as there is room for until ``share`` of the whole is used up; returns how many."""
        count = 0
        for line in lines:
            if self.left - _size(line) < self.most * (1 - share):
                break
            self.add(line)
            count += 1
        return count


def _size(line: str) -> int:
    return len(line.encode()) + 1


def code(text: str) -> str:
    """Text as code in a line, a cell of a table or an element: every sign is a reference, so none means anything."""
    plain = words.line(text)
    return f"<code>{re.sub('[^A-Za-z0-9 ]', lambda sign: f'&#{ord(sign[0])};', plain)}</code>"


def _row(change: Change) -> str:
    sign = code(words.SIGNS[change.action])
    return f"| {sign} | {code(str(change.address))} | {change.action} | {change.reason} | {len(change.differences)} |"


def _details(change: Change) -> str:
    return _folded(change, _lines(change))


def _lines(change: Change) -> list[str]:
    lines = [f"# {change.place}"] if change.place else []
    lines += [f"! {remark}" for remark in words.remarks(change)]
    differences, rest = words.shown(change)
    for difference in differences:
        old, new = words.pair(difference)
        has_before, has_after = words.sides(change, difference)
        lines += [f"- {words.path(difference)}: {old}"] if has_before and old != words.NOTHING else []
        lines += [f"+ {words.path(difference)}: {new}"] if has_after and new != words.NOTHING else []
    return [words.line(line) for line in lines] + ([f"# and {rest} more"] if rest else [])


def _folded(change: Change, lines: list[str]) -> str:
    text = "\n".join(lines)
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", text))])
    summary = f"{code(str(change.address))} {change.action}, {change.reason}"
    return f"<details><summary>{summary}</summary>\n\n{fence}diff\n{text}\n{fence}\n\n</details>"


def _shortened(change: Change, room: int) -> str | None:
    """The details of a change as far as there is room for them."""
    lines = _lines(change)
    for kept in (len(lines) // 2, len(lines) // 4, len(lines) // 8, 10):
        if 0 < kept < len(lines):
            text = _folded(change, [*lines[:kept], f"# and {len(lines) - kept} more lines"])
            if _size(text) <= room:
                return text
    return None
