"""A verdict as people read it: one line, or a table with what is wrong and the questions to look at."""

from __future__ import annotations

from osform.core.checks import LATENCIES
from osform.core.verdicts import Measured, Verdict, Worse, shown, title

SHOWN = 10
"""Questions that a message names."""


def summary(verdict: Verdict) -> str:
    """The numbers in one line."""
    parts = []
    for each in verdict.measured:
        if each.new is not None:
            before = f" (before {shown(each.metric, each.old)})" if each.old is not None else ""
            parts.append(f"{title(each.metric)} {shown(each.metric, each.new)}{before}")
    return f"{verdict.new.index} passes its {len(verdict.checks.queries)} checks: {', '.join(parts)}"


def told(verdict: Verdict) -> str:
    """The verdict as a person reads it: the table, what is wrong, and the questions to look at."""
    lines = table(verdict)
    lines += [f"  {each}" for each in verdict.reasons]
    if verdict.unasked:
        assert verdict.old is not None
        lines.append(f"  {verdict.old.index} does not answer {len(verdict.unasked)} of them, which are not compared:")
        lines.append(f"    {verdict.unasked[0].refused}")
    lines += [f"  {line(each, verdict)}" for each in verdict.worse[:SHOWN]]
    if (rest := len(verdict.worse) - SHOWN) > 0:
        lines.append(f"  and {rest} more")
    return "\n".join(lines)


def table(verdict: Verdict) -> list[str]:
    """The metrics, a line each: before, now, and what is asked."""
    old = [verdict.old.index] if verdict.old else []
    rows = [["metric", *old, verdict.new.index, "asked"]]
    for each in verdict.measured:
        if each.new is not None:
            before = [shown(each.metric, each.old)] if verdict.old else []
            rows.append([title(each.metric), *before, shown(each.metric, each.new), _bounds(each, verdict)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _bounds(each: Measured, verdict: Verdict) -> str:
    late = each.metric in LATENCIES
    said = [f"{'at most' if late else 'at least'} {shown(each.metric, each.least)}"] if each.least is not None else []
    if each.slack is not None and verdict.old is not None:
        said.append(f"at most {shown(each.metric, each.slack)} {'above' if late else 'below'} {verdict.old.index}")
    return ", ".join(said) + (": failed" if each.wrong else "")


def line(each: Worse, verdict: Verdict) -> str:
    """A question to look at: what is expected, what was found, and how it was before."""
    query, new = each.query, each.new
    wanted = ", ".join(f"{_plain(id)} ({_said(id, each)})" for id in query.relevant)
    where = f" within {query.within}" if query.within is not None else ""
    found = ", ".join(map(_plain, new.found[:5])) or "nothing"
    numbers = f"nDCG@10 {shown('ndcg_at_10', new.ndcg)}"
    if each.old is not None:
        numbers += f", was {shown('ndcg_at_10', each.old.ndcg)}"
    return f"{verdict.checks.place(query)} {query.asked!r}: expected {wanted}{where}; found {found}; {numbers}"


def _said(id: str, each: Worse) -> str:
    """What a message says of a document: its grade, or at which place it was found where it was expected."""
    if each.query.within is None:
        return f"grade {each.query.grades[id]}"
    return f"no. {each.new.found.index(id) + 1}" if id in each.new.found else "not found"


def _plain(id: str) -> str:
    """An id is whatever somebody once sent, and a terminal must not obey it."""
    return id if id.isprintable() else repr(id)
