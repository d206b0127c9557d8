"""Plans as people read them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import click

from osform.core.diff import ABSENT, Difference
from osform.core.document import dotted
from osform.core.plan import Change, Create, Delete, Plan
from osform.core.values import concealed

_SIGNS = {"create": ("+", "green"), "update": ("~", "yellow"), "replace": ("!", "red"), "delete": ("-", "red"),
          "adopt": ("=", "cyan")}  # fmt: skip
_LONGEST = 100
_MOST_DELETED = 6  # lines: what a resource was says enough, and nobody compares it with anything


def show(plan: Plan, format: str) -> None:
    """Write a plan to standard output, as text or as JSON."""
    if format == "json":
        click.echo(json.dumps(plan.to_json(), indent=2, ensure_ascii=False))
        return
    for warning in plan.warnings:
        click.echo(f"warning: {warning}", err=True)
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
    shown = change.differences[:_MOST_DELETED] if isinstance(change, Delete) else change.differences
    for difference in shown:
        click.echo(f"    {_line(difference, change)}")
    if rest := len(change.differences) - len(shown):
        click.echo(f"    and {rest} more")


def _line(difference: Difference, change: Change) -> str:
    path, before, after = dotted(difference.path), _shown(difference.before), _shown(difference.after)
    if isinstance(change, Delete):
        return f"{path}: {before}"
    if isinstance(change, Create) and difference.before is ABSENT:
        return f"{path}: {after}"
    # For which resource's sake a template was read is said in the line above.
    place = f"  ({replace(difference.place, used_by='')})" if difference.place else ""
    arrow = f"{click.style(before, fg='red')} -> {click.style(after, fg='green')}"
    return f"{path}: {arrow}{click.style(place, dim=True)}"


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
