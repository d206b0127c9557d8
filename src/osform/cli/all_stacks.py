"""``osform plan --all``: every stack below a folder, in every environment that it has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from osform.cli.stack import loaded
from osform.errors import InputError, OsformError, PlanRefused
from osform.files import stacks
from osform.files.variables import DEFAULT
from osform.kinds.checks import nearest

if TYPE_CHECKING:
    from osform.cluster.client import Cluster
    from osform.core.plan import Plan


def plan_all(
    cluster: Cluster, root: Path, environment: str | None, variables: tuple[str, ...], format: str, *, detailed: bool
) -> int:
    """Plan and show all of them; what is wrong with one does not keep the others from being planned."""
    from osform.cli.plan_words import lines
    from osform.cli.plans import show

    plans: list[Plan] = []
    failed: list[str] = []
    for folder, each in _chosen(root, environment):
        try:
            made = loaded(folder, each, variables).plan(cluster)
        except OsformError as error:
            failed.append(f"{folder} ({each or DEFAULT})")
            click.echo(f"error: {folder} ({each or DEFAULT}): {lines(error.message)}", err=True)
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


def _chosen(root: Path, environment: str | None) -> list[tuple[Path, str | None]]:
    """Each stack with each of its environments, or with the one that is named. InputError where no stack has that."""
    there = {folder: stacks.environments(folder) for folder in stacks.find(root)}
    if not environment:
        return [(folder, each) for folder, names in there.items() for each in names]
    chosen: list[tuple[Path, str | None]] = []
    for folder, names in there.items():
        if environment in (*names, DEFAULT):  # the default one needs no file: every stack has it
            chosen.append((folder, environment))
    if not chosen:
        known = {each or DEFAULT for names in there.values() for each in names} | {DEFAULT}
        message = f"--env {environment}: no stack below {root} has such an environment"
        raise InputError(message, hint=nearest(environment, known))
    return chosen
