"""``osform plan --all``: every stack below a folder, in every environment that it has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from osform.cli.stack import loaded
from osform.errors import OsformError, PlanRefused

if TYPE_CHECKING:
    from osform.cluster.client import Cluster
    from osform.core.plan import Plan


def plan_all(
    cluster: Cluster, root: Path, environment: str | None, variables: tuple[str, ...], format: str, *, detailed: bool
) -> int:
    """Plan and show all of them; what is wrong with one does not keep the others from being planned."""
    from osform.cli.plan_words import lines
    from osform.cli.plans import show
    from osform.files import stacks

    plans: list[Plan] = []
    failed: list[str] = []
    for folder in stacks.find(root):
        there = stacks.environments(folder)
        for each in [environment] if environment in there else [] if environment else there:
            try:
                made = loaded(folder, each, variables).plan(cluster)
            except OsformError as error:
                failed.append(f"{folder} ({each or 'default'})")
                click.echo(f"error: {folder} ({each or 'default'}): {lines(error.message)}", err=True)
                continue
            plans.append(made)
            if format != "json":
                show(made, format)
    if format == "json":
        shown = {"plans": [made.to_json() for made in plans], "failed": failed}
        click.echo(json.dumps(shown, indent=2, ensure_ascii=False))
    if failed:
        raise PlanRefused(f"no plan of {', '.join(failed)}", hint="the errors above say why")
    return 2 if detailed and not all(made.empty for made in plans) else 0
