"""Plans as people read them."""

from __future__ import annotations

import json
from typing import Any

import click

from osform.core.diff import ABSENT, Difference
from osform.core.document import dotted
from osform.core.plan import Change, Plan
from osform.core.values import concealed

_SIGNS = {"create": ("+", "green"), "update": ("~", "yellow"), "replace": ("!", "red"), "delete": ("-", "red"),
          "adopt": ("=", "cyan")}  # fmt: skip
_LONGEST = 100


def show(plan: Plan, format: str) -> None:
    """Write a plan to standard output, as text or as JSON."""
    if format == "json":
        click.echo(json.dumps(plan.to_json(), indent=2, ensure_ascii=False))
        return
    head = f"{plan.stack} ({plan.environment})"
    if plan.empty:
        click.echo(f"{head}: no changes, the cluster is as the files say")
        return
    for change in plan.changes:
        _show_change(change)
    counts = {action: sum(change.action == action for change in plan.changes) for action in _SIGNS}
    summary = ", ".join(f"{count} to {action}" for action, count in counts.items() if count)
    click.echo(f"{head}: {summary}. checksum {plan.checksum}")


def _show_change(change: Change) -> None:
    sign, colour = _SIGNS[change.action]
    place = f"  {change.place}" if change.place else ""
    click.echo(
        click.style(f"{sign} {change.address}", fg=colour, bold=True) + f"  {change.action}, {change.reason}{place}"
    )
    for note in change.notes:
        click.echo(f"    {note}")
    for difference in change.differences:
        click.echo(f"    {_line(difference)}")


def _line(difference: Difference) -> str:
    path, before, after = dotted(difference.path), _shown(difference.before), _shown(difference.after)
    if difference.before is ABSENT:
        return f"{path}: {after}"
    place = f"  ({difference.place})" if difference.place else ""
    return f"{path}: {before} -> {after}{place}"


def _shown(value: Any) -> str:
    if value is ABSENT:
        return "(nothing)"
    shown = concealed(value)
    text = shown if isinstance(shown, str) and _plain(shown) else json.dumps(shown, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _plain(text: str) -> bool:
    """Whether a text can stand without quotes: nothing a terminal would obey, and not to be taken for 1, true or {}."""
    if not text.isprintable() or not text.strip():
        return False
    try:
        json.loads(text)
    except ValueError:
        return True
    return False
