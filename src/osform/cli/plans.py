"""Plans as people and programs read them."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import click

from osform.cli import plan_words as words
from osform.core.diff import Difference
from osform.core.plan import Change, Plan

FORMATS = ("markdown", "html")
"""What a plan can be written as, besides text and JSON."""
_COLOURS = {"create": "green", "update": "yellow", "replace": "red", "delete": "red", "adopt": "cyan"}
_WIDEST_PATH, _WIDEST_BEFORE = 60, 32  # columns that are lined up; what is longer sticks out


def show(plan: Plan, format: str) -> None:
    """Write a plan to standard output as text, JSON, Markdown or one page of HTML."""
    match format:
        case "json":
            click.echo(json.dumps(plan.to_json(), indent=2, ensure_ascii=False))
        case "markdown":
            from osform.cli.plan_markdown import markdown

            click.echo(markdown(plan))
        case "html":
            from osform.cli.plan_html import html

            click.echo(html(plan))
        case _:
            _show_text(plan)


def _show_text(plan: Plan) -> None:
    head = words.line(f"{plan.stack} ({plan.environment})")
    for warning in plan.warnings:
        click.echo(f"warning: {words.line(warning)}", err=True)
    if plan.empty:
        click.echo(f"{head}: no changes, the cluster is as the files say")
        return
    for change in plan.changes:
        _show_change(change)
    click.echo(f"{head}: {words.summary(plan)}. checksum {plan.checksum}")


def _show_change(change: Change) -> None:
    place = f"  {change.place}" if change.place else ""
    name = click.style(
        f"{words.SIGNS[change.action]} {words.line(str(change.address))}", fg=_COLOURS[change.action], bold=True
    )
    click.echo(f"{name}  {change.action}, {change.reason}{words.line(place)}")
    for remark in words.remarks(change):
        click.echo(f"    {click.style(words.line(remark), fg='cyan')}")
    differences, rest = words.shown(change)
    rows = [_cells(difference, change) for difference in differences]
    for line in _lined_up(rows):
        click.echo(f"    {line}")
    if rest:
        click.echo(f"    and {rest} more")


def _cells(difference: Difference, change: Change) -> tuple[str, str | None, str | None, str]:
    old, new = words.pair(difference)
    has_before, has_after = words.sides(change, difference)
    # For which resource's sake a template was read is said in the line above.
    place = f"({replace(difference.place, used_by='')})" if difference.place and has_before and has_after else ""
    return words.path(difference), old if has_before else None, new if has_after else None, words.line(place)


def _lined_up(rows: list[tuple[str, str | None, str | None, str]]) -> list[str]:
    """Columns for path, before and after, as wide as what is in them."""
    paths = min(_WIDEST_PATH, max((len(path) for path, *_ in rows), default=0)) + 1
    olds = [len(old) for _, old, new, _ in rows if old is not None and new is not None]
    before = min(_WIDEST_BEFORE, max(olds, default=0))
    lines = []
    for path, old, new, place in rows:
        label = f"{path}:".ljust(paths)
        if old is None or new is None:
            lines.append(f"{label} {old if new is None else new}")
            continue
        gap = " " * (before - len(old))
        tail = f"  {click.style(place, dim=True)}" if place else ""
        lines.append(f"{label} {click.style(old, fg='red')}{gap} {_arrow()} {click.style(new, fg='green')}{tail}")
    return lines


def _arrow() -> str:
    """An arrow where somebody looks at it, two plain letters where a program may."""
    fancy = sys.stdout.isatty() and (sys.stdout.encoding or "").lower().startswith("utf")
    return "\u2192" if fancy else "->"
