"""``osform rights``: the role that a stack takes, as a file of the kind ``role``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from osform.cli.options import format_option
from osform.cli.stack import loaded, stack_options


@click.command()
@click.argument("verb", type=click.Choice(["plan", "status", "apply"]), default="apply")
@stack_options
@format_option()
@click.option("--indices", multiple=True, metavar="PATTERN", help="Rights on these indices, not on the stack's own.")
def rights(
    verb: Any,
    provision: Path,
    environment: str | None,
    variables: tuple[str, ...],
    format: str,
    indices: tuple[str, ...],
) -> None:
    """Print the exact role that plan, status or apply needs for this stack. Needs no cluster.

    The text is a file of the kind role: provision/role/NAME.yaml.
    """
    import yaml

    from osform.kinds.rights import admin_of_users, role

    stack = loaded(provision, environment, variables)
    body = role(stack.spec.resources, verb, indices)
    if format == "json":
        click.echo(json.dumps(body, indent=2))
        return
    click.echo(f"# what osform {verb} needs for the stack {stack.spec.name}, and nothing besides")
    if admin_of_users(stack.spec.resources):
        click.echo("# and, for its users and roles: the role security_rest_api_access, or who else may use that API")
    click.echo(yaml.safe_dump(body, sort_keys=False, default_flow_style=False), nl=False)
