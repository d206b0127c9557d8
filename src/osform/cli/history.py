"""``osform history`` and ``osform show``: who changed what, when, and from which commit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from osform.cli.options import answering, cluster_option, format_option
from osform.cli.stack import loaded, stack_options

if TYPE_CHECKING:
    from osform.core.history import Run

_COLOURS = {"done": "green", "failed": "red", "stopped": "red", "under way": "yellow"}
_LONGEST = 100


@click.command()
@stack_options
@cluster_option
@format_option()
@click.option("--all", "everything", is_flag=True, help="Of every stack and environment on the cluster.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many, the newest.")
def history(
    provision: Path,
    environment: str | None,
    variables: tuple[str, ...],
    cluster_url: str | None,
    format: str,
    everything: bool,
    limit: int,
) -> None:
    """List what was done to the cluster: who, when, from which commit, how many changes, how long."""
    from osform.flows.recording import history as past

    spec = None if everything else loaded(provision, environment, variables).spec
    with answering(cluster_url) as cluster:
        found = past(cluster, spec.name if spec else None, spec.environment if spec else None, limit)
    if format == "json":
        click.echo(json.dumps({"runs": [run.to_json() for run in found]}, indent=2, ensure_ascii=False))
        return
    if not found:
        click.echo("no run is known")
        return
    table = [("run", *(("stack",) if everything else ()), "command", "by", "commit", "changes", "took", "status")]
    table += [_row(run, everything) for run in found]
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    for line in table:
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        cells[-1] = click.style(cells[-1].rstrip(), fg=_COLOURS.get(line[-1]))
        click.echo("  ".join(cells))


def _row(run: Run, everything: bool) -> tuple[str, ...]:
    from osform.cli.plan_words import line

    stack = (f"{run.stack} ({run.environment})",) if everything else ()
    changes = ", ".join(f"{count} {action}" for action, count in run.counts.items())
    took = "" if run.seconds is None else f"{run.seconds:.1f} s"
    return tuple(map(line, (run.id, *stack, run.command, run.by, _commit(run), changes, took, run.status)))


def _commit(run: Run) -> str:
    commit = run.commit or ""
    return commit[:10] + ("+changes" if commit.endswith("+changes") else "")


@click.command()
@click.argument("run")
@stack_options
@cluster_option
@format_option()
def show(
    run: str,
    provision: Path,
    environment: str | None,
    variables: tuple[str, ...],
    cluster_url: str | None,
    format: str,
) -> None:
    """Show what one run changed: RUN is its id or the beginning of it, or last."""
    from osform.flows.recording import find

    stack, named = ("", "")
    if run == "last":
        spec = loaded(provision, environment, variables).spec
        stack, named = spec.name, spec.environment
    with answering(cluster_url) as cluster:
        found = find(cluster, run, stack, named)
    if format == "json":
        click.echo(json.dumps(found.to_json(), indent=2, ensure_ascii=False))
        return
    _show(found)


def _show(run: Run) -> None:
    from osform.cli.plan_words import line

    took = "" if run.seconds is None else f", {run.seconds:.1f} s"
    click.echo(line(f"{run.id}  {run.command} of {run.stack} ({run.environment}): {run.status}{took}"))
    click.echo(line(f"by {run.by} at {run.started_at}, commit {run.commit or 'unknown'}"))
    if run.checksum:
        click.echo(line(f"checksum {run.checksum}"))
    if run.message:
        click.echo(line(run.message))
    for change in run.changes:
        _show_change(change)


def _show_change(change: Mapping[str, Any]) -> None:
    from osform.cli.plan_words import SIGNS, line

    seconds = f" in {change['seconds']:.1f} s" if change.get("seconds") else ""
    message = f": {change['message']}" if change.get("message") else ""
    head = f"{SIGNS.get(change['action'], '?')} {change['address']}  {change['action']}, {change['reason']}"
    click.echo(line(f"{head}  {change.get('status', '')}{seconds}{message}"))
    for each in change.get("differences", ()):
        click.echo(line(f"    {each['path']}: {_text(each['before'])} -> {_text(each['after'])}"))
    if change.get("more"):
        click.echo(line(f"    and {change['more']} more"))


def _text(value: Any) -> str:
    text = "(nothing)" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
