"""``osform doctor``: whether a cluster can do what a stack asks of it."""

from __future__ import annotations

import json
from pathlib import Path

import click

from osform.cli.options import cluster_option, connected, format_option
from osform.cli.stack import loaded, stack_options

_COLOURS = {"ok": "green", "warning": "yellow", "problem": "red"}


@click.command()
@stack_options
@cluster_option
@format_option()
def doctor(
    provision: Path, environment: str | None, variables: tuple[str, ...], cluster_url: str | None, format: str
) -> int:
    """Check whether the cluster can do what the stack asks for. Exits with 1 if something stops it."""
    from osform.cli.plan_words import line
    from osform.flows.doctor import doctor as examine

    stack = loaded(provision, environment, variables)
    with connected(cluster_url) as cluster:
        found = examine(stack, cluster)
    problems = sum(each.level == "problem" for each in found)
    if format == "json":
        findings = [each.to_json() for each in found]
        result = {"stack": stack.spec.name, "environment": stack.spec.environment, "findings": findings}
        click.echo(json.dumps(result | {"problems": problems}, indent=2, ensure_ascii=False))
        return 1 if problems else 0
    width = max((len(each.topic) for each in found), default=0)
    for each in found:
        level = click.style(each.level.ljust(7), fg=_COLOURS[each.level])
        click.echo(f"{level}  {each.topic.ljust(width)}  {line(each.found)}")
        if each.remedy:
            click.echo(f"{' ' * (width + 11)}{line(each.remedy)}")
    click.echo(f"{stack.spec.name} ({stack.spec.environment}): {_summary(problems)}")
    return 1 if problems else 0


def _summary(problems: int) -> str:
    many = "1 thing stops" if problems == 1 else f"{problems} things stop"
    return f"{many} this stack on this cluster" if problems else "nothing stops this stack on this cluster"
